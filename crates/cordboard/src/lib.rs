//! Cordboard: plugs any bot into any Genesys platform.

pub mod connector;
pub mod engine;
pub mod http;
pub mod org;
pub mod runtime;
