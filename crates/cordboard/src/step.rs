//! Prepares one step: applies the events, renders what the core decided, and lays out the transaction. Nothing here
//! waits, stores or sends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use conversation::{Conversation, apply};
use model::{
    Ask, ConversationId, Effect, Event, Fact, Floor, Holder, LegId, Next, Notice, Push, PushNumber, Reply, RequestId,
    SeatId, Timestamp, TurnNumber, Undelivered,
};
use prometheus_client::metrics::counter::Counter;

use crate::connector::shadow::{self, Found};
use crate::connector::{Connector, LegView, Noted, SealedReply};
use crate::gateway::Shared;
use crate::observe::metrics::{EngineOutcome, RequestOutcome, Tokens};
use crate::observe::trace::{Begun, Trace};
use crate::outbox::{Item, Kind, LaneRow};
use crate::roster::Roster;
use crate::runner::{Held, Queued, Slot};
use crate::store::{Blob, Claim, Letter, OutboxRow, OutboxSeq, Seal, SealedAs, Settle, ShadowNote, Step};
use crate::stored::{self, Changed, Seen};

/// A step that is ready to be committed.
pub(crate) struct Prepared {
    pub(crate) step: Step,
    pub(crate) batch: Vec<Queued>,
    pub(crate) after: After,
}

/// What is to be done once the step is committed.
pub(crate) struct After {
    pub(crate) held: Held,
    pub(crate) seals: Vec<(RequestId, SealedReply)>,
    pub(crate) refused: Vec<RequestId>,
    pub(crate) rows: Vec<LaneRow>,
    pub(crate) settled: Vec<OutboxSeq>,
    pub(crate) facts: Vec<Fact>,
    /// What was seen of engines that did not answer.
    pub(crate) seen: Vec<Seen>,
    /// What is counted of the step.
    pub(crate) counted: Vec<(Counter, u64)>,
    /// Its span.
    pub(crate) span: Option<Begun>,
    /// Turns of bots that are not configured any more.
    pub(crate) unaskable: Vec<(SeatId, TurnNumber)>,
    /// Pushes through connectors that are not configured any more, or cannot push.
    pub(crate) unsendable: Vec<(LegId, PushNumber)>,
}

/// A batch that could not be applied: applying or rendering it panicked, or its state would be too large.
pub(crate) struct Unprepared {
    pub(crate) batch: Vec<Queued>,
}

/// The step under construction.
struct Draft<'a> {
    shared: &'a Shared,
    roster: Arc<Roster>,
    slot: &'a Slot,
    now: Timestamp,
    state: Conversation,
    next_seq: u64,
    step: Step,
    after: After,
    /// What connectors changed in what is said.
    changes: Vec<Changed>,
}

impl Shared {
    pub(crate) fn prepare(&self, slot: &Arc<Slot>, held: Held, mut batch: Vec<Queued>) -> Result<Prepared, Unprepared> {
        // Lent to the core, which wants them in a row, and given back: a batch may be prepared again.
        let lend = |event: &mut Event| std::mem::replace(event, Event::TimePassed);
        let mut events: Vec<Event> = batch.iter_mut().filter_map(|queued| queued.event.as_mut()).map(lend).collect();
        for event in &mut events {
            // Before the core and its journal hear of it: what was shown is the connector's knowledge, not theirs.
            if let Event::Said(said) = event
                && let Some(tapped) = held.state.tapped(said)
            {
                said.input = tapped;
            }
        }
        // Core, connectors and engines are pure here, so one that panics leaves nothing half done.
        let drafted = catch_unwind(AssertUnwindSafe(|| self.draft(slot, held, &batch, &events)));
        for (lent, event) in batch.iter_mut().filter_map(|queued| queued.event.as_mut()).zip(events) {
            *lent = event;
        }
        match drafted {
            Ok(Some((step, after))) => Ok(Prepared { step, batch, after }),
            Ok(None) | Err(_) => Err(Unprepared { batch }),
        }
    }

