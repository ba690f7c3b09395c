//! What was said in a conversation, as far back as an engine is told: a window of the journal, for engines that remember
//! nothing themselves.
//!
//! The runner keeps one beside a conversation in memory, from the first step at which a bot of it wants one; each step
//! adds what its journal row adds. It is made of journal rows alone and ends at fixed limits, so one that is read from
//! the store is the one that a crash took. It decides nothing.
//!
//! What counts as said: by the customer, each input as a bot was asked it, several merged ones together; by a bot, the
//! items of each answer that was not too late, delivered or not; by the gateway, what the policy said in a bot's place. A
//! bot that gets a conversation from another one is told all of it, since the customer sees one conversation. What a
//! human agent says does not come by here.

use std::collections::VecDeque;

use model::{Effect, Event, Fact, SeatId, TurnNumber};

use crate::engine::{History, Speaker, Utterance};
use crate::store::JournalRow;
use crate::stored;

/// The window holds utterances of at most this many of the latest journal rows: what is read when a conversation is
/// loaded. A turn has two to four rows.
pub(crate) const ROWS_MAX: u32 = 512;
/// At most this many utterances.
pub(crate) const UTTERANCES_MAX: usize = 256;
/// Their texts together; older ones go first.
const TEXTS_MAX_BYTES: usize = 64 * 1024;
/// The text of one utterance; the rest of it is left out.
const TEXT_MAX_BYTES: usize = 16 * 1024;
/// An utterance's number is that of its row and, in the lower bits, its place in it.
const PLACE_BITS: u32 = 16;

/// What was said, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    said: VecDeque<Said>,
    bytes: usize,
    row: u64,
    place: u64,
}

#[derive(Clone, PartialEq, Eq)]
struct Said {
    number: u64,
    /// The seat whose bot it was said to, by, or instead of.
    seat: SeatId,
    by: Speaker,
    text: String,
}

impl std::fmt::Debug for Said {
    /// Never the words.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Said({} {:?} {} bytes)", self.number, self.by, self.text.len())
    }
}

impl Window {
    /// The window at a version of a conversation, from its journal rows since [`Window::first_row`]. Rows that are gone
    /// or cannot be read make it shorter.
    pub(crate) fn read(rows: &[JournalRow]) -> Self {
        let mut window = Self::default();
        for row in rows {
            let journal = row.payload.payload().and_then(|payload| stored::decode_journal(&payload).ok());
            if let Some(stored::Journal { events, effects, .. }) = journal {
                window.begin_row(row.seq, &events, &effects);
                effects.iter().for_each(|effect| window.add(effect));
            }
        }
        window
    }

    /// The first row that a window at this version is made of.
    pub(crate) fn first_row(version: u64) -> u64 {
        (version + 1).saturating_sub(u64::from(ROWS_MAX)).max(1)
    }

    /// A step made this row. What bots answered in it comes before what it asks and what the policy says: the next
    /// question of a seat follows the answer to the one before.
    pub(crate) fn begin_row(&mut self, row: u64, events: &[Event], effects: &[Effect]) {
        (self.row, self.place) = (row, 0);
        let first = Self::first_row(row) << PLACE_BITS;
        while self.said.front().is_some_and(|said| said.number < first) {
            self.forget_first();
        }
        let refused = effects.iter().any(|effect| matches!(effect, Effect::Record(Fact::PushRefused { .. })));
        for (index, event) in events.iter().enumerate() {
            let (seat, answer) = match event {
                Event::Answered { seat, turn, answer } if is_taken((*seat, *turn), &events[index..], effects) => {
                    (seat, answer)
                }
                Event::Pushed { seat, answer } if !refused => (seat, answer),
                _ => continue,
            };
            let texts: Vec<_> = answer.items.iter().map(model::Item::plain).collect();
            self.say(*seat, Speaker::Bot, &texts.join("\n\n"));
        }
    }

    /// What an effect of the row adds, in their order.
    pub(crate) fn add(&mut self, effect: &Effect) {
        match effect {
            Effect::Ask(ask) => self.say(ask.seat, Speaker::Customer, ask.input.shown()),
            Effect::Record(Fact::PolicySaid { seat, text }) => self.say(*seat, Speaker::Gateway, text),
            _ => {}
        }
    }

    fn say(&mut self, seat: SeatId, by: Speaker, text: &str) {
        let text = beginning(text);
        if text.trim().is_empty() {
            return;
        }
        let number = (self.row << PLACE_BITS) + self.place;
        self.place += 1;
        self.bytes += text.len();
        self.said.push_back(Said { number, seat, by, text: text.to_owned() });
        while self.said.len() > UTTERANCES_MAX || self.bytes > TEXTS_MAX_BYTES {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some(first) = self.said.pop_front() {
            self.bytes -= first.text.len();
        }
    }

    /// What the bot of a seat is told.
    pub(crate) fn history(&self, seat: SeatId) -> History {
        let utterance = |said: &Said| Utterance {
            number: said.number,
            by: if said.by == Speaker::Bot && said.seat != seat { Speaker::OtherBot } else { said.by },
            text: said.text.clone(),
        };
        History { utterances: self.said.iter().map(utterance).collect() }
    }
}

/// Whether the first of these events, an answer to a turn, was taken. A turn that is over stays over, so those that came
/// too late are the last of their turn in a step.
pub(crate) fn is_taken(of: (SeatId, TurnNumber), events: &[Event], effects: &[Effect]) -> bool {
    let answers =
        events.iter().filter(|event| matches!(event, Event::Answered { seat, turn, .. } if (*seat, *turn) == of));
    let is_stale =
        |effect: &&Effect| matches!(effect, Effect::Record(Fact::StaleAnswer { seat, turn }) if (*seat, *turn) == of);
    answers.count() > effects.iter().filter(is_stale).count()
}

fn beginning(text: &str) -> &str {
    let mut end = text.len().min(TEXT_MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests;
