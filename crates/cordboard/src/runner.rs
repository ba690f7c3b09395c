//! The runner: one writer for each conversation.
//!
//! Events queue in the conversation's slot; one task at a time takes them, applies them in one step, commits, and only
//! then acts. Many conversations' steps share the store's transactions; one conversation has one commit in flight.

mod doubt;
mod load;
mod news;
mod slots;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use conversation::Conversation;
use model::{ConversationId, Event, Fact, Failure, RequestId, SeatId};
use tokio::sync::oneshot;

use crate::gateway::Shared;
use crate::observe::metrics::RequestOutcome;
use crate::observe::told;
use crate::observe::trace::{Hop, Trace};
use crate::step::{Prepared, Unprepared};
use crate::store::{self, Accept, Key, Letter, OutboxSeq};
use crate::stored;

use self::doubt::{Doubt, mark};
use self::slots::requests;
pub(crate) use self::slots::{Held, Slot, Slots};

/// A step that meets another writer, or was lost on the way, is repeated this often before its events wait.
const REPEATS_MAX: u32 = 8;
/// How long events that come from inside wait when the store takes nothing, at first and at most; it doubles. A message
/// that comes meanwhile ends the wait, since it wants to know at once.
const STORE_PAUSE_MS: u64 = 250;
const STORE_PAUSE_MAX_MS: u64 = 16_000;

/// Something that a conversation shall be told, and what belongs into the same transaction.
pub(crate) struct Queued {
    /// What happened; absent when only a row is settled.
    pub(crate) event: Option<Event>,
    /// The outside request that this is, when it is one.
    pub(crate) accept: Option<Accept>,
    /// The open inbox entry that this is, when an earlier run stored it without applying it.
    pub(crate) open_entry: Option<RequestId>,
    /// The outbox row that is over with it.
    pub(crate) settle: Option<OutboxSeq>,
    /// A letter that is born with it.
    pub(crate) letter: Option<Letter>,
    /// The letter that is redriven by it.
    pub(crate) redriven: Option<u64>,
    /// What was seen of the engine, where the event says that it did not answer.
    pub(crate) seen: Option<String>,
    /// The step that it was in, when nobody knows whether that was stored.
    pub(crate) doubt: Option<Arc<Doubt>>,
    /// The trace it belongs to.
    pub(crate) trace: Option<Trace>,
    /// Whoever wants to know what the core made of it.
    pub(crate) told: Option<oneshot::Sender<Told>>,
}

/// What the core made of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It was applied and committed; these facts were recorded by its step.
    Applied(Vec<Fact>),
    /// It could not be stored; nothing happened.
    NotStored,
    /// It was applied before, under the same key; nothing happened now.
    Repeated,
}

impl Queued {
    pub(crate) fn event(event: Event) -> Self {
        Self {
            event: Some(event),
            accept: None,
            open_entry: None,
            settle: None,
            letter: None,
            redriven: None,
            seen: None,
            doubt: None,
            trace: None,
            told: None,
        }
    }

    fn tells_out(&self, of: RequestId) -> bool {
        matches!(self.event, Some(Event::ReplyOut { request, .. }) if request == of)
    }

    fn is_from_outside(&self) -> bool {
        self.accept.is_some() || self.told.is_some()
    }
}

impl Shared {
    /// The conversation of a platform's conversation: the one in memory, the stored one, or a new one.
    pub(crate) async fn conversation_of(&self, key: Key) -> Result<ConversationId, store::Error> {
        if let Some(id) = self.slots.lock().by_key.get(&key) {
            return Ok(*id);
        }
        let stored = self.store.find(key).await?;
        let id = stored.unwrap_or_else(|| self.runtime.ids.conversation());
        Ok(self.slots.of_key(key, id, stored.is_none()))
    }

