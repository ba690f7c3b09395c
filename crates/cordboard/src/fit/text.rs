//! Texts: what is blank, where a long one is split, what the platform refuses in a name.

use std::borrow::Cow;

use unicode_segmentation::GraphemeCursor;

/// What a shortened text ends with.
const ELLIPSIS: char = '…';

/// Whether nobody would see anything of it.
pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(|character| character.is_whitespace() || character.is_control() || is_unseen(character))
}

/// Whether a character only changes those around it: joiners, marks of direction, blanks without width. Alone it is nothing.
fn is_unseen(character: char) -> bool {
    matches!(u32::from(character),
        0xad | 0x34f | 0x61c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f | 0x202a..=0x202e
        | 0x2060..=0x206f | 0x2800 | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xe0000..=0xe0fff)
}

/// Whether a text has more characters than this. Bytes are never fewer than characters, so most need no counting.
pub(super) fn exceeds(text: &str, max_chars: usize) -> bool {
    text.len() > max_chars && text.chars().count() > max_chars
}

/// A name without control characters and outer blanks, which the platform takes for a broken answer.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    let trimmed = if is_blank(text) { "" } else { text.trim() };
    if !trimmed.chars().any(char::is_control) {
        return Cow::Borrowed(trimmed);
    }
    let kept = trimmed.chars().filter_map(|character| match character {
        '\n' | '\r' | '\t' => Some(' '),
        character if character.is_control() => None,
        character => Some(character),
    });
    Cow::Owned(kept.collect::<String>().trim().to_owned())
}

/// The beginning of a text, with a sign that it is one.
pub(super) fn shortened(text: &str, max_chars: usize) -> String {
    let kept = &text[..boundary(text, max_chars.saturating_sub(1))];
    let mut kept = kept.trim_end().to_owned();
    kept.push(ELLIPSIS);
    kept
}

/// A long text in pieces: at the end of a paragraph, a line, a sentence or a word, whichever comes first among those
/// that leave no piece shorter than half of what fits.
pub(super) fn split(text: &str, max_chars: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text.trim();
    while exceeds(rest, max_chars) {
        let window = &rest[..boundary(rest, max_chars.max(1))];
        let (piece, behind) = rest.split_at(place(window, rest));
        pieces.push(piece.trim_end());
        rest = behind.trim_start();
    }
    pieces.push(rest);
    pieces.retain(|piece| !is_blank(piece));
    pieces
}

/// Where the window over a text's beginning is best cut, as a number of bytes; never 0.
fn place(window: &str, text: &str) -> usize {
    let behind = |end: &str| window.rfind(end).map(|at| at + end.len());
    let sentence = ['.', '!', '?', '…', '。', '！', '？'];
    let after_sentence = window
        .char_indices()
        .zip(window.char_indices().skip(1))
        .filter(|((_, end), (_, next))| sentence.contains(end) && (next.is_whitespace() || !end.is_ascii()))
        .map(|(_, (next, _))| next)
        .last();
    let word = match text[window.len()..].chars().next() {
        Some(next) if next.is_whitespace() => Some(window.len()),
        _ => window.char_indices().rev().find(|(_, character)| character.is_whitespace()).map(|(at, _)| at),
    };
    let half = window.len() / 2;
    let good = [behind("\n\n"), behind("\n"), after_sentence, word].into_iter().flatten().find(|at| *at > half);
    good.or(word).filter(|at| *at > 0).unwrap_or(window.len())
}

/// How many bytes the first characters have, no more than asked for; what is read as one sign (an accented letter, a
/// flag, a joined emoji, a syllable) stays together where there is room.
fn boundary(text: &str, chars: usize) -> usize {
    let full = text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at);
    let mut cursor = GraphemeCursor::new(full, text.len(), true);
    if cursor.is_boundary(text, 0) == Ok(true) {
        return full;
    }
    match cursor.prev_boundary(text, 0) {
        Ok(Some(at)) if at > 0 => at,
        _ => full,
    }
}

