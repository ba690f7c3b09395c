//! An org: do its addresses fit, is the clock right, does it give a token, and what may the token do.

use genesys::cloud::region::Region;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};

use super::{Addresses, CALL_TIMEOUT_MS, Check, Doctor, Origin, REPLY_MAX_BYTES, bot_list};
use crate::connector::registry::Integration;
use crate::http::{Call, Reply};
use crate::org::token;
use crate::org::{Org, Reason};
use crate::words::some;

/// Beyond this a signature or a token may be refused soon.
const CLOCK_WARNING_MS: u64 = 2 * 60_000;
/// Beyond this signatures of webhooks are refused.
const CLOCK_FAILURE_MS: u64 = 5 * 60_000;
const SEND: &str = "integration:botconnector:send";
/// `reference/digital-bot-connector.md`, section 2.1.
const OUTGOING_PATH: &str = "/api/v2/integrations/botconnectors/outgoing/messages";

/// All checks of one org.
pub(super) async fn examine(doctor: &Doctor<'_>, org: &Org, addresses: &Addresses) -> Vec<Check> {
    let subject = format!("orgs.{}", org.key());
    let mut checks = Vec::new();
    checks.extend(region(&subject, org));
    checks.push(clock(&subject, org, addresses));
    if !addresses.answers(org.login_base()) {
        checks.push(Check::skipped("token", &subject, "its login host does not answer"));
        checks.push(Check::skipped("permission", &subject, "a token is needed first"));
        return checks;
    }
    let bearer = match doctor.client.probe(org.token_call()).await {
        Ok(reply) => token(&subject, org, &reply),
        Err(trouble) => Err(Check::failed("token", &subject, trouble.to_string(), trouble.next_step())),
    };
    match bearer {
        Ok((bearer, check)) => {
            checks.push(check);
            checks.extend(permissions(doctor, org, &subject, addresses, bearer).await);
        }
        Err(check) => {
            checks.push(check);
            checks.push(Check::skipped("permission", &subject, "a token is needed first"));
        }
    }
    checks
}

/// Two addresses of different regions never fit together.
fn region(subject: &str, org: &Org) -> Option<Check> {
    let (api, login) = (Region::parse(org.api_base()).ok()?, Region::parse(org.login_base()).ok()?);
    (api != login).then(|| {
        let found = format!("`api_url` is in {api} and `login_url` in {login}");
        Check::failed(
            "region",
            subject,
            found,
            "write `region` alone, the one that you see in the address of your Genesys Cloud",
        )
    })
}

fn clock(subject: &str, org: &Org, addresses: &Addresses) -> Check {
    let Some(ahead_ms) = addresses.ahead_ms(org.api_base()).or_else(|| addresses.ahead_ms(org.login_base())) else {
        return Check::skipped("clock", subject, "no answer tells the platform's time");
    };
    let (ms, way) = (ahead_ms.unsigned_abs(), if ahead_ms > 0 { "ahead of" } else { "behind" });
    let found = match ms {
        // The platform tells its time to the second.
        0..1_500 => "this machine agrees with the platform".to_owned(),
        1_500..120_000 => format!("this machine is {} {way} the platform", some((ms + 500) / 1000, "second")),
        _ => format!("this machine is {} {way} the platform", some((ms + 30_000) / 60_000, "minute")),
    };
    let next = "set it by NTP (timedatectl set-ntp true): signatures and certificates depend on it";
    match ms {
        // The platform's clock is read to the second, so what is exactly at the limit may be seen a little below.
        ms if ms + 1_500 >= CLOCK_FAILURE_MS => Check::failed("clock", subject, found, next),
        ms if ms > CLOCK_WARNING_MS => Check::warning("clock", subject, found, next),
        _ => Check::ok("clock", subject, found),
    }
}

fn token(subject: &str, org: &Org, reply: &Reply) -> Result<(HeaderValue, Check), Check> {
    let unread = match token::read(reply) {
        Ok((bearer, token)) => {
            let life = token
                .expires_in_s
                .map_or_else(String::new, |seconds| format!(", for {}", some(seconds / 60, "minute")));
            return Ok((bearer, Check::ok("token", subject, format!("given{life}"))));
        }
        Err(unread) => unread,
    };
    let (status, code) = unread.answer.map_or((reply.status, String::new()), |answer| (answer.status, answer.code));
    let said = if code.is_empty() { format!("{status}") } else { format!("{status} {code}") };
    let host = Origin::of(org.login_base()).map(|origin| origin.host).unwrap_or_default();
    Err(match unread.reason {
        Reason::Refused => {
            let found = format!("{host} refuses the OAuth client ({said})");
            let next = format!(
                "compare `client_id` and `client_secret` with Admin > Integrations > OAuth (grant: Client Credentials; no \
                 line break at the end of the secret); a client is known in its own region only: the address of your \
                 Genesys Cloud in the browser is apps.REGION, here it is {}",
                host.strip_prefix("login.").unwrap_or(&host)
            );
            Check::failed("token", subject, found, next)
        }
        Reason::Unavailable => Check::failed(
            "token",
            subject,
            format!("{host} answers {said}"),
            "ask again in a minute, and see status.mypurecloud.com",
        ),
        Reason::Nonsense => {
            let found = format!("what {host} answers ({said}) holds no token");
            Check::failed(
                "token",
                subject,
                found,
                "see whether `login_url` is right, and whether a proxy answers in its place",
            )
        }
    })
}

