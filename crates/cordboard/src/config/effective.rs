//! The values in effect: what the file says with its variables, and every default for what it does not say. `config show`
//! prints them, and a reload compares them. Of a secret only a digest is kept, enough to see that it changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::schema;

/// What stands in the place of a secret.
const HIDDEN: &str = "(secret)";
/// A value longer than this many characters is not shown in a change.
const SHOWN_MAX_CHARS: usize = 60;

/// The values in effect.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Effective {
    shown: Value,
    /// By key path.
    digests: BTreeMap<String, [u8; 32]>,
}

/// One key whose value is another now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The path of the key, such as `bots.parcels.max_turns`.
    pub path: String,
    /// What became of it, without any secret.
    pub what: String,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path, self.what)
    }
}

impl std::fmt::Debug for Effective {
    /// Without the digests, by which a short secret could be guessed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Effective").field("shown", &self.shown).finish_non_exhaustive()
    }
}

impl Effective {
    /// From a file's values, with their variables put in.
    pub(super) fn of(mut written: Value) -> Self {
        let mut digests = BTreeMap::new();
        complete(&mut written, schema::schema(), &mut String::new(), &mut digests);
        Self { shown: written, digests }
    }

    /// Notes the contents of a file that a key names, so that a change of them is seen.
    pub(super) fn note_contents(&mut self, key: &str, contents: &[u8]) {
        self.digests.insert(format!("{key} (contents)"), Sha256::digest(contents).into());
    }

    /// As JSON, without secrets.
    #[must_use]
    pub fn to_json(&self) -> &Value {
        &self.shown
    }

    /// As TOML, without secrets.
    #[must_use]
    pub fn to_toml(&self) -> String {
        // Tables, lists, texts, numbers and flags: nothing that TOML cannot write.
        toml::to_string(&self.shown).expect("what TOML said, TOML can say")
    }

    /// What is other in `new`, in the order of the paths.
    #[must_use]
    pub fn changes_to(&self, new: &Self) -> Vec<Change> {
        let mut changes = BTreeMap::new();
        compare(&self.shown, &new.shown, String::new(), &mut changes);
        for path in self.digests.keys().chain(new.digests.keys()) {
            if let (Some(old), Some(new)) = (self.digests.get(path), new.digests.get(path))
                && old != new
            {
                changes.insert(path.clone(), "changed".to_owned());
            }
        }
        changes.into_iter().map(|(path, what)| Change { path, what }).collect()
    }

    /// The same with the values of `old` for the keys at these paths and below: they stay in effect.
    #[must_use]
    pub fn keeping<'a>(mut self, old: &Self, paths: impl IntoIterator<Item = &'a str>) -> Self {
        for path in paths {
            let keys: Vec<&str> = path.split('.').collect();
            let kept = keys.iter().try_fold(&old.shown, |table, key| table.get(key)).cloned();
            put(&mut self.shown, &keys, kept);
            let below = |other: &str| {
                other.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ' ']))
            };
            self.digests.retain(|other, _| !below(other));
            let kept = old.digests.iter().filter(|(other, _)| below(other));
            self.digests.extend(kept.map(|(path, digest)| (path.clone(), *digest)));
        }
        self
    }
}

fn put(table: &mut Value, keys: &[&str], value: Option<Value>) {
    let (Value::Object(members), [key, rest @ ..]) = (table, keys) else { return };
    match (rest, value) {
        ([], Some(value)) => {
            members.insert((*key).to_owned(), value);
        }
        ([], None) => {
            members.remove(*key);
        }
        (rest, value) => {
            put(members.entry(*key).or_insert_with(|| Map::new().into()), rest, value);
            if members.get(*key).and_then(Value::as_object).is_some_and(Map::is_empty) {
                members.remove(*key);
            }
        }
    }
}

/// Puts in what is left out, and takes secrets out.
fn complete(value: &mut Value, schema: &Value, path: &mut String, digests: &mut BTreeMap<String, [u8; 32]>) {
    if let Value::String(text) = value {
        if schema.get("writeOnly") == Some(&Value::Bool(true)) {
            digests.insert(path.clone(), Sha256::digest(&*text).into());
            HIDDEN.clone_into(text);
        } else if let Some(shown) = without_credentials(text) {
            digests.insert(path.clone(), Sha256::digest(&*text).into());
            *text = shown;
        }
    }
    if let Some(chosen) = schema::chosen(schema, value) {
        complete(value, chosen, path, digests);
    }
    match value {
        Value::Object(members) => {
            for (name, of) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
                match schema::default_of(of) {
                    Some(default) => {
                        members.entry(name).or_insert(default);
                    }
                    None if schema::is_optional_table(schema, name) => {
                        members.entry(name).or_insert_with(|| Map::new().into());
                    }
                    None => {}
                }
            }
            for (name, member) in members.iter_mut() {
                if let Some(of) = schema::member(schema, name) {
                    let length = path.len();
                    let dot = if path.is_empty() { "" } else { "." };
                    // Writing to a text cannot fail.
                    let _ok = write!(path, "{dot}{name}");
                    complete(member, of, path, digests);
                    path.truncate(length);
                }
            }
            // The default of a table names what it leaves out, and TOML has no word for nothing.
            members
                .retain(|_, member| !member.is_null() && member.as_object().is_none_or(|members| !members.is_empty()));
        }
        Value::Array(items) => {
            for (n, item) in items.iter_mut().enumerate() {
                if let Some(of) = schema.get("items") {
                    let length = path.len();
                    let _ok = write!(path, "[{n}]");
                    complete(item, of, path, digests);
                    path.truncate(length);
                }
            }
        }
        _ => {}
    }
}

/// An address that holds credentials, without them.
fn without_credentials(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let authority_end = rest.find('/').unwrap_or(rest.len());
    let at = rest[..authority_end].rfind('@')?;
    Some(format!("{scheme}://{HIDDEN}{}", &rest[at..]))
}

fn compare(old: &Value, new: &Value, path: String, changes: &mut BTreeMap<String, String>) {
    let dot = if path.is_empty() { "" } else { "." };
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
                let path = format!("{path}{dot}{name}");
                match (old.get(name), new.get(name)) {
                    (Some(old), Some(new)) => compare(old, new, path, changes),
                    (Some(_), None) => drop(changes.insert(path, "removed".to_owned())),
                    (None, _) => drop(changes.insert(path, "added".to_owned())),
                }
            }
        }
        (old, new) if old != new => drop(changes.insert(path, in_words(old, new))),
        _ => {}
    }
}

fn in_words(old: &Value, new: &Value) -> String {
    let (old, new) = (old.to_string(), new.to_string());
    match old.chars().count().max(new.chars().count()) <= SHOWN_MAX_CHARS {
        true => format!("{old} → {new}"),
        false => "changed".to_owned(),
    }
}
