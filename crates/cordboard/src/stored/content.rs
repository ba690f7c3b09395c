//! What is said, and what an engine answers.

use model::{
    Answer, Attributes, Choice, Choices, Cut, Failure, HandOver, Input, Intent, Item, Next, Opaque, SlotValue, Slots,
};
use serde::{Deserialize, Serialize};

use super::form::{self, forms, is_default};

forms!(
    ItemForm => Item,
    ChoicesForm => Choices,
    ChoiceForm => Choice,
    InputForm => Input,
    SlotValueForm => SlotValue,
    IntentForm => Intent,
    AnswerForm => Answer,
    NextForm => Next,
    HandOverForm => HandOver,
    CutForm => Cut,
    FailureForm => Failure,
);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Item")]
enum ItemForm {
    #[serde(rename = "t")]
    Text(String),
    #[serde(rename = "c", with = "form")]
    Choices(Choices),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Choices", deny_unknown_fields)]
struct ChoicesForm {
    #[serde(rename = "p", default, skip_serializing_if = "is_default")]
    prompt: String,
    #[serde(rename = "o", default, skip_serializing_if = "is_default", with = "form")]
    options: Vec<Choice>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Choice", deny_unknown_fields)]
struct ChoiceForm {
    #[serde(rename = "l")]
    label: String,
    #[serde(rename = "v")]
    value: String,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Input", deny_unknown_fields)]
enum InputForm {
    #[serde(rename = "t")]
    Text(String),
    #[serde(rename = "c")]
    Choice {
        #[serde(rename = "l")]
        label: String,
        #[serde(rename = "p")]
        payload: String,
    },
    #[serde(rename = "s")]
    Start,
}

/// One value is a string, several are a list.
#[derive(Serialize, Deserialize)]
#[serde(remote = "SlotValue", untagged)]
enum SlotValueForm {
    One(String),
    Many(Vec<String>),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Intent", deny_unknown_fields)]
struct IntentForm {
    #[serde(rename = "n")]
    name: String,
    #[serde(rename = "c", default, skip_serializing_if = "is_default")]
    confidence_permille: Option<u16>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Answer", deny_unknown_fields)]
struct AnswerForm {
    #[serde(rename = "i", default, skip_serializing_if = "is_default", with = "form")]
    items: Vec<Item>,
    #[serde(rename = "x", with = "form")]
    next: Next,
    #[serde(rename = "n", default, skip_serializing_if = "is_default", with = "form")]
    intent: Option<Intent>,
    #[serde(rename = "s", default, skip_serializing_if = "is_default", with = "form")]
    slots: Slots,
    #[serde(rename = "a", default, skip_serializing_if = "is_default")]
    attributes: Attributes,
    #[serde(rename = "o", default, skip_serializing_if = "is_default", with = "form")]
    engine_state: Option<Opaque>,
    #[serde(rename = "c", default, skip_serializing_if = "is_default", with = "form")]
    cuts: Vec<Cut>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Next", rename_all = "snake_case")]
enum NextForm {
    Await,
    More,
    #[serde(with = "form")]
    HandOver(HandOver),
    End,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "HandOver", deny_unknown_fields)]
struct HandOverForm {
    #[serde(rename = "r", default, skip_serializing_if = "is_default")]
    reason: String,
    #[serde(rename = "n", default, skip_serializing_if = "is_default")]
    note: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Cut", rename_all = "snake_case")]
enum CutForm {
    Items,
    Text,
    Choices,
    ControlCharacters,
    Degraded,
    Dropped,
    Values,
    EngineState,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Failure", rename_all = "snake_case")]
enum FailureForm {
    Unreachable,
    TimedOut,
    Refused,
    Unavailable,
    Nonsense,
    OutcomeUnknown,
    Internal,
    NoBot,
}
