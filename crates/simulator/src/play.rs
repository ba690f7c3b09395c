//! Plays a conversation file against a connector and says what differed.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use crate::customer::Manner;
use crate::file::{Action, ConversationFile, Expectation};
use crate::record::{self, Entry, Event};
use crate::{Conversation, Door, Error, Registered, Seen, Simulator, Violation};

/// The integrations that files may use, one for each door.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// For files with `door = "v2"`.
    pub v2: Option<Arc<Registered>>,
    /// For files with `door = "v1"`.
    pub v1: Option<Arc<Registered>>,
}

/// Actions of the caller that a file may name in `do`, such as killing the connector.
pub trait Hooks: Send + Sync {
    /// Runs the action. An error, for example for an unknown name, is a difference of the step.
    fn run<'a>(&'a self, name: &'a str) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;
}

/// No actions beside those built in.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHooks;

impl Hooks for NoHooks {
    fn run<'a>(&'a self, name: &'a str) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(async move { Err(format!("there is no action '{name}'")) })
    }
}

/// What a step wanted and did not get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The step, from 1; 0 when the conversation could not be opened.
    pub step: usize,
    /// The line of the file.
    pub line: usize,
    /// What was wanted.
    pub wanted: String,
    /// What was there.
    pub got: String,
}

/// One line of what the customer saw and said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// `customer`, `bot`, or `path` for the flow's way out.
    pub who: &'static str,
    /// Milliseconds since the first line.
    pub at_ms: u64,
    /// What.
    pub text: String,
}

/// How a file went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Played {
    /// The file's title.
    pub title: String,
    /// Without differences and without broken rules; warnings do not count.
    pub passed: bool,
    /// What differed. Playing stops at the first one.
    pub differences: Vec<Difference>,
    /// What the customer said and saw.
    pub transcript: Vec<Line>,
    /// What went over the wire, as stable text.
    pub received: String,
    /// Rules broken, warnings included, by the list of bots and in this conversation.
    pub violations: Vec<Violation>,
    /// The conversation's part of the record.
    pub record: Vec<Entry>,
}

pub(crate) async fn play(simulator: &Simulator, file: &ConversationFile, target: &Target, hooks: &dyn Hooks) -> Played {
    let mut differences = Vec::new();
    let (conversation, mut violations) = match open(simulator, file, target).await {
        Ok(opened) => opened,
        Err(error) => {
            differences.push(Difference { step: 0, line: 0, wanted: "a conversation".to_owned(), got: error });
            return played(file, differences, Vec::new(), Vec::new());
        }
    };
    let mut stage = Stage { simulator, file, hooks, conversation, taken: None, said: false };
    for (n, step) in file.steps.iter().enumerate() {
        if let Err((wanted, got)) = stage.step(&step.action).await {
            differences.push(Difference { step: n + 1, line: step.line, wanted, got });
            break;
        }
    }
    violations.extend(stage.conversation.violations());
    let record = stage.conversation.entries();
    stage.conversation.leave();
    played(file, differences, violations, record)
}

async fn open(
    simulator: &Simulator,
    file: &ConversationFile,
    target: &Target,
) -> Result<(Conversation, Vec<Violation>), String> {
    let integration = match file.door {
        Door::V1 => &target.v1,
        Door::V2 => &target.v2,
    };
    let integration = integration.as_ref().ok_or("there is no integration for this door")?;
    let words = |error: Error| error.to_string();
    let published = simulator.org.published(integration).await.map_err(words)?;
    let conversation = simulator.conversation(integration, &file.bot, file.flow.clone()).await.map_err(words)?;
    Ok((conversation, published.violations.clone()))
}

