//! Everything that can happen to a conversation.

use crate::Timestamp;
use crate::answer::{Answer, Failure};
use crate::channel::Channel;
use crate::content::{Attributes, Input, Opaque};
use crate::effect::Part;
use crate::party::Holder;
use crate::sensitive::Masked;
use crate::{BotKey, ConnectorKey, LegId, PollNumber, PushNumber, RequestId, SeatId, TurnNumber};

/// One thing that happened. A stale event is an explicit nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A customer's message came in on a leg.
    Said(Box<Said>),
    /// The engine took the turn and will answer by a callback.
    Accepted {
        /// Whose.
        seat: SeatId,
        /// Which.
        turn: TurnNumber,
    },
    /// The engine answered a turn, in one part of possibly several.
    Answered {
        /// Whose.
        seat: SeatId,
        /// Which.
        turn: TurnNumber,
        /// With what.
        answer: Box<Answer>,
    },
    /// The engine failed a turn for good.
    Failed {
        /// Whose.
        seat: SeatId,
        /// Which.
        turn: TurnNumber,
        /// How.
        failure: Failure,
    },
    /// The engine said something without having been asked.
    Pushed {
        /// Whose.
        seat: SeatId,
        /// What.
        answer: Box<Answer>,
    },
    /// A push was delivered, or will never be.
    Settled {
        /// On which leg.
        leg: LegId,
        /// Which.
        push: PushNumber,
        /// How it ended.
        outcome: PushOutcome,
    },
    /// A sealed reply left: the HTTP layer took its last frame.
    ReplyOut {
        /// Whose.
        request: RequestId,
        /// When; the step that is told may come later.
        at: Timestamp,
    },
    /// A sealed reply did not leave: the socket was gone.
    ReplyAborted {
        /// Whose.
        request: RequestId,
    },
    /// The HTTP task sent its constant refusal, because no reply was sealed in time.
    Refused {
        /// Whose.
        request: RequestId,
    },
    /// Time passed; whatever is due is done now.
    TimePassed,
    /// Every open wait expires at once: the process is about to stop.
    Draining,
    /// A platform showed who holds the floor.
    FloorSeen {
        /// Who.
        holder: Holder,
    },
    /// An operator ends the conversation.
    EndedByOperator,
    /// An operator takes a bot out of service now: where it sits in front, a human takes over.
    HandedOverByOperator {
        /// Which bot; a conversation that another one holds stays as it is.
        bot: BotKey,
        /// Why, for the agent.
        reason: String,
    },
    /// An operator sends an undelivered answer again.
    Redriven {
        /// The seat it came from.
        seat: SeatId,
        /// What was not delivered.
        part: Box<Part>,
    },
}

/// A customer's message on a leg, with what the connector knows about the door it came through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The HTTP request that waits for the answer; absent when nobody waits (a redriven input).
    pub request: Option<RequestId>,
    /// Until when the request waits for an answer: v2's soft deadline, v1's budget.
    pub wait_until: Timestamp,
    /// The platform's session.
    pub leg: LegName,
    /// What the door can do.
    pub door: Door,
    /// The bot that is addressed.
    pub bot: BotKey,
    /// An id for the engine's session, used when this bot is new in the conversation.
    pub fresh_session: u128,
    /// What was said.
    pub input: Input,
    /// The language, as the platform writes it, in lower case.
    pub language: String,
    /// Session variables; merged when present, never cleared when absent.
    pub parameters: Attributes,
    /// How long the whole session lives, from its first message.
    pub session_lifetime_ms: u64,
    /// What the connector needs to send to this leg without being asked.
    pub address: Opaque,
    /// A hash of the body, to join a retry where the door has no message id.
    pub body_hash: u64,
    /// Set when the connector recognised a poll for a late answer.
    pub poll: Option<Poll>,
    /// What the customer uses, where the flow says so; kept when a later message does not.
    pub channel: Option<Channel>,
    /// Who the customer is, in the words of the flow; kept when a later message does not say.
    pub customer: Option<String>,
    /// What was masked in `input`.
    pub masked: Vec<Masked>,
}

impl Said {
    /// Whether messages that follow each other shortly are merged, this one with them. One that an operator tries again
    /// stands alone.
    #[must_use]
    pub fn gathers(&self) -> bool {
        let merges = self.door.merge_quiet_ms > 0 && self.door.late == Late::Push;
        merges && self.request.is_some() && matches!(self.input, Input::Text(_))
    }
}

/// A poll for a late answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Poll {
    /// With the number that the holding turn gave out.
    Number(PollNumber),
    /// Without one: the literal input text of a `pending` path whose variable got lost.
    Any,
}

/// A leg as the platform names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LegName {
    /// On which connector.
    pub connector: ConnectorKey,
    /// The platform's id of the session.
    pub session: String,
}

/// What a door can do, as data from its connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// How an answer reaches the customer when no request waits.
    pub late: Late,
    /// A request whose body equals that of one in flight, or aborted less than this long ago, joins it. 0 where the door
    /// has message ids. v1: 3,000 (`reference/bot-connector-v1.md`, section 2.6).
    pub join_identical_ms: u64,
    /// How long after a crash the platform may still retry a request whose reply was sealed. v2: 15,000.
    pub retry_window_ms: u64,
    /// How long after a response was consumed a push may start. v2: 100.
    pub push_after_ack_ms: u64,
    /// How long the customer may be silent before the session counts as over.
    pub follow_up_ms: u64,
    /// Texts that follow each other within this time become one turn; 0 merges nothing. Only on doors that push: the
    /// requests of all but the last are answered at once, with nothing.
    pub merge_quiet_ms: u64,
    /// The first of them waits no longer than this.
    pub merge_max_ms: u64,
}

/// How an answer reaches the customer when no request waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Late {
    /// By a push (v2).
    Push,
    /// It is held; the customer taps a button to see it (v1).
    PollButton,
    /// It is held; the flow comes back for it by its `pending` path (v1).
    PendingFlow,
}

/// How a push ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PushOutcome {
    /// The platform took it.
    Delivered,
    /// The platform says that the session is closed or unknown.
    SessionClosed,
    /// The platform refuses it for good.
    Rejected,
    /// It was tried as often as allowed.
    GaveUp,
    /// Nobody knows whether it arrived, and it must not be sent twice.
    OutcomeUnknown,
}
