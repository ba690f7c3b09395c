//! Bodies made to break a reader: each is an error or a message, never a panic, and no error repeats a customer's word.

use genesys::cloud::bot_connector::UtteranceRequest;
use genesys::cloud::digital_bot_connector::{IncomingMessagesRequest, IncomingMessagesResponse, Manifest};
use genesys::cloud::error::ErrorBody;
use genesys::cloud::{Unreadable, read};

use crate::fixture::{FIXTURES, bytes};

const DEPTH: usize = 200_000;

fn turn_with(member: &str) -> String {
    format!(
        r#"{{"botId":"b","botSessionId":"s","messageId":"m","genesysConversationId":"c","inputMessage":{{"text":"x"}},{member}}}"#
    )
}

#[test]
fn what_is_no_json_is_told_from_what_is_no_turn() {
    let not_json = [
        &b""[..],
        b" ",
        b"hello",
        b"{",
        b"{\"botId\":}",
        b"{} {}",
        b"\xff\xfe",
        b"{\"botId\":\"\xff\"}",
        b"<html>",
        // The first problem is a wrong type, but the rest is no JSON either.
        b"{\"inputMessage\":7,",
    ];
    for body in not_json {
        assert_eq!(read::<IncomingMessagesRequest>(body), Err(Unreadable::NotJson), "{body:?}");
        assert_eq!(read::<UtteranceRequest>(body), Err(Unreadable::NotJson), "{body:?}");
    }
    for body in ["null", "[]", "7", "\"text\"", "{}", r#"["b","1","s","m",{},"de",1,"c"]"#, r#"{"botId":{}}"#] {
        let read = read::<IncomingMessagesRequest>(body.as_bytes());
        assert!(matches!(read, Err(Unreadable::NotUnderstood { .. })), "{body}: {read:?}");
    }
}

#[test]
fn a_cut_body_is_no_json() {
    for (name, rewrite) in FIXTURES {
        let whole = bytes(name);
        let length = whole.trim_ascii_end().len();
        for end in 0..length {
            assert_eq!(rewrite(&whole[..end]), Err(Unreadable::NotJson), "{name} cut at {end}");
        }
    }
}

#[test]
fn depth_is_skipped_where_nobody_looks_and_refused_where_it_is_read() {
    let lists = format!("{}{}", "[".repeat(DEPTH), "]".repeat(DEPTH));
    let objects = format!("{}1{}", r#"{"a":"#.repeat(DEPTH), "}".repeat(DEPTH));
    for deep in [&lists, &objects] {
        for ignored in ["unknown", "languageCode", "botSessionTimeout"] {
            let body = turn_with(&format!(r#""{ignored}":{deep}"#));
            assert!(read::<IncomingMessagesRequest>(body.as_bytes()).is_ok(), "{ignored}");
        }
        let body = turn_with(&format!(r#""parameters":{{"p":{deep}}}"#));
        let refused = read::<IncomingMessagesRequest>(body.as_bytes());
        assert!(matches!(refused, Err(Unreadable::NotUnderstood { .. })), "{refused:?}");
    }
    let nested = format!("{}{{}}{}", r#"{"errors":["#.repeat(DEPTH), "]}".repeat(DEPTH));
    assert_eq!(ErrorBody::read(nested.as_bytes()), ErrorBody::default());
}

#[test]
fn numbers_beyond_measure_are_no_message_or_no_member() {
    let digits = "9".repeat(5_000);
    for number in ["1e999", "-1e999", &digits, "0.1e-99999"] {
        for member in ["botSessionTimeout", "unknown", "languageCode"] {
            let body = turn_with(&format!(r#""{member}":{number}"#));
            match read::<IncomingMessagesRequest>(body.as_bytes()) {
                Ok(turn) => assert!(matches!(turn.bot_session_timeout_minutes, None | Some(0)), "{member} {number}"),
                Err(error) => assert!(matches!(error, Unreadable::NotUnderstood { .. }), "{error}"),
            }
        }
    }
    for (confidence, expected) in [("\"NaN\"", None), ("\"inf\"", None), ("\"0.5\"", Some(0.5)), ("[]", None)] {
        let body = format!(r#"{{"botState":"MoreData","confidence":{confidence}}}"#);
        assert_eq!(read::<IncomingMessagesResponse<'_>>(body.as_bytes()).unwrap().confidence, expected);
    }
}

#[test]
fn a_member_given_twice_is_refused_since_its_meaning_is_open() {
    let body = turn_with(r#""botSessionId":"other""#);
    let refused = read::<IncomingMessagesRequest>(body.as_bytes()).unwrap_err();
    assert!(refused.to_string().contains("duplicate field `botSessionId`"), "{refused}");
}

#[test]
fn an_error_repeats_no_word_of_the_body() {
    let secret = "my-card-is-4111";
    let bodies = [
        format!(r#"{{"inputMessage":"{secret}"}}"#),
        format!(r#"{{"{secret}":1}}"#),
        format!(r#""{secret}""#),
        format!(r#"{{"botId":["{secret}"]}}"#),
        turn_with(&format!(r#""inputMessage":"{secret}""#)),
        secret.to_owned(),
    ];
    for body in bodies {
        let error = read::<IncomingMessagesRequest>(body.as_bytes()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("4111"), "{error}");
    }
    // The JSON reader itself quotes a text where a list belongs.
    let quoted = read::<Manifest>(format!(r#"{{"entities":"{secret}"}}"#).as_bytes()).unwrap_err();
    assert!(!format!("{quoted} {quoted:?}").contains("4111"), "{quoted}");
    let absent = read::<IncomingMessagesRequest>(br#"{"botId":"b"}"#).unwrap_err();
    assert!(absent.to_string().contains("missing field `botSessionId`"), "{absent}");
}
