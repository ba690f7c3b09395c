//! Bytes as a life of a conversation. Each byte chooses what happens next; the invariants of the core are looked at after
//! every step, and a small model knows what anybody could promise: every request is answered once and in time, and
//! every question is over at its deadline.

use std::collections::BTreeMap;

use conversation::invariants::{Ledger, bounded, sound};
use conversation::{BotPolicy, Conversation, OnFailure, Opening, Policies, Texts};
use model::{
    Answer, Attributes, Door, Effect, Event, Failure, HandOver, Holder, Input, Intent, Item, Late, LegId, LegName,
    News, Next, Opaque, Part, Poll, PollNumber, PushNumber, PushOutcome, RequestId, Said, SeatId, Timestamp,
    TurnNumber,
};

use crate::bytes::Bytes;
use crate::stored::is_kept;

const STEPS_MAX: usize = 200;
const FAILURES: [Failure; 5] =
    [Failure::Unreachable, Failure::TimedOut, Failure::Nonsense, Failure::OutcomeUnknown, Failure::Internal];
const OUTCOMES: [PushOutcome; 5] = [
    PushOutcome::Delivered,
    PushOutcome::SessionClosed,
    PushOutcome::Rejected,
    PushOutcome::GaveUp,
    PushOutcome::OutcomeUnknown,
];
const HOLDERS: [Holder; 5] = [Holder::Bot, Holder::HandingOver, Holder::Queued, Holder::Human, Holder::Ended];

/// Applies what the bytes say; the word is who has the floor in the end.
///
/// # Panics
/// When an invariant does not hold, and says which.
pub fn apply(data: &[u8]) -> &'static str {
    let mut life = Life::new(Bytes(data));
    let mut state = Conversation::new(life.now);
    for _ in 0..STEPS_MAX {
        if life.bytes.is_empty() {
            break;
        }
        state = life.step(state);
    }
    state.floor.holder.word()
}

struct Life<'a> {
    bytes: Bytes<'a>,
    policies: Policies,
    late: Late,
    merge_quiet_ms: u64,
    now: Timestamp,
    requests: u64,
    ledger: Ledger,
    /// Requests without an answer, and until when they wait.
    waiting: BTreeMap<RequestId, Timestamp>,
    /// What engines work on, until when.
    running: BTreeMap<SeatId, (TurnNumber, Timestamp)>,
    buried: Vec<(SeatId, Part)>,
}

impl<'a> Life<'a> {
    fn new(mut bytes: Bytes<'a>) -> Self {
        let late = bytes.one_of(&[Late::Push, Late::PollButton, Late::PendingFlow]);
        let choice = bytes.byte();
        let policies = policies(choice);
        Self {
            bytes,
            policies,
            late,
            merge_quiet_ms: if choice & 4 == 4 { 700 } else { 0 },
            now: Timestamp(1_000_000),
            requests: 0,
            ledger: Ledger::default(),
            waiting: BTreeMap::new(),
            running: BTreeMap::new(),
            buried: Vec::new(),
        }
    }

    fn step(&mut self, state: Conversation) -> Conversation {
        let event = self.event(&state);
        self.promised(&state, &event);
        let events = [event];
        let (after, effects) = conversation::apply(&self.policies, state, &events, self.now);
        let checked = bounded(&after).and_then(|()| sound(&after)).map_err(str::to_owned);
        let checked = checked.and_then(|()| self.ledger.observe(&effects));
        assert_eq!(checked, Ok(()), "{events:?}\n{effects:?}");
        self.kept(&events[0], &effects);
        // What came before the last step is a life of its own, and is looked at there.
        if self.bytes.is_empty() {
            is_kept(&after, &events, &effects);
        }
        after
    }

    fn event(&mut self, state: &Conversation) -> Event {
        match self.bytes.below(16) {
            0..=3 => self.said(),
            4 | 5 => {
                let (seat, turn) = self.a_turn(state);
                Event::Answered { seat, turn, answer: Box::new(self.answer()) }
            }
            6 => {
                let (seat, turn) = self.a_turn(state);
                Event::Failed { seat, turn, failure: self.bytes.one_of(&FAILURES) }
            }
            7 => {
                let (seat, turn) = self.a_turn(state);
                Event::Accepted { seat, turn }
            }
            8 => Event::Pushed { seat: SeatId(self.bytes.below(3)), answer: Box::new(self.answer()) },
            9 => self.settled(state),
            10 => Event::ReplyOut { request: self.a_request(), at: self.now },
            11 => match self.bytes.below(4) {
                0 => Event::Refused { request: self.a_request() },
                _ => Event::ReplyAborted { request: self.a_request() },
            },
            12 | 13 => self.time_passes(state),
            14 => match self.bytes.below(8) {
                0 => Event::Draining,
                1 => Event::EndedByOperator,
                7 => Event::HandedOverByOperator { bot: "bot".into(), reason: "it misbehaves".into() },
                _ => Event::FloorSeen { holder: self.bytes.one_of(&HOLDERS) },
            },
            _ => match self.buried.pop() {
                Some((seat, part)) => Event::Redriven { seat, part: Box::new(part) },
                None => Event::TimePassed,
            },
        }
    }

