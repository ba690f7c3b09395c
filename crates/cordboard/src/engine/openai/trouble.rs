//! What a server's refusals mean, and how an operator learns of those that somebody has to mend.

use std::sync::atomic::{AtomicU8, Ordering};

use model::Failure;

use super::wire::ServerError;
use crate::engine::Reading;
use crate::http::Reply;

/// How long a busy server is left alone when it does not say so.
const BUSY_PAUSE_MS: u64 = 1_000;
/// A server that broke off may be asked again.
pub(super) const AGAIN: Reading = Reading::Later { after_ms: None, failure: Failure::Unavailable };

/// What somebody has to mend before the model answers again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Mend {
    Key = 1,
    Quota,
    Address,
    Length,
    Request,
}

impl Mend {
    const fn why(self) -> &'static str {
        match self {
            Self::Key => "the key is wrong, or may not use this model: see `api_key`, `organization` and `project`",
            Self::Quota => "the account has no quota left: see its plan and billing",
            Self::Address => {
                "there is no such model, or nothing at this address: see `model`, and `base_url`, which mostly ends in /v1"
            }
            Self::Length => {
                "the question is longer than the model reads: lower `history_max_tokens`, or shorten the prompt"
            }
            Self::Request => "the server does not take the request: see `code` and `param`, and the keys of the engine",
        }
    }
}

/// Why an answer came and nothing of it can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Useless {
    Unread = 101,
    Silent,
    CutOff,
    Endless,
}

impl Useless {
    const fn why(self) -> &'static str {
        match self {
            Self::Unread => "what came is not what such a server answers: see `base_url` and `api`",
            Self::Silent => "it says nothing: see what the prompt asks for",
            Self::CutOff => "its tokens were used up before the first word: raise `max_output_tokens`",
            Self::Endless => "it used tools to the end and said nothing: see what the prompt says of them",
        }
    }
}

/// Tells of each trouble once, until the model answers again.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    told: AtomicU8,
}

impl Troubles {
    /// The model answered.
    pub(super) fn over(&self) {
        if self.told.load(Ordering::Relaxed) != 0 {
            self.told.store(0, Ordering::Relaxed);
        }
    }

    fn tell(&self, mend: Mend, bot: &str, status: u16, error: &ServerError) {
        if self.told.swap(mend as u8, Ordering::Relaxed) == mend as u8 {
            return;
        }
        let (code, param) = (error.code.as_deref().or(error.kind.as_deref()), error.param.as_deref());
        let why = mend.why();
        tracing::error!(
            bot,
            status,
            code,
            param,
            why,
            "the model refuses every question until somebody mends the set-up"
        );
    }

    /// An answer is of no use.
    pub(super) fn useless(&self, useless: Useless, bot: &str) -> Reading {
        if self.told.swap(useless as u8, Ordering::Relaxed) != useless as u8 {
            tracing::warn!(bot, why = useless.why(), "a model's answer is of no use");
        }
        Reading::Failed(Failure::Nonsense)
    }

    /// What a status other than 200 means.
    pub(super) fn of_status(&self, reply: &Reply, error: &ServerError, bot: &str) -> Reading {
        let status = reply.status;
        let mend = match status {
            _ if error.says("insufficient_quota") => Mend::Quota,
            401 | 403 => Mend::Key,
            404 => Mend::Address,
            408 | 429 | 503 => {
                let after_ms = Some(after_ms(reply));
                return Reading::Later { after_ms, failure: Failure::Unavailable };
            }
            500..=599 => return AGAIN,
            _ if error.says("context_length_exceeded") => Mend::Length,
            300..=499 => Mend::Request,
            _ => return Reading::Failed(Failure::Nonsense),
        };
        self.tell(mend, bot, status, error);
        Reading::Failed(Failure::Refused)
    }

    /// What an error in the middle of a reply means, by its words, since it has no status of its own.
    pub(super) fn of_error(&self, error: &ServerError, bot: &str) -> Reading {
        let is = |words: &[&str]| words.iter().any(|word| error.says(word));
        let mend = if is(&["insufficient_quota"]) {
            Mend::Quota
        } else if is(&["invalid_api_key", "authentication_error", "permission_error", "401", "403"]) {
            Mend::Key
        } else if is(&["model_not_found", "404"]) {
            Mend::Address
        } else if is(&["context_length_exceeded"]) {
            Mend::Length
        } else if is(&["invalid_request_error", "400"]) {
            Mend::Request
        } else {
            return AGAIN;
        };
        self.tell(mend, bot, 200, error);
        Reading::Failed(Failure::Refused)
    }
}

/// `Retry-After`, or the finer header that OpenAI and Azure send besides; else a time in which a rate may have room again.
fn after_ms(reply: &Reply) -> u64 {
    let finer = reply.header("retry-after-ms").and_then(|ms| ms.trim().parse::<u64>().ok());
    finer.or_else(|| reply.retry_after_ms()).unwrap_or(BUSY_PAUSE_MS)
}
