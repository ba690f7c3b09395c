//! The timeline of a turn as a chat shows it: the operator's hops, with the words, and the values that were found.
//!
//! Pure. Whoever chats is the customer, so nothing has to be hidden from them.

use std::time::Duration;

use model::{Answer, Event, SlotValue, Timestamp, Usage};

use super::draw::{Line, Tone, harmless, note, wrapped};
use crate::admin::timeline::Hop;
use crate::stored::Journal;
use crate::words::some;

const LEAD: &str = "        ";

/// One hop, with the time since the customer's input.
pub(super) fn hop(hop: &Hop, from: Timestamp, columns: usize) -> Vec<Line> {
    let ms = (hop.at_ms - from.0).max(0);
    let head = format!("+{}.{:03} s {}: {}", ms / 1_000, ms % 1_000, hop.what, hop.text);
    let mut lines = note(&head, columns);
    let room = columns.saturating_sub(LEAD.len() + 2).max(20);
    let words = hop.words.iter().flat_map(|words| wrapped(&harmless(words), room));
    lines.extend(words.map(|words| Line::new(Tone::Dim, format!("{LEAD}| {words}"))));
    lines
}

/// How much asking an answer took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// Attempts to get the answer.
    pub(super) attempts: u64,
    /// Calls of the engine: those of one attempt go on from each other.
    pub(super) calls: u64,
}

impl Asked {
    pub(super) fn since(self, before: Self) -> Self {
        Self { attempts: self.attempts.saturating_sub(before.attempts), calls: self.calls.saturating_sub(before.calls) }
    }

    /// A single call needs no words.
    fn in_words(self) -> Option<String> {
        let Self { attempts, calls } = self;
        match (attempts, calls) {
            (_, 0 | 1) => None,
            (attempts, calls) if attempts == calls => Some(format!("the engine was called {calls} times")),
            (attempts, calls) => Some(format!("the engine was called {calls} times in {}", some(attempts, "attempt"))),
        }
    }
}

/// What engines found and used.
pub(super) fn found(rows: &[(Timestamp, Journal)], asked: Asked) -> Vec<String> {
    let mut found = Vec::new();
    let (mut used, mut answers) = (Usage::default(), 0);
    for event in rows.iter().flat_map(|(_, journal)| &journal.events) {
        if let Event::Answered { answer, .. } | Event::Pushed { answer, .. } = event {
            found.extend(values(answer));
            if let Some(usage) = answer.usage {
                answers += 1;
                used.input_tokens += usage.input_tokens;
                used.output_tokens += usage.output_tokens;
            }
        }
    }
    found.extend(asked.in_words());
    // Of a single answer its own hop tells it.
    if answers > 1 {
        found.push(format!("tokens together: {} read, {} written", used.input_tokens, used.output_tokens));
    }
    found
}

fn values(answer: &Answer) -> Vec<String> {
    let mut values = Vec::new();
    if let Some(intent) = &answer.intent {
        let sure = intent.confidence_permille.map(|permille| format!(", {}.{} % sure", permille / 10, permille % 10));
        values.push(format!("intent {}{}", intent.name, sure.unwrap_or_default()));
    }
    values.extend(answer.slots.iter().map(|(name, value)| {
        let value = match value {
            SlotValue::One(value) => value.clone(),
            SlotValue::Many(values) => values.join(", "),
        };
        format!("slot {name} = {value}")
    }));
    values.extend(answer.attributes.iter().map(|(name, value)| format!("attribute {name} = {value}")));
    values
}

pub(super) fn span(time: Duration) -> String {
    let ms = time.as_millis();
    if ms.is_multiple_of(1_000) { format!("{} s", ms / 1_000) } else { format!("{ms} ms") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_told_where_they_are_not_the_calls() {
        let table = [
            (0, 0, None),
            (1, 1, None),
            (2, 2, Some("the engine was called 2 times")),
            (1, 3, Some("the engine was called 3 times in 1 attempt")),
            (2, 5, Some("the engine was called 5 times in 2 attempts")),
        ];
        for (attempts, calls, told) in table {
            assert_eq!(Asked { attempts, calls }.in_words().as_deref(), told);
        }
    }
}
