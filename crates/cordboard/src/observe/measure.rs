//! Reads what is read rather than counted, when somebody asks for the metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;

use super::metrics::in_seconds;
use super::process::Process;
use crate::gateway::Shared;

/// A store that takes longer to count its rows is in trouble, and the page says so instead of waiting.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// A count as a gauge.
fn whole(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

impl Shared {
    /// The metrics page as it is now.
    pub async fn metrics_text(&self) -> String {
        self.read_store().await;
        self.read_memory();
        let readings = &self.metrics.readings;
        readings.draining.set(self.is_draining().into());
        self.metrics.read_certificate();
        let now = self.runtime().now();
        for (org, access) in &self.roster().access {
            if let Some(health) = access.tokens(now) {
                self.metrics.read_tokens(org, health);
            }
        }
        if let Some(process) = Process::read() {
            readings.cpu.inner().store(process.cpu_s.to_bits(), Ordering::Relaxed);
            readings.resident.set(whole(process.resident_bytes));
            readings.descriptors.set(whole(process.descriptors));
        }
        self.metrics.text()
    }

    async fn read_store(&self) {
        let readings = &self.metrics.readings;
        let measured = tokio::time::timeout(STORE_TIMEOUT, self.store().measures()).await;
        readings.store_up.set((self.store().failed().is_none() && matches!(measured, Ok(Ok(_)))).into());
        let Ok(Ok(measures)) = measured else { return };
        readings.open_conversations.set(whole(measures.open_conversations));
        readings.letters_stored.set(whole(measures.dead_letters));
        readings.wal.set(whole(measures.wal_bytes));
        readings.disk_free.set(whole(measures.disk_free_bytes));
    }

    fn read_memory(&self) {
        let copy = |count: &AtomicU64, to: &Counter| to.inner().store(count.load(Ordering::Relaxed), Ordering::Relaxed);
        let (counts, totals) = (&self.counts, &self.metrics.totals);
        copy(&counts.steps, &totals.steps);
        copy(&counts.conflicts, &totals.conflicts);
        copy(&counts.possible_duplicates, &totals.possible_duplicates);
        copy(&counts.corrections, &totals.corrections);
        copy(&counts.letters, &totals.letters);
        copy(&counts.poisoned, &totals.poisoned);
        let readings = &self.metrics.readings;
        let now = self.runtime().now();
        let outgoing = self.slots.outgoing();
        readings.open_requests.set(whole(self.open_requests()));
        readings.conversations_in_memory.set(whole(outgoing.conversations));
        readings.outbox_rows.set(whole(outgoing.rows));
        let since = |at: Option<model::Timestamp>| at.map_or(0.0, |at| in_seconds(whole(now.ms_since(at))));
        readings.outbox_oldest.set(since(outgoing.oldest_push));
        readings.due_lag.set(since(self.timers.earliest().filter(|at| *at < now)));
    }
}
