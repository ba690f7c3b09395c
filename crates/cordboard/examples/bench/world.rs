//! The world around the gateway, in the measuring process: a bot that answers at once, and the platform's API, which
//! gives a token and records what is pushed.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::Failure;

pub(super) const BOT_PATH: &str = "/bot";
pub(super) const PUSH_PATH: &str = "/api/v2/integrations/botconnectors/outgoing/messages";
const TOKEN_PATH: &str = "/oauth/token";
/// How a session of ours begins, in what is pushed; its caller's name follows, up to [`CALLER_ENDS`].
const SESSION: &str = "\"botSessionId\":\"session-";
const CALLER_ENDS: char = '_';

/// The bot and the platform; they end with it.
pub(super) struct World {
    pub(super) address: SocketAddr,
    pushed: Pushed,
    _tasks: JoinSet<()>,
}

/// Who waits for what is pushed.
#[derive(Clone, Default)]
pub(super) struct Pushed(Arc<Mutex<HashMap<String, UnboundedSender<()>>>>);

impl Pushed {
    /// A caller, whose name begins its sessions, gets word of each push to one of them.
    pub(super) fn listen(&self, caller: &str) -> UnboundedReceiver<()> {
        let (sender, receiver) = unbounded_channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(caller.to_owned(), sender);
        receiver
    }

    fn record(&self, push: &str) {
        let session = push.split_once(SESSION).map(|(_, rest)| rest);
        let Some((caller, _)) = session.and_then(|session| session.split_once(CALLER_ENDS)) else { return };
        if let Some(listener) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(caller) {
            // A caller that is done wants no word any more.
            listener.send(()).unwrap_or(());
        }
    }
}

impl World {
    pub(super) async fn start() -> Result<Self, Failure> {
        const JSON: [(axum::http::HeaderName, &str); 1] = [(CONTENT_TYPE, "application/json")];
        let bot = || async { (JSON, r#"{"text":"Your parcel is in Leipzig."}"#) };
        let token = || async { (JSON, r#"{"access_token":"a-token","token_type":"bearer","expires_in":86400}"#) };
        let push = |State(pushed): State<Pushed>, body: Bytes| async move {
            pushed.record(&String::from_utf8_lossy(&body));
            StatusCode::ACCEPTED
        };
        let pushed = Pushed::default();
        let routes = Router::new()
            .route(BOT_PATH, post(bot))
            .route(TOKEN_PATH, post(token))
            .route(PUSH_PATH, post(push))
            .with_state(pushed.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // It only ends with the measurement.
            drop(axum::serve(tcp_nodelay(listener), routes).await);
        });
        Ok(Self { address, pushed, _tasks: tasks })
    }

    pub(super) fn pushed(&self) -> Pushed {
        self.pushed.clone()
    }
}

/// Without it a small answer may wait for the acknowledgement of the one before it.
fn tcp_nodelay(listener: TcpListener) -> impl axum::serve::Listener<Addr = SocketAddr> {
    use axum::serve::ListenerExt as _;
    listener.tap_io(|stream| {
        // Then it is only slower.
        drop(stream.set_nodelay(true));
    })
}
