//! `cordboard bots push`: the list of a Bot Connector (v1) at Genesys becomes what is configured.
//!
//! It reads the list that is there, says how it differs, puts ours in its place, and reads it back. What was sent is noted
//! at the server, or in the store when none runs, so that a later change under the same version is noticed.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use model::{ConnectorKey, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use super::super::at_hand::{AtHand, now_ms, plain, print_json};
use super::super::{ConfigFile, Failed};
use crate::admin::audit::{Entry, Trail};
use crate::admin::view::{SentBot, SentView};
use crate::config::Config;
use crate::connector::Connector as _;
use crate::connector::bot_connector::BotConnector;
use crate::connector::declared::Declaration;
use crate::connector::registry::Integration;
use crate::http::{Client, Transport};
use crate::registration::list::{BotDifference, Difference, Dropping, Plan, differences};
use crate::registration::platform::Platform;
use crate::registration::{drift, known_at, note};
use crate::runtime::SystemClock;
use crate::words::some;

/// A list may be read back as it was a moment before; so it is read up to so often, this long apart.
const READINGS_BACK: u32 = 3;
const READING_BACK_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
#[command(after_help = "\
The OAuth client of the org needs integration:botconnector:view and :edit. A list that is sent
replaces the whole list at Genesys: bots there that are not of this connector are sent along, and so
are earlier versions of ours, unless they are dropped. A bot that Genesys knows by another id keeps
that id.

A published flow keeps what it knew. So languages, intents and slots that changed are sent under
another `version` only; choose that in the Call Bot Connector action, and publish the flow.

Examples:
  cordboard bots push --dry-run --config cordboard.toml
  cordboard bots push --connector classic --config cordboard.toml")]
pub(in crate::command) struct Arguments {
    /// Which connector, by its table key; needed when there are several Bot Connectors (v1).
    #[arg(long, value_name = "KEY")]
    connector: Option<String>,
    /// The integration's id, from the address bar of Genesys; in place of `integration_id` of the connector.
    #[arg(long, value_name = "ID")]
    integration: Option<String>,
    /// Shows how the list at Genesys differs, and sends nothing.
    #[arg(long)]
    dry_run: bool,
    /// Sends what changed under its version all the same: flows that are published go on without it.
    #[arg(long)]
    force: bool,
    /// Takes bots from the list that are not of this connector, and earlier versions too.
    #[arg(long)]
    replace_all: bool,
    /// Takes earlier versions of this connector's bots from the list.
    #[arg(long)]
    drop_versions: bool,
    #[command(flatten)]
    config: ConfigFile,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// What came of it, for programs.
#[derive(Serialize)]
struct Pushed<'a> {
    connector: &'a str,
    integration: &'a str,
    /// `same`, `would_send`, `refused` or `sent`.
    outcome: &'static str,
    bots: Vec<Value>,
    /// Whether what was sent is noted, so that a change under the same version is noticed.
    #[serde(skip_serializing_if = "Option::is_none")]
    noted: Option<bool>,
}

