//! What may run, and with which text: as the program shows it, and as it is.
#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use crate::support::cli::Home;
use crate::support::patience::until_some;
use rustix::process::{Pid, Signal, kill_process};

/// What a model may write.
const PAYLOAD: &str = "$(touch PWNED) `touch PWNED` '; touch PWNED; ' \"; touch PWNED; #";

/// A workflow whose command's text is `line`, with a value that a step before it gave.
fn shell(home: &Home, line: &str) {
    let payload = PAYLOAD.replace('\\', "\\\\").replace('"', "\\\"");
    home.write(
        "workflows/say/workflow.toml",
        &format!(
            "id = \"say\"\nname = \"Say\"\n\n[[steps]]\nid = \"p\"\nkind = \"transform\"\ntemplate = \"{payload}\"\n\n\
             [[steps]]\nid = \"run\"\nkind = \"command\"\nshell = true\nargv = ['{line}']\n"
        ),
    );
}

#[test]
fn an_approval_shows_the_text_that_a_shell_runs_and_the_values_beside_it() {
    let home = Home::new();
    shell(&home, "f() { echo {{ steps.p.output }}; }; f other; echo x{{ steps.p.output }}");
    let waits = home.run(["run", "say"]).exits(3);
    assert!(waits.out.contains("f() { echo \"$STEPWELL_1\"; }; f other; echo x\"$STEPWELL_1\"\n"), "{}", waits.out);
    assert!(waits.out.contains(&format!("STEPWELL_1 = {PAYLOAD}\n")), "{}", waits.out);
    let done = home.shell(&waits.answer()).exits(0);
    assert_eq!(done.out, format!("{PAYLOAD}\nx{PAYLOAD}\n"));
    assert!(!home.path().join("PWNED").exists());
}

#[test]
fn a_value_that_another_shell_would_read_is_a_mistake_with_the_right_form() {
    let home = Home::new();
    shell(&home, "docker exec app sh -c {{ steps.p.output }}");
    let refused = home.run(["run", "say"]).exits(4);
    assert!(refused.err.contains("in the script that a shell is given"), "{}", refused.err);
    assert!(refused.err.contains("sh -c 'echo \"$1\"' sh {{ steps.p.output }}"), "{}", refused.err);
}

/// A definition that is a program in a shell, outside of the person's own folder; gives its folder.
fn program(home: &Home, script: &str, step: &str) -> std::path::PathBuf {
    let steps = format!("[[steps]]\nid = \"one\"\n{step}\n");
    home.write(
        "there/workflows/prog/workflow.toml",
        &format!("id = \"prog\"\nname = \"Prog\"\nflow = [\"sh\", \"main.sh\"]\n\n{steps}"),
    );
    let main = home.write("there/workflows/prog/main.sh", script);
    std::fs::write(main.with_file_name("data.bin"), [0xff, 0, 1, 2]).unwrap();
    main.parent().unwrap().to_owned()
}

const CALL: &str = "printf '{\"call\":{\"id\":1,\"name\":\"one\",\"with\":{}}}\\n{\"idle\":true}\\n'\n";

#[test]
fn a_file_that_came_after_trust_is_nothing_to_the_program() {
    let home = Home::new();
    let script = format!(
        "read -r start\n[ -f ./extra.sh ] && . ./extra.sh\necho x > written\n{CALL}read -r line || exit 0\n\
         printf '{{\"done\":{{\"title\":\"T\",\"body\":\"%s\"}}}}\\n' \"$(wc -c < data.bin)\"\n"
    );
    let folder = program(&home, &script, "kind = \"transform\"\ntemplate = \"x\"\nreview = \"always\"");
    let trusted = home.run(["trust", "there"]).exits(0);
    assert!(trusted.err.contains("data.bin: new, 4 bytes, not text, SHA-256"), "{}", trusted.err);
    home.run(["run", "prog", "--dir", "there"]).exits(3);
    // The program runs again from its beginning, beside what somebody put there meanwhile.
    home.write("there/workflows/prog/extra.sh", &format!("touch {}/PWNED\n", home.path().display()));
    home.write("there/workflows/prog/main.sh", &format!("touch {}/PWNED\n", home.path().display()));
    let done = home.step("review last --accept").exits(0);
    assert_eq!(done.out.trim(), "4", "a file that is no text is there, too");
    assert!(!home.path().join("PWNED").exists());
    assert!(!folder.join("written").exists(), "what a program writes is not kept");
}

#[test]
fn a_program_that_decides_what_comes_next_ends_with_stepwell() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let home = Home::new();
        let pid = home.path().join("pid");
        let script = format!("read -r start\n{CALL}sleep 300 &\necho $$ $! > {}\nwait\n", pid.display());
        let step = format!(
            "kind = \"command\"\napprove = \"never\"\nargv = [\"sh\", \"-c\", \"touch {}/begun; sleep 300\"]",
            home.path().display()
        );
        program(&home, &script, &step);
        home.run(["trust", "there"]).exits(0);
        let mut stepwell = home.command(env!("CARGO_BIN_EXE_stepwell"));
        let mut stepwell = stepwell.args(["run", "prog", "--dir", "there"]).spawn().unwrap();
        let pids = until_some("its process ids", || {
            let begun = home.path().join("begun").exists();
            std::fs::read_to_string(&pid).ok().filter(|pid| begun && pid.ends_with('\n'))
        });
        kill_process(Pid::from_child(&stepwell), signal).unwrap();
        stepwell.wait().unwrap();
        for pid in pids.split_whitespace() {
            let state = std::fs::read_to_string(format!("/proc/{pid}/stat"));
            assert!(!state.is_ok_and(|state| !state.contains(") Z")), "{pid} runs on after {signal:?}");
        }
    }
}
