//! `[server.tls]`, `[outgoing]` and the networks of `server.trusted_proxies`: how bytes come in and go out.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use http::Uri;
use ipnet::IpNet;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer};

use super::schema::SecretText;

/// The `[server.tls]` table. Without it the listener speaks plain HTTP, for a proxy in front that ends TLS.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate in PEM, followed by its intermediates. Read again when it changes. A relative path starts at the
    /// folder of the configuration file.
    pub cert_file: PathBuf,
    /// The private key of the certificate in PEM, without a passphrase. Read again when it changes.
    pub key_file: PathBuf,
    /// The oldest version of TLS that is spoken: "1.2" or "1.3". Default "1.2".
    #[serde(default)]
    pub min_version: TlsVersion,
}

/// See [`Tls::min_version`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, schemars::JsonSchema)]
pub enum TlsVersion {
    /// TLS 1.2 and 1.3.
    #[default]
    #[schemars(rename = "1.2")]
    V1_2,
    /// TLS 1.3 alone.
    #[schemars(rename = "1.3")]
    V1_3,
}

impl<'de> Deserialize<'de> for TlsVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Version;
        impl serde::de::Visitor<'_> for Version {
            type Value = TlsVersion;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("\"1.2\" or \"1.3\" in quotation marks")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<TlsVersion, E> {
                match text {
                    "1.2" => Ok(TlsVersion::V1_2),
                    "1.3" => Ok(TlsVersion::V1_3),
                    _ => Err(E::custom("\"1.2\" or \"1.3\" belongs here")),
                }
            }
        }
        deserializer.deserialize_str(Version)
    }
}

/// Networks whose word about a client's address is taken, written as `10.0.0.0/8` or as a single address.
#[derive(Clone, Debug, Default, PartialEq, Eq, schemars::JsonSchema)]
#[schemars(transparent)]
pub struct TrustedProxies(#[schemars(with = "Vec<String>")] Vec<IpNet>);

impl TrustedProxies {
    /// The networks.
    #[must_use]
    pub fn networks(&self) -> &[IpNet] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for TrustedProxies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Vec::<String>::deserialize(deserializer)?;
        let networks = written.iter().map(|written| {
            let single = || written.parse::<IpAddr>().map(IpNet::from).ok();
            written.parse().ok().or_else(single).ok_or_else(|| {
                serde::de::Error::custom("a network belongs here, such as \"10.0.0.0/8\", or the address of one proxy")
            })
        });
        networks.collect::<Result<_, _>>().map(Self)
    }
}

/// A proxy cannot reach what listens on this machine alone.
pub(crate) const NEVER_BY_PROXY: [&str; 3] = ["localhost", "127.0.0.0/8", "::1"];

/// The `[outgoing]` table: every call that Cordboard makes, to the platform and to engines.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Outgoing {
    /// The proxy for outgoing calls, `http://` or `https://`, with a user and a password where it wants them:
    /// `http://user:password@proxy.example.com:3128`. The variables HTTP_PROXY and HTTPS_PROXY of the environment are not
    /// looked at. Default: none.
    #[serde(deserialize_with = "proxy")]
    #[schemars(with = "Option<SecretText>")]
    pub proxy: Option<SecretString>,
    /// What is called without the proxy: domains with all below them, addresses, networks. Loopback addresses and
    /// `localhost` never go through it. Default [].
    pub no_proxy: Vec<String>,
    /// Certificates in PEM that are trusted besides those of the system: the authority of a company's own servers, or of
    /// a proxy that looks into TLS. A relative path starts at the folder of the configuration file. Default: none.
    pub ca_file: Option<PathBuf>,
    /// How long a connection may take to be made, in milliseconds. Default 2000.
    pub connect_timeout_ms: u64,
}

impl Default for Outgoing {
    fn default() -> Self {
        Self { proxy: None, no_proxy: Vec::new(), ca_file: None, connect_timeout_ms: 2_000 }
    }
}

impl Outgoing {
    /// Everything that cannot be meant; no message quotes the proxy, whose address may hold a password.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !(100..=60_000).contains(&self.connect_timeout_ms) {
            problems.push("outgoing: `connect_timeout_ms` lies between 100 and 60000".to_owned());
        }
        if self.proxy.as_ref().is_some_and(|proxy| !is_proxy(proxy.expose_secret())) {
            let form = "http://proxy.example.com:3128, with user:password@ before the host where it wants them";
            problems.push(format!("outgoing: `proxy` has the form {form}"));
        }
        let is_network = |entry: &str| entry.parse::<IpNet>().is_ok() || entry.parse::<IpAddr>().is_ok();
        let is_host = |entry: &str| !entry.is_empty() && !entry.contains([',', ':', '/', '*', ' ']);
        if self.no_proxy.iter().any(|entry| !is_network(entry) && !is_host(entry)) {
            problems.push(
                "outgoing: `no_proxy` lists hosts without scheme and port, such as \"example.com\" or \"10.0.0.0/8\""
                    .to_owned(),
            );
        }
        problems
    }

    /// The proxy's host and port, without what is secret in its address.
    #[must_use]
    pub fn proxy_origin(&self) -> Option<String> {
        let uri: Uri = self.proxy.as_ref()?.expose_secret().parse().ok()?;
        let scheme = uri.scheme_str().unwrap_or("http");
        let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
        Some(format!("{scheme}://{}:{port}", uri.host()?))
    }

    /// Whether a call to this host goes through the proxy.
    #[must_use]
    pub fn goes_by_proxy(&self, host: &str) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let address: Option<IpAddr> = host.parse().ok();
        let is_direct = |entry: &str| match (entry.parse::<IpNet>(), entry.parse::<IpAddr>(), address) {
            (Ok(network), _, Some(address)) => network.contains(&address),
            (_, Ok(one), Some(address)) => one == address,
            _ => {
                let (host, domain) = (host.to_ascii_lowercase(), entry.trim_start_matches('.').to_ascii_lowercase());
                host.strip_suffix(&domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
        };
        let mut direct = NEVER_BY_PROXY.iter().copied().chain(self.no_proxy.iter().map(String::as_str));
        self.proxy.is_some() && !direct.any(is_direct)
    }

    /// Makes relative paths start at a folder.
    pub(super) fn below(mut self, folder: &Path) -> Self {
        self.ca_file = self.ca_file.map(|file| folder.join(file));
        self
    }
}

fn is_proxy(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    matches!(uri.scheme_str(), Some("http" | "https"))
        && uri.host().is_some_and(|host| !host.is_empty())
        && matches!(uri.path(), "" | "/")
        && uri.query().is_none()
}

fn proxy<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    String::deserialize(deserializer).map(|text| Some(SecretString::from(text)))
}
