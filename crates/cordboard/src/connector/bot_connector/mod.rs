//! The Bot Connector ("v1"): one address, one question, one answer in the same response (`reference/bot-connector-v1.md`).
//!
//! The HTTP layer hands the body of a `POST` to exactly the configured path to [`Connector::parse`]; see
//! [`crate::connector`] for who calls the rest. Nothing can be pushed here: a late answer is held until a poll fetches it.
//! The bots on offer are not pulled, so an operator's command registers them ([`crate::registration`]).
//!
//! Any answer other than 200 kills the conversation, so every fault of ours is a valid answer that hands the customer to a
//! human (section 0, number 11).
//!
//! Voice is not served: no document of the platform lets the action stand in a call flow, and the sources that claim it
//! are contradicted by the platform's own (section 1).

mod config;
mod rotation;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use genesys::cloud::bot_connector::{
    BotIntent, BotList, BotState, BotVersion, ChatBot, SlotValue, UtteranceRequest, UtteranceResponse, bots_path,
};
use genesys::cloud::entity::EntityType;
use genesys::cloud::read;
use model::{Attributes, ConnectorKey, Door, Input, Opaque, OrgKey, Part, Poll, PollNumber, PushOutcome, Reply};

pub use self::config::{Config, LateAnswers};
pub(crate) use self::rotation::STAMP_SLOT;
use self::rotation::{Rotation, TURN_INTENTS};
use super::bots::{Bot, Bots, HAND_OVER_INTENT};
use super::channels::Channels;
use super::declared::Declaration;
use super::ending::{Ending, Slot};
use super::entrance::{Entrance, check_listed, check_range, owner};
use super::messages::Messages;
use super::request::{
    Odd, REFUSE_AFTER_WAIT_MS, Reserved, SESSION_MAX_MS, attributes, body_hash, check_ids, is_form, json, lifetime_ms,
    ok, parameters,
};
use super::{
    Connector, LegView, Message, Misconfigured, Noted, Parsed, PushReading, Rendered, RenderedPush, SealedReply,
};
use crate::fit::{Capabilities, DoorKind};
use crate::http as outgoing;
use crate::org::Org;

/// The intent by which a flow leaves to come back for a late answer.
const PENDING_INTENT: &str = "pending";
/// The output variable that such a flow brings back as an input variable.
const POLL_PARAMETER: &str = "pollId";
/// What a poll button carries, before the number.
const POLL_PAYLOAD: &str = "gw:poll:";
/// The output variable that tells a flow of a fault of ours.
const FAULT_PARAMETER: &str = "cordboard";
/// The refusal, and what is sent should an answer ever fail to be written. It acknowledges nothing.
const UNCOMMITTED: &[u8] =
    br#"{"replymessages":[],"botState":"COMPLETE","intent":"human","parameters":{"cordboard":"uncommitted"}}"#;

/// One configured integration.
#[derive(Debug)]
pub struct BotConnector {
    entrance: Entrance,
    integration_id: Option<String>,
    budget_ms: u64,
    poll_text: String,
    reserved: Reserved,
    session_lifetime_default_ms: u64,
    shadow: Option<ConnectorKey>,
    channels: Channels,
    door: Door,
}

