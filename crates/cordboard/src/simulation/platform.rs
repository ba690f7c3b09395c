//! The platform of the simulation, with its customers: it calls the gateway, retries, gives up, and takes pushes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt as _};
use http::{HeaderMap, HeaderValue};
use model::{Attributes, ConnectorKey, Input, Late, Opaque, Poll, PollNumber};

use super::engine::ANOTHER_ROUND;
use super::intrusions;
use super::world::World;
use crate::connector::{Arrival, Message};
use crate::http::{Call, Failed, Incoming, Patience, Reply, Transport};
use crate::runtime::Clock as _;

/// What ends the text by which a flow opens a conversation.
pub(super) const START: &str = "start";

/// What the platform knows of its sessions.
#[derive(Default)]
pub(super) struct Sessions {
    pub(super) sessions: BTreeMap<String, Session>,
    /// Bytes of every reply by message, to see that a retry gets the same.
    pub(super) replies: BTreeMap<String, Bytes>,
    pub(super) violations: Vec<String>,
}

#[derive(Default)]
pub(super) struct Session {
    /// What the customer saw, in order.
    pub(super) seen: Vec<String>,
    pub(super) closed: bool,
    /// Words of replies that the platform had asked for before: they may come after later ones.
    pub(super) asked_again: std::collections::BTreeSet<String>,
    /// Messages that were acknowledged with a 2xx that counts.
    pub(super) acknowledged: Vec<String>,
}

/// The network, both ways out: to the engine and to the platform.
pub(super) struct SimulatedTransport {
    pub(super) world: Arc<World>,
}

pub(super) fn reply(status: u16, body: impl Into<Bytes>) -> Reply {
    Reply { status, headers: HeaderMap::new(), body: body.into() }
}

/// A call that the engine works on; dropped, it is over, whatever became of it.
struct UnderWay {
    world: Arc<World>,
    session: String,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.world.engine.lock().unwrap().under_way.remove(&self.session);
    }
}

impl Transport for SimulatedTransport {
    fn send(&self, call: Call) -> BoxFuture<'_, Result<Reply, Failed>> {
        Box::pin(async move {
            let text = String::from_utf8(call.body.to_vec()).unwrap();
            let sent =
                async { if call.url == "engine" { self.engine(&text).await } else { self.platform(&text).await } };
            tokio::time::timeout(Duration::from_millis(call.timeout_ms), sent).await.unwrap_or(Err(Failed::TimedOut))
        })
    }

    /// The body comes in small pieces, and may break off or stall at any of them.
    fn open(&self, call: Call, patience: Patience) -> BoxFuture<'_, Result<Incoming, Failed>> {
        Box::pin(async move {
            let deadline = tokio::time::Instant::now() + Duration::from_millis(call.timeout_ms);
            let Reply { status, headers, body } = self.send(call).await?;
            let world = self.world.clone();
            let pieces: Vec<Bytes> = body.chunks(7).map(Bytes::copy_from_slice).collect();
            let body = stream::unfold(pieces.into_iter(), move |mut pieces| {
                let world = world.clone();
                async move {
                    let piece = pieces.next()?;
                    let pause_ms = if world.think_ms.is_some() { 10 } else { world.dice.roll(100) };
                    let stalls = world.has_faults() && world.dice.once_in(200);
                    let pause_ms = if stalls { patience.idle_timeout_ms } else { pause_ms };
                    let came =
                        tokio::time::timeout_at(deadline, tokio::time::sleep(Duration::from_millis(pause_ms))).await;
                    let piece = match came {
                        Err(_) => Err(Failed::TimedOut),
                        Ok(()) if stalls || (world.has_faults() && world.dice.once_in(200)) => Err(Failed::Broken),
                        Ok(()) => Ok(piece),
                    };
                    if piece.is_err() {
                        world.note("broke off in the middle");
                    }
                    let rest = if piece.is_ok() { pieces } else { Vec::new().into_iter() };
                    Some((piece, rest))
                }
            });
            Ok(Incoming { status, headers, body: body.boxed() })
        })
    }
}

