//! `cordboard check`.

use std::io::Write;

use clap::Args;

use super::{ConfigFile, Failed, doctor};
use crate::config::Config;
use crate::http::Client;
use crate::http::tls::Tls;
use crate::runtime::{Clock as _, SystemClock};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cordboard check --config cordboard.toml && systemctl reload-or-restart cordboard")]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// Asks the world as well, as `cordboard doctor` does: addresses, clock, tokens, permissions, engines, public address.
    #[arg(long)]
    online: bool,
}

pub(super) async fn run(arguments: &Arguments, out: &mut (dyn Write + Send)) -> Result<(), Failed> {
    let config = arguments.config.load()?;
    for (key, integration) in &config.connectors {
        writeln!(out, "connectors.{key}: {}", integration.paths().join(", "))?;
    }
    for bot in &config.bots {
        writeln!(out, "bots.{}: {} (version {})", bot.key(), bot.name(), bot.version())?;
    }
    for warning in &config.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    look_at_files(&config)?;
    writeln!(out, "the configuration is right")?;
    if arguments.online {
        let report = doctor::online(&config).await?;
        report.print(out)?;
        doctor::verdict(&report)?;
    }
    Ok(())
}

/// Certificates are read at a start only, so a configuration is not right before they are.
fn look_at_files(config: &Config) -> Result<(), Failed> {
    Client::for_calls(&config.outgoing).map_err(Failed::because)?;
    let Some(files) = &config.server.tls else { return Ok(()) };
    let tls = Tls::load(files).map_err(|error| Failed::because(format!("[server.tls]: {error}")))?;
    if tls.certificate().days_left(SystemClock.now()) < 0 {
        return Err(Failed::because(
            "[server.tls]: the certificate has expired, and the platform refuses it: renew it",
        ));
    }
    Ok(())
}
