//! Stories and tables at the outer boundary: real sockets and real connectors. The doors are tested over the store in
//! memory, races and stories over the whole gateway on a folder.

#[cfg(test)]
mod address;
#[cfg(test)]
mod admin;
#[cfg(test)]
mod bridge;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod crashes;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod endpoint;
#[cfg(test)]
mod engine;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod listener;
#[cfg(test)]
mod masking;
#[cfg(test)]
mod network;
#[cfg(test)]
mod observe;
#[cfg(test)]
mod openai;
#[cfg(test)]
mod operators;
#[cfg(test)]
mod platform;
#[cfg(test)]
mod questions;
#[cfg(test)]
mod races_v1;
#[cfg(test)]
mod races_v2;
#[cfg(test)]
mod raw;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod rich;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod service;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod values;
#[cfg(test)]
mod world;
