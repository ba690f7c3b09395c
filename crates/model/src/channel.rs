//! What the customer uses.

/// What the customer uses to talk with us. It decides what rich content survives on the way.
///
/// Neither bot door is told the channel (`reference/digital-bot-connector.md`, section 2.2): it comes from a session
/// variable of the flow, or from the bot's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// Web messaging.
    WebMessaging,
    /// SMS.
    Sms,
    /// WhatsApp.
    WhatsApp,
    /// Facebook Messenger.
    Messenger,
    /// Apple Messages for Business.
    Apple,
    /// Instagram.
    Instagram,
    /// LINE.
    Line,
    /// Open messaging.
    Open,
    /// Voice.
    Voice,
}

impl Channel {
    /// Every channel, in the order of this list.
    pub const ALL: [Self; 9] = [
        Self::WebMessaging,
        Self::Sms,
        Self::WhatsApp,
        Self::Messenger,
        Self::Apple,
        Self::Instagram,
        Self::Line,
        Self::Open,
        Self::Voice,
    ];

    /// The word used in configurations, journals and questions to engines.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::WebMessaging => "web_messaging",
            Self::Sms => "sms",
            Self::WhatsApp => "whatsapp",
            Self::Messenger => "messenger",
            Self::Apple => "apple",
            Self::Instagram => "instagram",
            Self::Line => "line",
            Self::Open => "open",
            Self::Voice => "voice",
        }
    }

    /// Reads a word as flows may write it: ours, or one of the platform's own (`messagingPlatformType`,
    /// `reference/digital-bot-connector.md`, section 2.2). Case, blanks, hyphens and underscores do not count.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        let plain = |character: &char| character.is_ascii_alphanumeric();
        let word: String =
            word.chars().filter(plain).take(32).map(|character| character.to_ascii_lowercase()).collect();
        Some(match word.as_str() {
            "webmessaging" | "webmessenger" | "web" | "genesyswebwidget" => Self::WebMessaging,
            "sms" => Self::Sms,
            "whatsapp" => Self::WhatsApp,
            "messenger" | "facebookmessenger" | "facebook" => Self::Messenger,
            "apple" | "applebusinesschat" | "applemessages" => Self::Apple,
            "instagram" => Self::Instagram,
            "line" => Self::Line,
            "open" | "openmessaging" => Self::Open,
            "voice" | "phone" | "call" => Self::Voice,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_known_by_our_word_and_by_the_platforms() {
        for channel in Channel::ALL {
            assert_eq!(Channel::read(channel.word()), Some(channel));
        }
        let table = [
            ("Whatsapp", Some(Channel::WhatsApp)),
            ("web-messaging", Some(Channel::WebMessaging)),
            ("AppleBusinessChat", Some(Channel::Apple)),
            ("FacebookMessenger", Some(Channel::Messenger)),
            (" Open ", Some(Channel::Open)),
            ("carrier pigeon", None),
            ("", None),
        ];
        for (word, channel) in table {
            assert_eq!(Channel::read(word), channel, "{word}");
        }
    }
}
