//! The rules as tables: a body on the left, what it breaks on the right.

use serde_json::{Value, json};

use super::answer::BotState;
use super::content::Rules;
use super::manifest::BotVersion;
use super::{Severity, answer, answer_v1, manifest, value};
use crate::Door;

fn rules(findings: &super::Findings) -> Vec<String> {
    findings.0.iter().map(|v| format!("{}{} {}", if v.is_error() { "" } else { "~" }, v.rule, v.detail)).collect()
}

#[test]
fn a_correct_manifest_breaks_nothing() {
    let body = json!({"entities": [{
        "id": "returns", "name": "Returns", "provider": "Acme", "description": "",
        "versions": [{"version": "1", "supportedLanguages": ["en-us", "de", "zh-hans-cn"], "intents": [
            {"name": "ReturnItem", "entities": [{"name": "order", "type": "String"}, {"name": "why", "type": "StringCollection"}]},
            {"name": "TalkToAgent"},
        ]}],
    }]});
    let (bots, findings) = manifest::read(Door::V2, &body);
    assert_eq!(rules(&findings), Vec::<String>::new());
    assert_eq!(bots[0].versions[0].intents["ReturnItem"]["why"], "StringCollection");
}

#[test]
fn every_breach_of_a_manifest_is_reported_at_once() {
    let long = "x".repeat(101);
    let intents: Vec<Value> = (0..51).map(|n| json!({"name": format!("i{n}")})).collect();
    let body = json!({"entities": [
        {"id": " a ", "name": long, "description": "d".repeat(257), "versions": [], "icon": "?"},
        {"id": "b", "name": "B", "provider": "p", "versions": [
            {"version": "1", "supportedLanguages": ["en-US", 7], "intents": []},
            {"version": "1", "supportedLanguages": ["en"], "intents": intents},
            {"version": "2", "supportedLanguages": ["en"], "intents": [
                {"name": "x", "entities": [{"name": "e", "type": "string"}, {"type": "String"}]},
                {"name": "x"},
            ]},
        ]},
        {"id": "b", "name": "B\u{7}", "provider": 5, "versions": 1},
        "not a bot",
    ], "pageSize": 25});
    let (_, findings) = manifest::read(Door::V2, &body);
    insta::assert_snapshot!(rules(&findings).join("\n"), @r"
    ~unknown-member the list.pageSize is not a member that the reference names
    ~unknown-member entities[0].icon is not a member that the reference names
    no-outer-blanks entities[0].id begins or ends with a blank
    at-most-100-characters entities[0].name is longer
    required entities[0].provider is missing
    at-most-256-characters entities[0].description is longer
    at-least-one entities[0].versions is empty
    language-lower-case entities[1].versions[0].supportedLanguages[0] is 'en-US', not like 'en-us' or 'es'
    string entities[1].versions[0].supportedLanguages[1] must be a string, not a number
    ~no-language entities[1].versions[0] supports no language, so no flow can use it
    at-least-one entities[1].versions[0].intents is empty
    at-most-50 entities[1].versions[1].intents has 51 entries
    unique entities[1].versions[1].version repeats '1'
    entity-type entities[1].versions[2].intents[0].entities[0].type 'string' is not a type
    required entities[1].versions[2].intents[0].entities[1].name is missing
    unique entities[1].versions[2].intents[1].name repeats 'x'
    displayable entities[2].name holds a control character
    string entities[2].provider must be a string, not a number
    array entities[2].versions must be an array, not a number
    unique entities[2].id repeats 'b'
    object entities[3] must be an object, not a string
    ");
}

#[test]
fn a_pushed_list_is_read_by_the_rules_of_v1() {
    let list = |slots: Value| {
        json!({"chatBots": [{"id": "c", "name": "Claims", "versions": [
            {"version": "1", "supportedLanguages": ["en-us"], "intents": [{"name": "done", "slots": slots}]}]}]})
    };
    let (bots, findings) = manifest::read(Door::V1, &list(json!({"n": {"name": "n", "type": "integer"}})));
    assert_eq!(rules(&findings), Vec::<String>::new());
    assert_eq!(bots[0].versions[0].intents["done"]["n"], "Integer");
    let broken = list(json!({"n": {"name": "m", "type": "Number"}, "o": {"name": "o"}}));
    let (_, findings) = manifest::read(Door::V1, &broken);
    insta::assert_snapshot!(rules(&findings).join("\n"), @r"
    slot-key chatBots[0].versions[0].intents[0].slots.n.name is 'm', its key is 'n'
    entity-type chatBots[0].versions[0].intents[0].slots.n.type 'Number' is not a type
    required chatBots[0].versions[0].intents[0].slots.o.type is missing
    ");
    let (_, findings) = manifest::read(Door::V1, &list(json!([])));
    insta::assert_snapshot!(rules(&findings).join("\n"), @"object chatBots[0].versions[0].intents[0].slots must be an object, not an array");
}

fn published() -> BotVersion {
    let (bots, _) = manifest::read(
        Door::V1,
        &json!({"chatBots": [{"id": "b", "name": "B", "versions": [{"version": "1", "supportedLanguages": ["en"], "intents": [
            {"name": "done", "slots": {
                "text": {"name": "text", "type": "String"},
                "count": {"name": "count", "type": "Integer"},
                "price": {"name": "price", "type": "Currency"},
                "why": {"name": "why", "type": "StringCollection"},
            }},
            {"name": "human"},
        ]}]}]}),
    );
    bots[0].versions[0].clone()
}

#[test]
fn answers_of_v2_and_what_they_break() {
    let table = [
        (json!({"botState": "MoreData"}), ""),
        (json!({"botState": "MoreData", "replyMessages": [], "parameters": null, "entities": null}), ""),
        (json!({"botState": "Complete", "intent": "human", "confidence": 0.5}), ""),
        (json!({"botState": "Failed", "errorInfo": {"errorCode": "a", "errorMessage": "b"}}), ""),
        (json!([]), "object"),
        (json!({}), "required"),
        (json!({"botState": "MOREDATA"}), "bot-state"),
        (json!({"botState": "Complete"}), "complete-needs-intent"),
        (json!({"botState": "Complete", "intent": "Human"}), "intent-declared"),
        (json!({"botState": "MoreData", "replymessages": []}), "~unknown-member"),
        (json!({"botState": "MoreData", "confidence": 1.5}), "confidence"),
        (json!({"botState": "MoreData", "confidence": "0.5"}), "confidence"),
        (
            json!({"botState": "MoreData", "parameters": {"a": 1, "b": true}}),
            "parameters-are-strings parameters-are-strings",
        ),
        (json!({"botState": "Failed", "errorInfo": {"code": "a", "message": "b"}}), "~error-info-members"),
        (json!({"botState": "Failed", "errorInfo": {"errorCode": "a"}}), "required"),
        (entities(json!([{"name": "count", "type": "Integer", "value": "42"}])), ""),
        (entities(json!([{"name": "count", "type": "Integer", "value": 42}])), "values-are-strings"),
        (entities(json!([{"name": "count", "type": "Integer", "value": "4x"}])), "value-form"),
        (entities(json!([{"name": "count", "type": "Decimal", "value": "4"}])), "entity-type-declared"),
        (entities(json!([{"name": "other", "type": "String", "value": "4"}])), "entity-declared"),
        (entities(json!([{"name": "why", "type": "StringCollection", "values": ["a", 2]}])), "values-are-strings"),
        (entities(json!([{"name": "why", "type": "StringCollection", "value": "a"}])), "required"),
    ];
    for (body, wanted) in table {
        let answer = answer::read(&body, &published(), Rules { door: Door::V2, attachments: true, screen: None }, &[]);
        assert_eq!(names(&answer.findings), wanted, "{body}");
    }
}

fn entities(entities: Value) -> Value {
    json!({"botState": "Complete", "intent": "done", "entities": entities})
}

fn names(findings: &super::Findings) -> String {
    let mark = |v: &super::Violation| format!("{}{}", if v.severity == Severity::Warning { "~" } else { "" }, v.rule);
    findings.0.iter().map(mark).collect::<Vec<_>>().join(" ")
}

#[test]
fn reply_messages_and_what_they_break() {
    let quick = |text: &str, payload: &str| json!({"contentType": "QuickReply", "quickReply": {"text": text, "payload": payload}});
    let card = |actions: Value| json!({"contentType": "Card", "card": {"title": "T", "actions": actions}});
    let structured = |content: Value| json!({"type": "Structured", "text": "t", "content": content});
    let cards: Vec<Value> = (0..11).map(|n| json!({"title": n.to_string(), "actions": []})).collect();
    let file = json!({"contentType": "Attachment", "attachment":
        {"id": "1", "mediaType": "File", "url": "https://x.example/a", "filename": "a"}});
    let sent = |other: Value| {
        let mut file = file.clone();
        for (member, value) in other.as_object().unwrap() {
            file["attachment"][member] = value.clone();
        }
        json!({"type": "Text", "text": "t", "content": [file]})
    };
    let link = json!({"type": "Link", "text": "Go", "url": "https://x.example"});
    let table = [
        (json!({"type": "Text", "text": "hello"}), ""),
        (json!({"type": "Text"}), "text-needs-text"),
        (json!({"type": "Text", "text": ""}), "text-needs-text"),
        (json!({"type": "text", "text": "hello"}), "message-type"),
        (json!({"type": "Structured", "text": "t"}), "structured-needs-content"),
        (json!({"type": "Text", "text": "t", "content": [quick("A", "a")]}), "content-in-message-type"),
        (structured(json!([quick("A", "a"), quick("B", "b")])), ""),
        (structured(json!([quick("A", "a"), quick("A", "a")])), "~unique-text-and-payload"),
        (structured(json!([{"contentType": "QuickReply", "quickReply": {"text": "A"}}])), "required"),
        (structured(json!([{"contentType": "DatePicker", "datePicker": {}}])), "content-type"),
        (structured(json!([card(json!([link, {"type": "Postback", "text": "A", "payload": "a"}]))])), ""),
        (
            structured(json!([card(json!([{"type": "Link", "text": "A"}, {"type": "Postback", "text": "B"}]))])),
            "required required",
        ),
        (structured(json!([card(json!([{"type": "Call", "text": "A"}]))])), "action-type"),
        (structured(json!([{"contentType": "Card", "card": {"actions": []}}])), "required"),
        (structured(json!([{"contentType": "Carousel", "carousel": {"cards": cards}}])), "carousel-at-most-10"),
        (json!({"type": "Text", "text": "t", "content": [file]}), "attachments-switched-off"),
        (structured(json!([file])), "content-in-message-type attachments-switched-off"),
        (sent(json!({"url": "file.png"})), "attachments-switched-off attachment-url"),
        (sent(json!({"filename": "a.pdf"})), "attachments-switched-off ~attachment-type"),
        (sent(json!({"mime": "video/mp4"})), "attachments-switched-off ~attachment-type"),
        (sent(json!({"contentSizeBytes": 25_000_001})), "attachments-switched-off ~attachment-size"),
    ];
    for (message, wanted) in table {
        let body = json!({"botState": "MoreData", "replyMessages": [message]});
        let answer = answer::read(&body, &published(), Rules { door: Door::V2, attachments: false, screen: None }, &[]);
        assert_eq!(names(&answer.findings), wanted, "{message}");
    }
}

#[test]
fn answers_of_v1_and_what_they_break() {
    let slots = |slots: Value| json!({"botState": "COMPLETE", "intent": "done", "slotValues": slots});
    let table = [
        (json!({"botState": "MoreData", "intent": "human", "replymessages": [{"type": "text", "text": "hi"}]}), ""),
        (json!({"botState": "MOREDATA", "intent": "turn-a"}), "~intent-declared"),
        (json!({"botState": "complete", "intent": "turn-a"}), "intent-declared"),
        (json!({"botState": "COMPLETE"}), "complete-needs-intent"),
        (json!({"botState": "WAITING", "intent": "human"}), "bot-state"),
        (json!({"botState": "MOREDATA", "intent": "human", "replyMessages": []}), "~unknown-member ~replymessages"),
        (json!({"botState": "MOREDATA", "intent": "human", "parameters": {"n": 1}}), "parameters-are-strings"),
        (json!({"botState": "MOREDATA", "intent": {"name": "human"}}), "string ~intent-always"),
        (json!({"botState": "COMPLETE", "intent": "human", "confidence": "1.0"}), "~confidence"),
        (slots(json!({"count": 2, "price": {"amount": "5.00", "code": "USD"}, "why": ["a"]})), ""),
        (slots(json!({"price": "17.00|USD", "text": "x", "count": null})), ""),
        (slots(json!({"count": "2", "price": "17 USD", "why": "a"})), "value-form value-form value-form"),
        (slots(json!({"other": 1})), "~slot-declared"),
        (
            json!({"botState": "MOREDATA", "intent": "human", "replymessages":
            [{"type": "Structured", "text": "t", "content": [{"contentType": "QuickReply", "quickReply": {"text": "A"}}]}]}),
            "",
        ),
    ];
    for (body, wanted) in table {
        let answer = answer_v1::read(&body, &published(), Rules { door: Door::V1, attachments: true, screen: None });
        assert_eq!(names(&answer.findings), wanted, "{body}");
    }
    let camel = json!({"botState": "Failed", "intent": "human", "replyMessages": [{"type": "Text", "text": "lost"}]});
    let answer = answer_v1::read(&camel, &published(), Rules { door: Door::V1, attachments: true, screen: None });
    assert_eq!((answer.state, answer.messages.len()), (Some(BotState::Failed), 0));
}

#[test]
fn string_forms_of_values() {
    let long = "9".repeat(40);
    let table: [(&str, &[&str], &[&str]); 6] = [
        ("Integer", &["0", "-42", "999999999999999"], &["1000000000000000", "+1", "1.0", "", " 1"]),
        ("Decimal", &["42.5", "-0.1", &long, "1.0"], &["1e3", ".5", "5.", "1,5", &format!("{long}.5")]),
        ("Boolean", &["true", "false"], &["True", "1", ""]),
        (
            "Duration",
            &["PT1H30M", "P30D", "-PT0.5S", "P1DT2H3M4.567S", "P11574074DT1H46M39.999S"],
            &["P1Y", "P1M", "PT", "P", "1H", "PT1.5H", "PT5M3H", "P11574074DT1H46M40S"],
        ),
        (
            "Datetime",
            &["2026-11-20T14:30:00Z", "2026-11-20T14:30:00", "2024-02-29T00:00:00.5+02:00"],
            &[
                "2026-11-20",
                "2026-02-29T00:00:00Z",
                "1799-12-31T23:59:59Z",
                "2026-11-20T24:00:00Z",
                "2026-11-20T14:30:00+2",
            ],
        ),
        (
            "Currency",
            &[r#"{"amount": 10.50, "code": "USD"}"#],
            &["10 USD", r#"{"amount": "10", "code": "USD"}"#, r#"{"amount": 1, "code": "usd"}"#],
        ),
    ];
    for (kind, good, bad) in table {
        for text in good {
            assert_eq!(value::check_text(kind, text), Ok(()), "{kind} {text}");
        }
        for text in bad {
            assert!(value::check_text(kind, text).is_err(), "{kind} {text}");
        }
    }
}
