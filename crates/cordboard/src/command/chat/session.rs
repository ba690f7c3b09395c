//! One conversation of a chat: what the customer puts in, what comes of it, and what the journal says about it.
//!
//! The simulator shows what the customer sees, the gateway's journal why. Both are read in the order in which they
//! happened: a row that lets messages out waits for them to arrive, and what it explains stands below them.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use model::{ConversationId, Effect, Event, Next, Push, Timestamp};
use simulator::record::Event as Recorded;
use simulator::{Door, Path, Seen};

use super::super::Failed;
use super::asked;
use super::draw::{self, Line, Tone};
use super::offered::Offered;
use super::saved::{self, Happened};
use super::terminal::Screen;
use super::told::{Teller, Typed, seconds};
use super::trace;
use crate::admin::look;
use crate::connector::bot_connector::STAMP_SLOT;
use crate::gateway::Shared;
use crate::stored::{self, Journal};

/// A message that the journal lets out arrives within this time, or was lost on the way.
const ARRIVAL: Duration = Duration::from_secs(5);
/// How often is looked whether all is quiet, beside every commit.
const LOOK: Duration = Duration::from_millis(250);
const ROWS_MAX: u32 = 100;

/// How an engine's last call went.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) asked: Timestamp,
    /// When and how it ended; nothing while it runs.
    pub(super) ended: Option<(Timestamp, String)>,
}

/// A conversation under way.
pub(super) struct Session {
    shared: Arc<Shared>,
    pub(super) conversation: simulator::Conversation,
    id: Option<ConversationId>,
    /// The row told last.
    row: u64,
    /// The row told last before the customer's last input, and how often engines had been asked then.
    before: (u64, trace::Asked),
    /// What happened since then.
    pub(super) rows: Vec<(Timestamp, Journal)>,
    pub(super) call: Option<Call>,
    teller: Teller,
    /// What can be answered by number.
    pub(super) offered: Offered,
    /// Whether the customer did something since it was offered.
    answered: bool,
    path_told: bool,
    rules_told: usize,
    /// Whether the engine says the same each time.
    fixed: bool,
    saved: saved::Conversation,
    /// When the customer last put something in, and last saw something.
    touched: Timestamp,
    seen: Timestamp,
}

impl Session {
    pub(super) fn new(
        shared: Arc<Shared>,
        conversation: simulator::Conversation,
        teller: Teller,
        fixed: bool,
        saved: saved::Conversation,
    ) -> Self {
        let touched = shared.runtime().now();
        Self {
            shared,
            conversation,
            id: None,
            row: 0,
            before: (0, trace::Asked::default()),
            rows: Vec::new(),
            call: None,
            teller,
            offered: Offered::default(),
            answered: false,
            path_told: false,
            rules_told: 0,
            fixed,
            saved,
            touched,
            seen: touched,
        }
    }

    /// What can be kept of it.
    pub(super) const fn saved(&self) -> &saved::Conversation {
        &self.saved
    }

    /// The customer types. False when no bot listens.
    pub(super) async fn say(&mut self, text: &str) -> bool {
        let hasty = !self.conversation.settled(Duration::ZERO).await;
        let is_number = asked::is_number(text, &self.offered);
        let heard = self.put_in(text, Happened::Said { text: text.to_owned(), hasty });
        if heard {
            self.teller.types(if is_number { Typed::Number } else { Typed::Words });
        }
        heard
    }

    /// The flow lets the bot speak first, by this text. False when no bot listens.
    pub(super) fn open(&mut self, text: &str) -> bool {
        self.put_in(text, Happened::Opened { text: text.to_owned() })
    }

    fn put_in(&mut self, text: &str, happened: Happened) -> bool {
        self.begin();
        let heard = self.conversation.say(text);
        if heard {
            self.saved.happened.push(happened);
        }
        heard
    }

    /// The customer taps what has this number. False when no bot listens.
    pub(super) fn tap(&mut self, number: usize) -> bool {
        let Some(choice) = self.offered.tap(number).cloned() else { return false };
        self.begin();
        let heard = self.conversation.tap_choice(&choice);
        if heard {
            let ambiguous = self.offered.is_ambiguous(&choice);
            self.saved.happened.push(Happened::Tapped { choice, ambiguous });
        }
        heard
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.conversation.set_parameter(name, value);
        self.saved.happened.push(Happened::Set { name: name.to_owned(), value: value.to_owned() });
    }

    pub(super) fn leave(&mut self) {
        self.conversation.leave();
        self.saved.happened.push(Happened::Left);
    }

