//! The Digital Bot Connector ("v2"): the platform posts each message and takes an answer at once or later
//! (`reference/digital-bot-connector.md`).
//!
//! The HTTP layer serves the manifest ([`DigitalBotConnector::manifest`], [`DigitalBotConnector::bot`]) and hands the
//! body of `POST …/messages` to [`Connector::parse`]; see [`crate::connector`] for who calls the rest.
//!
//! An open answer carries no intent and no entities: the flow reads them only when the session ends.

mod address;
mod config;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use genesys::cloud::digital_bot_connector::{
    self as wire, BotEntity, BotEntityValue, BotIntent, BotState, BotVersion, IncomingMessagesRequest,
    IncomingMessagesResponse, Manifest, OUTGOING_MESSAGES_PATH, OutgoingMessagesRequest,
};
use genesys::cloud::entity::{EntityType, Money};
use genesys::cloud::error::{Advice, ErrorBody};
use genesys::cloud::read;
use genesys::cloud::reply::ErrorInfo;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use model::{ConnectorKey, Door, Late, OrgKey, Part, PushOutcome, Reply};

use self::address::Address;
pub use self::config::{Config, OnUnknownSend};
use super::bots::{Bot, Bots};
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
use crate::fit::{Capabilities, Change, DoorKind, Source, What};
use crate::http as outgoing;
use crate::org::Org;

/// The session's lifetime when the request does not say: the action's default, twelve hours (section 4.3).
const SESSION_DEFAULT_MS: u64 = 12 * 60 * 60 * 1000;
/// Time for one push.
const PUSH_TIMEOUT_MS: u64 = 10_000;
/// The platform's answer to a push is an id or an error body.
const PUSH_REPLY_MAX_BYTES: usize = 64 * 1024;
/// The early acknowledgement, and the answer that says nothing (section 1.4).
const NOTHING_SAID: &[u8] = br#"{"botState":"MoreData","replyMessages":[]}"#;
/// What is sent should an answer ever fail to be written.
const UNWRITABLE: &[u8] =
    br#"{"botState":"Failed","replyMessages":[],"errorInfo":{"errorCode":"internal","errorMessage":"the answer could not be written"}}"#;
const REFUSED: &[u8] = br#"{"error":"busy","message":"nothing was kept; send it again"}"#;
const REFUSED_RETRY_AFTER_S: u16 = 1;

/// One configured integration.
#[derive(Debug)]
pub struct DigitalBotConnector {
    entrance: Entrance,
    provider: String,
    push_url: String,
    soft_deadline_ms: u64,
    reserved: Reserved,
    channels: Channels,
    door: Door,
    on_unknown_send: OnUnknownSend,
}

impl DigitalBotConnector {
    /// Checks the configuration, the manifest included.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`] with what to write instead.
    pub fn new(key: ConnectorKey, config: &Config, org: &Org, bots: &Bots) -> Result<Self, Misconfigured> {
        let owner = owner(&key);
        let served = bots.select(&owner, config.bots.as_deref())?;
        let entrance = Entrance::new(key, &config.path, &config.credentials, org, served)?;
        check_range(&owner, "soft_deadline_ms", config.soft_deadline_ms, 0..=55_000)?;
        check_range(&owner, "merge_quiet_ms", config.merge_quiet_ms, 0..=10_000)?;
        check_range(&owner, "merge_max_ms", config.merge_max_ms, config.merge_quiet_ms..=30_000)?;
        check_range(&owner, "push_after_ack_ms", config.push_after_ack_ms, 0..=10_000)?;
        check_range(&owner, "platform_retry_window_ms", config.platform_retry_window_ms, 0..=300_000)?;
        check_range(&owner, "follow_up_timeout_ms", config.follow_up_timeout_ms, 60_000..=SESSION_MAX_MS)?;
        let kind = DoorKind::DigitalBotConnector;
        let connector = Self {
            channels: Channels::new(&owner, kind, config.attachments, &config.channels)?,
            entrance,
            provider: config.provider.clone(),
            push_url: format!("{}{OUTGOING_MESSAGES_PATH}", org.api_base()),
            soft_deadline_ms: config.soft_deadline_ms,
            reserved: Reserved::new(&config.start_text, &config.channel_parameter, &config.customer_parameter),
            door: Door {
                late: Late::Push,
                join_identical_ms: 0,
                retry_window_ms: config.platform_retry_window_ms,
                push_after_ack_ms: config.push_after_ack_ms,
                follow_up_ms: config.follow_up_timeout_ms,
                merge_quiet_ms: config.merge_quiet_ms,
                merge_max_ms: config.merge_max_ms,
            },
            on_unknown_send: config.on_unknown_send,
        };
        check_listed(&owner, &connector.wire_manifest().validate())?;
        Ok(connector)
    }

