-- What shadows found: how often answers of a bot through a connector would have differed at the other door, by the kind of
-- difference, and where it was seen last. No words.
CREATE TABLE shadow (
    connector TEXT NOT NULL,
    bot TEXT NOT NULL,
    kind TEXT NOT NULL,
    answers INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    latest_ms INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    item INTEGER NOT NULL,
    PRIMARY KEY (connector, bot, kind)
) WITHOUT ROWID;
