//! The verbs that read, as SQL, on a reader's connection. Each is one statement or one read transaction, and short: a
//! long reader would hold up the checkpoint that shortens the WAL.

use std::iter::Peekable;

use bytes::Bytes;
use model::{BotKey, ConnectorKey, ConversationId, RequestId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::super::{
    Blob, Claim, JournalRow, Key, Letter, LetterQuery, Loaded, LogRow, Manifest, ManifestNote, OpenEntry, OutOfService,
    OutboxRow, OutboxSeq, RECENT_ROWS_MAX, Recent, RecentPage, Replica, Request, ShadowCount, ShadowNote, letter_limit,
};
use super::rows::{number, place};

type Found<T> = Result<T, rusqlite::Error>;

pub(super) fn find(connection: &Connection, key: Key) -> Found<Option<ConversationId>> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM conversation WHERE key = ?1
         UNION ALL SELECT conversation FROM leg WHERE key = ?1 LIMIT 1",
    )?;
    statement.query_row([&key.0], |row| conversation(row, 0)).optional()
}

pub(super) fn load(connection: &mut Connection, id: ConversationId) -> Found<Option<Loaded>> {
    let transaction = connection.transaction()?;
    let mut statement =
        transaction.prepare_cached("SELECT key, version, owner, state FROM conversation WHERE id = ?1")?;
    let head = statement
        .query_row([place(id)], |row| Ok((Key(row.get(0)?), number(row, 1)?, Replica(row.get(2)?), blob(row, 3)?)));
    let Some((key, version, owner, state)) = head.optional()? else { return Ok(None) };
    let outbox = transaction
        .prepare_cached(
            "SELECT seq, lane, due_ms, attempt, claimed_by, lease_until_ms, item FROM outbox
             WHERE conversation = ?1 ORDER BY seq",
        )?
        .query_map([place(id)], outbox_row)?
        .collect::<Result<_, _>>()?;
    let mut statement = transaction.prepare_cached(
        "SELECT id, conversation, wait_until_ms, out, reply, open_event FROM request INDEXED BY request_live
         WHERE conversation = ?1 AND (out = 0 OR open_event IS NOT NULL) ORDER BY id",
    )?;
    let mut rows = statement.query([place(id)])?;
    let (mut requests, mut open_entries) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let request = request(row)?;
        if let Some(event) = maybe_blob(row, 5)? {
            open_entries.push(OpenEntry { request: request.id, event });
        }
        if !request.out {
            requests.push(request);
        }
    }
    Ok(Some(Loaded { conversation: id, key, version, state, outbox, open_entries, requests, owner: Some(owner) }))
}

/// Three ordered sources, merged until there are enough: a backlog is not read to its end.
pub(super) fn due(
    connection: &mut Connection,
    first_live: i64,
    replica: Replica,
    now: Timestamp,
    limit: u32,
) -> Found<Vec<ConversationId>> {
    let transaction = connection.transaction()?;
    let mut timed = transaction
        .prepare_cached("SELECT next_due_ms, id FROM conversation WHERE next_due_ms <= ?1 ORDER BY next_due_ms, id")?;
    let mut sendable = transaction.prepare_cached(
        "SELECT due_ms, conversation FROM outbox INDEXED BY outbox_due
         WHERE due_ms <= ?1 AND (claimed_by IS NULL
             OR (claimed_by <> ?2 AND (claimed_by < ?3 OR lease_until_ms < ?1)))
         ORDER BY due_ms, conversation",
    )?;
    let mut open = transaction.prepare_cached(
        "SELECT arrived_ms, conversation FROM request INDEXED BY request_open
         WHERE open_event IS NOT NULL ORDER BY arrived_ms, conversation",
    )?;
    let at = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, conversation(row, 1)?));
    let mut sources = [
        timed.query_map([now.0], at)?.peekable(),
        sendable.query_map(params![now.0, replica.0, first_live], at)?.peekable(),
        open.query_map([], at)?.peekable(),
    ];
    let mut found = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    while found.len() < limit as usize
        && let Some(id) = next_of(&mut sources)?
    {
        if seen.insert(id) {
            found.push(id);
        }
    }
    Ok(found)
}

/// The conversation of the smallest head.
fn next_of<I>(sources: &mut [Peekable<I>]) -> Found<Option<ConversationId>>
where
    I: Iterator<Item = Found<(i64, ConversationId)>>,
{
    let mut smallest: Option<(usize, (i64, ConversationId))> = None;
    for (index, source) in sources.iter_mut().enumerate() {
        match source.peek() {
            None => {}
            // The error itself is taken out, as the smallest of all.
            Some(Err(_)) => return source.next().transpose().map(|head| head.map(|(_, id)| id)),
            Some(Ok(head)) if smallest.as_ref().is_none_or(|(_, least)| head < least) => {
                smallest = Some((index, *head));
            }
            Some(Ok(_)) => {}
        }
    }
    let Some((index, (_, id))) = smallest else { return Ok(None) };
    sources[index].next();
    Ok(Some(id))
}

