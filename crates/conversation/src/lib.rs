//! The core: what a conversation does when something happens to it.
//!
//! [`apply`] is a pure function. It has no clock, no randomness, no async and no map with random order; it is total, so
//! a stale event is an explicit nothing. Everything that the customer sees, holding lines and fallbacks too, is an effect
//! of it. Its one caller in the product is the runner, which stores state and effects in one transaction and acts after.
//!
//! How words reach the customer is decided in one place, `delivery`: a part of an answer is *held* on a leg until a
//! request takes it in its response or, on doors that can push, a push takes it. What left in a response stays
//! *unconfirmed* until the response is known to be out.

mod delivery;
pub mod invariants;
mod life;
mod policy;
mod said;
mod state;
#[cfg(test)]
mod tests;
mod turn;
mod wording;

use model::{Effect, Event, Fact, Timestamp};

pub use policy::{BotPolicy, OnFailure, Opening, Policies};
pub use state::{
    ATTRIBUTES_MAX_BYTES, Conversation, Gathering, HELD_PARTS_MAX, JOINED_MAX, LEGS_MAX, Leg, MERGED_MAX_BYTES,
    OPEN_REQUESTS_MAX, OpenRequest, PUSHES_MAX, SEATS_MAX, Seat, Session, Turn, UNCONFIRMED_MAX, Unconfirmed, UnderWay,
    Waiting, Wants,
};
pub use wording::{Texts, Wording};

/// Applies events in their order and returns the new state and everything that must be done.
///
/// `now` may not lie before the state's own time; it is lifted to it if it does.
#[must_use]
pub fn apply(
    policies: &Policies,
    state: Conversation,
    events: &[Event],
    now: Timestamp,
) -> (Conversation, Vec<Effect>) {
    let now = now.max(state.now);
    let mut step = Step { policies, state, effects: Vec::new(), now };
    step.state.now = now;
    for event in events {
        let before = step.effects.len();
        let changed = step.event(event);
        step.deliver();
        if !changed && step.effects.len() == before {
            step.record(Fact::Nothing);
        }
    }
    debug_assert_eq!(invariants::bounded(&step.state), Ok(()));
    debug_assert_eq!(invariants::sound(&step.state), Ok(()));
    (step.state, step.effects)
}

/// One application of events, under way.
struct Step<'a> {
    policies: &'a Policies,
    state: Conversation,
    effects: Vec<Effect>,
    now: Timestamp,
}

impl Step<'_> {
    /// Applies one event; false when it changed nothing.
    fn event(&mut self, event: &Event) -> bool {
        match event {
            Event::Said(said) => self.said(said),
            Event::Accepted { seat, turn } => self.accepted(*seat, *turn),
            Event::Answered { seat, turn, answer } => self.answered(*seat, *turn, answer),
            Event::Failed { seat, turn, failure } => self.failed(*seat, *turn, *failure),
            Event::Pushed { seat, answer } => self.pushed(*seat, answer),
            Event::Settled { leg, push, outcome } => self.settled(*leg, *push, *outcome),
            Event::ReplyOut { request, at } => self.reply_out(*request, *at),
            Event::ReplyAborted { request } | Event::Refused { request } => self.reply_aborted(*request),
            Event::TimePassed => self.time_passed(),
            Event::Draining => self.draining(),
            Event::FloorSeen { holder } => self.floor_seen(*holder),
            Event::EndedByOperator => self.ended_by_operator(),
            Event::HandedOverByOperator { bot, reason } => self.handed_over_by_operator(bot, reason),
            Event::Redriven { seat, part } => self.redriven(*seat, part),
        }
    }

    fn record(&mut self, fact: Fact) {
        self.effects.push(Effect::Record(fact));
    }
}
