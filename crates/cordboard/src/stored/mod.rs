//! Stored forms: how states, journal rows, open events and undelivered answers are written as bytes, and read back.
//!
//! `model` and `conversation` know no serialisation; the forms here mirror their types, one form for each, and serde
//! derives both directions from it. A member or variant that is new there does not compile until it has a form here.
//! Encoding borrows: apart from the bytes it returns it allocates nothing. Callers are the runner and the commands that
//! show journals and dead letters. Nothing here knows the database.
//!
//! Four kinds of document, each a JSON object on one line whose first member is `v`, the version:
//!
//! | Document | Members |
//! |---|---|
//! | state | `n` now, `f` floor, `s` seats, `l` legs, `k` number of the next leg, `t` turns asked, `u` customer |
//! | journal row | `e` the events of one step, `f` its effects, `c` what connectors changed in what is said, `w` what was seen of engines that did not answer |
//! | event | `e` one event: an open inbox entry |
//! | letter | `s` the seat, `p` the part, `y` the reason: an undelivered answer |
//!
//! And the policies of a revision (`policies`), which have the same beginning.
//!
//! What the short names inside mean stands beside them in the forms. Members at their default are left out. Opaque bytes
//! are Base64, 128-bit numbers are 32 hexadecimal digits, maps are written in the order of their keys, times are
//! milliseconds since 1970.
//!
//! Versions. Whatever changes the bytes is a new version: a new member too, since members that are not known are
//! refused rather than dropped. To make one, keep the old forms of what changed as types of their own that convert into
//! today's, raise [`VERSION`], and commit fixtures of the new version beside the old ones, which stay for ever.
//!
//! Versions 2 and 3 only add: members that an earlier version had not are left out at their default, which is what that
//! version meant. So one form reads all, and a document that is written again differs in its version alone.
//!
//! Sizes. A state of one bot in mid-conversation is about 600 bytes, 200 more for each part that is not known to be
//! delivered, and four thirds of what connector and engine keep in it as opaque bytes; writing one takes about a
//! microsecond, reading two. A journal row repeats what is said: an engine's words stand in the event that brought them
//! and again in each effect that carries them (a reply, a push, a burial), a customer's in the event and in the
//! question, and the question repeats attributes and the engine's state. Beside these, the rows of a turn (asked,
//! answered) are about 800 bytes together.

mod change;
mod content;
mod effect;
mod event;
mod form;
mod part;
mod policies;
mod state;
#[cfg(test)]
mod tests;

use conversation::Conversation;
use model::{Effect, Event, LegId, Part, SeatId, TurnNumber, Undelivered};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::fit::Change;
use form::Out;

pub use policies::{decode_policies, encode_policies};

/// The version that is written.
pub const VERSION: u32 = 3;

/// Why stored bytes cannot be read. Trying again does not help. It never quotes the bytes: they hold customers' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A later Cordboard wrote it: run that one.
    #[error("it has version {version}, and this Cordboard reads versions up to {VERSION}")]
    Newer {
        /// The version found.
        version: u32,
    },
    /// It does not begin with a version: these bytes are something else, or damaged.
    #[error("it does not begin with a version")]
    Unversioned,
    /// It is damaged, or was changed by another hand.
    #[error("version {version}: member `{member}` is not understood near byte {byte}")]
    Member {
        /// The version found.
        version: u32,
        /// The member of the document in which reading stopped; empty when it was outside of any that is known.
        member: &'static str,
        /// How many bytes were read.
        byte: usize,
    },
}

/// One journal row: what happened in a step, and what was to be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// The events, in the order in which they were applied.
    pub events: Vec<Event>,
    /// The effects, in their order.
    pub effects: Vec<Effect>,
    /// What connectors changed in what the effects say. No effect of the core: nothing is decided by it.
    pub changes: Vec<Changed>,
    /// What was seen of engines that did not answer. It decides nothing either.
    pub seen: Vec<Seen>,
}

/// What was seen of an engine that did not answer a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Whose turn.
    pub seat: SeatId,
    /// Which.
    pub turn: TurnNumber,
    /// The status of its reply, or the path to what is wrong in it. Words of ours, never its own.
    pub what: String,
}

/// What a connector changed in what is said on a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The leg.
    pub leg: LegId,
    /// What.
    pub change: Change,
}

/// An answer that was not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Whose answer.
    pub seat: SeatId,
    /// What.
    pub part: Part,
    /// Why it was not delivered.
    pub reason: Undelivered,
}

/// Writes a state.
#[must_use]
pub fn encode_state(state: &Conversation) -> Vec<u8> {
    written(&state::StateOut::from(state), 1024)
}

