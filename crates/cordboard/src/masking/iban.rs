//! Numbers of bank accounts (ISO 13616): a country, two check digits, and what the country puts behind them; the whole
//! gives 1 modulo 97.

use std::ops::Range;

use super::text::{Text, is_separator};

const CHARACTERS: std::ops::RangeInclusive<usize> = 15..=34;

/// Every IBAN, written together or in groups.
pub(super) fn find(text: &Text<'_>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut index = 0;
    while index < text.characters.len() {
        match begins(text, index).then(|| end_of(text, index)).flatten() {
            Some(end) => {
                found.push(text.bytes(index, end));
                index = end;
            }
            None => index += 1,
        }
    }
    found
}

/// Two letters and two digits at the beginning of a word.
fn begins(text: &Text<'_>, index: usize) -> bool {
    let is = |offset: usize, class: fn(&char) -> bool| text.at(index + offset).is_some_and(|found| class(&found));
    let at_start = text.before(index).is_none_or(|before| !before.is_ascii_alphanumeric());
    at_start
        && is(0, char::is_ascii_alphabetic)
        && is(1, char::is_ascii_alphabetic)
        && is(2, char::is_ascii_digit)
        && is(3, char::is_ascii_digit)
}

/// Where the longest IBAN that begins here ends: behind a word.
fn end_of(text: &Text<'_>, first: usize) -> Option<usize> {
    let (mut characters, mut index, mut fits) = (0, first, None);
    while let Some(character) = text.at(index) {
        if character.is_ascii_alphanumeric() {
            characters += 1;
        } else if !is_separator(character) {
            break;
        }
        if characters > *CHARACTERS.end() {
            break;
        }
        index += 1;
        let word_ends =
            character.is_ascii_alphanumeric() && text.at(index).is_none_or(|next| !next.is_ascii_alphanumeric());
        if word_ends && CHARACTERS.contains(&characters) && passes_97(text, first, index) {
            fits = Some(index);
        }
    }
    fits
}

/// The first four characters move to the end, letters count from A = 10.
fn passes_97(text: &Text<'_>, first: usize, end: usize) -> bool {
    let plain: Vec<u32> =
        text.characters[first..end].iter().filter_map(|(_, character)| character.to_digit(36)).collect();
    let moved = plain[4..].iter().chain(&plain[..4]);
    let rest = moved.fold(0, |rest, value| if *value > 9 { rest * 100 + value } else { rest * 10 + value } % 97);
    rest == 1
}
