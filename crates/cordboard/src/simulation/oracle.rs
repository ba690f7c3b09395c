//! Judges what the outside saw against what the journal holds, when everything has come to rest.

use std::collections::{BTreeMap, BTreeSet};

use conversation::invariants::Ledger;
use conversation::{Conversation, apply};
use model::{Effect, Event, Fact, Item, Late, Part, Timestamp};

use super::platform::START;
use super::world::World;
use crate::store::{LetterQuery, Store as _};
use crate::stored;

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
        for event in &journal.events {
            told.learn(event, &effects);
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

fn is_refused(effect: &Effect) -> bool {
    matches!(effect, Effect::Record(Fact::PushRefused { .. }))
}

impl Told {
    fn learn(&mut self, event: &Event, effects: &[Effect]) {
        match event {
            Event::Said(said) if said.poll.is_none() => *self.said.entry(said.input.shown().into()).or_default() += 1,
            Event::Answered { seat, turn, answer } => {
                let is_stale = |effect: &Effect| matches!(effect, Effect::Record(Fact::StaleAnswer { seat: s, turn: t }) if s == seat && t == turn);
                if !effects.iter().any(is_stale) {
                    self.answered.extend(texts(&answer.items));
                }
            }
            Event::Pushed { answer, .. } if !effects.iter().any(is_refused) => {
                self.answered.extend(texts(&answer.items));
            }
            Event::Redriven { part, .. } => self.tried_again.extend(words(part)),
            _ => {}
        }
    }
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
