//! A damaged log beside the file (`-wal`): that its newest changes are gone is said, and the log is kept.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use stepwell::core::ports::{Journal as _, Runs as _};
use stepwell::store::{Mode, SqliteStore};

use super::common::*;

/// How long a page is in the log, with its header.
const PAGE: usize = 4096 + 24;

/// The files of a store as a process leaves them that is killed after some commits, in a folder of their own.
fn killed(folder: &Path) -> PathBuf {
    let test = test_store();
    for number in 0..8 {
        write(&test.store, number, &format!("text {number}"));
    }
    for ending in ["", "-wal", "-shm"] {
        let name = format!("stepwell.db{ending}");
        fs::copy(test.folder.path().join(&name), folder.join(&name)).unwrap();
    }
    folder.join("stepwell.db")
}

fn log_of(path: &Path) -> PathBuf {
    path.with_file_name("stepwell.db-wal")
}

fn runs(store: &SqliteStore) -> usize {
    store.history(&looking_for("")).unwrap().len()
}

/// Damages the log of a killed process, and opens its store.
fn damaged(index: bool, damage: impl FnOnce(&mut Vec<u8>)) -> (tempfile::TempDir, Vec<u8>, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let path = killed(folder.path());
    let mut log = fs::read(log_of(&path)).unwrap();
    damage(&mut log);
    fs::write(log_of(&path), &log).unwrap();
    if !index {
        fs::remove_file(path.with_file_name("stepwell.db-shm")).unwrap();
    }
    let store = SqliteStore::open(&path, Mode::Write).unwrap();
    (folder, log, store)
}

#[test]
fn a_log_that_was_left_and_is_sound_is_read_and_nothing_is_said() {
    for index in [true, false] {
        let (_folder, _, store) = damaged(index, |_| {});
        assert_eq!((store.damage(), runs(&store)), (None, 8));
    }
}

#[test]
fn that_the_newest_changes_are_lost_is_said_and_the_log_is_kept() {
    type Damage = fn(&mut Vec<u8>, usize);
    let middle = |log: &Vec<u8>| log.len() / PAGE / 2 * PAGE + 32;
    let damages: [(&str, bool, Damage); 5] = [
        ("a page in the middle", true, |log, at| log[at + 100..at + 300].fill(0xa5)),
        ("the head of a page", true, |log, at| log[at..at + 24].fill(0xa5)),
        ("the end is missing", true, |log, at| log.truncate(at + 7)),
        ("one bit of a page", false, |log, at| log[at + 2000] ^= 1),
        ("the beginning of the log", false, |log, _| log[..16].fill(0)),
    ];
    for (what, needs_index, damage) in damages {
        for index in [true, false] {
            if needs_index && !index {
                continue;
            }
            let (folder, log, store) = damaged(index, |log| {
                let at = middle(log);
                damage(log, at);
            });
            let said = store.damage().unwrap_or_else(|| panic!("{what} ({index}): nothing is said")).to_owned();
            let kept = folder.path().join("stepwell.db-wal.damaged");
            assert!(said.contains(&kept.display().to_string()), "{said}");
            assert_eq!(fs::read(&kept).unwrap(), log, "{what}");
            assert!(runs(&store) < 8, "{what}");
            // It is said once, and what is written from now on is found again.
            let run = write(&store, 99, "later");
            drop(store);
            let again = SqliteStore::open(&folder.path().join("stepwell.db"), Mode::Write).unwrap();
            assert_eq!((again.damage(), again.head(run).unwrap()), (None, 5), "{what}");
        }
    }
}

#[test]
fn whoever_may_only_read_says_it_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = killed(folder.path());
    let mut log = fs::read(log_of(&path)).unwrap();
    let at = log.len() / PAGE / 2 * PAGE + 32;
    log.truncate(at);
    fs::write(log_of(&path), &log).unwrap();
    let store = SqliteStore::open(&path, Mode::Read).unwrap();
    assert!(store.damage().unwrap().contains("damaged"));
    assert_eq!(fs::read(log_of(&path)).unwrap(), log, "who only reads changes nothing");
}

#[test]
fn a_log_that_others_write_meanwhile_or_have_begun_again_is_not_taken_for_damaged() {
    let test = test_store();
    for number in 0..6 {
        write(&test.store, number, "words");
        assert_eq!(test.again().damage(), None);
        if number == 3 {
            // All of it goes into the file; the log keeps its length and is written from its beginning again.
            test.raw().query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())).unwrap();
            assert_eq!(test.again().damage(), None);
        }
    }
    // A change that was given up leaves its pages behind.
    let raw = test.raw();
    raw.execute_batch("PRAGMA cache_size = 5; PRAGMA cache_spill = 5; BEGIN IMMEDIATE").unwrap();
    for _ in 0..200 {
        raw.execute("INSERT INTO blobs (hash, text) VALUES (randomblob(32), hex(randomblob(2000)))", []).unwrap();
    }
    raw.execute_batch("ROLLBACK").unwrap();
    assert_eq!(test.again().damage(), None);
    let run = begin(&test.store, 77, json!({}));
    assert_eq!((test.again().damage(), test.again().head(run).unwrap()), (None, 1));
}

/// Each closes the file last now and then, and takes the log away, while another opens it.
#[test]
fn a_log_that_others_take_away_when_they_close_is_not_taken_for_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stepwell.db");
    drop(SqliteStore::open(&path, Mode::Write).unwrap());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let path = &path;
            scope.spawn(move || {
                for number in 0..25 {
                    let store = SqliteStore::open(path, Mode::Write).unwrap();
                    assert_eq!(store.damage(), None);
                    write(&store, 1_000 + thread * 100 + number, "words");
                }
            });
        }
    });
    assert!(!path.with_file_name("stepwell.db-wal.damaged").exists());
    assert_eq!(runs(&SqliteStore::open(&path, Mode::Read).unwrap()), 50, "as many as a list has");
}
