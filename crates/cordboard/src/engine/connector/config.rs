//! The configuration of a bot behind an endpoint that was written for Genesys Cloud.

use genesys::cloud::digital_bot_connector::MESSAGES_PATH;
use genesys::cloud::oauth::TokenRequest;
use http::{HeaderMap, HeaderName, HeaderValue};
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize};

use crate::config::SecretText;
use crate::engine::address;
use crate::engine::limits::Limits;
use crate::engine::webhook::ReplayConfig;
use crate::http::CredentialsConfig;

/// The longest session that the platform grants, three days (`reference/digital-bot-connector.md`, section 4.3).
const SESSION_MAX_MINUTES: u32 = 72 * 60;
/// Longest id, name or version (`reference/digital-bot-connector.md`, section 1.2).
const NAME_MAX_CHARS: usize = 100;

/// Headers that a call has by itself.
const SET_BY_US: [&str; 6] = ["accept", "connection", "content-length", "content-type", "host", "transfer-encoding"];

/// How an endpoint is called that was written for Genesys Cloud.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Which of the platform's two contracts the endpoint was written for.
    pub speaks: Speaks,
    /// With "v1" the Bot Connector Handle Utterance URI, exactly; with "v2" the Bot Connector URI, to which `/messages` is
    /// appended. An absolute `https` or `http` address without credentials in it.
    pub url: String,
    /// Header names with their secrets, the same as in the credentials of the integration that called the endpoint so far.
    /// Of two secrets in a list the first is sent. Default: none.
    #[serde(default)]
    pub headers: CredentialsConfig,
    /// The bot's id as the endpoint knows it. Default: the bot's table key.
    #[serde(default)]
    pub bot_id: Option<String>,
    /// The bot's name as the endpoint knows it; v1 endpoints get it as `botId`. Default: the `bot_id`.
    #[serde(default)]
    pub bot_name: Option<String>,
    /// The bot's version as the endpoint knows it. Default "1".
    #[serde(default = "bot_version")]
    pub bot_version: String,
    /// What is told as `botSessionTimeout`, 1 to 4320. Default: 4320 with "v1", 720 with "v2".
    #[serde(default)]
    pub session_timeout_minutes: Option<u32>,
    /// What the flow's literal Bot Input Text was by which the bot was asked to speak first, such as "Menu". Default: none;
    /// the endpoint does not open conversations.
    #[serde(default)]
    pub start_text: Option<String>,
    /// Intents whose path in the flow led to a human. Every other one ends the bot's part. Default ["human"].
    #[serde(default = "hand_over_intents")]
    pub hand_over_intents: Vec<String>,
    /// The output variable with the reason of a hand-over; without it the intent is the reason. Default "handOverReason".
    #[serde(default = "reason_parameter")]
    pub reason_parameter: String,
    /// The output variable with what the agent should know. Default "handOverNote".
    #[serde(default = "note_parameter")]
    pub note_parameter: String,
    /// What the state `Failed` means. The flow's failure path usually led to a human. Default "hand_over".
    #[serde(default)]
    pub failed: Failed,
    /// What `MoreData` without a message means, with "v2" and `callbacks`. The contract does not tell an early
    /// acknowledgement from a bot that has nothing to say. Default "late".
    #[serde(default)]
    pub silence: Silence,
    /// The client credentials with which a v2 endpoint fetches a token here and sends its late answers. Default: none; late
    /// answers are refused.
    #[serde(default)]
    pub callbacks: Option<CallbacksConfig>,
    /// Whether a turn may be asked again when nobody knows if the endpoint got it. With "safe" it must recognise
    /// `messageId`, which is the same at every attempt. Default: "unsafe" with "v1", which has no such id; "safe" with "v2".
    #[serde(default)]
    pub replay: Option<ReplayConfig>,
    /// What an answer may hold at most.
    #[serde(default)]
    pub limits: Limits,
}

/// One of the platform's two contracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Speaks {
    /// The Bot Connector's: an answer in the same response, nothing later.
    V1,
    /// The Digital Bot Connector's: an answer at once, or later.
    V2,
}

/// See [`Config::failed`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Failed {
    /// What it says is said, and a human takes over.
    #[default]
    HandOver,
    /// The turn failed: nothing of it is said, and the bot's `on_failure` decides.
    Fail,
}

/// See [`Config::silence`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Silence {
    /// The answer comes later; without one before the hard deadline the turn fails.
    #[default]
    Late,
    /// The bot has nothing to say, and the customer goes on. An answer that comes later is still said.
    Nothing,
}

/// How a v2 endpoint proves to be itself when it answers later.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallbacksConfig {
    /// The id of the OAuth client that the endpoint uses.
    pub client_id: String,
    /// Its secret, at least 16 characters.
    #[serde(deserialize_with = "secret")]
    #[schemars(with = "SecretText")]
    pub client_secret: SecretString,
    /// How long a token counts, in seconds, 300 to 172800. Default 3600.
    #[serde(default = "lifetime_s")]
    pub lifetime_s: u32,
    /// How many late answers a minute are taken, 10 to 100000; more get 429. Default 300.
    #[serde(default = "requests_per_minute")]
    pub requests_per_minute: u32,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

fn bot_version() -> String {
    "1".to_owned()
}

fn hand_over_intents() -> Vec<String> {
    vec!["human".to_owned()]
}

