//! The inbox: takes a platform's request, makes it durable with the step that applies it, and waits for its sealed
//! reply.
//!
//! The HTTP task registers by request id *before* anything is stored, so a reply cannot be sealed unseen. Accepting and
//! applying is a task of its own: a client that vanishes drops only its wait. Duplicates join the request they repeat.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::{ConversationId, Event, RequestId};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::connector::{Arrival, Connector, Message, SealedReply};
use crate::gateway::Shared;
use crate::observe::metrics::RequestOutcome;
use crate::runner::Queued;
use crate::store::{self, Accept, Key};

/// What an HTTP task gets for a message.
pub struct Received {
    /// The answer to send.
    pub reply: SealedReply,
    /// To be told what became of the response.
    pub delivery: Delivery,
}

/// What a wait ended with.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// These bytes, and no others.
    Sealed(SealedReply),
    /// Nothing was stored: the constant refusal.
    Refuse,
}

/// Requests that somebody waits for, by id and by deduplication key.
#[derive(Default)]
pub(crate) struct Waits {
    inner: Mutex<Inner>,
    /// How many requests are between arrival and the end of their response.
    open: AtomicUsize,
}

#[derive(Default)]
struct Inner {
    by_request: HashMap<RequestId, Wait>,
    by_key: HashMap<Key, RequestId>,
    /// What a request was found to repeat, once the store said so.
    repeats: HashMap<RequestId, RequestId>,
}

/// What the end of a response means.
struct Ended {
    /// The request, or the one it repeats.
    request: RequestId,
    conversation: Option<ConversationId>,
    /// What its conversation is told: that the reply left, or that it did not.
    told: Option<bool>,
    /// Whether nobody waits for it any more.
    last: bool,
}

struct Wait {
    verdict: watch::Sender<Option<Verdict>>,
    key: Key,
    conversation: Option<ConversationId>,
    waiting: usize,
    out: bool,
}

impl Waits {
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the request that is under way for a key, or registers this one for it.
    fn register(&self, key: Key, request: RequestId) -> (RequestId, watch::Receiver<Option<Verdict>>) {
        let mut inner = self.lock();
        if let Some(first) = inner.by_key.get(&key).copied()
            && let Some(wait) = inner.by_request.get_mut(&first)
        {
            wait.waiting += 1;
            return (first, wait.verdict.subscribe());
        }
        let (verdict, receiver) = watch::channel(None);
        inner.by_key.insert(key, request);
        inner.by_request.insert(request, Wait { verdict, key, conversation: None, waiting: 1, out: false });
        (request, receiver)
    }

    /// Names the conversation of a request, so that its delivery can be told to it; false when nobody waits any more.
    fn belongs(&self, request: RequestId, conversation: ConversationId) -> bool {
        let mut inner = self.lock();
        let wait = inner.by_request.get_mut(&request);
        wait.map(|wait| wait.conversation = Some(conversation)).is_some()
    }

    /// A reply was sealed; everybody who waits for it gets it.
    pub(crate) fn sealed(&self, request: RequestId, reply: &SealedReply) {
        let inner = self.lock();
        let first = inner.by_request.get(&request);
        let repeating = inner.repeats.iter_waiting(request);
        for wait in first.into_iter().chain(repeating.filter_map(|request| inner.by_request.get(&request))) {
            wait.verdict.send_replace(Some(Verdict::Sealed(reply.clone())));
        }
    }

    /// Nothing was stored for a request.
    pub(crate) fn refused(&self, request: RequestId) {
        let inner = self.lock();
        let first = inner.by_request.get(&request);
        let repeating = inner.repeats.iter_waiting(request);
        for wait in first.into_iter().chain(repeating.filter_map(|request| inner.by_request.get(&request))) {
            wait.verdict.send_replace(Some(Verdict::Refuse));
        }
    }

    /// The message came under an earlier request already: whoever waits under `request` waits for that one. When nobody
    /// does any more, there is nothing to remember.
    pub(crate) fn repeats(&self, request: RequestId, earlier: RequestId) {
        let mut inner = self.lock();
        if request != earlier && inner.by_request.contains_key(&request) {
            inner.repeats.insert(request, earlier);
        }
    }

