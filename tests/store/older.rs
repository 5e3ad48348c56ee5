//! A store of an older schema: what its rows and its search lack is there once it has been opened, and one that cannot be
//! written is read as it is.

use std::path::Path;

use chrono::TimeDelta;
use serde_json::json;
use stepwell::core::deadline::Due;
use stepwell::core::event::Event;
use stepwell::core::id::RunId;
use stepwell::core::pinned::Pinned;
use stepwell::core::ports::{Append, HistoryQuery, Journal as _, RunRow, Runs as _, Stands, Writer};
use stepwell::core::run::Run;
use stepwell::core::step::OnTimeout;
use stepwell::store::{Mode, SqliteStore};

use super::common::*;

/// A workflow whose one step fails where nobody decides within a minute.
fn in_time() -> Pinned {
    let retry = json!({"attempts": 1, "delay": 0, "backoff": 1.0, "max_delay": 0, "on": []});
    let step = json!({"id": "write", "does": {"kind": "prompt", "prompt": "x"},
        "rules": {"decide_within": 60_000, "on_timeout": "fail"}});
    let workflow = json!({"version": 1, "flow": "graph", "max_concurrency": 4, "max_calls": 500, "retry": retry,
        "steps": [step]});
    let task = json!({"id": "poem", "name": "Lines for a stormy day", "body": {"workflow": workflow}});
    serde_json::from_value(json!({ "task": task })).unwrap()
}

/// A run of it that waits for a review, written as an engine writes it.
fn waits(store: &SqliteStore, number: u64) -> RunId {
    let (run, pinned) = (id(number), in_time());
    let mut created = created("poem", json!({"topic": "rain"}));
    created.definition = pinned.hash().unwrap();
    store.create(run, time(0), &created, &[], &pinned).unwrap();
    append_in_time(store, run, vec![started("write", 1), finished("write", 1, json!("drops")), review("write", 1)]);
    run
}

fn append_in_time(store: &SqliteStore, run: RunId, events: Vec<Event>) {
    let mut folded = Run::fold(run, &store.read(run, 0).unwrap()).unwrap();
    folded.learn(&in_time());
    let (after, at) = (folded.seq, time(10));
    for event in &events {
        folded.apply(folded.seq + 1, at, event);
    }
    let (writer, stands) = (Writer::Decider, Stands::of(&folded));
    store.append(&Append { run, after, writer, at, events, learn: Vec::new(), state: None, stands }).unwrap();
}

fn rows(store: &SqliteStore) -> Vec<RunRow> {
    store.history(&HistoryQuery::default()).unwrap()
}

/// What the rows of [`waits`] say: a minute after it began to wait.
const THEN: OnTimeout = OnTimeout::Fail;

fn due() -> Due {
    Due { at: time(10) + TimeDelta::minutes(1), then: THEN }
}

/// Makes of a store what the release with schema 1 left: no deadlines, and first events that are indexed without the name
/// of their task.
fn as_of_schema_1(path: &Path) {
    let raw = rusqlite::Connection::open(path).unwrap();
    raw.execute_batch(
        "ALTER TABLE runs DROP COLUMN due_at; ALTER TABLE runs DROP COLUMN due_then; DROP TABLE unnamed;
         DELETE FROM words WHERE rowid & 16777215 = 1; DELETE FROM trigrams WHERE rowid & 16777215 = 1;
         INSERT INTO words (rowid, text) SELECT (n << 24) + 1, 'poem, a run' FROM runs;
         INSERT INTO trigrams (rowid, text) SELECT (n << 24) + 1, 'poem, a run' FROM runs;
         PRAGMA user_version = 1;",
    )
    .unwrap();
}

#[test]
fn the_list_says_until_when_a_run_has_to_be_decided_and_nothing_once_it_is() {
    let test = test_store();
    let run = waits(&test.store, 1);
    assert_eq!(rows(&test.store)[0].due, Some(due()));
    assert_eq!(test.store.history(&looking_for("rain")).unwrap()[0].due, Some(due()), "a search says it too");
    append_in_time(&test.store, run, vec![accepted("write", 1)]);
    assert_eq!(rows(&test.store)[0].due, None);
}

