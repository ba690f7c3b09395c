//! Bots behind a language model: OpenAI's, and every server that speaks as it does (`reference/bot-platforms.md`, section 4;
//! `docs/guides/use-an-llm.md`).
//!
//! A model remembers nothing, so each question tells it all: the prompt, a window of what was said, and the tools by which
//! it does more than talk. A turn may take several calls: one for a summary of what no longer fits the window, one, and
//! another when the model used a tool and said nothing. All of them are decided here and sent by the outbox.

mod config;
mod overrides;
mod probe;
mod prompt;
mod question;
mod read;
mod stream;
mod tools;
mod trouble;
mod window;
mod wire;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use model::{Answer, Ask, Failure, Item, Next, Notice, Timestamp};
use serde_json::value::RawValue;

pub use config::{Api, Config, Deliver, Error, OnRefusal, Override, Tool};

use self::config::Prompts;
use self::question::Question;
use self::stream::Stream;
use self::trouble::Troubles;
use super::{Asking, Engine, History, Probed, Reader, Reading, Replay, Traits};
use crate::http as calls;

/// A stream has an event of some hundred bytes for every token of a few.
const STREAM_FACTOR: usize = 16;
/// A summary has this part of what is left of the turn.
const SUMMARY_TIME_PART: u64 = 3;

/// A list of models takes no thought.
const PROBE_TIMEOUT_MS: u64 = 5_000;
/// A broker lists some hundred models.
const PROBE_MAX_BYTES: usize = 4 * 1024 * 1024;

/// A bot behind a language model.
pub struct OpenAi(Arc<Inner>);

/// What the engine and the readers of its streams share.
struct Inner {
    config: Config,
    url: String,
    identity: Vec<(HeaderName, HeaderValue)>,
    prompts: Prompts,
    tools: Option<Box<RawValue>>,
    troubles: Troubles,
}

impl OpenAi {
    /// Checks a configuration, reads its prompts, and makes the engine.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn load(config: &Config, folder: &Path) -> Result<Self, Error> {
        config.check()?;
        Ok(Self(Arc::new(Inner {
            url: config.address()?,
            identity: config.identity()?,
            prompts: config.load_prompts(folder)?,
            tools: tools::listed(&config.tools, config.api),
            troubles: Troubles::default(),
            config: config.clone(),
        })))
    }
}

impl Inner {
    fn headers(&self, streams: bool) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let accepted = if streams { "text/event-stream" } else { "application/json" };
        headers.insert(ACCEPT, HeaderValue::from_static(accepted));
        headers.extend(self.identity.iter().cloned());
        headers
    }
}

impl Engine for OpenAi {
    fn traits(&self) -> Traits {
        Traits {
            // A model that is asked twice has done nothing twice.
            replay: Replay::Safe,
            callbacks: false,
            notices: false,
            opens: self.0.config.opening.is_some(),
            history: self.0.config.history_max_tokens > 0,
        }
    }

    fn ask(&self, ask: &Ask, history: &History, _turn_id: &str) -> Bytes {
        self.0.question(ask, history)
    }

    fn notice(&self, _notice: &Notice, _notice_id: &str) -> Option<Bytes> {
        None
    }

    fn call(&self, question: &Bytes, _id: &str, attempt: u32, _now: Timestamp, time_left_ms: u64) -> Asking {
        let Some(question) = Question::read(question) else {
            return Asking::Local { reading: Reading::Failed(Failure::Internal), delay_ms: 0 };
        };
        let sums_up = question.header.summing_up.is_some();
        if sums_up && attempt > 1 {
            // The turn was tried before; the summary is what can be done without.
            return Asking::Local { reading: self.0.after_summary(Some(&question), None, None), delay_ms: 0 };
        }
        let streams = self.0.config.stream;
        let reply_max_bytes = self.0.config.limits.reply_max_bytes;
        Asking::Call(calls::Call {
            method: Method::POST,
            url: self.0.url.clone(),
            headers: self.0.headers(streams),
            body: question.body,
            timeout_ms: if sums_up { time_left_ms / SUMMARY_TIME_PART } else { time_left_ms },
            reply_max_bytes: if streams { reply_max_bytes.saturating_mul(STREAM_FACTOR) } else { reply_max_bytes },
        })
    }

    fn read(&self, question: &Bytes, reply: &calls::Reply) -> Reading {
        self.0.read(question, reply)
    }

    fn reader(&self, question: &Bytes) -> Option<Box<dyn Reader>> {
        let read = Question::read(question).filter(|_| self.0.config.stream)?;
        let gives_out = self.0.config.deliver == Deliver::Paragraphs && read.header.summing_up.is_none();
        let paragraphs = gives_out.then(|| Stream::new(self.0.config.api));
        Some(Box::new(Listening { engine: self.0.clone(), stored: question.clone(), question: read, paragraphs }))
    }

    fn unanswered(&self, question: &Bytes) -> Option<Reading> {
        let question = Question::read(question).filter(|question| question.header.summing_up.is_some())?;
        Some(self.0.after_summary(Some(&question), None, None))
    }

    fn address(&self) -> Option<&str> {
        Some(&self.0.url)
    }

    fn probe(&self) -> Option<calls::Call> {
        let server = self.0.url.strip_suffix(self.0.config.api.path())?;
        Some(calls::Call {
            method: Method::GET,
            url: format!("{server}/models"),
            headers: self.0.headers(false),
            body: Bytes::new(),
            timeout_ms: PROBE_TIMEOUT_MS,
            reply_max_bytes: PROBE_MAX_BYTES,
        })
    }

    fn probed(&self, reply: &calls::Reply) -> Probed {
        probe::probed(&self.0.config.model, reply)
    }
}

/// Reads a stream while it comes: only to notice when it stops, or to give out each paragraph when it is finished.
struct Listening {
    engine: Arc<Inner>,
    stored: Bytes,
    question: Question,
    paragraphs: Option<Stream>,
}

impl Reader for Listening {
    fn more(&mut self, bytes: &[u8], answers_max: u32) -> Vec<Answer> {
        let Some(stream) = &mut self.paragraphs else { return Vec::new() };
        stream.more(bytes);
        if answers_max == 0 {
            return Vec::new();
        }
        let items: Vec<Item> = stream.paragraphs().into_iter().map(Item::Markdown).collect();
        if items.is_empty() {
            return Vec::new();
        }
        let answer = Answer { next: Next::More, ..Answer::saying(items) };
        vec![self.engine.config.limits.fit(answer)]
    }

    fn patience(&self) -> calls::Patience {
        let Config { first_token_timeout_ms, idle_timeout_ms, .. } = self.engine.config;
        calls::Patience { first_byte_timeout_ms: first_token_timeout_ms, idle_timeout_ms }
    }

    fn end(self: Box<Self>, reply: &calls::Reply) -> Reading {
        match self.paragraphs {
            // A server that knows no streams answers whole.
            Some(stream) if read::is_stream(&reply.body) => {
                let (completion, given_out) = stream.end();
                self.engine.read_completion(Some(&self.question), self.question.header.clone(), completion, given_out)
            }
            _ => self.engine.read(&self.stored, reply),
        }
    }
}