/// Each permission that the configured connectors need.
async fn permissions(
    doctor: &Doctor<'_>,
    org: &Org,
    subject: &str,
    addresses: &Addresses,
    bearer: HeaderValue,
) -> Vec<Check> {
    let of_the_org = |integration: &&Integration| integration.connector().org() == org.key();
    let kinds: Vec<_> = doctor.config.connectors.values().filter(of_the_org).collect();
    let mut checks = Vec::new();
    if kinds.iter().any(|integration| matches!(integration, Integration::DigitalBotConnector(_))) {
        checks.push(if addresses.answers(org.api_base()) {
            send_permission(doctor, org, subject, bearer.clone()).await
        } else {
            Check::skipped("permission", subject, format!("{SEND}: the API host does not answer"))
        });
    }
    let v1 = kinds.into_iter().filter_map(|integration| match integration {
        Integration::BotConnector(connector) => Some(connector),
        Integration::DigitalBotConnector(_) => None,
    });
    let v1: Vec<_> = v1.collect();
    if !v1.is_empty() {
        let found = "integration:botconnector:edit is needed by `cordboard bots push` (v1), and by the gateway for nothing; it \
                     cannot be asked without changing the list: see the roles of the OAuth client in Admin > Integrations > \
                     OAuth";
        checks.push(Check::skipped("permission", subject, found));
    }
    for connector in v1 {
        checks.push(bot_list::examine(doctor, org, connector, addresses, &bearer).await);
    }
    checks
}

/// A message to a session that nobody has: who may send is told that it is not there, who may not is refused before
/// (`reference/digital-bot-connector.md`, section 2.1).
async fn send_permission(doctor: &Doctor<'_>, org: &Org, subject: &str, bearer: HeaderValue) -> Check {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, bearer);
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let body = json!({
        "botId": "cordboard-doctor", "botVersion": "1", "botSessionId": "00000000-0000-7000-8000-c07db0a7dd0c",
        "botState": "MoreData", "languageCode": "en-us",
    });
    let call = Call {
        method: Method::POST,
        url: format!("{}{OUTGOING_PATH}", org.api_base()),
        headers,
        body: body.to_string().into(),
        timeout_ms: CALL_TIMEOUT_MS,
        reply_max_bytes: REPLY_MAX_BYTES,
    };
    let reply = match doctor.client.probe(call).await {
        Ok(reply) => reply,
        Err(trouble) => return Check::failed("permission", subject, format!("{SEND}: {trouble}"), trouble.next_step()),
    };
    let code = serde_json::from_slice::<Value>(&reply.body).ok();
    let code = code.as_ref().and_then(|body| body["code"].as_str()).filter(|code| code.len() <= 60).unwrap_or_default();
    let said = format!("{} {code}", reply.status);
    let said = said.trim_end();
    match reply.status {
        200..=299 | 409 => Check::ok("permission", subject, format!("{SEND} is there")),
        401 => Check::failed(
            "permission",
            subject,
            format!("the API host does not accept the token that the login host gave ({said})"),
            "`api_url` and `login_url` must be of one region: write `region` alone",
        ),
        403 => Check::failed(
            "permission",
            subject,
            format!("{SEND} is missing ({said})"),
            "give the OAuth client a role with Integration > BotConnector > Send: Admin > People and Permissions > Roles, \
             then the roles of the client in Admin > Integrations > OAuth",
        ),
        404 => Check::failed(
            "permission",
            subject,
            format!("{SEND}: the API knows no bot connectors ({said})"),
            "see whether `api_url` is right, and whether the Digital Bot Connector is enabled for this organisation",
        ),
        _ => Check::warning(
            "permission",
            subject,
            format!("{SEND} cannot be told from the platform's answer ({said})"),
            "look at the roles of the OAuth client in Admin > Integrations > OAuth",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::org::OrgConfig;

    #[test]
    fn hosts_of_two_regions_are_named() {
        let org = |login: &str| {
            let config: Result<OrgConfig, _> = toml::from_str(&format!(
                "client_id = 'id'\nclient_secret = 's'\nregion = 'mypurecloud.de'\nlogin_url = 'https://login.{login}'"
            ));
            Org::new("acme".into(), &config.unwrap()).unwrap()
        };
        assert_eq!(region("orgs.acme", &org("mypurecloud.de")), None);
        assert_eq!(region("orgs.acme", &org("a-proxy.example.com")), None);
        let found = region("orgs.acme", &org("euw2.pure.cloud")).unwrap().found;
        assert_eq!(found, "`api_url` is in mypurecloud.de and `login_url` in euw2.pure.cloud");
    }
}
