//! `cordboard test`: plays conversation files against the configured bots.
//!
//! The configuration runs as it is, with three things laid over it: the simulator in the place of every org, a temporary
//! folder, and a free port. The configured orgs are never contacted; the configured engines are.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use secrecy::ExposeSecret as _;
use simulator::file::ConversationFile;
use simulator::{Door, Integration, NoHooks, Played, Registered, Settings, Simulator, Target};

use super::{ConfigFile, Failed};
use crate::config::{Config, Written};
use crate::connector::bots::Bots;
use crate::connector::registry::{self, ConnectorConfig};
use crate::http::CredentialsConfig;
use crate::serve::Gateway;

#[derive(Debug, Args)]
#[command(after_help = "\
Genesys is never contacted: a simulator takes its place, and secrets of orgs and connectors that are not set in the \
environment do not matter. The bots' engines are asked as configured.

Example:
  cordboard test conversations/answered-at-once.toml conversations/classic-in-time.toml --config cordboard.toml")]
pub(super) struct Arguments {
    /// Conversation files.
    #[arg(required = true, value_name = "FILES")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
    /// The connector to call, by its table key. Default: the first one that has the file's door and its bot.
    #[arg(long, value_name = "KEY")]
    connector: Option<String>,
    /// Shows every conversation, not only those that failed.
    #[arg(long)]
    show: bool,
}

/// The names of conversation files with what is in them.
pub(super) type Files = Vec<(String, ConversationFile)>;

/// Reads all files, and says everything that is wrong with any of them.
pub(super) fn read_files(paths: &[PathBuf]) -> Result<Files, Failed> {
    let mut files = Vec::new();
    let mut wrong = Vec::new();
    for path in paths {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => match ConversationFile::parse(&text, &name) {
                Ok(file) => files.push((name, file)),
                Err(error) => wrong.push(error.to_string()),
            },
            Err(error) if error.kind() == std::io::ErrorKind::IsADirectory => {
                wrong.push(format!("{name} is a folder; name the files in it: {name}/*.toml"));
            }
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    if wrong.is_empty() { Ok(files) } else { Err(Failed::because(wrong.join("\n"))) }
}

/// Shows how a conversation went: all of it, or all of it only when it failed.
pub(super) fn show(played: &Played, all: bool, out: &mut dyn Write) -> std::io::Result<()> {
    if all || !played.passed {
        writeln!(out, "{played}")?;
    } else {
        writeln!(out, "{}: passed", played.title)?;
    }
    out.flush()
}

pub(super) async fn run(arguments: &Arguments, out: &mut (dyn Write + Send)) -> Result<(), Failed> {
    let files = read_files(&arguments.files)?;
    let mut written = arguments.config.load_without_secrets()?;
    let simulator =
        Simulator::start(Settings { rate_limit: None, ..Settings::default() }).await.map_err(Failed::because)?;
    let folder = tempfile::tempdir()?;
    lay_over(&mut written, &simulator.url(), folder.path());
    let credentials: BTreeMap<String, CredentialsConfig> =
        written.connectors.iter().map(|(key, config)| (key.clone(), credentials(config).clone())).collect();
    let config = written.check()?;
    let connectors = config.connectors.clone();
    let gateway = start(config).await?;
    let mut doors = BTreeMap::new();
    for (key, integration) in &connectors {
        let headers = &credentials[key.as_str()];
        doors.insert(
            key.to_string(),
            (integration, simulator.register(set_up(integration, headers, gateway.address()))),
        );
    }
    let mut failed = 0;
    for (name, file) in &files {
        let played = match choose(&doors, file, arguments.connector.as_deref()) {
            Ok(target) => simulator.play(file, &target, &NoHooks).await,
            Err(reason) => {
                writeln!(out, "{name}: {reason}")?;
                failed += 1;
                continue;
            }
        };
        show(&played, arguments.show, out)?;
        failed += usize::from(!played.passed);
    }
    gateway.stop().await;
    simulator.stop().await;
    match failed {
        0 => Ok(()),
        _ => Err(Failed::because(format!("{failed} of {} conversations failed", files.len()))),
    }
}

async fn start(config: Config) -> Result<Gateway, Failed> {
    Gateway::start(config).await.map_err(Failed::because)
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
    let key = connector.connector().key().to_string();
    let integration = match connector {
        registry::Integration::DigitalBotConnector(connector) => {
            Integration::v2(format!("http://{gateway}{}", connector.path()))
        }
        registry::Integration::BotConnector(connector) => {
            let bots = serde_json::from_slice(&connector.bot_list()).unwrap_or_default();
            Integration::v1(format!("http://{gateway}{}", connector.path())).bots(bots)
        }
    };
    credentials.0.iter().fold(integration.id(key), |integration, (name, secrets)| match secrets.0.first() {
        Some(secret) => integration.header(name, secret.expose_secret()),
        None => integration,
    })
}

/// The connectors of a configuration, with their integrations at the simulator.
type Doors<'a> = BTreeMap<String, (&'a registry::Integration, Arc<Registered>)>;

fn offer(integration: &registry::Integration) -> (Door, &Bots) {
    match integration {
        registry::Integration::DigitalBotConnector(connector) => (Door::V2, connector.bots()),
        registry::Integration::BotConnector(connector) => (Door::V1, connector.bots()),
    }
}

/// The connector that a file is played against.
fn choose(doors: &Doors<'_>, file: &ConversationFile, wanted: Option<&str>) -> Result<Target, String> {
    let fits = |key: &str, integration: &registry::Integration| {
        let (door, bots) = offer(integration);
        wanted.is_none_or(|wanted| wanted == key) && door == file.door && bots.get(&file.bot.as_str().into()).is_some()
    };
    let found = doors.iter().find(|(key, (integration, _))| fits(key, integration));
    match (found.map(|(_, (_, registered))| registered.clone()), file.door) {
        (Some(registered), Door::V2) => Ok(Target { v2: Some(registered), v1: None }),
        (Some(registered), Door::V1) => Ok(Target { v1: Some(registered), v2: None }),
        (None, door) => Err(format!(
            "the file wants the bot '{}' on a connector of the door {}{}; there are: {}",
            file.bot,
            word(door),
            wanted.map(|wanted| format!(" that is called '{wanted}'")).unwrap_or_default(),
            in_words(doors)
        )),
    }
}

const fn word(door: Door) -> &'static str {
    match door {
        Door::V1 => "v1",
        Door::V2 => "v2",
    }
}

fn in_words(doors: &Doors<'_>) -> String {
    let words = doors.iter().map(|(key, (integration, _))| {
        let (door, bots) = offer(integration);
        let bots: Vec<&str> = bots.iter().map(|bot| bot.key().as_str()).collect();
        format!("{key} ({}) with {}", word(door), bots.join(", "))
    });
    words.collect::<Vec<_>>().join("; ")
}
