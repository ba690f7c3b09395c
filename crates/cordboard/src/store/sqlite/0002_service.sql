-- Bots that an operator took out of service: over restarts and reloads, until they are enabled again.
CREATE TABLE out_of_service (
    bot TEXT PRIMARY KEY,
    since_ms INTEGER NOT NULL,
    reason TEXT NOT NULL,
    who TEXT NOT NULL
) WITHOUT ROWID;

-- The policies by revision: journal rows name the one that was in force, so that they can be applied again.
CREATE TABLE policies (
    revision INTEGER PRIMARY KEY,
    payload BLOB NOT NULL
);