    /// The transaction; nothing when the state would be too large.
    fn draft(&self, slot: &Slot, held: Held, batch: &[Queued], events: &[Event]) -> Option<(Step, After)> {
        let roster = self.roster();
        let now = self.runtime.now().max(held.state.now);
        let Held { version, state, next_seq, sealed, trace, window } = held;
        let within = batch.iter().find_map(|queued| queued.trace).or(trace);
        let span = self.begin(within);
        let trace = span.as_ref().map(|span| span.trace).or(within);
        let first_new_leg = state.next_leg;
        let (state, effects) = apply(&roster.policies, state, events, now);
        let mut draft = Draft {
            shared: self,
            slot,
            now,
            next_seq,
            step: Step::empty(slot.id, slot.key, self.replica, version, now),
            roster,
            after: After {
                held: Held { version: version + 1, state: Conversation::new(now), next_seq, sealed, trace, window },
                seals: Vec::new(),
                refused: Vec::new(),
                rows: Vec::new(),
                settled: Vec::new(),
                facts: Vec::new(),
                seen: Vec::new(),
                counted: Vec::new(),
                span,
                unaskable: Vec::new(),
                unsendable: Vec::new(),
            },
            changes: Vec::new(),
            state,
        };
        draft.step.journal.policy_revision = draft.roster.policies.revision;
        draft.step.journal.trace = trace.map(Trace::id_bytes);
        draft.take_in(batch, events);
        if let Some(window) = &mut draft.after.held.window {
            window.begin_row(version + 1, events, &effects);
        }
        for effect in &effects {
            draft.effect(effect);
            // After the question: what is asked is not yet part of what was said before.
            if let Some(window) = &mut draft.after.held.window {
                window.add(effect);
            }
        }
        draft.redrive(batch);
        draft.count_turns(events);
        draft.finish(first_new_leg, events, &effects)
    }
}

