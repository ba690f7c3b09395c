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
}

fn health(status: StatusCode, word: &'static str) -> Response<Answer> {
    body::value(status, &Health { status: word })
}

pub(super) fn live(method: &Method) -> Response<Answer> {
    if !is_read(method) {
        return body::not_allowed("GET");
    }
    health(StatusCode::OK, "alive")
}

pub(super) async fn ready(method: &Method, shared: &Shared) -> Response<Answer> {
    if !is_read(method) {
        return body::not_allowed("GET");
    }
    if shared.is_draining() || shared.is_stopped() {
        return health(StatusCode::SERVICE_UNAVAILABLE, "draining");
    }
    match tokio::time::timeout(PROBE, shared.store().find(Key([0; 16]))).await {
        Ok(Ok(_)) => health(StatusCode::OK, "ready"),
        Ok(Err(_)) | Err(_) => health(StatusCode::SERVICE_UNAVAILABLE, "store"),
    }
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}