impl BotConnector {
    /// Checks the configuration, the list of bots included.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`] with what to write instead.
    pub fn new(key: ConnectorKey, config: &Config, org: &Org, bots: &Bots) -> Result<Self, Misconfigured> {
        let owner = owner(&key);
        let served = bots.select(&owner, config.bots.as_deref())?;
        let entrance = Entrance::new(key, &config.path, &config.credentials, org, served)?;
        check_range(&owner, "budget_ms", config.budget_ms, 1_000..=10_000)?;
        check_range(&owner, "join_identical_ms", config.join_identical_ms, 0..=60_000)?;
        check_range(&owner, "follow_up_timeout_ms", config.follow_up_timeout_ms, 1_000..=SESSION_MAX_MS)?;
        let lifetime_ms = config.session_lifetime_default_ms;
        check_range(&owner, "session_lifetime_default_ms", lifetime_ms, 60_000..=SESSION_MAX_MS)?;
        if config.poll_text.trim().is_empty() {
            return Err(Misconfigured(format!(
                "{owner}: `poll_text` is a word that no customer types, such as \"__poll__\""
            )));
        }
        if config.start_text.trim() == config.poll_text.trim() {
            return Err(Misconfigured(format!(
                "{owner}: `start_text` and `poll_text` are the same; a flow could not say which it means"
            )));
        }
        if config.integration_id.as_deref().is_some_and(|id| bots_path(id).is_none()) {
            return Err(Misconfigured(format!(
                "{owner}: `integration_id` is made of letters, digits, hyphens and underscores, as it stands in the address \
                 bar of the integration"
            )));
        }
        let connector = Self {
            channels: Channels::new(&owner, DoorKind::BotConnector, false, &config.channels)?,
            entrance,
            integration_id: config.integration_id.clone(),
            budget_ms: config.budget_ms,
            poll_text: config.poll_text.trim().to_owned(),
            reserved: Reserved::new(&config.start_text, &config.channel_parameter, &config.customer_parameter),
            session_lifetime_default_ms: lifetime_ms,
            shadow: config.shadow.as_deref().map(ConnectorKey::from),
            door: Door {
                late: config.late_answers.into(),
                join_identical_ms: config.join_identical_ms,
                // Nothing is ever pushed here, so there is no retry to wait for first.
                retry_window_ms: 0,
                push_after_ack_ms: 0,
                follow_up_ms: config.follow_up_timeout_ms,
                // Each request must be answered before the platform sends the next, so there is never one to merge with.
                merge_quiet_ms: 0,
                merge_max_ms: 0,
            },
        };
        connector.check_bots(&owner)?;
        Ok(connector)
    }

    fn check_bots(&self, owner: &str) -> Result<(), Misconfigured> {
        for bot in self.entrance.bots() {
            let taken = TURN_INTENTS.iter().chain([&PENDING_INTENT]).find(|name| bot.intent(name).is_some());
            if let Some(name) = taken {
                return Err(Misconfigured(format!(
                    "{owner}: bots.{} declares the intent `{name}`, which this connector needs for itself; rename it",
                    bot.key(),
                )));
            }
        }
        check_listed(owner, &self.wire_bot_list().validate())
    }

    /// Where the platform comes in: its path is the address, exactly.
    #[must_use]
    pub fn entrance(&self) -> &Entrance {
        &self.entrance
    }

    /// The body of the `PUT` that registers the bots (section 3), with every intent that an answer may carry.
    #[must_use]
    pub fn bot_list(&self) -> Bytes {
        json(&self.wire_bot_list()).unwrap_or_default()
    }

    /// What the list declares of each bot, the intents of open answers among it.
    #[must_use]
    pub fn declarations(&self) -> Vec<Declaration> {
        let of_bot = |bot: &Bot| {
            let intents = wire_intents(bot).map(|intent| {
                (intent.name, intent.slots.into_iter().map(|(name, slot)| (name, slot.slot_type)).collect())
            });
            Declaration::of(bot, intents)
        };
        self.entrance.bots().iter().map(of_bot).collect()
    }

    /// The id of its integration on the platform, where that is configured: the list is sent to it.
    #[must_use]
    pub fn integration_id(&self) -> Option<&str> {
        self.integration_id.as_deref()
    }

    /// The list of bots, typed.
    pub(crate) fn wire_bot_list(&self) -> BotList {
        BotList { chat_bots: self.entrance.bots().iter().map(wire_bot).collect() }
    }