    /// Queues something for a conversation. A message that finds the queue full is refused.
    pub(crate) fn enqueue(self: &Arc<Self>, conversation: ConversationId, key: Key, queued: Queued) {
        let slot = self.slots.insert(conversation, key, false);
        self.enqueue_in(&slot, queued);
    }

    pub(crate) fn enqueue_in(self: &Arc<Self>, slot: &Arc<Slot>, queued: Queued) {
        if let Some(idle) = self.queue_in(slot.clone(), queued) {
            self.start_driving(idle);
        }
    }

    /// Queues something; the slot when whoever queued it must see to it that the conversation is driven.
    #[must_use]
    pub(crate) fn queue(&self, conversation: ConversationId, key: Key, queued: Queued) -> Option<Arc<Slot>> {
        self.queue_in(self.slots.insert(conversation, key, false), queued)
    }

    fn queue_in(&self, slot: Arc<Slot>, queued: Queued) -> Option<Arc<Slot>> {
        let mut inner = slot.lock();
        if inner.retired {
            drop(inner);
            self.slots.remove(&slot, &self.timers);
            return self.queue(slot.id, slot.key, queued);
        }
        if queued.is_from_outside() && inner.queue.len() >= self.limits.queued_events_max {
            drop(inner);
            self.not_stored(queued);
            return None;
        }
        if queued.is_from_outside() && inner.put_off > 0 {
            slot.wanted.notify_one();
        }
        inner.queue.push_back(queued);
        let was_running = std::mem::replace(&mut inner.running, true);
        drop(inner);
        (!was_running).then_some(slot)
    }

    fn start_driving(self: &Arc<Self>, slot: Arc<Slot>) {
        let shared = self.clone();
        self.runtime.spawn(async move { shared.drive(slot).await });
    }

    /// Tells a conversation that is in memory something. One that is not learns it from the store when it is loaded.
    pub(crate) fn tell_conversation(self: &Arc<Self>, conversation: ConversationId, event: Event) {
        if let Some(slot) = self.slots.get(conversation) {
            self.enqueue_in(&slot, Queued::event(event));
        }
    }

    /// Loads a conversation that is due or has work left, and tells it that time passed.
    pub(crate) async fn wake(self: &Arc<Self>, conversation: ConversationId) -> Result<(), store::Error> {
        if let Some(slot) = self.slots.get(conversation) {
            self.enqueue_in(&slot, Queued::event(Event::TimePassed));
        } else if let Some(loaded) = self.store.load(conversation).await? {
            self.enqueue(conversation, loaded.key, Queued::event(Event::TimePassed));
        }
        Ok(())
    }

    /// Takes step after step until nothing is left to be told. Only by whoever set the slot running.
    pub(crate) async fn drive(self: Arc<Self>, slot: Arc<Slot>) {
        while let Some(batch) = slot.take() {
            self.runtime.point("drive").await;
            self.run(&slot, batch).await;
        }
        self.make_room(&slot);
    }

