//! What was aimed at, and whether it was found.

use serde::Serialize;

use super::report::{CEILING, Figures, Findings, median};

/// One aim and its verdict.
#[derive(Serialize)]
pub(super) struct Aim {
    pub(super) wanted: &'static str,
    pub(super) found: String,
    pub(super) is_met: bool,
}

fn at_most(wanted: &'static str, found: f64, limit: f64, unit: &str) -> Aim {
    Aim { wanted, found: format!("{found:.2} {unit}").trim_end().to_owned(), is_met: found <= limit }
}

pub(super) fn judge(findings: &Findings) -> Vec<Aim> {
    let cpu = |run: &Figures| run.cpu_us;
    let mut aims = Vec::new();
    if let Some(many) = findings.table(64) {
        let rate = many.ratio("acknowledged", CEILING, |run| run.per_second);
        aims.push(at_most(
            "acknowledgement: at most 3 times the ceiling's CPU (64 connections)",
            many.ratio("acknowledged", CEILING, cpu),
            3.0,
            "",
        ));
        aims.push(Aim {
            wanted: "acknowledgement: at least 0.35 of the ceiling's rate (64 connections)",
            found: format!("{rate:.2}"),
            is_met: rate >= 0.35,
        });
        for (wanted, key) in [
            ("turn answered in the response: at most 130 µs CPU (64 connections)", "answered"),
            ("turn acknowledged and pushed: at most 130 µs CPU (64 connections)", "pushed"),
        ] {
            aims.push(at_most(wanted, many.median(key, cpu), 130.0, "µs"));
        }
    }
    if let Some(one) = findings.table(1) {
        let p50 = |key| one.median(key, |run| run.p50_ms);
        let sync = median(findings.sync_over_ms.iter().copied());
        aims.push(at_most(
            "acknowledgement: p50 at most one bare sync + 0.3 ms (1 connection)",
            p50("acknowledged") - sync,
            0.3,
            "ms over the sync",
        ));
        aims.push(at_most(
            "turn answered in the response: adds at most 1.2 ms (1 connection, p50 less the bot's own)",
            p50("answered") - p50("bot"),
            1.2,
            "ms",
        ));
        aims.push(at_most(
            "turn acknowledged and pushed: adds at most 1.2 ms (1 connection, p50 less the bot's and the platform's own)",
            p50("pushed") - p50("bot") - p50("platform"),
            1.2,
            "ms",
        ));
    }
    let Some(life) = &findings.life else { return aims };
    aims.push(at_most("resident, idle: at most 40 MB", life.idle_mb, 40.0, "MB"));
    aims.push(at_most("resident with 10,000 open conversations: at most 150 MB", life.open_mb, 150.0, "MB"));
    aims.push(at_most(
        "start to first 2xx with 100,000 stored conversations: under 1 s",
        median(life.first_2xx_s.iter().copied()),
        1.0,
        "s",
    ));
    aims
}
