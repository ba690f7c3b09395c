//! One step of a conversation, as the transaction that it is: the new state, the rows that come and go with it, and its
//! journal row. [`crate::step`] lays it out, [`super::Store::commit`] writes it whole or not at all.

use std::sync::Arc;

use model::{ConversationId, RequestId, Timestamp};

use super::{Accept, Blob, Key, Replica, ShadowNote};

/// The sequence of an outbox row within its conversation, given by the step that adds it, ascending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutboxSeq(pub u64);

/// A claim on an outbox row: who may send it now, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who holds it.
    pub by: Replica,
    /// Until when, by the store's clock.
    pub until: Timestamp,
}

/// One live row of the outbox. Settled rows are deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// Place in the conversation's order.
    pub seq: OutboxSeq,
    /// The lane: rows of one lane leave one after another, in order. What it names is the runner's business.
    pub lane: u32,
    /// What is to be sent, rendered.
    pub item: Blob,
    /// Not before this time.
    pub due: Timestamp,
    /// How often it was claimed. A row that is born claimed starts with 1.
    pub attempt: u32,
    /// The live or expired claim.
    pub claim: Option<Claim>,
}

/// How an outbox row ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settle {
    /// Which row.
    pub seq: OutboxSeq,
}

/// A reply decided by a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// For which request.
    pub request: RequestId,
    /// The bytes, or nothing to take those of another sealed request of the same conversation.
    pub reply: SealedAs,
}

/// Where sealed bytes come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealedAs {
    /// These bytes.
    Bytes(Blob),
    /// Those of a request that is sealed already.
    Same(RequestId),
}

/// A dead letter, as it is buried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Its id, given by whoever buries it.
    pub id: u64,
    /// The conversation, where there is one.
    pub conversation: Option<ConversationId>,
    /// What kind of thing it is: `input`, `answer`, `notice`.
    pub kind: Arc<str>,
    /// The connector or engine it was for or from, by its key in the configuration.
    pub place: Arc<str>,
    /// Why, in words for an operator; never customer words.
    pub reason: Arc<str>,
    /// How often it was tried.
    pub attempts: u32,
    /// Since when it is dead.
    pub died: Timestamp,
    /// The raw input, or the stored form of the effect.
    pub payload: Blob,
}

/// One journal row: every event of a step and every effect, together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalRow {
    /// Ascending within the conversation, from 1, without gaps: the version that the step made.
    pub seq: u64,
    /// The row that caused this one, when it is known (the ask of an answer).
    pub cause_seq: Option<u64>,
    /// The form of the payload.
    pub schema_version: u32,
    /// Which policies were in force.
    pub policy_revision: u32,
    /// How long to keep it: 0 = as long as the conversation's retention.
    pub retention_class: u8,
    /// The trace it belongs to, where there is one.
    pub trace: Option<[u8; 16]>,
    /// When.
    pub at: Timestamp,
    /// Events and effects.
    pub payload: Blob,
}

/// One step of one conversation; committed whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which conversation.
    pub conversation: ConversationId,
    /// The keyed hash of the platform's conversation id: how the next message finds it.
    pub key: Key,
    /// Legs that are new with this step: keyed hash of (connector, kind, platform's session id) → this conversation. A leg
    /// that another conversation had moves here.
    pub new_legs: Vec<Key>,
    /// Who commits; refused when another live replica owns the conversation.
    pub owner: Replica,
    /// The version the step was computed from; 0 for a conversation that is not stored yet.
    pub expected_version: u64,
    /// The new state.
    pub state: Blob,
    /// The one time at which the conversation next wants to be looked at.
    pub next_due: Option<Timestamp>,
    /// Whether nothing is open any more, so that the sweeper may take the conversation when its retention is over.
    pub finished: bool,
    /// Outside requests that this step makes durable and applies at once.
    pub accepts: Vec<Accept>,
    /// Open entries that this step applied.
    pub inbox_done: Vec<RequestId>,
    /// New outbox rows, ascending.
    pub outbox_add: Vec<OutboxRow>,
    /// Outbox rows that are settled: deleted with their bytes, before new ones are added. One that is gone is ignored.
    pub outbox_settle: Vec<Settle>,
    /// Replies that are decided. The first seal of a request stays, a later one is ignored. Bytes are sealed before those
    /// that are the same as another's, whatever the order here.
    pub seals: Vec<Seal>,
    /// Requests whose refusal must not be remembered: their inbox key is freed.
    pub forget: Vec<RequestId>,
    /// Requests whose replies are known to be out, and those that were refused: nobody waits for either any more.
    pub out: Vec<RequestId>,
    /// Dead letters that are born of this step. One that is there already stays as it is.
    pub letters: Vec<Letter>,
    /// Dead letters that are redriven by this step, and so gone.
    pub letters_redriven: Vec<u64>,
    /// What a shadow found of the answers that this step seals.
    pub shadows: Vec<ShadowNote>,
    /// The journal row; its `seq` is `expected_version + 1`.
    pub journal: JournalRow,
}

impl Step {
    /// A step that changes nothing but the version of its conversation, decided `at` this time. Its state and its journal
    /// row are still to be filled in.
    #[must_use]
    pub fn empty(conversation: ConversationId, key: Key, owner: Replica, expected_version: u64, at: Timestamp) -> Self {
        Self {
            conversation,
            key,
            new_legs: Vec::new(),
            owner,
            expected_version,
            state: Blob::default(),
            next_due: None,
            finished: false,
            accepts: Vec::new(),
            inbox_done: Vec::new(),
            outbox_add: Vec::new(),
            outbox_settle: Vec::new(),
            seals: Vec::new(),
            forget: Vec::new(),
            out: Vec::new(),
            letters: Vec::new(),
            letters_redriven: Vec::new(),
            shadows: Vec::new(),
            journal: JournalRow {
                seq: expected_version + 1,
                cause_seq: None,
                schema_version: 1,
                policy_revision: 1,
                retention_class: 0,
                trace: None,
                at,
                payload: Blob::default(),
            },
        }
    }

    /// The seals that bring their bytes. They come before [`Self::sealed_same`], whatever the order in the list.
    pub(super) fn sealed_bytes(&self) -> impl Iterator<Item = (RequestId, &Blob)> {
        self.seals.iter().filter_map(|seal| match &seal.reply {
            SealedAs::Bytes(reply) => Some((seal.request, reply)),
            SealedAs::Same(_) => None,
        })
    }

    /// The seals that take another request's bytes.
    pub(super) fn sealed_same(&self) -> impl Iterator<Item = (RequestId, RequestId)> {
        self.seals.iter().filter_map(|seal| match seal.reply {
            SealedAs::Bytes(_) => None,
            SealedAs::Same(other) => Some((seal.request, other)),
        })
    }
}
