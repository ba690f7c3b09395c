//! The listener: is its address free, and its certificate good.

use model::Timestamp;
use tokio::net::TcpListener;

use super::{Check, Origin};
use crate::config::Server;
use crate::http::tls::{FEW_DAYS, Tls};
use crate::words::some;

const CHECK: &str = "certificate";
const SUBJECT: &str = "server.tls";

/// Whether the gateway could listen, when it is known that it does not.
pub(super) async fn address(server: &Server, is_running: Option<bool>) -> Option<Check> {
    const CHECK: &str = "listen";
    const SUBJECT: &str = "server.listen";
    if is_running != Some(false) {
        return None;
    }
    let address = server.listen;
    Some(match TcpListener::bind(address).await {
        Ok(_) => Check::ok(CHECK, SUBJECT, format!("{address} is free")),
        Err(error) => {
            let next = "stop the process that has it (ss -ltnp shows which), or choose another `listen`; ports below 1024 \
                        need the capability CAP_NET_BIND_SERVICE";
            Check::failed(CHECK, SUBJECT, format!("cannot listen on {address}: {error}"), next)
        }
    })
}

/// Looks at the certificate, when the listener speaks TLS.
pub(super) fn certificate(server: &Server, now: Timestamp) -> Vec<Check> {
    let Some(files) = &server.tls else { return Vec::new() };
    let certificate = match Tls::load(files) {
        Ok(tls) => tls.certificate(),
        Err(error) => {
            return vec![Check::failed(CHECK, SUBJECT, error.to_string(), "the gateway does not start with it")];
        }
    };
    let renew = "renew it; new files are taken into use within seconds, without a restart";
    let days = certificate.days_left(now);
    let left = if days == 1 { "1 day is left".to_owned() } else { format!("{days} days are left") };
    let mut checks = vec![if days < 0 {
        Check::failed(CHECK, SUBJECT, format!("it expired {} ago: the platform refuses it", some(-days, "day")), renew)
    } else if !certificate.has_begun(now) {
        Check::failed(CHECK, SUBJECT, "it is not valid yet", "set this machine's clock, or wait until it begins")
    } else if days < FEW_DAYS {
        Check::warning(CHECK, SUBJECT, left, renew)
    } else {
        Check::ok(CHECK, SUBJECT, format!("{left}; for {}", certificate.hosts().join(", ")))
    }];
    for weakness in certificate.weaknesses() {
        let next =
            "write one of a public authority with its chain into `cert_file`, unless a proxy in front shows its own";
        checks.push(Check::warning(CHECK, SUBJECT, *weakness, next));
    }
    if let Some(origin) = server.public_url.as_deref().and_then(Origin::of)
        && !certificate.is_for(&origin.host)
    {
        let found =
            format!("it is for {}, and not for {} of `public_url`", certificate.hosts().join(", "), origin.host);
        let next = "get one for this host, unless a proxy in front shows its own";
        checks.push(Check::warning(CHECK, SUBJECT, found, next));
    }
    checks
}
