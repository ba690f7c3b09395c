//! What ties an answer to its call: our own id of the request, on every answer, and the platform's id of its call.
//!
//! The listener signs every answer. Ids that come in are repeated only where they are read by us anyway; a caller cannot
//! choose ours.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Response};
use model::RequestId;

use super::body::Answer;

/// Our id of the request.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The platform's own id of a call (`reference/digital-bot-connector.md`, section 1.1), for support cases.
const CORRELATION_ID: &str = "inin-correlation-id";
const CORRELATION_MAX_BYTES: usize = 100;

/// The platform's id of its call; cut where it is too long.
pub(crate) fn correlation(headers: &HeaderMap) -> Option<Arc<str>> {
    let text = headers.get(CORRELATION_ID)?.to_str().ok()?;
    // Visible ASCII, so every place in it is the edge of a character.
    Some(text[..text.len().min(CORRELATION_MAX_BYTES)].into())
}

/// The ids of one call.
pub(super) struct Signature {
    pub(super) request: RequestId,
    correlation: Option<Arc<str>>,
}

impl Signature {
    pub(super) fn of(request: RequestId, headers: &HeaderMap) -> Self {
        Self { request, correlation: correlation(headers) }
    }

    /// Puts the ids on an answer; into its body too, when that is an error of ours and not the platform's contract.
    pub(super) fn sign(self, mut answer: Response<Answer>) -> Response<Answer> {
        let id = self.request.to_string();
        if answer.status().is_client_error() || answer.status().is_server_error() {
            answer.body_mut().name_call(&id, self.correlation.as_deref());
        }
        if let Ok(id) = HeaderValue::try_from(id) {
            answer.headers_mut().insert(REQUEST_ID, id);
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::StatusCode;
    use http_body_util::BodyExt as _;

    use super::super::body;
    use super::*;
    use crate::connector::SealedReply;

    async fn signed(answer: Response<Answer>, correlation: &str) -> (String, String) {
        let mut headers = HeaderMap::new();
        headers.insert(CORRELATION_ID, HeaderValue::from_bytes(correlation.as_bytes()).unwrap());
        let answer = Signature::of(RequestId(7), &headers).sign(answer);
        let id = answer.headers()[REQUEST_ID].to_str().unwrap().to_owned();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (id, String::from_utf8(body.into()).unwrap())
    }

    #[tokio::test]
    async fn errors_name_their_call_and_contracts_stay_as_they_are() {
        let error = || body::refused(StatusCode::NOT_FOUND, "path", "there is no such path");
        let sealed = SealedReply { status: 503, retry_after_s: None, body: Bytes::from_static(b"{\"error\":\"x\"}") };
        let table = [
            (
                error(),
                "c-1",
                r#"{"correlation_id":"c-1","error":"path","message":"there is no such path","request_id":"r7"}"#,
            ),
            (error(), "\u{e4}", r#"{"error":"path","message":"there is no such path","request_id":"r7"}"#),
            (body::sealed(sealed, None), "c-1", "{\"error\":\"x\"}"),
            (body::json(StatusCode::OK, Bytes::from_static(b"{\"error\":1}")), "c-1", "{\"error\":1}"),
            (body::empty(StatusCode::NOT_FOUND), "c-1", ""),
        ];
        for (answer, correlation, expected) in table {
            assert_eq!(signed(answer, correlation).await, ("r7".to_owned(), expected.to_owned()));
        }
        let long = "c".repeat(1_000);
        assert!(signed(error(), &long).await.1.len() < 300);
    }
}
