//! What Genesys received and what the customer saw, in one numbered sequence.
//!
//! Written by the cloud and the flow, read by tests, by played files and over the control door. As text it is fit for
//! snapshots: ids are replaced by names in the order of their appearance, and no times are shown.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::sync::Mutex;

use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::check::Violation;
use crate::check::content::Message;
use crate::flow::Path;
use crate::lock;

/// How a message came to the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// In the answer to an utterance.
    Answer,
    /// By an outgoing message.
    Push,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Event {
    /// The customer typed.
    Said {
        /// The words.
        text: String,
        /// Whether a bot heard them; false after the flow has left the bot.
        heard: bool,
    },
    /// The customer tapped something that was offered.
    Tapped {
        /// What was written on it.
        label: String,
        /// What it sent.
        payload: String,
    },
    /// The customer left.
    CustomerLeft,
    /// The customer saw a message.
    Saw {
        /// How it came.
        via: Via,
        /// What was shown.
        message: Message,
    },
    /// The flow called the bot.
    Asked {
        /// 1 for the first attempt of a message.
        attempt: u32,
        /// The body sent.
        body: String,
    },
    /// The bot answered the flow.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The body received.
        body: String,
        /// Why the answer had no effect, if it had none.
        #[serde(skip_serializing_if = "Option::is_none")]
        ignored: Option<String>,
    },
    /// The bot gave no answer: a time-out, or a connection refused or broken.
    NoAnswer {
        /// What happened.
        problem: String,
    },
    /// Genesys received an outgoing message.
    Outgoing {
        /// The body received.
        body: String,
        /// The HTTP status given back.
        status: u16,
        /// The error code given back, for other statuses than 200.
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<String>,
    },
    /// Genesys received some other call: tokens, bot lists.
    Called {
        /// Method and path.
        call: String,
        /// The HTTP status given back.
        status: u16,
    },
    /// A list of bots was published into the flow.
    Published {
        /// How many bots.
        bots: usize,
    },
    /// A bot session was opened.
    SessionOpened {
        /// Its id.
        session: String,
    },
    /// A bot session was closed.
    SessionClosed {
        /// Its id.
        session: String,
        /// Why.
        reason: String,
    },
    /// The flow left the bot action.
    Left {
        /// By which path.
        path: Path,
    },
    /// A fault struck.
    Fault {
        /// Which.
        name: &'static str,
    },
    /// A rule was broken.
    Broke {
        /// Which, and where.
        violation: Violation,
    },
}

/// An event with its number, time and conversation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Position in the whole record, from 1.
    pub seq: u64,
    /// Milliseconds since the simulator started.
    pub at_ms: u64,
    /// The number of the conversation, where it belongs to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<u64>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// The record of a simulator.
#[derive(Debug)]
pub struct Record {
    started: Instant,
    limit: usize,
    entries: Mutex<(u64, VecDeque<Entry>)>,
}

impl Record {
    pub(crate) fn new(limit: usize) -> Self {
        Self { started: Instant::now(), limit, entries: Mutex::default() }
    }

    pub(crate) fn add(&self, conversation: Option<u64>, event: Event) -> u64 {
        let at_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut entries = lock(&self.entries);
        entries.0 += 1;
        let seq = entries.0;
        entries.1.push_back(Entry { seq, at_ms, conversation, event });
        if entries.1.len() > self.limit {
            entries.1.pop_front();
        }
        seq
    }

    /// Every entry still kept, in order.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        lock(&self.entries).1.iter().cloned().collect()
    }

    /// The entries of one conversation, in order.
    #[must_use]
    pub fn of(&self, conversation: u64) -> Vec<Entry> {
        lock(&self.entries).1.iter().filter(|entry| entry.conversation == Some(conversation)).cloned().collect()
    }

    /// The breaches found so far that are not warnings.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.entries()
            .into_iter()
            .filter_map(|entry| match entry.event {
                Event::Broke { violation } if violation.is_error() => Some(violation),
                _ => None,
            })
            .collect()
    }

    /// The whole record as stable text.
    #[must_use]
    pub fn text(&self) -> String {
        text(&self.entries())
    }

    /// The whole record as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        json!(self.entries())
    }
}

/// Entries as stable text: one line each, ids named in the order of their appearance.
#[must_use]
pub fn text(entries: &[Entry]) -> String {
    let mut out = String::new();
    let mut names = Names::default();
    for entry in entries {
        line(&mut out, &mut names, entry);
    }
    out
}

