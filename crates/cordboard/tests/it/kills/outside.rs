//! Everything outside the gateway, on one listener of the test: the platform's login and API, and the bot. It writes down
//! what it sees; the [`ledger`](super::ledger) judges.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::dice::Dice;
use super::ledger::Ledger;

/// How the last words of a story begin.
pub(super) const LAST: &str = "last";

/// How the bot takes its time.
pub(super) enum Pace {
    /// As the dice say: mostly fast, sometimes slower than a request waits. What begins with [`LAST`] is slow for sure.
    Mixed,
    /// Fast, but what begins with this word waits until it may go on.
    HeldBack(&'static str),
}

pub(super) struct Outside {
    ledger: Mutex<Ledger>,
    changed: watch::Sender<u64>,
    /// Whether what is held back may go on.
    released: watch::Sender<bool>,
    pace: Pace,
    dice: Dice,
}

impl Outside {
    /// Listens until `tasks` is dropped.
    pub(super) async fn start(pace: Pace, dice: Dice, tasks: &mut JoinSet<()>) -> (Arc<Self>, SocketAddr) {
        let outside = Arc::new(Self {
            ledger: Mutex::default(),
            changed: watch::Sender::new(0),
            released: watch::Sender::new(false),
            pace,
            dice,
        });
        let routes = Router::new()
            .route("/oauth/token", post(token))
            .route("/api/v2/integrations/botconnectors/outgoing/messages", post(push))
            .route("/bot/{run}", post(question))
            .with_state(outside.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tasks.spawn(async move { axum::serve(listener, routes).await.unwrap() });
        (outside, address)
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap()
    }

    /// Writes something down, and lets everybody look who waits.
    pub(super) fn note<T>(&self, note: impl FnOnce(&mut Ledger) -> T) -> T {
        let noted = note(&mut self.ledger());
        self.changed.send_modify(|count| *count += 1);
        noted
    }

    /// Waits until something holds; false when it does not for so long that it never will.
    pub(super) async fn wait(&self, patience: Duration, mut holds: impl FnMut(&Ledger) -> bool) -> bool {
        let mut changed = self.changed.subscribe();
        let waiting = async {
            while !holds(&self.ledger()) {
                changed.changed().await.unwrap();
            }
        };
        tokio::time::timeout(patience, waiting).await.is_ok()
    }

    pub(super) fn release(&self) {
        self.released.send_replace(true);
    }

    pub(super) fn hold_back(&self) {
        self.released.send_replace(false);
    }

    async fn think(&self, said: &str) {
        let think_ms = match self.pace {
            Pace::HeldBack(word) => {
                if said.starts_with(word) {
                    self.released.subscribe().wait_for(|released| *released).await.unwrap();
                }
                self.dice.roll(30)
            }
            Pace::Mixed if said.starts_with(LAST) => 1_500,
            Pace::Mixed => match self.dice.roll(100) {
                0..70 => self.dice.roll(20),
                70..90 => 50 + self.dice.roll(250),
                90..98 => 400 + self.dice.roll(500),
                _ => 2_200 + self.dice.roll(400),
            },
        };
        tokio::time::sleep(Duration::from_millis(think_ms)).await;
    }
}

fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [("content-type", "application/json")], body.to_string()).into_response()
}

async fn token() -> Response {
    answer(StatusCode::OK, &json!({"access_token": "t", "token_type": "bearer", "expires_in": 86_399}))
}

/// A late answer. A session that the customer left takes none (`reference/digital-bot-connector.md`, section 2.1).
async fn push(State(outside): State<Arc<Outside>>, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap();
    let session = body["botSessionId"].as_str().unwrap();
    let taken = outside.note(|ledger| {
        let open = !ledger.closed.contains(session);
        if open {
            ledger.see(session, &body["replyMessages"], "a push");
        }
        open
    });
    if taken {
        answer(StatusCode::OK, &json!({"id": "1"}))
    } else {
        answer(StatusCode::CONFLICT, &json!({"status": 409, "code": "session.already.closed", "message": "closed"}))
    }
}

/// A question that the bot works on; dropped, it is over, whatever became of it.
struct UnderWay {
    outside: Arc<Outside>,
    run: u32,
    conversation: String,
    turn: String,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.outside.note(|ledger| ledger.answered(self.run, &self.conversation, &self.turn));
    }
}

/// The bot: it answers a turn the same way however often it is asked.
async fn question(State(outside): State<Arc<Outside>>, Path(run): Path<u32>, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (turn, said, conversation) =
        (text(&body["turn"]["id"]), text(&body["input"]["text"]), text(&body["conversation"]["id"]));
    outside.note(|ledger| ledger.ask(run, &conversation, &turn, &said));
    let under_way = UnderWay { outside: outside.clone(), run, conversation, turn: turn.clone() };
    outside.think(&said).await;
    drop(under_way);
    answer(StatusCode::OK, &json!({"text": format!("answer {turn} to {said}")}))
}
