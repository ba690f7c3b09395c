//! The verbs that write, as SQL, inside the writer's transaction.
//!
//! A verb looks before it writes: what the domain refuses (a conflict, a duplicate) is [`Failure::Refused`] with nothing
//! written, so the batch needs no savepoint for it. Only what should not happen at all fails after a write.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use model::{BotKey, ConversationId, RequestId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Params, Row, Statement, params};

use super::super::{
    Accept, Accepted, Blob, Claim, Error, Key, Letter, MANIFEST_VERSIONS_KEPT, ManifestNote, Out, OutOfService,
    OutboxRow, OutboxSeq, POLICIES_KEPT, Replica, ShadowNote, Started, Step, Sweep, Swept, well_formed,
};

/// Why a verb failed inside a batch.
pub(super) enum Failure {
    /// The answer is an error, and nothing was written.
    Refused(Error),
    /// The answer is an error, and something may have been written: the batch must be repeated without this verb.
    Broken(Error),
    /// SQLite says no.
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

type Outcome<T> = Result<T, Failure>;

/// At most this many bytes of a correlation id are kept.
const CORRELATION_MAX_BYTES: usize = 100;

/// What a verb sees of the writer.
pub(super) struct Rows<'a, 'c> {
    pub(super) connection: &'c Connection,
    pub(super) statements: &'a Statements<'c>,
    /// Replicas with a lower number are dead.
    pub(super) first_live: i64,
    /// Set when rows were swept, so that the writer gives pages back after the commit.
    pub(super) swept: &'a Cell<bool>,
}

/// The writer's statements, prepared once and found by the address of their text: the cache of a connection hashes the
/// text twice for each use, which shows beside small statements.
pub(super) struct Statements<'c> {
    connection: &'c Connection,
    prepared: RefCell<Vec<(&'static str, Statement<'c>)>>,
}

impl<'c> Statements<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self { connection, prepared: RefCell::default() }
    }

    /// Runs a statement. None is run inside another.
    pub(super) fn run<T>(
        &self,
        sql: &'static str,
        run: impl FnOnce(&mut Statement<'c>) -> Result<T, rusqlite::Error>,
    ) -> Result<T, rusqlite::Error> {
        let mut prepared = self.prepared.borrow_mut();
        let place = match prepared.iter().position(|(known, _)| std::ptr::eq(*known, sql)) {
            Some(place) => place,
            None => {
                prepared.push((sql, self.connection.prepare(sql)?));
                prepared.len() - 1
            }
        };
        run(&mut prepared[place].1)
    }
}

impl Rows<'_, '_> {
    fn execute(&self, sql: &'static str, params: impl Params) -> Result<usize, rusqlite::Error> {
        self.statements.run(sql, |statement| statement.execute(params))
    }

    fn one<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<Option<T>, rusqlite::Error> {
        self.statements.run(sql, |statement| statement.query_row(params, read).optional())
    }

    pub(super) fn start(&self) -> Outcome<Started> {
        self.execute("INSERT OR IGNORE INTO meta (name, value) VALUES ('hash_key', randomblob(16))", [])?;
        let hash_key = self.one("SELECT value FROM meta WHERE name = 'hash_key'", [], |row| row.get(0))?;
        let hash_key = hash_key.ok_or_else(|| Failure::Broken(Error::Damaged("the hash key is gone".into())))?;
        self.execute("INSERT INTO replica (id) SELECT COALESCE(MAX(id), 0) + 1 FROM replica", [])?;
        Ok(Started { replica: Replica(self.connection.last_insert_rowid()), hash_key })
    }

    pub(super) fn accept(&self, conversation: ConversationId, accept: &Accept) -> Outcome<Accepted> {
        if let Some(earlier) = self.request_of(accept.key)? {
            return Ok(Accepted::Duplicate(earlier));
        }
        let known = self.one("SELECT 1 FROM conversation WHERE id = ?1", [place(conversation)], |_| Ok(()))?;
        if known.is_none() {
            return Err(Failure::Refused(Error::Conflict));
        }
        self.insert_request(conversation, accept, None)?;
        Ok(Accepted::New)
    }

    fn request_of(&self, key: Key) -> Result<Option<RequestId>, rusqlite::Error> {
        self.one("SELECT id FROM request WHERE key = ?1", [&key.0], |row| Ok(RequestId(number(row, 0)?)))
    }

