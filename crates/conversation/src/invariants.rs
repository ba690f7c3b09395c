//! The named invariants that can be checked on states and effects. Unit tests, random walks, the simulation and
//! `debug_assert!` use the same functions. The names and numbers are those of `ARCHITECTURE.md`.

use std::collections::{BTreeMap, BTreeSet};

use model::{Effect, Fact, Holder, LegId, Outcome, Part, PushNumber, Reply, RequestId, SeatId, TurnNumber};

use crate::Conversation;
use crate::state::{HELD_PARTS_MAX, JOINED_MAX, LEGS_MAX, OPEN_REQUESTS_MAX, PUSHES_MAX, SEATS_MAX, UNCONFIRMED_MAX};

/// Invariant 7, *bounded*: every list of the state is within its limit.
///
/// # Errors
/// Names the list that is not.
pub fn bounded(state: &Conversation) -> Result<(), &'static str> {
    let legs = &state.legs;
    let checks = [
        (state.seats.len() <= SEATS_MAX, "seats"),
        (legs.len() <= LEGS_MAX, "legs"),
        (legs.iter().all(|leg| leg.held.len() <= HELD_PARTS_MAX), "held parts"),
        (legs.iter().all(|leg| leg.pushes.len() <= PUSHES_MAX), "pushes"),
        (legs.iter().all(|leg| leg.open.len() <= OPEN_REQUESTS_MAX), "open requests"),
        (legs.iter().all(|leg| leg.unconfirmed.len() <= UNCONFIRMED_MAX), "unconfirmed replies"),
        (legs.iter().all(|leg| leg.open.iter().all(|open| open.joined.len() <= JOINED_MAX)), "joined requests"),
    ];
    checks.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, name)| Err(*name))
}

/// The state agrees with itself.
///
/// # Errors
/// Says what does not.
pub fn sound(state: &Conversation) -> Result<(), &'static str> {
    for seat in &state.seats {
        if seat.session.is_none() && (seat.turn.is_some() || !seat.waiting.is_empty()) {
            return Err("a turn without a session");
        }
        if seat.turn.is_none() && !seat.waiting.is_empty() && (seat.waiting.len() > 1 || seat.gathered_at().is_none()) {
            return Err("an input waits behind nothing");
        }
        let behind = seat.waiting.len().saturating_sub(1);
        if seat.waiting.iter().take(behind).any(|waiting| waiting.gathers.is_some()) {
            return Err("an input gathers though another is behind it");
        }
        if let Some(session) = &seat.session
            && !state.leg(session.leg).is_some_and(|leg| leg.closed.is_none() || leg.comes_back)
        {
            return Err("a session on a leg that is over");
        }
    }
    for leg in &state.legs {
        let inner = leg.held.len().saturating_sub(1);
        if leg.held.iter().take(inner).any(|part| part.outcome.closes()) {
            return Err("words held behind the end of a session");
        }
        if !leg.held.is_empty() && matches!(state.floor.holder, Holder::Human | Holder::Queued) {
            return Err("words held while a human has the floor");
        }
    }
    if state.seats.iter().filter(|seat| seat.session.is_some()).count() > 1 {
        return Err("two front bots at once");
    }
    Ok(())
}

/// What was promised so far, kept beside a conversation to check its effects against: invariants 2 (*once per turn*),
/// 3 (*in order*), 5 (*the floor is respected*), 6 (*same question, same bytes*) and 10 (*no lost answer*).
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    asked: BTreeSet<(SeatId, TurnNumber)>,
    running: BTreeMap<SeatId, TurnNumber>,
    finals: BTreeSet<(SeatId, TurnNumber)>,
    pushes: BTreeMap<LegId, PushNumber>,
    human: bool,
    sealed: BTreeSet<RequestId>,
}

impl Ledger {
    /// Notes that the engine's call for a turn is over, by an answer, a failure or a withdrawal.
    pub fn answered(&mut self, seat: SeatId, turn: TurnNumber) {
        if self.running.get(&seat) == Some(&turn) {
            self.running.remove(&seat);
        }
    }

    /// Checks the effects of one step, in their order.
    ///
    /// # Errors
    /// Names the invariant that does not hold.
    pub fn observe(&mut self, effects: &[Effect]) -> Result<(), String> {
        for effect in effects {
            match effect {
                Effect::Ask(ask) => self.ask(ask.seat, ask.turn)?,
                Effect::WithdrawAsk { seat, turn } => self.answered(*seat, *turn),
                Effect::Seal { request, reply, leg } => {
                    self.seal(*request)?;
                    self.spoken(*leg, parts_of(reply))?;
                }
                Effect::SealSame { request, of } => {
                    self.seal(*request)?;
                    if !self.sealed.contains(of) {
                        return Err(format!(
                            "6, same question, same bytes: {request} shall get the bytes of {of}, which has none"
                        ));
                    }
                }
                Effect::Push(push) => {
                    let last = self.pushes.insert(push.leg, push.number);
                    if last.is_some_and(|last| last >= push.number) {
                        return Err(format!("3, in order: {} on {} after {last:?}", push.number, push.leg));
                    }
                    self.spoken(push.leg, &push.parts)?;
                }
                Effect::Record(Fact::Floor(floor)) => {
                    self.human = matches!(floor.holder, Holder::Human | Holder::Queued)
                }
                Effect::Notify(_) | Effect::WithdrawPushes { .. } | Effect::Bury { .. } | Effect::Record(_) => {}
            }
        }
        Ok(())
    }

    fn ask(&mut self, seat: SeatId, turn: TurnNumber) -> Result<(), String> {
        if !self.asked.insert((seat, turn)) {
            return Err(format!("2, once per turn: {turn} of {seat} was asked twice"));
        }
        match self.running.insert(seat, turn) {
            Some(other) => Err(format!("3, in order: {turn} of {seat} asked while {other} runs")),
            None => Ok(()),
        }
    }

    fn seal(&mut self, request: RequestId) -> Result<(), String> {
        if self.sealed.insert(request) {
            Ok(())
        } else {
            Err(format!("6, same question, same bytes: {request} was sealed twice"))
        }
    }

    /// Notes a final answer when it is decided.
    ///
    /// # Errors
    /// When the turn had one.
    pub fn decided(&mut self, seat: SeatId, turn: TurnNumber) -> Result<(), String> {
        if self.finals.insert((seat, turn)) {
            Ok(())
        } else {
            Err(format!("2, once per turn: {turn} of {seat} has two final answers"))
        }
    }

    fn spoken(&self, leg: LegId, parts: &[Part]) -> Result<(), String> {
        if parts.is_empty() {
            return Ok(());
        }
        if self.human {
            return Err(format!("5, the floor is respected: words on {leg} while a human has it"));
        }
        let inner = parts.len() - 1;
        if parts.iter().take(inner).any(|part| part.outcome != Outcome::Open) {
            return Err(format!("5, the floor is respected: words on {leg} behind the end of its session"));
        }
        Ok(())
    }
}

fn parts_of(reply: &Reply) -> &[Part] {
    match reply {
        Reply::Parts(parts) | Reply::Holding { parts, .. } | Reply::Pending { parts, .. } => parts,
        Reply::Failed { .. } | Reply::Refused => &[],
    }
}
