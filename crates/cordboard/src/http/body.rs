//! Bodies of requests and answers: read with a cap while they come in, and followed until they are out.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use serde::Serialize;

use crate::connector::SealedReply;
use crate::inbox::Delivery;

/// What is still read of a body that is too large, so that the client has finished writing when it is refused: it would
/// otherwise see a broken connection instead of the refusal.
const DRAIN_MAX_BYTES: u64 = 1024 * 1024;
/// For how long.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);
/// What is reserved for a body that announces its length; longer ones grow as they come.
const RESERVE_BYTES: u64 = 64 * 1024;

/// Why a request's body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// 413.
    #[error("the body is larger than {max_bytes} bytes")]
    TooLarge {
        /// The cap.
        max_bytes: usize,
    },
    /// 415.
    #[error("a body with a Content-Encoding is not read; send it as it is")]
    Encoded,
    /// 408.
    #[error("the body did not come in time")]
    TooSlow,
    /// 400.
    #[error("the body broke off")]
    Broken,
}

impl Unread {
    /// The status that says so.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Encoded => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
        }
    }

    /// The word for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "body.too_large",
            Self::Encoded => "body.encoded",
            Self::TooSlow => "body.too_slow",
            Self::Broken => "body.broken",
        }
    }

    /// The answer that says so.
    #[must_use]
    pub fn answer(self) -> Response<Answer> {
        refused(self.status(), self.code(), &self.to_string())
    }
}

/// What a body may cost.
#[derive(Clone, Copy, Debug)]
pub struct Cap {
    /// Its size.
    pub max_bytes: usize,
    /// The time from its head to its last byte.
    pub timeout_ms: u64,
}

/// Reads a body.
///
/// # Errors
///
/// [`Unread`]; before a byte is read when the head alone tells.
pub async fn read<B>(head: &Parts, mut body: B, cap: Cap) -> Result<Bytes, Unread>
where
    B: Body<Data = Bytes> + Unpin,
{
    let encoded = head.headers.get(CONTENT_ENCODING).is_some_and(|value| value != "identity");
    if encoded {
        return Err(Unread::Encoded);
    }
    let announced = head
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok())
        .or_else(|| body.size_hint().exact());
    let too_large = Unread::TooLarge { max_bytes: cap.max_bytes };
    let max = u64::try_from(cap.max_bytes).unwrap_or(u64::MAX);
    if announced.is_some_and(|length| length > max) {
        drain(&head.headers, body, announced.unwrap_or(max)).await;
        return Err(too_large);
    }
    let reading = collect(&mut body, announced.unwrap_or(0).min(RESERVE_BYTES), cap.max_bytes);
    match tokio::time::timeout(Duration::from_millis(cap.timeout_ms), reading).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(Unread::TooLarge { .. })) => {
            drain(&head.headers, body, 0).await;
            Err(too_large)
        }
        Ok(Err(unread)) => Err(unread),
        Err(_) => Err(Unread::TooSlow),
    }
}

/// A body that came in one piece is not copied.
async fn collect<B>(body: &mut B, reserve: u64, max_bytes: usize) -> Result<Bytes, Unread>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
        if first.len() + whole.len() + data.len() > max_bytes {
            return Err(Unread::TooLarge { max_bytes });
        }
        if first.is_empty() && whole.is_empty() {
            first = data;
            continue;
        }
        if whole.is_empty() {
            whole.reserve(usize::try_from(reserve).unwrap_or(0).max(first.len() + data.len()));
            whole.extend_from_slice(&first);
            first = Bytes::new();
        }
        whole.extend_from_slice(&data);
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

async fn drain<B>(headers: &HeaderMap, mut body: B, announced: u64)
where
    B: Body<Data = Bytes> + Unpin,
{
    // A client that asked first has not sent it, and reading would invite it to.
    if headers.contains_key(EXPECT) || announced > DRAIN_MAX_BYTES {
        return;
    }
    let draining = async {
        let mut read = 0_u64;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX));
            if read > DRAIN_MAX_BYTES {
                return;
            }
        }
    };
    // Whatever is left then is the client's loss.
    drop(tokio::time::timeout(DRAIN_TIMEOUT, draining).await);
}

/// The body of an answer: one frame. A sealed reply's carries its [`Delivery`], which counts as out when the HTTP layer
/// has taken that frame, and as aborted when it is dropped before.
#[derive(Default)]
pub struct Answer {
    frame: Option<Bytes>,
    delivery: Option<Delivery>,
    /// The bytes were decided by a step or a connector; nothing is added to them.
    is_sealed: bool,
}

