//! Which kinds of connector there are. A new one is its folder, a `mod`, and a variant in the two enumerations here.
//!
//! The configuration builds an [`Integration`] from each `[connectors.KEY]` table. The HTTP layer matches on it, since the
//! doors have different paths; everybody else sees a [`Connector`].

use std::collections::BTreeMap;
use std::sync::Arc;

use genesys::cloud::digital_bot_connector::{BOTS_PATH, MESSAGES_PATH};
use model::ConnectorKey;
use schemars::JsonSchema;
use serde::Deserialize;

use super::bot_connector::{self, BotConnector};
use super::bots::Bots;
use super::channels::Channels;
use super::declared::Declaration;
use super::digital_bot_connector::{self, DigitalBotConnector};
use super::entrance::{Entrance, owner};
use super::{Connector, Misconfigured};
use crate::fit::DoorKind;
use crate::org::Org;

/// One `[connectors.KEY]` table, by its `type`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ConnectorConfig {
    /// The Digital Bot Connector (v2).
    DigitalBotConnector(digital_bot_connector::Config),
    /// The Bot Connector (v1).
    BotConnector(bot_connector::Config),
}

impl ConnectorConfig {
    /// The table key of its org.
    #[must_use]
    pub fn org(&self) -> &str {
        match self {
            Self::DigitalBotConnector(config) => &config.org,
            Self::BotConnector(config) => &config.org,
        }
    }

    /// What its channels take.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`] with what to write instead.
    pub fn channels(&self, key: &ConnectorKey) -> Result<Channels, Misconfigured> {
        let owner = owner(key);
        match self {
            Self::DigitalBotConnector(config) => {
                Channels::new(&owner, DoorKind::DigitalBotConnector, config.attachments, &config.channels)
            }
            Self::BotConnector(config) => Channels::new(&owner, DoorKind::BotConnector, false, &config.channels),
        }
    }

    /// Checks the configuration and makes the connector.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`] with what to write instead.
    pub fn build(&self, key: ConnectorKey, org: &Org, bots: &Bots) -> Result<Integration, Misconfigured> {
        Ok(match self {
            Self::DigitalBotConnector(config) => {
                Integration::DigitalBotConnector(Arc::new(DigitalBotConnector::new(key, config, org, bots)?))
            }
            Self::BotConnector(config) => {
                Integration::BotConnector(Arc::new(BotConnector::new(key, config, org, bots)?))
            }
        })
    }
}

/// A connector by its kind.
#[derive(Clone, Debug)]
pub enum Integration {
    /// The Digital Bot Connector (v2).
    DigitalBotConnector(Arc<DigitalBotConnector>),
    /// The Bot Connector (v1).
    BotConnector(Arc<BotConnector>),
}

impl Integration {
    /// The connector.
    #[must_use]
    pub fn connector(&self) -> Arc<dyn Connector> {
        match self {
            Self::DigitalBotConnector(connector) => connector.clone(),
            Self::BotConnector(connector) => connector.clone(),
        }
    }

    /// Where the platform comes in.
    #[must_use]
    pub fn entrance(&self) -> &Entrance {
        match self {
            Self::DigitalBotConnector(connector) => connector.entrance(),
            Self::BotConnector(connector) => connector.entrance(),
        }
    }

    /// What its bots declare to flow authors, each under its version.
    #[must_use]
    pub fn declarations(&self) -> Vec<Declaration> {
        match self {
            Self::DigitalBotConnector(connector) => connector.declarations(),
            Self::BotConnector(connector) => connector.declarations(),
        }
    }

    /// The fixed paths that it is called at.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        let path = self.entrance().path();
        match self {
            Self::DigitalBotConnector(_) => [BOTS_PATH, MESSAGES_PATH].map(|end| format!("{path}{end}")).into(),
            Self::BotConnector(_) => vec![path.to_owned()],
        }
    }
}

/// Checks that no two integrations want one path.
///
/// # Errors
///
/// [`Misconfigured`] with the path and both keys.
pub fn check_paths(integrations: &[Integration]) -> Result<(), Misconfigured> {
    let mut taken: BTreeMap<String, ConnectorKey> = BTreeMap::new();
    for integration in integrations {
        let key = integration.entrance().key().clone();
        for path in integration.paths() {
            if let Some(other) = taken.get(&path) {
                return Err(Misconfigured(format!(
                    "connectors.{other} and connectors.{key} both want the path {path}"
                )));
            }
            taken.insert(path, key.clone());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{bots, org};
    use super::*;

    fn build(key: &str, kind: &str, path: &str) -> Result<Integration, String> {
        let secret = "a-secret-of-some-length";
        let config = format!("type = '{kind}'\norg = 'acme'\npath = '{path}'\ncredentials = {{ x-key = '{secret}' }}");
        let config: ConnectorConfig = toml::from_str(&config).map_err(|error| error.to_string())?;
        assert_eq!(config.org(), "acme");
        config.build(key.into(), &org(), &bots()).map_err(|error| error.to_string())
    }

    #[test]
    fn integrations_are_made_by_their_type_and_share_no_path() {
        let web = build("web", "digital_bot_connector", "/acme").unwrap();
        let sms = build("sms", "bot_connector", "/acme").unwrap();
        assert_eq!(web.paths(), ["/acme/bots", "/acme/messages"]);
        assert_eq!((web.connector().key().as_str(), sms.connector().key().as_str()), ("web", "sms"));
        assert_eq!(check_paths(&[web.clone(), sms]), Ok(()));

        let clash = build("sms", "bot_connector", "/acme/messages").unwrap();
        let error = check_paths(&[web, clash]).unwrap_err().to_string();
        assert_eq!(error, "connectors.web and connectors.sms both want the path /acme/messages");
        assert!(build("fax", "fax_connector", "/fax").unwrap_err().contains("unknown variant"));
    }
}
