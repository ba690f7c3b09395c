//! The calls that look: at conversations and their timelines, at platforms' calls, at the audit trail. Whoever follows
//! asks again and again, and each call waits until there is something to tell.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{Response, StatusCode};
use model::{ConversationId, OrgKey, Timestamp};
use tokio::sync::Notify;

use super::look::{self, Hops, Wanted};
use super::query::Query;
use super::view::{AuditPage, CallPage, CallView};
use super::{Ended, Operator, PAGE, no_conversation, not_understood, unavailable};
use crate::http::body::{self, Answer};

/// Shorter than the client's patience.
const WAIT_MAX_MS: u64 = 25_000;
/// News that come at once are told together.
const PAUSE: Duration = Duration::from_millis(50);

/// A look, and what was found.
type Look<'a, T> = BoxFuture<'a, Result<T, Ended>>;

impl Operator {
    pub(super) async fn conversations(&self, query: Query<'_>) -> Result<Response<Answer>, Ended> {
        let names = ["bot", "floor", "open", "since_ms", "before", "limit", "platform_id"];
        query.knows(&names).map_err(not_understood)?;
        if let Some(id) = query.text("platform_id") {
            return self.by_platform_id(&id).await;
        }
        let floor = query.text("floor");
        let floor = floor.map(|word| look::holder(&word).ok_or("floor is bot, handing_over, queued, human or ended"));
        let since = query.number("since_ms").map_err(not_understood)?;
        let wanted = Wanted {
            bot: query.text("bot").map(|bot| bot.as_ref().into()),
            floor: floor.transpose().map_err(|error| not_understood(error.to_owned()))?,
            open: query.flag("open").map_err(not_understood)?.unwrap_or(false),
            since: since.map(|ms| Timestamp(i64::try_from(ms).unwrap_or(i64::MAX))),
            before: query.number("before").map_err(not_understood)?,
            limit: query.limit(PAGE, look::PAGE_MAX).map_err(not_understood)?,
        };
        let page = look::list(self.shared.store().as_ref(), &wanted).await.map_err(unavailable)?;
        Ok(body::value(StatusCode::OK, &page))
    }

    async fn by_platform_id(&self, id: &str) -> Result<Response<Answer>, Ended> {
        let roster = self.shared.roster();
        let connectors: Vec<_> = roster.connectors.keys().cloned().collect();
        let orgs: BTreeSet<OrgKey> = roster.connectors.values().map(|connector| connector.org().clone()).collect();
        let orgs: Vec<OrgKey> = orgs.into_iter().collect();
        let store = self.shared.store().as_ref();
        let found = look::find(store, self.shared.identities(), &orgs, &connectors, id).await.map_err(unavailable)?;
        self.conversation(found.ok_or_else(no_conversation)?).await
    }

    pub(super) async fn conversation(&self, id: ConversationId) -> Result<Response<Answer>, Ended> {
        let view = look::show(self.shared.store().as_ref(), id).await.map_err(unavailable)?;
        Ok(body::value(StatusCode::OK, &view.ok_or_else(no_conversation)?))
    }

