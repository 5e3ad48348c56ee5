//! `[notify]`: what a person is told who does not look.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

use crate::support::cli::Home;
use crate::support::patience::until_some;

/// What was notified, once it is as much as this.
fn notified(home: &Home, count: usize) -> Vec<String> {
    until_some("a word of it", || {
        let text = std::fs::read_to_string(home.path().join("told")).unwrap_or_default();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        (lines.len() >= count).then_some(lines)
    })
}

fn home() -> Home {
    let home = Home::new();
    let command = "[notify]\ncommand = [\"sh\", \"-c\", \"echo \\\"$STEPWELL_STATUS: $1\\\" >> told\", \"sh\"]\n";
    home.write("config.toml", command);
    home
}

#[test]
fn a_run_that_goes_on_by_policy_waits_for_nobody_and_tells_only_its_end() {
    let home = home();
    home.step("run poem -i topic=sea -i stanzas=3 --review accept").exits(0);
    let lines = notified(&home, 1);
    assert_eq!((lines.len(), lines[0].starts_with("completed: sea: completed (")), (1, true), "{lines:?}");
    assert!(!home.step("show last --events").out.contains("run_waiting"));
}

#[test]
fn each_time_that_a_person_is_waited_for_is_told_once() {
    let home = home();
    home.step("run poem -i topic=sea -i stanzas=1").exits(3);
    notified(&home, 1);
    home.step("review last --accept").exits(3);
    notified(&home, 2);
    home.step("review last --accept").exits(0);
    let statuses: Vec<String> =
        notified(&home, 3).iter().map(|line| line.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(statuses, ["waiting", "waiting", "completed"]);
}
