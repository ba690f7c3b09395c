//! Where an operator's commands find what they ask for: at the running server, or in the store when none runs. And how
//! times are written: in UTC, with the distance from one to the next.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use super::{ConfigFile, Failed};
use crate::admin::client::Client;
use crate::runtime::{Clock as _, SystemClock};
use crate::store::Store;
use crate::store::sqlite::{Settings, Sqlite};

/// What every operator's command takes.
#[derive(Debug, Args)]
pub(super) struct Common {
    #[command(flatten)]
    pub(super) config: ConfigFile,
    /// Prints JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Where things are.
pub(super) enum AtHand {
    /// At a server.
    Running(Client),
    /// In the store, which is ours as long as this is there.
    Resting(Arc<dyn Store>, PathBuf),
}

impl AtHand {
    pub(super) async fn of(data_dir: &Path) -> Result<Self, Failed> {
        if let Some(client) = Client::reach(data_dir).await.map_err(Failed::because)? {
            return Ok(Self::Running(client));
        }
        // A look must not make a folder where there is none.
        if !data_dir.exists() {
            return Err(Failed::because(format!(
                "there is no data folder {}: no server has run with this configuration yet",
                data_dir.display()
            )));
        }
        let store = Sqlite::open(&Settings::new(data_dir)).map_err(Failed::because)?;
        Ok(Self::Resting(Arc::new(store), data_dir.to_owned()))
    }
}

/// A server, for what only a server can tell.
pub(super) async fn server(data_dir: &Path, what: &str) -> Result<Client, Failed> {
    let client = Client::reach(data_dir).await.map_err(Failed::because)?;
    client.ok_or_else(|| Failed::because(format!("no server runs on {}; {what}", data_dir.display())))
}

pub(super) fn now_ms() -> i64 {
    SystemClock.now().0
}

pub(super) fn print_json(value: &impl Serialize, out: &mut dyn Write) -> Result<(), Failed> {
    let text = serde_json::to_string_pretty(value).map_err(Failed::because)?;
    writeln!(out, "{text}")?;
    Ok(())
}

/// One value on one line, for whoever reads a stream.
pub(super) fn print_json_line(value: &impl Serialize, out: &mut dyn Write) -> Result<(), Failed> {
    let text = serde_json::to_string(value).map_err(Failed::because)?;
    writeln!(out, "{text}")?;
    out.flush()?;
    Ok(())
}

/// What customers, bots and platforms wrote, without what a terminal would obey. Line breaks stay.
pub(super) fn plain(text: &str) -> String {
    let obeyed = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\t');
    text.replace(obeyed, "\u{fffd}")
}

/// A time in UTC, to the millisecond.
pub(super) fn utc(ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M:%S.%3fZ").to_string(),
        Err(_) => format!("{ms} ms"),
    }
}

/// How far one time lies after another.
pub(super) fn span(ms: i64) -> String {
    let (sign, ms) = if ms < 0 { ("-", ms.unsigned_abs()) } else { ("", ms.unsigned_abs()) };
    let s = ms / 1_000;
    match s {
        0 => format!("{sign}{ms} ms"),
        1..60 => format!("{sign}{s}.{} s", ms / 100 % 10),
        60..3_600 => format!("{sign}{} min {} s", s / 60, s % 60),
        3_600..86_400 => format!("{sign}{} h {} min", s / 3_600, s / 60 % 60),
        _ => format!("{sign}{} d {} h", s / 86_400, s / 3_600 % 24),
    }
}

/// A time, and how long ago or ahead it is.
pub(super) fn beside_now(ms: i64, now_ms: i64) -> String {
    let distance = now_ms.saturating_sub(ms);
    if distance >= 0 {
        format!("{} ({} ago)", utc(ms), span(distance))
    } else {
        format!("{} (in {})", utc(ms), span(-distance))
    }
}

/// Reads a span such as `90s`, `15m`, `1h` or `2d`, as milliseconds.
pub(super) fn read_span(text: &str) -> Result<u64, String> {
    let wrong = || "a number with a unit belongs here, such as 90s, 15m, 1h or 2d".to_owned();
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let unit = match unit {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_and_spans_in_two_units() {
        let table = [
            (0, "1970-01-01 00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29 23:59:59.999Z"),
            (-1, "1969-12-31 23:59:59.999Z"),
            (i64::MAX, "9223372036854775807 ms"),
        ];
        for (ms, expected) in table {
            assert_eq!(utc(ms), expected);
        }
        let table = [
            (7, "7 ms"),
            (-1_250, "-1.2 s"),
            (59_999, "59.9 s"),
            (61_000, "1 min 1 s"),
            (3_600_000, "1 h 0 min"),
            (90_000_000, "1 d 1 h"),
        ];
        for (ms, expected) in table {
            assert_eq!(span(ms), expected);
        }
        assert_eq!(beside_now(1_000, 3_500), "1970-01-01 00:00:01.000Z (2.5 s ago)");
        assert_eq!(beside_now(3_500, 1_000), "1970-01-01 00:00:03.500Z (in 2.5 s)");
    }

    #[test]
    fn a_span_has_a_unit() {
        assert_eq!(
            ["90s", "15m", "1h", "2d"].map(|text| read_span(text).unwrap()),
            [90_000, 900_000, 3_600_000, 172_800_000]
        );
        for wrong in ["", "h", "5", "1.5h", "-1s", "9999999999999999999d", "5ä"] {
            assert!(read_span(wrong).is_err(), "{wrong}");
        }
    }
}
