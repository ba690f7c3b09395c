//! What a bot declares to flow authors under a version: the part of its entry that a published flow keeps
//! (`reference/digital-bot-connector.md`, section 1.2). Connectors make it; [`crate::registration`] compares it with what
//! the platform knows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use genesys::cloud::entity::EntityType;
use model::BotKey;
use serde::{Deserialize, Serialize};

use super::bots::Bot;
use crate::store::Blob;

/// One bot's declaration under its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// Which bot.
    pub bot: BotKey,
    /// Its version.
    pub version: Arc<str>,
    /// What is declared.
    pub declared: Declared,
}

impl Declaration {
    /// What this bot declares by these intents, with their slots.
    pub(super) fn of(bot: &Bot, intents: impl IntoIterator<Item = (String, BTreeMap<String, EntityType>)>) -> Self {
        let declared = Declared::new(bot.languages().iter().cloned(), intents);
        Self { bot: bot.key().clone(), version: bot.version().into(), declared }
    }
}

/// Languages, and intents with their slots (v2: entities). Equal ones have equal bytes as JSON, since the order in which
/// something was written means nothing to a flow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    languages: BTreeSet<String>,
    intents: BTreeMap<String, BTreeMap<String, EntityType>>,
}

/// One thing that differs between two declarations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A language that was not there.
    LanguageNew(String),
    /// A language that is gone.
    LanguageGone(String),
    /// An intent that was not there; its slots are changes of their own.
    IntentNew(String),
    /// An intent that is gone, with its slots.
    IntentGone(String),
    /// A slot that was not there.
    SlotNew {
        /// Of which intent.
        intent: String,
        /// Its name.
        slot: String,
        /// Its type.
        slot_type: EntityType,
    },
    /// A slot that is gone.
    SlotGone {
        /// Of which intent.
        intent: String,
        /// Its name.
        slot: String,
    },
    /// A slot of another type.
    SlotType {
        /// Of which intent.
        intent: String,
        /// Its name.
        slot: String,
        /// Its type before.
        before: EntityType,
        /// Its type now.
        now: EntityType,
    },
}

impl Declared {
    /// A declaration.
    #[must_use]
    pub fn new(
        languages: impl IntoIterator<Item = String>,
        intents: impl IntoIterator<Item = (String, BTreeMap<String, EntityType>)>,
    ) -> Self {
        Self { languages: languages.into_iter().collect(), intents: intents.into_iter().collect() }
    }

    /// The names of its intents.
    pub fn intents(&self) -> impl Iterator<Item = &str> {
        self.intents.keys().map(String::as_str)
    }

    /// How it is stored.
    #[must_use]
    pub fn to_blob(&self) -> Blob {
        // Text keys and text values are always JSON.
        Blob::clear_of(serde_json::to_vec(self).unwrap_or_default())
    }

    /// What was stored; nothing when it is of no known form.
    #[must_use]
    pub fn of_blob(blob: &Blob) -> Option<Self> {
        serde_json::from_slice(&blob.payload()?).ok()
    }

    /// What is otherwise in another one: languages, then intent by intent.
    #[must_use]
    pub fn changes_to(&self, now: &Self) -> Vec<Change> {
        let new_languages = now.languages.difference(&self.languages).cloned().map(Change::LanguageNew);
        let gone_languages = self.languages.difference(&now.languages).cloned().map(Change::LanguageGone);
        let mut changes: Vec<Change> = new_languages.chain(gone_languages).collect();
        let names: BTreeSet<&String> = self.intents.keys().chain(now.intents.keys()).collect();
        let none = BTreeMap::new();
        for intent in names {
            let (before, after) = (self.intents.get(intent), now.intents.get(intent));
            match (before, after) {
                (None, Some(_)) => changes.push(Change::IntentNew(intent.clone())),
                (_, None) => {
                    changes.push(Change::IntentGone(intent.clone()));
                    continue;
                }
                (Some(_), Some(_)) => {}
            }
            changes.extend(slot_changes(intent, before.unwrap_or(&none), after.unwrap_or(&none)));
        }
        changes
    }
}

