//! The store on SQLite: the default, one file in the data folder, no service beside it.
//!
//! One thread writes (`writer`), one checkpoints (`checkpoint`), a few read (`Reader`), each with a connection of its
//! own. A verb is a closure that goes to one of them through a bounded queue; its future waits for the answer. Dropping
//! the future does not undo the verb.
//!
//! The folder is locked while it is open, so whoever holds it knows that every earlier run is dead.

mod checkpoint;
mod look;
mod migrate;
mod reads;
mod reserve;
mod rows;
#[cfg(test)]
mod tests;
mod writer;

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use model::{BotKey, ConversationId, Timestamp};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::sync::oneshot;

use self::checkpoint::Checkpointer;
pub use self::look::{Found, Resting, look, manifests_at_rest};
use self::reserve::Reserve;
use self::rows::{Failure, Rows, words};
use self::writer::{Change, Job, Urgency, Writer};
use super::{
    Accept, Accepted, Blob, Claim, Error, JournalRow, Key, Letter, LetterQuery, Loaded, LogRow, Manifest, ManifestNote,
    Measures, Out, OutOfService, OutboxSeq, RecentPage, Replica, Reply, Request, ShadowCount, Started, Step, Store,
    Sweep, Swept,
};
use crate::observe::metrics::StoreMetrics;

/// The schema that this program writes; it brings an older one up to it, and refuses a newer one.
pub const SCHEMA: usize = migrate::MIGRATIONS.len();

const PAGE_BYTES: u64 = 4_096;
/// The database in the folder; its log lies beside it.
const FILE: &str = "cordboard.sqlite";

/// How a folder is opened.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data folder; made when it is not there, for its owner only.
    pub folder: PathBuf,
    /// How many writes may wait; beyond that they are refused at once.
    pub queue_max: usize,
    /// How many writes share one commit at most.
    pub batch_max: usize,
    /// How long a write that nobody waits for waits for another to share its commit.
    pub company_ms: u64,
    /// How many threads read.
    pub readers: usize,
    /// A checkpoint after so many writes,
    pub checkpoint_jobs: usize,
    /// or after so long, whichever comes first.
    pub checkpoint_ms: u64,
    /// The size of the WAL past which a checkpoint makes the writer wait.
    pub wal_max_mb: u64,
    /// Disk space kept for settling what is accepted when the disk is full; 0 keeps none.
    pub disk_reserve_mb: u64,
    /// The page cache of the writer; a reader has a quarter of it.
    pub cache_mb: u64,
    /// Where commits are measured.
    pub metrics: StoreMetrics,
}

impl Settings {
    /// The defaults, for a folder.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            queue_max: 4_096,
            batch_max: 256,
            company_ms: 10,
            readers: 2,
            checkpoint_jobs: 1_000,
            checkpoint_ms: 500,
            wal_max_mb: 64,
            disk_reserve_mb: 128,
            cache_mb: 8,
            metrics: StoreMetrics::default(),
        }
    }
}

/// Why a folder cannot be opened. None of these goes away by itself.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The lock is held.
    #[error("another Cordboard runs on this folder: {}; stop it, or give this one a `data_dir` of its own", .0.display())]
    Locked(PathBuf),
    /// The folder or its lock file.
    #[error("the data folder {} cannot be used: {}", .folder.display(), why_not_usable(source))]
    Folder {
        /// Which folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A newer program wrote it.
    #[error("the data were written by a newer Cordboard (schema {stored}, this one knows {known}); start that one")]
    Newer {
        /// The last migration that was applied.
        stored: i64,
        /// The last one this program has.
        known: i64,
    },
    /// A migration that was applied reads otherwise in this program.
    #[error("migration {number} was applied in another form; this program is not the successor of the one that wrote")]
    Changed {
        /// Which one.
        number: i64,
    },
    /// SQLite.
    #[error("the database cannot be opened: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

fn why_not_usable(error: &io::Error) -> String {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::PermissionDenied => {
            "this user may not write there; give the folder to the user (chown), or name another `data_dir` in [server]"
                .to_owned()
        }
        Kind::ReadOnlyFilesystem => {
            "it is mounted read-only; mount it for writing, or name another `data_dir` in [server]".to_owned()
        }
        Kind::AlreadyExists | Kind::NotADirectory => {
            "a file is in its place; move that away, or name another `data_dir` in [server]".to_owned()
        }
        Kind::NotFound => "it cannot be made there; name another `data_dir` in [server]".to_owned(),
        Kind::StorageFull | Kind::QuotaExceeded => "the disk is full; make room, and start again".to_owned(),
        _ => format!("{error}; `data_dir` in [server] names it, and its files must be ours to write"),
    }
}