    pub(super) async fn journal(&self, id: ConversationId, query: Query<'_>) -> Result<Response<Answer>, Ended> {
        let following = Following::read(query)?;
        let (after, words) = (following.after.unwrap_or(0), following.words);
        let look = || -> Look<'_, Hops> {
            Box::pin(async move {
                let hops = look::hops(self.shared.store().as_ref(), id, after, words).await.map_err(unavailable)?;
                hops.ok_or_else(no_conversation)
            })
        };
        let hops = self
            .awaited(&self.shared.committed, following.wait_ms, look, |hops: &Hops| hops.after != after.to_string());
        Ok(body::value(StatusCode::OK, &hops.await?))
    }

    pub(super) async fn log(&self, query: Query<'_>) -> Result<Response<Answer>, Ended> {
        let following = Following::read(query)?;
        let store = self.shared.store().as_ref();
        let after = match following.after {
            Some(after) => after,
            None => look::log_end(store).await.map_err(unavailable)?,
        };
        let words = following.words;
        let look =
            || -> Look<'_, Hops> { Box::pin(async move { look::log(store, after, words).await.map_err(unavailable) }) };
        let hops = self
            .awaited(&self.shared.committed, following.wait_ms, look, |hops: &Hops| hops.after != after.to_string());
        Ok(body::value(StatusCode::OK, &hops.await?))
    }

    pub(super) async fn requests(&self, query: Query<'_>) -> Result<Response<Answer>, Ended> {
        query.knows(&["after", "refused", "wait_ms"]).map_err(not_understood)?;
        let after = query.number("after").map_err(not_understood)?.unwrap_or(0);
        let refused = query.flag("refused").map_err(not_understood)?.unwrap_or(false);
        let wait_ms = wait_ms(query)?;
        let calls = &self.shared.calls;
        let look = || -> Look<'_, CallPage> {
            let last = calls.last();
            let requests: Vec<CallView> = calls.after(after, refused).into_iter().map(CallView::from).collect();
            let after = requests.last().map_or(last, |call| call.number.max(last));
            Box::pin(std::future::ready(Ok(CallPage { requests, after })))
        };
        let page = self.awaited(&calls.grown, wait_ms, look, |page: &CallPage| !page.requests.is_empty());
        Ok(body::value(StatusCode::OK, &page.await?))
    }

    pub(super) async fn audit(&self, query: Query<'_>) -> Result<Response<Answer>, Ended> {
        query.knows(&["limit"]).map_err(not_understood)?;
        let limit = query.limit(PAGE, super::PAGE_MAX).map_err(not_understood)?;
        let trail = self.trail.clone();
        let latest = tokio::task::spawn_blocking(move || trail.latest(limit as usize)).await;
        let entries = latest
            .unwrap_or_else(|gone| Err(gone.into()))
            .map_err(|error| Box::new(body::try_later("audit", &format!("audit.jsonl cannot be read: {error}"), 1)))?;
        Ok(body::value(StatusCode::OK, &AuditPage { entries }))
    }

    /// Looks until what is found is news, for at most so long.
    async fn awaited<'a, T>(
        &'a self,
        told: &'a Notify,
        wait_ms: u64,
        look: impl Fn() -> Look<'a, T>,
        is_news: impl Fn(&T) -> bool,
    ) -> Result<T, Ended> {
        let until = self.shared.runtime().now() + wait_ms;
        loop {
            let mut news = std::pin::pin!(told.notified());
            // Before the look, so that nothing comes unseen between it and the wait.
            news.as_mut().enable();
            let found = look().await?;
            if is_news(&found) || self.closing.is_cancelled() || self.shared.runtime().now() >= until {
                return Ok(found);
            }
            tokio::select! {
                biased;
                () = self.closing.cancelled() => {}
                () = news => tokio::time::sleep(PAUSE).await,
                () = self.shared.runtime().sleep_until(until) => {}
            }
        }
    }
}

/// How somebody follows.
struct Following {
    after: Option<u64>,
    words: bool,
    wait_ms: u64,
}

impl Following {
    fn read(query: Query<'_>) -> Result<Self, Ended> {
        query.knows(&["after", "words", "wait_ms"]).map_err(not_understood)?;
        Ok(Self {
            after: query.number("after").map_err(not_understood)?,
            words: query.flag("words").map_err(not_understood)?.unwrap_or(false),
            wait_ms: wait_ms(query)?,
        })
    }
}

fn wait_ms(query: Query<'_>) -> Result<u64, Ended> {
    let wait_ms = query.number("wait_ms").map_err(not_understood)?.unwrap_or(0);
    if wait_ms > WAIT_MAX_MS {
        return Err(not_understood(format!("wait_ms lies between 0 and {WAIT_MAX_MS}")));
    }
    Ok(wait_ms)
}