    /// Applies a batch, whatever it takes: repeats it after a conflict, joins what the store knows already, refuses what
    /// cannot be stored.
    async fn run(self: &Arc<Self>, slot: &Arc<Slot>, mut batch: Vec<Queued>) {
        let mut repeated = 0;
        loop {
            let held = match self.begin_step(slot, &mut batch).await {
                Ok(held) => held,
                Err(error) => return self.put_off(slot, batch, &error).await,
            };
            self.join_twins(&mut batch);
            if batch.is_empty() {
                // Whatever the load found goes on, though this run has nothing to add.
                self.start_sending(slot, Vec::new(), &[]);
                return self.keep(slot, held);
            }
            let prepared = match self.prepare(slot, held, batch) {
                Ok(prepared) => prepared,
                Err(Unprepared { batch: mut poisoned }) => {
                    if poisoned.len() == 1 {
                        return self.bury_poisoned(slot, poisoned).await;
                    }
                    batch = self.one_alone(slot, &mut poisoned);
                    continue;
                }
            };
            let Prepared { step, batch: applied, after } = prepared;
            let doubt = Doubt::of(&step);
            self.runtime.point("before_commit").await;
            let outcome = self.store.commit(step).await;
            self.runtime.point("after_commit").await;
            batch = applied;
            match outcome {
                Ok(()) => return self.after_commit(slot, after, batch),
                Err(store::Error::Duplicate(_)) => batch = self.join_known(batch).await,
                Err(error @ store::Error::Unknown(_)) => {
                    let was_committed = self.was_committed(slot, &doubt).await;
                    if let Ok(true) = was_committed {
                        return self.after_commit(slot, after, batch);
                    }
                    mark(&mut batch, doubt);
                    if was_committed.is_err() || repeated >= REPEATS_MAX {
                        return self.put_off(slot, batch, &error).await;
                    }
                    repeated += 1;
                }
                Err(store::Error::Conflict) if repeated < REPEATS_MAX => {
                    repeated += 1;
                    self.counts.conflicts.fetch_add(1, Ordering::Relaxed);
                }
                Err(store::Error::Damaged(_)) if batch.len() > 1 => batch = self.one_alone(slot, &mut batch),
                Err(error) => return self.put_off(slot, batch, &error).await,
            }
        }
    }

    /// What a step begins with, less what turns out to be applied already.
    async fn begin_step(self: &Arc<Self>, slot: &Arc<Slot>, batch: &mut Vec<Queued>) -> Result<Held, store::Error> {
        self.forget_applied(slot, batch).await?;
        let held = self.held(slot, batch).await?;
        self.with_window(slot, held, batch).await
    }

    /// One of a batch cannot be applied, or not be stored: each gets a step of its own, the first of them now.
    fn one_alone(&self, slot: &Slot, batch: &mut Vec<Queued>) -> Vec<Queued> {
        let first = batch.remove(0);
        self.requeue_front(slot, std::mem::take(batch));
        vec![first]
    }

    /// The same message twice in one step: the platform gave up on it and sent it again before it was stored. The second
    /// joins the first.
    fn join_twins(&self, batch: &mut Vec<Queued>) {
        let mut firsts = BTreeMap::new();
        batch.retain(|queued| {
            let Some(accept) = &queued.accept else { return true };
            let first = *firsts.entry(accept.key).or_insert(accept.request);
            if first != accept.request {
                self.count_duplicate(queued);
                self.waits.repeats(accept.request, first);
            }
            first == accept.request
        });
    }

    fn count_duplicate(&self, queued: &Queued) {
        self.counts.duplicates.fetch_add(1, Ordering::Relaxed);
        if let Some(Event::Said(said)) = &queued.event {
            self.metrics.connector(&said.leg.connector).request(RequestOutcome::Duplicate).inc();
        }
    }

    /// The store cannot take the batch now: messages are refused, what comes from inside waits.
    async fn put_off(self: &Arc<Self>, slot: &Arc<Slot>, batch: Vec<Queued>, error: &store::Error) {
        tracing::warn!(%error, conversation = %slot.id, "a step could not be stored; messages are refused, the rest waits");
        let (outside, inside): (Vec<Queued>, Vec<Queued>) = batch.into_iter().partition(Queued::is_from_outside);
        for queued in outside {
            self.not_stored(queued);
        }
        if matches!(error, store::Error::Damaged(_)) {
            slot.lock().damaged = true;
            for queued in inside {
                self.keep_letter(slot, &queued, "damaged").await;
            }
            return;
        }
        self.requeue_front(slot, inside);
        let pause_ms = {
            let mut inner = slot.lock();
            let doubled = STORE_PAUSE_MS << inner.put_off.min(16);
            inner.put_off += 1;
            doubled.min(STORE_PAUSE_MAX_MS)
        };
        // Either way the store is asked again.
        drop(tokio::time::timeout(Duration::from_millis(pause_ms), slot.wanted.notified()).await);
    }

