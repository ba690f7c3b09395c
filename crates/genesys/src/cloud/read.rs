//! The one way from bytes to a type: it tells 'not JSON' from 'JSON, but not this message', and repeats no content.

use serde::de::{DeserializeOwned, IgnoredAny};

use super::lenient::Object;

/// Why a body could not be read. Neither form repeats anything a customer wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The body is not one JSON value in UTF-8. Sending it again cannot help.
    #[error("the body is not JSON")]
    NotJson,
    /// The body is JSON, but not the expected message, or nested too deeply to read.
    #[error("the body is JSON but not the expected message, at line {line} column {column}: {reason}")]
    NotUnderstood {
        /// Line of the first problem, from 1.
        line: usize,
        /// Column of the first problem, in bytes, from 1; 0 when the problem was found at the end of the line before.
        column: usize,
        /// What is wrong, without any value from the body.
        reason: String,
    },
}

/// Reads one message, a JSON object, from the bytes of a body.
///
/// # Errors
///
/// [`Unreadable::NotJson`] when the bytes are not JSON at all, [`Unreadable::NotUnderstood`] when they are but no
/// object, or a required member is absent or has a wrong type.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Unreadable> {
    match serde_json::from_slice(body) {
        Ok(Object(Some(message))) => Ok(message),
        Ok(Object(None)) => {
            Err(Unreadable::NotUnderstood { line: 1, column: 0, reason: "the body is not an object".to_owned() })
        }
        Err(error) => Err(explain(body, &error)),
    }
}

fn explain(body: &[u8], error: &serde_json::Error) -> Unreadable {
    // The typed reader stops at the first problem, so only a second look tells whether the rest is JSON. Skipping a
    // value needs no recursion, whatever its depth; it checks no UTF-8 inside strings, hence the check here.
    if std::str::from_utf8(body).is_err() || serde_json::from_slice::<IgnoredAny>(body).is_err() {
        return Unreadable::NotJson;
    }
    Unreadable::NotUnderstood { line: error.line(), column: error.column(), reason: reason(&error.to_string()) }
}

/// Keeps only those messages of the JSON reader that cannot quote a value.
fn reason(message: &str) -> String {
    let first = message.split(" at line ").next().unwrap_or_default();
    let quotes_nothing = ["missing field `", "duplicate field `", "recursion limit exceeded", "number out of range"];
    if quotes_nothing.iter().any(|start| first.starts_with(start)) {
        first.to_owned()
    } else {
        "a required member has the wrong type or is empty".to_owned()
    }
}