/// Whether one of a text's words is this address.
pub(super) fn names(text: &str, address: &str) -> bool {
    let bare = |word: &str| word.trim_matches(['(', ')', '<', '>', ',', '.', ';']) == address;
    text.split_whitespace().any(|word| word == address || bare(word))
}

/// A text without the addresses in it, and how many there were.
pub(super) fn without_addresses(text: &str) -> (String, usize) {
    let mut left_out = 0;
    let lines: Vec<String> = text
        .lines()
        .map(|line| {
            let mut kept = String::with_capacity(line.len());
            for word in line.split(' ') {
                let (word, addresses) = without_address(word);
                left_out += addresses;
                let closes = addresses > 0 && word.chars().all(|character| character.is_ascii_punctuation());
                if !kept.is_empty() && !closes {
                    kept.push(' ');
                }
                kept.push_str(&word);
            }
            kept
        })
        .collect();
    if left_out == 0 { (text.to_owned(), 0) } else { (lines.join("\n").trim().to_owned(), left_out) }
}

/// A word without the addresses in it and the brackets around them; the stop behind it stays.
fn without_address(word: &str) -> (Cow<'_, str>, usize) {
    let start = |word: &str| {
        let small = word.to_ascii_lowercase();
        small.find("https://").into_iter().chain(small.find("http://")).min()
    };
    let Some(mut at) = start(word) else { return (Cow::Borrowed(word), 0) };
    let (mut kept, mut rest, mut left_out) = (String::new(), word, 0);
    loop {
        left_out += 1;
        kept.push_str(rest[..at].trim_end_matches(['(', '<', '[', '"']));
        let address = &rest[at..];
        let end = address.find([')', '>', '<', ']', '"']).unwrap_or(address.len());
        let stop = address[..end].chars().next_back().filter(|end| ['.', '!', '?', ',', ';', ':'].contains(end));
        kept.extend(stop);
        rest = address[end..].trim_start_matches([')', '>', ']', '"']);
        match start(rest) {
            Some(next) => at = next,
            None => break,
        }
    }
    kept.push_str(rest);
    (Cow::Owned(kept), left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_split_where_a_reader_would_pause() {
        let cases: [(&str, usize, &[&str]); 12] = [
            ("short", 10, &["short"]),
            ("One here.\n\nTwo there now.", 16, &["One here.", "Two there now."]),
            ("Line one is\nand line two", 15, &["Line one is", "and line two"]),
            ("One is done. Two is not done yet.", 20, &["One is done.", "Two is not done yet."]),
            ("no stop at all in this one", 10, &["no stop at", "all in", "this one"]),
            ("abcdefghij", 4, &["abcd", "efgh", "ij"]),
            ("Ja! abcdefghijkl", 12, &["Ja!", "abcdefghijkl"]),
            ("e\u{301}e\u{301}e\u{301}", 3, &["e\u{301}", "e\u{301}", "e\u{301}"]),
            ("👩\u{200d}👩\u{200d}👧👍🏽", 6, &["👩\u{200d}👩\u{200d}👧", "👍🏽"]),
            ("a🇩🇪🇫🇷", 4, &["a🇩🇪", "🇫🇷"]),
            ("कक्षि", 4, &["क", "क्षि"]),
            ("文字。文字。文字", 6, &["文字。文字。", "文字"]),
        ];
        for (text, max, expected) in cases {
            assert_eq!(split(text, max), expected, "{text}");
        }
    }

    #[test]
    fn addresses_are_left_out_with_their_brackets() {
        let cases = [
            ("See https://example.com/a for more.", "See for more.", 1),
            ("More (https://example.com).", "More.", 1),
            ("HTTPS://EXAMPLE.COM\nhttp://example.com", "", 2),
            ("[a](https://x.example)[b](https://x.example)!", "[a][b]!", 2),
            ("nothing here: http", "nothing here: http", 0),
        ];
        for (text, expected, left_out) in cases {
            assert_eq!(without_addresses(text), (expected.to_owned(), left_out), "{text}");
        }
    }
}
