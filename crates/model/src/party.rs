//! Who takes part, who sits where, and who may speak.

use crate::Timestamp;

/// How a bot sits in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SeatKind {
    /// It talks to the customer.
    Front,
    /// Only agents see it.
    Whisper,
    /// It says nothing and changes data.
    Listener,
}

/// Who may speak to the customer now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// A front bot.
    Bot,
    /// A bot asked for a human; the platform has not shown one yet.
    HandingOver,
    /// The customer waits for a human.
    Queued,
    /// A human speaks.
    Human,
    /// Nobody: the conversation is over.
    Ended,
}

impl Holder {
    /// The word used in journals and for operators.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Bot => "bot",
            Self::HandingOver => "handing_over",
            Self::Queued => "queued",
            Self::Human => "human",
            Self::Ended => "ended",
        }
    }
}

/// The floor: who holds it, since when, and on what evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Floor {
    /// Who may speak.
    pub holder: Holder,
    /// Since when.
    pub since: Timestamp,
    /// What moved it there.
    pub evidence: Evidence,
}

/// What moved the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// A first message on an unseen session: the platform opened it with us.
    Opened,
    /// A message on a new or ended session after the floor was not the bot's.
    Returned,
    /// The bot asked for a human.
    BotHandedOver,
    /// The policy asked for a human: a failure, a limit.
    PolicyHandedOver,
    /// The bot is out of service, so the policy asked for a human.
    OutOfService,
    /// The bot ended.
    BotEnded,
    /// The session's lifetime was over.
    SessionExpired,
    /// The customer did not answer in time.
    FollowUpExpired,
    /// The platform said that the session is closed.
    PlatformClosed,
    /// The platform notified us of the change.
    Notified,
    /// An operator did it.
    Operator,
}

impl Evidence {
    /// The word used in journals and for operators.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Returned => "returned",
            Self::BotHandedOver => "bot_handed_over",
            Self::PolicyHandedOver => "policy_handed_over",
            Self::OutOfService => "out_of_service",
            Self::BotEnded => "bot_ended",
            Self::SessionExpired => "session_expired",
            Self::FollowUpExpired => "follow_up_expired",
            Self::PlatformClosed => "platform_closed",
            Self::Notified => "notified",
            Self::Operator => "operator",
        }
    }
}
