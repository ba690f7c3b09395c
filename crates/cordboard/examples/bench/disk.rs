//! What the disk beneath the data folder can do: how long one sync lasts when nothing else is done.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use super::Failure;
use super::report::place;

const PAGE: [u8; 4_096] = [7; 4_096];
const PAGES: u64 = 256;

/// The median time of one page written and synced: over blocks that are there already, as the store's WAL does once it
/// has its size, and at the end of a file that grows.
pub(super) struct Sync {
    pub(super) over_ms: f64,
    pub(super) grown_ms: f64,
}

pub(super) fn sync(folder: &Path, long: Duration) -> Result<Sync, Failure> {
    let path = folder.join("probe");
    let mut file = File::create(&path)?;
    let grown_ms = median(long / 2, || write_and_sync(&mut file))?;
    file.seek(SeekFrom::Start(0))?;
    for _ in 0..PAGES {
        file.write_all(&PAGE)?;
    }
    file.sync_all()?;
    let mut at = 0;
    let over_ms = median(long / 2, || {
        file.seek(SeekFrom::Start((at % PAGES) * 4_096))?;
        at += 1;
        write_and_sync(&mut file)
    })?;
    std::fs::remove_file(&path)?;
    Ok(Sync { over_ms, grown_ms })
}

fn write_and_sync(file: &mut File) -> Result<(), Failure> {
    file.write_all(&PAGE)?;
    file.sync_data()?;
    Ok(())
}

fn median(long: Duration, mut work: impl FnMut() -> Result<(), Failure>) -> Result<f64, Failure> {
    let (began, mut times) = (Instant::now(), Vec::new());
    while began.elapsed() < long {
        let one = Instant::now();
        work()?;
        times.push(one.elapsed());
    }
    times.sort_unstable();
    Ok(place(&times, 50))
}
