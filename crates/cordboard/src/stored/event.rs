//! Events, alone in the inbox and together with their effects in the journal.

use model::{
    Answer, Attributes, BotKey, Channel, ConnectorKey, Door, Effect, Event, Failure, Holder, Input, Late, LegId,
    LegName, Masked, Opaque, Part, Poll, PollNumber, PushNumber, PushOutcome, RequestId, Said, SeatId, Timestamp,
    TurnNumber,
};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::form::{self, Each, In, Out, forms, hex, is_default};
use super::{Changed, Journal, Members, Seen, VERSION};

forms!(
    EventForm => Event,
    SaidForm => Said,
    PollForm => Poll,
    LegNameForm => LegName,
    DoorForm => Door,
    LateForm => Late,
    PushOutcomeForm => PushOutcome,
);

/// The members of a journal row.
pub(super) const JOURNAL_MEMBERS: Members =
    &[("v", "version"), ("e", "events"), ("f", "effects"), ("c", "changes"), ("w", "seen")];
/// The members of an event.
pub(super) const EVENT_MEMBERS: Members = &[("v", "version"), ("e", "event")];

#[derive(Serialize)]
pub(super) struct JournalOut<'a> {
    v: u32,
    #[serde(rename = "e")]
    events: Each<'a, Event>,
    #[serde(rename = "f")]
    effects: Each<'a, Effect>,
    #[serde(rename = "c", skip_serializing_if = "Each::is_empty")]
    changes: Each<'a, Changed>,
    #[serde(rename = "w", skip_serializing_if = "Each::is_empty")]
    seen: Each<'a, Seen>,
}

