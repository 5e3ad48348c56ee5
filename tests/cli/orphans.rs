//! A command goes on when Stepwell is killed: what is said of it, and that it never runs twice at once.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

use std::path::Path;

use crate::support::cli::Home;
use crate::support::patience::until_some;

/// Writes its process id, says something, and hangs; from the second time on it ends at once.
const PROGRAM: &str = r#"
id = "act"
name = "Act"
[[steps]]
id = "work"
kind = "command"
argv = ["sh", "-c", "test -e again && echo done && exit; touch again; echo half the work; echo $$ > pid; exec sleep 300"]
approve = "never"
"#;

fn runs(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z"))
}

/// A home with a run whose command goes on although Stepwell was killed, and the command's process.
fn killed(rules: &str) -> (Home, String) {
    let home = Home::new();
    home.write("workflows/act/workflow.toml", &format!("{PROGRAM}{rules}"));
    let mut stepwell = home.command(env!("CARGO_BIN_EXE_stepwell")).args(["run", "act"]).spawn().unwrap();
    let pid = until_some("its process id", || {
        std::fs::read_to_string(home.path().join("pid")).ok().filter(|pid| pid.ends_with('\n'))
    });
    until_some("what it said", || {
        find(&home.path().join("state/spool"), "partial").filter(|file| !std::fs::read(file).unwrap().is_empty())
    });
    stepwell.kill().unwrap();
    stepwell.wait().unwrap();
    (home, pid.trim().to_owned())
}

fn find(folder: &Path, extension: &str) -> Option<std::path::PathBuf> {
    let run = std::fs::read_dir(folder).ok()?.flatten().next()?.path();
    let mut files = std::fs::read_dir(run).ok()?.flatten().map(|file| file.path());
    files.find(|file| file.extension().is_some_and(|found| found == extension))
}

#[test]
fn what_still_runs_is_said_and_ended_before_it_runs_again() {
    let (home, pid) = killed("");
    let waits = home.step("resume last").exits(3);
    assert!(waits.out.contains(&format!("still running then (process {pid})")), "{}", waits.out);
    assert!(waits.out.contains("half the work"), "{}", waits.out);
    assert!(runs(&pid), "it is left alone until a person decides");
    // Another process comes by without deciding anything.
    home.step("resume last").exits(3);
    assert!(runs(&pid));
    let done = home.step("review last --again").exits(0);
    assert_eq!(done.out.trim(), "done");
    assert!(!runs(&pid));
    assert!(find(&home.path().join("state/spool"), "program").is_none());
    assert_eq!(home.call("work")["attempts"][0]["status"], "cancelled");
}

#[test]
fn what_may_run_again_by_itself_never_runs_twice_at_once() {
    let (home, pid) = killed("idempotent = true\n");
    assert_eq!(home.step("resume last").exits(0).out.trim(), "done");
    assert!(!runs(&pid));
}

#[test]
fn what_is_skipped_or_cancelled_is_ended() {
    for how in ["review last --skip", "cancel last"] {
        let (home, pid) = killed("");
        home.step("resume last").exits(3);
        home.step(how);
        assert!(!runs(&pid), "{how}");
    }
}

#[test]
fn what_worked_as_a_person_says_is_left_alone() {
    let (home, pid) = killed("");
    home.step("resume last").exits(3);
    let done = home.run(["review", "last", "--answer", "\"it worked\""]).exits(0);
    assert_eq!(done.out.trim(), "it worked");
    assert!(runs(&pid));
    std::process::Command::new("kill").arg(&pid).status().unwrap();
}
