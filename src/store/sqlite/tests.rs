//! What can only be tried from inside: a disk that fills up, a schema that no release has yet.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::DateTime;
use serde_json::{Value, json};

use super::open::Migration;
use super::{Mode, PATIENCE, SqliteStore, lock, open};
use crate::core::code::ErrorCode;
use crate::core::event::{Created, Event};
use crate::core::id::RunId;
use crate::core::pinned::Pinned;
use crate::core::ports::{Append, HistoryQuery, Journal as _, JournalError, Memory as _, Runs as _, Stands, Writer};
use crate::core::run::Status;
use crate::core::task::{Body, Instruct, Kind, Task};

fn pinned() -> Pinned {
    let task = Task {
        id: "ask".into(),
        name: "Ask".into(),
        icon: None,
        description: String::new(),
        tags: Vec::new(),
        model: None,
        inputs: Vec::new(),
        actions: Vec::new(),
        follow_ups: Vec::new(),
        tools: crate::core::tool::DeclaredTools::default(),
        meta: None,
        body: Body::Instruct(Instruct::default()),
    };
    Pinned { task, children: std::collections::BTreeMap::default(), folder: None }
}

fn created() -> Created {
    Created {
        task: "ask".into(),
        kind: Kind::Instruct,
        title: "Ask".into(),
        by: "ana@host".into(),
        cwd: "/home/ana".into(),
        inputs: Arc::new(json!({})),
        definition: pinned().hash().unwrap(),
        nonce: "n".into(),
        date: None,
        session: None,
        state: Value::Null,
        earlier_runs: Vec::new(),
        learned: Vec::new(),
        model: None,
        budget: None,
        origin: None,
    }
}

/// Lets the file grow to so many pages and no further, as a full disk would.
fn limit_pages(store: &SqliteStore, pages: u32) {
    let writer = lock(store.writer.as_ref().unwrap());
    writer.as_ref().unwrap().query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
}

#[test]
fn a_full_disk_loses_only_what_was_not_confirmed() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("stepwell.db"), Mode::Write).unwrap();
    let run = RunId::new(1, [1; 10]);
    let created = created();
    store.create(run, DateTime::UNIX_EPOCH, &created, &[], &pinned()).unwrap();
    let say = |after| {
        let events = vec![Event::MessageAdded { text: "m ".repeat(1_900), by: "ana".into() }];
        let (at, writer) = (DateTime::UNIX_EPOCH, Writer::Decider);
        let stands = Stands { title: String::new(), status: Status::Running, waiting: 0, due: None };
        store.append(&Append { run, after, writer, at, events, learn: Vec::new(), state: None, stands })
    };
    limit_pages(&store, 80);
    let mut head = 1;
    let error = loop {
        match say(head) {
            Ok(new) => head = new,
            Err(error) => break error,
        }
        assert!(head < 1_000, "the disk never filled");
    };
    assert_eq!(error.code(), ErrorCode::Store);
    assert!(error.to_string().contains(&store.path().display().to_string()), "{error}");
    assert_eq!(store.read(run, 0).unwrap().len() as u64, head, "reading goes on");
    limit_pages(&store, 100_000);
    assert_eq!(say(head).unwrap(), head + 1);
}

#[test]
fn a_store_that_is_closed_leaves_no_log_beside_it_whoever_still_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stepwell.db");
    let store = Arc::new(SqliteStore::open(&path, Mode::Write).unwrap());
    let (run, held) = (RunId::new(1, [1; 10]), Arc::clone(&store));
    store.create(run, DateTime::UNIX_EPOCH, &created(), &[], &pinned()).unwrap();
    let log = folder.path().join("stepwell.db-wal");
    assert!(log.exists());
    store.close();
    assert!(!log.exists(), "all of it is in the file");
    assert_eq!(held.head(run).unwrap_err().code(), ErrorCode::Store);
    assert_eq!(held.update_lesson(1, None).unwrap_err().code(), ErrorCode::Store);
    assert_eq!(SqliteStore::open(&path, Mode::Write).unwrap().head(run).unwrap(), 1);
}

/// Every released schema, and one more.
const NEXT: open::Migrations = &[
    open::MIGRATIONS[0],
    open::MIGRATIONS[1],
    Migration { sql: "CREATE TABLE marks (run INTEGER PRIMARY KEY) STRICT;", lacking: None, to_read: "" },
];

fn next(path: &Path) -> Result<SqliteStore, JournalError> {
    SqliteStore::open_as(path, Mode::Write, PATIENCE, NEXT)
}

