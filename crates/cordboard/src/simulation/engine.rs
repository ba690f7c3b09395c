//! The engine of the simulation: its requests are lines, its answers echo what was said.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, Method};
use model::{Answer, Ask, Failure, Item, Next, Notice, Timestamp};

use crate::engine::{Asking, Engine, History, Reading, Replay, Traits};
use crate::http::{Call, Reply};

/// Words at which reading the engine's answer panics.
pub(super) const UNREADABLE: &str = "unreadable";

pub(super) struct SimulatedEngine {
    pub(super) replay: Replay,
}

/// What the engine was asked, as it saw it.
#[derive(Default)]
pub(super) struct Asked {
    /// Turn id to what was said, and how often it came.
    pub(super) turns: BTreeMap<String, (String, u32)>,
    /// Turns under way, by engine session.
    pub(super) under_way: BTreeMap<String, String>,
    pub(super) violations: Vec<String>,
}

impl Engine for SimulatedEngine {
    fn traits(&self) -> Traits {
        Traits { replay: self.replay, callbacks: false, notices: true, opens: true, history: false }
    }

    fn ask(&self, ask: &Ask, _: &History, turn_id: &str) -> Bytes {
        format!("{turn_id} {:x} {}", ask.engine_session, ask.input.shown().replace('\n', " + ")).into()
    }

    fn notice(&self, notice: &Notice, notice_id: &str) -> Option<Bytes> {
        Some(format!("{notice_id} {:x} notice:{:?}", notice.engine_session, notice.news).into())
    }

    fn call(&self, question: &Bytes, _id: &str, _attempt: u32, _now: Timestamp, time_left_ms: u64) -> Asking {
        Asking::Call(Call {
            method: Method::POST,
            url: "engine".into(),
            headers: HeaderMap::new(),
            body: question.clone(),
            timeout_ms: time_left_ms,
            reply_max_bytes: 1_000,
        })
    }

    fn read(&self, _: &Bytes, reply: &Reply) -> Reading {
        match reply.status {
            200 => {
                let text = String::from_utf8_lossy(&reply.body).into_owned();
                assert!(!text.contains(UNREADABLE), "the engine's adapter has a fault");
                let next = if text.ends_with("bye") { Next::End } else { Next::Await };
                Reading::Answer(Box::new(Answer { next, ..Answer::saying(vec![Item::text(text)]) }))
            }
            503 => Reading::Later { after_ms: reply.retry_after_ms(), failure: Failure::Unavailable },
            _ => Reading::Failed(Failure::Nonsense),
        }
    }
}
