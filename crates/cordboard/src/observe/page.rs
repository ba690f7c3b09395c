//! `GET /metrics` on a listener of its own: plain HTTP without credentials, so it is never on the port that the platform
//! reaches.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use hyper::body::Incoming;
use model::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::gateway::Shared;
use crate::http::body::{self, Answer};
use crate::http::server::{self, Handler};

const PATH: &str = "/metrics";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Collectors are few.
const CONNECTIONS_MAX: usize = 16;

/// Answers collectors.
struct Page(Arc<Shared>);

impl Handler for Page {
    async fn handle(self: Arc<Self>, head: Parts, _body: Incoming, _at: Timestamp) -> Response<Answer> {
        if head.uri.path() != PATH {
            return body::refused(StatusCode::NOT_FOUND, "path", "there is only /metrics here");
        }
        if !matches!(head.method, Method::GET | Method::HEAD) {
            return body::not_allowed("GET");
        }
        answer(&self.0).await
    }
}

/// The page, wherever it is asked for.
pub(crate) async fn answer(shared: &Shared) -> Response<Answer> {
    let mut response = Response::new(Answer::plain(shared.metrics_text().await.into()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(OPEN_METRICS));
    response
}

/// Serves the page until `stop`.
pub async fn serve(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let limits = server::Limits { connections_max: CONNECTIONS_MAX, ..server::Limits::default() };
    let runtime = shared.runtime().clone();
    server::serve(listener, Arc::new(Page(shared)), limits, runtime, stop).await;
}