impl Answer {
    /// A body that nobody asks about.
    #[must_use]
    pub fn plain(bytes: Bytes) -> Self {
        Self { frame: Some(bytes).filter(|bytes| !bytes.is_empty()), ..Self::default() }
    }

    /// A body whose delivery is told.
    #[must_use]
    pub fn tracked(bytes: Bytes, delivery: Delivery) -> Self {
        let frame = Some(bytes).filter(|bytes| !bytes.is_empty());
        if frame.is_none() {
            // Nothing will be asked for, so there is nothing that could fail to leave.
            delivery.out();
        }
        Self { frame, delivery: Some(delivery), is_sealed: true }
    }

    /// Adds the ids of its call to an error's body.
    pub(super) fn name_call(&mut self, request: &str, correlation: Option<&str>) {
        let Some(frame) = self.frame.as_ref().filter(|_| !self.is_sealed) else { return };
        let Ok(mut error) = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(frame) else { return };
        if !error.contains_key("error") {
            return;
        }
        error.insert("request_id".to_owned(), request.into());
        if let Some(correlation) = correlation {
            error.insert("correlation_id".to_owned(), correlation.into());
        }
        if let Ok(bytes) = serde_json::to_vec(&error) {
            self.frame = Some(bytes.into());
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = self.frame.take();
        if let (Some(_), Some(delivery)) = (&frame, &self.delivery) {
            delivery.out();
        }
        Poll::Ready(frame.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.frame.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.frame.as_ref().map_or(0, |bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX)))
    }
}

/// An answer without a body.
#[must_use]
pub fn empty(status: StatusCode) -> Response<Answer> {
    let mut response = Response::new(Answer::default());
    *response.status_mut() = status;
    response
}

/// An answer of JSON bytes.
#[must_use]
pub fn json(status: StatusCode, bytes: Bytes) -> Response<Answer> {
    of_json(status, Answer::plain(bytes))
}

/// An answer of a value. One that cannot be written is a defect of ours, and said so.
#[must_use]
pub fn value(status: StatusCode, value: &impl Serialize) -> Response<Answer> {
    match serde_json::to_vec(value) {
        Ok(bytes) => json(status, bytes.into()),
        Err(_) => empty(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn of_json(status: StatusCode, answer: Answer) -> Response<Answer> {
    let mut response = Response::new(answer);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A sealed reply, as it was decided.
#[must_use]
pub fn sealed(reply: SealedReply, delivery: Option<Delivery>) -> Response<Answer> {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let answer = match delivery {
        Some(delivery) => Answer::tracked(reply.body, delivery),
        None => Answer { is_sealed: true, ..Answer::plain(reply.body) },
    };
    let mut response = of_json(status, answer);
    if let Some(seconds) = reply.retry_after_s {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// What an error says: a word for programs and a sentence for people. Never anything of the request.
#[derive(Serialize)]
struct Refused<'a> {
    error: &'a str,
    message: &'a str,
}

/// A refusal that says why.
#[must_use]
pub fn refused(status: StatusCode, code: &str, message: &str) -> Response<Answer> {
    because(value(status, &Refused { error: code, message }), code, message)
}

/// Why a call was refused: travels with the answer inside the process, for the operator's eyes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The word for programs.
    pub word: String,
    /// What is wrong and what to do. Never anything secret, never a customer's word.
    pub advice: String,
}

impl Reason {
    /// A reason.
    #[must_use]
    pub fn new(word: &str, advice: &str) -> Self {
        Self { word: word.to_owned(), advice: advice.to_owned() }
    }
}

/// An answer with what an operator is told about it, in place of what its client is told.
#[must_use]
pub fn because(mut answer: Response<Answer>, word: &str, advice: &str) -> Response<Answer> {
    answer.extensions_mut().insert(Reason::new(word, advice));
    answer
}

/// A refusal that will pass.
#[must_use]
pub fn try_later(code: &str, message: &str, after_s: u16) -> Response<Answer> {
    let mut response = refused(StatusCode::SERVICE_UNAVAILABLE, code, message);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(after_s));
    response
}

/// 405, with what is allowed.
#[must_use]
pub fn not_allowed(allowed: &'static str) -> Response<Answer> {
    let mut response = refused(StatusCode::METHOD_NOT_ALLOWED, "method", &format!("this path takes {allowed}"));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}
