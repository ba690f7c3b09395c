//! Every address that the gateway calls: does its name lead anywhere, does it answer, and by which clock.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use futures_util::future::join_all;
use http::{Method, Uri};
use jiff::fmt::rfc2822;
use model::Timestamp;

use super::{Check, Doctor, bare};
use crate::http::Reply;
use crate::http::trouble::Trouble;

const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Scheme, host and port of an address: what may be shown of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Origin {
    scheme: String,
    pub(super) host: String,
    port: u16,
}

impl Origin {
    pub(super) fn of(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
        Some(Self { host: uri.host()?.to_owned(), scheme, port })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port } = self;
        match (scheme.as_str(), port) {
            ("https", 443) | ("http", 80) => write!(f, "{scheme}://{host}"),
            _ => write!(f, "{scheme}://{host}:{port}"),
        }
    }
}

/// What was found at an address.
pub(super) struct Answered {
    reply: Reply,
    /// In the middle between question and answer.
    at: Timestamp,
}

/// All addresses with what was found there.
pub(super) struct Addresses(BTreeMap<Origin, Found>);

struct Found {
    /// Which tables of the configuration name it.
    named_by: BTreeSet<String>,
    /// Nothing when the name is the proxy's to resolve.
    resolved: Option<Result<usize, String>>,
    answer: Result<Answered, Trouble>,
}

impl Addresses {
    pub(super) async fn examine(doctor: &Doctor<'_>) -> Self {
        let found = join_all(named(doctor).into_iter().map(async |(origin, named_by)| {
            let resolved = match by_proxy(doctor, &origin) {
                true => None,
                false => Some(resolve(&origin).await),
            };
            let answer = match &resolved {
                Some(Err(_)) => Err(Trouble::NoSuchHost),
                _ => ask(doctor, &origin).await,
            };
            (origin, Found { named_by, resolved, answer })
        }));
        Self(found.await.into_iter().collect())
    }

    /// Whether the address answered; what needs it can be skipped otherwise.
    pub(super) fn answers(&self, url: &str) -> bool {
        Origin::of(url).and_then(|origin| self.0.get(&origin)).is_some_and(|found| found.answer.is_ok())
    }

    /// How far this machine's clock is ahead of that of an address, in milliseconds.
    pub(super) fn ahead_ms(&self, url: &str) -> Option<i64> {
        let found = self.0.get(&Origin::of(url)?)?;
        let Answered { reply, at } = found.answer.as_ref().ok()?;
        let date = rfc2822::parse(reply.header("date")?).ok()?.timestamp().as_millisecond();
        // The header has whole seconds; on average half a second is cut off.
        Some(at.0 - (date + 500))
    }

    /// `proxy` is where calls go that do not go directly.
    pub(super) fn checks(&self, proxy: Option<&str>) -> Vec<Check> {
        let mut checks = Vec::new();
        for (origin, Found { named_by, resolved, answer }) in &self.0 {
            let by = named_by.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            let subject = format!("{origin} ({by})");
            match resolved {
                None => checks.push(Check::skipped("name", &subject, "the proxy resolves it")),
                Some(Ok(1)) => checks.push(Check::ok("name", &subject, "1 address")),
                Some(Ok(count)) => checks.push(Check::ok("name", &subject, format!("{count} addresses"))),
                Some(Err(error)) => {
                    let found = format!("{} ({error})", Trouble::NoSuchHost);
                    checks.push(Check::failed("name", &subject, found, Trouble::NoSuchHost.next_step()));
                    checks.push(Check::skipped("connection", &subject, "its name is needed first"));
                    continue;
                }
            }
            checks.push(match answer {
                Ok(Answered { reply, .. }) => {
                    let how =
                        if origin.scheme == "https" { "TLS and its certificate are in order" } else { "plain HTTP" };
                    Check::ok("connection", &subject, format!("answers ({}); {how}", reply.status))
                }
                Err(trouble) if resolved.is_none() && trouble.is_of_the_way() => {
                    let found = format!("the way leads through the proxy {}: {trouble}", proxy.unwrap_or_default());
                    Check::failed("connection", &subject, found, Trouble::Proxy(String::new()).next_step())
                }
                Err(trouble) => Check::failed("connection", &subject, trouble.to_string(), trouble.next_step()),
            });
        }
        checks
    }
}

/// The addresses of the configuration, each once.
fn named(doctor: &Doctor<'_>) -> BTreeMap<Origin, BTreeSet<String>> {
    let mut origins: BTreeMap<Origin, BTreeSet<String>> = BTreeMap::new();
    let mut add = |url: &str, name: String| {
        if let Some(origin) = Origin::of(url) {
            origins.entry(origin).or_default().insert(name);
        }
    };
    for org in doctor.config.orgs.values().filter(|org| doctor.asks_for(org.key())) {
        add(org.api_base(), format!("orgs.{}", org.key()));
        add(org.login_base(), format!("orgs.{}", org.key()));
    }
    for (bot, engine) in &doctor.config.engines {
        if let Some(url) = engine.address() {
            add(url, format!("bots.{bot}"));
        }
    }
    origins
}

fn by_proxy(doctor: &Doctor<'_>, origin: &Origin) -> bool {
    doctor.config.outgoing.goes_by_proxy(&origin.host)
}

async fn resolve(origin: &Origin) -> Result<usize, String> {
    let host = origin.host.trim_start_matches('[').trim_end_matches(']');
    match tokio::time::timeout(RESOLVE_TIMEOUT, tokio::net::lookup_host((host, origin.port))).await {
        Ok(Ok(addresses)) => Ok(addresses.count()),
        Ok(Err(error)) => Err(error.to_string().replace("failed to lookup address information: ", "")),
        Err(_) => Err("no answer of the name server in time".to_owned()),
    }
}

/// Any status is an answer.
async fn ask(doctor: &Doctor<'_>, origin: &Origin) -> Result<Answered, Trouble> {
    let asked = doctor.now();
    let reply = doctor.client.probe(bare(Method::OPTIONS, format!("{origin}/"))).await?;
    if reply.status == 407 {
        return Err(Trouble::Proxy("it wants a user and a password".to_owned()));
    }
    let at = Timestamp(asked.0.midpoint(doctor.now().0));
    Ok(Answered { reply, at })
}
