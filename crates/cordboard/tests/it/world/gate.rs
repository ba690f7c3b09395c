//! Named points of the gateway that a test can close: whatever comes there waits, until it is opened or the process dies.

use std::collections::{BTreeMap, BTreeSet};

use cordboard::runtime::Points;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::PATIENCE;

#[derive(Default)]
pub(crate) struct Gate {
    closed: watch::Sender<BTreeSet<&'static str>>,
    /// How often something had to wait at a point.
    held_up: watch::Sender<BTreeMap<&'static str, usize>>,
}

impl Gate {
    pub(crate) fn close(&self, point: &'static str) {
        self.closed.send_if_modified(|closed| closed.insert(point));
    }

    pub(crate) fn open(&self, point: &'static str) {
        self.closed.send_if_modified(|closed| closed.remove(point));
    }

    /// Waits until something waits there.
    pub(crate) async fn holds_up(&self, point: &'static str) {
        let mut held_up = self.held_up.subscribe();
        let waiting = held_up.wait_for(|counts| counts.contains_key(point));
        drop(tokio::time::timeout(PATIENCE, waiting).await.unwrap().unwrap());
    }
}

impl Points for Gate {
    fn reach(&self, name: &'static str) -> BoxFuture<'static, ()> {
        let mut closed = self.closed.subscribe();
        if !closed.borrow_and_update().contains(name) {
            return async {}.boxed();
        }
        self.held_up.send_modify(|counts| *counts.entry(name).or_default() += 1);
        // An error would mean that the gate is gone, and with it the test.
        async move { drop(closed.wait_for(|closed| !closed.contains(name)).await) }.boxed()
    }
}
