//! `cordboard check`: whether a configuration is right, and what an administrator enters in Genesys.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{ConfigFile, Failed, doctor};
use crate::config::{Config, Problems};
use crate::connector::registry::Integration;
use crate::doctor::Report;
use crate::http::Client;
use crate::http::tls::Tls;
use crate::registration::{drift, known_at};
use crate::runtime::{Clock as _, SystemClock};

/// What stands for the host when the configuration does not say.
const YOUR_HOST: &str = "https://YOUR-HOST";

#[derive(Debug, Args)]
#[command(after_help = "\
Exit code 78 means that something is wrong; warnings are no mistakes.

Example:
  cordboard check --config cordboard.toml && cordboard reload --config cordboard.toml")]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// Asks the world as well, as `cordboard doctor` does: addresses, clock, tokens, permissions, engines, public address.
    #[arg(long)]
    online: bool,
    /// As JSON, mistakes included.
    #[arg(long)]
    json: bool,
}

/// What was found, for programs.
#[derive(Serialize)]
struct Found<'a> {
    ok: bool,
    problems: Vec<ProblemFound<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_dir: Option<String>,
    connectors: Vec<Entry>,
    bots: Vec<BotFound>,
    warnings: Vec<&'a String>,
    /// What the world says, when it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    online: Option<&'a Report>,
}

#[derive(Serialize)]
struct ProblemFound<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    message: &'a str,
}

#[derive(Serialize)]
struct BotFound {
    key: String,
    name: String,
    version: String,
}

/// What an administrator enters for one connector.
#[derive(Serialize)]
struct Entry {
    key: String,
    org: String,
    /// The integration's name in Genesys Cloud.
    integration: &'static str,
    /// The name of the property.
    property: &'static str,
    url: String,
    /// The field names of the credentials.
    headers: Vec<String>,
    /// Whether the platform has to be sent the list of bots; else it fetches it.
    bots_are_sent: bool,
    /// Where to, when it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    integration_id: Option<String>,
}

impl Entry {
    fn of(key: &str, integration: &Integration, host: &str) -> Self {
        // `reference/digital-bot-connector.md`, section 6; `reference/bot-connector-v1.md`, section 1.
        let (name, property) = match integration {
            Integration::DigitalBotConnector(_) => ("Genesys Digital Bot Connector", "Bot Connector URI"),
            Integration::BotConnector(_) => ("Genesys Bot Connector", "Bot Connector Handle Utterance URI"),
        };
        let entrance = integration.entrance();
        Self {
            key: key.to_owned(),
            org: entrance.org().to_string(),
            integration: name,
            property,
            url: format!("{host}{}", entrance.path()),
            headers: entrance.credentials().header_names().map(str::to_owned).collect(),
            bots_are_sent: matches!(integration, Integration::BotConnector(_)),
            integration_id: match integration {
                Integration::BotConnector(connector) => connector.integration_id().map(str::to_owned),
                Integration::DigitalBotConnector(_) => None,
            },
        }
    }
}

pub(super) async fn run(arguments: &Arguments, out: &mut (dyn Write + Send)) -> Result<(), Failed> {
    let config = match arguments.config.load() {
        Err(Failed::Misconfigured(problems)) if arguments.json => {
            writeln!(out, "{:#}", serde_json::json!(bad(&problems)))?;
            return Err(Failed::Misconfigured(Problems::default()));
        }
        loaded => loaded?,
    };
    let host = config.server.public_url.as_deref().map(|url| url.trim_end_matches('/'));
    let entries: Vec<Entry> = config
        .connectors
        .iter()
        .map(|(key, integration)| Entry::of(key.as_str(), integration, host.unwrap_or(YOUR_HOST)))
        .collect();
    let unusable = look_at_files(&config).err();
    let drifts = drifts(&config).await;
    let report = match (arguments.online, &unusable) {
        (true, None) => Some(doctor::online(&config).await),
        _ => None,
    };
    match arguments.json {
        true => {
            let found = good(&config, entries, unusable.as_deref(), &drifts, report.as_ref());
            writeln!(out, "{:#}", serde_json::json!(found))?;
        }
        false => show(&config, &entries, host.is_some(), &drifts, out)?,
    }
    if let Some(unusable) = unusable {
        return Err(Failed::Because(unusable));
    }
    if !arguments.json {
        writeln!(out, "the configuration is right")?;
    }
    let Some(report) = report else { return Ok(()) };
    if !arguments.json {
        report.print(out)?;
    }
    doctor::verdict(&report)
}

