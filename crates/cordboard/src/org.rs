//! An org: one configured instance of Genesys Cloud, with its addresses, its token and its request rate.
//!
//! The outbox asks [`Tokens`] for the bearer token and [`Rate`] for leave before it sends a push; connectors only know
//! the org's API address. Neither reads a clock of its own or sleeps: whoever waits, waits outside.

mod rate;
pub(crate) mod token;

use genesys::cloud::oauth::TokenRequest;
use genesys::cloud::region::Region;
use model::OrgKey;
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer};

pub use rate::Rate;
pub use token::{Bearer, NoToken, Reason, TokenHealth, Tokens};

use crate::config::SecretText;
use crate::connector::Misconfigured;
use crate::http::Call;

/// The platform's usual limit per OAuth client (`reference/digital-bot-connector.md`, section 2.1).
const REQUESTS_PER_MINUTE: u32 = 300;

/// One `[orgs.KEY]` table of the configuration.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrgConfig {
    /// The region: its domain (`mypurecloud.de`), an address below it, or its AWS name (`eu-central-1`). It is needed unless
    /// both of the next two are there. Default: none.
    #[serde(default)]
    pub region: Option<String>,
    /// Where the API answers, such as the address of a simulator. Default: of the region.
    #[serde(default)]
    pub api_url: Option<String>,
    /// Where tokens are fetched. Default: of the region.
    #[serde(default)]
    pub login_url: Option<String>,
    /// The id of the OAuth client (grant: client credentials; role with `integration:botconnector:send`;
    /// `cordboard bots push` needs `integration:botconnector:view` and `edit`).
    pub client_id: String,
    /// The secret of the OAuth client.
    #[serde(deserialize_with = "secret")]
    #[schemars(with = "SecretText")]
    pub client_secret: SecretString,
    /// How many requests a minute the org may get from us, 10 to 100000. The platform's usual limit is 300 for each OAuth
    /// client. Default 300.
    #[serde(default = "requests_per_minute")]
    pub requests_per_minute: u32,
}

fn requests_per_minute() -> u32 {
    REQUESTS_PER_MINUTE
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

/// A checked org.
#[derive(Clone, Debug)]
pub struct Org {
    key: OrgKey,
    api_base: String,
    login_base: String,
    request: TokenRequest,
    requests_per_minute: u32,
}

impl Org {
    /// Checks the configuration.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`] with what to write instead.
    pub fn new(key: OrgKey, config: &OrgConfig) -> Result<Self, Misconfigured> {
        let place = format!("orgs.{key}");
        let wrong = |what: String| Misconfigured(format!("{place}: {what}"));
        let region = config
            .region
            .as_deref()
            .map(Region::parse)
            .transpose()
            .map_err(|error| wrong(format!("region: {error}")))?;
        let base = |name: &str, given: &Option<String>, of_region: fn(Region) -> &'static str| match (given, region) {
            (Some(url), _) => base_url(url).map_err(|what| wrong(format!("{name} {what}"))),
            (None, Some(region)) => Ok(of_region(region).to_owned()),
            (None, None) => Err(wrong(format!("write `region`, such as \"mypurecloud.de\", or `{name}`"))),
        };
        if !(10..=10_000_000).contains(&config.requests_per_minute) {
            return Err(wrong("requests_per_minute lies between 10 and 10000000".to_owned()));
        }
        let secret = config.client_secret.expose_secret();
        if secret.is_empty() {
            return Err(wrong("`client_secret` is empty; write the secret of the OAuth client".to_owned()));
        }
        if secret.trim() != secret || secret.contains(char::is_control) {
            let what =
                "`client_secret` begins or ends with a blank or a line break, or has one inside; write it on one line";
            return Err(wrong(what.to_owned()));
        }
        let request = TokenRequest::new(config.client_id.clone(), config.client_secret.clone())
            .map_err(|error| wrong(format!("client_id: {error}")))?;
        Ok(Self {
            api_base: base("api_url", &config.api_url, Region::api_base)?,
            login_base: base("login_url", &config.login_url, Region::login_base)?,
            key,
            request,
            requests_per_minute: config.requests_per_minute,
        })
    }

    /// Its table key in the configuration.
    #[must_use]
    pub fn key(&self) -> &OrgKey {
        &self.key
    }

    /// Where the API answers, without a slash at the end.
    #[must_use]
    pub fn api_base(&self) -> &str {
        &self.api_base
    }

    /// Where tokens are fetched, without a slash at the end.
    #[must_use]
    pub fn login_base(&self) -> &str {
        &self.login_base
    }

    fn token_url(&self) -> String {
        format!("{}{}", self.login_base, TokenRequest::PATH)
    }

    /// The call that fetches a token, with the client's secret in a header that cannot be printed.
    pub(crate) fn token_call(&self) -> Call {
        token::token_call(&self.token_url(), &self.request)
    }

    /// The limit of its requests.
    #[must_use]
    pub fn rate(&self) -> Rate {
        Rate::new(self.requests_per_minute)
    }
}

/// An address to which paths are appended.
fn base_url(url: &str) -> Result<String, &'static str> {
    let uri: http::Uri = url.parse().map_err(|_| "is not an address")?;
    let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    if !matches!(uri.scheme_str(), Some("https" | "http")) || authority.is_empty() {
        return Err("starts with https:// or http:// and names a host");
    }
    if authority.contains('@') || url.contains(['?', '#']) {
        return Err("holds no credentials, no query and no fragment");
    }
    Ok(url.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn org(toml: &str) -> Result<Org, String> {
        let config: OrgConfig = toml::from_str(&format!("client_id = 'id'\nclient_secret = 'hush'\n{toml}"))
            .map_err(|error| error.to_string())?;
        Org::new(OrgKey::from("acme"), &config).map_err(|error| error.to_string())
    }

    #[test]
    fn addresses_come_from_the_region_unless_given() {
        let by_region = org("region = 'eu-central-1'").unwrap();
        assert_eq!(
            (by_region.api_base(), by_region.login_base.as_str()),
            ("https://api.mypurecloud.de", "https://login.mypurecloud.de")
        );
        let mixed = org("region = 'mypurecloud.ie'\napi_url = 'http://127.0.0.1:8080/'").unwrap();
        assert_eq!(
            (mixed.api_base(), mixed.login_base.as_str()),
            ("http://127.0.0.1:8080", "https://login.mypurecloud.ie")
        );
        assert!(!format!("{mixed:?}").contains("hush"));
    }

    #[test]
    fn a_wrong_org_says_what_to_write() {
        let cases = [
            ("", "orgs.acme: write `region`"),
            ("region = 'mypurecloud.dee'", "mypurecloud.de"),
            ("api_url = 'https://api.example.com'", "or `login_url`"),
            ("api_url = 'api.example.com'\nlogin_url = 'https://l.example.com'", "api_url starts with https://"),
            ("api_url = 'https://u:p@api.example.com'\nlogin_url = 'https://l.example.com'", "no credentials"),
            ("region = 'mypurecloud.de'\nrequests_per_minute = 0", "between 10"),
            ("region = 'mypurecloud.de'\nregoin = 'x'", "unknown field"),
        ];
        for (toml, part) in cases {
            let error = org(toml).unwrap_err();
            assert!(error.contains(part) && !error.contains("hush"), "{toml}: {error}");
        }
    }
}