    fn said(&mut self) -> Event {
        self.requests += 1;
        let choice = self.bytes.byte();
        let text = match choice & 7 {
            0 => " ".to_owned(),
            1 | 2 => "the same".to_owned(),
            _ => format!("words {}", self.requests),
        };
        let polls = self.late != Late::Push && choice & 7 == 3;
        let again = choice & 0xF8 == 0xF8;
        let push = self.late == Late::Push;
        Event::Said(Box::new(Said {
            request: (!again).then_some(RequestId(self.requests)),
            wait_until: self.now + 8_000,
            leg: LegName { connector: "door".into(), session: format!("s{}", (choice >> 3) & 3) },
            door: Door {
                late: self.late,
                join_identical_ms: if push { 0 } else { 3_000 },
                retry_window_ms: 15_000,
                push_after_ack_ms: 100,
                follow_up_ms: 60_000,
                merge_quiet_ms: if push { self.merge_quiet_ms } else { 0 },
                merge_max_ms: 3_000,
            },
            bot: if choice & 0x60 == 0x60 { "other" } else { "bot" }.into(),
            fresh_session: u128::from(self.requests),
            body_hash: text.len() as u64,
            input: if choice & 0x87 == 0x84 { Input::Start } else { Input::Text(text) },
            language: "en-us".into(),
            parameters: Attributes::from([("said".into(), choice.to_string())]),
            session_lifetime_ms: 600_000,
            address: Opaque(vec![choice]),
            channel: None,
            customer: None,
            masked: Vec::new(),
            poll: polls.then(|| match self.bytes.below(4) {
                0 => Poll::Any,
                number => Poll::Number(PollNumber(number.into())),
            }),
        }))
    }

    fn answer(&mut self) -> Answer {
        let choice = self.bytes.byte();
        let items = (0..choice & 3).map(|n| Item::text(format!("item {n}"))).collect();
        let next = match (choice >> 2) & 7 {
            0 => Next::End,
            1 => Next::HandOver(HandOver::default()),
            2 | 3 => Next::More,
            _ => Next::Await,
        };
        let intent = (choice & 0x20 != 0).then(|| Intent { name: "intent".into(), confidence_permille: Some(900) });
        let engine_state = (choice & 0x40 != 0).then(|| Opaque(vec![choice]));
        Answer { next, intent, engine_state, ..Answer::saying(items) }
    }

    /// Mostly a turn that runs, now and then another.
    fn a_turn(&mut self, state: &Conversation) -> (SeatId, TurnNumber) {
        let running = state.seats.iter().find_map(|seat| Some((seat.id, seat.turn.as_ref()?.number)));
        match (running, self.bytes.below(8)) {
            (Some(found), 0..=6) => found,
            (_, other) => (SeatId(other & 1), TurnNumber(u32::from(self.bytes.below(6)) + 1)),
        }
    }

    fn settled(&mut self, state: &Conversation) -> Event {
        let under_way = state.legs.iter().find_map(|leg| Some((leg.id, leg.pushes.first()?.number)));
        let (leg, push) = match (under_way, self.bytes.below(8)) {
            (Some(found), 0..=6) => found,
            (_, other) => (LegId(u32::from(other & 3)), PushNumber(u32::from(self.bytes.below(4)))),
        };
        Event::Settled { leg, push, outcome: self.bytes.one_of(&OUTCOMES) }
    }

    fn a_request(&mut self) -> RequestId {
        RequestId(self.requests.saturating_sub(u64::from(self.bytes.below(4))))
    }

    fn time_passes(&mut self, state: &Conversation) -> Event {
        let ms = u64::from(self.bytes.byte());
        match state.next_due() {
            Some(due) if ms & 1 == 1 => self.now = self.now.max(due),
            _ => self.now = self.now + ms * ms,
        }
        Event::TimePassed
    }

    /// What an event promises.
    fn promised(&mut self, before: &Conversation, event: &Event) {
        let over = match event {
            Event::Said(said) => {
                self.waiting.extend(said.request.map(|request| (request, said.wait_until)));
                None
            }
            Event::Answered { seat, turn, answer } if answer.next != Next::More => Some((seat, turn)),
            Event::Failed { seat, turn, .. } => Some((seat, turn)),
            _ => None,
        };
        let runs = |seat: SeatId, turn: TurnNumber| {
            before.seat(seat).and_then(|seat| seat.turn.as_ref()).is_some_and(|running| running.number == turn)
        };
        if let Some((seat, turn)) = over.filter(|(seat, turn)| runs(**seat, **turn)) {
            self.ledger.answered(*seat, *turn);
            self.running.remove(seat);
            if matches!(event, Event::Answered { .. }) {
                assert_eq!(self.ledger.decided(*seat, *turn), Ok(()));
            }
        }
    }

    /// What the effects keep of it.
    fn kept(&mut self, event: &Event, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Seal { request, .. } | Effect::SealSame { request, .. } => {
                    assert!(self.waiting.remove(request).is_some(), "{request} was answered though nobody waited");
                }
                Effect::Ask(ask) => {
                    self.running.insert(ask.seat, (ask.turn, ask.hard_deadline));
                }
                Effect::WithdrawAsk { seat, .. } => {
                    self.running.remove(seat);
                }
                Effect::Bury { seat, part, .. } => self.buried.push((*seat, (**part).clone())),
                _ => {}
            }
        }
        if *event == Event::TimePassed {
            let late = self.waiting.iter().find(|(_, until)| **until <= self.now);
            assert_eq!(late, None, "a request waits though its time is over");
            let late = self.running.iter().find(|(_, (_, deadline))| *deadline <= self.now);
            assert_eq!(late, None, "a question runs though its time is over");
        }
    }
}

fn policies(choice: u8) -> Policies {
    let mut policy = BotPolicy { max_waiting_inputs: 3, max_turns: 12, ..BotPolicy::default() };
    if choice & 1 == 1 {
        policy.on_failure = OnFailure::Say;
    }
    if choice & 2 == 2 {
        policy.notify = vec![News::Opened, News::Ended, News::HandedOver, News::Returned];
        policy.texts = Texts { holding: Some("one moment".into()), ..Texts::default() }.into();
    }
    if choice & 8 == 8 {
        policy.opening = Opening::Greeting;
    }
    Policies { fallback: policy, ..Policies::default() }
}
