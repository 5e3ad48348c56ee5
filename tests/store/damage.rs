//! A store that cannot be used says what happened, where, and what to do; the file is left as it is.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use stepwell::core::code::ErrorCode;
use stepwell::core::ports::{Journal as _, JournalError, Runs as _};
use stepwell::store::{Mode, SqliteStore};

use super::common::*;

/// The text of an error of the store, which must name the file.
fn store_error(error: &JournalError, path: &Path) -> String {
    assert_eq!(error.code(), ErrorCode::Store, "{error}");
    named(error, path)
}

fn named(error: &JournalError, path: &Path) -> String {
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()), "{text}");
    text
}

fn refused(path: &Path, mode: Mode) -> JournalError {
    match SqliteStore::open(path, mode) {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

#[test]
fn file_and_folder_are_the_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/stepwell.db");
    let store = SqliteStore::open(&path, Mode::Write).unwrap();
    begin(&store, 1, json!({}));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&path.with_extension("db-wal")), 0o600);
    assert_eq!((mode(&folder.path().join("a")), mode(&folder.path().join("a/b"))), (0o700, 0o700));
}

#[test]
fn no_store_to_read_is_said_and_none_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stepwell.db");
    store_error(&refused(&path, Mode::Read), &path);
    assert!(!path.exists());
}

#[test]
fn a_folder_that_cannot_be_made_is_said() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "x").unwrap();
    let path = folder.path().join("file/stepwell.db");
    store_error(&refused(&path, Mode::Write), &path);
}

#[test]
fn what_is_not_a_store_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.db");
    fs::write(
        &text,
        "this is a letter, not a database; it is longer than a header of one hundred bytes, so that it counts",
    )
    .unwrap();
    assert!(store_error(&refused(&text, Mode::Write), &text).contains("STEPWELL_HOME"));
    assert!(fs::read_to_string(&text).unwrap().starts_with("this is a letter"));

    let other = folder.path().join("other.db");
    rusqlite::Connection::open(&other).unwrap().execute_batch("CREATE TABLE accounts (n)").unwrap();
    let before = fs::read(&other).unwrap();
    assert!(store_error(&refused(&other, Mode::Write), &other).contains("STEPWELL_HOME"));
    assert_eq!(fs::read(&other).unwrap(), before);
}

