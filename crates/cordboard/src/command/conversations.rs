//! `cordboard conversations`: what customers and bots are at, and how it came to that.
//!
//! A running server is asked through its admin socket; when none runs, the store is opened. What was said is shown only
//! when it is asked for, since whoever looks for a fault mostly need not read it.

use std::io::Write;

use clap::{Args, Subcommand};
use model::{ConversationId, Timestamp};

use super::at_hand::{
    AtHand, Common, beside_now, now_ms, plain, print_json, print_json_line, read_span, server, span, utc,
};
use super::signals::Signals;
use super::{ConfigFile, Failed};
use crate::admin::client::Client;
use crate::admin::look::{self, Hops, LegView, Line, Page, SeatView, View, Wanted};
use crate::admin::timeline::Hop;
use crate::identity::Identities;
use crate::words::some;

/// How long a server is asked to wait for news.
const WAIT_MS: u64 = 20_000;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lists conversations, the latest touched first.
    List(List),
    /// Shows where a conversation stands: who may speak, what waits, what is under way, when something is due.
    Show(Show),
    /// Tells what happened in a conversation, and goes on telling until Ctrl-C.
    Follow(Follow),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cordboard conversations list --config cordboard.toml
  cordboard conversations list --floor handing_over --since 1h --config cordboard.toml")]
pub(super) struct List {
    /// Only those with this bot, by its table key.
    #[arg(long, value_name = "BOT")]
    bot: Option<String>,
    /// Only those whose floor is this one's.
    #[arg(long, value_name = "WHO", value_parser = ["bot", "handing_over", "queued", "human", "ended"])]
    floor: Option<String>,
    /// Only those with something open: a session, a wait, something on its way.
    #[arg(long)]
    open: bool,
    /// Only those touched in this time, such as 15m, 1h or 2d.
    #[arg(long, value_name = "TIME", value_parser = read_span)]
    since: Option<u64>,
    /// At most so many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=i64::from(look::PAGE_MAX)))]
    limit: u32,
    /// Continues a list at the place that it ended with.
    #[arg(long, value_name = "PLACE")]
    before: Option<u64>,
    #[command(flatten)]
    common: Common,
}

/// Which conversation.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct Which {
    /// The conversation, by Cordboard's id of it.
    #[arg(value_parser = read_id)]
    id: Option<ConversationId>,
    /// The same, by the platform's id of the conversation or of the bot's session.
    #[arg(long, value_name = "ID")]
    platform_id: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cordboard conversations show 0006a3b2c4d5e6f7 --config cordboard.toml
  cordboard conversations show --platform-id 8a4f1c9e-55d2-4b8e-9a70-3f2f7c1d2e4b --config cordboard.toml")]
pub(super) struct Show {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Times are UTC, with the distance to the line before. Without a conversation, all of them are told as
they go on.

Examples:
  cordboard conversations follow --config cordboard.toml
  cordboard conversations follow 0006a3b2c4d5e6f7 --words --config cordboard.toml
  cordboard conversations follow --platform-id 8a4f1c9e-55d2-4b8e-9a70-3f2f7c1d2e4b --once --config cordboard.toml")]
pub(super) struct Follow {
    #[command(flatten)]
    which: Which,
    /// Shows what customers and bots said. Needs the role operate, and is entered in the audit trail.
    #[arg(long)]
    words: bool,
    /// Tells what is there, and ends.
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    common: Common,
}

impl Command {
    const fn common(&self) -> &Common {
        match self {
            Self::List(list) => &list.common,
            Self::Show(show) => &show.common,
            Self::Follow(follow) => &follow.common,
        }
    }
}

pub(super) async fn run(command: &Command, out: &mut (dyn Write + Send)) -> Result<(), Failed> {
    let common = command.common();
    let data_dir = common.config.data_dir()?;
    if let Command::Follow(follow) = command
        && follow.which.is_open()
    {
        if follow.once {
            return Err(Failed::because("--once needs a conversation: its id, or --platform-id"));
        }
        let what = "start one with `cordboard serve`, or name a conversation to see what is stored of it";
        let client = server(&data_dir, what).await?;
        return following(&client, None, follow, out).await;
    }
    let at_hand = AtHand::of(&data_dir).await?;
    match command {
        Command::List(list) => {
            let page = at_hand.list(&list.wanted()).await?;
            if common.json { print_json(&page, out) } else { print_page(&page, now_ms(), out) }
        }
        Command::Show(show) => {
            if show.which.is_open() {
                return Err(Failed::because(
                    "name a conversation: its id, or --platform-id; `conversations list` has them",
                ));
            }
            let view = at_hand.view(&show.which, &common.config).await?;
            if common.json { print_json(&view, out) } else { print_view(&view, now_ms(), out) }
        }
        Command::Follow(follow) => {
            let view = at_hand.view(&follow.which, &common.config).await?;
            let id: ConversationId = view.line.id.parse().map_err(Failed::because)?;
            match &at_hand {
                AtHand::Running(client) => following(client, Some(id), follow, out).await,
                AtHand::Resting(store, _) => {
                    let mut told = Told::new(follow, Some(id));
                    let mut after = 0;
                    loop {
                        let hops =
                            look::hops(store.as_ref(), id, after, follow.words).await.map_err(Failed::because)?;
                        let hops = hops.unwrap_or_default();
                        told.tell(&hops.hops, out)?;
                        after = place(&hops)?;
                        if !hops.more {
                            return Ok(());
                        }
                    }
                }
            }
        }
    }
}

impl Which {
    const fn is_open(&self) -> bool {
        self.id.is_none() && self.platform_id.is_none()
    }
}

impl List {
    fn wanted(&self) -> Wanted {
        let since = self.since.map(|ms| Timestamp(now_ms().saturating_sub_unsigned(ms)));
        Wanted {
            bot: self.bot.as_deref().map(Into::into),
            floor: self.floor.as_deref().and_then(look::holder),
            open: self.open,
            since,
            before: self.before,
            limit: self.limit,
        }
    }
}

impl AtHand {
    async fn list(&self, wanted: &Wanted) -> Result<Page, Failed> {
        match self {
            Self::Running(client) => client.conversations(wanted).await.map_err(Failed::because),
            Self::Resting(store, _) => look::list(store.as_ref(), wanted).await.map_err(Failed::because),
        }
    }

