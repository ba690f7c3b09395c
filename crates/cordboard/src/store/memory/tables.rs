//! The tables of the store in memory, and what each verb means, written as plainly as possible: SQLite is compared with
//! this.
//!
//! A change checks everything before it touches anything, so a refused change leaves no trace.

use std::collections::btree_map::Entry as BTreeEntry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use model::{BotKey, ConnectorKey, ConversationId, RequestId, Timestamp};

use super::super::{
    Accept, Accepted, Blob, Claim, Error, JournalRow, Key, Letter, LetterQuery, Loaded, LogRow, MANIFEST_VERSIONS_KEPT,
    Manifest, ManifestNote, OpenEntry, Out, OutOfService, OutboxRow, OutboxSeq, POLICIES_KEPT, RECENT_ROWS_MAX, Recent,
    RecentPage, Replica, Request, ShadowCount, ShadowNote, Step, Sweep, Swept, letter_limit, well_formed,
};

struct Conversation {
    key: Key,
    version: u64,
    owner: Replica,
    state: Blob,
    next_due: Option<Timestamp>,
    finished: bool,
    touched: Timestamp,
}

struct Entry {
    conversation: ConversationId,
    key: Option<Key>,
    arrived: Timestamp,
    wait_until: Timestamp,
    reply: Option<Blob>,
    out: bool,
    open_event: Option<Blob>,
}

/// All that is stored.
#[derive(Default)]
pub(super) struct Tables {
    /// The number of the newest run; 0 before the first. Lower numbers are dead.
    newest: i64,
    conversations: BTreeMap<ConversationId, Conversation>,
    keys: BTreeMap<Key, ConversationId>,
    legs: BTreeMap<Key, ConversationId>,
    requests: BTreeMap<RequestId, Entry>,
    inbox: BTreeMap<Key, RequestId>,
    /// Requests that are not out, or whose event is open.
    live: BTreeSet<(ConversationId, RequestId)>,
    outbox: BTreeMap<(ConversationId, OutboxSeq), OutboxRow>,
    journal: BTreeMap<(ConversationId, u64), JournalRow>,
    /// The journal's rows in the order of their commits.
    log: BTreeMap<u64, (ConversationId, u64)>,
    letters: BTreeMap<u64, Letter>,
    policies: BTreeMap<u32, Blob>,
    out_of_service: BTreeMap<BotKey, OutOfService>,
    manifests: BTreeMap<(ConnectorKey, BotKey, Arc<str>), Manifest>,
    shadows: BTreeMap<(ConnectorKey, BotKey, Arc<str>), ShadowCount>,
}

impl Tables {
    pub(super) fn start(&mut self) -> Replica {
        self.newest += 1;
        Replica(self.newest)
    }

    fn is_live(&self, replica: Replica) -> bool {
        replica.0 >= self.newest.max(1)
    }

    pub(super) fn accept(&mut self, conversation: ConversationId, accept: &Accept) -> Result<Accepted, Error> {
        if let Some(earlier) = self.inbox.get(&accept.key) {
            return Ok(Accepted::Duplicate(*earlier));
        }
        if !self.conversations.contains_key(&conversation) {
            return Err(Error::Conflict);
        }
        self.check_fresh(accept.request)?;
        self.insert_request(conversation, accept);
        Ok(Accepted::New)
    }

    fn check_fresh(&self, request: RequestId) -> Result<(), Error> {
        if self.requests.contains_key(&request) {
            return Err(Error::Damaged(format!("request {request} is stored twice").into()));
        }
        Ok(())
    }

    fn insert_request(&mut self, conversation: ConversationId, accept: &Accept) {
        self.inbox.insert(accept.key, accept.request);
        self.live.insert((conversation, accept.request));
        let entry = Entry {
            conversation,
            key: Some(accept.key),
            arrived: accept.arrived,
            wait_until: accept.wait_until,
            reply: None,
            out: false,
            open_event: accept.open_event.clone(),
        };
        self.requests.insert(accept.request, entry);
    }

    /// Changes a request of this conversation; nothing happens when there is none.
    fn change_request(&mut self, conversation: ConversationId, id: RequestId, change: impl FnOnce(&mut Entry)) {
        let Some(entry) = self.requests.get_mut(&id).filter(|entry| entry.conversation == conversation) else {
            return;
        };
        change(entry);
        if entry.out && entry.open_event.is_none() {
            self.live.remove(&(conversation, id));
        }
    }

    pub(super) fn find(&self, key: Key) -> Option<ConversationId> {
        self.keys.get(&key).or_else(|| self.legs.get(&key)).copied()
    }

