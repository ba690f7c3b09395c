//! The rows of one conversation that are on their way out, by lane.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use model::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{Item, Kind, Place};
use crate::store::OutboxSeq;

/// One row, as its sender sees it.
#[derive(Clone)]
pub(crate) struct LaneRow {
    pub(crate) seq: OutboxSeq,
    pub(crate) item: Arc<Item>,
    pub(crate) due: Timestamp,
    /// When it may leave for the first time, as far as this process knows; attempts move `due`, not this.
    pub(crate) since: Timestamp,
    pub(crate) attempt: u32,
    /// Set while the row is born claimed and not yet being sent.
    pub(crate) place: Option<Arc<Place>>,
    /// Cuts the call off.
    pub(crate) cancel: CancellationToken,
    sending: bool,
}

impl LaneRow {
    pub(crate) fn new(seq: OutboxSeq, item: Item, due: Timestamp, attempt: u32, place: Option<Place>) -> Self {
        Self {
            seq,
            item: Arc::new(item),
            due,
            since: due,
            attempt,
            place: place.map(Arc::new),
            cancel: CancellationToken::new(),
            sending: false,
        }
    }
}

/// All lanes of a conversation.
#[derive(Default)]
pub(crate) struct Lanes {
    lanes: BTreeMap<u32, VecDeque<LaneRow>>,
}

impl Lanes {
    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// How many rows there are, and since when the oldest push may leave.
    pub(crate) fn outgoing(&self) -> (usize, Option<Timestamp>) {
        let pushes = self.lanes.values().flatten().filter(|row| matches!(row.item.kind, Kind::Push { .. }));
        (self.lanes.values().map(VecDeque::len).sum(), pushes.map(|row| row.since).min())
    }

    pub(crate) fn is_free(&self, lane: u32) -> bool {
        !self.lanes.contains_key(&lane)
    }

    pub(crate) fn contains(&self, seq: OutboxSeq) -> bool {
        self.lanes.values().flatten().any(|row| row.seq == seq)
    }

    /// The sequence after every row that is known.
    pub(crate) fn next_seq(&self) -> u64 {
        self.lanes.values().flatten().map(|row| row.seq.0 + 1).max().unwrap_or(1)
    }

    pub(crate) fn find(&self, which: impl Fn(&Kind) -> bool) -> Vec<OutboxSeq> {
        self.lanes.values().flatten().filter(|row| which(&row.item.kind)).map(|row| row.seq).collect()
    }

    pub(crate) fn add(&mut self, row: LaneRow) {
        self.lanes.entry(row.item.kind.lane()).or_default().push_back(row);
    }

    /// Takes a row out; what is being sent of it is cut off.
    pub(crate) fn remove(&mut self, seq: OutboxSeq) {
        for rows in self.lanes.values_mut() {
            for row in rows.iter().filter(|row| row.seq == seq) {
                row.cancel.cancel();
            }
            rows.retain(|row| row.seq != seq);
        }
        self.lanes.retain(|_, rows| !rows.is_empty());
    }

    /// Takes out what is not among these: the store has it no more.
    pub(crate) fn keep_only(&mut self, stored: &[OutboxSeq]) {
        let gone: Vec<OutboxSeq> =
            self.lanes.values().flatten().map(|row| row.seq).filter(|seq| !stored.contains(seq)).collect();
        for seq in gone {
            self.remove(seq);
        }
    }

    /// The first rows of all lanes that nobody sends yet; whoever takes them sends them.
    pub(crate) fn start(&mut self) -> Vec<LaneRow> {
        let mut started = Vec::new();
        for rows in self.lanes.values_mut() {
            if let Some(first) = rows.front_mut().filter(|row| !row.sending) {
                first.sending = true;
                let place = first.place.take();
                started.push(LaneRow { place, ..first.clone() });
            }
        }
        started
    }
}
