//! Another process holds the store locked when something is to be saved, or the store has lost something: the real binary
//! says so, and nothing that came is lost.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStderr};

use crate::support::cli::Home;
use crate::support::patience::until;

/// Works until it may end, and counts how often it did.
const WORK: &str = r#"
id = "work"
name = "Work"
[[steps]]
id = "work"
kind = "command"
argv = ["sh", "-c", "echo begun >> begun; while ! [ -e go ]; do sleep 0.02; done; echo worth its price"]
approve = "never"
"#;

/// A run that works, a lock that was taken meanwhile, and what the program says once the work has met the lock.
fn locked() -> (Home, rusqlite::Connection, Child, BufReader<ChildStderr>) {
    let home = Home::new();
    home.write("workflows/work/workflow.toml", WORK);
    let mut stepwell = home.command(env!("CARGO_BIN_EXE_stepwell")).args(["run", "work"]).spawn().unwrap();
    let mut said = BufReader::new(stepwell.stderr.take().unwrap());
    until("the work", || home.path().join("begun").exists());
    let other = rusqlite::Connection::open(home.path().join("stepwell.db")).unwrap();
    other.busy_timeout(crate::support::patience::PATIENCE).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    home.write("go", "");
    let mut line = String::new();
    while !line.contains("locked") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "it ended without a word about the lock");
    }
    (home, other, stepwell, said)
}

fn times(home: &Home) -> usize {
    std::fs::read_to_string(home.path().join("begun")).unwrap().lines().count()
}

#[test]
fn an_answer_that_meets_a_locked_store_is_saved_once_the_lock_is_free() {
    let (home, other, mut stepwell, _said) = locked();
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(stepwell.wait().unwrap().code(), Some(0));
    let run = home.show("last");
    assert_eq!((&run["status"], &run["result"]["body"]), (&"completed".into(), &"worth its price".into()));
    assert_eq!(times(&home), 1);
}

#[test]
fn it_is_not_lost_either_when_the_program_is_killed_before_the_lock_is_free() {
    let (home, other, mut stepwell, _said) = locked();
    stepwell.kill().unwrap();
    stepwell.wait().unwrap();
    other.execute_batch("ROLLBACK").unwrap();
    home.step("resume last").exits(0);
    let run = home.show("last");
    assert_eq!((&run["status"], &run["result"]["body"]), (&"completed".into(), &"worth its price".into()));
    let attempts = run["calls"][0]["attempts"].as_array().unwrap();
    assert_eq!((attempts.len(), &attempts[0]["status"], times(&home)), (1, &"accepted".into(), 1));
}

