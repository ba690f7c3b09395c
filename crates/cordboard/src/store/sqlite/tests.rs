//! What only SQLite can show: the lock, batches, a commit that fails, a full disk, a WAL with a bound.

use std::sync::mpsc;

use futures_util::FutureExt as _;
use model::RequestId;
use tempfile::TempDir;

use super::super::{Blob, OutboxRow, OutboxSeq, Settle, Step};
use super::*;
use crate::store::JournalRow;

fn settings(folder: &TempDir) -> Settings {
    Settings { disk_reserve_mb: 0, ..Settings::new(folder.path()) }
}

fn step(owner: Replica, id: u64, version: u64) -> Step {
    let name = Key([u8::try_from(id).unwrap(); 16]);
    let empty = Step::empty(ConversationId(id), name, owner, version, Timestamp(1));
    Step {
        state: Blob::clear(b"state"),
        journal: JournalRow { payload: Blob::clear(&[b'x'; 1_000]), ..empty.journal.clone() },
        ..empty
    }
}

fn with_row(step: Step) -> Step {
    let item = Blob::clear(&[b'y'; 100_000]);
    let row = OutboxRow { seq: OutboxSeq(1), lane: 0, item, due: Timestamp(1), attempt: 0, claim: None };
    Step { outbox_add: vec![row], ..step }
}

fn with_input(step: Step, request: u64) -> Step {
    let accept = Accept {
        request: RequestId(request),
        key: Key([200; 16]),
        arrived: Timestamp(1),
        wait_until: Timestamp(1),
        correlation: None,
        open_event: None,
    };
    Step { accepts: vec![accept], ..step }
}

/// Holds the writer inside a batch until it is told to go on, so that what comes meanwhile shares the next batch.
fn hold(store: &Sqlite) -> (Reply<'_, ()>, mpsc::Sender<()>) {
    let (go_on, told) = mpsc::channel();
    let (inside, entered) = mpsc::channel();
    let told = Mutex::new(told);
    let mut held = store.write(false, move |_| {
        inside.send(()).unwrap();
        told.lock().unwrap().recv().unwrap();
        Ok(())
    });
    assert!((&mut held).now_or_never().is_none());
    entered.recv().unwrap();
    (held, go_on)
}

/// Lets the database grow by at most so many pages, as a disk that is nearly full would.
async fn limit_growth(store: &Sqlite, pages: Option<i64>) {
    let limited = store.write(false, move |rows| {
        let count: i64 = rows.connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
        let most = pages.map_or(4_294_967_294, |pages| count + pages);
        rows.connection.query_row(&format!("PRAGMA max_page_count = {most}"), [], |_| Ok(()))?;
        Ok(())
    });
    limited.await.unwrap();
}

#[test]
fn a_folder_is_open_once() {
    let folder = TempDir::new().unwrap();
    let first = Sqlite::open(&settings(&folder)).unwrap();
    let Err(error) = Sqlite::open(&settings(&folder)) else { panic!("it was opened twice") };
    assert!(error.to_string().starts_with("another Cordboard runs on this folder"), "{error}");
    drop(first);
    Sqlite::open(&settings(&folder)).unwrap();
}

