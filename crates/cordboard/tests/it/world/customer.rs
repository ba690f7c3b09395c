//! A customer and the flow that serves them: what they say and see, and what the flow did.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::Value;
use simulator::record::Event;
use simulator::{Conversation, Path, Registered};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::{PATIENCE, World};
use crate::gateway::KEY;
use crate::raw::request;

pub(crate) struct Customer {
    pub(crate) line: Conversation,
    door: Arc<Registered>,
}

impl Customer {
    pub(super) fn new(line: Conversation, door: Arc<Registered>) -> Self {
        Self { line, door }
    }

    pub(crate) fn door(&self) -> &Registered {
        &self.door
    }

    #[track_caller]
    pub(crate) fn says(&self, text: &str) {
        assert!(self.line.say(text), "no bot listens");
    }

    #[track_caller]
    pub(crate) fn taps(&self, label: &str) {
        assert!(self.line.tap(label), "nothing like it was offered");
    }

    /// The next message, with what can be tapped under it.
    pub(crate) async fn sees(&self) -> String {
        self.line.next_bot_message(PATIENCE).await.map_or_else(|| "(nothing)".to_owned(), |seen| seen.shown())
    }

    /// Waits until the flow has its answers to everything said so far.
    pub(crate) async fn is_answered(&self) {
        assert!(self.line.settled(PATIENCE).await, "the flow waits too long:\n{}", self.line.text());
    }

    /// By which path the flow left the bot.
    pub(crate) async fn leaves_by(&self) -> String {
        self.line.wait_path(PATIENCE).await.as_ref().map(Path::to_string).unwrap_or_default()
    }

    /// Waits until the record of the conversation holds these words.
    pub(crate) async fn is_noted(&self, words: &str) {
        let waiting = async {
            while !self.line.text().contains(words) {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "no {words}:\n{}", self.line.text());
    }

    /// The flow's last request and, when it is answered, the answer.
    pub(crate) fn last_exchange(&self) -> (Value, Option<String>) {
        let entries = self.line.entries();
        let asked = entries.iter().rposition(|entry| matches!(entry.event, Event::Asked { .. })).unwrap();
        let answer = entries[asked..].iter().find_map(|entry| match &entry.event {
            Event::Answered { body, .. } => Some(body.clone()),
            _ => None,
        });
        let Event::Asked { body, .. } = &entries[asked].event else { unreachable!() };
        (serde_json::from_str(body).unwrap(), answer)
    }

    /// Another message in the session that is open, as the flow would send it.
    pub(crate) fn message(&self, text: &str) -> Value {
        let (mut body, _) = self.last_exchange();
        body["inputMessage"] = serde_json::json!({"type": "Text", "text": text});
        if body.get("messageId").is_some() {
            body["messageId"] = format!("message of {text}").into();
        }
        body
    }

    /// Posts a body and gives the connection, to be dropped before the answer is read.
    pub(crate) async fn posts_and_holds(&self, world: &World, body: &Value) -> TcpStream {
        let mut stream = TcpStream::connect(world.address()).await.unwrap();
        let url = self.door.url();
        let path = &url[url.find("/genesys").unwrap()..];
        let path = if path.contains("digital") { format!("{path}/messages") } else { path.to_owned() };
        stream.write_all(&request("POST", &path, &[KEY], body.to_string().as_bytes())).await.unwrap();
        stream
    }

    /// What happened, one line each. The flow's requests are shortened to what was said, what it got is word for word.
    pub(crate) fn story(&self) -> String {
        let mut story = String::new();
        let mut messages = BTreeMap::new();
        for line in self.line.text().lines() {
            match line.strip_prefix("flow     > ").and_then(|rest| rest.find('{').map(|at| rest.split_at(at))) {
                Some((attempt, body)) => {
                    let said = said(&serde_json::from_str(body).unwrap(), &mut messages);
                    writeln!(story, "flow     > {attempt}{said}").unwrap();
                }
                None => writeln!(story, "{line}").unwrap(),
            }
        }
        story
    }
}

/// A request in few words: which message of which session, and what was said.
fn said(body: &Value, messages: &mut BTreeMap<String, usize>) -> String {
    let input = &body["inputMessage"];
    let payload = input.pointer("/content/0/buttonResponse/payload").and_then(Value::as_str);
    let mut said = match body.get("messageId").and_then(Value::as_str) {
        Some(id) => {
            let next = messages.len() + 1;
            format!("{}/{}: ", body["botSessionId"].as_str().unwrap(), messages.entry(id.to_owned()).or_insert(next))
        }
        None => format!("{}: ", body["botSessionId"].as_str().unwrap()),
    };
    said.push_str(input["text"].as_str().unwrap_or_default());
    if let Some(payload) = payload {
        write!(said, " [{payload}]").unwrap();
    }
    if let Some(poll) = body.pointer("/parameters/pollId") {
        write!(said, " (pollId {poll})").unwrap();
    }
    said
}
