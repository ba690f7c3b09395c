//! Random walks: whatever happens in whatever order, the invariants hold, the core agrees with a simple model, and the
//! same seed gives the same bytes.
//!
//! The model knows nothing of legs, holding or pushes. It knows what anybody could promise a customer: every request is
//! answered exactly once and not after its deadline; inputs are asked one at a time, in the order they were said; a turn
//! is over at its hard deadline; and every word of an accepted answer is on its way, arrived, or visible as undelivered.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use model::{
    Answer, BotKey, Effect, Event, Fact, Failure, HandOver, Holder, Item, Late, LegId, News, Next, Part, PushOutcome,
    Reply, RequestId, SeatId, Timestamp, TurnNumber,
};

use super::story::said;
use crate::invariants::{Ledger, bounded, sound};
use crate::{BotPolicy, Conversation, OnFailure, Opening, Policies, Texts, Wants, apply};

const SEEDS: u64 = 20_000;
const EVENTS: u32 = 60;

#[test]
fn twenty_thousand_walks_keep_every_promise_twice() {
    let threads: u64 = 2;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                for seed in (0..SEEDS).filter(|seed| seed % threads == thread) {
                    let (first, second) = (walk(seed), walk(seed));
                    assert_eq!(first, second, "seed {seed} is not deterministic");
                }
            });
        }
    });
}

/// The walks reach what they are meant to test; without this a mistake in the generator could make them pass idly.
#[test]
fn walks_reach_the_rare_cases() {
    let mut log = String::new();
    for seed in 0..400 {
        log.push_str(&walk(seed));
    }
    for rare in [
        "Pending {",
        "Holding {",
        "SealSame",
        "PossibleDuplicate",
        "TakenAsDelivered",
        "StaleAnswer",
        "HoldingLimit",
        "TurnLimit",
        "Refused",
        "Superseded",
        "FloorTaken",
        "SessionClosed",
        "FollowUpExpired",
        "SessionExpired",
        "Unasked",
        "EmptyPoll",
        "Returned",
        "WithdrawPushes",
        "RedriveRefused",
        "Redriven",
        "PushRefused",
        "FellBack",
        "Greeted",
        "NotOpened",
        "Merged",
        "OutOfService",
        "Operator }",
    ] {
        assert!(log.contains(rare), "no walk reached {rare}");
    }
}

/// Small, fast, and the same everywhere (xorshift64*).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % sides
    }
}

fn walk(seed: u64) -> String {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let late = [Late::Push, Late::PollButton, Late::PendingFlow][dice.roll(3) as usize];
    let policies = policies(&mut dice);
    let mut walker = Walker {
        late,
        merge_quiet_ms: if dice.roll(2) == 0 { 5_000 } else { 0 },
        now: Timestamp(1_000_000),
        next_request: 1,
        next_word: 1,
        session: 1,
        model: Model::default(),
        ledger: Ledger::default(),
        buried: Vec::new(),
    };
    let mut state = Conversation::new(walker.now);
    let mut log = String::new();
    for _ in 0..EVENTS {
        if dice.roll(3) == 0 {
            walker.now = walker.now + dice.roll(20_000);
        }
        let (start, mut events, mut all) = (state.clone(), Vec::new(), Vec::new());
        for _ in 0..=dice.roll(6) / 5 {
            let event = walker.event(&mut dice, &state);
            let before = state.clone();
            let told = Told { seed, event: &event, before: &before };
            let (after, effects) = apply(&policies, state, std::slice::from_ref(&event), walker.now);
            let kept = walker.check(&before, &after, &event, &effects);
            assert!(kept.is_ok(), "{}\neffects {effects:?}", kept.unwrap_err());
            drop(told);
            (state, events) = (after, [events, vec![event]].concat());
            all.extend(effects);
        }
        // Events that share a step do what they do one after another. (Time may have moved between them, so a step of
        // several is compared at the later time.)
        if events.len() > 1 && start.next_due().is_none_or(|due| due > walker.now) && start.now == walker.now {
            assert_eq!(
                apply(&policies, start, &events, walker.now),
                (state.clone(), all.clone()),
                "seed {seed}: {events:?}"
            );
        }
        write!(log, "{all:?}").unwrap();
    }
    write!(log, "{state:?}").unwrap();
    log
}