/// Another process has the store locked while a person answers a run that nobody drives.
#[test]
fn an_answer_to_a_run_that_nobody_drives_waits_for_the_lock_and_says_so() {
    let home = Home::new();
    home.step("run poem -i topic=sea -i stanzas=1 --review stop").exits(3);
    let mut plan = home.show("last")["calls"][0]["output"].clone();
    plan[0]["subject"] = "typed with care".into();
    home.write("edit.json", &plan.to_string());
    let other = rusqlite::Connection::open(home.path().join("stepwell.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut review = home.command(env!("CARGO_BIN_EXE_stepwell"));
    review.args(["review", "last", "divide", "--edit"]).arg(home.path().join("edit.json")).args(["--review", "stop"]);
    let mut stepwell = review.spawn().unwrap();
    let mut said = BufReader::new(stepwell.stderr.take().unwrap()).lines();
    let mut says =
        |what: &str| while !said.next().unwrap_or_else(|| panic!("it does not say {what}")).unwrap().contains(what) {};
    says("waiting for it");
    assert_eq!(home.show("last")["calls"][0]["attempts"][0]["versions"].as_array().unwrap().len(), 1);
    other.execute_batch("ROLLBACK").unwrap();
    says("it is saved");
    drop(said);
    assert_eq!(stepwell.wait().unwrap().code(), Some(3));
    let versions = &home.show("last")["calls"][0]["attempts"][0]["versions"];
    assert_eq!(versions[1]["output"][0]["subject"], "typed with care");
}

#[test]
fn whoever_gives_up_waiting_for_the_lock_has_changed_nothing() {
    let home = Home::new();
    home.step("run poem -i topic=sea -i stanzas=1 --review stop").exits(3);
    let other = rusqlite::Connection::open(home.path().join("stepwell.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut review = home.command(env!("CARGO_BIN_EXE_stepwell"));
    let mut stepwell = review.args(["review", "last", "divide", "--accept"]).spawn().unwrap();
    let mut said = BufReader::new(stepwell.stderr.take().unwrap()).lines();
    while !said.next().unwrap().unwrap().contains("waiting for it") {}
    let pid = rustix::process::Pid::from_child(&stepwell);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_ne!(stepwell.wait().unwrap().code(), Some(0));
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(home.show("last")["calls"][0]["status"], "review");
}

#[test]
fn a_log_that_has_lost_the_newest_changes_is_said_once_and_kept() {
    let home = Home::new();
    home.step("run poem -i topic=sea -i stanzas=1 --review stop").exits(3);
    // Held open, so that the log stays when the program ends, as it does when it is killed.
    let held = rusqlite::Connection::open(home.path().join("stepwell.db")).unwrap();
    held.query_row("SELECT count(*) FROM runs", [], |_| Ok(())).unwrap();
    home.step("review last divide --accept --review stop").exits(3);
    let copy = Home::new();
    for ending in ["", "-wal", "-shm"] {
        let name = format!("stepwell.db{ending}");
        std::fs::copy(home.path().join(&name), copy.path().join(&name)).unwrap();
    }
    let log = copy.path().join("stepwell.db-wal");
    let mut bytes = std::fs::read(&log).unwrap();
    let page = bytes.len() / (4096 + 24) / 2 * (4096 + 24) + 32;
    bytes[page + 30..page + 60].fill(0xa5);
    std::fs::write(&log, &bytes).unwrap();
    let told = copy.step("history").exits(0);
    assert!(told.err.contains("the log of the store") && told.err.contains("-wal.damaged"), "{}", told.err);
    assert_eq!(std::fs::read(copy.path().join("stepwell.db-wal.damaged")).unwrap(), bytes);
    assert!(!copy.step("history").exits(0).err.contains("damaged"), "it is said once");
    let logged = std::fs::read_dir(copy.path().join("state/logs")).unwrap();
    let logged: String = logged.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    assert!(logged.contains("-wal.damaged"), "{logged}");
    assert!(!home.step("history").exits(0).err.contains("damaged"));
    drop(held);
}

#[test]
fn nothing_is_left_beside_the_store_when_a_command_has_ended() {
    let home = Home::new();
    let log = home.path().join("stepwell.db-wal");
    for (line, code) in [
        // The run waits, and would go on in the same process if it were answered there.
        ("run poem -i topic=sea -i stanzas=1 --review stop", 3),
        ("review last divide --retry shorter --review stop", 3),
        ("review last divide --accept --review accept", 0),
        ("show last", 0),
        ("review last nothing --accept", 2),
    ] {
        home.step(line).exits(code);
        assert!(!log.exists(), "after `{line}`");
    }
}

/// Each opens the store, writes and closes it while others do.
#[test]
fn processes_that_come_and_go_at_the_same_time_lose_nothing() {
    let home = Home::new();
    home.write(
        "workflows/quick/workflow.toml",
        "id = \"quick\"\nname = \"Quick\"\n\n[[steps]]\nid = \"say\"\nkind = \"transform\"\nexpr = \"'done'\"\n",
    );
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..15 {
                    let done = home.step("run quick").exits(0);
                    assert_eq!((done.out.trim(), done.err.trim()), ("done", ""), "nothing is wrong with the store");
                }
            });
        }
    });
    let runs = home.step("history --status completed --limit 100 --json").exits(0).lines();
    assert_eq!(runs.len(), 60);
}
