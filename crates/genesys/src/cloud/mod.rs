//! Genesys Cloud: the two bot doors, the token call, the regions and the meaning of refusals.

pub mod bot_connector;
pub mod digital_bot_connector;
pub mod entity;
pub mod error;
pub mod input;
mod lenient;
pub mod oauth;
mod read;
pub mod region;
pub mod reply;
mod spelling;
pub mod violation;

use std::borrow::Cow;
use std::collections::BTreeMap;

pub use read::{Unreadable, read};

/// Session variables of an Architect action, in either direction: a flat map of strings.
///
/// A number or a boolean that is not a string makes the platform drop the whole answer (`reference/bot-connector-v1.md`,
/// section 2.4), so the type holds nothing else. On reading, a number or boolean becomes its text, `null` becomes the
/// empty string, and an array or object becomes its JSON text.
pub type Parameters<'a> = BTreeMap<Cow<'a, str>, Cow<'a, str>>;
