//! Whatever arrives is read without a panic, and answered so that the platform goes on: a message, a valid answer with
//! status 200, or 'not JSON'. The corpus is `corpus/requests`; larger bodies are made here.

use std::path::Path;

use model::{BotKey, Opaque, Reply};
use serde_json::Value;

use super::super::{Connector, Parsed};
use super::{doors, leg, part};

/// What became of a body, in a word; panics when a promise is broken.
fn fate(door: &dyn Connector, body: &[u8]) -> String {
    match door.parse(body) {
        Parsed::NotJson => "not JSON".to_owned(),
        Parsed::NotUnderstood { reply, reason } => {
            assert_eq!((reply.status, reply.retry_after_s), (200, None));
            let answer: Value = serde_json::from_slice(&reply.body).unwrap();
            assert!(matches!(answer["botState"].as_str(), Some("Failed" | "COMPLETE")), "{answer}");
            assert!(reason.len() < 200, "a reason quotes nothing: {reason}");
            format!("not understood: {reason}")
        }
        Parsed::Message(message) => {
            for id in [Some(&message.session), Some(&message.conversation), message.message.as_ref()] {
                assert!(id.is_none_or(|id| (1..=256).contains(&id.len())));
            }
            assert_eq!(message.language, message.language.to_ascii_lowercase());
            assert!((60_000..=259_200_000).contains(&message.session_lifetime_ms));
            // What was read must also be enough to answer it, in time and late.
            let view = leg(&message.bot, &message.address, &message.address);
            assert_eq!(door.render(&Reply::Parts(vec![]), view).reply.status, 200);
            if let Some(push) = door.render_push(&[part(vec![])], view) {
                let push: Value = serde_json::from_slice(&push.body).unwrap();
                assert_eq!(push["botId"], message.bot.as_str());
            }
            format!("{:?} {:?} {:?}", message.input, message.language, message.poll)
        }
    }
}

#[test]
fn the_corpus_of_hostile_bodies_meets_its_fate() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/requests"));
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 60, "the corpus is there");
    let [v2, v1] = doors();
    let mut fates = String::new();
    for file in files {
        let body = std::fs::read(&file).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        fates += &format!("{name}\n  v2 {}\n  v1 {}\n", fate(&*v2, &body), fate(&*v1, &body));
        let is_json = name.ends_with(".json");
        assert_eq!(matches!(v2.parse(&body), Parsed::NotJson), !is_json, "{name}");
    }
    insta::assert_snapshot!(fates);
}

/// A valid message with `member` in front of the others.
fn with(member: &str) -> Vec<u8> {
    format!(
        r#"{{{member},"botId":"claims","botSessionId":"s","messageId":"m","genesysConversationId":"c","inputMessage":{{"type":"Text","text":"hello"}}}}"#
    )
    .into_bytes()
}

#[test]
fn size_and_depth_are_no_weapon() {
    let nested = |open: &str, close: &str| format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
    let button = r#"{"contentType":"ButtonResponse","buttonResponse":{"text":"t","payload":"p"}}"#;
    let bodies = [
        nested("[", "]").into_bytes(),
        nested(r#"{"inputMessage":"#, "}").into_bytes(),
        with(&format!(r#""parameters":{}"#, nested(r#"{"a":"#, "}"))),
        with(&format!(r#""unknown":{}"#, nested("[", "]"))),
        with(&format!(r#""parameters":{}"#, nested("[", "]"))),
        "[".repeat(1_000_000).into_bytes(),
        with(&format!(r#""x":"{}""#, "\u{1F980}".repeat(300_000))),
        with(&format!(r#""inputMessage":{{"content":[{}]}}"#, [button; 20_000].join(","))),
        with(&format!(
            r#""parameters":{{{}}}"#,
            (0..20_000).map(|n| format!(r#""k{n}":{n}"#)).collect::<Vec<_>>().join(",")
        )),
        with(&format!(r#""languageCode":"{}""#, "x".repeat(1_000_000))),
    ];
    for door in doors() {
        for body in &bodies {
            assert!(!fate(&*door, body).is_empty());
        }
    }
}

#[test]
fn a_broken_copy_of_a_message_is_read_too() {
    let whole = with(
        r#""inputMessage":{"content":[{"buttonResponse":{"text":"t","payload":"gw:poll:1"}}]},"parameters":{"a":"b"}"#,
    );
    for door in doors() {
        let mut read = 0;
        for cut in 0..whole.len() {
            assert_eq!(door.parse(&whole[..cut]), Parsed::NotJson, "cut at {cut}");
            for byte in [b'"', b'{', b'}', b'[', b',', b'0', b'\\', 0, 0xff] {
                let mut body = whole.clone();
                body[cut] = byte;
                read += usize::from(fate(&*door, &body) != "not JSON");
            }
        }
        assert!(read > whole.len(), "many of them are still JSON: {read}");
    }
}

#[test]
fn stored_bytes_that_are_not_ours_are_survived() {
    let bot = BotKey::from("not-configured-any-more");
    for door in doors() {
        for bytes in [&b""[..], b"null", b"{\"v\":9,\"n\":1}", b"\xff\xfe", b"{\"v\":1,\"n\":4294967295}"] {
            let opaque = Opaque(bytes.to_vec());
            for (name, reply) in super::replies() {
                let rendered = door.render(&reply, leg(&bot, &opaque, &opaque));
                assert!(serde_json::from_slice::<Value>(&rendered.reply.body).is_ok(), "{name}");
            }
        }
    }
}
