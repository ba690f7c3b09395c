//! What connectors changed: rows of numbers and words, `[leg, item, what, found, limit, source, confidence]`.

use model::LegId;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Changed;
use super::form::Form;
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
