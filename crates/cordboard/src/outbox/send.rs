//! Sends one row until it is over: claim, call, and what came of it.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use conversation::Conversation;
use futures_util::FutureExt as _;
use model::{BotKey, ConnectorKey, Event, Failure, LegId, PushNumber, PushOutcome, Timestamp};

use super::ask::Attempt;
use super::{Item, Kind, LaneRow, Place};
use crate::connector::PushReading;
use crate::engine::{Asking, Reading, Replay};
use crate::gateway::Shared;
use crate::http::{Call, Failed};
use crate::observe::metrics::Pushed;
use crate::observe::trace::{self, Begun, Hop, Trace};
use crate::org::{NoToken, Reason};
use crate::roster::Pushing;
use crate::runner::{Queued, Slot};
use crate::store::{Blob, Claim, Letter, OutboxRow, OutboxSeq};

/// A notice is worth this many attempts and this much time each; then it is a dead letter.
const NOTICE_ATTEMPTS_MAX: u32 = 3;
const NOTICE_TIMEOUT_MS: u64 = 5_000;
const NOT_TAKEN: &str = "the engine did not take the notice";
/// An ask without an engine's wish to be asked later, and a push that found no token, wait at least this long.
const PAUSE_MIN_MS: u64 = 50;

/// The call with the trace of its span, or else of what it belongs to.
pub(super) fn traced(mut call: Call, span: Option<&Begun>, item: &Item) -> Call {
    trace::put_on(&mut call, span.map(|span| span.trace).or(item.trace));
    call
}

/// What one attempt led to.
pub(super) enum Attempted {
    /// The row is over; this is what the conversation is told.
    Over(Option<Event>),
    /// The row is over, since its engine did not answer; and what was seen of it.
    Unanswered { event: Event, seen: Option<String> },
    /// The row is over and becomes a dead letter.
    Dead(Cow<'static, str>),
    /// Again, at the earliest after this time.
    Again { after_ms: Option<u64>, pause: bool },
    /// Nothing was attempted, since what it takes is not to be had before this time: it does not count.
    Waits { until: Timestamp },
}

/// What a row becomes that was tried as often as it may be.
fn worn_out(kind: &Kind) -> Attempted {
    match kind {
        Kind::Ask { seat, turn, .. } => {
            Attempted::Over(Some(Event::Failed { seat: *seat, turn: *turn, failure: Failure::Internal }))
        }
        Kind::Push { leg, number, .. } => {
            Attempted::Over(Some(Event::Settled { leg: *leg, push: *number, outcome: PushOutcome::GaveUp }))
        }
        Kind::Notice { .. } => Attempted::Dead(NOT_TAKEN.into()),
    }
}

impl Shared {
    /// Puts new rows into their lanes, takes settled ones out, and starts whatever is first.
    pub(crate) fn start_sending(self: &Arc<Self>, slot: &Arc<Slot>, rows: Vec<LaneRow>, settled: &[OutboxSeq]) {
        let started = {
            let mut lanes = slot.lanes();
            for seq in settled {
                lanes.remove(*seq);
            }
            for row in rows {
                lanes.add(row);
            }
            lanes.start()
        };
        for row in started {
            let (shared, slot) = (self.clone(), slot.clone());
            self.runtime.spawn(async move { shared.send(slot, row).await });
        }
    }

    /// Rows that an earlier run left. One that was claimed may have been sent: whether it is sent again is the
    /// receiver's declaration or the operator's wish.
    pub(crate) fn recover(self: &Arc<Self>, slot: &Slot, state: &Conversation, rows: &[OutboxRow]) -> Vec<Queued> {
        let mut told = Vec::new();
        let mut lanes = slot.lanes();
        // A step may have been stored though its outcome could not be learnt; then only the store knows what it settled.
        lanes.keep_only(&rows.iter().map(|row| row.seq).collect::<Vec<_>>());
        for row in rows.iter().filter(|row| !lanes.contains(row.seq)).collect::<Vec<_>>() {
            let item = row.item.payload().and_then(|payload| Item::decode(&payload));
            let Some(item) = item else {
                told.push(self.unreadable(slot, row));
                continue;
            };
            let ours = row.claim.is_some_and(|claim| claim.by == self.replica);
            let in_doubt = row.claim.is_some() && !ours;
            if in_doubt && let Some(event) = self.not_again(&item.kind).or_else(|| self.half_told(&item, state)) {
                told.push(Queued { settle: Some(row.seq), ..Queued::event(event) });
                continue;
            }
            if in_doubt {
                self.counts.possible_duplicates.fetch_add(1, Ordering::Relaxed);
            }
            let due = row.claim.filter(|_| ours).map_or(row.due, |claim| claim.until);
            lanes.add(LaneRow::new(row.seq, item, due, row.attempt, None));
        }
        told
    }

