//! The assembled path: everything that inbox, runner, outbox and timers share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use model::{Event, Timestamp};

use crate::doors::Calls;
use crate::http::Transport;
use crate::identity::Identities;
use crate::inbox::Waits;
use crate::observe::Metrics;
use crate::observe::trace::Traces;
use crate::outbox::Sending;
use crate::roster::Roster;
use crate::runner::Slots;
use crate::runtime::Runtime;
use crate::service::in_force;
use crate::store::{self, Replica, Store};
use crate::timer::Timers;

/// What a gateway is made of.
pub struct Parts {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// Time, tasks, ids.
    pub runtime: Runtime,
    /// Sends HTTP calls.
    pub transport: Arc<dyn Transport>,
    /// Who is in service.
    pub roster: Roster,
    /// Limits of the whole.
    pub limits: Limits,
    /// What is measured of it.
    pub metrics: Arc<Metrics>,
    /// Where its spans go; nothing where they are not collected.
    pub traces: Option<Traces>,
}

/// Limits of the whole process. At each of them we refuse early or wait; nothing grows without one.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Requests between arrival and the end of their response; beyond, the refusal.
    pub open_requests_max: usize,
    /// Conversations kept in memory; beyond, idle ones are loaded again when needed.
    pub conversations_in_memory_max: usize,
    /// Events that may queue for one conversation; beyond, messages are refused.
    pub queued_events_max: usize,
    /// Engine calls at once, over all bots.
    pub engine_calls_max: usize,
    /// Pushes at once, over all orgs.
    pub pushes_max: usize,
    /// Attempts of one question to an engine.
    pub ask_attempts_max: u32,
    /// Attempts of one push.
    pub push_attempts_max: u32,
    /// So many attempts more may end with the process before a row counts as what ends it. High, since a row under way
    /// is mostly innocent of it.
    pub aborted_attempts_max: u32,
    /// How long a claim on an outbox row lasts without a heartbeat.
    pub lease_ms: u64,
    /// First wait between attempts; it doubles, with full jitter.
    pub backoff_first_ms: u64,
    /// Longest wait between attempts.
    pub backoff_max_ms: u64,
    /// How often the timer looks for conversations that are due and not in memory.
    pub due_poll_ms: u64,
    /// Largest state of one conversation.
    pub state_max_bytes: usize,
    /// How often what is over is swept.
    pub sweep_every_ms: u64,
    /// How long messages are recognised as repeated: at least as long as the longest session, three days.
    pub keep_requests_ms: u64,
    /// How long a finished conversation and its journal are kept.
    pub keep_conversations_ms: u64,
}

const DAY_MS: u64 = 24 * 3_600_000;

impl Default for Limits {
    fn default() -> Self {
        Self {
            open_requests_max: 20_000,
            conversations_in_memory_max: 20_000,
            queued_events_max: 64,
            engine_calls_max: 1_024,
            pushes_max: 256,
            ask_attempts_max: 4,
            push_attempts_max: 10,
            aborted_attempts_max: 16,
            lease_ms: 15_000,
            backoff_first_ms: 200,
            backoff_max_ms: 60_000,
            due_poll_ms: 1_000,
            state_max_bytes: 1024 * 1024,
            sweep_every_ms: 60_000,
            keep_requests_ms: 4 * DAY_MS,
            keep_conversations_ms: 30 * DAY_MS,
        }
    }
}

/// What was counted since the start.
#[derive(Debug, Default)]
pub struct Counts {
    /// Steps that were committed.
    pub steps: AtomicU64,
    /// Steps that had to be repeated, because another writer was faster.
    pub conflicts: AtomicU64,
    /// Messages that repeated an earlier one.
    pub duplicates: AtomicU64,
    /// Refusals sent.
    pub refused: AtomicU64,
    /// Pushes and questions sent again without knowing whether they arrived before.
    pub possible_duplicates: AtomicU64,
    /// Answers corrected or degraded on their way to a platform.
    pub corrections: AtomicU64,
    /// Dead letters.
    pub letters: AtomicU64,
    /// Attempts to get an answer of an engine.
    pub asks: AtomicU64,
    /// Calls that these took: an attempt is at least one.
    pub engine_calls: AtomicU64,
    /// Calls to a platform.
    pub pushes: AtomicU64,
    /// Events whose handling panicked.
    pub poisoned: AtomicU64,
}

