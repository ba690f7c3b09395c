//! What the outside saw, and whether it may have seen that (DESIGN, section 7).
//!
//! While the gateway runs, only the outside is looked at. When it has ended, its journals are read too: they tell what
//! became of words that were said in a session which the customer left.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Bytes;
use cordboard::stored::Journal;
use model::{Effect, Event, Fact, Item};
use serde_json::Value;

/// A turn as the bot knows it.
#[derive(Debug)]
struct Turn {
    said: String,
    conversation: String,
    /// In which runs it was asked.
    runs: BTreeSet<u32>,
}

/// A message that was answered with a 2xx.
#[derive(Debug)]
struct Acknowledged {
    session: String,
    said: String,
    /// Whether the platform's messages have ids, by which a repeated one is recognised.
    has_id: bool,
}

#[derive(Default)]
pub(super) struct Ledger {
    turns: BTreeMap<String, Turn>,
    /// The turns in the order of their first question.
    asked: Vec<String>,
    /// What the bot works on, by run and conversation.
    under_way: BTreeMap<(u32, String), String>,
    /// In which session each word was said.
    sessions: BTreeMap<String, String>,
    /// What each session's customer saw, in order.
    seen: BTreeMap<String, Vec<String>>,
    /// Sessions that the customer left.
    pub(super) closed: BTreeSet<String>,
    replies: BTreeMap<String, String>,
    acknowledged: Vec<Acknowledged>,
    /// How often the gateway refused, and how often a connection broke.
    pub(super) refused: usize,
    pub(super) broken: usize,
    /// How often an answer was seen again.
    pub(super) repeated: usize,
    /// How often a reply was asked for again, and came with the same bytes.
    pub(super) same_bytes: usize,
    violations: Vec<String>,
}

/// The number in `c3m17`.
fn number(said: &str) -> u64 {
    said.rsplit_once('m').unwrap().1.parse().unwrap()
}

/// What was said, at the end of an answer.
fn said_in(answer: &str) -> &str {
    answer.rsplit_once(' ').unwrap().1
}

/// Whether something that is kept holds these words; in it they are the whole of a text, or its end.
fn is_kept(kept: &[String], words: &str) -> bool {
    let whole = format!("{words}\"");
    kept.iter().any(|one| one.contains(&whole))
}

/// What the journals tell.
#[derive(Default)]
pub(super) struct Told {
    /// How often each word was applied.
    said: BTreeMap<String, u32>,
    /// The answers that the core took.
    answered: Vec<String>,
    /// What the next run would send.
    waiting: Vec<String>,
}

impl Told {
    /// Something is still to be sent.
    pub(super) fn wait(&mut self, rows: impl Iterator<Item = Bytes>) {
        self.waiting.extend(rows.map(|row| String::from_utf8_lossy(&row).into_owned()));
    }

    pub(super) fn learn(&mut self, journal: &Journal) {
        for event in &journal.events {
            match event {
                Event::Said(said) if said.poll.is_none() => {
                    *self.said.entry(said.input.shown().to_owned()).or_default() += 1;
                }
                Event::Answered { seat, turn, answer } => {
                    let stale = Effect::Record(Fact::StaleAnswer { seat: *seat, turn: *turn });
                    if !journal.effects.contains(&stale) {
                        self.answered.extend(answer.items.iter().filter_map(|item| match item {
                            Item::Text(text) => Some(text.clone()),
                            _ => None,
                        }));
                    }
                }
                _ => {}
            }
        }
    }
}

impl Ledger {
    pub(super) fn violate(&mut self, violation: String) {
        self.violations.push(violation);
    }

    pub(super) fn ask(&mut self, run: u32, conversation: &str, turn: &str, said: &str) {
        let known = self.turns.entry(turn.to_owned()).or_insert_with(|| {
            self.asked.push(turn.to_owned());
            Turn { said: said.to_owned(), conversation: conversation.to_owned(), runs: BTreeSet::new() }
        });
        if known.said != said || known.conversation != conversation {
            let problem = format!("turn {turn} was asked with {said:?}, and before with {known:?}");
            self.violations.push(problem);
        } else if !known.runs.insert(run) {
            self.violations.push(format!("turn {turn} was asked twice in run {run}"));
        }
        let other = self.under_way.insert((run, conversation.to_owned()), turn.to_owned());
        // A question of a session that the customer left is withdrawn; the bot may not have noticed yet.
        if let Some(other) = other.filter(|other| !self.closed.contains(&self.sessions[&self.turns[other].said])) {
            self.violations.push(format!("3, in order: run {run} asked {turn} while the bot worked on {other}"));
        }
    }

    pub(super) fn answered(&mut self, run: u32, conversation: &str, turn: &str) {
        let place = (run, conversation.to_owned());
        if self.under_way.get(&place).is_some_and(|working| working == turn) {
            self.under_way.remove(&place);
        }
    }

    /// The customer of a session says something.
    pub(super) fn say(&mut self, session: &str, said: &str) {
        self.sessions.insert(said.to_owned(), session.to_owned());
    }

    /// The customer sees messages.
    pub(super) fn see(&mut self, session: &str, messages: &Value, how: &str) {
        let texts = messages.as_array().into_iter().flatten().filter_map(|message| message["text"].as_str());
        for text in texts.filter(|text| text.starts_with("answer ")) {
            let seen = self.seen.entry(session.to_owned()).or_default();
            if seen.iter().any(|known| known == text) {
                self.repeated += 1;
                continue;
            }
            let last = seen.iter().map(|known| number(said_in(known))).max().unwrap_or(0);
            if number(said_in(text)) < last {
                self.violations.push(format!("3, in order: {session} saw {text:?} by {how} after {seen:?}"));
            }
            seen.push(text.to_owned());
        }
    }

