//! What the outside saw, and whether it may have seen that (DESIGN, section 7).

use std::collections::{BTreeMap, BTreeSet};

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
    /// What each session's customer saw, in order.
    seen: BTreeMap<String, Vec<String>>,
    /// Sessions that the customer left.
    pub(super) closed: BTreeSet<String>,
    replies: BTreeMap<String, String>,
    acknowledged: Vec<Acknowledged>,
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
        if let Some(other) = self.under_way.insert((run, conversation.to_owned()), turn.to_owned()) {
            self.violations.push(format!("3, in order: run {run} asked {turn} while the bot worked on {other}"));
        }
    }

    pub(super) fn answered(&mut self, run: u32, conversation: &str) {
        self.under_way.remove(&(run, conversation.to_owned()));
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

    /// Whether the bot was asked these words, and has not answered yet.
    pub(super) fn works_on(&self, said: &str) -> bool {
        self.under_way.values().any(|turn| self.turns[turn].said == said)
    }

    /// What is still to come: words that the bot was not asked, and answers that neither their customer saw nor one of
    /// the dead letters holds.
    pub(super) fn missing(&self, letters: &[String]) -> Vec<String> {
        let asked: BTreeSet<&str> = self.turns.values().map(|turn| turn.said.as_str()).collect();
        let seen: BTreeSet<&str> = self.seen.values().flatten().map(String::as_str).collect();
        let is_buried = |words: &str| letters.iter().any(|letter| letter.contains(words));
        let answered_words: BTreeSet<&str> = seen.iter().map(|answer| said_in(answer)).collect();
        let mut missing = Vec::new();
        for Acknowledged { session, said, has_id } in &self.acknowledged {
            if !asked.contains(said.as_str()) {
                missing.push(format!("1, no lost word: {said} of {session} was acknowledged and never asked"));
            }
            // Without ids a repeated message may become a second turn; then one of the two answers is enough.
            if !has_id && !answered_words.contains(said.as_str()) && !is_buried(&format!(" to {said}\"")) {
                missing.push(format!("10, no lost answer: {session} saw no answer to {said}"));
            }
        }
        let with_ids: BTreeSet<&str> =
            self.acknowledged.iter().filter(|one| one.has_id).map(|one| one.said.as_str()).collect();
        for (id, turn) in self.turns.iter().filter(|(_, turn)| with_ids.contains(turn.said.as_str())) {
            let answer = format!("answer {id} to {}", turn.said);
            if !seen.contains(answer.as_str()) && !is_buried(&format!("{answer}\"")) {
                missing.push(format!("10, no lost answer: {answer:?} was neither seen nor buried"));
            }
        }
        missing
    }

    /// Everything that must not have happened.
    pub(super) fn violations(&self) -> Vec<String> {
        let mut violations = self.violations.clone();
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for turn in self.turns.values() {
            *times.entry(&turn.said).or_default() += 1;
        }
        for one in self.acknowledged.iter().filter(|one| one.has_id) {
            if times.get(one.said.as_str()).is_some_and(|times| *times > 1) {
                violations.push(format!("2, once per turn: {} became several turns", one.said));
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
             {} replies repeated byte for byte, {} sessions left",
            self.acknowledged.len(),
            self.turns.len(),
            self.repeated,
            self.same_bytes,
            self.closed.len(),
        )
    }
}
