//! What the doors forgive, and what they cannot.

use genesys::cloud::bot_connector::{self, UtteranceRequest, UtteranceResponse};
use genesys::cloud::digital_bot_connector::{BotState, IncomingMessagesRequest, IncomingMessagesResponse};
use genesys::cloud::input::{ButtonType, InputMessage, InputType};
use genesys::cloud::reply::ErrorInfo;
use genesys::cloud::{Unreadable, read};
use serde_json::{Value, json};

use crate::fixture::document;

/// Values of every JSON type, each as wrong as can be for most members.
fn odd_values() -> Vec<Value> {
    let deep = json!({"a": [{"b": [[null]]}]});
    vec![
        json!(null),
        json!(true),
        json!(-7),
        json!(1e300),
        json!(""),
        json!("odd"),
        json!([]),
        json!([1, [2]]),
        json!({}),
        deep,
    ]
}

/// JSON pointers to every member and element of a document.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, member)| (name.clone(), member)).collect(),
        Value::Array(elements) => elements.iter().enumerate().map(|(index, each)| (index.to_string(), each)).collect(),
        _ => Vec::new(),
    };
    for (name, member) in inner {
        let pointer = format!("{at}/{name}");
        pointers(member, &pointer, found);
        found.push(pointer);
    }
}

fn still_needed(pointer: &str, odd: &Value, ids: &[&str]) -> bool {
    let scalar = odd.is_boolean() || odd.is_number() || odd.as_str().is_some_and(|text| !text.is_empty());
    match pointer.trim_start_matches('/') {
        "inputMessage" => !odd.is_object(),
        id if ids.contains(&id) => !scalar,
        _ => false,
    }
}

fn check_every_member(fixture: &str, ids: &[&str], read: fn(&[u8]) -> Result<(), Unreadable>) {
    let original = document(fixture);
    let mut all = Vec::new();
    pointers(&original, "", &mut all);
    for pointer in all {
        for odd in odd_values() {
            let mut changed = original.clone();
            *changed.pointer_mut(&pointer).expect("the pointer was found there") = odd.clone();
            let result = read(changed.to_string().as_bytes());
            assert_eq!(result.is_err(), still_needed(&pointer, &odd, ids), "{fixture} {pointer} = {odd}: {result:?}");
        }
    }
}

#[test]
fn a_wrong_type_makes_a_turn_unreadable_only_where_an_id_is_lost() {
    let v2 = ["botId", "botSessionId", "messageId", "genesysConversationId"];
    let v1 = ["botSessionId", "genesysConversationId"];
    for fixture in ["digital_bot_connector/request_text.json", "digital_bot_connector/request_button.json"] {
        check_every_member(fixture, &v2, |body| read::<IncomingMessagesRequest>(body).map(drop));
    }
    for fixture in ["bot_connector/request_first.json", "bot_connector/request_button_beneath_message.json"] {
        check_every_member(fixture, &v1, |body| read::<UtteranceRequest>(body).map(drop));
    }
}

#[test]
fn a_turn_needs_no_optional_member() {
    let bare = br#"{"botId":"b","botSessionId":"s","messageId":"m","genesysConversationId":"c","inputMessage":{}}"#;
    let turn: IncomingMessagesRequest = read(bare).unwrap();
    assert_eq!((turn.bot_version, turn.language_code, turn.bot_session_timeout_minutes), (None, None, None));
    assert_eq!((turn.input_message.input_type.clone(), turn.input_message.said()), (InputType::Text, None));
    assert!(turn.parameters.is_empty());

    let bare = br#"{"botSessionId":"s","genesysConversationId":"c","inputMessage":{"type":"text","text":"hi"}}"#;
    let turn: UtteranceRequest = read(bare).unwrap();
    assert_eq!((turn.input_message.input_type.clone(), turn.bot_candidates().count()), (InputType::Text, 0));
}

#[test]
fn members_are_read_in_every_sensible_form() {
    let mut body = document("digital_bot_connector/request_text.json");
    let cases = [
        (json!("en-US"), json!(720), Some("en-us"), Some(720)),
        (json!(" DE "), json!("45"), Some("de"), Some(45)),
        (json!(null), json!(60.0), None, Some(60)),
        (json!(""), json!(60.5), None, None),
        (json!({}), json!(-1), None, None),
        (json!("de"), json!(99_999_999_999_u64), Some("de"), None),
    ];
    for (language, timeout, expected_language, expected_timeout) in cases {
        body["languageCode"] = language;
        body["botSessionTimeout"] = timeout;
        let turn: IncomingMessagesRequest = read(body.to_string().as_bytes()).unwrap();
        assert_eq!(turn.language_code.as_deref(), expected_language);
        assert_eq!(turn.bot_session_timeout_minutes, expected_timeout);
    }
}

