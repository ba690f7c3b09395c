//! Where everything that must survive is kept.
//!
//! The store speaks in verbs of the domain, and each verb is one transaction. It does not know what a state or a
//! journal row means: those are blobs that [`stored`](crate::stored) encodes at this edge. Callers are the inbox, the
//! runner, the outbox and the admin commands; nothing else opens the database.
//!
//! Two implementations stand under one conformance suite: [`sqlite`] (the product) and [`memory`] (simulation and the
//! model the suite compares with).
//!
//! | Verb | SQLite | PostgreSQL form, when it comes |
//! |---|---|---|
//! | `start` | insert a `replica` row; earlier ones are dead because the folder's lock is ours | insert a `replica` row with a lease that is renewed by one write |
//! | `accept` | `INSERT INTO inbox … ON CONFLICT DO NOTHING` in the writer's batch | the same with `unnest`, batched by two writers |
//! | `find` | look up `conversation.key`, then `leg.key`, in a reader | the same |
//! | `load` | one read transaction: the conversation row, its live outbox rows, open entries and the requests that are not out | the same under `REPEATABLE READ` |
//! | `commit` | looks for the keys, then updates under the version and owner; nothing is written by a step that is refused. A step that breaks later takes its batch back, which runs again without it (cheaper than a savepoint around each) | one statement per table with `unnest`, rows sorted by conversation, version check by `UPDATE … WHERE version = …` and its returned keys |
//! | `due` | three ordered indexes, merged until there are enough | the same, `FOR UPDATE SKIP LOCKED`, and only conversations that are unowned or ours |
//! | `claim` | `UPDATE outbox SET attempt = attempt + 1 … WHERE` there is no claim, it is ours, its holder is dead, or `lease_until_ms < now` | the same, `now` being the database's clock |
//! | `heartbeat` | `UPDATE outbox SET lease_until_ms` for the rows we hold | the same |
//! | `release` | clear a claim of a live replica, set `due_ms` | the same |
//! | `reply_for` | unique index on `request.key`: the inbox entry and its request are one row | the same |
//! | `mark_out` | `UPDATE request SET out = 1` and the conversation's `next_due_ms`, never awaited by an answer | the same, batched |
//! | `sweep` | bounded `DELETE`s of settled rows, oldest first | the same |
//! | `dead_letters`, `dead_letter`, `bury`, `drop_letter` | plain rows | the same |
//! | `recent`, `read_log` | the journal's row ids ascend in the order of commits, so activity needs no index of its own | by (at, id), a little behind now, since sequences are not ordered by commit |
//! | `enact`, `policies` | compare with the newest row of `policies`, insert when it differs | the same, under a lock on the newest row |
//! | `disable`, `enable`, `out_of_service` | plain rows | the same |
//! | `note_manifests` | insert, or replace the latest where it differs; then the versions past the bound go, in the same transaction | the same, with `unnest`, under a lock on the bot's rows |
//! | `manifests` | plain rows, ascending | the same |
//! | `shadows` | plain rows, ascending; counted by the steps that made them | the same |
//! | `unfinished` | range read on `conversation.id` | the same |
//! | `read_journal` | range read on (conversation, seq); `seq` is given by the step | the same; `seq` comes from the conversation's row lock, since sequences are not ordered by commit |

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use model::{BotKey, ConnectorKey, ConversationId, RequestId, Timestamp};

#[cfg(test)]
mod conformance;
pub mod memory;
pub mod sqlite;
mod step;

pub use self::step::{Claim, JournalRow, Letter, OutboxRow, OutboxSeq, Seal, SealedAs, Settle, Step};

/// A keyed 16-byte hash of an identity from outside (a platform's conversation id, a message id). The key lives in the
/// store, so a copied table does not tell which customer a row belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub [u8; 16]);

/// One run of one process. Every start gets a new number, so what an earlier start had claimed is told apart from ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Replica(pub i64);

/// What a start found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// The number of this run.
    pub replica: Replica,
    /// The key for [`Key`] hashes, made at the first start and kept in the store.
    pub hash_key: [u8; 16],
}

