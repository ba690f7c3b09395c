//! What is right in a configuration and may yet go wrong: `check` prints it, and the log of a start has it. No message
//! quotes a secret.

use std::net::IpAddr;
use std::path::Path;

use http::Uri;
use rustix::fs::Access;

use super::{Config, Written};
use crate::connector::digital_bot_connector::OnUnknownSend;
use crate::connector::registry::ConnectorConfig;
use crate::engine::EngineConfig;
use crate::engine::connector::{self, Speaks};
use crate::engine::webhook::{self, ReplayConfig};

/// The least Bot Response Timeout that flow authors usually set; the action's default is 30 seconds
/// (`reference/digital-bot-connector.md`, section 4.3).
const RESPONSE_TIMEOUT_MS: u64 = 15_000;
/// v1's own limit is unpublished and believed to be 10 to 11 seconds (`reference/bot-connector-v1.md`, section 2.7).
const BUDGET_SAFE_MS: u64 = 9_000;
/// The platform's usual limit per OAuth client (`reference/digital-bot-connector.md`, section 2.1).
const REQUESTS_PER_MINUTE: u32 = 300;
/// Kubernetes kills after 30 seconds unless told otherwise, systemd after 90.
const STOP_TIMEOUT_MS: u64 = 30_000;
/// What ending takes besides draining and grace.
const STOP_OVERHEAD_MS: u64 = 5_000;

/// Kinds of file systems on which a store is not safe, by their numbers in Linux's `magic.h`.
const UNSAFE_FILE_SYSTEMS: [(u64, &str); 5] = [
    (0x0102_1994, "in memory (tmpfs) and is gone after a restart of the machine"),
    (0x8584_58f6, "in memory (ramfs) and is gone after a restart of the machine"),
    (0x6969, "on NFS, whose locks do not keep two processes apart"),
    (0xff53_4d42, "on CIFS, whose locks do not keep two processes apart"),
    (0xfe53_4d42, "on SMB, whose locks do not keep two processes apart"),
];

/// All of them, in the order of the file.
pub(super) fn of(written: &Written, config: &Config) -> Vec<String> {
    let mut risks = Vec::new();
    of_the_server(written, config, &mut risks);
    of_orgs(written, &mut risks);
    of_connectors(written, config, &mut risks);
    of_bots(written, config, &mut risks);
    risks
}

fn of_the_server(written: &Written, config: &Config, risks: &mut Vec<String>) {
    let server = &written.server;
    if !server.listen.ip().is_loopback() && server.tls.is_none() {
        risks.push(format!(
            "server.listen is {}, without TLS: whoever is between could read the secrets of the platform's calls; write \
             [server.tls], or listen on 127.0.0.1 behind a proxy that ends TLS",
            server.listen
        ));
    }
    if server.listen.port() == 0 {
        risks.push("server.listen has port 0: every start takes another port; write a fixed one".to_owned());
    }
    let stop_ms = server.drain_ms.saturating_add(server.grace_ms).saturating_add(STOP_OVERHEAD_MS);
    if stop_ms > STOP_TIMEOUT_MS {
        risks.push(format!(
            "server.drain_ms and server.grace_ms let a stop take {} s: give the service manager more than that \
             (systemd: TimeoutStopSec, Kubernetes: terminationGracePeriodSeconds), or it kills before the end",
            stop_ms.div_ceil(1000)
        ));
    }
    of_the_data_folder(&config.server.data_dir, risks);
}

fn of_the_data_folder(folder: &Path, risks: &mut Vec<String>) {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let shown = absolute.display();
    if ["/etc", "/usr", "/tmp", "/var/tmp"].iter().any(|place| absolute.starts_with(place)) {
        risks.push(format!(
            "server.data_dir is {shown}, which is no place for what must not be lost; choose another, such as \
             /var/lib/cordboard"
        ));
    }
    // The folder is made at the first start, so the nearest one that is there tells.
    let Some(there) = absolute.ancestors().find(|folder| folder.exists()) else { return };
    if rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        risks.push(format!(
            "server.data_dir is {shown}, and this user may not write in {}; a gateway of this user would not start",
            there.display()
        ));
    }
    if let Ok(status) = rustix::fs::statfs(there)
        && let Ok(kind) = u64::try_from(status.f_type)
        && let Some((_, why)) = UNSAFE_FILE_SYSTEMS.iter().find(|(number, _)| *number == kind)
    {
        risks.push(format!("server.data_dir is {shown}, which is {why}; choose a local disk"));
    }
}

