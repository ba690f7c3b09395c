//! Refusals of the platform's API, and what to do about each.
//!
//! Source: `reference/digital-bot-connector.md`, section 2.1, and `reference/open-messaging-and-platform-api.md`,
//! sections 2.3 to 2.5.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::lenient;

/// The platform's error body. Every member may be missing, and a member of a wrong type is read as missing.
///
/// The texts may repeat what was sent, so they belong in no log; [`code`](Self::code),
/// [`status`](Self::status) and [`context_id`](Self::context_id) are safe there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// A sentence in English.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The stable name of the error, such as `session.not.found`.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The HTTP status, repeated.
    #[serde(default, deserialize_with = "lenient::small_unsigned", skip_serializing_if = "Option::is_none")]
    pub status: Option<u32>,
    /// The message with placeholders.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub message_with_params: Option<String>,
    /// The values of those placeholders.
    #[serde(default, deserialize_with = "owned_parameters", skip_serializing_if = "BTreeMap::is_empty")]
    pub message_params: BTreeMap<String, String>,
    /// The platform's correlation id, equal to the response header `ININ-Correlation-Id`.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub context_id: Option<String>,
    /// Which members of the request were wrong.
    #[serde(default, deserialize_with = "lenient::objects", skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<ErrorDetail>,
    /// Errors below this one.
    #[serde(default, deserialize_with = "lenient::objects", skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ErrorBody>,
    /// The entity the error is about.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub entity_id: Option<String>,
    /// That entity's name.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub entity_name: Option<String>,
    /// The limit that was reached.
    #[serde(default, deserialize_with = "lenient::object", skip_serializing_if = "Option::is_none")]
    pub limit: Option<ReachedLimit>,
}

fn owned_parameters<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let parameters = lenient::parameters(deserializer)?;
    Ok(parameters.into_iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
}

impl ErrorBody {
    /// Reads the body of a refusal. A body that is no JSON object, such as a proxy's page, is read as an empty one.
    #[must_use]
    pub fn read(body: &[u8]) -> ErrorBody {
        super::read(body).unwrap_or_default()
    }
}

/// One wrong member of a refused request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorDetail {
    /// The stable name of the problem.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// The member.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub field_name: Option<String>,
    /// The entity it belongs to.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub entity_id: Option<String>,
    /// That entity's name.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub entity_name: Option<String>,
}

/// A platform limit that was reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReachedLimit {
    /// The limit's name, such as `client.credentials.token.rate.per.minute`.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The area it belongs to, such as `platform.api`.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its value, in the unit that its name says.
    #[serde(default, deserialize_with = "lenient::unsigned", skip_serializing_if = "Option::is_none")]
    pub value: Option<u64>,
}

/// What an answer of the platform's API means for the message that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Any 2xx: the platform has it. A body is never required.
    Sent,
    /// 429 or 503: the platform did not take it; sending it again cannot duplicate it.
    NotSent {
        /// The wait the platform asked for; add jitter, and grow it when it is refused again.
        retry_after: Option<Duration>,
    },
    /// 401: drop the token, fetch a new one once, send again once.
    Unauthorised,
    /// 409 with `session.already.closed` or `session.not.found`, or another unknown code of a session: nobody is there
    /// to read it; drop it and free the session.
    SessionGone,
    /// An operator has to act, and later messages fare no better: the integration is inactive, bot or version are not
    /// the session's, the client lacks a permission, or a redirect shows a wrong address.
    Misconfigured,
    /// The platform understood and refuses this message; the same bytes will be refused again.
    Refused,
    /// Whether the platform took it cannot be known (5xx other than 503, 408): a resend may be seen twice.
    Unknown,
}

impl Advice {
    /// Judges an answer by its HTTP status, the error body's `code` and the response header `Retry-After`.
    /// It has an answer for every status.
    #[must_use]
    pub fn of(status: u16, code: Option<&str>, retry_after: Option<&str>) -> Advice {
        match status {
            200..=299 => Advice::Sent,
            300..=399 | 403 => Advice::Misconfigured,
            401 => Advice::Unauthorised,
            409 => Advice::of_conflict(code.unwrap_or_default()),
            429 | 503 => Advice::NotSent { retry_after: retry_after.and_then(parse_retry_after) },
            408 => Advice::Unknown,
            400..=499 => Advice::Refused,
            _ => Advice::Unknown,
        }
    }

