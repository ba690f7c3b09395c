//! Stories and tables at the outer boundary: real sockets, real connectors, the store in memory.

mod admin;
mod corpus;
mod engine;
mod gateway;
mod kills;
mod listener;
mod platform;
mod raw;
