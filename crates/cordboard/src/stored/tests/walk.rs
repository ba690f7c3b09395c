//! Random walks through the core: whatever it makes of random events is read back as it was.

use conversation::{BotPolicy, Conversation, OnFailure, Opening, Policies, Texts, apply};
use model::{
    Answer, Attributes, BotKey, Choice, Choices, ConnectorKey, Cut, Door, Effect, Event, Failure, HandOver, Holder,
    Input, Intent, Item, Late, LegId, LegName, News, Next, Opaque, Part, Poll, PollNumber, PushNumber, PushOutcome,
    RequestId, Said, SeatId, SlotValue, Timestamp, TurnNumber,
};

use crate::stored::{
    Journal, Letter, decode_event, decode_journal, decode_letter, decode_state, encode_event, encode_journal,
    encode_letter, encode_state,
};

const WALKS: u64 = 60;
const STEPS: u32 = 80;

#[test]
fn what_the_core_makes_is_read_back_as_it_was() {
    let mut seen = Seen::default();
    for seed in 1..=WALKS {
        Walk::new(seed).goes(&mut seen);
    }
    assert!(seen.complete(), "walks too tame to show anything: {seen:?}");
}

/// What the walks met, so that they cannot become tame unnoticed.
#[derive(Debug, Default)]
struct Seen {
    letters: u32,
    held: u32,
    unconfirmed: u32,
    pushes: u32,
    waiting: u32,
    joined: u32,
    seats: u32,
    closed: u32,
}

impl Seen {
    fn state(&mut self, state: &Conversation) {
        self.seats += u32::from(state.seats.len() > 1);
        self.waiting += u32::from(state.seats.iter().any(|seat| !seat.waiting.is_empty()));
        for leg in &state.legs {
            self.held += u32::from(!leg.held.is_empty());
            self.unconfirmed += u32::from(!leg.unconfirmed.is_empty());
            self.pushes += u32::from(!leg.pushes.is_empty());
            self.joined += u32::from(leg.open.iter().any(|open| !open.joined.is_empty()));
            self.closed += u32::from(leg.closed.is_some());
        }
    }

    fn complete(&self) -> bool {
        let Self { letters, held, unconfirmed, pushes, waiting, joined, seats, closed } = self;
        [letters, held, unconfirmed, pushes, waiting, joined, seats, closed].iter().all(|times| **times > 10)
    }
}

/// Small, fast, and the same everywhere (xorshift64*).
struct Dice(u64);

impl Dice {
    fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn roll(&mut self, sides: u64) -> u64 {
        (self.number() >> 33) % sides
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }

    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.roll(choices.len() as u64) as usize].clone()
    }
}

