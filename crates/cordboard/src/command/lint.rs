//! `cordboard lint`: what a customer would get of a bot's reply, channel by channel, before anything is sent.

mod draw;
mod reply;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use model::{Answer, Channel};
use serde_json::{Value, json};

use self::draw::{kind, picture};
use self::reply::{Of, Read};
use super::{ConfigFile, Failed};
use crate::admin::timeline::cut_in_words;
use crate::config::Written;
use crate::connector::messages::message;
use crate::fit::{Capabilities, Change, DoorKind, Fitted, Outcome, fit};
use crate::words::some;

/// The word for a channel that no flow names.
const UNKNOWN: &str = "unknown";

#[derive(Debug, Args)]
#[command(after_help = "\
A reply is what a bot sends by the webhook contract (docs/reference/webhook.schema.json): {\"items\": [ … ]}. With --bot,
it is what that bot's engine sends, within the bot's limits. A .toml file holds what a rule of a script does: `say`, `show`,
`choices`. The limits of each channel, with their sources, stand in docs/reference/channels.md; those of a configuration
count when --connector names one of its connectors. Changes are no failure, unless --strict makes them one; what looks
misspelt always is.

Examples:
  cordboard lint reply.json --channel whatsapp
  cordboard lint reply.json --all
  curl -s https://bot.example.com/answer | cordboard lint - --channel sms --door v1
  cordboard lint reply.json --channel line --config cordboard.toml --connector digital
  cordboard lint reply.json --all --config cordboard.toml --bot parcels
  cordboard lint shown.toml --channel apple")]
pub(super) struct Arguments {
    /// The file with the reply; `-` is standard input.
    reply: PathBuf,
    /// What the customer uses: web_messaging, sms, whatsapp, messenger, apple, instagram, line, open, voice, or unknown,
    /// which is what counts when neither flow nor configuration says it.
    #[arg(long, default_value = UNKNOWN, value_parser = channel)]
    channel: Shown,
    /// Every channel, as a table.
    #[arg(long, conflicts_with = "channel")]
    all: bool,
    /// The door that the reply leaves by.
    #[arg(long, value_enum, default_value_t = Door::V2, conflicts_with = "connector")]
    door: Door,
    /// The integration lets files through (its property in Genesys is on).
    #[arg(long, conflicts_with = "connector")]
    attachments: bool,
    /// The configuration file, for --connector and --bot.
    #[arg(long = "config", short = 'c', value_name = "FILE", env = "CORDBOARD_CONFIG")]
    config: Option<PathBuf>,
    /// Takes door and limits from this connector of the configuration.
    #[arg(long, value_name = "KEY")]
    connector: Option<String>,
    /// Reads the reply as this bot's engine sends it, within the limits of its configuration.
    #[arg(long, value_name = "BOT")]
    bot: Option<String>,
    /// As JSON, with the messages as Genesys gets them.
    #[arg(long)]
    json: bool,
    /// Fails when anything had to be changed.
    #[arg(long)]
    strict: bool,
}

/// A channel, or none that is known.
#[derive(Clone, Copy, Debug)]
struct Shown(Option<Channel>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Door {
    /// Bot Connector.
    V1,
    /// Digital Bot Connector.
    V2,
}

fn channel(word: &str) -> Result<Shown, String> {
    match Channel::read(word) {
        None if word != UNKNOWN => {
            let words: Vec<&str> = Channel::ALL.into_iter().map(Channel::word).chain([UNKNOWN]).collect();
            Err(format!("there are {}", words.join(", ")))
        }
        channel => Ok(Shown(channel)),
    }
}

const fn word(channel: Option<Channel>) -> &'static str {
    match channel {
        Some(channel) => channel.word(),
        None => UNKNOWN,
    }
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failed> {
    let written = written(arguments)?;
    let rows = rows(arguments, written.as_ref())?;
    let of = match (&arguments.bot, &written) {
        (Some(bot), Some(written)) => Of::bot(written, bot)?,
        _ => Of::ANYBODY,
    };
    let Read { answer, mistakes } = of.read(&arguments.reply)?;
    let channels = Channel::ALL.into_iter().map(Some).chain([None]);
    let chosen: Vec<&Capabilities> = channels
        .filter(|channel| arguments.all || *channel == arguments.channel.0)
        .filter_map(|channel| rows.iter().find(|row| row.channel == channel))
        .collect();
    let looks: Vec<Look<'_>> = chosen.into_iter().map(|to| Look { to, fitted: fit(&answer.items, to) }).collect();
    match (arguments.json, arguments.all, looks.as_slice()) {
        (true, false, [look]) => writeln!(out, "{:#}", look.json(&answer))?,
        (true, ..) => {
            let all: Vec<Value> = looks.iter().map(|look| look.json(&answer)).collect();
            writeln!(out, "{:#}", Value::from(all))?;
        }
        (false, false, [look]) => look.write(&answer, out)?,
        (false, ..) => table(&answer, &looks, out)?,
    }
    if !mistakes.is_empty() {
        return Err(Failed::because(format!("{}: {}", arguments.reply.display(), mistakes.join("; "))));
    }
    let changes: usize = answer.cuts.len() + looks.iter().map(|look| look.fitted.changes.len()).sum::<usize>();
    if arguments.strict && changes > 0 {
        return Err(Failed::because(format!("{}, and --strict takes none", some(changes, "change"))));
    }
    Ok(())
}

/// The configuration, where something of it is named.
fn written(arguments: &Arguments) -> Result<Option<Written>, Failed> {
    let option = match arguments {
        Arguments { connector: Some(_), .. } => "--connector names a connector",
        Arguments { bot: Some(_), .. } => "--bot names a bot",
        _ => return Ok(None),
    };
    let Some(file) = arguments.config.clone() else {
        return Err(Failed::because(format!("{option} of a configuration; give that with --config")));
    };
    ConfigFile { file }.load_without_any_secret().map(Some)
}

/// What each channel takes.
fn rows(arguments: &Arguments, written: Option<&Written>) -> Result<Vec<Capabilities>, Failed> {
    let (Some(key), Some(written)) = (&arguments.connector, written) else {
        let door = match arguments.door {
            Door::V1 => DoorKind::BotConnector,
            Door::V2 => DoorKind::DigitalBotConnector,
        };
        let rows = Capabilities::rows(door);
        return Ok(match arguments.attachments {
            true => rows.collect(),
            false => rows.map(Capabilities::without_attachments).collect(),
        });
    };
    let Some(connector) = written.connectors.get(key) else {
        let there: Vec<&str> = written.connectors.keys().map(String::as_str).collect();
        return Err(Failed::because(format!("no connector is called \"{key}\"; there are: {}", there.join(", "))));
    };
    let channels = connector.channels(&key.as_str().into()).map_err(Failed::because)?;
    Ok(channels.into_rows())
}

/// A reply on one channel.
struct Look<'a> {
    to: &'a Capabilities,
    fitted: Fitted,
}

impl Look<'_> {
    fn write(&self, answer: &Answer, out: &mut dyn Write) -> Result<(), Failed> {
        let Fitted { items, changes, .. } = &self.fitted;
        writeln!(
            out,
            "{} through {}: {} in, {} out, {}",
            word(self.to.channel),
            self.to.door.word(),
            some(answer.items.len(), "item"),
            some(items.len(), "message"),
            some(changes.len(), "change"),
        )?;
        for (index, item) in items.iter().enumerate() {
            writeln!(out, "\n{}. {}", index + 1, kind(item))?;
            for line in picture(item) {
                writeln!(out, "   | {line}")?;
            }
        }
        if !changes.is_empty() || !answer.cuts.is_empty() {
            writeln!(out)?;
        }
        for cut in &answer.cuts {
            writeln!(out, "limits of the bot: {}", cut_in_words(*cut))?;
        }
        for change in changes {
            writeln!(out, "{change}")?;
        }
        Ok(())
    }

    fn json(&self, answer: &Answer) -> Value {
        let Fitted { items, changes, .. } = &self.fitted;
        let messages: Vec<_> = items.iter().cloned().map(message).collect();
        let cuts: Vec<&str> = answer.cuts.iter().map(|cut| cut_in_words(*cut)).collect();
        json!({
            "channel": word(self.to.channel),
            "door": self.to.door.word(),
            "messages": messages,
            "changes": changes.iter().map(change).collect::<Vec<Value>>(),
            "cuts": cuts,
        })
    }

    /// What became of an item, in a word.
    fn outcome(&self, index: usize) -> &'static str {
        let of_it = self.fitted.changes.iter().filter(|change| change.item as usize == index + 1);
        match of_it.map(|change| change.what.outcome()).max() {
            None => "shown",
            Some(Outcome::Mended) => "mended",
            Some(Outcome::Plainer) => "plainer",
            Some(Outcome::Shortened) => "shortened",
            Some(Outcome::Split) => "split",
            Some(Outcome::AsText) => "as text",
            Some(Outcome::LeftOut) => "left out",
        }
    }
}

