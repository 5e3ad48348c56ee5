//! Events are kept as they were written, in order, once, and by whoever may write them.

use std::sync::Arc;

use serde_json::json;
use stepwell::core::code::ErrorCode;
use stepwell::core::event::{Event, Lesson};
use stepwell::core::ports::{Append, Journal as _, JournalError, Writer};
use stepwell::core::run::Run;
use stepwell::store::{Mode, Store};

use super::common::*;

#[test]
fn what_was_written_is_read_back_to_the_letter() {
    let test = test_store();
    let large = "long ".repeat(5_000);
    let inputs = json!({"topic": "the sea", "a/b~c": large, "n": 0.1 + 0.2, "list": [large, {"": large}]});
    let run = begin(&test.store, 1, inputs.clone());
    let events = vec![started("write[1]", 1), finished("write[1]", 1, json!({"text": large})), review("write[1]", 1)];
    assert_eq!(append(&test.store, run, 1, events.clone()).unwrap(), 4);

    let journal = test.again().read(run, 0).unwrap();
    assert_eq!(journal.iter().map(|r| r.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(journal[0].event, Event::RunCreated(created("poem", inputs)));
    assert_eq!(journal[1..].iter().map(|r| r.event.clone()).collect::<Vec<_>>(), events);
    assert_eq!((journal[0].at, journal[1].at), (time(0), time(1)));
    assert_eq!(test.store.read(run, 3).unwrap().len(), 1);
    assert_eq!(test.store.head(run).unwrap(), 4);
}

#[test]
fn a_large_text_is_kept_once_however_often_it_occurs() {
    let test = test_store();
    let large = "x".repeat(1_000_000);
    for number in 1..=5 {
        begin(&test.store, number, json!({"file": {"text": large}, "again": large}));
    }
    let blobs: i64 = test.raw().query_row("SELECT count(*) FROM blobs", [], |row| row.get(0)).unwrap();
    assert_eq!(blobs, 1);
    test.store.delete(id(1)).unwrap();
    assert_eq!(
        test.store.read(id(2), 0).unwrap()[0].event,
        Event::RunCreated(created("poem", json!({"file": {"text": large}, "again": large})))
    );
    for number in 2..=5 {
        test.store.delete(id(number)).unwrap();
    }
    let raw = test.raw();
    for table in ["blobs", "parts", "events", "runs", "uses", "definitions", "pending", "tried", "words_docsize"] {
        let left: i64 = raw.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0, "{table}");
    }
}

#[test]
fn a_text_that_looks_like_a_reference_is_only_text() {
    let test = test_store();
    let large = "secret of another run ".repeat(400);
    begin(&test.store, 1, json!({"file": large}));
    let hash = stepwell::core::fingerprint::Fingerprint::of_bytes(large.as_bytes());
    let sly = json!({"blob": hash.as_str(), "file": "", "/event/inputs/file": hash.as_str()});
    let run = begin(&test.store, 2, sly.clone());
    assert_eq!(test.store.read(run, 0).unwrap()[0].event, Event::RunCreated(created("poem", sly)));
}

#[test]
fn whoever_comes_second_is_told_and_nothing_is_written() {
    let test = test_store();
    let run = begin(&test.store, 1, json!({}));
    let other = test.again();
    append(&test.store, run, 1, vec![started("write", 1)]).unwrap();
    let refused = append(&other, run, 1, vec![finished("write", 1, json!("late"))]);
    assert!(matches!(refused, Err(JournalError::Conflict { head: 2 })), "{refused:?}");
    assert_eq!(test.store.head(run).unwrap(), 2);
    assert_eq!(append(&other, run, 2, vec![finished("write", 1, json!("now"))]).unwrap(), 3);
}

#[test]
fn a_process_that_lost_the_run_cannot_write_to_it() {
    let test = test_store();
    let run = begin(&test.store, 1, json!({}));
    let other = test.again();
    let (first, second) = (test.store.epoch(run).unwrap(), other.epoch(run).unwrap());
    let by = |writer, after| Append {
        writer,
        learn: vec![Lesson { workflow: None, step: "write".to_owned(), text: "rhyme".to_owned() }],
        ..batch(&test.store, run, after, vec![started("write", 1)])
    };
    // Two processes want to take it over; the one that writes first has it.
    other.append(&by(Writer::TakingOver(second), 1)).unwrap();
    assert_eq!(test.store.learned(Some("poem")).unwrap().len(), 1);
    assert_eq!(test.store.epoch(run).unwrap(), second + 1);
    for lost in [Writer::TakingOver(first), Writer::Owner(first)] {
        let refused = test.store.append(&by(lost, 2));
        assert!(matches!(refused, Err(JournalError::Superseded)), "not merely a conflict: {refused:?}");
    }
    assert_eq!(test.store.head(run).unwrap(), 2);
    other.append(&by(Writer::Owner(second + 1), 2)).unwrap();
    assert!(matches!(test.store.append(&by(Writer::Owner(first), 2)), Err(JournalError::Superseded)));
}

#[test]
fn a_run_that_is_not_there_is_named() {
    let test = test_store();
    for refused in [
        test.store.head(id(9)).unwrap_err(),
        test.store.read(id(9), 0).unwrap_err(),
        test.store.delete(id(9)).unwrap_err(),
    ] {
        assert!(matches!(&refused, JournalError::NoRun(_)));
        assert!(refused.to_string().contains(&id(9).short()));
    }
}

#[test]
fn events_are_neither_changed_nor_removed_nor_replaced() {
    let test = test_store();
    let run = begin(&test.store, 1, json!({"file": "y".repeat(10_000)}));
    let raw = test.raw();
    for sql in [
        "UPDATE events SET body = '{}'",
        "DELETE FROM events",
        "INSERT OR REPLACE INTO events SELECT place, at, '{}' FROM events",
        "UPDATE parts SET blob = 2",
        "DELETE FROM parts",
        "UPDATE blobs SET text = ''",
        "DELETE FROM blobs",
    ] {
        assert!(raw.execute(sql, []).is_err(), "{sql}");
    }
    assert_eq!(test.store.read(run, 0).unwrap().len(), 1);
    let open: i64 = raw.query_row("SELECT count(*) FROM removal", [], |row| row.get(0)).unwrap();
    assert_eq!(open, 0);
}

#[test]
fn a_commit_is_on_the_disk_before_it_is_shown_as_saved() {
    let test = test_store();
    assert_eq!(test.store.durability().unwrap(), ("wal".to_owned(), 2), "WAL, and 2 is FULL");
}

#[test]
fn two_processes_that_write_at_once_lose_nothing() {
    let test = test_store();
    let runs: Vec<_> = (1..=4).map(|number| begin(&test.store, number, json!({}))).collect();
    let shared = begin(&test.store, 9, json!({}));
    std::thread::scope(|scope| {
        for run in &runs {
            let path = test.path();
            scope.spawn(move || {
                let own = Store::open(&path, Mode::Write).unwrap();
                for round in 0..20u64 {
                    append(&own, *run, 1 + round, vec![Event::Logged { text: round.to_string().into() }]).unwrap();
                    loop {
                        let head = own.head(shared).unwrap();
                        match append(&own, shared, head, vec![Event::Logged { text: run.to_string().into() }]) {
                            Ok(_) => break,
                            Err(JournalError::Conflict { .. }) => {}
                            Err(other) => panic!("{other}"),
                        }
                    }
                }
            });
        }
    });
    for run in runs {
        assert_eq!(test.store.head(run).unwrap(), 21);
    }
    let journal = test.store.read(shared, 0).unwrap();
    assert_eq!(journal.len(), 81);
    assert_eq!(Run::fold(shared, &journal).unwrap().log.len(), 80);
}

#[test]
fn a_store_is_created_by_many_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/stepwell.db");
    std::thread::scope(|scope| {
        for number in 0..8 {
            let path = &path;
            scope.spawn(move || begin(&Store::open(path, Mode::Write).unwrap(), number, json!({})));
        }
    });
    let store = Store::open(&path, Mode::Write).unwrap();
    assert_eq!(store.history(&looking_for("")).unwrap().len(), 8);
}

