//! Who plays the language model: `@copilotkit/aimock`, which others wrote (`tests/peers/aimock`, installed by
//! `scripts/test`), and for what it cannot do a server that answers as the test says.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Request, Response};
use futures_util::StreamExt as _;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::world::PATIENCE;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/aimock")
}

/// aimock as a process.
pub(crate) struct Peer {
    pub(crate) url: String,
    _child: Child,
}

impl Peer {
    /// With these flags; nothing, and a word about it, where it is not installed. Whoever asks it must have `sk-test`.
    pub(crate) async fn start(flags: &[&str]) -> Option<Self> {
        let program = folder().join("node_modules/@copilotkit/aimock/dist/cli.js");
        let mut command = Command::new("node");
        command.arg(&program).args(["--port", "0", "--fixtures"]).arg(folder().join("parcels.json")).args(flags);
        command.env("AIMOCK_API_KEYS", "sk-test").stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let spawned = if program.exists() { command.spawn().ok() } else { None };
        let Some(mut child) = spawned else {
            println!("NOT TESTED: aimock, since it is not installed; scripts/test installs it where there is Node");
            return None;
        };
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = loop {
            let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().expect("aimock ended");
            if let Some((_, url)) = line.split_once("listening on ") {
                break url.trim().to_owned();
            }
        };
        // What it writes afterwards is read, so that it never waits for us.
        TaskTracker::new().spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Some(Self { url, _child: child })
    }
}

/// One answer of the server.
pub(crate) struct Says {
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    pieces: mpsc::UnboundedReceiver<String>,
}

/// The rest of an answer that is still under way; dropped, the answer is at its end.
pub(crate) struct Rest(mpsc::UnboundedSender<String>);

impl Says {
    pub(crate) fn whole(status: u16, body: impl Into<String>) -> Self {
        Self::begins(status, body).0
    }

    pub(crate) fn begins(status: u16, body: impl Into<String>) -> (Self, Rest) {
        let (rest, pieces) = mpsc::unbounded_channel();
        rest.send(body.into()).unwrap();
        (Self { status, headers: Vec::new(), pieces }, Rest(rest))
    }

    pub(crate) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl Rest {
    pub(crate) fn goes_on(&self, body: impl Into<String>) {
        self.0.send(body.into()).unwrap();
    }
}

/// A server that gives one answer after the other, and keeps what it was asked.
pub(crate) struct Server {
    pub(crate) url: String,
    desk: Arc<Desk>,
}

#[derive(Default)]
struct Desk {
    answers: Mutex<std::collections::VecDeque<Says>>,
    asked: Mutex<Vec<Value>>,
}

impl Server {
    pub(crate) async fn start(answers: impl IntoIterator<Item = Says>) -> Self {
        let desk = Arc::new(Desk { answers: Mutex::new(answers.into_iter().collect()), ..Desk::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(desk.clone());
        TaskTracker::new().spawn(async move { axum::serve(listener, app).await });
        Self { url, desk }
    }

    pub(crate) fn asked(&self) -> Vec<Value> {
        self.desk.asked.lock().unwrap().clone()
    }
}

async fn answer(State(desk): State<Arc<Desk>>, request: Request<Body>) -> Response<Body> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    desk.asked.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
    let Some(says) = desk.answers.lock().unwrap().pop_front() else { panic!("it was asked too often") };
    let mut response = Response::builder().status(says.status);
    for (name, value) in says.headers {
        response = response.header(name, value);
    }
    let pieces = futures_util::stream::unfold(says.pieces, async |mut pieces| {
        let piece = pieces.recv().await?;
        Some((Ok::<_, Infallible>(Bytes::from(piece)), pieces))
    });
    response.body(Body::from_stream(pieces.boxed())).unwrap()
}
