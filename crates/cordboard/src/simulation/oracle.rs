//! Judges what the outside saw against what the journal holds, when everything has come to rest.

use std::collections::{BTreeMap, BTreeSet};

use conversation::invariants::Ledger;
use conversation::{Conversation, apply};
use model::{Effect, Event, Fact, Item, Late, Part, SeatId, Timestamp, TurnNumber};

use super::engine::digest;
use super::platform::START;
use super::world::World;
use crate::engine::History;
use crate::step::turn_id;
use crate::store::{LetterQuery, Store as _};
use crate::stored;
use crate::window::{Window, is_taken};

/// What one conversation's journal tells.
#[derive(Default)]
struct Told {
    said: BTreeMap<String, u32>,
    /// Words of answers that the core took, in order.
    answered: Vec<String>,
    /// Whether some answer may have gone out twice.
    in_doubt: bool,
    /// Whether some reply counts as delivered on the evidence of the next message alone.
    taken_as_delivered: bool,
    /// How many lines of an answer that comes in lines were taken, by turn.
    lines: BTreeMap<(SeatId, TurnNumber), usize>,
    /// Words that an operator tried again: they come late, and perhaps twice.
    tried_again: BTreeSet<String>,
}

pub(super) async fn check(world: &World) -> Result<(), String> {
    first_of(&world.engine.lock().unwrap().violations)?;
    first_of(&world.platform.lock().unwrap().violations)?;
    let dead = dead_words(world).await;
    let conversations = world.memory.conversations(100).await.unwrap();
    let mut told = Told::default();
    for conversation in conversations {
        let one = replay(world, conversation).await?;
        told.in_doubt |= one.in_doubt;
        told.taken_as_delivered |= one.taken_as_delivered;
        told.answered.extend(one.answered);
        told.tried_again.extend(one.tried_again);
        for (words, times) in one.said {
            *told.said.entry(words).or_default() += times;
        }
    }
    no_lost_word(world, &told)?;
    no_lost_answer(world, &told, &dead)?;
    in_order(world, &told)
}

fn first_of(violations: &[String]) -> Result<(), String> {
    violations.first().map_or(Ok(()), |violation| Err(violation.clone()))
}

async fn dead_words(world: &World) -> BTreeSet<String> {
    let letters = world.memory.dead_letters(LetterQuery { after: 0, limit: 10_000 }).await.unwrap();
    letters
        .iter()
        .filter(|letter| &*letter.kind == "answer")
        .flat_map(|letter| {
            let letter = stored::decode_letter(&letter.payload.payload().unwrap()).unwrap();
            words(&letter.part)
        })
        .collect()
}

fn words(part: &Part) -> Vec<String> {
    texts(&part.items)
}

fn texts(items: &[Item]) -> Vec<String> {
    items
        .iter()
        .filter_map(|item| match item {
            Item::Text(text) => Some(text.clone()),
            _ => None,
        })
        .collect()
}

/// The journal, applied again from its first row, gives the same effects and the same state: it is the truth.
async fn replay(world: &World, conversation: model::ConversationId) -> Result<Told, String> {
    let rows = world.memory.read_journal(conversation, 1, 100_000).await.unwrap();
    let mut told = Told::default();
    let mut ledger = Ledger::default();
    let mut window = Window::default();
    let mut state = rows.first().map_or_else(|| Conversation::new(Timestamp(0)), |row| Conversation::new(row.at));
    for row in &rows {
        if row.schema_version != stored::VERSION {
            return Err(format!("a row names form {} and is written in {}", row.schema_version, stored::VERSION));
        }
        let journal = stored::decode_journal(&row.payload.payload().unwrap()).map_err(|error| error.to_string())?;
        let policies = world.memory.policies(row.policy_revision).await.unwrap();
        let policies = policies.ok_or_else(|| format!("no policies of revision {}", row.policy_revision))?;
        let policies = stored::decode_policies(&policies.payload().unwrap(), row.policy_revision);
        let policies = policies.map_err(|error| error.to_string())?;
        let (after, effects) = apply(&policies, state, &journal.events, row.at);
        if effects != journal.effects {
            return Err(format!(
                "row {} of {conversation} cannot be replayed:\n{effects:?}\n{:?}",
                row.seq, journal.effects
            ));
        }
        window.begin_row(row.seq, &journal.events, &effects);
        for effect in &effects {
            if let Effect::Ask(ask) = effect {
                told_before(world, &turn_id(conversation, ask.seat, ask.turn), &window.history(ask.seat))?;
            }
            window.add(effect);
        }
        for (index, event) in journal.events.iter().enumerate() {
            told.learn(&journal.events[index..], &effects)?;
            if matches!(event, Event::Failed { turn, seat, .. } if told.lines.contains_key(&(*seat, *turn))) {
                world.note("the rest is lost");
            }
            if let Event::Answered { seat, turn, .. } | Event::Failed { seat, turn, .. } = event {
                ledger.answered(*seat, *turn);
            }
        }
        ledger.observe(&effects)?;
        told.in_doubt |= effects.iter().any(|effect| matches!(effect, Effect::Record(Fact::PossibleDuplicate { .. })));
        told.taken_as_delivered |=
            effects.iter().any(|effect| matches!(effect, Effect::Record(Fact::TakenAsDelivered { .. })));
        state = after;
    }
    let loaded = world.memory.load(conversation).await.unwrap().unwrap();
    let stored = stored::decode_state(&loaded.state.payload().unwrap()).map_err(|error| error.to_string())?;
    if stored != state {
        return Err(format!("the state of {conversation} is not what its journal makes"));
    }
    if state.seats.iter().any(|seat| seat.turn.is_some()) {
        return Err(format!("{conversation} still asks, though everything was quiet for minutes"));
    }
    if !loaded.outbox.is_empty() {
        return Err(format!(
            "{conversation} still has {} rows to send, though everything was quiet for minutes",
            loaded.outbox.len()
        ));
    }
    if let Some(request) = state.legs.iter().flat_map(|leg| &leg.open).next() {
        return Err(format!("{} still waits", request.id));
    }
    Ok(told)
}

