//! Timers: tells conversations that time passed, when something of them is due.
//!
//! Those in memory are kept in order here. Those that are not (after a start, or past the limit of memory) are found by
//! asking the store now and then; the same question finds outbox rows and inbox entries that an earlier run left.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{ConversationId, Event, Timestamp};
use tokio::sync::Notify;

use crate::gateway::Shared;
use crate::store::{self, Sweep};

/// At most this many conversations are taken from the store at once.
const DUE_MAX: u32 = 256;
/// At most this many rows of a table are swept at once.
const SWEEP_MAX: u32 = 500;

#[derive(Default)]
pub(crate) struct Timers {
    due: Mutex<Due>,
    changed: Notify,
}

#[derive(Default)]
struct Due {
    in_order: BTreeSet<(Timestamp, ConversationId)>,
    of: BTreeMap<ConversationId, Timestamp>,
}

impl Timers {
    fn lock(&self) -> MutexGuard<'_, Due> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the one time at which a conversation wants to be looked at.
    pub(crate) fn set(&self, conversation: ConversationId, at: Option<Timestamp>) {
        let mut due = self.lock();
        let earliest = due.in_order.first().map(|(at, _)| *at);
        if let Some(old) = due.of.remove(&conversation) {
            due.in_order.remove(&(old, conversation));
        }
        if let Some(at) = at {
            due.of.insert(conversation, at);
            due.in_order.insert((at, conversation));
            if earliest.is_none_or(|earliest| at < earliest) {
                drop(due);
                self.changed.notify_one();
            }
        }
    }

    pub(crate) fn wake(&self) {
        self.changed.notify_one();
    }

    fn take_due(&self, now: Timestamp) -> Vec<ConversationId> {
        let mut due = self.lock();
        let mut taken = Vec::new();
        while let Some((at, conversation)) = due.in_order.first().copied().filter(|(at, _)| *at <= now) {
            due.in_order.remove(&(at, conversation));
            due.of.remove(&conversation);
            taken.push(conversation);
        }
        taken
    }

    /// The earliest time at which a conversation in memory wants to be looked at.
    pub(crate) fn earliest(&self) -> Option<Timestamp> {
        self.lock().in_order.first().map(|(at, _)| *at)
    }
}

impl Shared {
    pub(crate) fn start_timers(self: &Arc<Self>) {
        let shared = self.clone();
        self.runtime.spawn(async move {
            while !shared.is_stopped() {
                shared.fire();
                let next = shared.timers.earliest();
                let wait = next.map_or(60_000, |at| at.ms_since(shared.runtime.now()));
                let changed = shared.timers.changed.notified();
                // Either way something may be due.
                drop(tokio::time::timeout(Duration::from_millis(wait), changed).await);
            }
        });
        let shared = self.clone();
        self.runtime.spawn(async move {
            while !shared.is_stopped() {
                shared.find_due().await;
                shared.sending.rest(shared.limits.due_poll_ms).await;
            }
        });
    }

    /// Takes away what is over, a bounded amount at a time, so that no batch of the store waits long for it.
    pub(crate) fn start_sweeper(self: &Arc<Self>) {
        let shared = self.clone();
        self.runtime.spawn(async move {
            while !shared.is_stopped() {
                shared.sending.rest(shared.limits.sweep_every_ms).await;
                while shared.sweep().await && !shared.is_stopped() {
                    tokio::task::yield_now().await;
                }
            }
        });
    }

    /// One bounded sweep; true when there is more.
    async fn sweep(&self) -> bool {
        let before = |keep_ms: u64| Timestamp(self.runtime.now().0.saturating_sub_unsigned(keep_ms));
        let sweep = Sweep {
            requests_before: before(self.limits.keep_requests_ms),
            conversations_before: before(self.limits.keep_conversations_ms),
            limit: SWEEP_MAX,
        };
        match self.store.sweep(sweep).await {
            Ok(swept) => swept.requests.max(swept.conversations) >= SWEEP_MAX,
            Err(error) => {
                tracing::warn!(%error, "what is over could not be swept");
                false
            }
        }
    }

    fn fire(self: &Arc<Self>) {
        for conversation in self.timers.take_due(self.runtime.now()) {
            self.tell_conversation(conversation, Event::TimePassed);
        }
    }

    /// Conversations that are due and do not look after themselves. Those that do may all be older than the first that
    /// does not, so it is asked on until there is one, or the end.
    async fn asleep_and_due(&self) -> Result<Vec<ConversationId>, store::Error> {
        let mut limit = DUE_MAX;
        loop {
            let due = self.store.due(self.replica, self.runtime.now(), limit).await?;
            let is_all = due.len() < limit as usize;
            let asleep: Vec<_> =
                due.into_iter().filter(|conversation| !self.slots.looks_after(*conversation)).collect();
            if is_all || !asleep.is_empty() {
                return Ok(asleep);
            }
            limit = limit.saturating_mul(4);
        }
    }

    async fn find_due(self: &Arc<Self>) {
        let due = match self.asleep_and_due().await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "what is due could not be read");
                return;
            }
        };
        for conversation in due {
            if self.is_stopped() {
                return;
            }
            if let Err(error) = self.wake(conversation).await {
                tracing::warn!(%error, %conversation, "a conversation that is due could not be loaded");
            }
        }
    }
}
