//! Messages as the platform takes them, read as items (`reference/digital-bot-connector.md`, section 3;
//! `reference/bot-connector-v1.md`, section 2.5). What cannot be read as rich content is worth its text.

use std::borrow::Cow;
use std::collections::BTreeSet;

use genesys::cloud::reply::{Attachment, CardAction, CardActionType, Content, MediaType, QuickReply, ReplyMessage};
use model::{Button, Card, Carousel, Choice, Choices, Cut, Item, Media, MediaKind, Tap};

/// All messages in order, and what was lost on the way.
pub(super) fn items(messages: Vec<ReplyMessage<'_>>, cuts: &mut BTreeSet<Cut>) -> Vec<Item> {
    let mut items = Vec::with_capacity(messages.len());
    for message in messages {
        read(message, &mut items, cuts);
    }
    items
}

fn read(message: ReplyMessage<'_>, items: &mut Vec<Item>, cuts: &mut BTreeSet<Cut>) {
    let ReplyMessage { text, content, .. } = message;
    let mut text = text.map(Cow::into_owned).filter(|text| !text.trim().is_empty());
    let before = items.len();
    let mut options = Vec::new();
    for element in content {
        match element {
            Content::QuickReply(reply) => options.extend(noted(option(reply), cuts)),
            Content::Card(found) => items.push(Item::Card(Card { fallback: text.clone(), ..card(found, cuts) })),
            Content::Carousel(found) => items.push(Item::Carousel(Carousel {
                prompt: None,
                cards: found.cards.into_iter().map(|found| card(found, cuts)).collect(),
                fallback: text.clone(),
            })),
            // The text is the caption of one file, not of each.
            Content::Attachment(found) => match media(found) {
                Some(found) => items.push(Item::Media(Media { caption: text.take(), ..found })),
                None => {
                    cuts.insert(Cut::Degraded);
                }
            },
            Content::Other(_) => {
                cuts.insert(Cut::Degraded);
            }
        }
    }
    if !options.is_empty() {
        items.push(Item::Choices(Choices { prompt: text.take().unwrap_or_default(), options }));
    }
    if items.len() == before {
        match text {
            Some(text) => items.push(Item::Text(text)),
            None => {
                cuts.insert(Cut::Dropped);
            }
        }
    }
}

/// A public v1 example leaves the payload out, so the text is one too.
fn option(reply: QuickReply<'_>) -> Option<Choice> {
    let filled = |text: Cow<'_, str>| Some(text.into_owned()).filter(|text| !text.trim().is_empty());
    let (label, value) = (filled(reply.text), filled(reply.payload));
    let label = label.or_else(|| value.clone())?;
    let value = value.unwrap_or_else(|| label.clone());
    Some(Choice { label, value, image: reply.image.map(Cow::into_owned) })
}

/// What of a list of choices cannot be chosen is left out, and told.
fn noted<T>(read: Option<T>, cuts: &mut BTreeSet<Cut>) -> Option<T> {
    if read.is_none() {
        cuts.insert(Cut::Choices);
    }
    read
}

fn card(card: genesys::cloud::reply::Card<'_>, cuts: &mut BTreeSet<Cut>) -> Card {
    let owned = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned);
    Card {
        title: card.title.into_owned(),
        description: owned(card.description),
        image: owned(card.image),
        video: owned(card.video),
        tap: card.default_action.and_then(|action| noted(button(action), cuts).map(|button| button.tap)),
        buttons: card.actions.into_iter().filter_map(|action| noted(button(action), cuts)).collect(),
        fallback: None,
    }
}

/// A `Link` needs an address, a `Postback` a text or a payload; of another type nothing is known.
fn button(action: CardAction<'_>) -> Option<Button> {
    let CardAction { action_type, text, payload, url } = action;
    let text = text.map(Cow::into_owned);
    match action_type {
        CardActionType::Link => {
            let url = url?.into_owned();
            Some(Button { label: text.unwrap_or_else(|| url.clone()), tap: Tap::Link(url) })
        }
        CardActionType::Postback => {
            let payload = payload.map(Cow::into_owned).or_else(|| text.clone())?;
            Some(Button { label: text.unwrap_or_else(|| payload.clone()), tap: Tap::Postback(payload) })
        }
        CardActionType::Other(_) => None,
    }
}

fn media(attachment: Attachment<'_>) -> Option<Media> {
    let Attachment { media_type, url, filename, mime, content_size_bytes, .. } = attachment;
    let kind = match media_type {
        MediaType::Image => MediaKind::Image,
        MediaType::Video => MediaKind::Video,
        MediaType::Audio => MediaKind::Audio,
        MediaType::File | MediaType::Link | MediaType::Other(_) => MediaKind::File,
    };
    Some(Media {
        kind,
        url: url?.into_owned(),
        name: filename.map(Cow::into_owned),
        mime: mime.map(Cow::into_owned),
        size_bytes: content_size_bytes,
        caption: None,
        fallback: None,
    })
}
