//! What the product asks of the world it runs in: the time. Simulation brings its own.

use model::Timestamp;

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;
}
