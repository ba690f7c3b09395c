//! What is said, and what an engine answers.

use model::{
    Answer, Attributes, Button, Card, Carousel, Channel, Choice, Choices, Cut, Failure, HandOver, Input, Intent, Item,
    Masked, Media, MediaKind, Next, Opaque, Sensitive, SlotValue, Slots, Tap, Usage,
};
use serde::{Deserialize, Serialize};

use super::form::{self, forms, is_default};

forms!(
    ItemForm => Item,
    ChoicesForm => Choices,
    ChoiceForm => Choice,
    CardForm => Card,
    CarouselForm => Carousel,
    ButtonForm => Button,
    TapForm => Tap,
    MediaForm => Media,
    MediaKindForm => MediaKind,
    UsageForm => Usage,
    ChannelForm => Channel,
    SensitiveForm => Sensitive,
    MaskedForm => Masked,
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
    #[serde(rename = "d")]
    Markdown(String),
    #[serde(rename = "c", with = "form")]
    Choices(Choices),
    #[serde(rename = "k", with = "form")]
    Card(Card),
    #[serde(rename = "r", with = "form")]
    Carousel(Carousel),
    #[serde(rename = "m", with = "form")]
    Media(Media),
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
    #[serde(rename = "i", default, skip_serializing_if = "is_default")]
    image: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Card", deny_unknown_fields)]
struct CardForm {
    #[serde(rename = "t")]
    title: String,
    #[serde(rename = "d", default, skip_serializing_if = "is_default")]
    description: Option<String>,
    #[serde(rename = "i", default, skip_serializing_if = "is_default")]
    image: Option<String>,
    #[serde(rename = "v", default, skip_serializing_if = "is_default")]
    video: Option<String>,
    #[serde(rename = "p", default, skip_serializing_if = "is_default", with = "form")]
    tap: Option<Tap>,
    #[serde(rename = "b", default, skip_serializing_if = "is_default", with = "form")]
    buttons: Vec<Button>,
    #[serde(rename = "f", default, skip_serializing_if = "is_default")]
    fallback: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Carousel", deny_unknown_fields)]
struct CarouselForm {
    #[serde(rename = "p", default, skip_serializing_if = "is_default")]
    prompt: Option<String>,
    #[serde(rename = "k", with = "form")]
    cards: Vec<Card>,
    #[serde(rename = "f", default, skip_serializing_if = "is_default")]
    fallback: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Button", deny_unknown_fields)]
struct ButtonForm {
    #[serde(rename = "l")]
    label: String,
    #[serde(rename = "p", with = "form")]
    tap: Tap,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Tap", rename_all = "snake_case")]
enum TapForm {
    Link(String),
    Postback(String),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Media", deny_unknown_fields)]
struct MediaForm {
    #[serde(rename = "k", with = "form")]
    kind: MediaKind,
    #[serde(rename = "u")]
    url: String,
    #[serde(rename = "n", default, skip_serializing_if = "is_default")]
    name: Option<String>,
    #[serde(rename = "y", default, skip_serializing_if = "is_default")]
    mime: Option<String>,
    #[serde(rename = "s", default, skip_serializing_if = "is_default")]
    size_bytes: Option<u64>,
    #[serde(rename = "c", default, skip_serializing_if = "is_default")]
    caption: Option<String>,
    #[serde(rename = "f", default, skip_serializing_if = "is_default")]
    fallback: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "MediaKind", rename_all = "snake_case")]
enum MediaKindForm {
    Image,
    Video,
    Audio,
    File,
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
    #[serde(rename = "u", default, skip_serializing_if = "is_default", with = "form")]
    usage: Option<Usage>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Usage", deny_unknown_fields)]
struct UsageForm {
    #[serde(rename = "i", default, skip_serializing_if = "is_default")]
    input_tokens: u64,
    #[serde(rename = "o", default, skip_serializing_if = "is_default")]
    output_tokens: u64,
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
    Addresses,
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

#[derive(Serialize, Deserialize)]
#[serde(remote = "Channel", rename_all = "snake_case")]
enum ChannelForm {
    WebMessaging,
    Sms,
    #[serde(rename = "whatsapp")]
    WhatsApp,
    Messenger,
    Apple,
    Instagram,
    Line,
    Open,
    Voice,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Sensitive", rename_all = "snake_case")]
enum SensitiveForm {
    Card,
    Iban,
    Email,
    Phone,
    Token,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Masked", deny_unknown_fields)]
struct MaskedForm {
    #[serde(rename = "k", with = "form")]
    kind: Sensitive,
    #[serde(rename = "n")]
    count: u32,
}
