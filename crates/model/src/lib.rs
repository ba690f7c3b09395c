//! The vocabulary of Cordboard: what every room of the house means by its words.
//!
//! A **conversation** is the unit of order and durability. It reaches a platform by its **legs**. A bot sits in it on a
//! **seat** and answers in **turns**; the answer to a turn has one or more **parts**. Whoever may speak to the customer
//! holds the **floor**. What happens is an **event**, what must be done about it an **effect**.
//!
//! This crate is data. It has no I/O, no clock, no randomness and no serialisation: stored forms are mirrors at the
//! store's edge, wire forms live in `genesys` and in each engine's folder.

mod answer;
mod channel;
mod content;
mod effect;
mod event;
mod id;
mod party;
mod sensitive;
mod time;

pub use answer::{Answer, Cut, Failure, HandOver, Next, Usage};
pub use channel::Channel;
pub use content::{
    Attributes, Button, Card, Carousel, Choice, Choices, Input, Intent, Item, Media, MediaKind, Opaque, SlotValue,
    Slots, Tap,
};
pub use effect::{Ask, Effect, Fact, News, Notice, Outcome, Part, PollButton, Push, Reply, Undelivered};
pub use event::{Door, Event, Late, LegName, Poll, PushOutcome, Said};
pub use id::{
    BotKey, ConnectorKey, ConversationId, LegId, OrgKey, PollNumber, PushNumber, RequestId, SeatId, TurnNumber,
};
pub use party::{Evidence, Floor, Holder, SeatKind};
pub use sensitive::{Masked, Sensitive};
pub use time::Timestamp;
