//! A bot behind a webhook, on a socket. The test gets every question in its hand and answers it when it likes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use super::PATIENCE;

pub(crate) struct Bot {
    desk: Arc<Desk>,
    url: String,
    questions: mpsc::UnboundedReceiver<Question>,
    notices: mpsc::UnboundedReceiver<String>,
}

/// What the socket and the test share.
struct Desk {
    echoes: AtomicBool,
    heard: Mutex<Vec<String>>,
    inputs: Mutex<Vec<String>>,
    questions: mpsc::UnboundedSender<Question>,
    notices: mpsc::UnboundedSender<String>,
}

/// One question. Dropped without an answer, it is never answered.
pub(crate) struct Question {
    body: Value,
    trace: Option<String>,
    answer: oneshot::Sender<(u16, String)>,
}

/// A turn that the bot took, to answer by a callback; also how it speaks of its own accord.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) session: String,
    pub(crate) turn: String,
}

impl Bot {
    pub(crate) async fn start() -> Self {
        let (questions_in, questions) = mpsc::unbounded_channel();
        let (notices_in, notices) = mpsc::unbounded_channel();
        let desk = Arc::new(Desk {
            echoes: AtomicBool::new(false),
            heard: Mutex::default(),
            inputs: Mutex::default(),
            questions: questions_in,
            notices: notices_in,
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let app = Router::new().fallback(hear).with_state(desk.clone());
        TaskTracker::new().spawn(async move { axum::serve(listener, app).await });
        Self { desk, url, questions, notices }
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// From now on it answers by itself, with what it was told.
    pub(crate) fn echoes(&self) {
        self.desk.echoes.store(true, Ordering::SeqCst);
    }

    /// The next question.
    pub(crate) async fn asked(&mut self) -> Question {
        tokio::time::timeout(PATIENCE, self.questions.recv()).await.expect("the bot is asked").unwrap()
    }

    /// The next piece of news.
    pub(crate) async fn told(&mut self) -> String {
        tokio::time::timeout(PATIENCE, self.notices.recv()).await.expect("the bot is told").unwrap()
    }

    /// What every question since the last look was about: words, or what a tap carried in brackets.
    pub(crate) fn inputs(&self) -> Vec<String> {
        std::mem::take(&mut *self.desk.inputs.lock().unwrap())
    }

    /// The words of every question so far, repeated ones included.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.desk.heard.lock().unwrap().clone()
    }
}

async fn hear(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap();
    if body.get("turn").is_none() {
        desk.notices.send(body["input"]["kind"].as_str().unwrap().to_owned()).unwrap();
        return StatusCode::NO_CONTENT.into_response();
    }
    let words = words(&body);
    desk.heard.lock().unwrap().push(words.clone());
    let payload = body["input"]["payload"].as_str().map(|payload| format!("[{payload}]"));
    desk.inputs.lock().unwrap().push(payload.unwrap_or_else(|| words.clone()));
    if desk.echoes.load(Ordering::SeqCst) {
        return json!({"text": format!("You said {words}.")}).to_string().into_response();
    }
    let trace = headers.get("traceparent").map(|value| value.to_str().unwrap().to_owned());
    let (answer, answered) = oneshot::channel();
    // A test that is over hears no more questions.
    drop(desk.questions.send(Question { body, trace, answer }));
    match answered.await {
        Ok((status, body)) => (StatusCode::from_u16(status).unwrap(), body).into_response(),
        Err(_) => std::future::pending().await,
    }
}

fn words(body: &Value) -> String {
    let input = &body["input"];
    let said = input["text"].as_str().or_else(|| input["label"].as_str());
    said.or_else(|| input["kind"].as_str()).unwrap().to_owned()
}

impl Question {
    /// What the customer said.
    pub(crate) fn words(&self) -> String {
        words(&self.body)
    }

    /// The trace context that came with it.
    pub(crate) fn trace(&self) -> Option<&str> {
        self.trace.as_deref()
    }

    pub(crate) fn body(&self) -> &Value {
        &self.body
    }

    pub(crate) fn says(self, text: &str) {
        self.replies(200, &json!({"text": text}).to_string());
    }

    /// Answers with this status and this body, whatever they are.
    pub(crate) fn replies(self, status: u16, body: &str) {
        // The gateway may have hung up.
        drop(self.answer.send((status, body.to_owned())));
    }

    /// Takes the turn: the answer comes by a callback.
    pub(crate) fn takes(self) -> Taken {
        let member = |path: &str| self.body.pointer(path).and_then(Value::as_str).unwrap().to_owned();
        let taken = Taken { session: member("/conversation/id"), turn: member("/turn/id") };
        self.replies(202, "");
        taken
    }
}
