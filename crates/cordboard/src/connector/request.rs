//! What both bot doors have in common when a request is read and answered.

use std::hash::Hasher as _;
use std::ops::RangeInclusive;

use bytes::Bytes;
use genesys::cloud::Parameters;
use genesys::cloud::input::{ButtonType, InputMessage};
use model::{Attributes, Channel, Input, Part};
use serde::Serialize;
use siphasher::sip::SipHasher13;

use super::{Misconfigured, SealedReply};

/// How long after the end of its wait a request without a sealed reply gets the refusal.
pub(super) const REFUSE_AFTER_WAIT_MS: u64 = 1_500;
/// The longest session that the platform grants, three days (`reference/digital-bot-connector.md`, section 4.3).
pub(super) const SESSION_MAX_MS: u64 = 72 * 60 * 60 * 1000;
/// Longest id of the platform that we keep, in bytes. Those seen are UUIDs.
const ID_MAX_BYTES: usize = 256;
/// The key is part of stored states: two builds must agree on a body's hash.
const HASH_KEY: (u64, u64) = (0x636f_7264_626f_6172, 0x6426_626f_6469_6573);

/// What the customer did. The button counts wherever the message carries it, its payload before its text
/// (`reference/bot-connector-v1.md`, section 2.3). The start text is no words of the customer; without one, nothing
/// opens a conversation but words.
pub(super) fn input(message: &InputMessage, start_text: &str) -> Input {
    let Some(meaning) = message.button().and_then(|_| message.meaning()) else {
        let text = message.text.clone().unwrap_or_default();
        let is_start = !start_text.is_empty() && text.trim() == start_text;
        return if is_start { Input::Start } else { Input::Text(text) };
    };
    let label = message.said().unwrap_or(meaning);
    Input::Choice { label: label.to_owned(), payload: meaning.to_owned() }
}

/// Whether the customer filled in a form.
pub(super) fn is_form(message: &InputMessage) -> bool {
    message.button().is_some_and(|button| button.button_type == Some(ButtonType::Form))
}

/// The usual text by which a flow opens a conversation.
pub(super) fn start_text() -> String {
    "__start__".to_owned()
}

/// The usual name of the session variable that says what the customer uses.
pub(super) fn channel_parameter() -> String {
    "channel".to_owned()
}

/// The usual name of the session variable that says who the customer is.
pub(super) fn customer_parameter() -> String {
    "customer_id".to_owned()
}

/// Session variables that we read ourselves. They stay among the others, for engines that know them by that name.
#[derive(Debug)]
pub(super) struct Reserved {
    channel: String,
    customer: String,
}

impl Reserved {
    pub(super) fn new(channel: &str, customer: &str) -> Self {
        Self { channel: channel.trim().to_owned(), customer: customer.trim().to_owned() }
    }

    /// What the customer uses; nothing when the flow does not say, or in a word that is no channel.
    pub(super) fn channel(&self, parameters: &Attributes) -> Option<Channel> {
        parameters.get(&self.channel).and_then(|word| Channel::read(word))
    }

    /// Who the customer is.
    pub(super) fn customer(&self, parameters: &Attributes) -> Option<String> {
        let said = parameters.get(&self.customer).map(|id| id.trim());
        said.filter(|id| !id.is_empty()).map(str::to_owned)
    }
}

/// Session variables as attributes.
pub(super) fn attributes(parameters: Parameters<'_>) -> Attributes {
    parameters.into_iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// The attributes of these parts as output variables of the flow; of two with one name the later counts.
pub(super) fn parameters(parts: &[Part]) -> Parameters<'_> {
    let attributes = parts.iter().flat_map(|part| &part.attributes);
    attributes.map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect()
}

/// The first of these ids that is too long to be kept.
pub(super) fn overlong<'a>(ids: &[(&'a str, &str)]) -> Option<&'a str> {
    ids.iter().find(|(_, id)| id.len() > ID_MAX_BYTES).map(|(member, _)| *member)
}

/// How long a session lives that is announced in minutes.
pub(super) fn lifetime_ms(minutes: Option<u32>, default_ms: u64) -> u64 {
    let announced = minutes.filter(|minutes| *minutes > 0).map(|minutes| u64::from(minutes) * 60_000);
    announced.unwrap_or(default_ms).min(SESSION_MAX_MS)
}

/// A hash of a body, the same in every process.
pub(super) fn body_hash(body: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(HASH_KEY.0, HASH_KEY.1);
    hasher.write(body);
    hasher.finish()
}

/// JSON bytes. Nothing that the doors write can fail to be written; if it does, the caller says so honestly.
pub(super) fn json(value: &impl Serialize) -> Option<Bytes> {
    serde_json::to_vec(value).ok().map(Bytes::from)
}

/// An answer with status 200.
pub(super) fn ok(body: Bytes) -> SealedReply {
    SealedReply { status: 200, retry_after_s: None, body }
}

/// Checks the path of a door: absolute, plain, without a slash at the end.
pub(super) fn check_path(owner: &str, path: &str) -> Result<(), Misconfigured> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let segments = path.strip_prefix('/').map(|rest| rest.split('/'));
    let fine = segments.is_some_and(|mut segments| {
        segments.all(|segment| !segment.is_empty() && !segment.starts_with('.') && segment.bytes().all(plain))
    });
    if fine {
        return Ok(());
    }
    Err(Misconfigured(match path {
        _ if path.contains("://") => {
            format!("{owner}: `path` is only what follows the host, such as \"/genesys/acme\"")
        }
        _ if path.len() > 1 && (path.ends_with('/') || path.contains("//")) => format!(
            "{owner}: `path` has a slash too many; take it away here, and in the integration's URI if it is there too"
        ),
        _ => format!(
            "{owner}: `path` starts with a slash, ends without one, and is made of letters, digits, hyphens and \
             underscores, such as \"/genesys/acme\""
        ),
    }))
}

/// Checks that a number lies in its range.
pub(super) fn check_range(
    owner: &str,
    name: &str,
    value: u64,
    range: RangeInclusive<u64>,
) -> Result<(), Misconfigured> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(Misconfigured(format!("{owner}: `{name}` lies between {} and {}", range.start(), range.end())))
}
