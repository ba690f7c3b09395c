//! For whoever watches the process: whether it lives, and whether it should get new conversations.

use std::time::Duration;

use http::{Method, Response, StatusCode};
use serde::Serialize;

use crate::gateway::Shared;
use crate::http::body::{self, Answer};
use crate::store::Key;

/// 200 as long as requests are answered at all.
pub(super) const LIVE: &str = "/healthz";
/// 200 when new conversations are welcome.
pub(super) const READY: &str = "/readyz";
/// A store that takes longer to read one key cannot answer a customer in time.
const PROBE: Duration = Duration::from_secs(1);

#[derive(Serialize)]
struct Health {
    status: &'static str,
    /// Why not, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

fn health(status: StatusCode, word: &'static str, message: Option<String>) -> Response<Answer> {
    body::value(status, &Health { status: word, message })
}

pub(super) fn live(method: &Method) -> Response<Answer> {
    if !is_read(method) {
        return body::not_allowed("GET");
    }
    health(StatusCode::OK, "alive", None)
}

pub(super) async fn ready(method: &Method, shared: &Shared) -> Response<Answer> {
    if !is_read(method) {
        return body::not_allowed("GET");
    }
    if shared.is_draining() || shared.is_stopped() {
        return not_ready("draining", "the process is about to stop".to_owned());
    }
    // A store that takes no writes, or no input, may still be read.
    if let Some(error) = shared.store().failed().or_else(|| shared.store().refuses_input()) {
        return not_ready("store", error.to_string());
    }
    match tokio::time::timeout(PROBE, shared.store().find(Key([0; 16]))).await {
        Ok(Ok(_)) => health(StatusCode::OK, "ready", None),
        Ok(Err(error)) => not_ready("store", error.to_string()),
        Err(_) => not_ready("store", "the store does not answer in time".to_owned()),
    }
}

fn not_ready(word: &'static str, message: String) -> Response<Answer> {
    health(StatusCode::SERVICE_UNAVAILABLE, word, Some(message))
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}
