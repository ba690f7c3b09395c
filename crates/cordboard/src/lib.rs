//! Cordboard: plugs any bot into any Genesys platform.
//!
//! The modules stand in the order of the path: a platform's request comes in by a [`connector`], is made durable by the
//! [`inbox`] and applied by the [`runner`]; what the core decided leaves by the [`outbox`] to an [`engine`] or back to the
//! platform; the timer says when time has passed. The [`store`] keeps it all, in the forms of [`stored`].

pub mod admin;
pub mod command;
pub mod config;
pub mod connector;
pub mod dead_letter;
pub mod doctor;
pub mod doors;
pub mod engine;
pub mod fit;
pub mod gateway;
pub mod http;
pub mod identity;
pub mod inbox;
pub mod masking;
pub mod observe;
pub mod org;
pub mod outbox;
pub mod registration;
pub mod reload;
pub mod roster;
pub mod runner;
pub mod runtime;
pub mod serve;
pub mod service;
#[cfg(test)]
mod simulation;
mod step;
pub mod store;
pub mod stored;
pub mod systemd;
mod timer;
mod window;
mod words;
