//! `${NAME}` in the texts of a configuration.
//!
//! Variables are put into values that are parsed already, so a value can never add a key or end a quotation.

use std::borrow::Cow;
use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::reader::Reader;

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

    /// A variable that is not set gets a made-up value where it can do no harm: in the secrets of orgs and connectors,
    /// which a simulator replaces or repeats.
    #[must_use]
    pub fn with_stand_ins(self) -> Self {
        Self { stand_ins: &["orgs", "connectors"], ..self }
    }

    /// The same in the tables of bots: for whoever wants to know where the data are, and checks and asks no bot.
    #[must_use]
    pub fn with_stand_ins_for_bots_too(self) -> Self {
        Self { stand_ins: &["orgs", "connectors", "bots", "outgoing"], ..self }
    }

    fn value(&self, name: &str, stand_in: bool) -> Option<String> {
        let value = match &self.values {
            Values::Process => std::env::var(name).ok(),
            Values::Given(values) => values.get(name).cloned(),
        };
        value.or_else(|| stand_in.then(|| format!("{name}-is-not-set")))
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
                match self.substitute(text, stand_in) {
                    Ok(substituted) => *text = Cow::Owned(substituted),
                    Err((part, message)) => {
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

    /// The text with its variables, or the part that is wrong and why.
    fn substitute(&self, text: &str, stand_in: bool) -> Result<String, (String, String)> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            let (before, from) = rest.split_at(dollar);
            out.push_str(before);
            if let Some(after) = from.strip_prefix("$$") {
                out.push('$');
                rest = after;
            } else if let Some(after) = from.strip_prefix("${") {
                let Some((name, after)) = after.split_once('}') else {
                    return Err(("${".to_owned(), "`${` has no end; write `$$` for a dollar sign".to_owned()));
                };
                let part = format!("${{{name}}}");
                if !is_name(name) {
                    let message = format!("`{part}` is no variable: a name has letters, digits and underscores");
                    return Err((part, message));
                }
                match self.value(name, stand_in) {
                    Some(value) => out.push_str(&value),
                    None => return Err((part, format!("the variable {name} is not set in the environment"))),
                }
                rest = after;
            } else {
                out.push('$');
                rest = &from[1..];
            }
        }
        out.push_str(rest);
        Ok(out)
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
