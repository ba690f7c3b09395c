//! A conversation's state.

use std::collections::VecDeque;

use conversation::{
    Conversation, Gathering, Leg, OpenRequest, Seat, Session, Turn, Unconfirmed, UnderWay, Waiting, Wants,
};
use model::{
    Attributes, BotKey, Channel, Choice, Door, Evidence, Floor, Holder, Input, LegId, LegName, Opaque, Part,
    PollNumber, PushNumber, RequestId, SeatId, SeatKind, Timestamp, TurnNumber,
};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::form::{self, Each, In, Out, forms, hex, is_default};
use super::{Members, VERSION};

forms!(
    FloorForm => Floor,
    HolderForm => Holder,
    EvidenceForm => Evidence,
    SeatForm => Seat,
    SeatKindForm => SeatKind,
    SessionForm => Session,
    TurnForm => Turn,
    WaitingForm => Waiting,
    GatheringForm => Gathering,
    LegForm => Leg,
    OpenRequestForm => OpenRequest,
    WantsForm => Wants,
    UnconfirmedForm => Unconfirmed,
    UnderWayForm => UnderWay,
);

/// The members of a state.
pub(super) const MEMBERS: Members = &[
    ("v", "version"),
    ("n", "now"),
    ("f", "floor"),
    ("s", "seats"),
    ("l", "legs"),
    ("k", "next leg"),
    ("t", "turns"),
    ("u", "customer"),
];

#[derive(Serialize)]
pub(super) struct StateOut<'a> {
    v: u32,
    #[serde(rename = "n")]
    now: Out<'a, Timestamp>,
    #[serde(rename = "f")]
    floor: Out<'a, Floor>,
    #[serde(rename = "s")]
    seats: Each<'a, Seat>,
    #[serde(rename = "l")]
    legs: Each<'a, Leg>,
    #[serde(rename = "k")]
    next_leg: u32,
    #[serde(rename = "t")]
    turns: u32,
    #[serde(rename = "u", skip_serializing_if = "Option::is_none")]
    customer: Option<&'a str>,
}

