//! `cordboard config`: a file to start from, the schema, and the values in effect.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{ConfigFile, Failed};
use crate::config::{INIT, schema};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Writes a commented configuration with every key and its default.
    Init(Init),
    /// Prints the JSON Schema of the configuration, for editors and build servers.
    Schema,
    /// Prints the values in effect: what the file says, and the defaults of what it does not say. Secrets are hidden.
    Show(Show),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cordboard config init --file /etc/cordboard/cordboard.toml")]
pub(super) struct Init {
    /// The file to write; `-` is standard output.
    #[arg(long, value_name = "FILE", default_value = "cordboard.toml")]
    file: PathBuf,
    /// Replaces a file that is there already.
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cordboard config show --config cordboard.toml --json | jq .server")]
pub(super) struct Show {
    #[command(flatten)]
    config: ConfigFile,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &Command, out: &mut dyn Write) -> Result<(), Failed> {
    match command {
        Command::Init(init) => write_file(init, out),
        Command::Schema => Ok(writeln!(out, "{:#}", schema())?),
        Command::Show(show) => {
            let config = show.config.load()?;
            match show.json {
                true => writeln!(out, "{:#}", config.effective.to_json())?,
                false => write!(out, "{}", config.effective.to_toml())?,
            }
            Ok(())
        }
    }
}

fn write_file(init: &Init, out: &mut dyn Write) -> Result<(), Failed> {
    let Init { file, force } = init;
    if file.as_os_str() == "-" {
        return Ok(out.write_all(INIT.as_bytes())?);
    }
    let shown = file.display();
    write_new(file, *force).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            Failed::because(format!("{shown} is there already; --force replaces it, and --file names another"))
        }
        ErrorKind::NotFound => Failed::because(format!("cannot write {shown}: there is no such folder; make it first")),
        _ => Failed::because(format!("cannot write {shown}: {error}; --file names another place")),
    })?;
    write!(
        out,
        "\
wrote {shown}, with every key and its default. Next:

  1. Write your org, your host and your bot into it.
  2. Give it the secrets that it names:
       export GENESYS_CLIENT_ID=… GENESYS_CLIENT_SECRET=…
       export DIGITAL_KEY=$(openssl rand -hex 24) CLASSIC_KEY=$(openssl rand -hex 24)
       export BOT_SECRET=whsec_$(openssl rand -base64 32)
  3. cordboard check --config {shown}
       says whether it is right, and what to enter in Genesys
  4. cordboard serve --config {shown}
"
    )?;
    Ok(())
}

fn write_new(file: &Path, force: bool) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true);
    match force {
        true => options.create(true).truncate(true),
        false => options.create_new(true),
    };
    options.open(file)?.write_all(INIT.as_bytes())
}
