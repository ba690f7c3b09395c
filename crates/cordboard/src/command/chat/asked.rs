//! What a person types into a chat: the customer's words, a number for a tap, or an order to the chat itself.

use std::time::Duration;

use model::Channel;
use simulator::Door;

use super::draw::wrapped;
use super::offered::Offered;
use crate::config::unknown;

/// What may be ordered, with what it does.
const ORDERS: [(&str, &str); 14] = [
    ("/help", "what can be typed"),
    ("/open", "the flow lets the bot speak first"),
    ("/trace", "what happened since the last input, hop by hop; /trace on shows it each time, /trace off no more"),
    ("/wait 20s", "lets time pass, and shows what comes meanwhile"),
    ("/channel sms", "a new conversation of a customer who uses this; without a word: which there are"),
    ("/door v1", "a new conversation through the other door"),
    ("/language de", "a new conversation in this language"),
    ("/set tier=gold", "the flow sets a session variable, from the next input on"),
    ("/engine", "what answers for the bot, where, and how its last call ended"),
    ("/save FILE", "keeps the conversation as a file for `cordboard test`"),
    ("/leave", "the customer goes away"),
    ("/return", "the flow gives the conversation back to the bot"),
    ("/reset", "a new conversation"),
    ("/quit", "ends; Ctrl-D and Ctrl-C do the same"),
];

/// What was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Nothing,
    Say(String),
    Tap(usize),
    Help,
    Open,
    Trace(Option<bool>),
    Wait(Duration),
    Channel(Option<Channel>),
    Door(Door),
    Language(String),
    Set(String, String),
    Engine,
    Save(String),
    Leave,
    Return,
    Reset,
    Quit,
    /// Not understood, and why.
    Unknown(String),
}

/// Reads a line. A number with nothing to tap is text; the gateway knows its own lines.
pub(super) fn read(line: &str, offered: &Offered) -> Asked {
    let line = line.trim_end_matches(['\r', '\n']);
    if line.trim().is_empty() {
        return Asked::Nothing;
    }
    // Two slashes begin words that begin with one.
    if let Some(words) = line.strip_prefix("//") {
        return Asked::Say(format!("/{words}"));
    }
    if let Some(order) = line.trim().strip_prefix('/') {
        let (order, rest) = order.split_once(char::is_whitespace).unwrap_or((order, ""));
        return read_order(order, rest.trim()).unwrap_or_else(Asked::Unknown);
    }
    match line.trim().parse::<usize>() {
        Ok(number) if offered.tap(number).is_some() => Asked::Tap(number),
        _ => Asked::Say(line.to_owned()),
    }
}

/// Whether a line looks like an answer by number and is none. A larger number is rather a size or a date.
pub(super) fn is_number(line: &str, offered: &Offered) -> bool {
    matches!(line.trim().parse::<usize>(), Ok(number) if number < 10 && !offered.has(number))
}

fn read_order(order: &str, rest: &str) -> Result<Asked, String> {
    let alone = |asked: Asked| {
        if rest.is_empty() { Ok(asked) } else { Err(format!("/{order} stands alone; `{rest}` has no meaning here")) }
    };
    match order {
        "help" => alone(Asked::Help),
        "open" => alone(Asked::Open),
        "engine" => alone(Asked::Engine),
        "leave" => alone(Asked::Leave),
        "return" => alone(Asked::Return),
        "reset" => alone(Asked::Reset),
        "quit" | "exit" => alone(Asked::Quit),
        "trace" => match rest {
            "" => Ok(Asked::Trace(None)),
            "on" => Ok(Asked::Trace(Some(true))),
            "off" => Ok(Asked::Trace(Some(false))),
            _ => Err("write /trace, /trace on or /trace off".to_owned()),
        },
        "wait" => span(rest).map(Asked::Wait),
        "channel" if rest.is_empty() => Ok(Asked::Channel(None)),
        "channel" => channel(rest).map(|channel| Asked::Channel(Some(channel))),
        "door" => door(rest).map(Asked::Door),
        "language" if rest.is_empty() => Err("write /language and a tag, such as /language de".to_owned()),
        "language" => Ok(Asked::Language(rest.to_lowercase())),
        "set" => match rest.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                Ok(Asked::Set(name.trim().to_owned(), value.trim().to_owned()))
            }
            Some(_) | None => Err("write /set NAME=VALUE, such as /set tier=gold".to_owned()),
        },
        "save" if rest.is_empty() => Err("write /save and a file, such as /save parcel-tracked.toml".to_owned()),
        "save" => Ok(Asked::Save(rest.to_owned())),
        _ => {
            let known: Vec<&str> = ORDERS.iter().map(|(order, _)| order.split(' ').next().unwrap_or(order)).collect();
            Err(unknown("command", &format!("/{order}"), &known)
                + " (what a customer says begins with two slashes for one)")
        }
    }
}

