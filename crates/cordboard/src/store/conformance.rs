//! One suite for every implementation: each verb's contract told as a story, then random sequences of verbs on two
//! stores at once, with every answer compared.

mod random;
mod stories;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use model::{ConversationId, RequestId, Timestamp};
use tempfile::TempDir;

use super::memory::Memory;
use super::sqlite::{Settings, Sqlite};
use super::{
    Accept, Blob, Claim, JournalRow, Key, Letter, OutboxRow, OutboxSeq, Replica, Seal, SealedAs, Settle, Step, Store,
};

/// A store under test that can be closed and opened again.
enum Subject {
    Memory(Arc<Memory>),
    Sqlite { store: Option<Sqlite>, folder: TempDir },
}

impl Subject {
    fn memory() -> Self {
        Self::Memory(Arc::new(Memory::new([7; 16])))
    }

    fn sqlite() -> Self {
        let folder = TempDir::new().unwrap();
        Self::Sqlite { store: Some(open(folder.path())), folder }
    }

    fn store(&self) -> &dyn Store {
        match self {
            Self::Memory(store) => store.as_ref(),
            Self::Sqlite { store, .. } => store.as_ref().unwrap(),
        }
    }

    /// Closes and opens: for the memory, whose tables outlive a process, nothing.
    fn reopen(&mut self) {
        if let Self::Sqlite { store, folder } = self {
            *store = None;
            *store = Some(open(folder.path()));
        }
    }

    async fn start(&self) -> Replica {
        self.store().start().await.unwrap().replica
    }
}

fn open(folder: &Path) -> Sqlite {
    let settings = Settings { disk_reserve_mb: 0, company_ms: 0, checkpoint_jobs: 20, ..Settings::new(folder) };
    Sqlite::open(&settings).unwrap()
}

fn key(number: u8) -> Key {
    Key([number; 16])
}

fn blob(text: &str) -> Blob {
    Blob::clear(text.as_bytes())
}

/// A step of conversation `id` from `version` on, with nothing in it but a state and a journal row.
fn step(owner: Replica, id: u64, version: u64) -> Step {
    let empty = Step::empty(ConversationId(id), key(u8::try_from(id).unwrap()), owner, version, at(version));
    Step {
        state: blob(&format!("state {}", version + 1)),
        journal: JournalRow { payload: blob(&format!("events of {}", version + 1)), ..empty.journal.clone() },
        ..empty
    }
}

fn at(ms: u64) -> Timestamp {
    Timestamp(1_000_000).plus_ms(ms)
}

fn accept(request: u64, with: Key) -> Accept {
    Accept {
        request: RequestId(request),
        key: with,
        arrived: at(request),
        wait_until: at(request + 5_000),
        correlation: Some("correlation".into()),
        open_event: None,
    }
}

fn open_accept(request: u64, with: Key) -> Accept {
    Accept { open_event: Some(blob(&format!("event of {request}"))), ..accept(request, with) }
}

fn row(seq: u64, due: u64) -> OutboxRow {
    OutboxRow {
        seq: OutboxSeq(seq),
        lane: 0,
        item: blob(&format!("item {seq}")),
        due: at(due),
        attempt: 0,
        claim: None,
    }
}

fn claimed(by: Replica, until: u64, row: OutboxRow) -> OutboxRow {
    OutboxRow { attempt: 1, claim: Some(Claim { by, until: at(until) }), ..row }
}

fn settle(seq: u64) -> Settle {
    Settle { seq: OutboxSeq(seq) }
}

fn seal(request: u64, text: &str) -> Seal {
    Seal { request: RequestId(request), reply: SealedAs::Bytes(blob(text)) }
}

fn seal_same(request: u64, other: u64) -> Seal {
    Seal { request: RequestId(request), reply: SealedAs::Same(RequestId(other)) }
}

fn letter(id: u64) -> Letter {
    Letter {
        id,
        conversation: Some(ConversationId(1)),
        kind: "input".into(),
        place: "main".into(),
        reason: "not understood".into(),
        attempts: 2,
        died: at(id),
        payload: Blob(Bytes::from_static(&[0, 1, 2])),
    }
}
