//! The configuration of a webhook bot.

use std::collections::BTreeSet;
use std::fmt;

use http::HeaderValue;
use model::News;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize};

use super::signature;
use crate::config::SecretText;
use crate::engine::Replay;
use crate::engine::address;
use crate::engine::limits::Limits;

/// Two are enough while rotating; more is a mistake.
const SECRETS_MAX: usize = 2;

/// How a webhook bot is reached.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where questions are posted: an absolute `https` or `http` address without credentials in it.
    pub url: String,
    /// Secrets of the form `whsec_…`, the current one first; at most two, while one is rotated out. We sign questions with
    /// all of them, and accept callbacks signed with any. Without one nothing is signed and callbacks are refused.
    /// Default: none.
    #[serde(default, deserialize_with = "secrets")]
    #[schemars(with = "Vec<SecretText>")]
    pub secrets: Vec<SecretString>,
    /// Sent as `Authorization: Bearer …`. Default: none.
    #[serde(default, deserialize_with = "optional_secret")]
    #[schemars(with = "Option<SecretText>")]
    pub bearer: Option<SecretString>,
    /// Whether a turn may be asked again when nobody knows if the bot got it. With `safe` it must
    /// recognise `webhook-id`, which is the same at every attempt. Default "safe".
    #[serde(default)]
    pub replay: ReplayConfig,
    /// What the bot is told of a conversation's life, here or in the bot's own table. Default: nothing.
    #[serde(default)]
    pub notify: BTreeSet<Notify>,
    /// What an answer may hold at most.
    #[serde(default)]
    pub limits: Limits,
}

/// See [`Config::replay`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReplayConfig {
    /// The bot recognises a turn by its id.
    #[default]
    Safe,
    /// Asking twice would act twice.
    Unsafe,
}

impl From<ReplayConfig> for Replay {
    fn from(replay: ReplayConfig) -> Self {
        match replay {
            ReplayConfig::Safe => Self::Safe,
            ReplayConfig::Unsafe => Self::Unsafe,
        }
    }
}

/// One kind of news.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Notify {
    /// The conversation began for this bot.
    Opened,
    /// It is over for this bot.
    Ended,
    /// A human takes over.
    HandedOver,
    /// It came back to the bot.
    Returned,
}

impl From<News> for Notify {
    fn from(news: News) -> Self {
        match news {
            News::Opened => Self::Opened,
            News::Ended => Self::Ended,
            News::HandedOver => Self::HandedOver,
            News::Returned => Self::Returned,
        }
    }
}

/// What is wrong with a configuration. Never quotes a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The address cannot be called.
    #[error("url: {0}")]
    Url(String),
    /// A secret is malformed.
    #[error("secrets: {0}")]
    Secret(#[from] signature::NotASecret),
    /// Too many secrets.
    #[error("secrets: at most {SECRETS_MAX}, the current one and the one that is rotated out")]
    TooManySecrets,
    /// The bearer token cannot stand in a header.
    #[error("bearer: a token is visible ASCII characters on one line")]
    Bearer,
}

impl Config {
    pub(super) fn checked_url(&self) -> Result<String, Error> {
        address::check(&self.url, "bearer").map_err(Error::Url)?;
        Ok(self.url.clone())
    }

    pub(super) fn keys(&self) -> Result<Vec<signature::Key>, Error> {
        if self.secrets.len() > SECRETS_MAX {
            return Err(Error::TooManySecrets);
        }
        Ok(self.secrets.iter().map(|secret| signature::Key::parse(secret.expose_secret())).collect::<Result<_, _>>()?)
    }

    pub(super) fn authorization(&self) -> Result<Option<HeaderValue>, Error> {
        let Some(bearer) = &self.bearer else { return Ok(None) };
        let token = bearer.expose_secret();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::Bearer);
        }
        let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| Error::Bearer)?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

/// Reads a secret without ever naming its value in an error.
struct Secret(SecretString);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Secret;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a secret as text")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Secret, E> {
                Ok(Secret(text.into()))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

fn secrets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SecretString>, D::Error> {
    Ok(Vec::<Secret>::deserialize(deserializer)?.into_iter().map(|secret| secret.0).collect())
}

/// A secret that may be left out.
pub(in crate::engine) fn optional_secret<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SecretString>, D::Error> {
    Secret::deserialize(deserializer).map(|secret| Some(secret.0))
}