    pub(super) fn load(&self, id: ConversationId) -> Option<Loaded> {
        let conversation = self.conversations.get(&id)?;
        let live = || {
            let range = (id, RequestId(0))..=(id, RequestId(u64::MAX));
            self.live.range(range).filter_map(|(_, request)| Some((*request, self.requests.get(request)?)))
        };
        let open_entry =
            |(request, entry): (RequestId, &Entry)| entry.open_event.clone().map(|event| OpenEntry { request, event });
        Some(Loaded {
            conversation: id,
            key: conversation.key,
            version: conversation.version,
            state: conversation.state.clone(),
            outbox: self.outbox_of(id).cloned().collect(),
            open_entries: live().filter_map(open_entry).collect(),
            requests: live().filter(|(_, entry)| !entry.out).map(|(id, entry)| request(id, entry)).collect(),
            owner: Some(conversation.owner),
        })
    }

    fn outbox_of(&self, id: ConversationId) -> impl Iterator<Item = &OutboxRow> {
        self.outbox.range((id, OutboxSeq(0))..=(id, OutboxSeq(u64::MAX))).map(|(_, row)| row)
    }

    pub(super) fn commit(&mut self, step: &Step) -> Result<(), Error> {
        well_formed(step)?;
        self.check_version(step)?;
        self.check_keys(step)?;
        self.check_rows(step)?;
        self.write_step(step);
        Ok(())
    }

    fn check_version(&self, step: &Step) -> Result<(), Error> {
        if !self.is_live(step.owner) {
            return Err(Error::Conflict);
        }
        let free = match self.conversations.get(&step.conversation) {
            None => step.expected_version == 0 && !self.keys.contains_key(&step.key),
            Some(conversation) => {
                conversation.version == step.expected_version
                    && (conversation.owner == step.owner || !self.is_live(conversation.owner))
            }
        };
        if free { Ok(()) } else { Err(Error::Conflict) }
    }

    fn check_keys(&self, step: &Step) -> Result<(), Error> {
        for (index, accept) in step.accepts.iter().enumerate() {
            let in_step = step.accepts[..index].iter().find(|earlier| earlier.key == accept.key);
            let stored = self.inbox.get(&accept.key).copied();
            if let Some(earlier) = stored.or_else(|| in_step.map(|earlier| earlier.request)) {
                return Err(Error::Duplicate(earlier));
            }
        }
        Ok(())
    }

    fn check_rows(&self, step: &Step) -> Result<(), Error> {
        let mut requests = BTreeSet::new();
        for accept in &step.accepts {
            self.check_fresh(accept.request)?;
            if !requests.insert(accept.request) {
                return Err(Error::Damaged(format!("request {} is stored twice", accept.request).into()));
            }
        }
        let mut rows: BTreeSet<_> = self.outbox_of(step.conversation).map(|row| row.seq).collect();
        for settle in &step.outbox_settle {
            rows.remove(&settle.seq);
        }
        if let Some(row) = step.outbox_add.iter().find(|row| !rows.insert(row.seq)) {
            return Err(Error::Damaged(format!("outbox row {} is stored twice", row.seq.0).into()));
        }
        self.check_seals(step)
    }

    fn check_seals(&self, step: &Step) -> Result<(), Error> {
        let of_this = |id: RequestId| {
            let stored = self.requests.get(&id).is_some_and(|entry| entry.conversation == step.conversation);
            stored || step.accepts.iter().any(|accept| accept.request == id)
        };
        let stored = |id: RequestId| self.requests.get(&id).is_some_and(|entry| entry.reply.is_some());
        let mut sealed: BTreeSet<_> = step.sealed_bytes().map(|(id, _)| id).filter(|id| of_this(*id)).collect();
        for (request, other) in step.sealed_same().filter(|(request, _)| of_this(*request)) {
            let found = of_this(other) && (sealed.contains(&other) || stored(other));
            if !found && !sealed.contains(&request) && !stored(request) {
                return Err(Error::Damaged(format!("request {other} is not sealed").into()));
            }
            sealed.insert(request);
        }
        Ok(())
    }

