//! Numbers of payment cards: 13 to 19 digits of a known issuer that end in the right check digit (ISO/IEC 7812).

use std::ops::Range;

use super::text::{Group, Text, joins_an_id};

const DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

/// Every card number. Digits may stand in groups; of what stands around them, whole groups are tried, the longest first,
/// so that "order 12, card 4111 1111 1111 1111" is found, and a number of twenty digits is not.
pub(super) fn find(text: &Text<'_>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for chain in text.digit_chains() {
        let mut first = 0;
        while first < chain.len() {
            match longest(text, &chain[first..]) {
                Some(groups) => {
                    found.push(text.bytes(chain[first].first, chain[first + groups - 1].end));
                    first += groups;
                }
                None => first += 1,
            }
        }
    }
    found
}

/// How many groups from the first on make a card number.
fn longest(text: &Text<'_>, groups: &[Group]) -> Option<usize> {
    let (mut digits, mut fits) = (0, None);
    for (index, group) in groups.iter().enumerate() {
        digits += group.len();
        if digits > *DIGITS.end() {
            break;
        }
        let (first, end) = (groups[0].first, group.end);
        let may_be = DIGITS.contains(&digits) && stands_alone(text, first, end) && !is_phone(text, first, digits);
        if may_be && is_card(text, first, end) {
            fits = Some(index + 1);
        }
    }
    fits
}

/// A number with a letter at its side is part of something else, such as an id.
fn stands_alone(text: &Text<'_>, first: usize, end: usize) -> bool {
    !joins_an_id(text.before(first)) && !joins_an_id(text.at(end))
}

/// With a + before it, it is a telephone's, as long as those may be (ITU-T E.164).
fn is_phone(text: &Text<'_>, first: usize, digits: usize) -> bool {
    digits <= 15 && matches!(text.before(first), Some('+' | '\u{ff0b}'))
}

fn is_card(text: &Text<'_>, first: usize, end: usize) -> bool {
    let mut digits = text.digits(first, end);
    // 2 to 6 are the issuers of payment cards; others are airlines, health insurers and fuel.
    matches!(digits.next(), Some(2..=6)) && passes_luhn(text.digits(first, end))
}

/// The check digit of Luhn.
fn passes_luhn(digits: impl DoubleEndedIterator<Item = u32>) -> bool {
    let sum: u32 = digits
        .rev()
        .enumerate()
        .map(|(place, digit)| if place % 2 == 0 { digit } else { (digit * 2) / 10 + (digit * 2) % 10 })
        .sum();
    sum.is_multiple_of(10)
}