    fn requeue_front(&self, slot: &Slot, batch: Vec<Queued>) {
        let mut inner = slot.lock();
        for queued in batch.into_iter().rev() {
            inner.queue.push_front(queued);
        }
    }

    /// Nothing of it was stored; whoever waits is told.
    pub(crate) fn not_stored(&self, queued: Queued) {
        if let Some(accept) = queued.accept {
            self.waits.refused(accept.request);
        }
        if let Some(told) = queued.told {
            // Nobody may listen any more; then nobody needs to know.
            drop(told.send(Told::NotStored));
        }
    }

    /// The store knows some of the messages already: they join their first request and leave the batch.
    async fn join_known(self: &Arc<Self>, batch: Vec<Queued>) -> Vec<Queued> {
        let mut rest = Vec::with_capacity(batch.len());
        for queued in batch {
            let Some(accept) = &queued.accept else {
                rest.push(queued);
                continue;
            };
            match self.store.reply_for(accept.key).await {
                Ok(Some(stored)) => match queued.told {
                    // Nobody may listen any more; then nobody needs to know.
                    Some(told) => drop(told.send(Told::Repeated)),
                    None => {
                        self.count_duplicate(&queued);
                        self.join_stored(accept.request, &stored);
                    }
                },
                Ok(None) => rest.push(queued),
                Err(_) => self.not_stored(queued),
            }
        }
        rest
    }

    /// An event whose handling panics is kept as a dead letter; the conversation goes on without it.
    async fn bury_poisoned(self: &Arc<Self>, slot: &Arc<Slot>, batch: Vec<Queued>) {
        for queued in batch {
            self.counts.poisoned.fetch_add(1, Ordering::Relaxed);
            tracing::error!(conversation = %slot.id, "handling an event failed inside Cordboard; it is kept as a dead letter");
            self.keep_letter(slot, &queued, "poisoned").await;
            let failed = match &queued.event {
                Some(Event::Answered { seat, turn, .. }) => {
                    Some(Event::Failed { seat: *seat, turn: *turn, failure: Failure::Internal })
                }
                _ => None,
            };
            // A row alone that cannot be settled stays; it would come back here for ever.
            if queued.event.is_some() && (failed.is_some() || queued.settle.is_some()) {
                let settle = queued.settle;
                self.requeue_front(slot, vec![Queued { event: failed, settle, ..Queued::event(Event::TimePassed) }]);
            }
            self.not_stored(queued);
        }
    }

    /// Keeps an event that no step could take as a dead letter.
    async fn keep_letter(&self, slot: &Slot, queued: &Queued, reason: &str) {
        let Some(event) = queued.event.as_ref().filter(|event| **event != Event::TimePassed) else { return };
        let letter = Letter {
            id: self.runtime.ids.letter(),
            conversation: Some(slot.id),
            kind: "event".into(),
            place: "runner".into(),
            reason: reason.into(),
            attempts: 1,
            died: self.runtime.now(),
            payload: store::Blob::clear(&stored::encode_event(event)),
        };
        self.counts.letters.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = self.store.bury(letter).await {
            tracing::error!(%error, "an event that could not be applied could not be kept either");
        }
    }

