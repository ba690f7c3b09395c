//! Makes what a bot says into what a channel shows: pure, and for any input.
//!
//! [`Capabilities`] say what a door and a channel take, as data with sources; [`fit`] splits, shortens and degrades items
//! until they keep to it, and says as [`Change`]s what it did and why. Connectors call it when they render, `cordboard
//! lint` before anything is sent. Whatever comes out is a valid message of the platform, fitting it again changes
//! nothing, and nothing is left out without a change that says so. No I/O, no clock, no words in a change.

mod capabilities;
mod card;
mod change;
mod choices;
mod markdown;
mod media;
#[cfg(test)]
mod reference;
mod table;
#[cfg(test)]
mod tests;
mod text;

use std::borrow::Cow;

use model::{Choice, Choices, Item};

pub use capabilities::{Basis, Capabilities, Confidence, DoorKind, Fact, FileType, Source, Style};
pub use change::{Change, Outcome, What};

/// Items that a channel shows, and what had to be changed for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fitted {
    /// The items, one message each. Never Markdown.
    pub items: Vec<Item>,
    /// What was changed, in the order of the items that came in.
    pub changes: Vec<Change>,
    /// What became numbered lines: the first is number 1, over all items.
    pub offered: Vec<Choice>,
}

/// Fits the items of one answer to a channel.
#[must_use]
pub fn fit<'a>(items: impl IntoIterator<Item = &'a Item>, to: &Capabilities) -> Fitted {
    let to = &to.as_heard();
    let mut fitting = Fitting { to, item: 0, fitted: Fitted::default() };
    let mut items = items.into_iter().peekable();
    while let Some(item) = items.next() {
        fitting.item += 1;
        match (item, items.peek()) {
            (Item::Text(text), Some(Item::Choices(choices))) if wants_prompt(choices) && !text::is_blank(text) => {
                items.next();
                fitting.joined(text.into(), choices);
            }
            (Item::Markdown(source), Some(Item::Choices(choices))) if wants_prompt(choices) => {
                items.next();
                match fitting.read_markdown(source) {
                    Item::Text(text) if !text::is_blank(&text) => fitting.joined(text.into(), choices),
                    other => {
                        fitting.item(&other);
                        fitting.item += 1;
                        fitting.choices(choices, Cow::Borrowed(&choices.prompt));
                    }
                }
            }
            (item, _) => fitting.item(item),
        }
    }
    fitting.fitted
}

/// Whether these are choices with something to tap and nothing to say.
fn wants_prompt(choices: &Choices) -> bool {
    text::is_blank(&choices.prompt) && !choices.options.is_empty()
}

/// An answer on its way to a channel.
struct Fitting<'a> {
    to: &'a Capabilities,
    /// Which item it is at, counted from 1.
    item: u32,
    fitted: Fitted,
}

impl Fitting<'_> {
    fn item(&mut self, item: &Item) {
        match item {
            Item::Text(text) => self.say(Cow::Borrowed(text)),
            Item::Markdown(source) => match self.read_markdown(source) {
                Item::Text(text) => self.say(Cow::Owned(text)),
                Item::Media(media) => self.media(&media),
                other => self.say(Cow::Borrowed(&other.plain())),
            },
            Item::Choices(choices) => self.choices(choices, Cow::Borrowed(&choices.prompt)),
            Item::Card(card) => self.card(card),
            Item::Carousel(carousel) => self.carousel(carousel),
            Item::Media(media) => self.media(media),
        }
    }

    /// A text and the choices behind it, which have no prompt.
    fn joined(&mut self, text: Cow<'_, str>, choices: &Choices) {
        self.item += 1;
        self.note(What::PromptJoined, 1, 0, RULES);
        self.choices(choices, text);
    }

    fn read_markdown(&mut self, source: &str) -> Item {
        let read = markdown::read(source, self.to.style.value);
        if read.lost {
            self.note(What::Unmarked, 1, 0, self.to.style.basis);
        }
        read.item
    }

    /// Adds a text as one item or several.
    fn say(&mut self, text: Cow<'_, str>) {
        let text = self.aloud(text);
        if text::is_blank(&text) {
            self.note(What::Blank, 1, 0, RULES);
            return;
        }
        let last = self.all_but_last(text);
        self.fitted.items.push(Item::Text(last.into_owned()));
    }

    /// Adds what a text is too long by as items of its own; what is left fits.
    fn all_but_last<'t>(&mut self, text: Cow<'t, str>) -> Cow<'t, str> {
        let max = self.to.text_max_chars;
        if !text::exceeds(&text, max.value) {
            return text;
        }
        self.note(What::TextSplit, text.chars().count(), max.value, max.basis);
        let mut pieces = text::split(&text, max.value);
        let last = pieces.pop().unwrap_or_default().to_owned();
        self.fitted.items.extend(pieces.into_iter().map(Item::text));
        Cow::Owned(last)
    }

    /// A text as it is read aloud, on channels that read.
    fn aloud<'t>(&mut self, text: Cow<'t, str>) -> Cow<'t, str> {
        if self.to.style.value != Style::Spoken {
            return text;
        }
        let (spoken, left_out) = text::without_addresses(&text);
        if left_out == 0 {
            return text;
        }
        self.note(What::Unspoken, left_out, 0, self.to.style.basis);
        Cow::Owned(spoken)
    }

    /// The fallback of a rich item: its own, or the one that is made of it.
    fn fallback(&mut self, own: Option<&str>, made: impl FnOnce() -> String) -> String {
        let own = own.filter(|text| !text::is_blank(text));
        let text = own.map_or_else(made, str::to_owned);
        let max = self.to.text_max_chars;
        if !text::exceeds(&text, max.value) {
            return text;
        }
        // One that was made counts only where nobody knows whether the customer sees the item itself.
        if own.is_some() || self.to.channel.is_none() {
            self.note(What::FallbackShortened, text.chars().count(), max.value, max.basis);
        }
        text::shortened(&text, max.value)
    }

    /// A title, label, payload or address without what the platform refuses in it.
    fn clean(&mut self, text: &str) -> String {
        let clean = text::clean(text);
        if clean != text && !clean.is_empty() {
            self.note(What::Cleaned, 1, 0, RULES);
        }
        clean.into_owned()
    }

    /// Remembers a change; several of a kind at one item are one.
    fn note(&mut self, what: What, found: usize, limit: usize, basis: Basis) {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let (item, found, limit) = (self.item, number(found), number(limit));
        let same = self.fitted.changes.iter_mut().find(|change| change.item == item && change.what == what);
        match same {
            Some(change) if what.measures() => change.found = change.found.max(found),
            Some(change) => change.found = change.found.saturating_add(found),
            None => self.fitted.changes.push(Change { item, what, found, limit, basis }),
        }
    }
}

/// What the contract itself wants, whatever the channel.
const RULES: Basis = Basis { source: Source::Forms, confidence: Confidence::Confirmed };