/// A store of the newest release in `folder`, with some runs.
fn released(folder: &Path, runs: u64) -> PathBuf {
    let path = folder.join("stepwell.db");
    let store = SqliteStore::open(&path, Mode::Write).unwrap();
    assert_eq!(store.copy(), None);
    for number in 0..runs {
        store.create(RunId::new(number, [1; 10]), DateTime::UNIX_EPOCH, &created(), &[], &pinned()).unwrap();
    }
    path
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.ends_with("-wal") && !name.ends_with("-shm"));
    names.sort();
    names
}

fn schema(path: &Path) -> i64 {
    let db = rusqlite::Connection::open(path).unwrap();
    db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

#[test]
fn a_store_is_copied_beside_itself_before_it_is_brought_to_a_newer_schema_and_only_then() {
    let folder = tempfile::tempdir().unwrap();
    let path = released(folder.path(), 3);
    let copy = folder.path().join("stepwell.db.0002");
    // What is still in the log is copied too: this one is not closed.
    let open = SqliteStore::open(&path, Mode::Write).unwrap();
    open.create(RunId::new(9, [1; 10]), DateTime::UNIX_EPOCH, &created(), &[], &pinned()).unwrap();
    assert_eq!(next(&path).unwrap().copy(), Some(&*copy));
    assert_eq!((schema(&path), schema(&copy)), (3, 2));
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let before = SqliteStore::open(&copy, Mode::Read).unwrap();
    let after = next(&path).unwrap();
    let all = HistoryQuery::default();
    assert_eq!(before.history(&all).unwrap(), after.history(&all).unwrap());
    assert_eq!(before.history(&all).unwrap().len(), 4);
    before.check().unwrap();
    assert_eq!(after.copy(), None, "it is of that schema already");
    assert_eq!(names(folder.path()), ["stepwell.db", "stepwell.db.0002"]);
    // The release says so and touches nothing.
    assert_eq!(SqliteStore::open(&path, Mode::Write).err().unwrap().code(), ErrorCode::Newer);
}

#[test]
fn a_new_store_is_not_copied_and_an_earlier_copy_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(next(&folder.path().join("stepwell.db")).unwrap().copy(), None);
    assert_eq!(names(folder.path()), ["stepwell.db"]);

    let folder = tempfile::tempdir().unwrap();
    let path = released(folder.path(), 1);
    std::fs::write(folder.path().join("stepwell.db.0002"), "mine").unwrap();
    // Half a copy, of a process that died.
    std::fs::write(folder.path().join("stepwell.db.0002.part"), "half").unwrap();
    let again = folder.path().join("stepwell.db.0002.2");
    assert_eq!(next(&path).unwrap().copy(), Some(&*again));
    assert_eq!(std::fs::read_to_string(folder.path().join("stepwell.db.0002")).unwrap(), "mine");
    assert_eq!(schema(&again), 2);
    assert_eq!(names(folder.path()), ["stepwell.db", "stepwell.db.0002", "stepwell.db.0002.2"]);
}

#[test]
fn a_copy_that_does_not_fit_on_the_disk_leaves_the_store_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = released(folder.path(), 200);
    // No file of the inner test grows beyond 64 KiB: this one is larger already, its copy would have to be.
    assert!(std::fs::metadata(&path).unwrap().len() > 128 * 1024);
    let script = "trap '' XFSZ; ulimit -f 128; exec \"$0\" --ignored --exact store::sqlite::tests::within_a_small_disk";
    let inner = std::process::Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .env("SMALL_DISK_STORE", &path)
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&inner.stdout).contains("1 passed"), "{inner:?}");
    assert_eq!(schema(&path), 2);
    assert_eq!(names(folder.path()), ["stepwell.db"]);
    assert_eq!(SqliteStore::open(&path, Mode::Read).unwrap().history(&HistoryQuery::default()).unwrap().len(), 50);
    // Once there is room, it goes through.
    assert!(next(&path).unwrap().copy().is_some());
}

/// The inside of the test above.
#[test]
#[ignore = "run by a_copy_that_does_not_fit_on_the_disk_leaves_the_store_as_it_was with small files"]
fn within_a_small_disk() {
    let path = PathBuf::from(std::env::var_os("SMALL_DISK_STORE").unwrap());
    let told = next(&path).err().unwrap().to_string();
    assert!(told.contains("disk"), "{told}");
    assert_eq!(schema(&path), 2);
}
