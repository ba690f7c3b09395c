//! What a door and a channel take, and how sure that is.

use std::fmt;

use model::Channel;

/// Which of the two bot doors an answer leaves by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DoorKind {
    /// The Digital Bot Connector (v2).
    DigitalBotConnector,
    /// The Bot Connector (v1).
    BotConnector,
}

impl DoorKind {
    /// Both, the newer first.
    pub const ALL: [Self; 2] = [Self::DigitalBotConnector, Self::BotConnector];

    /// The short name of the door.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::DigitalBotConnector => "v2",
            Self::BotConnector => "v1",
        }
    }
}

/// A limit or an ability, and where it is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact<T> {
    /// The limit, or whether it can be done.
    pub value: T,
    /// Where it is known from.
    pub basis: Basis,
}

/// Where something is known from, and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Basis {
    /// Where it stands.
    pub source: Source,
    /// How sure it is.
    pub confidence: Confidence,
}

impl fmt::Display for Basis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.source {
            Source::Assumed | Source::Configuration | Source::AttachmentsOff => formatter.write_str(self.source.text()),
            source => write!(formatter, "{}, {}", source.text(), self.confidence.word()),
        }
    }
}

/// Where a limit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// What the digital door accepts.
    Types,
    /// The forms of quick replies, cards, carousels and attachments.
    Forms,
    /// Limits and support of channels.
    Channels,
    /// What the flow's action accepts at the end of a session.
    Endings,
    /// The messages of the older door.
    OlderMessages,
    /// How channels show what the older door sends.
    OlderChannels,
    /// The channel's own rules, which nobody tried through the platform.
    ChannelItself,
    /// Nowhere: no source has a number, so a careful one stands here.
    Assumed,
    /// The integration's property for files, which is off.
    AttachmentsOff,
    /// The configuration of this gateway.
    Configuration,
}

impl Source {
    /// Every source, for what is read back.
    pub const ALL: [Self; 10] = [
        Self::Types,
        Self::Forms,
        Self::Channels,
        Self::Endings,
        Self::OlderMessages,
        Self::OlderChannels,
        Self::ChannelItself,
        Self::Assumed,
        Self::AttachmentsOff,
        Self::Configuration,
    ];

    /// The word of journals.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Types => "types",
            Self::Forms => "forms",
            Self::Channels => "channels",
            Self::Endings => "endings",
            Self::OlderMessages => "older_messages",
            Self::OlderChannels => "older_channels",
            Self::ChannelItself => "channel_itself",
            Self::Assumed => "assumed",
            Self::AttachmentsOff => "attachments_off",
            Self::Configuration => "configuration",
        }
    }

    /// Where to read on.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Types => "digital-bot-connector.md 3.1",
            Self::Forms => "digital-bot-connector.md 3.2",
            Self::Channels => "digital-bot-connector.md 3.4",
            Self::Endings => "digital-bot-connector.md 1.4",
            Self::OlderMessages => "bot-connector-v1.md 2.5",
            Self::OlderChannels => "bot-connector-v1.md 10",
            Self::ChannelItself => "the channel's own rule, not tried through Genesys",
            Self::Assumed => "our assumption, since no source has a number",
            Self::AttachmentsOff => "`attachments` is off for this connector",
            Self::Configuration => "your configuration",
        }
    }
}

/// How sure a limit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// A source of Genesys says so.
    Confirmed,
    /// Others saw it.
    Seen,
    /// Our own conclusion: try it, and change it when it is wrong.
    Inferred,
}

impl Confidence {
    /// Every degree, for what is read back.
    pub const ALL: [Self; 3] = [Self::Confirmed, Self::Seen, Self::Inferred];

    /// The word of journals and documents.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Seen => "seen",
            Self::Inferred => "inferred",
        }
    }
}

/// How a channel writes what Markdown marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Style {
    /// Not at all: readable text without marks.
    Plain,
    /// `*bold*`, `_italic_`, `~struck~`.
    WhatsApp,
    /// As Markdown is written.
    Markdown,
    /// Read aloud: neither marks nor addresses.
    Spoken,
}

impl Style {
    /// The word of configurations.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::WhatsApp => "whatsapp",
            Self::Markdown => "kept",
            Self::Spoken => "spoken",
        }
    }
}

/// A kind of file that may be attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileType {
    /// The ends of names.
    pub extensions: &'static [&'static str],
    /// The MIME type.
    pub mime: &'static str,
}

/// What one door and one channel take together. A limit of 0 means that such content is not shown at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The door.
    pub door: DoorKind,
    /// What the customer uses; nothing when it is not known.
    pub channel: Option<Channel>,
    /// Characters of one text.
    pub text_max_chars: Fact<usize>,
    /// How Markdown is shown.
    pub style: Fact<Style>,
    /// Quick replies under one prompt.
    pub quick_replies_max: Fact<usize>,
    /// Characters of a quick reply's label.
    pub label_max_chars: Fact<usize>,
    /// Whether cards are shown.
    pub cards: Fact<bool>,
    /// Buttons of one card.
    pub card_buttons_max: Fact<usize>,
    /// Whether a button may open an address.
    pub link_buttons: Fact<bool>,
    /// Whether a tap on the card itself does something.
    pub card_taps: Fact<bool>,
    /// Cards of one carousel.
    pub carousel_cards_max: Fact<usize>,
    /// Whether files are shown.
    pub attachments: Fact<bool>,
    /// Bytes of one file.
    pub attachment_max_bytes: Fact<u64>,
    /// The kinds of files that may be sent.
    pub attachment_types: Fact<&'static [FileType]>,
}

impl Capabilities {
    /// Whether a customer sees quick replies.
    pub(crate) const fn shows_quick_replies(&self) -> bool {
        self.as_heard().quick_replies_max.value > 0
    }

    /// Nothing can be tapped or looked at where everything is read aloud.
    pub(super) const fn as_heard(mut self) -> Self {
        if matches!(self.style.value, Style::Spoken) {
            let basis = self.style.basis;
            self.quick_replies_max = Fact { value: 0, basis };
            self.cards = Fact { value: false, basis };
            self.carousel_cards_max = Fact { value: 0, basis };
            self.attachments = Fact { value: false, basis };
        }
        self
    }
}
