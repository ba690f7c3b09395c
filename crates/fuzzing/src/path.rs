//! The path of a message, with arbitrary bytes at one of its ends: what a platform posts, or what a bot answers.
//!
//! Each end goes on as far as it can without I/O: a body that is understood is applied and asked; a reply that is
//! understood is limited, applied and rendered for both doors. So a reader cannot pass on what the next one chokes on.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use ::bytes::Bytes;
use conversation::{Conversation, Policies, apply};
use cordboard::config::{Config, Variables, Written};
use cordboard::connector::{Connector, LegView, Message, Parsed};
use cordboard::engine::webhook::signature::{ID, Key, SIGNATURE, TIMESTAMP, sign, verify};
use cordboard::engine::{Asking, Engine, History, Limits, Reading, Unreadable};
use cordboard::http::Reply as HttpReply;
use genesys::cloud::reply::ReplyMessage;
use http::{HeaderMap, HeaderName, HeaderValue};
use model::{
    Answer, Ask, Channel, Effect, Event, Next, Opaque, RequestId, Said, SeatId, Sensitive, Timestamp, TurnNumber,
};
use serde_json::Value;

use crate::stored::is_kept;

const CONFIGURATION: &str = include_str!("gateway.toml");
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NOW: Timestamp = Timestamp(1_731_000_000_000);
const WAIT_MS: u64 = 8_000;

/// A gateway's parts that do no I/O.
struct Parts {
    v2: Arc<dyn Connector>,
    v1: Arc<dyn Connector>,
    engine: Arc<dyn Engine>,
    policies: Policies,
}

static PARTS: LazyLock<Parts> = LazyLock::new(|| {
    let written = Written::parse(Path::new("gateway.toml"), CONFIGURATION.to_owned(), &Variables::of_the_process());
    let Config { connectors, engines, policies, .. } =
        written.and_then(Written::check).expect("gateway.toml is a configuration");
    let door = |key: &str| connectors[&key.into()].connector();
    Parts { v2: door("digital"), v1: door("classic"), engine: engines[&"claims".into()].clone(), policies }
});

/// A v2 connector, for what it reads besides messages.
pub(crate) fn digital() -> &'static dyn Connector {
    PARTS.v2.as_ref()
}

/// The body of `POST {base}/messages`.
///
/// # Panics
/// When a promise about bodies is broken.
pub fn v2_body(data: &[u8]) -> &'static str {
    body(&*PARTS.v2, data)
}

/// The body of an utterance.
///
/// # Panics
/// When a promise about bodies is broken.
pub fn v1_body(data: &[u8]) -> &'static str {
    body(&*PARTS.v1, data)
}

fn body(door: &dyn Connector, data: &[u8]) -> &'static str {
    match door.parse(data) {
        Parsed::NotJson => {
            assert!(serde_json::from_slice::<Value>(data).is_err(), "JSON is taken for something else");
            "not JSON"
        }
        Parsed::NotUnderstood { reply, reason } => {
            assert_eq!((reply.status, reply.retry_after_s), (200, None));
            let answer: Value = serde_json::from_slice(&reply.body).expect("the platform gets JSON");
            assert!(matches!(answer["botState"].as_str(), Some("Failed" | "COMPLETE")), "{answer}");
            assert!(reason.len() < 200, "a reason quotes nothing: {reason}");
            "not understood"
        }
        Parsed::Message(message) => heard(door, *message),
    }
}

fn heard(door: &dyn Connector, message: Message) -> &'static str {
    for id in [Some(&message.session), Some(&message.conversation), message.message.as_ref()] {
        assert!(id.is_none_or(|id| (1..=256).contains(&id.len())), "ids are bounded");
    }
    assert_eq!(message.language, message.language.to_ascii_lowercase());
    let said = said(door, message);
    let (state, effects) = step(Conversation::new(NOW), Event::Said(Box::new(said)));
    renders(door, &state, &effects);
    match asked(&effects) {
        Some(ask) => {
            let question = PARTS.engine.ask(ask, &History::default(), "t-1");
            assert!(serde_json::from_slice::<Value>(&question).is_ok(), "a question is JSON");
            assert!(matches!(PARTS.engine.call(&question, "t-1", 1, NOW, 1_000), Asking::Call(_)));
            "asked"
        }
        None => "nothing to ask",
    }
}

fn said(door: &dyn Connector, message: Message) -> Said {
    message.said(door, &Sensitive::ALL, Some(RequestId(1)), NOW + WAIT_MS, 7)
}

fn asked(effects: &[Effect]) -> Option<&Ask> {
    effects.iter().find_map(|effect| match effect {
        Effect::Ask(ask) => Some(&**ask),
        _ => None,
    })
}

/// One step, whose state and journal row the store could keep.
fn step(state: Conversation, event: Event) -> (Conversation, Vec<Effect>) {
    let events = [event];
    let (state, effects) = apply(&PARTS.policies, state, &events, NOW);
    is_kept(&state, &events, &effects);
    (state, effects)
}

/// Renders every reply and push as the step does, for every channel, with the connector's memory carried on.
fn renders(door: &dyn Connector, state: &Conversation, effects: &[Effect]) {
    let Some(leg) = state.legs.first() else { return };
    let bot = state.seats.first().map(|seat| &seat.bot).expect("a leg has a seat");
    let mut memory = leg.memory.clone();
    for effect in effects {
        let mut after: Option<Opaque> = None;
        for channel in Channel::ALL.map(Some).into_iter().chain([None]) {
            let view = LegView { bot, session: &leg.name.session, address: &leg.address, memory: &memory, channel };
            after = rendered(door, effect, view);
        }
        memory = after.unwrap_or(memory);
    }
}