    /// Everything that may be done only now: wake whoever waits, send what is to be sent, set the timer.
    fn after_commit(self: &Arc<Self>, slot: &Arc<Slot>, after: crate::step::After, batch: Vec<Queued>) {
        self.end(after.span, Hop::Step, false, &[]);
        self.counts.steps.fetch_add(1, Ordering::Relaxed);
        for (counter, times) in &after.counted {
            counter.inc_by(*times);
        }
        for (request, reply) in &after.seals {
            self.waits.sealed(*request, reply);
        }
        for request in &after.refused {
            self.waits.refused(*request);
        }
        told::facts(slot.id, &after.held.state, &after.facts, &after.seen);
        let facts = after.facts.clone();
        for queued in batch {
            if let Some(told) = queued.told {
                // Nobody may listen any more; then nobody needs to know.
                drop(told.send(Told::Applied(facts.clone())));
            }
        }
        for (seat, turn) in &after.unaskable {
            let failed = Event::Failed { seat: *seat, turn: *turn, failure: Failure::NoBot };
            slot.lock().queue.push_back(Queued::event(failed));
        }
        for (leg, push) in &after.unsendable {
            let settled = Event::Settled { leg: *leg, push: *push, outcome: model::PushOutcome::Rejected };
            slot.lock().queue.push_back(Queued::event(settled));
        }
        self.start_sending(slot, after.rows, &after.settled);
        self.keep(slot, after.held);
        self.committed.notify_waiters();
    }

    /// Keeps a state in memory until something happens to it.
    fn keep(&self, slot: &Slot, held: Held) {
        let mut inner = slot.lock();
        self.timers.set(slot.id, held.state.next_due_without(&requests(&inner.out)));
        (inner.damaged, inner.put_off) = (false, 0);
        inner.held = Some(held);
    }

    /// A conversation with nothing open leaves memory.
    fn let_go(&self, slot: &Arc<Slot>) {
        let finished = slot.lock().held.as_ref().is_some_and(|held| held.state.is_finished());
        if finished && slot.retire() {
            self.slots.remove(slot, &self.timers);
        }
    }

    /// A conversation with nothing open leaves memory at once; past the limit, idle ones do.
    fn make_room(&self, slot: &Arc<Slot>) {
        self.let_go(slot);
        let over = self.slots.lock().by_id.len().saturating_sub(self.limits.conversations_in_memory_max);
        for _ in 0..over.min(4) {
            let oldest = {
                let mut table = self.slots.lock();
                let Some(id) = table.order.pop_front() else { return };
                let slot = table.by_id.get(&id).cloned();
                table.order.extend(slot.is_some().then_some(id));
                slot
            };
            if let Some(oldest) = oldest.filter(|oldest| oldest.retire()) {
                self.slots.remove(&oldest, &self.timers);
            }
        }
    }

    /// The state of a conversation as it is now, for an operator's question.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn peek(&self, conversation: ConversationId) -> Result<Option<Conversation>, store::Error> {
        let Some(loaded) = self.store.load(conversation).await? else { return Ok(None) };
        let payload = loaded.state.payload().unwrap_or_default();
        stored::decode_state(&payload).map(Some).map_err(|error| store::Error::Damaged(error.to_string().into()))
    }

    /// Says something to a conversation and waits for what the core makes of it. With a key, it is said only once: the
    /// key is stored by the step that applies it, unless the core refuses it.
    pub(crate) async fn ask_core(
        self: &Arc<Self>,
        conversation: ConversationId,
        event: Event,
        redriven: Option<u64>,
        once: Option<Key>,
    ) -> Told {
        let key = match self.slots.get(conversation) {
            Some(slot) => slot.key,
            None => match self.store.load(conversation).await {
                Ok(Some(loaded)) => loaded.key,
                Ok(None) | Err(_) => return Told::NotStored,
            },
        };
        let (told, answer) = oneshot::channel();
        let now = self.runtime.now();
        let accept = once.map(|once| Accept {
            request: self.runtime.ids.request(),
            key: once,
            arrived: now,
            wait_until: now,
            correlation: None,
            open_event: None,
        });
        self.enqueue(conversation, key, Queued { redriven, accept, told: Some(told), ..Queued::event(event) });
        answer.await.unwrap_or(Told::NotStored)
    }

    /// The seat of a bot's engine session in a conversation.
    pub(crate) fn seat_of(state: &Conversation, engine_session: u128) -> Option<SeatId> {
        state.seats.iter().find(|seat| seat.engine_session == engine_session).map(|seat| seat.id)
    }
}
