//! What the customer said, as both bot doors hand it over.
//!
//! Source: `reference/digital-bot-connector.md`, section 1.4, and `reference/bot-connector-v1.md`, section 2.3.

use serde::{Deserialize, Serialize};

use super::lenient;
use super::spelling::spellings;

spellings! {
    /// Kind of an input message (`reference/digital-bot-connector.md`, section 1.4).
    pub enum InputType {
        /// Typed text.
        Text = "Text",
        /// A pressed button.
        Structured = "Structured",
    }
}

spellings! {
    /// Kind of an element of an input message's content. Only button responses are documented inbound.
    pub enum InputContentType {
        /// A pressed button or quick reply.
        ButtonResponse = "ButtonResponse",
    }
}

spellings! {
    /// What kind of button was pressed. The last three are in the SDK only (section 1.4).
    pub enum ButtonType {
        /// A button of a card or carousel.
        Button = "Button",
        /// A quick reply.
        QuickReply = "QuickReply",
        /// A choice of a date picker.
        DatePicker = "DatePicker",
        /// A choice of a list picker.
        ListPicker = "ListPicker",
        /// A filled form.
        Form = "Form",
    }
}

/// One input of the customer.
///
/// Text may be empty or blank; attachments of the customer have no documented form. A `Structured` message carries a
/// button either in `content` or, in an older form of the v1 door, directly beneath the message; [`Self::button`]
/// finds both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InputMessage {
    /// `Text` or `Structured`; absent is read as `Text`.
    #[serde(rename = "type", default = "input_type")]
    pub input_type: InputType,
    /// What was typed, or the button's text. Absent is allowed for `Structured`.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The elements of a structured message; empty for `Text`.
    #[serde(default, deserialize_with = "lenient::objects", skip_serializing_if = "Vec::is_empty")]
    pub content: Vec<InputContent>,
    /// The button of the older v1 form (`reference/bot-connector-v1.md`, section 2.3).
    #[serde(default, deserialize_with = "lenient::object", skip_serializing_if = "Option::is_none")]
    pub button_response: Option<ButtonResponse>,
}

fn input_type() -> InputType {
    InputType::Text
}

impl InputMessage {
    /// A message of typed text.
    #[must_use]
    pub fn typed(text: impl Into<String>) -> Self {
        InputMessage {
            input_type: InputType::Text,
            text: Some(text.into()),
            content: Vec::new(),
            button_response: None,
        }
    }

    /// The first pressed button, wherever the message carries it.
    #[must_use]
    pub fn button(&self) -> Option<&ButtonResponse> {
        self.content.iter().find_map(|element| element.button_response.as_ref()).or(self.button_response.as_ref())
    }

    /// What the customer sees as their own words: the text, else the button's text. `None` when both are blank.
    #[must_use]
    pub fn said(&self) -> Option<&str> {
        let button = self.button().and_then(|button| button.text.as_deref());
        [self.text.as_deref(), button].into_iter().flatten().find(|text| !text.trim().is_empty())
    }

    /// What a machine should act on: the button's payload, else the button's text, else the text
    /// (`reference/bot-connector-v1.md`, section 2.3). `None` when all are blank.
    #[must_use]
    pub fn meaning(&self) -> Option<&str> {
        let button = self.button();
        let payload = button.and_then(|button| button.payload.as_deref());
        let label = button.and_then(|button| button.text.as_deref());
        [payload, label, self.text.as_deref()].into_iter().flatten().find(|text| !text.trim().is_empty())
    }
}

/// One element of a structured input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InputContent {
    /// Only `ButtonResponse` is documented.
    #[serde(default = "content_type")]
    pub content_type: InputContentType,
    /// The pressed button, when the element is one.
    #[serde(default, deserialize_with = "lenient::object", skip_serializing_if = "Option::is_none")]
    pub button_response: Option<ButtonResponse>,
}

fn content_type() -> InputContentType {
    InputContentType::ButtonResponse
}

/// A pressed button or quick reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ButtonResponse {
    /// Which kind of button; absent in an older v1 form.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub button_type: Option<ButtonType>,
    /// The text on the button.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What the bot put behind the button.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// The message that held the button; in the SDK only.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub originating_message_id: Option<String>,
}
