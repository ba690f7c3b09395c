//! What the operator is answered, and what becomes of dead letters.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use cordboard::admin::Admin;
use cordboard::admin::client::{Client, Error};
use cordboard::store::{Blob, Letter};
use model::Timestamp;
use serde_json::json;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::gateway::{Behaviour, Gateway, Setup, V1, V2, message_v2};
use crate::raw::{Answer, chunked, request, send_unix};

/// A gateway with its operator.
pub(crate) struct Office {
    pub(crate) gateway: Gateway,
    pub(crate) folder: TempDir,
    closed: CancellationToken,
    stop: CancellationToken,
}

impl Office {
    pub(crate) async fn open() -> Self {
        Self::of(Gateway::start().await)
    }

    pub(crate) fn of(gateway: Gateway) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (stop, closed) = Self::serve(&gateway, &folder);
        Self { gateway, folder, closed, stop }
    }

    fn serve(gateway: &Gateway, folder: &TempDir) -> (CancellationToken, CancellationToken) {
        let admin = Admin::bind(gateway.shared.clone(), folder.path()).unwrap();
        let (stop, closed) = (CancellationToken::new(), CancellationToken::new());
        let (until, over) = (stop.clone(), closed.clone());
        gateway.shared.runtime().spawn(async move {
            admin.serve(until).await;
            over.cancel();
        });
        (stop, closed)
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.folder.path()).await.unwrap()
    }

    /// The same server in the role read.
    pub(crate) fn reader(&self) -> Client {
        Client::reader(self.folder.path()).unwrap()
    }

    /// The admin API ends.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("admin.sock")
    }

    fn token(&self) -> String {
        let token = std::fs::read_to_string(self.folder.path().join("admin.token")).unwrap();
        format!("Bearer {}", token.trim())
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let token = self.token();
        send_unix(&self.socket(), &request(method, path, &[("authorization", &token)], body)).await
    }

    /// Buries a v2 message as if it had not been understood when it came.
    pub(crate) async fn bury(&self, id: u64, body: &str, died: Timestamp) {
        let letter = Letter {
            id,
            conversation: None,
            kind: "input".into(),
            place: "web".into(),
            reason: "bot.unknown".into(),
            attempts: 1,
            died,
            payload: Blob::clear(body.as_bytes()),
        };
        self.gateway.store().bury(letter).await.unwrap();
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.gateway.shared.runtime().now()
    }
}

