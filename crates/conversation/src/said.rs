//! A customer's message: where it belongs, and what it asks for.

use model::{
    Attributes, Effect, Evidence, Fact, HandOver, Holder, Input, Late, LegId, News, Opaque, Outcome, Part, Poll,
    PollNumber, PushNumber, Reply, Said, SeatId, SeatKind, Timestamp, TurnNumber, Undelivered,
};

use crate::state::{
    ATTRIBUTES_MAX_BYTES, CUSTOMER_MAX_BYTES, Gathering, JOINED_MAX, LEGS_MAX, Leg, MERGED_MAX_BYTES,
    OPEN_REQUESTS_MAX, OpenRequest, SEATS_MAX, Seat, Session, Waiting, Wants,
};
use crate::{Opening, Step, Texts, Wording, turn};

impl Step<'_> {
    /// A message came in on a leg.
    pub(crate) fn said(&mut self, said: &Said) -> bool {
        if said.request.is_none()
            && let Err(reason) = self.may_be_said_again(said)
        {
            self.record(Fact::RedriveRefused { reason });
            return true;
        }
        if self.join(said) {
            return true;
        }
        let Some(seat) = self.seat_for(said) else {
            self.refuse(said, Reply::Failed { code: "conversation.too_many_bots" });
            return true;
        };
        if self.is_full(said, seat) {
            self.refuse(said, Reply::Refused);
            return true;
        }
        let Some(leg) = self.leg_for(said, seat) else {
            self.refuse(said, Reply::Failed { code: "conversation.too_many_sessions" });
            return true;
        };
        self.merge(said, seat, leg);
        self.take_as_delivered(leg);
        let wants = self.what_is_wanted(said, seat, leg);
        self.open_request(said, leg, wants);
        if let Some(request) = said.request.filter(|_| said.wait_until <= self.now) {
            // Nobody waits for the answer: the acknowledgement costs no step of its own.
            self.deliver();
            self.expire(leg, request);
        }
        true
    }

    /// Whether a redriven message still belongs where it was meant for. A platform's message is evidence that the floor
    /// is the bot's; an operator's command is none, so it opens no session beside or after another.
    fn may_be_said_again(&self, said: &Said) -> Result<(), Undelivered> {
        if self.state.legs.is_empty() && self.state.seats.is_empty() {
            return Ok(());
        }
        match self.state.floor.holder {
            Holder::Queued | Holder::Human | Holder::HandingOver => return Err(Undelivered::FloorTaken),
            Holder::Ended => return Err(Undelivered::SessionEnded),
            Holder::Bot => {}
        }
        let leg = self.state.legs.iter().find(|leg| leg.name == said.leg).ok_or(Undelivered::Superseded)?;
        if leg.closed.is_some() || leg.is_closing() { Err(Undelivered::SessionEnded) } else { Ok(()) }
    }

    /// Whether more waits already than the policy and the leg's limits allow. Nothing of the message is kept then.
    fn is_full(&self, said: &Said, seat: SeatId) -> bool {
        let policy = self.policies.of(&said.bot);
        let waiting = self
            .state
            .seat(seat)
            .is_some_and(|seat| seat.turn.is_some() && seat.waiting.len() >= policy.max_waiting_inputs as usize);
        let open = self.state.legs.iter().any(|leg| leg.name == said.leg && leg.open.len() >= OPEN_REQUESTS_MAX);
        let asks = said.poll.is_none() && said.input != Input::Start;
        (waiting && asks && self.joins_input(said, seat).is_none()) || open
    }

    fn refuse(&mut self, said: &Said, reply: Reply) {
        if let Some(request) = said.request {
            let leg = self.state.legs.iter().find(|leg| leg.name == said.leg).map_or(LegId(0), |leg| leg.id);
            self.effects.push(Effect::Seal { request, leg, reply });
        } else {
            self.record(Fact::RedriveRefused { reason: Undelivered::TooMuchHeld });
        }
    }

    /// A door without message ids repeats a request: it joins the one in flight, or gets the bytes of the one that was
    /// sealed a moment ago and is not known to be out, or whose response was seen to abort. A second honest 'yes' passes.
    /// The platform sends it only when it has the reply, and then that is known here.
    fn join(&mut self, said: &Said) -> bool {
        let (now, window) = (self.now, said.door.join_identical_ms);
        let Some(request) = said.request.filter(|_| window > 0) else { return false };
        let Some(leg) = self.state.legs.iter_mut().find(|leg| leg.name == said.leg) else { return false };
        if let Some(open) =
            leg.open.iter_mut().find(|open| open.body_hash == said.body_hash && open.joined.len() < JOINED_MAX)
        {
            open.joined.push(request);
            open.gone = false;
            let to = open.id;
            self.record(Fact::Joined { request, to });
            return true;
        }
        let retry_window = leg.door.retry_window_ms;
        let in_doubt = leg.unconfirmed.iter_mut().find(|sealed| {
            let is_recent = match sealed.aborted {
                Some(at) => now.ms_since(at) < window,
                None => now + retry_window < sealed.until + window,
            };
            sealed.body_hash == said.body_hash && sealed.joined.len() < JOINED_MAX && is_recent
        });
        let Some(sealed) = in_doubt else { return false };
        sealed.joined.push(request);
        sealed.aborted = None;
        let of = sealed.request;
        self.effects.push(Effect::SealSame { request, of });
        self.record(Fact::Joined { request, to: of });
        true
    }

    /// The seat of the addressed bot; a new one when the bot is new here.
    fn seat_for(&mut self, said: &Said) -> Option<SeatId> {
        if let Some(seat) = self.state.seats.iter().find(|seat| seat.bot == said.bot && seat.kind == SeatKind::Front) {
            return Some(seat.id);
        }
        if self.state.seats.len() >= SEATS_MAX {
            return None;
        }
        let id = SeatId(u8::try_from(self.state.seats.len()).ok()?);
        self.state.seats.push(Seat {
            id,
            kind: SeatKind::Front,
            bot: said.bot.clone(),
            engine_session: said.fresh_session,
            visits: 0,
            last_turn: 0,
            last_own_part: 0,
            last_notice: 0,
            last_poll: PollNumber(0),
            asked_in_visit: false,
            language: String::new(),
            session: None,
            turn: None,
            waiting: std::collections::VecDeque::new(),
            attributes: Attributes::new(),
            engine_state: None,
        });
        Some(id)
    }

    /// The leg of the platform's session. An unseen or ended session is itself the evidence that the floor is the
    /// bot's: these doors give no other, and a lost `Complete` must not mute a customer.
    fn leg_for(&mut self, said: &Said, seat: SeatId) -> Option<LegId> {
        let known = self.state.legs.iter().find(|leg| leg.name == said.leg).map(|leg| (leg.id, leg.seat));
        if let Some((id, owner)) = known
            && owner != seat
        {
            self.silence(id, Undelivered::Superseded, Evidence::Returned);
            self.end_session(owner, News::Ended);
        }
        let known = known.and_then(|(id, _)| Some((id, self.state.leg(id)?.closed.is_some())));
        match known {
            Some((id, false)) => Some(id),
            Some((id, true)) => {
                self.supersede(id, seat, said.poll.is_some());
                let expires = self.now + said.session_lifetime_ms;
                let leg = self.leg_mut(id)?;
                (leg.closed, leg.comes_back, leg.seat, leg.expires) = (None, false, seat, expires);
                self.open_unless_closing(seat, id);
                Some(id)
            }
            None => {
                self.make_room_for_a_leg();
                if self.state.legs.len() >= LEGS_MAX {
                    return None;
                }
                let id = LegId(self.state.next_leg);
                self.state.next_leg += 1;
                self.state.legs.push(new_leg(id, seat, said, self.now + said.session_lifetime_ms));
                self.supersede(id, seat, said.poll.is_some());
                self.open_unless_closing(seat, id);
                Some(id)
            }
        }
    }

    /// What waits on the leg may be the last part of a session that nobody fetched: then nothing is opened again.
    fn open_unless_closing(&mut self, seat: SeatId, leg: LegId) {
        if !self.state.leg(leg).is_some_and(Leg::is_closing) {
            self.open_session(seat, leg);
        }
    }

    fn make_room_for_a_leg(&mut self) {
        while self.state.legs.len() >= LEGS_MAX {
            let in_use: Vec<LegId> =
                self.state.seats.iter().filter_map(|seat| Some(seat.session.as_ref()?.leg)).collect();
            let idle = self.state.legs.iter().position(|leg| {
                leg.closed.is_some()
                    && leg.held.is_empty()
                    && leg.open.is_empty()
                    && leg.pushes.is_empty()
                    && !in_use.contains(&leg.id)
            });
            let Some(index) = idle else { return };
            let leg = self.state.legs.remove(index);
            for part in leg.unconfirmed.into_iter().flat_map(|sealed| sealed.parts) {
                self.bury(leg.seat, part, Undelivered::OutcomeUnknown);
            }
        }
    }

    /// A session opened on `new` by `seat`: every other session of a front bot is over. What a `pending` path left behind
    /// moves over; what else was left is buried with its reason.
    fn supersede(&mut self, new: LegId, seat: SeatId, is_poll: bool) {
        let others: Vec<LegId> = self
            .state
            .legs
            .iter()
            .filter(|leg| leg.id != new && (leg.closed.is_none() || leg.comes_back))
            .map(|leg| leg.id)
            .collect();
        for old in others {
            let Some(leg) = self.state.leg(old) else { continue };
            if leg.comes_back && leg.seat == seat {
                self.move_over(old, new, is_poll);
                continue;
            }
            let owner = leg.seat;
            self.silence(old, Undelivered::Superseded, Evidence::Returned);
            if owner != seat {
                self.end_session(owner, News::Ended);
            } else {
                self.abandon(owner);
            }
        }
        self.recall_memory(new, seat);
    }

    /// What waits on a leg that a `pending` path left comes out on the one by which the flow came back. That it polls is
    /// the evidence that the reply arrived; any other message is none.
    fn move_over(&mut self, old: LegId, new: LegId, is_poll: bool) {
        let Some(leg) = self.leg_mut(old) else { return };
        leg.comes_back = false;
        let owner = leg.seat;
        let (aborted, offered): (Vec<_>, Vec<_>) =
            std::mem::take(&mut leg.unconfirmed).into_iter().partition(|sealed| sealed.aborted.is_some());
        let mut parts: Vec<_> = aborted.into_iter().flat_map(|sealed| sealed.parts).collect();
        parts.append(&mut leg.held);
        match self.leg_mut(new) {
            Some(leg) if leg.held.is_empty() => leg.held = parts,
            Some(_) => self.hold_first(new, parts),
            None => {}
        }
        for part in offered.into_iter().filter(|_| !is_poll).flat_map(|sealed| sealed.parts) {
            self.bury(owner, part, Undelivered::OutcomeUnknown);
        }
    }

    /// A connector's memory outlives a platform's session: the loop guard may count over re-entries
    /// (`reference/bot-connector-v1.md`, section 11.7).
    fn recall_memory(&mut self, new: LegId, seat: SeatId) {
        let Some(leg) = self.state.leg(new) else { return };
        let connector = leg.name.connector.clone();
        let latest = self
            .state
            .legs
            .iter()
            .filter(|leg| leg.id != new && leg.seat == seat && leg.name.connector == connector)
            .max_by_key(|leg| leg.id)
            .map(|leg| leg.memory.clone());
        if let (Some(memory), Some(leg)) = (latest, self.leg_mut(new))
            && leg.memory == Opaque::default()
        {
            leg.memory = memory;
        }
    }

    fn open_session(&mut self, seat: SeatId, leg: LegId) {
        let unseen = self.state.seats.iter().all(|seat| seat.visits == 0);
        if self.state.floor.holder != Holder::Bot {
            self.move_floor(Holder::Bot, if unseen { Evidence::Opened } else { Evidence::Returned });
        }
        let Some(sitting) = self.seat_mut(seat) else { return };
        if let Some(session) = sitting.session.as_mut() {
            session.leg = leg;
            return;
        }
        sitting.session = Some(Session { leg, follow_up: None, holding: 0, begun: false });
        sitting.visits += 1;
        sitting.asked_in_visit = false;
        let news = if sitting.visits == 1 { News::Opened } else { News::Returned };
        self.notify(seat, news);
    }

    /// Session variables are merged when present and never cleared when absent (`reference/bot-connector-v1.md`,
    /// section 2.2); the address is the latest, because a push must repeat the session's own.
    fn merge(&mut self, said: &Said, seat: SeatId, leg: LegId) {
        if let Some(leg) = self.leg_mut(leg) {
            leg.address = said.address.clone();
            leg.door = said.door.clone();
            leg.channel = said.channel.or(leg.channel);
        }
        if let Some(customer) = said.customer.as_ref().filter(|customer| customer.len() <= CUSTOMER_MAX_BYTES) {
            self.state.customer = Some(customer.clone());
        }
        let silence_until = self.now + said.door.follow_up_ms;
        if let Some(seat) = self.seat_mut(seat) {
            merge_attributes(&mut seat.attributes, &said.parameters);
            if !said.language.is_empty() {
                seat.language.clone_from(&said.language);
            }
            if let Some(session) = seat.session.as_mut() {
                session.follow_up = Some(silence_until);
            }
        }
    }

    /// On a door that cannot push, the next request of a session shows that the reply before it arrived, unless its
    /// response was seen to abort: then its parts come first in this answer.
    fn take_as_delivered(&mut self, leg: LegId) {
        let Some(found) = self.leg_mut(leg).filter(|leg| !leg.pushes_late()) else { return };
        let mut parts = Vec::new();
        let mut taken = false;
        for sealed in std::mem::take(&mut found.unconfirmed) {
            match sealed.aborted {
                Some(_) => parts.extend(sealed.parts),
                None => taken = true,
            }
        }
        if !parts.is_empty() {
            self.hold_first(leg, parts);
        }
        if taken {
            self.record(Fact::TakenAsDelivered { leg });
        }
    }

    /// What the request waits for; a turn is asked, or queued, when the message is one.
    fn what_is_wanted(&mut self, said: &Said, seat: SeatId, leg: LegId) -> Wants {
        let policy = self.policies.of(&said.bot);
        let (Some(found), Some(sitting)) = (self.state.leg(leg), self.state.seat(seat)) else { return Wants::Whatever };
        let closing = found.is_closing();
        let showed_button = sitting.session.as_ref().is_some_and(|session| session.holding > 0);
        let something_late = !found.held.is_empty() || sitting.turn.is_some();
        if is_poll(said, something_late && showed_button, &policy.texts) {
            if !something_late {
                return self.empty_poll(said, seat);
            }
            return Wants::Poll;
        }
        if said.input.is_blank() {
            self.record(Fact::Blank);
            return Wants::Whatever;
        }
        if said.input == Input::Start {
            return self.start(said, seat, closing, something_late);
        }
        if closing || sitting.session.is_none() {
            let turn = self.number_turn(seat);
            self.record(Fact::Unasked { seat, turn });
            return Wants::Turn(turn);
        }
        self.begin(seat);
        self.ask_or_hand_over(said, seat)
    }

    /// The platform opens the conversation before the customer spoke. Once per visit: a start that comes again finds
    /// what is late, and otherwise says nothing.
    fn start(&mut self, said: &Said, seat: SeatId, closing: bool, something_late: bool) -> Wants {
        let policy = self.policies.of(&said.bot);
        let session = self.state.seat(seat).and_then(|seat| seat.session.as_ref());
        if closing || session.is_none_or(|session| session.begun) {
            self.record(Fact::NotOpened { seat });
            let comes_back = something_late && said.door.late != Late::Push;
            return if comes_back { Wants::Poll } else { Wants::Whatever };
        }
        self.begin(seat);
        let greeting = policy.texts.of(&said.language).greeting.clone();
        let out_of_service = self.policies.out_of_service(&said.bot).is_some();
        match (policy.opening, greeting) {
            (Opening::Engine, _) => self.ask_or_hand_over(said, seat),
            _ if out_of_service => self.ask_or_hand_over(said, seat),
            (Opening::Greeting, Some(greeting)) => {
                let turn = self.number_turn(seat);
                self.record(Fact::Greeted { seat, turn });
                let part = turn::policy_part(Some(greeting), Outcome::Open);
                self.say(seat, Part { turn: Some(turn), number: 1, ..part });
                Wants::Turn(turn)
            }
            (Opening::Greeting, None) | (Opening::Silent, _) => {
                self.record(Fact::NotOpened { seat });
                Wants::Whatever
            }
        }
    }

    /// Asks the engine, unless the conversation took as many turns as it may.
    fn ask_or_hand_over(&mut self, said: &Said, seat: SeatId) -> Wants {
        if self.state.turns < self.policies.of(&said.bot).max_turns {
            return Wants::Turn(self.take_turn(seat, said));
        }
        let turn = self.number_turn(seat);
        self.record(Fact::TurnLimit);
        self.record(Fact::Unasked { seat, turn });
        self.call_a_human(seat, "turn_limit", None);
        Wants::Turn(turn)
    }

    /// The run of the bot has begun: what opens it now comes too late.
    fn begin(&mut self, seat: SeatId) {
        if let Some(session) = self.seat_mut(seat).and_then(|seat| seat.session.as_mut()) {
            session.begun = true;
        }
    }

    /// A poll finds nothing: on a `pending` path the flow waits for an answer that nobody has any more, so a human is
    /// called; a tapped button just gets nothing new.
    fn empty_poll(&mut self, said: &Said, seat: SeatId) -> Wants {
        self.record(Fact::EmptyPoll);
        if said.door.late == Late::PendingFlow {
            self.call_a_human(seat, "answer_lost", None);
        }
        Wants::Whatever
    }

    /// Starts the next turn, or queues it behind the running one, or merges the message into the input that gathers.
    fn take_turn(&mut self, seat: SeatId, said: &Said) -> TurnNumber {
        if let Some(number) = self.joins_input(said, seat) {
            self.join_input(said, seat, number);
            return number;
        }
        self.end_gathering(seat);
        let number = self.number_turn(seat);
        let gathers = said.gathers().then(|| {
            let latest = self.now + said.door.merge_max_ms;
            Gathering { until: latest.min(self.now + said.door.merge_quiet_ms), latest }
        });
        let Some(sitting) = self.seat_mut(seat).filter(|seat| seat.session.is_some()) else {
            self.record(Fact::Unasked { seat, turn: number });
            return number;
        };
        if let Some(session) = sitting.session.as_mut().filter(|_| gathers.is_some()) {
            session.follow_up = None;
        }
        let (input, language) = (said.input.clone(), said.language.clone());
        sitting.waiting.push_back(Waiting { number, input, language, gathers });
        self.start_next_turn(seat);
        number
    }

    /// The input that a message is merged into: a text that follows a text shortly.
    fn joins_input(&self, said: &Said, seat: SeatId) -> Option<TurnNumber> {
        let last = self.state.seat(seat)?.waiting.back().filter(|_| said.gathers())?;
        let is_open = last.gathers.is_some_and(|gathering| gathering.until > self.now);
        let fits = last.input.shown().len() + said.input.shown().len() < MERGED_MAX_BYTES;
        (is_open && fits).then_some(last.number)
    }

    /// Merges a message. The requests of those before it are answered at once, with nothing; its own waits.
    fn join_input(&mut self, said: &Said, seat: SeatId, number: TurnNumber) {
        let now = self.now;
        let Some(last) = self.seat_mut(seat).and_then(|seat| seat.waiting.back_mut()) else { return };
        if let Input::Text(text) = &mut last.input {
            text.push('\n');
            text.push_str(said.input.shown());
        }
        last.language.clone_from(&said.language);
        if let Some(gathering) = last.gathers.as_mut() {
            gathering.until = gathering.latest.min(now + said.door.merge_quiet_ms);
        }
        let sitting = self.seat_mut(seat).and_then(|seat| seat.session.as_mut());
        if let Some(session) = sitting {
            session.follow_up = None;
        }
        let legs = self.state.legs.iter_mut().filter(|leg| leg.seat == seat);
        for open in legs.flat_map(|leg| &mut leg.open) {
            if open.wants == Wants::Turn(number) {
                open.wants = Wants::Whatever;
            }
        }
        self.record(Fact::Merged { seat, turn: number });
    }

    /// What gathers waits for nothing more: something else follows it.
    fn end_gathering(&mut self, seat: SeatId) {
        if let Some(last) = self.seat_mut(seat).and_then(|seat| seat.waiting.back_mut()) {
            last.gathers = None;
            self.start_next_turn(seat);
        }
    }

    /// Every input that is not blank gets the number of a turn, asked or not.
    fn number_turn(&mut self, seat: SeatId) -> TurnNumber {
        let Some(sitting) = self.seat_mut(seat) else { return TurnNumber(0) };
        sitting.last_turn += 1;
        TurnNumber(sitting.last_turn)
    }

    fn open_request(&mut self, said: &Said, leg: LegId, wants: Wants) {
        let Some(request) = said.request else { return };
        let open = OpenRequest {
            id: request,
            joined: Vec::new(),
            wait_until: said.wait_until,
            wants,
            body_hash: said.body_hash,
            gone: false,
        };
        if let Some(leg) = self.leg_mut(leg) {
            leg.open.push(open);
        }
    }

    /// The policy calls a human: the hand-over text, and the end of the session.
    pub(crate) fn call_a_human(&mut self, seat: SeatId, reason: &str, note: Option<&str>) {
        let language = self.state.seat(seat).map_or("", |seat| &seat.language);
        let text = self.texts(seat, language).hand_over.clone();
        let hand_over = HandOver { reason: reason.into(), note: note.map(Into::into) };
        let part = turn::policy_part(text, Outcome::HandOver(hand_over));
        self.say_of_own_accord(seat, part);
    }
}

