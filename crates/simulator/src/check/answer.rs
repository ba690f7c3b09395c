//! The answer of a v2 bot: the body of a 200 to `POST {base}/messages`, and of an outgoing message.
//!
//! `reference/digital-bot-connector.md`, sections 1.4, 2.1 and 7.6.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::content::{self, Message, Rules};
use super::manifest::BotVersion;
use super::{Findings, kind, value};

/// What a bot says about its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BotState {
    MoreData,
    Complete,
    Failed,
}

/// An answer, as far as it could be read.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) state: Option<BotState>,
    pub(crate) intent: Option<String>,
    pub(crate) messages: Vec<Message>,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) slots: BTreeMap<String, Value>,
    pub(crate) error: Option<(String, String)>,
    pub(crate) findings: Findings,
}

impl Answer {
    pub(crate) fn is_usable(&self) -> bool {
        !self.findings.0.iter().any(super::Violation::breaks)
    }
}

const MEMBERS: [&str; 7] = ["botState", "intent", "confidence", "entities", "replyMessages", "parameters", "errorInfo"];

/// Reads the members that an answer and an outgoing message share.
pub(crate) fn read(body: &Value, bot: &BotVersion, rules: Rules, also_known: &[&str]) -> Answer {
    let mut answer = Answer::default();
    let findings = &mut answer.findings;
    let Some(object) = findings.object(body, "the body") else { return answer };
    let known: Vec<&str> = MEMBERS.iter().chain(also_known).copied().collect();
    findings.unknown_members(object, &known, "body");
    answer.state = match findings.text(object, "botState", "body") {
        Some("MoreData") => Some(BotState::MoreData),
        Some("Complete") => Some(BotState::Complete),
        Some("Failed") => Some(BotState::Failed),
        Some(other) => {
            findings.schema("bot-state", format!("botState '{other}' is not Complete, Failed or MoreData"));
            None
        }
        None => None,
    };
    answer.intent = findings.optional_text(object, "intent", "body").filter(|i| !i.is_empty()).map(str::to_owned);
    confidence(findings, object);
    answer.messages = match object.get("replyMessages") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => content::messages(findings, rules, items, "replyMessages"),
        Some(other) => {
            findings.schema("array", format!("replyMessages must be an array, not {}", kind(other)));
            Vec::new()
        }
    };
    answer.parameters = parameters(findings, object);
    let declared = answer.intent.as_deref().and_then(|intent| bot.intents.get(intent));
    if answer.state == Some(BotState::Complete) {
        match (&answer.intent, declared) {
            (None, _) => findings.meaning("complete-needs-intent", "Complete without an intent"),
            (Some(intent), None) => {
                findings.meaning("intent-declared", format!("Complete with '{intent}', which the flow does not know"));
            }
            (Some(_), Some(_)) => {}
        }
    }
    answer.slots = entities(findings, object, answer.intent.as_deref(), declared);
    answer.error = error_info(findings, object, answer.state);
    answer
}

pub(crate) fn confidence(findings: &mut Findings, object: &Map<String, Value>) {
    match object.get("confidence") {
        None | Some(Value::Null) => {}
        Some(Value::Number(n)) if n.as_f64().is_some_and(|n| (0.0..=1.0).contains(&n)) => {}
        Some(other) => findings.schema("confidence", format!("confidence {other} is not a number from 0 to 1")),
    }
}

/// A flat map of strings, in both directions.
pub(crate) fn parameters(findings: &mut Findings, object: &Map<String, Value>) -> BTreeMap<String, String> {
    let mut read = BTreeMap::new();
    let Some(value) = object.get("parameters").filter(|value| !value.is_null()) else { return read };
    let Some(map) = findings.object(value, "parameters") else { return read };
    for (name, value) in map {
        match value {
            Value::String(text) => {
                read.insert(name.clone(), text.clone());
            }
            other => {
                findings.schema("parameters-are-strings", format!("parameters.{name} is {}", kind(other)));
            }
        }
    }
    read
}

