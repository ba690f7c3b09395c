//! Engines: adapters to bot platforms. One folder each: its configuration, its own wire types, and a pure translation.
//!
//! An engine never does I/O. It renders a question to bytes, which the step stores; it turns stored bytes into a
//! [`Call`](http::Call); it reads what came back. The outbox sends. So a retry sends the same bytes, and every
//! engine is tested with two fixtures.

use bytes::Bytes;
use model::{Answer, Ask, Failure, Notice, Timestamp};

use crate::http;

mod address;
pub mod callback;
#[cfg(test)]
mod conformance;
pub mod connector;
pub mod history;
pub mod limits;
pub mod openai;
mod registry;
pub mod script;
pub mod webhook;

pub use callback::{Callback, Callbacks, Grant, LateMessage, NotTaken, Rejected, StandIn, Unreadable};
pub use history::{History, Speaker, Utterance};
pub use limits::Limits;
pub use registry::{EngineConfig, Error};

/// Whether a turn may be asked again when nobody knows if the engine got it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// The engine recognises the turn's id.
    Safe,
    /// Asking twice would act twice.
    Unsafe,
}

/// What an engine can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits {
    /// Whether a turn may be asked again.
    pub replay: Replay,
    /// Whether it can answer by a callback, and push of its own accord.
    pub callbacks: bool,
    /// Whether it can be told about the life of a conversation.
    pub notices: bool,
    /// Whether it has something to say before the customer spoke.
    pub opens: bool,
    /// Whether its questions tell what was said before, because it remembers nothing itself.
    pub history: bool,
}

/// How a stored question is asked.
#[derive(Clone, Debug)]
pub enum Asking {
    /// By an HTTP call. Credentials and signatures are in its headers; they are made now, not stored.
    Call(http::Call),
    /// Here, without I/O: the reading is there already and counts after `delay_ms`.
    Local {
        /// The answer.
        reading: Reading,
        /// After this time.
        delay_ms: u64,
    },
    /// Here, and it never answers: a scripted engine that hangs.
    Never,
}

/// What an engine's reply means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// An answer: a part of the turn, or its end.
    Answer(Box<Answer>),
    /// The engine took the turn and answers by a callback.
    Accepted,
    /// Not now: worth another try inside the deadline, at the earliest after this time.
    Later {
        /// The engine's own wish (`Retry-After`).
        after_ms: Option<u64>,
        /// What the turn fails with when there is no time for another try.
        failure: Failure,
    },
    /// The turn goes on with another call: this question instead, at once, within the same attempt, at most 15 times. It is
    /// not stored: after a crash the attempt that is repeated begins with the first question.
    Continue {
        /// The next question.
        question: Bytes,
    },
    /// The turn failed for good.
    Failed(Failure),
}

impl Reading {
    /// What a status means that is no answer. 429 and 503 say that the turn was not processed; other 5xx say nothing about
    /// that, so they are tried again only where the bot recognises the turn. The platform asks a bot again after a 5xx and
    /// never after a 4xx (`reference/digital-bot-connector.md`, section 1.6), and so do we.
    #[must_use]
    pub fn of_failure(reply: &http::Reply, replay: Replay) -> Self {
        let later = Self::Later { after_ms: reply.retry_after_ms(), failure: Failure::Unavailable };
        match reply.status {
            429 | 503 => later,
            500..=599 => match replay {
                Replay::Safe => later,
                Replay::Unsafe => Self::Failed(Failure::OutcomeUnknown),
            },
            300..=499 => Self::Failed(Failure::Refused),
            _ => Self::Failed(Failure::Nonsense),
        }
    }
}

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probed {
    /// A question would be answered, as far as can be told.
    Well(String),
    /// It may be answered.
    Doubtful {
        /// What was found.
        found: String,
        /// What to do.
        next_step: String,
    },
    /// It would not be answered.
    Ill {
        /// What was found.
        found: String,
        /// What to do.
        next_step: String,
    },
}

/// Reads the body of a reply with status 200 while it comes. Every other reply is read by [`Engine::read`].
pub trait Reader: Send {
    /// More of the body came. Answers that the customer may get already, at most so many; the `next` of each is
    /// [`Next::More`](model::Next::More). What is beyond them belongs to the end.
    fn more(&mut self, bytes: &[u8], answers_max: u32) -> Vec<Answer>;
    /// How long the body may be silent before the call is given up.
    fn patience(&self) -> http::Patience {
        http::Patience::default()
    }
    /// The body is whole, and in `reply`. As [`Engine::read`], less what was given out before. A call of which something
    /// was given out is not made again, whatever this says.
    fn end(self: Box<Self>, reply: &http::Reply) -> Reading;
}

/// A bot platform, as we need it. All methods are pure.
pub trait Engine: Send + Sync + 'static {
    /// What it can do.
    fn traits(&self) -> Traits;
    /// Renders a question. The bytes are stored and are the same for every attempt.
    /// `history` is empty unless the engine's traits want it.
    fn ask(&self, ask: &Ask, history: &History, turn_id: &str) -> Bytes;
    /// Renders news; nothing when the engine did not ask for this kind.
    fn notice(&self, notice: &Notice, notice_id: &str) -> Option<Bytes>;
    /// Makes stored bytes ready to be sent now. `id` is the turn's or the notice's, stable over attempts;
    /// `time_left_ms` is what remains to the hard deadline. `attempt` counts from 1.
    fn call(&self, question: &Bytes, id: &str, attempt: u32, now: Timestamp, time_left_ms: u64) -> Asking;
    /// Reads a reply to a question, which is given as it was sent. Total: nonsense is a [`Reading::Failed`].
    ///
    /// Of the reply to a notice only one thing counts: [`Reading::Later`] is tried again, [`Failure::Refused`] and
    /// [`Failure::OutcomeUnknown`] were not told, and everything else, nonsense included, was.
    fn read(&self, question: &Bytes, reply: &http::Reply) -> Reading;
    /// Why nothing can be made of a reply with status 200, in words of ours for operators: the path to what is wrong, never
    /// what stands there.
    fn unread(&self, _question: &Bytes, _reply: &http::Reply) -> Option<String> {
        None
    }
    /// Reads the reply to a question while it comes; nothing for an engine whose replies are read when they are whole.
    fn reader(&self, _question: &Bytes) -> Option<Box<dyn Reader>> {
        None
    }
    /// What it means that no reply came to a question, or not whole; nothing where it means what it usually does.
    fn unanswered(&self, _question: &Bytes) -> Option<Reading> {
        None
    }
    /// Where questions are sent; nothing for an engine that answers here. It may hold what is secret.
    fn address(&self) -> Option<&str> {
        None
    }
    /// A call that asks nothing and tells whether a question would be answered.
    fn probe(&self) -> Option<http::Call> {
        None
    }
    /// What the reply to the probe says.
    fn probed(&self, reply: &http::Reply) -> Probed {
        Probed::Well(format!("answers ({})", reply.status))
    }
    /// The door for callbacks, where there is one.
    fn callbacks(&self) -> Option<&dyn Callbacks> {
        None
    }
    /// The platform's own doors for late answers, where the engine was written for them.
    fn stand_in(&self) -> Option<&dyn StandIn> {
        None
    }
    /// What the engine is told as its session, and names when it answers later. Each visit may have its own.
    fn session(&self, engine_session: u128, _visit: u32) -> u128 {
        engine_session
    }
}
