//! `${…}` in the texts of a configuration: variables of the environment, and values in files.
//!
//! | Written | Means |
//! |---|---|
//! | `${NAME}` | the variable; one that is not set is a mistake |
//! | `${NAME:-text}` | the text when the variable is not set, or empty |
//! | `${NAME:?message}` | the message is said when the variable is not set, or empty |
//! | `${file:/path}` | what is in the file; a relative path starts at the folder of the configuration |
//! | `$$` | a dollar sign |
//!
//! A default and a path may hold variables themselves. Values are put into texts that are parsed already, so a value can
//! never add a key or end a quotation; and a value is one line.

use std::borrow::Cow;
use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::reader::Reader;
use super::secret_file;

const FORMS: &str = "the forms are ${NAME}, ${NAME:-default}, ${NAME:?message} and ${file:/path}";

/// Together with the word behind them a number of letters that Base64 may have.
const STAND_IN_LETTERS: usize = 24;

/// Where the values of variables come from.
pub struct Variables {
    values: Values,
    /// The tables in which a variable that is not set gets a made-up value.
    stand_ins: &'static [&'static str],
}

enum Values {
    Process,
    Given(BTreeMap<String, String>),
}

/// A part of a text that is wrong, as it was written, and why.
struct Wrong {
    part: String,
    message: String,
}

/// One text on its way to what it means.
struct Text<'a, 'r> {
    variables: &'a Variables,
    reader: &'a mut Reader<'r>,
    stand_in: bool,
}

impl Variables {
    /// The environment of this process; one that is not set is an error.
    #[must_use]
    pub const fn of_the_process() -> Self {
        Self { values: Values::Process, stand_ins: &[] }
    }

    /// These, and no others.
    #[must_use]
    pub const fn given(values: BTreeMap<String, String>) -> Self {
        Self { values: Values::Given(values), stand_ins: &[] }
    }

    /// A variable that is not set, or a file that cannot be read, gets a made-up value where it can do no harm: in the
    /// secrets of orgs and connectors, which a simulator replaces or repeats.
    #[must_use]
    pub fn with_stand_ins(self) -> Self {
        Self { stand_ins: &["orgs", "connectors"], ..self }
    }

    /// The same in the tables of bots, for whoever asks no bot. A made-up value passes for any secret, and for no address.
    #[must_use]
    pub fn with_stand_ins_for_bots_too(self) -> Self {
        Self { stand_ins: &["orgs", "connectors", "bots", "outgoing"], ..self }
    }

    /// In the tables of connectors and bots, for whoever calls the orgs alone.
    #[must_use]
    pub fn with_stand_ins_but_for_orgs(self) -> Self {
        Self { stand_ins: &["connectors", "bots"], ..self }
    }

    fn value(&self, name: &str) -> Option<String> {
        match &self.values {
            Values::Process => std::env::var(name).ok(),
            Values::Given(values) => values.get(name).cloned(),
        }
    }

    /// Puts the variables into every text below the root.
    pub(super) fn put_into(&self, reader: &mut Reader<'_>, root: &mut DeTable<'_>) {
        let names: Vec<String> = root.keys().map(|key| key.get_ref().to_string()).collect();
        for name in names {
            let stand_in = self.stand_ins.contains(&name.as_str());
            if let Some(value) = root.get_mut(name.as_str()) {
                self.put_into_value(reader, value, stand_in);
            }
        }
    }

    fn put_into_value(&self, reader: &mut Reader<'_>, value: &mut Spanned<DeValue<'_>>, stand_in: bool) {
        let span = value.span();
        match value.get_mut() {
            DeValue::String(text) if text.contains('$') => {
                match (Text { variables: self, reader: &mut *reader, stand_in }).substituted(text) {
                    Ok(substituted) => *text = Cow::Owned(substituted),
                    Err(Wrong { part, message }) => {
                        // Escapes may stand before it, so it is looked for as it was written.
                        let raw = reader.source.text.get(span.clone()).unwrap_or_default();
                        reader.problem(span.start + raw.find(&part).unwrap_or(0), message);
                    }
                }
            }
            DeValue::Array(items) => {
                for item in items.iter_mut() {
                    self.put_into_value(reader, item, stand_in);
                }
            }
            DeValue::Table(table) => {
                for (_, value) in table.iter_mut() {
                    self.put_into_value(reader, value, stand_in);
                }
            }
            _ => {}
        }
    }
}

