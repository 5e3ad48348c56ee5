//! An end that nothing holds up: what computes without end is given up, the first Ctrl-C is obeyed whatever is under way,
//! and the second ends the process with the programs that it has started.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use std::path::Path;
use std::process::{Child, Stdio};

use crate::support::cli::Home;
use crate::support::patience::{until, until_some};
use rustix::process::{Pid, Signal, kill_process};

fn runs(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z"))
}

fn start(home: &Home, line: &str) -> Child {
    let mut command = home.command(env!("CARGO_BIN_EXE_stepwell"));
    command.args(line.split(' ')).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn interrupt(child: &Child) {
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), Signal::INT).unwrap();
}

/// What a program wrote into a file, once it has.
fn written(file: &Path) -> String {
    until_some("what the program writes", || {
        std::fs::read_to_string(file).ok().filter(|text| text.ends_with('\n')).map(|text| text.trim().to_owned())
    })
}

#[test]
fn a_script_that_nothing_can_interrupt_is_given_up() {
    for built_in in [
        "[].copyWithin.call({ length: 2 ** 53 - 1 }, 0, 1)",
        "[].indexOf.call({ length: 2 ** 53 - 1 }, 1)",
        "[].join.call({ length: 2 ** 53 - 1 }, \"\")",
    ] {
        let home = Home::new();
        home.write("workflows/hang/workflow.toml", "id = \"hang\"\nname = \"Hang\"\nflow = \"main.js\"\n");
        home.write("workflows/hang/main.js", &format!("export default async function () {{\n  {built_in};\n}}\n"));
        let failed = home.step("run hang").exits(1);
        assert!(failed.err.contains("main.js:") && failed.err.contains("300 ms"), "{built_in}: {}", failed.err);
        assert_eq!(home.show("last")["status"], "failed");
    }
}

#[test]
fn the_first_ctrl_c_is_obeyed_while_a_program_computes() {
    let home = Home::new();
    let pid = home.path().join("pid");
    home.write("workflows/hang/workflow.toml", "id = \"hang\"\nname = \"Hang\"\nflow = [\"sh\", \"main.sh\"]\n");
    home.write("workflows/hang/main.sh", &format!("echo $$ > {}\nexec sleep 600\n", pid.display()));
    for line in ["run hang", "resume last"] {
        let _ = std::fs::remove_file(&pid);
        let mut stepwell = start(&home, line);
        let program = written(&pid);
        interrupt(&stepwell);
        assert_eq!(stepwell.wait().unwrap().code(), Some(130), "{line}");
        assert_eq!(home.show("last")["status"], "paused", "{line}");
        assert!(!runs(&program), "{line}");
    }
}

/// A server of tools that never answers, hears of its end, and does not obey.
fn with_a_deaf_server() -> Home {
    let home = Home::new();
    let program = "trap 'echo told > told' TERM; echo $$ > pid; while :; do sleep 600 & wait; done";
    home.write(
        "config.toml",
        &format!("[tools.deaf]\ncommand = [\"sh\", \"-c\", {program:?}]\ncwd = '{}'\n", home.path().display()),
    );
    home.write(
        "workflows/ask/workflow.toml",
        "id = \"ask\"\nname = \"Ask\"\n[[steps]]\nid = \"ask\"\nkind = \"tool\"\ntool = \"deaf/x\"\napprove = \"never\"\n",
    );
    home
}

#[test]
fn a_server_of_tools_that_does_not_answer_ends_with_whoever_asked_it() {
    for line in ["tools", "tools deaf", "doctor", "tools call deaf/x --yes"] {
        let home = with_a_deaf_server();
        let mut stepwell = start(&home, line);
        let pid = written(&home.path().join("pid"));
        interrupt(&stepwell);
        assert_eq!(stepwell.wait().unwrap().code(), Some(130), "{line}");
        until("the server has ended", || !runs(&pid));
    }
}

#[test]
fn the_second_ctrl_c_ends_the_process_and_servers_of_tools_that_do_not_obey() {
    for line in ["tools", "run ask --approve all"] {
        let home = with_a_deaf_server();
        let mut stepwell = start(&home, line);
        let pid = written(&home.path().join("pid"));
        interrupt(&stepwell);
        written(&home.path().join("told"));
        interrupt(&stepwell);
        assert_eq!(stepwell.wait().unwrap().code(), Some(130), "{line}");
        until("the server has ended", || !runs(&pid));
    }
}

#[test]
fn the_second_ctrl_c_ends_the_process_and_what_it_started() {
    let home = Home::new();
    let program = "trap 'echo told > told' TERM; echo $$ > pid; while :; do sleep 600 & wait; done";
    home.write(
        "workflows/deaf/workflow.toml",
        &format!("id = \"deaf\"\nname = \"Deaf\"\n[[steps]]\nid = \"work\"\nkind = \"command\"\nargv = [\"sh\", \"-c\", \"{program}\"]\napprove = \"never\"\n"),
    );
    let mut stepwell = start(&home, "run deaf");
    let pid = written(&home.path().join("pid"));
    interrupt(&stepwell);
    written(&home.path().join("told"));
    interrupt(&stepwell);
    assert_eq!(stepwell.wait().unwrap().code(), Some(130));
    until("the program has ended", || !runs(&pid));
    assert_eq!(home.step("resume last").exits(3).code, 3, "whether it worked is for a person to say");
}

#[test]
fn a_run_that_is_cancelled_while_its_program_computes_ends_at_once() {
    let home = Home::new();
    let pid = home.path().join("pid");
    home.write("workflows/hang/workflow.toml", "id = \"hang\"\nname = \"Hang\"\nflow = [\"sh\", \"main.sh\"]\n");
    home.write("workflows/hang/main.sh", &format!("echo $$ > {}\nexec sleep 600\n", pid.display()));
    let mut stepwell = start(&home, "run hang");
    let program = written(&pid);
    home.step("cancel last").exits(0);
    // Whoever drives it hears of it when the program answers, or when it is told to leave.
    interrupt(&stepwell);
    stepwell.wait().unwrap();
    assert_eq!(home.show("last")["status"], "cancelled");
    assert!(!runs(&program));
}
