//! Masking: values that nobody after the door needs to see are taken out of a customer's words before these are stored,
//! asked or shown. The connector's message passes through it on its way into the core ([`Message::said`]), so neither the
//! store nor an engine ever holds what was masked; what remains is how many values of which kind there were.
//!
//! Recognisers look at one message at a time. They prefer to mask too little rather than to spoil an order number: each
//! wants a checksum, a sign or a known beginning. A value that is spread over several messages is not recognised.
//!
//! [`Message::said`]: crate::connector::Message::said

mod card;
mod contact;
mod iban;
#[cfg(test)]
mod tests;
mod text;
mod token;

use std::ops::Range;

use model::{Masked, Sensitive};

use self::text::Text;

/// A text in which something was masked.
#[derive(Clone, PartialEq, Eq)]
pub struct Cleaned {
    /// The text, each value replaced by its kind in brackets.
    pub text: String,
    /// What was replaced, by kind.
    pub masked: Vec<Masked>,
}

impl std::fmt::Debug for Cleaned {
    /// Never the words.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Cleaned({} bytes, {:?})", self.text.len(), self.masked)
    }
}

/// Where values of one kind stand, in bytes.
type Recogniser = fn(&Text<'_>) -> Vec<Range<usize>>;

/// Masks values of these kinds; nothing when there are none, so that most texts are not copied.
#[must_use]
pub fn mask(text: &str, kinds: &[Sensitive]) -> Option<Cleaned> {
    if kinds.is_empty() || !may_hold_any(text) {
        return None;
    }
    let read = Text::new(text);
    // The surer a kind is of itself, the earlier it looks: a telephone number is never a piece of a card's.
    let recognisers: [(Sensitive, Recogniser); 5] = [
        (Sensitive::Token, token::find),
        (Sensitive::Email, contact::find_emails),
        (Sensitive::Iban, iban::find),
        (Sensitive::Card, card::find),
        (Sensitive::Phone, contact::find_phones),
    ];
    let mut found: Vec<(Range<usize>, Sensitive)> = Vec::new();
    for (kind, find) in recognisers {
        if !kinds.contains(&kind) {
            continue;
        }
        for range in find(&read) {
            if found.iter().all(|(taken, _)| range.end <= taken.start || taken.end <= range.start) {
                found.push((range, kind));
            }
        }
    }
    if found.is_empty() {
        return None;
    }
    found.sort_by_key(|(range, _)| range.start);
    let mut cleaned = String::with_capacity(text.len());
    let mut copied = 0;
    for (range, kind) in &found {
        cleaned.push_str(&text[copied..range.start]);
        cleaned.push('[');
        cleaned.push_str(kind.word());
        cleaned.push(']');
        copied = range.end;
    }
    cleaned.push_str(&text[copied..]);
    let counted = Sensitive::ALL.into_iter().filter_map(|kind| {
        let count = found.iter().filter(|(_, of)| *of == kind).count();
        (count > 0).then(|| Masked { kind, count: u32::try_from(count).unwrap_or(u32::MAX) })
    });
    Some(Cleaned { text: cleaned, masked: counted.collect() })
}

/// Every kind has a digit, an @, or stands in a line of many letters.
fn may_hold_any(text: &str) -> bool {
    text.len() >= 6 && text.chars().any(|character| text::digit(character).is_some() || character == '@')
        || text.len() >= token::SHORTEST_BYTES
}
