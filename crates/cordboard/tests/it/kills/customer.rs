//! Customers and their flows: they say one thing after another, and the platform repeats what was not taken.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::binary::{KEY, V1, V2};
use super::dice::Dice;
use super::outside::Outside;
use crate::raw::{Answer, request};

/// Longer than anything may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Between two attempts of the platform; in truth it takes five seconds.
const RETRY: Duration = Duration::from_millis(40);

/// How a call ended.
#[derive(Debug)]
pub(super) enum Called {
    /// Nobody listens.
    NotTaken,
    /// The connection broke before the whole answer came.
    Broken,
    Answered(Answer),
}

/// One request on a connection of its own.
pub(super) async fn call(to: SocketAddr, bytes: &[u8]) -> Called {
    let Ok(mut stream) = TcpStream::connect(to).await else { return Called::NotTaken };
    let mut answer = Vec::new();
    if stream.write_all(bytes).await.is_err() || stream.read_to_end(&mut answer).await.is_err() {
        return Called::Broken;
    }
    let answer = Answer::read(&answer);
    let announced = answer.head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    if announced == Some(answer.body.len()) { Called::Answered(answer) } else { Called::Broken }
}

pub(super) fn message(door: &str, session: &str, conversation: &str, id: &str, text: &str) -> Vec<u8> {
    let mut body = json!({
        "botId": "claims", "botVersion": "1", "botSessionId": session, "genesysConversationId": conversation,
        "inputMessage": {"type": "Text", "text": text}, "languageCode": "en-us", "botSessionTimeout": 720,
    });
    if door == V2 {
        body["messageId"] = json!(id);
        return request("POST", &format!("{V2}/messages"), &[KEY], body.to_string().as_bytes());
    }
    request("POST", V1, &[KEY], body.to_string().as_bytes())
}

/// One customer on one door.
pub(super) struct Customer {
    pub(super) name: String,
    pub(super) door: &'static str,
    pub(super) gateway: SocketAddr,
    pub(super) outside: Arc<Outside>,
    pub(super) dice: Dice,
    /// No message is begun after it.
    pub(super) enough: CancellationToken,
    /// Which session it is, and which conversation.
    pub(super) at: (u32, u32),
}

impl Customer {
    pub(super) fn session(&self) -> String {
        format!("{}s{}", self.name, self.at.0)
    }

    fn conversation(&self) -> String {
        format!("{}k{}", self.name, self.at.1)
    }

    /// Talks until it is enough.
    pub(super) async fn talk(mut self) {
        for number in 1.. {
            if self.enough.is_cancelled() {
                return;
            }
            let said = format!("{}m{number}", self.name);
            if self.door == V2 {
                self.say_v2(&said).await;
            } else {
                self.say_v1(&said).await;
            }
            tokio::time::sleep(Duration::from_millis(self.dice.roll(30))).await;
        }
    }

    /// Says something, as often as it takes until a 2xx comes.
    async fn take(&self, said: &str, text: &str) -> Answer {
        let (session, conversation) = (self.session(), self.conversation());
        let bytes = message(self.door, &session, &conversation, &format!("id of {text}"), text);
        loop {
            match call(self.gateway, &bytes).await {
                Called::Answered(answer) if answer.status == 200 => {
                    let id = format!("{session} {said}");
                    let id = (self.door == V2).then_some(id.as_str());
                    self.outside.note(|ledger| ledger.acknowledge(&session, said, id, &answer.body));
                    return answer;
                }
                Called::Answered(answer) if answer.status == 503 => self.outside.note(|ledger| ledger.refused += 1),
                Called::Answered(answer) => {
                    self.outside.note(|ledger| ledger.violate(format!("{said} got {answer:?}")));
                }
                Called::Broken => self.outside.note(|ledger| ledger.broken += 1),
                Called::NotTaken => {}
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    fn see(&self, answer: &Answer, messages: &Value) {
        let json = answer.json();
        let open = ["MoreData", "MOREDATA"].contains(&json["botState"].as_str().unwrap_or_default());
        self.outside.note(|ledger| {
            if !open {
                ledger.violate(format!("{} was let down: {}", self.session(), answer.body));
            }
            ledger.see(&self.session(), messages, "a response");
        });
    }

    /// Says something new, and sees what comes in the response.
    pub(super) async fn ask(&self, said: &str) -> Answer {
        self.outside.note(|ledger| ledger.say(&self.session(), said));
        let answer = self.take(said, said).await;
        let messages = if self.door == V2 { "replyMessages" } else { "replymessages" };
        self.see(&answer, &answer.json()[messages]);
        answer
    }

    async fn say_v2(&mut self, said: &str) {
        self.ask(said).await;
        if self.dice.once_in(8) {
            // The platform repeats it, though it was answered; the customer sees nothing of that.
            self.take(said, said).await;
        }
        let session = self.session();
        if self.outside.ledger().has_seen(&session, said) {
            return;
        }
        match self.dice.roll(8) {
            // In a hurry: the next words come before the answer.
            0 | 1 => {}
            2 => self.leave(),
            _ => {
                if !self.outside.wait(PATIENCE, |ledger| ledger.has_seen(&session, said)).await {
                    self.outside.note(|ledger| ledger.violate(format!("{session} waited for {said} in vain")));
                }
            }
        }
    }

    /// The customer leaves before the answer, and comes back: in the same conversation, or in another.
    pub(super) fn leave(&mut self) {
        self.outside.note(|ledger| ledger.closed.insert(self.session()));
        self.at.0 += 1;
        self.at.1 += u32::from(self.dice.once_in(2));
    }

    /// On this door a late answer is fetched by the button, and nothing is said before it is there.
    async fn say_v1(&mut self, said: &str) {
        self.ask(said).await;
        for _ in 0..40 {
            if self.outside.ledger().has_seen(&self.session(), said) {
                return;
            }
            let answer = self.take(said, "OK").await;
            self.see(&answer, &answer.json()["replymessages"]);
        }
        self.outside.note(|ledger| ledger.violate(format!("{} asked for {said} in vain", self.session())));
    }
}
