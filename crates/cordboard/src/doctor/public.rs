//! The public address: whether a call from outside arrives at the connectors. It is made without credentials, so that
//! the gateway's own refusal is the right answer.

use futures_util::future::join_all;
use http::Method;
use serde_json::Value;

use super::{Check, Doctor, bare};
use crate::connector::registry::Integration;
use crate::http::Reply;
use crate::http::trouble::Trouble;

const CHECK: &str = "public_url";
const FROM_OUTSIDE: &str =
    "see whether it can be reached from outside: some networks do not lead their own public address back";

/// One check for each connector.
pub(super) async fn examine(doctor: &Doctor<'_>) -> Vec<Check> {
    let Some(base) = doctor.config.server.public_url.as_deref().map(|url| url.trim_end_matches('/')) else {
        let found = "it is not set; with it, the connectors are called as the platform calls them";
        return vec![Check::skipped(CHECK, "server.public_url", found)];
    };
    let connectors =
        doctor.config.connectors.values().filter(|integration| doctor.asks_for(integration.connector().org()));
    join_all(connectors.map(async |integration| one(doctor, base, integration).await)).await
}

async fn one(doctor: &Doctor<'_>, base: &str, integration: &Integration) -> Check {
    let subject = format!("connectors.{}", integration.connector().key());
    let path = integration.paths().into_iter().next().unwrap_or_default();
    let url = format!("{base}{path}");
    let reply = match doctor.client.probe(bare(Method::GET, url.clone())).await {
        Ok(reply) => reply,
        Err(Trouble::Refused) if doctor.is_running == Some(false) => return not_running(subject, &url),
        Err(trouble @ (Trouble::Slow | Trouble::NoRoute | Trouble::Refused)) => {
            return Check::failed(CHECK, subject, format!("{url}: {trouble}"), FROM_OUTSIDE);
        }
        Err(trouble @ (Trouble::Untrusted | Trouble::SelfSigned)) => {
            let next = "the platform trusts public authorities alone: get a certificate of one, with its intermediates";
            return Check::failed(CHECK, subject, format!("{url}: {trouble}"), next);
        }
        Err(trouble) => return Check::failed(CHECK, subject, format!("{url}: {trouble}"), trouble.next_step()),
    };
    if is_ours(&reply) {
        return Check::ok(CHECK, subject, format!("{url} arrives here"));
    }
    let status = reply.status;
    let failed =
        |found: &str, next: &str| Check::failed(CHECK, subject.clone(), format!("{url} {found} ({status})"), next);
    match status {
        502..=504 if doctor.is_running == Some(false) => not_running(subject, &url),
        502..=504 => failed(
            "reaches a proxy that does not reach the gateway",
            "compare the proxy's target with `listen` in [server]",
        ),
        300..=399 => failed(
            "is redirected, and the platform does not follow",
            "write the address into `public_url` that it leads to",
        ),
        404 => failed(
            "is answered by something else",
            "let the proxy in front forward this path unchanged, without adding or cutting a part",
        ),
        401 | 403 => failed(
            "is refused by something in front of the gateway",
            "let the proxy or firewall in front pass calls of the platform",
        ),
        _ => failed("is answered by something else", "see which server this host leads to"),
    }
}

fn not_running(subject: String, url: &str) -> Check {
    Check::warning(
        CHECK,
        subject,
        format!("{url} cannot be tried while no gateway runs"),
        "start the gateway, and ask again",
    )
}

/// What the doors say to a call without credentials.
fn is_ours(reply: &Reply) -> bool {
    let body: Option<Value> = serde_json::from_slice(&reply.body).ok();
    reply.status == 403 && body.is_some_and(|body| body["error"] == "credentials")
}
