//! `[bots.KEY]`: a bot's face, its engine, and how it is held to its promises.

use std::collections::BTreeSet;

use conversation::{BotPolicy, OnFailure, Opening};
use model::{Channel, News, Sensitive};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reader::{Places, Reader, Table};
use super::texts::{TextsTable, WrittenTexts};
use crate::connector::bots::BotFace;
use crate::engine::webhook::Notify;
use crate::engine::{EngineConfig, connector, openai, script, webhook};

const FACE_KEYS: [&str; 5] = ["name", "version", "description", "languages", "intents"];
const POLICY_KEYS: [&str; 9] = [
    "hard_deadline_ms",
    "on_failure",
    "max_turns",
    "max_waiting_inputs",
    "max_holding_turns",
    "notify",
    "opening",
    "channel",
    "mask",
];
const ENGINE_KINDS: [&str; 4] = ["script", "webhook", "connector", "openai"];

/// One `[bots.KEY]` table.
#[derive(Clone, Debug)]
pub struct BotConfig {
    /// How it is called on the platform, and what it declares there.
    pub face: BotFace,
    /// What answers for it.
    pub engine: EngineConfig,
    /// How it is held to its promises. Its texts and its opening are known once the file is whole and the engine built.
    pub policy: BotPolicy,
    pub(super) opening: Option<Opening>,
    pub(super) texts: WrittenTexts,
    pub(super) places: Places,
    pub(super) engine_at: usize,
    pub(super) engine_places: Places,
}

impl BotConfig {
    pub(super) fn read(reader: &mut Reader<'_>, key: &str, mut table: Table<'_>) -> Option<Self> {
        let known: Vec<&str> = FACE_KEYS.iter().chain(&POLICY_KEYS).chain(&["texts", "engine"]).copied().collect();
        reader.only(&table, &known);
        let places = table.places.clone();
        let face = table.split(&FACE_KEYS);
        let face = reader.read::<BotFace>(face);
        let policy = table.split(&POLICY_KEYS);
        let policy = reader.read::<Policy>(policy);
        let texts = table.take("texts").map(|texts| {
            let name = format!("bots.{key}.texts");
            WrittenTexts::read(reader, &name, texts, true)
        });
        let engine_at = places.of("engine");
        let mut engine_places = Places::default();
        let engine = match table.take("engine") {
            Some(engine) => {
                let name = format!("bots.{key}.engine");
                let engine = reader.table(&name, engine);
                engine_places = engine.as_ref().map(|engine| engine.places.clone()).unwrap_or_default();
                engine.and_then(|engine| read_engine(reader, engine))
            }
            None => {
                reader.problem(places.start, format!("bots.{key} has no engine: write [bots.{key}.engine]"));
                None
            }
        };
        let (face, policy, mut engine) = (face?, policy?, engine?);
        for what in policy.out_of_range() {
            reader.problem(places.named_in(&what), format!("bots.{key}: {what}"));
        }
        let notify = match &mut engine {
            EngineConfig::Script(_) | EngineConfig::Connector(_) | EngineConfig::OpenAi(_) => policy.notify.clone(),
            // It may be wished in either table, and is then true of both.
            EngineConfig::Webhook(webhook) => {
                webhook.notify.extend(&policy.notify);
                webhook.notify.clone()
            }
        };
        let opening = policy.opening.map(Into::into);
        let (policy, texts) = (policy.into_policy(&notify), texts.unwrap_or_default());
        Some(Self { face, engine, policy, opening, texts, places, engine_at, engine_places })
    }
}

fn read_engine(reader: &mut Reader<'_>, mut table: Table<'_>) -> Option<EngineConfig> {
    match reader.kind(&mut table, &ENGINE_KINDS)?.as_str() {
        "script" => reader.read::<script::Config>(table).map(EngineConfig::Script),
        "connector" => reader.read::<connector::Config>(table).map(EngineConfig::Connector),
        "openai" => reader.read::<openai::Config>(table).map(|config| EngineConfig::OpenAi(Box::new(config))),
        _ => reader.read::<webhook::Config>(table).map(EngineConfig::Webhook),
    }
}

/// The limits and wishes of a bot, as written.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Policy {
    /// After this time a turn fails, whatever the engine does; 1000 to 3600000. Default 60000.
    hard_deadline_ms: u64,
    /// What becomes of a failed turn. Default "hand_over".
    on_failure: WrittenOnFailure,
    /// How many turns a conversation may have before a human is called, 1 to 100000. Default 200.
    max_turns: u32,
    /// How many inputs may wait behind a running turn, 1 to 64. Default 8.
    max_waiting_inputs: u32,
    /// How many holding answers in a row, on a door that cannot push, before a human is called; 1 to 1000. Default 3.
    max_holding_turns: u32,
    /// What the engine is told of a conversation's life. Default: nothing.
    notify: BTreeSet<Notify>,
    /// How a conversation opens when the platform sends the `start_text`. Default: "engine" where the engine can, else
    /// "greeting".
    opening: Option<WrittenOpening>,
    /// What customers use, as far as the flow does not say so in a session variable (see the connector's
    /// `channel_parameter`). It decides what rich content survives. Default: not known; then rich content is sent with a
    /// text for channels that cannot show it.
    channel: Option<WrittenChannel>,
    /// What is masked in a customer's words before they are stored or shown to the engine: "card" (payment cards), "iban",
    /// "email", "phone", "token" (API keys and the like); [] masks nothing. Default ["card"].
    mask: BTreeSet<WrittenSensitive>,
}

