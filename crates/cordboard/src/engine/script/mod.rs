//! A small dialogue written in TOML, for demonstrations, tests and first steps. It needs no bot platform: it answers
//! inside the process, through the same outbox as every other engine, and can be told to be slow or to fail.
//!
//! `examples/bots/` holds scripts to start from.

mod check;
mod config;
mod pattern;
mod show;
mod template;
mod turn;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use model::{Ask, Failure, Notice, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;

use super::limits::Limits;
use super::{Asking, Engine, History, Reading, Replay, Traits};
use crate::http;

/// Which script a bot follows.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The dialogue, a TOML file; `examples/bots` has some. A relative path starts at the folder of the configuration file.
    pub file: PathBuf,
    /// What an answer may hold at most.
    #[serde(default)]
    pub limits: Limits,
}

/// Why a script cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the script {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no script.
    #[error("{path}: {why}")]
    In {
        /// Which.
        path: PathBuf,
        /// Why.
        why: Box<Error>,
    },
    /// It is not TOML, or a key is wrong.
    #[error("the script is not valid: {0}")]
    Toml(#[from] toml::de::Error),
    /// Its parts do not fit together; every problem is listed.
    #[error("the script is not valid:\n  {}", .0.join("\n  "))]
    Problems(Vec<String>),
}

/// A bot that follows a script.
#[derive(Debug)]
pub struct Script {
    dialogue: config::Dialogue,
    limits: Limits,
}

impl Script {
    /// Reads and checks the script that a configuration names.
    ///
    /// # Errors
    ///
    /// When it cannot be read or is not valid.
    pub fn load(config: &Config, folder: &Path) -> Result<Self, Error> {
        let path = folder.join(&config.file);
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text, config.limits).map_err(|why| Error::In { path, why: Box::new(why) }),
            Err(source) => Err(Error::File { path, source }),
        }
    }

    /// Reads and checks a script.
    ///
    /// # Errors
    ///
    /// When it is not valid.
    pub fn parse(text: &str, limits: Limits) -> Result<Self, Error> {
        let dialogue: config::Dialogue = toml::from_str(text)?;
        let problems = check::problems(&dialogue);
        if problems.is_empty() { Ok(Self { dialogue, limits }) } else { Err(Error::Problems(problems)) }
    }
}

impl Engine for Script {
    fn traits(&self) -> Traits {
        Traits {
            replay: Replay::Safe,
            callbacks: false,
            notices: false,
            opens: self.dialogue.opening.is_some(),
            history: false,
        }
    }

    fn ask(&self, ask: &Ask, _: &History, _turn_id: &str) -> Bytes {
        // Texts and numbers, none of which `serde_json` refuses to write.
        serde_json::to_vec(&turn::Question::new(ask)).expect("a question is always JSON").into()
    }

    fn notice(&self, _notice: &Notice, _notice_id: &str) -> Option<Bytes> {
        None
    }

    fn call(&self, question: &Bytes, _id: &str, attempt: u32, _now: Timestamp, _time_left_ms: u64) -> Asking {
        match turn::Question::read(question) {
            Some(question) => turn::answer(&self.dialogue, &self.limits, question, attempt),
            None => Asking::Local { reading: Reading::Failed(Failure::Internal), delay_ms: 0 },
        }
    }

    /// Nothing is ever called over HTTP, so whatever came back was not for this engine.
    fn read(&self, _: &Bytes, _reply: &http::Reply) -> Reading {
        Reading::Failed(Failure::Nonsense)
    }
}