/// Tells which seed and which event a panic belongs to.
struct Told<'a> {
    seed: u64,
    event: &'a Event,
    before: &'a Conversation,
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("seed {}: {:?}\nbefore {:?}", self.seed, self.event, self.before);
        }
    }
}

fn policies(dice: &mut Dice) -> Policies {
    let mut policy = BotPolicy { max_waiting_inputs: 3, max_turns: 12, ..BotPolicy::default() };
    if dice.roll(2) == 0 {
        policy.on_failure = OnFailure::Say;
    }
    if dice.roll(2) == 0 {
        policy.notify = vec![News::Opened, News::Ended, News::HandedOver, News::Returned];
        policy.texts = Texts { holding: Some("one moment".into()), ..Texts::default() }.into();
    }
    policy.opening = [Opening::Engine, Opening::Greeting, Opening::Silent][dice.roll(3) as usize];
    let out_of_service = match dice.roll(8) {
        0 => [(BotKey::from("other"), "broken".to_owned())].into(),
        _ => Default::default(),
    };
    Policies { fallback: policy, out_of_service, ..Policies::default() }
}

struct Walker {
    late: Late,
    merge_quiet_ms: u64,
    now: Timestamp,
    next_request: u64,
    next_word: u64,
    session: u64,
    model: Model,
    ledger: Ledger,
    buried: Vec<(SeatId, Part)>,
}

/// What anybody could promise a customer.
#[derive(Default)]
struct Model {
    /// Requests without an answer, and until when they wait.
    waiting: BTreeMap<RequestId, Timestamp>,
    /// The number of the latest message that was asked, by seat: each is asked once, and in order, merged or not.
    told: BTreeMap<SeatId, u64>,
    /// The last turn asked, by seat.
    asked: BTreeMap<SeatId, TurnNumber>,
    /// What the engine works on, until when.
    running: BTreeMap<SeatId, (TurnNumber, Timestamp)>,
    /// Words of accepted answers, and how often they went out.
    words: BTreeMap<String, u32>,
    /// Words that may go out once more, because their response is known or feared not to have arrived.
    again: BTreeSet<String>,
    /// Words that are visible as undelivered.
    undelivered: BTreeSet<String>,
}

impl Walker {
    fn event(&mut self, dice: &mut Dice, state: &Conversation) -> Event {
        match dice.roll(100) {
            0..30 => self.customer(dice),
            30..52 => self.answer(dice, state),
            52..55 => {
                let (seat, turn) = Self::a_turn(dice, state);
                Event::Failed { seat, turn, failure: Failure::Unavailable }
            }
            55..58 => Event::Pushed { seat: SeatId(dice.roll(2) as u8), answer: Box::new(self.words(dice, 4)) },
            58..66 => Self::settlement(dice, state),
            66..78 => Event::ReplyOut {
                request: self.a_request(dice),
                at: Timestamp(self.now.0 - dice.roll(400).cast_signed()),
            },
            78..82 => Event::ReplyAborted { request: self.a_request(dice) },
            82 => Event::Refused { request: self.a_request(dice) },
            83..94 => {
                if let Some(due) = state.next_due()
                    && dice.roll(3) > 0
                {
                    self.now = self.now.max(due);
                }
                Event::TimePassed
            }
            94 => Event::Draining,
            95 => Event::FloorSeen {
                holder: [Holder::Human, Holder::Queued, Holder::Bot, Holder::Ended][dice.roll(4) as usize],
            },
            96 if dice.roll(3) == 0 => Event::HandedOverByOperator { bot: "bot".into(), reason: "broken".into() },
            96 => Event::EndedByOperator,
            97 | 98 => match self.buried.pop() {
                Some((seat, part)) => Event::Redriven { seat, part: Box::new(part) },
                None => Event::TimePassed,
            },
            _ => {
                let (seat, turn) = Self::a_turn(dice, state);
                Event::Accepted { seat, turn }
            }
        }
    }