/// Payload bytes as they are stored: the first byte names the format (0 = clear), the rest is the payload.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Blob(pub Bytes);

impl Blob {
    /// Wraps a payload in the envelope of format 0, clear.
    #[must_use]
    pub fn clear(payload: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(payload.len() + 1);
        bytes.push(0);
        bytes.extend_from_slice(payload);
        Self(bytes.into())
    }

    /// The same, of bytes that are not needed any more.
    #[must_use]
    pub fn clear_of(mut payload: Vec<u8>) -> Self {
        payload.insert(0, 0);
        Self(payload.into())
    }

    /// The payload, or nothing when the format byte is unknown or missing.
    #[must_use]
    pub fn payload(&self) -> Option<Bytes> {
        match self.0.first() {
            Some(0) => Some(self.0.slice(1..)),
            _ => None,
        }
    }
}

impl std::fmt::Debug for Blob {
    /// Never the bytes: they are customers' words.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Blob({} bytes)", self.0.len())
    }
}

/// An outside request that is to be made durable: an inbox entry, and the request that waits for its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accept {
    /// The request's id, made by the inbox before anything is stored.
    pub request: RequestId,
    /// The deduplication key; a second entry with it is refused.
    pub key: Key,
    /// When the entry came in.
    pub arrived: Timestamp,
    /// Until when the request's HTTP task waits.
    pub wait_until: Timestamp,
    /// The platform's correlation id, for support cases. At most 100 bytes are kept.
    pub correlation: Option<Arc<str>>,
    /// The event, only when it is not applied by the same step (`accept` alone): an entry of a step is in its journal row.
    pub open_event: Option<Blob>,
}

/// What became of [`Store::accept`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Stored; the entry is open until a step names it in [`Step::inbox_done`].
    New,
    /// The key is already there, under this request.
    Duplicate(RequestId),
}

/// A request row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// The sealed reply, once a step decided it: status and body, as encoded by the inbox.
    pub reply: Option<Blob>,
    /// Whether the reply was seen to leave.
    pub out: bool,
    /// Until when its HTTP task waited.
    pub wait_until: Timestamp,
}

/// An open inbox entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenEntry {
    /// The request it belongs to; also its place in the order, because request ids ascend.
    pub request: RequestId,
    /// The event as stored.
    pub event: Blob,
}

/// Why a verb failed, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The version moved on or another replica owns the conversation. Load again and repeat the step.
    #[error("the conversation was changed by another writer")]
    Conflict,
    /// An accepted key is already stored, under the request given. Nothing of the step was stored: join that request.
    #[error("the message is already stored under request {0}")]
    Duplicate(RequestId),
    /// The store cannot take writes now (disk full, reserve reached, closed). Nothing was stored; refuse, and try again later.
    #[error("the store cannot take this now: {0}")]
    Unavailable(Arc<str>),
    /// The outcome of a commit is not known. Read the version back before anything else.
    #[error("the outcome of the commit is unknown: {0}")]
    Unknown(Arc<str>),
    /// The store holds something that cannot be read. Do not retry.
    #[error("the store is damaged: {0}")]
    Damaged(Arc<str>),
}

/// Everything of one conversation that a runner needs to go on with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Its id.
    pub conversation: ConversationId,
    /// Its key, as given in [`Step::key`].
    pub key: Key,
    /// Its version.
    pub version: u64,
    /// Its state.
    pub state: Blob,
    /// Live outbox rows, ascending.
    pub outbox: Vec<OutboxRow>,
    /// Entries not yet applied, ascending.
    pub open_entries: Vec<OpenEntry>,
    /// Requests that are not known to be out, sealed or not, ascending.
    pub requests: Vec<Request>,
    /// Who owned it last.
    pub owner: Option<Replica>,
}

/// A reply that left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Out {
    /// The request that it answers.
    pub request: RequestId,
    /// What it means for the conversation, when no step will say so.
    pub mark: Option<OutMark>,
}

