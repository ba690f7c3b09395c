//! Tells a story to the core: short verbs in, short lines out.

use model::{
    Answer, Attributes, BotKey, ConnectorKey, Door, Effect, Event, Fact, HandOver, Holder, Input, Item, Late, LegId,
    LegName, Next, Opaque, Outcome, Part, Poll, PollNumber, PushNumber, PushOutcome, Reply, RequestId, Said, SeatId,
    Timestamp, TurnNumber,
};

use crate::invariants::Ledger;
use crate::{Conversation, Policies, apply};

pub(super) struct Story {
    pub(super) policies: Policies,
    pub(super) state: Conversation,
    pub(super) now: Timestamp,
    pub(super) door: Door,
    pub(super) language: &'static str,
    budget_ms: u64,
    ledger: Ledger,
    said: Vec<String>,
}

pub(super) fn door(late: Late) -> Door {
    let push = late == Late::Push;
    Door {
        late,
        join_identical_ms: if push { 0 } else { 3_000 },
        retry_window_ms: 15_000,
        push_after_ack_ms: 100,
        follow_up_ms: if push { 6 * 3_600_000 } else { 12 * 3_600_000 },
        merge_quiet_ms: 0,
        merge_max_ms: 0,
    }
}

fn tapped(label: &str) -> Input {
    Input::Choice { label: label.into(), payload: label.into() }
}

pub(super) fn said(late: Late, request: u64, session: &str, bot: &str, text: &str, wait_until: Timestamp) -> Said {
    Said {
        request: Some(RequestId(request)),
        wait_until,
        leg: LegName { connector: ConnectorKey::from("door"), session: session.into() },
        door: door(late),
        bot: BotKey::from(bot),
        fresh_session: 7,
        input: match text {
            "start" => Input::Start,
            text => text.strip_prefix("tap ").map_or_else(|| Input::Text(text.into()), tapped),
        },
        language: "en-us".into(),
        parameters: Attributes::new(),
        session_lifetime_ms: 12 * 3_600_000,
        address: Opaque::default(),
        body_hash: text.bytes().fold(7, |hash: u64, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte))),
        channel: None,
        customer: None,
        masked: Vec::new(),
        poll: text
            .strip_prefix("poll ")
            .map(|number| number.parse().map_or(Poll::Any, |number| Poll::Number(PollNumber(number)))),
    }
}

impl Story {
    pub(super) fn through(late: Late) -> Self {
        let now = Timestamp(1_000_000);
        let budget_ms = if late == Late::Push { 8_000 } else { 7_000 };
        Self {
            policies: Policies::default(),
            state: Conversation::new(now),
            now,
            door: door(late),
            language: "en-us",
            budget_ms,
            ledger: Ledger::default(),
            said: Vec::new(),
        }
    }

    pub(super) fn happens(&mut self, events: &[Event]) -> &mut Self {
        for event in events {
            if let Event::Answered { seat, turn, .. } | Event::Failed { seat, turn, .. } = event {
                self.ledger.answered(*seat, *turn);
            }
        }
        let (state, effects) = apply(&self.policies, self.state.clone(), events, self.now);
        self.ledger.observe(&effects).unwrap();
        self.state = state;
        self.said = effects.iter().filter_map(line).collect();
        self
    }

    /// The effects of the last event, in short lines.
    #[track_caller]
    pub(super) fn gives(&mut self, lines: &[&str]) -> &mut Self {
        assert_eq!(self.said, lines);
        self
    }

    /// How long the requests of this story wait for their answers.
    pub(super) fn waits_ms(&mut self, budget_ms: u64) -> &mut Self {
        self.budget_ms = budget_ms;
        self
    }

    pub(super) fn says(&mut self, request: u64, text: &str) -> &mut Self {
        self.says_on("s1", request, text)
    }

    pub(super) fn says_on(&mut self, session: &str, request: u64, text: &str) -> &mut Self {
        self.says_to("bot", session, request, text)
    }

    pub(super) fn says_to(&mut self, bot: &str, session: &str, request: u64, text: &str) -> &mut Self {
        let said = said(self.door.late, request, session, bot, text, self.now + self.budget_ms);
        let said = Said { door: self.door.clone(), language: self.language.into(), ..said };
        self.happens(&[Event::Said(Box::new(said))])
    }

    /// An operator tries a message again.
    pub(super) fn says_again(&mut self, session: &str, text: &str) -> &mut Self {
        let said = said(self.door.late, 0, session, "bot", text, self.now);
        self.happens(&[Event::Said(Box::new(model::Said { request: None, ..said }))])
    }

    pub(super) fn answers(&mut self, turn: u32, text: &str) -> &mut Self {
        self.answers_then(turn, text, Next::Await)
    }