fn entities(
    findings: &mut Findings,
    object: &Map<String, Value>,
    intent: Option<&str>,
    declared: Option<&BTreeMap<String, String>>,
) -> BTreeMap<String, Value> {
    let mut read = BTreeMap::new();
    let items = match object.get("entities") {
        None | Some(Value::Null) => return read,
        Some(_) => findings.array(object, "entities", "body"),
    };
    for (n, item) in items.iter().enumerate() {
        let at = format!("entities[{n}]");
        let Some(entity) = findings.object(item, &at) else { continue };
        findings.unknown_members(entity, &["name", "type", "value", "values"], &at);
        let name = findings.text(entity, "name", &at);
        let Some(kind) = findings.text(entity, "type", &at) else { continue };
        if !value::is_type(kind) {
            findings.schema("entity-type", format!("{at}.type '{kind}' is not a type"));
            continue;
        }
        let Some(name) = name else { continue };
        match declared.and_then(|declared| declared.get(name)) {
            None => findings.meaning(
                "entity-declared",
                format!("{at}: '{name}' is not declared for intent '{}'", intent.unwrap_or("(none)")),
            ),
            Some(wanted) if wanted != kind => {
                findings
                    .meaning("entity-type-declared", format!("{at}: '{name}' is declared {wanted}, sent as {kind}"));
            }
            Some(_) => {}
        }
        if let Some(value) = entity_value(findings, entity, kind, &at) {
            read.insert(name.to_owned(), value);
        }
    }
    read
}

/// All values travel as strings: `value` for a simple type, `values` for a collection.
fn entity_value(findings: &mut Findings, entity: &Map<String, Value>, kind: &str, at: &str) -> Option<Value> {
    let Some(element) = value::element_type(kind) else {
        let text = match entity.get("value") {
            Some(Value::String(text)) => text,
            Some(other) => {
                findings
                    .schema("values-are-strings", format!("{at}.value must be a string, not {}", self::kind(other)));
                return None;
            }
            None => {
                findings.schema("required", format!("{at}.value is missing"));
                return None;
            }
        };
        if let Err(problem) = value::check_text(kind, text) {
            findings.schema("value-form", format!("{at}: {problem}"));
        }
        return Some(Value::String(text.clone()));
    };
    for (n, item) in findings.array(entity, "values", at).iter().enumerate() {
        match item {
            Value::String(text) => {
                if let Err(problem) = value::check_text(element, text) {
                    findings.schema("value-form", format!("{at}.values[{n}]: {problem}"));
                }
            }
            other => {
                let found = self::kind(other);
                findings.schema("values-are-strings", format!("{at}.values[{n}] must be a string, not {found}"));
            }
        }
    }
    entity.get("values").cloned()
}

/// Only for `Failed`. The platform's SDK names the members `code` and `message`; both are read, the latter warned of.
pub(crate) fn error_info(
    findings: &mut Findings,
    object: &Map<String, Value>,
    state: Option<BotState>,
) -> Option<(String, String)> {
    let value = object.get("errorInfo").filter(|value| !value.is_null())?;
    let info = findings.object(value, "errorInfo")?;
    if state != Some(BotState::Failed) {
        findings.warning("error-info-only-when-failed", "errorInfo beside another state than Failed");
    }
    if info.contains_key("code") || info.contains_key("message") {
        findings.warning(
            "error-info-members",
            "errorInfo has code and message; the reference says errorCode, errorMessage",
        );
        let read = |name: &str| info.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        return Some((read("code"), read("message")));
    }
    findings.unknown_members(info, &["errorCode", "errorMessage"], "errorInfo");
    let code = findings.text(info, "errorCode", "errorInfo")?.to_owned();
    let message = findings.text(info, "errorMessage", "errorInfo")?.to_owned();
    Some((code, message))
}
