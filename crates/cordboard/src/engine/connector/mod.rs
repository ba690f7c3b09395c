//! An endpoint that was written for Genesys Cloud, called as Genesys Cloud would call it: middleware of earlier days goes
//! on working behind the gateway, and behind the other door as well (`reference/bot-connector-v1.md`, section 2;
//! `reference/digital-bot-connector.md`, section 1.4).
//!
//! The endpoint sees the engine's session as the platform's conversation, and a session of its own for each visit. A v2
//! endpoint that answers later does so at [`StandIn`]'s doors.

mod access;
mod config;
mod messages;
mod read;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use genesys::cloud::Parameters;
use genesys::cloud::bot_connector::{ChatBotName, UtteranceRequest};
use genesys::cloud::digital_bot_connector::{IncomingMessagesRequest, OutgoingMessagesRequest};
use genesys::cloud::input::{ButtonResponse, ButtonType, InputContent, InputContentType, InputMessage, InputType};
use genesys::cloud::{Unreadable, read};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use model::{Ask, BotKey, Failure, Input, Notice, Timestamp};
use serde::Serialize;
use uuid::Uuid;

pub use config::{CallbacksConfig, Config, Error, Failed, Silence, Speaks};

use self::access::Access;
use self::read::{Meaning, Reader};
use super::callback::{Grant, LateMessage, NotTaken, Rejected, StandIn};
use super::webhook::ReplayConfig;
use super::{Asking, Engine, History, Reading, Replay, Traits};
use crate::http as calls;

/// The platform's id for support cases; ours is the turn's (`reference/bot-connector-v1.md`, section 2.1).
const CORRELATION: HeaderName = HeaderName::from_static("inin-correlation-id");

/// A bot behind an endpoint of the platform's contracts.
pub struct Endpoint {
    url: String,
    headers: HeaderMap,
    bot_id: Option<String>,
    bot_name: Option<String>,
    bot_version: String,
    session_minutes: u32,
    start_text: Option<String>,
    replay: Replay,
    reader: Reader,
    access: Option<Access>,
}

impl Endpoint {
    /// Checks a configuration and makes the engine.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn new(config: &Config) -> Result<Self, Error> {
        config.check_names()?;
        let usual = match config.speaks {
            Speaks::V1 => ReplayConfig::Unsafe,
            Speaks::V2 => ReplayConfig::Safe,
        };
        Ok(Self {
            url: config.checked_url()?,
            headers: config.checked_headers()?,
            bot_id: config.bot_id.clone(),
            bot_name: config.bot_name.clone(),
            bot_version: config.bot_version.clone(),
            session_minutes: config.session_minutes()?,
            start_text: config.start_text.clone(),
            replay: config.replay.unwrap_or(usual).into(),
            reader: Reader::new(config),
            access: config.checked_callbacks()?.map(Access::new),
        })
    }

    fn input(&self, input: &Input) -> InputMessage {
        match input {
            Input::Text(text) => InputMessage::typed(text.as_str()),
            Input::Start => InputMessage::typed(self.start_text.as_deref().unwrap_or_default()),
            // Which kind of button it was is not known any more; a quick reply is the commonest.
            Input::Choice { label, payload } => InputMessage {
                input_type: InputType::Structured,
                text: Some(label.clone()),
                content: vec![InputContent {
                    content_type: InputContentType::ButtonResponse,
                    button_response: Some(ButtonResponse {
                        button_type: Some(ButtonType::QuickReply),
                        text: Some(label.clone()),
                        payload: Some(payload.clone()),
                        originating_message_id: None,
                    }),
                }],
                button_response: None,
            },
        }
    }

    fn id<'a>(&'a self, ask: &'a Ask) -> &'a str {
        self.bot_id.as_deref().unwrap_or(ask.bot.as_str())
    }

    fn v1(&self, ask: &Ask) -> Bytes {
        let name = self.bot_name.as_deref().unwrap_or_else(|| self.id(ask));
        json(&UtteranceRequest {
            // Despite its name (section 2.2).
            bot_id: Some(name.to_owned()),
            bot_version: Some(self.bot_version.clone()),
            bot_session_id: uuid(self.session(ask.engine_session, ask.visit)),
            message_id: None,
            input_message: self.input(&ask.input),
            language_code: language(ask),
            bot_session_timeout_minutes: Some(self.session_minutes),
            chat_bot: Some(ChatBotName { id: Some(self.id(ask).to_owned()), name: Some(name.to_owned()) }),
            genesys_conversation_id: uuid(ask.engine_session),
            parameters: parameters(ask),
        })
    }

    fn v2(&self, ask: &Ask) -> Bytes {
        json(&IncomingMessagesRequest {
            bot_id: self.id(ask).to_owned(),
            bot_version: Some(self.bot_version.clone()),
            bot_session_id: uuid(self.session(ask.engine_session, ask.visit)),
            message_id: message_id(ask),
            input_message: self.input(&ask.input),
            language_code: language(ask),
            bot_session_timeout_minutes: Some(self.session_minutes),
            genesys_conversation_id: uuid(ask.engine_session),
            parameters: parameters(ask),
        })
    }
}