#[tokio::test]
async fn one_batch_keeps_its_good_steps_and_is_one_commit() {
    let folder = TempDir::new().unwrap();
    let store = Sqlite::open(&settings(&folder)).unwrap();
    let us = store.start().await.unwrap().replica;
    store.commit(step(us, 9, 0)).await.unwrap();
    let (held, go_on) = hold(&store);
    let twice = || with_row(step(us, 3, 0)).outbox_add.remove(0);
    let broken = Step { outbox_add: vec![twice(), twice()], ..step(us, 3, 0) };
    let steps = [step(us, 1, 0), step(us, 9, 0), broken.clone(), step(us, 2, 0), broken, step(us, 1, 1)];
    let mut commits = futures_util::future::join_all(steps.map(|step| store.commit(step)));
    assert!((&mut commits).now_or_never().is_none(), "all are queued");
    let before = store.shared.commits.load(Ordering::Relaxed);
    go_on.send(()).unwrap();
    held.await.unwrap();
    let answers = commits.await;
    let stored: Vec<_> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(stored, [true, false, false, true, false, true], "{answers:?}");
    assert_eq!(store.shared.commits.load(Ordering::Relaxed) - before, 2, "the one that was held, and all the others");
    assert_eq!(store.load(ConversationId(1)).await.unwrap().unwrap().version, 2);
    assert_eq!(store.load(ConversationId(3)).await, Ok(None));
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let folder = TempDir::new().unwrap();
    let store = Sqlite::open(&Settings { queue_max: 2, ..settings(&folder) }).unwrap();
    let us = store.start().await.unwrap().replica;
    let (held, go_on) = hold(&store);
    let mut queued = futures_util::future::join_all([1, 2].map(|id| store.commit(step(us, id, 0))));
    assert!((&mut queued).now_or_never().is_none());
    let refused = store.commit(step(us, 3, 0)).now_or_never();
    assert_eq!(refused, Some(Err(Error::Unavailable("the queue is full".into()))));
    go_on.send(()).unwrap();
    held.await.unwrap();
    assert_eq!(queued.await, [Ok(()), Ok(())]);
}

#[tokio::test]
async fn after_a_failed_commit_nothing_is_written_until_the_folder_is_opened_again() {
    let folder = TempDir::new().unwrap();
    let store = Sqlite::open(&settings(&folder)).unwrap();
    let us = store.start().await.unwrap().replica;
    store.commit(step(us, 1, 0)).await.unwrap();
    store.shared.fail_commit.store(true, Ordering::Relaxed);
    let unknown = store.commit(step(us, 1, 1)).await;
    assert!(matches!(unknown, Err(Error::Unknown(_))), "{unknown:?}");
    let later = store.commit(step(us, 1, 1)).await;
    assert!(matches!(later, Err(Error::Unavailable(_))), "{later:?}");
    assert_eq!(store.load(ConversationId(1)).await.unwrap().unwrap().version, 1, "it can be read back");
    assert!(store.failed().is_some());
    drop(store);
    let store = Sqlite::open(&settings(&folder)).unwrap();
    let us = store.start().await.unwrap().replica;
    assert_eq!(store.commit(step(us, 1, 1)).await, Ok(()));
}

#[tokio::test]
async fn a_full_disk_refuses_input_and_settles_what_is_there() {
    let folder = TempDir::new().unwrap();
    let settings = Settings { disk_reserve_mb: 1, checkpoint_ms: 3_600_000, ..settings(&folder) };
    let store = Sqlite::open(&settings).unwrap();
    let us = store.start().await.unwrap().replica;
    store.commit(with_row(step(us, 1, 0))).await.unwrap();
    limit_growth(&store, Some(0)).await;
    let (held, go_on) = hold(&store);
    let settled = Step { outbox_settle: vec![Settle { seq: OutboxSeq(1) }], ..step(us, 1, 1) };
    let steps = [with_input(with_row(step(us, 2, 0)), 2), settled];
    let mut commits = futures_util::future::join_all(steps.map(|step| store.commit(step)));
    assert!((&mut commits).now_or_never().is_none());
    go_on.send(()).unwrap();
    held.await.unwrap();
    let used_up = Error::Unavailable("the disk reserve is used up".into());
    assert_eq!(commits.await, [Err(used_up.clone()), Ok(())], "settling frees what it needs");
    assert_eq!(store.commit(with_input(step(us, 2, 0), 2)).await, Err(used_up.clone()));
    assert_eq!(store.refuses_input(), Some(used_up), "whoever sends input is told in time");
    assert_eq!(store.commit(with_row(step(us, 3, 0))).await, Ok(()), "the freed pages are used again");
    let full = store.commit(with_row(step(us, 4, 0))).await;
    assert_eq!(full, Err(Error::Unavailable("the disk is full".into())));
    assert_eq!(store.failed(), None, "a full disk passes");
    limit_growth(&store, None).await;
    assert_eq!(store.commit(with_row(step(us, 4, 0))).await, Ok(()));
}

