//! Time, randomness and tasks, as arguments. The product runs on the system's; simulation brings its own, so that one
//! seed decides everything that happens.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use model::{ConversationId, RequestId, Timestamp};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tokio_util::task::TaskTracker;

/// Where the time comes from.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the system's clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// Starts tasks. Shutdown waits for those of the product; a simulated crash drops those of the simulation.
pub trait Spawner: Send + Sync + 'static {
    /// Starts a task.
    fn spawn(&self, task: BoxFuture<'static, ()>);
}

/// Starts tasks on the current tokio runtime and can wait for all of them.
#[derive(Clone, Debug, Default)]
pub struct Tasks(pub TaskTracker);

impl Spawner for Tasks {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.0.spawn(task);
    }
}

/// A named point between two things that belong together. Simulation yields, waits or crashes there.
pub trait Points: Send + Sync + 'static {
    /// The point is reached.
    fn reach(&self, name: &'static str) -> BoxFuture<'static, ()>;
}

/// Ids and chance from injected time and randomness.
pub struct Ids {
    clock: Arc<dyn Clock>,
    state: Mutex<IdState>,
}

struct IdState {
    last: u64,
    random: ChaCha8Rng,
}

impl Ids {
    /// Ids that depend on nothing but the clock and the seed.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, seed: [u8; 32]) -> Self {
        Self { clock, state: Mutex::new(IdState { last: 0, random: ChaCha8Rng::from_seed(seed) }) }
    }

    /// Ascending: 42 bits of milliseconds since 2020, then 21 bits that are random at first and count up within a
    /// millisecond. Positive as a signed 64-bit integer, so that it is a row id.
    fn ascending(&self) -> u64 {
        const EPOCH_2020_MS: u64 = 1_577_836_800_000;
        let ms = self.clock.now().0.unsigned_abs().saturating_sub(EPOCH_2020_MS) & ((1 << 42) - 1);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let random = state.random.next_u64() & 0xf_ffff;
        state.last = ((ms << 21) | random).max(state.last + 1);
        state.last
    }

    /// A new request.
    #[must_use]
    pub fn request(&self) -> RequestId {
        RequestId(self.ascending())
    }

    /// A new conversation.
    #[must_use]
    pub fn conversation(&self) -> ConversationId {
        ConversationId(self.ascending())
    }

    /// A new dead letter.
    #[must_use]
    pub fn letter(&self) -> u64 {
        self.ascending()
    }

    /// A new UUID of version 7, for the outside.
    #[must_use]
    pub fn uuid(&self) -> u128 {
        let ms = u128::from(self.clock.now().0.unsigned_abs() & ((1 << 48) - 1));
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let random = (u128::from(state.random.next_u64()) << 64) | u128::from(state.random.next_u64());
        let body = random & ((1 << 80) - 1);
        let versioned = (body & !(0xf << 76)) | (0x7 << 76);
        let varied = (versioned & !(0x3 << 62)) | (0x2 << 62);
        (ms << 80) | varied
    }

    /// A number below `bound`; 0 when the bound is.
    #[must_use]
    pub fn below(&self, bound: u64) -> u64 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let number = state.random.next_u64();
        if bound == 0 { 0 } else { number % bound }
    }
}

/// Everything that a part of the path needs to run.
#[derive(Clone)]
pub struct Runtime {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Tasks.
    pub spawner: Arc<dyn Spawner>,
    /// Ids and chance.
    pub ids: Arc<Ids>,
    /// Named points; none in the product.
    pub points: Option<Arc<dyn Points>>,
}

impl Runtime {
    /// The product's runtime; the seed is the operating system's randomness.
    #[must_use]
    pub fn system(tasks: Tasks, seed: [u8; 32]) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Self { ids: Arc::new(Ids::new(clock.clone(), seed)), clock, spawner: Arc::new(tasks), points: None }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Sleeps until a time.
    pub async fn sleep_until(&self, until: Timestamp) {
        let ms = until.ms_since(self.now());
        if ms > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(ms)).await;
        }
    }

    /// Starts a task.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.spawner.spawn(Box::pin(task));
    }

    /// Runs something to its end even when whoever waits for it goes away; nothing when it panicked.
    pub async fn detached<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (done, outcome) = tokio::sync::oneshot::channel();
        // Nobody may wait any more; then nobody needs to know.
        self.spawn(async move { drop(done.send(work.await)) });
        outcome.await.ok()
    }

    /// A named point is reached.
    pub async fn point(&self, name: &'static str) {
        if let Some(points) = &self.points {
            points.reach(name).await;
        }
    }
}
