//! The door of the simulation: a connector whose wire is the words themselves, and the access of its org, which now and
//! then has no token and no rate left.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method};
use model::{ConnectorKey, Door, Item, Late, OrgKey, Outcome, Part, PushOutcome, Timestamp};

use super::world::Dice;
use crate::connector::{Connector, LegView, Noted, Parsed, PushReading, Rendered, RenderedPush, SealedReply};
use crate::http::{Call, Reply};
use crate::org::{Bearer, NoToken, Reason};
use crate::outbox::PushAccess;

/// The word at which the connector panics.
pub(super) const UNRENDERABLE: &str = "unrenderable";

pub(super) struct SimulatedConnector {
    pub(super) late: Late,
    pub(super) key: ConnectorKey,
    pub(super) org: OrgKey,
    pub(super) resends: bool,
    pub(super) merge_quiet_ms: u64,
    pub(super) shadow: Option<ConnectorKey>,
    /// A word at which it panics.
    pub(super) unrenderable: &'static str,
}

fn lines(parts: &[Part]) -> String {
    let mut lines = String::new();
    for part in parts {
        for item in &part.items {
            if let Item::Text(text) = item {
                lines.push_str(text);
                lines.push('\n');
            }
        }
        if part.outcome != Outcome::Open {
            lines.push_str("[closed]\n");
        }
    }
    lines
}

fn sealed(body: String) -> SealedReply {
    SealedReply { status: 200, retry_after_s: None, body: body.into() }
}

impl Connector for SimulatedConnector {
    fn key(&self) -> &ConnectorKey {
        &self.key
    }

    fn org(&self) -> &OrgKey {
        &self.org
    }

    fn door(&self) -> Door {
        let push = self.late == Late::Push;
        Door {
            late: self.late,
            join_identical_ms: if push { 0 } else { 3_000 },
            retry_window_ms: 15_000,
            push_after_ack_ms: 100,
            follow_up_ms: 3_600_000,
            merge_quiet_ms: self.merge_quiet_ms,
            merge_max_ms: 2_000,
        }
    }

    fn wait_ms(&self) -> u64 {
        2_000
    }

    fn refuse_after_ms(&self) -> u64 {
        3_500
    }

    fn parse(&self, _body: &[u8]) -> Parsed {
        Parsed::NotJson
    }

    fn render(&self, reply: &model::Reply, _leg: LegView<'_>) -> Rendered {
        if let model::Reply::Parts(parts) = reply {
            assert!(!lines(parts).contains(self.unrenderable), "the connector has a fault");
        }
        let body = match reply {
            model::Reply::Parts(parts) => lines(parts),
            model::Reply::Holding { parts, button, .. } => {
                let button = button.as_ref().map(|button| format!("[poll {}]\n", button.poll)).unwrap_or_default();
                lines(parts) + &button
            }
            model::Reply::Pending { parts, poll } => lines(parts) + &format!("[pending {poll}]\n"),
            model::Reply::Failed { code } => format!("[failed {code}]\n"),
            model::Reply::Refused => "[refused]\n".into(),
        };
        Rendered { reply: sealed(body), memory: None, noted: Noted::default() }
    }

    fn shadow(&self) -> Option<&ConnectorKey> {
        self.shadow.as_ref()
    }

    fn render_push(&self, parts: &[Part], leg: LegView<'_>) -> Option<RenderedPush> {
        let body = format!("{}\n{}", leg.session, lines(parts)).into();
        (self.late == Late::Push).then_some(RenderedPush { body, memory: None, noted: Noted::default() })
    }

    fn refusal(&self) -> SealedReply {
        SealedReply { status: 503, retry_after_s: Some(1), body: Bytes::new() }
    }

    fn resends_unknown(&self) -> bool {
        self.resends
    }

    fn call(&self, push: &Bytes) -> Option<Call> {
        Some(Call {
            method: Method::POST,
            url: "platform".into(),
            headers: HeaderMap::new(),
            body: push.clone(),
            timeout_ms: 10_000,
            reply_max_bytes: 1_000,
        })
    }

    fn read_push(&self, reply: &Reply) -> PushReading {
        match reply.status {
            200 => PushReading::Over(PushOutcome::Delivered),
            401 => PushReading::Unauthorised,
            409 => PushReading::Over(PushOutcome::SessionClosed),
            429 | 503 => PushReading::NotTaken { after_ms: reply.retry_after_ms() },
            _ => PushReading::Unknown,
        }
    }
}

pub(super) struct SimulatedAccess {
    pub(super) dice: Dice,
    pub(super) calm: bool,
}

impl PushAccess for SimulatedAccess {
    fn bearer(&self) -> BoxFuture<'_, Result<Bearer, NoToken>> {
        Box::pin(async {
            if self.calm {
                return Ok(Bearer::new(HeaderValue::from_static("Bearer token"), 1));
            }
            self.dice.wait_up_to_ms(5).await;
            if !self.dice.once_in(50) {
                return Ok(Bearer::new(HeaderValue::from_static("Bearer token"), 1));
            }
            let reason = if self.dice.once_in(2) { Reason::Unavailable } else { Reason::Refused };
            Err(NoToken { reason, retry_after_ms: 300 })
        })
    }

    fn refuse(&self, _bearer: &Bearer) {}

    fn try_take(&self, _now: Timestamp) -> bool {
        self.calm || !self.dice.once_in(20)
    }

    fn reserve(&self, _now: Timestamp) -> u64 {
        if self.dice.once_in(20) { self.dice.roll(500) } else { 0 }
    }

    fn pause_until(&self, _until: Timestamp) {}
}
