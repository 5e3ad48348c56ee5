//! The list, the search and the index of the cache follow from the events alone.

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use stepwell::core::event::{Event, Measured, PauseReason, Scope};
use stepwell::core::failure::{Failure, FailureClass};
use stepwell::core::gate::{Answer, Gate, GateFor};
use stepwell::core::ports::{HistoryQuery, Journal as _};
use stepwell::core::run::Run;
use stepwell::core::usage::Budget;
use stepwell::store::{Mode, Store};

use super::common::*;

const KEYS: [&str; 3] = ["plan", "write[0]", "write[1]"];

fn event() -> impl Strategy<Value = Event> {
    (0..KEYS.len(), 0..KEYS.len(), 1u32..3, 0u32..26, "[a-d]{2,4}").prop_map(|(at, other, attempt, which, word)| {
        let key = key(KEYS[at]);
        let by = "ana".to_owned();
        let gate = |kind| {
            let allowed = vec![Answer::Accept];
            Event::GateOpened(Gate {
                key: key.clone(),
                workflow: None,
                kind,
                attempt,
                version: 1,
                shows: Value::Null,
                allowed,
            })
        };
        let output = Arc::new(json!({ "text": word }));
        let fingerprint = fingerprint(KEYS[at]);
        let error = Failure::new(FailureClass::Server, "it fell over");
        let step = key.step().to_owned();
        match which {
            0 | 1 => started(KEYS[at], attempt),
            2 | 3 => finished(KEYS[at], attempt, (*output).clone()),
            4 => gate(GateFor::Review),
            5 => gate(GateFor::Input),
            6 => gate(GateFor::Budget),
            7 => accepted(KEYS[at], attempt),
            8 => Event::VersionEdited { key, attempt, version: 2, output, by },
            9 => Event::AttemptRejected { key, attempt, instruction: word, scope: Scope::Remaining, by },
            10 => Event::CallAnswered { key, attempt, value: output, by },
            11 => Event::CallSkipped { key, step, because: word, by },
            12 => Event::CallFailed { key, step, fingerprint, error, by },
            13 => Event::CallStaled { key, fingerprint, because: Vec::new() },
            14 => Event::CallMoved { key, from: KEYS[other].parse().unwrap(), attempt, version: 1, fingerprint },
            15 => Event::CallRequested { key, by },
            16 => Event::MessageAdded { text: word, by },
            17 => Event::BudgetRaised { budget: Budget::default(), by },
            18 => Event::RunWaiting {},
            19 => Event::RunPaused { reason: PauseReason::ByYou },
            20 => Event::RunCompleted { title: word.clone().into(), body: "done".into() },
            21 => Event::RunFailed { key: Some(key), error },
            22 => Event::AttemptCancelled {
                key,
                attempt,
                partial: word.into(),
                again: at == 0,
                by,
                measured: Measured::default(),
            },
            23 => Event::AttemptFailed {
                key,
                attempt,
                error,
                partial: word.into(),
                retry_at: None,
                measured: Measured::default(),
            },
            24 => Event::RunRenamed { title: word, by },
            _ => Event::RunCancelled { by },
        }
    })
}

/// Every projection, as text.
fn projections(place: &Place) -> Vec<String> {
    let raw = place.raw();
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
        let place = place();
        let other = place.again();
        for number in 1..4 {
            begin(&place.store, number, json!({"topic": "sea"}));
        }
        for (here, number, events) in batches {
            let store = if here { &place.store } else { &other };
            let head = store.head(id(number)).unwrap();
            let late = append(store, id(number), head - 1, events.clone());
            prop_assert!(late.is_err());
            append(store, id(number), head, events).unwrap();
        }
        for row in place.store.history(&HistoryQuery::default()).unwrap() {
            let run = Run::fold(row.run, &place.store.read(row.run, 0).unwrap()).unwrap();
            prop_assert_eq!(row.waiting as usize, run.waiting().count());
            prop_assert_eq!((row.status, row.title, row.updated_at), (run.seen_status(), run.title, run.updated_at));
        }
        found(&place.store, "anything");
        let before = projections(&place);
        prop_assert_eq!(place.store.rebuild().unwrap().runs, 3);
        prop_assert_eq!(before, projections(&place));
    }
}

#[test]
fn a_rebuild_repairs_a_list_that_went_wrong() {
    let place = place();
    write(&place.store, 1, "alpha");
    let before = projections(&place);
    let raw = place.raw();
    raw.execute_batch(
        "UPDATE runs SET title = 'wrong', status = 'running', waiting = 7, snippet = 'x';
         DELETE FROM uses; DELETE FROM tried; INSERT INTO words (words) VALUES ('delete-all');",
    )
    .unwrap();
    assert_ne!(projections(&place), before);
    place.store.rebuild().unwrap();
    assert_eq!(projections(&place), before);
}

#[test]
fn a_run_whose_journal_is_broken_is_named_and_the_others_are_rebuilt() {
    let place = place();
    let good = write(&place.store, 1, "alpha");
    let bad = begin(&place.store, 2, json!({}));
    place.raw().execute_batch("DROP TRIGGER events_are_not_changed; UPDATE events SET body = '{\"type\":\"from_the_future\"}' WHERE place >> 24 = 2").unwrap();
    let rebuilt = place.store.rebuild().unwrap();
    assert_eq!((rebuilt.runs, rebuilt.damaged.len(), rebuilt.damaged[0].0), (1, 1, bad));
    assert_eq!(found(&place.store, "alpha"), [good]);
    assert!(place.store.read(bad, 0).unwrap_err().to_string().contains("newer version"));
}

/// Each released schema, as the program that released it wrote it.
const RELEASED: [&str; 1] = [include_str!("released/0001.sql")];

#[test]
fn every_released_schema_is_opened_brought_up_to_date_and_replayed() {
    for (at, fixture) in RELEASED.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stepwell.db");
        rusqlite::Connection::open(&path).unwrap().execute_batch(fixture).unwrap();
        let store = Store::open(&path, Mode::Write).unwrap();
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
        assert_eq!(schema(&path), schema(&place().path()), "a released migration is never edited: add another");
    }
}

/// Every table, index and trigger of the file at `path`.
fn schema(path: &Path) -> Vec<(String, Option<String>)> {
    let raw = rusqlite::Connection::open(path).unwrap();
    let mut select = raw.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name").unwrap();
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}