    /// A row that cannot be read leaves the outbox, where it would block its lane and be due for ever.
    fn unreadable(&self, slot: &Slot, row: &OutboxRow) -> Queued {
        tracing::error!(conversation = %slot.id, "an outbox row cannot be read; it is kept as a dead letter");
        self.counts.letters.fetch_add(1, Ordering::Relaxed);
        let letter = Letter {
            id: self.runtime.ids.letter(),
            conversation: Some(slot.id),
            kind: "outbox".into(),
            place: "outbox".into(),
            reason: "it cannot be read".into(),
            attempts: row.attempt,
            died: self.runtime.now(),
            payload: row.item.clone(),
        };
        Queued { event: None, settle: Some(row.seq), letter: Some(letter), ..Queued::event(Event::TimePassed) }
    }

    /// What a row in doubt becomes when it must not be sent again.
    fn not_again(&self, kind: &Kind) -> Option<Event> {
        match kind {
            Kind::Ask { seat, bot, turn, .. } => {
                let unsafe_replay =
                    self.roster().engines.get(bot).is_some_and(|engine| engine.traits().replay == Replay::Unsafe);
                unsafe_replay.then_some(Event::Failed { seat: *seat, turn: *turn, failure: Failure::OutcomeUnknown })
            }
            Kind::Push { leg, number, connector, .. } => (!self.resends(connector)).then_some(Event::Settled {
                leg: *leg,
                push: *number,
                outcome: PushOutcome::OutcomeUnknown,
            }),
            Kind::Notice { .. } => None,
        }
    }

    /// A question becomes this when the customer has parts of its answer that were given out while it came: a second
    /// answer would begin anew. Parts that came by a callback are the engine's to know of.
    fn half_told(&self, item: &Item, state: &Conversation) -> Option<Event> {
        let Kind::Ask { seat, bot, turn, .. } = &item.kind else { return None };
        let running = state.seat(*seat)?.turn.as_ref().filter(|running| running.number == *turn)?;
        let listens = self.roster().engines.get(bot)?.reader(&item.body).is_some();
        let failure = Failure::OutcomeUnknown;
        (running.parts > 0 && listens).then_some(Event::Failed { seat: *seat, turn: *turn, failure })
    }

    fn resends(&self, connector: &ConnectorKey) -> bool {
        self.roster().connectors.get(connector).is_some_and(|connector| connector.resends_unknown())
    }

    async fn send(self: Arc<Self>, slot: Arc<Slot>, row: LaneRow) {
        let (cancel, stop) = (row.cancel.clone(), self.sending.stop.clone());
        let (seq, item) = (row.seq, row.item.clone());
        // A question of whose answer the customer may have seen a part is not asked again.
        let spoke = AtomicBool::new(false);
        tokio::select! {
            biased;
            () = cancel.cancelled() => {}
            () = stop.cancelled() => self.give_back(&slot, seq, &item.kind, spoke.load(Ordering::Relaxed)).await,
            () = self.send_until_over(&slot, row, &spoke) => {}
        }
        self.sending.claimed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&(slot.id, seq));
    }

    /// The process stops: a question that may be asked again gives its claim back, for the next start to ask. What
    /// may have been done already keeps its claim: the next start must know that it is in doubt.
    async fn give_back(&self, slot: &Slot, seq: OutboxSeq, kind: &Kind, spoke: bool) {
        let again = match kind {
            Kind::Ask { .. } if spoke => false,
            Kind::Ask { bot, .. } | Kind::Notice { bot, .. } => {
                self.roster().engines.get(bot).is_some_and(|engine| engine.traits().replay == Replay::Safe)
            }
            Kind::Push { .. } => false,
        };
        if again && let Err(error) = self.store.release(slot.id, seq, self.runtime.now(), true).await {
            tracing::debug!(%error, "a claim could not be given back; it ends with this process");
        }
    }