#[test]
fn another_process_sees_that_something_was_written() {
    let test = test_store();
    let watcher = test.again();
    let run = begin(&test.store, 1, json!({}));
    let before = watcher.data_version().unwrap();
    assert_eq!(watcher.data_version().unwrap(), before);
    append(&test.store, run, 1, vec![started("write", 1)]).unwrap();
    assert_ne!(watcher.data_version().unwrap(), before);
    assert_eq!(watcher.read(run, 1).unwrap().len(), 1);
}

#[test]
fn a_definition_is_pinned_by_its_content_and_found_where_it_lies_now() {
    let test = test_store();
    let mut pinned = pinned("poem");
    pinned.folder = Some("/old".into());
    let hash = test.store.pin(&pinned).unwrap();
    pinned.folder = Some("/new".into());
    assert_eq!(test.store.pin(&pinned).unwrap(), hash);
    assert_eq!(test.store.definition(&hash).unwrap(), pinned);
    assert_eq!(test.store.definition(&fingerprint("none")).unwrap_err().code(), ErrorCode::Store);
}

#[test]
fn a_value_nested_as_deep_as_a_model_may_send_it_is_read_back() {
    let test = test_store();
    let nested = |depth| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    let run = begin(&test.store, 1, json!({}));
    append(&test.store, run, 1, vec![finished("write", 1, nested(127))]).unwrap();
    assert_eq!(test.store.read(run, 1).unwrap()[0].event, finished("write", 1, nested(127)));
    let refused = append(&test.store, run, 2, vec![finished("write", 1, nested(600))]).unwrap_err();
    assert!(refused.to_string().contains("512 deep"), "{refused}");
    assert_eq!(test.store.head(run).unwrap(), 2);
}

#[test]
fn a_number_is_the_same_number_when_it_is_read_again() {
    let test = test_store();
    let run = begin(&test.store, 1, json!({}));
    let numbers: Vec<f64> = (1..2_000).map(|n| 1.0 / f64::from(n) * 1e-7).collect();
    let output = Arc::new(json!(numbers));
    append(&test.store, run, 1, vec![finished("write", 1, (*output).clone())]).unwrap();
    assert_eq!(test.store.read(run, 1).unwrap()[0].event, finished("write", 1, (*output).clone()));
}
