//! The one outgoing client of the product: pooled, without redirects and without retries, with time-outs and bodies of
//! bounded size. The outbox and the tokens of the orgs send through it; nothing else may open a connection.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use http_body::{Frame, SizeHint};
use secrecy::ExposeSecret as _;
use tokio::time::Instant;

use super::trouble::Trouble;
use super::{Call, Failed, Incoming, Patience, Reply, Transport};
use crate::config::{NEVER_BY_PROXY, Outgoing};

/// Shorter than the idle time-out of the usual servers and balancers, so that we seldom write into a closing connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);
const IDLE_PER_HOST_MAX: usize = 64;
/// What is reserved for a reply that announces its length; longer ones grow as they come.
const REPLY_RESERVE_BYTES: usize = 64 * 1024;

/// The client. Cheap to clone; clones share the pool.
#[derive(Clone, Debug)]
pub struct Client {
    inner: reqwest::Client,
}

/// Why the client cannot be made on this machine or from this configuration.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The certificates that are trusted besides the system's.
    #[error("[outgoing] ca_file {}: {what}", file.display())]
    Authorities {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The proxy. Its address is not repeated, since it may hold a password.
    #[error("[outgoing] proxy: this is not the address of a proxy")]
    Proxy,
    /// The machine has no usable trust store.
    #[error("the HTTP client cannot be made: {0}; are the system's certificates (ca-certificates) installed?")]
    Machine(#[from] reqwest::Error),
}

impl Client {
    /// A client that calls directly and trusts whom the system trusts.
    ///
    /// # Errors
    ///
    /// [`Unusable`] when the machine has no usable trust store.
    pub fn new() -> Result<Self, Unusable> {
        Self::for_calls(&Outgoing::default())
    }

    /// Makes the client, and installs the process's cryptography unless it is there. Proxies come from the configuration
    /// alone: what the environment says of proxies was said for other programs.
    ///
    /// # Errors
    ///
    /// [`Unusable`] when the machine has no usable trust store, or the configuration names what cannot be used.
    #[expect(clippy::disallowed_methods, reason = "this is the one client that the ban points to")]
    pub fn for_calls(outgoing: &Outgoing) -> Result<Self, Unusable> {
        // A second installation is refused and keeps the first, which is the same one.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("cordboard/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .connect_timeout(Duration::from_millis(outgoing.connect_timeout_ms))
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
            .tcp_nodelay(true);
        if let Some(proxy) = &outgoing.proxy {
            let direct = NEVER_BY_PROXY.iter().copied().chain(outgoing.no_proxy.iter().map(String::as_str));
            let direct = reqwest::NoProxy::from_string(&direct.collect::<Vec<_>>().join(",").to_ascii_lowercase());
            let proxy = reqwest::Proxy::all(proxy.expose_secret()).map_err(|_| Unusable::Proxy)?;
            builder = builder.proxy(proxy.no_proxy(direct));
        }
        if let Some(file) = &outgoing.ca_file {
            builder = builder.tls_certs_merge(authorities(file)?);
        }
        Ok(Self { inner: builder.build()? })
    }
}

fn authorities(file: &Path) -> Result<Vec<reqwest::Certificate>, Unusable> {
    let wrong = |what: String| Unusable::Authorities { file: file.to_owned(), what };
    let pem = std::fs::read(file).map_err(|error| wrong(format!("it cannot be read: {error}")))?;
    let certificates = reqwest::Certificate::from_pem_bundle(&pem).unwrap_or_default();
    if certificates.is_empty() {
        return Err(wrong("it holds no certificate in PEM".to_owned()));
    }
    Ok(certificates)
}

impl Transport for Client {
    fn send(&self, call: Call) -> BoxFuture<'_, Result<Reply, Failed>> {
        let written = Written::default();
        let deadline = Duration::from_millis(call.timeout_ms);
        async move {
            let has_body = !call.body.is_empty();
            let outcome = tokio::time::timeout(deadline, self.exchange(call, written.clone())).await;
            // Without a body nobody tells when the request was written, so the careful answer counts.
            let begun = written.is_begun() || !has_body;
            match outcome {
                Ok(Ok(reply)) => Ok(reply),
                Ok(Err(Broke::NoAddress | Broke::Connecting(_))) => Err(Failed::NotSent),
                Ok(Err(Broke::TooLarge)) => Err(Failed::TooLarge),
                Ok(Err(Broke::Later(_))) => Err(if begun { Failed::Broken } else { Failed::NotSent }),
                Err(_) => Err(if begun { Failed::TimedOut } else { Failed::NotSent }),
            }
        }
        .boxed()
    }

    fn open(&self, call: Call, patience: Patience) -> BoxFuture<'_, Result<Incoming, Failed>> {
        let written = Written::default();
        let (now, bytes_left) = (Instant::now(), call.reply_max_bytes);
        let deadline = now + Duration::from_millis(call.timeout_ms);
        let next_by = now + Duration::from_millis(patience.first_byte_timeout_ms);
        async move {
            let has_body = !call.body.is_empty();
            let outcome = tokio::time::timeout_at(next_by.min(deadline), self.head(call, written.clone())).await;
            let begun = written.is_begun() || !has_body;
            let mut response = match outcome {
                Ok(Ok(response)) => response,
                Ok(Err(Broke::TooLarge)) => return Err(Failed::TooLarge),
                Ok(Err(Broke::Later(_))) if begun => return Err(Failed::Broken),
                Ok(Err(Broke::NoAddress | Broke::Connecting(_) | Broke::Later(_))) => return Err(Failed::NotSent),
                Err(_) => return Err(if begun { silent(deadline) } else { Failed::NotSent }),
            };
            let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
            let idle = Duration::from_millis(patience.idle_timeout_ms);
            let body = Arriving { response, deadline, next_by, idle, bytes_left }.pieces();
            Ok(Incoming { status, headers, body })
        }
        .boxed()
    }
}

