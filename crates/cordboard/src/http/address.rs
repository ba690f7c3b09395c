//! Whose call it is: the address of the client, looked at through the proxies in front of the gateway.
//!
//! The listener puts a [`ClientAddress`] into the extensions of every request that came over TCP. What a header says about
//! it counts only as far as trusted proxies wrote it: each appends the address of whoever called it, so the list is read
//! from its end until somebody stands there who is not trusted.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use http::header::FORWARDED;
use http::request::Parts;
use http::{HeaderMap, HeaderName};

use crate::config::TrustedProxies;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client's address, in the extensions of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// Whose call it is; nothing where calls have no address, as on the operator's socket.
    #[must_use]
    pub fn of(head: &Parts) -> Option<Self> {
        head.extensions.get().copied()
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TrustedProxies {
    fn trust(&self, address: IpAddr) -> bool {
        self.networks().iter().any(|network| network.contains(&address))
    }

    /// The client of a connection from `peer`.
    ///
    /// A proxy that writes one of the two headers may let the other one through as the client sent it. When both are
    /// there and disagree, neither is believed.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        let peer = peer.to_canonical();
        if !self.trust(peer) {
            return ClientAddress(peer);
        }
        let by = |name: &HeaderName, read: fn(&str) -> Option<IpAddr>| {
            headers.contains_key(name).then(|| self.last_untrusted(peer, hops(headers, name).map(read)))
        };
        let both = (by(&X_FORWARDED_FOR, address), by(&FORWARDED, forwarded_for));
        ClientAddress(match both {
            (Some(one), Some(other)) if one == other => one,
            (Some(one), None) | (None, Some(one)) => one,
            _ => peer,
        })
    }

    /// Walks from the nearest hop outwards. One that cannot be read ends the walk at the proxy that wrote it.
    fn last_untrusted(&self, peer: IpAddr, hops: impl Iterator<Item = Option<IpAddr>>) -> IpAddr {
        let mut nearest = peer;
        for hop in hops {
            let Some(hop) = hop else { break };
            nearest = hop.to_canonical();
            if !self.trust(nearest) {
                break;
            }
        }
        nearest
    }
}

/// The elements of a list header, the last one first.
fn hops<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines: Vec<&str> = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or_default()).collect();
    lines.into_iter().rev().flat_map(|line| line.rsplit(',')).map(str::trim)
}

/// `for=` of one element of `Forwarded` (RFC 7239).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| address(value.trim().trim_matches('"')))?
    })
}

/// An address, perhaps with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip()).ok();
    text.parse().ok().or_else(bracketed).or_else(with_port)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// From where, which headers, and whose call it is. 10/8 and fd00::/8 are proxies of ours.
    #[test]
    fn only_trusted_proxies_are_believed_and_the_last_untrusted_hop_counts() {
        const XFF: &str = "x-forwarded-for";
        type Lines = &'static [(&'static str, &'static str)];
        let table: [(&str, Lines, &str); 18] = [
            ("198.51.100.9", &[], "198.51.100.9"),
            ("198.51.100.9", &[(XFF, "203.0.113.1")], "198.51.100.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &[(XFF, "203.0.113.1")], "203.0.113.1"),
            ("10.0.0.1", &[(XFF, "1.2.3.4, 203.0.113.1")], "203.0.113.1"),
            ("10.0.0.1", &[(XFF, "1.2.3.4, 203.0.113.1, 10.9.9.9")], "203.0.113.1"),
            ("10.0.0.1", &[(XFF, "1.2.3.4"), (XFF, "203.0.113.1"), (XFF, "10.9.9.9,10.8.8.8")], "203.0.113.1"),
            ("10.0.0.1", &[(XFF, "10.9.9.9")], "10.9.9.9"),
            ("10.0.0.1", &[(XFF, "203.0.113.1, unknown")], "10.0.0.1"),
            ("10.0.0.1", &[(XFF, "203.0.113.1, , 10.9.9.9")], "10.9.9.9"),
            ("10.0.0.1", &[(XFF, "")], "10.0.0.1"),
            ("10.0.0.1", &[(XFF, "203.0.113.1:4711")], "203.0.113.1"),
            ("::ffff:10.0.0.1", &[(XFF, "2001:db8::1")], "2001:db8::1"),
            ("fd00::1", &[("forwarded", "for=\"[2001:db8::1]:47\";proto=https")], "2001:db8::1"),
            ("10.0.0.1", &[("forwarded", "for=1.2.3.4, proto=https;For=203.0.113.1 ")], "203.0.113.1"),
            ("10.0.0.1", &[("forwarded", "for=203.0.113.1, for=_hidden")], "10.0.0.1"),
            ("10.0.0.1", &[("forwarded", "for=203.0.113.1"), (XFF, "203.0.113.1")], "203.0.113.1"),
            ("10.0.0.1", &[("forwarded", "for=203.0.113.1"), (XFF, "1.2.3.4")], "10.0.0.1"),
        ];
        #[derive(serde::Deserialize)]
        struct Server {
            trusted: TrustedProxies,
        }
        let proxies = toml::from_str::<Server>("trusted = ['10.0.0.0/8', 'fd00::/8']").unwrap().trusted;
        for (peer, lines, client) in table {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            let seen = proxies.client(peer.parse().unwrap(), &headers);
            assert_eq!(seen, ClientAddress(client.parse().unwrap()), "{peer} {lines:?}");
        }
    }
}