    async fn view(&self, which: &Which, config: &ConfigFile) -> Result<View, Failed> {
        let platform_id = which.platform_id.as_deref().unwrap_or_default();
        match (self, which.id) {
            (Self::Running(client), Some(id)) => client.conversation(id).await.map_err(Failed::because),
            (Self::Running(client), None) => client.by_platform_id(platform_id).await.map_err(Failed::because),
            (Self::Resting(store, _), id) => {
                let unknown = || Failed::because("there is no such conversation");
                let id = match id {
                    Some(id) => id,
                    None => {
                        let (orgs, connectors) = config.outside_names()?;
                        // A start of our own: the folder's lock is ours, so nobody else's claims end by it.
                        let started = store.start().await.map_err(Failed::because)?;
                        let identities = Identities::new(started.hash_key);
                        let found = look::find(store.as_ref(), identities, &orgs, &connectors, platform_id).await;
                        found.map_err(Failed::because)?.ok_or_else(unknown)?
                    }
                };
                look::show(store.as_ref(), id).await.map_err(Failed::because)?.ok_or_else(unknown)
            }
        }
    }
}

fn read_id(text: &str) -> Result<ConversationId, String> {
    let wrong =
        "an id has 16 hexadecimal digits, as `conversations list` shows; a platform's goes behind --platform-id";
    if text.len() == 16 { text.parse().map_err(|_| wrong.to_owned()) } else { Err(wrong.to_owned()) }
}

fn place(hops: &Hops) -> Result<u64, Failed> {
    hops.after.parse().map_err(|_| Failed::because("the server's answer is not understood; is it of another version?"))
}

/// Tells hops until there are no more, or until a signal.
async fn following(
    client: &Client,
    id: Option<ConversationId>,
    follow: &Follow,
    out: &mut (dyn Write + Send),
) -> Result<(), Failed> {
    let mut signals = Signals::new()?;
    let mut told = Told::new(follow, id);
    let mut after = None;
    loop {
        let wait_ms = if follow.once || after.is_none() { 0 } else { WAIT_MS };
        let hops = tokio::select! {
            biased;
            () = signals.next() => return Ok(()),
            hops = client.hops(id, after, follow.words, wait_ms) => hops.map_err(Failed::because)?,
        };
        told.tell(&hops.hops, out)?;
        let now = place(&hops)?;
        if follow.once && !hops.more {
            return Ok(());
        }
        after = Some(now);
    }
}

/// How hops are told.
struct Told {
    json: bool,
    /// Which conversation a line is of must be told, when it may be any.
    names_conversation: bool,
    words: bool,
    last_ms: Option<i64>,
}

impl Told {
    const fn new(follow: &Follow, id: Option<ConversationId>) -> Self {
        Self { json: follow.common.json, names_conversation: id.is_none(), words: follow.words, last_ms: None }
    }

    fn tell(&mut self, hops: &[Hop], out: &mut dyn Write) -> Result<(), Failed> {
        for hop in hops {
            if self.json {
                print_json_line(hop, out)?;
                continue;
            }
            let gap = self.last_ms.map(|last| span(hop.at_ms - last)).unwrap_or_default();
            self.last_ms = Some(hop.at_ms);
            let gap = if gap.is_empty() || gap.starts_with('-') { gap } else { format!("+{gap}") };
            let conversation = if self.names_conversation { format!("{}  ", hop.conversation) } else { String::new() };
            writeln!(
                out,
                "{}  {gap:>11}  {conversation}{:<12}  {}{}",
                utc(hop.at_ms),
                hop.what,
                plain(&hop.text),
                self.said(hop)
            )?;
            for words in &hop.words {
                writeln!(
                    out,
                    "{:>39}“{}”",
                    "",
                    plain(words).replace('\n', "\n                                        ")
                )?;
            }
        }
        out.flush()?;
        Ok(())
    }

