//! The engines: whether somebody answers at their addresses. No question is asked, since a bot may take it for a turn.

use futures_util::future::join_all;
use http::Method;

use super::{Addresses, Check, Doctor, bare};
use crate::engine::Probed;

/// One check for each bot.
pub(super) async fn examine(doctor: &Doctor<'_>, addresses: &Addresses) -> Vec<Check> {
    join_all(doctor.config.engines.iter().map(async |(bot, engine)| {
        let subject = format!("bots.{bot}");
        let Some(url) = engine.address() else {
            return Check::ok("engine", subject, "its engine answers here, without a network");
        };
        if !addresses.answers(url) {
            return Check::skipped("engine", subject, "its host does not answer");
        }
        if let Some(call) = engine.probe() {
            return match doctor.client.probe(call).await.map(|reply| engine.probed(&reply)) {
                Ok(Probed::Well(found)) => Check::ok("engine", subject, found),
                Ok(Probed::Doubtful { found, next_step }) => Check::warning("engine", subject, found, next_step),
                Ok(Probed::Ill { found, next_step }) => Check::failed("engine", subject, found, next_step),
                Err(trouble) => Check::failed("engine", subject, trouble.to_string(), trouble.next_step()),
            };
        }
        // OPTIONS means nothing to a bot, so it is safe; most answer that they know no such method.
        match doctor.client.probe(bare(Method::OPTIONS, url.to_owned())).await {
            Ok(reply) if matches!(reply.status, 502..=504) => {
                let found = format!("something in front of it answers {}", reply.status);
                Check::failed("engine", subject, found, "see whether the bot itself runs behind it")
            }
            Ok(reply) => {
                Check::ok("engine", subject, format!("answers ({} to OPTIONS; it was asked no question)", reply.status))
            }
            Err(trouble) => Check::failed("engine", subject, trouble.to_string(), trouble.next_step()),
        }
    }))
    .await
}