    /// A 2xx came for a message; the same message gets the same bytes, whenever it is asked again.
    pub(super) fn acknowledge(&mut self, session: &str, said: &str, id: Option<&str>, body: &str) {
        if let Some(id) = id {
            match self.replies.get(id) {
                Some(first) if first == body => self.same_bytes += 1,
                Some(first) => {
                    self.violations.push(format!("6, same question, same bytes: {id} got {first}, then {body}"));
                }
                None => {
                    self.replies.insert(id.to_owned(), body.to_owned());
                }
            }
        }
        let has_id = id.is_some();
        self.acknowledged.push(Acknowledged { session: session.to_owned(), said: said.to_owned(), has_id });
    }

    pub(super) fn acknowledgements(&self) -> usize {
        self.acknowledged.len()
    }

    /// Whether the customer of a session saw the answer to these words.
    pub(super) fn has_seen(&self, session: &str, said: &str) -> bool {
        self.seen.get(session).is_some_and(|seen| seen.iter().any(|answer| said_in(answer) == said))
    }

    /// Whether the bot works on these words.
    pub(super) fn works_on(&self, said: &str) -> bool {
        self.under_way.values().any(|turn| self.turns[turn].said == said)
    }

    /// What is still to come in the sessions that are open: words that the bot was not asked, and answers that neither
    /// their customer saw nor one of the dead letters holds.
    pub(super) fn missing(&self, letters: &[String]) -> Vec<String> {
        let asked: BTreeSet<&str> = self.turns.values().map(|turn| turn.said.as_str()).collect();
        let answered: BTreeSet<&str> = self.seen.values().flatten().map(|answer| said_in(answer)).collect();
        let open = self.acknowledged.iter().filter(|one| !self.closed.contains(&one.session));
        let mut missing = Vec::new();
        for Acknowledged { session, said, .. } in open {
            if !asked.contains(said.as_str()) {
                missing.push(format!("1, no lost word: {said} of {session} was acknowledged and never asked"));
            } else if !answered.contains(said.as_str()) && !is_kept(letters, &format!(" to {said}")) {
                missing.push(format!("10, no lost answer: {session} saw no answer to {said}"));
            }
        }
        missing
    }

    /// What the journals show to be lost.
    pub(super) fn lost(&self, told: &Told, letters: &[String]) -> Vec<String> {
        let mut lost = Vec::new();
        for Acknowledged { session, said, has_id } in &self.acknowledged {
            match told.said.get(said) {
                None => lost.push(format!("1, no lost word: {said} of {session} is in no journal")),
                Some(times) if *times > 1 && *has_id => {
                    lost.push(format!("2, once per turn: {said} was applied {times} times"));
                }
                Some(_) => {}
            }
        }
        let seen: BTreeSet<&String> = self.seen.values().flatten().collect();
        let with_ids: BTreeSet<&str> =
            self.acknowledged.iter().filter(|one| one.has_id).map(|one| one.said.as_str()).collect();
        // A message without an id that is repeated after a crash may become a second turn. Of its two answers, `missing`
        // has asked for one.
        for answer in told.answered.iter().filter(|answer| with_ids.contains(said_in(answer))) {
            if !seen.contains(answer) && !is_kept(letters, answer) && !is_kept(&told.waiting, answer) {
                lost.push(format!("10, no lost answer: {answer:?} was taken, and neither seen nor kept"));
            }
        }
        lost
    }

    /// Everything that must not have happened.
    pub(super) fn violations(&self) -> Vec<String> {
        let mut violations = self.violations.clone();
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for turn in self.turns.values() {
            *times.entry(&turn.said).or_default() += 1;
        }
        let with_ids: BTreeSet<&str> =
            self.acknowledged.iter().filter(|one| one.has_id).map(|one| one.said.as_str()).collect();
        for said in with_ids {
            if times.get(said).is_some_and(|times| *times > 1) {
                violations.push(format!("2, once per turn: {said} became several turns"));
            }
        }
        let mut last: BTreeMap<&str, u64> = BTreeMap::new();
        for id in &self.asked {
            let turn = &self.turns[id];
            let number = number(&turn.said);
            if last.insert(&turn.conversation, number).is_some_and(|before| before > number) {
                violations.push(format!("3, in order: {} was asked too late", turn.said));
            }
        }
        let known: BTreeSet<String> =
            self.turns.iter().map(|(id, turn)| format!("answer {id} to {}", turn.said)).collect();
        for (session, seen) in &self.seen {
            violations.extend(
                seen.iter().filter(|answer| !known.contains(*answer)).map(|answer| format!("{session} saw {answer:?}")),
            );
        }
        violations
    }

    /// What the story did, for its output.
    pub(super) fn summary(&self) -> String {
        let asked_again = self.turns.values().filter(|turn| turn.runs.len() > 1).count();
        let answers: usize = self.seen.values().map(Vec::len).sum();
        format!(
            "{} acknowledgements, {} turns ({asked_again} asked again by a later run), {answers} answers seen ({} again), \
             {} replies repeated byte for byte, {} sessions left, {} refusals, {} broken connections",
            self.acknowledged.len(),
            self.turns.len(),
            self.repeated,
            self.same_bytes,
            self.closed.len(),
            self.refused,
            self.broken,
        )
    }
}