/// The connector's memory after one effect.
fn rendered(door: &dyn Connector, effect: &Effect, view: LegView<'_>) -> Option<Opaque> {
    match effect {
        Effect::Seal { reply, .. } => {
            let rendered = door.render(reply, view);
            assert_eq!(rendered.reply.status, 200);
            let answer: Value = serde_json::from_slice(&rendered.reply.body).expect("the platform gets JSON");
            assert!(answer["botState"].is_string(), "{answer}");
            for messages in [answer.get("replyMessages"), answer.get("replymessages")].into_iter().flatten() {
                let messages =
                    serde_json::from_value::<Vec<ReplyMessage<'_>>>(messages.clone()).expect("messages are messages");
                assert!(messages.iter().all(|message| message.validate().is_empty()), "{answer}");
            }
            rendered.memory
        }
        Effect::Push(push) => {
            let rendered = door.render_push(&push.parts, view).expect("only doors that push are told to");
            assert!(door.call(&rendered.body).is_some(), "a push can be called");
            rendered.memory
        }
        _ => None,
    }
}

/// The body of a bot's answer to a question.
///
/// # Panics
/// When a promise about replies is broken.
pub fn webhook_reply(data: &[u8]) -> &'static str {
    let reply = HttpReply { status: 200, headers: HeaderMap::new(), body: Bytes::copy_from_slice(data) };
    match PARTS.engine.read(&Bytes::new(), &reply) {
        Reading::Answer(answer) => shown(&answer),
        Reading::Failed(_) => "nonsense",
        reading @ (Reading::Accepted | Reading::Continue { .. } | Reading::Later { .. }) => {
            panic!("a 200 is none of these: {reading:?}")
        }
    }
}

/// What a bot says is within its limits, and reaches the customer by either door, in time and late.
pub(crate) fn shown(answer: &Answer) -> &'static str {
    assert_eq!(Limits::default().fit(answer.clone()), *answer, "an answer within its limits stays as it is");
    for door in [&*PARTS.v2, &*PARTS.v1] {
        let (state, effects) = step(Conversation::new(NOW), Event::Said(Box::new(a_greeting(door))));
        renders(door, &state, &effects);
        let answered = Event::Answered { seat: SeatId(0), turn: TurnNumber(1), answer: Box::new(answer.clone()) };
        let (in_time, effects) = step(state.clone(), answered.clone());
        renders(door, &in_time, &effects);
        let (late, effects) = step(state, Event::Draining);
        renders(door, &late, &effects);
        let (late, effects) = step(late, Event::ReplyOut { request: RequestId(1), at: NOW });
        renders(door, &late, &effects);
        let (late, effects) = step(late, answered);
        renders(door, &late, &effects);
    }
    match answer.next {
        Next::Await => "said",
        Next::More => "more",
        Next::HandOver(_) => "handed over",
        Next::End => "ended",
    }
}

fn a_greeting(door: &dyn Connector) -> Said {
    match door.parse(include_bytes!("../../cordboard/corpus/requests/valid.json")) {
        Parsed::Message(message) => said(door, *message),
        other => panic!("it is a message on both doors: {other:?}"),
    }
}

/// The body of a callback.
///
/// # Panics
/// When a promise about callbacks is broken.
pub fn callback(data: &[u8]) -> &'static str {
    let door = PARTS.engine.callbacks().expect("a bot with a secret has callbacks");
    match door.read_callback(data) {
        Ok(callback) => {
            shown(&callback.answer);
            if callback.in_reply_to.is_some() { "a reply" } else { "of its own accord" }
        }
        Err(Unreadable::NotJson { .. } | Unreadable::TooLarge { .. }) => "not JSON",
        Err(Unreadable::NotAReply(why)) => {
            assert!(why.len() < 1_000, "a refusal quotes nothing long");
            "not a reply"
        }
    }
}

/// Id, timestamp and signature, a line each, and a body: what is not signed is refused, and what we sign is not.
///
/// # Panics
/// When either does not hold.
pub fn webhook_signature(data: &[u8]) -> &'static str {
    let keys = [Key::parse(SECRET).expect("it is a secret")];
    let mut lines = data.splitn(4, |byte| *byte == b'\n');
    let mut headers = HeaderMap::new();
    for name in [ID, TIMESTAMP, SIGNATURE] {
        if let Ok(value) = HeaderValue::from_bytes(lines.next().unwrap_or_default()) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    let body = lines.next().unwrap_or_default();
    assert!(verify(&keys, &headers, body, NOW).is_err(), "nobody can sign without the secret");
    let id = headers.get(ID).and_then(|id| id.to_str().ok()).filter(|id| (1..=256).contains(&id.len()));
    let signed_s = headers.get(TIMESTAMP).and_then(|at| at.to_str().ok()).and_then(|at| at.parse::<i64>().ok());
    let (Some(id), Some(signed_s)) = (id, signed_s) else { return "refused" };
    if (NOW.0 / 1_000).abs_diff(signed_s) > 300 {
        return "refused";
    }
    let id = id.to_owned();
    let signature = format!("v1,bm9uZQ== {}", sign(&keys, &id, signed_s, body));
    headers.insert(SIGNATURE, HeaderValue::try_from(signature).expect("Base64 fits into a header"));
    headers.insert(TIMESTAMP, HeaderValue::from(signed_s));
    assert_eq!(verify(&keys, &headers, body, NOW), Ok(id));
    "signed"
}