impl SimulatedTransport {
    async fn engine(&self, text: &str) -> Result<Reply, Failed> {
        let world = &self.world;
        let (dice, faults) = (&world.dice, world.has_faults());
        let [id, session, history, said] = text.splitn(4, ' ').collect::<Vec<_>>().try_into().unwrap();
        if let Some(think_ms) = world.think_ms {
            if let Some(scripted) = world.scripted.lock().unwrap().pop_front() {
                return Ok(scripted);
            }
            tokio::time::sleep(Duration::from_millis(think_ms)).await;
            return Ok(reply(200, format!("answer to {said}")));
        }
        dice.wait_up_to_ms(30).await;
        if faults && dice.once_in(25) {
            return Err(Failed::NotSent);
        }
        let _under_way = self.began(id, session, history, said);
        let think_ms = match dice.roll(10) {
            0 => 9_000,
            1 | 2 => 3_000,
            _ => 300,
        };
        dice.wait_up_to_ms(think_ms).await;
        match dice.roll(30) {
            0 if faults => Ok(reply(503, "")),
            1 if faults => Err(Failed::Broken),
            2 if faults => Ok(reply(200 + 300, "")),
            3 if faults => std::future::pending().await,
            4 | 5 if world.listens => {
                world.note(ANOTHER_ROUND);
                Ok(reply(200, ANOTHER_ROUND))
            }
            6..=12 if world.listens => {
                let lines =
                    (0..=dice.roll(3)).map(|line| format!("answer {} line {line} to {said}", dice.roll(1_000_000)));
                Ok(reply(200, lines.collect::<Vec<_>>().join("\n")))
            }
            // Every answer is different, so that one which was asked for twice shows which of the two was taken.
            _ => Ok(reply(200, format!("answer {} to {said}", dice.roll(1_000_000)))),
        }
    }

    fn began(&self, id: &str, session: &str, history: &str, said: &str) -> UnderWay {
        let mut asked = self.world.engine.lock().unwrap();
        if !said.starts_with("notice:") {
            let times = asked.turns.entry(id.into()).or_insert_with(|| (said.into(), 0));
            times.1 += 1;
            if times.1 > 1 {
                self.world.note(format!("engine again {id}"));
            }
            if times.0 != said {
                asked.violations.push(format!("turn {id} was asked with different words"));
            }
            asked.histories.insert(id.into(), history.into());
        }
        if let Some(other) = asked.under_way.insert(session.into(), id.into()) {
            asked.violations.push(format!("3, in order: the engine was asked {id} while it worked on {other}"));
        }
        UnderWay { world: self.world.clone(), session: session.into() }
    }

