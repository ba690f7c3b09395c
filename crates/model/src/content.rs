//! What is said, in one neutral form (`reference/bot-platforms.md`, section 2). Connectors and engines translate to and
//! from it; what a channel or an engine cannot show is degraded there, never here.

use std::collections::BTreeMap;

/// One item of an answer, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// Plain text.
    Text(String),
    /// A question with answers to tap.
    Choices(Choices),
}

impl Item {
    /// A text item.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
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