    /// One of those who wait for a request is gone, with its response or without.
    fn left(&self, request: RequestId, out: bool) -> Option<Ended> {
        let mut inner = self.lock();
        let known = inner.repeats.get(&request).copied();
        let wait = inner.by_request.get_mut(&request)?;
        wait.waiting = wait.waiting.saturating_sub(1);
        let (first_out, last) = (out && !wait.out, wait.waiting == 0);
        wait.out |= out;
        let sealed = matches!(&*wait.verdict.borrow(), Some(Verdict::Sealed(_)));
        let refused = matches!(&*wait.verdict.borrow(), Some(Verdict::Refuse));
        let told = match (first_out && sealed, last && !wait.out && !refused) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        };
        let (conversation, key) = (wait.conversation, wait.key);
        if last {
            inner.by_request.remove(&request);
            inner.by_key.remove(&key);
            inner.repeats.remove(&request);
        }
        Some(Ended { request: known.unwrap_or(request), conversation, told, last })
    }

    /// How many requests are open.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }
}

trait IterWaiting {
    fn iter_waiting(&self, earlier: RequestId) -> impl Iterator<Item = RequestId>;
}

impl IterWaiting for HashMap<RequestId, RequestId> {
    /// Who repeats a request. Repeats that the store knew are rare, so a scan is cheaper than an index; the order in
    /// which they are told cannot be seen.
    #[expect(clippy::disallowed_methods, reason = "every match is told the same; the order cannot be seen")]
    fn iter_waiting(&self, earlier: RequestId) -> impl Iterator<Item = RequestId> {
        self.iter().filter(move |(_, of)| **of == earlier).map(|(request, _)| *request)
    }
}

/// Tells the inbox what became of a response. Dropped without [`Delivery::out`], the response was aborted.
pub struct Delivery {
    shared: Arc<Shared>,
    request: RequestId,
    out: AtomicBool,
    /// The response is the constant refusal. It may well leave, but a reply that was sealed meanwhile did not.
    refused: bool,
}

impl Delivery {
    /// Whether the response is the constant refusal.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.refused
    }

    /// The HTTP layer took the last frame of the body.
    pub fn out(&self) {
        self.out.store(true, Ordering::Release);
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        let out = self.out.load(Ordering::Acquire) && !self.refused;
        self.shared.left(self.request, out);
        // Last: where no request is open, all that there is to tell of them was told.
        self.shared.waits.open.fetch_sub(1, Ordering::Release);
    }
}

impl Shared {
    /// Takes a message and waits for its answer. Never longer than the connector's `refuse_after_ms`.
    pub async fn receive(
        self: &Arc<Self>,
        connector: &Arc<dyn Connector>,
        message: Message,
        arrival: Arrival,
    ) -> Received {
        let metrics = self.metrics.connector(connector.key());
        let begun = Instant::now();
        let fresh = arrival.request.unwrap_or_else(|| self.runtime.ids.request());
        let dedup = self.dedup_key(connector.as_ref(), &message, fresh);
        let (request, mut verdict) = self.waits.register(dedup, fresh);
        self.waits.open.fetch_add(1, Ordering::Relaxed);
        let mut delivery = Delivery { shared: self.clone(), request, out: AtomicBool::new(false), refused: false };
        if request == fresh {
            if self.waits.open() > self.limits.open_requests_max {
                self.waits.refused(request);
            } else {
                let (shared, connector, arrival) = (self.clone(), connector.clone(), arrival.clone());
                self.runtime.spawn(async move { shared.accept(connector, message, arrival, request, dedup).await });
            }
        } else {
            self.counts.duplicates.fetch_add(1, Ordering::Relaxed);
            metrics.request(RequestOutcome::Duplicate).inc();
        }
        let deadline = arrival.at + connector.refuse_after_ms();
        let left = Duration::from_millis(deadline.ms_since(self.runtime.now()));
        let decided = tokio::time::timeout(left, verdict.wait_for(Option::is_some)).await;
        let reply = match decided.ok().and_then(Result::ok).and_then(|verdict| verdict.clone()) {
            Some(Verdict::Sealed(reply)) => reply,
            refused => {
                self.counts.refused.fetch_add(1, Ordering::Relaxed);
                metrics.request(RequestOutcome::Refused).inc();
                delivery.refused = true;
                if refused.is_none() {
                    self.tell(request, Event::Refused { request });
                }
                connector.refusal()
            }
        };
        metrics.reply.observe(begun.elapsed().as_secs_f64());
        Received { reply, delivery }
    }

