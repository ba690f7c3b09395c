//! `[server]`: where the gateway listens, where it keeps its data, and how it stops.

use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::network::{Tls, TrustedProxies};
use crate::doors;

/// The `[server]` table.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// The address to listen on; port 0 takes a free one. Default "127.0.0.1:8080".
    #[serde(deserialize_with = "address")]
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// The folder of the store, used by one process at a time. A relative path starts at the folder of the configuration
    /// file. Default "data".
    pub data_dir: PathBuf,
    /// Whether the group of the data folder may look, in the role read: at everything but what was said. It gets the right
    /// to enter the folder, to reach the operator's socket and to read `read.token`, and to no other file there. Default
    /// false.
    pub group_may_read: bool,
    /// How long requests are still answered after the signal to stop, 0 to 600000. Default 5000.
    pub drain_ms: u64,
    /// How long calls to engines may go on after that; what is not over then is asked again at the next
    /// start. 0 to 600000. Default 20000.
    pub grace_ms: u64,
    /// The largest body of a platform's request, 16 to 65536. Default 256.
    pub body_max_kb: u64,
    /// Where the platform reaches the gateway: an https address without a path, such as `https://bots.example.com`. What
    /// `check` prints to enter in Genesys begins with it. Default: none.
    pub public_url: Option<String>,
    /// The proxies in front of the gateway, as networks or addresses. Only from them `X-Forwarded-For` and `Forwarded`
    /// are believed. Default [].
    pub trusted_proxies: TrustedProxies,
    /// TLS of the listener. Default: none, plain HTTP for a proxy in front that ends TLS.
    pub tls: Option<Tls>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            data_dir: PathBuf::from("data"),
            group_may_read: false,
            drain_ms: 5_000,
            grace_ms: 20_000,
            body_max_kb: 256,
            public_url: None,
            trusted_proxies: TrustedProxies::default(),
            tls: None,
        }
    }
}

impl Server {
    /// What a request may cost before it is understood.
    pub(crate) fn limits_of_doors(&self) -> doors::Limits {
        let body_max_bytes = usize::try_from(self.body_max_kb * 1024).unwrap_or(usize::MAX);
        doors::Limits { body_max_bytes, ..doors::Limits::default() }
    }

    /// Each number that lies outside its range, with a message.
    pub(super) fn out_of_range(&self) -> Vec<String> {
        let ranges = [
            ("drain_ms", self.drain_ms, 0, 600_000),
            ("grace_ms", self.grace_ms, 0, 600_000),
            ("body_max_kb", self.body_max_kb, 16, 65_536),
        ];
        let outside = ranges.into_iter().filter(|(_, value, least, most)| value < least || value > most);
        let mut wrong: Vec<String> =
            outside.map(|(name, _, least, most)| format!("server: `{name}` lies between {least} and {most}")).collect();
        wrong.extend(self.public_url.as_deref().and_then(wrong_public_url).map(str::to_owned));
        if self.data_dir.starts_with("~") {
            wrong.push("server: `data_dir`: `~` is not put in here; write the whole path, or \"${HOME}/…\"".to_owned());
        }
        if self.data_dir.as_os_str().is_empty() {
            wrong.push("server: `data_dir` is empty; leave it out for the folder \"data\" beside this file".to_owned());
        }
        wrong
    }

    /// What cannot be meant by the keys of the network.
    pub(super) fn unusable(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.trusted_proxies.networks().iter().any(|network| network.prefix_len() == 0) {
            problems.push(
                "server: `trusted_proxies` with /0 would let anybody name any address; write the networks of your proxies"
                    .to_owned(),
            );
        }
        problems
    }
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let written = String::deserialize(deserializer)?;
    written.parse().map_err(|_| {
        serde::de::Error::custom(
            "an IP address with a port belongs here, such as \"127.0.0.1:8080\" or \"0.0.0.0:8080\"",
        )
    })
}

/// An address that Genesys can call, and to which paths can be appended.
fn wrong_public_url(url: &str) -> Option<&'static str> {
    let authority = match url.parse::<http::Uri>() {
        Ok(uri) if uri.scheme_str() == Some("https") => uri.authority().cloned(),
        Ok(uri) if uri.scheme_str() == Some("http") => {
            return Some("server: `public_url` starts with https://; Genesys calls no other addresses");
        }
        Ok(_) | Err(_) => None,
    };
    let Some(authority) = authority.filter(|authority| !authority.host().is_empty()) else {
        return Some("server: `public_url` is an address such as \"https://bots.example.com\"");
    };
    let rest = url.get("https://".len() + authority.as_str().len()..).unwrap_or_default();
    (!rest.trim_end_matches('/').is_empty() || authority.as_str().contains('@')).then_some(
        "server: `public_url` is scheme and host only, such as \"https://bots.example.com\"; the paths stand in [connectors]",
    )
}
