//! What a conversation knows about itself between two events.

use std::collections::VecDeque;

use model::{
    Attributes, BotKey, Channel, Choice, Door, Evidence, Floor, Holder, Input, Late, LegId, LegName, Opaque, Part,
    PollNumber, PushNumber, RequestId, Said, SeatId, SeatKind, Timestamp, TurnNumber,
};

/// At most this many bots sit in one conversation.
pub const SEATS_MAX: usize = 8;
/// At most this many sessions of platforms are remembered; idle ones make room.
pub const LEGS_MAX: usize = 16;
/// At most this many parts wait on a leg.
pub const HELD_PARTS_MAX: usize = 50;
/// At most this many pushes of a leg are under way.
pub const PUSHES_MAX: usize = 50;
/// At most this many requests of a leg wait for an answer.
pub const OPEN_REQUESTS_MAX: usize = 16;
/// At most this many sealed replies of a leg are in doubt; beyond, the oldest counts as delivered.
pub const UNCONFIRMED_MAX: usize = 32;
/// At most this many requests join one that asks the same.
pub const JOINED_MAX: usize = 8;
/// At most this many bytes of messages that follow each other become one input.
pub const MERGED_MAX_BYTES: usize = 16 * 1024;
/// At most this many bytes of what was offered as numbered lines are remembered.
pub(crate) const OFFERED_MAX_BYTES: usize = 8 * 1024;
/// At most this many bytes of a customer's id are kept; a longer one is no id.
pub(crate) const CUSTOMER_MAX_BYTES: usize = 256;
/// At most this many bytes of attributes are kept per seat.
pub const ATTRIBUTES_MAX_BYTES: usize = 32 * 1024;

/// The state of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// The latest time it was told; it never goes back.
    pub now: Timestamp,
    /// Who may speak.
    pub floor: Floor,
    /// The bots in it, in the order of appearance.
    pub seats: Vec<Seat>,
    /// Its sessions on platforms, in the order of appearance.
    pub legs: Vec<Leg>,
    /// The number of the next leg.
    pub next_leg: u32,
    /// How many turns were asked, by all seats.
    pub turns: u32,
    /// Who the customer is, in the words of the flow; the latest that was said.
    pub customer: Option<String>,
}

impl Conversation {
    /// A conversation that nobody has said anything in.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            now,
            floor: Floor { holder: Holder::Ended, since: now, evidence: Evidence::Opened },
            seats: Vec::new(),
            legs: Vec::new(),
            next_leg: 0,
            turns: 0,
            customer: None,
        }
    }

    /// A seat by its id.
    #[must_use]
    pub fn seat(&self, id: SeatId) -> Option<&Seat> {
        self.seats.iter().find(|seat| seat.id == id)
    }

    /// A leg by its id.
    #[must_use]
    pub fn leg(&self, id: LegId) -> Option<&Leg> {
        self.legs.iter().find(|leg| leg.id == id)
    }

    /// The leg that a request came in on, while the request is open or unconfirmed.
    #[must_use]
    pub fn leg_of(&self, request: RequestId) -> Option<&Leg> {
        self.legs.iter().find(|leg| {
            leg.open.iter().any(|open| open.is(request)) || leg.unconfirmed.iter().any(|sealed| sealed.is(request))
        })
    }

    /// The one time at which something is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.next_due_without(&[])
    }

    /// The same, when these replies are known to be out though no step has been told yet.
    #[must_use]
    pub fn next_due_without(&self, out: &[RequestId]) -> Option<Timestamp> {
        let turns = self.seats.iter().filter_map(|seat| seat.turn.as_ref()).map(|turn| turn.hard_deadline);
        let silence = self.seats.iter().filter_map(|seat| seat.session.as_ref()?.follow_up);
        let legs = self.legs.iter().flat_map(|leg| leg.deadlines(out));
        let gatherings = self.seats.iter().filter_map(Seat::gathered_at);
        turns.chain(gatherings).chain(silence).chain(legs).min()
    }

    /// Whether nothing is open: no session, nothing on its way, nobody waiting.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.is_finished_without(&[])
    }

    fn is_finished_without(&self, out: &[RequestId]) -> bool {
        self.seats.iter().all(|seat| seat.session.is_none() && seat.turn.is_none())
            && self.legs.iter().all(|leg| leg.is_idle_without(out) && leg.closed.is_some())
    }

    /// Whether the news that these replies are out lets something go on that waits for it: a push, or the end of the
    /// conversation, after which no step would come that could take the news along. Otherwise it can wait for the next
    /// step.
    #[must_use]
    pub fn waits_for_out(&self, out: &[RequestId]) -> bool {
        let is_news = |leg: &Leg| leg.unconfirmed.iter().any(|sealed| out.iter().any(|request| sealed.is(*request)));
        let gates_a_push = |leg: &Leg| leg.pushes_late() && !leg.held.is_empty() && is_news(leg);
        self.legs.iter().any(gates_a_push) || (self.legs.iter().any(is_news) && self.is_finished_without(out))
    }

    /// What a customer means who types a number or a label of what was offered as numbered lines, on a channel that has
    /// nothing to tap. Whoever brings a message to the core asks this first. What an operator brings again was typed below
    /// another list than the one that stands now.
    #[must_use]
    pub fn tapped(&self, said: &Said) -> Option<Input> {
        let Input::Text(text) = &said.input else { return None };
        let is_new = said.request.is_some() && said.poll.is_none();
        let leg = self.legs.iter().find(|leg| leg.name == said.leg && is_new)?;
        let bare = |text: &str| text.trim().trim_end_matches(['.', ')', '!']).to_lowercase();
        let words = bare(text);
        let mut labelled = leg.offered.iter().filter(|choice| bare(&choice.label) == words);
        let choice = match labelled.next() {
            // Several cards may have a button of this label: then only the numbers tell which is meant.
            Some(first) if labelled.any(|other| other.value != first.value) => return None,
            Some(first) => first,
            None => leg.offered.get(words.parse::<usize>().ok()?.checked_sub(1)?)?,
        };
        Some(Input::Choice { label: choice.label.clone(), payload: choice.value.clone() })
    }

    /// How many inputs of a bot wait behind its running turn.
    #[must_use]
    pub fn waiting_inputs(&self, bot: &BotKey) -> usize {
        self.seats.iter().find(|seat| seat.bot == *bot).map_or(0, |seat| seat.waiting.len())
    }
}