    pub(super) fn back_to_the_bot(&mut self) {
        self.conversation.return_to_bot();
        self.path_told = false;
        self.saved.happened.push(Happened::Returned);
    }

    /// An input begins: what is traced from here on is its doing.
    fn begin(&mut self) {
        let now = self.shared.runtime().now();
        // On v1 a late answer is fetched by asking: whoever asks earlier finds nothing. So a repetition waits longer.
        if self.saved.door == Door::V1 && self.teller.is_put_off() {
            let ms = u64::try_from(now.0 - self.seen.0).unwrap_or_default();
            self.saved.happened.push(Happened::Waited { ms: (ms + ms / 2) / 100 * 100 + 500 });
        }
        (self.before, self.touched, self.answered) = ((self.row, self.asked()), now, true);
        self.rows.clear();
    }

    fn asked(&self) -> trace::Asked {
        let counts = &self.shared.counts;
        trace::Asked {
            attempts: counts.asks.load(Ordering::Relaxed),
            calls: counts.engine_calls.load(Ordering::Relaxed),
        }
    }

    /// Ready when there is something new to tell.
    pub(super) async fn news(&mut self) {
        let shared = self.shared.clone();
        loop {
            let mut committed = pin!(shared.committed.notified());
            // Before the look, so that nothing comes unseen between it and the wait.
            committed.as_mut().enable();
            if self.path_is_news() || self.more().await.is_ok_and(|rows| !rows.is_empty()) {
                return;
            }
            let path_told = self.path_told;
            tokio::select! {
                biased;
                () = committed => {}
                Some(_) = self.conversation.wait_path(LOOK), if !path_told => {}
            }
        }
    }

    fn path_is_news(&self) -> bool {
        !self.path_told && self.conversation.path().is_some()
    }

    /// Tells what is new. True when a customer saw any of it.
    pub(super) async fn tell(&mut self, screen: &mut Screen<'_>, traced: bool) -> Result<bool, Failed> {
        let mut shown = false;
        loop {
            let rows = self.more().await?;
            if rows.is_empty() {
                break;
            }
            for (row, at, journal) in rows {
                shown |= self.tell_row((row, at), journal, screen, traced).await?;
            }
        }
        self.tell_rules(screen)?;
        shown |= self.tell_path(screen)?;
        Ok(shown)
    }

    async fn tell_row(
        &mut self,
        (row, at): (u64, Timestamp),
        journal: Journal,
        screen: &mut Screen<'_>,
        traced: bool,
    ) -> Result<bool, Failed> {
        self.row = row;
        let told = self.teller.row(at, &journal);
        self.note_call(at, &journal);
        let mut lines = Vec::new();
        let seen = if told.shows { self.arrived(&journal).await } else { Vec::new() };
        let shown = !seen.is_empty();
        if told.shows {
            let lines = self.listed().await?;
            self.offered.list(lines);
        }
        for seen in seen {
            lines.extend(self.see(seen, &told.by_policy, screen.columns()));
        }
        lines.extend(told.notes.iter().flat_map(|note| draw::note(note, screen.columns())));
        self.rows.push((at, journal));
        if traced && let Some(id) = self.id {
            let hops = look::hops(self.shared.store().as_ref(), id, row - 1, true).await.map_err(Failed::because)?;
            let hops = hops.map(|hops| hops.hops).unwrap_or_default();
            let from = self.touched;
            let of_row = hops.iter().filter(|hop| hop.row == row);
            lines.extend(of_row.flat_map(|hop| trace::hop(hop, from, screen.columns())));
        }
        screen.show(&lines)?;
        Ok(shown)
    }

    /// The messages that a row's reply or its pushes brought.
    async fn arrived(&self, journal: &Journal) -> Vec<Seen> {
        let shows = |push: &Push| push.parts.iter().any(|part| !part.items.is_empty());
        let pushes =
            journal.effects.iter().filter(|effect| matches!(effect, Effect::Push(push) if shows(push))).count();
        let mut seen = Vec::new();
        for _ in 0..pushes.max(1) {
            let first = tokio::select! {
                biased;
                seen = self.conversation.next_bot_message(ARRIVAL) => seen,
                // Whatever the response held is there when its call is over.
                true = self.conversation.settled(ARRIVAL), if pushes == 0 => {
                    self.conversation.next_bot_message(Duration::ZERO).await
                }
            };
            let Some(first) = first else { break };
            let entries = self.conversation.entries();
            let later = entries.iter().skip_while(|entry| entry.seq <= first.seq);
            let beside = later.take_while(|entry| matches!(entry.event, Recorded::Saw { .. })).count();
            seen.push(first);
            for _ in 0..beside {
                seen.extend(self.conversation.next_bot_message(Duration::ZERO).await);
            }
        }
        seen
    }

