//! Asks an engine: one attempt of a turn's question.
//!
//! An attempt is as many calls as the answer takes, one after another, for an engine that goes on with another question.
//! Of an engine that reads its reply while it comes, the conversation is told parts before the last byte is there. Once
//! the customer may have seen one, the attempt is not repeated: the turn ends with what it has, or with the policy's
//! fallback. A call that was not answered is made again where it is known what the calls before it led to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use conversation::HELD_PARTS_MAX;
use futures_util::StreamExt as _;
use model::{Answer, BotKey, Event, Failure, Next, SeatId, Timestamp, TurnNumber};
use tokio::time::Instant;

use super::Item;
use super::send::{Attempted, traced};
use crate::engine::{Asking, Engine, Reader, Reading, Replay};
use crate::gateway::Shared;
use crate::http::{Call, Failed, Incoming, Reply};
use crate::observe::metrics::EngineOutcome;
use crate::observe::trace::Hop;
use crate::runner::{Queued, Slot};

/// An attempt is at most this many calls. An engine that wants more has lost its way.
const ROUNDS_MAX: u32 = 16;
/// At most this many parts are given out before the end of one attempt; what comes behind them comes with the end. A door
/// that cannot push holds them all, and has room for some more.
const PARTS_MAX: u32 = 40;
const _: () = assert!((PARTS_MAX as usize) < HELD_PARTS_MAX);
/// At most this much is kept of why nothing could be made of a reply.
const SEEN_MAX_CHARS: usize = 200;

/// One attempt of a turn's question.
pub(super) struct Attempt<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) slot: &'a Arc<Slot>,
    pub(super) item: &'a Item,
    pub(super) seat: SeatId,
    pub(super) turn: TurnNumber,
    pub(super) bot: &'a BotKey,
    /// The id that the engine sees.
    pub(super) id: &'a str,
    pub(super) deadline: Timestamp,
    /// Counts from 1; a call that is made again within the attempt counts like another attempt.
    pub(super) number: u32,
    /// Set once a part was given out.
    pub(super) spoke: &'a AtomicBool,
}

/// The word for what came of a call to an engine.
fn outcome_of(reading: &Reading) -> EngineOutcome {
    match reading {
        Reading::Answer(_) | Reading::Continue { .. } => EngineOutcome::Answered,
        Reading::Accepted => EngineOutcome::Accepted,
        Reading::Later { failure, .. } | Reading::Failed(failure) => (*failure).into(),
    }
}

