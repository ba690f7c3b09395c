//! What a turn costs in the store: CPU, WAL and throughput, on the real schema and a real disk.
//!
//! `cargo run --release -p cordboard --example store_cost -- [committers] [seconds] [folder]`
//!
//! The folder should lie on the disk in question; by default it is a temporary one. CPU is user and system time of the
//! whole process, so the loop that makes the steps is in it too.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a measurement reads the clock and prints")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cordboard::store::sqlite::{Settings, Sqlite};
use cordboard::store::{
    Accept, Blob, Claim, JournalRow, Key, Out, OutboxRow, OutboxSeq, Replica, Seal, SealedAs, Settle, Step, Store,
};
use model::{ConversationId, RequestId, Timestamp};

const PAYLOAD_BYTES: usize = 1_024;
/// Conversations that take turns under one committer, so that the working set is not one page.
const CONVERSATIONS_EACH: u64 = 30;
const TICKS_PER_SECOND: f64 = 100.0;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone, Copy, PartialEq)]
enum Load {
    /// The acknowledging step alone.
    Acknowledge,
    /// That, the answering step and the mark that the reply is out.
    Turn,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let number = |index: usize, default: u64| arguments.get(index).map_or(Ok(default), |text| text.parse());
    let (committers, seconds) = (number(0, 64)?, number(1, 5)?);
    let temporary = tempfile::TempDir::new()?;
    let folder = arguments.get(2).map_or_else(|| temporary.path(), Path::new);
    println!("{committers} committers, {seconds} s each, payload {PAYLOAD_BYTES} B");
    let long = Duration::from_secs(seconds);
    for (name, load) in [("acknowledgement", Load::Acknowledge), ("turn", Load::Turn)] {
        let settings = Settings { disk_reserve_mb: 0, ..Settings::new(&folder.join(name)) };
        measure(&settings, name, load, committers, long).await?;
    }
    // Without checkpoints the size of the WAL tells what a turn writes to it.
    let kept = Settings {
        disk_reserve_mb: 0,
        checkpoint_jobs: usize::MAX,
        checkpoint_ms: 3_600_000,
        ..Settings::new(&folder.join("kept"))
    };
    measure(&kept, "turn, WAL kept", Load::Turn, committers, long.min(Duration::from_secs(2))).await?;
    Ok(())
}

async fn measure(settings: &Settings, name: &str, load: Load, committers: u64, long: Duration) -> Result<(), Failure> {
    let store = Arc::new(Sqlite::open(settings)?);
    let us = store.start().await?.replica;
    let (done, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let tasks: Vec<_> = (0..committers)
        .map(|committer| {
            let (store, done, stop) = (Arc::clone(&store), Arc::clone(&done), Arc::clone(&stop));
            tokio::spawn(commit_until(store, us, load, committer, done, stop))
        })
        .collect();
    tokio::time::sleep(long / 4).await;
    let (from, cpu, written, began) = (done.load(Ordering::Relaxed), cpu_us()?, written_bytes()?, Instant::now());
    tokio::time::sleep(long).await;
    let (count, cpu) = (done.load(Ordering::Relaxed) - from, cpu_us()? - cpu);
    let (written, took) = (written_bytes()? - written, began.elapsed());
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await??;
    }
    drop(store);
    let total = done.load(Ordering::Relaxed);
    #[expect(clippy::cast_precision_loss, reason = "figures for a reader")]
    let per = |total: f64| total / count.max(1) as f64;
    let size = |file: &str| std::fs::metadata(settings.folder.join(file)).map_or(0, |metadata| metadata.len() >> 20);
    #[expect(clippy::cast_precision_loss, reason = "figures for a reader")]
    let written = written as f64;
    println!(
        "{name}: {:.1} us CPU, {:.1} KB written (WAL and database), {:.0} per second; \
         after {total} of them the database has {} MB, the WAL {} MB",
        per(cpu),
        per(written) / 1_024.0,
        1.0 / per(took.as_secs_f64()),
        size("cordboard.sqlite"),
        size("cordboard.sqlite-wal"),
    );
    Ok(())
}

async fn commit_until(
    store: Arc<Sqlite>,
    us: Replica,
    load: Load,
    committer: u64,
    done: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
) -> Result<(), cordboard::store::Error> {
    let mut made = 0;
    while !stop.load(Ordering::Relaxed) {
        let id = (made % CONVERSATIONS_EACH) << 20 | committer;
        // With `Acknowledge` every step is one version; a turn is two.
        let round = made / CONVERSATIONS_EACH;
        let request = RequestId(made << 20 | committer);
        if load == Load::Acknowledge {
            store.commit(acknowledge(us, id, round, round, request)).await?;
        } else {
            store.commit(acknowledge(us, id, 2 * round, round, request)).await?;
            store.commit(answer(us, id, 2 * round + 1, round, request)).await?;
            store.mark_out(vec![Out { request, mark: None }]).await?;
        }
        made += 1;
        done.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// A key with the spread of a hash.
fn key(number: u64) -> Key {
    let mixed = u128::from(number).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    Key((mixed ^ (mixed >> 61)).to_be_bytes())
}

fn payload() -> Blob {
    Blob::clear(&[b'x'; PAYLOAD_BYTES])
}

fn empty(us: Replica, id: u64, version: u64, request: RequestId) -> Step {
    let now = Timestamp(1_700_000_000_000 + (request.0 >> 20).cast_signed());
    let empty = Step::empty(ConversationId(id), key(id | 1 << 60), us, version, now);
    Step {
        state: payload(),
        journal: JournalRow {
            cause_seq: Some(version),
            trace: Some([9; 16]),
            payload: payload(),
            ..empty.journal.clone()
        },
        ..empty
    }
}

/// The customer's message: accepted, applied, acknowledged, and the question to the engine stored, born claimed.
fn acknowledge(us: Replica, id: u64, version: u64, round: u64, request: RequestId) -> Step {
    let step = empty(us, id, version, request);
    let now = step.journal.at;
    Step {
        next_due: Some(now.plus_ms(20_000)),
        accepts: vec![Accept {
            request,
            key: key(request.0),
            arrived: now,
            wait_until: now.plus_ms(5_000),
            correlation: Some("0f8fad5b-d9cb-469f-a165-70867728950e".into()),
            open_event: None,
        }],
        outbox_add: vec![OutboxRow {
            seq: OutboxSeq(round + 1),
            lane: 0,
            item: payload(),
            due: now,
            attempt: 1,
            claim: Some(Claim { by: us, until: now.plus_ms(20_000) }),
        }],
        ..step
    }
}

/// The engine's answer: the question settled, the reply sealed.
fn answer(us: Replica, id: u64, version: u64, round: u64, request: RequestId) -> Step {
    Step {
        outbox_settle: vec![Settle { seq: OutboxSeq(round + 1) }],
        seals: vec![Seal { request, reply: SealedAs::Bytes(payload()) }],
        ..empty(us, id, version, request)
    }
}

/// User and system time of this process.
fn cpu_us() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().skip(11).take(2);
    let ticks = fields.map(str::parse::<f64>).sum::<Result<f64, _>>()?;
    Ok(ticks * 1_000_000.0 / TICKS_PER_SECOND)
}

/// What this process has handed to the kernel to write.
fn written_bytes() -> Result<u64, Failure> {
    let io = std::fs::read_to_string("/proc/self/io")?;
    let line = io.lines().find_map(|line| line.strip_prefix("wchar: ")).ok_or("no wchar")?;
    Ok(line.parse()?)
}