/// The status and the word of a refusal.
#[track_caller]
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> (u16, String) {
    match result {
        Err(Error::Refused { status, error, .. }) => (status, error),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn who_has_no_token_is_told_nothing() {
    let office = Office::open().await;
    let right = office.token();
    let wrong = format!("{}x", &right[..right.len() - 1]);
    for headers in [&[][..], &[("authorization", wrong.as_str())], &[("authorization", &right["Bearer ".len()..])]] {
        for path in ["/v1/dead-letters", "/v1/counts", "/nowhere"] {
            let answer = send_unix(&office.socket(), &request("GET", path, headers, b"")).await;
            assert_eq!((answer.status, answer.error().as_str()), (401, "token"), "{path}");
        }
    }
    assert_eq!(office.call("GET", "/v1/counts", b"").await.status, 200);
}

#[tokio::test]
async fn options_over_the_cap_are_refused() {
    let office = Office::open().await;
    let token = office.token();
    let path = "/v1/dead-letters/1/retry";
    let whole = office.call("POST", path, &[b' '; 16 * 1024 + 1]).await;
    let in_pieces = chunked(path, &[("authorization", &token)], &[b' '; 4 * 1024], 5);
    for answer in [whole, send_unix(&office.socket(), &in_pieces).await] {
        assert_eq!((answer.status, answer.error().as_str()), (413, "body.too_large"));
    }
}

#[tokio::test]
async fn options_that_are_no_json_are_said_so() {
    let office = Office::open().await;
    for path in ["/v1/dead-letters/1/retry", "/v1/conversations/0000000000000001/end"] {
        for body in [&b"dry"[..], b"{", b"\xff"] {
            let answer = office.call("POST", path, body).await;
            assert_eq!((answer.status, answer.error().as_str()), (400, "body.not_json"), "{path}");
        }
    }
}

#[tokio::test]
async fn what_is_not_understood_is_never_guessed() {
    let office = Office::open().await;
    office.bury(1, &message_v2("s1", "m1", "hello"), office.now()).await;
    for (method, path, body) in [
        ("GET", "/v1/dead-letters?limit=0", ""),
        ("GET", "/v1/dead-letters?limit=x", ""),
        ("GET", "/v1/dead-letters?page=2", ""),
        ("GET", "/v1/dead-letters/first", ""),
        ("DELETE", "/v1/dead-letters/-1", ""),
        ("POST", "/v1/dead-letters/1/retry?dryrun=true", ""),
        ("POST", "/v1/dead-letters/1/retry?dry_run=maybe", ""),
        ("POST", "/v1/dead-letters/1/retry", r#"{"dryRun": true}"#),
        ("POST", "/v1/dead-letters/1/retry", "[]"),
        ("POST", "/v1/conversations/one/end", ""),
        ("POST", "/v1/conversations/0000000000000001/end", r#"{"force": true}"#),
    ] {
        let answer = office.call(method, path, body.as_bytes()).await;
        assert_eq!((answer.status, answer.error().as_str()), (422, "call.not_understood"), "{method} {path} {body}");
    }
    assert_eq!(office.gateway.letters().await.len(), 1);
    assert_eq!(office.call("GET", "/v1/letters", b"").await.error(), "path");
    assert_eq!(office.call("PUT", "/v1/dead-letters/1", b"").await.status, 405);
}

#[tokio::test]
async fn what_cannot_be_stored_now_is_to_be_tried_later() {
    let office = Office::open().await;
    office.bury(1, &message_v2("s1", "m1", "hello"), office.now()).await;
    office.gateway.says("s2", "m1", "hello").await;
    let conversation = office.gateway.store().conversations(1).await.unwrap()[0];
    office.gateway.store_fails(true);
    for (method, path) in [
        ("DELETE", "/v1/dead-letters/1".to_owned()),
        ("POST", "/v1/dead-letters/1/retry".to_owned()),
        ("POST", format!("/v1/conversations/{conversation}/end")),
    ] {
        let answer = office.call(method, &path, b"").await;
        assert_eq!((answer.status, answer.error().as_str()), (503, "store"), "{method} {path}");
        assert!(answer.head.contains("retry-after: 1"));
    }
}

#[tokio::test]
async fn socket_and_token_are_the_owners_and_of_this_run() {
    let office = Office::open().await;
    let first = office.token();
    for name in ["admin.sock", "admin.token", "read.token"] {
        let mode = std::fs::metadata(office.folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    // What a run left that was killed is replaced.
    let (stop, closed) = Office::serve(&office.gateway, &office.folder);
    assert_ne!(office.token(), first);
    assert!(office.client().await.counts().await.is_ok());
    assert!(office.client().await.metrics().await.unwrap().ends_with("# EOF\n"));
    stop.cancel();
    closed.cancelled().await;
    assert_eq!(std::fs::read_dir(office.folder.path()).unwrap().count(), 0);
    assert!(Client::connect(office.folder.path()).await.is_none());
    office.stop.cancel();
    office.closed.cancelled().await;
    let long = office.folder.path().join("x".repeat(120));
    std::fs::create_dir(&long).unwrap();
    let deep = Office { folder: tempfile::tempdir_in(&long).unwrap(), ..office };
    let (stop, closed) = Office::serve(&deep.gateway, &deep.folder);
    assert!(deep.client().await.counts().await.is_ok(), "a path too long for a socket leads through its folder");
    stop.cancel();
    closed.cancelled().await;
}

#[tokio::test]
async fn letters_are_listed_read_and_dropped() {
    let office = Office::open().await;
    office.gateway.post(&format!("{V2}/messages"), b"{\"botId\": \"nobody\"}").await;
    office.gateway.post(V1, b"[1]").await;
    office.bury(1, "hello", office.now()).await;
    let client = office.client().await;
    let first = client.letters(0, 2).await.unwrap();
    assert_eq!(first.letters.iter().map(|letter| letter.place.as_str()).collect::<Vec<_>>(), ["web", "web"]);
    assert!(first.letters.iter().all(|letter| letter.payload.is_none()), "a list shows no customer's words");
    let after = first.next_after.unwrap().parse().unwrap();
    let second = client.letters(after, 2).await.unwrap();
    assert_eq!((second.letters.len(), second.next_after), (1, None));
    let whole = client.letter(after).await.unwrap();
    assert_eq!(whole.payload.as_deref(), Some("{\"botId\": \"nobody\"}"));
    assert_eq!(client.drop_letter(after).await.unwrap().outcome, "dropped");
    assert_eq!(refusal(client.letter(after).await), (404, "letter.unknown".to_owned()));
    assert_eq!(refusal(client.drop_letter(after).await), (404, "letter.unknown".to_owned()));
    assert_eq!(refusal(client.retry(after, false).await), (404, "letter.unknown".to_owned()));
    let counts = client.counts().await.unwrap();
    assert_eq!((counts.letters, counts.open_requests, counts.draining), (2, 0, false));
}

#[tokio::test]
async fn an_undelivered_answer_goes_out_again_while_the_bot_may_speak() {
    let gateway = Gateway::start_with(Setup { soft_deadline_ms: 100, ..Setup::default() }).await;
    let office = Office::of(gateway);
    let (gateway, client) = (&office.gateway, office.client().await);
    gateway.pushes_get(400);
    gateway.bot(Behaviour::Waits);
    assert_eq!(gateway.says("s1", "m1", "hello").await.json()["botState"], "MoreData");
    gateway.bot(Behaviour::Echoes);
    gateway.push().await;
    let letter = loop {
        if let Some(letter) = client.letters(0, 10).await.unwrap().letters.first() {
            break letter.clone();
        }
    };
    assert_eq!((letter.kind.as_str(), letter.place.as_str(), letter.reason.as_str()), ("answer", "claims", "rejected"));
    let id = letter.id.parse().unwrap();
    assert!(client.letter(id).await.unwrap().payload.unwrap().contains("you said hello"));

    let dry = client.retry(id, true).await.unwrap();
    assert_eq!(
        (dry.outcome.as_str(), dry.message.as_deref()),
        ("would_work", Some("it would be pushed to the customer"))
    );
    assert!(!gateway.was_pushed() && gateway.letters().await.len() == 1, "a rehearsal does nothing");

    gateway.pushes_get(200);
    // Two operators at once: one of them is late.
    let (one, other) = tokio::join!(client.retry(id, false), client.retry(id, false));
    assert_eq!(one.or(other).unwrap().outcome, "done");
    assert_eq!(gateway.push().await["replyMessages"][0]["text"], "you said hello");
    assert!(!gateway.was_pushed() && gateway.letters().await.is_empty());
    assert_eq!(refusal(client.retry(id, false).await).0, 404);
}

#[tokio::test]
async fn nothing_overrides_the_floor() {
    let gateway = Gateway::start_with(Setup { soft_deadline_ms: 100, ..Setup::default() }).await;
    let office = Office::of(gateway);
    let (gateway, client) = (&office.gateway, office.client().await);
    gateway.pushes_get(400);
    gateway.bot(Behaviour::Waits);
    gateway.says("s1", "m1", "hello").await;
    gateway.bot(Behaviour::HandsOver);
    gateway.push().await;
    let id = loop {
        if let Some(letter) = client.letters(0, 10).await.unwrap().letters.first() {
            break letter.id.parse().unwrap();
        }
    };
    // The message of the same session, too, would bring the bot to speak over the human.
    office.bury(1, &message_v2("s1", "m2", "hello again"), office.now()).await;
    gateway.question().await;
    gateway.pushes_get(200);
    for id in [id, 1] {
        for dry_run in [true, false] {
            assert_eq!(refusal(client.retry(id, dry_run).await), (409, "floor_taken".to_owned()), "{id} {dry_run}");
        }
    }
    let conversation = gateway.store().conversations(1).await.unwrap()[0];
    assert_eq!(client.end(conversation).await.unwrap().outcome, "ended");
    assert_eq!(client.end(conversation).await.unwrap().outcome, "was_over");
    for id in [id, 1] {
        for dry_run in [true, false] {
            assert_eq!(refusal(client.retry(id, dry_run).await), (409, "session_ended".to_owned()), "{id} {dry_run}");
        }
    }
    assert_eq!(gateway.letters().await.len(), 2, "the letters stay");
    assert!(!gateway.was_pushed() && !gateway.was_asked());
    assert_eq!(refusal(client.end(model::ConversationId(1)).await), (404, "conversation.unknown".to_owned()));
}

#[tokio::test]
async fn a_message_that_is_understood_now_is_asked_where_it_belongs() {
    let office = Office::open().await;
    let (gateway, client) = (&office.gateway, office.client().await);
    // Nothing was ever said in its conversation.
    office.bury(1, &message_v2("s1", "m1", "hello"), office.now()).await;
    assert_eq!(client.retry(1, true).await.unwrap().message.as_deref(), Some("the bot would be asked"));
    assert!(!gateway.was_asked() && gateway.store().conversations(9).await.unwrap().is_empty());
    assert_eq!(client.retry(1, false).await.unwrap().outcome, "done");
    assert_eq!(gateway.push().await["replyMessages"][0]["text"], "you said hello");
    // Its session is open.
    office.bury(2, &message_v2("s1", "m2", "and?"), office.now()).await;
    assert_eq!(client.retry(2, false).await.unwrap().outcome, "done");
    assert_eq!(gateway.push().await["replyMessages"][0]["text"], "you said and?");
    assert!(gateway.letters().await.is_empty());
    // Another session of its conversation is open, or its own is long over.
    let elsewhere = message_v2("s1", "m3", "hello").replace(r#""botSessionId":"s1""#, r#""botSessionId":"s0""#);
    office.bury(3, &elsewhere, office.now()).await;
    office.bury(4, &message_v2("s9", "m1", "hello"), Timestamp(0)).await;
    office.bury(5, "{}", office.now()).await;
    assert_eq!(refusal(client.retry(3, false).await), (409, "superseded".to_owned()));
    assert_eq!(refusal(client.retry(4, false).await), (409, "session_ended".to_owned()));
    assert_eq!(refusal(client.retry(5, false).await), (422, "letter.not_possible".to_owned()));
    assert_eq!(gateway.letters().await.len(), 3);
}

#[tokio::test]
async fn letters_that_cannot_be_tried_say_why() {
    let office = Office::open().await;
    let client = office.client().await;
    let cases = [
        (1, "callback", "claims", "has to send it anew"),
        (2, "event", "runner", "please report it"),
        (3, "notice", "claims", "is old now"),
        (4, "input", "gone", "not configured any more"),
        (5, "answer", "claims", "names no conversation"),
    ];
    for (id, kind, place, why) in cases {
        office.bury(id, "{}", office.now()).await;
        let letter = office.gateway.store().dead_letter(id).await.unwrap().unwrap();
        office.gateway.store().drop_letter(id).await.unwrap();
        let letter = Letter { kind: kind.into(), place: place.into(), ..letter };
        office.gateway.store().bury(letter).await.unwrap();
        let answer =
            office.call("POST", &format!("/v1/dead-letters/{id}/retry"), json!({}).to_string().as_bytes()).await;
        assert_eq!((answer.status, answer.error().as_str()), (422, "letter.not_possible"));
        assert!(answer.body.contains(why), "{answer:?}");
        assert!(client.letter(id).await.is_ok(), "it stays");
    }
}
