//! Cordboard: plugs any bot into any Genesys platform.

pub mod engine;
pub mod http;
pub mod stored;
