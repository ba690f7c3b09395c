//! The capability table: what each channel shows, as data. `docs/reference/channels.md` is made of it.
//!
//! Sources: `reference/digital-bot-connector.md`, sections 3.2 and 3.4; `reference/bot-connector-v1.md`, sections 2.5
//! and 10. Where they say nothing, the channel's own rules or an assumption stand here as inferred, and every number can
//! be set in the configuration.

use model::Channel;

use super::capabilities::{Basis, Capabilities, Confidence, DoorKind, Fact, FileType, Source, Style};

const fn confirmed<T: Copy>(value: T, source: Source) -> Fact<T> {
    Fact { value, basis: Basis { source, confidence: Confidence::Confirmed } }
}

const fn seen<T: Copy>(value: T, source: Source) -> Fact<T> {
    Fact { value, basis: Basis { source, confidence: Confidence::Seen } }
}

const fn inferred<T: Copy>(value: T, source: Source) -> Fact<T> {
    Fact { value, basis: Basis { source, confidence: Confidence::Inferred } }
}

/// What the platform's default content profile lets out.
const DEFAULT_PROFILE: &[FileType] = &[
    FileType { extensions: &["jpg", "jpeg"], mime: "image/jpeg" },
    FileType { extensions: &["png"], mime: "image/png" },
    FileType { extensions: &["gif"], mime: "image/gif" },
];

/// What holds where nothing else is known: the rich form. The longest text is what the widest channels take, and three
/// buttons are advised, but only WhatsApp refuses more.
const RICH: Capabilities = Capabilities {
    door: DoorKind::DigitalBotConnector,
    channel: None,
    text_max_chars: inferred(4_000, Source::Channels),
    style: inferred(Style::Plain, Source::OlderMessages),
    quick_replies_max: inferred(13, Source::Assumed),
    label_max_chars: inferred(80, Source::Assumed),
    cards: confirmed(true, Source::Forms),
    card_buttons_max: inferred(10, Source::Assumed),
    link_buttons: confirmed(true, Source::Forms),
    card_taps: confirmed(true, Source::Forms),
    carousel_cards_max: confirmed(10, Source::Channels),
    attachments: confirmed(true, Source::Types),
    attachment_max_bytes: confirmed(25 * 1_000_000, Source::Channels),
    attachment_types: confirmed(DEFAULT_PROFILE, Source::Channels),
};

const WEB_MESSAGING: Capabilities =
    Capabilities { cards: confirmed(true, Source::Channels), attachments: inferred(true, Source::Channels), ..RICH };

/// Text and nothing else.
const SMS: Capabilities = Capabilities {
    text_max_chars: inferred(765, Source::Channels),
    quick_replies_max: seen(0, Source::Channels),
    cards: seen(false, Source::Channels),
    carousel_cards_max: seen(0, Source::Channels),
    attachments: seen(false, Source::Channels),
    ..RICH
};

const WHATSAPP: Capabilities = Capabilities {
    style: inferred(Style::WhatsApp, Source::ChannelItself),
    quick_replies_max: inferred(10, Source::ChannelItself),
    label_max_chars: inferred(20, Source::ChannelItself),
    cards: confirmed(true, Source::Channels),
    card_buttons_max: confirmed(3, Source::Channels),
    link_buttons: confirmed(false, Source::Channels),
    card_taps: confirmed(false, Source::Channels),
    // The page contradicts itself; the stricter half of it cannot fail.
    carousel_cards_max: seen(0, Source::Channels),
    attachments: inferred(true, Source::Channels),
    ..RICH
};

const MESSENGER: Capabilities = Capabilities {
    text_max_chars: inferred(2_000, Source::Channels),
    quick_replies_max: inferred(13, Source::ChannelItself),
    label_max_chars: inferred(20, Source::ChannelItself),
    cards: confirmed(true, Source::Channels),
    card_buttons_max: inferred(3, Source::ChannelItself),
    attachments: inferred(true, Source::Channels),
    ..RICH
};

/// No list of channels with cards or carousels names it.
const APPLE: Capabilities = Capabilities {
    text_max_chars: inferred(2_000, Source::Channels),
    quick_replies_max: inferred(5, Source::ChannelItself),
    label_max_chars: inferred(24, Source::ChannelItself),
    cards: inferred(false, Source::Channels),
    carousel_cards_max: inferred(0, Source::Channels),
    attachments: inferred(true, Source::Channels),
    ..RICH
};

const INSTAGRAM: Capabilities = Capabilities {
    text_max_chars: inferred(1_000, Source::Channels),
    quick_replies_max: inferred(13, Source::ChannelItself),
    label_max_chars: inferred(20, Source::ChannelItself),
    cards: confirmed(true, Source::Channels),
    card_buttons_max: inferred(3, Source::ChannelItself),
    // In beta.
    carousel_cards_max: seen(10, Source::Channels),
    attachments: inferred(true, Source::Channels),
    ..RICH
};

/// Cards are in an older edition of the list only, carousels in none.
const LINE: Capabilities = Capabilities {
    text_max_chars: inferred(2_000, Source::Assumed),
    quick_replies_max: inferred(13, Source::ChannelItself),
    label_max_chars: inferred(20, Source::ChannelItself),
    cards: seen(true, Source::Channels),
    card_buttons_max: inferred(3, Source::ChannelItself),
    card_taps: confirmed(false, Source::Channels),
    carousel_cards_max: inferred(0, Source::Channels),
    attachments: inferred(true, Source::Channels),
    ..RICH
};

/// Cards and carousels want a configuration profile with these message types.
const OPEN: Capabilities =
    Capabilities { cards: confirmed(true, Source::Channels), attachments: inferred(true, Source::Channels), ..RICH };

const VOICE: Capabilities = Capabilities {
    style: inferred(Style::Spoken, Source::OlderChannels),
    quick_replies_max: inferred(0, Source::OlderChannels),
    cards: inferred(false, Source::OlderChannels),
    carousel_cards_max: inferred(0, Source::OlderChannels),
    attachments: inferred(false, Source::OlderChannels),
    ..RICH
};

impl Capabilities {
    /// What this door and this channel take, as far as is known; files as if the integration let them through.
    #[must_use]
    pub const fn of(door: DoorKind, channel: Option<Channel>) -> Self {
        let row = match channel {
            None => RICH,
            Some(Channel::WebMessaging) => WEB_MESSAGING,
            Some(Channel::Sms) => SMS,
            Some(Channel::WhatsApp) => WHATSAPP,
            Some(Channel::Messenger) => MESSENGER,
            Some(Channel::Apple) => APPLE,
            Some(Channel::Instagram) => INSTAGRAM,
            Some(Channel::Line) => LINE,
            Some(Channel::Open) => OPEN,
            Some(Channel::Voice) => VOICE,
        };
        let attachments = match door {
            DoorKind::DigitalBotConnector => row.attachments,
            // No source has a form for them.
            DoorKind::BotConnector => seen(false, Source::OlderMessages),
        };
        Self { door, channel, attachments, ..row }
    }

    /// Every row of a door: each channel, and the one that is not known.
    pub fn rows(door: DoorKind) -> impl Iterator<Item = Self> {
        let channels = Channel::ALL.into_iter().map(Some).chain([None]);
        channels.map(move |channel| Self::of(door, channel))
    }

    /// The same for an integration whose property for files is off.
    #[must_use]
    pub const fn without_attachments(mut self) -> Self {
        if self.attachments.value {
            self.attachments = confirmed(false, Source::AttachmentsOff);
        }
        self
    }
}
