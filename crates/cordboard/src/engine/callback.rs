//! The door by which an engine answers later, or speaks of its own accord:
//! `POST {gateway}/v1/engine/conversations/{engine session}/replies`. The listener owns the route and the statuses;
//! engines that have such a door implement [`Callbacks`].

use http::HeaderMap;
use model::{Answer, BotKey, Failure, Timestamp};
use secrecy::SecretString;

/// How an engine proves that a callback is its own, and what the callback says. Both are pure.
pub trait Callbacks: Send + Sync {
    /// Whether the body is authentic: signed with one of the engine's keys, not long ago.
    ///
    /// # Returns
    ///
    /// The sender's id of the message, the same over its retries. Neither the path nor the conversation is signed, so a
    /// duplicate must be looked for among all callbacks of the bot, not only those of one conversation; and for longer
    /// than the signature's tolerance.
    ///
    /// # Errors
    ///
    /// A refusal, to be answered with 401. It never quotes the request.
    fn verify(&self, headers: &HeaderMap, raw_body: &[u8], now: Timestamp) -> Result<String, Rejected>;

    /// Reads an authentic body. Answers are within the bot's limits afterwards.
    ///
    /// # Errors
    ///
    /// Why it cannot be read, one variant for each status of the door.
    fn read_callback(&self, raw_body: &[u8]) -> Result<Callback, Unreadable>;
}

/// What an engine sent without being asked at that moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// The turn it answers, by the id that the question carried; absent for a message of the engine's own accord.
    pub in_reply_to: Option<String>,
    /// What it says.
    pub answer: Answer,
}

/// How an engine answers later that was written for the platform: it fetches a token and sends messages, and we stand in
/// for the platform. The listener owns the routes and the statuses. All methods are pure.
pub trait StandIn: Send + Sync {
    /// A token for whoever shows the engine's client credentials.
    ///
    /// # Errors
    ///
    /// A refusal, to be answered with 401. It never quotes the request.
    fn grant(&self, headers: &HeaderMap, now: Timestamp) -> Result<Grant, Rejected>;

    /// Whether a call shows a token that still counts; asked before its body is read.
    ///
    /// # Errors
    ///
    /// A refusal, to be answered with 401. It never quotes the request.
    fn admit(&self, headers: &HeaderMap, now: Timestamp) -> Result<(), Rejected>;

    /// How many messages a minute are taken.
    fn requests_per_minute(&self) -> u32;

    /// Reads the body of a call of this bot that was let in. Answers are within the bot's limits afterwards.
    ///
    /// # Errors
    ///
    /// Why it cannot be taken.
    fn read_message(&self, bot: &BotKey, raw_body: &[u8]) -> Result<LateMessage, NotTaken>;
}

/// A token.
#[derive(Clone, Debug)]
pub struct Grant {
    /// What is shown with every call.
    pub token: SecretString,
    /// For how long it counts.
    pub lifetime_s: u32,
}

/// What an engine sent later, as it would send it to the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateMessage {
    /// Which session it is for, as [`Engine::session`](super::Engine::session) names it.
    pub session: u128,
    /// What it says, or how the turn failed.
    pub said: Result<Box<Answer>, Failure>,
}

/// Why a message of an engine that was let in is not taken. Never quotes it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// Larger than the bot's limit. 413.
    #[error("the body is larger than {max_bytes} bytes")]
    TooLarge {
        /// The limit.
        max_bytes: usize,
    },
    /// Not JSON at all. 400.
    #[error("the body is not JSON")]
    NotJson,
    /// JSON, but no message. 400, and a dead letter.
    #[error("the body is not an outgoing message: {0}")]
    NotAMessage(String),
    /// It names a session that was never ours. 409.
    #[error("there is no such session")]
    NoSuchSession,
    /// It names another bot than the session's. 409.
    #[error("the session belongs to another bot")]
    OtherBot,
    /// It names another version than the session's. 409.
    #[error("the session belongs to another version of the bot")]
    OtherVersion,
}

/// Why a callback is not taken for the engine's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// A header is not there, or there several times.
    #[error("the header {0} must be there once")]
    Header(&'static str),
    /// The timestamp is not a number of seconds.
    #[error("webhook-timestamp is not a number of Unix seconds")]
    Timestamp,
    /// It was signed too long ago.
    #[error("the signature is older than the tolerance of {} s", super::webhook::TOLERANCE_S)]
    TooOld,
    /// It was signed in the future.
    #[error("the signature is more than {} s ahead of this clock", super::webhook::TOLERANCE_S)]
    TooNew,
    /// No signature matches a key of this bot.
    #[error("no signature matches the secret of this bot")]
    Signature,
    /// The client credentials are not this bot's.
    #[error("the client's id and secret are not those of this bot's `callbacks`")]
    Client,
    /// The token is not one of ours, or has ended.
    #[error("the bearer token is none of this bot's, or has ended; fetch a new one")]
    Token,
    /// This bot has no secret, so nothing can be proven.
    #[error("callbacks need a secret in the engine's configuration")]
    NoSecret,
}

/// Why an authentic callback is not understood. Never quotes it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Larger than the bot's limit. 413.
    #[error("the body is larger than {max_bytes} bytes")]
    TooLarge {
        /// The limit.
        max_bytes: usize,
    },
    /// Not JSON at all. 400.
    #[error("the body is not JSON (line {line}, column {column})")]
    NotJson {
        /// Where it stops to be.
        line: usize,
        /// Where in that line.
        column: usize,
    },
    /// JSON, but not a reply. 422, and a dead letter.
    #[error("the body is not a reply of the webhook contract: {0}")]
    NotAReply(String),
}
