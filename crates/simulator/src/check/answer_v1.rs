//! The answer of a v1 bot: the body of a 200 to the handle-utterance URL.
//!
//! `reference/bot-connector-v1.md`, sections 2.4, 4.5 and 10. The message list is `replymessages`, all lower case; a
//! camel-case key delivers nothing.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::answer::{self, Answer, BotState};
use super::content::{self, Rules};
use super::manifest::BotVersion;
use super::{Findings, kind, value};

const MEMBERS: [&str; 7] =
    ["botState", "intent", "confidence", "slotValues", "replymessages", "parameters", "errorInfo"];

/// Reads an answer against the published version of the bot.
pub(crate) fn read(body: &Value, bot: &BotVersion, rules: Rules) -> Answer {
    let mut answer = Answer::default();
    let findings = &mut answer.findings;
    let Some(object) = findings.object(body, "the body") else { return answer };
    findings.unknown_members(object, &MEMBERS, "body");
    answer.state =
        findings.text(object, "botState", "body").and_then(|state| match state.to_ascii_lowercase().as_str() {
            "moredata" => Some(BotState::MoreData),
            "complete" => Some(BotState::Complete),
            "failed" => Some(BotState::Failed),
            _ => None,
        });
    if answer.state.is_none() && object.get("botState").is_some_and(Value::is_string) {
        findings.schema("bot-state", format!("botState {} is not COMPLETE, FAILED or MOREDATA", object["botState"]));
    }
    answer.intent = findings.optional_text(object, "intent", "body").filter(|i| !i.is_empty()).map(str::to_owned);
    let declared = answer.intent.as_deref().and_then(|intent| bot.intents.get(intent));
    intent(findings, answer.state, answer.intent.as_deref(), declared.is_some());
    if object.get("confidence").is_some_and(Value::is_string) {
        findings.warning("confidence", "confidence is a string; send a number");
    } else {
        answer::confidence(findings, object);
    }
    answer.messages = match object.get("replymessages") {
        Some(Value::Array(items)) => content::messages(findings, rules, items, "replymessages"),
        None | Some(Value::Null) => {
            if object.contains_key("replyMessages") {
                findings.warning("replymessages", "the key is replymessages in v1: nothing was delivered");
            }
            Vec::new()
        }
        Some(other) => {
            findings.schema("array", format!("replymessages must be an array, not {}", kind(other)));
            Vec::new()
        }
    };
    answer.parameters = answer::parameters(findings, object);
    answer.slots = slots(findings, object, declared);
    answer.error = answer::error_info(findings, object, answer.state);
    answer
}

/// Only `COMPLETE` needs a declared intent; while more data is wanted, undeclared ones were seen to be tolerated.
fn intent(findings: &mut Findings, state: Option<BotState>, intent: Option<&str>, is_declared: bool) {
    match (state, intent) {
        (Some(BotState::Complete), None) => findings.meaning("complete-needs-intent", "COMPLETE without an intent"),
        (Some(BotState::Complete), Some(intent)) if !is_declared => {
            findings
                .meaning("intent-declared", format!("COMPLETE with '{intent}', which the bot list does not declare"));
        }
        (Some(BotState::MoreData), None) => findings.warning("intent-always", "MOREDATA without an intent"),
        (Some(BotState::MoreData), Some(intent)) if !is_declared => {
            findings
                .warning("intent-declared", format!("MOREDATA with '{intent}', which the bot list does not declare"));
        }
        _ => {}
    }
}

fn slots(
    findings: &mut Findings,
    object: &Map<String, Value>,
    declared: Option<&BTreeMap<String, String>>,
) -> BTreeMap<String, Value> {
    let mut read = BTreeMap::new();
    let Some(value) = object.get("slotValues").filter(|value| !value.is_null()) else { return read };
    let Some(slots) = findings.object(value, "slotValues") else { return read };
    for (name, value) in slots {
        match declared.and_then(|declared| declared.get(name)) {
            None => {
                findings.warning(
                    "slot-declared",
                    format!("slotValues.{name} is not declared for the intent, so it is lost"),
                );
                continue;
            }
            Some(_) if value.is_null() => continue,
            Some(kind) => {
                if let Err(problem) = value::check_native(kind, value) {
                    findings.schema("value-form", format!("slotValues.{name}: {problem}"));
                }
            }
        }
        read.insert(name.clone(), value.clone());
    }
    read
}
