//! A store that is damaged inside: what is said, that nothing is lost by it, and that the file stays.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

use std::fs;

use crate::support::cli::Home;

/// Fills the first page of a table with what cannot be there.
fn damage(home: &Home, table: &str) -> Vec<u8> {
    let path = home.path().join("stepwell.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let page: usize =
        db.query_row("SELECT rootpage FROM sqlite_schema WHERE name = ?1", [table], |row| row.get(0)).unwrap();
    drop(db);
    let mut bytes = fs::read(&path).unwrap();
    bytes[(page - 1) * 4096..page * 4096].fill(0xa5);
    fs::write(&path, &bytes).unwrap();
    bytes
}

#[test]
fn doctor_finds_a_page_that_is_damaged() {
    let home = Home::new();
    home.step("run poem -i topic=sea -i stanzas=1").exits(3);
    assert!(home.step("doctor").exits(0).out.contains("every page is sound"));
    let bytes = damage(&home, "lessons");
    let told = home.step("doctor").exits(5);
    assert!(told.out.contains(".recover"), "{}", told.out);
    assert_eq!(fs::read(home.path().join("stepwell.db")).unwrap(), bytes);
    // What does not need that page goes on.
    assert!(home.step("show last").exits(0).out.contains("divide"));
}

#[test]
fn a_page_that_is_damaged_is_met_while_running_and_the_text_is_not_lost() {
    let home = Home::new();
    home.step("run poem -i topic=sea -i stanzas=1").exits(3);
    let mut plan = home.call("divide")["output"].clone();
    plan[0]["subject"] = "my own words".into();
    damage(&home, "pending");
    let told = home.piped("review last divide --edit - --accept", plan.to_string().as_bytes()).exits(5);
    assert!(told.err.contains("my own words"), "{}", told.err);
    assert!(home.path().join("stepwell.db").exists());
    assert_eq!(home.call("divide")["status"], "review", "nothing was recorded");
}

#[test]
fn a_journal_that_is_damaged_ends_with_the_reason() {
    let home = Home::new();
    home.step("run poem -i topic=sea -i stanzas=1").exits(3);
    let bytes = damage(&home, "events");
    for line in ["resume last", "review last --accept", "show last", "run poem -i topic=sea -i stanzas=1"] {
        let why = home.step(&format!("{line} --json")).refused(5, "store");
        assert!(why.contains("stepwell.db"), "{line}: {why}");
    }
    assert_eq!(fs::read(home.path().join("stepwell.db")).unwrap().len(), bytes.len());
}
