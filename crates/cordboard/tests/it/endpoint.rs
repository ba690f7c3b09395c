//! Middleware that was written for one of the platform's doors, on a socket. The test gets every call in its hand and
//! answers it when it likes; and it answers later, as it would answer the platform.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::raw::{Answer, request, send};
use crate::world::PATIENCE;

/// The header that the platform showed to it so far.
pub(crate) const KEY: (&str, &str) = ("verify-token", "a-token-of-earlier-days");
pub(crate) const CLIENT: (&str, &str) = ("earlier-client", "the-secret-of-the-client");

pub(crate) struct Endpoint {
    url: String,
    calls: mpsc::UnboundedReceiver<Call>,
}

/// One call. Dropped without an answer, it is never answered.
pub(crate) struct Call {
    path: String,
    pub(crate) body: Value,
    answer: oneshot::Sender<(u16, String)>,
}

impl Endpoint {
    pub(crate) async fn start() -> Self {
        let (calls_in, calls) = mpsc::unbounded_channel();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/botconnector", listener.local_addr().unwrap());
        let app = Router::new().fallback(hear).with_state(Arc::new(calls_in));
        TaskTracker::new().spawn(async move { axum::serve(listener, app).await });
        Self { url, calls }
    }

    /// The tables of a bot `earlier` that is behind it.
    pub(crate) fn bot(&self, speaks: &str, more: &str) -> String {
        let ((name, secret), (id, client_secret)) = (KEY, CLIENT);
        let callbacks = match speaks {
            "v2" => format!("callbacks = {{ client_id = \"{id}\", client_secret = \"{client_secret}\" }}"),
            _ => String::new(),
        };
        format!(
            r#"
[bots.earlier]
[[bots.earlier.intents]]
name = "Filed"
slots = {{ claim = "String", sum = "Currency" }}
[bots.earlier.engine]
type = "connector"
speaks = "{speaks}"
url = "{}"
bot_id = "gw-claims"
bot_name = "Claims Helper"
bot_version = "7"
headers = {{ {name} = "{secret}" }}
{callbacks}
{more}
"#,
            self.url
        )
    }

    /// The next call.
    pub(crate) async fn asked(&mut self) -> Call {
        tokio::time::timeout(PATIENCE, self.calls.recv()).await.expect("the endpoint is called").unwrap()
    }
}

async fn hear(
    State(calls): State<Arc<mpsc::UnboundedSender<Call>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if headers.get(KEY.0).is_none_or(|shown| shown != KEY.1) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let (answer, answered) = oneshot::channel();
    // A test that is over hears no more calls.
    drop(calls.send(Call { path: uri.path().to_owned(), body: serde_json::from_slice(&body).unwrap(), answer }));
    match answered.await {
        Ok((status, body)) => (StatusCode::from_u16(status).unwrap(), body).into_response(),
        Err(_) => std::future::pending().await,
    }
}

impl Call {
    /// Answers with this body.
    pub(crate) fn replies(self, body: &Value) {
        assert!(self.path.starts_with("/botconnector"), "{}", self.path);
        // The gateway may have hung up.
        drop(self.answer.send((200, body.to_string())));
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn session(&self) -> String {
        self.body["botSessionId"].as_str().unwrap().to_owned()
    }
}

/// The platform's own doors, at the gateway.
pub(crate) struct Platform {
    pub(crate) address: SocketAddr,
    pub(crate) bot: &'static str,
}

impl Platform {
    pub(crate) async fn asks_for_token(&self, id: &str, secret: &str, form: &str) -> Answer {
        let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")));
        let headers = [("authorization", basic.as_str()), ("content-type", "application/x-www-form-urlencoded")];
        let path = format!("/v1/engine/bots/{}/oauth/token", self.bot);
        send(self.address, &request("POST", &path, &headers, form.as_bytes())).await
    }

    pub(crate) async fn token(&self) -> String {
        let answer = self.asks_for_token(CLIENT.0, CLIENT.1, "grant_type=client_credentials").await;
        let body = answer.json();
        assert_eq!((answer.status, body["token_type"].as_str()), (200, Some("bearer")), "{answer:?}");
        body["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn sends(&self, token: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let path = format!("/v1/engine/bots/{}/api/v2/integrations/botconnectors/outgoing/messages", self.bot);
        send(self.address, &request("POST", &path, &headers, body.as_bytes())).await
    }
}

/// A late answer to this session.
pub(crate) fn late(session: &str, state: &str, text: &str) -> Value {
    serde_json::json!({
        "botId": "gw-claims", "botVersion": "7", "botSessionId": session, "languageCode": "en-us", "botState": state,
        "replyMessages": [{"type": "Text", "text": text}],
    })
}
