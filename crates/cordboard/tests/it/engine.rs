//! What the door of the engines answers: one test for each cell of the table, and what a callback does.

use cordboard::engine::webhook::signature::{Key, sign};
use serde_json::{Value, json};

use crate::gateway::{Behaviour, Gateway, SECRET, Setup};
use crate::raw::{Answer, chunked, request, send};

/// A bot that has taken a turn and now calls back.
pub(crate) struct Caller<'a> {
    gateway: &'a Gateway,
    session: String,
}

impl<'a> Caller<'a> {
    pub(crate) fn of(gateway: &'a Gateway, question: &Value) -> Self {
        Self { gateway, session: question["conversation"]["id"].as_str().unwrap().to_owned() }
    }

    fn path(&self) -> String {
        format!("/v1/engine/conversations/{}/replies", self.session)
    }

    pub(crate) async fn calls(&self, id: &str, body: &Value) -> Answer {
        self.calls_with(id, body.to_string().as_bytes()).await
    }

    pub(crate) async fn calls_with(&self, id: &str, body: &[u8]) -> Answer {
        let signed = Signed::now(self.gateway, id, body);
        send(self.gateway.address, &request("POST", &self.path(), &signed.headers(), body)).await
    }
}

/// The three headers of a signature.
struct Signed([(&'static str, String); 3]);

impl Signed {
    fn now(gateway: &Gateway, id: &str, body: &[u8]) -> Self {
        let seconds = gateway.shared.runtime().now().0 / 1000;
        Self([
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-signature", sign(&[Key::parse(SECRET).unwrap()], id, seconds, body)),
        ])
    }

    fn headers(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }
}

/// A gateway whose bot was asked once and has answered, so that it knows the conversation.
async fn acquainted(setup: Setup) -> (Gateway, Value) {
    let gateway = Gateway::start_with(setup).await;
    assert_eq!(gateway.says("s1", "m1", "hello").await.status, 200);
    let question = gateway.question().await;
    (gateway, question)
}

#[tokio::test]
async fn a_bot_that_took_the_turn_answers_the_request_that_waits() {
    let gateway = Gateway::start().await;
    gateway.bot(Behaviour::TakesTurns);
    let calling = async {
        let question = gateway.question().await;
        let caller = Caller::of(&gateway, &question);
        let part = json!({"in_reply_to": question["turn"]["id"], "text": "looking", "next": {"kind": "more"}});
        assert_eq!(caller.calls("id-1", &part).await.status, 202);
        let last = json!({"in_reply_to": question["turn"]["id"], "text": "here you are"});
        let answer = caller.calls("id-2", &last).await;
        assert_eq!((answer.status, answer.json()["status"].as_str()), (202, Some("applied")));
    };
    let (answer, ()) = tokio::join!(gateway.says("s1", "m1", "hello"), calling);
    // The request takes what there is; the part after it is pushed.
    assert!(answer.body.contains("looking"), "{answer:?}");
    if !answer.body.contains("here you are") {
        assert_eq!(gateway.push().await["replyMessages"][0]["text"], "here you are");
    }
}

#[tokio::test]
async fn of_many_answers_to_a_turn_one_is_told_that_it_counts() {
    let gateway = Gateway::start_with(Setup { slow_store: true, ..Setup::default() }).await;
    gateway.bot(Behaviour::TakesTurns);
    let calling = async {
        let question = gateway.question().await;
        let caller = &Caller::of(&gateway, &question);
        // While this one is stored the others queue.
        let before = json!({"in_reply_to": question["turn"]["id"], "text": "looking", "next": {"kind": "more"}});
        let body = &json!({"in_reply_to": question["turn"]["id"], "text": "here you are"});
        let answers = (0..8).map(|id| async move { caller.calls(&format!("id-{id}"), body).await.status });
        let (first, statuses) = tokio::join!(caller.calls("id-more", &before), futures_util::future::join_all(answers));
        assert!([202, 409].contains(&first.status));
        assert_eq!(statuses.iter().filter(|status| **status == 202).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 7, "{statuses:?}");
    };
    tokio::join!(gateway.says("s1", "m1", "hello"), calling);
}

#[tokio::test]
async fn a_bot_may_call_back_before_its_202_is_there() {
    let gateway = Gateway::start().await;
    gateway.bot(Behaviour::Waits);
    let calling = async {
        let question = gateway.question().await;
        let body = json!({"in_reply_to": question["turn"]["id"], "text": "fast"});
        assert_eq!(Caller::of(&gateway, &question).calls("id-1", &body).await.status, 202);
    };
    let (answer, ()) = tokio::join!(gateway.says("s1", "m1", "hello"), calling);
    assert!(answer.body.contains("fast"), "{answer:?}");
}

#[tokio::test]
async fn a_bot_speaks_of_its_own_accord_once_per_id() {
    let (gateway, question) = acquainted(Setup::default()).await;
    let caller = Caller::of(&gateway, &question);
    let first = caller.calls("id-1", &json!({"text": "by the way"})).await;
    assert_eq!((first.status, first.json()["status"].as_str()), (202, Some("applied")));
    assert_eq!(gateway.push().await["replyMessages"][0]["text"], "by the way");
    let again = caller.calls("id-1", &json!({"text": "by the way"})).await;
    assert_eq!((again.status, again.json()["status"].as_str()), (202, Some("duplicate")));
    caller.calls("id-2", &json!({"text": "one more thing"})).await;
    assert_eq!(gateway.push().await["replyMessages"][0]["text"], "one more thing");
    assert!(!gateway.was_pushed());
}

#[tokio::test]
async fn who_cannot_prove_to_be_the_bot_learns_nothing() {
    let (gateway, question) = acquainted(Setup::default()).await;
    let caller = Caller::of(&gateway, &question);
    let body = br#"{"text": "I am the bot"}"#;
    let signed = Signed::now(&gateway, "id-1", body);
    let (right, mut wrong) = (signed.headers(), signed.headers());
    wrong[2].1 = "v1,MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    let unknown = "/v1/engine/conversations/0193a1c2-0000-7000-8000-000000000000/replies";
    let cases = [
        (caller.path(), &wrong[..]),
        (caller.path(), &right[..2]),
        (caller.path(), &[]),
        (unknown.to_owned(), &right),
        (unknown.to_owned(), &wrong),
        (unknown.replace("0193", "nope"), &right),
    ];
    let mut said = Vec::new();
    for (path, headers) in &cases {
        let answer = send(gateway.address, &request("POST", path, headers, body)).await;
        assert_eq!(answer.status, 401, "{path}");
        let mut told = answer.json();
        told.as_object_mut().unwrap().remove("request_id").expect("every error names its call");
        said.push(told);
    }
    said.dedup();
    assert_eq!(said.len(), 1, "all of them are told the same");
    assert!(!gateway.was_pushed() && gateway.letters().await.is_empty());
    assert_eq!(send(gateway.address, &request("GET", &caller.path(), &right, b"")).await.status, 405);
}

#[tokio::test]
async fn a_callback_over_the_cap_is_refused() {
    let mut setup = Setup::default();
    setup.doors.callback_max_bytes = 300 * 1024;
    let (gateway, question) = acquainted(setup).await;
    let caller = Caller::of(&gateway, &question);
    // The door's cap needs no signature to be seen, the bot's own limit does.
    let unsigned = send(gateway.address, &request("POST", &caller.path(), &[], &vec![b' '; 300 * 1024 + 1])).await;
    let in_pieces = send(gateway.address, &chunked(&caller.path(), &[], &[b' '; 64 * 1024], 5)).await;
    let signed = caller.calls_with("id-1", &vec![b' '; 256 * 1024 + 1]).await;
    for answer in [unsigned, in_pieces, signed] {
        assert_eq!((answer.status, answer.error().as_str()), (413, "body.too_large"));
    }
}

#[tokio::test]
async fn a_callback_that_is_no_json_is_said_so() {
    let (gateway, question) = acquainted(Setup::default()).await;
    let answer = Caller::of(&gateway, &question).calls_with("id-1", b"hello").await;
    assert_eq!((answer.status, answer.error().as_str()), (400, "body.not_json"));
    assert!(gateway.letters().await.is_empty());
}

#[tokio::test]
async fn a_callback_that_is_not_understood_is_kept() {
    let (gateway, question) = acquainted(Setup::default()).await;
    gateway.says("s2", "m1", "hello").await;
    let other = gateway.question().await["turn"]["id"].clone();
    let own = question["turn"]["id"].as_str().unwrap().to_owned();
    let caller = Caller::of(&gateway, &question);
    for (count, body) in [
        json!({"message": "of another contract"}),
        json!({"in_reply_to": "t-4", "text": "which?"}),
        json!({"in_reply_to": other, "text": "of another conversation"}),
        json!({"in_reply_to": own + "-1", "text": "of no turn"}),
    ]
    .iter()
    .enumerate()
    {
        let answer = caller.calls(&format!("id-{count}"), body).await;
        assert_eq!((answer.status, answer.error().as_str()), (422, "callback.not_understood"), "{body}");
        assert_eq!(gateway.letters().await, vec!["callback claims"; count + 1]);
    }
}

#[tokio::test]
async fn a_callback_that_comes_too_late_is_told_so() {
    let (gateway, question) = acquainted(Setup::default()).await;
    let caller = Caller::of(&gateway, &question);
    let late = json!({"in_reply_to": question["turn"]["id"], "text": "sorry, I was asleep"});
    let answer = caller.calls("id-1", &late).await;
    assert_eq!((answer.status, answer.error().as_str()), (409, "turn.over"));

    gateway.bot(Behaviour::HandsOver);
    gateway.says("s1", "m2", "a human, please").await;
    let answer = caller.calls("id-2", &json!({"text": "one more thing"})).await;
    assert_eq!((answer.status, answer.error().as_str()), (409, "floor"));
    assert!(answer.body.contains("floor_taken"), "{answer:?}");
    assert!(!gateway.was_pushed());
}

#[tokio::test]
async fn a_callback_is_taken_only_when_it_is_stored() {
    let (gateway, question) = acquainted(Setup::default()).await;
    let caller = Caller::of(&gateway, &question);
    let body = json!({"text": "by the way"});
    gateway.store_fails(true);
    for body in [&body, &json!({"message": "not understood"})] {
        let answer = caller.calls("id-1", body).await;
        assert_eq!((answer.status, answer.error().as_str()), (503, "busy"));
        assert!(answer.head.contains("retry-after: 1"));
    }
    gateway.store_fails(false);
    assert!(gateway.letters().await.is_empty());
    // The same id again is no duplicate: nothing was kept of the first.
    let answer = caller.calls("id-1", &body).await;
    assert_eq!(answer.json()["status"], "applied");
    assert_eq!(gateway.push().await["replyMessages"][0]["text"], "by the way");

    gateway.shared.stop();
    assert_eq!(caller.calls("id-2", &body).await.status, 503);
}
