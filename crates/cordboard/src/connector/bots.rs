//! What connectors know of a bot: how it is called on the platform, and what it declares there.
//!
//! The configuration makes one [`Bots`] from its `[bots.KEY]` tables; every connector gets the selection it serves. The
//! engines behind the bots are no business of this module.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::{Entry, Values};

use genesys::cloud::entity::EntityType;
use model::BotKey;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::Misconfigured;

/// The intent of a bot that ended without naming a declared one. Every bot has it.
pub const DONE_INTENT: &str = "done";
/// The intent by which a conversation is handed to a human. Every bot has it.
pub const HAND_OVER_INTENT: &str = "human";

/// A bot's face on the platform: the part of its `[bots.KEY]` table that connectors read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct BotFace {
    /// What flow authors see. Default: the key.
    pub name: Option<String>,
    /// A published flow keeps what it read, so a change of languages, intents or slots needs another version. Default "1".
    pub version: String,
    /// What flow authors read about it. Default: nothing.
    pub description: Option<String>,
    /// Tags of the platform in lower case. Default ["en-us"].
    pub languages: Vec<String>,
    /// Its intents: the paths by which a flow leaves the bot. `done` and `human` are there by themselves. Default: no others.
    pub intents: Vec<IntentConfig>,
}

impl Default for BotFace {
    fn default() -> Self {
        Self {
            name: None,
            version: "1".to_owned(),
            description: None,
            languages: vec!["en-us".to_owned()],
            intents: Vec::new(),
        }
    }
}

/// One `[[bots.KEY.intents]]` table.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IntentConfig {
    /// Its name, compared with case.
    pub name: String,
    /// Its slots with their types, such as `orderNumber = "String"`. Default: none.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, SlotType>")]
    pub slots: BTreeMap<String, EntityType>,
}

/// What a slot's type may be.
struct SlotType;

impl JsonSchema for SlotType {
    fn schema_name() -> Cow<'static, str> {
        "SlotType".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let known: Vec<&str> = EntityType::KNOWN.iter().map(EntityType::as_str).collect();
        json_schema!({ "type": "string", "enum": known })
    }
}

/// A declared intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Its name.
    pub name: String,
    /// Its slots.
    pub slots: BTreeMap<String, EntityType>,
}

impl Intent {
    fn bare(name: &str) -> Self {
        Self { name: name.to_owned(), slots: BTreeMap::new() }
    }
}

/// A bot as the platform knows it. Its id there is its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bot {
    key: BotKey,
    face: Face,
}

/// A checked [`BotFace`]: the name is there, and so are the two intents of every bot.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Face {
    name: String,
    version: String,
    description: Option<String>,
    languages: Vec<String>,
    intents: Vec<Intent>,
}

impl Bot {
    /// Completes a bot's face. What the platform allows in names and numbers is checked by each connector, since the
    /// doors differ.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`] for a slot type that no door knows.
    pub fn new(key: BotKey, face: BotFace) -> Result<Self, Misconfigured> {
        let mut intents = Vec::new();
        for intent in face.intents {
            if let Some((slot, unknown)) = intent.slots.iter().find(|(_, of)| matches!(of, EntityType::Other(_))) {
                let known: Vec<&str> = EntityType::KNOWN.iter().map(EntityType::as_str).collect();
                return Err(Misconfigured(format!(
                    "bots.{key}: the slot `{slot}` of the intent `{}` has the unknown type `{unknown}`; write one of {}",
                    intent.name,
                    known.join(", "),
                )));
            }
            intents.push(Intent { name: intent.name, slots: intent.slots });
        }
        if let Some(language) = face.languages.iter().find(|language| **language != language.to_lowercase()) {
            let lower = language.to_lowercase();
            return Err(Misconfigured(format!("bots.{key}: `languages`: the platform wants lower case: \"{lower}\"")));
        }
        for name in [DONE_INTENT, HAND_OVER_INTENT] {
            if intents.iter().all(|intent| intent.name != name) {
                intents.push(Intent::bare(name));
            }
        }
        let name = face.name.unwrap_or_else(|| key.to_string());
        let (version, description, languages) = (face.version, face.description, face.languages);
        Ok(Self { key, face: Face { name, version, description, languages, intents } })
    }

    /// A bot of which only the key is known any more.
    pub(super) fn unknown(key: BotKey) -> Self {
        let face = BotFace::default();
        Self {
            face: Face {
                name: key.to_string(),
                version: face.version,
                description: None,
                languages: face.languages,
                intents: vec![Intent::bare(DONE_INTENT), Intent::bare(HAND_OVER_INTENT)],
            },
            key,
        }
    }

    /// Its table key in the configuration.
    #[must_use]
    pub fn key(&self) -> &BotKey {
        &self.key
    }

    /// Its id on the platform: the key.
    #[must_use]
    pub fn id(&self) -> &str {
        self.key.as_str()
    }

