//! The listener: takes connections, speaks HTTP/1.1 and HTTP/2 without prior agreement, and hands every request to a
//! [`Handler`]. The gateway's doors and the admin socket are served by it; what a request means is theirs.
//!
//! Nothing here waits without a limit: for a connection's first head, for a next one on an idle connection, for a place
//! under the cap of connections. Bodies have limits of their own, in [`body`](super::body).

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use model::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::body::Answer;
use super::signature::Signature;
use crate::config::TrustedProxies;
use crate::runtime::Runtime;

/// How long the listener rests when the process has no file descriptor left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a connection that has sent nothing yet may still send its first head when the listener ends: it is probably
/// on its way.
const FIRST_HEAD_AT_THE_END_MS: u64 = 200;

/// Answers requests.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request. `at` is when its head was read; its [`RequestId`](model::RequestId) is among the head's
    /// extensions. The future is dropped when the client goes away.
    fn handle(
        self: Arc<Self>,
        head: Parts,
        body: Incoming,
        at: Timestamp,
    ) -> impl Future<Output = Response<Answer>> + Send;
}

/// Limits of one listener.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once; more wait in the operating system's queue.
    pub connections_max: usize,
    /// How long a new connection may take to send the head of its first request.
    pub head_timeout_ms: u64,
    /// How long a connection may rest between requests. Longer than the pools of the usual reverse proxies keep theirs,
    /// so that none of them writes into a closing connection.
    pub idle_timeout_ms: u64,
    /// Bytes of one request's head.
    pub head_max_bytes: usize,
    /// Requests at once on one HTTP/2 connection.
    pub streams_max: u32,
    /// Whose word about a client's address is taken.
    pub trusted_proxies: TrustedProxies,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 20_000,
            head_timeout_ms: 10_000,
            idle_timeout_ms: 75_000,
            head_max_bytes: 32 * 1024,
            streams_max: 256,
            trusted_proxies: TrustedProxies::default(),
        }
    }
}

/// Where connections come from.
pub trait Listener: Send {
    /// One connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// Waits for the next one.
    fn accept(&mut self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
    /// Who is at the other end; nothing where that is no address.
    fn peer(_stream: &Self::Stream) -> Option<IpAddr> {
        None
    }
    /// Which user is at the other end, where the system vouches for that.
    fn user(_stream: &Self::Stream) -> Option<LocalUser> {
        None
    }
}

/// A user of this machine, by number; in the extensions of a request that came by a Unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalUser(pub u32);

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<TcpStream> {
        let (stream, _) = TcpListener::accept(self).await?;
        // Without it a small answer may wait for the acknowledgement of the one before it.
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn peer(stream: &TcpStream) -> Option<IpAddr> {
        stream.peer_addr().ok().map(|address| address.ip())
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;

    async fn accept(&mut self) -> io::Result<UnixStream> {
        UnixListener::accept(self).await.map(|(stream, _)| stream)
    }

    fn user(stream: &UnixStream) -> Option<LocalUser> {
        stream.peer_cred().ok().map(|cred| LocalUser(cred.uid()))
    }
}

/// Serves until `stop`; then takes no more connections, closes those that rest, and returns when the last request is
/// answered. Dropped, it cuts what is still open.
pub async fn serve<L: Listener, H: Handler>(
    mut listener: L,
    handler: Arc<H>,
    limits: Limits,
    runtime: Runtime,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let open = TaskTracker::new();
    let cut = CancellationToken::new();
    let _cut_on_drop = cut.clone().drop_guard();
    let server = Arc::new(Server { builder: builder(&limits, &runtime), handler, limits, runtime, stop, cut });
    loop {
        let Some(Ok(place)) = server.stop.run_until_cancelled(places.clone().acquire_owned()).await else { break };
        let Some(accepted) = server.stop.run_until_cancelled(listener.accept()).await else { break };
        match accepted {
            Ok(stream) => server.start((L::peer(&stream), L::user(&stream)), stream, (place, open.token())),
            // The client was gone before it was taken.
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be taken for a moment");
                server.stop.run_until_cancelled(tokio::time::sleep(ACCEPT_PAUSE)).await;
            }
        }
    }
    // Who connected before the listener closes was let in by the system, and may have sent a request. Those are only seen
    // once the runtime has looked at its sockets again.
    tokio::task::yield_now().await;
    while let Ok(place) = places.clone().try_acquire_owned()
        && let Some(Ok(stream)) = listener.accept().now_or_never()
    {
        server.start((L::peer(&stream), L::user(&stream)), stream, (place, open.token()));
    }
    drop(listener);
    open.close();
    open.wait().await;
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, InvalidInput, NotConnected,
    };
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | ConnectionRefused | BrokenPipe | NotConnected | InvalidInput
    )
}

