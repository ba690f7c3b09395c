//! Everything a conversation can ask for. Effects are stored with the state and acted on after the commit.

use crate::answer::HandOver;
use crate::answer::{Cut, Failure};
use crate::channel::Channel;
use crate::content::{Attributes, Input, Intent, Item, Opaque, Slots};
use crate::event::PushOutcome;
use crate::party::{Evidence, Floor};
use crate::{BotKey, LegId, PollNumber, PushNumber, RequestId, SeatId, Timestamp, TurnNumber};

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask the engine. Outbox, lane of the seat.
    Ask(Box<Ask>),
    /// The turn is over: an ask that still waits is dropped, one in flight is fenced.
    WithdrawAsk {
        /// Whose.
        seat: SeatId,
        /// Which.
        turn: TurnNumber,
    },
    /// Tell the engine about the conversation's life. Outbox, lane of the seat.
    Notify(Box<Notice>),
    /// Answer a request. The connector renders it; the bytes are sealed once.
    Seal {
        /// Which request.
        request: RequestId,
        /// On which leg.
        leg: LegId,
        /// With what.
        reply: Reply,
    },
    /// Answer a request with the bytes of an earlier one: the platform asked twice.
    SealSame {
        /// Which request.
        request: RequestId,
        /// Whose bytes.
        of: RequestId,
    },
    /// Send to a leg without being asked. Outbox, lane of the leg.
    Push(Box<Push>),
    /// Pushes of the leg that were not sent yet are dropped; the core has buried their parts.
    WithdrawPushes {
        /// On which leg.
        leg: LegId,
        /// Which.
        pushes: Vec<PushNumber>,
    },
    /// An answer cannot be delivered now; it stays visible with its reason.
    Bury {
        /// Whose answer.
        seat: SeatId,
        /// What.
        part: Box<Part>,
        /// Why.
        reason: Undelivered,
    },
    /// Something worth a line in the journal.
    Record(Fact),
}

/// A question to an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Whose.
    pub seat: SeatId,
    /// The bot.
    pub bot: BotKey,
    /// Which turn.
    pub turn: TurnNumber,
    /// The engine's session, the same over the platform's sessions.
    pub engine_session: u128,
    /// How often this bot got the conversation back, from 0.
    pub visit: u32,
    /// Whether it is the first turn of this visit.
    pub is_first: bool,
    /// What was said.
    pub input: Input,
    /// In which language.
    pub language: String,
    /// What the customer uses, where it is known.
    pub channel: Option<Channel>,
    /// Who the customer is, in the words of the flow.
    pub customer: Option<String>,
    /// What the engine may read: session variables and its own attributes.
    pub context: Attributes,
    /// What the engine gave us last time.
    pub engine_state: Option<Opaque>,
    /// After this time nobody wants the answer any more.
    pub hard_deadline: Timestamp,
    /// How long that is from now, in milliseconds: the same at every attempt.
    pub time_ms: u64,
}

/// News for an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Whose.
    pub seat: SeatId,
    /// The bot.
    pub bot: BotKey,
    /// Ascending per seat: the stable key.
    pub number: u32,
    /// The engine's session.
    pub engine_session: u128,
    /// What happened.
    pub news: News,
}

/// What happened to a conversation, as told to engines that asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum News {
    /// It began for this bot.
    Opened,
    /// It is over for this bot.
    Ended,
    /// A human takes over.
    HandedOver,
    /// It came back.
    Returned,
}

/// A part of an answer, decided and on its way to the customer. Keyed (turn, k).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The turn it answers; absent for a message of the bot's own accord.
    pub turn: Option<TurnNumber>,
    /// Its number within the turn, from 1. Parts without a turn count per seat.
    pub number: u32,
    /// What to say.
    pub items: Vec<Item>,
    /// Where it leaves the session.
    pub outcome: Outcome,
    /// The intent the engine found.
    pub intent: Option<Intent>,
    /// Its slots.
    pub slots: Slots,
    /// Attributes for the flow.
    pub attributes: Attributes,
    /// Whether it is the policy speaking (a fallback, a limit), not the engine.
    pub by_policy: bool,
}

/// Where a part leaves the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Open: the customer or the bot goes on.
    Open,
    /// The bot is done.
    Done,
    /// A human shall take over.
    HandOver(HandOver),
}

impl Outcome {
    /// Whether the platform's session ends with it.
    #[must_use]
    pub const fn closes(&self) -> bool {
        match self {
            Self::Open => false,
            Self::Done | Self::HandOver(_) => true,
        }
    }
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// These parts, in order; only the last may close the session. Without parts: an acknowledgement that says nothing.
    Parts(Vec<Part>),
    /// The answer is late: a line to hold the customer, after parts that wait already.
    Holding {
        /// Parts of earlier turns that wait.
        parts: Vec<Part>,
        /// The line; absent when nothing shall be said.
        line: Option<String>,
        /// The button under it, on doors that cannot push.
        button: Option<PollButton>,
    },
    /// The answer is late: the flow shall come back for it by its `pending` path.
    Pending {
        /// Parts of earlier turns that wait.
        parts: Vec<Part>,
        /// What the flow brings back.
        poll: PollNumber,
    },
    /// A fault that is not the engine's: the session is over before it could be answered.
    Failed {
        /// A code for the platform's logs.
        code: &'static str,
    },
    /// We are full. Never remembered: a retry is a new request.
    Refused,
}

