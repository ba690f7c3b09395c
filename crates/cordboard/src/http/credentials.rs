//! The secrets a platform shows when it calls us: plain headers, each with one value, or two while one is rotated
//! (`reference/digital-bot-connector.md`, section 1.1; `reference/bot-connector-v1.md`, section 2.1).
//!
//! The doors call [`Credentials::verify`] before they read a body. Only digests of the secrets are kept.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use crate::config::SecretText;
use crate::connector::Misconfigured;

/// A secret shorter than this many characters can be guessed.
const SHORT_SECRET_CHARS: usize = 16;
/// Two are enough while rotating.
const VALUES_MAX: usize = 2;
/// Headers that HTTP itself uses; a credential under such a name would break every call.
const TAKEN_BY_HTTP: [&str; 8] =
    ["connection", "content-length", "content-type", "expect", "host", "te", "transfer-encoding", "upgrade"];

/// Header names with one secret, or with two while one is rotated out, as written in the configuration.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct CredentialsConfig(pub BTreeMap<String, Secrets>);

/// One secret or several.
#[derive(Clone, Debug, Default)]
pub struct Secrets(pub Vec<SecretString>);

impl JsonSchema for Secrets {
    fn schema_name() -> Cow<'static, str> {
        "Secrets".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<SecretText>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1, "maxItems": VALUES_MAX }] })
    }
}

impl<'de> Deserialize<'de> for Secrets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a secret must be a text, or a list of two texts while one is rotated out")]
        enum Written {
            One(String),
            Several(Vec<String>),
        }
        Ok(match Written::deserialize(deserializer)? {
            Written::One(secret) => Self(vec![secret.into()]),
            Written::Several(secrets) => Self(secrets.into_iter().map(SecretString::from).collect()),
        })
    }
}

/// What every call of a platform must show.
#[derive(Clone)]
pub struct Credentials {
    headers: Vec<Expected>,
    warnings: Vec<String>,
}

#[derive(Clone)]
struct Expected {
    name: HeaderName,
    digests: Vec<[u8; 32]>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.headers.iter().map(|header| &header.name)).finish()
    }
}

impl Credentials {
    /// Checks the configuration of the connector `owner` and keeps the digests.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`] without any header, or when a header or a secret can never match. No message quotes a secret.
    pub fn new(owner: &str, config: &CredentialsConfig) -> Result<Self, Misconfigured> {
        if config.0.is_empty() {
            return Err(Misconfigured(format!(
                "{owner}: `credentials` needs at least one header with a secret, the same as in the platform's integration"
            )));
        }
        let mut credentials = Self { headers: Vec::new(), warnings: Vec::new() };
        for (name, secrets) in &config.0 {
            let place = format!("{owner}: credentials.{name}");
            let name = header_name(&place, name)?;
            if credentials.headers.iter().any(|header| header.name == name) {
                return Err(Misconfigured(format!("{place} is there twice; case does not count in header names")));
            }
            if name.as_str().contains('_') {
                credentials
                    .warnings
                    .push(format!("{place} has an underscore: some reverse proxies drop such headers; write a hyphen"));
            }
            let digests = credentials.digests(&place, secrets)?;
            credentials.headers.push(Expected { name, digests });
        }
        Ok(credentials)
    }