fn change(change: &Change) -> Value {
    let Change { item, what, found, limit, basis } = change;
    json!({
        "item": item,
        "what": what.word(),
        "found": found,
        "limit": limit,
        "source": basis.source.text(),
        "confidence": basis.confidence.word(),
        "text": change.to_string(),
    })
}

/// A line for each channel, a column for each item.
fn table(answer: &Answer, looks: &[Look<'_>], out: &mut dyn Write) -> Result<(), Failed> {
    let heads: Vec<String> =
        answer.items.iter().enumerate().map(|(index, item)| format!("{} {}", index + 1, kind(item))).collect();
    let first = looks.iter().map(|look| word(look.to.channel).len()).max().unwrap_or_default();
    write!(out, "{:first$}", "")?;
    for head in &heads {
        write!(out, "  {head:9}")?;
    }
    writeln!(out, "  messages")?;
    for look in looks {
        write!(out, "{:first$}", word(look.to.channel))?;
        for (index, head) in heads.iter().enumerate() {
            write!(out, "  {:1$}", look.outcome(index), head.len().max(9))?;
        }
        writeln!(out, "  {}", look.fitted.items.len())?;
    }
    for cut in &answer.cuts {
        writeln!(out, "limits of the bot: {}", cut_in_words(*cut))?;
    }
    writeln!(out, "\n--channel NAME shows one of them, with every change and why.")?;
    Ok(())
}