#[test]
fn variables_are_text_whatever_they_were() {
    let mut body = document("bot_connector/request_first.json");
    body["parameters"] = json!({"t": "x", "n": 5, "d": 1.5, "b": false, "z": null, "a": [1, "y"], "o": {"k": 2}});
    let turn: UtteranceRequest = read(body.to_string().as_bytes()).unwrap();
    let read: Vec<(&str, &str)> = turn.parameters.iter().map(|(name, value)| (&**name, &**value)).collect();
    let expected =
        [("a", r#"[1,"y"]"#), ("b", "false"), ("d", "1.5"), ("n", "5"), ("o", r#"{"k":2}"#), ("t", "x"), ("z", "")];
    assert_eq!(read, expected);
}

#[test]
fn a_button_is_found_in_both_places() {
    let cases = [
        (
            json!({"type": "Structured", "text": "No", "content": [{"contentType": "ButtonResponse", "buttonResponse": {"type": "QuickReply", "text": "No", "payload": "p:no"}}]}),
            Some("No"),
            Some("p:no"),
        ),
        (json!({"type": "Structured", "buttonResponse": {"payload": "p:no"}}), None, Some("p:no")),
        (
            json!({"type": "Structured", "content": ["x", {}, {"buttonResponse": {"text": "No"}}]}),
            Some("No"),
            Some("No"),
        ),
        (json!({"type": "Structured", "text": "No", "content": null}), Some("No"), Some("No")),
        (json!({"type": "Text", "text": "  "}), None, None),
    ];
    for (message, said, meaning) in cases {
        let input: InputMessage = serde_json::from_value(message.clone()).unwrap();
        assert_eq!((input.said(), input.meaning()), (said, meaning), "{message}");
    }
    let form: InputMessage =
        serde_json::from_value(json!({"content": [{"buttonResponse": {"type": "Sonar", "payload": "p"}}]})).unwrap();
    assert_eq!(form.button().unwrap().button_type, Some(ButtonType::Other("Sonar".to_owned())));
}

#[test]
fn a_v1_turn_names_its_bot_three_times() {
    let turn: UtteranceRequest = crate::fixture::read("bot_connector/request_first.json");
    assert_eq!(turn.bot_candidates().collect::<Vec<_>>(), ["harbour-bot", "Harbour desk", "Harbour desk"]);
}

#[test]
fn states_are_read_in_any_case_and_written_in_their_own() {
    for (text, v2, v1) in [("moredata", "MoreData", "MOREDATA"), ("COMPLETE", "Complete", "COMPLETE"), ("x", "x", "x")]
    {
        assert_eq!((BotState::from(text).as_str(), bot_connector::BotState::from(text).as_str()), (v2, v1));
    }
    // With both keys a reader could not know which list counts.
    let both = read::<UtteranceResponse<'_>>(br#"{"botState":"Complete","replyMessages":[],"replymessages":[]}"#);
    assert!(both.is_err(), "{both:?}");
    let nothing: IncomingMessagesResponse<'_> = read(br#"{"botState":"Failed","replyMessages":null}"#).unwrap();
    assert_eq!(nothing, IncomingMessagesResponse::new(BotState::Failed));
}

#[test]
fn error_info_is_read_in_both_spellings_and_written_in_one() {
    let cases = [
        json!({"errorCode": "e.1", "errorMessage": "m"}),
        json!({"code": "e.1", "message": "m"}),
        json!({"code": "other", "message": "other", "errorCode": "e.1", "errorMessage": "m"}),
    ];
    for written in cases {
        let info: ErrorInfo<'_> = serde_json::from_value(written).unwrap();
        assert_eq!(serde_json::to_string(&info).unwrap(), r#"{"errorCode":"e.1","errorMessage":"m"}"#);
    }
}

#[test]
fn the_list_of_messages_is_found_in_every_case_and_a_slot_without_a_value_is_no_slot() {
    for key in ["replymessages", "replyMessages", "ReplyMessages", "REPLYMESSAGES"] {
        let body = json!({
            key: [{"type": "text", "text": "hi"}], "botState": "moredata", "slotValues": {"a": null, "b": 2, "c": {}},
        });
        let answer: UtteranceResponse<'_> = read(body.to_string().as_bytes()).unwrap();
        assert_eq!(answer.reply_messages.len(), 1, "{key}");
        assert_eq!(answer.slot_values.into_keys().collect::<Vec<_>>(), ["b"], "{key}");
    }
}
