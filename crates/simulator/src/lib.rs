//! Genesys Cloud, a flow and its customers, simulated on real sockets.
//!
//! The doors are Digital Bot Connector v2 and Bot Connector v1. A [`Simulator`] listens on a loopback port as the
//! platform's login and API hosts, calls a connector as an Architect flow would, shows what a customer would see, and
//! keeps a [`record`] of everything. Tests, the load generator, `cordboard test` and `cordboard simulate` use it.
//!
//! It shares no type with the product: it writes and reads JSON by hand, strictly, from the reference, so that a
//! misspelt member cannot be wrong on both sides and pass.
//!
//! ```ignore
//! let simulator = Simulator::start(Settings::default()).await?;
//! let door = simulator.register(Integration::v2("http://127.0.0.1:8080/botconnector"));
//! let customer = simulator.conversation(&door, "parcels", FlowSettings::default()).await?;
//! customer.say("Where is my parcel?");
//! let seen = customer.next_bot_message(Duration::from_secs(5)).await;
//! ```

mod call;
mod channel;
mod check;
mod cloud;
pub mod control;
mod conversation;
pub mod customer;
mod fault;
pub mod file;
mod flow;
mod org;
mod play;
pub mod record;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use channel::Channel;
pub use check::content::{Card, Choice, Message};
pub use check::judge::{Judged, Place, judge};
pub use check::manifest::{Bot, BotVersion};
pub use check::{Severity, Violation};
pub use conversation::{Conversation, Input, Seen};
pub use fault::{Chance, Faults};
pub use flow::{FlowSettings, ParametersSent, Path};
pub use org::{Published, Registered};
pub use play::{Difference, Hooks, Line as TranscriptLine, NoHooks, Played, Target};
pub use record::Record;

use org::Org;

/// Which contract an integration speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// Bot Connector, synchronous, the bot list pushed.
    V1,
    /// Digital Bot Connector, late answers allowed, the manifest pulled.
    V2,
}

/// How fast one OAuth client may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// So many requests …
    pub requests: usize,
    /// … in any window of this length.
    pub window_ms: u64,
}

/// What a simulator is like.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Every duration of the flow (deadlines, back-offs, timers, poll waits) is multiplied by this. What the customer
    /// and a test wait is not scaled.
    pub time_scale: f64,
    /// Decides every choice that faults make.
    pub seed: u64,
    /// Whether ids repeat from run to run. Off by default, since a connector with a store would take the ids of a
    /// second run for retries of the first.
    pub fixed_ids: bool,
    /// How long a token lives.
    pub token_lifetime_ms: u64,
    /// The rate limit per client; the commonly quoted default is 300 a minute.
    pub rate_limit: Option<RateLimit>,
    /// Faults for every conversation and the cloud itself.
    pub faults: Faults,
    /// At most so many entries are kept in the record; the oldest go first.
    pub record_max_entries: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            port: 0,
            time_scale: 1.0,
            seed: 0,
            fixed_ids: false,
            token_lifetime_ms: 86_400_000,
            rate_limit: Some(RateLimit { requests: 300, window_ms: 60_000 }),
            faults: Faults::default(),
            record_max_entries: 200_000,
        }
    }
}

/// An integration as an administrator would set it up, with the OAuth client of its connector.
#[derive(Debug, Clone)]
pub struct Integration {
    /// The contract.
    pub door: Door,
    /// v2: the base URI, to which `/bots` and `/messages` are appended. v1: the handle-utterance URL, called as it is.
    pub url: String,
    /// The credential fields; every one is sent as a header on every call.
    pub headers: Vec<(String, String)>,
    /// The id of the integration, part of the path of v1's bot list.
    pub integration_id: String,
    /// v1: the bot list in the shape of the `PUT`. May be left out when the connector pushes it.
    pub bot_list: Option<Value>,
    /// The connector's OAuth client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// Permissions of its role.
    pub permissions: Vec<String>,
    /// v2: whether attachments to the customer are switched on.
    pub attachments: bool,
}

impl Integration {
    fn new(door: Door, url: impl Into<String>) -> Self {
        Self {
            door,
            url: url.into(),
            headers: Vec::new(),
            integration_id: "11111111-2222-4333-8444-555555555555".to_owned(),
            bot_list: None,
            client_id: "simulated-client".to_owned(),
            client_secret: "simulated-secret".to_owned(),
            permissions: ["send", "view", "edit"].map(|what| format!("integration:botconnector:{what}")).to_vec(),
            attachments: true,
        }
    }

    /// A v2 integration with this base URI.
    #[must_use]
    pub fn v2(url: impl Into<String>) -> Self {
        Self::new(Door::V2, url)
    }

    /// A v1 integration with this handle-utterance URL.
    #[must_use]
    pub fn v1(url: impl Into<String>) -> Self {
        Self::new(Door::V1, url)
    }

    /// Adds a credential field.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the id of the integration.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.integration_id = id.into();
        self
    }

    /// Sets the OAuth client of the connector.
    #[must_use]
    pub fn client(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        (self.client_id, self.client_secret) = (id.into(), secret.into());
        self
    }

    /// Sets v1's bot list.
    #[must_use]
    pub fn bots(mut self, list: Value) -> Self {
        self.bot_list = Some(list);
        self
    }
}

