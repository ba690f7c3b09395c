//! Everything about HTTP that is not a door: calls as values, the one outgoing client, the listener.

pub mod body;
mod call;
pub mod server;

pub use call::{Call, Failed, Reply, Transport};
