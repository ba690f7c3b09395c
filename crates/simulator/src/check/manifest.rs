//! The list of bots: the manifest that v2 pulls, and the list that v1 is given by `PUT`.
//!
//! Rules: `reference/digital-bot-connector.md`, section 1.2, and `reference/bot-connector-v1.md`, section 3.1. The two
//! differ in the wrapper, in `entities` against `slots`, in `provider`, and in the case of type names.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{Findings, kind, value};
use crate::Door;

/// A bot as a flow sees it after publishing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bot {
    /// The id in the list.
    pub id: String,
    /// The display name; v1 sends this as `botId`.
    pub name: String,
    /// Its versions, in the order listed.
    pub versions: Vec<BotVersion>,
}

/// One version of a bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotVersion {
    /// The version string.
    pub version: String,
    /// Languages, lower case.
    pub languages: Vec<String>,
    /// Per intent, its slots (v1) or entities (v2): name to type, the type in its canonical spelling.
    pub intents: BTreeMap<String, BTreeMap<String, String>>,
}

/// At most this many bots, versions, intents, entities each.
const AT_MOST: usize = 50;

/// Reads a whole list strictly; whatever can be understood is returned beside the findings.
pub(crate) fn read(door: Door, body: &Value) -> (Vec<Bot>, Findings) {
    let mut findings = Findings::default();
    let wrapper = match door {
        Door::V2 => "entities",
        Door::V1 => "chatBots",
    };
    let Some(root) = findings.object(body, "the list") else { return (Vec::new(), findings) };
    findings.unknown_members(root, &[wrapper], "the list");
    let items = findings.array(root, wrapper, "the list");
    at_most(&mut findings, items.len(), wrapper);
    let mut bots: Vec<Bot> = Vec::new();
    for (n, item) in items.iter().enumerate() {
        let at = format!("{wrapper}[{n}]");
        let Some(bot) = bot(door, &mut findings, item, &at) else { continue };
        if bots.iter().any(|earlier| earlier.id == bot.id) {
            findings.schema("unique", format!("{at}.id repeats '{}'", bot.id));
        }
        bots.push(bot);
    }
    (bots, findings)
}

/// Reads one bot object, as answered by `GET {base}/bots/{botId}`.
pub(crate) fn bot(door: Door, findings: &mut Findings, item: &Value, at: &str) -> Option<Bot> {
    let object = findings.object(item, at)?;
    let mut known = vec!["id", "name", "description", "versions", "botCompositeTag", "selfUri"];
    if door == Door::V2 {
        known.push("provider");
    }
    findings.unknown_members(object, &known, at);
    let id = named(findings, object, "id", at);
    let name = named(findings, object, "name", at);
    if door == Door::V2
        && let Some(provider) = findings.text(object, "provider", at)
        && provider.chars().count() > 100
    {
        findings.schema("at-most-100-characters", format!("{at}.provider is longer"));
    }
    if let Some(description) = findings.optional_text(object, "description", at) {
        if description.chars().count() > 256 {
            findings.schema("at-most-256-characters", format!("{at}.description is longer"));
        }
        if door == Door::V1 {
            displayable(findings, description, &format!("{at}.description"));
        }
    }
    let items = findings.array(object, "versions", at);
    at_most(findings, items.len(), &format!("{at}.versions"));
    if items.is_empty() && object.get("versions").is_some_and(Value::is_array) {
        findings.schema("at-least-one", format!("{at}.versions is empty"));
    }
    let mut versions: Vec<BotVersion> = Vec::new();
    for (n, item) in items.iter().enumerate() {
        let at = format!("{at}.versions[{n}]");
        let Some(version) = version(door, findings, item, &at) else { continue };
        if versions.iter().any(|earlier| earlier.version == version.version) {
            findings.schema("unique", format!("{at}.version repeats '{}'", version.version));
        }
        versions.push(version);
    }
    Some(Bot { id: id?.to_owned(), name: name?.to_owned(), versions })
}

