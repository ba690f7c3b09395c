//! The platform's side: the login host and the API host, on one port.
//!
//! Called by the connector under test. It decides nothing about a conversation; outgoing messages are handed to the
//! conversation that owns their bot session.

mod bot_list;
mod outgoing;
pub(crate) mod token;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};

use crate::org::Org;
use crate::record::Event;
use crate::{Violation, check};

pub(crate) fn routes() -> Router<Arc<Org>> {
    Router::new()
        .route("/oauth/token", post(token::issue))
        .route("/api/v2/integrations/botconnectors/outgoing/messages", post(outgoing::receive))
        .route("/api/v2/integrations/botconnector/{integration}/bots", get(bot_list::get).put(bot_list::put))
        .route("/api/v2/integrations/botconnector/{integration}/bots/summaries", get(bot_list::summaries))
        .route("/api/v2/integrations/botconnector/{integration}/bots/{bot}", get(bot_list::bot))
        .route("/api/v2/integrations/botconnector/{integration}/bots/{bot}/versions", get(bot_list::versions))
}

/// A refusal of the platform: status, code and words of its `ErrorBody`.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) details: Vec<Value>,
    pub(crate) retry_after_s: Option<u64>,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), details: Vec::new(), retry_after_s: None }
    }

    /// 400 with one detail for every breach.
    pub(crate) fn bad_request(violations: &[Violation]) -> Self {
        let details = violations
            .iter()
            .filter(|violation| violation.severity == check::Severity::Schema)
            .map(|violation| json!({"errorCode": violation.rule, "fieldName": violation.detail}))
            .collect();
        Self { details, ..Self::new(400, "bad.request", "The request could not be understood.") }
    }
}

/// The platform's error body and headers.
pub(crate) fn refuse(org: &Org, refusal: &Refusal) -> Response {
    let body = json!({
        "message": refusal.message,
        "code": refusal.code,
        "status": refusal.status,
        "contextId": org.uuid(),
        "details": refusal.details,
        "errors": [],
    });
    let mut response = answer(org, refusal.status, Some(&body));
    if let Some(seconds) = refusal.retry_after_s {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// A response with the correlation id that every answer of the platform carries.
pub(crate) fn answer(org: &Org, status: u16, body: Option<&Value>) -> Response {
    let mut response = Response::new(body.map_or_else(Body::empty, |body| Body::from(body.to_string())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if body.is_some() {
        response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    }
    if let Ok(id) = header::HeaderValue::from_str(&org.uuid()) {
        response.headers_mut().insert("inin-correlation-id", id);
    }
    response
}

/// Authentication, rate and permission, in this order; returns nothing but the refusal.
pub(crate) fn admit(org: &Org, headers: &HeaderMap, permission: &str) -> Result<(), Refusal> {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    let Some(token) = token else {
        return Err(Refusal::new(401, "authentication.required", "No authentication bearer token specified."));
    };
    org.tokens.admit(token, permission)
}

/// A JSON body, or the refusal of another content type or of broken JSON.
pub(crate) fn json_body(headers: &HeaderMap, body: &[u8]) -> Result<Value, Refusal> {
    let is_json = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
        value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
    });
    if !is_json {
        return Err(Refusal::new(415, "unsupported.media.type", "Send application/json."));
    }
    serde_json::from_slice(body).map_err(|error| Refusal::new(400, "bad.request", format!("Not JSON: {error}")))
}

/// Records a call that belongs to no conversation.
pub(crate) fn record_call(org: &Org, call: impl Into<String>, status: u16) {
    org.record.add(None, Event::Called { call: call.into(), status });
}
