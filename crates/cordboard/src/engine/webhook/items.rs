//! Items of a reply (`reference/bot-platforms.md`, section 2.2). What the contract knows and our model does not becomes the
//! nearest thing that says the same: a list becomes a carousel, a link among quick replies a line under their prompt, and
//! a kind that we do not know its fallback text.

use model::{Answer, Button, Card, Carousel, Choice, Choices, Cut, Item, Media, MediaKind, Tap};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::read::parse;
use super::wire;
use crate::engine::callback::Unreadable;

/// Reads one item into the answer.
pub(super) fn read(raw: &RawValue, answer: &mut Answer) -> Result<(), Unreadable> {
    let wire::ItemHead { kind, fallback_text } = of(raw)?;
    let cuts = &mut answer.cuts;
    let item = match kind.as_str() {
        "text" => Some(text(of(raw)?, fallback_text, cuts)),
        "choices" => Some(choices(of(raw)?, fallback_text, cuts)),
        "card" => Some(Item::Card(card(of(raw)?, cuts))),
        "carousel" => Some(carousel(of(raw)?, fallback_text, cuts)),
        "list" => Some(list(of(raw)?, fallback_text, cuts)),
        "media" => media(of(raw)?, fallback_text, cuts),
        _ => instead(fallback_text, cuts),
    };
    answer.items.extend(item);
    Ok(())
}

fn of<T: DeserializeOwned>(raw: &RawValue) -> Result<T, Unreadable> {
    parse(raw.get().as_bytes())
}

/// What is said in place of an item that cannot be shown.
fn instead(text: Option<String>, cuts: &mut Vec<Cut>) -> Option<Item> {
    cuts.push(if text.is_some() { Cut::Degraded } else { Cut::Dropped });
    text.map(Item::Text)
}

fn text(text: wire::Text, fallback_text: Option<String>, cuts: &mut Vec<Cut>) -> Item {
    match text.format.as_deref() {
        None | Some("plain") => Item::Text(text.text),
        Some("markdown") => Item::Markdown(text.text),
        Some(_) => {
            cuts.push(Cut::Degraded);
            Item::Text(fallback_text.unwrap_or(text.text))
        }
    }
}

/// An option that is not said or posted back (a link, a number to call) cannot be a quick reply; it becomes a line under
/// the prompt, so that the customer still has it.
fn choices(choices: wire::Choices, fallback_text: Option<String>, cuts: &mut Vec<Cut>) -> Item {
    let mut prompt = choices.prompt.or(fallback_text).unwrap_or_default();
    let mut options = Vec::with_capacity(choices.options.len());
    for wire::ChoiceOption { label, action, image } in choices.options {
        let image = image.map(address);
        match action {
            None => options.push(Choice { value: label.clone(), label, image }),
            Some(action) if matches!(action.kind.as_str(), "say" | "postback") => {
                let value = action.value.unwrap_or_else(|| label.clone());
                options.push(Choice { label, value, image });
            }
            Some(action) => {
                cuts.push(Cut::Degraded);
                add_line(&mut prompt, &label, action.value.as_deref());
            }
        }
    }
    Item::Choices(Choices { prompt, options })
}

/// A button that neither speaks nor opens an address becomes a line of the description.
fn card(card: wire::Card, cuts: &mut Vec<Cut>) -> Card {
    let texts = [card.subtitle, card.body].into_iter().flatten();
    let mut description = texts.filter(|text| !text.trim().is_empty()).collect::<Vec<_>>().join("\n");
    let mut buttons = Vec::with_capacity(card.actions.len());
    for wire::CardAction { label, action } in card.actions {
        let value = action.value.clone();
        match tap(action, &label) {
            Some(tap) => buttons.push(Button { label, tap }),
            None => {
                cuts.push(Cut::Degraded);
                add_line(&mut description, &label, value.as_deref());
            }
        }
    }
    let default = card.default_action.map(|action| tap(action, ""));
    if default == Some(None) {
        cuts.push(Cut::Degraded);
    }
    Card {
        title: card.title.unwrap_or_default(),
        description: (!description.is_empty()).then_some(description),
        image: card.image.map(address),
        video: card.video.map(address),
        tap: default.flatten(),
        buttons,
        fallback: card.fallback_text,
    }
}

fn tap(action: wire::Action, label: &str) -> Option<Tap> {
    match action.kind.as_str() {
        "say" | "postback" => Some(Tap::Postback(action.value.unwrap_or_else(|| label.to_owned()))),
        "open_url" => action.value.map(Tap::Link),
        _ => None,
    }
}

fn carousel(carousel: wire::Carousel, fallback: Option<String>, cuts: &mut Vec<Cut>) -> Item {
    let cards = carousel.cards.into_iter().map(|one| card(one, cuts)).collect();
    Item::Carousel(Carousel { prompt: carousel.prompt, cards, fallback })
}

/// A list whose entries have nothing to see or to tap is a text; any other is shown side by side.
fn list(list: wire::List, fallback: Option<String>, cuts: &mut Vec<Cut>) -> Item {
    cuts.push(Cut::Degraded);
    let head = [list.title, list.subtitle].into_iter().flatten().filter(|text| !text.trim().is_empty());
    let mut lines: Vec<String> = head.collect();
    let cards: Vec<Card> = list.items.into_iter().map(|one| card(one, cuts)).collect();
    if cards.iter().any(|card| card.image.is_some() || card.tap.is_some() || !card.buttons.is_empty()) {
        let prompt = (!lines.is_empty()).then(|| lines.join("\n"));
        return Item::Carousel(Carousel { prompt, cards, fallback });
    }
    lines.extend(cards.iter().map(|card| card.plain().into_owned()));
    Item::Text(fallback.unwrap_or_else(|| lines.join("\n")))
}

/// A file that is in the reply itself is not taken, since Genesys fetches files by their address.
fn media(media: wire::Media, fallback_text: Option<String>, cuts: &mut Vec<Cut>) -> Option<Item> {
    let fallback = fallback_text.or(media.alt);
    let Some(url) = media.url else { return instead(fallback.or(media.caption), cuts) };
    let family = media.mime.as_deref().and_then(|mime| mime.split('/').next());
    let kind = match media.media.as_deref().or(family) {
        Some("image") => MediaKind::Image,
        Some("video") => MediaKind::Video,
        Some("audio") => MediaKind::Audio,
        Some(_) | None => MediaKind::File,
    };
    let wire::Media { name, mime, bytes: size_bytes, caption, .. } = media;
    Some(Item::Media(Media { kind, url, name, mime, size_bytes, caption, fallback }))
}

fn address(picture: wire::Picture) -> String {
    match picture {
        wire::Picture::Bare(url) | wire::Picture::Described { url } => url,
    }
}

fn add_line(text: &mut String, label: &str, value: Option<&str>) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(label);
    if let Some(value) = value {
        text.push_str(": ");
        text.push_str(value);
    }
}