/// What the threads know of each other.
#[derive(Default)]
struct Shared {
    /// Replicas with a lower number are dead.
    first_live: AtomicI64,
    /// How many batches were committed.
    commits: AtomicU64,
    failed: Mutex<Option<Error>>,
    gate: Gate,
    #[cfg(test)]
    fail_commit: AtomicBool,
}

impl Shared {
    /// Where a test lets a commit fail.
    #[cfg(test)]
    fn before_commit(&self) -> Result<(), rusqlite::Error> {
        if self.fail_commit.swap(false, Ordering::Relaxed) {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_FSYNC);
            return Err(rusqlite::Error::SqliteFailure(code, None));
        }
        Ok(())
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "a test's form of it can fail")]
    const fn before_commit(&self) -> Result<(), rusqlite::Error> {
        Ok(())
    }
}

/// Where the writer waits between two batches while the checkpointer needs the database for itself.
#[derive(Default)]
struct Gate {
    closed: AtomicBool,
    held: Mutex<()>,
}

impl Gate {
    /// Closes it until the guard is dropped. The batch under way is not waited for.
    fn close(&self) -> impl Drop {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        self.closed.store(true, Ordering::Release);
        Closed { gate: self, _held: held }
    }

    fn pass(&self) {
        if self.closed.load(Ordering::Acquire) {
            drop(self.held.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

struct Closed<'a> {
    gate: &'a Gate,
    _held: MutexGuard<'a, ()>,
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.gate.closed.store(false, Ordering::Release);
    }
}

type Read = Box<dyn FnOnce(&mut Connection) + Send>;

/// The open store. Dropping it waits until what is queued is committed, and frees the folder.
pub struct Sqlite {
    writes: Option<SyncSender<Box<dyn Job>>>,
    reads: Option<SyncSender<Read>>,
    threads: Vec<JoinHandle<()>>,
    shared: Arc<Shared>,
    reserve: Arc<Reserve>,
    folder: PathBuf,
    /// Held, not read: the lock ends with it. The last field, so that it is dropped last.
    _lock: File,
}

impl Sqlite {
    /// Opens a folder: takes its lock, brings its schema up to date and starts the threads. Blocks; the copying of a
    /// WAL that was left behind can take a second.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn open(settings: &Settings) -> Result<Self, OpenError> {
        let folder = &settings.folder;
        let lock = lock(folder)?;
        make_private(folder)?;
        let mut connection = connect(settings, settings.cache_mb)?;
        // Left-over frames may never have reached the disk (a failed fsync). Copying them writes them anew.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        migrate::migrate(&mut connection, migrate::MIGRATIONS)?;
        let newest: i64 = connection.query_row("SELECT COALESCE(MAX(id), 0) FROM replica", [], |row| row.get(0))?;
        let shared = Arc::new(Shared::default());
        shared.first_live.store(newest + 1, Ordering::Release);
        let reserve = Arc::new(Reserve::new(folder.join("reserve"), settings.disk_reserve_mb));
        let (checkpointer, bell) = sync_channel(1);
        let (writes, queue) = sync_channel(settings.queue_max);
        let (reads, read_queue) = sync_channel(settings.queue_max);
        let read_queue = Arc::new(Mutex::new(read_queue));
        let writer = Writer {
            connection,
            queue,
            batch_max: settings.batch_max,
            company: Duration::from_millis(settings.company_ms),
            checkpoint_jobs: settings.checkpoint_jobs,
            checkpointer,
            shared: Arc::clone(&shared),
            reserve: Arc::clone(&reserve),
            metrics: settings.metrics.clone(),
        };
        let checkpointer = Checkpointer {
            connection: connect(settings, 1)?,
            bell,
            period: Duration::from_millis(settings.checkpoint_ms.max(1)),
            wal_max_pages: i64::try_from(settings.wal_max_mb * (1 << 20) / PAGE_BYTES).unwrap_or(i64::MAX),
            shared: Arc::clone(&shared),
            reserve: Arc::clone(&reserve),
        };
        let spawn_failed = |source| OpenError::Folder { folder: folder.clone(), source };
        let mut threads = Vec::new();
        for _ in 0..settings.readers.max(1) {
            let connection = connect(settings, settings.cache_mb / 4)?;
            connection.pragma_update(None, "query_only", true)?;
            let queue = Arc::clone(&read_queue);
            threads.push(spawn("store-reader", move || read_all(connection, &queue)).map_err(spawn_failed)?);
        }
        threads.push(spawn("store-writer", move || writer.run()).map_err(spawn_failed)?);
        threads.push(spawn("store-checkpoint", move || checkpointer.run()).map_err(spawn_failed)?);
        let (writes, reads, folder) = (Some(writes), Some(reads), folder.clone());
        Ok(Self { writes, reads, threads, shared, reserve, folder, _lock: lock })
    }

    fn write<T, F>(&self, takes_input: bool, change: F) -> Reply<'_, T>
    where
        T: Send + 'static,
        F: Fn(&Rows<'_, '_>) -> Result<T, Failure> + Send + 'static,
    {
        self.write_as(if takes_input { Urgency::Input } else { Urgency::Usual }, change)
    }

    fn write_as<T, F>(&self, urgency: Urgency, change: F) -> Reply<'_, T>
    where
        T: Send + 'static,
        F: Fn(&Rows<'_, '_>) -> Result<T, Failure> + Send + 'static,
    {
        Box::pin(async move {
            let (job, answer) = Change::new(urgency, change);
            let queue = self.writes.as_ref().ok_or_else(closed)?;
            queue.try_send(Box::new(job)).map_err(|error| refused(&error))?;
            answer.await.unwrap_or_else(|_| Err(Error::Unknown("the writer stopped".into())))
        })
    }

    fn read<T, F>(&self, look: F) -> Reply<'_, T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    {
        Box::pin(async move {
            let (caller, answer) = oneshot::channel();
            let queue = self.reads.as_ref().ok_or_else(closed)?;
            let read: Read = Box::new(move |connection| drop(caller.send(look(connection))));
            queue.try_send(read).map_err(|error| refused(&error))?;
            let found = answer.await.map_err(|_| Error::Unavailable("the reader stopped".into()))?;
            found.map_err(|error| unreadable(&error))
        })
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.writes = None;
        self.reads = None;
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so; the folder is freed all the same.
            drop(thread.join());
        }
    }
}