    fn message(&self, body: &[u8]) -> Result<Message, Odd> {
        let request: UtteranceRequest = read(body)?;
        check_ids(&[
            ("botSessionId", &request.bot_session_id),
            ("genesysConversationId", &request.genesys_conversation_id),
            ("languageCode", request.language_code.as_deref().unwrap_or_default()),
        ])?;
        let bots = self.entrance.bots();
        let bot = request
            .bot_candidates()
            .find_map(|candidate| bots.by_id_or_name(candidate))
            .ok_or_else(|| Odd::no_bot("neither botId nor chatBot names a bot of this connector"))?;
        let input = self.reserved.input(&request.input_message);
        let mut parameters = attributes(request.parameters);
        let poll = self.poll(&input, &mut parameters);
        Ok(Message {
            conversation: request.genesys_conversation_id,
            session: request.bot_session_id,
            // A member of this name is in no capture; nothing says that it would be unique.
            message: None,
            bot: bot.key().clone(),
            input,
            is_form: is_form(&request.input_message),
            language: request.language_code.unwrap_or_else(|| bot.default_language().to_owned()),
            channel: self.reserved.channel(&parameters),
            customer: self.reserved.customer(&parameters),
            parameters,
            session_lifetime_ms: lifetime_ms(request.bot_session_timeout_minutes, self.session_lifetime_default_ms),
            address: Opaque::default(),
            body_hash: body_hash(body),
            poll,
        })
    }

    /// Whether a message is a poll for a late answer. Whatever begins like one is one: it must never reach an engine
    /// (section 5).
    fn poll(&self, input: &Input, parameters: &mut Attributes) -> Option<Poll> {
        let words = match input {
            Input::Text(text) => text,
            Input::Choice { payload, .. } => payload,
            Input::Start => return None,
        };
        let numbered =
            |digits: &str| digits.trim().parse().map_or(Poll::Any, |number| Poll::Number(PollNumber(number)));
        let words = words.trim();
        if let Some(digits) = words.strip_prefix(POLL_PAYLOAD) {
            return Some(numbered(digits));
        }
        if words != self.poll_text {
            return None;
        }
        // The number is the flow's own bookkeeping and no business of the engine.
        Some(parameters.remove(POLL_PARAMETER).map_or(Poll::Any, |digits| numbered(&digits)))
    }
}

fn wire_bot(bot: &Bot) -> ChatBot {
    ChatBot {
        id: bot.id().to_owned(),
        name: bot.name().to_owned(),
        description: bot.description().map(str::to_owned),
        versions: vec![BotVersion {
            version: bot.version().to_owned(),
            supported_languages: bot.languages().to_vec(),
            intents: wire_intents(bot).collect(),
        }],
    }
}

/// Whether an intent is declared for the sake of this door, whatever the bot's author wrote.
#[must_use]
pub fn is_of_the_connector(intent: &str) -> bool {
    TURN_INTENTS.contains(&intent) || intent == PENDING_INTENT
}

/// Every intent that an answer may carry.
fn wire_intents(bot: &Bot) -> impl Iterator<Item = BotIntent> {
    let stamp = || [(STAMP_SLOT.to_owned(), EntityType::Integer)];
    let turns = TURN_INTENTS.iter().map(move |name| BotIntent::new(*name, stamp()));
    let own = bot.intents().iter().map(|intent| BotIntent::new(intent.name.as_str(), intent.slots.clone()));
    turns.chain([BotIntent::new(PENDING_INTENT, [])]).chain(own)
}

impl Connector for BotConnector {
    fn key(&self) -> &ConnectorKey {
        self.entrance.key()
    }

    fn org(&self) -> &OrgKey {
        self.entrance.org()
    }

    fn door(&self) -> Door {
        self.door.clone()
    }

    fn wait_ms(&self) -> u64 {
        self.budget_ms
    }

    fn refuse_after_ms(&self) -> u64 {
        self.budget_ms + REFUSE_AFTER_WAIT_MS
    }

    fn parse(&self, body: &[u8]) -> Parsed {
        self.message(body).map_or_else(|odd| odd.parsed(fault), |message| Parsed::Message(Box::new(message)))
    }

