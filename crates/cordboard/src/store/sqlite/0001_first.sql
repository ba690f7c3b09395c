-- Lean rows: integer keys, outside ids only as 16-byte keyed hashes, one journal row per step, each payload stored once,
-- partial indexes where only live rows are ever looked for. All times are milliseconds since 1970 (UTC).
-- Columns that are short and asked for without the payload come first; payloads come last.

-- Facts of the whole store, such as the key of the hashes.
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- One row per start. All but the newest are dead.
CREATE TABLE replica (
    id INTEGER PRIMARY KEY
);

CREATE TABLE conversation (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    owner INTEGER NOT NULL,
    next_due_ms INTEGER,
    finished INTEGER NOT NULL,
    touched_ms INTEGER NOT NULL,
    state BLOB NOT NULL
);
CREATE INDEX conversation_due ON conversation (next_due_ms) WHERE next_due_ms IS NOT NULL;
CREATE INDEX conversation_finished ON conversation (touched_ms) WHERE finished = 1;

CREATE TABLE leg (
    key BLOB PRIMARY KEY,
    conversation INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX leg_conversation ON leg (conversation);

-- The inbox and its requests are one row each: an entry is open while open_event is there, and its key is free again
-- once it is null.
CREATE TABLE request (
    id INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL,
    key BLOB UNIQUE,
    arrived_ms INTEGER NOT NULL,
    wait_until_ms INTEGER NOT NULL,
    out INTEGER NOT NULL,
    correlation TEXT,
    reply BLOB,
    open_event BLOB
);
CREATE INDEX request_live ON request (conversation) WHERE out = 0 OR open_event IS NOT NULL;
CREATE INDEX request_open ON request (arrived_ms, conversation) WHERE open_event IS NOT NULL;

-- Live rows only: settling deletes.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    claimed_by INTEGER,
    lease_until_ms INTEGER,
    item BLOB NOT NULL
);
CREATE UNIQUE INDEX outbox_place ON outbox (conversation, seq);
CREATE INDEX outbox_due ON outbox (due_ms, conversation);

CREATE TABLE journal (
    id INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    cause_seq INTEGER,
    schema_version INTEGER NOT NULL,
    policy_revision INTEGER NOT NULL,
    retention_class INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    trace BLOB,
    payload BLOB NOT NULL
);
CREATE UNIQUE INDEX journal_place ON journal (conversation, seq);

CREATE TABLE dead_letter (
    id INTEGER PRIMARY KEY,
    conversation INTEGER,
    kind TEXT NOT NULL,
    place TEXT NOT NULL,
    reason TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    died_ms INTEGER NOT NULL,
    payload BLOB NOT NULL
);
