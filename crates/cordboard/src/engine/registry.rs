//! Which kinds of engine there are. A new one is its folder, a `mod`, and a variant here.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::{Engine, script, webhook};

/// How a bot's engine is configured, by `type`.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EngineConfig {
    /// A dialogue written in TOML.
    Script(script::Config),
    /// An HTTP endpoint that speaks our own contract.
    Webhook(webhook::Config),
}

/// Why an engine cannot be made from its configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A script.
    #[error(transparent)]
    Script(#[from] script::Error),
    /// A webhook.
    #[error(transparent)]
    Webhook(#[from] webhook::Error),
}

impl EngineConfig {
    /// Checks the configuration and makes the engine. `folder` is where relative paths start: the configuration file's.
    ///
    /// # Errors
    ///
    /// What is wrong, in words for the operator.
    pub fn build(&self, folder: &Path) -> Result<Arc<dyn Engine>, Error> {
        Ok(match self {
            Self::Script(config) => Arc::new(script::Script::load(config, folder)?),
            Self::Webhook(config) => Arc::new(webhook::Webhook::new(config)?),
        })
    }

    /// The word for this kind of engine: what `type` says.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Script(_) => "script",
            Self::Webhook(_) => "webhook",
        }
    }
}
