//! Items of an answer as the messages that both bot doors take (`reference/digital-bot-connector.md`, section 3).
//!
//! Every answer must be valid, since the platform sends the whole conversation down its failure path for one wrong
//! member. So all items are fitted to the channel first; what that changed goes with the messages.

use std::borrow::Cow;
use std::hash::Hasher as _;

use genesys::cloud::reply::{Attachment, Card, CardAction, Carousel, Content, MediaType, QuickReply, ReplyMessage};
use model::{Choice, Choices, Item, MediaKind, Part, PollButton, Tap};
use siphasher::sip::SipHasher13;

use super::Noted;
use crate::fit::{Capabilities, Change, Fitted, fit};

/// Messages under construction, and what is to be known of them.
pub(super) struct Messages<'a> {
    pub(super) messages: Vec<ReplyMessage<'static>>,
    pub(super) noted: Noted,
    to: &'a Capabilities,
}

impl<'a> Messages<'a> {
    /// What these parts say, in order, as this channel shows it.
    pub(super) fn of(parts: &[Part], to: &'a Capabilities) -> Self {
        let Fitted { items, changes, offered } = fit(parts.iter().flat_map(|part| &part.items), to);
        // More of an answer that lists nothing leaves the lines before it as they are.
        let begins = |part: &Part| part.number <= 1 || part.turn.is_none();
        let offered = (!offered.is_empty() || parts.iter().any(begins)).then_some(offered);
        Self { messages: items.into_iter().map(message).collect(), noted: Noted { changes, offered }, to }
    }

    /// Adds a line of our own.
    pub(super) fn say(&mut self, line: &str) {
        self.add(&Item::text(line));
    }

    /// Adds a line with the button that fetches a late answer. Where no button is shown the line stands alone: whoever
    /// types the button's label fetches the answer too.
    pub(super) fn offer_poll(&mut self, line: &str, button: &PollButton, payload: String) {
        let line = if line.trim().is_empty() { &button.label } else { line };
        if !self.to.shows_quick_replies() {
            return self.say(line);
        }
        let options = vec![Choice::new(button.label.as_str(), payload)];
        // A label that is read in full above the button is no list to choose from: whatever is typed fetches the answer.
        self.add(&Item::Choices(Choices { prompt: line.to_owned(), options }));
    }

    fn add(&mut self, item: &Item) {
        let Fitted { items, changes, .. } = fit([item], self.to);
        self.messages.extend(items.into_iter().map(message));
        self.noted.changes.extend(of_no_item(changes));
    }
}

/// Changes of a line that is none of the bot's items.
fn of_no_item(changes: Vec<Change>) -> impl Iterator<Item = Change> {
    changes.into_iter().map(|change| Change { item: 0, ..change })
}

/// The message that a fitted item is.
pub(crate) fn message(item: Item) -> ReplyMessage<'static> {
    match item {
        Item::Text(text) | Item::Markdown(text) => ReplyMessage::text(text),
        Item::Choices(choices) => {
            let replies = choices.options.into_iter().map(|option| QuickReply {
                text: option.label.into(),
                payload: option.value.into(),
                image: option.image.map(Cow::Owned),
            });
            ReplyMessage::quick_replies(choices.prompt, replies.collect())
        }
        Item::Card(mut told) => {
            let fallback = told.fallback.take().unwrap_or_else(|| told.plain().into_owned());
            ReplyMessage::structured(fallback, vec![Content::Card(card(told))])
        }
        Item::Carousel(mut told) => {
            let fallback = told.fallback.take().unwrap_or_else(|| Item::Carousel(told.clone()).plain().into_owned());
            let cards = told.cards.into_iter().map(card).collect();
            ReplyMessage::structured(fallback, vec![Content::Carousel(Carousel { cards })])
        }
        Item::Media(media) => {
            // A message of type `Text` has a text, also when the file says it all.
            let text = media.caption.or_else(|| media.name.clone()).unwrap_or_else(|| media.url.clone());
            let attachment = Attachment {
                id: Some(file_id(&media.url).into()),
                media_type: match media.kind {
                    MediaKind::Image => MediaType::Image,
                    MediaKind::Video => MediaType::Video,
                    MediaKind::Audio => MediaType::Audio,
                    MediaKind::File => MediaType::File,
                },
                url: Some(media.url.into()),
                filename: media.name.map(Cow::Owned),
                mime: media.mime.map(Cow::Owned),
                sha256: None,
                content_size_bytes: media.size_bytes,
            };
            ReplyMessage::attachment(text, attachment)
        }
    }
}

fn card(card: model::Card) -> Card<'static> {
    let default_action = card.tap.map(|tap| match tap {
        Tap::Link(url) => CardAction::open(url),
        Tap::Postback(payload) => CardAction::postback(card.title.clone(), payload),
    });
    let actions = card.buttons.into_iter().map(|button| match button.tap {
        Tap::Link(url) => CardAction::link(button.label, url),
        Tap::Postback(payload) => CardAction::postback(button.label, payload),
    });
    Card {
        actions: actions.collect(),
        title: card.title.into(),
        description: card.description.map(Cow::Owned),
        image: card.image.map(Cow::Owned),
        video: card.video.map(Cow::Owned),
        default_action,
    }
}

/// The id of a file, which the contract leaves to the sender: the same for the same address, so that a repeated message
/// has the same bytes.
fn file_id(url: &str) -> String {
    let mut hasher = SipHasher13::new();
    hasher.write(url.as_bytes());
    format!("file-{:016x}", hasher.finish())
}
