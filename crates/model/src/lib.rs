//! The vocabulary of Cordboard: what every room of the house means by its words.
//!
//! A **conversation** is the unit of order and durability. It reaches a platform by its **legs**. A bot sits in it on a
//! **seat** and answers in **turns**; the answer to a turn has one or more **parts**. Whoever may speak to the customer
//! holds the **floor**. What happens is an **event**, what must be done about it an **effect**.
//!
//! This crate is data. It has no I/O, no clock, no randomness and no serialisation: stored forms are mirrors at the
//! store's edge, wire forms live in `genesys` and in each engine's folder.

mod id;
mod time;

pub use id::{
    BotKey, ConnectorKey, ConversationId, LegId, OrgKey, PollNumber, PushNumber, RequestId, SeatId, TurnNumber,
};
pub use time::Timestamp;
