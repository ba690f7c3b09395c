//! `cordboard dead-letters`: what could not be delivered or understood.
//!
//! A running server is asked through its admin socket. When none runs, the store is opened for looking and dropping;
//! trying again needs a server, since only a server sends.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{ConfigFile, Failed};
use crate::admin::client::Client;
use crate::admin::view::{LetterPage, LetterView, RetryView};
use crate::store::sqlite::{Settings, Sqlite};
use crate::store::{LetterQuery, Store};

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
pub(super) struct Common {
    #[command(flatten)]
    config: ConfigFile,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
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
    let letters = Letters::of(&common.config.data_dir()?).await?;
    let json = common.json;
    match command {
        Command::List(list) => {
            let page = letters.list(list.after, list.limit).await?;
            if json { print_json(&page, out) } else { print_page(&page, out) }
        }
        Command::Show(one) => print_letter(&letters.one(one.id).await?, json, out),
        Command::Retry(retry) => print_outcome(&letters.retry(retry.one.id, retry.dry_run).await?, json, out),
        Command::Drop(drop) if drop.dry_run => {
            let letter = letters.one(drop.one.id).await?;
            let message = Some(format!("{} of {}: {}", letter.kind, letter.place, letter.reason));
            print_outcome(&RetryView { outcome: "would_drop".to_owned(), message }, json, out)
        }
        Command::Drop(drop) => print_outcome(&letters.drop(drop.one.id).await?, json, out),
    }
}

/// Where the letters are.
enum Letters {
    Running(Client),
    Resting(Arc<dyn Store>),
}

impl Letters {
    async fn of(data_dir: &Path) -> Result<Self, Failed> {
        if let Some(client) = Client::connect(data_dir).await {
            return Ok(Self::Running(client));
        }
        // A look must not make a folder where there is none.
        if !data_dir.exists() {
            return Err(Failed::because(format!(
                "there is no data folder {}: no server has run with this configuration yet",
                data_dir.display()
            )));
        }
        let store = Sqlite::open(&Settings::new(data_dir)).map_err(Failed::because)?;
        Ok(Self::Resting(Arc::new(store)))
    }

    async fn list(&self, after: u64, limit: u32) -> Result<LetterPage, Failed> {
        match self {
            Self::Running(client) => client.letters(after, limit).await.map_err(Failed::because),
            Self::Resting(store) => {
                let letters = store.dead_letters(LetterQuery { after, limit }).await.map_err(Failed::because)?;
                let full = letters.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
                let letters: Vec<LetterView> = letters.iter().map(LetterView::brief).collect();
                let next_after = letters.last().filter(|_| full).map(|letter| letter.id.clone());
                Ok(LetterPage { letters, next_after })
            }
        }
    }

    async fn one(&self, id: u64) -> Result<LetterView, Failed> {
        match self {
            Self::Running(client) => client.letter(id).await.map_err(Failed::because),
            Self::Resting(store) => {
                let letter = store.dead_letter(id).await.map_err(Failed::because)?.ok_or_else(no_letter)?;
                Ok(LetterView::whole(&letter))
            }
        }
    }

    async fn retry(&self, id: u64, dry_run: bool) -> Result<RetryView, Failed> {
        match self {
            Self::Running(client) => client.retry(id, dry_run).await.map_err(Failed::because),
            Self::Resting(_) => Err(Failed::because(
                "no server runs; start one with `cordboard serve`, since only a server can try again",
            )),
        }
    }

    async fn drop(&self, id: u64) -> Result<RetryView, Failed> {
        match self {
            Self::Running(client) => client.drop_letter(id).await.map_err(Failed::because),
            Self::Resting(store) => {
                if !store.drop_letter(id).await.map_err(Failed::because)? {
                    return Err(no_letter());
                }
                Ok(RetryView { outcome: "dropped".to_owned(), message: None })
            }
        }
    }
}

fn no_letter() -> Failed {
    Failed::because("there is no such letter")
}

fn print_json(value: &impl Serialize, out: &mut dyn Write) -> Result<(), Failed> {
    let text = serde_json::to_string_pretty(value).map_err(Failed::because)?;
    writeln!(out, "{text}")?;
    Ok(())
}

fn print_page(page: &LetterPage, out: &mut dyn Write) -> Result<(), Failed> {
    if page.letters.is_empty() {
        writeln!(out, "no dead letters")?;
    } else {
        writeln!(out, "{:<20} {:<24} {:<9} {:<20} {:>8}  reason", "id", "died", "kind", "place", "attempts")?;
    }
    for LetterView { id, kind, place, reason, attempts, died_ms, .. } in &page.letters {
        writeln!(out, "{id:<20} {:<24} {kind:<9} {place:<20} {attempts:>8}  {reason}", date(*died_ms))?;
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
    let payload = letter.payload.as_deref().or(letter.payload_base64.as_deref()).unwrap_or_default();
    writeln!(
        out,
        "id            {}\ndied          {}\nkind          {}\nplace         {}\nconversation  {conversation}\n\
         attempts      {}\nreason        {}\npayload       {payload}",
        letter.id,
        date(letter.died_ms),
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

/// Date and time in UTC, by the proleptic Gregorian calendar.
fn date(ms: i64) -> String {
    let (days, ms_of_day) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    // Years begin in March here, so that the leap day is the last one; an era has 400 years.
    let from_march = days + 719_468;
    let (era, day_of_era) = (from_march.div_euclid(146_097), from_march.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (hour, minute, second) = (ms_of_day / 3_600_000, ms_of_day / 60_000 % 60, ms_of_day / 1_000 % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let table = [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400_000, "2000-02-29 00:00:00 UTC"),
            (1_709_251_199_999, "2024-02-29 23:59:59 UTC"),
            (1_735_689_600_000, "2025-01-01 00:00:00 UTC"),
            (-1, "1969-12-31 23:59:59 UTC"),
        ];
        for (ms, expected) in table {
            assert_eq!(date(ms), expected);
        }
    }
}
