//! Programs over a journal in memory: real ones, in a shell, with jq and in Python.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::core::decide::DecisionKind;
use crate::core::failure::FailureClass;
use crate::core::gate::GateKind;
use crate::core::pinned::Pinned;
use crate::core::task::Task;
use crate::flow::scripted::Scripted;
use crate::flow::testing::{Sim, prompt, workflow_with};
use crate::flow::{End, Flow as _};

fn program(argv: &[&str], files: &[(&str, &str)]) -> Task {
    let steps = json!([
        prompt("write", "{{ text }}", &json!({ "review": "never" })),
        prompt("draft", "{{ text }}", &json!({ "review": "always" })),
    ]);
    let sources: BTreeMap<&str, &str> = files.iter().copied().collect();
    workflow_with(&steps, &json!({ "flow": { "process": { "argv": argv, "sources": sources } } }))
}

fn shell(script: &str) -> Task {
    program(&["sh", "main.sh"], &[("main.sh", script)])
}

fn why(sim: &Sim) -> (String, Option<String>) {
    match &sim.end {
        Some(End::Failed { failure, .. }) => (failure.message.clone(), failure.detail.clone()),
        other => panic!("not failed but {other:?}"),
    }
}

/// Whether a program is there; says loudly when a test is skipped for want of it.
fn has(program: &str) -> bool {
    let found = std::process::Command::new(program).arg("--version").output().is_ok_and(|out| out.status.success());
    if !found {
        eprintln!("SKIPPED: `{program}` is not installed, so this test tests nothing");
    }
    found
}

const JQ: &str = r#"
say() { printf '%s\n' "$1"; }
read -r start
topic=$(printf '%s' "$start" | jq -r .start.inputs.topic)
say "$(jq -nc --arg t "$topic" '{call: {id: 1, name: "write", with: {text: $t}}}')"
say '{"idle": true}'
read -r line
first=$(printf '%s' "$line" | jq -r .result.output)
say "$(jq -nc --arg t "$first" '{call: {id: 2, name: "draft", with: {text: ($t + "?")}, options: {key: "last"}}}')"
say '{"idle": true}'
read -r line || exit 0
say "$(printf '%s' "$line" | jq -c '{done: {title: "T", body: .result.output}}')"
"#;

#[test]
fn a_client_in_shell_with_jq_is_written_from_the_contract_alone() {
    if !has("jq") {
        return;
    }
    let mut sim = Sim::new(shell(JQ), json!({ "topic": "sea" }));
    assert_eq!(sim.waiting(GateKind::Review), ["last"]);
    sim.decide("last", DecisionKind::Edit { output: json!("mine"), accept: true });
    assert_eq!(sim.body(), "mine");
    assert_eq!(sim.performed, ["write[0]", "last"], "it was started again and nothing was paid for twice");
}

const PYTHON: &str = r#"
import asyncio
import stepwell


async def main(run, inputs):
    print("printed")
    run.log("begun", await run.now() >= 0)
    both = await asyncio.gather(*(run.step("draft", {"text": text}) for text in inputs["texts"]))
    try:
        await run.step("wrong" if False else "write", {})
    except stepwell.CallFailed as error:
        run.log(error.cls, error.key)
    run.document("side", {"title": "S", "body": run.uuid()})
    run.state["seen"] = len(both)
    return {"title": "T", "body": "+".join(both) + await run.step("write", {"text": "!"}, {"key": "end"})}


if __name__ == "__main__":
    stepwell.serve(main)
"#;

#[test]
fn a_python_program_has_the_same_calls_as_a_script() {
    if !has("python3") {
        return;
    }
    let task = program(&["python3", "main.py"], &[("main.py", PYTHON)]);
    let mut sim = Sim::new(task, json!({ "texts": ["a", "b"] }));
    assert_eq!(sim.waiting(GateKind::Review), ["draft[0]", "draft[1]"], "{:?}", sim.end);
    sim.decide("draft[1]", DecisionKind::Accept);
    sim.decide("draft[0]", DecisionKind::Edit { output: json!("mine"), accept: true });
    assert_eq!(sim.body(), "mine+B!");
    let log: Vec<&str> = sim.run.log.iter().map(crate::core::text::Untrusted::data).collect();
    assert!(log.contains(&"printed") && log.contains(&"begun True") && log.contains(&"definition write[0]"), "{log:?}");
    assert_eq!(sim.run.documents["side"].versions.len(), 1, "the same whenever it is started");
    assert_eq!(sim.run.set_state["seen"].values().next().map(crate::core::revised::Revised::value), Some(&json!(2)));
}

#[test]
fn a_python_program_that_breaks_says_where() {
    if !has("python3") {
        return;
    }
    let broken = PYTHON.replace("both = await", "both = 1 / 0 or await");
    let task = program(&["python3", "main.py"], &[("main.py", &broken)]);
    let (message, detail) = why(&Sim::new(task, json!({ "texts": [] })));
    assert!(message.contains("exit code 1: ZeroDivisionError"), "{message}");
    assert!(detail.unwrap().contains("main.py\", line 9"));
}

