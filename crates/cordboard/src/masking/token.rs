//! Secrets of machines that people paste: API keys, signed tokens, private keys. Known by how they begin, or by being long
//! and mixed as no word is.

use std::ops::Range;

use super::text::Text;

/// A shorter text holds no secret.
pub(super) const SHORTEST_BYTES: usize = 16;
/// How common secrets begin, with how long they are at least.
const BEGINNINGS: [(&str, usize); 16] = [
    ("sk-", 20),
    ("sk_live_", 20),
    ("sk_test_", 20),
    ("rk_live_", 20),
    ("pk_live_", 20),
    ("whsec_", 20),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghs_", 20),
    ("github_pat_", 24),
    ("glpat-", 20),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("xapp-", 20),
    ("AKIA", 20),
    ("AIza", 35),
];
/// A word that is so long, of small and capital letters and of digits, is no word.
const MIXED_MIN_CHARS: usize = 32;
const PRIVATE_KEY: &str = "PRIVATE KEY-----";

/// Every secret, and every private key in PEM with all that stands between its lines.
pub(super) fn find(text: &Text<'_>) -> Vec<Range<usize>> {
    let mut found = private_keys(text.text);
    let mut start = None;
    for (place, character) in text.characters.iter().copied().chain([(text.text.len(), ' ')]) {
        let in_word = character.is_ascii_alphanumeric() || "_-.+/~".contains(character);
        match (start, in_word) {
            (None, true) => start = Some(place),
            (Some(first), false) => {
                find_in_word(&text.text[first..place], first, &mut found);
                start = None;
            }
            (None, false) | (Some(_), true) => {}
        }
    }
    found
}

/// Each from its first line to its last, or to the end.
fn private_keys(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut from = 0;
    while let Some(head) = text[from..].find(PRIVATE_KEY).map(|head| from + head) {
        let rest = head + PRIVATE_KEY.len();
        let begin = text[from..head].rfind("-----BEGIN").map(|begin| from + begin);
        from = match begin {
            Some(_) => text[rest..].find(PRIVATE_KEY).map_or(text.len(), |tail| rest + tail + PRIVATE_KEY.len()),
            None => rest,
        };
        found.extend(begin.map(|begin| begin..from));
    }
    found
}

/// A word that is a secret, or a path with secrets in it.
fn find_in_word(word: &str, first: usize, found: &mut Vec<Range<usize>>) {
    let trimmed = word.trim_end_matches(['.', '-', '/']);
    if is_mixed(trimmed) {
        found.push(first..first + trimmed.len());
        return;
    }
    let mut begin = first;
    for piece in word.split('/') {
        let trimmed = piece.trim_end_matches(['.', '-']);
        if is_secret(trimmed) {
            found.push(begin..begin + trimmed.len());
        }
        begin += piece.len() + 1;
    }
}

fn is_secret(word: &str) -> bool {
    let begins = BEGINNINGS.iter().any(|(beginning, least)| word.len() >= *least && word.starts_with(beginning));
    begins || is_signed_token(word)
}

/// Three pieces of Base64url, the first of which is the beginning of a JSON object.
fn is_signed_token(word: &str) -> bool {
    let pieces: Vec<&str> = word.split('.').collect();
    pieces.len() == 3 && word.len() >= 40 && pieces[..2].iter().all(|piece| piece.starts_with("eyJ"))
}

fn is_mixed(word: &str) -> bool {
    let has = |class: fn(&char) -> bool| word.chars().any(|character| class(&character));
    // An address of the web is long and mixed too, and people send those all day.
    word.len() >= MIXED_MIN_CHARS
        && !word.contains(['/', '.'])
        && has(char::is_ascii_digit)
        && has(char::is_ascii_lowercase)
        && has(char::is_ascii_uppercase)
}