    /// Where the platform comes in: beneath its path are [`wire::BOTS_PATH`] and [`wire::MESSAGES_PATH`].
    #[must_use]
    pub fn entrance(&self) -> &Entrance {
        &self.entrance
    }

    /// The body of `GET …/bots`.
    #[must_use]
    pub fn manifest(&self) -> Bytes {
        json(&self.wire_manifest()).unwrap_or_default()
    }

    /// The body of `GET …/bots/{id}`; nothing for an unknown bot. A bot has one version, so there is nothing to choose by
    /// `?version=`.
    #[must_use]
    pub fn bot(&self, id: &str) -> Option<Bytes> {
        json(&self.wire_bot(self.entrance.bots().get(&id.into())?))
    }

    /// What the manifest declares of each bot.
    #[must_use]
    pub fn declarations(&self) -> Vec<Declaration> {
        let of_bot = |bot: &Bot| {
            Declaration::of(bot, bot.intents().iter().map(|intent| (intent.name.clone(), intent.slots.clone())))
        };
        self.entrance.bots().iter().map(of_bot).collect()
    }

    fn wire_manifest(&self) -> Manifest {
        Manifest { entities: self.entrance.bots().iter().map(|bot| self.wire_bot(bot)).collect() }
    }

    fn wire_bot(&self, bot: &Bot) -> wire::Bot {
        let intents = bot.intents().iter().map(|intent| BotIntent {
            name: intent.name.clone(),
            entities: intent
                .slots
                .iter()
                .map(|(name, slot_type)| BotEntity { name: name.clone(), entity_type: slot_type.clone() })
                .collect(),
        });
        wire::Bot {
            id: bot.id().to_owned(),
            name: bot.name().to_owned(),
            provider: self.provider.clone(),
            description: bot.description().map(str::to_owned),
            versions: vec![BotVersion {
                version: bot.version().to_owned(),
                supported_languages: bot.languages().to_vec(),
                intents: intents.collect(),
            }],
        }
    }

    /// The session's own address; made up, and told, when the stored one is not ours.
    fn address(bot: &Bot, leg: LegView<'_>) -> (Address, Option<Change>) {
        match Address::read(leg.address) {
            Some(address) => {
                let is_another = address.version != bot.version();
                (address, is_another.then(|| Change::of_answer(What::OtherVersion, 1, Source::Endings)))
            }
            None => {
                let (version, language) = (bot.version().to_owned(), bot.default_language().to_owned());
                let address = Address::new(bot.id().to_owned(), version, language);
                (address, Some(Change::of_answer(What::AddressMade, 1, Source::Endings)))
            }
        }
    }

