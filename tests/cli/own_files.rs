//! A command that names a file of its definition's folder, with the real binary and a real folder.
#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use std::path::Path;

use crate::support::cli::Home;
use crate::support::patience::until;

const WORKFLOW: &str = "id = \"price\"\nname = \"Price\"\n\n[[inputs]]\nname = \"word\"\n\n[[steps]]\nid = \"ask\"\nkind = \"command\"\nargv = [\"sh\", \"@/tools/price.sh\", \"{{ inputs.word }}\"]\n";

#[test]
fn a_file_beside_the_workflow_is_checked_trusted_shown_and_run_from_a_copy() {
    let home = Home::new();
    home.write("defs/workflows/price/workflow.toml", WORKFLOW);
    let missing = home.step("check defs").exits(4);
    let said = format!("{}{}", missing.out, missing.err);
    assert!(said.contains("workflow.toml:10:15: `@/tools/price.sh` is a file of the definition's folder: there is no file `tools/price.sh`"), "{said}");
    home.write("defs/workflows/price/tools/price.sh", ". \"$(dirname \"$0\")/rates.sh\"\necho \"$1 costs $RATE\"\n");
    home.write("defs/workflows/price/tools/rates.sh", "RATE=3\n");
    home.step("check defs").exits(0);
    home.step("run price --dir defs -i word=tea").exits(4);
    home.step("trust defs").exits(0);
    let waits = home.step("run price --dir defs -i word=tea").exits(3);
    assert!(waits.out.contains("@/tools/price.sh (element 2) = SHA-256 "), "{}", waits.out);
    // What runs is what was kept, whatever becomes of the folder.
    home.write("defs/workflows/price/tools/price.sh", "echo something else\n");
    home.step("review last --approve").exits(0);
    assert_eq!(home.call("ask")["output"], "tea costs 3");
    let changed = home.step("run price --dir defs -i word=tea").exits(4);
    assert!(changed.err.contains("has changed since it was trusted"), "{}", changed.err);
}

const WAITS: &str = "id = \"slow\"\nname = \"Slow\"\n\n[[steps]]\nid = \"wait\"\nkind = \"command\"\nargv = [\"sh\", \"@/wait.sh\"]\napprove = \"never\"\n";

/// What is left of a run whose process was killed goes once nothing works in it any more.
#[test]
fn the_copy_of_a_process_that_was_killed_is_removed_by_the_next_one_when_its_program_has_ended() {
    let home = Home::new();
    home.write("workflows/slow/workflow.toml", WAITS);
    home.write("workflows/slow/wait.sh", "touch begun\nwhile ! [ -e go ]; do sleep 0.02; done\ntouch ended\n");
    let temporary = home.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let left = || std::fs::read_dir(&temporary).unwrap().count();
    let step = |line: &str| {
        let mut command = home.command(env!("CARGO_BIN_EXE_stepwell"));
        assert!(command.args(line.split(' ')).env("TMPDIR", &temporary).output().unwrap().status.success(), "{line}");
    };
    let mut run = home.command(env!("CARGO_BIN_EXE_stepwell"));
    let mut stepwell = run.args(["run", "slow"]).env("TMPDIR", &temporary).spawn().unwrap();
    until("the program", || home.path().join("begun").exists());
    step("history");
    assert_eq!(left(), 1, "its owner lives");
    stepwell.kill().unwrap();
    stepwell.wait().unwrap();
    if Path::new("/proc/self/cwd").exists() {
        step("history");
        assert_eq!(left(), 1, "the program still works in it");
    }
    home.write("go", "");
    until("its end", || home.path().join("ended").exists());
    until("the sweep", || {
        step("history");
        left() == 0
    });
}