fn reason_parameter() -> String {
    "handOverReason".to_owned()
}

fn note_parameter() -> String {
    "handOverNote".to_owned()
}

fn lifetime_s() -> u32 {
    3_600
}

fn requests_per_minute() -> u32 {
    300
}

/// What is wrong with a configuration. Never quotes a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The address cannot be called.
    #[error("url: {0}")]
    Url(String),
    /// A header cannot be sent.
    #[error("headers.{0}: this is not the name of a header")]
    HeaderName(String),
    /// Its value cannot be sent.
    #[error("headers.{0}: a secret is visible ASCII on one line, without blanks or a line break at its ends")]
    HeaderValue(HeaderName),
    /// It is there twice, or HTTP's own.
    #[error("headers.{0}: it is there twice, or HTTP needs it; take it away")]
    HeaderTaken(HeaderName),
    /// A name that no endpoint could have been registered with.
    #[error("{0}: a name has 1 to {NAME_MAX_CHARS} characters, without a blank at its ends")]
    Name(&'static str),
    /// The session's length is out of range.
    #[error("session_timeout_minutes lies between 1 and {SESSION_MAX_MINUTES}")]
    Session,
    /// Late answers need a contract that has them.
    #[error("callbacks: endpoints written for v1 cannot answer later; take the table away")]
    NoLateAnswers,
    /// A number of `callbacks` is out of range.
    #[error("callbacks.{0} lies between {1} and {2}")]
    Range(&'static str, u32, u32),
    /// The client's id or secret is of no use.
    #[error("callbacks.{0}")]
    Client(String),
}

impl Config {
    /// Where questions are posted.
    pub(super) fn checked_url(&self) -> Result<String, Error> {
        address::check(&self.url, "headers").map_err(Error::Url)?;
        match self.speaks {
            Speaks::V1 => Ok(self.url.clone()),
            Speaks::V2 if self.url.contains('?') => {
                Err(Error::Url(format!("the base address has a query; {MESSAGES_PATH} is appended to it")))
            }
            Speaks::V2 => {
                let base = self.url.trim_end_matches('/');
                if base.ends_with(MESSAGES_PATH) {
                    return Err(Error::Url(format!(
                        "take {MESSAGES_PATH} from its end; it is appended to the base address"
                    )));
                }
                Ok(format!("{base}{MESSAGES_PATH}"))
            }
        }
    }

    /// What every call shows.
    pub(super) fn checked_headers(&self) -> Result<HeaderMap, Error> {
        let mut headers = HeaderMap::new();
        for (name, secrets) in &self.headers.0 {
            let name: HeaderName = name.parse().map_err(|_| Error::HeaderName(name.clone()))?;
            let secret = secrets.0.first().map_or("", |secret| secret.expose_secret());
            let mut value = HeaderValue::from_str(secret).map_err(|_| Error::HeaderValue(name.clone()))?;
            if secret.trim() != secret || secret.is_empty() {
                return Err(Error::HeaderValue(name));
            }
            value.set_sensitive(true);
            if headers.insert(name.clone(), value).is_some() || SET_BY_US.contains(&name.as_str()) {
                return Err(Error::HeaderTaken(name));
            }
        }
        Ok(headers)
    }

    /// Minutes that a session lives.
    pub(super) fn session_minutes(&self) -> Result<u32, Error> {
        let usual = match self.speaks {
            Speaks::V1 => SESSION_MAX_MINUTES,
            Speaks::V2 => 12 * 60,
        };
        let minutes = self.session_timeout_minutes.unwrap_or(usual);
        if (1..=SESSION_MAX_MINUTES).contains(&minutes) { Ok(minutes) } else { Err(Error::Session) }
    }

    pub(super) fn check_names(&self) -> Result<(), Error> {
        let names = [
            ("bot_id", self.bot_id.as_deref()),
            ("bot_name", self.bot_name.as_deref()),
            ("bot_version", Some(self.bot_version.as_str())),
        ];
        let fits = |name: &str| !name.is_empty() && name.trim() == name && name.chars().count() <= NAME_MAX_CHARS;
        match names.into_iter().find(|(_, name)| name.is_some_and(|name| !fits(name))) {
            Some((which, _)) => Err(Error::Name(which)),
            None => Ok(()),
        }
    }

    pub(super) fn checked_callbacks(&self) -> Result<Option<&CallbacksConfig>, Error> {
        let Some(callbacks) = &self.callbacks else { return Ok(None) };
        if self.speaks == Speaks::V1 {
            return Err(Error::NoLateAnswers);
        }
        let ranges = [
            ("lifetime_s", callbacks.lifetime_s, 300, 172_800),
            ("requests_per_minute", callbacks.requests_per_minute, 10, 100_000),
        ];
        if let Some((name, _, least, most)) = ranges.into_iter().find(|(_, it, least, most)| it < least || it > most) {
            return Err(Error::Range(name, least, most));
        }
        let secret = callbacks.client_secret.expose_secret();
        if secret.len() < 16 || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            let what = "client_secret has at least 16 characters, visible ASCII on one line";
            return Err(Error::Client(what.to_owned()));
        }
        TokenRequest::new(callbacks.client_id.clone(), callbacks.client_secret.clone())
            .map_err(|error| Error::Client(format!("client_id: {error}")))?;
        Ok(Some(callbacks))
    }
}