    fn message(&self, body: &[u8]) -> Result<Message, Odd> {
        let request: IncomingMessagesRequest = read(body)?;
        check_ids(&[
            ("botSessionId", &request.bot_session_id),
            ("messageId", &request.message_id),
            ("genesysConversationId", &request.genesys_conversation_id),
            ("botVersion", request.bot_version.as_deref().unwrap_or_default()),
            ("languageCode", request.language_code.as_deref().unwrap_or_default()),
        ])?;
        let bot = self.entrance.bots().get(&request.bot_id.as_str().into());
        let bot = bot.ok_or_else(|| Odd::no_bot("botId names no bot of this connector"))?;
        let language = request.language_code.unwrap_or_else(|| bot.default_language().to_owned());
        let version = request.bot_version.unwrap_or_else(|| bot.version().to_owned());
        let parameters = attributes(request.parameters);
        Ok(Message {
            conversation: request.genesys_conversation_id,
            session: request.bot_session_id,
            message: Some(request.message_id),
            bot: bot.key().clone(),
            input: self.reserved.input(&request.input_message),
            is_form: is_form(&request.input_message),
            address: Address::new(request.bot_id, version, language.clone()).write(),
            language,
            channel: self.reserved.channel(&parameters),
            customer: self.reserved.customer(&parameters),
            parameters,
            session_lifetime_ms: lifetime_ms(request.bot_session_timeout_minutes, SESSION_DEFAULT_MS),
            body_hash: body_hash(body),
            poll: None,
        })
    }
}

impl Connector for DigitalBotConnector {
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
        self.soft_deadline_ms
    }

    fn refuse_after_ms(&self) -> u64 {
        self.soft_deadline_ms + REFUSE_AFTER_WAIT_MS
    }

    fn parse(&self, body: &[u8]) -> Parsed {
        self.message(body).map_or_else(|odd| odd.parsed(kept), |message| Parsed::Message(Box::new(message)))
    }

    fn render(&self, reply: &Reply, leg: LegView<'_>) -> Rendered {
        let to = self.channels.of(leg.channel);
        let (reply, noted) = match reply {
            Reply::Parts(parts) if parts.is_empty() => (ok(Bytes::from_static(NOTHING_SAID)), Noted::default()),
            Reply::Parts(parts) => {
                let bot = self.entrance.seated(leg.bot);
                let (answer, mut noted) = answer(&bot, parts, to);
                noted.changes.extend(Self::address(&bot, leg).1);
                (written(&answer), noted)
            }
            Reply::Holding { parts, line, button } => {
                let mut messages = Messages::of(parts, to);
                match (line, button) {
                    // This door pushes and needs no button; should it get one, it is worth its label.
                    (Some(line), _) => messages.say(line),
                    (None, Some(button)) => messages.say(&button.label),
                    (None, None) => {}
                }
                open(messages, parts)
            }
            Reply::Pending { parts, .. } => {
                let mut messages = Messages::of(parts, to);
                messages.noted.changes.push(Change::of_answer(What::PollUnneeded, 1, Source::Types));
                open(messages, parts)
            }
            Reply::Failed { code } => (failed(code, "the session cannot be served"), Noted::default()),
            Reply::Refused => (self.refusal(), Noted::default()),
        };
        Rendered { reply, memory: None, noted }
    }

    fn render_push(&self, parts: &[Part], leg: LegView<'_>) -> Option<RenderedPush> {
        let bot = self.entrance.seated(leg.bot);
        let (address, odd) = Self::address(&bot, leg);
        let (answer, mut noted) = answer(&bot, parts, self.channels.of(leg.channel));
        noted.changes.extend(odd);
        let push = OutgoingMessagesRequest {
            bot_id: address.bot.into(),
            bot_version: address.version.into(),
            bot_session_id: leg.session.into(),
            language_code: address.language.into(),
            answer,
        };
        Some(RenderedPush { body: json(&push)?, memory: None, noted })
    }

    fn refusal(&self) -> SealedReply {
        SealedReply { status: 503, retry_after_s: Some(REFUSED_RETRY_AFTER_S), body: Bytes::from_static(REFUSED) }
    }

    fn call(&self, push: &Bytes) -> Option<outgoing::Call> {
        let json = HeaderValue::from_static("application/json");
        Some(outgoing::Call {
            method: Method::POST,
            url: self.push_url.clone(),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, json.clone()), (ACCEPT, json)]),
            body: push.clone(),
            timeout_ms: PUSH_TIMEOUT_MS,
            reply_max_bytes: PUSH_REPLY_MAX_BYTES,
        })
    }

    fn read_push(&self, reply: &outgoing::Reply) -> PushReading {
        let error = ErrorBody::read(&reply.body);
        let code = error.code.as_deref();
        match Advice::of(reply.status, code, reply.header("retry-after")) {
            Advice::Sent => PushReading::Over(PushOutcome::Delivered),
            Advice::NotSent { retry_after } => PushReading::NotTaken {
                after_ms: retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            },
            Advice::Unauthorised => PushReading::Unauthorised,
            Advice::SessionGone => PushReading::Over(PushOutcome::SessionClosed),
            Advice::Misconfigured => PushReading::Misconfigured { why: why(reply.status, code) },
            Advice::Refused => PushReading::Over(PushOutcome::Rejected),
            Advice::Unknown => PushReading::Unknown,
        }
    }

    fn resends_unknown(&self) -> bool {
        self.on_unknown_send == OnUnknownSend::Resend
    }
}