    fn said(&self, hop: &Hop) -> String {
        match hop.characters {
            0 => String::new(),
            _ if self.words => String::new(),
            characters => format!(" ({})", some(characters, "character")),
        }
    }
}

fn print_page(page: &Page, now_ms: i64, out: &mut dyn Write) -> Result<(), Failed> {
    if page.conversations.is_empty() {
        writeln!(out, "no conversations")?;
    } else {
        writeln!(
            out,
            "{:<16}  {:>12}  {:<12}  {:<4}  {:>5}  {:<14}  bots (connectors)",
            "id", "touched ago", "floor", "open", "turns", "due in"
        )?;
    }
    for Line { id, touched_ms, floor, bots, connectors, turns, open, next_due_ms } in &page.conversations {
        let due = next_due_ms.map(|due| span(due - now_ms)).unwrap_or_default();
        let open = if *open { "yes" } else { "no" };
        writeln!(
            out,
            "{id:<16}  {:>12}  {floor:<12}  {open:<4}  {turns:>5}  {due:<14}  {} ({})",
            span(now_ms - touched_ms),
            bots.join(", "),
            connectors.join(", "),
        )?;
    }
    if let Some(before) = &page.next_before {
        writeln!(out, "there may be more: --before {before}")?;
    }
    Ok(())
}

fn print_view(view: &View, now_ms: i64, out: &mut dyn Write) -> Result<(), Failed> {
    let at = |ms: i64| beside_now(ms, now_ms);
    writeln!(out, "conversation  {}", view.line.id)?;
    writeln!(out, "floor         {}", view.floor_in_words)?;
    writeln!(out, "since         {}", at(view.floor_since_ms))?;
    writeln!(out, "last step     number {}, {}", view.version, at(view.line.touched_ms))?;
    writeln!(out, "turns         {}", view.line.turns)?;
    match view.line.next_due_ms {
        Some(due) => writeln!(out, "due           {}", at(due))?,
        None => writeln!(out, "due           nothing")?,
    }
    for seat in &view.seats {
        print_seat(seat, now_ms, out)?;
    }
    for leg in &view.legs {
        print_leg(leg, now_ms, out)?;
    }
    if view.under_way.is_empty() {
        writeln!(out, "under way     nothing")?;
    }
    for row in &view.under_way {
        let state = if row.claimed { "running".to_owned() } else { format!("not before {}", at(row.due_ms)) };
        writeln!(out, "under way     {}, attempt {}, {state}", row.what, row.attempts.max(1))?;
    }
    Ok(())
}

fn print_seat(seat: &SeatView, now_ms: i64, out: &mut dyn Write) -> Result<(), Failed> {
    let open = if seat.open { "is in session" } else { "has no session" };
    write!(out, "bot           {} {open}, visit {}, engine session {}", seat.bot, seat.visits, seat.engine_session)?;
    if let Some(turn) = seat.turn {
        let deadline = seat.turn_deadline_ms.map(|ms| beside_now(ms, now_ms)).unwrap_or_default();
        write!(out, "; works on turn {turn}, until {deadline}")?;
    }
    if seat.waiting > 0 {
        let waits = if seat.waiting == 1 { "waits" } else { "wait" };
        write!(out, "; {} {waits} behind", some(seat.waiting, "message"))?;
    }
    if let Some(follow_up) = seat.follow_up_ms {
        write!(out, "; silence ends it {}", beside_now(follow_up, now_ms))?;
    }
    writeln!(out)?;
    Ok(())
}

fn print_leg(leg: &LegView, now_ms: i64, out: &mut dyn Write) -> Result<(), Failed> {
    write!(out, "session       {} on {}", leg.session, leg.connector)?;
    match &leg.closed {
        Some(evidence) => write!(out, ", over: {}", evidence.replace('_', " "))?,
        None => write!(out, ", open until {}", beside_now(leg.expires_ms, now_ms))?,
    }
    let counts = [
        (leg.open_requests, "requests wait for an answer"),
        (leg.unconfirmed, "replies are not known to have left"),
        (leg.held_parts, "parts wait for a way out"),
        (leg.pushes, "pushes under way"),
    ];
    for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
        write!(out, "; {what}: {count}")?;
    }
    writeln!(out)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_gives_the_terminal_no_orders() {
        let hop = Hop {
            at_ms: 0,
            conversation: "1".to_owned(),
            row: 1,
            what: "came in".to_owned(),
            text: "session \u{9b}2J".to_owned(),
            words: vec!["two\nlines\u{1b}]0;title\u{7}".to_owned()],
            characters: 0,
        };
        let mut told = Told { json: false, names_conversation: false, words: true, last_ms: None };
        let mut out = Vec::new();
        assert!(told.tell(&[hop], &mut out).is_ok());
        let out = String::from_utf8(out).unwrap();
        assert!(!out.contains(|letter: char| letter.is_control() && letter != '\n'), "{out:?}");
        assert!(out.contains("lines\u{fffd}]0;title\u{fffd}”"), "{out:?}");
    }
}
