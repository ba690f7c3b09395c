//! Everything about HTTP that is not a door: calls as values, the one outgoing client, the credentials of those who
//! call us, the listener.

pub mod address;
pub mod body;
mod call;
pub mod client;
pub mod credentials;
pub mod seldom;
pub mod server;
pub(crate) mod signature;
pub mod tls;
pub mod trouble;

pub use address::ClientAddress;
pub use call::{Call, Failed, Incoming, Patience, Reply, Transport};
pub use client::Client;
pub use credentials::{Credentials, CredentialsConfig};
