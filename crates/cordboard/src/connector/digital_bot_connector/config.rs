//! The configuration of a Digital Bot Connector integration.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::connector::channels::ChannelConfig;
use crate::connector::request::{channel_parameter, customer_parameter, start_text};
use crate::http::CredentialsConfig;

/// One `[connectors.KEY]` table with `type = "digital_bot_connector"`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The org, by its table key.
    pub org: String,
    /// The path of the integration's "Bot Connector URI", such as "/genesys/acme/digital". The platform appends `/bots`
    /// and `/messages` to it.
    pub path: String,
    /// Header names with their secrets, the same as in the integration's credentials; two secrets in a list while one is
    /// rotated out.
    pub credentials: CredentialsConfig,
    /// The bots on offer, by their table keys. Default: all.
    #[serde(default)]
    pub bots: Option<Vec<String>>,
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
    /// Whether the integration's property for files is on in Genesys. Without it an answer with a file is invalid, and the
    /// flow fails; so files go out as their address until this says otherwise. Default false.
    #[serde(default)]
    pub attachments: bool,
    /// Limits of channels where they differ from the table in `docs/reference/channels.md`, such as
    /// `[connectors.KEY.channels.whatsapp]`; `unknown` is the channel that the flow does not name. Default: none differ.
    #[serde(default)]
    pub channels: BTreeMap<String, ChannelConfig>,
    /// What the platform's reports call us. Default "Cordboard".
    #[serde(default = "provider")]
    pub provider: String,
    /// After this time a request is acknowledged, and its answer pushed when it is there. Keep it well below the flow's
    /// Bot Response Timeout; with 0 every request is acknowledged by the step that asks, and every answer pushed.
    /// Default 8000.
    #[serde(default = "soft_deadline_ms")]
    pub soft_deadline_ms: u64,
    /// Texts that follow each other within this time become one turn: the engine is asked once the customer paused for so
    /// long. 0 merges nothing. Default 0.
    #[serde(default)]
    pub merge_quiet_ms: u64,
    /// However fast texts follow each other, the engine is asked so long after the first of them. Default 5000.
    #[serde(default = "merge_max_ms")]
    pub merge_max_ms: u64,
    /// A push starts this long after the response before it was taken, so as not to overtake it. Default 100.
    #[serde(default = "push_after_ack_ms")]
    pub push_after_ack_ms: u64,
    /// How long after a crash the platform may still retry a request. Default 15000.
    #[serde(default = "platform_retry_window_ms")]
    pub platform_retry_window_ms: u64,
    /// The action's Follow-up Response Timeout: a customer who is silent for so long has left. Default 6 hours.
    #[serde(default = "follow_up_timeout_ms")]
    pub follow_up_timeout_ms: u64,
    /// What becomes of a push of which nobody knows whether the platform took it. Default "resend".
    #[serde(default)]
    pub on_unknown_send: OnUnknownSend,
}

/// What to do with a push whose outcome is unknown: the platform has no key by which it could recognise it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknownSend {
    /// Send it again; the customer may see it twice.
    #[default]
    Resend,
    /// Leave it; the customer may never see it.
    Drop,
}

fn provider() -> String {
    "Cordboard".to_owned()
}

fn soft_deadline_ms() -> u64 {
    8_000
}

fn merge_max_ms() -> u64 {
    5_000
}

fn push_after_ack_ms() -> u64 {
    100
}

fn platform_retry_window_ms() -> u64 {
    15_000
}

fn follow_up_timeout_ms() -> u64 {
    6 * 60 * 60 * 1000
}
