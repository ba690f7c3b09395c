//! The news that a reply left: noted in the store behind the answer's back, awaited by nobody. The HTTP layer brings it
//! through the inbox when the last frame of a body was taken.

use std::sync::Arc;

use model::{ConversationId, RequestId};

use super::STORE_PAUSE_MS;
use super::slots::{Slot, requests};
use crate::gateway::Shared;
use crate::store;

/// How often the store is told that a reply left, when it does not take it at first.
const MARK_OUT_ATTEMPTS_MAX: u32 = 6;

impl Shared {
    /// A reply is out. It is noted in the store, awaited by nobody; a step is made of it only when something waits for it.
    pub(crate) fn reply_out(self: &Arc<Self>, conversation: ConversationId, request: RequestId) {
        let Some(slot) = self.slots.get(conversation) else {
            return self.note_out(store::Out { request, mark: None }, None);
        };
        let mut inner = slot.lock();
        inner.out.push((request, self.runtime.now()));
        inner.unmarked += 1;
        let out = requests(&inner.out);
        let matters = inner.held.as_ref().is_some_and(|held| held.state.waits_for_out(&out));
        // A step that is made of the news sets the time itself; until then, a crash must not leave it unset.
        let is_left = !matters && !inner.running && inner.queue.is_empty();
        let mark = inner.held.as_ref().filter(|_| is_left).map(|held| store::OutMark {
            conversation,
            version: held.version,
            next_due: held.state.next_due_without(&out),
        });
        if let Some(mark) = &mark {
            self.timers.set(conversation, mark.next_due);
        }
        let drives = matters && !std::mem::replace(&mut inner.running, true);
        drop(inner);
        if drives {
            self.start_driving(slot.clone());
        }
        self.note_out(store::Out { request, mark }, Some(slot));
    }

    /// Notes in the store that a reply left. Those that leave while a note is under way share the next one.
    fn note_out(self: &Arc<Self>, out: store::Out, slot: Option<Arc<Slot>>) {
        let mut noting = self.slots.noting();
        noting.waiting.push((out, slot));
        if !std::mem::replace(&mut noting.running, true) {
            drop(noting);
            let shared = self.clone();
            self.runtime.spawn(async move { while shared.note_outs().await {} });
        }
    }

    /// One note; false when nothing is left to be noted.
    async fn note_outs(&self) -> bool {
        self.runtime.point("mark_out").await;
        let noted = {
            let mut noting = self.slots.noting();
            noting.running = !noting.waiting.is_empty();
            std::mem::take(&mut noting.waiting)
        };
        if noted.is_empty() {
            return false;
        }
        self.tell_store_of_outs(noted.iter().map(|(out, _)| *out).collect()).await;
        for slot in noted.iter().filter_map(|(_, slot)| slot.as_ref()) {
            {
                let mut inner = slot.lock();
                inner.unmarked = inner.unmarked.saturating_sub(1);
            }
            // Its last step may have been stored before.
            self.let_go(slot);
        }
        true
    }

    async fn tell_store_of_outs(&self, outs: Vec<store::Out>) {
        for attempt in 1..=MARK_OUT_ATTEMPTS_MAX {
            let Err(error) = self.store.mark_out(outs.clone()).await else { return };
            if attempt == MARK_OUT_ATTEMPTS_MAX || self.is_stopped() {
                // The replies count as in doubt after a restart, no more.
                tracing::debug!(%error, "replies that left could not be noted");
                return;
            }
            self.sending.rest(STORE_PAUSE_MS << attempt).await;
        }
    }
}