pub(super) fn next_due(connection: &Connection, after: Timestamp) -> Found<Option<Timestamp>> {
    let mut statement =
        connection.prepare_cached("SELECT MIN(next_due_ms) FROM conversation WHERE next_due_ms > ?1")?;
    statement.query_row([after.0], |row| Ok(row.get::<_, Option<i64>>(0)?.map(Timestamp)))
}

pub(super) fn reply_for(connection: &Connection, key: Key) -> Found<Option<Request>> {
    let mut statement =
        connection.prepare_cached("SELECT id, conversation, wait_until_ms, out, reply FROM request WHERE key = ?1")?;
    statement.query_row([&key.0], request).optional()
}

pub(super) fn dead_letters(connection: &Connection, query: &LetterQuery) -> Found<Vec<Letter>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, conversation, kind, place, reason, attempts, died_ms, payload FROM dead_letter
         WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let after = i64::try_from(query.after).unwrap_or(i64::MAX);
    statement.query_map(params![after, letter_limit(query)], letter)?.collect()
}

pub(super) fn dead_letter(connection: &Connection, id: u64) -> Found<Option<Letter>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, conversation, kind, place, reason, attempts, died_ms, payload FROM dead_letter WHERE id = ?1",
    )?;
    statement.query_row([id.cast_signed()], letter).optional()
}

pub(super) fn read_journal(
    connection: &Connection,
    id: ConversationId,
    from: u64,
    limit: u32,
) -> Found<Vec<JournalRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, cause_seq, schema_version, policy_revision, retention_class, at_ms, trace, payload FROM journal
         WHERE conversation = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3",
    )?;
    let from = i64::try_from(from).unwrap_or(i64::MAX);
    statement.query_map(params![place(id), from, limit], journal_row)?.collect()
}

/// Backwards along the journal: a row is its conversation's latest when it made the version that is stored.
pub(super) fn recent(connection: &mut Connection, before: u64, limit: u32) -> Found<RecentPage> {
    let transaction = connection.transaction()?;
    let mut latest = transaction
        .prepare_cached("SELECT id, conversation, seq, at_ms FROM journal WHERE id < ?1 ORDER BY id DESC LIMIT ?2")?;
    let mut made = transaction
        .prepare_cached("SELECT finished, next_due_ms, state FROM conversation WHERE id = ?1 AND version = ?2")?;
    let before = i64::try_from(before).unwrap_or(i64::MAX);
    let mut rows = latest.query(params![before, RECENT_ROWS_MAX])?;
    let (mut page, mut looked) = (RecentPage::default(), 0);
    while let Some(row) = rows.next()? {
        looked += 1;
        let (place, id, seq): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let touched = Timestamp(row.get(3)?);
        let found = made.query_row([id, seq], |made| {
            Ok(Recent {
                place: place.cast_unsigned(),
                conversation: ConversationId(id.cast_unsigned()),
                touched,
                finished: made.get(0)?,
                next_due: made.get::<_, Option<i64>>(1)?.map(Timestamp),
                state: blob(made, 2)?,
            })
        });
        page.conversations.extend(found.optional()?);
        if page.conversations.len() >= limit as usize || looked >= RECENT_ROWS_MAX {
            page.before = Some(place.cast_unsigned());
            break;
        }
    }
    Ok(page)
}

pub(super) fn read_log(connection: &Connection, after: u64, limit: u32) -> Found<Vec<LogRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, cause_seq, schema_version, policy_revision, retention_class, at_ms, trace, payload, id, conversation
         FROM journal WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let row = |row: &Row<'_>| {
        Ok(LogRow { place: number(row, 8)?, conversation: conversation(row, 9)?, row: journal_row(row)? })
    };
    statement.query_map(params![after, limit], row)?.collect()
}

pub(super) fn conversations(connection: &Connection, limit: u32) -> Found<Vec<ConversationId>> {
    let mut statement = connection.prepare_cached("SELECT id FROM conversation ORDER BY id DESC LIMIT ?1")?;
    statement.query_map([limit], |row| conversation(row, 0))?.collect()
}

pub(super) fn unfinished(connection: &Connection, after: ConversationId, limit: u32) -> Found<Vec<ConversationId>> {
    let mut statement =
        connection.prepare_cached("SELECT id FROM conversation WHERE id > ?1 AND finished = 0 ORDER BY id LIMIT ?2")?;
    statement.query_map(params![place(after), limit], |row| conversation(row, 0))?.collect()
}

pub(super) fn policies(connection: &Connection, revision: u32) -> Found<Option<Blob>> {
    let mut statement = connection.prepare_cached("SELECT payload FROM policies WHERE revision = ?1")?;
    statement.query_row([revision], |row| blob(row, 0)).optional()
}

