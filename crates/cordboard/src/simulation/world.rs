//! The world: time, chance, tasks that can be dropped at any poll, and the gateway in it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use conversation::{BotPolicy, OnFailure, Opening, Policies, Texts};
use futures_util::future::BoxFuture;
use model::{BotKey, ConnectorKey, Late, News, OrgKey, Timestamp};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::door::{SimulatedAccess, SimulatedConnector, UNRENDERABLE};
use super::engine::SimulatedEngine;
use super::platform::SimulatedTransport;
use crate::connector::Connector;
use crate::engine::{Engine, Replay};
use crate::gateway::{Limits, Parts, Shared};
use crate::http::Reply;
use crate::outbox::PushAccess;
use crate::roster::Roster;
use crate::runtime::{Clock, Ids, Points, Runtime, Spawner};
use crate::store::memory::{Fault, Faults, Memory, Read};

pub(super) struct World {
    pub(super) dice: Dice,
    pub(super) clock: Arc<SimulatedClock>,
    pub(super) memory: Arc<Memory>,
    pub(super) policies: Arc<Policies>,
    pub(super) late: Late,
    pub(super) replay: Replay,
    pub(super) resends: bool,
    /// Whether the engine is told what was said before.
    pub(super) history: bool,
    /// Whether the engine's replies are read while they come.
    pub(super) listens: bool,
    /// How long texts are merged.
    pub(super) merge_quiet_ms: u64,
    /// What a calm engine answers before anything else.
    pub(super) scripted: Mutex<VecDeque<Reply>>,
    /// How long the engine thinks, when chance shall not decide it.
    pub(super) think_ms: Option<u64>,
    pub(super) engine: Arc<Mutex<super::engine::Asked>>,
    pub(super) platform: Arc<Mutex<super::platform::Sessions>>,
    faults: Arc<AtomicBool>,
    log: Arc<Mutex<String>>,
    gateway: Mutex<Option<(Arc<Shared>, Arc<Life>)>>,
    pub(super) back: Notify,
    crashes_left: AtomicU64,
    incarnations: AtomicU64,
}

/// Chance, shared by everything in the world.
#[derive(Clone)]
pub(super) struct Dice(Arc<Mutex<ChaCha8Rng>>);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(ChaCha8Rng::seed_from_u64(seed))))
    }

    pub(super) fn roll(&self, sides: u64) -> u64 {
        self.0.lock().unwrap().next_u64() % sides.max(1)
    }

    /// Once in `times`.
    pub(super) fn once_in(&self, times: u64) -> bool {
        self.roll(times) == 0
    }

    pub(super) async fn wait_up_to_ms(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(self.roll(ms + 1))).await;
    }
}

/// The simulated clock follows tokio's paused one.
pub(super) struct SimulatedClock {
    start: Instant,
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        let passed = u64::try_from(self.start.elapsed().as_millis()).unwrap();
        Timestamp(1_790_000_000_000).plus_ms(passed)
    }
}

/// One incarnation of the process: it lives until it was polled so many times.
pub(super) struct Life {
    polls: AtomicU64,
    dies_at: u64,
    dead: AtomicBool,
    died: Notify,
    tasks: Mutex<Vec<tokio::task::AbortHandle>>,
}

struct Mortal {
    task: BoxFuture<'static, ()>,
    life: Arc<Life>,
}

impl Future for Mortal {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.life.dead.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        if self.life.polls.fetch_add(1, Ordering::Relaxed) >= self.life.dies_at {
            self.life.dead.store(true, Ordering::Relaxed);
            self.life.died.notify_one();
            return Poll::Pending;
        }
        self.task.as_mut().poll(context)
    }
}

impl Spawner for Arc<Life> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the simulation's spawner: what it starts dies with its life"
    )]
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        let handle = tokio::spawn(Mortal { task, life: self.clone() });
        let mut tasks = self.tasks.lock().unwrap();
        tasks.retain(|task| !task.is_finished());
        tasks.push(handle.abort_handle());
    }
}

struct SeededPoints {
    dice: Dice,
}

