//! What the doctor says: a list of checks, each with what was found and, where something is wrong, what to do.

use std::io::{self, Write};

use serde::Serialize;

use crate::words::some;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is as it should be.
    Ok,
    /// It could not be checked, for the reason given.
    Skipped,
    /// It works, and may not for long or not for everything.
    Warning,
    /// It does not work.
    Failed,
}

impl Status {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
            Self::Failed => "FAILED",
        }
    }
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at: a stable word.
    pub check: &'static str,
    /// Of what: a table of the configuration, or an address.
    pub subject: String,
    /// How it ended.
    pub status: Status,
    /// What was found, on one line, without secrets.
    pub found: String,
    /// What to do about it.
    #[serde(rename = "do", skip_serializing_if = "Option::is_none")]
    pub next_step: Option<String>,
}

impl Check {
    /// It is as it should be.
    pub(super) fn ok(check: &'static str, subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self { check, subject: subject.into(), status: Status::Ok, found: found.into(), next_step: None }
    }

    /// It could not be checked.
    pub(super) fn skipped(check: &'static str, subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self { status: Status::Skipped, ..Self::ok(check, subject, found) }
    }

    /// Something may go wrong.
    pub(super) fn warning(
        check: &'static str,
        subject: impl Into<String>,
        found: impl Into<String>,
        next_step: impl Into<String>,
    ) -> Self {
        Self { status: Status::Warning, next_step: Some(next_step.into()), ..Self::ok(check, subject, found) }
    }

    /// Something is wrong.
    pub(super) fn failed(
        check: &'static str,
        subject: impl Into<String>,
        found: impl Into<String>,
        next_step: impl Into<String>,
    ) -> Self {
        Self { status: Status::Failed, ..Self::warning(check, subject, found, next_step) }
    }
}

/// All checks, in the order in which they depend on each other: the first that failed is the one to begin with.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The checks.
    pub checks: Vec<Check>,
}

impl Report {
    /// How many ended so.
    #[must_use]
    pub fn count(&self, status: Status) -> usize {
        self.checks.iter().filter(|check| check.status == status).count()
    }

    /// Writes it for people.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        for Check { check, subject, status, found, next_step } in &self.checks {
            writeln!(out, "{:<8} {check:<11} {subject}: {found}", status.word())?;
            if let Some(next_step) = next_step {
                writeln!(out, "{:<20} → {next_step}", "")?;
            }
        }
        writeln!(
            out,
            "{} ok, {} failed, {}, {} skipped",
            self.count(Status::Ok),
            self.count(Status::Failed),
            some(self.count(Status::Warning), "warning"),
            self.count(Status::Skipped)
        )
    }
}
