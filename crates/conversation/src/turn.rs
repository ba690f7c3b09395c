//! Turns: one question to an engine at a time, one answer in one or more parts, at most one of them final.

use model::{
    Answer, Ask, Attributes, Effect, Evidence, Fact, Failure, HandOver, Holder, Input, Item, News, Next, Notice,
    Outcome, Part, SeatId, Slots, TurnNumber, Undelivered,
};

use crate::policy::OnFailure;
use crate::said::merge_attributes;
use crate::state::{Turn, Waiting, Wants};
use crate::{Seat, Step, Texts};

impl Step<'_> {
    pub(crate) fn seat_mut(&mut self, id: SeatId) -> Option<&mut Seat> {
        self.state.seats.iter_mut().find(|seat| seat.id == id)
    }

    /// What the gateway says for a seat, in a language.
    pub(crate) fn texts(&self, seat: SeatId, language: &str) -> &Texts {
        let bot = self.state.seat(seat).map(|seat| &seat.bot);
        bot.map_or(&self.policies.fallback, |bot| self.policies.of(bot)).texts.of(language)
    }

    /// The language in which whoever waits for this is spoken to.
    pub(crate) fn language_of(&self, seat: SeatId, wants: Wants) -> &str {
        let Some(seat) = self.state.seat(seat) else { return "" };
        let Wants::Turn(number) = wants else { return &seat.language };
        let running = seat.turn.as_ref().filter(|turn| turn.number == number).map(|turn| &turn.language);
        let waiting = || seat.waiting.iter().find(|waiting| waiting.number == number).map(|waiting| &waiting.language);
        running.or_else(waiting).unwrap_or(&seat.language)
    }

    fn is_running(&self, seat: SeatId, turn: TurnNumber) -> bool {
        self.state.seat(seat).and_then(|seat| seat.turn.as_ref()).is_some_and(|running| running.number == turn)
    }

    /// Asks the engine the next waiting input, when none is being asked.
    pub(crate) fn start_next_turn(&mut self, seat: SeatId) {
        let now = self.now;
        let Some(sitting) = self.state.seats.iter_mut().find(|sitting| sitting.id == seat) else { return };
        let gathers = sitting.gathered_at().is_some_and(|at| at > now);
        if sitting.turn.is_some() || sitting.session.is_none() || gathers {
            return;
        }
        let Some(next) = sitting.waiting.pop_front() else { return };
        let leg = sitting.session.as_ref().map(|session| session.leg);
        if let Some(reason) = self.policies.out_of_service(&sitting.bot) {
            let reason = reason.to_owned();
            return self.turn_away(seat, &next, &reason);
        }
        let policy = self.policies.of(&sitting.bot);
        let said = self.state.legs.iter().find(|found| Some(found.id) == leg).and_then(|leg| leg.channel);
        let (channel, customer) = (said.or(policy.channel), self.state.customer.clone());
        let time_ms = policy.hard_deadline_ms;
        let hard_deadline = now + time_ms;
        sitting.turn = Some(Turn {
            number: next.number,
            hard_deadline,
            parts: 0,
            accepted: false,
            language: next.language.clone(),
            is_opening: next.input == Input::Start,
        });
        let ask = Ask {
            seat,
            bot: sitting.bot.clone(),
            turn: next.number,
            engine_session: sitting.engine_session,
            visit: sitting.visits.saturating_sub(1),
            is_first: !sitting.asked_in_visit,
            input: next.input,
            language: next.language,
            channel,
            customer,
            context: sitting.attributes.clone(),
            engine_state: sitting.engine_state.clone(),
            hard_deadline,
            time_ms,
        };
        sitting.asked_in_visit = true;
        if let Some(session) = sitting.session.as_mut() {
            session.follow_up = None;
        }
        self.state.turns += 1;
        self.effects.push(Effect::Ask(Box::new(ask)));
    }

    /// The bot is out of service: no engine is asked, a human takes over.
    fn turn_away(&mut self, seat: SeatId, input: &Waiting, reason: &str) {
        let turn = input.number;
        let text = self.texts(seat, &input.language).hand_over.clone();
        let hand_over = HandOver { reason: HandOver::OUT_OF_SERVICE.into(), note: Some(reason.into()) };
        let part = policy_part(text, Outcome::HandOver(hand_over));
        self.record(Fact::OutOfService { seat, turn });
        self.say(seat, Part { turn: Some(turn), number: 1, ..part });
    }

    /// The engine took the turn and will answer by a callback; the deadlines stand.
    pub(crate) fn accepted(&mut self, seat: SeatId, turn: TurnNumber) -> bool {
        match self.seat_mut(seat).and_then(|seat| seat.turn.as_mut()) {
            Some(running) if running.number == turn => {
                running.accepted = true;
                true
            }
            _ => false,
        }
    }

    /// The engine answered a turn.
    pub(crate) fn answered(&mut self, seat: SeatId, turn: TurnNumber, answer: &Answer) -> bool {
        if !self.is_running(seat, turn) {
            self.record(Fact::StaleAnswer { seat, turn });
            return true;
        }
        self.remember(seat, answer);
        let ends = answer.next != Next::More;
        if ends || !answer.items.is_empty() {
            let Some(running) = self.seat_mut(seat).and_then(|seat| seat.turn.as_mut()) else { return false };
            running.parts += 1;
            let (number, language) = (running.parts, running.language.clone());
            let mut part = part_of(answer, Some(turn), number);
            if number == 1 {
                self.announce(seat, &mut part, &language);
            }
            if ends {
                self.end_turn(seat);
            }
            self.say(seat, part);
        }
        true
    }

    /// The engine failed a turn: the policy answers.
    pub(crate) fn failed(&mut self, seat: SeatId, turn: TurnNumber, failure: Failure) -> bool {
        if !self.is_running(seat, turn) {
            return false;
        }
        self.fall_back(seat, failure);
        true
    }

    /// Ends the running turn with the policy's answer.
    pub(crate) fn fall_back(&mut self, seat: SeatId, failure: Failure) {
        let Some(sitting) = self.state.seat(seat) else { return };
        let Some(running) = sitting.turn.as_ref() else { return };
        let (turn, number) = (running.number, running.parts + 1);
        let texts = self.texts(seat, &running.language);
        let mut part = match self.policies.of(&sitting.bot).on_failure {
            // To somebody who said nothing yet, the greeting says more than an apology.
            OnFailure::Say if running.is_opening && running.parts == 0 && texts.greeting.is_some() => {
                policy_part(texts.greeting.clone(), Outcome::Open)
            }
            OnFailure::Say => policy_part(Some(texts.fallback.clone()), Outcome::Open),
            OnFailure::HandOver => policy_part(
                texts.hand_over.clone(),
                Outcome::HandOver(HandOver { reason: failure.word().into(), note: None }),
            ),
        };
        (part.turn, part.number) = (Some(turn), number);
        self.record(Fact::FellBack { seat, turn, failure });
        self.end_turn(seat);
        self.say(seat, part);
    }

    fn end_turn(&mut self, seat: SeatId) {
        if let Some(sitting) = self.seat_mut(seat) {
            sitting.turn = None;
        }
    }

    /// The engine said something without having been asked. A message that cannot be said is refused; whoever sent it
    /// is told.
    pub(crate) fn pushed(&mut self, seat: SeatId, answer: &Answer) -> bool {
        if let Err(reason) = self.may_speak(seat) {
            self.record(Fact::PushRefused { reason });
            return true;
        }
        self.remember(seat, answer);
        if answer.items.is_empty() && matches!(answer.next, Next::Await | Next::More) {
            return true;
        }
        let language = self.state.seat(seat).map(|seat| seat.language.clone()).unwrap_or_default();
        let mut part = part_of(answer, None, 0);
        self.announce(seat, &mut part, &language);
        self.say_of_own_accord(seat, part);
        true
    }

    /// An operator sends an undelivered answer again. It says its words and leaves the session as it is: nothing
    /// overrides the floor.
    pub(crate) fn redriven(&mut self, seat: SeatId, part: &Part) -> bool {
        if let Err(reason) = self.may_speak(seat) {
            self.record(Fact::RedriveRefused { reason });
            return true;
        }
        let part = Part { outcome: Outcome::Open, ..part.clone() };
        self.record(Fact::Redriven);
        self.say_of_own_accord(seat, part);
        true
    }

    /// Whether a front bot may say something of its own accord now.
    fn may_speak(&self, seat: SeatId) -> Result<(), Undelivered> {
        let sitting = self.state.seat(seat).ok_or(Undelivered::SessionEnded)?;
        match self.state.floor.holder {
            Holder::Queued | Holder::Human | Holder::HandingOver => return Err(Undelivered::FloorTaken),
            Holder::Ended => return Err(Undelivered::SessionEnded),
            Holder::Bot => {}
        }
        let session = sitting.session.as_ref().ok_or(Undelivered::SessionEnded)?;
        let leg = self.state.leg(session.leg).ok_or(Undelivered::SessionEnded)?;
        if leg.is_closing() || (leg.closed.is_some() && !leg.comes_back) {
            return Err(Undelivered::SessionEnded);
        }
        Ok(())
    }

    /// Says a part that answers no turn. One that closes the session fences the running turn first, so that nothing
    /// follows it.
    pub(crate) fn say_of_own_accord(&mut self, seat: SeatId, mut part: Part) {
        if part.outcome.closes() {
            self.fence(seat);
        }
        let Some(sitting) = self.seat_mut(seat) else { return };
        sitting.last_own_part += 1;
        (part.turn, part.number) = (None, sitting.last_own_part);
        self.say(seat, part);
    }

    /// The running turn is over without an answer: its ask is withdrawn, and what still comes is stale.
    pub(crate) fn fence(&mut self, seat: SeatId) {
        let Some(turn) = self.seat_mut(seat).and_then(|seat| seat.turn.take()) else { return };
        self.effects.push(Effect::WithdrawAsk { seat, turn: turn.number });
    }

    /// The running turn and everything behind it is given up.
    pub(crate) fn abandon(&mut self, seat: SeatId) {
        self.fence(seat);
        let waiting = self.seat_mut(seat).map(|seat| std::mem::take(&mut seat.waiting)).unwrap_or_default();
        for waiting in waiting {
            self.record(Fact::Unasked { seat, turn: waiting.number });
        }
        if let Some(seat) = self.seat_mut(seat) {
            seat.session = None;
        }
    }

    /// Ends the bot's run and tells it.
    pub(crate) fn end_session(&mut self, seat: SeatId, news: News) {
        let had = self.state.seat(seat).is_some_and(|seat| seat.session.is_some());
        self.abandon(seat);
        if had {
            self.notify(seat, news);
        }
    }

    /// An engine that calls a human without a word leaves the customer looking at nothing, so the policy says it.
    fn announce(&mut self, seat: SeatId, part: &mut Part, language: &str) {
        if !part.items.is_empty() || !matches!(part.outcome, Outcome::HandOver(_)) {
            return;
        }
        if let Some(text) = self.texts(seat, language).hand_over.clone() {
            self.record(Fact::PolicySaid { seat, text: text.clone() });
            part.items.push(Item::Text(text));
        }
    }

    /// Adds a part to what the customer is to see, and draws its consequences for session and floor.
    pub(crate) fn say(&mut self, seat: SeatId, mut part: Part) {
        if part.outcome.closes()
            && let Some(sitting) = self.state.seat(seat)
        {
            // The flow reads its output variables where the session ends: earlier turns' attributes go with it.
            for (name, value) in &sitting.attributes {
                part.attributes.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        let Some(leg) = self.state.seat(seat).and_then(|seat| seat.session.as_ref()).map(|session| session.leg) else {
            self.bury(seat, part, Undelivered::SessionEnded);
            return;
        };
        if part.by_policy && !part.items.is_empty() {
            let texts: Vec<_> = part.items.iter().map(Item::plain).collect();
            self.record(Fact::PolicySaid { seat, text: texts.join("\n\n") });
        }
        let outcome = part.outcome.clone();
        let evidence = evidence_of(&part);
        self.hold(leg, part);
        match outcome {
            Outcome::Open => {
                let door = self.state.leg(leg).map(|leg| leg.door.follow_up_ms);
                let now = self.now;
                if let Some(sitting) = self.seat_mut(seat)
                    && sitting.turn.is_none()
                    && sitting.waiting.is_empty()
                    && let Some(session) = sitting.session.as_mut()
                {
                    session.follow_up = door.map(|ms| now + ms);
                }
                self.start_next_turn(seat);
            }
            Outcome::HandOver(_) => {
                self.end_session(seat, News::HandedOver);
                self.move_floor(Holder::HandingOver, evidence);
            }
            Outcome::Done => {
                self.end_session(seat, News::Ended);
                self.move_floor(Holder::Ended, evidence);
            }
        }
    }

    pub(crate) fn notify(&mut self, seat: SeatId, news: News) {
        let Some(sitting) = self.state.seats.iter_mut().find(|sitting| sitting.id == seat) else { return };
        if !self.policies.of(&sitting.bot).notify.contains(&news) {
            return;
        }
        sitting.last_notice += 1;
        let notice = Notice {
            seat,
            bot: sitting.bot.clone(),
            number: sitting.last_notice,
            engine_session: sitting.engine_session,
            news,
        };
        self.effects.push(Effect::Notify(Box::new(notice)));
    }

    fn remember(&mut self, seat: SeatId, answer: &Answer) {
        if let Some(sitting) = self.seat_mut(seat) {
            merge_attributes(&mut sitting.attributes, &answer.attributes);
            if let Some(state) = &answer.engine_state {
                sitting.engine_state = Some(state.clone());
            }
        }
        if !answer.cuts.is_empty() {
            self.record(Fact::Cut { seat, cuts: answer.cuts.clone() });
        }
    }
}

/// A part as the policy says it.
pub(crate) fn policy_part(text: Option<String>, outcome: Outcome) -> Part {
    Part {
        turn: None,
        number: 0,
        items: text.into_iter().map(Item::Text).collect(),
        outcome,
        intent: None,
        slots: Slots::new(),
        attributes: Attributes::new(),
        by_policy: true,
    }
}

/// What a part that closes the session shows: who closed it, and why.
pub(crate) fn evidence_of(part: &Part) -> Evidence {
    match (&part.outcome, part.by_policy) {
        (Outcome::HandOver(hand_over), true) => match hand_over.reason.as_str() {
            HandOver::BY_OPERATOR => Evidence::Operator,
            HandOver::OUT_OF_SERVICE => Evidence::OutOfService,
            _ => Evidence::PolicyHandedOver,
        },
        (Outcome::HandOver(_), false) => Evidence::BotHandedOver,
        (Outcome::Done | Outcome::Open, true) => Evidence::Operator,
        (Outcome::Done | Outcome::Open, false) => Evidence::BotEnded,
    }
}

fn part_of(answer: &Answer, turn: Option<TurnNumber>, number: u32) -> Part {
    let outcome = match &answer.next {
        Next::Await | Next::More => Outcome::Open,
        Next::End => Outcome::Done,
        Next::HandOver(hand_over) => Outcome::HandOver(hand_over.clone()),
    };
    Part {
        turn,
        number,
        items: answer.items.clone(),
        outcome,
        intent: answer.intent.clone(),
        slots: answer.slots.clone(),
        attributes: answer.attributes.clone(),
        by_policy: false,
    }
}
