//! The webhook contract, version 1, as it stands on the wire (`reference/bot-platforms.md`, section 3;
//! `docs/reference/webhook.schema.json`). What we send is typed strictly. What we read is typed as far as we use it:
//! unknown fields are passed over, unknown items are degraded, and everything else that does not fit is nonsense.

use std::collections::BTreeMap;

use model::Attributes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// The version of the contract that every question names.
pub(super) const CONTRACT: &str = "1";

/// A question, or a notice: the body of our request.
#[derive(Serialize)]
pub(super) struct Question<'a> {
    pub(super) contract: &'static str,
    /// The bot's key in the configuration, so that one address can serve several.
    pub(super) bot: &'a str,
    pub(super) conversation: Conversation<'a>,
    /// Absent in a notice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) turn: Option<Turn<'a>>,
    pub(super) input: Input<'a>,
    /// Absent when the flow does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<User<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) context: Option<&'a Attributes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) engine_state: Option<&'a RawValue>,
}

#[derive(Serialize)]
pub(super) struct Conversation<'a> {
    /// 36 characters, the same over the platform's sessions.
    pub(super) id: String,
    /// How often the bot got the conversation back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) locale: Option<&'a str>,
    /// What the customer uses, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) channel: Option<&'static str>,
}

#[derive(Serialize)]
pub(super) struct User<'a> {
    /// Who the customer is, in the words of the flow.
    pub(super) id: &'a str,
}

#[derive(Serialize)]
pub(super) struct Turn<'a> {
    pub(super) id: &'a str,
    pub(super) seq: u32,
    pub(super) is_first: bool,
    /// Counted from the first attempt, since the same bytes go out at every attempt; what is left of it at this attempt
    /// is in the header `cordboard-time-left-ms`.
    pub(super) deadline_ms: u64,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Input<'a> {
    Text { text: &'a str },
    Choice { label: &'a str, payload: &'a str },
    Start,
    Ended,
    HandedOver,
    HandoffReturned,
}

/// A reply, or a callback: the same body.
#[derive(Deserialize, Default)]
pub(super) struct Reply {
    #[serde(default)]
    pub(super) in_reply_to: Option<String>,
    /// Read one by one, so that an item of a kind we do not know does not spoil the others.
    #[serde(default)]
    pub(super) items: Option<Vec<Box<RawValue>>>,
    /// The short form: a bare `{"text": "…"}`.
    #[serde(default)]
    pub(super) text: Option<String>,
    #[serde(default)]
    pub(super) next: Option<Next>,
    #[serde(default)]
    pub(super) nlu: Option<Nlu>,
    #[serde(default)]
    pub(super) set_attributes: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    pub(super) engine_state: Option<Box<RawValue>>,
}

/// The other short form: a list of bare texts.
#[derive(Deserialize)]
pub(super) struct BareText {
    pub(super) text: String,
}

/// What every item has.
#[derive(Deserialize)]
pub(super) struct ItemHead {
    pub(super) kind: String,
    #[serde(default)]
    pub(super) fallback_text: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Text {
    pub(super) text: String,
    #[serde(default)]
    pub(super) format: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Choices {
    #[serde(default)]
    pub(super) prompt: Option<String>,
    pub(super) options: Vec<ChoiceOption>,
}

#[derive(Deserialize)]
pub(super) struct ChoiceOption {
    pub(super) label: String,
    /// Without one, the label is said.
    #[serde(default)]
    pub(super) action: Option<Action>,
    #[serde(default)]
    pub(super) image: Option<Picture>,
}

#[derive(Deserialize)]
pub(super) struct Action {
    pub(super) kind: String,
    #[serde(default)]
    pub(super) value: Option<String>,
}

/// A card, also as one of a carousel or a list.
#[derive(Deserialize)]
pub(super) struct Card {
    #[serde(default)]
    pub(super) title: Option<String>,
    #[serde(default)]
    pub(super) subtitle: Option<String>,
    #[serde(default)]
    pub(super) body: Option<String>,
    #[serde(default)]
    pub(super) image: Option<Picture>,
    #[serde(default)]
    pub(super) video: Option<Picture>,
    #[serde(default)]
    pub(super) actions: Vec<CardAction>,
    #[serde(default)]
    pub(super) default_action: Option<Action>,
    #[serde(default)]
    pub(super) fallback_text: Option<String>,
}

/// A button of a card: what is on it, and what a tap does.
#[derive(Deserialize)]
pub(super) struct CardAction {
    pub(super) label: String,
    #[serde(flatten)]
    pub(super) action: Action,
}

#[derive(Deserialize)]
pub(super) struct Carousel {
    #[serde(default)]
    pub(super) prompt: Option<String>,
    pub(super) cards: Vec<Card>,
}

#[derive(Deserialize)]
pub(super) struct List {
    #[serde(default)]
    pub(super) title: Option<String>,
    #[serde(default)]
    pub(super) subtitle: Option<String>,
    pub(super) items: Vec<Card>,
}

/// A slot that is an object: a value with what is known of it, or an amount of money.
#[derive(Deserialize)]
pub(super) struct SlotObject<'a> {
    #[serde(default, borrow)]
    pub(super) value: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) amount: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) code: Option<String>,
}

/// The address of a picture or a film, bare or in an object.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Picture {
    Bare(String),
    Described { url: String },
}

#[derive(Deserialize)]
pub(super) struct Media {
    /// What kind of file; the item's own `kind` says that it is one.
    #[serde(default)]
    pub(super) media: Option<String>,
    /// Absent when the file itself is in the item, which is not read.
    #[serde(default)]
    pub(super) url: Option<String>,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) mime: Option<String>,
    #[serde(default)]
    pub(super) bytes: Option<u64>,
    /// What the file shows, for those who cannot see it.
    #[serde(default)]
    pub(super) alt: Option<String>,
    #[serde(default)]
    pub(super) caption: Option<String>,
}

/// What comes after the items. A kind we do not know is nonsense: taking it for "wait" would lose a hand-over.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Next {
    AwaitInput {},
    More {},
    Handoff {
        #[serde(default)]
        reason: Option<String>,
        #[serde(default)]
        note_to_agent: Option<String>,
        #[serde(default)]
        summary: Option<String>,
        #[serde(default)]
        attributes: Option<BTreeMap<String, Value>>,
    },
    End {},
}

#[derive(Deserialize)]
pub(super) struct Nlu {
    #[serde(default)]
    pub(super) intent: Option<Intent>,
    /// Raw, so that numbers keep their digits.
    #[serde(default)]
    pub(super) slots: Option<BTreeMap<String, Box<RawValue>>>,
}

#[derive(Deserialize)]
pub(super) struct Intent {
    pub(super) name: String,
    #[serde(default)]
    pub(super) confidence: Option<f64>,
}