/// What an operator has to look at.
fn why(status: u16, code: Option<&str>) -> &'static str {
    match code {
        Some("integration.not.active") => "the integration is inactive",
        Some("session.bot.id.mismatch") => "the session belongs to another bot",
        Some("session.bot.version.mismatch") => "the session belongs to another version of the bot",
        _ if status == 403 => "the OAuth client lacks the permission integration:botconnector:send",
        _ => "the org's API address is wrong: it redirects",
    }
}

/// The answer that these parts make; the last one says where it leaves the session.
fn answer<'a>(bot: &'a Bot, parts: &'a [Part], to: &Capabilities) -> (IncomingMessagesResponse<'a>, Noted) {
    let messages = Messages::of(parts, to);
    let mut noted = messages.noted;
    let mut response = IncomingMessagesResponse {
        reply_messages: messages.messages,
        parameters: parameters(parts),
        ..IncomingMessagesResponse::new(BotState::MoreData)
    };
    if let Some(ending) = parts.last().and_then(|part| Ending::of(bot, part)) {
        response.bot_state = BotState::Complete;
        response.intent = Some(ending.intent.into());
        response.confidence = ending.confidence;
        response.parameters = ending.parameters(parts);
        response.entities = ending.slots.into_iter().map(entity).collect();
        noted.changes.extend(ending.changes);
    }
    (response, noted)
}

fn open(messages: Messages<'_>, parts: &[Part]) -> (SealedReply, Noted) {
    let response = IncomingMessagesResponse {
        reply_messages: messages.messages,
        parameters: parameters(parts),
        ..IncomingMessagesResponse::new(BotState::MoreData)
    };
    (written(&response), messages.noted)
}

/// A slot as the entity it is in this door: all values are texts, money the text of a JSON object (section 1.5).
fn entity(slot: Slot<'_>) -> BotEntityValue<'_> {
    let money = slot.slot_type.element() == EntityType::Currency;
    let mut values = slot.values.into_iter().map(|text| match Money::read(text).filter(|_| money) {
        Some(Money { amount, code }) => format!(r#"{{"amount": {amount}, "code": "{code}"}}"#).into(),
        None => text.into(),
    });
    if slot.slot_type.is_collection() {
        BotEntityValue::collection(slot.name, slot.slot_type.clone(), values.collect())
    } else {
        BotEntityValue::single(slot.name, slot.slot_type.clone(), values.next().unwrap_or_default())
    }
}

fn written(response: &IncomingMessagesResponse<'_>) -> SealedReply {
    ok(json(response).unwrap_or(Bytes::from_static(UNWRITABLE)))
}

fn failed(code: &str, message: &str) -> SealedReply {
    written(&IncomingMessagesResponse {
        error_info: Some(ErrorInfo { error_code: code.into(), error_message: message.into() }),
        ..IncomingMessagesResponse::new(BotState::Failed)
    })
}

/// What was not understood: a dead letter has it.
fn kept(code: &str) -> SealedReply {
    failed(code, "the message was kept for an operator")
}
