//! Steps of which the store could not say whether it took them.
//!
//! What came from outside is refused then, and known by its key when it comes again. What came from inside waits in the
//! queue, and may have been applied already: applied again, a part of an answer would be said twice. So it remembers the
//! step that it was in, and is forgotten once the journal turns out to hold it.

use std::sync::Arc;

use super::Queued;
use super::slots::Slot;
use crate::gateway::Shared;
use crate::store::{self, Blob, Step};

/// A step that was perhaps committed.
pub(crate) struct Doubt {
    /// The version that it makes, which is the place of its journal row.
    version: u64,
    /// The payload of that row. Another writer's would tell of something else.
    row: Blob,
}

impl Doubt {
    pub(super) fn of(step: &Step) -> Self {
        Self { version: step.expected_version + 1, row: step.journal.payload.clone() }
    }
}

impl Shared {
    /// Whether the journal holds the step.
    pub(super) async fn was_committed(&self, slot: &Slot, doubt: &Doubt) -> Result<bool, store::Error> {
        let rows = self.store.read_journal(slot.id, doubt.version, 1).await?;
        Ok(rows.first().is_some_and(|row| row.seq == doubt.version && row.payload == doubt.row))
    }

    /// Takes out of a batch what was applied, though nobody could tell when it was.
    pub(super) async fn forget_applied(&self, slot: &Slot, batch: &mut Vec<Queued>) -> Result<(), store::Error> {
        let mut doubts: Vec<Arc<Doubt>> = Vec::new();
        for doubt in batch.iter().filter_map(|queued| queued.doubt.as_ref()) {
            if !doubts.iter().any(|known| Arc::ptr_eq(known, doubt)) {
                doubts.push(doubt.clone());
            }
        }
        for doubt in doubts {
            if self.was_committed(slot, &doubt).await? {
                batch.retain(|queued| !queued.doubt.as_ref().is_some_and(|of| Arc::ptr_eq(of, &doubt)));
            }
        }
        Ok(())
    }
}

pub(super) fn mark(batch: &mut [Queued], doubt: Doubt) {
    let doubt = Arc::new(doubt);
    for queued in batch {
        queued.doubt = Some(doubt.clone());
    }
}
