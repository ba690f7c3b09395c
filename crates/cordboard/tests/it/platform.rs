//! What the doors of the platforms answer: one test for each cell of the table, and the order of the checks.

use cordboard::connector::{Arrival, Parsed};
use cordboard::http::body;
use http_body_util::BodyExt as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::gateway::{Behaviour, Gateway, KEY, Setup, V1, V2, message_v1, message_v2};
use crate::raw::{Answer, chunked, head, request, send};
use crate::world::PATIENCE;

/// Both doors, with a message that each of them takes.
fn both() -> [(String, String); 2] {
    [(format!("{V2}/messages"), message_v2("s1", "m1", "hello")), (V1.to_owned(), message_v1("s1", "hello"))]
}

fn assert_refusal_of(door: &str, answer: &Answer) {
    if door == V1 {
        assert_eq!(answer.status, 200);
        let json = answer.json();
        assert_eq!((&json["botState"], &json["intent"]), (&json!("COMPLETE"), &json!("human")), "{json}");
        assert_eq!(json["parameters"]["cordboard"], "uncommitted");
    } else {
        assert_eq!(answer.status, 503);
        assert!(answer.head.contains("retry-after: 1"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_message_is_answered_in_its_response() {
    let gateway = Gateway::start().await;
    for (path, body) in both() {
        let answer = gateway.post(&path, body.as_bytes()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.body.contains("you said hello") && answer.head.contains("content-type: application/json"));
    }
}

#[tokio::test]
async fn without_the_credentials_nothing_is_read() {
    let gateway = Gateway::start().await;
    for (path, body) in both() {
        for headers in [&[][..], &[("x-key", "another-secret-of-length")], &[("X-Keys", KEY.1)]] {
            let answer = send(gateway.address, &request("POST", &path, headers, body.as_bytes())).await;
            assert_eq!((answer.status, answer.error().as_str()), (403, "credentials"));
        }
        // No byte of this body is ever sent, and its size is not judged.
        let announced = head("POST", &path, &[("content-length", "99999999"), ("expect", "100-continue")]);
        let answer = send(gateway.address, &announced).await;
        assert_eq!(answer.status, 403, "{answer:?}");
        // Whatever follows a guarded path, and whatever the method is.
        for path in [format!("{path}/more"), path] {
            assert_eq!(send(gateway.address, &request("PUT", &path, &[], b"")).await.status, 403, "{path}");
        }
    }
    assert!(!gateway.was_asked());
}

#[tokio::test]
async fn a_body_over_the_cap_is_refused_early() {
    let setup = Setup::default();
    let cap = setup.doors.body_max_bytes;
    let gateway = Gateway::start_with(setup).await;
    let chunk = vec![b' '; 16 * 1024];
    for (path, body) in both() {
        let answer = gateway.post(&path, &vec![b' '; cap + 1]).await;
        assert_eq!((answer.status, answer.error().as_str()), (413, "body.too_large"));
        // By its announced length alone: neither of these bodies comes.
        for expect in [&[("expect", "100-continue")][..], &[]] {
            let headers = [&[KEY, ("content-length", "99999999")], expect].concat();
            assert_eq!(send(gateway.address, &head("POST", &path, &headers)).await.status, 413);
        }
        // While it comes, when nothing was announced.
        let answer = send(gateway.address, &chunked(&path, &[KEY], &chunk, cap / chunk.len() + 1)).await;
        assert_eq!((answer.status, answer.error().as_str()), (413, "body.too_large"));
        // A body of just the cap is read, in pieces too.
        let padded = [body.as_bytes(), &vec![b' '; cap - body.len()]].concat();
        assert_eq!(gateway.post(&path, &padded).await.status, 200);
        let pieces = chunked(&path, &[KEY], &padded[..cap / 4], 1);
        let pieces = [&pieces[..pieces.len() - 5], &chunked("", &[], &padded[cap / 4..], 1)[..]].concat();
        let second = find(&pieces, b"POST  ");
        let body_of_second = second + find(&pieces[second..], b"\r\n\r\n") + 4;
        let pieces = [&pieces[..second], &pieces[body_of_second..]].concat();
        assert_eq!(send(gateway.address, &pieces).await.status, 200);
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes.windows(wanted.len()).position(|window| window == wanted).unwrap()
}

#[tokio::test]
async fn what_is_no_json_is_said_so_and_not_kept() {
    let gateway = Gateway::start().await;
    for (path, _) in both() {
        for body in [&b""[..], b"hello", b"{\"botId\":", b"\xff\xfe{}", b"{}{}"] {
            let answer = gateway.post(&path, body).await;
            assert_eq!((answer.status, answer.error().as_str()), (400, "body.not_json"));
            assert!(!answer.body.contains("hello"));
        }
    }
    assert!(gateway.letters().await.is_empty());
}

#[tokio::test]
async fn what_is_not_understood_is_kept_and_the_flow_goes_on() {
    let gateway = Gateway::start().await;
    let unknown_bot = json!({"botId": "nobody", "botSessionId": "s", "messageId": "m", "genesysConversationId": "c",
        "inputMessage": {"type": "Text", "text": "hello"}});
    for (count, (path, _)) in both().into_iter().enumerate() {
        for body in ["{}", "[1]", &unknown_bot.to_string()] {
            let answer = gateway.post(&path, body.as_bytes()).await;
            assert_eq!(answer.status, 200);
            let expected = if path == V1 { "COMPLETE" } else { "Failed" };
            assert_eq!(answer.json()["botState"], expected);
            if path == V1 {
                assert_eq!(answer.json()["intent"], "human");
            }
        }
        assert_eq!(gateway.letters().await.len(), 3 * (count + 1));
    }
    let letters = gateway.letters().await;
    assert_eq!((letters[0].as_str(), letters[5].as_str()), ("input web", "input sms"));
}

#[tokio::test]
async fn an_engine_that_fails_gets_the_policys_answer() {
    let gateway = Gateway::start().await;
    for status in [200, 404] {
        gateway.bot(Behaviour::Fails(status));
        let answers = [
            gateway.says(&format!("s{status}"), "m1", "hello").await,
            gateway.post(V1, message_v1(&format!("v1 s{status}"), "hello").as_bytes()).await,
        ];
        for answer in answers {
            assert_eq!(answer.status, 200);
            assert!(answer.body.contains("I am connecting you to a colleague."), "{answer:?}");
            assert_eq!(answer.json()["intent"], "human");
        }
    }
}

#[tokio::test]
async fn when_nothing_can_be_stored_the_refusal_is_constant() {
    let gateway = Gateway::start().await;
    gateway.store_fails(true);
    for (path, body) in both() {
        for body in [body.as_str(), "{}"] {
            assert_refusal_of(&path, &gateway.post(&path, body.as_bytes()).await);
        }
    }
    gateway.store_fails(false);
    assert!(!gateway.was_asked() && gateway.letters().await.is_empty());
    // Nothing of it was kept: the same message is new.
    for (path, body) in both() {
        assert!(gateway.post(&path, body.as_bytes()).await.body.contains("you said hello"));
    }
}

#[tokio::test]
async fn when_too_many_wait_the_next_is_refused() {
    let mut setup = Setup::default();
    setup.limits.open_requests_max = 0;
    let gateway = Gateway::start_with(setup).await;
    for (path, body) in both() {
        assert_refusal_of(&path, &gateway.post(&path, body.as_bytes()).await);
    }
}

#[tokio::test]
async fn the_pages_of_a_v2_integration() {
    let gateway = Gateway::start().await;
    let manifest = gateway.get(&format!("{V2}/bots")).await;
    assert_eq!(manifest.status, 200);
    assert_eq!(manifest.json()["entities"][0]["id"], "claims");
    for path in ["/bots/claims", "/bots/claims?version=2", "/bots/ein%20bot"] {
        let page = gateway.get(&format!("{V2}{path}")).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(page.json()["versions"].is_array());
    }
    for path in ["/bots/nobody", "/bots/%ff", "/bots/%", "/bots/claims%2"] {
        let page = gateway.get(&format!("{V2}{path}")).await;
        assert_eq!((page.status, page.error().as_str()), (404, "bot.unknown"), "{path}");
    }
}

#[tokio::test]
async fn what_is_read_of_the_bots_is_noted_behind_the_answers_back() {
    let gateway = Gateway::start().await;
    let noted = async || {
        let manifests = gateway.store().manifests().await.unwrap();
        manifests.iter().map(|known| known.first.bot.to_string()).collect::<Vec<_>>()
    };
    // Each time one reads again, until it is noted: no answer says when that is.
    let read_until = async |path: &str, expected: &[&str]| {
        let reading = async {
            while noted().await != expected {
                assert_eq!(gateway.get(&format!("{V2}{path}")).await.status, 200);
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.unwrap();
    };
    gateway.store_fails(true);
    assert_eq!(gateway.get(&format!("{V2}/bots")).await.status, 200);
    assert_eq!(send(gateway.address, &request("GET", &format!("{V2}/bots"), &[], b"")).await.status, 403);
    gateway.store_fails(false);
    assert_eq!(noted().await, [] as [&str; 0]);
    read_until("/bots/claims", &["claims"]).await;
    read_until("/bots", &["claims", "ein bot"]).await;
    let first = gateway.store().manifests().await.unwrap();
    assert_eq!(gateway.get(&format!("{V2}/bots")).await.status, 200);
    assert_eq!(gateway.store().manifests().await.unwrap(), first);
}

#[tokio::test]
async fn a_wrong_path_or_method_is_named_to_those_who_may_know() {
    let gateway = Gateway::start().await;
    for path in ["", "/", "/messages/", "/bots/claims/x", "/bots/"] {
        let answer = gateway.post(&format!("{V2}{path}"), b"{}").await;
        assert_eq!((answer.status, answer.error().as_str()), (404, "path"), "{path}");
        assert_eq!(answer.json()["paths"], json!([format!("{V2}/bots"), format!("{V2}/messages")]));
    }
    assert_eq!(gateway.get(&format!("{V1}/")).await.json()["paths"], json!([V1]));
    for (method, path, allowed) in [
        ("GET", format!("{V2}/messages"), "allow: post"),
        ("POST", format!("{V2}/bots"), "allow: get"),
        ("DELETE", format!("{V2}/bots/claims"), "allow: get"),
        ("GET", V1.to_owned(), "allow: post"),
    ] {
        let answer = send(gateway.address, &request(method, &path, &[KEY], b"")).await;
        assert_eq!(answer.status, 405, "{method} {path}");
        assert!(answer.head.contains(allowed), "{answer:?}");
    }
    // A path that is nobody's tells nothing, with credentials or without.
    for path in ["/", "/genesys", "/genesys/acme/digitalis/bots", "/v1", "/v1/engine/conversations"] {
        let answer = gateway.get(path).await;
        assert_eq!((answer.status, answer.body.as_str()), (404, ""), "{path}");
    }
}

#[tokio::test]
async fn a_body_that_hides_or_never_comes_is_not_waited_for() {
    let mut setup = Setup::default();
    setup.doors.body_timeout_ms = 50;
    let gateway = Gateway::start_with(setup).await;
    for (path, body) in both() {
        let encoded = request("POST", &path, &[KEY, ("content-encoding", "gzip")], body.as_bytes());
        let answer = send(gateway.address, &encoded).await;
        assert_eq!((answer.status, answer.error().as_str()), (415, "body.encoded"));

        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        let whole = request("POST", &path, &[KEY], body.as_bytes());
        stream.write_all(&whole[..whole.len() - 1]).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = Answer::read(&answer);
        assert_eq!((answer.status, answer.error().as_str()), (408, "body.too_slow"));
    }
}

#[tokio::test]
async fn the_same_message_gets_the_same_bytes() {
    let gateway = Gateway::start().await;
    let first = gateway.says("s1", "m1", "hello").await;
    let again = gateway.says("s1", "m1", "hello").await;
    assert_eq!((first.status, &first.body), (again.status, &again.body));
    gateway.question().await;
    assert!(!gateway.was_asked());
}

#[tokio::test]
async fn an_answer_whose_socket_is_gone_goes_by_a_push() {
    let gateway = Gateway::start().await;
    gateway.bot(Behaviour::Waits);
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let message = request("POST", &format!("{V2}/messages"), &[KEY], message_v2("s1", "m1", "hello").as_bytes());
    stream.write_all(&message).await.unwrap();
    gateway.question().await;
    drop(stream);
    // The bot answers once it is known that nobody waits.
    while gateway.shared.open_requests() > 0 {
        tokio::task::yield_now().await;
    }
    gateway.bot(Behaviour::Echoes);
    let push = gateway.push().await;
    assert_eq!(push["replyMessages"][0]["text"], "you said hello", "{push}");
    assert_eq!(push["botSessionId"], "s1");
}

#[tokio::test]
async fn an_answer_that_the_http_layer_never_took_goes_by_a_push() {
    let gateway = Gateway::start().await;
    for (number, taken) in [(1, true), (2, false)] {
        let Parsed::Message(message) = gateway.v2.parse(message_v2("s1", &format!("m{number}"), "hello").as_bytes())
        else {
            panic!("a message")
        };
        let arrival = Arrival { at: gateway.shared.runtime().now(), correlation: None, request: None, trace: None };
        let received = gateway.shared.receive(&gateway.v2, *message, arrival).await;
        let answer = body::sealed(received.reply, Some(received.delivery));
        if taken {
            answer.into_body().collect().await.unwrap();
        } else {
            drop(answer);
        }
    }
    assert_eq!(gateway.push().await["replyMessages"][0]["text"], "you said hello");
    assert!(!gateway.was_pushed(), "the answer that was taken is not pushed as well");
}
