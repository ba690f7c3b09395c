//! `cordboard migrate`: what changes when a bot moves to another door, said for this configuration. It changes nothing.

mod findings;
mod report;
mod shadow;

use std::io::Write;

use clap::{Args, Subcommand};

use self::report::Report;
use super::Failed;
use super::at_hand::{Common, print_json};
use crate::config::unknown;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// From the Bot Connector (v1) to the Digital Bot Connector (v2).
    #[command(name = "v1-to-v2")]
    V1ToV2(V1ToV2),
}

#[derive(Debug, Args)]
#[command(after_help = "\
It reads the configuration and, where a connector has a `shadow`, what the running gateway or the
store counted. It changes nothing and calls nobody.

Example:
  cordboard migrate v1-to-v2 --bot parcels --config cordboard.toml")]
pub(super) struct V1ToV2 {
    /// The bot, by its table key.
    #[arg(long, value_name = "NAME")]
    bot: String,
    #[command(flatten)]
    common: Common,
}

pub(super) async fn run(command: &Command, out: &mut (dyn Write + Send)) -> Result<(), Failed> {
    let Command::V1ToV2(V1ToV2 { bot, common }) = command;
    let (written, config) = common.config.load_and_check_without_any_secret()?;
    if !written.bots.contains_key(bot) {
        let names: Vec<&str> = written.bots.keys().map(String::as_str).collect();
        return Err(Failed::because(unknown("bot", bot, &names)));
    }
    let mut report = Report::of(&written, &config, bot);
    if let Some(from) = report.from.as_ref().filter(|from| from.shadow.is_some()) {
        report.shadow = shadow::found(&config.server.data_dir, &from.key, bot).await?;
    }
    if common.json {
        return print_json(&report, out);
    }
    report.print(out)?;
    Ok(())
}
