//! Stories and tables at the outer boundary: real sockets, real connectors, the store in memory.

#[cfg(test)]
mod admin;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod engine;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod listener;
#[cfg(test)]
mod platform;
#[cfg(test)]
mod raw;
