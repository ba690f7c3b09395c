//! The log: lines on standard error, filtered by `CORDBOARD_LOG`. No line ever holds a customer's words.

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

const VARIABLE: &str = "CORDBOARD_LOG";

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Human,
    /// One JSON object a line, for collectors.
    Json,
}

/// Starts the log. Commands that show something else are quiet unless the variable asks for more.
pub(super) fn start(format: Format, is_service: bool) {
    let usual = if is_service { LevelFilter::INFO } else { LevelFilter::ERROR };
    let filter = EnvFilter::builder().with_default_directive(usual.into()).with_env_var(VARIABLE).from_env_lossy();
    // It repeats at the level of an error what whoever made the call tells better.
    let filter = match "rustls_platform_verifier=off".parse() {
        Ok(quiet) => filter.add_directive(quiet),
        Err(_) => filter,
    };
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // The only failure is that a log was started already, and then that one is as good.
    let _started = match format {
        Format::Human => lines.with_ansi(false).with_target(false).try_init(),
        Format::Json => lines.json().flatten_event(true).try_init(),
    };
}
