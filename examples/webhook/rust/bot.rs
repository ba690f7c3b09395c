//! A bot for Cordboard in Rust, with axum.
//!
//!     CORDBOARD_SECRET=whsec_... cargo run --example webhook_bot [port]
//!
//! In a package of your own it is `src/main.rs`, after
//! `cargo add axum base64 hmac reqwest serde_json sha2 && cargo add tokio --features full`; then the lines of the two
//! `#![expect(…)]` and of the `install_default` go.
//!
//! It answers in the response, except to "slow": then it takes the turn (202) and answers later by a callback to GATEWAY.
#![expect(clippy::disallowed_methods, reason = "a bot is no part of the gateway: it has a clock, tasks and a client")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it says where it listens, and what went wrong")]

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, extract::State, routing::post};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

static SECRET: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let secret = std::env::var("CORDBOARD_SECRET").expect("set CORDBOARD_SECRET, the same here and for Cordboard");
    BASE64_STANDARD.decode(secret.trim_start_matches("whsec_")).expect("CORDBOARD_SECRET is whsec_ and Base64")
});

/// So many turns are remembered. A bot that acts on something keeps them in its database.
const REMEMBERED: usize = 1000;

fn mac(id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::new_from_slice(&SECRET).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    mac
}

fn authentic(headers: &HeaderMap, body: &[u8]) -> bool {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    if timestamp.parse::<u64>().is_ok_and(|signed_s| now_s().abs_diff(signed_s) <= 300) {
        let given = header("webhook-signature").split(' ').filter_map(|given| given.strip_prefix("v1,"));
        // `verify_slice` takes the same time wherever the difference is.
        return given
            .filter_map(|given| BASE64_STANDARD.decode(given).ok())
            .any(|given| mac(id, timestamp, body).verify_slice(&given).is_ok());
    }
    false
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The bot itself: a question in, a reply out. `None`: it takes the turn and answers later.
fn reply_to(question: &Value) -> Option<Value> {
    let input = &question["input"];
    let said = input["payload"].as_str().or_else(|| input["text"].as_str()).unwrap_or_default();
    let count = question["engine_state"]["count"].as_u64().unwrap_or(0) + 1;
    if said == "slow" {
        return None;
    }
    Some(if said.to_lowercase().contains("human") {
        json!({"items": [{"kind": "text", "text": "I will get you a colleague."}],
               "next": {"kind": "handoff", "reason": "customer_asked", "note_to_agent": format!("Last words: {said}")}})
    } else if said.to_lowercase().contains("bye") {
        json!({"items": [{"kind": "text", "text": "Goodbye!"}], "next": {"kind": "end"},
               "nlu": {"intent": {"name": "Goodbye", "confidence": 1}, "slots": {"messages": count}}})
    } else {
        json!({"items": [{"kind": "text", "text": format!("Message {count}: {said}")},
                         {"kind": "choices", "prompt": "What next?", "options": [
                             {"label": "A human, please", "action": {"kind": "postback", "value": "human"}},
                             {"label": "Bye"}]}],
               "engine_state": {"count": count}})
    })
}

/// The latest turns with their answers.
#[derive(Default)]
struct Answered {
    replies: HashMap<String, Option<Value>>,
    order: VecDeque<String>,
}

impl Answered {
    /// A turn that is asked again gets the answer it got before, and nothing is done twice.
    fn answer_once(&mut self, question: &Value) -> Option<Value> {
        let turn = question["turn"]["id"].as_str().unwrap_or_default();
        if let Some(reply) = self.replies.get(turn) {
            return reply.clone();
        }
        let reply = reply_to(question);
        if reply.is_none() {
            tokio::spawn(call_back(question["conversation"]["id"].clone(), turn.to_owned()));
        }
        self.replies.insert(turn.to_owned(), reply.clone());
        self.order.push_back(turn.to_owned());
        if self.order.len() > REMEMBERED {
            self.order.pop_front().and_then(|oldest| self.replies.remove(&oldest));
        }
        reply
    }
}

/// Answers a turn later. The same id at every attempt, so that a retry is recognised.
async fn call_back(conversation: Value, turn: String) {
    let setting = |name, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    tokio::time::sleep(Duration::from_secs_f64(setting("THINKING_S", "5").parse().unwrap_or(5.0))).await;
    let conversation = conversation.as_str().unwrap_or_default();
    let url = format!("{}/v1/engine/conversations/{conversation}/replies", setting("GATEWAY", "http://127.0.0.1:8080"));
    let (id, client) = (format!("answer-to-{turn}"), reqwest::Client::new());
    let body = json!({"in_reply_to": turn, "text": "Here I am."}).to_string();
    for wait_s in [Some(1), Some(5), Some(30), None] {
        let timestamp = now_s().to_string();
        let signature = BASE64_STANDARD.encode(mac(&id, &timestamp, body.as_bytes()).finalize().into_bytes());
        let call = client.post(&url).timeout(Duration::from_secs(10)).header("content-type", "application/json");
        let call = call.header("webhook-id", &id).header("webhook-timestamp", timestamp);
        let got = call.header("webhook-signature", format!("v1,{signature}")).body(body.clone()).send().await;
        let status = got.map_or(0, |got| got.status().as_u16());
        match (status, wait_s) {
            (200..300, _) => return,
            (400..500, _) | (_, None) => return eprintln!("not delivered: {status}"),
            (_, Some(wait_s)) => tokio::time::sleep(Duration::from_secs(wait_s)).await,
        }
    }
}

async fn answer(State(answered): State<Arc<Mutex<Answered>>>, headers: HeaderMap, body: Bytes) -> Response {
    if !authentic(&headers, &body) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let Ok(question) = serde_json::from_slice::<Value>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if question["turn"].is_null() {
        return StatusCode::NO_CONTENT.into_response(); // A notice: opened, ended, handed over, returned.
    }
    let reply = answered.lock().expect("no answer panics").answer_once(&question);
    reply.map_or_else(|| StatusCode::ACCEPTED.into_response(), |reply| Json(reply).into_response())
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    LazyLock::force(&SECRET);
    let _already_there = rustls::crypto::ring::default_provider().install_default();
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(9000);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    axum::serve(listener, Router::new().route("/", post(answer)).with_state(Arc::default())).await
}
