//! The calls about what platforms know of the bots.

use http::request::Parts;
use http::{Response, StatusCode};
use hyper::body::Incoming;
use model::ConnectorKey;

use super::query::decoded;
use super::view::{ManifestPage, RetryView, SentBot, SentView};
use super::{Ended, Operator, options_within, unavailable, with_detail};
use crate::connector::declared::Declaration;
use crate::http::body::{self, Answer, Cap};
use crate::registration::{Known, note};

/// A list of bots can be long.
const LIST_CAP: Cap = Cap { max_bytes: 16 * 1024 * 1024, timeout_ms: 10_000 };

impl Operator {
    pub(super) async fn manifests(&self) -> Result<Response<Answer>, Ended> {
        let manifests = self.shared.store().manifests().await.map_err(unavailable)?;
        Ok(body::value(StatusCode::OK, &ManifestPage { manifests: Known::all(&manifests) }))
    }

    /// Notes what the platform was sent, whether or not the bot is of the configuration that runs: the file may be ahead.
    pub(super) async fn sent(&self, key: &str, head: &Parts, incoming: Incoming) -> Result<Response<Answer>, Ended> {
        let SentView { bots } = options_within(LIST_CAP, head, incoming).await?;
        let connector = ConnectorKey::from(decoded(key).as_ref());
        let now = self.shared.runtime().now();
        let versions: Vec<String> = bots.iter().map(|bot| format!("{} {}", bot.bot, bot.version)).collect();
        let notes = bots.into_iter().map(|SentBot { bot, version, declared }| {
            note(&connector, &Declaration { bot: bot.into(), version: version.into(), declared }, now)
        });
        self.shared.store().note_manifests(notes.collect()).await.map_err(unavailable)?;
        let answer = body::value(StatusCode::OK, &RetryView { outcome: "noted".into(), message: None });
        Ok(with_detail(answer, &versions.join(", ")))
    }
}
