//! The store in memory: for the deterministic simulation, and the model the conformance suite compares SQLite with.
//!
//! It has no thread, no clock and no randomness. What a real store does by itself, the simulation injects: a pause
//! before and after every change, so that a crash can fall between, and a fault for every write. The tables outlive a
//! simulated process: keep the [`Memory`] in an `Arc`, drop everything else, and call `start` again.

mod tables;

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use model::{BotKey, ConversationId, Timestamp};

use self::tables::Tables;
use super::{
    Accept, Accepted, Blob, Claim, Error, JournalRow, Letter, LetterQuery, Loaded, LogRow, Manifest, ManifestNote, Out,
    OutOfService, OutboxSeq, RecentPage, Replica, Reply, Request, ShadowCount, Started, Step, Store, Sweep, Swept,
};

/// Called once before and once after each verb touches the tables. Ready at once by default.
pub type Pause = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// Decides whether a read fails. Never by default.
pub type ReadFaults = Arc<dyn Fn(Read) -> bool + Send + Sync>;

/// The reads that the running gateway depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Read {
    /// [`Store::find`].
    Find,
    /// [`Store::load`].
    Load,
    /// [`Store::due`].
    Due,
    /// [`Store::reply_for`].
    ReplyFor,
    /// [`Store::read_journal`].
    Journal,
    /// A read of operators and tests, which never fails.
    Other,
}

/// Decides how a write ends. Never a fault by default.
pub type Faults = Arc<dyn Fn(Write) -> Fault + Send + Sync>;

/// The writes a fault can hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Write {
    /// [`Store::accept`].
    Accept,
    /// [`Store::commit`].
    Commit,
    /// [`Store::claim`].
    Claim,
    /// [`Store::heartbeat`].
    Heartbeat,
    /// [`Store::release`].
    Release,
    /// [`Store::mark_out`].
    MarkOut,
    /// [`Store::sweep`].
    Sweep,
    /// [`Store::bury`].
    Bury,
    /// [`Store::drop_letter`].
    DropLetter,
    /// [`Store::enact`].
    Enact,
    /// [`Store::disable`].
    Disable,
    /// [`Store::enable`].
    Enable,
    /// [`Store::note_manifests`].
    NoteManifests,
}

/// How a write ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// As it should.
    None,
    /// Nothing is stored, and the answer says so: [`Error::Unavailable`].
    Refused,
    /// Nothing is stored, and the answer does not tell: [`Error::Unknown`].
    Lost,
    /// It is stored, and the answer does not tell: [`Error::Unknown`].
    Stored,
}

/// The store in memory.
pub struct Memory {
    tables: Mutex<Tables>,
    hash_key: [u8; 16],
    pause: Pause,
    faults: Faults,
    read_faults: ReadFaults,
}

impl Memory {
    /// An empty store without pauses and faults.
    #[must_use]
    pub fn new(hash_key: [u8; 16]) -> Self {
        Self {
            tables: Mutex::default(),
            hash_key,
            pause: Arc::new(|| Box::pin(std::future::ready(()))),
            faults: Arc::new(|_| Fault::None),
            read_faults: Arc::new(|_| false),
        }
    }

    /// With a pause around every verb.
    #[must_use]
    pub fn with_pause(self, pause: Pause) -> Self {
        Self { pause, ..self }
    }

    /// With faults.
    #[must_use]
    pub fn with_faults(self, faults: Faults) -> Self {
        Self { faults, ..self }
    }

    /// With reads that fail.
    #[must_use]
    pub fn with_read_faults(self, read_faults: ReadFaults) -> Self {
        Self { read_faults, ..self }
    }

