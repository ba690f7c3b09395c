//! What a platform says to our own calls.

use ::bytes::Bytes;
use cordboard::connector::PushReading;
use cordboard::http::Reply;
use cordboard::registration::list::{Dropping, Plan};
use cordboard::registration::platform;
use genesys::cloud::bot_connector::BotList;
use genesys::cloud::digital_bot_connector::OutgoingMessagesReply;
use genesys::cloud::error::ErrorBody;
use genesys::cloud::oauth::{TokenRefusal, TokenReply};
use http::{HeaderMap, HeaderValue, header};

use crate::path::digital;

/// Two bytes of status, a line of `Retry-After`, and a body: of a push, and of a call for a token.
///
/// # Panics
/// When a promise about replies is broken.
pub fn push_reply(data: &[u8]) -> &'static str {
    let (status, rest) = data.split_first_chunk().map_or((0, data), |(head, rest)| (u16::from_be_bytes(*head), rest));
    let (line, body) = rest.split_at(rest.iter().position(|byte| *byte == b'\n').unwrap_or(0));
    let body = body.strip_prefix(b"\n").unwrap_or(body);
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(line) {
        headers.insert(header::RETRY_AFTER, value);
    }
    let _session = OutgoingMessagesReply::read(body);
    let _error = ErrorBody::read(body);
    if let Some(description) = TokenRefusal::read(body).description() {
        assert!(!description.is_empty(), "what is not said is absent");
    }
    if let Ok(token) = genesys::cloud::read::<TokenReply>(body) {
        assert!(
            token.expires_in_s.is_none_or(|lives_s| token.renew_after_s() <= lives_s),
            "a token is renewed while it lives"
        );
    }
    match digital().read_push(&Reply { status, headers, body: Bytes::copy_from_slice(body) }) {
        PushReading::Over(_) => "over",
        PushReading::Unauthorised => "unauthorised",
        PushReading::NotTaken { after_ms } => {
            assert!(after_ms.is_none_or(|ms| ms <= 86_400_000), "nobody waits longer than a day");
            "not taken"
        }
        PushReading::Unknown => "unknown",
        PushReading::Misconfigured { .. } => "misconfigured",
    }
}

/// The list of bots that a v1 integration has, as the body of an answer; ours is put into it.
///
/// # Panics
/// When a promise about such lists is broken.
pub fn bot_list(data: &[u8]) -> &'static str {
    let ours = br#"{"chatBots":[{"id":"orders","name":"Order desk","versions":[{"version":"2",
        "supportedLanguages":["en-us"],"intents":[{"name":"done"}]}]}]}"#;
    let ours: BotList = serde_json::from_slice(ours).unwrap_or_default();
    let reply = Reply { status: 200, headers: HeaderMap::new(), body: Bytes::copy_from_slice(data) };
    let Ok(there) = platform::read(&reply, "an-id") else { return "no list" };
    let Ok(plan) = Plan::new(&ours, &there, Dropping::default()) else { return "does not fit" };
    assert!(plan.chat_bots.len() <= 50, "the platform takes no more");
    assert_eq!(plan.ours.len(), 1, "ours is in it, once");
    let alone = Plan::new(&ours, &there, Dropping { others: true, earlier_versions: true });
    assert!(alone.is_ok_and(|alone| alone.chat_bots.len() == 1), "ours alone always fits");
    if plan.is_news() { "news" } else { "no news" }
}
