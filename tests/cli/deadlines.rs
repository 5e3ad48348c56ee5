//! Deadlines as they are read and met on the command line.
#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use crate::support::cli::Home;

/// A run that waits at a step whose gates stay open for two days, and that nobody drives.
fn waiting(then: &str) -> Home {
    let home = Home::new();
    home.write(
        "workflows/late/workflow.toml",
        &format!(
            "id = \"late\"\nname = \"Late\"\n\n[[steps]]\nid = \"draft\"\nprompt = \"Say something\"\nreview = \"never\"\n\
             decide_within = \"2d\"\non_timeout = \"{then}\"\n"
        ),
    );
    home.step("run late").exits(0);
    home.step("reopen last draft").exits(3);
    home
}

/// The same, three days later: all that happened is that much longer ago.
fn overdue(then: &str) -> Home {
    let home = waiting(then);
    let store = rusqlite::Connection::open(home.path().join("stepwell.db")).unwrap();
    store.execute_batch("DROP TRIGGER events_are_not_changed").unwrap();
    store.execute("UPDATE events SET at = at - 3 * 86400 * 1000000000", []).unwrap();
    drop(store);
    // The list has it from the events.
    home.step("doctor --rebuild").exits(0);
    home
}

#[test]
fn readers_say_that_a_deadline_has_passed_and_change_nothing() {
    let home = overdue("skip");
    for line in ["show last", "history"] {
        let done = home.step(line).exits(0);
        assert!(done.out.contains("deadline passed: will skip"), "{}", done.out);
    }
    let run = home.show("last");
    let deadline = &run["waiting"][0]["deadline"];
    assert_eq!((&deadline["passed"], &deadline["then"]), (&true.into(), &"skip".into()), "{run:#}");
    let row: serde_json::Value = serde_json::from_str(home.step("history --json").out.trim()).unwrap();
    assert_eq!(row["deadline"], *deadline);
    assert_eq!(home.show("last")["calls"][0]["status"], "review", "who reads decides nothing");
}

#[test]
fn readers_say_until_when_something_waits() {
    let home = waiting("fail");
    let run = home.show("last");
    let deadline = &run["waiting"][0]["deadline"];
    assert_eq!((&deadline["passed"], &deadline["then"]), (&false.into(), &"fail".into()), "{run:#}");
    let at = deadline["at"].as_str().unwrap();
    let shown = format!("deadline {} {}: will fail", &at[..10], &at[11..16]);
    for line in ["show last", "history"] {
        let done = home.step(line).exits(0);
        assert!(done.out.contains(&shown), "{shown} is not in\n{}", done.out);
    }
}

#[test]
fn a_decision_that_comes_too_late_changes_nothing_more_and_says_why() {
    let home = overdue("skip");
    let done = home.step("review last draft --accept").exits(2);
    assert!(done.err.contains("a deadline had passed: `draft` was skipped"), "{}", done.err);
    assert_eq!(home.show("last")["calls"][0]["status"], "skipped");
    // What a decision makes of it afterwards counts.
    home.step("review last draft --again").exits(0);
    assert_eq!(home.show("last")["calls"][0]["status"], "accepted");
}

/// What is listed costs no look into the runs: one that cannot even be read is listed with its deadline.
#[test]
fn the_list_says_a_deadline_without_reading_the_run() {
    let home = waiting("skip");
    let shown = home.step("history").exits(0).out;
    let store = rusqlite::Connection::open(home.path().join("stepwell.db")).unwrap();
    store
        .execute_batch("DROP TRIGGER events_are_not_changed; UPDATE events SET body = '{' WHERE place & 255 = 2")
        .unwrap();
    drop(store);
    home.step("show last").exits(5);
    assert_eq!(home.step("history").exits(0).out, shown);
}

#[test]
fn whoever_resumes_applies_it_before_a_policy_answers() {
    let home = overdue("skip");
    home.step("resume last --review accept").exits(0);
    assert_eq!(home.show("last")["calls"][0]["status"], "skipped");
}
