//! A connector as small as it can be: a function from request to reply, on a real socket; and what it calls on the
//! platform.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use serde_json::{Value, json};
use simulator::{FlowSettings, Integration, Registered, Settings, Simulator};
use tokio_util::task::TaskTracker;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// One message as the connector got it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    /// From 1, in the order of arrival.
    pub(crate) n: usize,
}

impl Request {
    pub(crate) fn text(&self) -> &str {
        self.body["inputMessage"]["text"].as_str().unwrap_or_default()
    }
}

pub(crate) enum Reply {
    Json(Value),
    Raw(u16, &'static str),
    Hang,
}

type Bot = dyn Fn(&Request) -> Reply + Send + Sync;

#[derive(Clone)]
struct Inner {
    bot: Arc<Bot>,
    manifest: Arc<Mutex<Value>>,
    requests: Arc<Mutex<Vec<Request>>>,
}

/// A running connector; v2 under `/base`, v1 at `/utterance`.
pub(crate) struct Connector {
    pub(crate) address: String,
    inner: Inner,
}

impl Connector {
    pub(crate) async fn start(bot: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let inner = Inner { bot: Arc::new(bot), manifest: Arc::new(Mutex::new(manifest())), requests: Arc::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let app = Router::new().fallback(answer).with_state(inner.clone());
        TaskTracker::new().spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, inner }
    }

    pub(crate) fn v2(&self) -> Integration {
        Integration::v2(format!("http://{}/base", self.address)).header("X-Secret", "s3cr3t")
    }

    pub(crate) fn v1(&self) -> Integration {
        let url = format!("http://{}/utterance", self.address);
        Integration::v1(url).header("verify-token", "s3cr3t").bots(bot_list())
    }

    pub(crate) fn set_manifest(&self, manifest: Value) {
        *self.inner.manifest.lock().unwrap() = manifest;
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.inner.requests.lock().unwrap().clone()
    }
}

async fn answer(State(inner): State<Inner>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    if method == Method::GET {
        let manifest = inner.manifest.lock().unwrap().clone();
        let id = uri.path().strip_prefix("/base/bots").unwrap().trim_start_matches('/').to_owned();
        if id.is_empty() {
            return axum::Json(manifest).into_response();
        }
        let bots = manifest["entities"].as_array().unwrap();
        return match bots.iter().find(|bot| bot["id"] == id.as_str()) {
            Some(bot) => axum::Json(bot.clone()).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        };
    }
    let request = {
        let mut requests = inner.requests.lock().unwrap();
        let n = requests.len() + 1;
        requests.push(Request { headers, body: serde_json::from_slice(&body).unwrap(), n });
        requests[n - 1].clone()
    };
    match (inner.bot)(&request) {
        Reply::Json(body) => axum::Json(body).into_response(),
        Reply::Raw(status, body) => (StatusCode::from_u16(status).unwrap(), body).into_response(),
        Reply::Hang => std::future::pending().await,
    }
}

pub(crate) fn manifest() -> Value {
    json!({"entities": [{"id": "parcels", "name": "Parcels", "provider": "Acme", "versions": [{
        "version": "7", "supportedLanguages": ["en-us"],
        "intents": [
            {"name": "found", "entities": [{"name": "number", "type": "Integer"}]},
            {"name": "human"},
        ],
    }]}]})
}

pub(crate) fn bot_list() -> Value {
    json!({"chatBots": [{"id": "claims", "name": "Claims Helper", "versions": [{
        "version": "2", "supportedLanguages": ["en-us"],
        "intents": [
            {"name": "turn", "slots": {"stamp": {"name": "stamp", "type": "Integer"}}},
            {"name": "pending"},
            {"name": "human"},
        ],
    }]}]})
}

pub(crate) fn text(text: &str) -> Value {
    json!({"type": "Text", "text": text})
}

/// Time runs a hundred times faster for the flow.
pub(crate) fn settings() -> Settings {
    Settings { time_scale: 0.01, ..Settings::default() }
}

/// A flow that gives up on no answer that comes, however busy the machine.
pub(crate) fn flow() -> FlowSettings {
    FlowSettings { response_timeout_ms: Some(2_000_000), ..FlowSettings::default() }
}

/// A simulator and a v2 integration with this connector.
pub(crate) async fn v2_with(
    bot: impl Fn(&Request) -> Reply + Send + Sync + 'static,
) -> (Simulator, Connector, Arc<Registered>) {
    let connector = Connector::start(bot).await;
    let simulator = Simulator::start(settings()).await.unwrap();
    let integration = simulator.register(connector.v2());
    (simulator, connector, integration)
}

/// A simulator and a v1 integration with this connector.
pub(crate) async fn v1_with(
    bot: impl Fn(&Request) -> Reply + Send + Sync + 'static,
) -> (Simulator, Connector, Arc<Registered>) {
    let connector = Connector::start(bot).await;
    let simulator = Simulator::start(settings()).await.unwrap();
    let integration = simulator.register(connector.v1());
    (simulator, connector, integration)
}

/// The platform as the connector calls it.
pub(crate) struct Platform {
    client: reqwest::Client,
    pub(crate) base: String,
    pub(crate) token: String,
}

pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) headers: HeaderMap,
}

impl Got {
    pub(crate) fn code(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }
}

impl Platform {
    /// Not logged in.
    #[expect(clippy::disallowed_methods, reason = "the test stands in for a connector of its own")]
    pub(crate) fn anonymous(base: String) -> Self {
        Self { client: reqwest::Client::builder().build().unwrap(), base, token: String::new() }
    }

    /// Logged in with the default client.
    pub(crate) async fn of(simulator: &Simulator) -> Self {
        let mut platform = Self::anonymous(simulator.url());
        let got = platform.log_in("simulated-client", "simulated-secret").await;
        platform.token = got.body["access_token"].as_str().unwrap().to_owned();
        platform
    }

    pub(crate) async fn log_in(&self, client: &str, secret: &str) -> Got {
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("{client}:{secret}"));
        let request = self
            .client
            .post(format!("{}/oauth/token", self.base))
            .header("authorization", format!("Basic {basic}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials");
        got(request).await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Got {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        got(request).await
    }

    pub(crate) async fn push(&self, body: &Value) -> Got {
        self.call("POST", "/api/v2/integrations/botconnectors/outgoing/messages", Some(body)).await
    }
}

async fn got(request: reqwest::RequestBuilder) -> Got {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default();
    Got { status, body, headers }
}

/// An outgoing message of the bot of [`manifest`].
pub(crate) fn outgoing(session: &str, state: &str, messages: Value) -> Value {
    json!({"botId": "parcels", "botVersion": "7", "botSessionId": session, "botState": state,
        "languageCode": "en-us", "replyMessages": messages})
}
