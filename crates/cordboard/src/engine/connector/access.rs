//! Who may answer later: an endpoint shows its client credentials and gets a token, as it would at the platform
//! (`reference/digital-bot-connector.md`, section 2.1). A token is signed, not stored: it outlives a restart, and ends
//! with its time or with the client's secret.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use model::Timestamp;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::config::CallbacksConfig;
use crate::engine::callback::{Grant, Rejected};

/// Keeps a signature of a token from being one of anything else that is signed with the secret.
const PURPOSE: &[u8] = b"cordboard token 1\0";

/// One client.
pub(super) struct Access {
    pub(super) requests_per_minute: u32,
    client_id: String,
    /// Of `id:secret`, so that a comparison takes as long whatever is shown.
    credentials: [u8; 32],
    key: SecretSlice<u8>,
    lifetime_s: u32,
}

impl Access {
    pub(super) fn new(config: &CallbacksConfig) -> Self {
        let secret = config.client_secret.expose_secret();
        Self {
            requests_per_minute: config.requests_per_minute,
            client_id: config.client_id.clone(),
            credentials: Sha256::digest(format!("{}:{secret}", config.client_id)).into(),
            key: SecretSlice::from(secret.as_bytes().to_vec()),
            lifetime_s: config.lifetime_s,
        }
    }

    /// A token for whoever shows the client's id and secret.
    pub(super) fn grant(&self, headers: &HeaderMap, now: Timestamp) -> Result<Grant, Rejected> {
        let shown = scheme(headers, "basic").and_then(|encoded| STANDARD.decode(encoded.trim()).ok());
        let shown: [u8; 32] = Sha256::digest(shown.unwrap_or_default()).into();
        if !bool::from(self.credentials.ct_eq(&shown)) {
            return Err(Rejected::Client);
        }
        let until_s = now.0.div_euclid(1000) + i64::from(self.lifetime_s);
        let token = format!("{until_s}.{}", URL_SAFE_NO_PAD.encode(self.signature(until_s)));
        Ok(Grant { token: SecretString::from(token), lifetime_s: self.lifetime_s })
    }

    /// Whether a call shows a token that still counts.
    pub(super) fn admit(&self, headers: &HeaderMap, now: Timestamp) -> Result<(), Rejected> {
        let token = scheme(headers, "bearer").and_then(|token| token.trim().split_once('.'));
        let (until_s, shown) = token.ok_or(Rejected::Token)?;
        let until_s: i64 = until_s.parse().map_err(|_| Rejected::Token)?;
        let shown = URL_SAFE_NO_PAD.decode(shown).map_err(|_| Rejected::Token)?;
        let is_ours = bool::from(self.signature(until_s).as_slice().ct_eq(&shown));
        if is_ours && now.0.div_euclid(1000) < until_s { Ok(()) } else { Err(Rejected::Token) }
    }

    fn signature(&self, until_s: i64) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.expose_secret()).expect("HMAC takes keys of any length");
        mac.update(PURPOSE);
        mac.update(self.client_id.as_bytes());
        mac.update(&[0]);
        mac.update(&until_s.to_be_bytes());
        mac.finalize().into_bytes().into()
    }
}

/// What follows the scheme in the one header `Authorization`.
fn scheme<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let (scheme, rest) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case(wanted).then_some(rest)
}
