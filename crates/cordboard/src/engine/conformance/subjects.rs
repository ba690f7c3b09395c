//! The engines under test, and what the platform behind each answers in each situation.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Situation, Subject, reply};
use crate::engine::connector::{self, Endpoint};
use crate::engine::openai::{self, OpenAi};
use crate::engine::script::Script;
use crate::engine::webhook::{Config, Webhook};
use crate::engine::{Engine, Limits};

pub(super) fn script() -> Subject {
    const SCRIPT: &str = r#"
        default.say = "Hello"
        [[rules]]
        when.words = "babble"
        then.say = ["\u0007aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "1", "2", "3"]
        [[rules]]
        when.words = "ends"
        then = { say = "Bye", end = true, intent = "Done", set.number = "42" }
        [[rules]]
        when.words = "handsover"
        then = { say = "Wait", hand_over = { reason = "asked", note = "be kind" } }
        [[rules]]
        when.words = "busy"
        then.fail = "unavailable"
        [[rules]]
        when.words = "refuses"
        then.fail = "refused"
        [[rules]]
        when.words = "nonsense"
        then.fail = "nonsense"
    "#;
    Subject {
        make: |limits| Arc::new(Script::parse(SCRIPT, limits).unwrap()),
        platform: |_| unreachable!("a script answers itself"),
        keeps_state: true,
    }
}

pub(super) fn webhook() -> Subject {
    Subject {
        make: |limits| {
            let mut config: Config = toml::from_str(
                r#"
                url = "https://bot.example.org/turns"
                secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
                bearer = "token"
                notify = ["opened", "ended", "handed_over", "returned"]
                "#,
            )
            .unwrap();
            config.limits = limits;
            Arc::new(Webhook::new(&config).unwrap())
        },
        platform: |situation| match situation {
            Situation::Hello | Situation::GoesOn => {
                reply(200, r#"{"items": [{"kind": "text", "text": "Hello"}], "engine_state": {"n": 1.50}}"#)
            }
            Situation::Babble => {
                let long = format!("\\u0007{}", "a".repeat(100));
                reply(200, format!(r#"[{{"text": "{long}"}}, {{"text": "1"}}, {{"text": "2"}}, {{"text": "3"}}]"#))
            }
            Situation::Ends => reply(
                200,
                r#"{"text": "Bye", "next": {"kind": "end"}, "nlu": {"intent": {"name": "Done"}, "slots": {"number": 42}}}"#,
            ),
            Situation::HandsOver => reply(
                200,
                r#"{"text": "Wait", "next": {"kind": "handoff", "reason": "asked", "note_to_agent": "be kind"}}"#,
            ),
            Situation::Busy => reply(503, ""),
            Situation::Refuses => reply(400, r#"{"title": "no"}"#),
            Situation::Nonsense => reply(200, "<html>"),
        },
        keeps_state: true,
    }
}

/// A language model in the form of Chat Completions.
pub(super) fn chat_completions() -> Subject {
    Subject {
        make: |limits| language_model("chat_completions", limits),
        platform: |situation| {
            let said = |content: Value, calls: &[(&str, &str)]| {
                let calls: Vec<Value> = calls
                    .iter()
                    .map(|(name, arguments)| json!({"id": "c", "function": {"name": name, "arguments": arguments}}))
                    .collect();
                let message = json!({"role": "assistant", "content": content, "tool_calls": calls});
                reply(200, json!({"choices": [{"message": message, "finish_reason": "stop"}]}).to_string())
            };
            match situation {
                Situation::Hello => said("Hello".into(), &[]),
                Situation::GoesOn => said(Value::Null, &[("set_attributes", "{}")]),
                Situation::Babble => {
                    let long = format!("\u{7}{}", "a".repeat(100));
                    said(json!([{"text": long}, {"text": "1"}, {"text": "2"}, {"text": "3"}]), &[])
                }
                Situation::Ends => said("Bye".into(), &[("end", r#"{"intent": "Done", "slots": {"number": 42}}"#)]),
                Situation::HandsOver => {
                    said("Wait".into(), &[("hand_over", r#"{"reason": "asked", "note": "be kind"}"#)])
                }
                Situation::Busy => reply(429, r#"{"error": {"code": "rate_limit_exceeded"}}"#),
                Situation::Refuses => reply(400, r#"{"error": {"code": "unknown_parameter"}}"#),
                Situation::Nonsense => reply(200, "<html>"),
            }
        },
        keeps_state: false,
    }
}

/// The same in the form of Responses.
pub(super) fn responses() -> Subject {
    Subject {
        make: |limits| language_model("responses", limits),
        platform: |situation| {
            let said = |texts: &[&str], call: Option<(&str, &str)>| {
                let mut output: Vec<Value> = texts
                    .iter()
                    .map(|text| json!({"type": "message", "content": [{"type": "output_text", "text": text}]}))
                    .collect();
                output.extend(call.map(|(name, arguments)| {
                    json!({"type": "function_call", "call_id": "c", "name": name, "arguments": arguments})
                }));
                reply(200, json!({"status": "completed", "output": output}).to_string())
            };
            match situation {
                Situation::Hello => said(&["Hello"], None),
                Situation::GoesOn => said(&[], Some(("set_attributes", "{}"))),
                Situation::Babble => said(&[&format!("\u{7}{}", "a".repeat(100)), "1", "2", "3"], None),
                Situation::Ends => said(&["Bye"], Some(("end", r#"{"intent": "Done", "slots": {"number": 42}}"#))),
                Situation::HandsOver => {
                    said(&["Wait"], Some(("hand_over", r#"{"reason": "asked", "note": "be kind"}"#)))
                }
                Situation::Busy => reply(503, ""),
                Situation::Refuses => reply(401, ""),
                Situation::Nonsense => reply(200, "<html>"),
            }
        },
        keeps_state: false,
    }
}

fn language_model(api: &str, limits: Limits) -> Arc<dyn Engine> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("prompt.md"), "You help with parcels.").unwrap();
    let config = format!("model = 'm'\nprompt = 'prompt.md'\nstream = false\napi = '{api}'\napi_key = 'token'");
    let mut config: openai::Config = toml::from_str(&config).unwrap();
    config.limits = limits;
    Arc::new(OpenAi::load(&config, folder.path()).unwrap())
}

fn endpoint(speaks: &str, more: &str, limits: Limits) -> Arc<dyn Engine> {
    let config = format!(
        "speaks = '{speaks}'\nurl = 'https://bot.example.org/genesys'\nheaders = {{ x-key = 'token-of-some-length' }}\n{more}"
    );
    let mut config: connector::Config = toml::from_str(&config).unwrap();
    config.limits = limits;
    Arc::new(Endpoint::new(&config).unwrap())
}

pub(super) fn connector_v1() -> Subject {
    Subject {
        make: |limits| endpoint("v1", "", limits),
        platform: |situation| match situation {
            Situation::Hello | Situation::GoesOn => {
                reply(200, said("replymessages", &["Hello"], "'botState': 'MOREDATA', 'intent': 'None'"))
            }
            Situation::Babble => {
                let long = format!("\\u0007{}", "a".repeat(100));
                reply(200, said("replymessages", &[&long, "1", "2", "3"], "'botState': 'moredata'"))
            }
            Situation::Ends => reply(
                200,
                said(
                    "replymessages",
                    &["Bye"],
                    "'botState': 'COMPLETE', 'intent': 'Done', 'slotValues': {'number': 42}",
                ),
            ),
            Situation::HandsOver => reply(200, said("replymessages", &["Wait"], HANDS_OVER)),
            Situation::Busy => reply(503, ""),
            Situation::Refuses => reply(403, r#"{"error": "forbidden"}"#),
            Situation::Nonsense => reply(200, said("replymessages", &["Hm"], "'botState': 'THINKING'")),
        },
        keeps_state: false,
    }
}

pub(super) fn connector_v2() -> Subject {
    Subject {
        make: |limits| {
            let callbacks = "callbacks = { client_id = 'bot', client_secret = 'token-of-the-client' }";
            endpoint("v2", callbacks, limits)
        },
        platform: |situation| match situation {
            Situation::Hello | Situation::GoesOn => {
                reply(200, said("replyMessages", &["Hello"], "'botState': 'MoreData'"))
            }
            Situation::Babble => {
                let long = format!("\\u0007{}", "a".repeat(100));
                reply(200, said("replyMessages", &[&long, "1", "2", "3"], "'botState': 'MoreData'"))
            }
            Situation::Ends => {
                let number = "'entities': [{'name': 'number', 'type': 'Integer', 'value': '42'}]";
                let ends = format!("'botState': 'Complete', 'intent': 'Done', {number}");
                reply(200, said("replyMessages", &["Bye"], &ends))
            }
            Situation::HandsOver => reply(200, said("replyMessages", &["Wait"], HANDS_OVER)),
            Situation::Busy => reply(503, ""),
            Situation::Refuses => reply(404, ""),
            Situation::Nonsense => reply(200, said("replyMessages", &["Hm"], "'botState': 'Thinking'")),
        },
        keeps_state: false,
    }
}

const HANDS_OVER: &str =
    "'botState': 'Complete', 'intent': 'human', 'parameters': {'handOverReason': 'asked', 'handOverNote': 'be kind'}";

/// An answer of the platform's contracts, with texts under this key.
fn said(key: &str, texts: &[&str], rest: &str) -> String {
    let texts: Vec<String> = texts.iter().map(|text| format!("{{'type': 'Text', 'text': '{text}'}}")).collect();
    format!("{{'{key}': [{}], {rest}}}", texts.join(", ")).replace('\'', "\"")
}
