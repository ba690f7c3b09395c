//! How an engine is asked, over real sockets: in several calls, with what was said before, and read while it answers. The
//! engine is a line: its replies are lines of text, and the test holds their other end.

use std::sync::Arc;

use bytes::Bytes;
use conversation::{BotPolicy, OnFailure, Policies, Texts};
use cordboard::admin::view::TokensView;
use cordboard::engine::{Asking, Engine, History, Reader, Reading, Replay, Traits};
use cordboard::http::{Call, Reply};
use futures_util::FutureExt as _;
use http::{HeaderMap, Method};
use model::{Answer, Ask, BotKey, Failure, Item, Next, Notice, Timestamp, Usage};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::admin::Office;
use crate::gateway::{Gateway, Setup, V1, V2, message_v1, message_v2};
use crate::world::PATIENCE;

/// What the line says when it wants another call.
const AGAIN: &str = "again";
const FALLBACK: &str = "Sorry, that did not work.";

#[derive(Clone)]
struct Line {
    url: String,
    replay: Replay,
    history: bool,
    listens: bool,
}

impl Engine for Line {
    fn traits(&self) -> Traits {
        Traits { replay: self.replay, callbacks: false, notices: false, opens: true, history: self.history }
    }

    fn ask(&self, ask: &Ask, history: &History, _: &str) -> Bytes {
        let before = history.utterances.iter().map(|said| format!("{:?}: {}\n", said.by, said.text));
        format!("{}{}", before.collect::<String>(), ask.input.shown()).into()
    }

    fn notice(&self, _: &Notice, _: &str) -> Option<Bytes> {
        None
    }

    fn call(&self, question: &Bytes, _: &str, _: u32, _: Timestamp, time_left_ms: u64) -> Asking {
        Asking::Call(Call {
            method: Method::POST,
            url: self.url.clone(),
            headers: HeaderMap::new(),
            body: question.clone(),
            timeout_ms: time_left_ms,
            reply_max_bytes: 10_000,
        })
    }

    fn read(&self, question: &Bytes, reply: &Reply) -> Reading {
        let text = String::from_utf8_lossy(&reply.body);
        match reply.status {
            200 if text == AGAIN => Reading::Continue { question: [question, &b" and"[..]].concat().into() },
            200 => {
                let usage = Some(Usage { input_tokens: 10, output_tokens: 3 });
                let items = text.lines().map(Item::text).collect();
                Reading::Answer(Box::new(Answer { usage, ..Answer::saying(items) }))
            }
            503 => Reading::Later { after_ms: None, failure: Failure::Unavailable },
            _ => Reading::Failed(Failure::Nonsense),
        }
    }

    fn reader(&self, question: &Bytes) -> Option<Box<dyn Reader>> {
        let listening = Listening { line: self.clone(), question: question.clone(), heard: Vec::new() };
        self.listens.then(|| -> Box<dyn Reader> { Box::new(listening) })
    }
}

struct Listening {
    line: Line,
    question: Bytes,
    heard: Vec<u8>,
}

impl Reader for Listening {
    fn more(&mut self, bytes: &[u8], answers_max: u32) -> Vec<Answer> {
        self.heard.extend_from_slice(bytes);
        let ends = self.heard.iter().zip(1..).filter(|(byte, _)| **byte == b'\n').map(|(_, end)| end);
        let Some(end) = ends.take(answers_max as usize).last() else { return Vec::new() };
        let lines: Vec<u8> = self.heard.drain(..end).collect();
        let lines = String::from_utf8(lines).unwrap();
        lines.lines().map(|line| Answer { next: Next::More, ..Answer::saying(vec![Item::text(line)]) }).collect()
    }

    fn end(self: Box<Self>, reply: &Reply) -> Reading {
        self.line.read(&self.question, &Reply { body: self.heard.into(), ..reply.clone() })
    }
}

/// The line's other end.
struct Far(TcpListener);

/// A call that came in.
struct Heard {
    stream: TcpStream,
    question: String,
}

