//! Reads parsed tables into types, and turns what is wrong into words for the person who wrote them.

use std::collections::BTreeMap;

use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::source::{Problem, Problems, Source};
use super::syntax;

/// Reads one file and collects what is wrong with it.
pub(super) struct Reader<'a> {
    pub(super) source: &'a Source,
    /// What is not wrong, and yet an operator should know.
    pub(super) warnings: Vec<String>,
    problems: Vec<Problem>,
}

/// A table with the places of its keys.
pub(super) struct Table<'i> {
    pub(super) places: Places,
    span: std::ops::Range<usize>,
    entries: DeTable<'i>,
}

/// Where a table and its keys stand in the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    pub(super) start: usize,
    keys: BTreeMap<String, usize>,
}

impl Places {
    /// Where a key stands, or else the table.
    pub(super) fn of(&self, key: &str) -> usize {
        self.keys.get(key).copied().unwrap_or(self.start)
    }

    /// Where a key stands, if it does.
    pub(super) fn get(&self, key: &str) -> Option<usize> {
        self.keys.get(key).copied()
    }

    /// Where the key stands that a message names in backticks, or behind the table's name, or else the table.
    pub(super) fn named_in(&self, message: &str) -> usize {
        let behind = message.split_once(": ").and_then(|(_, behind)| behind.split([' ', '.', ':']).next());
        let words = backticked(message).into_iter().chain(behind);
        words.filter_map(|word| self.keys.get(word).copied()).next().unwrap_or(self.start)
    }
}

impl<'a> Reader<'a> {
    pub(super) const fn new(source: &'a Source) -> Self {
        Self { source, warnings: Vec::new(), problems: Vec::new() }
    }

    pub(super) fn problem(&mut self, at: usize, message: String) {
        self.problems.push(self.source.problem(at, message));
    }

    /// What was read, unless something was wrong.
    pub(super) fn end<T>(mut self, read: Option<T>) -> Result<T, Problems> {
        match read {
            Some(read) if self.problems.is_empty() => Ok(read),
            _ => {
                self.problems.sort();
                self.problems.dedup();
                Err(Problems(self.problems))
            }
        }
    }

    /// The file's tables; its syntax is all that is looked at.
    pub(super) fn root(&mut self) -> Option<Table<'a>> {
        let (root, errors) = DeTable::parse_recoverable(&self.source.text);
        // After the first, most are consequences.
        if let Some(error) = errors.first() {
            let at = error.span().map_or(0, |span| span.start);
            let (at, what) = syntax::in_our_words(&self.source.text, at, error.message().trim());
            self.problem(at, what);
            return None;
        }
        let span = root.span();
        Some(Table::new(root.into_inner(), span))
    }

    /// A value that must be a table.
    pub(super) fn table<'i>(&mut self, name: &str, value: Spanned<DeValue<'i>>) -> Option<Table<'i>> {
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(entries) => Some(Table::new(entries, span)),
            _ => {
                self.problem(span.start, format!("`{name}` is a table: write [{name}]"));
                None
            }
        }
    }

    /// Every entry of a table of tables, such as `[bots.KEY]`.
    pub(super) fn tables<'i>(&mut self, name: &str, value: Option<Spanned<DeValue<'i>>>) -> Vec<(String, Table<'i>)> {
        let Some(table) = value.and_then(|value| self.table(name, value)) else { return Vec::new() };
        let no_table = |value: &Spanned<DeValue<'_>>| !matches!(value.get_ref(), DeValue::Table(_));
        if !table.entries.is_empty() && table.entries.values().all(no_table) {
            self.problem(
                table.span.start,
                format!("write [{name}.KEY] with a key of your choice, and below it what is here"),
            );
            return Vec::new();
        }
        let mut tables = Vec::new();
        for (key, value) in table.entries {
            let (at, key) = (key.span().start, key.into_inner().into_owned());
            if !is_key(&key) {
                let rule = "a key has 1 to 64 letters, digits, hyphens and underscores";
                self.problem(at, format!("[{name}.{key}]: {rule}"));
            }
            if let Some(table) = self.table(&format!("{name}.{key}"), value) {
                tables.push((key, table));
            }
        }
        tables
    }

    /// Reads a whole table.
    pub(super) fn read<T: DeserializeOwned>(&mut self, table: Table<'_>) -> Option<T> {
        self.read_value(Spanned::new(table.span, DeValue::Table(table.entries)))
    }

    pub(super) fn read_value<T: DeserializeOwned>(&mut self, value: Spanned<DeValue<'_>>) -> Option<T> {
        let start = value.span().start;
        match T::deserialize(ValueDeserializer::from(value)) {
            Ok(read) => Some(read),
            Err(error) => {
                let at = error.span().map_or(start, |span| span.start);
                self.problem(at, in_our_words(error.message().trim()));
                None
            }
        }
    }

    /// Reports the keys of a table that are not among these.
    pub(super) fn only(&mut self, table: &Table<'_>, known: &[&str]) {
        for key in table.entries.keys().filter(|key| !known.contains(&&**key.get_ref())) {
            self.problem(key.span().start, unknown("key", key.get_ref(), known));
        }
    }

    /// Takes the text that says of which kind a table is.
    pub(super) fn kind(&mut self, table: &mut Table<'_>, known: &[&str]) -> Option<String> {
        let Some(value) = table.take("type") else {
            let known: Vec<String> = known.iter().map(|kind| format!("\"{kind}\"")).collect();
            self.problem(table.places.start, format!("`type` is missing; it is {}", known.join(" or ")));
            return None;
        };
        let at = value.span().start;
        let kind: String = self.read_value(value)?;
        if known.contains(&kind.as_str()) {
            return Some(kind);
        }
        self.problem(at, unknown("type", &kind, known));
        None
    }
}

