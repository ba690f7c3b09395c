//! What a customer would see, as text: quick replies as numbered chips, cards as boxes, side by side where there is room.
//!
//! Pure. What a bot says is drawn without its control characters, so that it cannot lead the terminal.

use simulator::{Card, Choice, Message};
use unicode_width::UnicodeWidthStr as _;

/// How far everything but the speaker's name is moved to the right.
const MARGIN: usize = 6;
/// Cards side by side are no wider than this.
const CARD_MAX_COLUMNS: usize = 34;
/// Two borders and two blanks.
const BORDERS: usize = 4;
const GAP: usize = 2;

/// How a line is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// What a customer sees.
    Plain,
    /// What is said about it.
    Dim,
    /// What must not be overlooked.
    Strong,
}

/// One line of the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) tone: Tone,
    pub(super) text: String,
}

impl Line {
    pub(super) fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { tone, text: text.into() }
    }
}

/// Draws a message; `numbers` are those of what can be tapped, in its order.
pub(super) fn message(message: &Message, numbers: &[usize], columns: usize) -> Vec<Line> {
    let room = columns.saturating_sub(MARGIN).max(20);
    let mut lines = Vec::new();
    // The text of a message with cards stands in for them where they are not shown.
    let stands_in = !message.cards.is_empty();
    if !message.text.is_empty() && !stands_in {
        lines.extend(wrapped(&harmless(&message.text), room));
    }
    let numbered = |card: Option<usize>| -> Vec<String> {
        let of_it = |(_, choice): &(&usize, &Choice)| choice.card == card;
        let chip = |(number, choice): (&usize, &Choice)| format!("[{number}] {}", harmless(&choice.label));
        numbers.iter().zip(&message.choices).filter(of_it).map(chip).collect()
    };
    lines.extend(cards(&message.cards, &|card| numbered(Some(card)), room));
    lines.extend(chips(&numbered(None), room));
    for (name, url) in &message.attachments {
        lines.extend(wrapped(&harmless(&format!("({name}) {url}")), room));
    }
    let speaker = |n: usize| if n == 0 { "bot   " } else { "      " };
    let mut drawn: Vec<Line> =
        lines.iter().enumerate().map(|(n, line)| Line::new(Tone::Plain, format!("{}{line}", speaker(n)))).collect();
    if stands_in && !message.text.is_empty() {
        let words: Vec<&str> = message.text.lines().filter(|line| !line.trim().is_empty()).collect();
        drawn.extend(note(&format!("without cards: {}", words.join(" / ")), columns));
    }
    drawn
}

/// What is said about what was seen.
pub(super) fn note(text: &str, columns: usize) -> Vec<Line> {
    let room = columns.saturating_sub(MARGIN + 2).max(20);
    let lead = |n: usize| if n == 0 { "· " } else { "  " };
    let lines = wrapped(&harmless(text), room);
    lines.iter().enumerate().map(|(n, line)| Line::new(Tone::Dim, format!("      {}{line}", lead(n)))).collect()
}

/// Words of a bot or a customer, unable to lead a terminal.
pub(super) fn harmless(text: &str) -> String {
    let visible = |character: char| match character {
        '\n' => Some('\n'),
        '\t' => Some(' '),
        control if control.is_control() => None,
        // Marks that change the direction of what follows.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => None,
        other => Some(other),
    };
    text.chars().filter_map(visible).collect()
}

/// Things that are not broken, as many on a line as fit.
fn chips(chips: &[String], room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for chip in chips {
        match lines.last_mut() {
            Some(line) if line.width() + GAP + chip.width() <= room => {
                line.push_str("  ");
                line.push_str(chip);
            }
            Some(_) | None => lines.push(chip.clone()),
        }
    }
    lines.iter().flat_map(|line| wrapped(line, room)).collect()
}

/// Boxes of the same size, as many side by side as fit.
fn cards(cards: &[Card], buttons: &dyn Fn(usize) -> Vec<String>, room: usize) -> Vec<String> {
    let widest = if cards.len() == 1 { room } else { room.min(CARD_MAX_COLUMNS) } - BORDERS;
    let parts: Vec<Vec<String>> = cards.iter().enumerate().map(|(n, card)| parts(card, &buttons(n))).collect();
    let wanted = parts.iter().flatten().flat_map(|part| part.lines()).map(str::width).max().unwrap_or_default();
    let inner = wanted.min(widest);
    let boxes: Vec<Vec<String>> =
        parts.iter().map(|parts| parts.iter().flat_map(|part| wrapped(part, inner)).collect()).collect();
    let beside = ((room + GAP) / (inner + BORDERS + GAP)).max(1);
    boxes.chunks(beside).flat_map(|row| boxes_beside(row, inner)).collect()
}

