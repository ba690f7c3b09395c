//! Effects, as the journal keeps them.

use model::{
    Ask, Attributes, BotKey, Channel, Cut, Effect, Evidence, Fact, Failure, Floor, Input, LegId, News, Notice, Opaque,
    Part, PollButton, PollNumber, Push, PushNumber, PushOutcome, Reply, RequestId, SeatId, Timestamp, TurnNumber,
    Undelivered,
};
use serde::{Deserialize, Serialize};

use super::form::{self, code, forms, hex, is_default};

forms!(
    EffectForm => Effect,
    AskForm => Ask,
    NoticeForm => Notice,
    NewsForm => News,
    ReplyForm => Reply,
    PollButtonForm => PollButton,
    PushForm => Push,
    FactForm => Fact,
);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Effect", rename_all = "snake_case", deny_unknown_fields)]
enum EffectForm {
    #[serde(with = "form")]
    Ask(Box<Ask>),
    WithdrawAsk {
        #[serde(rename = "s", with = "form")]
        seat: SeatId,
        #[serde(rename = "t", with = "form")]
        turn: TurnNumber,
    },
    #[serde(with = "form")]
    Notify(Box<Notice>),
    Seal {
        #[serde(rename = "r", with = "form")]
        request: RequestId,
        #[serde(rename = "l", with = "form")]
        leg: LegId,
        #[serde(rename = "w", with = "form")]
        reply: Reply,
    },
    SealSame {
        #[serde(rename = "r", with = "form")]
        request: RequestId,
        #[serde(rename = "of", with = "form")]
        of: RequestId,
    },
    #[serde(with = "form")]
    Push(Box<Push>),
    WithdrawPushes {
        #[serde(rename = "l", with = "form")]
        leg: LegId,
        #[serde(rename = "u", with = "form")]
        pushes: Vec<PushNumber>,
    },
    Bury {
        #[serde(rename = "s", with = "form")]
        seat: SeatId,
        #[serde(rename = "p", with = "form")]
        part: Box<Part>,
        #[serde(rename = "y", with = "form")]
        reason: Undelivered,
    },
    #[serde(with = "form")]
    Record(Fact),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Ask", deny_unknown_fields)]
struct AskForm {
    #[serde(rename = "s", with = "form")]
    seat: SeatId,
    #[serde(rename = "b", with = "form")]
    bot: BotKey,
    #[serde(rename = "t", with = "form")]
    turn: TurnNumber,
    #[serde(rename = "e", with = "hex")]
    engine_session: u128,
    #[serde(rename = "v", default, skip_serializing_if = "is_default")]
    visit: u32,
    #[serde(rename = "f", default, skip_serializing_if = "is_default")]
    is_first: bool,
    #[serde(rename = "i", with = "form")]
    input: Input,
    #[serde(rename = "g", default, skip_serializing_if = "is_default")]
    language: String,
    #[serde(rename = "ch", default, skip_serializing_if = "is_default", with = "form")]
    channel: Option<Channel>,
    #[serde(rename = "u", default, skip_serializing_if = "is_default")]
    customer: Option<String>,
    #[serde(rename = "a", default, skip_serializing_if = "is_default")]
    context: Attributes,
    #[serde(rename = "o", default, skip_serializing_if = "is_default", with = "form")]
    engine_state: Option<Opaque>,
    #[serde(rename = "d", with = "form")]
    hard_deadline: Timestamp,
    #[serde(rename = "ms")]
    time_ms: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Notice", deny_unknown_fields)]
struct NoticeForm {
    #[serde(rename = "s", with = "form")]
    seat: SeatId,
    #[serde(rename = "b", with = "form")]
    bot: BotKey,
    #[serde(rename = "k")]
    number: u32,
    #[serde(rename = "e", with = "hex")]
    engine_session: u128,
    #[serde(rename = "n", with = "form")]
    news: News,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "News", rename_all = "snake_case")]
enum NewsForm {
    Opened,
    Ended,
    HandedOver,
    Returned,
}

/// serde's own rules would borrow a reference from the bytes that are read.
type Code = &'static str;

#[derive(Serialize, Deserialize)]
#[serde(remote = "Reply", rename_all = "snake_case", deny_unknown_fields)]
enum ReplyForm {
    #[serde(with = "form")]
    Parts(Vec<Part>),
    Holding {
        #[serde(rename = "p", default, skip_serializing_if = "is_default", with = "form")]
        parts: Vec<Part>,
        #[serde(rename = "l", default, skip_serializing_if = "is_default")]
        line: Option<String>,
        #[serde(rename = "b", default, skip_serializing_if = "is_default", with = "form")]
        button: Option<PollButton>,
    },
    Pending {
        #[serde(rename = "p", default, skip_serializing_if = "is_default", with = "form")]
        parts: Vec<Part>,
        #[serde(rename = "n", with = "form")]
        poll: PollNumber,
    },
    Failed {
        #[serde(rename = "c", with = "code")]
        code: Code,
    },
    Refused,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "PollButton", deny_unknown_fields)]
