//! E-mail addresses and telephone numbers.

use std::ops::Range;

use super::text::{Group, Text, joins_an_id};

/// The longest address that mail takes.
const EMAIL_MAX_CHARS: usize = 254;

/// Every e-mail address: what stands around an @, as far as addresses commonly go, with a dot in the host's name.
pub(super) fn find_emails(text: &Text<'_>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, _) in text.characters.iter().enumerate().filter(|(_, (_, character))| *character == '@') {
        let local = (0..at).rev().take_while(|index| text.at(*index).is_some_and(is_local)).last();
        let host: usize =
            (at + 1..text.characters.len()).take_while(|index| text.at(*index).is_some_and(is_host)).count();
        let mut end = at + 1 + host;
        // A sentence may end behind the address.
        while text.before(end).is_some_and(|last| last == '.' || last == '-') {
            end -= 1;
        }
        let Some(first) = local.filter(|first| end - first <= EMAIL_MAX_CHARS) else { continue };
        let name: String = text.characters[at + 1..end.max(at + 1)].iter().map(|(_, character)| *character).collect();
        let last = name.rsplit('.').next().unwrap_or_default();
        let is_top_level =
            last.chars().count() >= 2 && last.chars().all(char::is_alphabetic) || last.starts_with("xn--");
        if !name.starts_with('.') && name.contains('.') && !name.contains("..") && is_top_level {
            found.push(text.bytes(first, end));
        }
    }
    found
}

fn is_local(character: char) -> bool {
    is_of_a_word(character) || ".!#$%&'*+/=?^_`{|}~-".contains(character)
}

fn is_host(character: char) -> bool {
    is_of_a_word(character) || character == '.' || character == '-'
}

/// Letters and digits, but for the scripts from Thai to Chinese: where no blank stands between words, an address would take
/// the sentence with it.
fn is_of_a_word(character: char) -> bool {
    character.is_alphanumeric() && matches!(character, ..'\u{e00}' | '\u{1e00}'..'\u{2000}')
}

/// Every telephone number: 8 to 15 digits that begin with + or 00, or 7 to 12 that begin with 0 or stand in groups with a
/// bracket, or as 555-555-5555. A bare number of other digits may be anything, and stays.
pub(super) fn find_phones(text: &Text<'_>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for chain in chains_with_brackets(text) {
        let chain = &chain[date_before(text, &chain)..];
        let (Some(head), Some(tail)) = (chain.first(), chain.last()) else { continue };
        let digits: usize = chain.iter().map(|group| group.len()).sum();
        let zeros = text.digits(head.first, tail.end).take_while(|digit| *digit == 0).count();
        let (bracket, first) = match text.before(head.first) {
            Some('(') => (true, head.first - 1),
            _ => (false, head.first),
        };
        let plus = text.before(first) == Some('+') || (bracket && text.before(head.first) == Some('+'));
        let first = if text.before(first) == Some('+') { first - 1 } else { first };
        let in_american_groups = chain.iter().map(|group| group.len()).eq([3, 3, 4]);
        let is_phone = match (plus, zeros) {
            (true, 0) => (8..=15).contains(&digits),
            (false, 2) => (10..=17).contains(&digits),
            (false, 1) => (7..=12).contains(&digits),
            (false, 0) => in_american_groups || (bracket && (7..=12).contains(&digits)),
            _ => false,
        };
        if is_phone && !joins_an_id(text.before(first)) && !joins_an_id(text.at(tail.end)) {
            found.push(text.bytes(first, tail.end));
        }
    }
    found
}

/// As [`Text::digit_chains`], chains joined whose numbers stand in brackets: "+49 (0) 30 1234".
fn chains_with_brackets(text: &Text<'_>) -> Vec<Vec<Group>> {
    let mut joined: Vec<Vec<Group>> = Vec::new();
    for chain in text.digit_chains() {
        let near = joined.last().and_then(|earlier| earlier.last()).is_some_and(|last| {
            let between = &text.characters[last.end..chain[0].first];
            let only = between.iter().all(|(_, character)| matches!(character, '(' | ')' | ' ' | '-' | '/'));
            only && between.len() <= 3
        });
        match joined.last_mut() {
            Some(earlier) if near => earlier.extend(chain),
            _ => joined.push(chain),
        }
    }
    joined
}

/// How many groups at the beginning are a date: "01.02.2026" begins with a zero too, and a time or a number may follow it.
fn date_before(text: &Text<'_>, chain: &[Group]) -> usize {
    let [a, b, c, rest @ ..] = chain else { return 0 };
    let dotted = [(a, b), (b, c)]
        .iter()
        .all(|(one, next)| matches!(text.characters[one.end..next.first], [(_, '.' | '/' | '-')]));
    let is_date = match [a.len(), b.len(), c.len()] {
        [2, 2, 4] | [4, 2, 2] => true,
        // With more pairs it is a French telephone's.
        [2, 2, 2] => rest.len() < 2,
        _ => false,
    };
    if dotted && is_date { 3 } else { 0 }
}