fn line(out: &mut String, names: &mut Names, entry: &Entry) {
    let text = match &entry.event {
        Event::Said { text, heard: true } => format!("customer | {text}"),
        Event::Said { text, heard: false } => format!("customer | {text} (no bot listens)"),
        Event::Tapped { label, payload } => format!("customer | [{label}] {payload}"),
        Event::CustomerLeft => "customer | (leaves)".to_owned(),
        Event::Saw { via, message } => {
            let how = if *via == Via::Push { "push" } else { "bot " };
            format!("{how}     | {}", shown(message))
        }
        Event::Asked { attempt: 1, body } => format!("flow     > {body}"),
        Event::Asked { attempt, body } => format!("flow     > (attempt {attempt}) {body}"),
        Event::Answered { status, body, ignored: None } => format!("flow     < {status} {body}"),
        Event::Answered { status, body, ignored: Some(why) } => format!("flow     < {status} {body} (ignored: {why})"),
        Event::NoAnswer { problem } => format!("flow     < nothing: {problem}"),
        Event::Outgoing { body, status, code } => {
            let code = code.as_deref().map(|code| format!(" {code}")).unwrap_or_default();
            format!("outgoing < {body} -> {status}{code}")
        }
        Event::Called { call, status } => format!("cloud    < {call} -> {status}"),
        Event::Published { bots } => format!("flow     | published with {bots} bots"),
        Event::SessionOpened { session } => format!("session  | {session} opens"),
        Event::SessionClosed { session, reason } => format!("session  | {session} closes: {reason}"),
        Event::Left { path } => format!("path     | {path}"),
        Event::Fault { name } => format!("fault    | {name}"),
        Event::Broke { violation } => format!("broken   | {violation}"),
    };
    if let Event::SessionOpened { session } = &entry.event {
        names.name("session", session);
    }
    if let Event::Asked { body, .. } | Event::Outgoing { body, .. } = &entry.event {
        names.learn(body);
    }
    // Writing into a String cannot fail.
    let written = writeln!(out, "{}", names.replace(&text));
    debug_assert!(written.is_ok());
}

/// A message on one line: text, then cards, then what can be tapped, then attachments.
pub(crate) fn shown(message: &Message) -> String {
    let mut parts = Vec::new();
    if !message.text.is_empty() {
        parts.push(message.text.clone());
    }
    for card in &message.cards {
        let description = card.description.as_deref().map(|text| format!(": {text}")).unwrap_or_default();
        parts.push(format!("{{{}{description}}}", card.title));
        parts.extend(card.links.iter().map(|(label, url)| format!("<{label} {url}>")));
    }
    parts.extend(message.choices.iter().map(|choice| format!("[{}]", choice.label)));
    parts.extend(message.attachments.iter().map(|(name, url)| format!("({name} {url})")));
    parts.join(" ")
}

/// Ids and the names they go by in one rendering.
#[derive(Debug, Default)]
struct Names {
    by_id: BTreeMap<String, String>,
    counts: BTreeMap<&'static str, usize>,
}

impl Names {
    fn name(&mut self, kind: &'static str, id: &str) -> String {
        if let Some(name) = self.by_id.get(id) {
            return name.clone();
        }
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        let name = format!("{kind}-{count}");
        self.by_id.insert(id.to_owned(), name.clone());
        name
    }

    /// Learns which id is what from the members of a body.
    fn learn(&mut self, body: &str) {
        let Ok(Value::Object(body)) = serde_json::from_str(body) else { return };
        for (member, kind) in
            [("genesysConversationId", "conversation"), ("botSessionId", "session"), ("messageId", "message")]
        {
            if let Some(id) = body.get(member).and_then(Value::as_str).filter(|id| is_uuid(id.as_bytes())) {
                self.name(kind, id);
            }
        }
    }

    /// Replaces everything that looks like a UUID; unknown ones are `id-1`, `id-2`, …
    fn replace(&mut self, text: &str) -> String {
        let bytes = text.as_bytes();
        let mut out = String::with_capacity(text.len());
        let mut kept_from = 0;
        let mut at = 0;
        while at + 36 <= bytes.len() {
            if is_uuid(&bytes[at..at + 36]) {
                out.push_str(&text[kept_from..at]);
                let name = self.name("id", &text[at..at + 36]);
                out.push_str(&name);
                at += 36;
                kept_from = at;
            } else {
                at += 1;
            }
        }
        out.push_str(&text[kept_from..]);
        out
    }
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(n, byte)| match n {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
