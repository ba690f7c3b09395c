//! Limits and wishes, from the configuration, as plain data.

use std::collections::BTreeMap;

use model::{BotKey, Channel, News, Sensitive};

use crate::Wording;

/// The policies in force, by bot. The revision goes into every journal row, so that a journal can be replayed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Policies {
    /// Counts reloads.
    pub revision: u32,
    /// Each bot's own.
    pub bots: BTreeMap<BotKey, BotPolicy>,
    /// For a bot that is not configured any more.
    pub fallback: BotPolicy,
    /// Bots that an operator took out of service, each with the reason that agents read.
    pub out_of_service: BTreeMap<BotKey, String>,
}

impl Policies {
    /// One bot's policy.
    #[must_use]
    pub fn of(&self, bot: &BotKey) -> &BotPolicy {
        self.bots.get(bot).unwrap_or(&self.fallback)
    }

    /// Why a bot is out of service: its new turns ask no engine and go to a human.
    #[must_use]
    pub fn out_of_service(&self, bot: &BotKey) -> Option<&str> {
        self.out_of_service.get(bot).map(String::as_str)
    }
}

/// How one bot is held to its promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BotPolicy {
    /// After this time a turn is answered by `on_failure`, whatever the engine does.
    pub hard_deadline_ms: u64,
    /// What the customer gets when the engine fails a turn.
    pub on_failure: OnFailure,
    /// How many inputs of one seat may wait behind a running turn.
    pub max_waiting_inputs: u32,
    /// How many holding turns in a row a door that cannot push may show before a human is called.
    pub max_holding_turns: u32,
    /// How many turns a conversation may take before a human is called.
    pub max_turns: u32,
    /// What the engine wants to be told.
    pub notify: Vec<News>,
    /// What the gateway itself says.
    pub texts: Wording,
    /// How a conversation opens before the customer said anything.
    pub opening: Opening,
    /// What customers use as far as the flow does not say.
    pub channel: Option<Channel>,
    /// What is masked in a customer's words before anybody else sees them.
    pub mask: Vec<Sensitive>,
}

impl Default for BotPolicy {
    fn default() -> Self {
        Self {
            hard_deadline_ms: 60_000,
            on_failure: OnFailure::HandOver,
            max_waiting_inputs: 8,
            max_holding_turns: 3,
            max_turns: 200,
            notify: Vec::new(),
            texts: Wording::default(),
            opening: Opening::Greeting,
            channel: None,
            mask: vec![Sensitive::Card],
        }
    }
}

/// What the customer gets when the engine fails a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// The fallback text; the bot keeps the floor.
    Say,
    /// The hand-over text and a human.
    HandOver,
}

/// How a conversation opens when the platform says so before the customer said anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// The engine is asked for its opening turn.
    Engine,
    /// The greeting, without asking an engine.
    Greeting,
    /// Nothing is said; the customer speaks first.
    Silent,
}
