//! The doors: which path is whose, and what each answers (DESIGN, section 3.6). The listener calls them.
//!
//! Doors authenticate, read and parse, and hand what was said to the inbox or to the core. They decide nothing that a
//! customer sees: an answer is sealed by a step, or it is the connector's constant refusal.

mod astray;
pub mod calls;
mod engine;
mod health;
mod platform;

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::request::Parts;
use http::{Response, StatusCode};
use hyper::body::Incoming;
use model::Timestamp;

use self::astray::Astray;
pub use self::calls::Calls;
use self::calls::Watched;
use self::engine::{EngineDoor, stand_in};
use self::platform::Mount;
use crate::connector::registry::Integration;
use crate::gateway::Shared;
use crate::http::body::{self, Answer, Cap};
use crate::http::server::Handler;
use crate::http::signature::correlation;

/// Paths that the gateway itself uses; no connector may lie there.
pub const RESERVED_PATHS: [&str; 3] = ["/v1", health::LIVE, health::READY];

/// What a request may cost before it is understood.
#[derive(Clone, Debug)]
pub struct Limits {
    /// A platform's request.
    pub body_max_bytes: usize,
    /// An engine's callback; the engine's own limit counts as well.
    pub callback_max_bytes: usize,
    /// From the head of a request to the last byte of its body.
    pub body_timeout_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body_max_bytes: 256 * 1024, callback_max_bytes: 1024 * 1024, body_timeout_ms: 10_000 }
    }
}

/// All doors of a gateway.
pub struct Doors {
    shared: Arc<Shared>,
    mounts: ArcSwap<Vec<Mount>>,
    engine: EngineDoor,
    astray: Astray,
}

impl Doors {
    /// The doors of these integrations, of the engines, and of whoever watches the process.
    #[must_use]
    pub fn new(shared: Arc<Shared>, integrations: &[Integration], limits: &Limits) -> Arc<Self> {
        let cap = |max_bytes| Cap { max_bytes, timeout_ms: limits.body_timeout_ms };
        let mounts = ArcSwap::from_pointee(mounts(&shared, integrations, limits));
        let engine = EngineDoor::new(shared.clone(), cap(limits.callback_max_bytes));
        Arc::new(Self { shared, mounts, engine, astray: Astray::default() })
    }

    /// Puts other integrations in the place of these. A request that is under way ends at the door where it came in.
    pub fn replace(&self, integrations: &[Integration], limits: &Limits) {
        self.mounts.store(Arc::new(mounts(&self.shared, integrations, limits)));
    }
}

/// The doors of integrations, the longest path first.
fn mounts(shared: &Arc<Shared>, integrations: &[Integration], limits: &Limits) -> Vec<Mount> {
    let cap = Cap { max_bytes: limits.body_max_bytes, timeout_ms: limits.body_timeout_ms };
    let mut mounts: Vec<Mount> =
        integrations.iter().map(|integration| Mount::new(integration, shared.clone(), cap)).collect();
    mounts.sort_by_key(|mount| std::cmp::Reverse(mount.base().len()));
    mounts
}

impl Handler for Doors {
    async fn handle(self: Arc<Self>, head: Parts, body: Incoming, at: Timestamp) -> Response<Answer> {
        if RESERVED_PATHS[1..].contains(&head.uri.path()) {
            return self.answer(&head, body, at).await;
        }
        let watched = Watched::new(&self.shared, &head, at, self.place(head.uri.path()), correlation(&head.headers));
        let answer = self.answer(&head, body, at).await;
        watched.ended(&answer);
        answer
    }
}

impl Doors {
    /// What a path leads to, for the operator's list of calls.
    fn place(&self, path: &str) -> Option<String> {
        let mounts = self.mounts.load();
        let mount = mounts.iter().find(|mount| mount.rest_of(path).is_some());
        let is_callback = engine::session_in(path).is_some() || stand_in::place_in(path).is_some();
        let callback = || is_callback.then(|| "engine callback".to_owned());
        mount.map(|mount| mount.key().to_string()).or_else(callback)
    }

    async fn answer(&self, head: &Parts, body: Incoming, at: Timestamp) -> Response<Answer> {
        let path = head.uri.path();
        let mounts = self.mounts.load_full();
        for mount in mounts.iter() {
            if let Some(rest) = mount.rest_of(path) {
                if let Some(answer) = mount.handle(rest, head, body, at).await {
                    return answer;
                }
                self.astray.tell(head, &mounts, at);
                return body::because(mount.no_such_path(), "path", &astray::advice(path, &mounts));
            }
        }
        if let Some(session) = engine::session_in(path) {
            return self.engine.handle(session, head, body).await;
        }
        if let Some(place) = stand_in::place_in(path) {
            return self.engine.stand_in(place, head, body).await;
        }
        match path {
            health::LIVE => health::live(&head.method),
            health::READY => health::ready(&head.method, &self.shared).await,
            _ => {
                self.astray.tell(head, &mounts, at);
                body::because(body::empty(StatusCode::NOT_FOUND), "path", &astray::advice(path, &mounts))
            }
        }
    }
}