fn slot_changes(
    intent: &str,
    before: &BTreeMap<String, EntityType>,
    now: &BTreeMap<String, EntityType>,
) -> Vec<Change> {
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let change = |name: &String| {
        let (intent, slot) = (intent.to_owned(), name.clone());
        match (before.get(name), now.get(name)) {
            (None, Some(slot_type)) => Some(Change::SlotNew { intent, slot, slot_type: slot_type.clone() }),
            (Some(_), None) => Some(Change::SlotGone { intent, slot }),
            (Some(before), Some(now)) if before != now => {
                Some(Change::SlotType { intent, slot, before: before.clone(), now: now.clone() })
            }
            (Some(_), Some(_)) | (None, None) => None,
        }
    };
    names.into_iter().filter_map(change).collect()
}

impl Change {
    /// As a line of a list of differences: with a sign in front.
    #[must_use]
    pub fn line(&self) -> String {
        match self {
            Self::LanguageNew(language) => format!("+ language {language}"),
            Self::LanguageGone(language) => format!("- language {language}"),
            Self::IntentNew(intent) => format!("+ intent {intent}"),
            Self::IntentGone(intent) => format!("- intent {intent}"),
            Self::SlotNew { intent, slot, slot_type } => format!("+ slot {intent}.{slot}: {slot_type}"),
            Self::SlotGone { intent, slot } => format!("- slot {intent}.{slot}"),
            Self::SlotType { intent, slot, before, now } => format!("~ slot {intent}.{slot}: {before} → {now}"),
        }
    }
}

impl fmt::Display for Change {
    /// As part of a sentence.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LanguageNew(language) => write!(formatter, "language `{language}` is new"),
            Self::LanguageGone(language) => write!(formatter, "language `{language}` is gone"),
            Self::IntentNew(intent) => write!(formatter, "intent `{intent}` is new"),
            Self::IntentGone(intent) => write!(formatter, "intent `{intent}` is gone"),
            Self::SlotNew { intent, slot, .. } => write!(formatter, "slot `{slot}` of `{intent}` is new"),
            Self::SlotGone { intent, slot } => write!(formatter, "slot `{slot}` of `{intent}` is gone"),
            Self::SlotType { intent, slot, before, now } => {
                write!(formatter, "slot `{slot}` of `{intent}` was {before} and is {now}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(json: &str) -> Declared {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn every_difference_is_told_once_and_order_means_nothing() {
        let before = declared(
            r#"{"languages":["en-us","de"],"intents":{"Pay":{"sum":"Currency","note":"string"},"Go":{"where":"String"}}}"#,
        );
        let same = declared(
            r#"{"intents":{"Go":{"where":"STRING"},"Pay":{"note":"String","sum":"currency"}},"languages":["de","en-us"]}"#,
        );
        assert_eq!((before.to_blob(), before.changes_to(&same)), (same.to_blob(), Vec::new()));
        assert_eq!(Declared::of_blob(&before.to_blob()), Some(same));

        let now = declared(
            r#"{"languages":["de","fr"],"intents":{"Pay":{"sum":"Decimal","to":"String"},"Stay":{"n":"Integer"}}}"#,
        );
        let lines: Vec<String> = before.changes_to(&now).iter().map(Change::line).collect();
        assert_eq!(
            lines,
            [
                "+ language fr",
                "- language en-us",
                "- intent Go",
                "- slot Pay.note",
                "~ slot Pay.sum: Currency → Decimal",
                "+ slot Pay.to: String",
                "+ intent Stay",
                "+ slot Stay.n: Integer",
            ]
        );
        let back: Vec<String> = now.changes_to(&before).iter().map(ToString::to_string).collect();
        assert_eq!(back[5], "slot `sum` of `Pay` was Decimal and is Currency");
    }
}
