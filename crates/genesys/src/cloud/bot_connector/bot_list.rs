//! The list of bots we push to the platform.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cloud::entity::EntityType;
use crate::cloud::lenient;
use crate::cloud::violation::{DESCRIPTION_LIMIT_CHARS, Inspection, LIST_LIMIT, NAME_LIMIT_CHARS, Rule, Violation};

/// The path of the bot list on the platform's API, for `GET` and `PUT` (`reference/bot-connector-v1.md`, section 3).
/// `PUT` replaces the whole list, answers 204 and needs the permission `integration:botconnector:edit`.
///
/// `None` when the id of the integration is not made of letters, digits, hyphens and underscores, and so would change
/// the path.
#[must_use]
pub fn bots_path(integration_id: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let valid = !integration_id.is_empty() && integration_id.bytes().all(plain);
    valid.then(|| format!("/api/v2/integrations/botconnector/{integration_id}/bots"))
}

/// The bots on offer (section 3.1). A published flow keeps what it read, so a change needs a new version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BotList {
    /// At most 50 bots.
    pub chat_bots: Vec<ChatBot>,
}

/// One bot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatBot {
    /// An id of the caller's choice.
    pub id: String,
    /// The display name, which the platform sends as `botId` on every turn.
    pub name: String,
    /// At most 256 characters, displayable, no blanks around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// At most 50 versions.
    pub versions: Vec<BotVersion>,
}

/// One version of a bot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BotVersion {
    /// At most 100 characters, compared with case.
    pub version: String,
    /// Lower-case tags such as `en-us`; matched exactly, without fallback.
    pub supported_languages: Vec<String>,
    /// At most 50 intents, each a path out of the flow's action.
    pub intents: Vec<BotIntent>,
}

/// One intent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotIntent {
    /// At most 100 characters.
    pub name: String,
    /// At most 50 slots, keyed by their names.
    #[serde(default, deserialize_with = "lenient::null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub slots: BTreeMap<String, BotSlot>,
}

impl BotIntent {
    /// An intent with slots of the given names and types.
    #[must_use]
    pub fn new(name: impl Into<String>, slots: impl IntoIterator<Item = (String, EntityType)>) -> Self {
        let slots = slots.into_iter().map(|(name, slot_type)| (name.clone(), BotSlot { name, slot_type }));
        BotIntent { name: name.into(), slots: slots.collect() }
    }
}

/// One slot of an intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotSlot {
    /// At most 100 characters, the same as its key.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub slot_type: EntityType,
}

impl BotList {
    /// Every rule of section 3.1 that the list breaks.
    ///
    /// The source gives no length for ids and names of bots; v2's 100 characters are assumed. That ids and names
    /// differ, and that there is at least one version, language and intent, is our own rule.
    #[must_use]
    pub fn validate(&self) -> Vec<Violation> {
        let mut inspection = Inspection::default();
        inspection.count("chatBots", self.chat_bots.len(), LIST_LIMIT);
        inspection.unique("chatBots", "id", &self.chat_bots, |bot| &bot.id);
        // A turn names its bot by the display name, so two bots of one name could not be told apart.
        inspection.unique("chatBots", "name", &self.chat_bots, |bot| &bot.name);
        inspection.each("chatBots", &self.chat_bots, |inspection, bot| bot.inspect(inspection));
        inspection.finish()
    }
}

impl ChatBot {
    fn inspect(&self, inspection: &mut Inspection) {
        inspection.required("id", &self.id, NAME_LIMIT_CHARS);
        inspection.required("name", &self.name, NAME_LIMIT_CHARS);
        inspection.optional("description", self.description.as_deref().unwrap_or_default(), DESCRIPTION_LIMIT_CHARS);
        let visit = |inspection: &mut Inspection, version: &BotVersion| version.inspect(inspection);
        inspection.list("versions", "version", &self.versions, |version| &version.version, visit);
    }
}

impl BotVersion {
    fn inspect(&self, inspection: &mut Inspection) {
        inspection.required("version", &self.version, NAME_LIMIT_CHARS);
        inspection.languages(&self.supported_languages);
        let visit = |inspection: &mut Inspection, intent: &BotIntent| intent.inspect(inspection);
        inspection.list("intents", "name", &self.intents, |intent| &intent.name, visit);
    }
}

impl BotIntent {
    fn inspect(&self, inspection: &mut Inspection) {
        inspection.required("name", &self.name, NAME_LIMIT_CHARS);
        inspection.count("slots", self.slots.len(), LIST_LIMIT);
        for (key, slot) in &self.slots {
            // Keys are names of our own configuration; one with a broken name still needs a place to be found.
            let place = format!("slots[{key:?}]");
            inspection.required(&format!("{place}.name"), &slot.name, NAME_LIMIT_CHARS);
            if *key != slot.name {
                inspection.broken(&format!("{place}.name"), Rule::KeyDiffers);
            }
            if matches!(slot.slot_type, EntityType::Other(_)) {
                inspection.broken(&format!("{place}.type"), Rule::Unknown);
            }
        }
    }
}