impl Attempt<'_> {
    /// Call after call, to the end of the attempt.
    pub(super) async fn run(mut self) -> Attempted {
        let Some(engine) = self.shared.roster().engines.get(self.bot).cloned() else {
            return self.failed(Failure::NoBot, None);
        };
        let mut question = self.item.body.clone();
        let (mut round, mut parts_left) = (1, PARTS_MAX);
        while round <= ROUNDS_MAX {
            if self.deadline <= self.shared.runtime.now() {
                return self.failed(Failure::TimedOut, None);
            }
            let parts_before = parts_left;
            let (reading, seen) = self.round(&*engine, &question, &mut parts_left).await;
            match reading {
                Reading::Continue { question: next } => (question, round) = (next, round + 1),
                Reading::Answer(answer) => {
                    return self.over(Event::Answered { seat: self.seat, turn: self.turn, answer });
                }
                Reading::Accepted => return self.over(Event::Accepted { seat: self.seat, turn: self.turn }),
                Reading::Failed(failure) => return self.failed(failure, seen),
                Reading::Later { after_ms, failure } => {
                    let spoke_now = parts_left < parts_before;
                    if spoke_now || !self.has_time(after_ms) {
                        return self.failed(failure, seen);
                    }
                    if round == 1 {
                        return Attempted::Again { after_ms, pause: false };
                    }
                    // The calls before this one were answered: to begin with the first would do all of it twice.
                    let wait_ms = after_ms.unwrap_or(0).max(self.shared.backoff_ms(self.number));
                    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                    self.number += 1;
                }
            }
            self.shared.runtime.point("next_round").await;
        }
        self.failed(Failure::Nonsense, Some(format!("it went on {ROUNDS_MAX} times without an answer")))
    }

    fn over(&self, event: Event) -> Attempted {
        Attempted::Over(Some(event))
    }

    fn failed(&self, failure: Failure, seen: Option<String>) -> Attempted {
        Attempted::Unanswered { event: Event::Failed { seat: self.seat, turn: self.turn, failure }, seen }
    }

    /// Whether the engine may be asked again, at the earliest after this time.
    fn has_time(&self, after_ms: Option<u64>) -> bool {
        let again_at = self.shared.runtime.now() + after_ms.unwrap_or(0);
        self.number < self.shared.limits.ask_attempts_max && again_at < self.deadline
    }

    /// One question and what came of it; and what was seen, where that is no answer.
    async fn round(&self, engine: &dyn Engine, question: &Bytes, parts_left: &mut u32) -> (Reading, Option<String>) {
        let now = self.shared.runtime.now();
        let (begun, span) = (Instant::now(), self.shared.begin(self.item.trace));
        self.shared.counts.engine_calls.fetch_add(1, Ordering::Relaxed);
        let mut seen = None;
        let reading = match engine.call(question, self.id, self.number, now, self.deadline.ms_since(now)) {
            Asking::Never => std::future::pending().await,
            Asking::Local { reading, delay_ms } => {
                // A sleep of nothing would still last until the timer's next millisecond.
                if delay_ms > 0 {
                    tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                }
                reading
            }
            Asking::Call(call) => {
                let call = traced(call, span.as_ref(), self.item);
                let read = match engine.reader(question) {
                    Some(reader) => self.listen(engine, question, call, reader, parts_left).await,
                    None => self.shared.transport.send(call).await.map(|reply| {
                        let reading = engine.read(question, &reply);
                        (reading, reply)
                    }),
                };
                let read = read.map(|(reading, reply)| {
                    if matches!(reading, Reading::Later { .. } | Reading::Failed(_)) {
                        seen = what_was_seen(engine, question, &reply);
                    }
                    reading
                });
                if let Err(failed @ Failed::TooLarge) = &read {
                    seen = Some(failed.to_string());
                }
                let is_safe = engine.traits().replay == Replay::Safe;
                read.unwrap_or_else(|failed| engine.unanswered(question).unwrap_or_else(|| unread(failed, is_safe)))
            }
        };
        let outcome = outcome_of(&reading);
        self.shared.metrics.bot(self.bot).call(outcome).observe(begun.elapsed().as_secs_f64());
        let failed_call = matches!(reading, Reading::Later { .. } | Reading::Failed(_));
        let attributes = [("cordboard.bot", self.bot.as_str()), ("cordboard.outcome", outcome.word())];
        self.shared.end(span, Hop::EngineCall, failed_call, &attributes);
        (reading, seen)
    }

    /// Reads a reply while it comes, and tells the conversation what the customer may get already.
    async fn listen(
        &self,
        engine: &dyn Engine,
        question: &Bytes,
        call: Call,
        mut reader: Box<dyn Reader>,
        parts_left: &mut u32,
    ) -> Result<(Reading, Reply), Failed> {
        let Incoming { status, headers, mut body } = self.shared.transport.open(call, reader.patience()).await?;
        let mut whole = BytesMut::new();
        while let Some(piece) = body.next().await {
            let piece = piece?;
            whole.extend_from_slice(&piece);
            let answers = if status == 200 { reader.more(&piece, *parts_left) } else { Vec::new() };
            for answer in answers {
                *parts_left = parts_left.saturating_sub(1);
                self.give_out(answer);
            }
        }
        let reply = Reply { status, headers, body: whole.freeze() };
        let reading = if status == 200 { reader.end(&reply) } else { engine.read(question, &reply) };
        Ok((reading, reply))
    }

    fn give_out(&self, answer: Answer) {
        self.spoke.store(true, Ordering::Relaxed);
        let answer = Box::new(Answer { next: Next::More, ..answer });
        let event = Event::Answered { seat: self.seat, turn: self.turn, answer };
        self.shared.enqueue_in(self.slot, Queued { trace: self.item.trace, ..Queued::event(event) });
    }
}

/// What an operator is told of a reply that is no answer: its status, or where it departs from what was wanted.
fn what_was_seen(engine: &dyn Engine, question: &Bytes, reply: &Reply) -> Option<String> {
    let what = match reply.status {
        200 => engine.unread(question, reply)?,
        status => format!("HTTP {status}"),
    };
    Some(what.chars().take(SEEN_MAX_CHARS).collect())
}

/// What it means that a reply did not come, or not whole.
fn unread(failed: Failed, is_safe: bool) -> Reading {
    match failed {
        Failed::NotSent => Reading::Later { after_ms: None, failure: Failure::Unreachable },
        Failed::TimedOut => Reading::Failed(Failure::TimedOut),
        Failed::Broken if is_safe => Reading::Later { after_ms: None, failure: Failure::Unavailable },
        Failed::Broken => Reading::Failed(Failure::OutcomeUnknown),
        Failed::TooLarge => Reading::Failed(Failure::Nonsense),
    }
}
