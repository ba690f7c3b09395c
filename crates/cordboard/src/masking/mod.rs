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

use std::collections::BTreeMap;
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
    let mut read = Text::new(text);
    // The surer a kind is of itself, the earlier it looks. What it found is blank for the others: a telephone number is
    // never a piece of a card's, and one that stands beside a card's is still found.
    let recognisers: [(Sensitive, Recogniser); 5] = [
        (Sensitive::Token, token::find),
        (Sensitive::Email, contact::find_emails),
        (Sensitive::Iban, iban::find),
        (Sensitive::Card, card::find),
        (Sensitive::Phone, contact::find_phones),
    ];
    // By where each begins. They do not overlap, so only the last that begins before an end can reach beyond it.
    let mut found: BTreeMap<usize, (usize, Sensitive)> = BTreeMap::new();
    // What is found may have hidden the edge of something else, so all look again until nothing more is found.
    let mut known = None;
    while known != Some(found.len()) {
        known = Some(found.len());
        for (kind, find) in recognisers {
            let is_wished = kinds.contains(&kind);
            // In groups, one account number in seven has a part that passes for a card's. It is surer of itself, so it is
            // looked for whatever is wished, and stays as it is.
            if !is_wished && kind != Sensitive::Iban {
                continue;
            }
            for range in find(&read) {
                if !is_wished {
                    read.blank(&range);
                    continue;
                }
                // Two secrets of one kind may reach into each other: a private key, and what looks like one inside it.
                let before = found.range(..range.end).next_back();
                if before.is_none_or(|(_, (end, _))| *end <= range.start) {
                    read.blank(&range);
                    found.insert(range.start, (range.end, kind));
                }
            }
        }
    }
    if found.is_empty() {
        return None;
    }
    let mut cleaned = String::with_capacity(text.len());
    let mut copied = 0;
    for (start, (end, kind)) in &found {
        cleaned.push_str(&text[copied..*start]);
        cleaned.push('[');
        cleaned.push_str(kind.word());
        cleaned.push(']');
        copied = *end;
    }
    cleaned.push_str(&text[copied..]);
    let each: Vec<Masked> = found.values().map(|(_, kind)| Masked { kind: *kind, count: 1 }).collect();
    Some(Cleaned { text: cleaned, masked: by_kind(&each) })
}

/// These counts, each kind once.
pub(crate) fn by_kind(counts: &[Masked]) -> Vec<Masked> {
    let of = |kind| counts.iter().filter(|masked| masked.kind == kind).map(|masked| masked.count).sum();
    let summed = Sensitive::ALL.into_iter().map(|kind| Masked { kind, count: of(kind) });
    summed.filter(|masked| masked.count > 0).collect()
}

/// Every kind has a digit, an @, or stands in a line of many letters.
fn may_hold_any(text: &str) -> bool {
    text.len() >= 6 && text.chars().any(|character| text::digit(character).is_some() || character == '@')
        || text.len() >= token::SHORTEST_BYTES
}