    /// Makes a message durable together with the step that applies it.
    async fn accept(
        self: Arc<Self>,
        connector: Arc<dyn Connector>,
        message: Message,
        arrival: Arrival,
        request: RequestId,
        dedup: Key,
    ) {
        self.runtime.point("accept").await;
        let key = self.identities().conversation(connector.org(), &message.conversation);
        let conversation = match self.conversation_of(key).await {
            Ok(conversation) => conversation,
            Err(error) => {
                tracing::warn!(%error, %request, connector = %connector.key(), "a message was refused, because its conversation could not be looked up");
                self.waits.refused(request);
                return;
            }
        };
        // In this order, so that whoever ends the response finds what is to be undone.
        self.slots.keep_for_response(conversation, key, &self.timers);
        let is_awaited = self.waits.belongs(request, conversation);
        let mut wait_until = arrival.at + connector.wait_ms();
        if let Some(drained) = self.draining() {
            wait_until = wait_until.min(drained);
        }
        let (roster, fresh_session) = (self.roster(), self.runtime.ids.uuid());
        let mask = &roster.policies.of(&message.bot).mask;
        let said = message.said(&*connector, mask, Some(request), wait_until, fresh_session);
        let accept = Accept {
            request,
            key: dedup,
            arrived: arrival.at,
            wait_until,
            correlation: arrival.correlation,
            open_event: None,
        };
        let said = Queued::event(Event::Said(Box::new(said)));
        let idle = self.queue(conversation, key, Queued { accept: Some(accept), trace: arrival.trace, ..said });
        if !is_awaited {
            // The client was gone before anybody could be told. Its message counts, and its answer goes another way.
            self.tell_conversation(conversation, Event::ReplyAborted { request });
            self.slots.response_ended(conversation);
        }
        if let Some(slot) = idle {
            // This task has nothing else to do, so the conversation needs none of its own.
            self.drive(slot).await;
        }
    }

    /// What makes a message unique: its id within its session, or nothing but itself.
    fn dedup_key(&self, connector: &dyn Connector, message: &Message, request: RequestId) -> Key {
        match &message.message {
            Some(id) => self.identities().message(connector.key(), &message.session, id),
            None => self.identities().request(request),
        }
    }

    /// A response ended. Its conversation is told once that it left, or that nobody is left to take it.
    fn left(self: &Arc<Self>, request: RequestId, out: bool) {
        let Some(ended) = self.waits.left(request, out) else { return };
        let Some(conversation) = ended.conversation else { return };
        let request = ended.request;
        match ended.told {
            Some(true) => self.reply_out(conversation, request),
            Some(false) => self.tell_conversation(conversation, Event::ReplyAborted { request }),
            None => {}
        }
        if ended.last {
            self.slots.response_ended(conversation);
        }
    }

    /// Tells the conversation of a request what happened to it, when the request got that far.
    fn tell(self: &Arc<Self>, request: RequestId, event: Event) {
        let conversation = self.waits.lock().by_request.get(&request).and_then(|wait| wait.conversation);
        if let Some(conversation) = conversation {
            self.tell_conversation(conversation, event);
        }
    }

    /// A message that the store knows: its request is joined, sealed or not.
    pub(crate) fn join_stored(self: &Arc<Self>, request: RequestId, stored: &store::Request) {
        self.waits.repeats(request, stored.id);
        if let Some(reply) = stored.reply.as_ref().and_then(SealedReply::from_blob) {
            let inner = self.waits.lock();
            if let Some(wait) = inner.by_request.get(&request) {
                wait.verdict.send_replace(Some(Verdict::Sealed(reply)));
            }
        }
    }
}