    pub(super) fn answers_then(&mut self, turn: u32, text: &str, next: Next) -> &mut Self {
        let answer = Answer { next, ..Answer::saying(vec![Item::text(text)]) };
        self.happens(&[Event::Answered { seat: SeatId(0), turn: TurnNumber(turn), answer: Box::new(answer) }])
    }

    pub(super) fn pushes(&mut self, text: &str) -> &mut Self {
        self.happens(&[Event::Pushed { seat: SeatId(0), answer: Box::new(Answer::saying(vec![Item::text(text)])) }])
    }

    pub(super) fn out(&mut self, request: u64) -> &mut Self {
        self.happens(&[Event::ReplyOut { request: RequestId(request), at: self.now }])
    }

    pub(super) fn aborted(&mut self, request: u64) -> &mut Self {
        self.happens(&[Event::ReplyAborted { request: RequestId(request) }])
    }

    pub(super) fn settles(&mut self, push: u32, outcome: PushOutcome) -> &mut Self {
        self.happens(&[Event::Settled { leg: LegId(0), push: PushNumber(push), outcome }])
    }

    /// Time passes to what is due next.
    pub(super) fn due(&mut self) -> &mut Self {
        self.now = self.state.next_due().unwrap();
        self.happens(&[Event::TimePassed])
    }

    pub(super) fn after_ms(&mut self, ms: u64) -> &mut Self {
        self.now = self.now + ms;
        self
    }

    pub(super) fn floor(&self) -> Holder {
        self.state.floor.holder
    }
}

pub(super) fn hand_over() -> Next {
    Next::HandOver(HandOver { reason: "asked".into(), note: None })
}

fn words(parts: &[Part]) -> String {
    let mut said: Vec<String> = Vec::new();
    for part in parts {
        said.extend(part.items.iter().map(|item| match item {
            Item::Text(text) => text.clone(),
            Item::Choices(choices) => choices.prompt.clone(),
            other => other.plain().into_owned(),
        }));
        match &part.outcome {
            Outcome::Open => {}
            Outcome::Done => said.push("[done]".into()),
            Outcome::HandOver(hand_over) => said.push(format!("[human: {}]", hand_over.reason)),
        }
    }
    said.join(" | ")
}

fn line(effect: &Effect) -> Option<String> {
    Some(match effect {
        Effect::Ask(ask) if ask.input == Input::Start => format!("ask {} (start)", ask.turn),
        Effect::Ask(ask) => format!("ask {} {}", ask.turn, ask.input.shown().replace('\n', " + ")),
        Effect::WithdrawAsk { turn, .. } => format!("withdraw {turn}"),
        Effect::Notify(notice) => format!("notify {:?}", notice.news),
        Effect::Seal { request, reply, .. } => match reply {
            Reply::Parts(parts) => format!("seal {request}: {}", words(parts)),
            Reply::Holding { parts, line, button } => format!(
                "seal {request}: {}{}{}",
                words(parts),
                line.as_deref().map(|_| "(holding)").unwrap_or_default(),
                button.as_ref().map(|button| format!(" [{} {}]", button.label, button.poll)).unwrap_or_default()
            ),
            Reply::Pending { parts, poll } => format!("seal {request}: {}(pending {poll})", words(parts)),
            Reply::Failed { code } => format!("seal {request}: failed {code}"),
            Reply::Refused => format!("seal {request}: refused"),
        },
        Effect::SealSame { request, of } => format!("seal {request} as {of}"),
        Effect::Push(push) => format!("push {}: {}", push.number, words(&push.parts)),
        Effect::WithdrawPushes { pushes, .. } => format!("withdraw {} pushes", pushes.len()),
        Effect::Bury { part, reason, .. } => format!("bury {}: {}", words(std::slice::from_ref(part)), reason.word()),
        Effect::Record(Fact::StaleAnswer { turn, .. }) => format!("stale {turn}"),
        Effect::Record(Fact::Nothing) => "nothing".into(),
        Effect::Record(Fact::PushRefused { reason }) => format!("refused: {}", reason.word()),
        Effect::Record(Fact::RedriveRefused { reason }) => format!("redrive refused: {}", reason.word()),
        Effect::Record(Fact::NotOpened { .. }) => "not opened".into(),
        Effect::Record(Fact::Merged { turn, .. }) => format!("merged into {turn}"),
        Effect::Record(Fact::OutOfService { turn, .. }) => format!("out of service {turn}"),
        Effect::Record(Fact::Unasked { turn, .. }) => format!("unasked {turn}"),
        Effect::Record(Fact::PossibleDuplicate { .. }) => "possible duplicate".into(),
        Effect::Record(Fact::TakenAsDelivered { .. }) => "taken as delivered".into(),
        Effect::Record(_) => return None,
    })
}