/// Reads a channel's word.
pub(super) fn channel(word: &str) -> Result<Channel, String> {
    Channel::read(word).ok_or_else(|| unknown("channel", word, &Channel::ALL.map(Channel::word)))
}

/// Reads a door's word.
pub(super) fn door(word: &str) -> Result<Door, String> {
    match word {
        "v1" => Ok(Door::V1),
        "v2" => Ok(Door::V2),
        _ => Err("write v2, the Digital Bot Connector, or v1, the Bot Connector".to_owned()),
    }
}

fn span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no time from 1ms to 1h; write it like /wait 20s, 500ms or 2m");
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let ms = match unit.trim() {
        "ms" => Some(number),
        "" | "s" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        _ => None,
    };
    ms.filter(|ms| (1..=3_600_000).contains(ms)).map(Duration::from_millis).ok_or_else(wrong)
}

/// What can be typed, for `/help`: orders to the left, what they do to the right of them.
pub(super) fn help(columns: usize) -> Vec<String> {
    let width = ORDERS.iter().map(|(order, _)| order.len()).max().unwrap_or_default();
    let mut lines = wrapped("Type what the customer says, or the number of something offered to tap it.", columns);
    for (order, what) in ORDERS {
        let what = wrapped(what, columns.saturating_sub(width + 2).max(12));
        let lead = |n: usize| if n == 0 { order } else { "" };
        lines.extend(what.iter().enumerate().map(|(n, what)| format!("{:width$}  {what}", lead(n))));
    }
    lines
}

#[cfg(test)]
mod tests {
    use simulator::Choice;

    use super::*;

    #[test]
    fn what_is_typed_is_understood() {
        let say = |words: &str| Asked::Say(words.to_owned());
        let table = [
            ("", Asked::Nothing),
            ("  ", Asked::Nothing),
            ("hello ", say("hello ")),
            ("2", Asked::Tap(2)),
            (" 2 ", Asked::Tap(2)),
            ("3", say("3")),
            ("0", say("0")),
            ("//wait", say("/wait")),
            ("/help", Asked::Help),
            ("  /quit", Asked::Quit),
            ("/trace on", Asked::Trace(Some(true))),
            ("/wait 20s", Asked::Wait(Duration::from_secs(20))),
            ("/wait 20", Asked::Wait(Duration::from_secs(20))),
            ("/wait 500ms", Asked::Wait(Duration::from_millis(500))),
            ("/channel WhatsApp", Asked::Channel(Some(Channel::WhatsApp))),
            ("/channel", Asked::Channel(None)),
            ("/door v1", Asked::Door(Door::V1)),
            ("/language DE", Asked::Language("de".to_owned())),
            ("/set tier = gold", Asked::Set("tier".to_owned(), "gold".to_owned())),
            ("/save a b.toml", Asked::Save("a b.toml".to_owned())),
        ];
        let mut offered = Offered::default();
        let choice =
            |label: &str| Choice { label: label.to_owned(), payload: label.to_owned(), kind: "QuickReply", card: None };
        offered.number(&[choice("a"), choice("b")]);
        for (line, wanted) in table {
            assert_eq!(read(line, &offered), wanted, "{line}");
        }
    }

    #[test]
    fn what_is_not_understood_is_answered_with_what_to_write() {
        let table = [
            "/rest",
            "/xyzzy",
            "/channel watsapp",
            "/channel pigeon",
            "/door v3",
            "/wait",
            "/wait 2d",
            "/set tier",
            "/trace of",
            "/save",
            "/quit now",
            "/language",
        ];
        let told: Vec<String> = table
            .iter()
            .map(|line| match read(line, &Offered::default()) {
                Asked::Unknown(why) => format!("{line}: {why}"),
                other => panic!("{line}: {other:?}"),
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"));
    }
}
