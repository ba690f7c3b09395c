//! Figures, and how they are told: medians with their spread, ratios against the control of the same round, the verdict
//! for each aim.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::aims;

/// What one run gave, per message where it says so.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Figures {
    pub(super) cpu_us: f64,
    pub(super) writer_us: f64,
    pub(super) checkpoint_us: f64,
    pub(super) per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) written_kb: f64,
}

/// A case, and its runs in the order of the rounds.
#[derive(Serialize)]
pub(super) struct Row {
    pub(super) key: &'static str,
    pub(super) name: &'static str,
    pub(super) runs: Vec<Figures>,
}

/// All cases under one number of connections.
#[derive(Serialize)]
pub(super) struct Table {
    pub(super) connections: usize,
    pub(super) rows: Vec<Row>,
}

/// Sizes and times of a start.
#[derive(Serialize)]
pub(super) struct Life {
    pub(super) idle_mb: f64,
    pub(super) open: u64,
    pub(super) open_mb: f64,
    pub(super) stored: u64,
    pub(super) stored_mb: f64,
    pub(super) first_2xx_s: Vec<f64>,
    /// On the store that holds all those.
    pub(super) full: Vec<Table>,
}

/// Everything that was found.
#[derive(Serialize)]
pub(super) struct Findings {
    pub(super) tables: Vec<Table>,
    pub(super) sync_over_ms: Vec<f64>,
    pub(super) sync_grown_ms: Vec<f64>,
    /// The most that a gateway ever had resident under the loads.
    pub(super) peak_mb: f64,
    /// Not looked at when one case is looked into.
    pub(super) life: Option<Life>,
}

/// Nothing was stored: what every other figure is compared with.
pub(super) const CEILING: &str = "ceiling";

pub(super) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The time at this percentage of sorted times, in milliseconds.
pub(super) fn place(sorted: &[Duration], percent: usize) -> f64 {
    sorted.get(sorted.len() * percent / 100).map_or(f64::NAN, |time| time.as_secs_f64() * 1_000.0)
}

impl Table {
    pub(super) fn row(&self, key: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.key == key)
    }

    pub(super) fn median(&self, key: &str, of: impl Fn(&Figures) -> f64) -> f64 {
        self.row(key).map_or(f64::NAN, |row| median(row.runs.iter().map(of)))
    }

    /// The median of the ratios of each round.
    pub(super) fn ratio(&self, key: &str, base: &str, of: impl Fn(&Figures) -> f64) -> f64 {
        let (Some(row), Some(base)) = (self.row(key), self.row(base)) else { return f64::NAN };
        median(row.runs.iter().zip(&base.runs).map(|(one, base)| of(one) / of(base)))
    }

    fn markdown(&self, to: &mut String) -> std::fmt::Result {
        let many = if self.connections == 1 { "connection" } else { "connections" };
        writeln!(
            to,
            "\n| {} {many} | CPU | of it writing, checkpointing | of the ceiling | per second | of the ceiling | p50 | p99 | written |\n\
             |---|---|---|---|---|---|---|---|---|",
            self.connections,
        )?;
        for row in &self.rows {
            let median = |of: fn(&Figures) -> f64| self.median(row.key, of);
            let edge =
                |pick: fn(f64, f64) -> f64, of: fn(&Figures) -> f64| row.runs.iter().map(of).fold(f64::NAN, pick);
            write!(to, "| {} | ", row.name)?;
            if row.runs.iter().all(|run| run.cpu_us.is_nan()) {
                write!(to, "– | – | – | ")?;
            } else {
                write!(
                    to,
                    "{:.1} µs ({:.1} to {:.1}) | {:.1}, {:.1} µs | {:.2} | ",
                    median(|run| run.cpu_us),
                    edge(f64::min, |run| run.cpu_us),
                    edge(f64::max, |run| run.cpu_us),
                    median(|run| run.writer_us),
                    median(|run| run.checkpoint_us),
                    self.ratio(row.key, CEILING, |run| run.cpu_us),
                )?;
            }
            writeln!(
                to,
                "{:.0} ({:.0} to {:.0}) | {:.2} | {:.2} ms | {:.1} ms | {:.1} KB |",
                median(|run| run.per_second),
                edge(f64::min, |run| run.per_second),
                edge(f64::max, |run| run.per_second),
                self.ratio(row.key, CEILING, |run| run.per_second),
                median(|run| run.p50_ms),
                median(|run| run.p99_ms),
                median(|run| run.written_kb),
            )?;
        }
        Ok(())
    }
}

impl Findings {
    pub(super) fn table(&self, connections: usize) -> Option<&Table> {
        self.tables.iter().find(|table| table.connections == connections)
    }

    /// The page for the documentation.
    pub(super) fn markdown(&self) -> Result<String, std::fmt::Error> {
        let mut to = String::new();
        for table in &self.tables {
            table.markdown(&mut to)?;
        }
        let Some(life) = &self.life else { return Ok(to) };
        writeln!(to, "\nWith {} conversations stored already:", life.stored)?;
        for table in &life.full {
            table.markdown(&mut to)?;
        }
        writeln!(to, "\n| Memory, start, disk | |\n|---|---|")?;
        writeln!(to, "| resident, idle | {:.0} MB |", life.idle_mb)?;
        writeln!(to, "| resident with {} open conversations | {:.0} MB |", life.open, life.open_mb)?;
        writeln!(to, "| resident after {} conversations | {:.0} MB |", life.stored, life.stored_mb)?;
        writeln!(to, "| most resident under the loads above | {:.0} MB |", self.peak_mb)?;
        writeln!(
            to,
            "| killed and started with {} conversations: the first 2xx | {:.2} s (up to {:.2}) |",
            life.stored,
            median(life.first_2xx_s.iter().copied()),
            life.first_2xx_s.iter().copied().fold(f64::NAN, f64::max),
        )?;
        let (over, grown) = (median(self.sync_over_ms.iter().copied()), median(self.sync_grown_ms.iter().copied()));
        writeln!(
            to,
            "| one bare sync of 4 KiB, over blocks that exist / in a file that grows | {over:.3} / {grown:.3} ms |"
        )?;
        writeln!(to, "\n| Aim | Found | |\n|---|---|---|")?;
        for aim in aims::judge(self) {
            writeln!(to, "| {} | {} | {} |", aim.wanted, aim.found, if aim.is_met { "met" } else { "**missed**" })?;
        }
        Ok(to)
    }
}