impl<'a> From<&'a Conversation> for StateOut<'a> {
    fn from(state: &'a Conversation) -> Self {
        let Conversation { now, floor, seats, legs, next_leg, turns, customer } = state;
        Self {
            v: VERSION,
            now: Out(now),
            floor: Out(floor),
            seats: Each(seats),
            legs: Each(legs),
            next_leg: *next_leg,
            turns: *turns,
            customer: customer.as_deref(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StateIn {
    #[serde(rename = "v")]
    _version: IgnoredAny,
    #[serde(rename = "n")]
    now: In<Timestamp>,
    #[serde(rename = "f")]
    floor: In<Floor>,
    #[serde(rename = "s")]
    seats: In<Vec<Seat>>,
    #[serde(rename = "l")]
    legs: In<Vec<Leg>>,
    #[serde(rename = "k")]
    next_leg: u32,
    #[serde(rename = "t")]
    turns: u32,
    #[serde(rename = "u", default)]
    customer: Option<String>,
}

impl From<StateIn> for Conversation {
    fn from(state: StateIn) -> Self {
        Self {
            now: state.now.0,
            floor: state.floor.0,
            seats: state.seats.0,
            legs: state.legs.0,
            next_leg: state.next_leg,
            turns: state.turns,
            customer: state.customer,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Floor", deny_unknown_fields)]
struct FloorForm {
    #[serde(rename = "h", with = "form")]
    holder: Holder,
    #[serde(rename = "s", with = "form")]
    since: Timestamp,
    #[serde(rename = "y", with = "form")]
    evidence: Evidence,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Holder", rename_all = "snake_case")]
enum HolderForm {
    Bot,
    HandingOver,
    Queued,
    Human,
    Ended,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Evidence", rename_all = "snake_case")]
enum EvidenceForm {
    Opened,
    Returned,
    BotHandedOver,
    PolicyHandedOver,
    OutOfService,
    BotEnded,
    SessionExpired,
    FollowUpExpired,
    PlatformClosed,
    Notified,
    Operator,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Seat", deny_unknown_fields)]
struct SeatForm {
    #[serde(rename = "i", with = "form")]
    id: SeatId,
    #[serde(rename = "k", with = "form")]
    kind: SeatKind,
    #[serde(rename = "b", with = "form")]
    bot: BotKey,
    #[serde(rename = "e", with = "hex")]
    engine_session: u128,
    #[serde(rename = "v", default, skip_serializing_if = "is_default")]
    visits: u32,
    #[serde(rename = "lt", default, skip_serializing_if = "is_default")]
    last_turn: u32,
    #[serde(rename = "lo", default, skip_serializing_if = "is_default")]
    last_own_part: u32,
    #[serde(rename = "ln", default, skip_serializing_if = "is_default")]
    last_notice: u32,
    #[serde(rename = "lp", with = "form")]
    last_poll: PollNumber,
    #[serde(rename = "q", default, skip_serializing_if = "is_default")]
    asked_in_visit: bool,
    #[serde(rename = "g", default, skip_serializing_if = "is_default")]
    language: String,
    #[serde(rename = "s", default, skip_serializing_if = "is_default", with = "form")]
    session: Option<Session>,
    #[serde(rename = "t", default, skip_serializing_if = "is_default", with = "form")]
    turn: Option<Turn>,
    #[serde(rename = "w", default, skip_serializing_if = "is_default", with = "form")]
    waiting: VecDeque<Waiting>,
    #[serde(rename = "a", default, skip_serializing_if = "is_default")]
    attributes: Attributes,
    #[serde(rename = "o", default, skip_serializing_if = "is_default", with = "form")]
    engine_state: Option<Opaque>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "SeatKind", rename_all = "snake_case")]
enum SeatKindForm {
    Front,
    Whisper,
    Listener,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Session", deny_unknown_fields)]
struct SessionForm {
    #[serde(rename = "l", with = "form")]
    leg: LegId,
    #[serde(rename = "f", default, skip_serializing_if = "is_default", with = "form")]
    follow_up: Option<Timestamp>,
    #[serde(rename = "h", default, skip_serializing_if = "is_default")]
    holding: u32,
    #[serde(rename = "b", default, skip_serializing_if = "is_default")]
    begun: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Turn", deny_unknown_fields)]
struct TurnForm {
    #[serde(rename = "n", with = "form")]
    number: TurnNumber,
    #[serde(rename = "d", with = "form")]
    hard_deadline: Timestamp,
    #[serde(rename = "k", default, skip_serializing_if = "is_default")]
    parts: u32,
    #[serde(rename = "c", default, skip_serializing_if = "is_default")]
    accepted: bool,
    #[serde(rename = "g", default, skip_serializing_if = "is_default")]
    language: String,
    #[serde(rename = "o", default, skip_serializing_if = "is_default")]
    is_opening: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Waiting", deny_unknown_fields)]
struct WaitingForm {
    #[serde(rename = "n", with = "form")]
    number: TurnNumber,
    #[serde(rename = "i", with = "form")]
    input: Input,
    #[serde(rename = "g", default, skip_serializing_if = "is_default")]
    language: String,
    #[serde(rename = "m", default, skip_serializing_if = "is_default", with = "form")]
    gathers: Option<Gathering>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Gathering", deny_unknown_fields)]
struct GatheringForm {
    #[serde(rename = "u", with = "form")]
    until: Timestamp,
    #[serde(rename = "x", with = "form")]
    latest: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Leg", deny_unknown_fields)]
struct LegForm {
    #[serde(rename = "i", with = "form")]
    id: LegId,
    #[serde(rename = "n", with = "form")]
    name: LegName,
    #[serde(rename = "s", with = "form")]
    seat: SeatId,
    #[serde(rename = "d", with = "form")]
    door: Door,
    #[serde(rename = "o", default, skip_serializing_if = "is_default", with = "form")]
    address: Opaque,
    #[serde(rename = "m", default, skip_serializing_if = "is_default", with = "form")]
    memory: Opaque,
    #[serde(rename = "ch", default, skip_serializing_if = "is_default", with = "form")]
    channel: Option<Channel>,
    #[serde(rename = "of", default, skip_serializing_if = "is_default", with = "form")]
    offered: Vec<Choice>,
    #[serde(rename = "x", with = "form")]
    expires: Timestamp,
    #[serde(rename = "c", default, skip_serializing_if = "is_default", with = "form")]
    closed: Option<Evidence>,
    #[serde(rename = "z", default, skip_serializing_if = "is_default")]
    comes_back: bool,
    #[serde(rename = "q", default, skip_serializing_if = "is_default", with = "form")]
    open: Vec<OpenRequest>,
    #[serde(rename = "u", default, skip_serializing_if = "is_default", with = "form")]
    unconfirmed: Vec<Unconfirmed>,
    #[serde(rename = "h", default, skip_serializing_if = "is_default", with = "form")]
    held: Vec<Part>,
    #[serde(rename = "p", default, skip_serializing_if = "is_default", with = "form")]
    pushes: Vec<UnderWay>,
    #[serde(rename = "lp", with = "form")]
    last_push: PushNumber,
    #[serde(rename = "b", default, skip_serializing_if = "is_default", with = "form")]
    push_not_before: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "OpenRequest", deny_unknown_fields)]
struct OpenRequestForm {
    #[serde(rename = "r", with = "form")]
    id: RequestId,
    #[serde(rename = "j", default, skip_serializing_if = "is_default", with = "form")]
    joined: Vec<RequestId>,
    #[serde(rename = "w", with = "form")]
    wait_until: Timestamp,
    #[serde(rename = "f", with = "form")]
    wants: Wants,
    #[serde(rename = "h")]
    body_hash: u64,
    #[serde(rename = "g", default, skip_serializing_if = "is_default")]
    gone: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Wants", rename_all = "snake_case")]
enum WantsForm {
    #[serde(with = "form")]
    Turn(TurnNumber),
    Poll,
    Whatever,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Unconfirmed", deny_unknown_fields)]
struct UnconfirmedForm {
    #[serde(rename = "r", with = "form")]
    request: RequestId,
    #[serde(rename = "j", default, skip_serializing_if = "is_default", with = "form")]
    joined: Vec<RequestId>,
    #[serde(rename = "p", default, skip_serializing_if = "is_default", with = "form")]
    parts: Vec<Part>,
    #[serde(rename = "w", with = "form")]
    until: Timestamp,
    #[serde(rename = "b", default, skip_serializing_if = "is_default", with = "form")]
    aborted: Option<Timestamp>,
    #[serde(rename = "h")]
    body_hash: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "UnderWay", deny_unknown_fields)]
struct UnderWayForm {
    #[serde(rename = "u", with = "form")]
    number: PushNumber,
    #[serde(rename = "p", with = "form")]
    parts: Vec<Part>,
}