    fn write_step(&mut self, step: &Step) {
        let id = step.conversation;
        let touched = step.journal.at;
        let row = self.conversations.entry(id).or_insert_with(|| Conversation {
            key: step.key,
            version: 0,
            owner: step.owner,
            state: Blob::default(),
            next_due: None,
            finished: false,
            touched,
        });
        row.version = step.journal.seq;
        row.owner = step.owner;
        row.state = step.state.clone();
        row.next_due = step.next_due;
        row.finished = step.finished;
        row.touched = touched;
        self.keys.insert(row.key, id);
        for leg in &step.new_legs {
            self.legs.insert(*leg, id);
        }
        for accept in &step.accepts {
            self.insert_request(id, accept);
        }
        for done in &step.inbox_done {
            self.change_request(id, *done, |entry| entry.open_event = None);
        }
        for settle in &step.outbox_settle {
            self.outbox.remove(&(id, settle.seq));
        }
        for row in &step.outbox_add {
            self.outbox.insert((id, row.seq), row.clone());
        }
        self.write_seals(step);
        for forgotten in &step.forget {
            let mut freed = None;
            self.change_request(id, *forgotten, |entry| freed = entry.key.take());
            if let Some(key) = freed {
                self.inbox.remove(&key);
            }
        }
        for out in &step.out {
            self.change_request(id, *out, |entry| entry.out = true);
        }
        for letter in &step.letters {
            self.bury(letter.clone());
        }
        for note in &step.shadows {
            self.note_shadow(note, step.conversation, step.journal.at);
        }
        for redriven in &step.letters_redriven {
            self.letters.remove(redriven);
        }
        self.journal.insert((id, step.journal.seq), step.journal.clone());
        let place = self.log.last_key_value().map_or(1, |(place, _)| place + 1);
        self.log.insert(place, (id, step.journal.seq));
    }

    fn write_seals(&mut self, step: &Step) {
        let id = step.conversation;
        let seal = |entry: &mut Entry, reply: Option<Blob>| entry.reply = entry.reply.take().or(reply);
        for (request, reply) in step.sealed_bytes() {
            self.change_request(id, request, |entry| seal(entry, Some(reply.clone())));
        }
        for (request, other) in step.sealed_same() {
            let reply = self.requests.get(&other).and_then(|entry| entry.reply.clone());
            self.change_request(id, request, |entry| seal(entry, reply));
        }
    }

    pub(super) fn due(&self, replica: Replica, now: Timestamp, limit: u32) -> Vec<ConversationId> {
        let timed = self.conversations.iter().filter_map(|(id, row)| Some((row.next_due?, *id)));
        let free = |claim: &Claim| claim.by != replica && (!self.is_live(claim.by) || claim.until < now);
        let sendable = self.outbox.iter().filter(|(_, row)| row.claim.as_ref().is_none_or(free));
        let sendable = sendable.map(|((id, _), row)| (row.due, *id));
        let mut earliest = BTreeMap::<ConversationId, Timestamp>::new();
        for (at, id) in timed.chain(sendable).filter(|(at, _)| *at <= now).chain(self.open()) {
            earliest.entry(id).and_modify(|known| *known = at.min(*known)).or_insert(at);
        }
        let ordered: BTreeSet<_> = earliest.into_iter().map(|(id, at)| (at, id)).collect();
        ordered.into_iter().map(|(_, id)| id).take(limit as usize).collect()
    }

    fn open(&self) -> impl Iterator<Item = (Timestamp, ConversationId)> {
        let entries = self.live.iter().filter_map(|(id, request)| Some((*id, self.requests.get(request)?)));
        entries.filter(|(_, entry)| entry.open_event.is_some()).map(|(id, entry)| (entry.arrived, id))
    }

    pub(super) fn next_due(&self, after: Timestamp) -> Option<Timestamp> {
        self.conversations.values().filter_map(|row| row.next_due).filter(|due| *due > after).min()
    }

    pub(super) fn claim(
        &mut self,
        conversation: ConversationId,
        seq: OutboxSeq,
        claim: Claim,
        now: Timestamp,
    ) -> Result<Option<u32>, Error> {
        if !self.is_live(claim.by) {
            return Err(Error::Conflict);
        }
        let held = |held: Claim| held.by != claim.by && self.is_live(held.by) && held.until >= now;
        if self.outbox.get(&(conversation, seq)).and_then(|row| row.claim).is_some_and(held) {
            return Ok(None);
        }
        Ok(self.outbox.get_mut(&(conversation, seq)).map(|row| {
            row.attempt += 1;
            row.claim = Some(claim);
            row.attempt
        }))
    }

    pub(super) fn heartbeat(&mut self, replica: Replica, rows: &[(ConversationId, OutboxSeq)], until: Timestamp) {
        if !self.is_live(replica) {
            return;
        }
        for row in rows {
            let claim = self.outbox.get_mut(row).and_then(|row| row.claim.as_mut());
            if let Some(claim) = claim.filter(|claim| claim.by == replica) {
                claim.until = claim.until.max(until);
            }
        }
    }