/// Where an exchange broke.
enum Broke {
    NoAddress,
    Connecting(reqwest::Error),
    Later(reqwest::Error),
    TooLarge,
}

impl Client {
    /// Sends one call for somebody who wants to know why nothing comes back.
    ///
    /// # Errors
    ///
    /// [`Trouble`], as exactly as can be told.
    pub async fn probe(&self, call: Call) -> Result<Reply, Trouble> {
        let deadline = Duration::from_millis(call.timeout_ms);
        match tokio::time::timeout(deadline, self.exchange(call, Written::default())).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(Broke::Connecting(error) | Broke::Later(error))) => Err(Trouble::of(&error)),
            Ok(Err(Broke::NoAddress)) => Err(Trouble::Other("this is not an address".to_owned())),
            Ok(Err(Broke::TooLarge)) => Err(Trouble::Other("the answer is too large".to_owned())),
            Err(_) => Err(Trouble::Slow),
        }
    }

    async fn exchange(&self, call: Call, written: Written) -> Result<Reply, Broke> {
        let reply_max_bytes = call.reply_max_bytes;
        let mut response = self.head(call, written).await?;
        let announced = response.content_length().unwrap_or(0);
        let reserve = usize::try_from(announced).unwrap_or(usize::MAX).min(REPLY_RESERVE_BYTES);
        let mut body = BytesMut::with_capacity(reserve);
        while let Some(chunk) = response.chunk().await.map_err(Broke::Later)? {
            if body.len() + chunk.len() > reply_max_bytes {
                return Err(Broke::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply {
            status: response.status().as_u16(),
            headers: std::mem::take(response.headers_mut()),
            body: body.freeze(),
        })
    }

    /// Sends a call and waits for the head of its reply.
    async fn head(&self, call: Call, written: Written) -> Result<reqwest::Response, Broke> {
        let Ok(url) = call.url.parse::<reqwest::Url>() else { return Err(Broke::NoAddress) };
        let mut request = self.inner.request(call.method, url).headers(call.headers);
        if !call.body.is_empty() {
            request = request.body(reqwest::Body::wrap(Tracked { bytes: Some(call.body), written }));
        }
        let response = request.send().await.map_err(if_connecting)?;
        if response.content_length().unwrap_or(0) > call.reply_max_bytes as u64 {
            return Err(Broke::TooLarge);
        }
        Ok(response)
    }
}

/// A body on its way, with the times at which it is given up.
struct Arriving {
    response: reqwest::Response,
    deadline: Instant,
    /// By when the next piece must be there.
    next_by: Instant,
    idle: Duration,
    bytes_left: usize,
}

impl Arriving {
    /// The next piece; nothing at the end.
    async fn next(&mut self) -> Option<Result<Bytes, Failed>> {
        loop {
            let piece = match tokio::time::timeout_at(self.next_by.min(self.deadline), self.response.chunk()).await {
                Ok(Ok(piece)) => piece?,
                Ok(Err(_)) => return Some(Err(Failed::Broken)),
                Err(_) => return Some(Err(silent(self.deadline))),
            };
            self.next_by = Instant::now() + self.idle;
            let Some(bytes_left) = self.bytes_left.checked_sub(piece.len()) else {
                return Some(Err(Failed::TooLarge));
            };
            self.bytes_left = bytes_left;
            if !piece.is_empty() {
                return Some(Ok(piece));
            }
        }
    }

    /// All pieces; a failure ends them.
    fn pieces(self) -> BoxStream<'static, Result<Bytes, Failed>> {
        stream::unfold(Some(self), async |arriving| {
            let mut arriving = arriving?;
            let piece = arriving.next().await?;
            let rest = piece.is_ok().then_some(arriving);
            Some((piece, rest))
        })
        .boxed()
    }
}

/// Nothing came: the time of the whole call is over, or only that for the next piece.
fn silent(deadline: Instant) -> Failed {
    if Instant::now() >= deadline { Failed::TimedOut } else { Failed::Broken }
}

fn if_connecting(error: reqwest::Error) -> Broke {
    if error.is_connect() || error.is_builder() { Broke::Connecting(error) } else { Broke::Later(error) }
}

/// Whether the writing of a request's body has begun. Before that the other side cannot have the whole request, whatever
/// broke: this is what tells 'not sent' from 'unknown' when the time is over in the middle of connecting.
#[derive(Clone, Default)]
struct Written(Arc<AtomicBool>);

impl Written {
    fn begin(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_begun(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A body that notes when it is asked for.
struct Tracked {
    bytes: Option<Bytes>,
    written: Written,
}

impl http_body::Body for Tracked {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.written.begin();
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

#[cfg(test)]
mod tests;