/// A whole `[bots.KEY]` table, as the schema shows it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it is read in parts; see `BotConfig::read`")]
pub(super) struct BotTable {
    #[serde(flatten)]
    face: BotFace,
    #[serde(flatten)]
    policy: Policy,
    /// What the gateway itself says for this bot: in its default language here, in others below the
    /// language's tag.
    #[serde(default)]
    texts: TextsTable,
    /// What answers for the bot.
    engine: EngineConfig,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum WrittenOnFailure {
    /// The fallback, and the bot goes on.
    Say,
    /// A human takes over.
    HandOver,
}

/// How a conversation opens when the platform sends the `start_text`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum WrittenOpening {
    /// The engine is asked for its opening turn.
    Engine,
    /// The greeting of the texts, without asking the engine.
    Greeting,
    /// Nothing is said; the customer speaks first.
    Silent,
}

impl From<WrittenOpening> for Opening {
    fn from(opening: WrittenOpening) -> Self {
        match opening {
            WrittenOpening::Engine => Self::Engine,
            WrittenOpening::Greeting => Self::Greeting,
            WrittenOpening::Silent => Self::Silent,
        }
    }
}

/// What customers use.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum WrittenChannel {
    WebMessaging,
    Sms,
    #[serde(rename = "whatsapp")]
    WhatsApp,
    Messenger,
    Apple,
    Instagram,
    Line,
    Open,
    Voice,
}

impl From<WrittenChannel> for Channel {
    fn from(channel: WrittenChannel) -> Self {
        match channel {
            WrittenChannel::WebMessaging => Self::WebMessaging,
            WrittenChannel::Sms => Self::Sms,
            WrittenChannel::WhatsApp => Self::WhatsApp,
            WrittenChannel::Messenger => Self::Messenger,
            WrittenChannel::Apple => Self::Apple,
            WrittenChannel::Instagram => Self::Instagram,
            WrittenChannel::Line => Self::Line,
            WrittenChannel::Open => Self::Open,
            WrittenChannel::Voice => Self::Voice,
        }
    }
}

/// A kind of value that is masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum WrittenSensitive {
    Card,
    Iban,
    Email,
    Phone,
    Token,
}

impl From<WrittenSensitive> for Sensitive {
    fn from(kind: WrittenSensitive) -> Self {
        match kind {
            WrittenSensitive::Card => Self::Card,
            WrittenSensitive::Iban => Self::Iban,
            WrittenSensitive::Email => Self::Email,
            WrittenSensitive::Phone => Self::Phone,
            WrittenSensitive::Token => Self::Token,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        let BotPolicy { hard_deadline_ms, on_failure, max_waiting_inputs, max_holding_turns, max_turns, .. } =
            BotPolicy::default();
        let on_failure = match on_failure {
            OnFailure::Say => WrittenOnFailure::Say,
            OnFailure::HandOver => WrittenOnFailure::HandOver,
        };
        Self {
            hard_deadline_ms,
            on_failure,
            max_turns,
            max_waiting_inputs,
            max_holding_turns,
            notify: BTreeSet::new(),
            opening: None,
            channel: None,
            mask: BTreeSet::from([WrittenSensitive::Card]),
        }
    }
}

impl Policy {
    fn out_of_range(&self) -> Vec<String> {
        let ranges = [
            ("hard_deadline_ms", self.hard_deadline_ms, 1_000, 3_600_000),
            ("max_turns", self.max_turns.into(), 1, 100_000),
            ("max_waiting_inputs", self.max_waiting_inputs.into(), 1, 64),
            ("max_holding_turns", self.max_holding_turns.into(), 1, 1_000),
        ];
        let outside = ranges.into_iter().filter(|(_, value, least, most)| value < least || value > most);
        outside.map(|(name, _, least, most)| format!("`{name}` lies between {least} and {most}")).collect()
    }

    fn into_policy(self, notify: &BTreeSet<Notify>) -> BotPolicy {
        BotPolicy {
            hard_deadline_ms: self.hard_deadline_ms,
            on_failure: match self.on_failure {
                WrittenOnFailure::Say => OnFailure::Say,
                WrittenOnFailure::HandOver => OnFailure::HandOver,
            },
            max_waiting_inputs: self.max_waiting_inputs,
            max_holding_turns: self.max_holding_turns,
            max_turns: self.max_turns,
            notify: notify.iter().map(news).collect(),
            channel: self.channel.map(Into::into),
            mask: self.mask.into_iter().map(Into::into).collect(),
            ..BotPolicy::default()
        }
    }
}

const fn news(notify: &Notify) -> News {
    match notify {
        Notify::Opened => News::Opened,
        Notify::Ended => News::Ended,
        Notify::HandedOver => News::HandedOver,
        Notify::Returned => News::Returned,
    }
}
