//! The door of the engines: `POST /v1/engine/conversations/{engine session}/replies`. An engine answers here a turn that
//! it took with 202, or speaks of its own accord (`docs/guides/write-a-webhook-bot.md`).
//!
//! It answers 202 only when the step that applies the callback is committed. Who cannot prove to be the engine gets 401,
//! whether or not there is such a conversation.

pub(super) mod stand_in;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use hyper::body::Incoming;
use model::{BotKey, ConversationId, Event, Fact, SeatId, TurnNumber};
use serde::Serialize;
use uuid::Uuid;

use crate::dead_letter;
use crate::engine::{Callback, Callbacks, Engine, Unreadable};
use crate::gateway::Shared;
use crate::http::body::{self, Answer, Cap};
use crate::runner::Told;
use crate::step::read_turn_id;
use crate::store::{self, Blob, Letter};

const BEFORE_SESSION: &str = "/v1/engine/conversations/";
const AFTER_SESSION: &str = "/replies";
/// What is told to whoever should come again.
const RETRY_AFTER_S: u16 = 1;

/// The engine session that a callback's path names: the outer option is whether it is such a path at all.
pub(super) fn session_in(path: &str) -> Option<Option<u128>> {
    let session = path.strip_prefix(BEFORE_SESSION)?.strip_suffix(AFTER_SESSION)?;
    Some(Uuid::try_parse(session).ok().map(|session| session.as_u128()))
}

/// The door.
pub(super) struct EngineDoor {
    shared: Arc<Shared>,
    cap: Cap,
    rates: stand_in::Rates,
}

/// Whom a callback is from.
struct Sender {
    conversation: ConversationId,
    seat: SeatId,
    bot: BotKey,
    engine: Arc<dyn Engine>,
}

/// What became of a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Applied,
    Repeated,
    TurnOver,
    MayNotSpeak(&'static str),
    NotStored,
}

#[derive(Serialize)]
struct Status {
    status: &'static str,
}

impl EngineDoor {
    pub(super) fn new(shared: Arc<Shared>, cap: Cap) -> Self {
        Self { shared, cap, rates: stand_in::Rates::default() }
    }

    pub(super) async fn handle(&self, session: Option<u128>, head: &Parts, incoming: Incoming) -> Response<Answer> {
        if head.method != Method::POST {
            return body::not_allowed("POST");
        }
        let raw = match body::read(head, incoming, self.cap).await {
            Ok(raw) => raw,
            Err(unread) => return unread.answer(),
        };
        let sender = match self.sender(session).await {
            Ok(Some(sender)) => sender,
            Ok(None) => return unauthentic(),
            Err(error) => {
                tracing::warn!(%error, "a callback was refused, because its conversation could not be read");
                return not_now();
            }
        };
        let Some(callbacks) = sender.engine.callbacks() else { return unauthentic() };
        match callbacks.verify(&head.headers, &raw, self.shared.runtime().now()) {
            Ok(id) => self.authentic(&sender, callbacks, &id, &raw).await,
            Err(reason) => {
                tracing::warn!(bot = %sender.bot, %reason, "a callback was not taken for the bot's own");
                unauthentic()
            }
        }
    }

    async fn sender(&self, session: Option<u128>) -> Result<Option<Sender>, store::Error> {
        let Some(session) = session else { return Ok(None) };
        let Some(conversation) = self.shared.store().find(self.shared.identities().engine_session(session)).await?
        else {
            return Ok(None);
        };
        let Some(state) = self.shared.peek(conversation).await? else { return Ok(None) };
        let Some(seat) = Shared::seat_of(&state, session).and_then(|seat| state.seat(seat)) else { return Ok(None) };
        let Some(engine) = self.shared.roster().engines.get(&seat.bot).cloned() else { return Ok(None) };
        Ok(Some(Sender { conversation, seat: seat.id, bot: seat.bot.clone(), engine }))
    }