    async fn send_until_over(self: &Arc<Self>, slot: &Arc<Slot>, row: LaneRow, spoke: &AtomicBool) {
        let LaneRow { seq, item, since, mut due, mut attempt, mut place, .. } = row;
        loop {
            let born_claimed = place.take();
            if born_claimed.is_none() {
                self.runtime.sleep_until(due).await;
            }
            let _held = match born_claimed {
                Some(place) => Some(place),
                None => {
                    let place = self.place(&item.kind).await.map(Arc::new);
                    match self.claim(slot, seq).await {
                        Some(claimed) => attempt = claimed,
                        None => return,
                    }
                    place
                }
            };
            self.note_claimed(slot, seq, true);
            self.runtime.point("before_send").await;
            let attempted = match AssertUnwindSafe(self.attempt(slot, &item, attempt, spoke)).catch_unwind().await {
                Ok(attempted) => attempted,
                Err(_) => self.broke(&item.kind, attempt, spoke.load(Ordering::Relaxed)),
            };
            self.runtime.point("after_send").await;
            self.count_push(&item.kind, &attempted, since);
            match attempted {
                Attempted::Over(event) => {
                    return self.over(slot, seq, Queued { event, ..Queued::event(Event::TimePassed) }, item.trace);
                }
                Attempted::Unanswered { event, seen } => {
                    return self.over(slot, seq, Queued { seen, ..Queued::event(event) }, item.trace);
                }
                Attempted::Dead(reason) => {
                    let letter = self.notice_letter(slot, &item, attempt, &reason);
                    let letter = Queued { event: None, letter: Some(letter), ..Queued::event(Event::TimePassed) };
                    return self.over(slot, seq, letter, item.trace);
                }
                Attempted::Again { after_ms, pause } => {
                    let wait =
                        after_ms.unwrap_or(0).max(self.backoff_ms(attempt)).max(if pause { PAUSE_MIN_MS } else { 0 });
                    due = self.postpone(slot, seq, self.runtime.now() + wait, false).await;
                }
                Attempted::Waits { until } => due = self.postpone(slot, seq, until, true).await,
            }
        }
    }

    /// Gives a claim back until a time; says when the row can be claimed again.
    async fn postpone(&self, slot: &Slot, seq: OutboxSeq, until: Timestamp, uncount: bool) -> Timestamp {
        self.note_claimed(slot, seq, false);
        match self.store.release(slot.id, seq, until, uncount).await {
            Ok(()) => until,
            Err(error) => {
                tracing::debug!(%error, "a claim could not be given back; it ends with its lease");
                until.max(self.runtime.now() + self.limits.lease_ms)
            }
        }
    }

    fn count_push(&self, kind: &Kind, attempted: &Attempted, since: Timestamp) {
        let Kind::Push { connector, .. } = kind else { return };
        let roster = self.roster();
        let Some(door) = roster.connectors.get(connector) else { return };
        let metrics = self.metrics.org(door.org());
        match attempted {
            Attempted::Over(Some(Event::Settled { outcome, .. })) => {
                metrics.push((*outcome).into()).inc();
                metrics.push_delay.observe(Duration::from_millis(self.runtime.now().ms_since(since)).as_secs_f64());
            }
            Attempted::Again { .. } => {
                metrics.push(Pushed::Again).inc();
            }
            Attempted::Over(_) | Attempted::Unanswered { .. } | Attempted::Dead(_) | Attempted::Waits { .. } => {}
        }
    }

    /// An attempt panicked. Nobody knows how far it came.
    fn broke(&self, kind: &Kind, attempt: u32, spoke: bool) -> Attempted {
        tracing::error!("an attempt to send something failed inside Cordboard");
        match self.not_again(kind) {
            Some(event) => Attempted::Over(Some(event)),
            None if spoke || attempt >= self.attempts_max(kind) => worn_out(kind),
            None => Attempted::Again { after_ms: None, pause: true },
        }
    }

    fn attempts_max(&self, kind: &Kind) -> u32 {
        match kind {
            Kind::Ask { .. } => self.limits.ask_attempts_max,
            Kind::Notice { .. } => NOTICE_ATTEMPTS_MAX,
            Kind::Push { .. } => self.limits.push_attempts_max,
        }
    }

    /// Full jitter: anything between nothing and the wait, which doubles from the first on.
    pub(super) fn backoff_ms(&self, attempt: u32) -> u64 {
        let doubled = self.limits.backoff_first_ms.saturating_mul(1 << attempt.saturating_sub(1).min(20));
        self.runtime.ids.below(doubled.min(self.limits.backoff_max_ms))
    }

