//! The doors for engines that were written for the platform, and answer later as they would answer it: beneath
//! `/v1/engine/bots/{bot}` a token at `/oauth/token`, and messages at the platform's own path
//! (`reference/digital-bot-connector.md`, section 2.1). Statuses and error bodies are the platform's.
//!
//! A token, or the lack of it, is judged before a body is read. A message is answered with 200 only when the step that
//! applies it is committed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use genesys::cloud::digital_bot_connector::{OUTGOING_MESSAGES_PATH, OutgoingMessagesReply};
use genesys::cloud::error::ErrorBody;
use genesys::cloud::oauth::{TokenRefusal, TokenRequest};
use http::header::RETRY_AFTER;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use hyper::body::Incoming;
use model::{Answer as Said, BotKey, Event, HandOver, Next};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{EngineDoor, Outcome, RETRY_AFTER_S, Sender, outcome};
use crate::doors::platform::percent_decoded;
use crate::engine::{Engine, LateMessage, NotTaken, StandIn};
use crate::http::body::{self, Answer, Cap};
use crate::org::Rate;
use crate::store;

const BEFORE_BOT: &str = "/v1/engine/bots/";
/// A form of one field.
const FORM_MAX_BYTES: usize = 4 * 1024;

/// What a path beneath a bot names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::doors) enum Place {
    Token,
    Messages,
}

/// The bot and the place that a path names.
pub(in crate::doors) fn place_in(path: &str) -> Option<(Cow<'_, str>, Place)> {
    let rest = path.strip_prefix(BEFORE_BOT)?;
    let places = [(TokenRequest::PATH, Place::Token), (OUTGOING_MESSAGES_PATH, Place::Messages)];
    let (bot, place) = places.into_iter().find_map(|(end, place)| Some((rest.strip_suffix(end)?, place)))?;
    (!bot.is_empty() && !bot.contains('/')).then(|| (percent_decoded(bot), place))
}

/// How often each bot's engine may answer later.
#[derive(Default)]
pub(super) struct Rates(Mutex<BTreeMap<BotKey, (u32, Arc<Rate>)>>);

impl Rates {
    fn of(&self, bot: &BotKey, requests_per_minute: u32) -> Arc<Rate> {
        let mut rates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = rates.get(bot).filter(|(limit, _)| *limit == requests_per_minute).map(|(_, rate)| rate.clone());
        known.unwrap_or_else(|| {
            let rate = Arc::new(Rate::new(requests_per_minute));
            rates.insert(bot.clone(), (requests_per_minute, rate.clone()));
            rate
        })
    }
}

#[derive(Serialize)]
struct Token<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u32,
}

