//! Connectors: our adapters for the doors of a platform. One folder each: its configuration and a pure translation; the
//! wire types are those of `genesys`.
//!
//! A connector never does I/O and decides nothing that the customer sees: it reads a body into what was said, and it
//! renders what the core decided. The HTTP layer authenticates before [`Connector::parse`] is called; the runner calls
//! [`Connector::render`] before it commits; the outbox sends what [`Connector::call`] builds.

pub mod bot_connector;
pub mod bots;
pub mod channels;
pub mod declared;
pub mod digital_bot_connector;
mod ending;
pub mod entrance;
pub(crate) mod messages;
pub mod registry;
mod request;
pub(crate) mod shadow;
#[cfg(test)]
mod tests;

pub(crate) use self::ending::NOTE_PARAMETER;
use std::sync::Arc;

use bytes::Bytes;
use model::{
    Attributes, BotKey, Channel, Choice, ConnectorKey, Door, Input, LegName, Masked, Opaque, OrgKey, Part, Poll,
    PushOutcome, Reply, RequestId, Said, Sensitive, Timestamp,
};

use crate::fit::Change;
use crate::http;
use crate::masking;
use crate::observe::trace::Trace;
use crate::store::Blob;

/// One configured integration.
pub trait Connector: Send + Sync + 'static {
    /// Its table key in the configuration.
    fn key(&self) -> &ConnectorKey;
    /// The org it belongs to; conversations are unique per org and platform conversation id.
    fn org(&self) -> &OrgKey;
    /// What the door can do.
    fn door(&self) -> Door;
    /// How long after its arrival a request's answer may wait: v2's soft deadline, v1's budget.
    fn wait_ms(&self) -> u64;
    /// How long after its arrival a request gets the constant refusal when no reply is sealed.
    fn refuse_after_ms(&self) -> u64;
    /// Reads the body of an authenticated request. Total; never panics, whatever the bytes are.
    fn parse(&self, body: &[u8]) -> Parsed;
    /// Renders the answer to a request. Pure; `memory` is what this connector returned for the leg last time.
    fn render(&self, reply: &Reply, leg: LegView<'_>) -> Rendered;
    /// The connector that is the shadow of this one: its answers are compared, and not sent.
    fn shadow(&self) -> Option<&ConnectorKey> {
        None
    }
    /// Renders a push, on doors that can.
    fn render_push(&self, parts: &[Part], leg: LegView<'_>) -> Option<RenderedPush>;
    /// The constant refusal: sent when the store cannot decide in time, or when we are full.
    fn refusal(&self) -> SealedReply;
    /// Makes stored push bytes ready to be sent now. The bearer token is added by the outbox.
    fn call(&self, push: &Bytes) -> Option<http::Call>;
    /// Reads what the platform said to a push.
    fn read_push(&self, reply: &http::Reply) -> PushReading;
    /// Whether a push of which nobody knows if it was taken is sent again, and so perhaps seen twice.
    fn resends_unknown(&self) -> bool;
}

/// What a connector may see of a leg when it renders.
#[derive(Clone, Copy, Debug)]
pub struct LegView<'a> {
    /// The bot of the seat.
    pub bot: &'a BotKey,
    /// The platform's id of the session.
    pub session: &'a str,
    /// What [`Message::address`] was at the latest message.
    pub address: &'a Opaque,
    /// The connector's own memory.
    pub memory: &'a Opaque,
    /// What the customer uses: what the flow said, or what the bot's policy says; nothing when neither does.
    pub channel: Option<Channel>,
}

/// What a body turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Parsed {
    /// A customer's message.
    Message(Box<Message>),
    /// Authentic JSON that we do not understand, or for a bot that we do not have: answered so that the platform goes
    /// on, and kept as a dead letter.
    NotUnderstood {
        /// The answer.
        reply: SealedReply,
        /// Why, for the dead letter; never customer words.
        reason: Arc<str>,
    },
    /// Not JSON at all: 400, nothing is kept.
    NotJson,
}

/// A customer's message, as the connector read it.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The platform's conversation id.
    pub conversation: String,
    /// The platform's session id.
    pub session: String,
    /// What makes the message unique within the session, where the door has message ids.
    pub message: Option<String>,
    /// The bot, by our key.
    pub bot: BotKey,
    /// What was said.
    pub input: Input,
    /// Set when it is a form that was filled in: what it carries are the customer's words, not the bot's.
    pub is_form: bool,
    /// The language, in lower case.
    pub language: String,
    /// Session variables.
    pub parameters: Attributes,
    /// How long the session lives.
    pub session_lifetime_ms: u64,
    /// What this connector needs to push to the session.
    pub address: Opaque,
    /// A hash of the body, equal for equal bodies, with a constant key.
    pub body_hash: u64,
    /// Set when the message is a poll for a late answer.
    pub poll: Option<Poll>,
    /// What the customer uses, where the flow says so.
    pub channel: Option<Channel>,
    /// Who the customer is, in the words of the flow.
    pub customer: Option<String>,
}

