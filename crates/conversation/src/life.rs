//! Deadlines, the floor, and how sessions end.

use model::{
    BotKey, Evidence, Fact, Failure, Floor, HandOver, Holder, LegId, News, Outcome, RequestId, SeatId, SeatKind,
    Undelivered,
};

use crate::turn::policy_part;
use crate::{Leg, Seat, Step};

impl Step<'_> {
    pub(crate) fn move_floor(&mut self, holder: Holder, evidence: Evidence) {
        let floor = Floor { holder, since: self.now, evidence };
        self.state.floor = floor;
        self.record(Fact::Floor(floor));
    }

    /// Does everything that is due. Finding nothing due is no fault: the timer was overtaken.
    pub(crate) fn time_passed(&mut self) -> bool {
        let mut changed = false;
        changed |= self.hard_deadlines();
        // An answer that the deadline made may be what a request waits for.
        self.deliver();
        changed |= self.gathered();
        changed |= self.expired_waits();
        changed |= self.retry_windows();
        changed |= self.follow_ups();
        changed |= self.lifetimes();
        changed
    }

    fn hard_deadlines(&mut self) -> bool {
        let now = self.now;
        let due: Vec<_> = self
            .state
            .seats
            .iter()
            .filter_map(|seat| Some((seat.id, seat.turn.as_ref().filter(|turn| turn.hard_deadline <= now)?.number)))
            .collect();
        for (seat, turn) in &due {
            self.effects.push(model::Effect::WithdrawAsk { seat: *seat, turn: *turn });
            self.fall_back(*seat, Failure::TimedOut);
        }
        !due.is_empty()
    }

    /// Inputs that no message followed any more are asked.
    fn gathered(&mut self) -> bool {
        let now = self.now;
        let is_due = |seat: &&Seat| seat.gathered_at().is_some_and(|at| at <= now);
        let due: Vec<SeatId> = self.state.seats.iter().filter(is_due).map(|seat| seat.id).collect();
        for seat in &due {
            self.start_next_turn(*seat);
            self.deliver();
        }
        !due.is_empty()
    }

    fn expired_waits(&mut self) -> bool {
        let now = self.now;
        self.expire_where(|wait_until| wait_until <= now)
    }

    fn expire_where(&mut self, which: impl Fn(model::Timestamp) -> bool) -> bool {
        let due: Vec<(LegId, RequestId)> = self
            .state
            .legs
            .iter()
            .flat_map(|leg| leg.open.iter().map(move |open| (leg.id, open)))
            .filter(|(_, open)| which(open.wait_until))
            .map(|(leg, open)| (leg, open.id))
            .collect();
        for (leg, request) in &due {
            self.expire(*leg, *request);
            self.deliver();
        }
        !due.is_empty()
    }

    /// After a crash nobody knows whether a sealed reply left. When the platform's time for a retry is over, it is pushed.
    fn retry_windows(&mut self) -> bool {
        let now = self.now;
        let due: Vec<LegId> = self
            .state
            .legs
            .iter()
            .filter(|leg| leg.pushes_late() && leg.unconfirmed.iter().any(|sealed| sealed.until <= now))
            .map(|leg| leg.id)
            .collect();
        for leg in &due {
            self.push_instead(*leg, |sealed| sealed.until <= now);
        }
        !due.is_empty()
    }

    fn follow_ups(&mut self) -> bool {
        let now = self.now;
        let due: Vec<(SeatId, LegId)> = self
            .state
            .seats
            .iter()
            .filter_map(|seat| {
                Some((
                    seat.id,
                    seat.session.as_ref().filter(|session| session.follow_up.is_some_and(|at| at <= now))?.leg,
                ))
            })
            .collect();
        for (seat, leg) in &due {
            self.over(*seat, *leg, Evidence::FollowUpExpired);
        }
        !due.is_empty()
    }

    fn lifetimes(&mut self) -> bool {
        let now = self.now;
        let is_alive = |leg: &Leg| leg.closed.is_none() || !leg.held.is_empty() || !leg.unconfirmed.is_empty();
        let due: Vec<(SeatId, LegId)> = self
            .state
            .legs
            .iter()
            .filter(|leg| leg.expires <= now && is_alive(leg))
            .map(|leg| (leg.seat, leg.id))
            .collect();
        for (seat, leg) in &due {
            self.over(*seat, *leg, Evidence::SessionExpired);
        }
        !due.is_empty()
    }

    /// A session ended by time.
    fn over(&mut self, seat: SeatId, leg: LegId, evidence: Evidence) {
        self.silence(leg, Undelivered::SessionEnded, evidence);
        let current =
            self.state.seat(seat).and_then(|seat| seat.session.as_ref()).is_some_and(|session| session.leg == leg);
        if current {
            self.end_session(seat, News::Ended);
            self.move_floor(Holder::Ended, evidence);
        }
    }

    /// The process is about to stop: whoever waits is answered now.
    pub(crate) fn draining(&mut self) -> bool {
        self.expire_where(|_| true)
    }

    /// A platform showed who holds the floor.
    pub(crate) fn floor_seen(&mut self, holder: Holder) -> bool {
        if self.state.floor.holder == holder {
            return false;
        }
        match holder {
            Holder::Bot => {
                self.move_floor(holder, Evidence::Notified);
            }
            Holder::HandingOver | Holder::Queued | Holder::Human => {
                self.leave(Undelivered::FloorTaken, News::HandedOver)
            }
            Holder::Ended => self.leave(Undelivered::SessionEnded, News::Ended),
        }
        if self.state.floor.holder != holder {
            self.move_floor(holder, Evidence::Notified);
        }
        true
    }

    /// Every front bot stops speaking.
    fn leave(&mut self, reason: Undelivered, news: News) {
        let legs: Vec<LegId> = self.state.legs.iter().map(|leg| leg.id).collect();
        let seats: Vec<SeatId> = self.state.seats.iter().map(|seat| seat.id).collect();
        for leg in legs {
            self.silence(leg, reason, Evidence::Notified);
        }
        for seat in seats {
            self.end_session(seat, news);
        }
    }

    /// An operator takes a bot out of service now: its running turn is over, and a human takes over.
    pub(crate) fn handed_over_by_operator(&mut self, bot: &BotKey, reason: &str) -> bool {
        let sits = |seat: &&Seat| seat.session.is_some() && seat.bot == *bot && seat.kind == SeatKind::Front;
        let Some(seat) = self.state.seats.iter().find(sits).map(|seat| seat.id) else { return false };
        self.call_a_human(seat, HandOver::BY_OPERATOR, Some(reason));
        true
    }

    /// An operator ends the conversation: the platform's session is closed by the path of a bot that is done.
    pub(crate) fn ended_by_operator(&mut self) -> bool {
        let open: Vec<SeatId> =
            self.state.seats.iter().filter(|seat| seat.session.is_some()).map(|seat| seat.id).collect();
        if open.is_empty() && self.state.floor.holder == Holder::Ended {
            return false;
        }
        for seat in open {
            self.say_of_own_accord(seat, policy_part(None, Outcome::Done));
        }
        if self.state.floor.holder != Holder::Ended {
            self.move_floor(Holder::Ended, Evidence::Operator);
        }
        true
    }
}
