//! The state of one conversation, and every change of it: customer, answers, outgoing messages, timers.
//!
//! Called by the handle, the turns and the cloud. Everything here happens under one lock and waits for nothing; the
//! calls on the connector are in `turn`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Input, Seen};
use crate::channel::Screen;
use crate::check::answer::{Answer, BotState};
use crate::check::content::Rules;
use crate::check::manifest::{Bot, BotVersion};
use crate::fault::{Dice, Point};
use crate::org::{Org, Registered};
use crate::record::{Event, Via};
use crate::{Chance, Choice, Door, Faults, FlowSettings, Path, Violation, lock};

#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) number: u64,
    pub(crate) id: String,
    pub(crate) org: Arc<Org>,
    pub(crate) integration: Arc<Registered>,
    pub(crate) bot_id: String,
    pub(crate) bot_name: String,
    pub(crate) version: BotVersion,
    pub(crate) flow: FlowSettings,
    /// The session variables as they are now.
    pub(crate) parameters: Mutex<BTreeMap<String, String>>,
    pub(crate) faults: Mutex<Faults>,
    pub(crate) dice: Mutex<Dice>,
    ids: Mutex<Dice>,
    pub(crate) state: Mutex<State>,
    changed: watch::Sender<u64>,
    opened: Instant,
}

#[derive(Debug)]
pub(crate) struct State {
    session: Option<Session>,
    pub(crate) path: Option<Path>,
    pub(crate) seen: Vec<Seen>,
    /// How many of `seen` were taken by `next_bot_message`.
    taken: usize,
    /// How many of `seen` there were at the customer's last input.
    answered_from: usize,
    pub(crate) waiting: VecDeque<Input>,
    /// Whether a task works through `waiting`.
    pub(crate) working: bool,
    pub(crate) in_flight: usize,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) slots: BTreeMap<String, Value>,
    pub(crate) violations: Vec<Violation>,
    follow_up_at: Instant,
    /// When the next concurrent turn may start.
    next_start: Instant,
    streak: Streak,
    gone: bool,
}

#[derive(Debug)]
struct Session {
    id: String,
    until: Instant,
    turns: u64,
    stop: CancellationToken,
}

/// v1's loop guard: how often the same intent came with the same slots.
#[derive(Debug, Default)]
struct Streak {
    intent: Option<String>,
    slots: BTreeMap<String, Value>,
    length: u32,
}

/// A bot session that a turn may use.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    pub(crate) session: String,
    pub(crate) is_first: bool,
}

/// What an answer left the flow to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum After {
    /// Wait for the customer or an outgoing message.
    Wait,
    /// Nothing: the flow is elsewhere.
    Left,
    /// v1: wait and ask again for this answer.
    Poll(String),
}

impl State {
    fn new(now: Instant) -> Self {
        Self {
            session: None,
            path: None,
            seen: Vec::new(),
            taken: 0,
            answered_from: 0,
            waiting: VecDeque::new(),
            working: false,
            in_flight: 0,
            parameters: BTreeMap::new(),
            slots: BTreeMap::new(),
            violations: Vec::new(),
            follow_up_at: now,
            next_start: now,
            streak: Streak::default(),
            gone: false,
        }
    }

    /// What a condition came to: it holds, or nothing can change any more, or not yet decided.
    pub(crate) fn decided(&self, holds: bool) -> Option<bool> {
        (holds || self.path.is_some()).then_some(holds)
    }

    pub(crate) fn next_seen(&mut self) -> Option<Seen> {
        let seen = self.seen.get(self.taken).cloned()?;
        self.taken += 1;
        Some(seen)
    }
}

impl Line {
    pub(crate) fn new(
        org: Arc<Org>,
        integration: Arc<Registered>,
        bot: &Bot,
        version: BotVersion,
        flow: FlowSettings,
        number: u64,
        salt: u64,
    ) -> Arc<Self> {
        let seed = flow.seed.unwrap_or(org.settings.seed);
        let mut ids = Dice::new(seed ^ salt, number);
        let now = Instant::now();
        Arc::new(Self {
            number,
            id: ids.uuid(),
            bot_id: bot.id.clone(),
            bot_name: bot.name.clone(),
            version,
            faults: Mutex::new(flow.faults.clone()),
            dice: Mutex::new(Dice::new(seed, number)),
            ids: Mutex::new(ids),
            state: Mutex::new(State::new(now)),
            changed: watch::Sender::new(0),
            opened: now,
            parameters: Mutex::new(flow.session_variables()),
            org,
            integration,
            flow,
        })
    }