fn bad(problems: &Problems) -> Found<'_> {
    let problems = problems.iter().map(|problem| {
        let (file, line, column) = problem.place();
        ProblemFound { file, line, column, message: problem.message() }
    });
    Found {
        ok: false,
        problems: problems.collect(),
        data_dir: None,
        connectors: Vec::new(),
        bots: Vec::new(),
        warnings: Vec::new(),
        online: None,
    }
}

fn good<'a>(
    config: &'a Config,
    connectors: Vec<Entry>,
    unusable: Option<&'a str>,
    drifts: &'a [String],
    online: Option<&'a Report>,
) -> Found<'a> {
    let problem = |message| ProblemFound { file: "", line: 0, column: 0, message };
    let bots = config.bots.iter().map(|bot| BotFound {
        key: bot.key().to_string(),
        name: bot.name().to_owned(),
        version: bot.version().to_owned(),
    });
    Found {
        ok: unusable.is_none(),
        problems: unusable.into_iter().map(problem).collect(),
        data_dir: Some(data_dir(config).display().to_string()),
        connectors,
        bots: bots.collect(),
        warnings: config.warnings.iter().chain(drifts).collect(),
        online,
    }
}

/// Whole, since an operator looks for it.
fn data_dir(config: &Config) -> PathBuf {
    std::path::absolute(&config.server.data_dir).unwrap_or_else(|_| config.server.data_dir.clone())
}

/// Bots that declare something else under their version than Genesys knows. What cannot be looked up, such as the folder of
/// another user, is no fault of the configuration.
async fn drifts(config: &Config) -> Vec<String> {
    let known = known_at(&config.server.data_dir).await.ok().flatten().unwrap_or_default();
    drift::told(&drift::examine(&config.connectors, &known))
}

fn show(
    config: &Config,
    entries: &[Entry],
    host_is_known: bool,
    drifts: &[String],
    out: &mut dyn Write,
) -> Result<(), Failed> {
    writeln!(out, "Enter in Genesys Cloud, under Admin > Integrations > the integration > Configuration:\n")?;
    for entry in entries {
        writeln!(out, "connectors.{}: a {} of orgs.{}", entry.key, entry.integration, entry.org)?;
        let width = entry.property.len().max("field name".len());
        writeln!(out, "  Properties   {:width$}  {}", entry.property, entry.url)?;
        for header in &entry.headers {
            writeln!(out, "  Credentials  {:width$}  {header}", "field name")?;
            writeln!(out, "               {:width$}  the secret that stands in `credentials`", "value")?;
        }
        if entry.bots_are_sent {
            let key = &entry.key;
            let command = format!("cordboard bots push --connector {key}");
            match &entry.integration_id {
                Some(id) => writeln!(out, "  Bots         `{command}` sends them to the integration {id}")?,
                None => writeln!(
                    out,
                    "  Bots         write the integration's id as `integration_id`; `{command}` sends them then"
                )?,
            }
        }
        writeln!(out)?;
    }
    if !host_is_known {
        writeln!(out, "YOUR-HOST is what Genesys reaches this gateway by; write it as `public_url` in [server].\n")?;
    }
    for bot in &config.bots {
        writeln!(out, "bots.{}: {} (version {})", bot.key(), bot.name(), bot.version())?;
    }
    writeln!(out, "data folder: {}", data_dir(config).display())?;
    for warning in config.warnings.iter().chain(drifts) {
        writeln!(out, "warning: {warning}")?;
    }
    Ok(())
}

/// Certificates are read at a start only, so a configuration is not right before they are.
fn look_at_files(config: &Config) -> Result<(), String> {
    Client::for_calls(&config.outgoing).map_err(|error| error.to_string())?;
    let Some(files) = &config.server.tls else { return Ok(()) };
    let tls = Tls::load(files).map_err(|error| format!("[server.tls]: {error}"))?;
    if tls.certificate().days_left(SystemClock.now()) < 0 {
        return Err("[server.tls]: the certificate has expired, and the platform refuses it: renew it".to_owned());
    }
    Ok(())
}
