//! What a step begins with: the state in memory, or the stored one with what an earlier run left undone, and what was
//! said before where a bot wants to be told. Reads the store, and writes nothing.

use std::collections::VecDeque;
use std::sync::Arc;

use conversation::Conversation;
use model::{BotKey, Event, RequestId};

use super::Queued;
use super::slots::{Held, Slot};
use crate::connector::SealedReply;
use crate::gateway::Shared;
use crate::store;
use crate::stored;
use crate::window::{self, Window};

impl Shared {
    /// The state in memory, or the stored one with what an earlier run left undone.
    pub(super) async fn held(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        batch: &mut Vec<Queued>,
    ) -> Result<Held, store::Error> {
        let fresh = {
            let mut inner = slot.lock();
            if let Some(held) = inner.held.take() {
                return Ok(held);
            }
            // Only once: what became of a first commit may be known to the store alone.
            std::mem::take(&mut inner.fresh)
        };
        let loaded = if fresh { None } else { self.store.load(slot.id).await? };
        let Some(loaded) = loaded else {
            let state = Conversation::new(self.runtime.now());
            return Ok(Held { version: 0, state, next_seq: 1, sealed: VecDeque::new(), trace: None, window: None });
        };
        let damaged = |what: &str| store::Error::Damaged(format!("conversation {}: {what}", slot.id).into());
        let payload = loaded.state.payload().ok_or_else(|| damaged("the state has an unknown envelope"))?;
        let state = stored::decode_state(&payload).map_err(|unreadable| damaged(&unreadable.to_string()))?;
        let version = loaded.version;
        let mut held = Held { version, state, next_seq: 1, sealed: VecDeque::new(), trace: None, window: None };
        let mut first = Vec::new();
        for request in &loaded.requests {
            if let Some(reply) = request.reply.as_ref().and_then(SealedReply::from_blob) {
                // The step that sealed it may have been stored though its outcome could not be learnt.
                self.waits.sealed(request.id, &reply);
                held.remember_sealed(request.id, reply);
            }
        }
        for sealed in held.state.legs.iter().flat_map(|leg| &leg.unconfirmed) {
            let in_doubt = |request: &RequestId| loaded.requests.iter().any(|row| row.id == *request);
            if let Some(request) =
                std::iter::once(&sealed.request).chain(&sealed.joined).find(|request| !in_doubt(request))
                && !batch.iter().any(|queued| queued.tells_out(*request))
            {
                first.push(Queued::event(Event::ReplyOut { request: *request, at: self.runtime.now() }));
            }
        }
        let is_known = |request| batch.iter().any(|queued| queued.open_entry == Some(request));
        for entry in loaded.open_entries.iter().filter(|entry| !is_known(entry.request)) {
            let event = entry.event.payload().and_then(|payload| stored::decode_event(&payload).ok());
            first.push(Queued { open_entry: Some(entry.request), event, ..Queued::event(Event::TimePassed) });
        }
        held.next_seq = loaded.outbox.iter().map(|row| row.seq.0 + 1).max().unwrap_or(1).max(slot.lanes().next_seq());
        first.extend(self.recover(slot, &held.state, &loaded.outbox));
        first.append(batch);
        *batch = first;
        Ok(held)
    }

    /// What was said is read when a bot may be asked that wants to be told; from then on it is in memory. Nobody is asked
    /// but what was said in this step, or waited before it.
    pub(super) async fn with_window(
        &self,
        slot: &Slot,
        mut held: Held,
        batch: &[Queued],
    ) -> Result<Held, store::Error> {
        if held.window.is_none() {
            let roster = self.roster();
            let wants = |bot: &BotKey| roster.engines.get(bot).is_some_and(|engine| engine.traits().history);
            let addressed = batch.iter().filter_map(|queued| match &queued.event {
                Some(Event::Said(said)) => Some(&said.bot),
                _ => None,
            });
            let waiting = held.state.seats.iter().filter(|seat| !seat.waiting.is_empty()).map(|seat| &seat.bot);
            if waiting.chain(addressed).any(wants) {
                let first = Window::first_row(held.version);
                let rows = match held.version {
                    0 => Vec::new(),
                    _ => self.store.read_journal(slot.id, first, window::ROWS_MAX).await?,
                };
                held.window = Some(Window::read(&rows));
            }
        }
        Ok(held)
    }
}