    pub(crate) fn door(&self) -> Door {
        self.integration.door()
    }

    /// What the messages of the bot are read by.
    pub(crate) fn rules(&self) -> Rules {
        let screen = self.flow.channel.map(|channel| Screen { channel, told: self.flow.pass_channel });
        Rules { door: self.door(), attachments: self.integration.integration.attachments, screen }
    }

    pub(crate) fn uuid(&self) -> String {
        lock(&self.ids).uuid()
    }

    pub(crate) fn add(&self, event: Event) -> u64 {
        self.org.record.add(Some(self.number), event)
    }

    /// Whether a fault strikes now, by the larger of the conversation's and the simulator's chance.
    pub(crate) fn strikes(&self, point: Point, pick: fn(&Faults) -> Chance) -> bool {
        let everywhere = pick(&lock(&self.org.faults));
        let here = pick(&lock(&self.faults));
        let chance = if here.probability() > everywhere.probability() { here } else { everywhere };
        lock(&self.dice).strikes(point, chance)
    }

    pub(crate) fn slow_reading(&self) -> Duration {
        let everywhere = lock(&self.org.faults).slow_reading_ms;
        Duration::from_millis(everywhere.max(lock(&self.faults).slow_reading_ms))
    }

    /// How long the flow waits before it drops a connection.
    pub(crate) fn abort_after(&self) -> Duration {
        let here = lock(&self.faults).abort_after_ms;
        Duration::from_millis(here.or_else(|| lock(&self.org.faults).abort_after_ms).unwrap_or(30))
    }