    async fn authentic(&self, sender: &Sender, callbacks: &dyn Callbacks, id: &str, raw: &Bytes) -> Response<Answer> {
        let now = self.shared.runtime().now();
        if self.shared.is_stopped() || self.shared.draining().is_some_and(|until| until <= now) {
            return not_now();
        }
        let callback = match callbacks.read_callback(raw) {
            Ok(callback) => callback,
            Err(Unreadable::NotAReply(reason)) => return self.bury(sender, raw, &reason).await,
            Err(unreadable @ Unreadable::TooLarge { .. }) => {
                return body::refused(StatusCode::PAYLOAD_TOO_LARGE, "body.too_large", &unreadable.to_string());
            }
            Err(unreadable @ Unreadable::NotJson { .. }) => {
                return body::refused(StatusCode::BAD_REQUEST, "body.not_json", &unreadable.to_string());
            }
        };
        let Some(event) = event(sender, callback) else {
            return self.bury(sender, raw, "in_reply_to names no turn of this conversation").await;
        };
        // Neither the path nor the conversation is signed, so a repetition is looked for among all callbacks of the bot;
        // and it is stored, so that one which comes again after a restart is not said again.
        let once = self.shared.identities().callback(&sender.bot, id);
        let told = self.shared.ask_core(sender.conversation, event.clone(), None, Some(once)).await;
        answer(outcome(&event, &told))
    }

    /// Authentic and not understood: kept, then said.
    async fn bury(&self, sender: &Sender, raw: &Bytes, reason: &str) -> Response<Answer> {
        match self.keep(Some(sender.conversation), &sender.bot, raw, reason).await {
            Ok(()) => body::refused(StatusCode::UNPROCESSABLE_ENTITY, "callback.not_understood", reason),
            Err(busy) => *busy,
        }
    }

    /// Keeps what was not understood as a dead letter.
    async fn keep(
        &self,
        conversation: Option<ConversationId>,
        bot: &BotKey,
        raw: &Bytes,
        reason: &str,
    ) -> Result<(), Box<Response<Answer>>> {
        tracing::warn!(%bot, reason, "a callback was not understood; it is kept as a dead letter");
        let letter = Letter {
            id: self.shared.runtime().ids.letter(),
            conversation,
            kind: dead_letter::CALLBACK.into(),
            place: bot.0.clone(),
            reason: reason.into(),
            attempts: 1,
            died: self.shared.runtime().now(),
            payload: Blob::clear(raw),
        };
        if let Err(error) = self.shared.store().bury(letter).await {
            tracing::error!(%bot, %error, "a callback that was not understood could not be kept");
            return Err(Box::new(not_now()));
        }
        self.shared.counts.letters.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// What the callback is for the core; nothing when it answers a turn that is not the sender's.
fn event(sender: &Sender, callback: Callback) -> Option<Event> {
    let answer = Box::new(callback.answer);
    let Some(turn_id) = callback.in_reply_to else { return Some(Event::Pushed { seat: sender.seat, answer }) };
    let (conversation, seat, turn) = read_turn_id(&turn_id)?;
    (conversation == sender.conversation && seat == sender.seat).then_some(Event::Answered { seat, turn, answer })
}

fn outcome(event: &Event, told: &Told) -> Outcome {
    let facts = match told {
        Told::Applied(facts) => facts,
        Told::Repeated => return Outcome::Repeated,
        Told::NotStored => return Outcome::NotStored,
    };
    let refused = facts.iter().find_map(|fact| match fact {
        Fact::StaleAnswer { seat, turn } if is_answer_to(event, *seat, *turn) => Some(Outcome::TurnOver),
        Fact::PushRefused { reason } if matches!(event, Event::Pushed { .. }) => {
            Some(Outcome::MayNotSpeak(reason.word()))
        }
        _ => None,
    });
    refused.unwrap_or(Outcome::Applied)
}

fn is_answer_to(event: &Event, of: SeatId, to: TurnNumber) -> bool {
    matches!(event, Event::Answered { seat, turn, .. } if *seat == of && *turn == to)
}

fn answer(outcome: Outcome) -> Response<Answer> {
    match outcome {
        Outcome::Applied => body::value(StatusCode::ACCEPTED, &Status { status: "applied" }),
        Outcome::Repeated => body::value(StatusCode::ACCEPTED, &Status { status: "duplicate" }),
        Outcome::TurnOver => body::refused(
            StatusCode::CONFLICT,
            "turn.over",
            "this turn is answered already, or its deadline has passed",
        ),
        Outcome::MayNotSpeak(reason) => {
            let message = format!("the bot may not speak to the customer now: {reason}");
            body::refused(StatusCode::CONFLICT, "floor", &message)
        }
        Outcome::NotStored => not_now(),
    }
}

fn unauthentic() -> Response<Answer> {
    let message = "no signature of this conversation's bot; check the secret and the clock";
    body::refused(StatusCode::UNAUTHORIZED, "signature", message)
}

fn not_now() -> Response<Answer> {
    body::try_later("busy", "nothing was kept; send it again with the same webhook-id", RETRY_AFTER_S)
}