pub(super) async fn run(arguments: &Arguments, out: &mut (dyn Write + Send)) -> Result<(), Failed> {
    let config = arguments.config.load_for_orgs()?;
    let connector = match chosen(&config, arguments.connector.as_deref())? {
        Chosen::Sent(connector) => connector,
        Chosen::Read(readers) => return say_what_is_read(&config, &readers, arguments, out),
    };
    let key = connector.key().clone();
    let id = arguments.integration.as_deref().or_else(|| connector.integration_id()).ok_or_else(|| {
        Failed::because(format!(
            "connectors.{key} does not say which integration it is: write `integration_id` there, or give --integration; \
             the id stands in the address bar of the integration in Admin > Integrations"
        ))
    })?;
    let org = config.orgs.get(connector.org()).ok_or_else(|| Failed::because("its org is not configured"))?;
    let transport: Arc<dyn Transport> = Arc::new(Client::for_calls(&config.outgoing).map_err(Failed::because)?);
    let platform = Platform::new(org, id, transport, Arc::new(SystemClock));
    let dropping = Dropping { others: arguments.replace_all, earlier_versions: arguments.drop_versions };
    let failed = |error: &dyn std::fmt::Display| Failed::because(format!("connectors.{key}: {error}"));

    let there = platform.read(&mut |ms| waits(ms)).await.map_err(|error| failed(&error))?;
    let plan = Plan::new(&connector.wire_bot_list(), &there, dropping).map_err(|error| failed(&error))?;
    let report = Report { key: key.as_str(), id, plan: &plan, json: arguments.json };
    if !plan.is_news() {
        // It may have been sent by other means, or before there was a data folder.
        let noted = match is_known_here(&config, &key).await {
            false if !arguments.dry_run => Some(note_it(&config, &connector, id).await),
            _ => None,
        };
        return report.end("same", noted, out);
    }
    report.differences(there.len(), out)?;
    if let Some(refused) = changed_under_their_version(&plan).filter(|_| !arguments.force) {
        if arguments.json {
            report.end("refused", None, out)?;
        }
        return Err(Failed::because(refused));
    }
    if arguments.dry_run {
        return report.end("would_send", None, out);
    }
    platform.replace(&plan.chat_bots, &mut |ms| waits(ms)).await.map_err(|error| failed(&error))?;
    read_back(&platform, &plan, &key).await?;
    let noted = note_it(&config, &connector, id).await;
    report.end("sent", Some(noted), out)
}

/// Which connector is meant.
enum Chosen<'a> {
    /// One that is sent its bots.
    Sent(Arc<BotConnector>),
    /// Those that have them read.
    Read(Vec<&'a ConnectorKey>),
}

fn chosen<'a>(config: &'a Config, wanted: Option<&str>) -> Result<Chosen<'a>, Failed> {
    if let Some(wanted) = wanted {
        let known: Vec<&str> = config.connectors.keys().map(ConnectorKey::as_str).collect();
        let found = config.connectors.get_key_value(&ConnectorKey::from(wanted));
        let (key, integration) =
            found.ok_or_else(|| Failed::because(crate::config::unknown("connector", wanted, &known)))?;
        return Ok(match integration {
            Integration::BotConnector(connector) => Chosen::Sent(connector.clone()),
            Integration::DigitalBotConnector(_) => Chosen::Read(vec![key]),
        });
    }
    let of_v1 = config.connectors.values().filter_map(|integration| match integration {
        Integration::BotConnector(connector) => Some(connector),
        Integration::DigitalBotConnector(_) => None,
    });
    let of_v1: Vec<&Arc<BotConnector>> = of_v1.collect();
    match of_v1.as_slice() {
        [] => Ok(Chosen::Read(config.connectors.keys().collect())),
        [one] => Ok(Chosen::Sent((*one).clone())),
        several => {
            let keys: Vec<&str> = several.iter().map(|connector| connector.key().as_str()).collect();
            let keys = keys.join(", ");
            Err(Failed::because(format!("there are several Bot Connectors (v1); choose one with --connector: {keys}")))
        }
    }
}

/// A Digital Bot Connector asks for its bots itself.
fn say_what_is_read(
    config: &Config,
    readers: &[&ConnectorKey],
    arguments: &Arguments,
    out: &mut dyn Write,
) -> Result<(), Failed> {
    let mut read = Vec::new();
    for (key, integration) in readers.iter().filter_map(|key| config.connectors.get_key_value(*key)) {
        let declarations = integration.declarations();
        if !arguments.json {
            writeln!(
                out,
                "connectors.{key}: nothing is sent; Genesys reads the bots of a Digital Bot Connector itself, whenever an author \
                 opens the action. It reads now (`cordboard bots list --door v2 --connector {key}` shows all of it):"
            )?;
        }
        for Declaration { bot, version, declared } in &declarations {
            let intents: Vec<&str> = declared.intents().collect();
            if arguments.json {
                read.push(
                    json!({"connector": key.as_str(), "bot": bot.as_str(), "version": &**version, "intents": intents}),
                );
            } else {
                writeln!(out, "  {bot}, version {version}: {}", intents.join(", "))?;
            }
        }
    }
    if arguments.json {
        print_json(&json!({"outcome": "read_by_genesys", "bots": read}), out)?;
    }
    Ok(())
}

