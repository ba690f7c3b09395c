//! What the TOML parser says, in words for the person who made the mistake. It never quotes a value, which may be a secret.

const TYPOGRAPHIC: &str = "“”„‟‘’‚‛«»";
const INVISIBLE: &str = "\u{a0}\u{2007}\u{202f}\u{200b}\u{feff}";
const QUOTES: &str = "a text stands in quotes, and a number is digits only, without a unit";

/// Where a mistake of the syntax is, and what to do about it.
pub(super) fn in_our_words(text: &str, at: usize, message: &str) -> (usize, String) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let rest = text.get(at..).unwrap_or_default();
    let next = rest.chars().next().unwrap_or('\n');
    let strange = |set: &str| line.find(|letter| set.contains(letter)).map(|found| line_start + found);
    let said = |what: &str| (at, what.to_owned());
    if message.contains("duplicate key") {
        return (at, twice(text, line_start, line, rest));
    }
    if let Some(found) = strange(TYPOGRAPHIC).filter(|_| TYPOGRAPHIC.contains(next) || !line.contains('"')) {
        return (found, "typographic quotes are none in TOML; write straight ones: \"…\"".to_owned());
    }
    if let Some(found) = strange(INVISIBLE) {
        return (found, "an invisible letter stands here, such as a no-break space; delete it".to_owned());
    }
    let colon = next == ':' || before[line_start..].trim_end().ends_with(':');
    match message {
        _ if colon => said("write `=` between a key and its value, not `:`"),
        _ if message.contains("must be quoted") && matches!(next, '\n' | '\r' | '#') => {
            said("the value is missing behind the `=`")
        }
        _ if message.contains("must be quoted") => said(QUOTES),
        _ if message.starts_with("invalid float") || message.starts_with("invalid integer") => said(QUOTES),
        _ if message.starts_with("key with no value") => said("a key has a value: KEY = VALUE"),
        _ if message.starts_with("missing assignment") => {
            said("`=` is missing between a key and its value; a key with a blank in it stands in quotes")
        }
        _ if message.contains("escape") => {
            said("`\\` begins an escape in double quotes; write `\\\\`, or put the text in single quotes")
        }
        _ if message.starts_with("invalid basic string") || message.starts_with("invalid literal string") => {
            said("the text has no end: its closing quote is missing")
        }
        _ if message.starts_with("unexpected key or value") && next == ',' => {
            said("no comma follows a value on its line; a number has none inside either: 5000, or 5_000")
        }
        _ if message.starts_with("unexpected key or value") => said("one key with its value stands on a line"),
        _ if message.starts_with("unclosed table") => {
            said("the `]` behind the table's name is missing, or a blank is in it")
        }
        _ if message.contains("between array elements") || message.starts_with("unclosed array") => {
            said("the list before this has no `]`, or a comma is missing between its values")
        }
        _ => (at, format!("this is not TOML: {message}")),
    }
}

/// A key or a table that is there twice.
fn twice(text: &str, line_start: usize, line: &str, rest: &str) -> String {
    let header = line.trim();
    let before = &text[..line_start];
    if header.starts_with('[') {
        let name = header.trim_matches(['[', ']']);
        return match line_of(before, |earlier| earlier.trim() == header) {
            Some(first) => format!("the table [{name}] is there already, in line {first}; write its keys there"),
            None => format!("[{name}] is there already, written in another way; write its keys in one place"),
        };
    }
    let key: String = rest.chars().take_while(|letter| letter.is_alphanumeric() || "_-".contains(*letter)).collect();
    let table_start = before.rfind("\n[").unwrap_or(0);
    let skipped = before[..table_start].matches('\n').count();
    let is_it =
        |earlier: &str| earlier.trim().strip_prefix(&key).is_some_and(|rest| rest.trim_start().starts_with('='));
    match line_of(&before[table_start..], is_it) {
        Some(first) => format!("`{key}` is there already, in line {}; keep one of the two", first + skipped),
        None => format!("`{key}` is there already, as a table or in this one; keep one of the two"),
    }
}

fn line_of(text: &str, is_it: impl Fn(&str) -> bool) -> Option<usize> {
    text.lines().position(is_it).map(|index| index + 1)
}
