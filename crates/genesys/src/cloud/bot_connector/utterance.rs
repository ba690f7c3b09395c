//! The turn and its answer.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::slot::{self, SlotValue};
use crate::cloud::input::InputMessage;
use crate::cloud::reply::{ErrorInfo, ReplyMessage};
use crate::cloud::spelling::spellings;
use crate::cloud::{Parameters, lenient};

/// One turn of the customer (`reference/bot-connector-v1.md`, section 2.2).
///
/// Read it with [`crate::cloud::read()`]. It is unreadable only without `botSessionId`, `genesysConversationId` or
/// `inputMessage`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UtteranceRequest {
    /// Despite its name, the registered *name* of the bot in every capture; see [`Self::bot_candidates`].
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub bot_id: Option<String>,
    /// The version chosen in the flow's action.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub bot_version: Option<String>,
    /// One run of the flow's action.
    #[serde(deserialize_with = "lenient::id")]
    pub bot_session_id: String,
    /// In no v1 capture, but read when it comes.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// What the customer said.
    #[serde(deserialize_with = "lenient::required_object")]
    pub input_message: InputMessage,
    /// The flow's language in lower case, such as `en-us`, however it was written.
    #[serde(default, deserialize_with = "lenient::language", skip_serializing_if = "Option::is_none")]
    pub language_code: Option<String>,
    /// Lifetime of the whole bot session in minutes; 4,320 in every capture.
    #[serde(
        rename = "botSessionTimeout",
        default,
        deserialize_with = "lenient::small_unsigned",
        skip_serializing_if = "Option::is_none"
    )]
    pub bot_session_timeout_minutes: Option<u32>,
    /// The registered id and name of the bot.
    #[serde(default, deserialize_with = "lenient::object", skip_serializing_if = "Option::is_none")]
    pub chat_bot: Option<ChatBotName>,
    /// The platform's conversation, which may hold several bot sessions.
    #[serde(deserialize_with = "lenient::id")]
    pub genesys_conversation_id: String,
    /// The flow's session variables. They may come on the first turn only, on every turn, or again in between: merge
    /// them when present, never clear them when absent.
    #[serde(default, deserialize_with = "lenient::parameters", skip_serializing_if = "Parameters::is_empty")]
    pub parameters: Parameters<'static>,
}

impl UtteranceRequest {
    /// What may name the bot, in the order to try: the registered id, then `botId`, then the registered name.
    pub fn bot_candidates(&self) -> impl Iterator<Item = &str> {
        let chat_bot = self.chat_bot.as_ref();
        let id = chat_bot.and_then(|bot| bot.id.as_deref());
        let name = chat_bot.and_then(|bot| bot.name.as_deref());
        [id, self.bot_id.as_deref(), name].into_iter().flatten().filter(|candidate| !candidate.is_empty())
    }
}

/// The registered id and name of a bot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatBotName {
    /// The id given when the bots were registered.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The display name.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

spellings! {
    /// What becomes of the bot session (section 2.4). Both spellings of each are in use; capitals are written.
    pub enum BotState {
        /// The session ends; the flow leaves by the path of the intent, which must be declared.
        Complete = "COMPLETE",
        /// The session ends; the flow leaves by its failure path.
        Failed = "FAILED",
        /// The session waits for the customer.
        MoreData = "MOREDATA",
    }
}

/// The answer to a turn (section 2.4).
///
/// The message list is always written, under the key `replymessages` in lower case; other empty members are left out.
/// Bots in the field write the key in other cases too, and slots that are `null`: both are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UtteranceResponse<'a> {
    /// What the customer gets, in order.
    #[serde(
        rename = "replymessages",
        alias = "replyMessages",
        alias = "ReplyMessages",
        alias = "REPLYMESSAGES",
        default,
        deserialize_with = "lenient::objects"
    )]
    pub reply_messages: Vec<ReplyMessage<'a>>,
    /// What becomes of the session.
    pub bot_state: BotState,
    /// A declared intent. The same one on about four turns running, with unchanged slots, ends the session.
    #[serde(default, deserialize_with = "lenient::cow", skip_serializing_if = "Option::is_none")]
    pub intent: Option<Cow<'a, str>>,
    /// From 0 to 1; the platform assumes 1 on success and 0 on failure.
    #[serde(default, deserialize_with = "lenient::number", skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// Slots of the intent, by name.
    #[serde(default, deserialize_with = "slot::values", skip_serializing_if = "BTreeMap::is_empty")]
    pub slot_values: BTreeMap<Cow<'a, str>, SlotValue<'a>>,
    /// Output variables of the flow.
    #[serde(default, deserialize_with = "lenient::parameters", skip_serializing_if = "Parameters::is_empty")]
    pub parameters: Parameters<'a>,
    /// Why the bot failed; only with `FAILED`.
    #[serde(default, deserialize_with = "lenient::object", skip_serializing_if = "Option::is_none")]
    pub error_info: Option<ErrorInfo<'a>>,
}

impl UtteranceResponse<'_> {
    /// An answer that says nothing but its state.
    #[must_use]
    pub fn new(bot_state: BotState) -> Self {
        UtteranceResponse {
            reply_messages: Vec::new(),
            bot_state,
            intent: None,
            confidence: None,
            slot_values: BTreeMap::new(),
            parameters: Parameters::new(),
            error_info: None,
        }
    }
}
