//! Fault switches, and the seeded dice that decide when they strike.
//!
//! A roll is a pure function of (seed, conversation, point, count), so concurrent conversations do not disturb each
//! other's choices: the same seed gives the same faults, however the tasks interleave.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Deserialize as DeriveDeserialize, Serialize};

/// A probability from 0 to 1. In files `true` and `false` may be written for 1 and 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Chance(f64);

impl Chance {
    /// Never strikes.
    pub const NEVER: Self = Self(0.0);
    /// Strikes every time.
    pub const ALWAYS: Self = Self(1.0);

    /// A probability; values outside 0 to 1 are clamped.
    #[must_use]
    pub fn new(probability: f64) -> Self {
        Self(if probability.is_nan() { 0.0 } else { probability.clamp(0.0, 1.0) })
    }

    /// The probability.
    #[must_use]
    pub fn probability(self) -> f64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Chance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Read {
            fn checked<E: Error>(value: f64) -> Result<Chance, E> {
                if (0.0..=1.0).contains(&value) {
                    Ok(Chance(value))
                } else {
                    Err(E::custom(format!("{value} is no probability from 0 to 1")))
                }
            }
        }
        impl Visitor<'_> for Read {
            type Value = Chance;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("true, false or a probability from 0 to 1")
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<Chance, E> {
                Ok(if value { Chance::ALWAYS } else { Chance::NEVER })
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Chance, E> {
                Self::checked(value)
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Chance, E> {
                i32::try_from(value).map_err(E::custom).and_then(|value| Self::checked(f64::from(value)))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Chance, E> {
                i32::try_from(value).map_err(E::custom).and_then(|value| Self::checked(f64::from(value)))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// What goes wrong. All off by default; each may be switched for the whole simulator or for one conversation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, DeriveDeserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// The flow sends the same message id twice at once. v1 sends the same body twice.
    pub duplicate_in_flight: Chance,
    /// The flow sends the same message id again after the answer.
    pub duplicate_after_answer: Chance,
    /// The flow drops its connection while it waits, and sends the same message again.
    pub abort_then_retry: Chance,
    /// How long it waits before, in milliseconds; 30 when absent. What is slower than that never hears of the first call.
    pub abort_after_ms: Option<u64>,
    /// The flow waits so long between the pieces of an answer that it reads.
    pub slow_reading_ms: u64,
    /// The session closes right after an answer without a message, so the late answer meets a closed session.
    pub close_after_ack: Chance,
    /// The language is sent as `en-US` instead of `en-us`.
    pub language_case: Chance,
    /// Requests carry members that no reference names.
    pub unknown_members: Chance,
    /// A blank utterance precedes the real one.
    pub blank_text: Chance,
    /// So many of the next outgoing messages are answered 503.
    pub outgoing_5xx: u32,
    /// So many of the next outgoing messages are delivered, and then never answered.
    pub outgoing_stall: u32,
    /// So many of the next outgoing messages are answered 429.
    pub outgoing_429: u32,
    /// `Retry-After` of those 429, in seconds; 1 when absent.
    pub outgoing_429_retry_after_s: Option<u64>,
    /// So many of the next outgoing messages are answered 401, although the token is good.
    pub outgoing_401: u32,
    /// So many of the next outgoing messages find that their token was revoked while they were under way.
    pub revoke_in_flight: u32,
    /// Each outgoing message is held back for a random time up to this, so that concurrent ones overtake each other.
    pub outgoing_jitter_ms: u64,
}

/// Where a fault may strike; also the stream of random numbers that it uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Point {
    DuplicateInFlight = 1,
    DuplicateAfterAnswer,
    AbortThenRetry,
    CloseAfterAck,
    LanguageCase,
    UnknownMembers,
    BlankText,
    OutgoingJitter,
    Identity,
}

/// The random choices of one conversation.
#[derive(Debug)]
pub(crate) struct Dice {
    seed: u64,
    conversation: u64,
    rolled: BTreeMap<Point, u64>,
}

impl Dice {
    pub(crate) fn new(seed: u64, conversation: u64) -> Self {
        Self { seed, conversation, rolled: BTreeMap::new() }
    }

    /// The next number at this point.
    fn next(&mut self, point: Point) -> ChaCha8Rng {
        let count = self.rolled.entry(point).or_default();
        *count += 1;
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(self.conversation << 8 | point as u64);
        random.set_word_pos(u128::from(*count) * 16);
        random
    }

    pub(crate) fn strikes(&mut self, point: Point, chance: Chance) -> bool {
        if chance == Chance::NEVER {
            return false;
        }
        f64::from(self.next(point).next_u32()) < chance.0 * (f64::from(u32::MAX) + 1.0)
    }

    /// A number from 0 to `limit`.
    pub(crate) fn up_to(&mut self, point: Point, limit: u64) -> u64 {
        self.next(point).next_u64() % limit.saturating_add(1)
    }

    /// A version 4 UUID.
    pub(crate) fn uuid(&mut self) -> String {
        let mut bytes = [0; 16];
        self.next(Point::Identity).fill_bytes(&mut bytes);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}
