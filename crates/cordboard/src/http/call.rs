//! HTTP calls as values. Engines and connectors build a [`Call`] and read a [`Reply`]; one executor sends them all.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use http::{HeaderMap, Method};

/// One HTTP call, ready to be sent.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The whole address.
    pub url: String,
    /// Headers; credentials among them are marked as sensitive, so that they cannot be printed.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Time for everything: connecting, sending, and the last byte of the reply.
    pub timeout_ms: u64,
    /// The reply's body is read up to this size; a larger one is [`Failed::TooLarge`].
    pub reply_max_bytes: usize,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, within the call's limit.
    pub body: Bytes,
}

impl Reply {
    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// `Retry-After` in seconds, as milliseconds. The HTTP-date form is not used by the platforms we speak to.
    #[must_use]
    pub fn retry_after_ms(&self) -> Option<u64> {
        self.header("retry-after")?.trim().parse::<u64>().ok().map(|seconds| seconds.saturating_mul(1000))
    }
}

/// Why nothing readable came back. What decides about a retry is whether the other side may have got the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// It failed before the request was written: it was not sent.
    #[error("not sent: no connection")]
    NotSent,
    /// The time was over after the request may have been written.
    #[error("no answer in time")]
    TimedOut,
    /// The connection broke after the request may have been written, or nothing more came on it.
    #[error("the connection broke before the answer was whole")]
    Broken,
    /// The answer was larger than allowed.
    #[error("the answer was too large")]
    TooLarge,
}

/// How long a reply that is read while it comes may be silent. The call's own time bounds it all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// From the beginning of the call to the first byte of the body.
    pub first_byte_timeout_ms: u64,
    /// From one piece of the body to the next.
    pub idle_timeout_ms: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { first_byte_timeout_ms: 30_000, idle_timeout_ms: 15_000 }
    }
}

/// A reply whose body is still on its way.
pub struct Incoming {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The pieces of the body, none of them empty, up to the call's limit together. A failure is the last of them.
    /// Dropping it aborts the call.
    pub body: BoxStream<'static, Result<Bytes, Failed>>,
}

impl From<Reply> for Incoming {
    /// A body that came in one piece.
    fn from(reply: Reply) -> Self {
        let pieces = Some(reply.body).filter(|body| !body.is_empty()).map(Ok);
        Self { status: reply.status, headers: reply.headers, body: stream::iter(pieces).boxed() }
    }
}

/// Sends calls. The product's is one pooled client; simulation brings its own.
pub trait Transport: Send + Sync + 'static {
    /// Sends one call. Dropping the future aborts it.
    fn send(&self, call: Call) -> BoxFuture<'_, Result<Reply, Failed>>;
    /// Sends one call and hands out the reply while it comes. A silence beyond the patience is [`Failed::Broken`]. Dropping
    /// the future aborts it.
    fn open(&self, call: Call, _patience: Patience) -> BoxFuture<'_, Result<Incoming, Failed>> {
        Box::pin(async move { self.send(call).await.map(Incoming::from) })
    }
}