    fn insert_request(
        &self,
        conversation: ConversationId,
        accept: &Accept,
        reply: Option<&Blob>,
    ) -> Result<(), rusqlite::Error> {
        self.execute(
            "INSERT INTO request (id, conversation, key, arrived_ms, wait_until_ms, out, correlation, reply, open_event)
             VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8)",
            params![
                accept.request.0.cast_signed(),
                place(conversation),
                accept.key.0,
                accept.arrived.0,
                accept.wait_until.0,
                accept.correlation.as_deref().map(shortened),
                reply.map(bytes),
                accept.open_event.as_ref().map(bytes),
            ],
        )?;
        Ok(())
    }

    pub(super) fn commit(&self, step: &Step) -> Outcome<()> {
        well_formed(step).map_err(Failure::Refused)?;
        if step.owner.0 < self.first_live {
            return Err(Failure::Refused(Error::Conflict));
        }
        self.check_keys(step)?;
        if !self.write_conversation(step)? {
            return Err(Failure::Refused(Error::Conflict));
        }
        self.write_requests(step)?;
        self.write_outbox(step)?;
        self.write_seals(step)?;
        self.write_letters(step)?;
        self.write_shadows(step)?;
        self.write_journal(step)?;
        Ok(())
    }

    /// Refuses a step whose keys are stored already; as a conflict when its version is old too.
    fn check_keys(&self, step: &Step) -> Outcome<()> {
        for (index, accept) in step.accepts.iter().enumerate() {
            let in_step = step.accepts[..index].iter().find(|earlier| earlier.key == accept.key);
            let earlier = match self.request_of(accept.key)? {
                None => in_step.map(|earlier| earlier.request),
                stored => stored,
            };
            if let Some(earlier) = earlier {
                let fresh = self.is_fresh(step)?;
                return Err(Failure::Refused(if fresh { Error::Duplicate(earlier) } else { Error::Conflict }));
            }
        }
        Ok(())
    }

    fn is_fresh(&self, step: &Step) -> Result<bool, rusqlite::Error> {
        let found = self.one(
            "SELECT version, owner FROM conversation WHERE id = ?1 OR key = ?2",
            params![place(step.conversation), step.key.0],
            |row| Ok((number(row, 0)?, row.get::<_, i64>(1)?)),
        )?;
        Ok(match found {
            None => step.expected_version == 0,
            Some((version, owner)) => {
                version == step.expected_version && (owner == step.owner.0 || owner < self.first_live)
            }
        })
    }

    /// False when the version moved on or another live replica owns the conversation; then nothing was written.
    fn write_conversation(&self, step: &Step) -> Result<bool, rusqlite::Error> {
        let state = bytes(&step.state);
        let due = step.next_due.map(|due| due.0);
        let (id, version, owner) = (place(step.conversation), step.journal.seq.cast_signed(), step.owner.0);
        let at = step.journal.at.0;
        let written = if step.expected_version == 0 {
            self.execute(
                "INSERT INTO conversation (id, key, version, owner, next_due_ms, finished, touched_ms, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
                params![id, step.key.0, version, owner, due, step.finished, at, state],
            )?
        } else {
            self.execute(
                "UPDATE conversation
                 SET version = ?2, owner = ?3, next_due_ms = ?4, finished = ?5, touched_ms = ?6, state = ?7
                 WHERE id = ?1 AND version = ?2 - 1 AND (owner = ?3 OR owner < ?8)",
                params![id, version, owner, due, step.finished, at, state, self.first_live],
            )?
        };
        for leg in step.new_legs.iter().filter(|_| written == 1) {
            self.execute("INSERT OR REPLACE INTO leg (key, conversation) VALUES (?1, ?2)", params![leg.0, id])?;
        }
        Ok(written == 1)
    }

    fn write_requests(&self, step: &Step) -> Outcome<()> {
        for accept in &step.accepts {
            self.insert_request(step.conversation, accept, sealed_at_once(step, accept.request))?;
        }
        for done in &step.inbox_done {
            self.execute(
                "UPDATE request SET open_event = NULL
                 WHERE id = ?1 AND conversation = ?2 AND open_event IS NOT NULL",
                params![done.0.cast_signed(), place(step.conversation)],
            )?;
        }
        Ok(())
    }

    fn write_outbox(&self, step: &Step) -> Outcome<()> {
        let id = place(step.conversation);
        for settle in &step.outbox_settle {
            self.execute(
                "DELETE FROM outbox WHERE conversation = ?1 AND seq = ?2",
                params![id, settle.seq.0.cast_signed()],
            )?;
        }
        for OutboxRow { seq, lane, item, due, attempt, claim } in &step.outbox_add {
            self.execute(
                "INSERT INTO outbox (conversation, seq, lane, due_ms, attempt, claimed_by, lease_until_ms, item)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    id,
                    seq.0.cast_signed(),
                    lane,
                    due.0,
                    attempt,
                    claim.map(|claim| claim.by.0),
                    claim.map(|claim| claim.until.0),
                    bytes(item),
                ],
            )?;
        }
        Ok(())
    }

    fn write_seals(&self, step: &Step) -> Outcome<()> {
        let conversation = place(step.conversation);
        for (request, reply) in step.sealed_bytes() {
            if sealed_at_once(step, request).is_none() {
                self.execute(
                    "UPDATE request SET reply = ?3 WHERE id = ?1 AND conversation = ?2 AND reply IS NULL",
                    params![request.0.cast_signed(), conversation, bytes(reply)],
                )?;
            }
        }
        for (request, other) in step.sealed_same() {
            let missing = self.one(
                "UPDATE request
                 SET reply = (SELECT reply FROM request WHERE id = ?3 AND conversation = ?2)
                 WHERE id = ?1 AND conversation = ?2 AND reply IS NULL RETURNING reply IS NULL",
                params![request.0.cast_signed(), conversation, other.0.cast_signed()],
                |row| row.get::<_, bool>(0),
            )?;
            if missing == Some(true) {
                return Err(Failure::Broken(Error::Damaged(format!("request {other} is not sealed").into())));
            }
        }
        for forgotten in &step.forget {
            self.execute(
                "UPDATE request SET key = NULL WHERE id = ?1 AND conversation = ?2",
                params![forgotten.0.cast_signed(), conversation],
            )?;
        }
        for out in &step.out {
            self.execute(
                "UPDATE request SET out = 1 WHERE id = ?1 AND conversation = ?2 AND out = 0",
                params![out.0.cast_signed(), conversation],
            )?;
        }
        Ok(())
    }

    fn write_shadows(&self, step: &Step) -> Outcome<()> {
        for ShadowNote { connector, bot, kind, item } in &step.shadows {
            let (at, conversation) = (step.journal.at.0, place(step.conversation));
            self.execute(
                "INSERT INTO shadow (connector, bot, kind, answers, first_ms, latest_ms, conversation, item)
                 VALUES (?1, ?2, ?3, 1, ?4, ?4, ?5, ?6)
                 ON CONFLICT (connector, bot, kind) DO UPDATE
                 SET answers = answers + 1, latest_ms = ?4, conversation = ?5, item = ?6",
                params![connector.as_str(), bot.as_str(), &**kind, at, conversation, item],
            )?;
        }
        Ok(())
    }

    fn write_letters(&self, step: &Step) -> Outcome<()> {
        for letter in &step.letters {
            self.bury(letter)?;
        }
        for redriven in &step.letters_redriven {
            self.drop_letter(*redriven)?;
        }
        Ok(())
    }

    fn write_journal(&self, step: &Step) -> Outcome<()> {
        let row = &step.journal;
        self.execute(
            "INSERT INTO journal
             (conversation, seq, cause_seq, schema_version, policy_revision, retention_class, at_ms, trace, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                place(step.conversation),
                row.seq.cast_signed(),
                row.cause_seq.map(u64::cast_signed),
                row.schema_version,
                row.policy_revision,
                row.retention_class,
                row.at.0,
                row.trace,
                bytes(&row.payload),
            ],
        )?;
        Ok(())
    }

    pub(super) fn claim(
        &self,
        conversation: ConversationId,
        seq: OutboxSeq,
        claim: Claim,
        now: Timestamp,
    ) -> Outcome<Option<u32>> {
        if claim.by.0 < self.first_live {
            return Err(Failure::Refused(Error::Conflict));
        }
        let attempt = self.one(
            "UPDATE outbox SET attempt = attempt + 1, claimed_by = ?3, lease_until_ms = ?4
             WHERE conversation = ?1 AND seq = ?2
             AND (claimed_by IS NULL OR claimed_by = ?3 OR claimed_by < ?5 OR lease_until_ms < ?6)
             RETURNING attempt",
            params![place(conversation), seq.0.cast_signed(), claim.by.0, claim.until.0, self.first_live, now.0],
            |row| row.get(0),
        )?;
        Ok(attempt)
    }

    pub(super) fn heartbeat(
        &self,
        replica: Replica,
        rows: &[(ConversationId, OutboxSeq)],
        until: Timestamp,
    ) -> Outcome<()> {
        if replica.0 < self.first_live {
            return Ok(());
        }
        for (conversation, seq) in rows {
            self.execute(
                "UPDATE outbox SET lease_until_ms = ?4
                 WHERE conversation = ?1 AND seq = ?2 AND claimed_by = ?3 AND lease_until_ms < ?4",
                params![place(*conversation), seq.0.cast_signed(), replica.0, until.0],
            )?;
        }
        Ok(())
    }

    pub(super) fn release(
        &self,
        conversation: ConversationId,
        seq: OutboxSeq,
        due: Timestamp,
        uncount: bool,
    ) -> Outcome<()> {
        self.execute(
            "UPDATE outbox SET claimed_by = NULL, lease_until_ms = NULL, due_ms = ?3, attempt = MAX(attempt - ?4, 0)
             WHERE conversation = ?1 AND seq = ?2 AND claimed_by >= ?5",
            params![place(conversation), seq.0.cast_signed(), due.0, uncount, self.first_live],
        )?;
        Ok(())
    }

    pub(super) fn mark_out(&self, Out { request, mark }: Out) -> Outcome<()> {
        self.execute("UPDATE request SET out = 1 WHERE id = ?1 AND out = 0", [request.0.cast_signed()])?;
        if let Some(mark) = mark {
            self.execute(
                "UPDATE conversation SET next_due_ms = ?3 WHERE id = ?1 AND version = ?2",
                params![place(mark.conversation), mark.version.cast_signed(), mark.next_due.map(|due| due.0)],
            )?;
        }
        Ok(())
    }

    pub(super) fn sweep(&self, sweep: Sweep) -> Outcome<Swept> {
        let requests = self.sweep_requests(sweep)?;
        let conversations = self.sweep_conversations(sweep)?;
        self.sweep_policies(sweep)?;
        self.swept.set(requests + conversations > 0);
        Ok(Swept { requests, conversations })
    }

    /// In the order of ids, which ascend with time, up to the first that is too young: no index on time is needed.
    fn sweep_requests(&self, sweep: Sweep) -> Outcome<u32> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT id, arrived_ms < ?1, open_event IS NULL FROM request ORDER BY id")?;
        let mut rows = statement.query([sweep.requests_before.0])?;
        let mut old = Vec::<i64>::new();
        while old.len() < sweep.limit as usize
            && let Some(row) = rows.next()?
            && row.get(1)?
        {
            if row.get(2)? {
                old.push(row.get(0)?);
            }
        }
        drop(rows);
        for id in &old {
            self.execute("DELETE FROM request WHERE id = ?1", [id])?;
        }
        Ok(u32::try_from(old.len()).unwrap_or(u32::MAX))
    }

    /// A conversation with a live outbox row or an open entry is not over, whatever its state says. Stops after the
    /// conversation with which the limit of journal rows is reached.
    fn sweep_conversations(&self, sweep: Sweep) -> Outcome<u32> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id FROM conversation AS c WHERE finished = 1 AND touched_ms < ?1
             AND NOT EXISTS (SELECT 1 FROM outbox WHERE conversation = c.id)
             AND NOT EXISTS (SELECT 1 FROM request WHERE conversation = c.id AND open_event IS NOT NULL)
             ORDER BY touched_ms, id LIMIT ?2",
        )?;
        let over =
            statement.query_map(params![sweep.conversations_before.0, sweep.limit], |row| row.get::<_, i64>(0))?;
        let over = over.collect::<Result<Vec<_>, _>>()?;
        let (mut conversations, mut journal) = (0, 0);
        for id in over {
            if journal >= sweep.limit as usize {
                break;
            }
            journal += self.execute("DELETE FROM journal WHERE conversation = ?1", [id])?;
            self.execute("DELETE FROM leg WHERE conversation = ?1", [id])?;
            self.execute("DELETE FROM conversation WHERE id = ?1", [id])?;
            conversations += 1;
        }
        Ok(conversations)
    }

    /// Journal rows are in the order of commits, so the oldest names the oldest policies; no index is needed.
    fn sweep_policies(&self, sweep: Sweep) -> Outcome<()> {
        let newest = self.one("SELECT MAX(revision) FROM policies", [], |row| row.get::<_, Option<u32>>(0))?;
        let newest = newest.flatten().unwrap_or(0);
        let named =
            self.one("SELECT policy_revision FROM journal ORDER BY id LIMIT 1", [], |row| row.get::<_, u32>(0))?;
        self.execute(
            "DELETE FROM policies WHERE revision IN
             (SELECT revision FROM policies WHERE revision < ?1 ORDER BY revision LIMIT ?2)",
            params![named.unwrap_or(newest).min(newest).saturating_sub(POLICIES_KEPT), sweep.limit],
        )?;
        Ok(())
    }

    /// A letter that is there already stays: burying is repeated when its outcome was unknown.
    pub(super) fn bury(&self, letter: &Letter) -> Outcome<()> {
        self.execute(
            "INSERT INTO dead_letter (id, conversation, kind, place, reason, attempts, died_ms, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
            params![
                letter.id.cast_signed(),
                letter.conversation.map(place),
                letter.kind,
                letter.place,
                letter.reason,
                letter.attempts,
                letter.died.0,
                bytes(&letter.payload),
            ],
        )?;
        Ok(())
    }

    pub(super) fn enact(&self, policies: &Blob) -> Outcome<u32> {
        let newest = self.one("SELECT revision, payload FROM policies ORDER BY revision DESC LIMIT 1", [], |row| {
            Ok((row.get::<_, u32>(0)?, row.get_ref(1)?.as_blob()? == &*policies.0))
        })?;
        match newest {
            Some((revision, true)) => Ok(revision),
            Some((_, false)) | None => {
                let revision = newest.map_or(0, |(revision, _)| revision) + 1;
                self.execute(
                    "INSERT INTO policies (revision, payload) VALUES (?1, ?2)",
                    params![revision, bytes(policies)],
                )?;
                Ok(revision)
            }
        }
    }

    pub(super) fn disable(&self, bot: &OutOfService) -> Outcome<()> {
        self.execute(
            "INSERT INTO out_of_service (bot, since_ms, reason, who) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (bot) DO UPDATE SET since_ms = ?2, reason = ?3, who = ?4",
            params![bot.bot.as_str(), bot.since.0, bot.reason, bot.who],
        )?;
        Ok(())
    }

    pub(super) fn enable(&self, bot: &BotKey) -> Outcome<bool> {
        Ok(self.execute("DELETE FROM out_of_service WHERE bot = ?1", [bot.as_str()])? == 1)
    }

    pub(super) fn note_manifest(&self, note: &ManifestNote) -> Outcome<()> {
        let (connector, bot) = (note.connector.as_str(), note.bot.as_str());
        let changed = self.execute(
            "INSERT INTO manifest (connector, bot, version, first_ms, latest_ms, first, latest)
             VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?5)
             ON CONFLICT (connector, bot, version) DO UPDATE SET latest_ms = ?4, latest = ?5 WHERE latest <> ?5",
            params![connector, bot, &*note.version, note.at.0, bytes(&note.declared)],
        )?;
        if changed > 0 {
            self.execute(
                "DELETE FROM manifest WHERE connector = ?1 AND bot = ?2 AND version IN (
                     SELECT version FROM manifest WHERE connector = ?1 AND bot = ?2
                     ORDER BY latest_ms DESC, version DESC LIMIT -1 OFFSET ?3)",
                params![connector, bot, MANIFEST_VERSIONS_KEPT],
            )?;
        }
        Ok(())
    }

    pub(super) fn drop_letter(&self, id: u64) -> Outcome<bool> {
        Ok(self.execute("DELETE FROM dead_letter WHERE id = ?1", [id.cast_signed()])? == 1)
    }
}