    async fn place(&self, kind: &Kind) -> Option<Place> {
        let places = match kind {
            Kind::Ask { .. } | Kind::Notice { .. } => &self.sending.engine_calls,
            Kind::Push { .. } => &self.sending.pushes,
        };
        let place = places.clone().acquire_owned().await.ok().map(Place);
        if let Kind::Push { connector, .. } = kind {
            let roster = self.roster();
            let wait_ms = roster.pushing(connector).map_or(0, |pushing| pushing.access.reserve(self.runtime.now()));
            if wait_ms > 0 {
                if let Some(pushing) = roster.pushing(connector) {
                    self.metrics
                        .org(pushing.door.org())
                        .rate_wait
                        .observe(Duration::from_millis(wait_ms).as_secs_f64());
                }
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            }
        }
        place
    }

    /// Claims the row durably, however long the store cannot; nothing when it is not ours to send any more.
    async fn claim(&self, slot: &Slot, seq: OutboxSeq) -> Option<u32> {
        for tries in 0_u32.. {
            let now = self.runtime.now();
            let claim = Claim { by: self.replica, until: now + self.limits.lease_ms };
            match self.store.claim(slot.id, seq, claim, now).await {
                Ok(claimed) => return claimed,
                Err(error) => {
                    if tries == 0 {
                        tracing::warn!(%error, conversation = %slot.id, "an outbox row could not be claimed; it waits");
                    }
                    let pause_ms = PAUSE_MIN_MS + self.backoff_ms(tries.saturating_add(4).min(7));
                    tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                }
            }
        }
        None
    }

    fn note_claimed(&self, slot: &Slot, seq: OutboxSeq, claimed: bool) {
        let mut rows = self.sending.claimed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if claimed {
            rows.insert((slot.id, seq))
        } else {
            rows.remove(&(slot.id, seq))
        };
    }

    /// One task prolongs every claim that we hold, with one write.
    pub(crate) fn start_heartbeat(self: &Arc<Self>) {
        let (shared, stop) = (self.clone(), self.sending.stop.clone());
        self.runtime.spawn(async move {
            let every = Duration::from_millis((shared.limits.lease_ms / 3).max(1));
            while tokio::time::timeout(every, stop.cancelled()).await.is_err() {
                let rows: Vec<_> = {
                    let claimed = shared.sending.claimed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    claimed.iter().copied().collect()
                };
                let until = shared.runtime.now() + shared.limits.lease_ms;
                if !rows.is_empty()
                    && let Err(error) = shared.store.heartbeat(shared.replica, rows, until).await
                {
                    tracing::warn!(%error, "claims could not be prolonged");
                }
            }
        });
    }

    fn over(self: &Arc<Self>, slot: &Arc<Slot>, seq: OutboxSeq, with: Queued, trace: Option<Trace>) {
        self.enqueue_in(slot, Queued { settle: Some(seq), trace, ..with });
    }

    fn notice_letter(&self, slot: &Slot, item: &Item, attempts: u32, reason: &str) -> Letter {
        let place = match &item.kind {
            Kind::Ask { bot, .. } | Kind::Notice { bot, .. } => bot.0.clone(),
            Kind::Push { connector, .. } => connector.0.clone(),
        };
        self.counts.letters.fetch_add(1, Ordering::Relaxed);
        Letter {
            id: self.runtime.ids.letter(),
            conversation: Some(slot.id),
            kind: "notice".into(),
            place,
            reason: reason.into(),
            attempts,
            died: self.runtime.now(),
            payload: Blob::clear(&item.encode()),
        }
    }

    async fn attempt(self: &Arc<Self>, slot: &Arc<Slot>, item: &Item, attempt: u32, spoke: &AtomicBool) -> Attempted {
        if attempt > self.attempts_max(&item.kind) + self.limits.aborted_attempts_max {
            // Attempt after attempt ended with the process, before what came of it was known: this may be what ends it.
            return worn_out(&item.kind);
        }
        match &item.kind {
            Kind::Ask { seat, bot, turn, id, hard_deadline } => {
                self.counts.asks.fetch_add(1, Ordering::Relaxed);
                let (seat, turn, deadline) = (*seat, *turn, *hard_deadline);
                Attempt { shared: self, slot, item, seat, turn, bot, id, deadline, number: attempt, spoke }.run().await
            }
            Kind::Notice { bot, id, .. } => self.notice(item, bot, id, attempt).await,
            Kind::Push { leg, number, connector, expires } => {
                self.counts.pushes.fetch_add(1, Ordering::Relaxed);
                self.push(item, (*leg, *number), connector, *expires, attempt).await
            }
        }
    }

