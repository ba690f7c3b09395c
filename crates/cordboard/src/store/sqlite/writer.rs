//! The one thread that writes. It takes everything that is queued, runs it in one transaction, commits once and only
//! then answers.
//!
//! A verb that is refused wrote nothing and stays alone with its error. A verb that breaks after it wrote (which only a
//! defect can cause) makes the batch roll back and run again without it; that is cheaper than a savepoint around each.
//!
//! After an I/O error nothing more is written until the folder is opened again: a second fsync may succeed although the
//! first one's pages are lost.

use std::cell::Cell;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::super::Error;
use super::Shared;
use super::reserve::{self, Reserve};
use super::rows::{Failure, Rows, Statements, words};
use crate::observe::metrics::StoreMetrics;

/// Free pages that are left to be used again before any are given back to the file system.
const FREE_PAGES_KEPT: i64 = 2_048;
/// Pages given back after one sweep, so that no batch waits long.
const FREE_PAGES_RETURNED: i64 = 512;

/// What is to be known of a verb before it runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    /// It takes in something new, so it is refused while the disk reserve is used up.
    Input,
    /// Its caller waits.
    Usual,
    /// Nobody waits for it: alone it is not worth a sync, unless nothing else comes soon.
    InCompany,
}

/// A verb in the queue, with its caller.
pub(super) trait Job: Send {
    /// How it is treated before it runs.
    fn urgency(&self) -> Urgency;
    /// Runs it and keeps its result. May run again when its batch is repeated.
    fn run(&mut self, rows: &Rows<'_, '_>) -> Result<(), Failure>;
    /// Gives the caller the result, or the error instead.
    fn answer(self: Box<Self>, instead: Option<Error>);
}

/// A [`Job`] made of a closure.
pub(super) struct Change<T, F> {
    urgency: Urgency,
    change: F,
    result: Option<Result<T, Error>>,
    caller: oneshot::Sender<Result<T, Error>>,
}

impl<T, F> Change<T, F> {
    pub(super) fn new(urgency: Urgency, change: F) -> (Self, oneshot::Receiver<Result<T, Error>>) {
        let (caller, answer) = oneshot::channel();
        (Self { urgency, change, result: None, caller }, answer)
    }
}

impl<T, F> Job for Change<T, F>
where
    T: Send,
    F: Fn(&Rows<'_, '_>) -> Result<T, Failure> + Send,
{
    fn urgency(&self) -> Urgency {
        self.urgency
    }

    fn run(&mut self, rows: &Rows<'_, '_>) -> Result<(), Failure> {
        self.result = Some(match (self.change)(rows) {
            Ok(value) => Ok(value),
            Err(Failure::Refused(error)) => Err(error),
            Err(failure) => return Err(failure),
        });
        Ok(())
    }

    fn answer(self: Box<Self>, instead: Option<Error>) {
        let result = match instead {
            Some(error) => Err(error),
            None => self.result.unwrap_or_else(|| Err(Error::Unknown("it was never run".into()))),
        };
        // A caller that went away wants no answer; what it asked for is done all the same.
        drop(self.caller.send(result));
    }
}

/// How one attempt to commit a batch ended.
enum Attempt {
    Committed,
    /// This one must go; the rest can be tried again.
    Without(usize, Error),
    /// The disk is full; nothing was stored.
    Full,
    /// Another process holds the database; nothing was stored.
    Busy,
    /// Nothing can be written any more; the batch is answered with this.
    Failed(Error),
}

/// What the writer's thread owns.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) queue: Receiver<Box<dyn Job>>,
    pub(super) batch_max: usize,
    pub(super) company: Duration,
    pub(super) checkpoint_jobs: usize,
    pub(super) checkpointer: SyncSender<()>,
    pub(super) shared: Arc<Shared>,
    pub(super) reserve: Arc<Reserve>,
    pub(super) metrics: StoreMetrics,
}

impl Writer {
    /// Runs until every sender of the queue is gone.
    pub(super) fn run(self) {
        let mut since_checkpoint = 0;
        let statements = Statements::new(&self.connection);
        while let Ok(first) = self.queue.recv() {
            let mut batch = vec![first];
            if batch[0].urgency() == Urgency::InCompany {
                // Whatever comes first takes it along; without any, and when the store is closed, it goes alone.
                batch.extend(self.queue.recv_timeout(self.company));
            }
            while batch.len() < self.batch_max
                && let Ok(next) = self.queue.try_recv()
            {
                batch.push(next);
            }
            since_checkpoint += batch.len();
            self.shared.gate.pass();
            self.commit(batch, &statements);
            if since_checkpoint >= self.checkpoint_jobs {
                since_checkpoint = 0;
                // A full channel means that the checkpointer knows already.
                self.checkpointer.try_send(()).unwrap_or(());
            }
        }
    }

