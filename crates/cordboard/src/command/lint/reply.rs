//! Reads what a bot would send, in the form that its engine has: the webhook contract, the platform's own contract for an
//! endpoint written for that, or what a rule of a script does.

use std::io::Read as _;
use std::path::Path;

use bytes::Bytes;
use http::HeaderMap;
use model::{Answer, Ask, Attributes, BotKey, Input, SeatId, Timestamp, TurnNumber};

use super::super::Failed;
use super::draw::harmless;
use crate::config::{Written, unknown};
use crate::engine::limits::Limits;
use crate::engine::script::Script;
use crate::engine::webhook::{mistakes, read_reply};
use crate::engine::{Asking, Engine, EngineConfig, History, Reading};
use crate::http::Reply;

/// Whose reply it is.
#[derive(Clone, Copy)]
pub(super) struct Of<'a> {
    engine: Option<&'a EngineConfig>,
}

/// What was read, and what in it is more likely a mistake than meant.
pub(super) struct Read {
    pub(super) answer: Answer,
    pub(super) mistakes: Vec<String>,
}

impl<'a> Of<'a> {
    /// Nobody's in particular: the contract and its limits count.
    pub(super) const ANYBODY: Self = Self { engine: None };

    /// That of a bot which is configured.
    pub(super) fn bot(written: &'a Written, key: &str) -> Result<Self, Failed> {
        let bot = written.bots.get(key).ok_or_else(|| {
            let known: Vec<&str> = written.bots.keys().map(String::as_str).collect();
            Failed::because(unknown("bot", key, &known))
        })?;
        Ok(Self { engine: Some(&bot.engine) })
    }

    fn limits(self) -> Limits {
        self.engine.map(EngineConfig::limits).unwrap_or_default()
    }

    /// Reads a file; `-` is standard input.
    pub(super) fn read(self, file: &Path) -> Result<Read, Failed> {
        let (name, bytes) = self.bytes(file)?;
        let is_rule = file.extension().is_some_and(|extension| extension == "toml");
        let why = |why: String| Failed::because(format!("{name}: {why}"));
        match self.engine {
            _ if is_rule => rule(&bytes, self.limits()).map_err(why),
            Some(engine @ EngineConfig::Connector(_)) => endpoint(engine, bytes).map_err(why),
            Some(EngineConfig::Script(_)) => {
                let wanted = "the bot is a script: give what a rule does (`say`, `show`, `choices`) as a .toml file";
                Err(why(wanted.to_owned()))
            }
            Some(EngineConfig::Webhook(_) | EngineConfig::OpenAi(_)) | None => {
                contract(&bytes, &self.limits()).map_err(why)
            }
        }
    }

    fn bytes(self, file: &Path) -> Result<(String, Vec<u8>), Failed> {
        let (name, bytes) = if file.as_os_str() == "-" {
            let mut bytes = Vec::new();
            // One more than is taken tells that there are too many.
            let most = u64::try_from(self.limits().reply_max_bytes).unwrap_or(u64::MAX).saturating_add(1);
            let read = std::io::stdin().lock().take(most).read_to_end(&mut bytes);
            ("standard input".to_owned(), read.map(|_| bytes))
        } else {
            (file.display().to_string(), std::fs::read(file))
        };
        let bytes = bytes.map_err(|error| Failed::because(format!("cannot read {name}: {error}")))?;
        Ok((name, bytes))
    }
}

fn contract(bytes: &[u8], limits: &Limits) -> Result<Read, String> {
    let schema = "docs/reference/webhook.schema.json says what belongs there";
    let mistakes: Vec<String> = mistakes(bytes).iter().map(|mistake| harmless(&mistake.text)).collect();
    match read_reply(bytes, limits) {
        Ok(answer) => Ok(Read { answer, mistakes }),
        Err(error) if mistakes.is_empty() => Err(format!("{error}; {schema}")),
        // A member that is missing may be there under another name.
        Err(_) => Err(format!("{}; {schema}", mistakes.join("; "))),
    }
}

/// What an endpoint answers that was written for the platform.
fn endpoint(engine: &EngineConfig, bytes: Vec<u8>) -> Result<Read, String> {
    let engine = engine.build(Path::new("")).map_err(|error| error.to_string())?;
    let reply = Reply { status: 200, headers: HeaderMap::new(), body: bytes.into() };
    match engine.read(&Bytes::new(), &reply) {
        Reading::Answer(answer) => Ok(Read { answer: *answer, mistakes: Vec::new() }),
        Reading::Accepted => Err("it says nothing yet: the endpoint answers later".to_owned()),
        Reading::Failed(failure) | Reading::Later { failure, .. } => {
            Err(engine.unread(&Bytes::new(), &reply).unwrap_or_else(|| failure.word().to_owned()))
        }
        Reading::Continue { .. } => Err("it is no answer".to_owned()),
    }
}

/// What a rule of a script says and shows, without the rule.
fn rule(bytes: &[u8], limits: Limits) -> Result<Read, String> {
    let does: toml::Table = std::str::from_utf8(bytes)
        .map_err(|_| "it is not UTF-8".to_owned())
        .and_then(|text| toml::from_str(text).map_err(|error| error.to_string()))?;
    if ["default", "rules", "opening", "nodes"].iter().any(|key| does.contains_key(*key)) {
        return Err("it is a whole script; give what one rule does, such as `say`, `show` and `choices`".to_owned());
    }
    let script = toml::Table::from_iter([("default".to_owned(), toml::Value::Table(does))]);
    let script = Script::parse(&script.to_string(), limits).map_err(|error| error.to_string())?;
    let question = script.ask(&nothing_said(), &History::default(), "");
    match script.call(&question, "", 1, Timestamp(0), 0) {
        Asking::Local { reading: Reading::Answer(answer), .. } => Ok(Read { answer: *answer, mistakes: Vec::new() }),
        Asking::Local { .. } | Asking::Call(_) | Asking::Never => Err("it fails, and says nothing".to_owned()),
    }
}

/// A question that nothing depends on: a rule's words are the same whatever was said.
fn nothing_said() -> Ask {
    Ask {
        seat: SeatId(0),
        bot: BotKey::from(""),
        turn: TurnNumber(1),
        engine_session: 0,
        visit: 0,
        is_first: false,
        input: Input::Text(String::new()),
        language: String::new(),
        channel: None,
        customer: None,
        context: Attributes::new(),
        engine_state: None,
        hard_deadline: Timestamp(0),
        time_ms: 0,
    }
}