    pub(super) fn release(&mut self, conversation: ConversationId, seq: OutboxSeq, due: Timestamp, uncount: bool) {
        let first_live = self.newest.max(1);
        let Some(row) = self.outbox.get_mut(&(conversation, seq)) else { return };
        if row.claim.take_if(|claim| claim.by.0 >= first_live).is_some() {
            row.due = due;
            row.attempt = row.attempt.saturating_sub(u32::from(uncount));
        }
    }

    pub(super) fn reply_for(&self, key: Key) -> Option<Request> {
        let id = self.inbox.get(&key)?;
        Some(request(*id, self.requests.get(id)?))
    }

    pub(super) fn mark_out(&mut self, Out { request: id, mark }: Out) {
        if let Some(mark) = mark
            && let Some(row) = self.conversations.get_mut(&mark.conversation).filter(|row| row.version == mark.version)
        {
            row.next_due = mark.next_due;
        }
        if let Some(conversation) = self.requests.get(&id).map(|entry| entry.conversation) {
            self.change_request(conversation, id, |entry| entry.out = true);
        }
    }

    pub(super) fn sweep(&mut self, sweep: Sweep) -> Swept {
        let limit = sweep.limit as usize;
        let old = self.requests.iter().take_while(|(_, entry)| entry.arrived < sweep.requests_before);
        let old: Vec<_> = old.filter(|(_, entry)| entry.open_event.is_none()).map(|(id, _)| *id).take(limit).collect();
        let requests = old.len();
        for id in old {
            if let Some(entry) = self.requests.remove(&id) {
                self.live.remove(&(entry.conversation, id));
                if let Some(key) = entry.key {
                    self.inbox.remove(&key);
                }
            }
        }
        let over = self.over(sweep.conversations_before);
        let (mut conversations, mut rows) = (0, 0);
        for id in over {
            if conversations >= limit || rows >= limit {
                break;
            }
            rows += self.forget_conversation(id);
            conversations += 1;
        }
        self.sweep_policies(limit);
        let count = |taken: usize| u32::try_from(taken).unwrap_or(u32::MAX);
        Swept { requests: count(requests), conversations: count(conversations) }
    }

    fn sweep_policies(&mut self, limit: usize) {
        let Some((newest, _)) = self.policies.last_key_value() else { return };
        let oldest = self.log.first_key_value().and_then(|(_, at)| self.journal.get(at));
        let named = oldest.map_or(*newest, |row| row.policy_revision.min(*newest));
        let old = self.policies.range(..named.saturating_sub(POLICIES_KEPT)).take(limit);
        for revision in old.map(|(revision, _)| *revision).collect::<Vec<_>>() {
            self.policies.remove(&revision);
        }
    }

    /// Finished conversations that were last touched before a time, the oldest first. One with a live outbox row or an
    /// open entry is not over, whatever its state says.
    fn over(&self, before: Timestamp) -> Vec<ConversationId> {
        let open: BTreeSet<_> = self.open().map(|(_, id)| id).collect();
        let over = self.conversations.iter().filter(|(id, row)| {
            row.finished && row.touched < before && self.outbox_of(**id).next().is_none() && !open.contains(*id)
        });
        let ordered: BTreeSet<_> = over.map(|(id, row)| (row.touched, *id)).collect();
        ordered.into_iter().map(|(_, id)| id).collect()
    }

    fn forget_conversation(&mut self, id: ConversationId) -> usize {
        if let Some(row) = self.conversations.remove(&id) {
            self.keys.remove(&row.key);
        }
        self.legs.retain(|_, conversation| *conversation != id);
        let before = self.journal.len();
        self.journal.retain(|(conversation, _), _| *conversation != id);
        self.log.retain(|_, (conversation, _)| *conversation != id);
        before - self.journal.len()
    }

    pub(super) fn bury(&mut self, letter: Letter) {
        self.letters.entry(letter.id).or_insert(letter);
    }

    pub(super) fn dead_letters(&self, query: &LetterQuery) -> Vec<Letter> {
        let later = self.letters.range(query.after.saturating_add(1)..);
        later.map(|(_, letter)| letter.clone()).take(letter_limit(query) as usize).collect()
    }

    pub(super) fn dead_letter(&self, id: u64) -> Option<Letter> {
        self.letters.get(&id).cloned()
    }

    pub(super) fn drop_letter(&mut self, id: u64) -> bool {
        self.letters.remove(&id).is_some()
    }

    pub(super) fn read_journal(&self, conversation: ConversationId, from: u64, limit: u32) -> Vec<JournalRow> {
        let rows = self.journal.range((conversation, from)..=(conversation, u64::MAX));
        rows.map(|(_, row)| row.clone()).take(limit as usize).collect()
    }

