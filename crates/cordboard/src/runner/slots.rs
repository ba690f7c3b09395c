//! The conversations in memory, and what each of them holds between two steps. The runner alone changes a slot.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use conversation::{Conversation, Seat};
use model::{BotKey, ConversationId, Event, RequestId, Timestamp};
use tokio::sync::Notify;

use super::Queued;
use crate::connector::SealedReply;
use crate::observe::trace::Trace;
use crate::outbox::Lanes;
use crate::store::{self, Key};
use crate::timer::Timers;
use crate::window::Window;

/// At most this many events are applied in one step.
const STEP_EVENTS_MAX: usize = 32;
/// How many sealed replies a slot remembers for requests that ask the same.
const SEALED_MAX: usize = 8;

pub(super) fn requests(out: &[(RequestId, Timestamp)]) -> Vec<RequestId> {
    out.iter().map(|(request, _)| *request).collect()
}

/// The conversations in memory.
#[derive(Default)]
pub(crate) struct Slots {
    pub(super) inner: Mutex<SlotTable>,
    noting: Mutex<Noting>,
}

/// Replies that left and of which the store does not know yet.
#[derive(Default)]
pub(super) struct Noting {
    pub(super) waiting: Vec<(store::Out, Option<Arc<Slot>>)>,
    /// Whether a task looks after them.
    pub(super) running: bool,
}

/// What is on its way out of the conversations in memory.
pub(crate) struct Outgoing {
    /// How many conversations there are.
    pub(crate) conversations: usize,
    /// Rows of all lanes.
    pub(crate) rows: usize,
    /// Since when the oldest push may leave.
    pub(crate) oldest_push: Option<Timestamp>,
}

#[derive(Default)]
pub(super) struct SlotTable {
    pub(super) by_id: BTreeMap<ConversationId, Arc<Slot>>,
    pub(super) by_key: HashMap<Key, ConversationId>,
    /// The order in which memory is given up; those that left already are skipped.
    pub(super) order: VecDeque<ConversationId>,
}

/// One conversation in memory.
pub(crate) struct Slot {
    pub(crate) id: ConversationId,
    pub(crate) key: Key,
    pub(super) inner: Mutex<SlotInner>,
    /// What is on its way out. Kept apart from the state, which is dropped and loaded again when a commit fails.
    pub(crate) lanes: Mutex<Lanes>,
    /// Ends a wait for the store.
    pub(super) wanted: Notify,
}

#[derive(Default)]
pub(super) struct SlotInner {
    pub(super) queue: VecDeque<Queued>,
    pub(super) running: bool,
    /// Nothing of it was ever stored, and nothing was tried to be: it need not be loaded.
    pub(super) fresh: bool,
    /// The store holds something of it that cannot be read. Nothing is tried again by itself.
    pub(super) damaged: bool,
    /// How often in a row the store took nothing.
    pub(super) put_off: u32,
    /// It left memory; whoever still holds it must look the conversation up again.
    pub(super) retired: bool,
    pub(super) held: Option<Held>,
    /// Requests between their arrival and the end of their response: what became of a response must find the slot.
    pub(super) responding: usize,
    /// Replies known to be out, which no step was told yet.
    pub(super) out: Vec<(RequestId, Timestamp)>,
    /// How many of them the store was not told of yet either; until it is, only this memory knows.
    pub(super) unmarked: usize,
}

/// The state of a conversation while it is held in memory.
pub(crate) struct Held {
    pub(crate) version: u64,
    pub(crate) state: Conversation,
    pub(crate) next_seq: u64,
    pub(crate) sealed: VecDeque<(RequestId, SealedReply)>,
    /// The trace of the last step, for those that time alone brings about.
    pub(crate) trace: Option<Trace>,
    /// What was said, once a bot of the conversation wants to be told.
    pub(crate) window: Option<Window>,
}

impl Held {
    pub(crate) fn remember_sealed(&mut self, request: RequestId, reply: SealedReply) {
        if self.sealed.len() >= SEALED_MAX {
            self.sealed.pop_front();
        }
        self.sealed.push_back((request, reply));
    }
}