#[test]
fn a_rebuild_finds_the_deadlines_again() {
    let test = test_store();
    waits(&test.store, 1);
    test.raw().execute_batch("UPDATE runs SET due_at = NULL, due_then = 'skip'").unwrap();
    test.store.rebuild().unwrap();
    assert_eq!(rows(&test.store)[0].due, Some(due()));
    // What a later version may answer with is not guessed.
    test.raw().execute_batch("UPDATE runs SET due_then = 'ask a friend'").unwrap();
    assert_eq!(rows(&test.store)[0].due, None);
}

#[test]
fn a_store_of_the_version_before_says_deadlines_and_finds_runs_by_their_task_once_it_is_opened() {
    let test = test_store();
    let (waiting, done) = (waits(&test.store, 1), write(&test.store, 2, "alpha"));
    assert_eq!(found(&test.store, "alpha"), [done]);
    let path = test.path();
    drop(test.store);
    as_of_schema_1(&path);
    let store = SqliteStore::open(&path, Mode::Write).unwrap();
    assert_eq!(rows(&store).iter().map(|row| row.due).collect::<Vec<_>>(), [Some(due()), None]);
    assert_eq!(found(&store, "stormy"), [waiting], "by the name of its task");
    assert_eq!(found(&store, "torm"), [waiting], "and by a piece of it");
    assert_eq!((found(&store, "rain"), found(&store, "alpha")), (vec![waiting], vec![done]), "as before");
    let left: i64 = test_count(&path, "SELECT count(*) FROM unnamed");
    assert_eq!(left, 0, "each is indexed once");
    store.rebuild().unwrap();
    assert_eq!(found(&store, "stormy"), [waiting]);
    store.delete(waiting).unwrap();
    assert_eq!(found(&store, "stormy"), []);
}

fn test_count(path: &Path, sql: &str) -> i64 {
    rusqlite::Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_run_of_the_version_before_that_cannot_be_read_hinders_no_other() {
    let test = test_store();
    let (waiting, broken) = (waits(&test.store, 1), waits(&test.store, 2));
    assert_eq!(found(&test.store, "drops").len(), 2);
    let path = test.path();
    drop(test.store);
    as_of_schema_1(&path);
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.execute_batch("DROP TRIGGER events_are_not_changed; UPDATE events SET body = '{' WHERE place = (2 << 24) + 1")
        .unwrap();
    drop(raw);
    let store = SqliteStore::open(&path, Mode::Write).unwrap();
    let dues: Vec<_> = rows(&store).iter().map(|row| (row.run, row.due)).collect();
    assert!(dues.contains(&(waiting, Some(due()))) && dues.contains(&(broken, None)), "{dues:?}");
    assert_eq!(found(&store, "stormy"), [waiting]);
    assert_eq!(test_count(&path, "SELECT count(*) FROM unnamed"), 0);
}

#[test]
fn a_store_of_the_version_before_that_cannot_be_written_is_read() {
    let test = test_store();
    let run = waits(&test.store, 1);
    assert_eq!(found(&test.store, "drops"), [run]);
    let path = test.path();
    drop(test.store);
    as_of_schema_1(&path);
    let store = SqliteStore::open(&path, Mode::Read).unwrap();
    let row = &rows(&store)[0];
    assert_eq!((row.run, row.waiting, row.due), (run, 1, None), "its definition says it, its row does not");
    assert_eq!(found(&store, "drops"), [run]);
    assert_eq!(store.read(run, 0).unwrap().len(), 4);
    // Another process brings it up to date meanwhile.
    SqliteStore::open(&path, Mode::Write).unwrap();
    assert_eq!(rows(&store)[0].run, run);
    assert_eq!(rows(&SqliteStore::open(&path, Mode::Read).unwrap())[0].due, Some(due()));
}