#[test]
fn the_failure_of_a_call_that_a_program_leaves_at_that_is_the_runs() {
    let ask = "read start; echo '{\"call\": {\"id\": 1, \"name\": \"write\", \"with\": {\"text\": \"bad\"}}}'; echo '{\"idle\": 1}'; read line;";
    let by_hand =
        format!("{ask} echo '{{\"failed\": {{\"class\": \"server\", \"key\": \"write[0]\", \"message\": \"down\"}}}}'");
    let python = "import stepwell\n\nasync def main(run, inputs):\n    await run.step(\"write\", {\"text\": \"bad\"})\n\nstepwell.serve(main)\n";
    let mut tasks = vec![shell(&by_hand)];
    if has("python3") {
        tasks.push(program(&["python3", "main.py"], &[("main.py", python)]));
    }
    for task in tasks {
        let (key, failure) = Sim::performing(task, json!({}), super::failing).failure();
        assert_eq!((key.as_str(), failure.class, failure.message.as_str()), ("write[0]", FailureClass::Server, "down"));
    }
    let odd = shell("echo '{\"failed\": {\"class\": \"rain\", \"key\": \"x\", \"message\": \"y\"}}'; sleep 600");
    let (message, _) = why(&Sim::new(odd, json!({})));
    assert!(message.contains("a class that there is not: rain"), "{message}");
}

#[test]
fn a_program_that_crashes_hangs_or_breaks_the_contract_fails_the_run_with_its_reason() {
    let table: &[(&str, &str)] = &[
        ("echo oops >&2; exit 3", "ended with exit code 3: oops"),
        ("exit 0", "ended without saying that it is done"),
        ("kill -9 $$", "was ended by signal 9"),
        ("echo '{\"cal\": {}}'; sleep 600", "not of the contract"),
        ("echo '{\"call\": {\"id\": 1}'; sleep 600", "not of the contract"),
        ("printf '{\"call\": {\"id\"'", "ended in the middle of a line"),
        ("head -c 50000000 /dev/zero | tr '\\0' x; sleep 600", "a line longer than 16 MB"),
        ("exec 1>&-; sleep 600", "closed its output"),
        ("echo '{\"done\": \"x\"}'; exit 4", "exit code 4"),
        ("echo '{\"idle\": true}'; sleep 600", "waits for something that never comes"),
        ("echo '{\"call\": {\"id\": 1, \"name\": \"none\"}}'; echo '{\"idle\": 1}'; cat", "declares no step `none`"),
    ];
    for (script, expected) in table {
        let begun = Instant::now();
        let (message, _) = why(&Sim::new(shell(script), json!({})));
        assert!(message.contains(expected), "{script}: {message}");
        assert!(begun.elapsed() < Duration::from_mins(1), "{script} took {:?}", begun.elapsed());
    }
    let missing = Sim::new(program(&["no-such-program"], &[]), json!({}));
    assert!(why(&missing).0.contains("no-such-program"), "{:?}", missing.end);
}

#[test]
fn a_program_that_says_nothing_is_ended_with_all_its_children() {
    let task = shell("sleep 300 & wait");
    let sim = Sim::new(shell("echo '{\"done\": \"x\"}'"), json!({}));
    let pinned = Arc::new(Pinned { task, children: BTreeMap::new(), folder: None });
    let flow = Scripted::new(pinned).with_deadline(Duration::from_millis(300));
    let wants = flow.open(&sim.run).feed(&[]);
    let Some(End::Failed { failure, .. }) = wants.end else { panic!("{wants:?}") };
    assert!(failure.message.contains("0.3 s"), "{}", failure.message);
}

#[test]
fn what_a_program_prints_outside_of_the_contract_is_its_log_and_its_environment_is_clean() {
    let script = "echo hello; echo 'to stderr' >&2; echo '{\"log\": \"told\"}'\n\
                  echo \"{\\\"done\\\": \\\"$(env | cut -d= -f1 | sort | tr '\\n' ' ')\\\"}\"";
    let sim = Sim::new(shell(script), json!({}));
    let log: Vec<&str> = sim.run.log.iter().map(crate::core::text::Untrusted::data).collect();
    assert!(["hello", "told", "to stderr"].iter().all(|line| log.contains(line)), "{log:?}");
    let names: Vec<String> = sim.body().split_whitespace().map(str::to_owned).collect();
    // The last four are the shell's own.
    let own = ["PATH", "HOME", "LANG", "TMPDIR", "PYTHONDONTWRITEBYTECODE", "PWD", "OLDPWD", "SHLVL", "_"];
    assert!(names.iter().all(|name| own.contains(&name.as_str())), "{names:?}");
}

fn log(sim: &Sim) -> String {
    sim.run.log.iter().map(crate::core::text::Untrusted::data).collect::<Vec<_>>().join("\n")
}

