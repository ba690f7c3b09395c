//! What a flow author sets, and how a flow leaves the bot.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Channel, Door, Faults};

/// On which turns the session variables are sent. The sources disagree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParametersSent {
    /// On every turn.
    #[default]
    EveryTurn,
    /// Only on the first turn of a bot session.
    FirstTurn,
}

/// The settings of the bot action in a flow. What is `None` takes the default of its door.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FlowSettings {
    /// The bot's version; the first one listed when absent.
    pub version: Option<String>,
    /// The flow's language.
    pub language: String,
    /// How long one attempt may take. v2: 30 s; v1: 11 s.
    pub response_timeout_ms: Option<u64>,
    /// How often a 5xx is tried again. v2: 2; v1: 0.
    pub retries: Option<u32>,
    /// Waits before those retries; the last one is repeated.
    pub retry_backoff_ms: Vec<u64>,
    /// Whether a refused or broken connection counts as a 5xx.
    pub retry_refused_connection: bool,
    /// How long the flow waits for the customer's next words. v2: 6 h; v1: 12 h.
    pub follow_up_timeout_ms: Option<u64>,
    /// How long a bot session lasts; sent as `botSessionTimeout`. v2: 720; v1: 4320.
    pub session_timeout_min: Option<u32>,
    /// The session variables.
    pub parameters: BTreeMap<String, String>,
    /// Whether the session variable `channel` says what the customer uses, where that is known.
    pub pass_channel: bool,
    /// When they are sent.
    pub parameters_sent: ParametersSent,
    /// v2: whether words said during a turn are sent at once. Otherwise, and always in v1, they wait for its end.
    pub concurrent_turns: bool,
    /// v2: the least time between two messages of a customer; not scaled. Without it, concurrent ones may overtake
    /// each other on their way.
    pub typing_gap_ms: u64,
    /// Paths that lead back to the bot: the customer's next words open a new bot session.
    pub loop_back: Vec<String>,
    /// v1: the intent whose path waits and asks again.
    pub pending_intent: String,
    /// v1: the literal input text with which it asks.
    pub poll_text: String,
    /// v1: how long it waits before.
    pub poll_wait_ms: u64,
    /// v1: how often in a row it may ask, before the flow gives up.
    pub poll_limit: u32,
    /// v1: so many turns running with the same intent and slots make the flow leave; 0 switches the guard off.
    pub loop_guard: u32,
    /// v1: a tapped button is sent in the older shape, directly under the input message.
    pub old_buttons: bool,
    /// What the customer uses: decides what they see. Everything is seen when it is not known.
    #[serde(skip)]
    pub channel: Option<Channel>,
    /// Decides this conversation's faults instead of the simulator's seed.
    #[serde(skip)]
    pub seed: Option<u64>,
    /// Faults of this conversation, beside those of the simulator.
    #[serde(skip)]
    pub faults: Faults,
}

impl Default for FlowSettings {
    fn default() -> Self {
        Self {
            version: None,
            language: "en-us".to_owned(),
            response_timeout_ms: None,
            retries: None,
            retry_backoff_ms: vec![500, 1_000],
            retry_refused_connection: true,
            follow_up_timeout_ms: None,
            session_timeout_min: None,
            parameters: BTreeMap::new(),
            pass_channel: true,
            parameters_sent: ParametersSent::default(),
            concurrent_turns: true,
            typing_gap_ms: 5,
            loop_back: Vec::new(),
            pending_intent: "pending".to_owned(),
            poll_text: "__poll__".to_owned(),
            poll_wait_ms: 2_000,
            poll_limit: 20,
            loop_guard: 4,
            old_buttons: false,
            channel: None,
            seed: None,
            faults: Faults::default(),
        }
    }
}

const HOUR_MS: u64 = 3_600_000;

impl FlowSettings {
    /// The session variables that the flow sends. One that the author named `channel` counts more than ours.
    pub(crate) fn session_variables(&self) -> BTreeMap<String, String> {
        let channel = self.channel.filter(|_| self.pass_channel);
        let mut variables: BTreeMap<String, String> =
            channel.map(|channel| ("channel".to_owned(), channel.word().to_owned())).into_iter().collect();
        variables.extend(self.parameters.clone());
        variables
    }

    pub(crate) fn response_timeout(&self, door: Door) -> Duration {
        Duration::from_millis(self.response_timeout_ms.unwrap_or(if door == Door::V2 { 30_000 } else { 11_000 }))
    }

    pub(crate) fn retries(&self, door: Door) -> u32 {
        self.retries.unwrap_or(if door == Door::V2 { 2 } else { 0 })
    }

    pub(crate) fn backoff(&self, attempt: u32) -> Duration {
        let at = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        let wait = self.retry_backoff_ms.get(at).or_else(|| self.retry_backoff_ms.last());
        Duration::from_millis(wait.copied().unwrap_or_default())
    }

    pub(crate) fn follow_up_timeout(&self, door: Door) -> Duration {
        let default = if door == Door::V2 { 6 } else { 12 } * HOUR_MS;
        Duration::from_millis(self.follow_up_timeout_ms.unwrap_or(default))
    }

    pub(crate) fn session_timeout_min(&self, door: Door) -> u32 {
        self.session_timeout_min.unwrap_or(if door == Door::V2 { 720 } else { 4_320 })
    }
}

/// How a flow left the bot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "path", rename_all = "snake_case")]
pub enum Path {
    /// By the path of an intent.
    Intent {
        /// The intent.
        intent: String,
    },
    /// By the failure path.
    Failure {
        /// What the flow sees as `errorType`.
        error_type: String,
        /// What the flow sees as `errorMessage`; may be empty.
        error_message: String,
    },
    /// Not at all: the customer went away.
    CustomerLeft,
}

impl Path {
    pub(crate) fn failure(error_type: &str, error_message: impl Into<String>) -> Self {
        Self::Failure { error_type: error_type.to_owned(), error_message: error_message.into() }
    }

    /// Whether `wanted`, as written in a file, names this path: an intent, `failure` for any failure,
    /// `failure:ServiceProviderTimeout` for one, `left` for a customer who went away.
    #[must_use]
    pub fn is(&self, wanted: &str) -> bool {
        match self {
            Self::Intent { intent } => intent == wanted,
            Self::Failure { error_type, .. } => {
                wanted == "failure" || wanted.strip_prefix("failure:") == Some(error_type)
            }
            Self::CustomerLeft => wanted == "left",
        }
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Intent { intent } => f.write_str(intent),
            Self::Failure { error_type, error_message } if error_message.is_empty() => {
                write!(f, "failure:{error_type}")
            }
            Self::Failure { error_type, error_message } => write!(f, "failure:{error_type} ({error_message})"),
            Self::CustomerLeft => f.write_str("left"),
        }
    }
}
