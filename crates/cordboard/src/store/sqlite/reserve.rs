//! The disk reserve: a file that is filled while there is room and given up when the disk is full.
//!
//! Free space can be asked for only with a system call that is unsafe from here, and the answer is old when it comes.
//! A file that is really there is a promise: when SQLite meets a full disk, the file goes, what is accepted already is
//! settled in its place, and nothing new is taken in until the file could be filled again.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::store::Error;

const BLOCK_BYTES: usize = 1 << 20;

/// What input is refused with meanwhile.
pub(super) fn used_up() -> Error {
    Error::Unavailable("the disk reserve is used up".into())
}

/// The reserve of one data folder.
pub(super) struct Reserve {
    path: PathBuf,
    size_mb: u64,
    used: AtomicBool,
}

impl Reserve {
    /// With a size of 0 there is none, and a full disk is answered as it comes.
    pub(super) fn new(path: PathBuf, size_mb: u64) -> Self {
        Self { path, size_mb, used: AtomicBool::new(false) }
    }

    /// Whether it was given up, and input must be refused.
    pub(super) fn is_used(&self) -> bool {
        self.used.load(Ordering::Acquire)
    }

    /// Frees the space. False when there was none to free.
    pub(super) fn give_up(&self) -> bool {
        if self.size_mb == 0 || self.used.swap(true, Ordering::AcqRel) {
            return false;
        }
        tracing::error!(
            size_mb = self.size_mb,
            "the disk is full: the reserve is used, and no input is taken in before there is room; free some"
        );
        // Without the file there is nothing to free, and input is refused all the same.
        drop(std::fs::remove_file(&self.path));
        true
    }

    /// Fills it if there is room; takes back what did not fit.
    pub(super) fn fill(&self) {
        if self.size_mb == 0 || (!self.is_used() && self.is_there()) {
            return;
        }
        match self.write() {
            // It was given up again while it was filled.
            Ok(()) if !self.is_there() => self.used.store(true, Ordering::Release),
            Ok(()) => {
                if self.used.swap(false, Ordering::AcqRel) {
                    tracing::info!(size_mb = self.size_mb, "the disk reserve is back, input is taken in again");
                }
            }
            Err(error) => {
                drop(std::fs::remove_file(&self.path));
                if !self.used.swap(true, Ordering::AcqRel) {
                    let size_mb = self.size_mb;
                    let message =
                        "the disk reserve does not fit, and no input is taken in before it does; free some room";
                    tracing::error!(%error, size_mb, "{message}");
                }
            }
        }
    }

    fn is_there(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|metadata| metadata.len() == self.size_mb * BLOCK_BYTES as u64)
    }

    /// The bytes are noise, since a file system that compresses would keep no room for zeros.
    fn write(&self) -> std::io::Result<()> {
        let mut file = File::create(&self.path)?;
        let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
        let mut block = Vec::with_capacity(BLOCK_BYTES);
        for _ in 0..self.size_mb {
            block.clear();
            while block.len() < BLOCK_BYTES {
                noise ^= noise << 13;
                noise ^= noise >> 7;
                noise ^= noise << 17;
                block.extend_from_slice(&noise.to_le_bytes());
            }
            file.write_all(&block)?;
        }
        file.sync_all()
    }
}