/// What the engine was told of a conversation when it was asked is what the journal tells, whatever crashed before.
fn told_before(world: &World, turn: &str, history: &History) -> Result<(), String> {
    let asked = world.engine.lock().unwrap();
    let expected = if world.history { digest(history) } else { digest(&History::default()) };
    match asked.histories.get(turn) {
        Some(told) if *told != expected => {
            Err(format!("the engine was told {told} before {turn}, and the journal tells {expected}"))
        }
        Some(_) | None => Ok(()),
    }
}

fn is_refused(effect: &Effect) -> bool {
    matches!(effect, Effect::Record(Fact::PushRefused { .. }))
}

impl Told {
    /// Learns from the first of these events.
    fn learn(&mut self, events: &[Event], effects: &[Effect]) -> Result<(), String> {
        match &events[0] {
            Event::Said(said) if said.poll.is_none() => *self.said.entry(said.input.shown().into()).or_default() += 1,
            Event::Answered { seat, turn, answer } if is_taken((*seat, *turn), events, effects) => {
                let lines = texts(&answer.items);
                once_begun(self.lines.entry((*seat, *turn)).or_default(), &lines)?;
                self.answered.extend(lines);
            }
            Event::Pushed { answer, .. } if !effects.iter().any(is_refused) => {
                self.answered.extend(texts(&answer.items));
            }
            Event::Redriven { part, .. } => self.tried_again.extend(words(part)),
            _ => {}
        }
        Ok(())
    }
}

/// Of an answer that was given out while it came, the customer gets one attempt, from its beginning on.
fn once_begun(known: &mut usize, lines: &[String]) -> Result<(), String> {
    let place = |line: &String| line.split(' ').skip_while(|word| *word != "line").nth(1)?.parse::<usize>().ok();
    for number in lines.iter().filter_map(place) {
        if number != *known {
            return Err(format!("2, once per turn: line {number} of an answer came, and {known} was expected"));
        }
        *known += 1;
    }
    Ok(())
}

fn is_words(said: &str) -> bool {
    !said.starts_with("poll") && !said.ends_with(START)
}

/// Invariant 1: what was acknowledged was applied; a recognised repetition was not applied twice.
fn no_lost_word(world: &World, told: &Told) -> Result<(), String> {
    let platform = world.platform.lock().unwrap();
    for said in platform.sessions.values().flat_map(|session| &session.acknowledged).filter(|said| is_words(said)) {
        match told.said.get(said) {
            None => return Err(format!("1, no lost word: {said:?} was acknowledged and is nowhere")),
            Some(times) if *times > 1 && world.late == Late::Push => {
                return Err(format!("1, no lost word: {said:?} was applied {times} times"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Invariant 10: every answer that the core took was seen, or is visible as undelivered. On a door that cannot push, the
/// next message of a session counts as evidence that the reply before it arrived; a world in which that was needed
/// proves nothing here.
fn no_lost_answer(world: &World, told: &Told, dead: &BTreeSet<String>) -> Result<(), String> {
    let platform = world.platform.lock().unwrap();
    let seen: BTreeSet<&String> = platform.sessions.values().flat_map(|session| &session.seen).collect();
    for answer in &told.answered {
        if !seen.contains(answer) && !dead.contains(answer) && !told.taken_as_delivered {
            return Err(format!("10, no lost answer: {answer:?} was neither seen nor buried"));
        }
    }
    for session in platform.sessions.values() {
        let mut once = BTreeSet::new();
        for answer in session.seen.iter().filter(|words| words.starts_with("answer")) {
            if !once.insert(answer)
                && !told.in_doubt
                && !told.tried_again.contains(answer)
                && !world.log().contains("5xx after")
                && !world.log().contains("crash")
                && !world.log().contains("stopped with calls running")
            {
                return Err(format!("2, once per turn: {answer:?} was seen twice, and nothing was in doubt"));
            }
        }
    }
    Ok(())
}

/// Invariant 3: what a customer sees for the first time comes in the order in which the core took it; and nothing is
/// seen that the core did not take: nothing is done before it is committed.
fn in_order(world: &World, told: &Told) -> Result<(), String> {
    let taken: BTreeMap<&String, usize> =
        told.answered.iter().enumerate().map(|(place, answer)| (answer, place)).collect();
    let platform = world.platform.lock().unwrap();
    for (name, session) in &platform.sessions {
        let mut last = 0;
        let mut known = BTreeSet::new();
        let answers = session.seen.iter().filter(|words| words.starts_with("answer"));
        let is_later = |answer: &String| session.asked_again.contains(answer) || told.tried_again.contains(answer);
        for answer in answers.filter(|answer| known.insert((*answer).clone()) && !is_later(answer)) {
            let Some(place) = taken.get(answer) else {
                return Err(format!("{name} saw {answer:?}, which no journal holds"));
            };
            if *place < last {
                return Err(format!("3, in order: {name} saw {answer:?} too late, in {:?}", session.seen));
            }
            last = *place;
        }
    }
    Ok(())
}
