//! What the admin API says, as JSON. Ids are texts: they are larger than the numbers that every reader of JSON keeps.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use model::BotKey;
use serde::{Deserialize, Serialize};

use super::audit::Entry;
use crate::config::Change;
use crate::connector::declared::Declared;
use crate::doors::calls::Call;
use crate::gateway::Shared;
use crate::registration::Known;
use crate::reload::Reloaded;
use crate::store::{Letter, OutOfService, ShadowCount};

/// A dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetterView {
    /// Its id.
    pub id: String,
    /// The conversation, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
    /// What kind of thing it is.
    pub kind: String,
    /// The connector or bot it was for or from.
    pub place: String,
    /// Why it is dead.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Since when, in milliseconds since 1970.
    pub died_ms: i64,
    /// Its payload as text: customers' words. Only when one letter is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// Its payload in Base64, when it is no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_base64: Option<String>,
}

impl LetterView {
    /// Without the payload.
    #[must_use]
    pub fn brief(letter: &Letter) -> Self {
        Self {
            id: letter.id.to_string(),
            conversation: letter.conversation.map(|conversation| conversation.to_string()),
            kind: letter.kind.to_string(),
            place: letter.place.to_string(),
            reason: letter.reason.to_string(),
            attempts: letter.attempts,
            died_ms: letter.died.0,
            payload: None,
            payload_base64: None,
        }
    }

    /// With it.
    #[must_use]
    pub fn whole(letter: &Letter) -> Self {
        let bytes = letter.payload.payload().unwrap_or_default();
        let (payload, payload_base64) = match std::str::from_utf8(&bytes) {
            Ok(text) => (Some(text.to_owned()), None),
            Err(_) => (None, Some(BASE64_STANDARD.encode(&bytes))),
        };
        Self { payload, payload_base64, ..Self::brief(letter) }
    }
}

/// Letters, ascending.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetterPage {
    /// The letters.
    pub letters: Vec<LetterView>,
    /// What to ask for after this page, when it is not the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_after: Option<String>,
}

/// What became of a letter: `done`, `would_work` or `dropped`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryView {
    /// The word for it.
    pub outcome: String,
    /// More about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What became of a conversation: `ended`, or `was_over`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndView {
    /// The word for it.
    pub outcome: String,
}

/// What was counted since the start, and what is open now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountsView {
    /// Steps that were committed.
    pub steps: u64,
    /// Steps that were repeated, because another writer was faster.
    pub conflicts: u64,
    /// Messages that repeated an earlier one.
    pub duplicates: u64,
    /// Refusals sent.
    pub refused: u64,
    /// Sent again without knowing whether it arrived before.
    pub possible_duplicates: u64,
    /// Answers corrected or degraded for a platform.
    pub corrections: u64,
    /// Dead letters.
    pub letters: u64,
    /// Engine calls.
    pub asks: u64,
    /// Calls to a platform.
    pub pushes: u64,
    /// Events whose handling failed inside.
    pub poisoned: u64,
    /// Requests that wait for their answer now.
    pub open_requests: u64,
    /// Whether the process is about to stop.
    pub draining: bool,
}

impl CountsView {
    pub(super) fn of(shared: &Shared) -> Self {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counts = &shared.counts;
        Self {
            steps: read(&counts.steps),
            conflicts: read(&counts.conflicts),
            duplicates: read(&counts.duplicates),
            refused: read(&counts.refused),
            possible_duplicates: read(&counts.possible_duplicates),
            corrections: read(&counts.corrections),
            letters: read(&counts.letters),
            asks: read(&counts.asks),
            pushes: read(&counts.pushes),
            poisoned: read(&counts.poisoned),
            open_requests: u64::try_from(shared.open_requests()).unwrap_or(u64::MAX),
            draining: shared.is_draining(),
        }
    }
}

/// What a reload did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadView {
    /// What is in effect now.
    pub changed: Vec<ChangeView>,
    /// What is not, before a restart.
    pub needs_restart: Vec<ChangeView>,
    /// What an operator should know about the new configuration.
    pub warnings: Vec<String>,
}

/// One key whose value is another now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeView {
    /// The path of the key.
    pub path: String,
    /// What became of it, without any secret.
    pub what: String,
}

impl ReloadView {
    pub(super) fn of(reloaded: &Reloaded) -> Self {
        let view = |changes: &[Change]| {
            changes.iter().map(|Change { path, what }| ChangeView { path: path.clone(), what: what.clone() }).collect()
        };
        Self {
            changed: view(&reloaded.changed),
            needs_restart: view(&reloaded.needs_restart),
            warnings: reloaded.warnings.clone(),
        }
    }
}

