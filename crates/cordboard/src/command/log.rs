//! The log: lines on standard error, filtered by `CORDBOARD_LOG`, or else by `[observe.log]`. No line ever holds a
//! customer's words.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::observe::config::{Log, LogFormat};

const VARIABLE: &str = "CORDBOARD_LOG";

/// Starts the log. `service` is what the configuration of a service says; commands that show something else are quiet
/// unless the variable asks for more.
pub(super) fn start(format: Option<LogFormat>, service: Option<&Log>) {
    let usual = if service.is_some() { LevelFilter::INFO } else { LevelFilter::ERROR };
    let configured = service.and_then(|log| log.filter.clone()).unwrap_or_default();
    let filter = std::env::var(VARIABLE).ok().filter(|filter| !filter.is_empty()).unwrap_or(configured);
    let filter = EnvFilter::builder().with_default_directive(usual.into()).parse_lossy(filter);
    // It repeats at the level of an error what whoever made the call tells better.
    let filter = match "rustls_platform_verifier=off".parse() {
        Ok(quiet) => filter.add_directive(quiet),
        Err(_) => filter,
    };
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // The only failure is that a log was started already, and then that one is as good.
    let _started = match format.or_else(|| service.and_then(|log| log.format)).unwrap_or(LogFormat::Human) {
        LogFormat::Human => lines.with_ansi(false).with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}
