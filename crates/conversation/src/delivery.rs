//! How parts reach the customer.
//!
//! A part is held on its leg until a request takes it in its response or a push takes it. [`Step::deliver`] runs after
//! every event and does whatever can be done now; it is the only place that seals replies with parts and the only one
//! that pushes.

use model::{
    Effect, Evidence, Fact, Holder, Late, LegId, News, Outcome, Part, PollButton, PollNumber, Push, PushNumber,
    PushOutcome, Reply, RequestId, SeatId, Timestamp, Undelivered,
};

use crate::state::{HELD_PARTS_MAX, Leg, OpenRequest, PUSHES_MAX, UNCONFIRMED_MAX, Unconfirmed, UnderWay, Wants};
use crate::{Conversation, Step, turn};

impl Step<'_> {
    pub(crate) fn leg_mut(&mut self, id: LegId) -> Option<&mut Leg> {
        self.state.legs.iter_mut().find(|leg| leg.id == id)
    }

    /// Puts a part behind those that wait on the leg.
    pub(crate) fn hold(&mut self, leg: LegId, part: Part) {
        let Some(found) = self.leg_mut(leg) else { return };
        let seat = found.seat;
        // The last place is kept for a part that closes the session: a full leg must still be able to hand over.
        let limit = if part.outcome.closes() { HELD_PARTS_MAX } else { HELD_PARTS_MAX - 1 };
        if found.held.len() >= limit {
            self.bury(seat, part, Undelivered::TooMuchHeld);
        } else {
            found.held.push(part);
        }
    }

    pub(crate) fn bury(&mut self, seat: SeatId, part: Part, reason: Undelivered) {
        if !part.items.is_empty() {
            self.effects.push(Effect::Bury { seat, part: Box::new(part), reason });
        }
    }

    /// Does whatever can be done now for every leg.
    pub(crate) fn deliver(&mut self) {
        let legs: Vec<LegId> = self.state.legs.iter().map(|leg| leg.id).collect();
        for leg in legs {
            while self.seal_next(leg) {}
            self.push_held(leg);
        }
    }

    /// Seals the first request of the leg that has its answer; false when there is none.
    fn seal_next(&mut self, id: LegId) -> bool {
        let Some(leg) = self.state.leg(id) else { return false };
        let Some(index) = leg.open.iter().position(|open| is_answered(&self.state, leg, open)) else { return false };
        let wants = leg.open[index].wants;
        let mut parts_in_response = !leg.held.is_empty();
        if leg.pushes_late() {
            // A response must not overtake what was sent before it, nor leave words to a socket that is gone.
            let blocked = !leg.pushes.is_empty() || !leg.unconfirmed.is_empty();
            let takes = matches!(wants, Wants::Turn(_)) && !leg.open[index].gone;
            if takes && blocked && parts_in_response {
                return false;
            }
            parts_in_response &= takes;
        }
        parts_in_response &= !leg.is_left_to_another(index);
        let Some(leg) = self.leg_mut(id) else { return false };
        let open = leg.open.remove(index);
        let parts = if parts_in_response { std::mem::take(&mut leg.held) } else { Vec::new() };
        self.answer_delivered(id, &parts);
        self.seal(id, open, Reply::Parts(parts.clone()), parts);
        true
    }

    /// Whether a request of the leg still comes to fetch what is held: then it is not pushed.
    fn is_reserved(leg: &Leg, state: &Conversation) -> bool {
        leg.open.iter().any(|open| matches!(open.wants, Wants::Turn(_)) && !open.gone && is_answered(state, leg, open))
    }

    /// Pushes what is held, when the door can and nothing before it is in doubt.
    fn push_held(&mut self, id: LegId) {
        let now = self.now;
        let Some(leg) = self.state.leg(id) else { return };
        let gated =
            !leg.unconfirmed.is_empty() || leg.pushes.len() >= PUSHES_MAX || Self::is_reserved(leg, &self.state);
        if leg.held.is_empty() || !leg.pushes_late() || gated {
            return;
        }
        let Some(leg) = self.leg_mut(id) else { return };
        let parts = std::mem::take(&mut leg.held);
        leg.last_push = PushNumber(leg.last_push.0 + 1);
        let number = leg.last_push;
        leg.pushes.push(UnderWay { number, parts: parts.clone() });
        let push = Push {
            seat: leg.seat,
            leg: id,
            number,
            parts: parts.clone(),
            not_before: now.max(leg.push_not_before),
            expires: leg.expires,
        };
        self.close_with(id, &parts);
        self.effects.push(Effect::Push(Box::new(push)));
    }

    /// Seals a reply. Every sealed reply is unconfirmed until it is known to be out.
    fn seal(&mut self, id: LegId, open: OpenRequest, reply: Reply, parts: Vec<Part>) {
        let now = self.now;
        self.forget_oldest_doubt(id);
        let Some(leg) = self.leg_mut(id) else { return };
        let push = leg.pushes_late();
        if !(push && open.gone) {
            leg.unconfirmed.push(Unconfirmed {
                request: open.id,
                joined: open.joined.clone(),
                parts: parts.clone(),
                until: now + leg.door.retry_window_ms,
                aborted: open.gone.then_some(now),
                body_hash: open.body_hash,
            });
        }
        self.close_with(id, &parts);
        self.effects.push(Effect::Seal { request: open.id, leg: id, reply });
        for joined in open.joined {
            self.effects.push(Effect::SealSame { request: joined, of: open.id });
        }
    }

    /// Past the limit, the oldest reply in doubt is not waited for any more; what was in it stays visible.
    fn forget_oldest_doubt(&mut self, id: LegId) {
        let Some(leg) = self.leg_mut(id).filter(|leg| leg.unconfirmed.len() >= UNCONFIRMED_MAX) else { return };
        let seat = leg.seat;
        for part in leg.unconfirmed.remove(0).parts {
            self.bury(seat, part, Undelivered::OutcomeUnknown);
        }
    }

    /// The session of the platform ends with a part that closes it.
    fn close_with(&mut self, id: LegId, parts: &[Part]) {
        let Some(last) = parts.last().filter(|part| part.outcome.closes()) else { return };
        self.close_leg(id, turn::evidence_of(last));
    }

    pub(crate) fn close_leg(&mut self, id: LegId, evidence: Evidence) {
        let Some(leg) = self.leg_mut(id).filter(|leg| leg.closed.is_none()) else { return };
        leg.closed = Some(evidence);
        leg.offered.clear();
        for open in &mut leg.open {
            open.wants = Wants::Whatever;
        }
        self.record(Fact::LegEnded { leg: id, evidence });
    }

    /// Words of an answer reached the customer: the count of holding turns starts again.
    fn answer_delivered(&mut self, id: LegId, parts: &[Part]) {
        if parts.is_empty() {
            return;
        }
        let Some(seat) = self.state.leg(id).map(|leg| leg.seat) else { return };
        if let Some(session) = self.seat_mut(seat).and_then(|seat| seat.session.as_mut()) {
            session.holding = 0;
        }
    }

    /// A request's wait is over: it is sealed without its answer.
    pub(crate) fn expire(&mut self, id: LegId, request: RequestId) {
        let Some(leg) = self.state.leg(id) else { return };
        let Some(index) = leg.open.iter().position(|open| open.id == request) else { return };
        let seat = leg.seat;
        if leg.pushes_late() {
            let line = match leg.open[index].wants {
                wants @ Wants::Turn(_) => self.texts(seat, self.language_of(seat, wants)).holding.clone(),
                Wants::Poll | Wants::Whatever => None,
            };
            let reply = match line {
                Some(line) => Reply::Holding { parts: Vec::new(), line: Some(line), button: None },
                None => Reply::Parts(Vec::new()),
            };
            let Some(leg) = self.leg_mut(id) else { return };
            let open = leg.open.remove(index);
            self.seal(id, open, reply, Vec::new());
        } else {
            self.hold_the_customer(id, index, seat);
        }
    }

    /// A door that cannot push: the customer, or the flow, is told how to come back for the answer. When that was
    /// done often enough, a human is called.
    fn hold_the_customer(&mut self, id: LegId, index: usize, seat: SeatId) {
        let Some(sitting) = self.state.seat(seat) else { return };
        let policy = self.policies.of(&sitting.bot);
        let held_enough = sitting.session.as_ref().is_none_or(|session| session.holding >= policy.max_holding_turns);
        if held_enough {
            if let Some(leg) = self.leg_mut(id) {
                leg.open[index].wants = Wants::Whatever;
            }
            self.record(Fact::HoldingLimit);
            self.call_a_human(seat, "engine_slow", None);
            return;
        }
        let Some(wants) = self.state.leg(id).map(|leg| leg.open[index].wants) else { return };
        let texts = self.texts(seat, self.language_of(seat, wants));
        let (line, label) = (texts.still_working.clone(), texts.poll_label.clone());
        let Some(sitting) = self.seat_mut(seat) else { return };
        sitting.last_poll = PollNumber(sitting.last_poll.0 + 1);
        let poll = sitting.last_poll;
        if let Some(session) = sitting.session.as_mut() {
            session.holding += 1;
        }
        let Some(leg) = self.leg_mut(id) else { return };
        let parts = if leg.is_left_to_another(index) { Vec::new() } else { std::mem::take(&mut leg.held) };
        let open = leg.open.remove(index);
        if leg.door.late == Late::PendingFlow {
            leg.comes_back = true;
            self.close_leg(id, Evidence::Returned);
            self.seal(id, open, Reply::Pending { parts: parts.clone(), poll }, parts);
        } else {
            let button = Some(PollButton { label, poll });
            self.seal(id, open, Reply::Holding { parts: parts.clone(), line: Some(line), button }, parts);
        }
    }

    /// A sealed reply left.
    pub(crate) fn reply_out(&mut self, request: RequestId, at: Timestamp) -> bool {
        let at = at.min(self.now);
        let Some(leg) = self.state.legs.iter_mut().find(|leg| leg.unconfirmed.iter().any(|sealed| sealed.is(request)))
        else {
            return false;
        };
        leg.unconfirmed.retain(|sealed| !sealed.is(request));
        leg.push_not_before = leg.push_not_before.max(at + leg.door.push_after_ack_ms);
        true
    }

    /// A reply did not leave, or the request's socket is gone before there is one.
    pub(crate) fn reply_aborted(&mut self, request: RequestId) -> bool {
        let now = self.now;
        let Some(leg) = self.state.legs.iter_mut().find(|leg| {
            leg.open.iter().any(|open| open.is(request)) || leg.unconfirmed.iter().any(|sealed| sealed.is(request))
        }) else {
            return false;
        };
        let (id, push) = (leg.id, leg.pushes_late());
        if let Some(open) = leg.open.iter_mut().find(|open| open.is(request)) {
            open.gone = true;
            return true;
        }
        if !push {
            if let Some(sealed) = leg.unconfirmed.iter_mut().find(|sealed| sealed.is(request)) {
                sealed.aborted = Some(now);
            }
            return true;
        }
        self.push_instead(id, |sealed| sealed.is(request));
        true
    }

    /// Parts of sealed replies that did not arrive, or may not have, go before everything that is held.
    pub(crate) fn push_instead(&mut self, id: LegId, which: impl Fn(&Unconfirmed) -> bool) {
        let Some(leg) = self.leg_mut(id) else { return };
        let mut parts = Vec::new();
        let mut kept = Vec::new();
        for sealed in std::mem::take(&mut leg.unconfirmed) {
            if which(&sealed) { parts.extend(sealed.parts) } else { kept.push(sealed) }
        }
        leg.unconfirmed = kept;
        if parts.is_empty() {
            return;
        }
        self.hold_first(id, parts);
        self.record(Fact::PossibleDuplicate { leg: id });
    }

    /// Puts parts before those that wait on the leg. Past the limit the latest go, the one that closes the session
    /// excepted.
    pub(crate) fn hold_first(&mut self, id: LegId, mut parts: Vec<Part>) {
        let Some(leg) = self.leg_mut(id) else { return };
        let seat = leg.seat;
        // A session that was reopened after its last part got lost goes on: only the very last part may close it.
        for part in parts.iter_mut().filter(|part| part.outcome.closes()) {
            if !leg.held.is_empty() || leg.closed.is_none() {
                part.outcome = Outcome::Open;
            }
        }
        parts.append(&mut leg.held);
        let mut buried = Vec::new();
        while parts.len() > HELD_PARTS_MAX {
            buried.push(parts.remove(parts.len() - 2));
        }
        leg.held = parts;
        for part in buried.into_iter().rev() {
            self.bury(seat, part, Undelivered::TooMuchHeld);
        }
    }

    /// A push was delivered, or never will be.
    pub(crate) fn settled(&mut self, id: LegId, push: PushNumber, outcome: PushOutcome) -> bool {
        let Some(leg) = self.leg_mut(id) else { return false };
        let Some(index) = leg.pushes.iter().position(|under_way| under_way.number == push) else { return false };
        let under_way = leg.pushes.remove(index);
        let seat = leg.seat;
        let reason = match outcome {
            PushOutcome::Delivered => {
                self.answer_delivered(id, &under_way.parts);
                return true;
            }
            PushOutcome::SessionClosed => Undelivered::SessionClosed,
            PushOutcome::Rejected => Undelivered::Rejected,
            PushOutcome::GaveUp => Undelivered::GaveUp,
            PushOutcome::OutcomeUnknown => Undelivered::OutcomeUnknown,
        };
        self.record(Fact::PushEnded { leg: id, push, outcome });
        for part in under_way.parts {
            self.bury(seat, part, reason);
        }
        if outcome == PushOutcome::SessionClosed {
            self.platform_closed(id, seat);
        }
        true
    }

    /// The platform says that a session is closed: the customer left, or the flow went another way.
    fn platform_closed(&mut self, id: LegId, seat: SeatId) {
        let current =
            self.state.seat(seat).and_then(|seat| seat.session.as_ref()).is_some_and(|session| session.leg == id);
        self.silence(id, Undelivered::SessionClosed, Evidence::PlatformClosed);
        if current {
            self.end_session(seat, News::Ended);
            self.move_floor(Holder::Ended, Evidence::PlatformClosed);
        }
    }

    /// Nothing more is said on a leg: what is held or not yet sent is buried, and whoever waits gets an empty answer.
    pub(crate) fn silence(&mut self, id: LegId, reason: Undelivered, evidence: Evidence) {
        let Some(leg) = self.leg_mut(id) else { return };
        let seat = leg.seat;
        let held = std::mem::take(&mut leg.held);
        let pushes = std::mem::take(&mut leg.pushes);
        let unconfirmed = std::mem::take(&mut leg.unconfirmed);
        leg.comes_back = false;
        let numbers: Vec<PushNumber> = pushes.iter().map(|push| push.number).collect();
        if !numbers.is_empty() {
            self.effects.push(Effect::WithdrawPushes { leg: id, pushes: numbers });
        }
        for sealed in unconfirmed {
            // A reply that may have left is not known to have arrived, and its session can take it no more.
            let reason = if sealed.aborted.is_some() { reason } else { Undelivered::OutcomeUnknown };
            for part in sealed.parts {
                self.bury(seat, part, reason);
            }
        }
        for part in pushes.into_iter().flat_map(|push| push.parts).chain(held) {
            self.bury(seat, part, reason);
        }
        self.close_leg(id, evidence);
    }
}

/// Whether a request can be answered now.
fn is_answered(state: &Conversation, leg: &Leg, open: &OpenRequest) -> bool {
    let pending = |seat: SeatId| state.seat(seat).is_some_and(|seat| seat.turn.is_some());
    match open.wants {
        Wants::Whatever => true,
        Wants::Poll => !pending(leg.seat) || leg.is_closing(),
        Wants::Turn(number) => {
            let early = leg.pushes_late() && leg.held.iter().any(|part| part.turn == Some(number));
            let over = state.seat(leg.seat).is_some_and(|seat| {
                seat.turn.as_ref().is_none_or(|turn| turn.number != number)
                    && seat.waiting.iter().all(|waiting| waiting.number != number)
            });
            early || over || leg.is_closing()
        }
    }
}