fn parts(card: &Card, buttons: &[String]) -> Vec<String> {
    let mut parts = vec![harmless(&card.title)];
    parts.extend(card.description.as_deref().map(harmless));
    parts.extend(card.links.iter().map(|(label, url)| harmless(&format!("{label}: {url}"))));
    parts.extend(buttons.iter().cloned());
    parts
}

fn boxes_beside(row: &[Vec<String>], inner: usize) -> Vec<String> {
    let height = row.iter().map(Vec::len).max().unwrap_or_default();
    let edge = |left: &str, right: &str| {
        let edges: Vec<String> = row.iter().map(|_| format!("{left}{}{right}", "─".repeat(inner + 2))).collect();
        edges.join("  ")
    };
    let mut lines = vec![edge("┌", "┐")];
    for n in 0..height {
        let cells: Vec<String> = row
            .iter()
            .map(|text| {
                let text = text.get(n).map_or("", String::as_str);
                format!("│ {text}{} │", " ".repeat(inner.saturating_sub(text.width())))
            })
            .collect();
        lines.push(cells.join("  "));
    }
    lines.push(edge("└", "┘"));
    lines
}

/// Lines no wider than `room`, broken between words where that is possible.
pub(super) fn wrapped(text: &str, room: usize) -> Vec<String> {
    text.split('\n').flat_map(|line| wrapped_line(line, room)).collect()
}

fn wrapped_line(line: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in line.split(' ') {
        let last = lines.last_mut().map(|last| (last.width(), last));
        match last {
            Some((0, last)) if word.width() <= room => last.push_str(word),
            Some((taken, last)) if taken > 0 && taken + 1 + word.width() <= room => {
                last.push(' ');
                last.push_str(word);
            }
            Some((0, _)) => {
                lines.pop();
                lines.extend(broken(word, room));
            }
            Some(_) | None => lines.extend(broken(word, room)),
        }
    }
    lines
}

/// A word that is wider than a line, such as an address.
fn broken(word: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for character in word.chars() {
        let mut bytes = [0; 4];
        let character = &*character.encode_utf8(&mut bytes);
        match lines.last_mut() {
            Some(line) if line.width() + character.width() <= room => line.push_str(character),
            Some(_) | None => lines.push(character.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(label: &str, card: Option<usize>) -> Choice {
        let kind = if card.is_some() { "Button" } else { "QuickReply" };
        Choice { label: label.to_owned(), payload: label.to_lowercase(), kind, card }
    }

    fn card(title: &str, description: &str, links: &[(&str, &str)]) -> Card {
        let links = links.iter().map(|(label, url)| ((*label).to_owned(), (*url).to_owned())).collect();
        Card { title: title.to_owned(), description: Some(description.to_owned()), buttons: 0, links }
    }

    fn drawn(shown: &Message, columns: usize) -> String {
        let lines = message(shown, &[1, 2, 3, 4, 5], columns);
        assert!(lines.iter().all(|line| line.text.width() <= columns.max(26)), "{lines:?}");
        lines.iter().map(|line| line.text.trim_end()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn everything_is_drawn_within_the_width() {
        let carousel = Message {
            text: "Three that fit:".to_owned(),
            cards: vec![
                card("Light", "For the city", &[]),
                card("Warm ☀️", "For the winter, when it rains", &[("Shop", "https://shop.example/warm")]),
                card("漢字", "Wide letters", &[]),
            ],
            choices: vec![
                choice("Take it", Some(0)),
                choice("Take it", Some(1)),
                choice("Take it", Some(2)),
                choice("None of them", None),
                choice("Talk to a human", None),
            ],
            in_carousel: true,
            attachments: vec![("sizes.pdf".to_owned(), "https://shop.example/sizes.pdf".to_owned())],
        };
        insta::assert_snapshot!(drawn(&carousel, 100));
        insta::assert_snapshot!(drawn(&carousel, 46));
        let text = Message {
            text: "No \u{1b}[31mred\u{202e} and\tno bell\u{7}.\nA second line.".to_owned(),
            ..Message::default()
        };
        insta::assert_snapshot!(drawn(&text, 80));
        let narrow = Message { text: format!("https://example.com/{}", "a".repeat(40)), ..Message::default() };
        insta::assert_snapshot!(drawn(&narrow, 30));
    }
}
