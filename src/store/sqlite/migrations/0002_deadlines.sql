-- Until when a run that waits has to be decided: of its open gates, the one that comes due first.
--
-- A projection, as the other columns of runs.

ALTER TABLE runs ADD COLUMN due_at INTEGER;            -- nanoseconds since the Unix epoch
ALTER TABLE runs ADD COLUMN due_then TEXT;             -- what answers it then: skip, fail, accept

-- Runs whose first event was indexed without the name of the task: they are indexed again before the next search.
CREATE TABLE unnamed (run INTEGER PRIMARY KEY) STRICT;
INSERT INTO unnamed (run) SELECT n FROM runs WHERE n NOT IN (SELECT run FROM pending WHERE done = 0);
