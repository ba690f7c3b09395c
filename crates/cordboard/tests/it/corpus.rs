//! Every body of the corpus at every door, over sockets: no 5xx, no panic, and the gateway serves on.

use std::path::Path;
use std::sync::atomic::Ordering;

use serde_json::json;

use crate::engine::Caller;
use crate::gateway::{Gateway, KEY, Setup, V1, V2};
use crate::raw::{chunked, send};

fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/requests"));
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 60, "the corpus is there");
    let read = |file: &std::path::PathBuf| (file.display().to_string(), std::fs::read(file).unwrap());
    files.iter().map(read).collect()
}

/// Bodies that are too large to be committed.
fn large() -> Vec<(String, Vec<u8>)> {
    let nested = |open: &str, close: &str| format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
    let inside = |member: &str, value: &str| {
        format!(
            r#"{{"{member}":{value},"botId":"claims","botSessionId":"deep","messageId":"m","genesysConversationId":"deep","inputMessage":{{"type":"Text","text":"hi"}}}}"#
        )
    };
    [
        ("arrays", nested("[", "]")),
        ("objects", nested(r#"{"a":"#, "}")),
        ("arrays that do not end", "[".repeat(1_000_000)),
        ("deep in an unknown member", inside("unknown", &nested("[", "]"))),
        ("deep in the parameters", inside("parameters", &nested(r#"{"a":"#, "}"))),
        ("deep items", inside("items", &nested("[", "]"))),
    ]
    .map(|(name, body)| (name.to_owned(), body.into_bytes()))
    .into()
}

#[tokio::test]
async fn no_body_breaks_a_door() {
    let mut setup = Setup::default();
    (setup.doors.body_max_bytes, setup.doors.callback_max_bytes) = (4 * 1024 * 1024, 4 * 1024 * 1024);
    let gateway = Gateway::start_with(setup).await;
    gateway.says("acquainted", "m1", "hello").await;
    let question = gateway.question().await;
    let caller = Caller::of(&gateway, &question);
    let mut statuses = std::collections::BTreeSet::new();
    for (name, body) in corpus().into_iter().chain(large()) {
        for path in [format!("{V2}/messages"), V1.to_owned()] {
            let whole = gateway.post(&path, &body).await;
            let in_pieces = send(gateway.address, &chunked(&path, &[KEY], &body, usize::from(!body.is_empty()))).await;
            assert!([200, 400].contains(&whole.status), "{name} at {path}: {whole:?}");
            assert_eq!(whole.status, in_pieces.status, "{name} at {path}");
            statuses.insert(whole.status);
        }
        let answer = caller.calls_with(&name, &body).await;
        assert!([202, 400, 409, 413, 422].contains(&answer.status), "{name} by callback: {answer:?}");
        statuses.insert(answer.status);
    }
    assert!(statuses.is_superset(&[200, 400, 422].into()), "{statuses:?}");
    assert_eq!(gateway.shared.counts.poisoned.load(Ordering::Relaxed), 0);
    let answer = gateway.says("acquainted", "m2", "still there?").await;
    assert!(answer.body.contains("you said still there?"));
}

#[tokio::test]
async fn members_of_tomorrow_are_passed_over() {
    let gateway = Gateway::start().await;
    let (_, body) = corpus().into_iter().find(|(name, _)| name.ends_with("unknown-members.json")).unwrap();
    for path in [format!("{V2}/messages"), V1.to_owned()] {
        let answer = gateway.post(&path, &body).await;
        assert!(answer.status == 200 && answer.body.contains("you said"), "{answer:?}");
        gateway.question().await;
    }
    gateway.says("s1", "m1", "hello").await;
    let caller_body = json!({"text": "by the way", "mood": {"happy": [true]}});
    let question = gateway.question().await;
    assert_eq!(Caller::of(&gateway, &question).calls("id-1", &caller_body).await.status, 202);
}
