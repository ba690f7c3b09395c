//! Which kinds of engine there are. A new one is its folder, a `mod`, and a variant here.

use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Engine, Limits, connector, openai, script, webhook};

/// How a bot's engine is configured, by `type`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EngineConfig {
    /// A dialogue written in TOML.
    Script(script::Config),
    /// An HTTP endpoint that speaks our own contract.
    Webhook(webhook::Config),
    /// An endpoint that was written for one of the platform's bot doors.
    Connector(connector::Config),
    /// A language model, at OpenAI or behind any server that speaks as it does.
    #[serde(rename = "openai")]
    OpenAi(Box<openai::Config>),
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
    /// An endpoint of the platform's contracts.
    #[error(transparent)]
    Connector(#[from] connector::Error),
    /// A language model.
    #[error(transparent)]
    OpenAi(#[from] openai::Error),
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
            Self::Connector(config) => Arc::new(connector::Endpoint::new(config)?),
            Self::OpenAi(config) => Arc::new(openai::OpenAi::load(config, folder)?),
        })
    }

    /// What an answer may hold at most.
    #[must_use]
    pub fn limits(&self) -> Limits {
        match self {
            Self::Script(config) => config.limits,
            Self::Webhook(config) => config.limits,
            Self::Connector(config) => config.limits,
            Self::OpenAi(config) => config.limits,
        }
    }

    /// The files that the configuration names, each with its key. What is in them belongs to the configuration.
    #[must_use]
    pub fn files(&self) -> Vec<(String, &Path)> {
        match self {
            Self::Script(config) => vec![("file".to_owned(), &config.file)],
            Self::Webhook(_) | Self::Connector(_) => Vec::new(),
            Self::OpenAi(config) => config.files(),
        }
    }

    /// The word for this kind of engine: what `type` says.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Script(_) => "script",
            Self::Webhook(_) => "webhook",
            Self::Connector(_) => "connector",
            Self::OpenAi(_) => "openai",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(config: &str) -> Result<Arc<dyn Engine>, String> {
        let examples = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples"));
        let config: EngineConfig = toml::from_str(config).map_err(|error| error.to_string())?;
        config.build(examples).map_err(|error| error.to_string())
    }

    #[test]
    fn engines_are_made_from_their_configuration() {
        for script in ["bots/parcels.toml", "bots/clumsy.toml", "bots/showcase.toml"] {
            let engine = build(&format!("type = \"script\"\nfile = \"{script}\"\nlimits.items_max = 5")).unwrap();
            assert!(!engine.traits().callbacks, "{script}");
        }
        let config = "type = \"webhook\"\nurl = \"http://localhost:9000\"\nsecrets = [\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"]";
        assert!(build(config).unwrap().callbacks().is_some());
    }

    #[test]
    fn what_is_wrong_is_said() {
        let table = [
            ("url = \"http://a\"", "missing field `type`"),
            ("type = \"oracle\"", "expected one of `script`, `webhook`, `connector`"),
            ("type = \"oracle\"", "expected one of `script`, `webhook`, `connector`, `openai`"),
            ("type = \"script\"\nfile = \"a\"\nflie = 1", "unknown field `flie`"),
            ("type = \"script\"\nfile = \"bots/missing.toml\"", "bots/missing.toml"),
            ("type = \"webhook\"\nurl = \"http://a\"\nlimits.texts = 1", "unknown field `texts`"),
            ("type = \"webhook\"\nurl = \"ftp://a\"", "starts with https://"),
            ("type = \"webhook\"\nurl = \"http://a\"\nsecrets = [1]", "a secret as text"),
            ("type = \"connector\"\nurl = \"http://a\"", "missing field `speaks`"),
            ("type = \"connector\"\nspeaks = \"v3\"\nurl = \"http://a\"", "expected `v1` or `v2`"),
        ];
        for (config, expected) in table {
            let Err(error) = build(config) else { panic!("{config} is taken") };
            assert!(error.contains(expected), "{config}\n{error}");
        }
    }
}
