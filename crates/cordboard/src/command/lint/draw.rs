//! Items as lines of text. Pure; control characters of a bot cannot lead the terminal.

use model::{Button, Card, Item, Tap};

/// What an item is called.
pub(super) const fn kind(item: &Item) -> &'static str {
    match item {
        Item::Text(_) => "text",
        Item::Markdown(_) => "markdown",
        Item::Choices(_) => "choices",
        Item::Card(_) => "card",
        Item::Carousel(_) => "carousel",
        Item::Media(_) => "file",
    }
}

/// What the customer sees of an item.
pub(super) fn picture(item: &Item) -> Vec<String> {
    let mut lines = Vec::new();
    match item {
        Item::Text(text) | Item::Markdown(text) => add(&mut lines, "", text),
        Item::Choices(choices) => {
            add(&mut lines, "", &choices.prompt);
            let chips: Vec<String> = choices.options.iter().map(|option| format!("[{}]", option.label)).collect();
            add(&mut lines, "", &chips.join(" "));
        }
        Item::Card(one) => {
            card(&mut lines, "", one);
            fallback(&mut lines, one.fallback.as_deref());
        }
        Item::Carousel(carousel) => {
            for (index, one) in carousel.cards.iter().enumerate() {
                card(&mut lines, &format!("({}) ", index + 1), one);
            }
            fallback(&mut lines, carousel.fallback.as_deref());
        }
        Item::Media(media) => {
            let name = media.name.as_deref().unwrap_or_default();
            add(&mut lines, "", &format!("<{name}> {}", media.url));
            add(&mut lines, "", media.caption.as_deref().unwrap_or_default());
        }
    }
    lines
}

fn card(lines: &mut Vec<String>, lead: &str, card: &Card) {
    let indent = " ".repeat(lead.len());
    add(lines, lead, &card.title);
    for text in [card.description.as_deref(), card.image.as_deref(), card.video.as_deref()].into_iter().flatten() {
        add(lines, &indent, text);
    }
    if let Some(tap) = &card.tap {
        add(lines, &indent, &format!("tapped: {}", target(tap)));
    }
    let buttons = card.buttons.iter().map(|Button { label, tap }| match tap {
        Tap::Postback(_) => format!("[{label}]"),
        Tap::Link(url) => format!("[{label}: {url}]"),
    });
    add(lines, &indent, &buttons.collect::<Vec<String>>().join(" "));
}

fn target(tap: &Tap) -> &str {
    let (Tap::Link(target) | Tap::Postback(target)) = tap;
    target
}

fn fallback(lines: &mut Vec<String>, text: Option<&str>) {
    if let Some(text) = text {
        add(lines, "", "where it cannot be shown:");
        add(lines, "    ", text);
    }
}

fn add(lines: &mut Vec<String>, lead: &str, text: &str) {
    let indent = " ".repeat(lead.len());
    for (index, line) in harmless(text).lines().enumerate() {
        lines.push(format!("{}{line}", if index == 0 { lead } else { &indent }));
    }
}

/// A text without what would lead the terminal.
pub(super) fn harmless(text: &str) -> String {
    text.chars().filter(|character| *character == '\n' || !character.is_control()).collect()
}