    /// The lines that the gateway numbered, and by which it understands a number that is typed.
    async fn listed(&mut self) -> Result<Vec<model::Choice>, Failed> {
        let Some(id) = self.id().await? else { return Ok(Vec::new()) };
        look::listed(self.shared.store().as_ref(), id).await.map_err(Failed::because)
    }

    /// The customer sees a message.
    fn see(&mut self, seen: Seen, by_policy: &[String], columns: usize) -> Vec<Line> {
        self.seen = self.shared.runtime().now();
        let waited_ms = u64::try_from(self.seen.0 - self.touched.0).unwrap_or_default();
        self.saved.longest_ms = self.saved.longest_ms.max(waited_ms);
        if self.answered {
            self.answered = seen.message.choices.is_empty();
            if self.answered {
                self.offered.keep_buttons();
            } else {
                self.offered.clear();
            }
        }
        let numbers = self.offered.number(&seen.message.choices);
        let lines = draw::message(&seen.message, &numbers, columns);
        let fixed = self.fixed || by_policy.contains(&seen.message.text);
        self.saved.happened.push(Happened::Saw { message: seen.message, fixed });
        lines
    }

    fn note_call(&mut self, at: Timestamp, journal: &Journal) {
        for event in &journal.events {
            let outcome = match event {
                Event::Answered { answer, .. } if answer.next == Next::More => continue,
                Event::Answered { .. } => "answered".to_owned(),
                Event::Failed { failure, .. } => format!("failed ({})", failure.word()),
                _ => continue,
            };
            if let Some(call) = self.call.as_mut().filter(|call| call.ended.is_none()) {
                call.ended = Some((at, outcome));
            }
        }
        if journal.effects.iter().any(|effect| matches!(effect, Effect::Ask(_))) {
            self.call = Some(Call { asked: at, ended: None });
        }
    }

    /// What the platform's documents forbid and an answer did all the same.
    fn tell_rules(&mut self, screen: &mut Screen<'_>) -> Result<(), Failed> {
        let broken = self.conversation.violations();
        for violation in broken.iter().skip(self.rules_told) {
            screen.show(&draw::note(&format!("against the platform's rules: {violation}"), screen.columns()))?;
        }
        self.rules_told = broken.len();
        Ok(())
    }

