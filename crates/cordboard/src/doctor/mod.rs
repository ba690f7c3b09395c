//! The doctor: finds out what is wrong with a set-up before a customer does, and says what to do.
//!
//! `cordboard doctor` asks everything; `cordboard check --online` leaves out the store. Nothing here changes anything:
//! the store is only looked at, an engine gets no question, and the platform gets no message for anybody. No check quotes
//! a secret; of an address only scheme, host and port are shown, since a path may hold one.

mod address;
mod bot_list;
mod engine;
mod listener;
mod manifest;
mod org;
mod public;
mod report;
mod store;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderMap, Method};
use model::{OrgKey, Timestamp};

pub use report::{Check, Report, Status};

use self::address::{Addresses, Origin};
use crate::config::Config;
use crate::http::{Call, Client};
use crate::runtime::Clock;

/// How long one call may take.
const CALL_TIMEOUT_MS: u64 = 10_000;
/// More of an answer is not of interest.
const REPLY_MAX_BYTES: usize = 256 * 1024;

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// This org and its connectors alone.
    pub org: Option<OrgKey>,
    /// The store as well.
    pub store: bool,
}

/// What every check needs.
struct Doctor<'a> {
    config: &'a Config,
    client: Client,
    clock: Arc<dyn Clock>,
    org: Option<OrgKey>,
    /// Whether a gateway runs on the data folder; nothing when nobody looked.
    is_running: Option<bool>,
}

/// Examines a set-up.
pub async fn examine(config: &Config, scope: Scope, clock: Arc<dyn Clock>) -> Report {
    let (mut checks, is_running) = match scope.store {
        true => store::examine(&config.server.data_dir).await,
        false => (Vec::new(), None),
    };
    if scope.store {
        checks.extend(manifest::examine(config, scope.org.as_ref()).await);
    }
    checks.extend(listener::address(&config.server, is_running).await);
    checks.extend(listener::certificate(&config.server, clock.now()));
    match Client::for_calls(&config.outgoing) {
        Ok(client) => {
            let doctor = Doctor { config, client, clock, org: scope.org, is_running };
            checks.extend(doctor.ask_the_world().await);
        }
        Err(error) => {
            let next = "no call at all can be made before this is mended, so nothing beyond this machine was asked";
            checks.push(Check::failed("outgoing", "outgoing", error.to_string(), next));
        }
    }
    Report { checks }
}

impl Doctor<'_> {
    async fn ask_the_world(&self) -> Vec<Check> {
        let addresses = Addresses::examine(self).await;
        let orgs = self.config.orgs.values().filter(|org| self.asks_for(org.key()));
        let orgs = join_all(orgs.map(|org| org::examine(self, org, &addresses)));
        let (orgs, engines, public) = tokio::join!(orgs, engine::examine(self, &addresses), public::examine(self));
        let mut checks = addresses.checks(self.config.outgoing.proxy_origin().as_deref());
        checks.extend(orgs.into_iter().flatten());
        checks.extend(engines);
        checks.extend(public);
        checks
    }

    fn asks_for(&self, org: &OrgKey) -> bool {
        self.org.as_ref().is_none_or(|wanted| wanted == org)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// A call without credentials and without a body.
fn bare(method: Method, url: String) -> Call {
    Call {
        method,
        url,
        headers: HeaderMap::new(),
        body: Bytes::new(),
        timeout_ms: CALL_TIMEOUT_MS,
        reply_max_bytes: REPLY_MAX_BYTES,
    }
}
