//! `[observe]`: how the gateway is watched.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

use crate::config::SecretText;

/// The `[observe]` table.
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Observe {
    /// The address on which `GET /metrics` is answered, in plain HTTP and without credentials: an address that only the
    /// collector reaches, such as "127.0.0.1:9464". `cordboard metrics` shows the same page without it. Default: none.
    #[serde(deserialize_with = "address")]
    #[schemars(with = "Option<String>")]
    pub metrics_listen: Option<SocketAddr>,
    /// How the log is written. What the command line and the variable CORDBOARD_LOG say counts more.
    pub log: Log,
    /// Where traces are sent. Default: nowhere.
    pub otlp: Option<Otlp>,
}

/// The `[observe.log]` table.
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// "human" for people, or "json" for collectors: one object on each line. Default "human".
    pub format: Option<LogFormat>,
    /// Which lines are written, such as "info" or "cordboard::outbox=debug,info". Default "info".
    pub filter: Option<String>,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line, for collectors.
    Json,
}

/// The `[observe.otlp]` table.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Otlp {
    /// Where spans are posted, as OTLP over HTTP in its binary form; the whole address, such as
    /// "http://127.0.0.1:4318/v1/traces".
    pub endpoint: String,
    /// Headers of each call, such as the collector's API key. Default: none.
    #[serde(default, deserialize_with = "secrets")]
    #[schemars(with = "BTreeMap<String, SecretText>")]
    pub headers: BTreeMap<String, SecretString>,
    /// Which part of the conversations' turns is traced, from 0 to 1, where the platform does not say so in
    /// `traceparent`. Default 1.0.
    #[serde(default = "all")]
    pub sample_ratio: f64,
}

const fn all() -> f64 {
    1.0
}

impl Observe {
    /// What is wrong, with what to write instead. No message holds a header's value.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if let Some(filter) = &self.log.filter
            && tracing_subscriber::EnvFilter::builder().parse(filter).is_err()
        {
            problems.push("observe: `log.filter` has the form \"info\" or \"cordboard::outbox=debug,info\"".to_owned());
        }
        let Some(otlp) = &self.otlp else { return problems };
        let uri = otlp.endpoint.parse::<http::Uri>().ok();
        let is_address =
            uri.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some());
        if !is_address {
            problems.push(
                "observe: `otlp.endpoint` is a whole address, such as \"http://127.0.0.1:4318/v1/traces\"".to_owned(),
            );
        }
        if !(0.0..=1.0).contains(&otlp.sample_ratio) {
            problems.push("observe: `otlp.sample_ratio` lies between 0 and 1".to_owned());
        }
        for (name, value) in &otlp.headers {
            if header(name, value).is_none() {
                problems.push(format!(
                    "observe: `otlp.headers`: {name} cannot be sent: names are words, values one line of visible text"
                ));
            }
        }
        problems
    }
}

fn secrets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, SecretString>, D::Error> {
    let written = BTreeMap::<String, String>::deserialize(deserializer)?;
    Ok(written.into_iter().map(|(name, value)| (name, SecretString::from(value))).collect())
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    let written = String::deserialize(deserializer)?;
    written
        .parse()
        .map(Some)
        .map_err(|_| serde::de::Error::custom("an IP address with a port belongs here, such as \"127.0.0.1:9464\""))
}

/// A header as it is sent; nothing when it cannot be one.
pub(super) fn header(name: &str, value: &SecretString) -> Option<(http::HeaderName, http::HeaderValue)> {
    use secrecy::ExposeSecret as _;
    let mut value = http::HeaderValue::from_str(value.expose_secret()).ok()?;
    value.set_sensitive(true);
    Some((http::HeaderName::try_from(name).ok()?, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_without_secrets() {
        let table = [
            ("", ""),
            ("metrics_listen = \"127.0.0.1:9464\"\nlog = { format = \"json\", filter = \"cordboard=debug,info\" }", ""),
            ("log.filter = \"cordboard=loud\"", "`log.filter` has the form"),
            ("otlp = { endpoint = \"collector:4318\" }", "`otlp.endpoint` is a whole address"),
            ("otlp = { endpoint = \"http://c:4318/v1/traces\", sample_ratio = 1.5 }", "between 0 and 1"),
            (
                "otlp = { endpoint = \"http://c:4318/v1/traces\", headers = { key = \"hush\\n\" } }",
                "`otlp.headers`: key",
            ),
            ("otlp = { endpoint = \"http://c:4318/v1/traces\", headers = { \"a b\" = \"hush\" } }", "names are words"),
        ];
        for (toml, part) in table {
            let observe: Observe = toml::from_str(toml).unwrap();
            let problems = observe.problems().join("; ");
            assert_eq!(problems.is_empty(), part.is_empty(), "{toml}: {problems}");
            assert!(problems.contains(part) && !problems.contains("hush"), "{toml}: {problems}");
            assert!(!format!("{observe:?}").contains("hush"));
        }
        let error = toml::from_str::<Observe>("metrics_listen = \"9464\"").unwrap_err().to_string();
        assert!(error.contains("an IP address with a port belongs here"), "{error}");
    }
}