impl Draft<'_> {
    /// What the events say and bring with them.
    fn take_in(&mut self, batch: &[Queued], events: &[Event]) {
        for event in events {
            if let Event::ReplyOut { request, .. } = event {
                self.step.out.push(*request);
            }
        }
        // The events are lent by those that have one.
        for (queued, event) in batch.iter().filter(|queued| queued.event.is_some()).zip(events) {
            if let (Event::Failed { seat, turn, .. }, Some(what)) = (event, &queued.seen) {
                self.after.seen.push(Seen { seat: *seat, turn: *turn, what: what.clone() });
            }
        }
        for queued in batch {
            self.step.accepts.extend(queued.accept.clone());
            self.step.inbox_done.extend(queued.open_entry);
            self.step.letters.extend(queued.letter.clone());
            if let Some(seq) = queued.settle {
                self.settle(seq);
            }
            if let Some(accept) = queued.accept.as_ref().filter(|_| queued.told.is_some()) {
                // Whoever waits for it is told by us, not by a sealed reply.
                self.step.out.push(accept.request);
            }
        }
    }

    fn settle(&mut self, seq: OutboxSeq) {
        if !self.after.settled.contains(&seq) {
            self.step.outbox_settle.push(Settle { seq });
            self.after.settled.push(seq);
        }
    }

    fn effect(&mut self, effect: &Effect) {
        match effect {
            Effect::Ask(ask) => self.ask(ask),
            Effect::Notify(notice) => self.notify(notice),
            Effect::Seal { request, leg, reply } => self.seal(*request, *leg, reply),
            Effect::SealSame { request, of } => self.seal_same(*request, *of),
            Effect::Push(push) => self.push(push),
            Effect::WithdrawAsk { seat, turn } => {
                self.withdraw(|kind| matches!(kind, Kind::Ask { seat: s, turn: t, .. } if s == seat && t == turn));
            }
            Effect::WithdrawPushes { leg, pushes } => {
                self.withdraw(
                    |kind| matches!(kind, Kind::Push { leg: l, number, .. } if l == leg && pushes.contains(number)),
                );
            }
            Effect::Bury { seat, part, reason } => self.bury(*seat, part, *reason),
            Effect::Record(fact) => {
                if matches!(fact, Fact::PossibleDuplicate { .. }) {
                    self.shared.counts.possible_duplicates.fetch_add(1, Ordering::Relaxed);
                }
                self.after.facts.push(fact.clone());
            }
        }
    }

    /// Turns that this step ended, and conversations that it gave to humans.
    fn count_turns(&mut self, events: &[Event]) {
        let bot = |seat: SeatId| self.state.seat(seat).map(|seat| self.shared.metrics.bot(&seat.bot));
        let facts = &self.after.facts;
        let is_stale = |of: SeatId, to: TurnNumber| {
            facts.iter().any(|fact| matches!(fact, Fact::StaleAnswer { seat, turn } if *seat == of && *turn == to))
        };
        let speaker = events
            .iter()
            .find_map(|event| match event {
                Event::Answered { seat, .. } | Event::Pushed { seat, .. } | Event::Failed { seat, .. } => Some(*seat),
                _ => None,
            })
            .or_else(|| self.state.seats.first().map(|seat| seat.id));
        let mut counted = Vec::new();
        for event in events {
            if let Event::Answered { seat, turn, answer } = event
                && answer.next != Next::More
                && !is_stale(*seat, *turn)
            {
                counted.extend(bot(*seat).map(|bot| (bot.turn(EngineOutcome::Answered).clone(), 1)));
            }
        }
        for fact in facts {
            let counter = match fact {
                Fact::FellBack { seat, failure, .. } => bot(*seat).map(|bot| bot.turn((*failure).into()).clone()),
                Fact::Unasked { seat, .. } => bot(*seat).map(|bot| bot.turn(EngineOutcome::Unasked).clone()),
                Fact::Floor(Floor { holder: Holder::HandingOver, evidence, .. }) => {
                    speaker.and_then(bot).map(|bot| bot.hand_over((*evidence).into()).clone())
                }
                _ => None,
            };
            counted.extend(counter.map(|counter| (counter, 1)));
        }
        // What it took is spent, whether somebody still wanted the answer or not.
        for event in events {
            if let Event::Answered { seat, answer, .. } | Event::Pushed { seat, answer } = event
                && let (Some(usage), Some(bot)) = (answer.usage, bot(*seat))
            {
                counted.push((bot.tokens(Tokens::Input).clone(), usage.input_tokens));
                counted.push((bot.tokens(Tokens::Output).clone(), usage.output_tokens));
            }
        }
        self.after.counted.append(&mut counted);
    }

    fn ask(&mut self, ask: &Ask) {
        let Some(engine) = self.roster.engines.get(&ask.bot).cloned() else {
            self.after.unaskable.push((ask.seat, ask.turn));
            return;
        };
        if ask.is_first {
            // A callback of the engine finds the conversation by the engine's own session.
            let session = engine.session(ask.engine_session, ask.visit);
            self.step.new_legs.push(self.shared.identities().engine_session(session));
        }
        let id = turn_id(self.slot.id, ask.seat, ask.turn);
        let window = self.after.held.window.as_ref().filter(|_| engine.traits().history);
        let history = window.map(|window| window.history(ask.seat)).unwrap_or_default();
        let body = engine.ask(ask, &history, &id);
        let kind =
            Kind::Ask { seat: ask.seat, bot: ask.bot.clone(), turn: ask.turn, id, hard_deadline: ask.hard_deadline };
        self.add_row(Item { kind, body, trace: self.after.held.trace }, self.now);
    }

    fn notify(&mut self, notice: &Notice) {
        let id = format!("{}-{}-notice-{}", self.slot.id, notice.seat.0, notice.number);
        let body = self.roster.engines.get(&notice.bot).and_then(|engine| engine.notice(notice, &id));
        if let Some(body) = body {
            let kind = Kind::Notice { seat: notice.seat, bot: notice.bot.clone(), id };
            self.add_row(Item { kind, body, trace: self.after.held.trace }, self.now);
        }
    }

    fn push(&mut self, push: &Push) {
        let Some(leg) = self.state.leg(push.leg) else { return };
        let (Some(seat), connector) = (self.state.seat(push.seat), leg.name.connector.clone()) else { return };
        let channel = leg.channel.or_else(|| self.roster.policies.of(&seat.bot).channel);
        let view =
            LegView { bot: &seat.bot, session: &leg.name.session, address: &leg.address, memory: &leg.memory, channel };
        let rendered =
            self.roster.connectors.get(&connector).and_then(|connector| connector.render_push(&push.parts, view));
        let Some(rendered) = rendered else {
            self.after.unsendable.push((push.leg, push.number));
            return;
        };
        self.remember(push.leg, rendered.memory, rendered.noted);
        let kind = Kind::Push { leg: push.leg, number: push.number, connector, expires: push.expires };
        self.add_row(Item { kind, body: rendered.body, trace: self.after.held.trace }, push.not_before);
    }

    fn remember(&mut self, leg: LegId, memory: Option<model::Opaque>, Noted { changes, offered }: Noted) {
        let count = u64::try_from(changes.len()).unwrap_or(u64::MAX);
        self.shared.counts.corrections.fetch_add(count, Ordering::Relaxed);
        self.changes.extend(changes.into_iter().map(|change| Changed { leg, change }));
        let Some(leg) = self.state.legs.iter_mut().find(|found| found.id == leg) else { return };
        if let Some(memory) = memory {
            leg.memory = memory;
        }
        if let Some(offered) = offered {
            leg.offer(offered);
        }
    }

    /// Adds a row, born claimed when its sender has everything that it needs to send it at once.
    fn add_row(&mut self, item: Item, due: Timestamp) {
        let seq = OutboxSeq(self.next_seq);
        self.next_seq += 1;
        let lane = item.kind.lane();
        let free = self.slot.lanes().is_free(lane) && self.after.rows.iter().all(|row| row.item.kind.lane() != lane);
        let place = if free && due <= self.now { self.shared.try_place(&item.kind, self.now) } else { None };
        let claim =
            place.is_some().then(|| Claim { by: self.shared.replica, until: self.now + self.shared.limits.lease_ms });
        let attempt = u32::from(claim.is_some());
        self.step.outbox_add.push(OutboxRow { seq, lane, item: Blob::clear_of(item.encode()), due, attempt, claim });
        self.after.rows.push(LaneRow::new(seq, item, due, attempt, place));
    }

    /// Rows that are not wanted any more: dropped when they wait, cut off when they are being sent.
    fn withdraw(&mut self, which: impl Fn(&Kind) -> bool) {
        let unsent: Vec<OutboxSeq> =
            self.after.rows.iter().filter(|row| which(&row.item.kind)).map(|row| row.seq).collect();
        self.after.rows.retain(|row| !unsent.contains(&row.seq));
        self.step.outbox_add.retain(|row| !unsent.contains(&row.seq));
        let known = self.slot.lanes().find(which);
        for seq in known {
            self.settle(seq);
        }
    }

    fn seal(&mut self, request: RequestId, leg: LegId, reply: &Reply) {
        if *reply == Reply::Refused {
            self.step.accepts.retain(|accept| accept.request != request);
            self.after.refused.push(request);
            return;
        }
        let connector = self.state.leg(leg).and_then(|leg| self.roster.connectors.get(&leg.name.connector)).cloned();
        let view = self.state.leg(leg).and_then(|leg| Some((leg, self.state.seat(leg.seat)?)));
        let (Some(connector), Some((found, seat))) = (connector, view) else {
            self.after.refused.push(request);
            self.step.forget.push(request);
            return;
        };
        let channel = found.channel.or_else(|| self.roster.policies.of(&seat.bot).channel);
        let view = LegView {
            bot: &seat.bot,
            session: &found.name.session,
            address: &found.address,
            memory: &found.memory,
            channel,
        };
        let rendered = connector.render(reply, view);
        let shadows = self.shadows(reply, &rendered.reply, connector.as_ref(), view);
        let outcome = match reply {
            Reply::Parts(parts) if !parts.is_empty() => RequestOutcome::Answered,
            Reply::Failed { .. } => RequestOutcome::Failed,
            _ => RequestOutcome::Acknowledged,
        };
        let counter = self.shared.metrics.connector(&found.name.connector).request(outcome).clone();
        self.after.counted.push((counter, 1));
        let found = shadows.iter().map(|note| (self.shared.metrics.shadow(&note.connector, &note.kind), 1));
        self.after.counted.extend(found);
        self.step.shadows.extend(shadows);
        self.remember(leg, rendered.memory, rendered.noted);
        self.seal_bytes(request, rendered.reply);
    }

    /// What the shadow of a connector says of an answer; nothing without one.
    fn shadows(&self, reply: &Reply, here: &SealedReply, door: &dyn Connector, leg: LegView<'_>) -> Vec<ShadowNote> {
        let Some(other) = door.shadow().and_then(|key| self.roster.connectors.get(key)) else { return Vec::new() };
        let found = shadow::compare(reply, here, other.as_ref(), leg);
        let (connector, bot) = (door.key(), leg.bot);
        if found.contains(&Found::Failed) {
            let conversation = self.slot.id;
            tracing::error!(%conversation, %connector, "comparing an answer with its shadow failed inside Cordboard; the answer itself is sealed");
        }
        found
            .into_iter()
            .map(|found| ShadowNote {
                connector: connector.clone(),
                bot: bot.clone(),
                kind: found.word().into(),
                item: found.item(),
            })
            .collect()
    }

    fn seal_bytes(&mut self, request: RequestId, reply: SealedReply) {
        self.step.seals.push(Seal { request, reply: SealedAs::Bytes(reply.to_blob()) });
        self.after.held.remember_sealed(request, reply.clone());
        self.after.seals.push((request, reply));
    }

    fn seal_same(&mut self, request: RequestId, of: RequestId) {
        let known = self.after.held.sealed.iter().find(|(sealed, _)| *sealed == of).map(|(_, reply)| reply.clone());
        match known {
            Some(reply) => {
                self.step.seals.push(Seal { request, reply: SealedAs::Same(of) });
                self.after.held.remember_sealed(request, reply.clone());
                self.after.seals.push((request, reply));
            }
            None => {
                self.after.refused.push(request);
                self.step.forget.push(request);
            }
        }
    }

    fn bury(&mut self, seat: SeatId, part: &model::Part, reason: Undelivered) {
        let place = self.state.seat(seat).map_or_else(|| "unknown".into(), |seat| seat.bot.0.clone());
        self.shared.counts.letters.fetch_add(1, Ordering::Relaxed);
        self.step.letters.push(Letter {
            id: self.shared.runtime.ids.letter(),
            conversation: Some(self.slot.id),
            kind: crate::dead_letter::ANSWER.into(),
            place,
            reason: reason.word().into(),
            attempts: 1,
            died: self.now,
            payload: Blob::clear(&stored::encode_letter(seat, part, reason)),
        });
    }

    /// A redriven letter is gone once its words are on their way.
    fn redrive(&mut self, batch: &[Queued]) {
        let refused = self.after.facts.iter().any(|fact| matches!(fact, Fact::RedriveRefused { .. }));
        if !refused {
            self.step.letters_redriven.extend(batch.iter().filter_map(|queued| queued.redriven));
        }
    }

    fn finish(mut self, first_new_leg: u32, events: &[Event], effects: &[Effect]) -> Option<(Step, After)> {
        let refused =
            self.after.facts.iter().any(|fact| matches!(fact, Fact::PushRefused { .. } | Fact::StaleAnswer { .. }));
        if refused {
            // What the core refuses is not remembered: it may be said again when the core would take it.
            let step = &mut self.step;
            step.accepts.retain(|accept| !step.out.contains(&accept.request));
        }
        let new = self.state.legs.iter().filter(|leg| leg.id.0 >= first_new_leg);
        self.step.new_legs.extend(new.map(|leg| self.shared.identities().leg(&leg.name.connector, &leg.name.session)));
        let state = stored::encode_state(&self.state);
        if state.len() > self.shared.limits.state_max_bytes {
            return None;
        }
        self.step.state = Blob::clear_of(state);
        self.step.next_due = self.state.next_due();
        self.step.finished = self.state.is_finished();
        self.step.journal.schema_version = stored::VERSION;
        self.step.journal.payload =
            Blob::clear_of(stored::encode_journal(events, effects, &self.changes, &self.after.seen));
        self.after.held.state = self.state;
        self.after.held.next_seq = self.next_seq;
        Some((self.step, self.after))
    }
}

/// The id of a turn as engines see it: stable over attempts and restarts.
pub(crate) fn turn_id(conversation: ConversationId, seat: SeatId, turn: TurnNumber) -> String {
    format!("{conversation}-{}-{}", seat.0, turn.0)
}

/// Reads a turn's id; nothing when it is not one of ours.
pub(crate) fn read_turn_id(id: &str) -> Option<(ConversationId, SeatId, TurnNumber)> {
    let mut words = id.split('-');
    let conversation = words.next()?.parse().ok()?;
    let seat = SeatId(words.next()?.parse().ok()?);
    let turn = TurnNumber(words.next()?.parse().ok()?);
    words.next().is_none().then_some((conversation, seat, turn))
}