impl Points for SeededPoints {
    fn reach(&self, _name: &'static str) -> BoxFuture<'static, ()> {
        let dice = self.dice.clone();
        Box::pin(async move {
            match dice.roll(6) {
                0 => dice.wait_up_to_ms(20).await,
                1 | 2 => tokio::task::yield_now().await,
                _ => {}
            }
        })
    }
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let dice = Dice::new(seed);
        let faults = Arc::new(AtomicBool::new(true));
        let memory = Self::memory(&dice, &faults);
        let mut policy = BotPolicy { on_failure: OnFailure::Say, ..BotPolicy::default() };
        policy.texts =
            Texts { fallback: "fallback".into(), greeting: Some("greeting".into()), ..Texts::default() }.into();
        policy.opening = [Opening::Engine, Opening::Greeting, Opening::Silent][dice.roll(3) as usize];
        if dice.once_in(3) {
            policy.notify = vec![News::Opened, News::Ended];
        }
        Self {
            clock: Arc::new(SimulatedClock { start: Instant::now() }),
            memory: Arc::new(memory),
            policies: Arc::new(Policies { fallback: policy, ..Policies::default() }),
            late: [Late::Push, Late::Push, Late::Push, Late::PollButton, Late::PendingFlow][dice.roll(5) as usize],
            replay: if dice.once_in(4) { Replay::Unsafe } else { Replay::Safe },
            resends: !dice.once_in(4),
            history: seed % 2 == 1,
            listens: seed.is_multiple_of(3),
            merge_quiet_ms: if dice.once_in(3) { 400 } else { 0 },
            scripted: Mutex::default(),
            think_ms: None,
            engine: Arc::default(),
            platform: Arc::default(),
            faults,
            log: Arc::default(),
            gateway: Mutex::default(),
            back: Notify::new(),
            crashes_left: AtomicU64::new(dice.roll(5)),
            incarnations: AtomicU64::new(0),
            dice,
        }
    }

