//! The token call: client credentials in, a bearer token out.
//!
//! Source: `reference/open-messaging-and-platform-api.md`, section 2.2. Secrets and tokens live in [`SecretString`], which
//! shows nothing when printed; nothing here can be serialised.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};

use super::lenient;

/// A request for a token by the client-credentials grant: `POST` to [`TokenRequest::PATH`] on the region's login host.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    client_id: String,
    client_secret: SecretString,
}

impl TokenRequest {
    /// The path on the login host.
    pub const PATH: &'static str = "/oauth/token";
    /// The value of the header `Content-Type`; the platform takes no JSON here.
    pub const CONTENT_TYPE: &'static str = "application/x-www-form-urlencoded";
    /// The form body.
    pub const BODY: &'static str = "grant_type=client_credentials";

    /// A request for the token of one OAuth client.
    ///
    /// # Errors
    ///
    /// [`InvalidClientId`] when the id is empty or holds a colon, a blank or a control character, with which it would
    /// be read as another id on the other side.
    pub fn new(client_id: impl Into<String>, client_secret: SecretString) -> Result<Self, InvalidClientId> {
        let client_id = client_id.into();
        let ambiguous = |character: char| character == ':' || character.is_whitespace() || character.is_control();
        if client_id.is_empty() || client_id.contains(ambiguous) {
            return Err(InvalidClientId);
        }
        Ok(TokenRequest { client_id, client_secret })
    }

    /// The value of the header `Authorization`: `Basic` and Base64 of id, colon and secret.
    #[must_use]
    pub fn authorization(&self) -> SecretString {
        let pair = SecretString::from(format!("{}:{}", self.client_id, self.client_secret.expose_secret()));
        SecretString::from(format!("Basic {}", STANDARD.encode(pair.expose_secret())))
    }
}

/// The id of an OAuth client cannot be sent as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an OAuth client id must not be empty and holds no colon, blank or control character")]
pub struct InvalidClientId;

/// The answer to a [`TokenRequest`], read with [`super::read()`].
#[derive(Debug, Clone, Deserialize)]
pub struct TokenReply {
    /// The opaque token. Reading fails unless it is a non-empty string of visible ASCII, since it becomes a header.
    #[serde(deserialize_with = "token")]
    pub access_token: SecretString,
    /// `bearer`, in any case.
    #[serde(default, deserialize_with = "lenient::text")]
    pub token_type: Option<String>,
    /// Lifetime in seconds from now, 300 to 172,800 by the platform's own bounds.
    #[serde(rename = "expires_in", default, deserialize_with = "lenient::unsigned")]
    pub expires_in_s: Option<u64>,
}

/// The shortest lifetime a client can be given, in seconds; assumed when the reply does not say.
pub const SHORTEST_LIFETIME_S: u64 = 300;

impl TokenReply {
    /// Seconds after which to renew: nine tenths of the lifetime.
    #[must_use]
    pub fn renew_after_s(&self) -> u64 {
        let lifetime_s = self.expires_in_s.unwrap_or(SHORTEST_LIFETIME_S);
        lifetime_s - lifetime_s.div_ceil(10)
    }

    /// The value of the header `Authorization` for calls to the API.
    #[must_use]
    pub fn authorization(&self) -> SecretString {
        SecretString::from(format!("Bearer {}", self.access_token.expose_secret()))
    }
}

fn token<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    lenient::text(deserializer)?
        .filter(|token| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()))
        .map(SecretString::from)
        .ok_or_else(|| D::Error::custom("access_token must be a non-empty string of visible ASCII"))
}

/// A refused token request: OAuth's shape, not the API's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRefusal {
    /// The stable name, such as `invalid_client`.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// A sentence, as the platform spells the member.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A sentence, as the standard spells the member.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub error_description: Option<String>,
}

impl TokenRefusal {
    /// Reads the body of a refusal; a body that is no JSON object is read as an empty one.
    #[must_use]
    pub fn read(body: &[u8]) -> TokenRefusal {
        super::read(body).unwrap_or_default()
    }

    /// The sentence, under whichever name it came.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref().or(self.error_description.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> TokenRequest {
        TokenRequest::new("client-7", SecretString::from("s3cr:t")).unwrap()
    }

    #[test]
    fn credentials_go_into_a_basic_header_and_into_no_debug_output() {
        assert_eq!(request().authorization().expose_secret(), "Basic Y2xpZW50LTc6czNjcjp0");
        assert!(!format!("{:?} {:?}", request(), request().authorization()).contains("s3cr"));
    }

    #[test]
    fn an_ambiguous_client_id_is_refused() {
        for id in ["", "a:b", "a b", "a\n"] {
            assert_eq!(TokenRequest::new(id, SecretString::from("x")).err(), Some(InvalidClientId), "{id:?}");
        }
    }

    #[test]
    fn a_reply_is_read_and_its_token_stays_hidden() {
        let body = br#"{"access_token":"tok-1_a","token_type":"bearer","expires_in":86400,"org":"x"}"#;
        let reply: TokenReply = crate::cloud::read(body).unwrap();
        assert_eq!(reply.authorization().expose_secret(), "Bearer tok-1_a");
        assert_eq!((reply.renew_after_s(), reply.token_type.as_deref()), (77_760, Some("bearer")));
        assert!(!format!("{reply:?}").contains("tok-1_a"));

        let terse: TokenReply = crate::cloud::read(br#"{"access_token":"t","expires_in":-5}"#).unwrap();
        assert_eq!(terse.renew_after_s(), 270);
    }

    #[test]
    fn a_useless_token_is_an_error_that_does_not_repeat_it() {
        let bodies =
            [r#"{}"#, r#"{"access_token":""}"#, r#"{"access_token":"a\nb"}"#, r#"{"access_token":{"hidden":1}}"#];
        for body in bodies {
            let error = crate::cloud::read::<TokenReply>(body.as_bytes()).unwrap_err();
            assert!(!error.to_string().contains("a\nb") && !error.to_string().contains("hidden"), "{error}");
        }
    }

    #[test]
    fn both_spellings_of_the_description_are_read() {
        for body in [r#"{"error":"invalid_client","description":"no"}"#, r#"{"error_description":"no"}"#] {
            assert_eq!(TokenRefusal::read(body.as_bytes()).description(), Some("no"));
        }
        assert_eq!(TokenRefusal::read(b"<html>"), TokenRefusal::default());
    }
}
