//! Conversation files: the TOML that users write for `cordboard test`.
//!
//! ```toml
//! title = "Answered late, by a push"
//! door = "v2"                    # or "v1"
//! bot = "parcels"
//! seed = 7                       # decides the faults
//! customer = "patient"           # hasty, silent, double_sending
//! channel = "sms"                # decides what the customer sees; everything when absent
//! expect_timeout_ms = 10000
//!
//! [flow]                         # see FlowSettings
//! response_timeout_ms = 5000
//! parameters = { tier = "gold" }
//!
//! [faults]                       # see Faults
//! duplicate_in_flight = true     # or a probability
//!
//! [[step]]
//! say = "Where is my parcel?"
//! [[step]]
//! expect = "On its way"          # the next message contains this; or expect_exactly
//! expect_choices = ["Yes", "No"] # it offers exactly these
//! [[step]]
//! tap = "Yes"                    # with payload = "yes-1" where several have this label
//! [[step]]
//! expect_path = "human"          # an intent, "failure", "failure:ServiceProviderTimeout" or "left"
//! expect_parameters = { reason = "asked" }
//! expect_slots = { number = 12 }
//! ```
//!
//! Further steps: `set = { tier = "gold" }`, `wait_ms = 300`, `expect_nothing_ms = 300`, `do = "revoke_tokens"`, `leave = true`. Unknown keys are
//! errors. Every error names file, line and column.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use toml::Spanned;

use crate::customer::Manner;
use crate::{Channel, Door, Faults, FlowSettings};

/// A conversation to be played.
#[derive(Debug, Clone)]
pub struct ConversationFile {
    /// What it shows.
    pub title: String,
    /// Which door the flow calls.
    pub door: Door,
    /// The bot's id.
    pub bot: String,
    /// The customer's manner.
    pub customer: Manner,
    /// How long an expectation may take to come true.
    pub expect_timeout_ms: u64,
    /// The flow, with the file's seed and faults in it.
    pub flow: FlowSettings,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// One step of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The line of the file where it begins.
    pub line: usize,
    /// What happens.
    pub action: Action,
}

/// What happens in a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// The customer types.
    Say(String),
    /// The customer taps something offered.
    Tap {
        /// What is written on it.
        label: String,
        /// What it sends, where several have this label.
        payload: Option<String>,
    },
    /// The flow sets session variables.
    Set(BTreeMap<String, String>),
    /// Time passes.
    WaitMs(u64),
    /// The customer goes away.
    Leave,
    /// A named action, built in or the caller's.
    Do(String),
    /// Nothing further reaches the customer within this time.
    ExpectNothingMs(u64),
    /// Something comes true.
    Expect(Box<Expectation>),
}

/// What must come true; every part that is given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expectation {
    /// The next message contains this.
    pub contains: Option<String>,
    /// The next message is exactly this.
    pub exactly: Option<String>,
    /// The message offers exactly these; without `contains` or `exactly`, the message taken last.
    pub choices: Option<Vec<String>>,
    /// The flow left by this path.
    pub path: Option<String>,
    /// Among the output variables are these.
    pub parameters: BTreeMap<String, String>,
    /// Among the slots or entities are these; compared by their string forms.
    pub slots: BTreeMap<String, Value>,
}

/// Why a file cannot be played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct ParseError {
    /// The name given for the file.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    title: String,
    door: Door,
    bot: String,
    seed: Option<u64>,
    #[serde(default)]
    customer: Manner,
    channel: Option<Channel>,
    #[serde(default = "default_expect_timeout_ms")]
    expect_timeout_ms: u64,
    #[serde(default)]
    flow: FlowSettings,
    #[serde(default)]
    faults: Faults,
    #[serde(default)]
    step: Vec<Spanned<RawStep>>,
}

fn default_expect_timeout_ms() -> u64 {
    10_000
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawStep {
    say: Option<String>,
    tap: Option<String>,
    payload: Option<String>,
    set: Option<BTreeMap<String, String>>,
    wait_ms: Option<u64>,
    leave: Option<bool>,
    r#do: Option<String>,
    expect_nothing_ms: Option<u64>,
    expect: Option<String>,
    expect_exactly: Option<String>,
    expect_choices: Option<Vec<String>>,
    expect_path: Option<String>,
    expect_parameters: BTreeMap<String, String>,
    expect_slots: BTreeMap<String, Value>,
}

impl ConversationFile {
    /// Reads a file's text; `file` is its name for messages.
    ///
    /// # Errors
    /// With the place and the reason.
    pub fn parse(text: &str, file: &str) -> Result<Self, ParseError> {
        let fail = |at: usize, message: String| {
            let (line, column) = place(text, at);
            ParseError { file: file.to_owned(), line, column, message }
        };
        let raw: Raw = toml::from_str(text).map_err(|error| {
            let message = error.message().trim().to_owned();
            fail(error.span().map_or(0, |span| span.start), message)
        })?;
        let mut steps = Vec::with_capacity(raw.step.len());
        for step in raw.step {
            let at = step.span().start;
            let action = step.into_inner().action().map_err(|message| fail(at, message))?;
            steps.push(Step { line: place(text, at).0, action });
        }
        if steps.is_empty() {
            return Err(fail(0, "a conversation needs at least one [[step]]".to_owned()));
        }
        Ok(Self {
            title: raw.title,
            door: raw.door,
            bot: raw.bot,
            customer: raw.customer,
            expect_timeout_ms: raw.expect_timeout_ms,
            flow: FlowSettings { channel: raw.channel, seed: raw.seed, faults: raw.faults, ..raw.flow },
            steps,
        })
    }
}

impl RawStep {
    fn action(self) -> Result<Action, String> {
        let expectation = Expectation {
            contains: self.expect,
            exactly: self.expect_exactly,
            choices: self.expect_choices,
            path: self.expect_path,
            parameters: self.expect_parameters,
            slots: self.expect_slots,
        };
        if expectation.contains.is_some() && expectation.exactly.is_some() {
            return Err("a step has either expect or expect_exactly".to_owned());
        }
        if self.payload.is_some() && self.tap.is_none() {
            return Err("payload belongs to a tap".to_owned());
        }
        let payload = self.payload;
        let mut actions: Vec<Action> = [
            self.say.map(Action::Say),
            self.tap.map(|label| Action::Tap { label, payload }),
            self.set.map(Action::Set),
            self.wait_ms.map(Action::WaitMs),
            self.r#do.map(Action::Do),
            self.expect_nothing_ms.map(Action::ExpectNothingMs),
            (expectation != Expectation::default()).then(|| Action::Expect(Box::new(expectation))),
        ]
        .into_iter()
        .flatten()
        .collect();
        match self.leave {
            Some(true) => actions.push(Action::Leave),
            Some(false) => return Err("leave is true or absent".to_owned()),
            None => {}
        }
        if actions.len() > 1 {
            return Err("a step does one thing; expectations may be combined, with nothing else".to_owned());
        }
        actions.pop().ok_or_else(|| "the step is empty".to_owned())
    }
}

/// Line and column of a byte offset, counted from 1.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
