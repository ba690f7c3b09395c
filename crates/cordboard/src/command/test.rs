//! `cordboard test`: plays conversation files against the configured bots, in a rehearsal.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use simulator::file::ConversationFile;
use simulator::{NoHooks, Played};

use super::rehearsal::{Rehearsal, target, word};
use super::{ConfigFile, Failed};
use crate::words::some;

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
    let rehearsal = Rehearsal::start(arguments.config.load_without_secrets()?).await?;
    let mut failed = 0;
    for (name, file) in &files {
        let wanted = arguments.connector.as_deref();
        let Some(offer) = rehearsal.choose(file.door, &file.bot, wanted) else {
            writeln!(
                out,
                "{name}: the file wants the bot '{}' on a connector of the door {}{}; there are: {}",
                file.bot,
                word(file.door),
                wanted.map(|wanted| format!(" that is called '{wanted}'")).unwrap_or_default(),
                rehearsal.in_words()
            )?;
            failed += 1;
            continue;
        };
        let played = rehearsal.simulator.play(file, &target(file.door, offer.registered), &NoHooks).await;
        show(&played, arguments.show, out)?;
        failed += usize::from(!played.passed);
    }
    rehearsal.stop().await?;
    match failed {
        0 => Ok(()),
        _ => Err(Failed::because(format!("{failed} of {} failed", some(files.len(), "conversation")))),
    }
}