/// A bot in the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// Its id.
    pub id: SeatId,
    /// How it sits.
    pub kind: SeatKind,
    /// Which bot.
    pub bot: BotKey,
    /// The engine's session: the same over the platform's sessions.
    pub engine_session: u128,
    /// How many runs of the bot the conversation saw, this one included.
    pub visits: u32,
    /// The number of the latest turn, asked or waiting.
    pub last_turn: u32,
    /// The latest number of a message of the bot's own accord.
    pub last_own_part: u32,
    /// The latest number of a notice.
    pub last_notice: u32,
    /// The latest number of a holding turn.
    pub last_poll: PollNumber,
    /// Whether a turn was asked in this visit.
    pub asked_in_visit: bool,
    /// The language of the latest message.
    pub language: String,
    /// The run of the bot that is open now.
    pub session: Option<Session>,
    /// The turn that the engine works on.
    pub turn: Option<Turn>,
    /// Inputs behind it.
    pub waiting: VecDeque<Waiting>,
    /// What flow and engine told each other.
    pub attributes: Attributes,
    /// What the engine wants to be given again.
    pub engine_state: Option<Opaque>,
}

impl Seat {
    /// When the input that gathers is asked; nothing while a turn is ahead of it.
    pub(crate) fn gathered_at(&self) -> Option<Timestamp> {
        let next = self.waiting.front().filter(|_| self.turn.is_none())?;
        next.gathers.map(|gathering| gathering.until)
    }
}

/// One run of a bot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The leg it speaks on now.
    pub leg: LegId,
    /// When the customer's silence ends it; absent while the bot is at work.
    pub follow_up: Option<Timestamp>,
    /// Holding turns since the last answer.
    pub holding: u32,
    /// Whether it was opened by the platform's start, or by the customer's first words.
    pub begun: bool,
}

/// A turn that the engine works on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Its number.
    pub number: TurnNumber,
    /// When it is answered by the policy.
    pub hard_deadline: Timestamp,
    /// How many parts it has.
    pub parts: u32,
    /// Whether the engine took it and answers by a callback.
    pub accepted: bool,
    /// In which language it was asked.
    pub language: String,
    /// Whether it opens the conversation: the customer said nothing yet.
    pub is_opening: bool,
}

/// An input behind a running turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The number of the turn it will be.
    pub number: TurnNumber,
    /// What was said.
    pub input: Input,
    /// In which language.
    pub language: String,
    /// Set while messages that follow shortly are merged into it.
    pub gathers: Option<Gathering>,
}

/// Until when messages are merged into one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gathering {
    /// Until this time, when none follows.
    pub until: Timestamp,
    /// Not longer than this, however many follow.
    pub latest: Timestamp,
}