    fn digests(&mut self, place: &str, secrets: &Secrets) -> Result<Vec<[u8; 32]>, Misconfigured> {
        if secrets.0.is_empty() || secrets.0.len() > VALUES_MAX {
            return Err(Misconfigured(format!("{place} needs one secret, or {VALUES_MAX} while one is rotated out")));
        }
        let mut digests = Vec::new();
        for secret in &secrets.0 {
            let secret = secret.expose_secret();
            if secret.is_empty() {
                return Err(Misconfigured(format!("{place} is empty: anybody could call")));
            }
            if secret.trim() != secret || !secret.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
                return Err(Misconfigured(format!(
                    "{place}: a secret is visible ASCII on one line, without blanks or a line break at its ends"
                )));
            }
            if secret.chars().count() < SHORT_SECRET_CHARS {
                self.warnings
                    .push(format!("{place} is shorter than {SHORT_SECRET_CHARS} characters and can be guessed"));
            }
            digests.push(digest(secret.as_bytes()));
        }
        Ok(digests)
    }

    /// Whether every configured header is there with one of its secrets.
    ///
    /// All values of all headers are compared, in constant time and without an early end, and an absent header costs
    /// what a wrong one costs.
    #[must_use]
    pub fn verify(&self, headers: &HeaderMap) -> bool {
        let mut all = Choice::from(1);
        for expected in &self.headers {
            let given = headers.get(&expected.name);
            let shown = digest(given.map_or(&[][..], HeaderValue::as_bytes));
            let mut any = Choice::from(0);
            for secret in &expected.digests {
                any |= secret.ct_eq(&shown);
            }
            all &= any & Choice::from(u8::from(given.is_some()));
        }
        all.into()
    }

    /// What is wrong with what a caller showed, for an operator: which header is missing or differs, and the slips of the
    /// pen that would explain it. Says nothing of a secret, and of the value shown only its length.
    #[must_use]
    pub fn explain(&self, headers: &HeaderMap) -> String {
        let told = self.headers.iter().filter_map(|expected| {
            let name = &expected.name;
            let Some(given) = headers.get(name).map(HeaderValue::as_bytes) else {
                return Some(format!("header {name} is missing; enter it in the platform's integration"));
            };
            if expected.is(given) {
                return None;
            }
            let slip = SLIPS.iter().find(|(_, mend)| mend(given).is_some_and(|mended| expected.is(&mended)));
            let length = given.len();
            Some(match slip {
                Some((slip, _)) => format!("header {name} would be right, but {slip}"),
                None => {
                    format!("header {name} differs from the configured secret; the value shown has {length} characters")
                }
            })
        });
        told.collect::<Vec<_>>().join("; ")
    }

    /// The names of the headers, in the order of the configuration.
    pub fn header_names(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(|header| header.name.as_str())
    }

    /// Whether a secret of theirs is one of the others' too.
    #[must_use]
    pub fn share_a_secret_with(&self, other: &Self) -> bool {
        let mut all = self.headers.iter().flat_map(|header| &header.digests);
        all.any(|digest| other.headers.iter().any(|header| header.digests.contains(digest)))
    }

    /// What an operator should know about these credentials; no message quotes a secret.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl Expected {
    fn is(&self, shown: &[u8]) -> bool {
        let shown = digest(shown);
        self.digests.iter().any(|secret| secret.ct_eq(&shown).into())
    }
}

/// What a value would be without a slip.
type Mend = fn(&[u8]) -> Option<Vec<u8>>;

/// What people enter beside the secret itself.
const SLIPS: [(&str, Mend); 4] = [
    ("it stands in quotation marks", |given| {
        let inner = given.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
        inner.or_else(|| given.strip_prefix(b"'").and_then(|rest| rest.strip_suffix(b"'"))).map(<[u8]>::to_vec)
    }),
    ("a written line break (\\n, %0A) follows it", |given| {
        [&b"\\n"[..], b"%0A", b"%0a"].iter().find_map(|end| given.strip_suffix(*end)).map(<[u8]>::to_vec)
    }),
    ("the configured secret lacks the word `Bearer ` that stands before it", |given| {
        given.strip_prefix(b"Bearer ").map(<[u8]>::to_vec)
    }),
    ("the word `Bearer ` is missing before it", |given| Some([b"Bearer ", given].concat())),
];