/// The reply that the step gives to a request it also accepts: stored with the row, since a row that grows later costs
/// another page.
fn sealed_at_once(step: &Step, request: RequestId) -> Option<&Blob> {
    step.accepts.iter().find(|accept| accept.request == request)?;
    step.sealed_bytes().find(|(sealed, _)| *sealed == request).map(|(_, reply)| reply)
}

/// As much of a correlation id as is kept, in whole characters.
fn shortened(correlation: &str) -> &str {
    let ends = correlation.char_indices().map(|(start, letter)| start + letter.len_utf8());
    &correlation[..ends.take_while(|end| *end <= CORRELATION_MAX_BYTES).last().unwrap_or(0)]
}

/// Our ids fill the upper bits with milliseconds; they reach the sign bit in the far future only.
pub(super) const fn place(conversation: ConversationId) -> i64 {
    conversation.0.cast_signed()
}

pub(super) fn bytes(blob: &Blob) -> &[u8] {
    &blob.0
}

pub(super) fn number(row: &Row<'_>, index: usize) -> Result<u64, rusqlite::Error> {
    row.get::<_, i64>(index).map(i64::cast_unsigned)
}

/// What went wrong, in words without any of the data.
pub(super) fn words(error: &rusqlite::Error) -> Arc<str> {
    match error {
        rusqlite::Error::SqliteFailure(code, text) => match text {
            Some(text) => format!("{text} (SQLite {})", code.extended_code).into(),
            None => format!("SQLite {}", code.extended_code).into(),
        },
        other => other.to_string().into(),
    }
}