/// Reads a state of any version.
///
/// # Errors
/// When the bytes are of a later version, damaged, or no state.
pub fn decode_state(bytes: &[u8]) -> Result<Conversation, Unreadable> {
    match version(bytes)? {
        version @ 1..=3 => read::<state::StateIn>(bytes, version, state::MEMBERS).map(Into::into),
        version => Err(Unreadable::Newer { version }),
    }
}

/// Writes the events and effects of one step, what was changed in what they say, and what was seen of engines that did not
/// answer, for its journal row.
#[must_use]
pub fn encode_journal(events: &[Event], effects: &[Effect], changes: &[Changed], seen: &[Seen]) -> Vec<u8> {
    written(&event::JournalOut::new(events, effects, changes, seen), 1024)
}

/// Reads a journal row of any version.
///
/// # Errors
/// When the bytes are of a later version, damaged, or no journal row.
pub fn decode_journal(bytes: &[u8]) -> Result<Journal, Unreadable> {
    match version(bytes)? {
        version @ 1..=3 => read::<event::JournalIn>(bytes, version, event::JOURNAL_MEMBERS).map(Into::into),
        version => Err(Unreadable::Newer { version }),
    }
}

/// Writes an event that waits in the inbox.
#[must_use]
pub fn encode_event(event: &Event) -> Vec<u8> {
    written(&event::EventOut { v: VERSION, event: Out(event) }, 512)
}

/// Reads an event of any version.
///
/// # Errors
/// When the bytes are of a later version, damaged, or no event.
pub fn decode_event(bytes: &[u8]) -> Result<Event, Unreadable> {
    match version(bytes)? {
        version @ 1..=3 => read::<event::EventIn>(bytes, version, event::EVENT_MEMBERS).map(Into::into),
        version => Err(Unreadable::Newer { version }),
    }
}

/// Writes an answer that was not delivered.
#[must_use]
pub fn encode_letter(seat: SeatId, part: &Part, reason: Undelivered) -> Vec<u8> {
    written(&part::LetterOut { v: VERSION, seat: Out(&seat), part: Out(part), reason: Out(&reason) }, 512)
}

/// Reads an undelivered answer of any version.
///
/// # Errors
/// When the bytes are of a later version, damaged, or no letter.
pub fn decode_letter(bytes: &[u8]) -> Result<Letter, Unreadable> {
    match version(bytes)? {
        version @ 1..=3 => read::<part::LetterIn>(bytes, version, part::LETTER_MEMBERS).map(Into::into),
        version => Err(Unreadable::Newer { version }),
    }
}

/// A member of a document: as it is written, and what it is called.
type Members = &'static [(&'static str, &'static str)];

fn written(document: &impl Serialize, capacity: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(capacity);
    let wrote = serde_json::to_writer(&mut bytes, document);
    wrote.expect("memory takes every byte, and every key of a map is a string");
    bytes
}

/// The version, which is the first member, so that a document of an unknown form can still be told apart.
fn version(bytes: &[u8]) -> Result<u32, Unreadable> {
    let rest = bytes.strip_prefix(b"{\"v\":").ok_or(Unreadable::Unversioned)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = std::str::from_utf8(&rest[..digits]).ok().and_then(|digits| digits.parse().ok());
    number.filter(|version| *version > 0).ok_or(Unreadable::Unversioned)
}

fn read<T: DeserializeOwned>(bytes: &[u8], version: u32, members: Members) -> Result<T, Unreadable> {
    serde_json::from_slice(bytes).map_err(|error| {
        // The error's own words quote values, so only its place is taken.
        let lines = bytes.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1));
        let byte = (lines.map(<[u8]>::len).sum::<usize>() + error.column()).min(bytes.len());
        Unreadable::Member { version, member: member_before(&bytes[..byte], members), byte }
    })
}

/// The last member of the document itself that begins in these bytes.
fn member_before(bytes: &[u8], members: Members) -> &'static str {
    let (mut depth, mut mark, mut string, mut found) = (0_u32, b' ', None, "");
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (string, byte) {
            (Some(_), b'\\') => at += 1,
            (Some(start), b'"') => {
                string = None;
                if depth == 1 && matches!(mark, b'{' | b',') {
                    let name = &bytes[start..at];
                    found = members.iter().find(|(short, _)| short.as_bytes() == name).map_or("", |(_, long)| long);
                }
            }
            (None, b'"') => string = Some(at + 1),
            (None, b'{' | b'[') => depth += 1,
            (None, b'}' | b']') => depth = depth.saturating_sub(1),
            (Some(_) | None, _) => {}
        }
        if string.is_none() && matches!(byte, b'{' | b',' | b':' | b'[' | b'}' | b']') {
            mark = *byte;
        }
        at += 1;
    }
    found
}