fn version(door: Door, findings: &mut Findings, item: &Value, at: &str) -> Option<BotVersion> {
    let object = findings.object(item, at)?;
    findings.unknown_members(object, &["version", "supportedLanguages", "intents"], at);
    let version = limited(findings, object, "version", at);
    let mut languages = Vec::new();
    for (n, language) in findings.array(object, "supportedLanguages", at).iter().enumerate() {
        let at = format!("{at}.supportedLanguages[{n}]");
        match language {
            Value::String(tag) if is_language(tag) => languages.push(tag.clone()),
            Value::String(tag) => {
                findings.schema("language-lower-case", format!("{at} is '{tag}', not like 'en-us' or 'es'"));
            }
            other => findings.schema("string", format!("{at} must be a string, not {}", kind(other))),
        }
    }
    if languages.is_empty() {
        findings.warning("no-language", format!("{at} supports no language, so no flow can use it"));
    }
    let items = findings.array(object, "intents", at);
    at_most(findings, items.len(), &format!("{at}.intents"));
    if items.is_empty() && object.get("intents").is_some_and(Value::is_array) {
        findings.schema("at-least-one", format!("{at}.intents is empty"));
    }
    let mut intents = BTreeMap::new();
    for (n, item) in items.iter().enumerate() {
        let at = format!("{at}.intents[{n}]");
        let Some(intent) = findings.object(item, &at) else { continue };
        let slots = match door {
            Door::V2 => {
                findings.unknown_members(intent, &["name", "entities"], &at);
                entities(findings, intent, &at)
            }
            Door::V1 => {
                findings.unknown_members(intent, &["name", "slots"], &at);
                slots(findings, intent, &at)
            }
        };
        let Some(name) = limited(findings, intent, "name", &at) else { continue };
        if intents.insert(name.to_owned(), slots).is_some() {
            findings.schema("unique", format!("{at}.name repeats '{name}'"));
        }
    }
    Some(BotVersion { version: version?.to_owned(), languages, intents })
}

fn entities(findings: &mut Findings, intent: &Map<String, Value>, at: &str) -> BTreeMap<String, String> {
    let mut declared = BTreeMap::new();
    let items = match intent.get("entities") {
        None | Some(Value::Null) => return declared,
        Some(_) => findings.array(intent, "entities", at),
    };
    at_most(findings, items.len(), &format!("{at}.entities"));
    for (n, item) in items.iter().enumerate() {
        let at = format!("{at}.entities[{n}]");
        let Some(entity) = findings.object(item, &at) else { continue };
        findings.unknown_members(entity, &["name", "type"], &at);
        let name = limited(findings, entity, "name", &at);
        let Some(kind) = findings.text(entity, "type", &at) else { continue };
        if !value::is_type(kind) {
            findings.schema("entity-type", format!("{at}.type '{kind}' is not a type"));
            continue;
        }
        let Some(name) = name else { continue };
        if declared.insert(name.to_owned(), kind.to_owned()).is_some() {
            findings.schema("unique", format!("{at}.name repeats '{name}'"));
        }
    }
    declared
}

fn slots(findings: &mut Findings, intent: &Map<String, Value>, at: &str) -> BTreeMap<String, String> {
    let mut declared = BTreeMap::new();
    let Some(slots) = intent.get("slots").filter(|slots| !slots.is_null()) else { return declared };
    let at = format!("{at}.slots");
    let Some(slots) = findings.object(slots, &at) else { return declared };
    at_most(findings, slots.len(), &at);
    let mut names = BTreeSet::new();
    for (key, slot) in slots {
        let at = format!("{at}.{key}");
        let Some(slot) = findings.object(slot, &at) else { continue };
        findings.unknown_members(slot, &["name", "type"], &at);
        let name = limited(findings, slot, "name", &at).unwrap_or(key);
        if name != key {
            findings.schema("slot-key", format!("{at}.name is '{name}', its key is '{key}'"));
        }
        if !names.insert(name.to_owned()) {
            findings.schema("unique", format!("{at}.name repeats '{name}'"));
        }
        let Some(kind) = findings.text(slot, "type", &at) else { continue };
        match value::canonical_type(kind) {
            Some(canonical) => {
                declared.insert(name.to_owned(), canonical.to_owned());
            }
            None => findings.schema("entity-type", format!("{at}.type '{kind}' is not a type")),
        }
    }
    declared
}

/// A required string of at most 100 characters.
fn limited<'a>(findings: &mut Findings, object: &'a Map<String, Value>, name: &str, at: &str) -> Option<&'a str> {
    let text = findings.text(object, name, at)?;
    if text.chars().count() > 100 {
        findings.schema("at-most-100-characters", format!("{at}.{name} is longer"));
    }
    Some(text)
}

/// A required string of at most 100 displayable characters without outer blanks.
fn named<'a>(findings: &mut Findings, object: &'a Map<String, Value>, name: &str, at: &str) -> Option<&'a str> {
    let text = limited(findings, object, name, at)?;
    displayable(findings, text, &format!("{at}.{name}"));
    Some(text)
}

fn displayable(findings: &mut Findings, text: &str, at: &str) {
    if text.trim() != text {
        findings.schema("no-outer-blanks", format!("{at} begins or ends with a blank"));
    }
    if text.chars().any(char::is_control) {
        findings.schema("displayable", format!("{at} holds a control character"));
    }
}

fn at_most(findings: &mut Findings, found: usize, at: &str) {
    if found > AT_MOST {
        findings.schema("at-most-50", format!("{at} has {found} entries"));
    }
}

/// Lower-case tags such as `en-us` or `es`. The platform's own list of languages is not in the reference.
fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let primary = parts.next().unwrap_or_default();
    (2..=3).contains(&primary.len())
        && primary.bytes().all(|b| b.is_ascii_lowercase())
        && parts.all(|part| {
            (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        })
}