    fn commit<'c>(&'c self, mut batch: Vec<Box<dyn Job>>, statements: &Statements<'c>) {
        if let Some(error) = self.shared.failed() {
            return answer_all(batch, &error);
        }
        loop {
            if self.reserve.is_used() {
                batch = refuse_input(batch);
            }
            let swept = Cell::new(false);
            match self.attempt(&mut batch, statements, &swept) {
                Attempt::Committed => {
                    batch.into_iter().for_each(|job| job.answer(None));
                    if swept.get() {
                        self.give_back_pages();
                    }
                    return;
                }
                Attempt::Without(index, error) => batch.remove(index).answer(Some(error)),
                Attempt::Full if self.reserve.give_up() => {}
                Attempt::Full => return answer_all(batch, &Error::Unavailable("the disk is full".into())),
                Attempt::Busy => {
                    return answer_all(batch, &Error::Unavailable("another process holds the database".into()));
                }
                Attempt::Failed(error) => {
                    self.shared.fail(&error);
                    return answer_all(batch, &error);
                }
            }
        }
    }

    fn attempt<'c>(&'c self, batch: &mut [Box<dyn Job>], statements: &Statements<'c>, swept: &Cell<bool>) -> Attempt {
        if batch.is_empty() {
            return Attempt::Committed;
        }
        if let Err(error) = statements.run("BEGIN IMMEDIATE", |begin| begin.execute([])) {
            return not_stored(&error);
        }
        let first_live = self.shared.first_live.load(Ordering::Acquire);
        let rows = Rows { connection: &self.connection, statements, first_live, swept };
        for (index, job) in batch.iter_mut().enumerate() {
            let attempt = match job.run(&rows) {
                Ok(()) => continue,
                Err(Failure::Refused(error) | Failure::Broken(error)) => Attempt::Without(index, error),
                Err(Failure::Sqlite(error)) => match not_stored(&error) {
                    Attempt::Without(_, error) => Attempt::Without(index, error),
                    other => other,
                },
            };
            return self.roll_back(attempt);
        }
        let begun = Instant::now();
        match self.shared.before_commit().and_then(|()| statements.run("COMMIT", |commit| commit.execute([]))) {
            Ok(_) => {
                self.metrics.commit.observe(begun.elapsed().as_secs_f64());
                self.metrics.batch.observe(f64::from(u32::try_from(batch.len()).unwrap_or(u32::MAX)));
                self.shared.commits.fetch_add(1, Ordering::Relaxed);
                Attempt::Committed
            }
            // The frames did not fit, so the one that marks the commit is not there.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => self.roll_back(Attempt::Full),
            Err(error) => self.roll_back(Attempt::Failed(Error::Unknown(words(&error)))),
        }
    }

    fn execute(&self, sql: &str) -> Result<(), rusqlite::Error> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }

    /// SQLite rolls back by itself after some errors; otherwise it is asked to.
    fn roll_back(&self, attempt: Attempt) -> Attempt {
        if self.connection.is_autocommit() {
            return attempt;
        }
        match self.execute("ROLLBACK") {
            Ok(()) => attempt,
            Err(error) => Attempt::Failed(Error::Unknown(words(&error))),
        }
    }

    /// Pages freed by a sweep; a few at a time. Trouble here is the next commit's to report.
    fn give_back_pages(&self) {
        let count = || self.connection.query_row("PRAGMA freelist_count", [], |row| row.get::<_, i64>(0));
        if count().unwrap_or(0) <= FREE_PAGES_KEPT {
            return;
        }
        let sql = format!("PRAGMA incremental_vacuum({FREE_PAGES_RETURNED})");
        let returned = self.connection.prepare_cached(&sql).and_then(|mut statement| {
            let mut rows = statement.query([])?;
            // One row per page.
            while rows.next()?.is_some() {}
            Ok(())
        });
        if let Err(error) = returned {
            tracing::warn!(reason = %words(&error), "free pages were not given back");
            if let Attempt::Failed(error) = not_stored(&error) {
                self.shared.fail(&error);
            }
        }
    }
}

/// What an error before the commit means; nothing was stored.
fn not_stored(error: &rusqlite::Error) -> Attempt {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Attempt::Full,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Attempt::Busy,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Attempt::Failed(Error::Damaged(words(error))),
        // A constraint, a value out of range, a type: the fault of one verb.
        None | Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig) => {
            Attempt::Without(0, Error::Damaged(words(error)))
        }
        Some(_) => Attempt::Failed(Error::Unavailable(words(error))),
    }
}

fn answer_all(batch: Vec<Box<dyn Job>>, error: &Error) {
    for job in batch {
        job.answer(Some(error.clone()));
    }
}

fn refuse_input(batch: Vec<Box<dyn Job>>) -> Vec<Box<dyn Job>> {
    let (input, rest): (Vec<_>, Vec<_>) = batch.into_iter().partition(|job| job.urgency() == Urgency::Input);
    answer_all(input, &reserve::used_up());
    rest
}

impl Shared {
    /// Why nothing is written any more.
    pub(super) fn failed(&self) -> Option<Error> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops all writing, for the reason that is in the error.
    pub(super) fn fail(&self, error: &Error) {
        tracing::error!(reason = %error, "the store takes no more writes until it is opened again");
        let reason = match error {
            Error::Damaged(_) => error.clone(),
            other => Error::Unavailable(format!("no writes until it is opened again: {other}").into()),
        };
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
    }
}