impl<'i> Table<'i> {
    fn new(entries: DeTable<'i>, span: std::ops::Range<usize>) -> Self {
        let keys = entries.keys().map(|key| (key.get_ref().to_string(), key.span().start)).collect();
        Self { places: Places { start: span.start, keys }, span, entries }
    }

    pub(super) fn take(&mut self, key: &str) -> Option<Spanned<DeValue<'i>>> {
        self.entries.remove(key)
    }

    /// Takes these keys into a table of their own.
    pub(super) fn split(&mut self, keys: &[&str]) -> Table<'i> {
        let mut taken = DeTable::new();
        for key in keys {
            if let Some((key, value)) = self.entries.remove_entry(*key) {
                taken.insert(key, value);
            }
        }
        Table::new(taken, self.span.clone())
    }

    /// What is written in it; what JSON does not know is left out.
    pub(super) fn to_json(&self) -> serde_json::Value {
        let entries = Spanned::new(self.span.clone(), DeValue::Table(self.entries.clone()));
        serde_json::Value::deserialize(ValueDeserializer::from(entries)).unwrap_or_default()
    }

    pub(super) fn entries_mut(&mut self) -> &mut DeTable<'i> {
        &mut self.entries
    }
}

fn is_key(key: &str) -> bool {
    (1..=64).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// What serde says, in words for a person who writes configurations, and without a value that may be a secret.
fn in_our_words(message: &str) -> String {
    let (said, expected) = message.rsplit_once(", expected ").unwrap_or((message, ""));
    if let Some(key) = said.strip_prefix("unknown field ") {
        return unknown("key", key.trim_matches('`'), &backticked(message)[1..]);
    }
    if let Some(variant) = said.strip_prefix("unknown variant ") {
        return unknown("value", variant.trim_matches('`'), &backticked(message)[1..]);
    }
    if let Some(key) = message.strip_prefix("missing field ") {
        return format!("{key} is missing");
    }
    if message.contains("overflow") {
        return "this is no number, or one that is too large".to_owned();
    }
    if said.strip_prefix("invalid value: ").is_some_and(|found| kind(found) == kind(expected)) {
        return format!("{} of 0 or more belongs here", kind(expected));
    }
    match said.strip_prefix("invalid type: ").or_else(|| said.strip_prefix("invalid value: ")) {
        Some(found) => {
            let (wanted, found) = (kind(expected), kind(found));
            let next = match (wanted, found) {
                ("a whole number" | "a number" | "true or false", "a text") => "; write it without quotes",
                ("a text", "a whole number" | "true or false") => "; write it in quotes",
                ("a list", "a text") => "; write [ and ] around it",
                ("a list", "a table") => "; write [[…]] instead of […]",
                ("a table", "a text") => "; write { NAME = \"…\" }",
                _ => "",
            };
            format!("{wanted} belongs here, not {found}{next}")
        }
        None => message.to_owned(),
    }
}

/// Serde's words for a type of value.
fn kind(word: &str) -> &str {
    match word.split_whitespace().next().unwrap_or_default() {
        "string" => "a text",
        "integer" => "a whole number",
        "floating" => "a number with a fraction",
        "f64" => "a number",
        "boolean" => "true or false",
        "sequence" => "a list",
        "map" => "a table",
        "u8" | "u16" | "u32" | "u64" | "usize" | "i64" => "a whole number",
        _ if word == "a string" => "a text",
        _ if word == "a sequence" => "a list",
        _ if word == "a map" => "a table",
        _ if word == "a boolean" => "true or false",
        _ if word.starts_with("struct ") => "a table",
        _ => word,
    }
}

/// What is not known, and what was probably meant.
pub(crate) fn unknown(what: &str, written: &str, known: &[&str]) -> String {
    let written = if written.chars().count() > 64 { "(a long word)" } else { written };
    let near = known.iter().map(|candidate| (distance(written, candidate), *candidate)).min();
    match near {
        Some((distance, candidate)) if distance <= 1 + candidate.len() / 4 => {
            format!("unknown {what} `{written}`; did you mean `{candidate}`?")
        }
        Some(_) => format!("unknown {what} `{written}`; there are {}", known.join(", ")),
        None => format!("unknown {what} `{written}`"),
    }
}

/// The words between backticks.
fn backticked(message: &str) -> Vec<&str> {
    message.split('`').skip(1).step_by(2).collect()
}

/// How many letters must be added, dropped, changed or swapped with their neighbour to get from one word to the other.
pub(crate) fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) =
        (from.to_lowercase().chars().collect(), to.to_lowercase().chars().collect());
    let mut rows = vec![vec![0; to.len() + 1]; from.len() + 1];
    for i in 0..=from.len() {
        for j in 0..=to.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let changed = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
                let least = changed.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                let swapped = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
                if swapped { least.min(rows[i - 2][j - 2] + 1) } else { least }
            };
        }
    }
    rows[from.len()][to.len()]
}
