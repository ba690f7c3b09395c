//! `cordboard bots`: the lists of bots, as the platform takes them.

use std::io::Write;

use clap::{Args, Subcommand, ValueEnum};

use super::{ConfigFile, Failed};
use crate::connector::registry::Integration;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Prints what the platform has to know of the bots: the manifest (v2), or the body of the `PUT` (v1).
    List(List),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Genesys Cloud reads the manifest of a v2 integration by itself. The list of a v1 integration is sent to it by hand:

  cordboard bots list --door v1 --config cordboard.toml > bots.json
  curl -X PUT https://api.mypurecloud.de/api/v2/integrations/botconnector/INTEGRATION_ID/bots \\
    -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' -d @bots.json")]
pub(super) struct List {
    /// Which door's list.
    #[arg(long, value_enum)]
    door: Door,
    /// Which connector, by its table key; needed when several have that door.
    #[arg(long, value_name = "KEY")]
    connector: Option<String>,
    #[command(flatten)]
    config: ConfigFile,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Door {
    /// Bot Connector.
    V1,
    /// Digital Bot Connector.
    V2,
}

pub(super) fn run(command: &Command, out: &mut dyn Write) -> Result<(), Failed> {
    let Command::List(list) = command;
    let config = list.config.load_without_secrets()?.check()?;
    let of_the_door = config.connectors.iter().filter(|(key, integration)| {
        let door = match integration {
            Integration::DigitalBotConnector(_) => Door::V2,
            Integration::BotConnector(_) => Door::V1,
        };
        door == list.door && list.connector.as_deref().is_none_or(|wanted| wanted == key.as_str())
    });
    let found: Vec<_> = of_the_door.collect();
    let body = match found.as_slice() {
        [] => {
            let keys: Vec<&str> = config.connectors.keys().map(|key| key.as_str()).collect();
            return Err(Failed::because(format!(
                "no connector of this door and name is configured; there are: {}",
                keys.join(", ")
            )));
        }
        [(_, Integration::DigitalBotConnector(connector))] => connector.manifest(),
        [(_, Integration::BotConnector(connector))] => connector.bot_list(),
        several => {
            let keys: Vec<&str> = several.iter().map(|(key, _)| key.as_str()).collect();
            return Err(Failed::because(format!(
                "several connectors have this door; choose one with --connector: {}",
                keys.join(", ")
            )));
        }
    };
    let body: serde_json::Value = serde_json::from_slice(&body).map_err(Failed::because)?;
    writeln!(out, "{body:#}")?;
    Ok(())
}