/// A button that asks for a late answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollButton {
    /// What the customer sees.
    pub label: String,
    /// What comes back.
    pub poll: PollNumber,
}

/// A message to a leg that nobody waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// Whose.
    pub seat: SeatId,
    /// To which leg.
    pub leg: LegId,
    /// The stable key on the leg.
    pub number: PushNumber,
    /// What, in order; only the last part may close the session.
    pub parts: Vec<Part>,
    /// Not before this time, so that it cannot overtake the response before it.
    pub not_before: Timestamp,
    /// After this time the platform takes it no more.
    pub expires: Timestamp,
}

/// Why an answer was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Undelivered {
    /// The session was over.
    SessionEnded,
    /// The platform said that the session is closed.
    SessionClosed,
    /// The platform refused it.
    Rejected,
    /// It was tried as often as allowed.
    GaveUp,
    /// Nobody knows whether it arrived.
    OutcomeUnknown,
    /// A human held the floor.
    FloorTaken,
    /// A new session of the platform replaced the one it was for.
    Superseded,
    /// More was waiting for the customer than a session may hold.
    TooMuchHeld,
}

impl Undelivered {
    /// The word used in journals, dead letters and for operators.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::SessionEnded => "session_ended",
            Self::SessionClosed => "session_closed",
            Self::Rejected => "rejected",
            Self::GaveUp => "gave_up",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::FloorTaken => "floor_taken",
            Self::Superseded => "superseded",
            Self::TooMuchHeld => "too_much_held",
        }
    }
}

/// Something worth a line in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The floor moved.
    Floor(Floor),
    /// A turn was answered by the policy, because the engine failed or was late.
    FellBack {
        /// Whose.
        seat: SeatId,
        /// Which.
        turn: TurnNumber,
        /// Why.
        failure: Failure,
    },
    /// An answer came for a turn that was over.
    StaleAnswer {
        /// Whose.
        seat: SeatId,
        /// Which.
        turn: TurnNumber,
    },
    /// A blank message asked no engine.
    Blank,
    /// The opening of a conversation was answered with the greeting; no engine was asked.
    Greeted {
        /// Whose.
        seat: SeatId,
        /// As which turn.
        turn: TurnNumber,
    },
    /// An opening said nothing: the conversation was open already, or its bot lets the customer speak first.
    NotOpened {
        /// Whose.
        seat: SeatId,
    },
    /// A message was merged into the input that waits: both are one turn.
    Merged {
        /// Whose.
        seat: SeatId,
        /// Which.
        turn: TurnNumber,
    },
    /// A poll found nothing to show.
    EmptyPoll,
    /// A request was joined to an earlier one.
    Joined {
        /// Which.
        request: RequestId,
        /// To which.
        to: RequestId,
    },
    /// An input was not asked, because the session ended before its turn.
    Unasked {
        /// Whose.
        seat: SeatId,
        /// Which.
        turn: TurnNumber,
    },
    /// A reply that may have arrived goes out again.
    PossibleDuplicate {
        /// On which leg.
        leg: LegId,
    },
    /// A reply counts as delivered on the evidence of the next message.
    TakenAsDelivered {
        /// On which leg.
        leg: LegId,
    },
    /// A push ended otherwise than delivered.
    PushEnded {
        /// On which leg.
        leg: LegId,
        /// Which.
        push: PushNumber,
        /// How.
        outcome: PushOutcome,
    },
    /// A session of the platform is over for us.
    LegEnded {
        /// Which.
        leg: LegId,
        /// Why.
        evidence: Evidence,
    },
    /// The bot is out of service: the turn asked no engine and went to a human.
    OutOfService {
        /// Whose.
        seat: SeatId,
        /// Which.
        turn: TurnNumber,
    },
    /// The cap on turns of one conversation was reached.
    TurnLimit,
    /// Holding turns were used up.
    HoldingLimit,
    /// The policy said something in a bot's place: a greeting, a fallback, that a human takes over.
    PolicySaid {
        /// In whose.
        seat: SeatId,
        /// What.
        text: String,
    },
    /// What an engine said was cut.
    Cut {
        /// Whose.
        seat: SeatId,
        /// How.
        cuts: Vec<Cut>,
    },
    /// A redriven answer is on its way.
    Redriven,
    /// A redriven answer would speak after the end or over a human, or a redriven message would bring the bot to do so.
    RedriveRefused {
        /// Why.
        reason: Undelivered,
    },
    /// A message of the bot's own accord was refused.
    PushRefused {
        /// Why.
        reason: Undelivered,
    },
    /// The event changed nothing: it came too late or names something that is not there.
    Nothing,
}