    fn locked<T>(&self, access: impl FnOnce(&mut Tables) -> T) -> T {
        access(&mut self.tables.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn read<'a, T: Send>(&'a self, read: Read, look: impl FnOnce(&Tables) -> T + Send + 'a) -> Reply<'a, T> {
        Box::pin(async move {
            (self.pause)().await;
            if (self.read_faults)(read) {
                return Err(Error::Unavailable("injected".into()));
            }
            let found = self.locked(|tables| look(tables));
            (self.pause)().await;
            Ok(found)
        })
    }

    fn write<'a, T: Send>(
        &'a self,
        write: Write,
        change: impl FnOnce(&mut Tables) -> Result<T, Error> + Send + 'a,
    ) -> Reply<'a, T> {
        Box::pin(async move {
            (self.pause)().await;
            let answer = match (self.faults)(write) {
                Fault::None => self.locked(change),
                Fault::Refused => Err(Error::Unavailable("injected".into())),
                Fault::Lost => Err(Error::Unknown("injected".into())),
                // A change that the tables refuse did not reach the commit, so its outcome is known.
                Fault::Stored => self.locked(change).and_then(|_| Err(Error::Unknown("injected".into()))),
            };
            (self.pause)().await;
            answer
        })
    }
}

impl Store for Memory {
    fn start(&self) -> Reply<'_, Started> {
        Box::pin(async move {
            (self.pause)().await;
            let replica = self.locked(Tables::start);
            (self.pause)().await;
            Ok(Started { replica, hash_key: self.hash_key })
        })
    }

    fn accept(&self, conversation: ConversationId, accept: Accept) -> Reply<'_, Accepted> {
        self.write(Write::Accept, move |tables| tables.accept(conversation, &accept))
    }

    fn find(&self, key: super::Key) -> Reply<'_, Option<ConversationId>> {
        self.read(Read::Find, move |tables| tables.find(key))
    }

    fn load(&self, conversation: ConversationId) -> Reply<'_, Option<Loaded>> {
        self.read(Read::Load, move |tables| tables.load(conversation))
    }

    fn commit(&self, step: Step) -> Reply<'_, ()> {
        self.write(Write::Commit, move |tables| tables.commit(&step))
    }

    fn due(&self, replica: Replica, now: Timestamp, limit: u32) -> Reply<'_, Vec<ConversationId>> {
        self.read(Read::Due, move |tables| tables.due(replica, now, limit))
    }

    fn next_due(&self, after: Timestamp) -> Reply<'_, Option<Timestamp>> {
        self.read(Read::Other, move |tables| tables.next_due(after))
    }

    fn claim(
        &self,
        conversation: ConversationId,
        seq: OutboxSeq,
        claim: Claim,
        now: Timestamp,
    ) -> Reply<'_, Option<u32>> {
        self.write(Write::Claim, move |tables| tables.claim(conversation, seq, claim, now))
    }

    fn heartbeat(&self, replica: Replica, rows: Vec<(ConversationId, OutboxSeq)>, until: Timestamp) -> Reply<'_, ()> {
        self.write(Write::Heartbeat, move |tables| {
            tables.heartbeat(replica, &rows, until);
            Ok(())
        })
    }

    fn release(&self, conversation: ConversationId, seq: OutboxSeq, due: Timestamp, uncount: bool) -> Reply<'_, ()> {
        self.write(Write::Release, move |tables| {
            tables.release(conversation, seq, due, uncount);
            Ok(())
        })
    }

    fn reply_for(&self, key: super::Key) -> Reply<'_, Option<Request>> {
        self.read(Read::ReplyFor, move |tables| tables.reply_for(key))
    }

    fn mark_out(&self, outs: Vec<Out>) -> Reply<'_, ()> {
        self.write(Write::MarkOut, move |tables| {
            outs.iter().for_each(|out| tables.mark_out(*out));
            Ok(())
        })
    }

    fn sweep(&self, sweep: Sweep) -> Reply<'_, Swept> {
        self.write(Write::Sweep, move |tables| Ok(tables.sweep(sweep)))
    }

    fn bury(&self, letter: Letter) -> Reply<'_, ()> {
        self.write(Write::Bury, move |tables| {
            tables.bury(letter);
            Ok(())
        })
    }

    fn dead_letters(&self, query: LetterQuery) -> Reply<'_, Vec<Letter>> {
        self.read(Read::Other, move |tables| tables.dead_letters(&query))
    }

    fn dead_letter(&self, id: u64) -> Reply<'_, Option<Letter>> {
        self.read(Read::Other, move |tables| tables.dead_letter(id))
    }

    fn drop_letter(&self, id: u64) -> Reply<'_, bool> {
        self.write(Write::DropLetter, move |tables| Ok(tables.drop_letter(id)))
    }

    fn read_journal(&self, conversation: ConversationId, from: u64, limit: u32) -> Reply<'_, Vec<JournalRow>> {
        self.read(Read::Journal, move |tables| tables.read_journal(conversation, from, limit))
    }

    fn recent(&self, before: u64, limit: u32) -> Reply<'_, RecentPage> {
        self.read(Read::Other, move |tables| tables.recent(before, limit))
    }

    fn read_log(&self, after: u64, limit: u32) -> Reply<'_, Vec<LogRow>> {
        self.read(Read::Other, move |tables| tables.read_log(after, limit))
    }

    fn enact(&self, policies: Blob) -> Reply<'_, u32> {
        self.write(Write::Enact, move |tables| Ok(tables.enact(policies)))
    }

    fn policies(&self, revision: u32) -> Reply<'_, Option<Blob>> {
        self.read(Read::Other, move |tables| tables.policies(revision))
    }

    fn disable(&self, bot: OutOfService) -> Reply<'_, ()> {
        self.write(Write::Disable, move |tables| {
            tables.disable(bot);
            Ok(())
        })
    }

    fn enable(&self, bot: BotKey) -> Reply<'_, bool> {
        self.write(Write::Enable, move |tables| Ok(tables.enable(&bot)))
    }

    fn out_of_service(&self) -> Reply<'_, Vec<OutOfService>> {
        self.read(Read::Other, Tables::out_of_service)
    }

    fn note_manifests(&self, notes: Vec<ManifestNote>) -> Reply<'_, ()> {
        self.write(Write::NoteManifests, move |tables| {
            notes.into_iter().for_each(|note| tables.note_manifest(note));
            Ok(())
        })
    }

    fn manifests(&self) -> Reply<'_, Vec<Manifest>> {
        self.read(Read::Other, Tables::manifests)
    }

    fn shadows(&self) -> Reply<'_, Vec<ShadowCount>> {
        self.read(Read::Other, Tables::shadows)
    }

    fn unfinished(&self, after: ConversationId, limit: u32) -> Reply<'_, Vec<ConversationId>> {
        self.read(Read::Other, move |tables| tables.unfinished(after, limit))
    }

    fn conversations(&self, limit: u32) -> Reply<'_, Vec<ConversationId>> {
        self.read(Read::Other, move |tables| tables.conversations(limit))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::FutureExt as _;

    use super::*;

    fn letter() -> Letter {
        Letter {
            id: 1,
            conversation: None,
            kind: "input".into(),
            place: "main".into(),
            reason: "not understood".into(),
            attempts: 1,
            died: Timestamp(1),
            payload: Blob::clear(b"{"),
        }
    }

    #[test]
    fn a_crash_falls_before_or_after_a_change() {
        for (pauses, stored) in [(0, false), (1, true)] {
            let left = Arc::new(AtomicU32::new(pauses));
            let hook = Arc::clone(&left);
            let memory = Memory::new([1; 16]).with_pause(Arc::new(move || {
                let passes = hook.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
                if passes.is_ok() { Box::pin(std::future::ready(())) } else { Box::pin(std::future::pending()) }
            }));
            assert_eq!(memory.bury(letter()).now_or_never(), None, "it waits at pause {pauses}");
            left.store(u32::MAX, Ordering::Relaxed);
            let found = memory.dead_letter(1).now_or_never().unwrap().unwrap();
            assert_eq!(found.is_some(), stored, "dropped at pause {pauses}");
        }
    }

    #[test]
    fn a_fault_stores_or_not_and_tells_or_not() {
        let unknown = Err(Error::Unknown("injected".into()));
        for (fault, answer, stored) in [
            (Fault::None, Ok(()), true),
            (Fault::Refused, Err(Error::Unavailable("injected".into())), false),
            (Fault::Lost, unknown.clone(), false),
            (Fault::Stored, unknown, true),
        ] {
            let hit = move |write| if write == Write::Bury { fault } else { Fault::None };
            let memory = Memory::new([1; 16]).with_faults(Arc::new(hit));
            assert_eq!(memory.bury(letter()).now_or_never(), Some(answer), "{fault:?}");
            assert_eq!(memory.drop_letter(1).now_or_never(), Some(Ok(stored)), "{fault:?}");
        }
    }
}