#[test]
fn a_damaged_store_is_said_and_left_as_it_is() {
    let test = test_store();
    for number in 0..40 {
        write(&test.store, number, &"words ".repeat(200));
    }
    let path = test.path();
    drop(test.store);
    let mut bytes = fs::read(&path).unwrap();
    for page in bytes.chunks_mut(4096).skip(1) {
        page[..200].fill(0xa5);
    }
    fs::write(&path, &bytes).unwrap();
    let text = match SqliteStore::open(&path, Mode::Write) {
        Ok(store) => store_error(&store.history(&looking_for("")).unwrap_err(), &path),
        Err(error) => store_error(&error, &path),
    };
    assert!(text.contains(".recover"), "{text}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_newer_schema_is_refused_and_not_touched() {
    let test = test_store();
    let run = begin(&test.store, 1, json!({}));
    test.raw().pragma_update(None, "user_version", 99).unwrap();
    for mode in [Mode::Write, Mode::Read] {
        let error = refused(&test.path(), mode);
        assert_eq!(error.code(), ErrorCode::Newer);
        assert!(named(&error, &test.path()).contains("99"), "{error}");
    }
    assert_eq!(test.store.head(run).unwrap(), 1);
}

#[test]
fn a_lock_that_is_held_too_long_is_said_and_reading_goes_on() {
    let test = test_store();
    let run = begin(&test.store, 1, json!({}));
    let hasty = SqliteStore::open_patiently(&test.path(), Mode::Write, Duration::from_millis(20)).unwrap();
    let raw = test.raw();
    raw.execute_batch("BEGIN IMMEDIATE").unwrap();
    store_error(&append(&hasty, run, 1, vec![started("write", 1)]).unwrap_err(), &test.path());
    assert_eq!(hasty.read(run, 0).unwrap().len(), 1);
    assert_eq!(found(&hasty, "poem"), [], "what could not be indexed is found later");
    raw.execute_batch("ROLLBACK").unwrap();
    append(&hasty, run, 1, vec![started("write", 1)]).unwrap();
    assert_eq!(found(&hasty, "poem"), [run]);
}

#[test]
fn reading_does_not_wait_for_a_writer() {
    let test = test_store();
    let run = write(&test.store, 1, "alpha");
    let reader = SqliteStore::open_patiently(&test.path(), Mode::Write, Duration::ZERO).unwrap();
    let raw = test.raw();
    raw.execute_batch("BEGIN IMMEDIATE; UPDATE runs SET title = 'uncommitted'").unwrap();
    assert_eq!(reader.history(&looking_for("")).unwrap()[0].title, "poem, a run");
    assert_eq!(found(&reader, "alpha"), [run]);
    assert_eq!(reader.read(run, 0).unwrap().len(), 5);
}

#[test]
fn a_store_opened_to_read_shows_everything_and_says_why_it_writes_nothing() {
    let test = test_store();
    let run = write(&test.store, 1, "alpha");
    let reader = SqliteStore::open(&test.path(), Mode::Read).unwrap();
    assert_eq!(found(&reader, "alpha"), [run]);
    assert_eq!(reader.head(run).unwrap(), 5);
    assert_eq!(append(&reader, run, 5, vec![started("write", 2)]).unwrap_err().code(), ErrorCode::Store);
    assert_eq!(reader.head(run).unwrap(), 5);
    assert!(reader.read_only().is_some() && test.store.read_only().is_none());
}

/// Root may write whatever the rights say, so only a mount tells a folder that cannot be written.
#[test]
fn a_store_on_a_read_only_disk_is_read_and_says_why_it_is_not_written() {
    let closed = test_store();
    let run = write(&closed.store, 1, "alpha");
    let path = closed.path();
    drop(closed.store);
    let open = test_store();
    write(&open.store, 1, "alpha");
    for path in [path, open.path()] {
        let script = "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\" || exit 77; exec \"$2\" --ignored --exact store::damage::within_a_read_only_mount";
        let outcome = Command::new("unshare")
            .args(["-rm", "sh", "-c", script, "sh"])
            .args([path.parent().unwrap(), &std::env::current_exe().unwrap()])
            .env("READ_ONLY_STORE", &path)
            .env("READ_ONLY_RUN", run.to_string())
            .output();
        match outcome {
            Ok(output) if output.status.success() => {
                assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
            }
            Ok(output) if output.status.code() == Some(101) => panic!("{}", String::from_utf8_lossy(&output.stdout)),
            // A container may forbid mounts: nothing was tried then, and it says so.
            refused => println!("NOT TRIED, no mount namespace here: {refused:?}"),
        }
    }
}

/// The inside of the test above.
#[test]
#[ignore = "run by a_store_on_a_read_only_disk_is_read_and_says_why_it_is_not_written in a mount of its own"]
fn within_a_read_only_mount() {
    let path = PathBuf::from(std::env::var_os("READ_ONLY_STORE").unwrap());
    let run = std::env::var("READ_ONLY_RUN").unwrap().parse().unwrap();
    assert!(fs::write(path.with_extension("probe"), "x").is_err(), "the mount can be written");
    let store = SqliteStore::open(&path, Mode::Write).unwrap();
    assert!(store.read_only().unwrap().contains("read-only"), "{:?}", store.read_only());
    assert_eq!(found(&store, "alpha"), [run]);
    store_error(&append(&store, run, 5, vec![started("write", 2)]).unwrap_err(), &path);
    let other = path.with_file_name("other.db");
    store_error(&refused(&other, Mode::Write), &other);
}
