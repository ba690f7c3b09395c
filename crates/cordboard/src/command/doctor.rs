//! `cordboard doctor`, and what `cordboard check --online` adds to a check.

use std::io::Write;
use std::sync::Arc;

use clap::Args;

use super::{ConfigFile, Failed};
use crate::config::Config;
use crate::doctor::{Report, Scope, Status, examine};
use crate::runtime::SystemClock;
use crate::words::some;

#[derive(Debug, Args)]
#[command(after_help = "\
It looks at the store, at every address that the gateway calls, at the clock, at each org's token and permissions, at the \
engines, at the public address and at the certificate. It changes nothing, asks no bot a question and sends no customer a \
message. It may run beside the gateway, and should run as its user.

Exit codes: 0 nothing failed (warnings may remain), 1 something failed, 78 bad configuration.

Example:
  cordboard doctor --config /etc/cordboard/cordboard.toml --org acme")]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// This org and its connectors alone, by its table key.
    #[arg(long, value_name = "KEY")]
    org: Option<String>,
    /// For programs.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments, out: &mut (dyn Write + Send)) -> Result<(), Failed> {
    let config = arguments.config.load()?;
    let org = arguments.org.as_deref().map(model::OrgKey::from);
    if let Some(org) = org.as_ref().filter(|org| !config.orgs.contains_key(*org)) {
        let known: Vec<&str> = config.orgs.keys().map(|key| key.as_str()).collect();
        return Err(Failed::because(format!("there is no [orgs.{org}]; there are: {}", known.join(", "))));
    }
    let report = examine(&config, Scope { org, store: true }, Arc::new(SystemClock)).await;
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report).map_err(Failed::because)?)?;
    } else {
        report.print(out)?;
    }
    verdict(&report)
}

/// Everything but the store: what `check --online` asks of the world.
pub(super) async fn online(config: &Config) -> Report {
    examine(config, Scope::default(), Arc::new(SystemClock)).await
}

/// Whether something failed.
pub(super) fn verdict(report: &Report) -> Result<(), Failed> {
    match report.count(Status::Failed) {
        0 => Ok(()),
        failed => Err(Failed::because(format!("{} failed", some(failed, "check")))),
    }
}
