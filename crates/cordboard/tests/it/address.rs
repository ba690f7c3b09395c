//! An address that is known before anybody listens there.

use std::net::{SocketAddr, TcpListener};

/// Free, and below the ports that systems give out by themselves: until somebody listens there, no connection and no other
/// listener of this machine gets it by chance. `from` is any number; whoever gives another one looks elsewhere first.
pub(crate) fn free_address(from: u64) -> SocketAddr {
    let ports = (0..12_000).map(|next| u16::try_from(20_000 + (from + next) % 12_000).unwrap());
    let mut addresses = ports.map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    addresses.find(|address| TcpListener::bind(address).is_ok()).expect("a port is free")
}