impl Far {
    async fn hears(&self) -> Heard {
        let (mut stream, _) = timeout(PATIENCE, self.0.accept()).await.expect("a call").unwrap();
        let mut bytes = Vec::new();
        loop {
            assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "the request is whole");
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() == length.parse::<usize>().unwrap() {
                return Heard { stream, question: body.to_owned() };
            }
        }
    }

    /// The next call gets this, whole.
    async fn answers(&self, status: u16, text: &str) -> String {
        let mut heard = self.hears().await;
        heard.begins(status).await;
        heard.says(text).await;
        heard.ends().await
    }

    /// Whether a call came in that no test looked at.
    fn is_called(&self) -> bool {
        self.0.accept().now_or_never().is_some()
    }
}

impl Heard {
    async fn begins(&mut self, status: u16) {
        let head = format!("HTTP/1.1 {status} So\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n");
        self.stream.write_all(head.as_bytes()).await.unwrap();
    }

    async fn says(&mut self, text: &str) {
        self.stream.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes()).await.unwrap();
    }

    async fn ends(mut self) -> String {
        self.stream.write_all(b"0\r\n\r\n").await.unwrap();
        self.question
    }

    /// Waits until the gateway does so.
    async fn hangs_up(mut self) {
        let rest = timeout(PATIENCE, self.stream.read(&mut [0])).await.expect("the call ends");
        assert_eq!(rest.unwrap_or(0), 0);
    }
}

fn policies(policy: BotPolicy) -> Policies {
    let texts = Texts { fallback: FALLBACK.into(), ..Texts::default() };
    let policy = BotPolicy { on_failure: OnFailure::Say, texts: texts.into(), ..policy };
    Policies { fallback: policy, ..Policies::default() }
}

/// A gateway whose bot is a line, as the test wants it.
async fn line(change: impl FnOnce(&mut Line, &mut Setup)) -> (Gateway, Far) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let mut line = Line { url, replay: Replay::Safe, history: false, listens: true };
    let mut setup = Setup { policies: Arc::new(policies(BotPolicy::default())), ..Setup::default() };
    change(&mut line, &mut setup);
    setup.engine = Some(Arc::new(line));
    (Gateway::start_with(setup).await, Far(listener))
}

