-- A store as the first release left it: one run done, one that waits, and nothing indexed yet.

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


INSERT INTO runs VALUES (1, '018bcfe5680177079e3779b97f4a7c15', '51c7a4f79b9773e9707710865efcb810', 0, 'poem', 'workflow', 'poem, a run', 'completed', '/home/ana', 'work', 1700000000123456789, 1700000001123456789, 0, 'The waves come and go.');
INSERT INTO runs VALUES (2, '018bcfe568027707bc6ef372fe94f82a', 'a28f49ef273fe6cb707720865efcb810', 0, 'poem', 'workflow', 'poem, a run', 'waiting', '/home/ana', NULL, 1700000000123456789, 1700000001123456789, 1, 'rain');
INSERT INTO events VALUES (16777217, 1700000000123456789, '{"type":"run_created","task":"poem","kind":"workflow","title":"poem, a run","by":"ana@host","cwd":"/home/ana","inputs":{"topic":"the sea","file":{"name":"notes.txt","text":""}},"definition":"e6e3fddfd7fa3746323895bbd518d242dc51fd6a81101a81bdad1d13d85cdf66","nonce":"n","session":"work"}');
INSERT INTO events VALUES (16777218, 1700000001123456789, '{"type":"attempt_started","key":"write[0]","step":"write","attempt":1,"fingerprint":"50153c0a985b8d6b1323ecb18bc369555f443baea61c4e5f8c2676f859ac31b7","by":"model","on_crash":"rerun"}');
INSERT INTO events VALUES (16777219, 1700000001123456789, '{"type":"attempt_finished","key":"write[0]","attempt":1,"output":"The tide comes and goes.","model":"demo/demo","usage":{"input_tokens":0,"output_tokens":0,"usd":0.0},"first_token_ms":0,"ms":0}');
INSERT INTO events VALUES (16777220, 1700000001123456789, '{"type":"call_accepted","key":"write[0]","attempt":1,"version":1,"by":"ana@host"}');
INSERT INTO events VALUES (16777221, 1700000001123456789, '{"type":"document_written","name":"result","version":1,"title":"The sea","body":"The waves come and go.","by":"model"}');
INSERT INTO events VALUES (16777222, 1700000001123456789, '{"type":"run_completed","title":"The sea","body":"The waves come and go."}');
INSERT INTO events VALUES (33554433, 1700000000123456789, '{"type":"run_created","task":"poem","kind":"workflow","title":"poem, a run","by":"ana@host","cwd":"/home/ana","inputs":{"topic":"rain"},"definition":"e6e3fddfd7fa3746323895bbd518d242dc51fd6a81101a81bdad1d13d85cdf66","nonce":"n"}');
INSERT INTO events VALUES (33554434, 1700000001123456789, '{"type":"attempt_started","key":"divide","step":"divide","attempt":1,"fingerprint":"895479bfaa22d9f565673584f311a46856fd7540ec1912e8b9f87ecd12d2a333","by":"model","on_crash":"rerun"}');
INSERT INTO events VALUES (33554435, 1700000001123456789, '{"type":"attempt_finished","key":"divide","attempt":1,"output":[{"subject":"rain"}],"model":"demo/demo","usage":{"input_tokens":0,"output_tokens":0,"usd":0.0},"first_token_ms":0,"ms":0}');
INSERT INTO events VALUES (33554436, 1700000001123456789, '{"type":"gate_opened","key":"divide","for":"review","attempt":1,"version":1,"allowed":["accept"]}');
INSERT INTO events VALUES (33554437, 1700000001123456789, '{"type":"run_waiting"}');
INSERT INTO blobs VALUES (1, x'f25e792bda2f72c6b4ab220e8644f2c4dbaf095b2bfa1a9f0257b252ab2295b1', 'All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. All that was said. ');
INSERT INTO parts VALUES (16777217, '/inputs/file/text', 1);
INSERT INTO definitions VALUES ('e6e3fddfd7fa3746323895bbd518d242dc51fd6a81101a81bdad1d13d85cdf66', '{"task":{"id":"poem","name":"poem","body":{"instruct":{"instruction":"Write it."}}}}');
INSERT INTO uses VALUES (1, 'e6e3fddfd7fa3746323895bbd518d242dc51fd6a81101a81bdad1d13d85cdf66');
INSERT INTO uses VALUES (2, 'e6e3fddfd7fa3746323895bbd518d242dc51fd6a81101a81bdad1d13d85cdf66');
INSERT INTO lessons VALUES (1, 'poem', 'write', 'make it rhyme', 1700000001123456789);
INSERT INTO sessions VALUES ('work', '{"tone":"dry"}');
INSERT INTO drafts VALUES (2, 'edit', 'half');
INSERT INTO pending VALUES (1, 0), (2, 0);
PRAGMA user_version = 1;
PRAGMA application_id = 1400137072;
PRAGMA journal_mode = WAL;
