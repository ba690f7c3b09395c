//! What the customer did, in every form in which the platform tells it: typed words, and buttons of every kind that its SDK
//! lists, in the documented place and in the older one (`reference/digital-bot-connector.md`, section 1.4;
//! `reference/bot-connector-v1.md`, section 2.3).

use model::{Input, Masked, Sensitive, Timestamp};
use serde_json::{Value, json};

use super::doors;
use crate::connector::Parsed;
use crate::connector::request::Reserved;

#[test]
fn every_kind_of_button_is_a_choice() {
    let choice = |label: &str, payload: &str| Input::Choice { label: label.into(), payload: payload.into() };
    let text = |text: &str| Input::Text(text.into());
    let pressed = |button: Value| {
        let content = json!([{"contentType": "ButtonResponse", "buttonResponse": button}]);
        json!({"type": "Structured", "text": "Refund", "content": content})
    };
    let table = [
        (pressed(json!({"type": "QuickReply", "text": "Refund", "payload": "opt"})), choice("Refund", "opt")),
        (pressed(json!({"type": "Button", "text": "Refund", "payload": "opt"})), choice("Refund", "opt")),
        (pressed(json!({"type": "DatePicker", "payload": "2026-11-20T14:30Z"})), choice("Refund", "2026-11-20T14:30Z")),
        (pressed(json!({"type": "ListPicker", "text": "A, B", "payload": "a,b"})), choice("Refund", "a,b")),
        (pressed(json!({"type": "Form", "payload": "{\"name\":\"Mia\"}"})), choice("Refund", "{\"name\":\"Mia\"}")),
        (pressed(json!({"type": "AddedLater", "payload": "opt"})), choice("Refund", "opt")),
        (pressed(json!({"payload": "opt", "originatingMessageId": "m-1"})), choice("Refund", "opt")),
        (pressed(json!({"type": "Button", "text": "Label alone"})), choice("Refund", "Label alone")),
        (pressed(json!({"type": "Button", "payload": 7})), choice("Refund", "7")),
        (pressed(json!({"type": "Button"})), choice("Refund", "Refund")),
        (json!({"type": "Structured", "buttonResponse": {"payload": "opt"}}), choice("opt", "opt")),
        (
            json!({"type": "Structured", "buttonResponse": {"type": "QuickReply", "text": "Yes", "payload": "y"}}),
            choice("Yes", "y"),
        ),
        (json!({"type": "Structured", "content": [{"contentType": "Location"}], "text": "here"}), text("here")),
        (
            json!({"type": "Structured", "content": [{"contentType": "ButtonResponse", "buttonResponse": "?"}]}),
            text(""),
        ),
        (
            json!({"type": "Structured", "content": [{"contentType": "Attachment", "attachment": {"url": "u"}}]}),
            text(""),
        ),
        (json!({"type": "Text", "text": "hello"}), text("hello")),
        (json!({"text": null}), text("")),
        (json!({"type": "Text", "text": " __start__ "}), Input::Start),
    ];
    let reserved = Reserved::new("__start__", "channel", "customer_id");
    for (message, expected) in table {
        let message_read = serde_json::from_value(message.clone()).unwrap_or_else(|error| panic!("{message}: {error}"));
        assert_eq!(reserved.input(&message_read), expected, "{message}");
    }
}

/// The bot wrote what is on a button, the customer what is in a form.
#[test]
fn what_a_form_carries_is_masked_and_what_a_button_carries_is_not() {
    let said = |kind: &str| {
        let button = json!({"type": kind, "text": "4111 1111 1111 1111", "payload": "{\"card\":\"5555555555554444\"}"});
        let content = json!([{"contentType": "ButtonResponse", "buttonResponse": button}]);
        let body = json!({
            "botId": "claims", "botSessionId": "s", "messageId": "m", "genesysConversationId": "c",
            "inputMessage": {"type": "Structured", "content": content},
        });
        let body = body.to_string().into_bytes();
        doors().map(|door| match door.parse(&body) {
            Parsed::Message(message) => {
                let hash = message.body_hash;
                let said = message.said(&*door, &[Sensitive::Card], None, Timestamp(0), 1);
                (said.input, said.masked, said.body_hash == hash)
            }
            other => panic!("{other:?}"),
        })
    };
    let choice = |label: &str, payload: &str| Input::Choice { label: label.into(), payload: payload.into() };
    for (input, masked, _) in said("Form") {
        assert_eq!(input, choice("[card]", "{\"card\":\"[card]\"}"));
        assert_eq!(masked, [Masked { kind: Sensitive::Card, count: 2 }]);
    }
    assert!(said("Form").iter().all(|(.., is_of_what_came)| !is_of_what_came), "the hash would tell");
    for (input, masked, is_of_what_came) in said("QuickReply") {
        assert_eq!(input, choice("4111 1111 1111 1111", "{\"card\":\"5555555555554444\"}"));
        assert!(masked.is_empty() && is_of_what_came);
    }
}
