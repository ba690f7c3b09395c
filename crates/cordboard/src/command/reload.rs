//! `cordboard reload`.

use std::io::Write;

use clap::Args;

use super::{ConfigFile, Failed};
use crate::admin::client::{Client, Error};
use crate::admin::view::ChangeView;

#[derive(Debug, Args)]
#[command(after_help = "\
The gateway reads the file that it was started with, and the files that this one names. A bad one changes nothing, and the \
exit code is 78. Environment variables are those of the gateway's process and do not change.

Example:
  cordboard reload --config /etc/cordboard/cordboard.toml")]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments, out: &mut (dyn Write + Send)) -> Result<(), Failed> {
    let data_dir = arguments.config.data_dir()?;
    let Some(client) = Client::connect(&data_dir).await else {
        let folder = data_dir.display();
        return Err(Failed::because(format!(
            "no gateway of this user runs on {folder}, the data folder of this configuration; `cordboard serve` starts one"
        )));
    };
    let reloaded = client.reload().await.map_err(|error| match error {
        Error::Refused { error, message, .. } if error == "configuration" => {
            Failed::BadThere(format!("{message}\nthe gateway keeps its configuration"))
        }
        error => Failed::because(error),
    })?;
    if arguments.json {
        return Ok(writeln!(out, "{:#}", serde_json::json!(reloaded))?);
    }
    list(out, "in effect now:", &reloaded.changed)?;
    list(out, "not before a restart:", &reloaded.needs_restart)?;
    for warning in &reloaded.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    if reloaded.changed.is_empty() && reloaded.needs_restart.is_empty() {
        writeln!(out, "nothing changed")?;
    }
    Ok(())
}

fn list(out: &mut dyn Write, title: &str, changes: &[ChangeView]) -> Result<(), Failed> {
    if changes.is_empty() {
        return Ok(());
    }
    writeln!(out, "{title}")?;
    for change in changes {
        writeln!(out, "  {}: {}", change.path, change.what)?;
    }
    Ok(())
}