pub(super) fn out_of_service(connection: &Connection) -> Found<Vec<OutOfService>> {
    let mut statement =
        connection.prepare_cached("SELECT bot, since_ms, reason, who FROM out_of_service ORDER BY bot")?;
    let read = |row: &Row<'_>| {
        let (bot, since, reason, who) = (row.get::<_, String>(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        Ok(OutOfService { bot: BotKey::from(bot), since: Timestamp(since), reason, who })
    };
    statement.query_map([], read)?.collect()
}

pub(super) fn manifests(connection: &Connection) -> Found<Vec<Manifest>> {
    let mut statement = connection.prepare_cached(
        "SELECT connector, bot, version, first_ms, first, latest_ms, latest FROM manifest
         ORDER BY connector, bot, version",
    )?;
    let read = |row: &Row<'_>| {
        let names = (row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?);
        let first = ManifestNote {
            connector: ConnectorKey::from(names.0),
            bot: BotKey::from(names.1),
            version: names.2.into(),
            at: Timestamp(row.get(3)?),
            declared: blob(row, 4)?,
        };
        Ok(Manifest { first, latest_at: Timestamp(row.get(5)?), latest: blob(row, 6)? })
    };
    statement.query_map([], read)?.collect()
}

pub(super) fn shadows(connection: &Connection) -> Found<Vec<ShadowCount>> {
    let mut statement = connection.prepare_cached(
        "SELECT connector, bot, kind, item, answers, first_ms, latest_ms, conversation FROM shadow
         ORDER BY connector, bot, kind",
    )?;
    let read = |row: &Row<'_>| {
        let names = (row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?);
        let latest = ShadowNote {
            connector: ConnectorKey::from(names.0),
            bot: BotKey::from(names.1),
            kind: names.2.into(),
            item: row.get(3)?,
        };
        Ok(ShadowCount {
            latest,
            answers: number(row, 4)?,
            first_at: Timestamp(row.get(5)?),
            latest_at: Timestamp(row.get(6)?),
            conversation: ConversationId(number(row, 7)?),
        })
    };
    statement.query_map([], read)?.collect()
}

/// Conversations that are not over, and dead letters. Both are counted on indexes.
pub(super) fn measures(connection: &Connection) -> Found<(u64, u64)> {
    let count = |sql: &str| connection.prepare_cached(sql)?.query_row([], |row| number(row, 0));
    let all = count("SELECT COUNT(*) FROM conversation")?;
    let finished = count("SELECT COUNT(*) FROM conversation WHERE finished = 1")?;
    Ok((all.saturating_sub(finished), count("SELECT COUNT(*) FROM dead_letter")?))
}

fn conversation(row: &Row<'_>, index: usize) -> Found<ConversationId> {
    number(row, index).map(ConversationId)
}

fn blob(row: &Row<'_>, index: usize) -> Found<Blob> {
    Ok(Blob(Bytes::copy_from_slice(row.get_ref(index)?.as_blob()?)))
}

fn maybe_blob(row: &Row<'_>, index: usize) -> Found<Option<Blob>> {
    let bytes = row.get_ref(index)?.as_blob_or_null()?;
    Ok(bytes.map(|bytes| Blob(Bytes::copy_from_slice(bytes))))
}

fn request(row: &Row<'_>) -> Found<Request> {
    Ok(Request {
        id: RequestId(number(row, 0)?),
        conversation: conversation(row, 1)?,
        wait_until: Timestamp(row.get(2)?),
        out: row.get(3)?,
        reply: maybe_blob(row, 4)?,
    })
}

fn outbox_row(row: &Row<'_>) -> Found<OutboxRow> {
    let claim = match row.get::<_, Option<i64>>(4)? {
        Some(by) => Some(Claim { by: Replica(by), until: Timestamp(row.get(5)?) }),
        None => None,
    };
    Ok(OutboxRow {
        seq: OutboxSeq(number(row, 0)?),
        lane: row.get(1)?,
        due: Timestamp(row.get(2)?),
        attempt: row.get(3)?,
        claim,
        item: blob(row, 6)?,
    })
}

fn letter(row: &Row<'_>) -> Found<Letter> {
    Ok(Letter {
        id: number(row, 0)?,
        conversation: row.get::<_, Option<i64>>(1)?.map(|id| ConversationId(id.cast_unsigned())),
        kind: row.get(2)?,
        place: row.get(3)?,
        reason: row.get(4)?,
        attempts: row.get(5)?,
        died: Timestamp(row.get(6)?),
        payload: blob(row, 7)?,
    })
}

fn journal_row(row: &Row<'_>) -> Found<JournalRow> {
    Ok(JournalRow {
        seq: number(row, 0)?,
        cause_seq: row.get::<_, Option<i64>>(1)?.map(i64::cast_unsigned),
        schema_version: row.get(2)?,
        policy_revision: row.get(3)?,
        retention_class: row.get(4)?,
        at: Timestamp(row.get(5)?),
        trace: row.get(6)?,
        payload: blob(row, 7)?,
    })
}
