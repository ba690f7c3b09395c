//! The one outgoing client of the product: pooled, without redirects and without retries, with time-outs and bodies of
//! bounded size. The outbox and the tokens of the orgs send through it; nothing else may open a connection.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http_body::{Frame, SizeHint};

use super::{Call, Failed, Reply, Transport};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
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

/// The client cannot be made on this machine.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be made: {0}")]
pub struct Unusable(#[from] reqwest::Error);

impl Client {
    /// Makes the client, and installs the process's cryptography unless it is there.
    ///
    /// # Errors
    ///
    /// [`Unusable`] when the machine has no usable trust store.
    #[expect(clippy::disallowed_methods, reason = "this is the one client that the ban points to")]
    pub fn new() -> Result<Self, Unusable> {
        // A second installation is refused and keeps the first, which is the same one.
        drop(rustls::crypto::ring::default_provider().install_default());
        let inner = reqwest::Client::builder()
            .user_agent(concat!("cordboard/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
            .tcp_nodelay(true)
            .build()?;
        Ok(Self { inner })
    }
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
                Ok(Err(Broke::Connecting)) => Err(Failed::NotSent),
                Ok(Err(Broke::TooLarge)) => Err(Failed::TooLarge),
                Ok(Err(Broke::Later)) => Err(if begun { Failed::Broken } else { Failed::NotSent }),
                Err(_) => Err(if begun { Failed::TimedOut } else { Failed::NotSent }),
            }
        }
        .boxed()
    }
}

/// Where an exchange broke.
enum Broke {
    Connecting,
    Later,
    TooLarge,
}

impl Client {
    async fn exchange(&self, call: Call, written: Written) -> Result<Reply, Broke> {
        let Ok(url) = call.url.parse::<reqwest::Url>() else { return Err(Broke::Connecting) };
        let mut request = self.inner.request(call.method, url).headers(call.headers);
        if !call.body.is_empty() {
            request = request.body(reqwest::Body::wrap(Tracked { bytes: Some(call.body), written }));
        }
        let mut response = request
            .send()
            .await
            .map_err(|error| if error.is_connect() || error.is_builder() { Broke::Connecting } else { Broke::Later })?;
        let announced = response.content_length().unwrap_or(0);
        if announced > call.reply_max_bytes as u64 {
            return Err(Broke::TooLarge);
        }
        let reserve = usize::try_from(announced).unwrap_or(usize::MAX).min(REPLY_RESERVE_BYTES);
        let mut body = BytesMut::with_capacity(reserve);
        while let Some(chunk) = response.chunk().await.map_err(|_| Broke::Later)? {
            if body.len() + chunk.len() > call.reply_max_bytes {
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
