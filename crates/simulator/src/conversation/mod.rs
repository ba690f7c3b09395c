//! One customer's conversation: what a test, a played file or the control door holds in its hand.

pub(crate) mod line;
mod turn;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::record::{self, Entry, Via};
use crate::{Choice, Faults, Message, Path, Violation, lock};
use line::{Line, State};

/// What a customer puts in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Typed words.
    Text(String),
    /// A tap on something that was offered.
    Tap(Choice),
}

/// A message that reached the customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Its number in the record.
    pub seq: u64,
    /// Milliseconds since the conversation was opened.
    pub at_ms: u64,
    /// How it came.
    pub via: Via,
    /// What was shown.
    #[serde(flatten)]
    pub message: Message,
}

impl Seen {
    /// The text shown.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.message.text
    }

    /// Whether the text, a card or the name of a file contains these words.
    #[must_use]
    pub fn contains(&self, words: &str) -> bool {
        self.message.text.contains(words)
            || self.message.attachments.iter().any(|(name, _)| name.contains(words))
            || self.message.cards.iter().any(|card| {
                card.title.contains(words) || card.description.as_deref().is_some_and(|text| text.contains(words))
            })
    }

    /// What is written on everything that can be tapped, in order.
    #[must_use]
    pub fn labels(&self) -> Vec<&str> {
        self.message.choices.iter().map(|choice| choice.label.as_str()).collect()
    }

    /// The message on one line.
    #[must_use]
    pub fn shown(&self) -> String {
        record::shown(&self.message)
    }
}

/// A handle on a conversation. Clones are handles on the same one.
#[derive(Debug, Clone)]
pub struct Conversation {
    line: Arc<Line>,
}

impl Conversation {
    pub(crate) fn new(line: Arc<Line>) -> Self {
        Self { line }
    }

    /// Its number, from 1 in the order of opening.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.line.number
    }

    /// The id sent as `genesysConversationId`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.line.id
    }

    /// The id of the open bot session, if one is open.
    #[must_use]
    pub fn session(&self) -> Option<String> {
        self.line.session()
    }

    /// The customer types. Returns at once; false when no bot listens any more.
    pub fn say(&self, text: impl Into<String>) -> bool {
        self.line.hear(Input::Text(text.into()))
    }

    /// Types and waits for the next message.
    pub async fn ask(&self, text: impl Into<String>, patience: Duration) -> Option<Seen> {
        self.say(text);
        self.next_bot_message(patience).await
    }

    /// The customer taps what was offered last under this label. False when nothing of the kind was offered.
    pub fn tap(&self, label: &str) -> bool {
        let Some(choice) = self.line.offered(|choice| choice.label == label) else { return false };
        self.line.hear(Input::Tap(choice));
        true
    }

    /// The customer taps this one of the things that were offered: several may have the same label. False when no bot
    /// listens any more.
    pub fn tap_choice(&self, choice: &Choice) -> bool {
        self.line.hear(Input::Tap(choice.clone()))
    }

    /// The same by label and payload. False when nothing of the kind was offered.
    pub fn tap_payload(&self, label: &str, payload: &str) -> bool {
        let Some(choice) = self.line.offered(|choice| choice.label == label && choice.payload == payload) else {
            return false;
        };
        self.line.hear(Input::Tap(choice));
        true
    }

    /// The flow sets a session variable, from the customer's next input on.
    pub fn set_parameter(&self, name: impl Into<String>, value: impl Into<String>) {
        lock(&self.line.parameters).insert(name.into(), value.into());
    }

    /// The customer goes away; Genesys tells nobody.
    pub fn leave(&self) {
        self.line.leave();
    }

    /// The customer goes away and the simulator forgets the conversation, its record apart. For long runs.
    pub fn forget(self) {
        self.line.forget();
    }

    /// Closes the bot session as a timeout would, and the flow takes the failure path.
    pub fn close_session(&self) {
        self.line.close_session();
    }

    /// The flow calls the bot again after it left: the customer's next words open a new bot session.
    pub fn return_to_bot(&self) {
        self.line.return_to_bot();
    }

    /// The next message that was not yet taken, waiting for it if need be. None when none comes in time, and at once
    /// when the flow has left the bot, since none can come then.
    pub async fn next_bot_message(&self, patience: Duration) -> Option<Seen> {
        let next = |state: &mut State| match state.next_seen() {
            Some(seen) => Some(Some(seen)),
            None => state.path.is_some().then_some(None),
        };
        self.line.wait(patience, next).await.flatten()
    }

    /// Every message so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.line.state).seen.clone()
    }

    /// By which path the flow left the bot, if it did.
    #[must_use]
    pub fn path(&self) -> Option<Path> {
        lock(&self.line.state).path.clone()
    }

    /// Waits until the flow has left the bot.
    pub async fn wait_path(&self, patience: Duration) -> Option<Path> {
        self.line.wait(patience, |state| state.path.clone()).await
    }

    /// Waits until no call on the bot is under way; false when that takes too long.
    pub async fn settled(&self, patience: Duration) -> bool {
        self.line.wait(patience, |state| (state.in_flight == 0).then_some(())).await.is_some()
    }

    /// Waits until the output variables fulfil `condition`; false when that takes too long, and at once when the flow
    /// has left the bot.
    pub async fn wait_parameters(
        &self,
        patience: Duration,
        condition: impl Fn(&BTreeMap<String, String>) -> bool,
    ) -> bool {
        self.line.wait(patience, |state| state.decided(condition(&state.parameters))).await == Some(true)
    }

    /// Waits until the slots or entities fulfil `condition`, in the same way.
    pub async fn wait_slots(&self, patience: Duration, condition: impl Fn(&BTreeMap<String, Value>) -> bool) -> bool {
        self.line.wait(patience, |state| state.decided(condition(&state.slots))).await == Some(true)
    }

    /// The output variables so far.
    #[must_use]
    pub fn parameters(&self) -> BTreeMap<String, String> {
        lock(&self.line.state).parameters.clone()
    }

    /// The slots or entities so far.
    #[must_use]
    pub fn slots(&self) -> BTreeMap<String, Value> {
        lock(&self.line.state).slots.clone()
    }

    /// Every rule broken in this conversation, warnings included.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        lock(&self.line.state).violations.clone()
    }

    /// Changes this conversation's fault switches.
    pub fn set_faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut lock(&self.line.faults));
    }

    /// Switches the integration that it runs over on or off, for every conversation.
    pub fn set_integration_active(&self, active: bool) {
        self.line.integration.set_active(active);
    }

    /// Its part of the record.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.line.org.record.of(self.line.number)
    }

    /// Its part of the record as stable text.
    #[must_use]
    pub fn text(&self) -> String {
        record::text(&self.entries())
    }
}