fn played(
    file: &ConversationFile,
    differences: Vec<Difference>,
    violations: Vec<Violation>,
    record: Vec<Entry>,
) -> Played {
    let started = record.first().map_or(0, |entry| entry.at_ms);
    let transcript = record
        .iter()
        .filter_map(|entry| {
            let (who, text) = match &entry.event {
                Event::Said { text, .. } => ("customer", text.clone()),
                Event::Tapped { label, .. } => ("customer", format!("[{label}]")),
                Event::CustomerLeft => ("customer", "(leaves)".to_owned()),
                Event::Saw { message, .. } => ("bot", record::shown(message)),
                Event::Left { path } => ("path", path.to_string()),
                _ => return None,
            };
            Some(Line { who, at_ms: entry.at_ms - started, text })
        })
        .collect();
    let wire: Vec<Entry> = record
        .iter()
        .filter(|entry| {
            matches!(
                entry.event,
                Event::Asked { .. }
                    | Event::Answered { .. }
                    | Event::NoAnswer { .. }
                    | Event::Outgoing { .. }
                    | Event::Fault { .. }
            )
        })
        .cloned()
        .collect();
    Played {
        title: file.title.clone(),
        passed: differences.is_empty() && !violations.iter().any(Violation::is_error),
        differences,
        transcript,
        received: record::text(&wire),
        violations,
        record,
    }
}

/// Wanted and got.
type Mismatch = (String, String);

struct Stage<'a> {
    simulator: &'a Simulator,
    file: &'a ConversationFile,
    hooks: &'a dyn Hooks,
    conversation: Conversation,
    /// The message taken last.
    taken: Option<Seen>,
    said: bool,
}