    fn tell_path(&mut self, screen: &mut Screen<'_>) -> Result<bool, Failed> {
        let Some(path) = self.conversation.path().filter(|_| !self.path_told) else { return Ok(false) };
        self.path_told = true;
        let head = match &path {
            Path::Intent { intent } => format!("-- the flow leaves the bot by its path `{intent}`"),
            Path::Failure { error_type, error_message } => {
                format!("-- the flow leaves the bot by its failure path: {error_type} {error_message}")
            }
            Path::CustomerLeft => "-- the customer has gone".to_owned(),
        };
        let mut lines = vec![Line::new(Tone::Strong, draw::harmless(&head))];
        let (parameters, mut slots) = (self.conversation.parameters(), self.conversation.slots());
        // It only tells one turn of v1 from the next.
        slots.remove(STAMP_SLOT);
        let told = slots.iter().map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!("slot {name} = {value}")
        });
        let told = told.chain(parameters.iter().map(|(name, value)| format!("variable {name} = {value}")));
        lines.extend(told.flat_map(|told| draw::note(&told, screen.columns())));
        let back = if path == Path::CustomerLeft { "" } else { "/return gives the conversation back, " };
        let next = format!("/reset begins anew, {back}/save FILE keeps it as a test");
        lines.extend(draw::note(&next, screen.columns()));
        screen.show(&lines)?;
        self.offered.clear();
        if path != Path::CustomerLeft {
            self.saved.left(path, parameters, slots, self.fixed);
        }
        Ok(true)
    }

    /// Tells everything until nothing is under way any more, for at most so long.
    pub(super) async fn until_quiet(
        &mut self,
        most: Option<Duration>,
        screen: &mut Screen<'_>,
        traced: bool,
    ) -> Result<(), Failed> {
        let until = most.map(|most| self.at_the_end_of(most));
        loop {
            let quiet = self.is_quiet().await?;
            let told = self.tell(screen, traced).await?;
            if quiet && !told && self.more().await?.is_empty() {
                return Ok(());
            }
            if until.is_some_and(|until| self.shared.runtime().now() >= until) {
                return Ok(());
            }
            let tick = self.at_the_end_of(LOOK);
            self.news_before(until.map_or(tick, |until| until.min(tick))).await;
        }
    }

    /// Time passes. Says so when nothing came of it.
    pub(super) async fn wait(&mut self, time: Duration, screen: &mut Screen<'_>, traced: bool) -> Result<(), Failed> {
        let until = self.at_the_end_of(time);
        let mut shown = false;
        while self.news_before(until).await {
            shown |= self.tell(screen, traced).await?;
        }
        if !shown {
            screen.show(&draw::note(&format!("{} passed; nothing happened", trace::span(time)), screen.columns()))?;
            let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            self.saved.happened.push(Happened::Nothing { ms });
        }
        Ok(())
    }

    fn at_the_end_of(&self, time: Duration) -> Timestamp {
        self.shared.runtime().now() + u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether there is something new to tell before that time.
    async fn news_before(&mut self, until: Timestamp) -> bool {
        let runtime = self.shared.runtime().clone();
        tokio::select! {
            biased;
            () = self.news() => true,
            () = runtime.sleep_until(until) => false,
        }
    }

    /// Whether nothing is under way: no call, no question, no push.
    async fn is_quiet(&mut self) -> Result<bool, Failed> {
        if !self.conversation.settled(Duration::ZERO).await {
            return Ok(false);
        }
        let Some(id) = self.id().await? else { return Ok(true) };
        let view = look::show(self.shared.store().as_ref(), id).await.map_err(Failed::because)?;
        Ok(view.is_none_or(|view| {
            let at_rest = view.seats.iter().all(|seat| seat.turn.is_none() && seat.waiting == 0);
            // What waits on v1 is fetched by the customer; elsewhere it is on its way.
            let held = view.legs.iter().any(|leg| leg.closed.is_none() && leg.held_parts > 0);
            at_rest && view.under_way.is_empty() && (self.saved.door == Door::V1 || !held)
        }))
    }

    /// The gateway's own id of the conversation; nothing before the first words.
    async fn id(&mut self) -> Result<Option<ConversationId>, Failed> {
        if self.id.is_none() {
            let roster = self.shared.roster();
            let connectors: Vec<_> = roster.connectors.keys().cloned().collect();
            let orgs: Vec<_> = roster.connectors.values().map(|connector| connector.org().clone()).collect();
            let store = self.shared.store().as_ref();
            let found = look::find(store, self.shared.identities(), &orgs, &connectors, self.conversation.id()).await;
            self.id = found.map_err(Failed::because)?;
        }
        Ok(self.id)
    }

    /// Rows that were not told yet.
    async fn more(&mut self) -> Result<Vec<(u64, Timestamp, Journal)>, Failed> {
        let Some(id) = self.id().await? else { return Ok(Vec::new()) };
        let rows = self.shared.store().read_journal(id, self.row + 1, ROWS_MAX).await.map_err(Failed::because)?;
        let read = rows.into_iter().map(|row| {
            let journal = row.payload.payload().and_then(|payload| stored::decode_journal(&payload).ok());
            let journal = journal.ok_or_else(|| Failed::because("the journal of this conversation cannot be read"))?;
            Ok((row.seq, row.at, journal))
        });
        read.collect()
    }

    /// The timeline since the customer's last input.
    pub(super) async fn trace(&mut self, columns: usize) -> Result<Vec<Line>, Failed> {
        let Some(id) = self.id().await? else { return Ok(draw::note("nothing was said yet", columns)) };
        let hops = look::hops(self.shared.store().as_ref(), id, self.before.0, true).await.map_err(Failed::because)?;
        let hops = hops.map(|hops| hops.hops).unwrap_or_default();
        // A row may bring news of what was before.
        let since = hops.iter().filter(|hop| hop.at_ms >= self.touched.0);
        let mut lines: Vec<Line> = since.flat_map(|hop| trace::hop(hop, self.touched, columns)).collect();
        let asked = self.asked().since(self.before.1);
        lines.extend(trace::found(&self.rows, asked).iter().flat_map(|found| draw::note(found, columns)));
        if lines.is_empty() {
            return Ok(draw::note("nothing happened since the last input", columns));
        }
        Ok(lines)
    }

    /// How the last call of the engine went.
    pub(super) fn last_call(&self) -> String {
        match &self.call {
            None => "it was not called in this conversation".to_owned(),
            Some(Call { asked, ended: None }) => {
                format!("it has been working for {}", seconds(*asked, self.shared.runtime().now()))
            }
            Some(Call { asked, ended: Some((ended, outcome)) }) => {
                format!("its last call: {outcome} after {}", seconds(*asked, *ended))
            }
        }
    }
}
