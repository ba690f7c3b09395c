//! The guard against loops, and how to live with it: the same intent with unchanged slots on about four turns running
//! makes the flow leave by its failure path (`reference/bot-connector-v1.md`, section 6). So every open answer changes
//! both its intent and a slot. The count is the connector's memory of a session.

use model::Opaque;
use serde::{Deserialize, Serialize};

/// The intents of open answers, in turns.
pub(super) const TURN_INTENTS: [&str; 2] = ["turn-a", "turn-b"];
/// Their slot, an ascending number.
pub(crate) const STAMP_SLOT: &str = "turnStamp";

/// The version of the stored form.
const FORM: u8 = 1;

/// Which open answer of the session this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rotation {
    v: u8,
    n: u32,
}

impl Rotation {
    /// The one after what is remembered; memory that is not ours starts again.
    pub(super) fn after(memory: &Opaque) -> Self {
        let last = serde_json::from_slice(&memory.0).ok().filter(|last: &Self| last.v == FORM);
        Self { v: FORM, n: last.map_or(0, |last| last.n).wrapping_add(1) }
    }

    pub(super) fn intent(self) -> &'static str {
        TURN_INTENTS[usize::from(self.n.is_multiple_of(2))]
    }

    pub(super) fn stamp(self) -> i64 {
        i64::from(self.n)
    }

    pub(super) fn write(self) -> Opaque {
        Opaque(serde_json::to_vec(&self).unwrap_or_default())
    }
}
