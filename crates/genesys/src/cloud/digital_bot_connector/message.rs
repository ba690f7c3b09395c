//! The turn and its answer, in the response or pushed later.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::cloud::entity::EntityType;
use crate::cloud::input::InputMessage;
use crate::cloud::reply::{ErrorInfo, ReplyMessage};
use crate::cloud::spelling::spellings;
use crate::cloud::violation::{Inspection, Rule, Violation};
use crate::cloud::{Parameters, lenient};

/// One turn of the customer: the body of `POST /messages` (`reference/digital-bot-connector.md`, section 1.4).
///
/// Read it with [`crate::cloud::read()`]. It is unreadable only without one of the ids `botId`, `botSessionId`,
/// `messageId` and `genesysConversationId`, or without `inputMessage`: nothing could be answered or kept in order then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IncomingMessagesRequest {
    /// The bot's id from the manifest.
    #[serde(deserialize_with = "lenient::id")]
    pub bot_id: String,
    /// The bot's version from the manifest; required by the document, and repeated when pushing.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub bot_version: Option<String>,
    /// One run of the flow's action; the key for pushed answers.
    #[serde(deserialize_with = "lenient::id")]
    pub bot_session_id: String,
    /// This message; a retry of the platform repeats it.
    #[serde(deserialize_with = "lenient::id")]
    pub message_id: String,
    /// What the customer said.
    #[serde(deserialize_with = "lenient::required_object")]
    pub input_message: InputMessage,
    /// The flow's language in lower case, such as `en-us`, however it was written.
    #[serde(default, deserialize_with = "lenient::language", skip_serializing_if = "Option::is_none")]
    pub language_code: Option<String>,
    /// Lifetime of the whole bot session in minutes: 720 by default, 4,320 at most.
    #[serde(
        rename = "botSessionTimeout",
        default,
        deserialize_with = "lenient::small_unsigned",
        skip_serializing_if = "Option::is_none"
    )]
    pub bot_session_timeout_minutes: Option<u32>,
    /// The platform's conversation, which may hold several bot sessions.
    #[serde(deserialize_with = "lenient::id")]
    pub genesys_conversation_id: String,
    /// The flow's session variables. Absence on a later turn does not mean that they were cleared.
    #[serde(default, deserialize_with = "lenient::parameters", skip_serializing_if = "Parameters::is_empty")]
    pub parameters: Parameters<'static>,
}

spellings! {
    /// What becomes of the bot session (section 4.2).
    pub enum BotState {
        /// The session ends; the flow leaves by the path of the intent, which must be one it knows.
        Complete = "Complete",
        /// The session ends; the flow leaves by its failure path.
        Failed = "Failed",
        /// The session stays open, for the customer's next message or for a push.
        MoreData = "MoreData",
    }
}

/// The answer to a turn: the body of the response with status 200 (section 1.4), and the core of a push (section 2.1).
///
/// Empty lists and maps are left out. The early acknowledgement is `IncomingMessagesResponse::new(BotState::MoreData)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IncomingMessagesResponse<'a> {
    /// What becomes of the session.
    pub bot_state: BotState,
    /// One declared intent, compared with case; without it `Complete` goes down the failure path.
    #[serde(default, deserialize_with = "lenient::cow", skip_serializing_if = "Option::is_none")]
    pub intent: Option<Cow<'a, str>>,
    /// From 0 to 1; the platform assumes 1 on success and 0 on failure.
    #[serde(default, deserialize_with = "lenient::number", skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// Values of the intent's declared entities.
    #[serde(default, deserialize_with = "lenient::objects", skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<BotEntityValue<'a>>,
    /// What the customer gets, in order.
    #[serde(default, deserialize_with = "lenient::objects", skip_serializing_if = "Vec::is_empty")]
    pub reply_messages: Vec<ReplyMessage<'a>>,
    /// Output variables of the flow.
    #[serde(default, deserialize_with = "lenient::parameters", skip_serializing_if = "Parameters::is_empty")]
    pub parameters: Parameters<'a>,
    /// Why the bot failed; only with `Failed`.
    #[serde(default, deserialize_with = "lenient::object", skip_serializing_if = "Option::is_none")]
    pub error_info: Option<ErrorInfo<'a>>,
}

