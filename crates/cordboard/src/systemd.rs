//! What a service manager is told, where one listens (`NOTIFY_SOCKET`): that the gateway is ready, reads its
//! configuration again, stops, and is alive. [`serve`](crate::serve) and whoever reloads call it. Without a service
//! manager nothing happens; one that cannot be told is no reason to serve nobody.

use std::convert::Infallible;
use std::time::Duration;

use sd_notify::NotifyState;

use crate::store::{Key, Store};

/// Requests are answered: at the start, and after a reload whether it was good or bad. The status is one line, shown by
/// `systemctl status`.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The configuration is read again; [`ready`] follows.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now, NotifyState::Status("reading the configuration again")]),
        Err(error) => tracing::warn!(%error, "the service manager was not told of the reload"),
    }
}

/// No new conversations; what runs may end.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping: requests are still answered for a while")]);
}

/// Tells again and again that the gateway lives, as long as the store answers within the time between.
///
/// A store that hangs is what a restart mends; one that failed for good stops the gateway by itself.
pub async fn watched(store: &dyn Store) -> Infallible {
    let Some(limit) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    let pause = limit / 3;
    loop {
        if answers(store, pause).await {
            tell(&[NotifyState::Watchdog]);
        } else {
            tracing::warn!(
                limit_ms = limit.as_millis(),
                "the store does not answer; the service manager is not told to wait"
            );
        }
        tokio::time::sleep(pause).await;
    }
}

async fn answers(store: &dyn Store, within: Duration) -> bool {
    matches!(tokio::time::timeout(within, store.find(Key([0; 16]))).await, Ok(Ok(_)))
}

fn tell(news: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(news) {
        tracing::warn!(%error, "the service manager cannot be told how the gateway does");
    }
}