struct Walk {
    dice: Dice,
    seed: u64,
    late: Late,
    now: Timestamp,
    requests: u64,
    buried: Vec<(SeatId, Part)>,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let late = dice.of(&[Late::Push, Late::PollButton, Late::PendingFlow]);
        Self { dice, seed, late, now: Timestamp(1_767_225_600_000), requests: 0, buried: Vec::new() }
    }

    fn goes(mut self, seen: &mut Seen) {
        let policies = self.policies();
        let mut state = Conversation::new(self.now);
        for _ in 0..STEPS {
            self.now = self.now + self.dice.roll(9_000);
            let events: Vec<Event> = (0..=self.dice.roll(3) / 2).map(|_| self.event(&state)).collect();
            let (after, effects) = apply(&policies, state, &events, self.now);
            state = after;
            self.comes_back(&state, &events, &effects, seen);
            seen.state(&state);
        }
    }

    fn comes_back(&mut self, state: &Conversation, events: &[Event], effects: &[Effect], seen: &mut Seen) {
        let seed = self.seed;
        assert_eq!(decode_state(&encode_state(state)).as_ref(), Ok(state), "seed {seed}");
        let row = Journal { events: events.to_vec(), effects: effects.to_vec(), changes: Vec::new(), seen: Vec::new() };
        assert_eq!(decode_journal(&encode_journal(events, effects, &[], &[])), Ok(row), "seed {seed}");
        for event in events {
            assert_eq!(decode_event(&encode_event(event)).as_ref(), Ok(event), "seed {seed}");
        }
        for effect in effects {
            if let Effect::Bury { seat, part, reason } = effect {
                let letter = Letter { seat: *seat, part: (**part).clone(), reason: *reason };
                assert_eq!(decode_letter(&encode_letter(*seat, part, *reason)), Ok(letter), "seed {seed}");
                self.buried.push((*seat, (**part).clone()));
                seen.letters += 1;
            }
        }
    }

    fn policies(&mut self) -> Policies {
        let mut policy = BotPolicy { max_turns: 25, ..BotPolicy::default() };
        policy.on_failure = self.dice.of(&[OnFailure::Say, OnFailure::HandOver]);
        policy.notify = vec![News::Opened, News::Ended, News::HandedOver, News::Returned];
        let texts = Texts { holding: Some(self.words()), ..Texts::default() };
        policy.texts = texts.into();
        policy.opening = self.dice.of(&[Opening::Engine, Opening::Greeting, Opening::Silent]);
        Policies { fallback: policy, ..Policies::default() }
    }

    fn event(&mut self, state: &Conversation) -> Event {
        let seat = SeatId(self.dice.roll(2) as u8);
        match self.dice.roll(20) {
            0..7 => self.said(),
            7..11 => {
                let running = state.seats.iter().find_map(|seat| Some((seat.id, seat.turn.as_ref()?.number)));
                let (seat, turn) = running.unwrap_or((seat, TurnNumber(1)));
                match self.dice.roll(8) {
                    0 => Event::Failed { seat, turn, failure: self.dice.of(&[Failure::NoBot, Failure::TimedOut]) },
                    1 => Event::Accepted { seat, turn },
                    _ => Event::Answered { seat, turn, answer: Box::new(self.answer()) },
                }
            }
            11 => Event::Pushed { seat, answer: Box::new(self.answer()) },
            12 | 13 => {
                let under_way = state.legs.iter().find_map(|leg| Some((leg.id, leg.pushes.first()?.number)));
                let (leg, push) = under_way.unwrap_or((LegId(0), PushNumber(1)));
                let outcome =
                    self.dice.of(&[PushOutcome::Delivered, PushOutcome::Rejected, PushOutcome::SessionClosed]);
                Event::Settled { leg, push, outcome }
            }
            14 | 15 => Event::ReplyOut { request: self.request(), at: self.now },
            16 => self.dice.of(&[true, false]).then_some(()).map_or_else(
                || Event::Refused { request: RequestId(self.requests) },
                |()| Event::ReplyAborted { request: RequestId(self.requests) },
            ),
            17 => {
                self.now = state.next_due().map_or(self.now, |due| due.max(self.now));
                Event::TimePassed
            }
            18 => match self.buried.pop() {
                Some((seat, part)) => Event::Redriven { seat, part: Box::new(part) },
                None => Event::Draining,
            },
            _ => match self.dice.roll(6) {
                0 => Event::EndedByOperator,
                1 => Event::HandedOverByOperator { bot: BotKey::from("orders"), reason: self.words() },
                _ => Event::FloorSeen { holder: self.dice.of(&[Holder::Human, Holder::Queued, Holder::Bot]) },
            },
        }
    }

    fn request(&mut self) -> RequestId {
        RequestId(self.requests.saturating_sub(self.dice.roll(3)))
    }

    fn said(&mut self) -> Event {
        self.requests += 1;
        let input = match self.dice.roll(6) {
            0 => Input::Choice { label: self.words(), payload: self.words() },
            1 => Input::Text("ok".into()),
            2 if self.dice.one_in(3) => Input::Start,
            _ => Input::Text(self.words()),
        };
        let poll = match self.dice.roll(8) {
            0 if self.late != Late::Push => Some(Poll::Number(PollNumber(self.dice.roll(4) as u32))),
            1 if self.late != Late::Push => Some(Poll::Any),
            _ => None,
        };
        let session = format!("session-{}", self.requests / 12);
        let push = self.late == Late::Push;
        Event::Said(Box::new(Said {
            request: (!self.dice.one_in(10)).then_some(RequestId(self.requests)),
            wait_until: self.now + 7_000,
            leg: LegName { connector: ConnectorKey::from("door"), session },
            door: Door {
                late: self.late,
                join_identical_ms: if push { 0 } else { 3_000 },
                retry_window_ms: 15_000,
                push_after_ack_ms: 100,
                follow_up_ms: 60_000,
                merge_quiet_ms: self.dice.of(&[0, 2_000]),
                merge_max_ms: 5_000,
            },
            bot: self.dice.of(&[BotKey::from("orders"), BotKey::from("orders"), BotKey::from("bookings")]),
            fresh_session: u128::from(self.dice.number()) << 64 | u128::from(self.dice.number()),
            body_hash: if input == Input::Text("ok".into()) { 1 } else { self.dice.number() },
            input,
            language: self.dice.of(&["en-us", "de", ""]).into(),
            parameters: self.attributes(),
            session_lifetime_ms: 600_000,
            address: self.bytes(),
            channel: None,
            customer: None,
            masked: Vec::new(),
            poll,
        }))
    }

    fn answer(&mut self) -> Answer {
        let next = match self.dice.roll(12) {
            0 => Next::End,
            1 => Next::HandOver(HandOver { reason: self.words(), note: Some(self.words()) }),
            2 | 3 => Next::More,
            _ => Next::Await,
        };
        let intent = Intent { name: self.words(), confidence_permille: self.dice.of(&[None, Some(0), Some(875)]) };
        let slots = [SlotValue::One(self.words()), SlotValue::Many(vec![self.words(), self.words()])];
        Answer {
            items: (0..self.dice.roll(4)).map(|_| self.item()).collect(),
            next,
            slots: if self.dice.one_in(2) { [(self.words(), self.dice.of(&slots))].into() } else { [].into() },
            intent: self.dice.of(&[None, Some(intent)]),
            attributes: self.attributes(),
            engine_state: self.dice.one_in(2).then(|| self.bytes()),
            cuts: if self.dice.one_in(4) { vec![Cut::Text, Cut::Dropped] } else { Vec::new() },
            usage: None,
        }
    }

    fn item(&mut self) -> Item {
        if self.dice.one_in(3) {
            let options = (0..self.dice.roll(4)).map(|_| Choice::new(self.words(), self.words()));
            let options = options.collect();
            Item::Choices(Choices { prompt: self.words(), options })
        } else {
            Item::text(self.words())
        }
    }

    fn attributes(&mut self) -> Attributes {
        (0..self.dice.roll(3)).map(|_| (self.words(), self.words())).collect()
    }

    fn bytes(&mut self) -> Opaque {
        Opaque((0..self.dice.roll(40)).map(|_| self.dice.number() as u8).collect())
    }

    /// Words of any script, with what JSON must escape.
    fn words(&mut self) -> String {
        const LETTERS: [char; 14] =
            ['a', 'Z', '7', ' ', '"', '\\', '/', '\n', '\0', '\u{7f}', 'ß', '\u{2028}', '漢', '\u{1f642}'];
        (0..self.dice.roll(24)).map(|_| self.dice.of(&LETTERS)).collect()
    }
}
