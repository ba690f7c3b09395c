//! A process under measurement, and what the kernel says of it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Failure;

const TICKS_PER_SECOND: f64 = 100.0;
const READY_PATIENCE: Duration = Duration::from_secs(20);

/// Killed when it is dropped.
pub(super) struct Process {
    child: Child,
    pub(super) address: SocketAddr,
}

impl Process {
    /// Starts it and waits for the file in which it says its address.
    pub(super) fn start(command: &mut Command, ready: &Path) -> Result<Self, Failure> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let began = Instant::now();
        loop {
            if let Some(address) = std::fs::read_to_string(ready).ok().and_then(|text| text.trim().parse().ok()) {
                return Ok(Self { child, address });
            }
            if began.elapsed() > READY_PATIENCE || child.try_wait()?.is_some() {
                child.kill()?;
                return Err("the process did not start".into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn read(&self, file: &str) -> Result<String, Failure> {
        Ok(std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id()))?)
    }

    /// User and system time since its start.
    pub(super) fn cpu_us(&self) -> Result<f64, Failure> {
        let stat = self.read("stat")?;
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().skip(11).take(2);
        let ticks = fields.map(str::parse::<f64>).sum::<Result<f64, _>>()?;
        Ok(ticks * 1_000_000.0 / TICKS_PER_SECOND)
    }

    /// What it has handed to the kernel to write, sockets included.
    pub(super) fn written_bytes(&self) -> Result<u64, Failure> {
        let io = self.read("io")?;
        Ok(io.lines().find_map(|line| line.strip_prefix("wchar: ")).ok_or("no wchar")?.parse()?)
    }

    pub(super) fn resident_mb(&self) -> Result<f64, Failure> {
        let status = self.read("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1_024.0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It can only have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