fn closed() -> Error {
    Error::Unavailable("the store is closed".into())
}

fn refused<T>(error: &TrySendError<T>) -> Error {
    match error {
        TrySendError::Full(_) => Error::Unavailable("the queue is full".into()),
        TrySendError::Disconnected(_) => closed(),
    }
}

/// What an error of a reader means. A value of another type or out of range was not written by us.
fn unreadable(error: &rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        None | Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::Damaged(words(error)),
        Some(_) => Error::Unavailable(words(error)),
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run)
}

fn read_all(mut connection: Connection, queue: &Mutex<Receiver<Read>>) {
    loop {
        // One idle reader waits in the queue, the others for the lock.
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(read) => read(&mut connection),
            Err(_) => return,
        }
    }
}

fn lock(folder: &Path) -> Result<File, OpenError> {
    let unusable = |source| OpenError::Folder { folder: folder.to_owned(), source };
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(unusable)?;
    let file = File::options().create(true).truncate(false).write(true).open(folder.join("lock")).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(folder.to_owned())),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

/// The database is its owner's alone, however open the folder is that somebody made: customers' words are in it. SQLite
/// gives its log the permissions of the database. One that is there already stays as its owner wants it.
fn make_private(folder: &Path) -> Result<(), OpenError> {
    let mut options = File::options();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let made = options.open(folder.join(FILE));
    made.map(drop).map_err(|source| OpenError::Folder { folder: folder.to_owned(), source })
}

