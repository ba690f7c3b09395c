//! HTTP calls as values. Engines and connectors build a [`Call`] and read a [`Reply`]; one executor sends them all.

use bytes::Bytes;
use futures_util::future::BoxFuture;
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
    /// The connection broke after the request may have been written.
    #[error("the connection broke before the answer was whole")]
    Broken,
    /// The answer was larger than allowed.
    #[error("the answer was too large")]
    TooLarge,
}

/// Sends calls. The product's is one pooled client; simulation brings its own.
pub trait Transport: Send + Sync + 'static {
    /// Sends one call. Dropping the future aborts it.
    fn send(&self, call: Call) -> BoxFuture<'_, Result<Reply, Failed>>;
}
