//! What is told beside events and effects, as rows of numbers and words: what connectors changed, `[leg, item, what, found,
//! limit, source, confidence]`, and what was seen of engines that did not answer, `[seat, turn, what]`.

use model::{LegId, SeatId, TurnNumber};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::form::Form;
use super::{Changed, Seen};
use crate::fit::{Basis, Change, Confidence, Source, What};

impl Form for Changed {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { leg, change: Change { item, what, found, limit, basis: Basis { source, confidence } } } = self;
        (leg.0, item, what.word(), found, limit, source.word(), confidence.word()).serialize(serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        type Row = (u32, u32, String, u32, u32, String, String);
        let (leg, item, what, found, limit, source, confidence) = Row::deserialize(deserializer)?;
        let unknown = || D::Error::custom("a change is not known");
        let what = What::read(&what).ok_or_else(unknown)?;
        let source = Source::ALL.into_iter().find(|known| known.word() == source).ok_or_else(unknown)?;
        let confidence = Confidence::ALL.into_iter().find(|known| known.word() == confidence).ok_or_else(unknown)?;
        let change = Change { item, what, found, limit, basis: Basis { source, confidence } };
        Ok(Self { leg: LegId(leg), change })
    }
}

impl Form for Seen {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.seat.0, self.turn.0, &self.what).serialize(serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (seat, turn, what) = <(u8, u32, String)>::deserialize(deserializer)?;
        Ok(Self { seat: SeatId(seat), turn: TurnNumber(turn), what })
    }
}