impl Stage<'_> {
    fn patience(&self) -> Duration {
        Duration::from_millis(self.file.expect_timeout_ms)
    }

    async fn step(&mut self, action: &Action) -> Result<(), Mismatch> {
        match action {
            Action::Say(text) => {
                if self.file.customer == Manner::Silent && self.said {
                    return Ok(());
                }
                self.be_patient().await;
                self.said = true;
                self.conversation.say(text);
                if self.file.customer == Manner::DoubleSending {
                    self.conversation.say(text);
                }
            }
            Action::Set(parameters) => {
                for (name, value) in parameters {
                    self.conversation.set_parameter(name, value);
                }
            }
            Action::Tap { label, payload } => {
                self.be_patient().await;
                let tapped = match payload {
                    Some(payload) => self.conversation.tap_payload(label, payload),
                    None => self.conversation.tap(label),
                };
                if !tapped {
                    let offered = self.conversation.seen();
                    let offered: Vec<&str> = offered.iter().flat_map(Seen::labels).collect();
                    return Err((format!("an offered '{label}'"), format!("offered so far: {offered:?}")));
                }
            }
            Action::WaitMs(ms) => tokio::time::sleep(Duration::from_millis(*ms)).await,
            Action::Leave => self.conversation.leave(),
            Action::Do(name) => self.act(name).await.map_err(|problem| (format!("do '{name}'"), problem))?,
            Action::ExpectNothingMs(ms) => {
                if let Some(seen) = self.conversation.next_bot_message(Duration::from_millis(*ms)).await {
                    return Err((format!("nothing for {ms} ms"), seen.shown()));
                }
            }
            Action::Expect(expectation) => self.expect(expectation).await?,
        }
        Ok(())
    }

    /// A patient customer says nothing while the bot works.
    async fn be_patient(&self) {
        if self.file.customer == Manner::Patient {
            self.conversation.settled(self.patience()).await;
        }
    }

    async fn expect(&mut self, wanted: &Expectation) -> Result<(), Mismatch> {
        if let Some(words) = wanted.contains.as_ref().or(wanted.exactly.as_ref()) {
            self.take(words).await?;
            let fits = self.taken.as_ref().is_some_and(|seen| match wanted.exactly {
                Some(_) => seen.text() == words,
                None => seen.contains(words),
            });
            if !fits {
                return Err((format!("'{words}'"), self.shown()));
            }
        }
        if let Some(choices) = &wanted.choices {
            if self.taken.is_none() {
                self.take("a message with choices").await?;
            }
            let offered = self.taken.as_ref().map(Seen::labels).unwrap_or_default();
            if offered != *choices {
                return Err((format!("choices {choices:?}"), format!("{offered:?}")));
            }
        }
        if let Some(path) = &wanted.path {
            let left = self.conversation.wait_path(self.patience()).await;
            if !left.as_ref().is_some_and(|left| left.is(path)) {
                let got = left.map_or_else(|| "still at the bot".to_owned(), |left| left.to_string());
                return Err((format!("path '{path}'"), got));
            }
        }
        let fits = |found: &BTreeMap<String, String>| {
            wanted.parameters.iter().all(|(name, value)| found.get(name) == Some(value))
        };
        if !self.conversation.wait_parameters(self.patience(), fits).await {
            return Err((
                format!("parameters {:?}", wanted.parameters),
                format!("{:?}", self.conversation.parameters()),
            ));
        }
        let fits = |found: &BTreeMap<String, Value>| {
            wanted.slots.iter().all(|(name, value)| found.get(name).is_some_and(|found| same(found, value)))
        };
        if !self.conversation.wait_slots(self.patience(), fits).await {
            return Err((format!("slots {}", json!(wanted.slots)), json!(self.conversation.slots()).to_string()));
        }
        Ok(())
    }

    async fn take(&mut self, wanted: &str) -> Result<(), Mismatch> {
        match self.conversation.next_bot_message(self.patience()).await {
            Some(seen) => {
                self.taken = Some(seen);
                Ok(())
            }
            None => Err((format!("'{wanted}'"), format!("nothing within {} ms", self.file.expect_timeout_ms))),
        }
    }

    fn shown(&self) -> String {
        self.taken.as_ref().map_or_else(|| "nothing".to_owned(), |seen| format!("'{}'", seen.shown()))
    }

    /// Built-in actions; everything else is the caller's. `name:3` strikes three times.
    async fn act(&self, name: &str) -> Result<(), String> {
        let (built_in, count) = match name.split_once(':') {
            Some((built_in, count)) => (built_in, count.parse().map_err(|_| format!("'{count}' is no count"))?),
            None => (name, 1),
        };
        match built_in {
            "revoke_tokens" => self.simulator.revoke_tokens(),
            "close_session" => self.conversation.close_session(),
            "return_to_bot" => self.conversation.return_to_bot(),
            "outgoing_5xx" => self.conversation.set_faults(|faults| faults.outgoing_5xx = count),
            "outgoing_401" => self.conversation.set_faults(|faults| faults.outgoing_401 = count),
            "outgoing_429" => self.conversation.set_faults(|faults| faults.outgoing_429 = count),
            "outgoing_stall" => self.conversation.set_faults(|faults| faults.outgoing_stall = count),
            "revoke_in_flight" => self.conversation.set_faults(|faults| faults.revoke_in_flight = count),
            "integration_off" => self.conversation.set_integration_active(false),
            "integration_on" => self.conversation.set_integration_active(true),
            _ => return self.hooks.run(name).await,
        }
        Ok(())
    }
}

/// Whether two values have the same string form; v2 sends numbers as strings, files need not.
fn same(found: &Value, wanted: &Value) -> bool {
    let form = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match (found, wanted) {
        (Value::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len() && found.iter().zip(wanted).all(|(found, wanted)| same(found, wanted))
        }
        _ => found == wanted || form(found) == form(wanted),
    }
}

impl fmt::Display for Played {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.title, if self.passed { "passed" } else { "FAILED" })?;
        for line in &self.transcript {
            writeln!(f, "  {:<8} | {}", line.who, line.text)?;
        }
        writeln!(f, "\nOn the wire")?;
        for line in self.received.lines() {
            writeln!(f, "  {line}")?;
        }
        if !self.violations.is_empty() {
            writeln!(f, "\nRules")?;
            for violation in &self.violations {
                writeln!(f, "  {violation}")?;
            }
        }
        if !self.differences.is_empty() {
            writeln!(f, "\nDifferences")?;
            for Difference { step, line, wanted, got } in &self.differences {
                writeln!(f, "  step {step}, line {line}: wanted {wanted}, got {got}")?;
            }
        }
        Ok(())
    }
}