/// Digests have one length, so a comparison shows nothing of a secret's length.
fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn header_name(place: &str, name: &str) -> Result<HeaderName, Misconfigured> {
    let parsed: HeaderName =
        name.parse().map_err(|_| Misconfigured(format!("{place}: this is not the name of a header")))?;
    if TAKEN_BY_HTTP.contains(&parsed.as_str()) {
        return Err(Misconfigured(format!("{place}: HTTP uses this header itself; choose another, such as x-api-key")));
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "a-secret-of-some-length";

    fn credentials(toml: &str) -> Result<Credentials, Misconfigured> {
        let config: CredentialsConfig = toml::from_str(toml).unwrap();
        Credentials::new("connectors.web", &config)
    }

    fn shown(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn every_header_must_show_one_of_its_secrets() {
        let both =
            credentials(&format!("X-Key = ['{LONG}', 'the-next-{LONG}']\nauthorization = 'Bearer {LONG}'")).unwrap();
        assert_eq!(both.warnings(), &[] as &[String]);
        let cases = [
            (&[("x-key", LONG), ("authorization", "Bearer a-secret-of-some-length")][..], true),
            (
                &[("x-key", "the-next-a-secret-of-some-length"), ("authorization", "Bearer a-secret-of-some-length")],
                true,
            ),
            (&[("x-key", LONG), ("authorization", "Bearer a-secret-of-some-length"), ("x-other", "1")], true),
            (&[("x-key", LONG)], false),
            (&[("authorization", "Bearer a-secret-of-some-length")], false),
            (&[("x-key", LONG), ("authorization", "bearer a-secret-of-some-length")], false),
            (&[("x-key", "a-secret-of-some-lengtH"), ("authorization", "Bearer a-secret-of-some-length")], false),
            (&[("x-key", ""), ("authorization", "")], false),
            (&[], false),
        ];
        for (pairs, expected) in cases {
            assert_eq!(both.verify(&shown(pairs)), expected, "{pairs:?}");
        }
    }

    #[test]
    fn an_operator_is_told_which_header_and_which_slip() {
        let both = credentials(&format!("x-key = '{LONG}'\nauthorization = 'Bearer {LONG}'")).unwrap();
        let bearer = "Bearer a-secret-of-some-length";
        let cases = [
            (&[("authorization", bearer)][..], "header x-key is missing; enter it in the platform's integration"),
            (
                &[("authorization", LONG), ("x-key", LONG)],
                "header authorization would be right, but the word `Bearer ` is missing before it",
            ),
            (
                &[("authorization", bearer), ("x-key", bearer)],
                "header x-key would be right, but the configured secret lacks the word `Bearer ` that stands before it",
            ),
            (
                &[("authorization", bearer), ("x-key", "'a-secret-of-some-length'")],
                "header x-key would be right, but it stands in quotation marks",
            ),
            (
                &[("authorization", bearer), ("x-key", "a-secret-of-some-length%0A")],
                "header x-key would be right, but a written line break (\\n, %0A) follows it",
            ),
            (
                &[("authorization", bearer), ("x-key", "hushhush")],
                "header x-key differs from the configured secret; the value shown has 8 characters",
            ),
        ];
        for (pairs, expected) in cases {
            assert_eq!(both.explain(&shown(pairs)), expected);
        }
    }

    #[test]
    fn what_can_never_match_is_refused_without_quoting_it() {
        let cases = [
            ("", "at least one header"),
            ("x-key = ''", "is empty"),
            ("x-key = ['', 'hushhush']", "is empty"),
            ("x-key = []", "one secret"),
            ("x-key = ['hushhush', 'hushhush2', 'hushhush3']", "one secret"),
            ("x-key = ' hushhush'", "without blanks"),
            ("x-key = \"hush\\nhush\"", "visible ASCII"),
            ("'x key' = 'hushhush'", "not the name of a header"),
            ("host = 'hushhush'", "HTTP uses this header"),
            ("x-key = 'hushhush'\nX-KEY = 'hushhush'", "twice"),
        ];
        for (toml, part) in cases {
            let error = credentials(toml).unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains("hush"), "{toml}: {error}");
        }
        assert!(
            toml::from_str::<CredentialsConfig>("x-key = 5").unwrap_err().to_string().contains("a list of two texts")
        );
    }

    #[test]
    fn weak_credentials_are_named_and_nothing_is_printed() {
        let weak = credentials("x_key = 'hushhush'").unwrap();
        assert_eq!(weak.warnings().len(), 2, "{:?}", weak.warnings());
        assert!(!format!("{weak:?} {:?}", weak.warnings()).contains("hush"));
        let config: CredentialsConfig = toml::from_str("x-key = 'hushhush'").unwrap();
        assert!(!format!("{config:?}").contains("hush"));
    }
}