    /// What flow authors see.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.face.name
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.face.version
    }

    /// What flow authors read about it. Default: nothing.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.face.description.as_deref()
    }

    /// Its languages.
    #[must_use]
    pub fn languages(&self) -> &[String] {
        &self.face.languages
    }

    /// All its intents, [`DONE_INTENT`] and [`HAND_OVER_INTENT`] among them.
    #[must_use]
    pub fn intents(&self) -> &[Intent] {
        &self.face.intents
    }

    /// A declared intent by its name, compared with case.
    #[must_use]
    pub fn intent(&self, name: &str) -> Option<&Intent> {
        self.face.intents.iter().find(|intent| intent.name == name)
    }

    /// The language of a message that names none.
    pub(super) fn default_language(&self) -> &str {
        self.face.languages.first().map_or("en-us", String::as_str)
    }
}

/// Bots by their keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bots(BTreeMap<BotKey, Bot>);

impl Bots {
    /// These bots; of several with one key the first counts.
    pub fn new(bots: impl IntoIterator<Item = Bot>) -> Self {
        let mut by_key = BTreeMap::new();
        for bot in bots {
            if let Entry::Vacant(place) = by_key.entry(bot.key.clone()) {
                place.insert(bot);
            }
        }
        Self(by_key)
    }

    /// The bots that a connector serves: those named, or all.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`] when one of them does not exist, or when there is none at all.
    pub fn select(&self, owner: &str, keys: Option<&[String]>) -> Result<Self, Misconfigured> {
        let chosen = match keys {
            None => self.clone(),
            Some(keys) => {
                let mut chosen = BTreeMap::new();
                for key in keys {
                    let (key, bot) = self.0.get_key_value(&BotKey::from(key.as_str())).ok_or_else(|| {
                        let known: Vec<&str> = self.0.keys().map(BotKey::as_str).collect();
                        Misconfigured(format!("{owner}: there is no [bots.{key}]; there are {}", known.join(", ")))
                    })?;
                    chosen.insert(key.clone(), bot.clone());
                }
                Self(chosen)
            }
        };
        if chosen.0.is_empty() {
            return Err(Misconfigured(format!(
                "{owner}: it serves no bot; write a [bots.…] table or name one in `bots`"
            )));
        }
        Ok(chosen)
    }

    /// A bot by its key.
    #[must_use]
    pub fn get(&self, key: &BotKey) -> Option<&Bot> {
        self.0.get(key)
    }

    /// A bot by its id on the platform, else by its name there.
    #[must_use]
    pub fn by_id_or_name(&self, text: &str) -> Option<&Bot> {
        self.0.get(&BotKey::from(text)).or_else(|| self.iter().find(|bot| bot.name() == text))
    }

    /// All of them, in the order of their keys.
    pub fn iter(&self) -> Values<'_, BotKey, Bot> {
        self.0.values()
    }
}

impl<'a> IntoIterator for &'a Bots {
    type Item = &'a Bot;
    type IntoIter = Values<'a, BotKey, Bot>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(toml: &str) -> BotFace {
        toml::from_str(toml).unwrap()
    }

    #[test]
    fn every_bot_can_end_and_hand_over() {
        let plain = Bot::new("returns".into(), face("")).unwrap();
        let names = |bot: &Bot| bot.intents().iter().map(|intent| intent.name.clone()).collect::<Vec<_>>();
        assert_eq!((plain.id(), plain.name(), plain.version()), ("returns", "returns", "1"));
        assert_eq!(
            (names(&plain), plain.languages()),
            (vec!["done".to_owned(), "human".to_owned()], &["en-us".to_owned()][..])
        );

        let own =
            "name = 'Returns'\n[[intents]]\nname = 'human'\nslots = { queue = 'string' }\n[[intents]]\nname = 'Return'";
        let own = Bot::new("returns".into(), face(own)).unwrap();
        assert_eq!(names(&own), ["human", "Return", "done"]);
        assert_eq!(own.intent("human").unwrap().slots["queue"], EntityType::String);
        assert_eq!(own.intent("HUMAN"), None, "intents are compared with case");
    }

    #[test]
    fn mistakes_are_named_with_what_to_write() {
        let odd = face("[[intents]]\nname = 'Return'\nslots = { order = 'Number' }");
        let error = Bot::new("returns".into(), odd).unwrap_err().to_string();
        assert!(error.contains("`order`") && error.contains("`Number`") && error.contains("Integer"), "{error}");

        let bots = Bots::new([Bot::new("returns".into(), BotFace::default()).unwrap()]);
        let select = |keys: Option<&[String]>| bots.select("connectors.web", keys).map_err(|error| error.to_string());
        assert_eq!(select(None).unwrap(), bots);
        assert!(select(Some(&["retruns".to_owned()])).unwrap_err().contains("there are returns"));
        assert!(select(Some(&[])).unwrap_err().contains("serves no bot"));
        assert!(toml::from_str::<BotFace>("[[intents]]\nname = 'x'\nslot = {}").is_err());
    }
}