impl IncomingMessagesResponse<'_> {
    /// An answer that says nothing but its state.
    #[must_use]
    pub fn new(bot_state: BotState) -> Self {
        IncomingMessagesResponse {
            bot_state,
            intent: None,
            confidence: None,
            entities: Vec::new(),
            reply_messages: Vec::new(),
            parameters: Parameters::new(),
            error_info: None,
        }
    }

    /// Every rule this answer breaks by itself; the platform sends the conversation down the failure path for any of
    /// them. Whether intent and entities are declared is for the caller to compare with the manifest.
    #[must_use]
    pub fn validate(&self) -> Vec<Violation> {
        let mut inspection = Inspection::default();
        if matches!(self.bot_state, BotState::Other(_)) {
            inspection.broken("botState", Rule::Unknown);
        }
        if self.bot_state == BotState::Complete && self.intent.as_deref().unwrap_or_default().is_empty() {
            inspection.broken("intent", Rule::Missing);
        }
        if self.confidence.is_some_and(|confidence| !(0.0..=1.0).contains(&confidence)) {
            inspection.broken("confidence", Rule::BadValue);
        }
        if self.error_info.is_some() && self.bot_state != BotState::Failed {
            inspection.broken("errorInfo", Rule::OutOfPlace);
        }
        inspection.each("entities", &self.entities, |inspection, entity| entity.inspect(inspection));
        let mut violations = inspection.finish();
        for (index, message) in self.reply_messages.iter().enumerate() {
            let inner = message.validate().into_iter();
            violations.extend(inner.map(|violation| Violation {
                path: format!("replyMessages[{index}].{}", violation.path),
                ..violation
            }));
        }
        violations
    }
}

/// The value of one entity (section 1.5). Numbers and booleans, too, travel as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotEntityValue<'a> {
    /// The entity's declared name.
    pub name: Cow<'a, str>,
    /// The entity's declared type.
    #[serde(rename = "type")]
    pub entity_type: EntityType,
    /// The value of a simple type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Cow<'a, str>>,
    /// The values of a collection type; an empty list is written as such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<Cow<'a, str>>>,
}

impl<'a> BotEntityValue<'a> {
    /// A value of a simple type.
    #[must_use]
    pub fn single(name: impl Into<Cow<'a, str>>, entity_type: EntityType, value: impl Into<Cow<'a, str>>) -> Self {
        BotEntityValue { name: name.into(), entity_type, value: Some(value.into()), values: None }
    }

    /// The values of a collection type.
    #[must_use]
    pub fn collection(name: impl Into<Cow<'a, str>>, entity_type: EntityType, values: Vec<Cow<'a, str>>) -> Self {
        BotEntityValue { name: name.into(), entity_type, value: None, values: Some(values) }
    }

    fn inspect(&self, inspection: &mut Inspection) {
        if matches!(self.entity_type, EntityType::Other(_)) {
            inspection.broken("type", Rule::Unknown);
            return;
        }
        let collection = self.entity_type.is_collection();
        let (wanted, unwanted) = if collection { ("values", "value") } else { ("value", "values") };
        let (has_wanted, has_unwanted) = match collection {
            true => (self.values.is_some(), self.value.is_some()),
            false => (self.value.is_some(), self.values.is_some()),
        };
        if !has_wanted {
            inspection.broken(wanted, Rule::Missing);
        }
        if has_unwanted {
            inspection.broken(unwanted, Rule::OutOfPlace);
        }
        if self.value.iter().chain(self.values.iter().flatten()).any(|text| !self.entity_type.accepts(text)) {
            inspection.broken(wanted, Rule::BadValue);
        }
    }
}

/// A pushed answer (section 2.1). It carries no id of its own, so a resend may be seen twice by the customer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutgoingMessagesRequest<'a> {
    /// The session's bot; another one is refused with 409.
    pub bot_id: Cow<'a, str>,
    /// The session's version; another one is refused with 409.
    pub bot_version: Cow<'a, str>,
    /// The open session.
    pub bot_session_id: Cow<'a, str>,
    /// The session's language, in lower case.
    pub language_code: Cow<'a, str>,
    /// The answer itself, whose members stand beside the others.
    #[serde(flatten)]
    pub answer: IncomingMessagesResponse<'a>,
}

/// The platform's answer to a push with status 200.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutgoingMessagesReply {
    /// The platform's id of the message; optional in the SDK.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
}

impl OutgoingMessagesReply {
    /// Reads the body of a success. The status already said that the message was taken, so no body is an error.
    #[must_use]
    pub fn read(body: &[u8]) -> OutgoingMessagesReply {
        crate::cloud::read(body).unwrap_or_default()
    }
}
