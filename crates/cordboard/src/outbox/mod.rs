//! The outbox: sends what steps stored.
//!
//! Rows of one lane (a seat's engine, a leg's platform) leave one after another, in the order in which they were stored;
//! lanes do not wait for each other. An attempt is claimed durably before its body goes out. What came of it is an event
//! for the conversation, and the row is settled by the step that applies it.

mod ask;
mod item;
mod lanes;
mod send;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use model::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

pub use item::{Item, Kind};
pub(crate) use lanes::{LaneRow, Lanes};

use crate::gateway::{Limits, Shared};
use crate::http::Transport;
use crate::org::{Bearer, NoToken, Org, Rate, TokenHealth, Tokens};
use crate::runtime::Runtime;

/// How long the step that applies an answer may take to start its push, when the process is about to stop.
const ANSWER_TO_PUSH: Duration = Duration::from_millis(250);

/// Who lets us push to an org: its bearer token and its rate.
pub trait PushAccess: Send + Sync + 'static {
    /// The bearer token. Why there is none is logged already.
    fn bearer(&self) -> BoxFuture<'_, Result<Bearer, NoToken>>;
    /// The platform did not accept this token; the next one is new.
    fn refuse(&self, bearer: &Bearer);
    /// Takes one call from the rate, when there is one now.
    fn try_take(&self, now: Timestamp) -> bool;
    /// Takes one call from the rate in advance, and says after how many milliseconds it may go out.
    fn reserve(&self, now: Timestamp) -> u64;
    /// The platform wants no call before this time.
    fn pause_until(&self, until: Timestamp);
    /// What is known of the tokens, for whoever watches.
    fn tokens(&self, _now: Timestamp) -> Option<TokenHealth> {
        None
    }
}

/// The token and the rate of an org.
pub struct OrgAccess {
    tokens: Tokens,
    rate: Rate,
}

impl OrgAccess {
    /// Access to one org.
    #[must_use]
    pub fn new(tokens: Tokens, rate: Rate) -> Self {
        Self { tokens, rate }
    }

    /// The same, from what is configured.
    pub(crate) fn to(org: &Org, transport: &Arc<dyn Transport>, runtime: &Runtime) -> Arc<dyn PushAccess> {
        let tokens = Tokens::new(org, transport.clone(), runtime.clock.clone());
        Arc::new(Self::new(tokens, org.rate()))
    }
}

impl PushAccess for OrgAccess {
    fn bearer(&self) -> BoxFuture<'_, Result<Bearer, NoToken>> {
        Box::pin(self.tokens.bearer())
    }

    fn refuse(&self, bearer: &Bearer) {
        self.tokens.invalidate(bearer);
    }

    fn try_take(&self, now: Timestamp) -> bool {
        self.rate.try_take(now)
    }

    fn reserve(&self, now: Timestamp) -> u64 {
        self.rate.reserve(now)
    }

    fn pause_until(&self, until: Timestamp) {
        self.rate.pause_until(until);
    }

    fn tokens(&self, now: Timestamp) -> Option<TokenHealth> {
        Some(self.tokens.health(now))
    }
}

/// Places for calls that run at once.
pub(crate) struct Sending {
    engine_calls: Arc<Semaphore>,
    pushes: Arc<Semaphore>,
    stop: CancellationToken,
    claimed: std::sync::Mutex<std::collections::BTreeSet<(model::ConversationId, crate::store::OutboxSeq)>>,
}

impl Sending {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            engine_calls: Arc::new(Semaphore::new(limits.engine_calls_max)),
            pushes: Arc::new(Semaphore::new(limits.pushes_max)),
            stop: CancellationToken::new(),
            claimed: std::sync::Mutex::default(),
        }
    }

    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Sleeps, but not past the stop.
    pub(crate) async fn rest(&self, ms: u64) {
        // Either end is an end.
        drop(tokio::time::timeout(Duration::from_millis(ms), self.stop.cancelled()).await);
    }
}

impl Shared {
    /// Waits until no call runs, and lets none begin any more: whatever is still to be sent waits for the next start.
    pub(crate) async fn calls_over(&self) {
        // Engines first, since what they answer may have to be pushed.
        for (places, count) in
            [(&self.sending.engine_calls, self.limits.engine_calls_max), (&self.sending.pushes, self.limits.pushes_max)]
        {
            let all = u32::try_from(count).unwrap_or(u32::MAX);
            match places.acquire_many(all).await {
                Ok(held) => held.forget(),
                Err(_) => return,
            }
            // The last answer is applied by a step of its own, which starts its push.
            tokio::time::sleep(ANSWER_TO_PUSH).await;
        }
    }
}

/// Everything a call needs to go out now.
pub(crate) struct Place(#[expect(dead_code, reason = "held until the call is over")] OwnedSemaphorePermit);

impl Shared {
    /// A place for a call, when one is free and the platform's rate allows it.
    pub(crate) fn try_place(&self, kind: &Kind, now: Timestamp) -> Option<Place> {
        if self.is_stopped() {
            return None;
        }
        match kind {
            Kind::Ask { .. } | Kind::Notice { .. } => {
                self.sending.engine_calls.clone().try_acquire_owned().ok().map(Place)
            }
            Kind::Push { connector, .. } => {
                let place = self.sending.pushes.clone().try_acquire_owned().ok().map(Place)?;
                let roster = self.roster();
                roster.pushing(connector)?.access.try_take(now).then_some(place)
            }
        }
    }
}