#[test]
fn a_reserve_that_was_given_up_comes_back_when_there_is_room() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("reserve");
    let reserve = Reserve::new(path.clone(), 1);
    reserve.fill();
    assert_eq!(path.metadata().unwrap().len(), 1 << 20);
    assert!(reserve.give_up());
    assert!(!reserve.give_up(), "only once");
    assert!(reserve.is_used() && !path.exists());
    reserve.fill();
    assert!(!reserve.is_used() && path.exists());
    let nowhere = Reserve::new(folder.path().join("missing").join("reserve"), 1);
    nowhere.fill();
    assert!(nowhere.is_used(), "what cannot be filled is no reserve");
}

#[test]
fn the_wal_starts_over_under_a_writer_that_never_pauses() {
    let folder = TempDir::new().unwrap();
    let settings = settings(&folder);
    let shared = Arc::new(Shared::default());
    let writer = connect(&settings, 1).unwrap();
    writer.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1)").unwrap();
    let (_bell, rings) = sync_channel(1);
    let checkpointer = Checkpointer {
        connection: connect(&settings, 1).unwrap(),
        bell: rings,
        period: Duration::ZERO,
        wal_max_pages: 0,
        shared: Arc::clone(&shared),
        reserve: Arc::new(Reserve::new(folder.path().join("reserve"), 0)),
    };
    let enough = AtomicBool::new(false);
    let (first, begun) = mpsc::channel();
    let (gate, stop) = (&shared.gate, &enough);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // Without the gate there is no more than a blink between two transactions.
            while !stop.load(Ordering::Acquire) {
                gate.pass();
                writer.execute_batch("BEGIN IMMEDIATE").unwrap();
                first.send(()).unwrap();
                for _ in 0..500 {
                    writer.execute_batch("UPDATE t SET a = a + 1").unwrap();
                }
                writer.execute_batch("COMMIT").unwrap();
            }
            writer.execute_batch("UPDATE t SET a = a + 1").unwrap();
        });
        begun.recv().unwrap();
        checkpointer.checkpoint();
        enough.store(true, Ordering::Release);
    });
    // The number of its restarts is in the header of the WAL, at byte 12 (sqlite.org/fileformat.html, section 4.1).
    let wal = std::fs::read(folder.path().join("cordboard.sqlite-wal")).unwrap();
    assert_ne!(wal[12..16], [0; 4], "it never started over");
}

#[tokio::test]
async fn swept_pages_go_back_to_the_file_system() {
    let folder = TempDir::new().unwrap();
    let store = Sqlite::open(&settings(&folder)).unwrap();
    let us = store.start().await.unwrap().replica;
    for id in 1..=6 {
        let large = Step { finished: true, state: Blob::clear(&vec![b'z'; 2_000_000]), ..step(us, id, 0) };
        store.commit(large).await.unwrap();
    }
    let pages = async || {
        let count = store.read(|connection| connection.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0)));
        count.await.unwrap()
    };
    let before = pages().await;
    let sweep = Sweep { requests_before: Timestamp(0), conversations_before: Timestamp(9), limit: 100 };
    assert_eq!(store.sweep(sweep).await.unwrap().conversations, 6);
    // The pages go after the answer; the next write comes after them.
    store.mark_out(Vec::new()).await.unwrap();
    assert!(pages().await <= before - 500, "of {before}");
}

#[tokio::test]
async fn a_correlation_id_is_cut_between_letters() {
    let folder = TempDir::new().unwrap();
    let store = Sqlite::open(&settings(&folder)).unwrap();
    let us = store.start().await.unwrap().replica;
    let mut long = with_input(step(us, 1, 0), 1);
    long.accepts[0].correlation = Some("é".repeat(99).into());
    store.commit(long).await.unwrap();
    let kept = store
        .read(|connection| connection.query_row("SELECT correlation FROM request", [], |row| row.get::<_, String>(0)));
    assert_eq!(kept.await.unwrap(), "é".repeat(50));
}

/// Somebody made the folder, and everybody may enter it.
#[test]
fn the_files_are_their_owners_alone_in_an_open_folder_too() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let store = Sqlite::open(&settings(&folder)).unwrap();
    for name in [FILE.to_owned(), format!("{FILE}-wal"), format!("{FILE}-shm")] {
        let mode = std::fs::metadata(folder.path().join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
    }
    drop(store);
}