fn of_orgs(written: &Written, risks: &mut Vec<String>) {
    for (key, org) in &written.orgs {
        for (name, url) in [("api_url", &org.api_url), ("login_url", &org.login_url)] {
            if url.as_deref().is_some_and(is_plain_and_far) {
                risks.push(format!("orgs.{key}.{name} is http, and secrets go there unencrypted; write https"));
            }
        }
        if org.requests_per_minute > REQUESTS_PER_MINUTE && org.region.is_some() {
            risks.push(format!(
                "orgs.{key}.requests_per_minute is above {REQUESTS_PER_MINUTE}, the platform's usual limit for an OAuth \
                 client; it will refuse calls with 429 unless it granted more"
            ));
        }
        if !written.connectors.values().any(|connector| connector.org() == key) {
            risks.push(format!("orgs.{key} has no connector; nothing comes from it"));
        }
    }
}

fn of_connectors(written: &Written, config: &Config, risks: &mut Vec<String>) {
    for (key, connector) in &written.connectors {
        of_untold_channels(written, key, connector, risks);
        match connector {
            ConnectorConfig::DigitalBotConnector(digital) => {
                if digital.soft_deadline_ms > RESPONSE_TIMEOUT_MS {
                    risks.push(format!(
                        "connectors.{key}.soft_deadline_ms is above {RESPONSE_TIMEOUT_MS}: a flow whose Bot Response Timeout \
                         is shorter fails before its request is acknowledged"
                    ));
                }
                if digital.on_unknown_send == OnUnknownSend::Drop {
                    risks.push(format!(
                        "connectors.{key}.on_unknown_send is \"drop\": an answer whose push breaks off may never be seen"
                    ));
                }
                if digital.push_after_ack_ms == 0 {
                    risks.push(format!(
                        "connectors.{key}.push_after_ack_ms is 0: a push may overtake the response before it, and be refused"
                    ));
                }
            }
            ConnectorConfig::BotConnector(classic) => {
                if classic.budget_ms > BUDGET_SAFE_MS {
                    risks.push(format!(
                        "connectors.{key}.budget_ms is above {BUDGET_SAFE_MS}, close to the platform's own limit of 10 to 11 s"
                    ));
                }
                if classic.session_lifetime_default_ms < classic.follow_up_timeout_ms {
                    risks.push(format!(
                        "connectors.{key}.session_lifetime_default_ms is shorter than its follow_up_timeout_ms: sessions end \
                         before a customer counts as gone"
                    ));
                }
            }
        }
    }
    let mut connectors = config.connectors.iter();
    while let Some((key, connector)) = connectors.next() {
        if let Some((other, _)) = connectors
            .clone()
            .find(|(_, other)| other.entrance().credentials().share_a_secret_with(connector.entrance().credentials()))
        {
            risks.push(format!(
                "connectors.{key} and connectors.{other} have the same secret: who knows it can call both; give each its own"
            ));
        }
    }
}

/// Bots that never learn what the customer uses: no flow can say it, and neither do they.
fn of_untold_channels(written: &Written, key: &str, connector: &ConnectorConfig, risks: &mut Vec<String>) {
    let (parameter, offered) = match connector {
        ConnectorConfig::DigitalBotConnector(digital) => (&digital.channel_parameter, &digital.bots),
        ConnectorConfig::BotConnector(classic) => (&classic.channel_parameter, &classic.bots),
    };
    if !parameter.trim().is_empty() {
        return;
    }
    let is_offered = |bot: &&String| offered.as_ref().is_none_or(|offered| offered.contains(*bot));
    let untold = written.bots.iter().filter(|(_, bot)| bot.policy.channel.is_none()).map(|(bot, _)| bot);
    let untold: Vec<&str> = untold.filter(is_offered).map(String::as_str).collect();
    if !untold.is_empty() {
        risks.push(format!(
            "connectors.{key}.channel_parameter is empty, and so is `channel` of bots.{}: where quick replies cannot be \
             tapped, as on SMS, their prompt alone is seen; name the variable by which the flow says it, or write `channel`",
            untold.join(", bots.")
        ));
    }
}