/// A connection of one thread; no mutex of SQLite's own is needed.
fn connect(settings: &Settings, cache_mb: u64) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(settings.folder.join(FILE), flags)?;
    // The checkpoint at closing would repeat a failed fsync and then drop the WAL.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(64);
    let cache_kib = cache_mb.max(1) * 1_024;
    // The first two take effect only in a new database, and in this order.
    connection.execute_batch(&format!(
        "PRAGMA page_size = {PAGE_BYTES};
         PRAGMA auto_vacuum = INCREMENTAL;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA foreign_keys = OFF;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -{cache_kib};"
    ))?;
    Ok(connection)
}

impl Store for Sqlite {
    fn start(&self) -> Reply<'_, Started> {
        Box::pin(async move {
            let started = self.write(false, |rows| rows.start()).await?;
            self.shared.first_live.store(started.replica.0, Ordering::Release);
            Ok(started)
        })
    }

    fn accept(&self, conversation: ConversationId, accept: Accept) -> Reply<'_, Accepted> {
        self.write(true, move |rows| rows.accept(conversation, &accept))
    }

    fn find(&self, key: Key) -> Reply<'_, Option<ConversationId>> {
        self.read(move |connection| reads::find(connection, key))
    }

    fn load(&self, conversation: ConversationId) -> Reply<'_, Option<Loaded>> {
        self.read(move |connection| reads::load(connection, conversation))
    }

    fn commit(&self, step: Step) -> Reply<'_, ()> {
        self.write(!step.accepts.is_empty(), move |rows| rows.commit(&step))
    }

    fn due(&self, replica: Replica, now: Timestamp, limit: u32) -> Reply<'_, Vec<ConversationId>> {
        let first_live = self.shared.first_live.load(Ordering::Acquire);
        self.read(move |connection| reads::due(connection, first_live, replica, now, limit))
    }

    fn next_due(&self, after: Timestamp) -> Reply<'_, Option<Timestamp>> {
        self.read(move |connection| reads::next_due(connection, after))
    }

    fn claim(
        &self,
        conversation: ConversationId,
        seq: OutboxSeq,
        claim: Claim,
        now: Timestamp,
    ) -> Reply<'_, Option<u32>> {
        self.write(false, move |rows| rows.claim(conversation, seq, claim, now))
    }

    fn heartbeat(&self, replica: Replica, held: Vec<(ConversationId, OutboxSeq)>, until: Timestamp) -> Reply<'_, ()> {
        self.write(false, move |rows| rows.heartbeat(replica, &held, until))
    }

    fn release(&self, conversation: ConversationId, seq: OutboxSeq, due: Timestamp, uncount: bool) -> Reply<'_, ()> {
        self.write(false, move |rows| rows.release(conversation, seq, due, uncount))
    }

    fn reply_for(&self, key: Key) -> Reply<'_, Option<Request>> {
        self.read(move |connection| reads::reply_for(connection, key))
    }

    fn mark_out(&self, outs: Vec<Out>) -> Reply<'_, ()> {
        self.write_as(Urgency::InCompany, move |rows| outs.iter().try_for_each(|out| rows.mark_out(*out)))
    }

    fn sweep(&self, sweep: Sweep) -> Reply<'_, Swept> {
        self.write(false, move |rows| rows.sweep(sweep))
    }

    fn bury(&self, letter: Letter) -> Reply<'_, ()> {
        self.write(true, move |rows| rows.bury(&letter))
    }

    fn dead_letters(&self, query: LetterQuery) -> Reply<'_, Vec<Letter>> {
        self.read(move |connection| reads::dead_letters(connection, &query))
    }

    fn dead_letter(&self, id: u64) -> Reply<'_, Option<Letter>> {
        self.read(move |connection| reads::dead_letter(connection, id))
    }

    fn drop_letter(&self, id: u64) -> Reply<'_, bool> {
        self.write(false, move |rows| rows.drop_letter(id))
    }

    fn read_journal(&self, conversation: ConversationId, from: u64, limit: u32) -> Reply<'_, Vec<JournalRow>> {
        self.read(move |connection| reads::read_journal(connection, conversation, from, limit))
    }

    fn recent(&self, before: u64, limit: u32) -> Reply<'_, RecentPage> {
        self.read(move |connection| reads::recent(connection, before, limit))
    }

    fn read_log(&self, after: u64, limit: u32) -> Reply<'_, Vec<LogRow>> {
        self.read(move |connection| reads::read_log(connection, after, limit))
    }

    fn enact(&self, policies: Blob) -> Reply<'_, u32> {
        self.write(false, move |rows| rows.enact(&policies))
    }

    fn policies(&self, revision: u32) -> Reply<'_, Option<Blob>> {
        self.read(move |connection| reads::policies(connection, revision))
    }

    fn disable(&self, bot: OutOfService) -> Reply<'_, ()> {
        self.write(false, move |rows| rows.disable(&bot))
    }

    fn enable(&self, bot: BotKey) -> Reply<'_, bool> {
        self.write(false, move |rows| rows.enable(&bot))
    }

    fn out_of_service(&self) -> Reply<'_, Vec<OutOfService>> {
        self.read(|connection| reads::out_of_service(connection))
    }

    fn note_manifests(&self, notes: Vec<ManifestNote>) -> Reply<'_, ()> {
        self.write_as(Urgency::InCompany, move |rows| notes.iter().try_for_each(|note| rows.note_manifest(note)))
    }

    fn manifests(&self) -> Reply<'_, Vec<Manifest>> {
        self.read(|connection| reads::manifests(connection))
    }

    fn shadows(&self) -> Reply<'_, Vec<ShadowCount>> {
        self.read(|connection| reads::shadows(connection))
    }

    fn unfinished(&self, after: ConversationId, limit: u32) -> Reply<'_, Vec<ConversationId>> {
        self.read(move |connection| reads::unfinished(connection, after, limit))
    }

    fn failed(&self) -> Option<Error> {
        self.shared.failed()
    }

    fn refuses_input(&self) -> Option<Error> {
        self.reserve.is_used().then(reserve::used_up)
    }

    fn measures(&self) -> Reply<'_, Measures> {
        let wal = self.folder.join(format!("{FILE}-wal"));
        let folder = self.folder.clone();
        self.read(move |connection| {
            let (open_conversations, dead_letters) = reads::measures(connection)?;
            let free = rustix::fs::statvfs(&folder).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
            let wal_bytes = std::fs::metadata(&wal).map_or(0, |metadata| metadata.len());
            Ok(Measures { open_conversations, dead_letters, wal_bytes, disk_free_bytes: free.unwrap_or(0) })
        })
    }

    fn conversations(&self, limit: u32) -> Reply<'_, Vec<ConversationId>> {
        self.read(move |connection| reads::conversations(connection, limit))
    }
}
