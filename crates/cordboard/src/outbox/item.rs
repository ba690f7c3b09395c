//! What an outbox row holds: a rendered message, and what its sender needs to know about it.

use bytes::Bytes;
use model::{BotKey, ConnectorKey, LegId, PushNumber, SeatId, Timestamp, TurnNumber};
use serde::{Deserialize, Serialize};

use crate::observe::trace::Trace;

/// A rendered message on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub kind: Kind,
    /// The rendered bytes, the same for every attempt.
    pub body: Bytes,
    /// The trace it belongs to.
    pub trace: Option<Trace>,
}

/// What is sent, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A question to an engine.
    Ask {
        /// Whose.
        seat: SeatId,
        /// Which bot.
        bot: BotKey,
        /// Which turn.
        turn: TurnNumber,
        /// The id the engine sees, stable over attempts.
        id: String,
        /// After this time nobody wants the answer.
        hard_deadline: Timestamp,
    },
    /// News for an engine.
    Notice {
        /// Whose.
        seat: SeatId,
        /// Which bot.
        bot: BotKey,
        /// The id the engine sees, stable over attempts.
        id: String,
    },
    /// A push to a leg.
    Push {
        /// To which leg.
        leg: LegId,
        /// Which.
        number: PushNumber,
        /// Through which connector.
        connector: ConnectorKey,
        /// After this time the platform takes it no more.
        expires: Timestamp,
    },
}

const LEG_LANES: u32 = 1 << 16;

impl Kind {
    /// The lane: rows of one lane leave one after another. Each seat and each leg has its own.
    #[must_use]
    pub fn lane(&self) -> u32 {
        match self {
            Self::Ask { seat, .. } | Self::Notice { seat, .. } => u32::from(seat.0),
            Self::Push { leg, .. } => LEG_LANES + leg.0,
        }
    }
}

/// The stored head of an item, one JSON line before the body.
#[derive(Serialize, Deserialize)]
struct Head {
    #[serde(flatten)]
    kind: HeadKind,
    /// The trace, in the text form of `traceparent`.
    #[serde(rename = "tp", default, skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "k")]
enum HeadKind {
    #[serde(rename = "a")]
    Ask { s: u8, b: String, t: u32, i: String, d: i64 },
    #[serde(rename = "n")]
    Notice { s: u8, b: String, i: String },
    #[serde(rename = "p")]
    Push { l: u32, n: u32, c: String, x: i64 },
}

impl Item {
    /// The stored form: the head, a line break, the body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let kind = match &self.kind {
            Kind::Ask { seat, bot, turn, id, hard_deadline } => {
                HeadKind::Ask { s: seat.0, b: bot.as_str().into(), t: turn.0, i: id.clone(), d: hard_deadline.0 }
            }
            Kind::Notice { seat, bot, id } => HeadKind::Notice { s: seat.0, b: bot.as_str().into(), i: id.clone() },
            Kind::Push { leg, number, connector, expires } => {
                HeadKind::Push { l: leg.0, n: number.0, c: connector.as_str().into(), x: expires.0 }
            }
        };
        let head = Head { kind, trace: self.trace.map(Trace::text) };
        let mut bytes = serde_json::to_vec(&head).unwrap_or_default();
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Reads a stored form; nothing when it is not one.
    #[must_use]
    pub fn decode(bytes: &Bytes) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let head: Head = serde_json::from_slice(&bytes[..end]).ok()?;
        let kind = match head.kind {
            HeadKind::Ask { s, b, t, i, d } => {
                Kind::Ask { seat: SeatId(s), bot: b.into(), turn: TurnNumber(t), id: i, hard_deadline: Timestamp(d) }
            }
            HeadKind::Notice { s, b, i } => Kind::Notice { seat: SeatId(s), bot: b.into(), id: i },
            HeadKind::Push { l, n, c, x } => {
                Kind::Push { leg: LegId(l), number: PushNumber(n), connector: c.into(), expires: Timestamp(x) }
            }
        };
        let trace = head.trace.as_deref().and_then(Trace::parse);
        Some(Self { kind, body: bytes.slice(end + 1..), trace })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_comes_back_from_its_stored_form() {
        let kinds = [
            Kind::Ask {
                seat: SeatId(1),
                bot: "b".into(),
                turn: TurnNumber(2),
                id: "i".into(),
                hard_deadline: Timestamp(3),
            },
            Kind::Notice { seat: SeatId(1), bot: "b".into(), id: "i".into() },
            Kind::Push { leg: LegId(4), number: PushNumber(5), connector: "c".into(), expires: Timestamp(6) },
        ];
        for kind in kinds {
            for trace in [None, Some(Trace { id: 1 << 100, span: 7, sampled: true })] {
                let item = Item { kind: kind.clone(), body: Bytes::from_static(b"{\n}"), trace };
                assert_eq!(Item::decode(&item.encode().into()), Some(item));
            }
        }
        assert_eq!(Item::decode(&Bytes::from_static(b"no head")), None);
    }
}