fn is_poll(said: &Said, label_counts: bool, texts: &Wording) -> bool {
    match said.poll {
        Some(Poll::Number(_) | Poll::Any) => true,
        None => {
            let shown = said.input.shown().trim().to_lowercase();
            let is_label = |texts: &Texts| texts.poll_label.trim().to_lowercase() == shown;
            label_counts && said.door.late != Late::Push && texts.all().any(is_label)
        }
    }
}

fn new_leg(id: LegId, seat: SeatId, said: &Said, expires: Timestamp) -> Leg {
    Leg {
        id,
        name: said.leg.clone(),
        seat,
        door: said.door.clone(),
        address: said.address.clone(),
        memory: Opaque::default(),
        channel: said.channel,
        offered: Vec::new(),
        expires,
        closed: None,
        comes_back: false,
        open: Vec::new(),
        unconfirmed: Vec::new(),
        held: Vec::new(),
        pushes: Vec::new(),
        last_push: PushNumber(0),
        push_not_before: Timestamp(0),
    }
}

/// Later values win; past the cap nothing new is taken, so that a chatty flow cannot grow the state.
pub(crate) fn merge_attributes(known: &mut Attributes, new: &Attributes) {
    let mut size: usize = known.iter().map(|(name, value)| name.len() + value.len()).sum();
    for (name, value) in new {
        let replaced = known.get(name).map_or(0, |old| name.len() + old.len());
        let grown = size - replaced + name.len() + value.len();
        if grown <= ATTRIBUTES_MAX_BYTES {
            known.insert(name.clone(), value.clone());
            size = grown;
        }
    }
}