impl<'a> JournalOut<'a> {
    pub(super) fn new(events: &'a [Event], effects: &'a [Effect], changes: &'a [Changed], seen: &'a [Seen]) -> Self {
        Self { v: VERSION, events: Each(events), effects: Each(effects), changes: Each(changes), seen: Each(seen) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JournalIn {
    #[serde(rename = "v")]
    _version: IgnoredAny,
    #[serde(rename = "e")]
    events: In<Vec<Event>>,
    #[serde(rename = "f")]
    effects: In<Vec<Effect>>,
    #[serde(rename = "c", default, with = "form")]
    changes: Vec<Changed>,
    #[serde(rename = "w", default, with = "form")]
    seen: Vec<Seen>,
}

impl From<JournalIn> for Journal {
    fn from(row: JournalIn) -> Self {
        Self { events: row.events.0, effects: row.effects.0, changes: row.changes, seen: row.seen }
    }
}

#[derive(Serialize)]
pub(super) struct EventOut<'a> {
    pub(super) v: u32,
    #[serde(rename = "e")]
    pub(super) event: Out<'a, Event>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventIn {
    #[serde(rename = "v")]
    _version: IgnoredAny,
    #[serde(rename = "e")]
    event: In<Event>,
}

impl From<EventIn> for Event {
    fn from(document: EventIn) -> Self {
        document.event.0
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Event", rename_all = "snake_case", deny_unknown_fields)]
enum EventForm {
    #[serde(with = "form")]
    Said(Box<Said>),
    Accepted {
        #[serde(rename = "s", with = "form")]
        seat: SeatId,
        #[serde(rename = "t", with = "form")]
        turn: TurnNumber,
    },
    Answered {
        #[serde(rename = "s", with = "form")]
        seat: SeatId,
        #[serde(rename = "t", with = "form")]
        turn: TurnNumber,
        #[serde(rename = "a", with = "form")]
        answer: Box<Answer>,
    },
    Failed {
        #[serde(rename = "s", with = "form")]
        seat: SeatId,
        #[serde(rename = "t", with = "form")]
        turn: TurnNumber,
        #[serde(rename = "y", with = "form")]
        failure: Failure,
    },
    Pushed {
        #[serde(rename = "s", with = "form")]
        seat: SeatId,
        #[serde(rename = "a", with = "form")]
        answer: Box<Answer>,
    },
    Settled {
        #[serde(rename = "l", with = "form")]
        leg: LegId,
        #[serde(rename = "u", with = "form")]
        push: PushNumber,
        #[serde(rename = "o", with = "form")]
        outcome: PushOutcome,
    },
    ReplyOut {
        #[serde(rename = "r", with = "form")]
        request: RequestId,
        #[serde(rename = "a", with = "form")]
        at: Timestamp,
    },
    ReplyAborted {
        #[serde(rename = "r", with = "form")]
        request: RequestId,
    },
    Refused {
        #[serde(rename = "r", with = "form")]
        request: RequestId,
    },
    TimePassed,
    Draining,
    FloorSeen {
        #[serde(rename = "h", with = "form")]
        holder: Holder,
    },
    EndedByOperator,
    HandedOverByOperator {
        #[serde(rename = "b", with = "form")]
        bot: BotKey,
        #[serde(rename = "y")]
        reason: String,
    },
    Redriven {
        #[serde(rename = "s", with = "form")]
        seat: SeatId,
        #[serde(rename = "p", with = "form")]
        part: Box<Part>,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Said", deny_unknown_fields)]
struct SaidForm {
    #[serde(rename = "r", default, skip_serializing_if = "is_default", with = "form")]
    request: Option<RequestId>,
    #[serde(rename = "w", with = "form")]
    wait_until: Timestamp,
    #[serde(rename = "n", with = "form")]
    leg: LegName,
    #[serde(rename = "d", with = "form")]
    door: Door,
    #[serde(rename = "b", with = "form")]
    bot: BotKey,
    #[serde(rename = "e", with = "hex")]
    fresh_session: u128,
    #[serde(rename = "i", with = "form")]
    input: Input,
    #[serde(rename = "g", default, skip_serializing_if = "is_default")]
    language: String,
    #[serde(rename = "a", default, skip_serializing_if = "is_default")]
    parameters: Attributes,
    #[serde(rename = "x")]
    session_lifetime_ms: u64,
    #[serde(rename = "o", default, skip_serializing_if = "is_default", with = "form")]
    address: Opaque,
    #[serde(rename = "h")]
    body_hash: u64,
    #[serde(rename = "p", default, skip_serializing_if = "is_default", with = "form")]
    poll: Option<Poll>,
    #[serde(rename = "ch", default, skip_serializing_if = "is_default", with = "form")]
    channel: Option<Channel>,
    #[serde(rename = "u", default, skip_serializing_if = "is_default")]
    customer: Option<String>,
    #[serde(rename = "m", default, skip_serializing_if = "is_default", with = "form")]
    masked: Vec<Masked>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Poll", rename_all = "snake_case")]
enum PollForm {
    #[serde(with = "form")]
    Number(PollNumber),
    Any,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "LegName", deny_unknown_fields)]
struct LegNameForm {
    #[serde(rename = "c", with = "form")]
    connector: ConnectorKey,
    #[serde(rename = "s")]
    session: String,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Door", deny_unknown_fields)]
struct DoorForm {
    #[serde(rename = "l", with = "form")]
    late: Late,
    #[serde(rename = "j", default, skip_serializing_if = "is_default")]
    join_identical_ms: u64,
    #[serde(rename = "r", default, skip_serializing_if = "is_default")]
    retry_window_ms: u64,
    #[serde(rename = "p", default, skip_serializing_if = "is_default")]
    push_after_ack_ms: u64,
    #[serde(rename = "f", default, skip_serializing_if = "is_default")]
    follow_up_ms: u64,
    #[serde(rename = "m", default, skip_serializing_if = "is_default")]
    merge_quiet_ms: u64,
    #[serde(rename = "mx", default, skip_serializing_if = "is_default")]
    merge_max_ms: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Late", rename_all = "snake_case")]
enum LateForm {
    Push,
    PollButton,
    PendingFlow,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "PushOutcome", rename_all = "snake_case")]
enum PushOutcomeForm {
    Delivered,
    SessionClosed,
    Rejected,
    GaveUp,
    OutcomeUnknown,
}
