//! Everything about HTTP that is not a door: calls as values, the one outgoing client, the listener.

mod call;

pub use call::{Call, Failed, Reply, Transport};