/// What a reply that left means for its conversation: a window in which it might have been lost needs no look any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutMark {
    /// Which conversation.
    pub conversation: ConversationId,
    /// The version this was computed from.
    pub version: u64,
    /// When it next wants to be looked at.
    pub next_due: Option<Timestamp>,
}

/// Which dead letters to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LetterQuery {
    /// Only ids greater than this.
    pub after: u64,
    /// At most this many; 0 means 100.
    pub limit: u32,
}

/// A journal row with its place among those of all conversations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// Ascends in the order of commits. When the newest rows are swept, their places may be given again.
    pub place: u64,
    /// Whose row it is.
    pub conversation: ConversationId,
    /// The row.
    pub row: JournalRow,
}

/// A conversation, as lists of operators want it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recent {
    /// The place of its latest journal row.
    pub place: u64,
    /// Which conversation.
    pub conversation: ConversationId,
    /// When it was last touched.
    pub touched: Timestamp,
    /// Whether nothing is open any more.
    pub finished: bool,
    /// When it next wants to be looked at.
    pub next_due: Option<Timestamp>,
    /// Its state.
    pub state: Blob,
}

/// Conversations, the latest touched first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecentPage {
    /// They.
    pub conversations: Vec<Recent>,
    /// What to ask for next; nothing when there are no more.
    pub before: Option<u64>,
}

/// So many journal rows are looked at for one page of [`Store::recent`]: a reader that takes long holds up checkpoints.
const RECENT_ROWS_MAX: u32 = 10_000;

/// A step may be committed after the first one that went by later policies. So of the policies that are older than those
/// of the oldest journal row, this many are kept.
const POLICIES_KEPT: u32 = 8;

/// How much a sweep takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// Inbox keys and requests that arrived before this time go (deduplication: at least three days).
    pub requests_before: Timestamp,
    /// Finished conversations last touched before this time go, with their journal.
    pub conversations_before: Timestamp,
    /// At most this many rows of each table in one call.
    pub limit: u32,
}

/// What a sweep took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Inbox entries with their requests.
    pub requests: u32,
    /// Conversations with their journal rows.
    pub conversations: u32,
}

/// A bot that an operator took out of service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutOfService {
    /// Which.
    pub bot: BotKey,
    /// Since when.
    pub since: Timestamp,
    /// Why, for the agents who get its conversations.
    pub reason: String,
    /// Who did it.
    pub who: String,
}

/// What a bot declared under a version when its platform read it, or was sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestNote {
    /// Through which connector.
    pub connector: ConnectorKey,
    /// Which bot.
    pub bot: BotKey,
    /// Under which version.
    pub version: Arc<str>,
    /// When.
    pub at: Timestamp,
    /// What it declared, in a form that is equal when the declaration is.
    pub declared: Blob,
}

/// What is known of a version of a bot at a platform. A flow that was published holds what was current then, which is
/// one of the two, or something between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The first note: its time stays.
    pub first: ManifestNote,
    /// When the latest declaration that differs from the one before it was noted.
    pub latest_at: Timestamp,
    /// That declaration.
    pub latest: Blob,
}

/// So many versions are known of each bot at each connector; the one that was noted the longest ago goes.
const MANIFEST_VERSIONS_KEPT: u32 = 50;

/// One thing that a shadow found of one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShadowNote {
    /// The connector that gave the answer.
    pub connector: ConnectorKey,
    /// Whose answer.
    pub bot: BotKey,
    /// What was found, in a word.
    pub kind: Arc<str>,
    /// At which message of the answer, from 1; 0 where it is about no message.
    pub item: u16,
}

/// How often a shadow found something, and where last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShadowCount {
    /// The latest of the notes.
    pub latest: ShadowNote,
    /// In how many answers.
    pub answers: u64,
    /// When for the first time.
    pub first_at: Timestamp,
    /// When for the last time.
    pub latest_at: Timestamp,
    /// In which conversation then.
    pub conversation: ConversationId,
}