#[track_caller]
fn texts(reply: &serde_json::Value) -> Vec<&str> {
    let messages = reply.get("replyMessages").unwrap_or_else(|| &reply["replymessages"]);
    messages.as_array().unwrap().iter().map(|message| message["text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_paragraph_reaches_the_customer_before_the_answer_is_whole() {
    let (gateway, far) = line(|_, _| {}).await;
    let talking = async {
        let mut heard = far.hears().await;
        heard.begins(200).await;
        heard.says("First ").await;
        heard.says("things first.\nThen").await;
        heard
    };
    // The response is there while the engine still speaks.
    let (answer, mut heard) = tokio::join!(gateway.says("s1", "m1", "hello"), talking);
    assert_eq!(texts(&answer.json()), ["First things first."]);
    heard.says(" the second.\n").await;
    assert_eq!(texts(&gateway.push().await), ["Then the second."]);
    heard.says("And the last.").await;
    heard.ends().await;
    assert_eq!(texts(&gateway.push().await), ["And the last."]);
    let page = gateway.shared.metrics().text();
    for line in [
        r#"cordboard_engine_call_seconds_count{bot="claims",outcome="answered"} 1"#,
        r#"cordboard_engine_tokens_total{bot="claims",direction="input"} 10"#,
        r#"cordboard_engine_tokens_total{bot="claims",direction="output"} 3"#,
    ] {
        assert!(page.lines().any(|found| found == line), "{line}\n{page}");
    }

    // What it took is said to operators, by bot and by turn.
    let office = Office::of(gateway);
    let client = office.client().await;
    let bots = client.bots().await.unwrap().bots;
    assert_eq!(bots[0].tokens, Some(TokensView { input: 10, output: 3 }));
    let hops = client.hops(None, Some(0), true, 0).await.unwrap().hops;
    let answers = hops.iter().filter(|hop| hop.what == "answered").map(|hop| (hop.words.join("|"), &*hop.text));
    let expected = [
        ("First things first.", "claims: turn-1; more follows"),
        ("Then the second.", "claims: turn-1; more follows"),
        ("And the last.", "claims: turn-1; the customer's turn; 10 tokens read, 3 written"),
    ];
    assert_eq!(answers.collect::<Vec<_>>(), expected.map(|(words, text)| (words.to_owned(), text)));
}

#[tokio::test]
async fn on_a_door_that_cannot_push_the_paragraphs_come_together() {
    let (gateway, far) = line(|_, _| {}).await;
    let talking = async {
        let mut heard = far.hears().await;
        heard.begins(200).await;
        heard.says("First things first.\n").await;
        // The part is applied before the end of the answer is said.
        let asked = gateway.store().conversations(1).await.unwrap()[0];
        let applied = async || gateway.shared.peek(asked).await.unwrap().unwrap().legs[0].held.len();
        while applied().await == 0 {
            tokio::task::yield_now().await;
        }
        heard.says("And the last.").await;
        heard.ends().await;
    };
    let message = message_v1("s1", "hello");
    let (answer, ()) = tokio::join!(gateway.post(V1, message.as_bytes()), talking);
    assert_eq!(texts(&answer.json()), ["First things first.", "And the last."]);
}

#[tokio::test]
async fn half_an_answer_is_not_asked_for_again() {
    for listens in [true, false] {
        let (gateway, far) = line(|line, _| line.listens = listens).await;
        let breaking = async {
            let mut heard = far.hears().await;
            heard.begins(200).await;
            heard.says("First things first.\nThen").await;
            drop(heard);
            // Of this attempt the customer got nothing, so there is another one.
            if !listens {
                far.answers(200, "Whole").await;
            }
        };
        let (answer, ()) = tokio::join!(gateway.says("s1", "m1", "hello"), breaking);
        if listens {
            assert_eq!(texts(&answer.json()), ["First things first."]);
            assert_eq!(texts(&gateway.push().await), [FALLBACK]);
        } else {
            assert_eq!(texts(&answer.json()), ["Whole"]);
        }
        assert!(!far.is_called() && !gateway.was_pushed());
    }
}

#[tokio::test]
async fn an_engine_that_must_not_be_asked_twice_is_not() {
    let (gateway, far) = line(|line, _| line.replay = Replay::Unsafe).await;
    let breaking = async {
        let mut heard = far.hears().await;
        heard.begins(200).await;
        heard.says("Half").await;
    };
    let (answer, ()) = tokio::join!(gateway.says("s1", "m1", "hello"), breaking);
    assert_eq!(texts(&answer.json()), [FALLBACK]);
    assert!(!far.is_called());
}

#[tokio::test]
async fn a_later_call_that_is_not_taken_is_made_again_and_what_was_done_is_not() {
    for (replay, refusals, last) in
        [(Replay::Safe, 3, "And the last."), (Replay::Unsafe, 3, "And the last."), (Replay::Safe, 4, FALLBACK)]
    {
        let (gateway, far) = line(|line, _| line.replay = replay).await;
        let talking = async {
            let mut heard = far.hears().await;
            heard.begins(200).await;
            heard.says("First things first.\n").await;
            heard
        };
        let (answer, mut heard) = tokio::join!(gateway.says("s1", "m1", "hello"), talking);
        assert_eq!(texts(&answer.json()), ["First things first."]);
        heard.says(AGAIN).await;
        assert_eq!(heard.ends().await, "hello");
        for _ in 0..refusals {
            assert_eq!(far.answers(503, "").await, "hello and", "{replay:?}");
        }
        if last != FALLBACK {
            assert_eq!(far.answers(200, last).await, "hello and");
        }
        assert_eq!(texts(&gateway.push().await), [last], "{replay:?}");
        assert!(!far.is_called() && !gateway.was_pushed());
    }
}

#[tokio::test]
async fn what_is_beyond_the_parts_that_may_come_early_comes_with_the_end() {
    let lines: Vec<String> = (0..100).map(|line| format!("Line {line}.")).collect();
    let (gateway, far) = line(|_, _| {}).await;
    let all = lines.join("\n");
    let (answer, _) = tokio::join!(gateway.says("s1", "m1", "hello"), far.answers(200, &all));
    let mut told: Vec<String> = texts(&answer.json()).into_iter().map(str::to_owned).collect();
    while told.len() < lines.len() {
        told.extend(texts(&gateway.push().await).into_iter().map(str::to_owned));
        assert!(lines.starts_with(&told), "{told:?}");
    }
    // A door that cannot push holds them all until the end.
    let (gateway, far) = line(|_, _| {}).await;
    let message = message_v1("s1", "hello");
    let (answer, _) = tokio::join!(gateway.post(V1, message.as_bytes()), far.answers(200, &all));
    assert_eq!(texts(&answer.json()), lines);
}

#[tokio::test]
async fn an_answer_may_take_several_calls() {
    for listens in [true, false] {
        let (gateway, far) = line(|line, _| line.listens = listens).await;
        let talking = async {
            let one = far.answers(200, AGAIN).await;
            let two = far.answers(200, AGAIN).await;
            [one, two, far.answers(200, "Here you are").await]
        };
        let (answer, asked) = tokio::join!(gateway.says("s1", "m1", "hello"), talking);
        assert_eq!(texts(&answer.json()), ["Here you are"]);
        assert_eq!(asked, ["hello", "hello and", "hello and and"]);
        let calls = r#"cordboard_engine_call_seconds_count{bot="claims",outcome="answered"} 3"#;
        assert!(gateway.shared.metrics().text().lines().any(|line| line == calls));

        // A call that fails is made again, and none of those before it.
        let talking = async {
            let one = far.answers(200, AGAIN).await;
            let two = far.answers(503, "").await;
            [one, two, far.answers(200, "There").await]
        };
        let (answer, asked) = tokio::join!(gateway.says("s1", "m2", "more"), talking);
        assert_eq!(texts(&answer.json()), ["There"]);
        assert_eq!(asked, ["more", "more and", "more and"]);
    }
}

#[tokio::test]
async fn an_engine_that_goes_on_for_ever_is_stopped() {
    let (gateway, far) = line(|_, _| {}).await;
    let talking = async {
        for _ in 0..16 {
            far.answers(200, AGAIN).await;
        }
    };
    let (answer, ()) = tokio::join!(gateway.says("s1", "m1", "hello"), talking);
    assert_eq!(texts(&answer.json()), [FALLBACK]);
    assert!(!far.is_called());
}

#[tokio::test]
async fn a_bot_that_remembers_nothing_is_told_what_was_said() {
    let (gateway, far) = line(|line, _| line.history = true).await;
    let say = async |message: &str, text: &str, status: u16, answer: &str| {
        let (answer, asked) = tokio::join!(gateway.says("s1", message, text), far.answers(status, answer));
        assert_eq!(answer.status, 200);
        asked
    };
    assert_eq!(say("m1", "I want a car", 200, "Which one?").await, "I want a car");
    let before = "Customer: I want a car\nBot: Which one?\n";
    assert_eq!(say("m2", "A red one", 500, "").await, format!("{before}A red one"));
    let before = format!("{before}Customer: A red one\nGateway: {FALLBACK}\n");
    assert_eq!(say("m3", "Hello?", 200, "Fine").await, format!("{before}Hello?"));
}

/// Ways in which a turn is over before its engine has answered.
#[derive(Clone, Copy, Debug)]
enum Way {
    HandOver,
    Deadline,
    NewSession,
}

#[tokio::test]
async fn a_call_whose_answer_nobody_wants_is_ended() {
    for way in [Way::HandOver, Way::Deadline, Way::NewSession] {
        for begins in [false, true] {
            let hard_deadline_ms = if matches!(way, Way::Deadline) { 1_500 } else { 60_000 };
            let policies = policies(BotPolicy { hard_deadline_ms, ..BotPolicy::default() });
            let (gateway, far) = line(|_, setup| {
                setup.policies = Arc::new(policies);
                setup.soft_deadline_ms = 200;
            })
            .await;
            let hearing = async {
                let mut heard = far.hears().await;
                if begins {
                    heard.begins(200).await;
                    heard.says("Well").await;
                }
                heard
            };
            let (_, heard) = tokio::join!(gateway.says("s1", "m1", "hello"), hearing);
            match way {
                Way::HandOver => assert_eq!(gateway.shared.hand_over_all(&BotKey::from("claims"), "now").await, 1),
                Way::Deadline => {}
                Way::NewSession => {
                    let body = message_v2("s2", "m2", "hello again").replace("of s2", "of s1");
                    let path = format!("{V2}/messages");
                    let (answer, asked) = tokio::join!(gateway.post(&path, body.as_bytes()), far.answers(200, "Hello"));
                    // By a push when it came too late for the response.
                    let answer = answer.json();
                    let told = if texts(&answer).is_empty() { gateway.push().await } else { answer };
                    assert_eq!((texts(&told), asked), (vec!["Hello"], "hello again".to_owned()));
                }
            }
            heard.hangs_up().await;
        }
    }
}
