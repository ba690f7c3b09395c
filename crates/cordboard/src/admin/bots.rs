//! The calls about bots: which there are, and taking one out of service.

use std::collections::BTreeMap;

use http::request::Parts;
use http::{Response, StatusCode};
use hyper::body::Incoming;
use model::BotKey;
use serde::Deserialize;

use super::query::decoded;
use super::view::{BotPage, BotView, ServiceView, TokensView};
use super::{Ended, NoOptions, Operator, look, not_understood, options, unavailable, with_detail};
use crate::config::unknown;
use crate::http::body::{self, Answer};
use crate::http::server::LocalUser;
use crate::observe::metrics::Tokens;
use crate::service::{Disabled, Error};

/// How a bot is taken out of service.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Disable {
    reason: Option<String>,
    #[serde(default)]
    now: bool,
}

impl Operator {
    pub(super) async fn bots(&self) -> Result<Response<Answer>, Ended> {
        let out = self.shared.out_of_service().await.map_err(unavailable)?;
        let open = look::open_by_bot(self.shared.store().as_ref()).await.map_err(unavailable)?;
        let roster = self.shared.roster();
        let view = |bot| {
            let counted = self.shared.metrics().bot(bot);
            let [input, output] = [Tokens::Input, Tokens::Output].map(|direction| counted.tokens(direction).get());
            let tokens = (input + output > 0).then_some(TokensView { input, output });
            BotView { tokens, ..BotView::new(bot, true, &open) }
        };
        let mut bots: BTreeMap<&BotKey, BotView> = roster.engines.keys().map(|bot| (bot, view(bot))).collect();
        for service in &out {
            let view = bots.entry(&service.bot).or_insert_with(|| BotView::new(&service.bot, false, &open));
            view.out_of_service = Some(service.into());
        }
        Ok(body::value(StatusCode::OK, &BotPage { bots: bots.into_values().collect() }))
    }

    pub(super) async fn disable(
        &self,
        name: &str,
        head: &Parts,
        incoming: Incoming,
    ) -> Result<Response<Answer>, Ended> {
        let bot = self.known(name, &[])?;
        let Disable { reason, now } = options(head, incoming).await?;
        let reason = reason.unwrap_or_default();
        let disabled = self.shared.disable_bot(&bot, &reason, &who(head)).await.map_err(refused)?;
        let handed_over = if now { Some(self.shared.hand_over_all(&bot, reason.trim()).await) } else { None };
        let open = look::open_by_bot(self.shared.store().as_ref()).await.map_err(unavailable)?;
        let outcome = match disabled {
            Disabled::Now => "disabled",
            Disabled::Again(_) => "was_disabled",
        };
        let view = ServiceView { handed_over, ..ServiceView::new(outcome, &bot, &open) };
        let detail = if now { format!("now: {}", reason.trim()) } else { reason.trim().to_owned() };
        Ok(with_detail(body::value(StatusCode::OK, &view), &detail))
    }

    pub(super) async fn enable(&self, name: &str, head: &Parts, incoming: Incoming) -> Result<Response<Answer>, Ended> {
        // One that is not configured any more can still be out of service.
        let out = self.shared.out_of_service().await.map_err(unavailable)?;
        let bot = self.known(name, &out.into_iter().map(|service| service.bot).collect::<Vec<_>>())?;
        options::<NoOptions>(head, incoming).await?;
        let was_out = self.shared.enable_bot(&bot, &who(head)).await.map_err(refused)?;
        let open = look::open_by_bot(self.shared.store().as_ref()).await.map_err(unavailable)?;
        let view = ServiceView::new(if was_out { "enabled" } else { "was_enabled" }, &bot, &open);
        Ok(body::value(StatusCode::OK, &view))
    }

    fn known(&self, name: &str, besides: &[BotKey]) -> Result<BotKey, Ended> {
        let bot = BotKey::from(decoded(name).as_ref());
        let roster = self.shared.roster();
        if roster.engines.contains_key(&bot) || besides.contains(&bot) {
            return Ok(bot);
        }
        let known: Vec<&str> = roster.engines.keys().chain(besides).map(BotKey::as_str).collect();
        let message = unknown("bot", bot.as_str(), &known);
        Err(Box::new(body::refused(StatusCode::NOT_FOUND, "bot.unknown", &message)))
    }
}

fn refused(error: Error) -> Ended {
    match error {
        Error::UnknownBot { .. } => Box::new(body::refused(StatusCode::NOT_FOUND, "bot.unknown", &error.to_string())),
        Error::Reason => not_understood(error.to_string()),
        Error::Store(error) => unavailable(error),
    }
}

/// Who calls, as it is kept beside the reason.
fn who(head: &Parts) -> String {
    let uid = head.extensions.get::<LocalUser>().map(|user| user.0);
    uid.map_or_else(|| "unknown".to_owned(), |uid| super::audit::name_of(uid).unwrap_or_else(|| format!("uid {uid}")))
}