    fn customer(&mut self, dice: &mut Dice) -> Event {
        let request = self.next_request;
        self.next_request += 1;
        if dice.roll(9) == 0 {
            self.session += 1;
        }
        let session = format!("s{}", self.session.saturating_sub(dice.roll(12) / 11));
        let bot = if dice.roll(12) == 0 { "other" } else { "bot" };
        let text = match dice.roll(10) {
            0 => " ".into(),
            1 | 2 if self.late != Late::Push => format!("poll {}", dice.roll(4)),
            3 => "ok".into(),
            4 if dice.roll(3) == 0 => "start".into(),
            4 => format!("tap i{request}"),
            _ => format!("i{request}"),
        };
        let mut said = said(self.late, request, &session, bot, &text, self.now + 7_000);
        said.session_lifetime_ms = 600_000;
        said.door.follow_up_ms = 60_000;
        (said.door.merge_quiet_ms, said.door.merge_max_ms) = (self.merge_quiet_ms, 15_000);
        if text == "ok" {
            said.wait_until = self.now + 8_000;
        }
        if dice.roll(25) == 0 {
            // An operator tries a message again.
            said.request = None;
        }
        Event::Said(Box::new(said))
    }

    fn words(&mut self, dice: &mut Dice, ends: u64) -> Answer {
        let items = (0..dice.roll(3))
            .map(|_| {
                self.next_word += 1;
                Item::text(format!("w{}", self.next_word))
            })
            .collect();
        let next = match dice.roll(20) {
            0 => Next::End,
            1 => Next::HandOver(HandOver::default()),
            roll if roll < ends => Next::More,
            _ => Next::Await,
        };
        Answer { next, ..Answer::saying(items) }
    }

    fn answer(&mut self, dice: &mut Dice, state: &Conversation) -> Event {
        let (seat, turn) = Self::a_turn(dice, state);
        Event::Answered { seat, turn, answer: Box::new(self.words(dice, 5)) }
    }

    /// Mostly a turn that runs, now and then one that does not.
    fn a_turn(dice: &mut Dice, state: &Conversation) -> (SeatId, TurnNumber) {
        let running = state.seats.iter().find_map(|seat| Some((seat.id, seat.turn.as_ref()?.number)));
        match running {
            Some(found) if dice.roll(8) > 0 => found,
            _ => (SeatId(dice.roll(2) as u8), TurnNumber(1 + dice.roll(6) as u32)),
        }
    }

    fn settlement(dice: &mut Dice, state: &Conversation) -> Event {
        let outcome = match dice.roll(12) {
            0 => PushOutcome::SessionClosed,
            1 => PushOutcome::Rejected,
            2 => PushOutcome::GaveUp,
            3 => PushOutcome::OutcomeUnknown,
            _ => PushOutcome::Delivered,
        };
        let under_way = state.legs.iter().find_map(|leg| Some((leg.id, leg.pushes.first()?.number)));
        let (leg, push) = under_way.unwrap_or((LegId(0), model::PushNumber(1)));
        Event::Settled { leg, push, outcome }
    }

    fn a_request(&self, dice: &mut Dice) -> RequestId {
        RequestId(self.next_request.saturating_sub(1 + dice.roll(3)))
    }