/// How full a store is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measures {
    /// Conversations that are not over.
    pub open_conversations: u64,
    /// Dead letters.
    pub dead_letters: u64,
    /// The size of the write-ahead log.
    pub wal_bytes: u64,
    /// What is free on its disk.
    pub disk_free_bytes: u64,
}

/// What a verb gives back.
pub type Reply<'a, T> = BoxFuture<'a, Result<T, Error>>;

/// The verbs. Each is one transaction; see the table in the module's documentation.
pub trait Store: Send + Sync + 'static {
    /// Registers this run. On SQLite every earlier run is dead, because the folder's lock is ours: its claims are over,
    /// and so is its ownership.
    fn start(&self) -> Reply<'_, Started>;
    /// Stores one outside request without applying it, for a conversation that another replica owns or that is busy.
    /// The conversation must be stored already, else [`Error::Conflict`].
    fn accept(&self, conversation: ConversationId, accept: Accept) -> Reply<'_, Accepted>;
    /// The conversation of a platform's conversation id, or of a leg.
    fn find(&self, key: Key) -> Reply<'_, Option<ConversationId>>;
    /// Everything a runner needs; nothing when the conversation is not stored.
    fn load(&self, conversation: ConversationId) -> Reply<'_, Option<Loaded>>;
    /// Commits a step. Many callers' steps share one transaction; a step that fails is skipped alone.
    /// Errors, the first that applies: [`Error::Conflict`], [`Error::Duplicate`]; [`Error::Damaged`] when the step
    /// contradicts what is stored (a gap in the journal, a request id or outbox row twice, the reply of an unsealed request);
    /// [`Error::Unavailable`], [`Error::Unknown`]. Dropping the future does not take the step back.
    fn commit(&self, step: Step) -> Reply<'_, ()>;
    /// Conversations whose `next_due` is at or before `now`, or that have a live outbox row which is due and neither
    /// claimed by `replica` nor under a live claim, or an open inbox entry; the oldest first, at most `limit`.
    fn due(&self, replica: Replica, now: Timestamp, limit: u32) -> Reply<'_, Vec<ConversationId>>;
    /// The earliest future `next_due` of all conversations, so that a timer can sleep until then.
    fn next_due(&self, after: Timestamp) -> Reply<'_, Option<Timestamp>>;
    /// Claims one attempt of a row durably, before its body goes out; counts it. Nothing when the row is gone or under
    /// another's live claim, which lasts up to and including its time; our own is no obstacle. Returns the number of the
    /// attempt. A replica of an earlier run gets [`Error::Conflict`].
    fn claim(
        &self,
        conversation: ConversationId,
        seq: OutboxSeq,
        claim: Claim,
        now: Timestamp,
    ) -> Reply<'_, Option<u32>>;
    /// Prolongs claims that we hold; never shortens one.
    fn heartbeat(&self, replica: Replica, rows: Vec<(ConversationId, OutboxSeq)>, until: Timestamp) -> Reply<'_, ()>;
    /// Gives a claim back; the row may be claimed again at `due`. With `uncount`, the attempt does not count (a drain).
    /// Nothing when no live replica holds it, so it may be repeated.
    fn release(&self, conversation: ConversationId, seq: OutboxSeq, due: Timestamp, uncount: bool) -> Reply<'_, ()>;
    /// The request stored under a deduplication key.
    fn reply_for(&self, key: Key) -> Reply<'_, Option<Request>>;
    /// Notes that sealed replies left. Nobody's answer waits for this, so it may wait for another write to share its
    /// commit. With a mark, the conversation's next due time is set too, unless its version moved on.
    fn mark_out(&self, outs: Vec<Out>) -> Reply<'_, ()>;
    /// Deletes what is over, a bounded amount. Requests go in the order of their ids, up to the first that is too young;
    /// one whose entry is open stays. A conversation with a live outbox row or an open entry stays, finished or not.
    /// Policies that no journal row can name any more go too, never the newest.
    fn sweep(&self, sweep: Sweep) -> Reply<'_, Swept>;
    /// Buries a letter that belongs to no step (an input that was not understood). One that is there already stays as it
    /// is, so it may be repeated.
    fn bury(&self, letter: Letter) -> Reply<'_, ()>;
    /// Lists letters, ascending by id.
    fn dead_letters(&self, query: LetterQuery) -> Reply<'_, Vec<Letter>>;
    /// One letter.
    fn dead_letter(&self, id: u64) -> Reply<'_, Option<Letter>>;
    /// Drops a letter; false when it is not there.
    fn drop_letter(&self, id: u64) -> Reply<'_, bool>;
    /// Journal rows of a conversation from `from` (inclusive), ascending, at most `limit`.
    fn read_journal(&self, conversation: ConversationId, from: u64, limit: u32) -> Reply<'_, Vec<JournalRow>>;
    /// Conversations in the order in which they were last touched, the latest first: those whose latest journal row lies
    /// before a place, at most `limit`, of which 0 means 1. A page may be short, or empty, though there are more.
    fn recent(&self, before: u64, limit: u32) -> Reply<'_, RecentPage>;
    /// Journal rows of all conversations after a place, ascending, at most `limit`.
    fn read_log(&self, after: u64, limit: u32) -> Reply<'_, Vec<LogRow>>;
    /// The number of these policies: that of the newest when they are the same, else a new one, ascending from 1.
    fn enact(&self, policies: Blob) -> Reply<'_, u32>;
    /// The policies of a revision.
    fn policies(&self, revision: u32) -> Reply<'_, Option<Blob>>;
    /// Takes a bot out of service; a reason that was there is replaced.
    fn disable(&self, bot: OutOfService) -> Reply<'_, ()>;
    /// Puts a bot in service again; false when it was.
    fn enable(&self, bot: BotKey) -> Reply<'_, bool>;
    /// The bots that are out of service, ascending by key.
    fn out_of_service(&self) -> Reply<'_, Vec<OutOfService>>;
    /// Keeps what bots declared to their platforms. What is known already, in the same form, stays as it is with its time.
    /// Nobody's answer waits for this, so it may wait for another write to share its commit.
    fn note_manifests(&self, notes: Vec<ManifestNote>) -> Reply<'_, ()>;
    /// What bots declared, ascending by connector, bot and version.
    fn manifests(&self) -> Reply<'_, Vec<Manifest>>;
    /// What shadows found, ascending by connector, bot and kind.
    fn shadows(&self) -> Reply<'_, Vec<ShadowCount>>;
    /// Conversations that are not finished, with ids greater than `after`, ascending, at most `limit`.
    fn unfinished(&self, after: ConversationId, limit: u32) -> Reply<'_, Vec<ConversationId>>;
    /// Why nothing is written any more, when an I/O error has stopped the store. Only a new start helps then: a second
    /// attempt to make the same pages durable may succeed although the first one's are lost.
    fn failed(&self) -> Option<Error> {
        None
    }
    /// Why no input is taken in for now, such as a full disk. It passes by itself when its cause does.
    fn refuses_input(&self) -> Option<Error> {
        None
    }
    /// How full it is, for whoever watches. A store that cannot say reports nothing.
    fn measures(&self) -> Reply<'_, Measures> {
        Box::pin(std::future::ready(Ok(Measures::default())))
    }
    /// Conversations, the latest first, at most `limit`: for operators and tests.
    fn conversations(&self, limit: u32) -> Reply<'_, Vec<ConversationId>>;
}

/// What every implementation checks of a step before it looks at what is stored.
fn well_formed(step: &Step) -> Result<(), Error> {
    if step.journal.seq != step.expected_version + 1 {
        let (seq, version) = (step.journal.seq, step.expected_version);
        return Err(Error::Damaged(format!("journal row {seq} does not follow version {version}").into()));
    }
    Ok(())
}

/// How many letters a query wants.
fn letter_limit(query: &LetterQuery) -> u32 {
    if query.limit == 0 { 100 } else { query.limit }
}