    pub(super) fn recent(&self, before: u64, limit: u32) -> RecentPage {
        let mut page = RecentPage::default();
        for (looked, (place, (id, seq))) in (1..).zip(self.log.range(..before).rev()) {
            if let Some(row) = self.conversations.get(id).filter(|row| row.version == *seq) {
                page.conversations.push(Recent {
                    place: *place,
                    conversation: *id,
                    touched: row.touched,
                    finished: row.finished,
                    next_due: row.next_due,
                    state: row.state.clone(),
                });
            }
            if page.conversations.len() >= limit as usize || looked >= RECENT_ROWS_MAX {
                page.before = Some(*place);
                break;
            }
        }
        page
    }

    pub(super) fn read_log(&self, after: u64, limit: u32) -> Vec<LogRow> {
        let later = self.log.range(after.saturating_add(1)..);
        let rows = later.filter_map(|(place, at)| {
            Some(LogRow { place: *place, conversation: at.0, row: self.journal.get(at)?.clone() })
        });
        rows.take(limit as usize).collect()
    }

    pub(super) fn enact(&mut self, policies: Blob) -> u32 {
        if let Some((revision, newest)) = self.policies.last_key_value()
            && *newest == policies
        {
            return *revision;
        }
        let revision = self.policies.last_key_value().map_or(0, |(revision, _)| *revision) + 1;
        self.policies.insert(revision, policies);
        revision
    }

    pub(super) fn policies(&self, revision: u32) -> Option<Blob> {
        self.policies.get(&revision).cloned()
    }

    pub(super) fn disable(&mut self, bot: OutOfService) {
        self.out_of_service.insert(bot.bot.clone(), bot);
    }

    pub(super) fn enable(&mut self, bot: &BotKey) -> bool {
        self.out_of_service.remove(bot).is_some()
    }

    pub(super) fn out_of_service(&self) -> Vec<OutOfService> {
        self.out_of_service.values().cloned().collect()
    }

    pub(super) fn note_manifest(&mut self, note: ManifestNote) {
        let (connector, bot) = (note.connector.clone(), note.bot.clone());
        match self.manifests.entry((connector.clone(), bot.clone(), note.version.clone())) {
            BTreeEntry::Vacant(place) => {
                place.insert(Manifest { latest_at: note.at, latest: note.declared.clone(), first: note });
            }
            BTreeEntry::Occupied(mut known) if known.get().latest != note.declared => {
                known.get_mut().latest_at = note.at;
                known.get_mut().latest = note.declared;
            }
            BTreeEntry::Occupied(_) => {}
        }
        let mut of_the_bot: Vec<_> = self
            .manifests
            .iter()
            .filter(|((of_connector, of_bot, _), _)| *of_connector == connector && *of_bot == bot)
            .map(|(place, known)| (known.latest_at, place.clone()))
            .collect();
        of_the_bot.sort();
        let surplus = of_the_bot.len().saturating_sub(MANIFEST_VERSIONS_KEPT as usize);
        for (_, place) in of_the_bot.into_iter().take(surplus) {
            self.manifests.remove(&place);
        }
    }

    pub(super) fn manifests(&self) -> Vec<Manifest> {
        self.manifests.values().cloned().collect()
    }

    fn note_shadow(&mut self, note: &ShadowNote, conversation: ConversationId, at: Timestamp) {
        let place = (note.connector.clone(), note.bot.clone(), note.kind.clone());
        let earlier = self.shadows.get(&place).map_or((0, at), |count| (count.answers, count.first_at));
        let latest = note.clone();
        let count = ShadowCount { latest, answers: earlier.0 + 1, first_at: earlier.1, latest_at: at, conversation };
        self.shadows.insert(place, count);
    }

    pub(super) fn shadows(&self) -> Vec<ShadowCount> {
        self.shadows.values().cloned().collect()
    }

    pub(super) fn unfinished(&self, after: ConversationId, limit: u32) -> Vec<ConversationId> {
        let later = self.conversations.range((Bound::Excluded(after), Bound::Unbounded));
        let open = later.filter(|(_, conversation)| !conversation.finished).map(|(id, _)| *id);
        open.take(limit as usize).collect()
    }

    pub(super) fn conversations(&self, limit: u32) -> Vec<ConversationId> {
        self.conversations.keys().rev().copied().take(limit as usize).collect()
    }
}

fn request(id: RequestId, entry: &Entry) -> Request {
    Request {
        id,
        conversation: entry.conversation,
        reply: entry.reply.clone(),
        out: entry.out,
        wait_until: entry.wait_until,
    }
}