fn of_bots(written: &Written, config: &Config, risks: &mut Vec<String>) {
    for (key, bot) in &written.bots {
        let hard_ms = bot.policy.hard_deadline_ms;
        let serves = |offered: &Option<Vec<String>>| offered.as_ref().is_none_or(|bots| bots.contains(key));
        let mut offered = false;
        for (connector, door) in &written.connectors {
            let (name, soft_ms, bots) = match door {
                ConnectorConfig::DigitalBotConnector(digital) => {
                    ("soft_deadline_ms", digital.soft_deadline_ms, &digital.bots)
                }
                ConnectorConfig::BotConnector(classic) => ("budget_ms", classic.budget_ms, &classic.bots),
            };
            if !serves(bots) {
                continue;
            }
            offered = true;
            if hard_ms <= soft_ms {
                risks.push(format!(
                    "bots.{key}.hard_deadline_ms is not above connectors.{connector}.{name}: its turns fail before they \
                     could be late"
                ));
            }
        }
        if !offered && !config.connectors.is_empty() {
            risks.push(format!("bots.{key} is offered by no connector; add it to the `bots` of one"));
        }
        if let EngineConfig::OpenAi(openai) = &bot.engine {
            if is_plain_and_far(&openai.base_url) {
                risks.push(format!(
                    "bots.{key}.engine.base_url is http: what customers say goes there unencrypted; write https"
                ));
            }
            let offered = |language: &str| {
                let below =
                    |tag: &str| tag.strip_prefix(language).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
                bot.face.languages.iter().any(|tag| below(&tag.to_ascii_lowercase()))
            };
            for language in openai.prompts.keys().filter(|language| !offered(language)) {
                risks.push(format!(
                    "bots.{key}.engine.prompts.{language}: the bot does not offer this language, so nobody reads it; add it to \
                     `languages`"
                ));
            }
        }
        if let EngineConfig::Webhook(webhook::Config { url, .. })
        | EngineConfig::Connector(connector::Config { url, .. }) = &bot.engine
            && is_plain_and_far(url)
        {
            risks
                .push(format!("bots.{key}.engine.url is http: what customers say goes there unencrypted; write https"));
        }
        if let EngineConfig::Connector(endpoint) = &bot.engine {
            of_an_endpoint(key, endpoint, risks);
        }
        if let EngineConfig::Webhook(webhook) = &bot.engine
            && webhook.secrets.is_empty()
        {
            risks.push(format!(
                    "bots.{key}.engine has no `secrets`: nothing is signed, the bot cannot know who asks, and its callbacks \
                     are refused"
                ));
        }
    }
}

fn of_an_endpoint(key: &str, endpoint: &connector::Config, risks: &mut Vec<String>) {
    if endpoint.headers.0.is_empty() {
        risks.push(format!(
            "bots.{key}.engine has no `headers`: the endpoint cannot know who asks; write those of the integration that \
             called it so far"
        ));
    }
    if endpoint.speaks == Speaks::V2 && endpoint.callbacks.is_none() {
        risks.push(format!(
            "bots.{key}.engine has no `callbacks`: what the endpoint sends later is refused, and an empty `MoreData` counts \
             as nothing to say"
        ));
    }
    if endpoint.speaks == Speaks::V1 && endpoint.replay == Some(ReplayConfig::Safe) {
        risks.push(format!(
            "bots.{key}.engine.replay is \"safe\", but v1 has no message id: an endpoint that is asked twice acts twice"
        ));
    }
}

/// Whether an address is not encrypted, and not on this machine.
fn is_plain_and_far(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let near = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    uri.scheme_str() == Some("http") && !near
}