    async fn notice(&self, item: &Item, bot: &BotKey, id: &str, attempt: u32) -> Attempted {
        let Some(engine) = self.roster().engines.get(bot).cloned() else { return Attempted::Over(None) };
        let reading = match engine.call(&item.body, id, attempt, self.runtime.now(), NOTICE_TIMEOUT_MS) {
            Asking::Local { .. } => return Attempted::Over(None),
            Asking::Never => return Attempted::Dead(NOT_TAKEN.into()),
            Asking::Call(call) => {
                let reply = self.transport.send(traced(call, None, item)).await;
                reply.map(|reply| (reply.status, engine.read(&item.body, &reply)))
            }
        };
        let not_taken = |status: Option<u16>| {
            let status = status.map(|status| format!(" (HTTP {status})")).unwrap_or_default();
            Attempted::Dead(format!("{NOT_TAKEN}{status}").into())
        };
        let (status, reading) = match reading {
            Ok((status, reading)) => (Some(status), Ok(reading)),
            Err(failed) => (None, Err(failed)),
        };
        let after_ms = match reading {
            Ok(Reading::Failed(Failure::Refused | Failure::OutcomeUnknown)) => return not_taken(status),
            Ok(Reading::Later { after_ms, .. }) => after_ms,
            Ok(Reading::Answer(_) | Reading::Accepted | Reading::Continue { .. } | Reading::Failed(_)) => {
                return Attempted::Over(None);
            }
            Err(_) => None,
        };
        if attempt >= NOTICE_ATTEMPTS_MAX {
            return not_taken(status);
        }
        Attempted::Again { after_ms, pause: true }
    }

    async fn push(
        &self,
        item: &Item,
        (leg, push): (LegId, PushNumber),
        connector: &ConnectorKey,
        expires: Timestamp,
        attempt: u32,
    ) -> Attempted {
        let over = |outcome| Attempted::Over(Some(Event::Settled { leg, push, outcome }));
        let roster = self.roster();
        let Some(Pushing { door, access }) = roster.pushing(connector) else { return over(PushOutcome::Rejected) };
        let worn_out = attempt >= self.limits.push_attempts_max || expires <= self.runtime.now();
        let again =
            |after_ms| if worn_out { over(PushOutcome::GaveUp) } else { Attempted::Again { after_ms, pause: true } };
        // The second bearer is for a first one that was refused: tokens end in mid-flight.
        for fresh in [false, true] {
            let bearer = match access.bearer().await {
                Ok(bearer) => bearer,
                Err(NoToken { reason: Reason::Unavailable, retry_after_ms }) => {
                    let now = self.runtime.now();
                    if expires <= now {
                        return over(PushOutcome::GaveUp);
                    }
                    return Attempted::Waits { until: (now + retry_after_ms.max(PAUSE_MIN_MS)).min(expires) };
                }
                Err(NoToken { retry_after_ms, .. }) => return again(Some(retry_after_ms)),
            };
            let Some(mut call) = door.call(&item.body) else { return over(PushOutcome::Rejected) };
            bearer.authorise(&mut call);
            let span = self.begin(item.trace);
            let sent = self.transport.send(traced(call, span.as_ref(), item)).await;
            let attributes = [("cordboard.connector", connector.as_str())];
            self.end(span, Hop::Push, !matches!(&sent, Ok(reply) if reply.status < 400), &attributes);
            let reading = match sent {
                Ok(reply) => door.read_push(&reply),
                Err(Failed::NotSent) => PushReading::NotTaken { after_ms: None },
                Err(Failed::TimedOut | Failed::Broken | Failed::TooLarge) => PushReading::Unknown,
            };
            match reading {
                PushReading::Over(outcome) => return over(outcome),
                PushReading::Unauthorised if !fresh => access.refuse(&bearer),
                PushReading::Unauthorised => return again(Some(1_000)),
                PushReading::NotTaken { after_ms } => {
                    if let Some(after_ms) = after_ms {
                        access.pause_until(self.runtime.now() + after_ms);
                    }
                    return again(after_ms);
                }
                PushReading::Unknown if self.resends(connector) => {
                    self.counts.possible_duplicates.fetch_add(1, Ordering::Relaxed);
                    return again(None);
                }
                PushReading::Unknown => return over(PushOutcome::OutcomeUnknown),
                PushReading::Misconfigured { why } => {
                    tracing::error!(%connector, why, "the platform refuses every push until somebody mends the set-up");
                    return over(PushOutcome::Rejected);
                }
            }
        }
        again(None)
    }
}
