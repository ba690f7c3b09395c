//! Items of an answer as the messages that both bot doors take (`reference/digital-bot-connector.md`, section 3).
//!
//! Every answer must be valid, since the platform sends the whole conversation down its failure path for one wrong
//! member; so whatever cannot be said as it is gets shortened or left out here, and is counted.

use std::borrow::Cow;

use genesys::cloud::reply::{QuickReply, ReplyMessage};
use model::{Choices, Item, Part, PollButton};

/// Longest text of one message, in characters: what the widest channels take (section 3.4).
const TEXT_MAX_CHARS: usize = 4_000;
/// What a shortened text ends with.
const ELLIPSIS: char = '…';

/// Messages under construction, and how often something had to be changed.
#[derive(Default)]
pub(super) struct Messages<'a> {
    pub(super) messages: Vec<ReplyMessage<'a>>,
    pub(super) corrections: u32,
}

impl<'a> Messages<'a> {
    /// What these parts say, in order.
    pub(super) fn of(parts: &'a [Part]) -> Self {
        let mut messages = Self::default();
        for item in parts.iter().flat_map(|part| &part.items) {
            match item {
                Item::Text(text) => messages.say(text),
                Item::Choices(choices) => messages.offer(choices),
                other => messages.say_plainly(other),
            }
        }
        messages
    }

    /// Adds a text; a blank one is no valid message and is left out.
    pub(super) fn say(&mut self, text: &'a str) {
        if text.trim().is_empty() {
            self.corrections += 1;
        } else {
            let text = self.shortened(text);
            self.messages.push(ReplyMessage::text(text));
        }
    }

    /// Adds what an item says where nothing but text can be shown.
    fn say_plainly(&mut self, item: &'a Item) {
        self.corrections += 1;
        let text = item.plain();
        if !text.trim().is_empty() {
            self.messages.push(ReplyMessage::text(text));
        }
    }

    /// Adds a line with the button that fetches a late answer.
    pub(super) fn offer_poll(&mut self, line: &'a str, button: &'a PollButton, payload: String) {
        let reply = QuickReply { text: button.label.as_str().into(), payload: payload.into(), image: None };
        let line = if line.trim().is_empty() { button.label.as_str().into() } else { self.shortened(line) };
        self.messages.push(ReplyMessage::quick_replies(line, vec![reply]));
    }

    fn offer(&mut self, choices: &'a Choices) {
        let replies: Vec<QuickReply<'a>> = choices
            .options
            .iter()
            .filter_map(|option| {
                let filled = |text: &'a str| Some(text).filter(|text| !text.trim().is_empty());
                let (label, value) = (filled(&option.label), filled(&option.value));
                let text = label.or(value)?;
                Some(QuickReply { text: text.into(), payload: value.unwrap_or(text).into(), image: None })
            })
            .collect();
        self.corrections += u32::try_from(choices.options.len() - replies.len()).unwrap_or(u32::MAX);
        if replies.is_empty() {
            self.corrections += u32::from(choices.options.is_empty());
            self.say(&choices.prompt);
            return;
        }
        let prompt = if choices.prompt.trim().is_empty() {
            // Channels without buttons show the text alone, so it must say something.
            self.corrections += 1;
            let labels: Vec<&str> = replies.iter().map(|reply| &*reply.text).collect();
            Cow::Owned(labels.join(" / "))
        } else {
            self.shortened(&choices.prompt)
        };
        self.messages.push(ReplyMessage::quick_replies(prompt, replies));
    }

    fn shortened(&mut self, text: &'a str) -> Cow<'a, str> {
        // Bytes are never fewer than characters, so most texts need no counting.
        if text.len() <= TEXT_MAX_CHARS || text.chars().count() <= TEXT_MAX_CHARS {
            return Cow::Borrowed(text);
        }
        self.corrections += 1;
        Cow::Owned(text.chars().take(TEXT_MAX_CHARS - 1).chain([ELLIPSIS]).collect())
    }
}

#[cfg(test)]
mod tests {
    use genesys::cloud::reply::{Content, ReplyType};
    use model::{Attributes, Choice, Outcome, Slots};

    use super::*;

    fn said(items: Vec<Item>) -> (Vec<String>, u32) {
        let part = Part {
            turn: None,
            number: 1,
            items,
            outcome: Outcome::Open,
            intent: None,
            slots: Slots::new(),
            attributes: Attributes::new(),
            by_policy: false,
        };
        let parts = [part];
        let messages = Messages::of(&parts);
        for message in &messages.messages {
            assert_eq!(message.validate(), []);
        }
        let shown = messages.messages.iter().map(|message| {
            let replies = message.content.iter().map(|content| match content {
                Content::QuickReply(reply) => format!("[{}={}]", reply.text, reply.payload),
                other => panic!("{other:?}"),
            });
            let structured = message.reply_type == ReplyType::Structured;
            assert_eq!(structured, !message.content.is_empty());
            format!("{}{}", message.text.as_deref().unwrap_or("-"), replies.collect::<String>())
        });
        (shown.collect(), messages.corrections)
    }

    fn choices(prompt: &str, options: &[(&str, &str)]) -> Item {
        let options = options.iter().map(|(label, value)| Choice::new(*label, *value));
        Item::Choices(Choices { prompt: prompt.to_owned(), options: options.collect() })
    }

    #[test]
    fn every_item_becomes_a_valid_message_or_is_counted() {
        let cases = [
            (Item::text("Hello"), &["Hello"][..], 0),
            (Item::text(" \n"), &[], 1),
            (choices("Colour?", &[("Red", "r"), ("Blue", "b")]), &["Colour?[Red=r][Blue=b]"], 0),
            (choices("Colour?", &[("Red", ""), ("", "b"), ("", " ")]), &["Colour?[Red=Red][b=b]"], 1),
            (choices("", &[("Red", "r"), ("Blue", "b")]), &["Red / Blue[Red=r][Blue=b]"], 1),
            (choices("Colour?", &[]), &["Colour?"], 1),
            (choices("Colour?", &[("", "")]), &["Colour?"], 1),
            (choices("", &[]), &[], 2),
        ];
        for (item, expected, corrections) in cases {
            let (shown, counted) = said(vec![item.clone()]);
            assert_eq!(
                (shown.as_slice(), counted),
                (expected.iter().map(|&text| text.to_owned()).collect::<Vec<_>>().as_slice(), corrections),
                "{item:?}"
            );
        }
    }

    #[test]
    fn a_long_text_is_cut_at_a_character_and_shows_it() {
        let fits = "ä".repeat(TEXT_MAX_CHARS);
        assert_eq!(said(vec![Item::text(fits.clone())]), (vec![fits.clone()], 0));
        let (shown, corrections) =
            said(vec![Item::text(format!("{fits}x")), choices(&format!("{fits}x"), &[("A", "a")])]);
        let cut = format!("{}…", "ä".repeat(TEXT_MAX_CHARS - 1));
        assert_eq!((shown, corrections), (vec![cut.clone(), format!("{cut}[A=a]")], 2));
    }
}
