//! The gateway as a process part: a configuration becomes a running gateway, and a running gateway ends in order.
//!
//! The order of ending: readiness goes off and open waits are answered; requests that still come are answered for a
//! while; the listener closes; calls that run may end; what does not end in time gives its place back, so that the next
//! start takes it up. Commands call [`serve`]; tests and `cordboard test` hold a [`Gateway`] themselves.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::OrgKey;
use rustls::crypto::ring::default_provider;
use tokio::net::TcpListener;
use tokio::signal::unix::Signal;
use tokio_util::sync::CancellationToken;

use crate::admin::{self, Admin};
use crate::config::{Config, Server};
use crate::connector::registry::Integration;
use crate::doors::Doors;
use crate::gateway::{Limits, Parts, Shared};
use crate::http::tls::{self, Tls, TlsListener};
use crate::http::{self, Transport};
use crate::observe::{Metrics, Observe, otlp, page};
use crate::outbox::{OrgAccess, PushAccess};
use crate::registration::drift;
use crate::reload::{Reloading, Running};
use crate::roster::Roster;
use crate::runtime::{Points, Runtime, Tasks};
use crate::store::sqlite::{OpenError, Settings, Sqlite};
use crate::store::{self, Store};
use crate::systemd;

/// How often a running gateway looks whether its store still takes anything.
const STORE_LOOK: Duration = Duration::from_secs(1);

/// How long tasks may take to end once nothing is left for them to do.
const TASKS_END: Duration = Duration::from_secs(5);