/// One session of a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Its id.
    pub id: LegId,
    /// As the platform names it.
    pub name: LegName,
    /// The bot it belongs to.
    pub seat: SeatId,
    /// What the door can do.
    pub door: Door,
    /// What the connector needs to send to it.
    pub address: Opaque,
    /// The connector's memory.
    pub memory: Opaque,
    /// What the customer uses; the latest that was said.
    pub channel: Option<Channel>,
    /// What the latest answer offered as numbered lines, the first being number 1.
    pub offered: Vec<Choice>,
    /// When the platform takes nothing more.
    pub expires: Timestamp,
    /// Why it is over for us.
    pub closed: Option<Evidence>,
    /// It was closed by a `pending` path: the flow comes back by another leg.
    pub comes_back: bool,
    /// Requests that wait for an answer, in the order of arrival.
    pub open: Vec<OpenRequest>,
    /// Sealed replies that are not known to be out.
    pub unconfirmed: Vec<Unconfirmed>,
    /// Parts that are decided and on no wire yet.
    pub held: Vec<Part>,
    /// Pushes under way.
    pub pushes: Vec<UnderWay>,
    /// The number of the latest push.
    pub last_push: PushNumber,
    /// No push before this time.
    pub push_not_before: Timestamp,
}

impl Leg {
    /// Remembers what was offered as numbered lines, as far as there is room: what comes last is answered in words. A
    /// session that is over offers nothing.
    pub fn offer(&mut self, mut offered: Vec<Choice>) {
        if self.closed.is_some() {
            offered.clear();
        }
        let mut bytes = 0;
        let fits = offered.iter().take_while(|choice| {
            bytes += choice.label.len() + choice.value.len();
            bytes <= OFFERED_MAX_BYTES
        });
        let room = fits.count();
        offered.truncate(room);
        self.offered = offered;
    }

    /// Whether answers that nobody waits for can be pushed.
    #[must_use]
    pub fn pushes_late(&self) -> bool {
        self.door.late == Late::Push
    }

    /// Whether the last part of the session waits here: nothing may follow it.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.held.last().is_some_and(|part| part.outcome.closes())
    }

    /// Whether a request's socket is gone while another request of the session waits already: what is held is for that
    /// one, since whatever the first one is sealed with would come after it.
    pub(crate) fn is_left_to_another(&self, index: usize) -> bool {
        self.open[index].gone && self.open.iter().any(|open| !open.gone)
    }

    /// Whether nothing is on its way and nobody waits, once these replies are known to be out.
    fn is_idle_without(&self, out: &[RequestId]) -> bool {
        let in_doubt = self.doubtful(out).next().is_some();
        self.open.is_empty() && self.held.is_empty() && self.pushes.is_empty() && !in_doubt
    }

    fn doubtful(&self, out: &[RequestId]) -> impl Iterator<Item = &Unconfirmed> {
        self.unconfirmed.iter().filter(|sealed| !out.iter().any(|request| sealed.is(*request)))
    }

    fn deadlines(&self, out: &[RequestId]) -> impl Iterator<Item = Timestamp> {
        let waits = self.open.iter().map(|open| open.wait_until);
        let doubtful = || self.doubtful(out);
        let windows = doubtful().filter(|_| self.pushes_late()).map(|sealed| sealed.until);
        let alive = self.closed.is_none() || !self.held.is_empty() || doubtful().next().is_some();
        let lifetime = alive.then_some(self.expires);
        waits.chain(windows).chain(lifetime)
    }
}

/// A request that waits for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRequest {
    /// Its id.
    pub id: RequestId,
    /// Requests that asked the same while it waited.
    pub joined: Vec<RequestId>,
    /// Until when it waits.
    pub wait_until: Timestamp,
    /// What it waits for.
    pub wants: Wants,
    /// The hash of its body.
    pub body_hash: u64,
    /// Its socket is known to be gone.
    pub gone: bool,
}

impl OpenRequest {
    pub(crate) fn is(&self, request: RequestId) -> bool {
        self.id == request || self.joined.contains(&request)
    }
}

/// What a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// The answer to this turn.
    Turn(TurnNumber),
    /// A late answer.
    Poll,
    /// Whatever is there; it asked nothing.
    Whatever,
}

/// A sealed reply that is not known to be out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unconfirmed {
    /// Its request.
    pub request: RequestId,
    /// Requests that got the same bytes.
    pub joined: Vec<RequestId>,
    /// The parts in it.
    pub parts: Vec<Part>,
    /// Until when the platform may still retry.
    pub until: Timestamp,
    /// When its response was seen to abort.
    pub aborted: Option<Timestamp>,
    /// The hash of the request's body.
    pub body_hash: u64,
}

impl Unconfirmed {
    pub(crate) fn is(&self, request: RequestId) -> bool {
        self.request == request || self.joined.contains(&request)
    }
}

/// A push under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnderWay {
    /// Its number.
    pub number: PushNumber,
    /// What is in it, so that nothing is lost when it fails.
    pub parts: Vec<Part>,
}