struct PollButtonForm {
    #[serde(rename = "l")]
    label: String,
    #[serde(rename = "n", with = "form")]
    poll: PollNumber,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Push", deny_unknown_fields)]
struct PushForm {
    #[serde(rename = "s", with = "form")]
    seat: SeatId,
    #[serde(rename = "l", with = "form")]
    leg: LegId,
    #[serde(rename = "u", with = "form")]
    number: PushNumber,
    #[serde(rename = "p", with = "form")]
    parts: Vec<Part>,
    #[serde(rename = "b", with = "form")]
    not_before: Timestamp,
    #[serde(rename = "x", with = "form")]
    expires: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Fact", rename_all = "snake_case", deny_unknown_fields)]
enum FactForm {
    #[serde(with = "form")]
    Floor(Floor),
    FellBack {
        #[serde(rename = "s", with = "form")]
        seat: SeatId,
        #[serde(rename = "t", with = "form")]
        turn: TurnNumber,
        #[serde(rename = "y", with = "form")]
        failure: Failure,
    },
    StaleAnswer {
        #[serde(rename = "s", with = "form")]
        seat: SeatId,
        #[serde(rename = "t", with = "form")]
        turn: TurnNumber,
    },
    Blank,
    Greeted {
        #[serde(rename = "s", with = "form")]
        seat: SeatId,
        #[serde(rename = "t", with = "form")]
        turn: TurnNumber,
    },
    NotOpened {
        #[serde(rename = "s", with = "form")]
        seat: SeatId,
    },
    Merged {
        #[serde(rename = "s", with = "form")]
        seat: SeatId,
        #[serde(rename = "t", with = "form")]
        turn: TurnNumber,
    },
    EmptyPoll,
    Joined {
        #[serde(rename = "r", with = "form")]
        request: RequestId,
        #[serde(rename = "to", with = "form")]
        to: RequestId,
    },
    Unasked {
        #[serde(rename = "s", with = "form")]
        seat: SeatId,
        #[serde(rename = "t", with = "form")]
        turn: TurnNumber,
    },
    PossibleDuplicate {
        #[serde(rename = "l", with = "form")]
        leg: LegId,
    },
    TakenAsDelivered {
        #[serde(rename = "l", with = "form")]
        leg: LegId,
    },
    PushEnded {
        #[serde(rename = "l", with = "form")]
        leg: LegId,
        #[serde(rename = "u", with = "form")]
        push: PushNumber,
        #[serde(rename = "o", with = "form")]
        outcome: PushOutcome,
    },
    LegEnded {
        #[serde(rename = "l", with = "form")]
        leg: LegId,
        #[serde(rename = "y", with = "form")]
        evidence: Evidence,
    },
    OutOfService {
        #[serde(rename = "s", with = "form")]
        seat: SeatId,
        #[serde(rename = "t", with = "form")]
        turn: TurnNumber,
    },
    TurnLimit,
    HoldingLimit,
    PolicySaid {
        #[serde(rename = "s", with = "form")]
        seat: SeatId,
        #[serde(rename = "x")]
        text: String,
    },
    Cut {
        #[serde(rename = "s", with = "form")]
        seat: SeatId,
        #[serde(rename = "c", with = "form")]
        cuts: Vec<Cut>,
    },
    Redriven,
    RedriveRefused {
        #[serde(rename = "y", with = "form")]
        reason: Undelivered,
    },
    PushRefused {
        #[serde(rename = "y", with = "form")]
        reason: Undelivered,
    },
    Nothing,
}