/// The running gateway.
pub struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) runtime: Runtime,
    pub(crate) transport: Arc<dyn Transport>,
    roster: ArcSwap<Roster>,
    pub(crate) limits: Limits,
    /// What was counted.
    pub counts: Counts,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) traces: Option<Traces>,
    pub(crate) replica: Replica,
    identities: Identities,
    pub(crate) waits: Waits,
    pub(crate) slots: Slots,
    pub(crate) timers: Timers,
    pub(crate) sending: Sending,
    /// Held while a dead letter is tried again: the same one twice would be said twice.
    pub(crate) redriving: tokio::sync::Mutex<()>,
    /// The latest calls, for operators.
    pub calls: Calls,
    /// Told after every commit, for those who follow conversations.
    pub(crate) committed: tokio::sync::Notify,
    /// Held while the roster in force is changed, so that no change is lost.
    pub(crate) changing: tokio::sync::Mutex<()>,
    drained_at_ms: AtomicI64,
    stopped: AtomicBool,
}

impl Shared {
    /// Registers with the store and starts the timers. What an earlier run left undone is picked up at once.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn start(parts: Parts) -> Result<Arc<Self>, store::Error> {
        let started = parts.store.start().await?;
        let out_of_service = parts.store.out_of_service().await?;
        let roster = in_force(&*parts.store, parts.roster, &out_of_service).await?;
        let shared = Arc::new(Self {
            sending: Sending::new(&parts.limits),
            store: parts.store,
            runtime: parts.runtime,
            transport: parts.transport,
            roster: ArcSwap::from_pointee(roster),
            limits: parts.limits,
            counts: Counts::default(),
            metrics: parts.metrics,
            traces: parts.traces,
            replica: started.replica,
            identities: Identities::new(started.hash_key),
            waits: Waits::default(),
            slots: Slots::default(),
            timers: Timers::default(),
            redriving: tokio::sync::Mutex::default(),
            calls: Calls::default(),
            committed: tokio::sync::Notify::new(),
            changing: tokio::sync::Mutex::default(),
            drained_at_ms: AtomicI64::new(0),
            stopped: AtomicBool::new(false),
        });
        shared.metrics.reloaded(Some(shared.runtime.now()));
        shared.show_from_zero(&shared.roster());
        shared.start_timers();
        shared.start_sweeper();
        shared.start_heartbeat();
        Ok(shared)
    }

    /// Who is in service now. Taken once per decision.
    #[must_use]
    pub fn roster(&self) -> Arc<Roster> {
        self.roster.load_full()
    }

    /// The next step of every conversation goes by this roster. [`Shared::replace_roster`] is the way in.
    pub(crate) fn put_in_force(&self, roster: Roster) {
        self.show_from_zero(&roster);
        self.roster.store(Arc::new(roster));
    }

    /// Makes the metrics of everybody in service: an increase is seen only of what was seen at zero.
    fn show_from_zero(&self, roster: &Roster) {
        roster.connectors.keys().for_each(|key| drop(self.metrics.connector(key)));
        roster.engines.keys().for_each(|key| drop(self.metrics.bot(key)));
        roster.access.keys().for_each(|key| drop(self.metrics.org(key)));
    }

    /// The store, for reads of operators.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// What is measured.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Time, tasks and ids.
    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// How what has a name outside is found in the store.
    #[must_use]
    pub fn identities(&self) -> Identities {
        self.identities
    }

    /// How many requests are between their arrival and the end of their response.
    #[must_use]
    pub fn open_requests(&self) -> usize {
        self.waits.open()
    }

    /// Until when requests are still answered, once the process is about to stop.
    pub(crate) fn draining(&self) -> Option<Timestamp> {
        match self.drained_at_ms.load(Ordering::Acquire) {
            0 => None,
            at => Some(Timestamp(at)),
        }
    }

    /// Whether the process is about to stop: readiness is off.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining().is_some()
    }

    /// Whether nothing more is started.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// The process is about to stop: open waits expire at once, and requests that still come are answered until
    /// `drain_ms` from now.
    pub fn drain(self: &Arc<Self>, drain_ms: u64) {
        let until = self.runtime.now() + drain_ms.max(1);
        self.drained_at_ms.store(until.0.max(1), Ordering::Release);
        for conversation in self.slots.all() {
            self.tell_conversation(conversation, Event::Draining);
        }
    }

    /// Nothing more is started: calls that still run give their rows back, for the next start to send.
    pub fn stop(self: &Arc<Self>) {
        self.stopped.store(true, Ordering::Release);
        self.sending.stop();
        if let Some(traces) = &self.traces {
            traces.stop();
        }
        self.timers.wake();
    }
}