    fn check(
        &mut self,
        before: &Conversation,
        after: &Conversation,
        event: &Event,
        effects: &[Effect],
    ) -> Result<(), String> {
        bounded(after)?;
        sound(after)?;
        self.promised(before, event)?;
        only_where_it_belongs(before, after, event)?;
        self.ledger.observe(effects)?;
        self.may_go_again(before, event, effects);
        self.kept(event, effects)?;
        if *event == Event::TimePassed {
            self.nothing_overdue()?;
            nothing_gathers_for_ever(after)?;
        }
        one_request_waits(after)?;
        self.no_word_lost(after)
    }

    /// What an event promises: a request to answer, words to deliver, a turn that is over.
    fn promised(&mut self, before: &Conversation, event: &Event) -> Result<(), String> {
        let runs = |seat: SeatId, turn: TurnNumber| {
            before.seat(seat).and_then(|seat| seat.turn.as_ref()).is_some_and(|running| running.number == turn)
        };
        match event {
            Event::Said(said) => {
                self.model.waiting.extend(said.request.map(|request| (request, said.wait_until)));
            }
            Event::Answered { seat, turn, answer } if runs(*seat, *turn) => {
                if answer.next != Next::More {
                    self.ledger.answered(*seat, *turn);
                    self.ledger.decided(*seat, *turn)?;
                    self.model.running.remove(seat);
                }
                self.model.words.extend(answer.items.iter().map(|item| (text(item), 0)));
            }
            Event::Failed { seat, turn, .. } if runs(*seat, *turn) => {
                self.ledger.answered(*seat, *turn);
                self.model.running.remove(seat);
            }
            Event::Redriven { part, .. } => {
                for item in &part.items {
                    self.model.undelivered.remove(&text(item));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// What the effects keep of it.
    fn kept(&mut self, event: &Event, effects: &[Effect]) -> Result<(), String> {
        for effect in effects {
            if let Effect::Seal { request, .. } | Effect::SealSame { request, .. } = effect
                && self.model.waiting.remove(request).is_none()
            {
                return Err(format!("{request} was answered though nobody waited"));
            }
            match effect {
                Effect::Ask(ask) => {
                    let last = self.model.asked.insert(ask.seat, ask.turn);
                    if last.is_some_and(|last| last >= ask.turn) {
                        return Err(format!("{} asked after {last:?}", ask.turn));
                    }
                    for number in ask.input.shown().lines().filter_map(|line| line.strip_prefix('i')?.parse().ok()) {
                        let last = self.model.told.insert(ask.seat, number);
                        if last.is_some_and(|last| last >= number) {
                            return Err(format!("i{number} asked after i{last:?}"));
                        }
                    }
                    self.model.running.insert(ask.seat, (ask.turn, ask.hard_deadline));
                }
                Effect::WithdrawAsk { seat, .. } => {
                    self.model.running.remove(seat);
                }
                Effect::Seal {
                    reply: Reply::Parts(parts) | Reply::Holding { parts, .. } | Reply::Pending { parts, .. },
                    ..
                } => {
                    self.out(parts)?;
                }
                Effect::Push(push) => self.out(&push.parts)?,
                Effect::Bury { seat, part, .. } => {
                    self.model.undelivered.extend(part.items.iter().map(text));
                    self.buried.push((*seat, (**part).clone()));
                }
                Effect::Record(Fact::RedriveRefused { .. }) => {
                    if let Event::Redriven { part, .. } = event {
                        self.model.undelivered.extend(part.items.iter().map(text));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn may_go_again(&mut self, before: &Conversation, event: &Event, effects: &[Effect]) {
        let feared = effects.iter().any(|effect| matches!(effect, Effect::Record(Fact::PossibleDuplicate { .. })));
        for sealed in before.legs.iter().flat_map(|leg| &leg.unconfirmed) {
            let aborted = matches!(event, Event::ReplyAborted { request } if sealed.is(*request));
            if feared || aborted || sealed.aborted.is_some() {
                self.model.again.extend(sealed.parts.iter().flat_map(|part| part.items.iter().map(text)));
            }
        }
        if let Event::Redriven { part, .. } = event {
            self.model.again.extend(part.items.iter().map(text));
        }
    }

    /// Words go out once, and once more only when the first time is in doubt.
    fn out(&mut self, parts: &[Part]) -> Result<(), String> {
        for word in parts.iter().flat_map(|part| part.items.iter().map(text)) {
            if let Some(times) = self.model.words.get_mut(&word) {
                *times += 1;
                if *times > 1 && !self.model.again.remove(&word) {
                    return Err(format!("{word} went out {times} times"));
                }
            }
        }
        Ok(())
    }

    fn nothing_overdue(&self) -> Result<(), String> {
        if let Some((request, until)) = self.model.waiting.iter().find(|(_, until)| **until <= self.now) {
            return Err(format!("{request} still waits, though its time was over at {until}"));
        }
        match self.model.running.iter().find(|(_, (_, deadline))| *deadline <= self.now) {
            Some((seat, (turn, deadline))) => {
                Err(format!("{turn} of {seat} still runs, though its time was over at {deadline}"))
            }
            None => Ok(()),
        }
    }

    fn no_word_lost(&self, state: &Conversation) -> Result<(), String> {
        let on_its_way: BTreeSet<String> = state
            .legs
            .iter()
            .flat_map(|leg| {
                let sealed = leg.unconfirmed.iter().flat_map(|sealed| &sealed.parts);
                leg.held.iter().chain(leg.pushes.iter().flat_map(|push| &push.parts)).chain(sealed)
            })
            .flat_map(|part| part.items.iter().map(text))
            .collect();
        let lost = self.model.words.iter().find(|(word, times)| {
            **times == 0 && !on_its_way.contains(*word) && !self.model.undelivered.contains(*word)
        });
        lost.map_or(Ok(()), |(word, _)| Err(format!("10, no lost answer: {word} is nowhere")))
    }
}

/// 5, the floor is respected: a message that is tried again opens no session where one was, and takes the floor from
/// nobody.
fn only_where_it_belongs(before: &Conversation, after: &Conversation, event: &Event) -> Result<(), String> {
    let again = matches!(event, Event::Said(said) if said.request.is_none());
    if !again || before.legs.is_empty() {
        return Ok(());
    }
    let still = Conversation { now: after.now, ..before.clone() };
    if before.floor.holder != Holder::Bot && *after != still {
        return Err(format!("a redriven message changed a conversation of {}", before.floor.holder.word()));
    }
    let open = |state: &Conversation| state.legs.iter().filter(|leg| leg.closed.is_none()).count();
    if open(after) > open(before) || after.next_leg != before.next_leg {
        return Err("a redriven message opened a session".into());
    }
    Ok(())
}

/// Messages are merged until their time is over, and asked then.
fn nothing_gathers_for_ever(state: &Conversation) -> Result<(), String> {
    match state.seats.iter().find_map(|seat| seat.gathered_at().filter(|at| *at <= state.now)) {
        Some(at) => Err(format!("an input still gathers, though its time was over at {at}")),
        None => Ok(()),
    }
}

/// Of merged messages only the latest one's request waits for the answer.
fn one_request_waits(state: &Conversation) -> Result<(), String> {
    for leg in &state.legs {
        let wanted: Vec<TurnNumber> = leg
            .open
            .iter()
            .filter_map(|open| if let Wants::Turn(number) = open.wants { Some(number) } else { None })
            .collect();
        let distinct: BTreeSet<TurnNumber> = wanted.iter().copied().collect();
        if distinct.len() < wanted.len() {
            return Err(format!("two requests wait for one turn: {wanted:?}"));
        }
    }
    Ok(())
}

fn text(item: &Item) -> String {
    match item {
        Item::Text(text) => text.clone(),
        Item::Choices(choices) => choices.prompt.clone(),
        other => other.plain().into_owned(),
    }
}
