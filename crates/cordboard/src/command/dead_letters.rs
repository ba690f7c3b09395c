//! `cordboard dead-letters`: what could not be delivered or understood.
//!
//! A running server is asked through its admin socket. When none runs, the store is opened for looking and dropping;
//! trying again needs a server, since only a server sends.

use std::io::Write;

use clap::{Args, Subcommand};
use model::Timestamp;

use super::Failed;
use super::at_hand::{AtHand, Common, now_ms, plain, print_json, utc};
use crate::admin::audit::{Entry, Trail};
use crate::admin::view::{LetterPage, LetterView, RetryView};
use crate::store::LetterQuery;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lists letters, the oldest first, without what is in them.
    List(List),
    /// Shows one letter with what is in it: customers' words.
    Show(One),
    /// Tries a letter again. Nothing is ever said after the end of a conversation or over a human.
    Retry(Retry),
    /// Drops a letter for good.
    Drop(Drop),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only letters after this id.
    #[arg(long, default_value_t = 0, value_name = "ID")]
    after: u64,
    /// At most so many.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(super) struct One {
    /// The letter.
    id: u64,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cordboard dead-letters list --config cordboard.toml
  cordboard dead-letters retry 424242 --dry-run --config cordboard.toml")]
pub(super) struct Retry {
    /// Says what would happen, and does nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    one: One,
}

#[derive(Debug, Args)]
pub(super) struct Drop {
    /// Says what would be dropped, and does nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    one: One,
}

impl Command {
    const fn common(&self) -> &Common {
        match self {
            Self::List(list) => &list.common,
            Self::Show(one) => &one.common,
            Self::Retry(retry) => &retry.one.common,
            Self::Drop(drop) => &drop.one.common,
        }
    }
}

pub(super) async fn run(command: &Command, out: &mut dyn Write) -> Result<(), Failed> {
    let common = command.common();
    // Letters must be at hand even where a secret is not set.
    let letters = AtHand::of(&common.config.data_dir()?).await?;
    let json = common.json;
    match command {
        Command::List(list) => {
            let page = letters.letters(list.after, list.limit).await?;
            if json { print_json(&page, out) } else { print_page(&page, out) }
        }
        Command::Show(one) => print_letter(&letters.letter(one.id).await?, json, out),
        Command::Retry(retry) => print_outcome(&letters.retry_letter(retry.one.id, retry.dry_run).await?, json, out),
        Command::Drop(drop) if drop.dry_run => {
            let letter = letters.letter(drop.one.id).await?;
            let message = Some(format!("{} of {}: {}", letter.kind, letter.place, letter.reason));
            print_outcome(&RetryView { outcome: "would_drop".to_owned(), message }, json, out)
        }
        Command::Drop(drop) => print_outcome(&letters.drop_letter(drop.one.id).await?, json, out),
    }
}

impl AtHand {
    async fn letters(&self, after: u64, limit: u32) -> Result<LetterPage, Failed> {
        match self {
            Self::Running(client) => client.letters(after, limit).await.map_err(Failed::because),
            Self::Resting(store, _) => {
                let letters = store.dead_letters(LetterQuery { after, limit }).await.map_err(Failed::because)?;
                let full = letters.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
                let letters: Vec<LetterView> = letters.iter().map(LetterView::brief).collect();
                let next_after = letters.last().filter(|_| full).map(|letter| letter.id.clone());
                Ok(LetterPage { letters, next_after })
            }
        }
    }

    async fn letter(&self, id: u64) -> Result<LetterView, Failed> {
        match self {
            Self::Running(client) => client.letter(id).await.map_err(Failed::because),
            Self::Resting(store, _) => {
                let letter = store.dead_letter(id).await.map_err(Failed::because)?.ok_or_else(no_letter)?;
                Ok(LetterView::whole(&letter))
            }
        }
    }

    async fn retry_letter(&self, id: u64, dry_run: bool) -> Result<RetryView, Failed> {
        match self {
            Self::Running(client) => client.retry(id, dry_run).await.map_err(Failed::because),
            Self::Resting(..) => Err(Failed::because(
                "no server runs; start one with `cordboard serve`, since only a server can try again",
            )),
        }
    }

    async fn drop_letter(&self, id: u64) -> Result<RetryView, Failed> {
        match self {
            Self::Running(client) => client.drop_letter(id).await.map_err(Failed::because),
            Self::Resting(store, data_dir) => {
                if !store.drop_letter(id).await.map_err(Failed::because)? {
                    return Err(no_letter());
                }
                let entry = Entry::of_owner(Timestamp(now_ms()), "dead-letters drop", &id.to_string(), "done");
                Trail::of(data_dir).enter(&entry)?;
                Ok(RetryView { outcome: "dropped".to_owned(), message: None })
            }
        }
    }
}

fn no_letter() -> Failed {
    Failed::because("there is no such letter")
}

fn print_page(page: &LetterPage, out: &mut dyn Write) -> Result<(), Failed> {
    if page.letters.is_empty() {
        writeln!(out, "no dead letters")?;
    } else {
        writeln!(out, "{:<20} {:<24} {:<9} {:<20} {:>8}  reason", "id", "died", "kind", "place", "attempts")?;
    }
    for LetterView { id, kind, place, reason, attempts, died_ms, .. } in &page.letters {
        writeln!(out, "{id:<20} {:<24} {kind:<9} {place:<20} {attempts:>8}  {reason}", utc(*died_ms))?;
    }
    if let Some(next) = &page.next_after {
        writeln!(out, "there are more: --after {next}")?;
    }
    Ok(())
}

fn print_letter(letter: &LetterView, json: bool, out: &mut dyn Write) -> Result<(), Failed> {
    if json {
        return print_json(letter, out);
    }
    let conversation = letter.conversation.as_deref().unwrap_or("none");
    let payload = letter.payload.as_deref().or(letter.payload_base64.as_deref());
    let payload = plain(payload.unwrap_or("not shown in the role read: these are customers' words"));
    writeln!(
        out,
        "id            {}\ndied          {}\nkind          {}\nplace         {}\nconversation  {conversation}\n\
         attempts      {}\nreason        {}\npayload       {payload}",
        letter.id,
        utc(letter.died_ms),
        letter.kind,
        letter.place,
        letter.attempts,
        letter.reason,
    )?;
    Ok(())
}

fn print_outcome(outcome: &RetryView, json: bool, out: &mut dyn Write) -> Result<(), Failed> {
    if json {
        return print_json(outcome, out);
    }
    let words = outcome.outcome.replace('_', " ");
    match &outcome.message {
        Some(message) => writeln!(out, "{words}: {message}")?,
        None => writeln!(out, "{words}")?,
    }
    Ok(())
}