/// A call of a platform or an engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallView {
    /// Ascending in the order in which calls ended.
    pub number: u64,
    /// When it came, in milliseconds since 1970.
    pub at_ms: i64,
    /// Until its answer was decided.
    pub took_ms: u64,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Its method.
    pub method: String,
    /// Its path without the query, cut to 200 characters.
    pub path: String,
    /// The connector it reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connector: Option<String>,
    /// The status of the answer; nothing when the client went away before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The word for why it was refused, or taken and not understood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What is wrong and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// The platform's own id of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
}

impl From<Call> for CallView {
    fn from(call: Call) -> Self {
        let (reason, advice) = call.reason.map(|reason| (reason.word, reason.advice)).unzip();
        Self {
            number: call.number,
            at_ms: call.at.0,
            took_ms: call.took_ms,
            client: call.client.map(|client| client.to_string()),
            method: call.method,
            path: call.path,
            connector: call.place,
            status: call.status,
            reason,
            advice: advice.filter(|advice| !advice.is_empty()),
            correlation_id: call.correlation,
        }
    }
}

/// The latest calls, in the order in which they ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallPage {
    /// They.
    pub requests: Vec<CallView>,
    /// What to ask for next.
    pub after: u64,
}

/// A bot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotView {
    /// Its table key.
    pub bot: String,
    /// Whether it is configured.
    pub configured: bool,
    /// Open conversations that it sits in.
    pub open_conversations: usize,
    /// What its language model read and wrote since the server started, where there is one and it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokensView>,
    /// Why and since when it is out of service, when it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_service: Option<OutView>,
}

impl BotView {
    /// One that is in service.
    #[must_use]
    pub fn new(bot: &BotKey, configured: bool, open: &BTreeMap<String, usize>) -> Self {
        let open_conversations = open.get(bot.as_str()).copied().unwrap_or(0);
        Self { bot: bot.to_string(), configured, open_conversations, tokens: None, out_of_service: None }
    }
}

/// Tokens of a language model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokensView {
    /// Those it read.
    pub input: u64,
    /// Those it wrote.
    pub output: u64,
}

/// Why a bot is out of service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutView {
    /// Since when, in milliseconds since 1970.
    pub since_ms: i64,
    /// The operator's reason; agents read it.
    pub reason: String,
    /// Who did it.
    pub who: String,
}

impl From<&OutOfService> for OutView {
    fn from(service: &OutOfService) -> Self {
        Self { since_ms: service.since.0, reason: service.reason.clone(), who: service.who.clone() }
    }
}

/// The bots, ascending by key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotPage {
    /// They.
    pub bots: Vec<BotView>,
}

/// What became of a bot: `disabled`, `was_disabled` with another reason now, `enabled` or `was_enabled`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceView {
    /// The word for it.
    pub outcome: String,
    /// Open conversations that it sits in now.
    pub open_conversations: usize,
    /// How many conversations were handed over to humans, when that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed_over: Option<usize>,
}

impl ServiceView {
    /// What became of a bot, with nobody handed over by it.
    #[must_use]
    pub fn new(outcome: &str, bot: &BotKey, open: &BTreeMap<String, usize>) -> Self {
        let open_conversations = open.get(bot.as_str()).copied().unwrap_or(0);
        Self { outcome: outcome.to_owned(), open_conversations, handed_over: None }
    }
}

/// What shadows found, ascending by connector, bot and word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowPage {
    /// It.
    pub shadows: Vec<ShadowView>,
}

/// How often a shadow found something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowView {
    /// The connector that gave the answers.
    pub connector: String,
    /// Whose answers.
    pub bot: String,
    /// The word: `compared`, or what differs.
    pub found: String,
    /// In how many answers.
    pub answers: u64,
    /// When for the first time.
    pub first_ms: i64,
    /// When for the last time.
    pub latest_ms: i64,
    /// In which conversation then.
    pub conversation: String,
    /// At which message of the answer then, from 1; 0 where it is about none.
    pub item: u16,
}

impl From<&ShadowCount> for ShadowView {
    fn from(count: &ShadowCount) -> Self {
        Self {
            connector: count.latest.connector.to_string(),
            bot: count.latest.bot.to_string(),
            found: count.latest.kind.to_string(),
            answers: count.answers,
            first_ms: count.first_at.0,
            latest_ms: count.latest_at.0,
            conversation: count.conversation.to_string(),
            item: count.latest.item,
        }
    }
}

/// What platforms know of the bots, ascending by connector, bot and version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestPage {
    /// It.
    pub manifests: Vec<Known>,
}

/// A list of bots that was sent to a platform.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentView {
    /// Its bots.
    pub bots: Vec<SentBot>,
}

/// A bot of such a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentBot {
    /// Its table key.
    pub bot: String,
    /// Its version.
    pub version: String,
    /// What it declared.
    pub declared: Declared,
}

/// What operators did, ascending.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditPage {
    /// The latest entries.
    pub entries: Vec<Entry>,
}

/// A refusal of the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorView {
    /// The word for programs.
    pub error: String,
    /// The sentence for people.
    pub message: String,
}
