-- What a bot declared under a version when its platform read it, or was sent it: the first time and the latest. A flow
-- that was published holds what was current then.
CREATE TABLE manifest (
    connector TEXT NOT NULL,
    bot TEXT NOT NULL,
    version TEXT NOT NULL,
    first_ms INTEGER NOT NULL,
    latest_ms INTEGER NOT NULL,
    first BLOB NOT NULL,
    latest BLOB NOT NULL,
    PRIMARY KEY (connector, bot, version)
) WITHOUT ROWID;
