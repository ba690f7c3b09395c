//! What the customer uses, and what of a message it shows. The platform takes every message that keeps its rules; what a
//! channel then makes of it is another matter, and a bot that was told the channel should know.
//!
//! `reference/digital-bot-connector.md`, section 3.4. Where that page contradicts itself or says nothing, the note beside the
//! entry says what is assumed here.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Message;
use crate::check::{Findings, Severity};

/// What the customer uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Web messaging.
    WebMessaging,
    /// SMS.
    Sms,
    /// WhatsApp.
    #[serde(rename = "whatsapp")]
    WhatsApp,
    /// Facebook Messenger.
    Messenger,
    /// Apple Messages for Business.
    Apple,
    /// Instagram.
    Instagram,
    /// LINE.
    Line,
    /// Open messaging, with a profile that allows cards and carousels.
    Open,
    /// Voice.
    Voice,
}

/// What a channel shows.
struct Shows {
    /// The most characters of a text; what is longer is cut. None where no number is known.
    text_max_chars: Option<usize>,
    /// No channel list is known for quick replies: they are believed to be shown wherever something can be tapped.
    quick_replies: bool,
    cards: bool,
    carousels: bool,
    /// Assumed wherever anything but text is shown: the page knows sizes and file types, but no channel that refuses.
    attachments: bool,
    /// More buttons of one card are an error.
    card_buttons_max: Option<usize>,
    /// Whether a card may have a button that opens an address.
    links: bool,
    /// Whether a tap on the card itself does something.
    card_taps: bool,
}

const EVERYTHING: Shows = Shows {
    text_max_chars: None,
    quick_replies: true,
    cards: true,
    carousels: true,
    attachments: true,
    card_buttons_max: None,
    links: true,
    card_taps: true,
};
const TEXT_ONLY: Shows =
    Shows { quick_replies: false, cards: false, carousels: false, attachments: false, ..EVERYTHING };

impl Channel {
    /// Its word in files, in the control door and as session variable.
    #[must_use]
    pub fn word(self) -> &'static str {
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

    fn shows(self) -> Shows {
        let up_to = |chars| Shows { text_max_chars: Some(chars), ..EVERYTHING };
        match self {
            Self::WebMessaging | Self::Open => up_to(4_000),
            // A long SMS is sent in parts; the longest is meant.
            Self::Sms => Shows { text_max_chars: Some(765), ..TEXT_ONLY },
            // Carousels are both in its list of channels and in its list of what is not supported.
            Self::WhatsApp => {
                Shows { carousels: false, card_buttons_max: Some(3), links: false, card_taps: false, ..up_to(4_000) }
            }
            Self::Messenger => up_to(2_000),
            // Named with neither cards nor carousels.
            Self::Apple => Shows { cards: false, carousels: false, ..up_to(2_000) },
            Self::Instagram => up_to(1_000),
            // Cards by an older edition of the page; no length is known.
            Self::Line => Shows { carousels: false, card_taps: false, ..EVERYTHING },
            Self::Voice => TEXT_ONLY,
        }
    }
}

/// A customer's screen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    pub(crate) channel: Channel,
    /// Whether the flow tells the bot which channel it is. A bot that cannot know is only warned.
    pub(crate) told: bool,
}

impl Screen {
    /// What the customer sees of a message; nothing when there is nothing to see.
    pub(crate) fn show(self, findings: &mut Findings, mut message: Message, at: &str) -> Option<Message> {
        let shows = self.channel.shows();
        let mut missed: BTreeSet<&'static str> = BTreeSet::new();
        if message.cards.iter().any(|card| shows.card_buttons_max.is_some_and(|max| card.buttons > max)) {
            self.found(findings, "channel-card-buttons", format!("{at}: too many buttons on a card"));
            return None;
        }
        if !shows.links && message.cards.iter().any(|card| !card.links.is_empty()) {
            self.found(findings, "channel-card-links", format!("{at}: a card with a link"));
            return None;
        }
        let cards = if message.in_carousel { shows.carousels } else { shows.cards };
        if !cards && !message.cards.is_empty() {
            missed.insert(if message.in_carousel { "a carousel" } else { "a card" });
            message.cards.clear();
            message.choices.retain(|choice| choice.kind != "Button");
        }
        if !shows.quick_replies && !message.choices.is_empty() {
            missed.insert("quick replies");
            message.choices.clear();
        }
        if !shows.attachments && !message.attachments.is_empty() {
            missed.insert("an attachment");
            message.attachments.clear();
        }
        if !missed.is_empty() {
            let missed: Vec<&str> = missed.into_iter().collect();
            self.found(findings, "channel-shows", format!("{at}: {}", missed.join(", ")));
        }
        if let Some(max) = shows.text_max_chars
            && let Some((end, _)) = message.text.char_indices().nth(max)
        {
            self.found(findings, "channel-text-length", format!("{at}: a text of more than {max} characters"));
            message.text.truncate(end);
        }
        let blank = message.text.trim().is_empty();
        if blank && message.cards.is_empty() && message.choices.is_empty() && message.attachments.is_empty() {
            self.found(findings, "channel-nothing-to-see", format!("{at}: nothing is left to see"));
            return None;
        }
        Some(message)
    }

