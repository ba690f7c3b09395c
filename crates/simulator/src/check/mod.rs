//! The strict reading of what a connector sends, rule by rule, from the reference.
//!
//! Pure functions over [`serde_json::Value`], called by the flow (answers, manifests) and by the cloud (outgoing
//! messages, pushed bot lists). Nothing here knows the product's types: a misspelt member would otherwise be wrong
//! on both sides and pass. Every breach is collected, never only the first.

pub(crate) mod answer;
pub(crate) mod answer_v1;
pub(crate) mod content;
pub(crate) mod judge;
pub(crate) mod manifest;
#[cfg(test)]
mod tests;
pub(crate) mod value;

use serde::Serialize;
use serde_json::{Map, Value};

/// How bad a breach is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Genesys is believed to tolerate it, or the reference is unsure.
    Warning,
    /// The platform takes it, but the customer's channel does not show it as it was meant.
    Channel,
    /// The answer is well formed but does not fit the published bot; the flow takes the failure path.
    Meaning,
    /// The body breaks the schema: the failure path for an answer, 400 for an outgoing message.
    Schema,
}

/// One rule of the contract that was broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Which rule, in a stable spelling.
    pub rule: &'static str,
    /// Where, and what was found.
    pub detail: String,
    /// How bad it is.
    pub severity: Severity,
}

impl Violation {
    /// Whether it counts as a mistake of the bot, as opposed to a warning.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity != Severity::Warning
    }

    /// Whether the answer is unusable because of this.
    pub(crate) fn breaks(&self) -> bool {
        self.severity >= Severity::Meaning
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mark = if self.is_error() { "violation" } else { "warning" };
        write!(f, "{mark} {}: {}", self.rule, self.detail)
    }
}

/// The breaches found so far.
#[derive(Debug, Default)]
pub(crate) struct Findings(pub(crate) Vec<Violation>);

impl Findings {
    pub(crate) fn schema(&mut self, rule: &'static str, detail: impl Into<String>) {
        self.add(rule, detail, Severity::Schema);
    }

    pub(crate) fn meaning(&mut self, rule: &'static str, detail: impl Into<String>) {
        self.add(rule, detail, Severity::Meaning);
    }

    pub(crate) fn warning(&mut self, rule: &'static str, detail: impl Into<String>) {
        self.add(rule, detail, Severity::Warning);
    }

    pub(crate) fn add(&mut self, rule: &'static str, detail: impl Into<String>, severity: Severity) {
        self.0.push(Violation { rule, detail: detail.into(), severity });
    }

    /// A required array; a missing or wrong one is reported and read as empty.
    pub(crate) fn array<'a>(&mut self, object: &'a Map<String, Value>, name: &str, at: &str) -> &'a [Value] {
        match object.get(name) {
            Some(Value::Array(items)) => items,
            Some(other) => {
                self.schema("array", format!("{at}.{name} must be an array, not {}", kind(other)));
                &[]
            }
            None => {
                self.schema("required", format!("{at}.{name} is missing"));
                &[]
            }
        }
    }

    /// A required, non-empty string.
    pub(crate) fn text<'a>(&mut self, object: &'a Map<String, Value>, name: &str, at: &str) -> Option<&'a str> {
        match object.get(name) {
            Some(Value::String(text)) if !text.is_empty() => Some(text),
            Some(Value::String(_)) => {
                self.schema("required", format!("{at}.{name} is empty"));
                None
            }
            None | Some(Value::Null) => {
                self.schema("required", format!("{at}.{name} is missing"));
                None
            }
            Some(other) => {
                self.schema("string", format!("{at}.{name} must be a string, not {}", kind(other)));
                None
            }
        }
    }

    /// An optional string; null counts as absent.
    pub(crate) fn optional_text<'a>(
        &mut self,
        object: &'a Map<String, Value>,
        name: &str,
        at: &str,
    ) -> Option<&'a str> {
        match object.get(name) {
            Some(Value::String(text)) => Some(text),
            None | Some(Value::Null) => None,
            Some(other) => {
                self.schema("string", format!("{at}.{name} must be a string, not {}", kind(other)));
                None
            }
        }
    }

    /// Members the reference does not name. They are tolerated, and worth a look.
    pub(crate) fn unknown_members(&mut self, object: &Map<String, Value>, known: &[&str], at: &str) {
        for name in object.keys().filter(|name| !known.contains(&name.as_str())) {
            self.warning("unknown-member", format!("{at}.{name} is not a member that the reference names"));
        }
    }

    /// Reads `value` as an object, or reports it.
    pub(crate) fn object<'a>(&mut self, value: &'a Value, at: &str) -> Option<&'a Map<String, Value>> {
        match value {
            Value::Object(map) => Some(map),
            other => {
                self.schema("object", format!("{at} must be an object, not {}", kind(other)));
                None
            }
        }
    }
}

/// What a JSON value is, in words.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
