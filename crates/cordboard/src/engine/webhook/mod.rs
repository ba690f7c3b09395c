//! Our own contract: a bot is an HTTP endpoint that gets a question and gives a reply, both JSON, both signed with
//! Standard Webhooks (`reference/bot-platforms.md`, section 3; `docs/guides/write-a-webhook-bot.md`). It is also the
//! adapter of last resort for every bot platform without one of its own.
//!
//! A bot answers in the response (200), says nothing (204), or takes the turn (202) and answers by a callback. A stream of
//! events (`text/event-stream`) is part of the contract but not read yet: it counts as nonsense.

mod config;
mod items;
mod mistakes;
mod read;
pub mod signature;
mod slots;
mod wire;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use model::{Answer, Ask, Channel, Failure, Input, News, Notice, Timestamp};

pub(in crate::engine) use config::optional_secret;
pub use config::{Config, Error, Notify, ReplayConfig};
pub use mistakes::{Mistake, mistakes};
pub use read::read_reply;
pub use signature::TOLERANCE_S;

use super::callback::{Callback, Callbacks, Rejected, Unreadable};
use super::limits::Limits;
use super::{Asking, Engine, History, Reading, Replay, Traits};
use crate::http as calls;

/// What is left to the hard deadline when the attempt begins, in milliseconds.
const TIME_LEFT: HeaderName = HeaderName::from_static("cordboard-time-left-ms");
const ID: HeaderName = HeaderName::from_static(signature::ID);
const TIMESTAMP: HeaderName = HeaderName::from_static(signature::TIMESTAMP);
const SIGNATURE: HeaderName = HeaderName::from_static(signature::SIGNATURE);

/// A bot behind a webhook.
pub struct Webhook {
    url: String,
    keys: Vec<signature::Key>,
    authorization: Option<HeaderValue>,
    replay: Replay,
    notify: std::collections::BTreeSet<Notify>,
    limits: Limits,
}

impl Webhook {
    /// Checks a configuration and makes the engine.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn new(config: &Config) -> Result<Self, Error> {
        Ok(Self {
            url: config.checked_url()?,
            keys: config.keys()?,
            authorization: config.authorization()?,
            replay: config.replay.into(),
            notify: config.notify.clone(),
            limits: config.limits,
        })
    }

    fn headers(&self, body: &[u8], id: &str, now: Timestamp, time_left_ms: u64) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(TIME_LEFT, HeaderValue::from(time_left_ms));
        headers.insert(ID, HeaderValue::from_str(id).ok()?);
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        if !self.keys.is_empty() {
            let timestamp_s = now.0.div_euclid(1000);
            let mut signed = HeaderValue::try_from(signature::sign(&self.keys, id, timestamp_s, body)).ok()?;
            signed.set_sensitive(true);
            headers.insert(TIMESTAMP, HeaderValue::from(timestamp_s));
            headers.insert(SIGNATURE, signed);
        }
        Some(headers)
    }
}

impl Engine for Webhook {
    fn traits(&self) -> Traits {
        Traits {
            replay: self.replay,
            callbacks: !self.keys.is_empty(),
            notices: !self.notify.is_empty(),
            opens: true,
            history: false,
        }
    }

    fn ask(&self, ask: &Ask, _: &History, turn_id: &str) -> Bytes {
        // The state is what this engine gave us, so it is JSON. Were it not, the bot would begin anew.
        let engine_state = ask.engine_state.as_ref().and_then(|state| serde_json::from_slice(&state.0).ok());
        render(&wire::Question {
            contract: wire::CONTRACT,
            bot: ask.bot.as_str(),
            conversation: wire::Conversation {
                id: session(ask.engine_session),
                attempt: Some(ask.visit),
                locale: (!ask.language.is_empty()).then_some(&ask.language),
                channel: ask.channel.map(Channel::word),
            },
            turn: Some(wire::Turn { id: turn_id, seq: ask.turn.0, is_first: ask.is_first, deadline_ms: ask.time_ms }),
            input: match &ask.input {
                Input::Text(text) => wire::Input::Text { text },
                Input::Choice { label, payload } => wire::Input::Choice { label, payload },
                Input::Start => wire::Input::Start,
            },
            user: ask.customer.as_deref().map(|id| wire::User { id }),
            context: Some(&ask.context),
            engine_state,
        })
    }

    fn notice(&self, notice: &Notice, _notice_id: &str) -> Option<Bytes> {
        if !self.notify.contains(&notice.news.into()) {
            return None;
        }
        Some(render(&wire::Question {
            contract: wire::CONTRACT,
            bot: notice.bot.as_str(),
            conversation: wire::Conversation {
                id: session(notice.engine_session),
                attempt: None,
                locale: None,
                channel: None,
            },
            turn: None,
            input: match notice.news {
                News::Opened => wire::Input::Start,
                News::Ended => wire::Input::Ended,
                News::HandedOver => wire::Input::HandedOver,
                News::Returned => wire::Input::HandoffReturned,
            },
            user: None,
            context: None,
            engine_state: None,
        }))
    }

    fn call(&self, question: &Bytes, id: &str, _attempt: u32, now: Timestamp, time_left_ms: u64) -> Asking {
        let Some(headers) = self.headers(question, id, now, time_left_ms) else {
            return Asking::Local { reading: Reading::Failed(Failure::Internal), delay_ms: 0 };
        };
        Asking::Call(calls::Call {
            method: Method::POST,
            url: self.url.clone(),
            headers,
            body: question.clone(),
            timeout_ms: time_left_ms,
            reply_max_bytes: self.limits.reply_max_bytes,
        })
    }

    fn read(&self, _: &Bytes, reply: &calls::Reply) -> Reading {
        match reply.status {
            200 if is_event_stream(reply) => Reading::Failed(Failure::Nonsense),
            200 => match read::read(&reply.body, &self.limits) {
                Ok(Callback { answer, .. }) => Reading::Answer(Box::new(answer)),
                Err(_) => Reading::Failed(Failure::Nonsense),
            },
            204 => Reading::Answer(Box::new(Answer::saying(Vec::new()))),
            // A bot whose callbacks would all be refused cannot answer later.
            202 if self.traits().callbacks => Reading::Accepted,
            _ => Reading::of_failure(reply, self.replay),
        }
    }

    fn unread(&self, _: &Bytes, reply: &calls::Reply) -> Option<String> {
        if is_event_stream(reply) {
            return Some("a stream of events is not read".to_owned());
        }
        read::read(&reply.body, &self.limits).err().map(|unreadable| unreadable.to_string())
    }

    fn address(&self) -> Option<&str> {
        Some(&self.url)
    }

    fn callbacks(&self) -> Option<&dyn Callbacks> {
        self.traits().callbacks.then_some(self)
    }
}

impl Callbacks for Webhook {
    fn verify(&self, headers: &HeaderMap, raw_body: &[u8], now: Timestamp) -> Result<String, Rejected> {
        signature::verify(&self.keys, headers, raw_body, now)
    }

    fn read_callback(&self, raw_body: &[u8]) -> Result<Callback, Unreadable> {
        read::read(raw_body, &self.limits)
    }
}

fn session(id: u128) -> String {
    uuid::Uuid::from_u128(id).to_string()
}

fn is_event_stream(reply: &calls::Reply) -> bool {
    reply
        .header("content-type")
        .is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/event-stream"))
}

fn render(question: &wire::Question<'_>) -> Bytes {
    // Structs, texts, numbers and raw JSON: nothing of which `serde_json` refuses to write.
    serde_json::to_vec(question).expect("a question is always JSON").into()
}
