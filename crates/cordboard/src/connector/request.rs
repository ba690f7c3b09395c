//! What both bot doors have in common when a request is read and answered.

use std::hash::Hasher as _;
use std::sync::Arc;

use bytes::Bytes;
use genesys::cloud::input::{ButtonType, InputMessage};
use genesys::cloud::{Parameters, Unreadable};
use model::{Attributes, Channel, Input, Part};
use serde::Serialize;
use siphasher::sip::SipHasher13;

use super::{Parsed, SealedReply};

/// How long after the end of its wait a request without a sealed reply gets the refusal.
pub(super) const REFUSE_AFTER_WAIT_MS: u64 = 1_500;
/// The longest session that the platform grants, three days (`reference/digital-bot-connector.md`, section 4.3).
pub(super) const SESSION_MAX_MS: u64 = 72 * 60 * 60 * 1000;
/// Longest id of the platform that we keep, in bytes. Those seen are UUIDs.
const ID_MAX_BYTES: usize = 256;
/// The key is part of stored states: two builds must agree on a body's hash.
const HASH_KEY: (u64, u64) = (0x636f_7264_626f_6172, 0x6426_626f_6469_6573);

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

/// What a flow says to us rather than to the bot: the text by which it opens a conversation, and the session variables
/// that we read ourselves. Those stay among the others, for engines that know them by that name.
#[derive(Debug)]
pub(super) struct Reserved {
    start_text: String,
    channel: String,
    customer: String,
}

impl Reserved {
    pub(super) fn new(start_text: &str, channel: &str, customer: &str) -> Self {
        let [start_text, channel, customer] = [start_text, channel, customer].map(|word| word.trim().to_owned());
        Self { start_text, channel, customer }
    }

    /// What the customer did. The button counts wherever the message carries it, its payload before its text
    /// (`reference/bot-connector-v1.md`, section 2.3). The start text is no words of the customer; without one, nothing
    /// opens a conversation but words.
    pub(super) fn input(&self, message: &InputMessage) -> Input {
        let Some(meaning) = message.button().and_then(|_| message.meaning()) else {
            let text = message.text.clone().unwrap_or_default();
            let is_start = !self.start_text.is_empty() && text.trim() == self.start_text;
            return if is_start { Input::Start } else { Input::Text(text) };
        };
        let label = message.said().unwrap_or(meaning);
        Input::Choice { label: label.to_owned(), payload: meaning.to_owned() }
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

/// Why a body is no message of a customer.
pub(super) enum Odd {
    /// It is not JSON at all.
    NotJson,
    /// It is authentic, and not understood.
    NotUnderstood {
        /// A word for the platform.
        code: &'static str,
        /// For the dead letter; never customer words.
        reason: String,
    },
}

impl Odd {
    /// Not the form of a message, or not one that we keep.
    fn invalid(reason: String) -> Self {
        Self::NotUnderstood { code: "request.invalid", reason }
    }

    /// For a bot that is not on offer.
    pub(super) fn no_bot(reason: &str) -> Self {
        Self::NotUnderstood { code: "bot.unknown", reason: reason.to_owned() }
    }

    /// What the body turned out to be, with the answer that this door has for such a code.
    pub(super) fn parsed(self, answer: impl FnOnce(&str) -> SealedReply) -> Parsed {
        match self {
            Self::NotJson => Parsed::NotJson,
            Self::NotUnderstood { code, reason } => {
                Parsed::NotUnderstood { reply: answer(code), reason: Arc::from(format!("{code}: {reason}")) }
            }
        }
    }
}

impl From<Unreadable> for Odd {
    fn from(error: Unreadable) -> Self {
        match error {
            Unreadable::NotJson => Self::NotJson,
            error @ Unreadable::NotUnderstood { .. } => Self::invalid(error.to_string()),
        }
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

/// Checks that none of these ids is too long to be kept.
pub(super) fn check_ids(ids: &[(&str, &str)]) -> Result<(), Odd> {
    match ids.iter().find(|(_, id)| id.len() > ID_MAX_BYTES) {
        Some((member, _)) => Err(Odd::invalid(format!("{member} is too long"))),
        None => Ok(()),
    }
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