impl Slots {
    pub(super) fn lock(&self) -> MutexGuard<'_, SlotTable> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn noting(&self) -> MutexGuard<'_, Noting> {
        self.noting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All conversations in memory, ascending.
    pub(crate) fn all(&self) -> Vec<ConversationId> {
        self.lock().by_id.keys().copied().collect()
    }

    /// What of them is on its way out.
    pub(crate) fn outgoing(&self) -> Outgoing {
        let slots: Vec<Arc<Slot>> = self.lock().by_id.values().cloned().collect();
        let mut outgoing = Outgoing { conversations: slots.len(), rows: 0, oldest_push: None };
        for slot in slots {
            let (rows, oldest) = slot.lanes().outgoing();
            outgoing.rows += rows;
            outgoing.oldest_push = outgoing.oldest_push.into_iter().chain(oldest).min();
        }
        outgoing
    }

    /// Whether a conversation will look by itself at whatever is due of it. Being in memory is not enough: one that could
    /// not be loaded or stored has started no timer and no sender. One that cannot be read will not be read by trying.
    pub(crate) fn looks_after(&self, conversation: ConversationId) -> bool {
        self.get(conversation).is_some_and(|slot| {
            let inner = slot.lock();
            inner.running || inner.held.is_some() || inner.damaged
        })
    }

    /// Whether a bot may have a session in a conversation in memory. While a step is under way, nobody knows.
    pub(crate) fn may_hold(&self, conversation: ConversationId, bot: &BotKey) -> bool {
        let sits = |seat: &Seat| seat.bot == *bot && seat.session.is_some();
        self.get(conversation).is_some_and(|slot| {
            let inner = slot.lock();
            inner.held.as_ref().is_none_or(|held| held.state.seats.iter().any(sits))
        })
    }

    pub(super) fn get(&self, conversation: ConversationId) -> Option<Arc<Slot>> {
        self.lock().by_id.get(&conversation).cloned()
    }

    pub(super) fn insert(&self, id: ConversationId, key: Key, fresh: bool) -> Arc<Slot> {
        self.lock().insert(id, key, fresh)
    }

    /// The conversation in memory that has this key, or else this one from now on: of two first messages that come at
    /// once, both must find the same.
    pub(super) fn of_key(&self, key: Key, id: ConversationId, fresh: bool) -> ConversationId {
        let mut table = self.lock();
        match table.by_key.get(&key) {
            Some(known) => *known,
            None => table.insert(id, key, fresh).id,
        }
    }

    /// Keeps a conversation in memory until the response of one more request ended.
    pub(crate) fn keep_for_response(&self, conversation: ConversationId, key: Key, timers: &Timers) {
        loop {
            let slot = self.insert(conversation, key, false);
            let mut inner = slot.lock();
            if !inner.retired {
                inner.responding += 1;
                return;
            }
            drop(inner);
            self.remove(&slot, timers);
        }
    }

    /// The response ended, and the conversation was told.
    pub(crate) fn response_ended(&self, conversation: ConversationId) {
        if let Some(slot) = self.get(conversation) {
            let mut inner = slot.lock();
            inner.responding = inner.responding.saturating_sub(1);
        }
    }

    /// Gives up a retired slot. The store's timer takes over from the one in memory.
    pub(super) fn remove(&self, slot: &Arc<Slot>, timers: &Timers) {
        let mut table = self.lock();
        // A newer slot of the same conversation stays.
        if table.by_id.get(&slot.id).is_some_and(|current| Arc::ptr_eq(current, slot)) {
            timers.set(slot.id, None);
            table.by_id.remove(&slot.id);
            if table.by_key.get(&slot.key) == Some(&slot.id) {
                table.by_key.remove(&slot.key);
            }
            if table.order.len() > 2 * table.by_id.len() + 64 {
                let SlotTable { by_id, order, .. } = &mut *table;
                order.retain(|id| by_id.contains_key(id));
            }
        }
    }
}

impl SlotTable {
    pub(super) fn insert(&mut self, id: ConversationId, key: Key, fresh: bool) -> Arc<Slot> {
        if let Some(slot) = self.by_id.get(&id) {
            return slot.clone();
        }
        let inner = Mutex::new(SlotInner { fresh, ..SlotInner::default() });
        let slot = Arc::new(Slot { id, key, inner, lanes: Mutex::default(), wanted: Notify::new() });
        self.by_id.insert(id, slot.clone());
        self.by_key.insert(key, id);
        self.order.push_back(id);
        slot
    }
}

impl Slot {
    pub(super) fn lock(&self) -> MutexGuard<'_, SlotInner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next events for a step, replies that are out first; nothing ends the drive.
    pub(super) fn take(&self) -> Option<Vec<Queued>> {
        let mut inner = self.lock();
        let outs_matter = inner.held.as_ref().is_some_and(|held| held.state.waits_for_out(&requests(&inner.out)));
        if inner.queue.is_empty() && !outs_matter {
            inner.running = false;
            return None;
        }
        let mut batch: Vec<Queued> = std::mem::take(&mut inner.out)
            .into_iter()
            .map(|(request, at)| Queued::event(Event::ReplyOut { request, at }))
            .collect();
        // Whoever waits for what the core makes of an event is told the facts of its step, so the step is its own.
        let is_told = |queued: &Queued| queued.told.is_some();
        let count = match inner.queue.iter().take(STEP_EVENTS_MAX).position(is_told) {
            Some(first) => first.max(1),
            None => inner.queue.len().min(STEP_EVENTS_MAX),
        };
        batch.extend(inner.queue.drain(..count));
        Some(batch)
    }

    /// Takes the slot out of use when nothing happens in it; false when something does.
    pub(super) fn retire(&self) -> bool {
        let mut inner = self.lock();
        let still =
            !inner.running && inner.queue.is_empty() && !inner.fresh && inner.responding == 0 && inner.unmarked == 0;
        let idle = still && self.lanes().is_empty();
        inner.retired |= idle;
        idle
    }
}
