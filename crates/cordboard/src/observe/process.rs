//! What the kernel says of this process, where it says it in `/proc`.

use std::fs;

/// The kernel counts CPU in these for whoever reads `/proc`, on every architecture.
const TICKS_PER_SECOND: f64 = 100.0;

/// The process.
pub(super) struct Process {
    pub(super) cpu_s: f64,
    pub(super) resident_bytes: u64,
    pub(super) descriptors: usize,
}

impl Process {
    /// Reads it; nothing on systems without `/proc`.
    pub(super) fn read() -> Option<Self> {
        let descriptors = fs::read_dir("/proc/self/fd").ok()?.count();
        Some(Self {
            cpu_s: cpu_s(&fs::read_to_string("/proc/self/stat").ok()?)?,
            resident_bytes: resident_bytes(&fs::read_to_string("/proc/self/status").ok()?)?,
            descriptors,
        })
    }
}

/// User and system time. The name in parentheses may hold anything, so fields count from its end.
fn cpu_s(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks = |field: Option<&str>| field?.parse::<u32>().ok().map(f64::from);
    Some((ticks(fields.next())? + ticks(fields.next())?) / TICKS_PER_SECOND)
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_a_strange_name() {
        let stat = "77 (a) b (c)) S 1 77 77 0 -1 4194560 900 0 0 0 250 50 0 0 20 0 4 0 100 1 1";
        assert_eq!(cpu_s(stat), Some(3.0));
        assert_eq!(resident_bytes("Name:\tx\nVmRSS:\t  2048 kB\n"), Some(2_097_152));
        assert_eq!(cpu_s("nonsense"), None);
    }
}