/// Whether a process with this id still runs (one that ended and was not waited for does not count).
fn runs(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).is_ok_and(|stat| !stat.contains(") Z "))
}

/// A program that asks for one draft, and writes into `folder` how it is ended.
fn ended(folder: &std::path::Path, trap: &str) -> Task {
    let folder = folder.display();
    shell(&format!(
        "trap 'echo term > {folder}/term; {trap}' TERM; echo $$ > {folder}/pid; sleep 300 & echo $! > {folder}/child\n\
         read -r start\n\
         echo '{{\"call\": {{\"id\": 1, \"name\": \"draft\", \"with\": {{\"text\": \"x\"}}}}}}'; echo '{{\"idle\": 1}}'\n\
         read -r line || {{ echo eof > {folder}/eof; }}\n\
         while :; do sleep 0.02; done"
    ))
}

#[test]
fn a_program_is_told_by_the_end_of_stdin_then_to_end_and_then_killed_with_what_it_started() {
    for (trap, least) in [("exit 0", Duration::from_millis(150)), (":", Duration::from_secs(2))] {
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
        let pinned = Pinned { task: ended(folder.path(), trap), children: BTreeMap::new(), folder: None };
        let begun = Sim::new(shell("echo '{\"done\": \"x\"}'"), json!({}));
        let mut session = Scripted::new(Arc::new(pinned)).open(&begun.run);
        let wants = session.feed(&[]);
        assert_eq!(wants.calls.len(), 1, "{wants:?}");
        assert!(runs(&read("pid")) && runs(&read("child")));
        let since = Instant::now();
        drop(session);
        // It would never end by itself.
        assert!(since.elapsed() >= least, "{trap}: {:?}", since.elapsed());
        assert_eq!((read("eof").as_str(), read("term").as_str()), ("eof\n", "term\n"), "stdin was closed first");
        assert!(!runs(&read("pid")) && !runs(&read("child")), "{trap}: something is left");
    }
}

#[test]
fn a_program_that_ends_when_its_stdin_does_is_not_waited_for() {
    let pinned = Pinned { task: shell(JQ), children: BTreeMap::new(), folder: None };
    let begun = Sim::new(shell("echo '{\"done\": \"x\"}'"), json!({ "topic": "sea" }));
    let mut session = Scripted::new(Arc::new(pinned)).open(&begun.run);
    session.feed(&[]);
    let since = Instant::now();
    drop(session);
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
}

#[test]
fn what_is_configured_is_in_its_environment_and_nothing_else() {
    let pinned = Pinned {
        task: shell("echo \"mine=$MINE cargo=$CARGO cache=$PYTHONDONTWRITEBYTECODE\"; echo '{\"done\": \"x\"}'"),
        children: BTreeMap::new(),
        folder: None,
    };
    let environment = BTreeMap::from([("MINE".to_owned(), "a b".to_owned())]);
    let begun = Sim::new(shell("echo '{\"done\": \"x\"}'"), json!({}));
    let flow = Scripted::new(Arc::new(pinned)).with_environment(&environment);
    let notes = format!("{:?}", flow.open(&begun.run).feed(&[]).notes);
    assert!(notes.contains("mine=a b cargo= cache=1"), "{notes}");
}

#[test]
fn a_python_program_leaves_no_caches_in_the_folder_that_was_trusted() {
    if !has("python3") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let files = [
        (
            "main.py",
            "import helper, stepwell\n\nasync def main(run, inputs):\n    return helper.SAYS\n\nstepwell.serve(main)\n",
        ),
        ("helper.py", "SAYS = 'hi'\n"),
        ("stepwell.py", crate::flow::scripted::PYTHON),
    ];
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let task = program(&["python3", "main.py"], &files);
    let pinned = Pinned { task, children: BTreeMap::new(), folder: Some(folder.path().to_owned()) };
    let sim = Sim::of(&Arc::new(pinned), json!({}), crate::flow::testing::shout);
    assert_eq!(sim.body(), "hi");
    let mut names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["helper.py", "main.py", "stepwell.py"], "{}", log(&sim));
}

#[test]
fn a_program_that_does_not_read_holds_nobody_up() {
    let script = "echo '{\"call\": {\"id\": 1, \"name\": \"write\", \"with\": {\"text\": \"x\"}}}'; echo '{\"idle\": 1}'; sleep 600";
    let task = shell(script);
    let big = json!({ "big": "x".repeat(1_000_000) });
    let pinned = Arc::new(Pinned { task, children: BTreeMap::new(), folder: None });
    let sim = Sim::new(shell("echo '{\"done\": \"x\"}'"), big);
    let flow = Scripted::new(pinned).with_deadline(Duration::from_millis(500));
    let begun = Instant::now();
    let _: Vec<Value> = flow.open(&sim.run).feed(&[]).calls.iter().map(|want| json!(want.key)).collect();
    assert!(begun.elapsed() < Duration::from_mins(1));
}