    /// Looks for cards of a message that are meant to be tapped where a tap does nothing.
    pub(crate) fn taps(self, findings: &mut Findings, message: &Map<String, Value>, at: &str) {
        let elements = message.get("content").and_then(Value::as_array).into_iter().flatten();
        let mut cards = elements.flat_map(|element| {
            let several = element.pointer("/carousel/cards").and_then(Value::as_array).into_iter().flatten();
            element.get("card").into_iter().chain(several)
        });
        let is_meant = cards.any(|card| card.get("defaultAction").is_some_and(|action| !action.is_null()));
        if is_meant && !self.channel.shows().card_taps {
            self.found(findings, "channel-card-taps", format!("{at}: a tap on the card does nothing"));
        }
    }

    fn found(self, findings: &mut Findings, rule: &'static str, what: String) {
        let severity = if self.told { Severity::Channel } else { Severity::Warning };
        findings.add(rule, format!("{what}, on {}", self.channel.word()), severity);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Door;
    use crate::check::content::{Rules, messages};
    use crate::record;

    fn seen(channel: Channel, told: bool, message: Value) -> String {
        let mut findings = Findings::default();
        let rules = Rules { door: Door::V2, attachments: true, screen: Some(Screen { channel, told }) };
        let shown = messages(&mut findings, rules, &[message], "m");
        let found = findings.0.iter().map(|violation| format!("; {violation}"));
        let lines: Vec<String> = shown.iter().map(record::shown).chain(found).collect();
        lines.concat()
    }

    fn structured(text: &str, content: &[Value]) -> Value {
        json!({"type": "Structured", "text": text, "content": content})
    }

    fn card(buttons: usize, link: bool) -> Value {
        let mut actions: Vec<Value> = (0..buttons)
            .map(|n| json!({"type": "Postback", "text": format!("b{n}"), "payload": n.to_string()}))
            .collect();
        if link {
            actions.push(json!({"type": "Link", "text": "more", "url": "https://a.example"}));
        }
        json!({"title": "Card", "actions": actions})
    }

    #[test]
    fn every_channel_shows_what_it_can() {
        use Channel::{Apple, Instagram, Line, Messenger, Open, Sms, Voice, WebMessaging, WhatsApp};
        let replies =
            structured("Which?", &[json!({"contentType": "QuickReply", "quickReply": {"text": "A", "payload": "a"}})]);
        let one = |buttons, link| structured("Text", &[json!({"contentType": "Card", "card": card(buttons, link)})]);
        let several =
            structured("Text", &[json!({"contentType": "Carousel", "carousel": {"cards": [card(1, false)]}})]);
        let file = json!({"type": "Text", "text": "Label", "content": [{"contentType": "Attachment", "attachment":
            {"id": "1", "mediaType": "Image", "url": "https://a.example/l.png", "filename": "l.png"}}]});
        let long = json!({"type": "Text", "text": "ä".repeat(5_000)});
        let tapped = structured(
            "Text",
            &[json!({"contentType": "Card", "card": {"title": "Card", "actions": [],
            "defaultAction": {"type": "Link", "url": "https://a.example"}}})],
        );
        let bare = json!({"type": "Structured", "content": [{"contentType": "Card", "card": card(1, false)}]});
        let rows = [
            ("replies", replies),
            ("card", one(2, true)),
            ("three buttons", one(3, false)),
            ("four", one(4, false)),
            ("carousel", several),
            ("file", file),
            ("tapped", tapped),
            ("no text", bare),
        ];
        let mut table = String::new();
        for channel in [WebMessaging, Open, Messenger, Instagram, WhatsApp, Line, Apple, Sms, Voice] {
            for (name, message) in &rows {
                table += &format!("{} {name}: {}\n", channel.word(), seen(channel, true, message.clone()));
            }
            let text = seen(channel, true, long.clone());
            table += &format!("{} long: {} signs\n", channel.word(), text.matches('ä').count());
        }
        insta::assert_snapshot!(table);
        assert_eq!(seen(Sms, false, rows[1].1.clone()), "Text; warning channel-shows: m[0]: a card, on sms");
    }
}