/// Runs what HTTP/2 connections start as tasks of ours, so that shutdown waits for them.
#[derive(Clone)]
struct Spawn(Runtime);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Spawn {
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}

fn builder(limits: &Limits, runtime: &Runtime) -> Builder<Spawn> {
    let mut builder = Builder::new(Spawn(runtime.clone()));
    // This time-out also counts while a connection rests, so the first head is watched for by `Server::serve`.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits.idle_timeout_ms))
        .max_buf_size(limits.head_max_bytes.max(8 * 1024));
    let head_max_bytes = u32::try_from(limits.head_max_bytes).unwrap_or(u32::MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(head_max_bytes);
    builder
}

struct Server<H> {
    builder: Builder<Spawn>,
    handler: Arc<H>,
    limits: Limits,
    runtime: Runtime,
    stop: CancellationToken,
    cut: CancellationToken,
}

/// What happens on one connection.
#[derive(Default)]
struct Activity {
    seen: AtomicUsize,
    open: AtomicUsize,
}

/// One request between its head and the end of its handling.
struct Open(Arc<Activity>);

impl Open {
    fn new(activity: &Arc<Activity>) -> Self {
        activity.seen.fetch_add(1, Ordering::Relaxed);
        activity.open.fetch_add(1, Ordering::Relaxed);
        Self(activity.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<H: Handler> Server<H> {
    /// Serves a connection in a task of its own, which holds `held` until it is over.
    fn start<S>(self: &Arc<Self>, from: (Option<IpAddr>, Option<LocalUser>), stream: S, held: impl Send + 'static)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let server = self.clone();
        self.runtime.spawn(async move {
            server.serve(from, stream).await;
            drop(held);
        });
    }

    async fn serve<S>(&self, (peer, user): (Option<IpAddr>, Option<LocalUser>), stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Arc::new(Activity::default());
        let service = service_fn(|mut request: Request<Incoming>| {
            if let Some(peer) = peer {
                let client = self.limits.trusted_proxies.client(peer, request.headers());
                request.extensions_mut().insert(client);
            }
            if let Some(user) = user {
                request.extensions_mut().insert(user);
            }
            let open = Open::new(&activity);
            let (handler, ids, at) = (self.handler.clone(), self.runtime.ids.clone(), self.runtime.now());
            async move {
                let (mut head, body) = request.into_parts();
                let signature = Signature::of(ids.request(), &head.headers);
                head.extensions.insert(signature.request);
                let answer = guarded(handler.handle(head, body, at)).await;
                drop(open);
                Ok::<_, Infallible>(signature.sign(answer))
            }
        });
        let mut connection = pin!(self.builder.serve_connection(TokioIo::new(stream), service));
        let (mut seen, mut rest_ms, mut closing, mut last_chance) = (0, self.limits.head_timeout_ms, false, false);
        loop {
            tokio::select! {
                biased;
                // How a connection ends is its client's business: nothing here can act on it.
                _ended = connection.as_mut() => return,
                () = self.cut.cancelled() => return,
                () = self.stop.cancelled(), if !(closing || last_chance) => {
                    if activity.seen.load(Ordering::Relaxed) == 0 {
                        (last_chance, rest_ms) = (true, FIRST_HEAD_AT_THE_END_MS);
                    } else {
                        closing = true;
                        connection.as_mut().graceful_shutdown();
                    }
                }
                () = tokio::time::sleep(Duration::from_millis(rest_ms)) => {
                    let now_seen = activity.seen.load(Ordering::Relaxed);
                    let rests = activity.open.load(Ordering::Relaxed) == 0 && now_seen == seen;
                    if rests && (closing || now_seen == 0) {
                        return;
                    }
                    if rests || last_chance {
                        closing = true;
                        connection.as_mut().graceful_shutdown();
                    }
                    seen = now_seen;
                    rest_ms = if closing { self.limits.head_timeout_ms } else { self.limits.idle_timeout_ms };
                }
            }
        }
    }
}

/// A defect of ours ends one request, not the connection with all that is on it.
async fn guarded(answer: impl Future<Output = Response<Answer>>) -> Response<Answer> {
    match std::panic::AssertUnwindSafe(answer).catch_unwind().await {
        Ok(answer) => answer,
        Err(_) => {
            tracing::error!("answering a request failed inside Cordboard");
            let message = "answering failed inside Cordboard; the log has more";
            super::body::refused(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
        }
    }
}
