//! What is said, in one neutral form (`reference/bot-platforms.md`, section 2). Connectors and engines translate to and
//! from it; what a channel or an engine cannot show is degraded there, never here.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// One item of an answer, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// Plain text.
    Text(String),
    /// Text in Markdown, as language models write it.
    Markdown(String),
    /// A question with answers to tap.
    Choices(Choices),
    /// A card.
    Card(Card),
    /// Cards side by side.
    Carousel(Carousel),
    /// A picture, a film, a recording or another file.
    Media(Media),
}

impl Item {
    /// A text item.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// What the item says where nothing but text can be shown: its own fallback, or a text made of its parts.
    #[must_use]
    pub fn plain(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) | Self::Markdown(text) => text.into(),
            Self::Choices(choices) => {
                let labels = choices.options.iter().map(|option| option.label.as_str());
                lines([choices.prompt.as_str()].into_iter().chain(labels)).into()
            }
            Self::Card(card) => card.plain(),
            Self::Carousel(Carousel { fallback: Some(text), .. }) => text.into(),
            Self::Carousel(carousel) => {
                let cards: Vec<Cow<'_, str>> = carousel.cards.iter().map(Card::plain).collect();
                lines(carousel.prompt.as_deref().into_iter().chain(cards.iter().map(AsRef::as_ref))).into()
            }
            Self::Media(Media { fallback: Some(text), .. }) => text.into(),
            Self::Media(media) => {
                let parts = [media.caption.as_deref(), media.name.as_deref(), Some(media.url.as_str())];
                lines(parts.into_iter().flatten()).into()
            }
        }
    }
}

fn lines<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    let filled: Vec<&str> = parts.filter(|part| !part.trim().is_empty()).collect();
    filled.join("\n")
}

/// Quick replies under a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choices {
    /// What is asked; also the fallback text of channels without buttons.
    pub prompt: String,
    /// The answers offered, in order.
    pub options: Vec<Choice>,
}

/// One answer to tap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What the customer sees.
    pub label: String,
    /// What comes back.
    pub value: String,
    /// The address of a picture beside the label.
    pub image: Option<String>,
}

impl Choice {
    /// A choice without a picture.
    #[must_use]
    pub fn new(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self { label: label.into(), value: value.into(), image: None }
    }
}

/// A title with what belongs to it, and buttons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Card {
    /// The title.
    pub title: String,
    /// Text below the title.
    pub description: Option<String>,
    /// The address of a picture.
    pub image: Option<String>,
    /// The address of a film.
    pub video: Option<String>,
    /// What a tap on the card itself does.
    pub tap: Option<Tap>,
    /// The buttons, in order.
    pub buttons: Vec<Button>,
    /// What is said where a card cannot be shown; made from the card when absent.
    pub fallback: Option<String>,
}

impl Card {
    /// What the card says where nothing but text can be shown.
    #[must_use]
    pub fn plain(&self) -> Cow<'_, str> {
        if let Some(text) = &self.fallback {
            return text.into();
        }
        let buttons: Vec<Cow<'_, str>> = self.buttons.iter().map(Button::plain).collect();
        let head = [Some(self.title.as_str()), self.description.as_deref()];
        lines(head.into_iter().flatten().chain(buttons.iter().map(AsRef::as_ref))).into()
    }
}

/// Cards side by side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carousel {
    /// The text over the cards.
    pub prompt: Option<String>,
    /// The cards, in order.
    pub cards: Vec<Card>,
    /// What is said where cards cannot be shown; made from the cards when absent.
    pub fallback: Option<String>,
}

/// A button of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    /// What the customer sees.
    pub label: String,
    /// What a tap does.
    pub tap: Tap,
}

impl Button {
    fn plain(&self) -> Cow<'_, str> {
        match &self.tap {
            Tap::Link(url) => format!("{}: {url}", self.label).into(),
            Tap::Postback(_) => self.label.as_str().into(),
        }
    }
}

/// What a tap does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tap {
    /// Opens this address.
    Link(String),
    /// Sends this payload to the bot.
    Postback(String),
}

/// A file, by its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// What kind of file.
    pub kind: MediaKind,
    /// Where it is fetched.
    pub url: String,
    /// The file's name.
    pub name: Option<String>,
    /// Its MIME type.
    pub mime: Option<String>,
    /// Its size.
    pub size_bytes: Option<u64>,
    /// What is said with it.
    pub caption: Option<String>,
    /// What is said where it cannot be shown; made from name and address when absent.
    pub fallback: Option<String>,
}

/// What kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A film.
    Video,
    /// A recording.
    Audio,
    /// Any other file.
    File,
}

/// What the customer did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Words. Blank words ask no engine.
    Text(String),
    /// A tapped choice.
    Choice {
        /// What the customer saw.
        label: String,
        /// What the choice carried.
        payload: String,
    },
    /// Nothing yet: the platform opened the conversation with us before the customer spoke.
    Start,
}

impl Input {
    /// Whether nothing was said. Attachments reach the bot connectors as a blank text.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Text(text) => text.trim().is_empty(),
            Self::Choice { label, payload } => label.trim().is_empty() && payload.trim().is_empty(),
            Self::Start => false,
        }
    }

    /// What the customer saw or typed.
    #[must_use]
    pub fn shown(&self) -> &str {
        match self {
            Self::Text(text) | Self::Choice { label: text, .. } => text,
            Self::Start => "",
        }
    }
}

/// A value found by a bot: one, or several. The connector gives it the type that the intent declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotValue {
    /// One value, as text.
    One(String),
    /// Several values, as text.
    Many(Vec<String>),
}

/// Slots by name.
pub type Slots = BTreeMap<String, SlotValue>;

/// Contact-centre attributes by name. Genesys carries strings only.
pub type Attributes = BTreeMap<String, String>;

/// The intent an engine reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Its name.
    pub name: String,
    /// How sure the engine is, in thousandths, 0 to 1000; absent when it does not say.
    pub confidence_permille: Option<u16>,
}

/// Bytes that only their owner reads: a connector's memory, an engine's state. Versioned by the owner, capped by us.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Opaque(pub Vec<u8>);

impl std::fmt::Debug for Opaque {
    /// Never the bytes: they may hold customers' words.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Opaque({} bytes)", self.0.len())
    }
}
