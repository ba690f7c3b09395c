//! A process under measurement, and what the kernel says of it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Failure;

/// USER_HZ, in which the kernel tells times to everybody, whatever its own ticks are.
const TICKS_PER_SECOND: f64 = 100.0;
const READY_PATIENCE: Duration = Duration::from_secs(20);

/// Killed when it is dropped.
pub(super) struct Process {
    child: Child,
    pub(super) address: SocketAddr,
}

/// What a process has used so far.
#[derive(Clone, Copy, Default)]
pub(super) struct Used {
    /// User and system time of all its threads.
    pub(super) cpu_us: f64,
    /// That of the thread that writes the store.
    pub(super) writer_us: f64,
    /// That of the thread that moves pages from the WAL into the database.
    pub(super) checkpoint_us: f64,
    /// What it has handed to the kernel to write, sockets included.
    pub(super) written_bytes: f64,
}

impl std::ops::Sub for Used {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            cpu_us: self.cpu_us - before.cpu_us,
            writer_us: self.writer_us - before.writer_us,
            checkpoint_us: self.checkpoint_us - before.checkpoint_us,
            written_bytes: self.written_bytes - before.written_bytes,
        }
    }
}

impl Process {
    /// Starts it, without waiting for anything.
    pub(super) fn spawn(command: &mut Command, address: SocketAddr) -> Result<Self, Failure> {
        Ok(Self { child: command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?, address })
    }

    /// Starts it and waits for the file in which it says its address.
    pub(super) fn start(command: &mut Command, ready: &Path) -> Result<Self, Failure> {
        let mut process = Self::spawn(command, SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let began = Instant::now();
        loop {
            if let Some(address) = std::fs::read_to_string(ready).ok().and_then(|text| text.trim().parse().ok()) {
                process.address = address;
                return Ok(process);
            }
            if began.elapsed() > READY_PATIENCE || process.has_ended()? {
                return Err("a process did not start; what it said stands above".into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills it and waits until it is gone.
    pub(super) fn end(&mut self) {
        // It can only have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }

    pub(super) fn has_ended(&mut self) -> Result<bool, Failure> {
        Ok(self.child.try_wait()?.is_some())
    }

    fn read(&self, file: &str) -> Result<String, Failure> {
        Ok(std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id()))?)
    }

    /// What it has used since its start.
    pub(super) fn used(&self) -> Result<Used, Failure> {
        let io = self.read("io")?;
        let written = io.lines().find_map(|line| line.strip_prefix("wchar: ")).ok_or("no wchar in /proc")?;
        let mut used =
            Used { cpu_us: cpu_us(&self.read("stat")?)?, written_bytes: written.parse()?, ..Used::default() };
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let folder = thread?.path();
            // A thread may end while we look.
            let Ok(stat) = std::fs::read_to_string(folder.join("stat")) else { continue };
            // The kernel keeps the first fifteen letters of a name.
            if stat.contains("(store-writer)") {
                used.writer_us += cpu_us(&stat)?;
            } else if stat.contains("(store-checkpoin)") {
                used.checkpoint_us += cpu_us(&stat)?;
            }
        }
        Ok(used)
    }

    /// Resident now.
    pub(super) fn resident_mb(&self) -> Result<f64, Failure> {
        self.memory_mb("VmRSS:")
    }

    /// The most that was ever resident.
    pub(super) fn peak_mb(&self) -> Result<f64, Failure> {
        self.memory_mb("VmHWM:")
    }

    fn memory_mb(&self, name: &str) -> Result<f64, Failure> {
        let status = self.read("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no memory in /proc")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1_024.0)
    }
}

/// User and system time in a line of the kernel's.
fn cpu_us(stat: &str) -> Result<f64, Failure> {
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().skip(11).take(2);
    let ticks = fields.map(str::parse::<f64>).sum::<Result<f64, _>>()?;
    Ok(ticks * 1_000_000.0 / TICKS_PER_SECOND)
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}
