//! `[server]`: where the gateway listens, where it keeps its data, and how it stops.

use std::net::SocketAddr;
use std::path::PathBuf;

use http::Uri;
use serde::{Deserialize, Deserializer};

use super::network::{Tls, TrustedProxies};

/// The `[server]` table.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// The address to listen on; port 0 takes a free one. Default "127.0.0.1:8080".
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// The folder of the store, used by one process at a time. A relative path starts at the folder of the configuration
    /// file. Default "data".
    pub data_dir: PathBuf,
    /// How long requests are still answered after the signal to stop. Default 5000.
    pub drain_ms: u64,
    /// How long calls to engines may go on after that; what is not over then is called again at the next start. Default
    /// 20000.
    pub grace_ms: u64,
    /// The largest body of a request. Default 256.
    pub body_max_kb: u64,
    /// The address under which the platform reaches the gateway from outside, such as `https://bots.example.com`: https,
    /// without a path. `check` and `doctor` use it. Default: none.
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
    /// Each number that lies outside its range, with a message.
    pub(super) fn out_of_range(&self) -> Vec<String> {
        let ranges = [
            ("drain_ms", self.drain_ms, 0, 600_000),
            ("grace_ms", self.grace_ms, 0, 600_000),
            ("body_max_kb", self.body_max_kb, 16, 65_536),
        ];
        let outside = ranges.into_iter().filter(|(_, value, least, most)| value < least || value > most);
        outside.map(|(name, _, least, most)| format!("server: `{name}` lies between {least} and {most}")).collect()
    }

    /// What cannot be meant by the keys of the network.
    pub(super) fn unusable(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.public_url.as_deref().is_some_and(|url| !is_public_url(url)) {
            problems.push(
                "server: `public_url` has the form https://bots.example.com: https, a host, no path, no query"
                    .to_owned(),
            );
        }
        if self.trusted_proxies.networks().iter().any(|network| network.prefix_len() == 0) {
            problems.push(
                "server: `trusted_proxies` with /0 would let anybody name any address; write the networks of your proxies"
                    .to_owned(),
            );
        }
        problems
    }
}

fn is_public_url(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    let host_alone = !authority.is_empty() && !authority.contains('@') && matches!(uri.path(), "" | "/");
    uri.scheme_str() == Some("https") && host_alone && !url.contains(['?', '#'])
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let written = String::deserialize(deserializer)?;
    written.parse().map_err(|_| {
        serde::de::Error::custom(
            "an IP address with a port belongs here, such as \"127.0.0.1:8080\" or \"0.0.0.0:8080\"",
        )
    })
}
