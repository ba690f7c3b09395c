//! A configuration at work without its platform: as it is, with three things laid over it. The simulator stands in the
//! place of every org, the store is a temporary folder, the port a free one. The configured orgs are never contacted; the
//! configured engines are.
//!
//! `cordboard test` plays files in it, `cordboard chat` lets a person talk.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use secrecy::ExposeSecret as _;
use simulator::{Door, Integration, Registered, Settings, Simulator, Target};
use tempfile::TempDir;

use super::Failed;
use crate::config::Written;
use crate::connector::bots::Bots;
use crate::connector::registry::{self, ConnectorConfig};
use crate::http::CredentialsConfig;
use crate::serve::Gateway;

/// A gateway and the simulator that calls it, both in this process.
pub(super) struct Rehearsal {
    pub(super) simulator: Simulator,
    pub(super) gateway: Gateway,
    doors: BTreeMap<String, Registration>,
    folder: TempDir,
}

/// A connector of the configuration, with its integration at the simulator.
struct Registration {
    config: ConnectorConfig,
    integration: registry::Integration,
    registered: Arc<Registered>,
}

/// A connector that has a wanted door and bot.
#[derive(Clone, Copy)]
pub(super) struct Offer<'a> {
    /// Its table key.
    pub(super) key: &'a str,
    pub(super) registered: &'a Arc<Registered>,
    /// The session variable in which flows say what the customer uses.
    pub(super) channel_parameter: &'a str,
    /// The text by which flows let the bot speak first.
    pub(super) start_text: &'a str,
}

impl Rehearsal {
    pub(super) async fn start(mut written: Written) -> Result<Self, Failed> {
        let settings = Settings { rate_limit: None, ..Settings::default() };
        let simulator = Simulator::start(settings).await.map_err(Failed::because)?;
        let folder = tempfile::tempdir()?;
        lay_over(&mut written, &simulator.url(), folder.path());
        let mut configs = written.connectors.clone();
        let config = written.check()?;
        let connectors = config.connectors.clone();
        let gateway = Gateway::start(config).await.map_err(Failed::because)?;
        let mut doors = BTreeMap::new();
        for (key, integration) in connectors {
            let Some(config) = configs.remove(key.as_str()) else { continue };
            let registered = simulator.register(set_up(&integration, credentials(&config), gateway.address()));
            doors.insert(key.to_string(), Registration { config, integration, registered });
        }
        Ok(Self { simulator, gateway, doors, folder })
    }

    /// The connector that has a door and a bot: the one that is wanted, or the first by its key.
    pub(super) fn choose(&self, door: Door, bot: &str, wanted: Option<&str>) -> Option<Offer<'_>> {
        let fits = |key: &str, integration: &registry::Integration| {
            let (offered, bots) = offer(integration);
            wanted.is_none_or(|wanted| wanted == key) && offered == door && bots.get(&bot.into()).is_some()
        };
        let (key, door) = self.doors.iter().find(|(key, door)| fits(key, &door.integration))?;
        let (channel_parameter, start_text) = match &door.config {
            ConnectorConfig::DigitalBotConnector(config) => (&config.channel_parameter, &config.start_text),
            ConnectorConfig::BotConnector(config) => (&config.channel_parameter, &config.start_text),
        };
        Some(Offer { key, registered: &door.registered, channel_parameter, start_text })
    }

    /// What there is to choose from.
    pub(super) fn in_words(&self) -> String {
        let words = self.doors.iter().map(|(key, door)| {
            let (door, bots) = offer(&door.integration);
            let bots: Vec<&str> = bots.iter().map(|bot| bot.key().as_str()).collect();
            format!("{key} ({}) with {}", word(door), bots.join(", "))
        });
        words.collect::<Vec<_>>().join("; ")
    }

    pub(super) async fn stop(self) -> std::io::Result<()> {
        self.gateway.stop().await;
        self.simulator.stop().await;
        self.folder.close()
    }
}

/// A connector, where a file of this door is played against.
pub(super) fn target(door: Door, registered: &Arc<Registered>) -> Target {
    match door {
        Door::V1 => Target { v1: Some(registered.clone()), v2: None },
        Door::V2 => Target { v2: Some(registered.clone()), v1: None },
    }
}

pub(super) const fn word(door: Door) -> &'static str {
    match door {
        Door::V1 => "v1",
        Door::V2 => "v2",
    }
}

/// Puts the simulator, a folder and a free port in the place of what is configured.
fn lay_over(written: &mut Written, simulator: &str, folder: &Path) {
    let Integration { client_id, client_secret, .. } = Integration::v2("");
    written.talk_to_simulator(simulator, &client_id, &client_secret);
    written.server.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    folder.clone_into(&mut written.server.data_dir);
    (written.server.drain_ms, written.server.grace_ms) = (0, 1_000);
}

fn credentials(config: &ConnectorConfig) -> &CredentialsConfig {
    match config {
        ConnectorConfig::DigitalBotConnector(config) => &config.credentials,
        ConnectorConfig::BotConnector(config) => &config.credentials,
    }
}

/// The integration as an administrator would set it up for this connector.
pub(super) fn set_up(
    connector: &registry::Integration,
    credentials: &CredentialsConfig,
    gateway: SocketAddr,
) -> Integration {
    let key = connector.entrance().key().to_string();
    let url = format!("http://{gateway}{}", connector.entrance().path());
    let integration = match connector {
        registry::Integration::DigitalBotConnector(_) => Integration::v2(url),
        registry::Integration::BotConnector(connector) => {
            let bots = serde_json::from_slice(&connector.bot_list()).unwrap_or_default();
            Integration::v1(url).bots(bots)
        }
    };
    credentials.0.iter().fold(integration.id(key), |integration, (name, secrets)| match secrets.0.first() {
        Some(secret) => integration.header(name, secret.expose_secret()),
        None => integration,
    })
}

fn offer(integration: &registry::Integration) -> (Door, &Bots) {
    let door = match integration {
        registry::Integration::DigitalBotConnector(_) => Door::V2,
        registry::Integration::BotConnector(_) => Door::V1,
    };
    (door, integration.entrance().bots())
}