impl Message {
    /// What the core is told: that this was said at this door. Words of the kinds in `mask` end here: nothing behind
    /// this, the store included, ever sees them. What the flow says in session variables, and what a bot put on a button
    /// itself, is left as it is; what a form carries is not.
    #[must_use]
    pub fn said(
        mut self,
        door: &dyn Connector,
        mask: &[Sensitive],
        request: Option<RequestId>,
        wait_until: Timestamp,
        fresh_session: u128,
    ) -> Said {
        let masked = self.mask(mask);
        Said {
            request,
            wait_until,
            leg: LegName { connector: door.key().clone(), session: self.session },
            door: door.door(),
            bot: self.bot,
            fresh_session,
            input: self.input,
            language: self.language,
            parameters: self.parameters,
            session_lifetime_ms: self.session_lifetime_ms,
            address: self.address,
            body_hash: self.body_hash,
            poll: self.poll,
            channel: self.channel,
            customer: self.customer,
            masked,
        }
    }

    /// Takes words of these kinds out of what the customer wrote, and says how many there were.
    fn mask(&mut self, kinds: &[Sensitive]) -> Vec<Masked> {
        let mut masked = Vec::new();
        let mut clean = |text: &mut String| {
            if let Some(cleaned) = masking::mask(text, kinds) {
                *text = cleaned.text;
                masked.extend(cleaned.masked);
            }
        };
        match &mut self.input {
            Input::Text(text) => clean(text),
            Input::Choice { label, payload } if self.is_form => {
                clean(label);
                clean(payload);
            }
            Input::Choice { .. } | Input::Start => {}
        }
        if !masked.is_empty() {
            let left = match &self.input {
                Input::Text(text) => [text.as_str(), ""],
                Input::Choice { label, payload } => [label.as_str(), payload],
                Input::Start => ["", ""],
            };
            // The hash of what was really sent would tell, to whoever tries all numbers, which one it was.
            self.body_hash = request::body_hash(left.concat().as_bytes());
        }
        masking::by_kind(&masked)
    }
}

/// A rendered answer, and the connector's memory after it.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// The answer.
    pub reply: SealedReply,
    /// The memory; absent when unchanged.
    pub memory: Option<Opaque>,
    /// What else is to be known of it.
    pub noted: Noted,
}

/// What is to be known of a rendered answer beside its bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Noted {
    /// What had to be degraded or corrected (an undeclared end intent became `done`, a text was split).
    pub changes: Vec<Change>,
    /// What was offered as numbered lines, the first being number 1; absent when no bot spoke, so that what was offered
    /// before still stands.
    pub offered: Option<Vec<Choice>>,
}

/// A rendered push.
#[derive(Clone, Debug, PartialEq)]
pub struct RenderedPush {
    /// The body; the same for every attempt.
    pub body: Bytes,
    /// As in [`Rendered`].
    pub memory: Option<Opaque>,
    /// As in [`Rendered`].
    pub noted: Noted,
}

/// An HTTP answer whose bytes are decided once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedReply {
    /// The status.
    pub status: u16,
    /// `Retry-After`, on refusals.
    pub retry_after_s: Option<u16>,
    /// The JSON body.
    pub body: Bytes,
}

/// What the platform's answer to a push means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushReading {
    /// It is over.
    Over(PushOutcome),
    /// The token is not accepted: get a new one, once, and try again.
    Unauthorised,
    /// It was not taken and may be sent again, at the earliest after this time.
    NotTaken {
        /// `Retry-After`.
        after_ms: Option<u64>,
    },
    /// Nobody knows whether it was taken (a 5xx other than 503).
    Unknown,
    /// It was refused for good, and so will be the next one, until an operator acts: the push ends as
    /// [`PushOutcome::Rejected`], with an alarm.
    Misconfigured {
        /// What to look at. No word of the platform's answer.
        why: &'static str,
    },
}

/// Why a connector's configuration cannot be used. The message says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Misconfigured(pub String);

/// When a message arrived, and what the platform said about the call.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// When the first byte of the request was there.
    pub at: Timestamp,
    /// The platform's correlation id.
    pub correlation: Option<Arc<str>>,
    /// Our id of the request, where the listener gave it one.
    pub request: Option<RequestId>,
    /// The trace it belongs to.
    pub trace: Option<Trace>,
}

impl SealedReply {
    /// The stored form: status, `Retry-After` (0 = none), body.
    #[must_use]
    pub fn to_blob(&self) -> Blob {
        let mut bytes = Vec::with_capacity(self.body.len() + 4);
        bytes.extend_from_slice(&self.status.to_be_bytes());
        bytes.extend_from_slice(&self.retry_after_s.unwrap_or(0).to_be_bytes());
        bytes.extend_from_slice(&self.body);
        Blob::clear(&bytes)
    }

    /// Reads the stored form.
    #[must_use]
    pub fn from_blob(blob: &Blob) -> Option<Self> {
        let bytes = blob.payload()?;
        let status = u16::from_be_bytes([*bytes.first()?, *bytes.get(1)?]);
        let retry_after_s = Some(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])).filter(|seconds| *seconds > 0);
        Some(Self { status, retry_after_s, body: bytes.slice(4..) })
    }
}