    fn of_conflict(code: &str) -> Advice {
        match code {
            "integration.not.active" | "session.bot.id.mismatch" | "session.bot.version.mismatch" => {
                Advice::Misconfigured
            }
            session if session.starts_with("session.") => Advice::SessionGone,
            _ => Advice::Refused,
        }
    }
}

/// Longest wait taken from a `Retry-After`, in seconds; a longer one is shortened to it.
pub const MAX_RETRY_AFTER_S: u64 = 86_400;

/// Reads a `Retry-After` header in whole seconds, the only form the platform sends. A date or anything else is `None`.
#[must_use]
pub fn parse_retry_after(value: &str) -> Option<Duration> {
    let digits = value.trim();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Only digits are left, so a failure to parse means more than 64 bits.
    let seconds = digits.parse().unwrap_or(MAX_RETRY_AFTER_S);
    Some(Duration::from_secs(seconds.min(MAX_RETRY_AFTER_S)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_its_advice() {
        let not_sent = |seconds: u64| Advice::NotSent { retry_after: Some(Duration::from_secs(seconds)) };
        let cases = [
            (200, None, None, Advice::Sent),
            (204, None, None, Advice::Sent),
            (429, Some("too.many.requests.retry.after"), Some("42"), not_sent(42)),
            (503, Some("service.unavailable"), Some("1"), not_sent(1)),
            (503, None, None, Advice::NotSent { retry_after: None }),
            (401, Some("bad.credentials"), None, Advice::Unauthorised),
            (403, Some("missing.permissions"), None, Advice::Misconfigured),
            (302, None, None, Advice::Misconfigured),
            (409, Some("session.already.closed"), None, Advice::SessionGone),
            (409, Some("session.not.found"), None, Advice::SessionGone),
            (409, Some("session.bot.id.mismatch"), None, Advice::Misconfigured),
            (409, Some("session.bot.version.mismatch"), None, Advice::Misconfigured),
            (409, Some("integration.not.active"), None, Advice::Misconfigured),
            (409, None, None, Advice::Refused),
            (400, Some("bad.request"), None, Advice::Refused),
            (415, Some("unsupported.media.type"), None, Advice::Refused),
            (408, None, None, Advice::Unknown),
            (500, Some("internal.server.error"), Some("5"), Advice::Unknown),
            (504, Some("request.timeout"), None, Advice::Unknown),
            (0, None, None, Advice::Unknown),
        ];
        for (status, code, retry_after, advice) in cases {
            assert_eq!(Advice::of(status, code, retry_after), advice, "{status} {code:?}");
        }
    }

    #[test]
    fn retry_after_is_whole_seconds_and_bounded() {
        let cases = [
            ("0", Some(0)),
            (" 42 ", Some(42)),
            ("86401", Some(MAX_RETRY_AFTER_S)),
            ("99999999999999999999999999", Some(MAX_RETRY_AFTER_S)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ];
        for (header, seconds) in cases {
            assert_eq!(parse_retry_after(header), seconds.map(Duration::from_secs), "{header}");
        }
    }

    #[test]
    fn a_page_of_a_proxy_is_an_empty_error_body() {
        for body in [&b"<html>502</html>"[..], b"", b"[1,2]", b"null", b"\xff"] {
            assert_eq!(ErrorBody::read(body), ErrorBody::default());
        }
    }

    #[test]
    fn wrong_types_cost_only_their_own_member() {
        let body =
            br#"{"code":"session.not.found","status":"409","message":{"a":1},"details":[7,{"fieldName":"botId"}],
            "errors":"none","limit":3,"messageParams":{"n":5},"contextId":["x"]}"#;
        let read = ErrorBody::read(body);
        assert_eq!(read.code.as_deref(), Some("session.not.found"));
        assert_eq!((read.status, read.message, read.context_id, read.limit), (Some(409), None, None, None));
        assert_eq!(read.details.len(), 1);
        assert_eq!(read.message_params["n"], "5");
    }
}
