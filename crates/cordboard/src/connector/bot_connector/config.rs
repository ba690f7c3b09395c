//! The configuration of a Bot Connector (v1) integration.

use std::collections::BTreeMap;

use model::Late;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::connector::channels::ChannelConfig;
use crate::connector::request::{channel_parameter, customer_parameter, start_text};
use crate::http::CredentialsConfig;

/// One `[connectors.KEY]` table with `type = "bot_connector"`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The org, by its table key.
    pub org: String,
    /// The path of the integration's "Bot Connector Handle Utterance URI", exactly.
    pub path: String,
    /// Header names with their secrets, the same as in the integration's credentials; two secrets in a list while one is
    /// rotated out.
    pub credentials: CredentialsConfig,
    /// The bots on offer, by their table keys. Default: all.
    #[serde(default)]
    pub bots: Option<Vec<String>>,
    /// The id of the integration on the platform, as it stands in the address bar of *Admin > Integrations*:
    /// `cordboard bots push` sends the list of bots to it. Default: none.
    #[serde(default)]
    pub integration_id: Option<String>,
    /// After this time a request is answered with what there is. The platform's own limit is unpublished and believed to
    /// be 10 to 11 seconds. Default 7000.
    #[serde(default = "budget_ms")]
    pub budget_ms: u64,
    /// How the customer gets an answer that was not ready in time. Default "poll_button".
    #[serde(default)]
    pub late_answers: LateAnswers,
    /// The literal Bot Input Text by which a `pending` path comes back for an answer. Default "__poll__".
    #[serde(default = "poll_text")]
    pub poll_text: String,
    /// The literal input text by which a flow opens a conversation before the customer spoke. It is never taken for the
    /// customer's words; empty, no text opens. Default "__start__".
    #[serde(default = "start_text")]
    pub start_text: String,
    /// The session variable in which the flow says what the customer uses, such as "whatsapp" or "sms". Default "channel".
    #[serde(default = "channel_parameter")]
    pub channel_parameter: String,
    /// The session variable in which the flow says who the customer is. Default "customer_id".
    #[serde(default = "customer_parameter")]
    pub customer_parameter: String,
    /// Limits of channels where they differ from the table in `docs/reference/channels.md`, such as
    /// `[connectors.KEY.channels.whatsapp]`; `unknown` is the channel that the flow does not name. Default: none differ.
    #[serde(default)]
    pub channels: BTreeMap<String, ChannelConfig>,
    /// A request whose body equals that of one in flight, or broken off less than this long ago, is taken for a retry.
    /// Default 3000.
    #[serde(default = "join_identical_ms")]
    pub join_identical_ms: u64,
    /// The action's Follow-up Response Timeout: a customer who is silent for so long has left. Default 12 hours.
    #[serde(default = "follow_up_timeout_ms")]
    pub follow_up_timeout_ms: u64,
    /// The key of a Digital Bot Connector: each answer is also rendered as that door would give it, compared and counted.
    /// Nothing of it is sent, and no bot is asked twice; `cordboard migrate` shows what was found. Default: none.
    #[serde(default)]
    pub shadow: Option<String>,
    /// How long a session lives when the platform does not say. Default 72 hours.
    #[serde(default = "session_lifetime_default_ms")]
    pub session_lifetime_default_ms: u64,
}

/// How a late answer reaches the customer on a door that cannot push.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LateAnswers {
    /// A holding line with a button; the next message of any kind fetches the answer.
    #[default]
    PollButton,
    /// The flow leaves by the intent `pending` and comes back with the poll text.
    PendingFlow,
}

impl From<LateAnswers> for Late {
    fn from(late: LateAnswers) -> Self {
        match late {
            LateAnswers::PollButton => Self::PollButton,
            LateAnswers::PendingFlow => Self::PendingFlow,
        }
    }
}

fn budget_ms() -> u64 {
    7_000
}

fn poll_text() -> String {
    "__poll__".to_owned()
}

fn join_identical_ms() -> u64 {
    3_000
}

fn follow_up_timeout_ms() -> u64 {
    12 * 60 * 60 * 1000
}

fn session_lifetime_default_ms() -> u64 {
    72 * 60 * 60 * 1000
}
