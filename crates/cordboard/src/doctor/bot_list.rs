//! The list of bots that a v1 integration was sent: whether it is what is configured. It is only read.

use http::HeaderValue;
use http::header::AUTHORIZATION;

use super::{Addresses, Check, Doctor};
use crate::connector::Connector as _;
use crate::connector::bot_connector::BotConnector;
use crate::org::Org;
use crate::registration::list::{Difference, Dropping, Plan};
use crate::registration::platform;

const CHECK: &str = "bot_list";

/// The check of one connector.
pub(super) async fn examine(
    doctor: &Doctor<'_>,
    org: &Org,
    connector: &BotConnector,
    addresses: &Addresses,
    bearer: &HeaderValue,
) -> Check {
    let subject = format!("connectors.{}", connector.key());
    let Some(id) = connector.integration_id() else {
        let found = "`integration_id` is not set; with it, the list at Genesys is compared with the configuration";
        return Check::skipped(CHECK, subject, found);
    };
    if !addresses.answers(org.api_base()) {
        return Check::skipped(CHECK, subject, "the API host does not answer");
    }
    let Some(mut call) = platform::reading(org.api_base(), id) else {
        return Check::skipped(CHECK, subject, "`integration_id` is no id");
    };
    call.headers.insert(AUTHORIZATION, bearer.clone());
    let reply = match doctor.client.probe(call).await {
        Ok(reply) => reply,
        Err(trouble) => return Check::failed(CHECK, subject, trouble.to_string(), trouble.next_step()),
    };
    let there = match platform::read(&reply, id) {
        Ok(there) => there,
        Err(error @ platform::Error::Forbidden(_)) => {
            let found = format!("{}, so the list at Genesys cannot be read", error.found());
            return Check { next_step: Some(error.next_step().to_owned()), ..Check::skipped(CHECK, subject, found) };
        }
        Err(error) => return Check::failed(CHECK, subject, error.found(), error.next_step()),
    };
    let push = format!("cordboard bots push --connector {} --dry-run shows the difference", connector.key());
    match Plan::new(&connector.wire_bot_list(), &there, Dropping::default()) {
        Ok(plan) if !plan.is_news() => {
            Check::ok(CHECK, subject, format!("Genesys has the bots that are configured ({} in its list)", there.len()))
        }
        Ok(plan) => {
            let named = plan.bots.iter().filter(|bot| bot.difference != Difference::Same);
            let named: Vec<String> = named.map(|bot| format!("{} is {}", bot.id, word(bot.difference))).collect();
            Check::warning(
                CHECK,
                subject,
                format!("the list at Genesys is not what is configured: {}", named.join(", ")),
                push,
            )
        }
        Err(error) => Check::warning(CHECK, subject, error.to_string(), push),
    }
}

const fn word(difference: Difference) -> &'static str {
    match difference {
        Difference::New => "missing",
        Difference::Changed => "otherwise",
        Difference::Same => "the same",
        Difference::Gone => "too many",
    }
}
