//! What the platform knows of our bots, and whether it is what they are.
//!
//! A v1 integration is sent its list ([`list`] decides what the list becomes, [`platform`] reads and writes it); a v2
//! integration reads its manifest by itself. Either way a flow that is published keeps what it knew then
//! (`reference/digital-bot-connector.md`, section 1.2), so what was declared under a version must not change. [`drift`] says
//! where it did. The doors note what is read, `cordboard bots push` what it sent; the start, a reload, `check` and the
//! doctor ask. Nothing here stands in a customer's way.

pub mod drift;
pub mod list;
pub mod platform;

use std::path::Path;

use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::admin::client::Client;
use crate::connector::declared::{Declaration, Declared};
use crate::store::sqlite::manifests_at_rest;
use crate::store::{Manifest, ManifestNote};

/// A version of a bot, as a platform came to know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Through which connector, by its table key.
    pub connector: String,
    /// Which bot, by its table key.
    pub bot: String,
    /// Under which version.
    pub version: String,
    /// When it was read, or sent, for the first time; in milliseconds since 1970.
    pub first_ms: i64,
    /// What it declared then.
    pub first: Declared,
    /// When the latest declaration that was another one was read, or sent.
    pub latest_ms: i64,
    /// That declaration.
    pub latest: Declared,
}

impl Known {
    /// What the store keeps; nothing when it is of a form that this version does not know.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Option<Self> {
        let ManifestNote { connector, bot, version, at, declared } = &manifest.first;
        Some(Self {
            connector: connector.to_string(),
            bot: bot.to_string(),
            version: version.to_string(),
            first_ms: at.0,
            first: Declared::of_blob(declared)?,
            latest_ms: manifest.latest_at.0,
            latest: Declared::of_blob(&manifest.latest)?,
        })
    }

    /// The same of many.
    #[must_use]
    pub fn all(manifests: &[Manifest]) -> Vec<Self> {
        manifests.iter().filter_map(Self::of).collect()
    }
}

/// What platforms know, as the gateway of a data folder has it: asked of the server where one runs, else looked up in the
/// store, which is not changed by it. Nothing when there is no store yet.
///
/// # Errors
///
/// Why it cannot be told, in words for an operator.
pub async fn known_at(data_dir: &Path) -> Result<Option<Vec<Known>>, String> {
    if let Some(client) = Client::connect(data_dir).await {
        return client.manifests().await.map(|page| Some(page.manifests)).map_err(|error| error.to_string());
    }
    let folder = data_dir.to_owned();
    let looked = tokio::task::spawn_blocking(move || manifests_at_rest(&folder)).await;
    let manifests = looked.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    Ok(manifests.map(|manifests| Known::all(&manifests)))
}

/// A declaration as it is noted.
#[must_use]
pub fn note(connector: &model::ConnectorKey, declaration: &Declaration, at: Timestamp) -> ManifestNote {
    ManifestNote {
        connector: connector.clone(),
        bot: declaration.bot.clone(),
        version: declaration.version.clone(),
        at,
        declared: declaration.declared.to_blob(),
    }
}