impl Engine for Endpoint {
    fn traits(&self) -> Traits {
        Traits {
            replay: self.replay,
            callbacks: self.access.is_some(),
            notices: false,
            opens: self.start_text.is_some(),
            history: false,
        }
    }

    fn ask(&self, ask: &Ask, _: &History, _turn_id: &str) -> Bytes {
        match self.reader.speaks {
            Speaks::V1 => self.v1(ask),
            Speaks::V2 => self.v2(ask),
        }
    }

    fn notice(&self, _: &Notice, _: &str) -> Option<Bytes> {
        None
    }

    fn call(&self, question: &Bytes, id: &str, _: u32, _: Timestamp, time_left_ms: u64) -> Asking {
        let mut headers = self.headers.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Ok(id) = HeaderValue::from_str(id) {
            headers.entry(CORRELATION).or_insert(id);
        }
        Asking::Call(calls::Call {
            method: Method::POST,
            url: self.url.clone(),
            headers,
            body: question.clone(),
            timeout_ms: time_left_ms,
            reply_max_bytes: self.reader.limits.reply_max_bytes,
        })
    }

    fn read(&self, _: &Bytes, reply: &calls::Reply) -> Reading {
        match reply.status {
            200 if reply.body.len() > self.reader.limits.reply_max_bytes => Reading::Failed(Failure::Nonsense),
            200 => match self.reader.response(&reply.body) {
                Meaning::Answer(answer) => Reading::Answer(answer),
                Meaning::Late => Reading::Accepted,
                Meaning::Failed(failure) => Reading::Failed(failure),
            },
            _ => Reading::of_failure(reply, self.replay),
        }
    }

    fn unread(&self, _: &Bytes, reply: &calls::Reply) -> Option<String> {
        let max_bytes = self.reader.limits.reply_max_bytes;
        if reply.body.len() > max_bytes {
            return Some(NotTaken::TooLarge { max_bytes }.to_string());
        }
        self.reader.unread(&reply.body)
    }

    fn address(&self) -> Option<&str> {
        Some(&self.url)
    }

    fn stand_in(&self) -> Option<&dyn StandIn> {
        self.access.as_ref().map(|_| self as &dyn StandIn)
    }

    /// A session of its own for each visit, as the platform has one for each run of the flow's action. The first visit has
    /// the engine's session itself.
    fn session(&self, engine_session: u128, visit: u32) -> u128 {
        engine_session ^ u128::from(visit)
    }
}

impl StandIn for Endpoint {
    fn grant(&self, headers: &HeaderMap, now: Timestamp) -> Result<Grant, Rejected> {
        self.access.as_ref().ok_or(Rejected::NoSecret)?.grant(headers, now)
    }

    fn admit(&self, headers: &HeaderMap, now: Timestamp) -> Result<(), Rejected> {
        self.access.as_ref().ok_or(Rejected::NoSecret)?.admit(headers, now)
    }

    fn requests_per_minute(&self) -> u32 {
        self.access.as_ref().map_or(0, |access| access.requests_per_minute)
    }

    fn read_message(&self, bot: &BotKey, raw_body: &[u8]) -> Result<LateMessage, NotTaken> {
        let max_bytes = self.reader.limits.reply_max_bytes;
        if raw_body.len() > max_bytes {
            return Err(NotTaken::TooLarge { max_bytes });
        }
        let message: OutgoingMessagesRequest<'_> = read(raw_body).map_err(not_taken)?;
        let session = Uuid::try_parse(&message.bot_session_id).map_err(|_| NotTaken::NoSuchSession)?.as_u128();
        if message.bot_id != self.bot_id.as_deref().unwrap_or(bot.as_str()) {
            return Err(NotTaken::OtherBot);
        }
        if message.bot_version != self.bot_version {
            return Err(NotTaken::OtherVersion);
        }
        Ok(LateMessage { session, said: self.reader.late(message.answer).map_err(not_taken)? })
    }
}

fn not_taken(unreadable: Unreadable) -> NotTaken {
    match unreadable {
        Unreadable::NotJson => NotTaken::NotJson,
        Unreadable::NotUnderstood { reason, .. } => NotTaken::NotAMessage(reason),
    }
}

/// A turn's own id in the platform's form, the same at every attempt. The half that no session differs in is the turn's.
fn message_id(ask: &Ask) -> String {
    uuid(ask.engine_session ^ (u128::from(ask.turn.0) << 32))
}

fn uuid(id: u128) -> String {
    Uuid::from_u128(id).to_string()
}

fn language(ask: &Ask) -> Option<String> {
    (!ask.language.is_empty()).then(|| ask.language.to_ascii_lowercase())
}

fn parameters(ask: &Ask) -> Parameters<'static> {
    ask.context.iter().map(|(name, value)| (name.clone().into(), value.clone().into())).collect()
}

fn json(request: &impl Serialize) -> Bytes {
    // Structs and texts: nothing of which `serde_json` refuses to write.
    serde_json::to_vec(request).expect("a request is always JSON").into()
}
