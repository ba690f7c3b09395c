//! Standard Webhooks signatures, both ways: we sign questions and notices, engines sign callbacks
//! (`reference/bot-platforms.md`, section 3). HMAC-SHA256 over `id.timestamp.body`; several signatures stand side by
//! side while a secret is rotated.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use model::Timestamp;
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::engine::callback::Rejected;

/// The sender's id of the message, stable over retries.
pub const ID: &str = "webhook-id";
/// Unix seconds at the time of signing.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// `v1,` and the signature in Base64; several are separated by blanks.
pub const SIGNATURE: &str = "webhook-signature";

/// How far a signature's time may be from ours, either way.
pub const TOLERANCE_S: i64 = 300;

/// More signatures than this in one header are not looked at: the sender decides their number, we pay for each.
const SIGNATURES_MAX: usize = 8;
const ID_MAX_BYTES: usize = 256;
const PREFIX: &str = "whsec_";
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A shared secret, ready to sign with. Never printed.
pub struct Key(SecretSlice<u8>);

/// A secret that is not one. Says nothing of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a webhook secret is `whsec_` followed by 24 to 64 random bytes in Base64, e.g. `whsec_$(openssl rand -base64 32)`"
)]
pub struct NotASecret;

impl Key {
    /// Reads the serialized form.
    ///
    /// # Errors
    ///
    /// When it is not a secret of Standard Webhooks.
    pub fn parse(text: &str) -> Result<Self, NotASecret> {
        let encoded = text.strip_prefix(PREFIX).ok_or(NotASecret)?;
        let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| NotASecret)?;
        if KEY_BYTES.contains(&bytes.len()) { Ok(Self(SecretSlice::from(bytes))) } else { Err(NotASecret) }
    }

    fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()).expect("HMAC takes keys of any length");
        mac.update(id.as_bytes());
        mac.update(b".");
        mac.update(timestamp.as_bytes());
        mac.update(b".");
        mac.update(body);
        mac.finalize().into_bytes().into()
    }
}

/// Signs with every key, the current one first: while a secret is rotated, receivers with either accept.
#[must_use]
pub fn sign(keys: &[Key], id: &str, timestamp_s: i64, body: &[u8]) -> String {
    let timestamp = timestamp_s.to_string();
    let signatures: Vec<String> =
        keys.iter().map(|key| format!("v1,{}", BASE64_STANDARD.encode(key.mac(id, &timestamp, body)))).collect();
    signatures.join(" ")
}

/// Verifies the three headers over the raw body, and gives the message's id.
///
/// # Errors
///
/// Why the message is not taken for authentic.
pub fn verify(keys: &[Key], headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<String, Rejected> {
    if keys.is_empty() {
        return Err(Rejected::NoSecret);
    }
    let id = single(headers, ID).filter(|id| !id.is_empty() && id.len() <= ID_MAX_BYTES).ok_or(Rejected::Header(ID))?;
    let timestamp = single(headers, TIMESTAMP).ok_or(Rejected::Header(TIMESTAMP))?;
    let signatures = single(headers, SIGNATURE).ok_or(Rejected::Header(SIGNATURE))?;

    let signed_s: i64 = timestamp.parse().map_err(|_| Rejected::Timestamp)?;
    let age_s = now.0.div_euclid(1000).saturating_sub(signed_s);
    if age_s > TOLERANCE_S {
        return Err(Rejected::TooOld);
    }
    if age_s < -TOLERANCE_S {
        return Err(Rejected::TooNew);
    }

    let offered: Vec<Vec<u8>> = signatures
        .split(' ')
        .take(SIGNATURES_MAX)
        .filter_map(|signature| BASE64_STANDARD.decode(signature.strip_prefix("v1,")?).ok())
        .collect();
    let mut matches = subtle::Choice::from(0);
    for key in keys {
        let expected = key.mac(id, timestamp, body);
        for signature in &offered {
            matches |= expected.as_slice().ct_eq(signature);
        }
    }
    if bool::from(matches) { Ok(id.to_owned()) } else { Err(Rejected::Signature) }
}

/// A header that is there exactly once, as text.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}
