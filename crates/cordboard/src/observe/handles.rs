//! Metrics of one key (a connector, a bot, an org), resolved once and then found without a lock.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

/// The handles of every key that was seen. Keys come from the configuration, so there are few.
#[derive(Debug)]
pub(super) struct Handles<K, V> {
    known: ArcSwap<BTreeMap<K, Arc<V>>>,
}

impl<K, V> Default for Handles<K, V> {
    fn default() -> Self {
        Self { known: ArcSwap::from_pointee(BTreeMap::new()) }
    }
}

impl<K: Ord + Clone, V> Handles<K, V> {
    /// The handle of a key, made when it is the first time. Made twice at once, both count into the same metrics.
    pub(super) fn of(&self, key: &K, make: impl Fn() -> V) -> Arc<V> {
        if let Some(known) = self.known.load().get(key) {
            return known.clone();
        }
        let made = Arc::new(make());
        self.known.rcu(|known| {
            let mut more = BTreeMap::clone(known);
            more.entry(key.clone()).or_insert_with(|| made.clone());
            more
        });
        made
    }
}
