//! `[server]`: where the gateway listens, where it keeps its data, and how it stops.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

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
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            data_dir: PathBuf::from("data"),
            drain_ms: 5_000,
            grace_ms: 20_000,
            body_max_kb: 256,
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
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let written = String::deserialize(deserializer)?;
    written.parse().map_err(|_| {
        serde::de::Error::custom(
            "an IP address with a port belongs here, such as \"127.0.0.1:8080\" or \"0.0.0.0:8080\"",
        )
    })
}
