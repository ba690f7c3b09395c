//! Parts of answers, and the letter that an undelivered one becomes.

use model::{Attributes, HandOver, Intent, Item, Outcome, Part, SeatId, Slots, TurnNumber, Undelivered};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::form::{self, In, Out, forms, is_default};
use super::{Letter, Members};

forms!(PartForm => Part, OutcomeForm => Outcome, UndeliveredForm => Undelivered);

/// The members of a letter.
pub(super) const LETTER_MEMBERS: Members = &[("v", "version"), ("s", "seat"), ("p", "part"), ("y", "reason")];

#[derive(Serialize)]
pub(super) struct LetterOut<'a> {
    pub(super) v: u32,
    #[serde(rename = "s")]
    pub(super) seat: Out<'a, SeatId>,
    #[serde(rename = "p")]
    pub(super) part: Out<'a, Part>,
    #[serde(rename = "y")]
    pub(super) reason: Out<'a, Undelivered>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LetterIn {
    #[serde(rename = "v")]
    _version: IgnoredAny,
    #[serde(rename = "s")]
    seat: In<SeatId>,
    #[serde(rename = "p")]
    part: In<Part>,
    #[serde(rename = "y")]
    reason: In<Undelivered>,
}

impl From<LetterIn> for Letter {
    fn from(letter: LetterIn) -> Self {
        Self { seat: letter.seat.0, part: letter.part.0, reason: letter.reason.0 }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Part", deny_unknown_fields)]
struct PartForm {
    #[serde(rename = "t", default, skip_serializing_if = "is_default", with = "form")]
    turn: Option<TurnNumber>,
    #[serde(rename = "k")]
    number: u32,
    #[serde(rename = "i", default, skip_serializing_if = "is_default", with = "form")]
    items: Vec<Item>,
    #[serde(rename = "o", default = "open", skip_serializing_if = "is_open", with = "form")]
    outcome: Outcome,
    #[serde(rename = "n", default, skip_serializing_if = "is_default", with = "form")]
    intent: Option<Intent>,
    #[serde(rename = "s", default, skip_serializing_if = "is_default", with = "form")]
    slots: Slots,
    #[serde(rename = "a", default, skip_serializing_if = "is_default")]
    attributes: Attributes,
    #[serde(rename = "p", default, skip_serializing_if = "is_default")]
    by_policy: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Outcome", rename_all = "snake_case")]
enum OutcomeForm {
    Open,
    Done,
    #[serde(with = "form")]
    HandOver(HandOver),
}

fn open() -> Outcome {
    Outcome::Open
}

fn is_open(outcome: &Outcome) -> bool {
    *outcome == Outcome::Open
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Undelivered", rename_all = "snake_case")]
enum UndeliveredForm {
    SessionEnded,
    SessionClosed,
    Rejected,
    GaveUp,
    OutcomeUnknown,
    FloorTaken,
    Superseded,
    TooMuchHeld,
}
