//! The manifest the platform pulls while an author edits a flow.

use serde::{Deserialize, Serialize};

use crate::cloud::entity::EntityType;
use crate::cloud::lenient;
use crate::cloud::violation::{DESCRIPTION_LIMIT_CHARS, Inspection, LIST_LIMIT, NAME_LIMIT_CHARS, Rule, Violation};

/// The bots on offer: the body of `GET /bots` (`reference/digital-bot-connector.md`, section 1.2).
///
/// A published flow keeps what it read, so a change of intents, entities or languages needs a new version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// At most 50 bots.
    pub entities: Vec<Bot>,
}

/// One bot: an element of the manifest and the body of `GET /bots/{botId}` (section 1.3).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bot {
    /// 1 to 100 characters, compared with case.
    pub id: String,
    /// 1 to 100 characters.
    pub name: String,
    /// 1 to 100 characters, shown in the platform's reports.
    pub provider: String,
    /// At most 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// 1 to 50 versions.
    pub versions: Vec<BotVersion>,
}

/// One version of a bot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BotVersion {
    /// 1 to 100 characters, compared with case.
    pub version: String,
    /// Lower-case tags of the platform's list, such as `en-us`; matched exactly, without fallback.
    pub supported_languages: Vec<String>,
    /// 1 to 50 intents, each a path out of the flow's action.
    pub intents: Vec<BotIntent>,
}

/// One intent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotIntent {
    /// 1 to 100 characters.
    pub name: String,
    /// At most 50 entities.
    #[serde(default, deserialize_with = "lenient::null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<BotEntity>,
}

/// One entity of an intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotEntity {
    /// 1 to 100 characters.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub entity_type: EntityType,
}

impl Manifest {
    /// Every rule of section 1.2 that the manifest breaks. That ids and names of one list differ is our own rule.
    #[must_use]
    pub fn validate(&self) -> Vec<Violation> {
        let mut inspection = Inspection::default();
        inspection.count("entities", self.entities.len(), LIST_LIMIT);
        inspection.unique("entities", "id", &self.entities, |bot| &bot.id);
        inspection.each("entities", &self.entities, |inspection, bot| bot.inspect(inspection));
        inspection.finish()
    }
}

impl Bot {
    fn inspect(&self, inspection: &mut Inspection) {
        inspection.required("id", &self.id, NAME_LIMIT_CHARS);
        inspection.required("name", &self.name, NAME_LIMIT_CHARS);
        inspection.required("provider", &self.provider, NAME_LIMIT_CHARS);
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
        inspection.count("entities", self.entities.len(), LIST_LIMIT);
        inspection.unique("entities", "name", &self.entities, |entity| &entity.name);
        inspection.each("entities", &self.entities, |inspection, entity| {
            inspection.required("name", &entity.name, NAME_LIMIT_CHARS);
            if matches!(entity.entity_type, EntityType::Other(_)) {
                inspection.broken("type", Rule::Unknown);
            }
        });
    }
}
