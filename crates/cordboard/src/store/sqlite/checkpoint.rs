//! The thread that moves committed pages from the WAL into the database, so that no commit pays for it.
//!
//! Passive checkpoints run beside the writer and never hold it up, but a writer that never pauses keeps the WAL from
//! starting over. Past `wal_max_mb` a restarting one makes it wait at the gate for the few pages that are left; without
//! the gate SQLite's lock would go to the writer again and again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use super::super::Error;
use super::rows::words;
use super::{Shared, reserve::Reserve};

/// Periods between two attempts to fill a reserve that was given up.
const RESERVE_PERIODS: u32 = 20;

/// What the checkpointer's thread owns.
pub(super) struct Checkpointer {
    pub(super) connection: Connection,
    pub(super) bell: Receiver<()>,
    pub(super) period: Duration,
    pub(super) wal_max_pages: i64,
    pub(super) shared: Arc<Shared>,
    pub(super) reserve: Arc<Reserve>,
}

impl Checkpointer {
    /// Runs until the writer is gone.
    pub(super) fn run(self) {
        self.reserve.fill();
        let mut seen = self.shared.commits.load(Ordering::Relaxed);
        let mut until_fill = RESERVE_PERIODS;
        loop {
            match self.bell.recv_timeout(self.period) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => {
                    until_fill -= 1;
                    if until_fill == 0 {
                        until_fill = RESERVE_PERIODS;
                        self.reserve.fill();
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let commits = self.shared.commits.load(Ordering::Relaxed);
            if commits != seen && self.shared.failed().is_none() {
                seen = commits;
                self.checkpoint();
            }
        }
    }

    pub(super) fn checkpoint(&self) {
        let moved = self
            .pragma("PASSIVE")
            .and_then(|pages_in_wal| if pages_in_wal > self.wal_max_pages { self.restart() } else { Ok(()) });
        match moved {
            Ok(()) => {}
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {}
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
                self.reserve.give_up();
            }
            // What a failed fsync left unwritten is still in the WAL; the next opening copies it again.
            Err(error) => self.shared.fail(&Error::Unavailable(words(&error))),
        }
    }

    fn restart(&self) -> Result<(), rusqlite::Error> {
        let _closed = self.shared.gate.close();
        self.pragma("RESTART").map(drop)
    }

    /// Returns how many pages the WAL holds.
    fn pragma(&self, mode: &str) -> Result<i64, rusqlite::Error> {
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        self.connection.prepare_cached(&sql)?.query_row([], |row| row.get(1))
    }
}
