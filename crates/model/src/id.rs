//! Identities. Those of the configuration are its table keys; those we make ascend with time, so that rows are
//! appended and order can be read off them.

use std::fmt;
use std::sync::Arc;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $inner:ty, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

/// A conversation: the unit of order and durability. The upper bits are milliseconds since 1970, so ids ascend.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConversationId(pub u64);

impl fmt::Display for ConversationId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

impl fmt::Debug for ConversationId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ConversationId({self})")
    }
}

impl std::str::FromStr for ConversationId {
    type Err = std::num::ParseIntError;

    /// Reads the sixteen hexadecimal digits that `Display` writes.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

number!(
    /// One HTTP request of a platform that wants its answer in the response. Ascends like [`ConversationId`].
    RequestId, u64, "r"
);
number!(
    /// A bot's place in a conversation, numbered from 0 in the order of appearance.
    SeatId, u8, "seat-"
);
number!(
    /// One of a conversation's ids on a connector (a platform's bot session), numbered from 0 in the order of appearance.
    LegId, u32, "leg-"
);
number!(
    /// A turn of a seat, numbered from 1.
    TurnNumber, u32, "turn-"
);
number!(
    /// A push on a leg, numbered from 1. Together with the leg it is the stable key of the outbox item.
    PushNumber, u32, "push-"
);
number!(
    /// The number of a holding turn of a seat: what a poll button or a `pending` path carries back.
    PollNumber, u32, ""
);

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Arc<str>);

        impl $name {
            /// The key as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!(stringify!($name), "({:?})"), &*self.0)
            }
        }
    };
}

name!(
    /// A bot, by its table key in the configuration.
    BotKey
);
name!(
    /// A connector (one configured integration), by its table key in the configuration.
    ConnectorKey
);
name!(
    /// An org (one configured instance of Genesys Cloud), by its table key in the configuration.
    OrgKey
);