impl Text<'_, '_> {
    fn substituted(&mut self, text: &str) -> Result<String, Wrong> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            let (before, from) = rest.split_at(dollar);
            out.push_str(before);
            if let Some(after) = from.strip_prefix("$$") {
                out.push('$');
                rest = after;
            } else if from.starts_with("${") {
                let Some(end) = end_of(from) else {
                    let message = "`${` has no end; write `$$` for a dollar sign".to_owned();
                    return Err(Wrong { part: "${".to_owned(), message });
                };
                let (part, after) = from.split_at(end);
                out.push_str(&self.value_of(part, &part[2..end - 1])?);
                rest = after;
            } else {
                out.push('$');
                rest = &from[1..];
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    fn value_of(&mut self, part: &str, inside: &str) -> Result<String, Wrong> {
        let wrong = |message| Wrong { part: part.to_owned(), message };
        if let Some(path) = inside.strip_prefix("file:") {
            let path = self.substituted(path)?;
            return self.value_in(&path).map_err(wrong);
        }
        let (name, instead) = inside.split_once(':').map_or((inside, None), |(name, instead)| (name, Some(instead)));
        if !is_name(name) {
            // What stands in it is not quoted: it may be a default that is a secret.
            return Err(wrong(format!("this names no variable: a name has letters, digits and underscores; {FORMS}")));
        }
        let set = self.variables.value(name);
        if let Some(broken) = set.as_deref().and_then(secret_file::line_break) {
            return Err(wrong(format!("the variable {name} {broken}")));
        }
        let filled = set.as_ref().filter(|value| !value.is_empty());
        match (filled, instead.map(|instead| instead.split_at(instead.len().min(1)))) {
            (Some(value), None | Some(("-" | "?", _))) => Ok(value.clone()),
            (None, Some(("-", default))) => self.substituted(default),
            (None, None) if set.is_some() => Ok(String::new()),
            (None, None | Some(("?", _))) if self.stand_in => Ok(stand_in(name)),
            (None, None) => {
                let message =
                    format!("the variable {name} is not set in the environment; set it, or write ${{file:/path}}");
                Err(wrong(message))
            }
            (None, Some(("?", message))) => Err(wrong(format!("the variable {name} is not set: {message}"))),
            (_, Some(_)) => Err(wrong(format!("this is not understood; {FORMS}"))),
        }
    }

    fn value_in(&mut self, path: &str) -> Result<String, String> {
        if path.is_empty() {
            return Err("`${file:}` names no file; write ${file:/run/secrets/NAME}".to_owned());
        }
        match secret_file::read(&self.reader.source.folder.join(path)) {
            Ok(read) => {
                self.reader.warnings.extend(read.warning);
                Ok(read.value)
            }
            Err(_) if self.stand_in => Ok(stand_in(path)),
            Err(message) => Err(message),
        }
    }
}

/// A made-up value that every kind of secret may be, a webhook's too: 24 bytes in Base64 behind its prefix. It shows what it
/// stands in for.
fn stand_in(name: &str) -> String {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).take(STAND_IN_LETTERS).collect();
    format!("whsec_{letters:0<STAND_IN_LETTERS$}NotThere")
}

/// Where the brace is closed that opens at the second byte.
fn end_of(from: &str) -> Option<usize> {
    let (mut depth, mut before) = (0, ' ');
    for (at, letter) in from.char_indices() {
        match (before, letter) {
            ('$', '{') => depth += 1,
            (_, '}') => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        before = letter;
    }
    None
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