    fn render(&self, reply: &Reply, leg: LegView<'_>) -> Rendered {
        let to = self.channels.of(leg.channel);
        match reply {
            Reply::Parts(parts) => {
                let bot = self.entrance.seated(leg.bot);
                match parts.last().and_then(|part| Ending::of(&bot, part)) {
                    Some(ending) => ended(ending, parts, to),
                    None => open(Messages::of(parts, to), parts, leg),
                }
            }
            Reply::Holding { parts, line, button } => {
                let mut messages = Messages::of(parts, to);
                match (line, button) {
                    (line, Some(button)) => {
                        let payload = format!("{POLL_PAYLOAD}{}", button.poll);
                        messages.offer_poll(line.as_deref().unwrap_or_default(), button, payload);
                    }
                    (Some(line), None) => messages.say(line),
                    (None, None) => {}
                }
                open(messages, parts, leg)
            }
            Reply::Pending { parts, poll } => {
                let messages = Messages::of(parts, to);
                let mut parameters = parameters(parts);
                parameters.insert(POLL_PARAMETER.into(), poll.to_string().into());
                let response = UtteranceResponse {
                    reply_messages: messages.messages,
                    intent: Some(PENDING_INTENT.into()),
                    parameters,
                    ..UtteranceResponse::new(BotState::Complete)
                };
                Rendered { reply: written(&response), memory: None, noted: messages.noted }
            }
            Reply::Failed { code } => Rendered { reply: fault(code), memory: None, noted: Noted::default() },
            Reply::Refused => Rendered { reply: self.refusal(), memory: None, noted: Noted::default() },
        }
    }

    fn shadow(&self) -> Option<&ConnectorKey> {
        self.shadow.as_ref()
    }

    fn render_push(&self, _: &[Part], _: LegView<'_>) -> Option<RenderedPush> {
        None
    }

    fn refusal(&self) -> SealedReply {
        ok(Bytes::from_static(UNCOMMITTED))
    }

    fn call(&self, _: &Bytes) -> Option<outgoing::Call> {
        None
    }

    fn read_push(&self, _: &outgoing::Reply) -> PushReading {
        PushReading::Over(PushOutcome::Rejected)
    }

    fn resends_unknown(&self) -> bool {
        false
    }
}

/// An answer that leaves the session open.
fn open(messages: Messages<'_>, parts: &[Part], leg: LegView<'_>) -> Rendered {
    let rotation = Rotation::after(leg.memory);
    let response = UtteranceResponse {
        reply_messages: messages.messages,
        intent: Some(rotation.intent().into()),
        slot_values: [(STAMP_SLOT.into(), SlotValue::Integer(rotation.stamp()))].into(),
        parameters: parameters(parts),
        ..UtteranceResponse::new(BotState::MoreData)
    };
    Rendered { reply: written(&response), memory: Some(rotation.write()), noted: messages.noted }
}

/// An answer that ends the session.
fn ended(mut ending: Ending<'_>, parts: &[Part], to: &Capabilities) -> Rendered {
    let messages = Messages::of(parts, to);
    let mut noted = messages.noted;
    noted.changes.append(&mut ending.changes);
    let response = UtteranceResponse {
        reply_messages: messages.messages,
        intent: Some(ending.intent.into()),
        confidence: ending.confidence,
        slot_values: ending.slots.iter().filter_map(|slot| Some((slot.name.into(), slot_value(slot)?))).collect(),
        parameters: ending.parameters(parts),
        ..UtteranceResponse::new(BotState::Complete)
    };
    Rendered { reply: written(&response), memory: None, noted }
}

/// A slot in its JSON form (section 4.5).
fn slot_value<'a>(slot: &Slot<'a>) -> Option<SlotValue<'a>> {
    let of = |text: &&'a str| SlotValue::of(&slot.slot_type.element(), text);
    if slot.slot_type.is_collection() {
        slot.values.iter().map(of).collect::<Option<_>>().map(SlotValue::Collection)
    } else {
        slot.values.first().and_then(of)
    }
}

fn written(response: &UtteranceResponse<'_>) -> SealedReply {
    ok(json(response).unwrap_or(Bytes::from_static(UNCOMMITTED)))
}

/// A fault of ours: a valid answer that hands the customer to a human.
fn fault(code: &str) -> SealedReply {
    written(&UtteranceResponse {
        intent: Some(HAND_OVER_INTENT.into()),
        parameters: [(FAULT_PARAMETER.into(), code.into())].into(),
        ..UtteranceResponse::new(BotState::Complete)
    })
}
