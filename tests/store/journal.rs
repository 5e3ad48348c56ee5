//! What the file of the journal promises: large texts once, nothing changed past the program, commits on the disk.

use serde_json::json;
use stepwell::core::event::Event;
use stepwell::core::ports::{Journal as _, Runs as _};
use stepwell::store::{Mode, SqliteStore};

use super::common::*;

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
fn a_store_is_created_by_many_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/stepwell.db");
    std::thread::scope(|scope| {
        for number in 0..8 {
            let path = &path;
            scope.spawn(move || begin(&SqliteStore::open(path, Mode::Write).unwrap(), number, json!({})));
        }
    });
    let store = SqliteStore::open(&path, Mode::Write).unwrap();
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