/// Why a gateway cannot be started. None of these goes away by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The port is taken, or the address is not one of this machine.
    #[error("cannot listen on {address}: {}", why_not_listen(*address, source))]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The certificate of the listener.
    #[error("[server.tls] cannot be used: {0}")]
    Tls(#[from] tls::Unusable),
    /// The data folder.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store opened, and then failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// No outgoing calls can be made.
    #[error(transparent)]
    Client(#[from] http::client::Unusable),
    /// The operator's socket.
    #[error(transparent)]
    Admin(#[from] admin::Error),
    /// The collector of spans.
    #[error(transparent)]
    Otlp(#[from] otlp::Unusable),
    /// The metrics page's port is taken, or the address is not one of this machine.
    #[error(
        "cannot listen on {address} for metrics: {source}; choose another `metrics_listen` in [observe], or leave it out"
    )]
    ListenMetrics {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The operating system gives no randomness.
    #[error("the operating system gives no randomness")]
    Randomness,
    /// The file that tells the address.
    #[error("cannot write {}: {source}", file.display())]
    ReadyFile {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What the command line adds to a configuration.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Gets the address when requests are answered, on one line.
    pub ready_file: Option<PathBuf>,
}

/// A running gateway. Dropped without [`Gateway::stop`], it ends as in a crash: nothing that was acknowledged is lost.
pub struct Gateway {
    shared: Arc<Shared>,
    reloading: Arc<Reloading>,
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    tasks: Tasks,
    tls: Option<Arc<Tls>>,
    listener_ends: CancellationToken,
    listener_ended: CancellationToken,
    admin_ends: CancellationToken,
}

impl Gateway {
    /// Starts a gateway; requests are answered when it returns.
    ///
    /// # Errors
    ///
    /// [`Error`], with nothing left running.
    pub async fn start(config: Config) -> Result<Self, Error> {
        Self::start_with(config, None).await
    }

    /// The same with named points, where a test holds the gateway up or stops it.
    ///
    /// # Errors
    ///
    /// [`Error`], with nothing left running.
    pub async fn start_with(config: Config, points: Option<Arc<dyn Points>>) -> Result<Self, Error> {
        let Config {
            server, outgoing, observe, orgs, connectors, engines, policies, effective, file, warnings, ..
        } = config;
        let asked = server.listen;
        let cannot_listen = |source| Error::Listen { address: asked, source };
        let listener = TcpListener::bind(asked).await.map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        let tls = server.tls.as_ref().map(Tls::load).transpose()?;
        let (metrics_listener, metrics_address) = listen_for_metrics(&observe).await?.unzip();
        let metrics = Arc::new(Metrics::new());
        let settings = Settings { metrics: metrics.store.clone(), ..Settings::new(&server.data_dir) };
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(&settings)?);
        let tasks = Tasks::default();
        let runtime = Runtime { points, ..Runtime::system(tasks.clone(), seed()?) };
        let transport: Arc<dyn Transport> = Arc::new(http::Client::for_calls(&outgoing)?);
        let traces = match &observe.otlp {
            Some(otlp) => Some(otlp::start(otlp, transport.clone(), &runtime, &metrics)?),
            None => None,
        };
        let mut access: BTreeMap<OrgKey, Arc<dyn PushAccess>> = BTreeMap::new();
        for (key, org) in &orgs {
            access.insert(key.clone(), OrgAccess::to(org, &transport, &runtime));
        }
        let parts = Parts {
            store,
            runtime: runtime.clone(),
            transport,
            roster: Roster::new(&connectors, engines, access, policies),
            limits: Limits::default(),
            metrics,
            traces,
        };
        let shared = Shared::start(parts).await?;
        let mut warnings = warnings;
        for drift in drift::warnings(shared.store().as_ref(), &connectors).await {
            tracing::warn!("{drift}");
            warnings.push(drift);
        }
        let integrations: Vec<Integration> = connectors.into_values().collect();
        let doors = Doors::new(shared.clone(), &integrations, &server.limits_of_doors());
        let admin = Admin::bind(shared.clone(), &server.data_dir).inspect_err(|_| shared.stop())?;
        if server.group_may_read {
            admin.let_group_read().inspect_err(|_| shared.stop())?;
        }
        let limits =
            http::server::Limits { trusted_proxies: server.trusted_proxies.clone(), ..http::server::Limits::default() };
        let reloading =
            Arc::new(Reloading::new(shared.clone(), doors.clone(), file, Running { server, effective, warnings }));
        let admin = admin.with_reload(reloading.clone());
        let (listener_ends, admin_ends) = (CancellationToken::new(), CancellationToken::new());
        runtime.spawn(admin.serve(admin_ends.clone()));
        if let Some(listener) = metrics_listener {
            runtime.spawn(page::serve(listener, shared.clone(), admin_ends.clone()));
        }
        if let Some(tls) = &tls {
            let (certified, clock) = (tls.clone(), runtime.clock.clone());
            shared.metrics().watch_certificate(move || Some(certified.certificate().days_left(clock.now())));
            runtime.spawn(tls.clone().watch(runtime.clone(), listener_ends.clone()));
        }
        let opened = Opened { listener, tls: tls.clone(), limits };
        let listener_ended = opened.serve(doors, &runtime, listener_ends.clone());
        Ok(Self { shared, reloading, address, metrics_address, tasks, tls, listener_ends, listener_ended, admin_ends })
    }

    /// The certificate of the listener, when it speaks TLS.
    #[must_use]
    pub fn tls(&self) -> Option<&Arc<Tls>> {
        self.tls.as_ref()
    }

    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of the metrics page, where there is one.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// What it is made of.
    #[must_use]
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// How its configuration is put in the place of the running one.
    #[must_use]
    pub fn reloading(&self) -> &Arc<Reloading> {
        &self.reloading
    }

    /// Ready when the store failed for good: what then still runs can only refuse, and a new start may mend it.
    pub async fn store_failed(&self) -> store::Error {
        loop {
            if let Some(error) = self.shared.store().failed() {
                return error;
            }
            tokio::time::sleep(STORE_LOOK).await;
        }
    }

    /// Ends in order; see the module. Takes at most `drain_ms` and `grace_ms` of the configuration and a few seconds.
    pub async fn stop(self) {
        let Server { drain_ms, grace_ms, .. } = self.reloading.server();
        tracing::info!(drain_ms, "stopping: requests are still answered for a while");
        self.shared.drain(drain_ms);
        tokio::time::sleep(Duration::from_millis(drain_ms)).await;
        self.listener_ends.cancel();
        let grace = Duration::from_millis(grace_ms);
        let all_over = async {
            self.listener_ended.cancelled().await;
            self.shared.calls_over().await;
        };
        if tokio::time::timeout(grace, all_over).await.is_err() {
            tracing::warn!("calls still run; the next start takes them up");
        }
        self.shared.stop();
        self.admin_ends.cancel();
        self.tasks.0.close();
        if tokio::time::timeout(TASKS_END, self.tasks.0.wait()).await.is_err() {
            tracing::warn!("stopped with tasks still running; nothing that was acknowledged is lost");
        } else {
            tracing::info!("stopped");
        }
    }
}

/// The listener, bound and not served yet.
struct Opened {
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    limits: http::server::Limits,
}

impl Opened {
    /// Serves until `stop`; what is given back is cancelled once the last response is out.
    fn serve(self, doors: Arc<Doors>, runtime: &Runtime, stop: CancellationToken) -> CancellationToken {
        let Self { listener, tls, limits } = self;
        let ended = CancellationToken::new();
        let (guard, of_the_server) = (ended.clone().drop_guard(), runtime.clone());
        runtime.spawn(async move {
            match tls {
                Some(tls) => {
                    let listener = TlsListener::new(listener, tls, of_the_server.clone());
                    http::server::serve(listener, doors, limits, of_the_server, stop).await;
                }
                None => http::server::serve(listener, doors, limits, of_the_server, stop).await,
            }
            drop(guard);
        });
        ended
    }
}

/// Runs a gateway until `shutdown` is ready, and ends it in order. Each `hangup` makes it read its configuration again.
///
/// # Errors
///
/// When it cannot be started.
pub async fn serve(
    config: Config,
    options: &Options,
    shutdown: impl Future<Output = ()>,
    hangup: &mut Signal,
) -> Result<(), Error> {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let doors: Vec<(String, String)> = config
        .connectors
        .iter()
        .map(|(key, integration)| (key.to_string(), integration.entrance().path().to_owned()))
        .collect();
    let gateway = Gateway::start(config).await?;
    let address = gateway.address();
    for service in gateway.shared().out_of_service().await? {
        tracing::warn!(
            bot = %service.bot, reason = service.reason, who = service.who,
            "a bot is out of service and its turns go to humans; `cordboard bots enable {}` puts it in again",
            service.bot
        );
    }
    let scheme = if gateway.tls().is_some() { "https" } else { "http" };
    let doors: Vec<String> = doors.iter().map(|(key, path)| format!("{key} at {scheme}://{address}{path}")).collect();
    tracing::info!("ready on {scheme}://{address}: {}", doors.join("; "));
    if let Some(file) = &options.ready_file {
        write_whole(file, &format!("{address}\n")).map_err(|source| Error::ReadyFile { file: file.clone(), source })?;
    }
    systemd::ready(&format!("answering on {scheme}://{address}"));
    let failed = tokio::select! {
        biased;
        () = shutdown => None,
        error = gateway.store_failed() => Some(error),
        never = reload_at(hangup, gateway.reloading()) => match never {},
        never = systemd::watched(gateway.shared().store().as_ref()) => match never {},
    };
    if let Some(error) = &failed {
        tracing::error!(%error, "the store takes nothing any more; stopping, so that a new start can open it again");
    }
    systemd::stopping();
    gateway.stop().await;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

fn why_not_listen(address: SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another process has this port; stop it, or choose another `listen` in [server]".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address; 127.0.0.1 is reached from this machine only, \
            0.0.0.0 by every address that it has: change `listen` in [server]"
                .to_owned()
        }
        io::ErrorKind::PermissionDenied if address.port() < 1024 => format!(
            "this user may not use port {}; choose one from 1024 on as `listen` in [server], or grant the service \
             CAP_NET_BIND_SERVICE",
            address.port()
        ),
        _ => format!("{error}; choose another `listen` in [server]"),
    }
}

/// Reads the configuration again at every signal.
async fn reload_at(hangup: &mut Signal, reloading: &Reloading) -> Infallible {
    loop {
        if hangup.recv().await.is_none() {
            return std::future::pending().await;
        }
        // What came of it is in the log, and told to the service manager.
        drop(reloading.reload("SIGHUP").await);
    }
}

/// Binds the metrics page's own port, where one is asked for.
async fn listen_for_metrics(observe: &Observe) -> Result<Option<(TcpListener, SocketAddr)>, Error> {
    let Some(address) = observe.metrics_listen else { return Ok(None) };
    let cannot_listen = |source| Error::ListenMetrics { address, source };
    let listener = TcpListener::bind(address).await.map_err(cannot_listen)?;
    let address = listener.local_addr().map_err(cannot_listen)?;
    tracing::info!("metrics on http://{address}/metrics");
    Ok(Some((listener, address)))
}

/// Writes a file that is never seen half.
fn write_whole(file: &Path, text: &str) -> io::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    std::fs::write(&beside, text)?;
    std::fs::rename(&beside, file)
}

fn seed() -> Result<[u8; 32], Error> {
    let mut seed = [0; 32];
    default_provider().secure_random.fill(&mut seed).map_err(|_| Error::Randomness)?;
    Ok(seed)
}
