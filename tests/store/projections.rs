//! The list, the search and the index of the cache follow from the events alone.

use std::path::Path;

use proptest::prelude::*;
use serde_json::json;
use stepwell::core::event::Event;
use stepwell::core::ports::{HistoryQuery, Journal as _, Memory as _, Runs as _};
use stepwell::core::run::Run;
use stepwell::store::{Mode, SqliteStore};

use super::common::*;
use super::random::event;

/// Every projection, as text.
fn projections(test: &TestStore) -> Vec<String> {
    let raw = test.raw();
    raw.execute_batch(
        "CREATE VIRTUAL TABLE temp.w USING fts5vocab (main, words, instance);
         CREATE VIRTUAL TABLE temp.t USING fts5vocab (main, trigrams, instance);",
    )
    .unwrap();
    let mut all = Vec::new();
    for sql in [
        "SELECT * FROM runs ORDER BY n",
        "SELECT * FROM uses ORDER BY 1, 2",
        "SELECT hex(fingerprint), place FROM tried ORDER BY 1, 2",
        "SELECT * FROM pending",
        "SELECT term, doc, \"offset\" FROM temp.w ORDER BY 1, 2, 3",
        "SELECT term, doc FROM temp.t ORDER BY 1, 2",
    ] {
        let mut select = raw.prepare(sql).unwrap();
        let columns = select.column_count();
        let mut rows = select.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            all.push(format!("{:?}", (0..columns).map(|at| row.get_ref(at).unwrap()).collect::<Vec<_>>()));
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_rebuild_changes_nothing_and_the_list_counts_what_waits(
        batches in prop::collection::vec((any::<bool>(), 1u64..4, prop::collection::vec(event(), 1..5)), 1..12),
    ) {
        let test = test_store();
        let other = test.again();
        for number in 1..4 {
            begin(&test.store, number, json!({"topic": "sea"}));
        }
        for (here, number, events) in batches {
            let store = if here { &test.store } else { &other };
            let head = store.head(id(number)).unwrap();
            let late = append(store, id(number), head - 1, events.clone());
            prop_assert!(late.is_err());
            append(store, id(number), head, events).unwrap();
        }
        for row in test.store.history(&HistoryQuery::default()).unwrap() {
            let run = Run::fold(row.run, &test.store.read(row.run, 0).unwrap()).unwrap();
            prop_assert_eq!(row.waiting as usize, run.waiting().count());
            prop_assert_eq!((row.status, row.title, row.updated_at), (run.seen_status(), run.title, run.updated_at));
        }
        found(&test.store, "anything");
        let before = projections(&test);
        prop_assert_eq!(test.store.rebuild().unwrap().runs, 3);
        prop_assert_eq!(before, projections(&test));
    }
}

#[test]
fn a_rebuild_repairs_a_list_that_went_wrong() {
    let test = test_store();
    write(&test.store, 1, "alpha");
    let before = projections(&test);
    let raw = test.raw();
    raw.execute_batch(
        "UPDATE runs SET title = 'wrong', status = 'running', waiting = 7, snippet = 'x';
         DELETE FROM uses; DELETE FROM tried; INSERT INTO words (words) VALUES ('delete-all');",
    )
    .unwrap();
    assert_ne!(projections(&test), before);
    test.store.rebuild().unwrap();
    assert_eq!(projections(&test), before);
}

#[test]
fn a_run_whose_journal_is_broken_is_named_and_the_others_are_rebuilt() {
    let test = test_store();
    let good = write(&test.store, 1, "alpha");
    for (number, body) in [(2, "{\"type\":\"run_wai"), (3, "{\"by\":\"ana\"}")] {
        let bad = begin(&test.store, number, json!({}));
        let raw = test.raw();
        raw.execute_batch("DROP TRIGGER IF EXISTS events_are_not_changed").unwrap();
        raw.execute("UPDATE events SET body = ?1 WHERE place >> 24 = ?2", (body, number)).unwrap();
        let rebuilt = test.store.rebuild().unwrap();
        assert_eq!((rebuilt.runs, rebuilt.damaged.last().unwrap().0), (1, bad));
        assert_eq!(found(&test.store, "alpha"), [good]);
        assert!(test.store.read(bad, 0).is_err());
    }
}

/// What a later version may write: a large text in it, so that some of it is a blob.
fn of_a_later_version() -> Event {
    let long = "a lighthouse ".repeat(1_000);
    let json = json!({"type": "tool_returned", "key": "write", "call": "1.0", "outcome": {"text": long, "n": 1.5}});
    Event::from_json(&json.to_string()).unwrap()
}

#[test]
fn what_a_later_version_wrote_is_kept_found_and_removed_and_its_row_stays_as_that_version_left_it() {
    let test = test_store();
    let good = write(&test.store, 1, "alpha");
    let run = begin(&test.store, 2, json!({"topic": "harbour"}));
    append(&test.store, run, 1, vec![started("write", 1), of_a_later_version()]).unwrap();
    let events = test.store.read(run, 0).unwrap();
    assert_eq!(events[2].event, of_a_later_version());
    assert_eq!(serde_json::to_string(&events[2].event).unwrap(), serde_json::to_string(&of_a_later_version()).unwrap());
    test.raw().execute("UPDATE runs SET title = 'as it was left', status = 'being_read' WHERE n = 2", []).unwrap();
    for _ in 0..2 {
        assert_eq!(found(&test.store, "lighthouse"), [run]);
        assert_eq!(found(&test.store, "harbour"), [run]);
        let rows = test.store.history(&HistoryQuery::default()).unwrap();
        assert_eq!((rows[0].newer, &*rows[0].title, rows[1].newer), (true, "as it was left", false));
        let rebuilt = test.store.rebuild().unwrap();
        assert_eq!((rebuilt.runs, rebuilt.damaged), (2, Vec::new()));
    }
    test.store.delete(run).unwrap();
    assert_eq!((found(&test.store, "lighthouse"), found(&test.store, "alpha")), (Vec::new(), vec![good]));
    let blobs: i64 = test.raw().query_row("SELECT count(*) FROM blobs", [], |row| row.get(0)).unwrap();
    assert_eq!(blobs, 0);
}

#[test]
fn a_run_that_a_later_version_waits_in_is_marked_in_the_list_and_one_that_is_created_by_it_is_no_damage() {
    let test = test_store();
    let run = begin(&test.store, 1, json!({}));
    let gate =
        r#"{"type":"gate_opened","key":"write","for":"tools","call":"1.0","attempt":1,"version":0,"allowed":[]}"#;
    append(&test.store, run, 1, vec![Event::from_json(gate).unwrap()]).unwrap();
    let rows = test.store.history(&HistoryQuery::default()).unwrap();
    assert!(rows[0].newer);
    assert!(!serde_json::to_string(&test.store.read(run, 0).unwrap()[1].event).unwrap().is_empty());

    let other = begin(&test.store, 2, json!({}));
    let raw = test.raw();
    raw.execute_batch("DROP TRIGGER events_are_not_changed").unwrap();
    let body = r#"{"type":"run_created","task":"poem","kind":"choir","title":"a choir of lamps"}"#;
    raw.execute("UPDATE events SET body = ?1 WHERE place >> 24 = 2", [body]).unwrap();
    assert_eq!(test.store.rebuild().unwrap().damaged, Vec::new());
    let events = test.store.read(other, 0).unwrap();
    assert_eq!(serde_json::to_string(&events[0].event).unwrap(), body);
    assert!(matches!(Run::fold(other, &events), Err(stepwell::core::run::NotARun::Newer(_))));
    assert_eq!(found(&test.store, "choir"), [other]);
    test.store.delete(other).unwrap();
    assert_eq!(found(&test.store, "choir"), []);
}

/// Each released schema, as the program that released it wrote it.
const RELEASED: [&str; 1] = [include_str!("released/0001.sql")];

#[test]
fn every_released_schema_is_opened_brought_up_to_date_and_replayed() {
    for (at, fixture) in RELEASED.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stepwell.db");
        rusqlite::Connection::open(&path).unwrap().execute_batch(fixture).unwrap();
        let store = SqliteStore::open(&path, Mode::Write).unwrap();
        let rows = store.history(&HistoryQuery::default()).unwrap();
        assert_eq!(rows.len(), 2, "schema {}", at + 1);
        for row in &rows {
            let run = Run::fold(row.run, &store.read(row.run, 0).unwrap()).unwrap();
            assert_eq!((run.status, run.gates()), (row.status, row.waiting as usize));
            store.definition(&run.definition).unwrap();
        }
        assert_eq!(found(&store, "tide").len(), 1);
        assert_eq!(store.learned(None).unwrap().len(), 1);
        store.rebuild().unwrap();
        assert_eq!(store.history(&HistoryQuery::default()).unwrap(), rows);
        assert_eq!(schema(&path), schema(&test_store().path()), "a released migration is never edited: add another");
    }
}

/// Every table, index and trigger of the file at `path`.
fn schema(path: &Path) -> Vec<(String, Option<String>)> {
    let raw = rusqlite::Connection::open(path).unwrap();
    let mut select = raw.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name").unwrap();
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}