/// What stands against sending, in words.
fn changed_under_their_version(plan: &Plan) -> Option<String> {
    let (bot, version) = plan.changed_under_their_version().next()?;
    let more = match plan.changed_under_their_version().count() {
        1 => String::new(),
        several => format!(" (and {} likewise)", some(several - 1, "more bot")),
    };
    let is_free = |next: &str| {
        let there = plan.bots.iter().flat_map(|bot| &bot.versions);
        there.filter(|known| known.difference != Difference::New).all(|known| known.version != next)
    };
    let raise = match drift::next_version(&version.version, is_free) {
        Some(next) => format!("raise `version` to \"{next}\""),
        None => "give it another `version`".to_owned(),
    };
    Some(format!(
        "bots.{bot}: Genesys knows version {} otherwise: {}{more}; published flows hold what it knows, so nothing was sent: \
         {raise}, push again, choose it in the Call Bot Connector action, and publish the flow; or send it all the same \
         with --force",
        version.version,
        drift::sentence(&version.changes)
    ))
}

async fn read_back(platform: &Platform, plan: &Plan, key: &ConnectorKey) -> Result<(), Failed> {
    let mut found = Vec::new();
    for reading in 1..=READINGS_BACK {
        let there = platform.read(&mut |ms| waits(ms)).await.map_err(|error| {
            Failed::because(format!("connectors.{key}: the list was sent, and could not be read back: {error}"))
        })?;
        found = differences(&plan.chat_bots, &there);
        found.retain(|bot| bot.difference != Difference::Same);
        if found.is_empty() {
            return Ok(());
        }
        if reading < READINGS_BACK {
            tokio::time::sleep(READING_BACK_AFTER).await;
        }
    }
    let ids: Vec<&str> = found.iter().map(|bot| bot.id.as_str()).collect();
    Err(Failed::because(format!(
        "connectors.{key}: Genesys took the list, and has another one now; it differs in {}: somebody else may have sent one at \
         the same time; see with --dry-run, and push again",
        ids.join(", ")
    )))
}

/// Whether it is known here what Genesys knows of the connector's bots.
async fn is_known_here(config: &Config, key: &ConnectorKey) -> bool {
    let known = known_at(&config.server.data_dir).await.ok().flatten().unwrap_or_default();
    let findings = drift::examine(config.connectors.get_key_value(key), &known);
    findings.iter().all(|finding| !matches!(finding.state, drift::State::Unknown { .. }))
}

/// Where what was sent is kept; says why not. It is no part of sending.
async fn note_it(config: &Config, connector: &BotConnector, id: &str) -> Result<(), String> {
    let (key, declarations) = (connector.key(), connector.declarations());
    let data_dir = &config.server.data_dir;
    let at_hand = AtHand::of(data_dir).await;
    match at_hand {
        Ok(AtHand::Running(client)) => {
            let bots = declarations.into_iter().map(|Declaration { bot, version, declared }| SentBot {
                bot: bot.to_string(),
                version: version.to_string(),
                declared,
            });
            let sent = SentView { bots: bots.collect() };
            client.sent(key.as_str(), &sent).await.map(drop).map_err(|error| error.to_string())
        }
        Ok(AtHand::Resting(store, folder)) => {
            let now = Timestamp(now_ms());
            let notes = declarations.iter().map(|declaration| note(key, declaration, now)).collect();
            store.note_manifests(notes).await.map_err(|error| error.to_string())?;
            let entry = Entry::of_owner(now, "connectors sent", key.as_str(), "done");
            let entry = Entry { detail: Some(format!("integration {id}")), ..entry };
            Trail::of(&folder).enter(&entry).map_err(|error| error.to_string())
        }
        Err(Failed::Because(reason)) => Err(reason),
        Err(_) => Err("the data folder cannot be told".to_owned()),
    }
}

