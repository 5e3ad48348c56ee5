-- The first released schema.
--
-- Truth: runs (n, id, epoch), events, blobs, parts, definitions, lessons, sessions, drafts.
-- Projections, rebuilt from the events by `stepwell doctor --rebuild`: the other columns of runs, uses, tried,
-- pending, words, trigrams.
--
-- A place is an event's rowid: n << 24 | seq, so that a run's events lie together and in order.
-- Times are nanoseconds since the Unix epoch.

CREATE TABLE runs (
    n          INTEGER PRIMARY KEY,          -- in the order of creation
    id         TEXT    NOT NULL UNIQUE,      -- 32 hex digits
    tail       TEXT    NOT NULL,             -- the id backwards, so that an end of it is found by index
    epoch      INTEGER NOT NULL DEFAULT 0,   -- of the process that drives it
    task       TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    title      TEXT    NOT NULL,
    status     TEXT    NOT NULL,
    cwd        TEXT    NOT NULL,
    session    TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    waiting    INTEGER NOT NULL,             -- open gates
    snippet    TEXT    NOT NULL              -- the newest output's beginning
) STRICT;
CREATE INDEX runs_tail    ON runs (tail);
CREATE INDEX runs_created ON runs (created_at);
CREATE INDEX runs_cwd     ON runs (cwd);
CREATE INDEX runs_task    ON runs (task);
CREATE INDEX runs_status  ON runs (status);
CREATE INDEX runs_session ON runs (session) WHERE session IS NOT NULL;

CREATE TABLE events (
    place INTEGER PRIMARY KEY,
    at    INTEGER NOT NULL,
    body  TEXT    NOT NULL                   -- the event as JSON; its large texts are empty here and lie in blobs
) STRICT;

-- Large texts, once each.
CREATE TABLE blobs (
    n    INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,               -- SHA-256 of the text
    text TEXT NOT NULL
) STRICT;

-- Where in which event a blob belongs.
CREATE TABLE parts (
    place   INTEGER NOT NULL,
    pointer TEXT    NOT NULL,                -- JSON pointer into the event's body
    blob    INTEGER NOT NULL,
    PRIMARY KEY (place, pointer)
) STRICT, WITHOUT ROWID;
CREATE INDEX parts_blob ON parts (blob);

-- A run that is being removed, within the transaction that removes it.
CREATE TABLE removal (run INTEGER PRIMARY KEY) STRICT;

CREATE TRIGGER events_are_not_replaced BEFORE INSERT ON events
WHEN EXISTS (SELECT 1 FROM events WHERE place = new.place)
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_are_not_removed BEFORE DELETE ON events
WHEN NOT EXISTS (SELECT 1 FROM removal WHERE run = old.place >> 24)
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER parts_are_not_changed BEFORE UPDATE ON parts
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER parts_are_not_removed BEFORE DELETE ON parts
WHEN NOT EXISTS (SELECT 1 FROM removal WHERE run = old.place >> 24)
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER blobs_are_not_changed BEFORE UPDATE ON blobs
BEGIN SELECT RAISE(ABORT, 'blobs are never changed'); END;
CREATE TRIGGER blobs_in_use_are_not_removed BEFORE DELETE ON blobs
WHEN EXISTS (SELECT 1 FROM parts WHERE blob = old.n)
BEGIN SELECT RAISE(ABORT, 'an event holds this blob'); END;

CREATE TABLE definitions (
    hash TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The definitions that a run has gone by.
CREATE TABLE uses (
    run        INTEGER NOT NULL,
    definition TEXT    NOT NULL,
    PRIMARY KEY (run, definition)
) STRICT, WITHOUT ROWID;
CREATE INDEX uses_definition ON uses (definition);

CREATE TABLE lessons (
    n    INTEGER PRIMARY KEY AUTOINCREMENT,  -- a removed lesson's number is never another's
    task TEXT    NOT NULL,
    step TEXT    NOT NULL,
    text TEXT    NOT NULL,
    at   INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    name  TEXT PRIMARY KEY,
    state TEXT NOT NULL                      -- a JSON object
) STRICT, WITHOUT ROWID;

CREATE TABLE drafts (
    run  INTEGER NOT NULL,
    name TEXT    NOT NULL,
    text TEXT    NOT NULL,
    PRIMARY KEY (run, name)
) STRICT;

-- Attempts at work that can be taken from a cache, by the first 16 bytes of what they were asked to do.
CREATE TABLE tried (
    fingerprint BLOB    NOT NULL,
    place       INTEGER NOT NULL,
    PRIMARY KEY (fingerprint, place)
) STRICT, WITHOUT ROWID;

-- Runs with events that are not in words, trigrams and tried yet: those after seq `done`.
CREATE TABLE pending (
    run  INTEGER PRIMARY KEY,
    done INTEGER NOT NULL
) STRICT;

-- What the events say; the rowid is the event's place. The text itself is only in the events.
CREATE VIRTUAL TABLE words USING fts5 (
    text, content = '', contentless_delete = 1, tokenize = "unicode61 remove_diacritics 2"
);
CREATE VIRTUAL TABLE trigrams USING fts5 (
    text, content = '', contentless_delete = 1, detail = none, tokenize = "trigram"
);

-- The trigrams that occur, for pieces of one or two characters.
CREATE VIRTUAL TABLE trigram_terms USING fts5vocab (trigrams, row);