impl EngineDoor {
    pub(in crate::doors) async fn stand_in(
        &self,
        (bot, place): (Cow<'_, str>, Place),
        head: &Parts,
        incoming: Incoming,
    ) -> Response<Answer> {
        if head.method != Method::POST {
            return body::not_allowed("POST");
        }
        let bot = BotKey::from(bot.as_ref());
        let engine = self.shared.roster().engines.get(&bot).cloned();
        // A bot that is not there, and one that answers otherwise, look like a wrong secret from outside.
        let stand_in = engine.as_deref().and_then(Engine::stand_in);
        match (place, stand_in) {
            (Place::Token, Some(stand_in)) => self.token(&bot, stand_in, head, incoming).await,
            (Place::Messages, Some(stand_in)) => self.message(&bot, stand_in, head, incoming).await,
            (Place::Token, None) => unknown_client(),
            (Place::Messages, None) => {
                refused(StatusCode::UNAUTHORIZED, "bad.credentials", "Invalid login credentials.")
            }
        }
    }

    async fn token(&self, bot: &BotKey, stand_in: &dyn StandIn, head: &Parts, incoming: Incoming) -> Response<Answer> {
        let grant = match stand_in.grant(&head.headers, self.shared.runtime().now()) {
            Ok(grant) => grant,
            Err(reason) => {
                tracing::warn!(%bot, %reason, "a token for late answers was refused");
                return unknown_client();
            }
        };
        let cap = Cap { max_bytes: FORM_MAX_BYTES, ..self.cap };
        let form = match body::read(head, incoming, cap).await {
            Ok(form) => form,
            Err(unread) => return unread.answer(),
        };
        if !form.split(|byte| *byte == b'&').any(|pair| pair.trim_ascii() == TokenRequest::BODY.as_bytes()) {
            return no_token(
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                "the body is grant_type=client_credentials",
            );
        }
        let token = grant.token.expose_secret();
        body::value(StatusCode::OK, &Token { access_token: token, token_type: "bearer", expires_in: grant.lifetime_s })
    }

    async fn message(
        &self,
        bot: &BotKey,
        stand_in: &dyn StandIn,
        head: &Parts,
        incoming: Incoming,
    ) -> Response<Answer> {
        let now = self.shared.runtime().now();
        if let Err(reason) = stand_in.admit(&head.headers, now) {
            tracing::warn!(%bot, %reason, "a late answer was not taken for the bot's own");
            return refused(StatusCode::UNAUTHORIZED, "bad.credentials", "Invalid login credentials.");
        }
        if !self.rates.of(bot, stand_in.requests_per_minute()).try_take(now) {
            return later(StatusCode::TOO_MANY_REQUESTS, "too.many.requests", "Rate limit exceeded.");
        }
        if self.shared.is_stopped() || self.shared.draining().is_some_and(|until| until <= now) {
            return busy();
        }
        let raw = match body::read(head, incoming, self.cap).await {
            Ok(raw) => raw,
            Err(unread) => return refused(unread.status(), unread.code(), &unread.to_string()),
        };
        let message = match stand_in.read_message(bot, &raw) {
            Ok(message) => message,
            Err(not_taken) => return self.not_taken(bot, &raw, not_taken).await,
        };
        match self.sender_of(bot, &message).await {
            Ok(Some(sender)) => self.say(&sender, message, &raw).await,
            Ok(None) => session_unknown(),
            Err(error) => {
                tracing::warn!(%error, "a late answer was refused, because its conversation could not be read");
                busy()
            }
        }
    }

    /// Whom a message is from; a session of an earlier visit is one of nobody.
    async fn sender_of(&self, bot: &BotKey, message: &LateMessage) -> Result<Option<LateSender>, store::Error> {
        let key = self.shared.identities().engine_session(message.session);
        let Some(conversation) = self.shared.store().find(key).await? else { return Ok(None) };
        let Some(state) = self.shared.peek(conversation).await? else { return Ok(None) };
        let Some(engine) = self.shared.roster().engines.get(bot).cloned() else { return Ok(None) };
        let Some(seat) = state.seats.iter().find(|seat| seat.bot == *bot) else { return Ok(None) };
        let of_this_visit = engine.session(seat.engine_session, seat.visits.saturating_sub(1)) == message.session;
        Ok(Some(LateSender {
            is_open: of_this_visit && seat.session.is_some(),
            turn: seat.turn.as_ref().map(|turn| turn.number),
            last_turn: seat.last_turn,
            sender: Sender { conversation, seat: seat.id, bot: bot.clone(), engine },
        }))
    }

    /// Says it as the answer to the turn that the engine works on, else as a message of its own accord.
    async fn say(&self, late: &LateSender, message: LateMessage, raw: &Bytes) -> Response<Answer> {
        if !late.is_open {
            return session_closed();
        }
        let Sender { conversation, seat, bot, .. } = &late.sender;
        // A message has no id. The same bytes twice between two messages of the customer are a retry.
        let digest = Sha256::digest(raw).into();
        let once = self.shared.identities().late_answer(bot, message.session, late.last_turn, digest);
        let message_id = Some(Uuid::from_bytes(once.0).to_string());
        if is_sign_of_life(&message) {
            return body::value(StatusCode::OK, &OutgoingMessagesReply { message_id });
        }
        let own = Event::Pushed { seat: *seat, answer: answer_of(&message) };
        let event = match (late.turn, message.said) {
            (Some(turn), Ok(answer)) => Event::Answered { seat: *seat, turn, answer },
            (Some(turn), Err(failure)) => Event::Failed { seat: *seat, turn, failure },
            (None, _) => own.clone(),
        };
        let told = self.shared.ask_core(*conversation, event.clone(), None, Some(once)).await;
        let became = match outcome(&event, &told) {
            // The turn ended meanwhile.
            Outcome::TurnOver => {
                outcome(&own, &self.shared.ask_core(*conversation, own.clone(), None, Some(once)).await)
            }
            became => became,
        };
        match became {
            Outcome::Applied | Outcome::Repeated => body::value(StatusCode::OK, &OutgoingMessagesReply { message_id }),
            Outcome::TurnOver | Outcome::MayNotSpeak(_) => session_closed(),
            Outcome::NotStored => busy(),
        }
    }

    async fn not_taken(&self, bot: &BotKey, raw: &Bytes, why: NotTaken) -> Response<Answer> {
        let message = why.to_string();
        match why {
            NotTaken::TooLarge { .. } => refused(StatusCode::PAYLOAD_TOO_LARGE, "body.too_large", &message),
            NotTaken::NotJson => refused(StatusCode::BAD_REQUEST, "bad.request", &message),
            NotTaken::NotAMessage(reason) => match self.keep(None, bot, raw, &reason).await {
                Ok(()) => refused(StatusCode::BAD_REQUEST, "bad.request", &message),
                Err(busy) => *busy,
            },
            NotTaken::NoSuchSession => session_unknown(),
            NotTaken::OtherBot => refused(StatusCode::CONFLICT, "session.bot.id.mismatch", &message),
            NotTaken::OtherVersion => refused(StatusCode::CONFLICT, "session.bot.version.mismatch", &message),
        }
    }
}

/// Whom a late answer is from, and what it finds there.
struct LateSender {
    sender: Sender,
    is_open: bool,
    turn: Option<model::TurnNumber>,
    last_turn: u32,
}

/// Whether a message says nothing and leaves everything open: it must not count as the answer to a turn.
fn is_sign_of_life(message: &LateMessage) -> bool {
    let says_nothing = |said: &Said| {
        said.next == Next::Await && said.items.is_empty() && said.attributes.is_empty() && said.cuts.is_empty()
    };
    message.said.as_ref().is_ok_and(|said| says_nothing(said))
}

/// What a message says of its own accord; a failure that no turn has to fall back from hands over.
fn answer_of(message: &LateMessage) -> Box<Said> {
    match &message.said {
        Ok(answer) => answer.clone(),
        Err(failure) => {
            let hand_over = HandOver { reason: failure.word().to_owned(), note: None };
            Box::new(Said { next: Next::HandOver(hand_over), ..Said::saying(Vec::new()) })
        }
    }
}

fn unknown_client() -> Response<Answer> {
    no_token(StatusCode::UNAUTHORIZED, "invalid_client", "client not found or wrong secret")
}

fn no_token(status: StatusCode, word: &str, advice: &str) -> Response<Answer> {
    let refusal =
        TokenRefusal { error: Some(word.to_owned()), description: Some(advice.to_owned()), error_description: None };
    body::because(body::value(status, &refusal), word, advice)
}

fn session_unknown() -> Response<Answer> {
    refused(StatusCode::CONFLICT, "session.not.found", "The bot session does not exist.")
}

fn session_closed() -> Response<Answer> {
    refused(StatusCode::CONFLICT, "session.already.closed", "The bot session is already closed.")
}

fn busy() -> Response<Answer> {
    later(StatusCode::SERVICE_UNAVAILABLE, "service.unavailable", "Nothing was kept; send it again.")
}

fn later(status: StatusCode, code: &str, message: &str) -> Response<Answer> {
    let mut answer = refused(status, code, message);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
    answer
}

fn refused(status: StatusCode, code: &str, message: &str) -> Response<Answer> {
    let error = ErrorBody {
        message: Some(message.to_owned()),
        code: Some(code.to_owned()),
        status: Some(u32::from(status.as_u16())),
        ..ErrorBody::default()
    };
    body::because(body::value(status, &error), code, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_bot_and_one_of_two_places() {
        let table = [
            ("/v1/engine/bots/parcels/oauth/token", Some(("parcels", Place::Token))),
            (
                "/v1/engine/bots/ein%20bot/api/v2/integrations/botconnectors/outgoing/messages",
                Some(("ein bot", Place::Messages)),
            ),
            ("/v1/engine/bots//oauth/token", None),
            ("/v1/engine/bots/a/b/oauth/token", None),
            ("/v1/engine/bots/parcels", None),
            ("/oauth/token", None),
        ];
        for (path, expected) in table {
            let found = place_in(path);
            assert_eq!(found.as_ref().map(|(bot, place)| (bot.as_ref(), *place)), expected, "{path}");
        }
    }
}