    fn wake(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    /// Waits until `look` finds something.
    pub(crate) async fn wait<T>(&self, patience: Duration, mut look: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        let mut changed = self.changed.subscribe();
        let until = Instant::now() + patience;
        loop {
            if let Some(found) = look(&mut lock(&self.state)) {
                return Some(found);
            }
            match tokio::time::timeout_at(until, changed.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return look(&mut lock(&self.state)),
            }
        }
    }

    pub(crate) fn session(&self) -> Option<String> {
        lock(&self.state).session.as_ref().map(|session| session.id.clone())
    }

    /// Notes breaches in the conversation and in the record.
    pub(crate) fn broke(&self, violations: &[Violation]) {
        let mut state = lock(&self.state);
        for violation in violations {
            self.add(Event::Broke { violation: violation.clone() });
            state.violations.push(violation.clone());
        }
    }

    /// The customer's input. False when no bot listens.
    pub(crate) fn hear(self: &Arc<Self>, input: Input) -> bool {
        let mut state = lock(&self.state);
        if state.path.as_ref().is_some_and(|path| self.flow.loop_back.iter().any(|wanted| path.is(wanted))) {
            state.path = None;
        }
        let heard = !state.gone && state.path.is_none();
        self.add(match &input {
            Input::Text(text) => Event::Said { text: text.clone(), heard },
            Input::Tap(choice) => Event::Tapped { label: choice.label.clone(), payload: choice.payload.clone() },
        });
        if !heard {
            return false;
        }
        state.answered_from = state.seen.len();
        state.follow_up_at = self.follow_up_deadline();
        state.in_flight += 1;
        if self.door() == Door::V2 && self.flow.concurrent_turns {
            // Words typed one after the other also arrive one after the other, however fast.
            let start = Instant::now().max(state.next_start);
            state.next_start = start + Duration::from_millis(self.flow.typing_gap_ms);
            self.org.tasks.spawn(Arc::clone(self).one_turn(input, start));
        } else {
            state.waiting.push_back(input);
            if !state.working {
                state.working = true;
                self.org.tasks.spawn(Arc::clone(self).turns_in_order());
            }
        }
        true
    }

    fn follow_up_deadline(&self) -> Instant {
        Instant::now() + self.org.scaled(self.flow.follow_up_timeout(self.door()))
    }

    /// What is offered and wanted: first what came since the customer's last input, then what stayed on cards.
    pub(crate) fn offered(&self, is_wanted: impl Fn(&Choice) -> bool) -> Option<Choice> {
        let state = lock(&self.state);
        let choices = |seen: &'_ Seen| seen.message.choices.iter().rev().cloned().collect::<Vec<_>>();
        let recent = state.seen[state.answered_from..].iter().rev().flat_map(choices);
        let older = state.seen[..state.answered_from].iter().rev().flat_map(choices);
        recent.chain(older.filter(|choice| choice.kind == "Button")).find(is_wanted)
    }

    /// The open bot session, or a new one; none when the flow is not at the bot.
    pub(crate) fn begin(self: &Arc<Self>) -> Option<Turn> {
        let mut state = lock(&self.state);
        if state.gone || state.path.is_some() {
            return None;
        }
        if let Some(session) = &mut state.session {
            session.turns += 1;
            return Some(Turn { session: session.id.clone(), is_first: false });
        }
        let id = self.uuid();
        let minutes = u64::from(self.flow.session_timeout_min(self.door()));
        let until = Instant::now() + self.org.scaled(Duration::from_secs(minutes * 60));
        let stop = self.org.stop.child_token();
        state.session = Some(Session { id: id.clone(), until, turns: 1, stop: stop.clone() });
        state.streak = Streak::default();
        state.follow_up_at = self.follow_up_deadline();
        lock(&self.org.sessions).insert(id.clone(), Arc::clone(self));
        self.add(Event::SessionOpened { session: id.clone() });
        self.org.tasks.spawn(Arc::clone(self).watch(id.clone(), stop));
        Some(Turn { session: id, is_first: true })
    }

    /// Ends the session when its time is over, or when the customer stays silent for too long.
    async fn watch(self: Arc<Self>, id: String, stop: CancellationToken) {
        loop {
            let (until, follow_up_at) = {
                let state = lock(&self.state);
                let Some(session) = state.session.as_ref().filter(|session| session.id == id) else { return };
                (session.until, state.follow_up_at)
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(until.min(follow_up_at)) => {}
            }
            let mut state = lock(&self.state);
            if state.session.as_ref().is_none_or(|session| session.id != id) {
                return;
            }
            let now = Instant::now();
            // v1 knows one name for both; v2's names are ours, since the reference has none.
            let (session_type, follow_up_type) = match self.door() {
                Door::V1 => ("NoInputError", "NoInputError"),
                Door::V2 => ("SessionTimeout", "FollowUpTimeout"),
            };
            if now >= until {
                self.close(&mut state, "session timeout", Some(Path::failure(session_type, "")));
            } else if now >= state.follow_up_at && state.in_flight == 0 {
                self.close(&mut state, "follow-up timeout", Some(Path::failure(follow_up_type, "")));
            } else if now >= state.follow_up_at {
                state.follow_up_at = self.follow_up_deadline();
            }
        }
    }

    fn close(&self, state: &mut State, reason: &str, path: Option<Path>) {
        if let Some(session) = state.session.take() {
            session.stop.cancel();
            self.add(Event::SessionClosed { session: session.id, reason: reason.to_owned() });
        }
        if let Some(path) = path {
            self.add(Event::Left { path: path.clone() });
            state.path = Some(path);
        }
        self.wake();
    }

    pub(crate) fn leave(&self) {
        let mut state = lock(&self.state);
        if state.gone {
            return;
        }
        state.gone = true;
        self.add(Event::CustomerLeft);
        let path = state.path.is_none().then_some(Path::CustomerLeft);
        self.close(&mut state, "customer left", path);
    }

    pub(crate) fn close_session(&self) {
        let mut state = lock(&self.state);
        if state.session.is_some() {
            self.close(&mut state, "closed by hand", Some(Path::failure("SessionTimeout", "")));
        }
    }

    /// Forgets the conversation; its sessions are unknown to the cloud afterwards.
    pub(crate) fn forget(&self) {
        self.leave();
        lock(&self.org.conversations).remove(&self.number);
        lock(&self.org.sessions).retain(|_, line| line.number != self.number);
    }

    pub(crate) fn return_to_bot(&self) {
        lock(&self.state).path = None;
    }

    /// Takes the failure path because of a turn, unless its session is over already.
    pub(crate) fn fail(&self, session: &str, path: Path) {
        let mut state = lock(&self.state);
        if state.session.as_ref().is_some_and(|open| open.id == session) {
            self.close(&mut state, "failure", Some(path));
        }
    }

    /// Processes the answer to a turn.
    pub(crate) fn answered(&self, session: &str, answer: Answer) -> After {
        self.broke(&answer.findings.0);
        let mut state = lock(&self.state);
        if state.session.as_ref().is_none_or(|open| open.id != session) {
            return After::Left;
        }
        self.process(&mut state, Via::Answer, answer)
    }

    /// Processes an outgoing message, or says why it is refused.
    pub(crate) fn push(
        &self,
        session: &str,
        bot: &str,
        version: &str,
        answer: Answer,
        body: &str,
    ) -> Result<(), (&'static str, &'static str)> {
        let mut state = lock(&self.state);
        if state.session.as_ref().is_none_or(|open| open.id != session) {
            return Err(("session.already.closed", "The bot session is already closed."));
        }
        if bot != self.bot_id {
            return Err(("session.bot.id.mismatch", "The bot id does not match the bot session."));
        }
        if version != self.version.version {
            return Err(("session.bot.version.mismatch", "The bot version does not match the bot session."));
        }
        self.add(Event::Outgoing { body: body.to_owned(), status: 200, code: None });
        for violation in &answer.findings.0 {
            self.add(Event::Broke { violation: violation.clone() });
            state.violations.push(violation.clone());
        }
        self.process(&mut state, Via::Push, answer);
        Ok(())
    }

    fn process(&self, state: &mut State, via: Via, answer: Answer) -> After {
        if !answer.is_usable() {
            let path = self.unusable(&answer);
            self.close(state, "unusable answer", Some(path));
            return After::Left;
        }
        let has_messages = !answer.messages.is_empty();
        for message in answer.messages {
            let seq = self.add(Event::Saw { via, message: message.clone() });
            let at_ms = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
            state.seen.push(Seen { seq, at_ms, via, message });
        }
        state.parameters.extend(answer.parameters.clone());
        state.slots.extend(answer.slots.clone());
        self.wake();
        match answer.state {
            Some(BotState::MoreData) => {
                if self.door() == Door::V1 && self.guard(state, answer.intent, answer.slots) {
                    self.close(state, "loop guard", Some(Path::failure("NoMatchError", "the same intent again")));
                    return After::Left;
                }
                if via == Via::Answer && !has_messages && self.strikes(Point::CloseAfterAck, |f| f.close_after_ack) {
                    self.add(Event::Fault { name: "close_after_ack" });
                    state.gone = true;
                    self.close(state, "customer left", Some(Path::CustomerLeft));
                    return After::Left;
                }
                After::Wait
            }
            Some(BotState::Complete) => {
                let intent = answer.intent.unwrap_or_default();
                if self.door() == Door::V1 && intent == self.flow.pending_intent {
                    return self.pending(state, answer.parameters.get("pollId"));
                }
                self.close(state, "Complete", Some(Path::Intent { intent }));
                After::Left
            }
            Some(BotState::Failed) | None => {
                let (code, message) = answer.error.unwrap_or_default();
                // What a bot-reported failure becomes in the flow is not documented; this name is ours.
                let path = Path::failure("BotFailed", format!("{code} {message}").trim());
                self.close(state, "Failed", Some(path));
                After::Left
            }
        }
    }

    /// The path of the intent that waits and asks again under the poll id.
    fn pending(&self, state: &mut State, poll_id: Option<&String>) -> After {
        let Some(poll_id) = poll_id else {
            let violation = Violation {
                rule: "pending-needs-poll-id",
                detail: format!("'{}' without parameters.pollId", self.flow.pending_intent),
                severity: crate::Severity::Meaning,
            };
            self.add(Event::Broke { violation: violation.clone() });
            state.violations.push(violation);
            let intent = self.flow.pending_intent.clone();
            self.close(state, "Complete", Some(Path::Intent { intent }));
            return After::Left;
        };
        self.close(state, "Complete", None);
        After::Poll(poll_id.clone())
    }

    /// Whether the guard strikes: the same intent, and no change of a slot, for too many turns running.
    fn guard(&self, state: &mut State, intent: Option<String>, slots: BTreeMap<String, Value>) -> bool {
        let streak = &mut state.streak;
        if streak.length > 0 && streak.intent == intent && streak.slots == slots {
            streak.length += 1;
        } else {
            *streak = Streak { intent, slots, length: 1 };
        }
        self.flow.loop_guard > 0 && streak.length >= self.flow.loop_guard
    }

    /// The failure that an unusable answer leads to.
    fn unusable(&self, answer: &Answer) -> Path {
        let rules: Vec<&str> = answer.findings.0.iter().filter(|v| v.breaks()).map(|v| v.rule).collect();
        let error_type = match self.door() {
            Door::V2 => "ServiceProviderInvalidResponse",
            Door::V1 if rules.iter().all(|rule| matches!(*rule, "intent-declared" | "complete-needs-intent")) => {
                "NoMatchError"
            }
            Door::V1 => "InternalServerError",
        };
        Path::failure(error_type, rules.join(", "))
    }

    /// A turn is over, whatever became of it.
    pub(crate) fn turn_over(&self) {
        lock(&self.state).in_flight -= 1;
        self.wake();
    }

    /// The next waiting input; none ends the task that works through them.
    pub(crate) fn next_waiting(&self) -> Option<Input> {
        let mut state = lock(&self.state);
        let next = state.waiting.pop_front();
        state.working = next.is_some();
        next
    }
}
