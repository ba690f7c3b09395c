//! `cordboard check`.

use std::io::Write;

use clap::Args;

use super::{ConfigFile, Failed};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cordboard check --config cordboard.toml && systemctl reload-or-restart cordboard")]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failed> {
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
    writeln!(out, "the configuration is right")?;
    Ok(())
}
