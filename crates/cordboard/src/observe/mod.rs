//! What the gateway shows of itself: metrics, traces, and how its log is written.
//!
//! Nothing here decides anything. Whoever acts counts and measures by the handles of [`Metrics`]; what is read rather
//! than counted is read when somebody asks for the page ([`page`]). No conversation's id is a label, no word of a
//! customer and no secret is a value of anything (invariant 8).

mod book;
pub mod config;
mod handles;
mod measure;
pub mod metrics;
pub mod otlp;
pub mod page;
mod process;
#[cfg(test)]
mod tests;
pub(crate) mod told;
pub mod trace;
mod words;

pub use self::config::Observe;
pub use self::metrics::Metrics;
