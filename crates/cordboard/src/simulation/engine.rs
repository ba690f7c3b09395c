//! The engine of the simulation: its requests are lines, its answers echo what was said. Where it listens, it takes
//! several calls for a turn now and then, and gives out each whole line of an answer while the rest is on its way.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderMap, Method};
use model::{Answer, Ask, Failure, Item, Next, Notice, Timestamp};

use crate::engine::{Asking, Engine, History, Reader, Reading, Replay, Traits};
use crate::http::{Call, Reply};

/// Words at which reading the engine's answer panics.
pub(super) const UNREADABLE: &str = "unreadable";

/// What it answers when it wants another call for the same turn.
pub(super) const ANOTHER_ROUND: &str = "another round";

pub(super) struct SimulatedEngine {
    pub(super) replay: Replay,
    /// Whether its questions tell what was said before.
    pub(super) history: bool,
    /// Whether it reads its replies while they come.
    pub(super) listens: bool,
}

/// What the engine was asked, as it saw it.
#[derive(Default)]
pub(super) struct Asked {
    /// Turn id to what was said, and how often it came.
    pub(super) turns: BTreeMap<String, (String, u32)>,
    /// Turn id to the digest of what it was told of before.
    pub(super) histories: BTreeMap<String, String>,
    /// Turns under way, by engine session.
    pub(super) under_way: BTreeMap<String, String>,
    pub(super) violations: Vec<String>,
}

impl Engine for SimulatedEngine {
    fn traits(&self) -> Traits {
        Traits { replay: self.replay, callbacks: false, notices: true, opens: true, history: self.history }
    }

    fn ask(&self, ask: &Ask, history: &History, turn_id: &str) -> Bytes {
        let (session, said) = (ask.engine_session, ask.input.shown().replace('\n', " + "));
        format!("{turn_id} {session:x} {} {said}", digest(history)).into()
    }

    fn notice(&self, notice: &Notice, notice_id: &str) -> Option<Bytes> {
        Some(format!("{notice_id} {:x} - notice:{:?}", notice.engine_session, notice.news).into())
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

    fn read(&self, question: &Bytes, reply: &Reply) -> Reading {
        match reply.status {
            200 if reply.body == ANOTHER_ROUND => Reading::Continue { question: question.clone() },
            200 => {
                let text = String::from_utf8_lossy(&reply.body).into_owned();
                assert!(!text.contains(UNREADABLE), "the engine's adapter has a fault");
                let next = if text.ends_with("bye") { Next::End } else { Next::Await };
                let items = text.lines().map(Item::text).collect();
                Reading::Answer(Box::new(Answer { next, ..Answer::saying(items) }))
            }
            503 => Reading::Later { after_ms: reply.retry_after_ms(), failure: Failure::Unavailable },
            _ => Reading::Failed(Failure::Nonsense),
        }
    }

    fn reader(&self, question: &Bytes) -> Option<Box<dyn Reader>> {
        let engine = Self { ..*self };
        self.listens.then(|| -> Box<dyn Reader> {
            Box::new(Listening { engine, question: question.clone(), line: Vec::new() })
        })
    }
}

/// What was heard since the last whole line.
struct Listening {
    engine: SimulatedEngine,
    question: Bytes,
    line: Vec<u8>,
}

impl Reader for Listening {
    fn more(&mut self, bytes: &[u8], answers_max: u32) -> Vec<Answer> {
        self.line.extend_from_slice(bytes);
        let mut answers = Vec::new();
        while answers.len() < answers_max as usize
            && let Some(end) = self.line.iter().position(|byte| *byte == b'\n')
        {
            let line: Vec<u8> = self.line.drain(..=end).collect();
            let text = String::from_utf8_lossy(&line[..end]).into_owned();
            answers.push(Answer { next: Next::More, ..Answer::saying(vec![Item::text(text)]) });
        }
        answers
    }

    fn end(self: Box<Self>, reply: &Reply) -> Reading {
        self.engine.read(&self.question, &Reply { body: self.line.into(), ..reply.clone() })
    }
}

/// One word for all that an engine was told.
pub(super) fn digest(history: &History) -> String {
    let mut text = String::new();
    for utterance in &history.utterances {
        writeln!(text, "{} {:?} {}", utterance.number, utterance.by, utterance.text).unwrap();
    }
    let hash = text.bytes().fold(5_381_u64, |hash, byte| hash.wrapping_mul(33) ^ u64::from(byte));
    format!("{}:{hash:x}", history.utterances.len())
}
