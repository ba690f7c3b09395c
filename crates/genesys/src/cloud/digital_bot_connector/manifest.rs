//! The manifest the platform pulls while an author edits a flow.

use serde::{Deserialize, Serialize};

use crate::cloud::entity::EntityType;
use crate::cloud::lenient;
use crate::cloud::violation::{Inspection, Rule, Violation};

const LIST_LIMIT: usize = 50;
const NAME_LIMIT_CHARS: usize = 100;
const DESCRIPTION_LIMIT_CHARS: usize = 256;

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
        inspection.at_least_one("versions", self.versions.len());
        inspection.count("versions", self.versions.len(), LIST_LIMIT);
        inspection.unique("versions", "version", &self.versions, |version| &version.version);
        inspection.each("versions", &self.versions, |inspection, version| version.inspect(inspection));
    }
}

impl BotVersion {
    fn inspect(&self, inspection: &mut Inspection) {
        inspection.required("version", &self.version, NAME_LIMIT_CHARS);
        inspection.languages(&self.supported_languages);
        inspection.at_least_one("intents", self.intents.len());
        inspection.count("intents", self.intents.len(), LIST_LIMIT);
        inspection.unique("intents", "name", &self.intents, |intent| &intent.name);
        inspection.each("intents", &self.intents, |inspection, intent| {
            inspection.required("name", &intent.name, NAME_LIMIT_CHARS);
            inspection.count("entities", intent.entities.len(), LIST_LIMIT);
            inspection.unique("entities", "name", &intent.entities, |entity| &entity.name);
            inspection.each("entities", &intent.entities, |inspection, entity| {
                inspection.required("name", &entity.name, NAME_LIMIT_CHARS);
                if matches!(entity.entity_type, EntityType::Other(_)) {
                    inspection.broken("type", Rule::Unknown);
                }
            });
        });
    }
}