/// Why the simulator cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The port is taken, or sockets are not allowed.
    #[error("cannot listen on 127.0.0.1:{port}: {source}; choose another port, or 0 for a free one")]
    Listen {
        /// The port asked for.
        port: u16,
        /// What the system said.
        source: std::io::Error,
    },
    /// The HTTP client cannot be built.
    #[error("cannot build the HTTP client: {0}")]
    Client(#[source] reqwest::Error),
    /// The list of bots could not be had.
    #[error("cannot read the bots of {url}: {problem}")]
    Bots {
        /// Where it was looked for.
        url: String,
        /// What went wrong.
        problem: String,
    },
    /// The published list does not hold what the flow wants.
    #[error("the published list has no {0}")]
    NotPublished(String),
}

/// A running simulator. Dropping it stops it at once; [`Simulator::stop`] waits for its tasks.
#[derive(Debug)]
pub struct Simulator {
    org: Arc<Org>,
    address: SocketAddr,
}

impl Simulator {
    /// Starts listening.
    ///
    /// # Errors
    /// When the port cannot be had.
    pub async fn start(settings: Settings) -> Result<Self, Error> {
        let port = settings.port;
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port))
            .await
            .map_err(|source| Error::Listen { port, source })?;
        let address = listener.local_addr().map_err(|source| Error::Listen { port, source })?;
        let org = Org::new(settings)?;
        let app = cloud::routes().merge(control::routes()).with_state(Arc::clone(&org));
        let stop = org.stop.clone().cancelled_owned();
        org.tasks.spawn(async move {
            if let Err(problem) = axum::serve(listener, app).with_graceful_shutdown(stop).await {
                tracing::error!(%problem, "the simulator's server ended");
            }
        });
        Ok(Self { org, address })
    }

    /// The address listened on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL of both the login host and the API host.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets up an integration.
    pub fn register(&self, integration: Integration) -> Arc<Registered> {
        self.org.register(integration)
    }

    /// Publishes the flow: pulls (v2) or takes (v1) the list of bots and freezes it. Called by the first conversation
    /// where it was not called before; a later change of the list reaches no flow until this is called again.
    ///
    /// # Errors
    /// When the list cannot be had at all. Breaches of its rules are in the result.
    pub async fn publish(&self, integration: &Arc<Registered>) -> Result<Arc<Published>, Error> {
        self.org.publish(integration).await
    }

    /// Publishes this list instead of the connector's own, as a flow that was published long ago would have it.
    pub async fn publish_as(&self, integration: &Arc<Registered>, list: &Value) -> Arc<Published> {
        self.org.publish_as(integration, list).await
    }

    /// Posts these bytes to the connector's messages URL (v2) or utterance URL (v1), with these headers and no others:
    /// for wrong secrets and bodies that no flow would send. None when no answer comes within 30 s.
    pub async fn post_raw(
        &self,
        integration: &Registered,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Option<(u16, bytes::Bytes)> {
        let request = self.org.client.post(integration.messages_url()).body(body.into());
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        match call::send(request, Duration::from_secs(30), Duration::ZERO).await {
            call::Outcome::Response { status, body } => Some((status, body)),
            call::Outcome::TimedOut | call::Outcome::Broken(_) => None,
        }
    }

    /// Opens a conversation of a customer with `bot`. Nothing is sent before the customer's first words.
    ///
    /// # Errors
    /// When the list of bots cannot be had, or holds no such bot, version or language.
    pub async fn conversation(
        &self,
        integration: &Arc<Registered>,
        bot: &str,
        flow: FlowSettings,
    ) -> Result<Conversation, Error> {
        self.org.open(integration, bot, flow).await
    }

    /// Plays a conversation file to its end.
    pub async fn play(&self, file: &file::ConversationFile, target: &Target, hooks: &dyn Hooks) -> Played {
        play::play(self, file, target, hooks).await
    }

    /// Everything that happened.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.org.record
    }

    /// Changes the fault switches that hold for every conversation.
    pub fn set_faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut lock(&self.org.faults));
    }

    /// Forgets every token issued so far; the next use of one is answered 401.
    pub fn revoke_tokens(&self) {
        self.org.tokens.revoke_all();
    }

    /// How many tokens were issued.
    #[must_use]
    pub fn tokens_issued(&self) -> u64 {
        self.org.tokens.issued()
    }

    /// Stops: no further call is made or answered, and every task has ended afterwards.
    pub async fn stop(self) {
        self.org.shut_down();
        self.org.tasks.close();
        // A client that keeps a connection busy must not hold the caller for ever.
        if tokio::time::timeout(Duration::from_secs(5), self.org.tasks.wait()).await.is_err() {
            tracing::warn!("the simulator stopped with connections still open");
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.org.shut_down();
    }
}

/// Runs a simulator until `shutdown` is ready; `started` is told the address. For a command that runs it alone.
///
/// # Errors
/// When the simulator cannot be started.
pub async fn serve_forever(
    settings: Settings,
    integrations: Vec<Integration>,
    started: impl FnOnce(SocketAddr),
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let simulator = Simulator::start(settings).await?;
    for integration in integrations {
        simulator.register(integration);
    }
    started(simulator.address());
    shutdown.await;
    simulator.stop().await;
    Ok(())
}

/// A poisoned lock only means that a test failed while it was held; what it guards is still whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