    async fn platform(&self, text: &str) -> Result<Reply, Failed> {
        let world = &self.world;
        let (dice, faults) = (&world.dice, world.has_faults());
        let (session, words) = text.split_once('\n').unwrap();
        dice.wait_up_to_ms(50).await;
        if faults {
            match dice.roll(25) {
                0 => return Err(Failed::NotSent),
                1 => {
                    world.note("429");
                    let mut reply = reply(429, "");
                    reply.headers.insert("retry-after", HeaderValue::from_static("1"));
                    return Ok(reply);
                }
                2 => return Ok(reply(401, "")),
                3 => {
                    world.note("5xx before it was taken");
                    return Ok(reply(500, ""));
                }
                _ => {}
            }
        }
        {
            let mut platform = world.platform.lock().unwrap();
            let known = platform.sessions.entry(session.into()).or_default();
            if known.closed {
                return Ok(reply(409, ""));
            }
            world.note(format!("{session} push {words:?}"));
            known.take(words);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        if faults && dice.once_in(20) {
            world.note("5xx after it was taken");
            return Ok(reply(500, ""));
        }
        Ok(reply(200, ""))
    }
}

impl Session {
    fn take(&mut self, words: &str) {
        for line in words.lines() {
            if line == "[closed]" {
                self.closed = true;
            } else if !line.starts_with('[') {
                self.seen.push(line.into());
            }
        }
    }
}

/// How a call to the gateway ended.
enum Called {
    Answered(String),
    Failed,
}

/// Customers talk, all at once; returns when they have said everything.
pub(super) async fn run(world: &Arc<World>) {
    let mut everybody = tokio::task::JoinSet::new();
    let gateway = everybody.spawn(world.clone().keep_alive());
    let customers = 1 + world.dice.roll(4);
    let mut talking = tokio::task::JoinSet::new();
    for customer in 0..customers {
        talking.spawn(talk(world.clone(), customer));
    }
    talking.spawn(doubled_wakes(world.clone()));
    talking.spawn(intrusions::run(world.clone()));
    while talking.join_next().await.transpose().unwrap().is_some() {}
    // The gateway lives on until the runtime of the simulation ends.
    drop(gateway);
    everybody.detach_all();
}

/// One message, and how many commits there were until the customer saw its answer.
pub(super) struct Exchange {
    pub(super) seen_after: u64,
    pub(super) in_response: bool,
}

/// A customer says something so many times, one after the other, in a calm world.
pub(super) async fn exchange(world: &Arc<World>, times: u32, commits: &AtomicU64) -> Vec<Exchange> {
    let mut gateway = tokio::task::JoinSet::new();
    gateway.spawn(world.clone().keep_alive());
    world.back.notified().await;
    let seen = || world.platform.lock().unwrap().sessions.get("s").map_or(0, |session| session.seen.len());
    let mut exchanges = Vec::new();
    for number in 0..times {
        let (before, seen_before) = (commits.load(Ordering::Relaxed), seen());
        let said = format!("m{number}");
        let body = call(world, 0, "s", &said, &said, None).await.unwrap();
        let in_response = !body.is_empty();
        while seen() == seen_before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        exchanges.push(Exchange { seen_after: commits.load(Ordering::Relaxed) - before, in_response });
        // What nobody waits for comes to its end before the next message.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    gateway.detach_all();
    exchanges
}

/// Timers that fire twice, and for nothing.
async fn doubled_wakes(world: Arc<World>) {
    for _ in 0..20 {
        world.dice.wait_up_to_ms(1_500).await;
        if let Some((shared, _)) = world.gateway() {
            for conversation in shared.slots.all() {
                shared.tell_conversation(conversation, model::Event::TimePassed);
            }
        }
    }
}

async fn talk(world: Arc<World>, customer: u64) {
    let mut sessions = 0..;
    let mut open = || format!("c{customer}s{}", sessions.next().unwrap());
    let mut session = open();
    let messages = 2 + world.dice.roll(7);
    let hasty = world.dice.once_in(3);
    let mut sent = tokio::task::JoinSet::new();
    let opens = world.dice.once_in(2);
    for number in 0..messages {
        if opens && world.dice.once_in(3) {
            // At the beginning, and again where it does not belong.
            let said = format!("c{customer}n{number} {START}");
            if !say_and_poll(&world, customer, &mut session, &said).await {
                session = open();
            }
        }
        let said = format!("c{customer}m{number}{}", if world.dice.once_in(12) { " bye" } else { "" });
        if hasty && world.late == Late::Push && world.dice.once_in(2) {
            let (world, name) = (world.clone(), session.clone());
            sent.spawn(async move {
                say(&world, customer, &name, &said, None).await;
            });
            tokio::task::yield_now().await;
        } else if !say_and_poll(&world, customer, &mut session, &said).await {
            session = open();
        }
        let closed = world.platform.lock().unwrap().sessions.get(&session).is_some_and(|known| known.closed);
        if closed || world.dice.once_in(25) {
            while sent.join_next().await.is_some() {}
            close(&world, &session);
            session = open();
        }
        world.dice.wait_up_to_ms(1_000).await;
    }
    while sent.join_next().await.is_some() {}
}

/// The customer leaves, or the flow goes on: the platform closes the session and tells nobody.
fn close(world: &World, session: &str) {
    world.note(format!("{session} closed"));
    world.platform.lock().unwrap().sessions.entry(session.into()).or_default().closed = true;
}

fn number_in(body: &str, mark: &str) -> Option<u32> {
    body.lines().find_map(|line| line.strip_prefix(mark)?.strip_suffix(']')?.parse().ok())
}

/// Says something and, where the answer is held, fetches it: by the button, or as the flow does it, by a new session.
/// False when the session is over for the platform.
async fn say_and_poll(world: &Arc<World>, customer: u64, session: &mut String, said: &str) -> bool {
    let mut next = (said.to_owned(), None);
    for _ in 0..6 {
        let Called::Answered(body) = say(world, customer, session, &next.0, next.1).await else {
            close(world, session);
            return false;
        };
        let poll = match (number_in(&body, "[poll "), number_in(&body, "[pending ")) {
            (Some(poll), _) => poll,
            (None, Some(poll)) => {
                close(world, session);
                session.push('+');
                poll
            }
            (None, None) => return true,
        };
        world.note(format!("{session} poll {poll}"));
        world.dice.wait_up_to_ms(1_500).await;
        next = (format!("poll {poll}"), Some(Poll::Number(PollNumber(poll))));
    }
    true
}

/// One message of the platform to the gateway, with the retries that the platform makes.
async fn say(world: &Arc<World>, customer: u64, session: &str, said: &str, poll: Option<Poll>) -> Called {
    let push = world.late == Late::Push;
    // A door without message ids repeats a request whose response never came, word for word, and soon.
    let attempts = if push { 3 } else { 1 + u32::from(poll.is_none()) };
    let message = format!("{session}/{said}/{}", world.clock.now().0);
    for attempt in 0..attempts {
        if attempt > 0 {
            world.note(format!("{session} retry of {said:?}"));
            let wait_ms = if push { 500 << attempt } else { world.dice.roll(1_500) };
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        } else {
            world.note(format!("{session} says {said:?}"));
        }
        if let Some(body) = call(world, customer, session, said, &message, poll).await {
            if attempt > 0 {
                let mut platform = world.platform.lock().unwrap();
                let known = platform.sessions.entry(session.into()).or_default();
                known.asked_again.extend(body.lines().map(str::to_owned));
            }
            return Called::Answered(body);
        }
    }
    Called::Failed
}

pub(super) fn request(
    late: Late,
    customer: u64,
    session: &str,
    said: &str,
    message: &str,
    poll: Option<Poll>,
) -> Message {
    let body_hash = said.bytes().fold(5_381_u64, |hash, byte| hash.wrapping_mul(33) ^ u64::from(byte));
    Message {
        conversation: format!("conversation-{customer}"),
        session: session.into(),
        message: (late == Late::Push).then(|| message.into()),
        bot: "bot".into(),
        input: if said.ends_with(START) { Input::Start } else { Input::Text(said.into()) },
        is_form: false,
        language: "en-us".into(),
        parameters: Attributes::new(),
        session_lifetime_ms: 3_600_000,
        address: Opaque::default(),
        body_hash,
        poll,
        channel: None,
        customer: None,
    }
}

/// One request; nothing when it failed in a way that the platform retries.
pub(super) async fn call(
    world: &Arc<World>,
    customer: u64,
    session: &str,
    said: &str,
    message: &str,
    poll: Option<Poll>,
) -> Option<String> {
    let (shared, life) = world.gateway()?;
    let connector = shared.roster().connectors.get(&ConnectorKey::from("door"))?.clone();
    let request = request(world.late, customer, session, said, message, poll);
    let arrival = Arrival { at: world.clock.now(), correlation: None, request: None, trace: None };
    if world.has_faults() && world.late == Late::Push && world.dice.once_in(30) {
        // Both copies of a duplicate delivery come at once; without message ids they would be two honest messages.
        let (twice, connector, copy, arrival) = (shared.clone(), connector.clone(), request.clone(), arrival.clone());
        crate::runtime::Spawner::spawn(
            &life,
            Box::pin(async move {
                drop(twice.receive(&connector, copy, arrival).await);
            }),
        );
    }
    let (send, receive) = tokio::sync::oneshot::channel();
    crate::runtime::Spawner::spawn(
        &life,
        Box::pin(async move {
            // A platform that went away hears nothing; the inbox learns it from the dropped delivery.
            drop(send.send(shared.receive(&connector, request, arrival).await));
        }),
    );
    let vanishes = world.has_faults() && world.dice.once_in(20);
    let patience = if vanishes { world.dice.roll(2_500) } else { 30_000 };
    let received = match tokio::time::timeout(Duration::from_millis(patience), receive).await {
        Ok(Ok(received)) => received,
        Ok(Err(_)) => return None,
        Err(_) => {
            world.note(format!("{session} vanished"));
            return None;
        }
    };
    if received.reply.status != 200 {
        world.note(format!("{session} refused"));
        received.delivery.out();
        return None;
    }
    let body = String::from_utf8(received.reply.body.to_vec()).unwrap();
    same_bytes(world, message, &received.reply.body);
    if world.has_faults() && world.dice.once_in(15) {
        world.note(format!("{session} response gone"));
        return None;
    }
    received.delivery.out();
    world.note(format!("{session} response {body:?}"));
    if body.contains("fallback") {
        world.note("fallback");
    }
    let mut platform = world.platform.lock().unwrap();
    let known = platform.sessions.entry(session.into()).or_default();
    known.take(&body);
    known.acknowledged.push(said.into());
    if body.is_empty() {
        world.note("late");
    }
    Some(body)
}

/// Invariant 6: the same message gets the same bytes, whoever asks how often.
fn same_bytes(world: &World, message: &str, body: &Bytes) {
    let mut platform = world.platform.lock().unwrap();
    if world.late == Late::Push {
        let first = platform.replies.entry(message.into()).or_insert_with(|| body.clone()).clone();
        if first != *body {
            platform.violations.push(format!("6, same question, same bytes: {message} got {first:?}, then {body:?}"));
        }
    }
}