    fn memory(dice: &Dice, faults: &Arc<AtomicBool>) -> Memory {
        let pause = {
            let dice = dice.clone();
            Arc::new(move || -> BoxFuture<'static, ()> {
                let dice = dice.clone();
                Box::pin(async move {
                    match dice.roll(8) {
                        0 => dice.wait_up_to_ms(40).await,
                        1..=3 => tokio::task::yield_now().await,
                        _ => {}
                    }
                })
            })
        };
        let (read_dice, on) = (dice.clone(), faults.clone());
        let read_fault =
            Arc::new(move |read| read != Read::Other && on.load(Ordering::Relaxed) && read_dice.once_in(150));
        let (dice, faults) = (dice.clone(), faults.clone());
        let fault = Arc::new(move |_write| {
            if !faults.load(Ordering::Relaxed) {
                return Fault::None;
            }
            match dice.roll(200) {
                0 => Fault::Refused,
                1 => Fault::Lost,
                2 => Fault::Stored,
                _ => Fault::None,
            }
        });
        Memory::new([9; 16]).with_pause(pause).with_faults(fault).with_read_faults(read_fault)
    }

    /// A world without faults, crashes and chance, whose engine always thinks so long.
    pub(super) fn calm(late: Late, think_ms: u64, faults: Faults) -> Self {
        Self::calm_on(late, think_ms, Memory::new([9; 16]).with_faults(faults))
    }

    /// The same over a store that does what the caller wants.
    pub(super) fn calm_on(late: Late, think_ms: u64, memory: Memory) -> Self {
        Self {
            memory: Arc::new(memory),
            faults: Arc::new(AtomicBool::new(false)),
            crashes_left: AtomicU64::new(0),
            late,
            replay: Replay::Safe,
            resends: true,
            merge_quiet_ms: 0,
            think_ms: Some(think_ms),
            ..Self::new(1)
        }
    }

    pub(super) fn note(&self, line: impl AsRef<str>) {
        let at = self.clock.now().0 - 1_790_000_000_000;
        writeln!(self.log.lock().unwrap(), "{at:>7} {}", line.as_ref()).unwrap();
    }

    pub(super) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(super) fn has_faults(&self) -> bool {
        self.faults.load(Ordering::Relaxed)
    }

    /// The running gateway; nothing while it is down.
    pub(super) fn gateway(&self) -> Option<(Arc<Shared>, Arc<Life>)> {
        self.gateway.lock().unwrap().clone().filter(|(_, life)| !life.dead.load(Ordering::Relaxed))
    }

    /// Starts the gateway, and starts it again whenever it died, until it has died often enough.
    pub(super) async fn keep_alive(self: Arc<Self>) {
        loop {
            let left = self.crashes_left.load(Ordering::Relaxed);
            let is_stopped = left > 0 && self.dice.once_in(3);
            let life = self.start(if left > 0 && !is_stopped { 20 + self.dice.roll(3_000) } else { u64::MAX }).await;
            if is_stopped {
                self.dice.wait_up_to_ms(15_000).await;
                self.end_in_order().await;
            } else {
                life.died.notified().await;
                self.note("crash");
            }
            self.kill(&life);
            self.crashes_left.fetch_sub(1, Ordering::Relaxed);
            self.dice.wait_up_to_ms(3_000).await;
        }
    }

    /// Starts the gateway; it dies when it was polled so many times.
    pub(super) async fn start(self: &Arc<Self>, dies_at: u64) -> Arc<Life> {
        let life = Arc::new(Life {
            polls: AtomicU64::new(0),
            dies_at,
            dead: AtomicBool::new(false),
            died: Notify::new(),
            tasks: Mutex::default(),
        });
        let started = loop {
            if let Ok(shared) = Shared::start(self.parts(&life)).await {
                break shared;
            }
            self.dice.wait_up_to_ms(500).await;
        };
        *self.gateway.lock().unwrap() = Some((started, life.clone()));
        self.back.notify_waiters();
        life
    }

    /// Drops the gateway wherever it is.
    pub(super) fn kill(&self, life: &Arc<Life>) {
        life.dead.store(true, Ordering::Relaxed);
        let tasks = std::mem::take(&mut *life.tasks.lock().unwrap());
        for task in tasks {
            task.abort();
        }
        *self.gateway.lock().unwrap() = None;
    }

    /// The gateway drains and stops as the process does it (`serve`), with little patience.
    async fn end_in_order(&self) {
        let Some((shared, _)) = self.gateway() else { return };
        self.note("drain");
        shared.drain(500);
        tokio::time::sleep(Duration::from_millis(500)).await;
        let over = tokio::time::timeout(Duration::from_millis(1 + self.dice.roll(4_000)), shared.calls_over()).await;
        shared.stop();
        self.note(if over.is_ok() { "stopped" } else { "stopped with calls running" });
        self.dice.wait_up_to_ms(200).await;
    }

    fn parts(self: &Arc<Self>, life: &Arc<Life>) -> Parts {
        let calm = self.think_ms.is_some();
        let mut seed = [7; 32];
        seed[..8].copy_from_slice(&self.incarnations.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        let clock: Arc<dyn Clock> = self.clock.clone();
        let connector: Arc<dyn Connector> = Arc::new(self.connector());
        let engine: Arc<dyn Engine> =
            Arc::new(SimulatedEngine { replay: self.replay, history: self.history, listens: self.listens });
        let access: Arc<dyn PushAccess> = Arc::new(SimulatedAccess { dice: self.dice.clone(), calm });
        Parts {
            store: self.memory.clone(),
            runtime: Runtime {
                ids: Arc::new(Ids::new(clock.clone(), seed)),
                clock,
                spawner: Arc::new(life.clone()),
                points: (!calm).then(|| -> Arc<dyn Points> { Arc::new(SeededPoints { dice: self.dice.clone() }) }),
            },
            transport: Arc::new(SimulatedTransport { world: self.clone() }),
            roster: Roster {
                connectors: BTreeMap::from([(ConnectorKey::from("door"), connector)]),
                engines: BTreeMap::from([(BotKey::from("bot"), engine)]),
                access: BTreeMap::from([(OrgKey::from("org"), access)]),
                policies: self.policies.clone(),
            },
            limits: Limits {
                conversations_in_memory_max: if calm { 100 } else { 1 + self.dice.roll(4) as usize },
                lease_ms: 5_000,
                due_poll_ms: 4_000,
                ..Limits::default()
            },
            metrics: Arc::default(),
            traces: None,
        }
    }

    /// The one door.
    pub(super) fn connector(&self) -> SimulatedConnector {
        SimulatedConnector {
            late: self.late,
            key: "door".into(),
            org: "org".into(),
            resends: self.resends,
            merge_quiet_ms: self.merge_quiet_ms,
            shadow: None,
            unrenderable: UNRENDERABLE,
        }
    }

    /// Nothing fails any more; whatever is under way comes to its end.
    pub(super) async fn quiesce(&self) {
        self.faults.store(false, Ordering::Relaxed);
        self.crashes_left.store(0, Ordering::Relaxed);
        tokio::time::sleep(super::QUIET).await;
    }
}
