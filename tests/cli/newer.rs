//! A run that a later version wrote: this one reads, shows, finds and exports it, says so, and leaves it alone.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

use crate::support::cli::Home;
use serde_json::Value;

/// An event of no version yet. What it says is written in a way that no version would, so that it shows whether it is
/// given back as it was.
const RETURNED: &str =
    r#"{"type":"tool_returned","key":"divide","outcome":{"text":"a lighthouse","n":1.50,"list":[ ]}}"#;

/// A gate of no version yet.
const GATE: &str =
    r#"{"type":"gate_opened","key":"divide","for":"tools","call":"1.0","attempt":1,"version":0,"allowed":["approve"]}"#;

/// A home with a run of `poem` that waits for a review, in which a later version has written these events.
fn home(bodies: &[&str]) -> Home {
    let home = Home::new();
    home.step("run poem -i topic=harbour --review stop").exits(3);
    let raw = rusqlite::Connection::open(home.path().join("stepwell.db")).unwrap();
    for body in bodies {
        raw.execute("INSERT INTO events SELECT max(place) + 1, max(at) + 1, ?1 FROM events", [body]).unwrap();
    }
    home
}

#[test]
fn a_run_of_a_newer_version_is_shown_found_and_exported_and_every_place_says_what_it_is() {
    let home = home(&[RETURNED, GATE]);
    let said = "written by a newer version";
    assert!(home.step("show last").exits(0).out.contains(said));
    let shown = home.show("last");
    assert_eq!((&shown["newer"], &shown["calls"][0]["status"]), (&true.into(), &"review".into()));
    let events = home.step("show last --events").exits(0).out;
    for body in [RETURNED, GATE] {
        let last = events.lines().find(|line| line.ends_with(&body[1..]));
        assert!(last.is_some(), "{body} is not as it was written in\n{events}");
    }
    assert!(home.step("history").exits(0).out.contains(said));
    assert_eq!(home.step("history --json").exits(0).lines()[0]["newer"], true);
    assert_eq!(home.step("history harbour --json").exits(0).lines().len(), 1);
    home.step("doctor --rebuild").exits(0);
    for words in ["harbour", "lighthouse"] {
        assert_eq!(home.step(&format!("history {words} --json")).exits(0).lines().len(), 1, "{words}");
    }
    assert!(home.step("export last --format md --scope full").exits(0).out.contains(said));
    let exported: Value =
        serde_json::from_str(&home.step("export last --format json --scope full").exits(0).out).unwrap();
    assert_eq!(exported, shown);
}

#[test]
fn a_run_of_a_newer_version_is_not_driven_nor_decided_on() {
    let home = home(&[GATE]);
    let events = home.step("show last --events").exits(0).out;
    for command in [
        "resume last --json",
        "resume last --update --json",
        "review last --accept --json",
        "review last divide --skip --json",
        "review last --all --accept --json",
        "fork last --at divide --json",
    ] {
        home.step(command).refused(2, "newer");
        assert_eq!(home.step("show last --events").exits(0).out, events, "{command}");
    }
    for command in ["reopen last divide", "cancel last"] {
        home.step(command).exits(2);
        assert_eq!(home.step("show last --events").exits(0).out, events, "{command}");
    }
    assert_eq!(home.step("history --json").exits(0).lines().len(), 1);
    // Its inputs are known: a new run may be made of them.
    home.step("rerun last --review stop").exits(3);
    assert_eq!(home.show("last")["newer"], false);
}

#[test]
fn a_run_that_a_newer_version_created_is_printed_event_by_event_and_its_own_kind_is_no_damage() {
    let home = home(&[]);
    let raw = rusqlite::Connection::open(home.path().join("stepwell.db")).unwrap();
    raw.execute_batch("DROP TRIGGER events_are_not_changed").unwrap();
    let body = r#"{"type":"run_created","task":"poem","kind":"choir","title":"lamps"}"#;
    raw.execute("UPDATE events SET body = ?1 WHERE place & 0xffffff = 1", [body]).unwrap();
    let events = home.step("show last --events").exits(0);
    assert!(events.out.lines().next().unwrap().ends_with(&body[1..]), "{}", events.out);
    for command in ["show last --json", "resume last --json", "review last --accept --json"] {
        home.step(command).refused(5, "newer");
    }
    home.step("show last").exits(5);
    home.step("history").exits(0);
}
