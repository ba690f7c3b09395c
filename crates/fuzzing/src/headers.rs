//! Bytes as headers that strangers send: where a call stands in a trace, and whose call it is.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

use cordboard::config::TrustedProxies;
use cordboard::observe::trace::Trace;
use http::{HeaderMap, HeaderName, HeaderValue};

const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

static TRUSTED: LazyLock<TrustedProxies> =
    LazyLock::new(|| serde_json::from_str(r#"["10.0.0.0/8"]"#).unwrap_or_default());

/// Reads lines as headers; the first byte of each chooses its name. The word is what was learnt.
///
/// # Panics
/// When a trace does not survive its own text form, or when anybody but a proxy is believed.
pub fn headers(data: &[u8]) -> &'static str {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        let Some((name, value)) = line.split_first() else { continue };
        let name = ["traceparent", "x-forwarded-for", "forwarded"][usize::from(*name) % 3];
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    assert_eq!(TRUSTED.client(STRANGER, &headers).0, STRANGER, "a stranger named somebody else");
    let client = TRUSTED.client(PROXY, &headers).0;
    match Trace::of(&headers) {
        Some(trace) => {
            assert_eq!(Trace::parse(&trace.text()), Some(trace), "a trace does not survive its text form");
            "a trace"
        }
        None if client != PROXY => "a client",
        None => "nothing",
    }
}