#[expect(clippy::print_stderr, reason = "whoever waits for a minute is told why, and standard output may be JSON")]
fn waits(ms: u64) {
    eprintln!("Genesys wants no call now; waiting for {} s", ms.div_ceil(1_000));
}

/// Says what is done.
struct Report<'a> {
    key: &'a str,
    id: &'a str,
    plan: &'a Plan,
    json: bool,
}

impl Report<'_> {
    fn differences(&self, there: usize, out: &mut dyn Write) -> Result<(), Failed> {
        if self.json {
            return Ok(());
        }
        writeln!(out, "connectors.{}: the list of the integration {} has {}", self.key, self.id, some(there, "bot"))?;
        for (id, key) in self.plan.kept_ids() {
            let id = plain(id);
            writeln!(out, "Genesys knows bots.{key} by the id {id}, and it keeps that; calls name a bot by its name")?;
        }
        for bot in &self.plan.bots {
            self.bot(bot, out)?;
        }
        Ok(())
    }

    fn bot(&self, bot: &BotDifference, out: &mut dyn Write) -> Result<(), Failed> {
        let BotDifference { id, name, difference, details, versions } = bot;
        let whose = match (self.plan.ours.contains_key(id), difference) {
            (false, Difference::Same) => ", not of this connector: it stays",
            (false, _) => ", not of this connector",
            (true, _) => "",
        };
        writeln!(out, "{}", plain(&format!("{} bot {id} ({name}){whose}", difference.sign())))?;
        if *difference == Difference::Same {
            return Ok(());
        }
        for line in details {
            writeln!(out, "    {}", plain(line))?;
        }
        for version in versions {
            writeln!(out, "    {} version {}", version.difference.sign(), plain(&version.version))?;
            for change in &version.changes {
                writeln!(out, "        {}", plain(&change.line()))?;
            }
        }
        Ok(())
    }

    fn end(&self, outcome: &'static str, noted: Option<Result<(), String>>, out: &mut dyn Write) -> Result<(), Failed> {
        if self.json {
            let bots = self.plan.bots.iter().map(|bot| self.as_json(bot)).collect();
            let noted = noted.map(|noted| noted.is_ok());
            return print_json(&Pushed { connector: self.key, integration: self.id, outcome, bots, noted }, out);
        }
        let (key, id) = (self.key, self.id);
        match outcome {
            "same" => writeln!(
                out,
                "connectors.{key}: the list of the integration {id} is what is configured; nothing to send"
            )?,
            "would_send" => writeln!(out, "nothing was sent (--dry-run)")?,
            _ => {
                writeln!(out, "sent, and read back the same: {}", some(self.plan.chat_bots.len(), "bot"))?;
                if self.plan.bots.iter().any(|bot| bot.versions.iter().any(|one| one.difference == Difference::New)) {
                    writeln!(
                        out,
                        "next: choose the new version in the Call Bot Connector action, and publish the flow"
                    )?;
                }
            }
        }
        if let Some(Err(why)) = noted {
            writeln!(out, "not noted here, so a later change under the same version will not be noticed: {why}")?;
        }
        Ok(())
    }

    fn as_json(&self, bot: &BotDifference) -> Value {
        let versions: Vec<Value> = bot
            .versions
            .iter()
            .map(|version| {
                let changes: Vec<String> =
                    version.changes.iter().map(crate::connector::declared::Change::line).collect();
                json!({"version": version.version, "outcome": version.difference.word(), "changes": changes})
            })
            .collect();
        json!({
            "id": bot.id, "name": bot.name, "bot": self.plan.ours.get(&bot.id),
            "outcome": bot.difference.word(), "details": bot.details, "versions": versions,
        })
    }
}
