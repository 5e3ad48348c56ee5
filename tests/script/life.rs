//! The life of a run that is written as code, through the real program: forked, updated, killed, taken up, followed.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests may fail loudly")]

use std::process::Child;

use crate::support::cli::Home;
use crate::support::patience::until;
use serde_json::{Value, json};

/// A workflow in the home, with the files beside it.
fn workflow(home: &Home, id: &str, flow: &str, steps: &str, files: &[(&str, &str)]) {
    let head = format!("id = \"{id}\"\nname = \"A {id}\"\nflow = {flow}\n\n");
    home.write(&format!("workflows/{id}/workflow.toml"), &format!("{head}{steps}"));
    for (name, text) in files {
        home.write(&format!("workflows/{id}/{name}"), text);
    }
}

const STEPS: &str = r#"
[[steps]]
id = "plan"
prompt = "Name two parts."

[[steps]]
id = "write"
prompt = "Write about {{ part }}."
"#;

const SEQUENCE: &str = r#"
export default async function (run) {
  await run.step("plan");
  const first = await run.step("write", { part: "one" });
  const second = await run.step("write", { part: "two" });
  return [first, second].join("\n");
}
"#;

fn how_each_call_came(run: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let calls = run["calls"].as_array().unwrap().iter();
    calls.map(|call| (text(&call["key"]), text(&call["attempts"][0]["by"]))).collect()
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(key, by)| ((*key).to_owned(), (*by).to_owned())).collect()
}

#[test]
fn a_fork_of_a_script_adopts_what_had_settled_before_the_call_was_first_asked_for() {
    let home = Home::new();
    workflow(&home, "notes", "\"main.js\"", STEPS, &[("main.js", SEQUENCE)]);
    home.step("run notes --review accept").exits(0);
    home.step("fork last --at write[1]").exits(3);
    let fork = home.show("last");
    assert_eq!(
        how_each_call_came(&fork),
        pairs(&[("plan[0]", "adopted"), ("write[0]", "adopted"), ("write[1]", "model")])
    );
    assert_eq!(fork["waiting"][0]["key"], "write[1]");
    home.step("review last --accept").exits(0);

    // Side by side, the other one was not there yet when this one was asked for.
    let together = "export default async (run) => {\n  await run.step('plan');\n  const both = await Promise.all(['one', 'two'].map((part) => run.step('write', { part })));\n  return both.join('\\n');\n};\n";
    workflow(&home, "both", "\"main.js\"", STEPS, &[("main.js", together)]);
    home.step("run both --review accept").exits(0);
    home.step("fork last --at write[1]").exits(3);
    let by = how_each_call_came(&home.show("last"));
    assert_eq!(by, pairs(&[("plan[0]", "adopted"), ("write[0]", "model"), ("write[1]", "model")]));
}

#[test]
fn a_changed_script_says_which_calls_stand_run_again_or_vanish() {
    let home = Home::new();
    workflow(&home, "notes", "\"main.js\"", STEPS, &[("main.js", SEQUENCE)]);
    home.step("run notes --review accept").exits(0);
    let changed = SEQUENCE.replace("part: \"one\"", "part: \"another\"").replace(
        "const second = await run.step(\"write\", { part: \"two\" });",
        "const second = await run.step(\"plan\", {}, { key: \"end\" });",
    );
    home.write("workflows/notes/main.js", &changed);
    let done = home.step("resume last --update").exits(3);
    let line = |begin: &str| done.err.lines().find(|line| line.starts_with(begin)).unwrap_or_default().to_owned();
    // What comes after a call that is new can only be told once the script gets there.
    assert_eq!(line("stands:"), "stands: plan[0], write[1]", "{}", done.err);
    assert_eq!(line("runs again:"), "runs again: write[0]");

    // The person is asked before what had a result is made again; then what nobody calls any more is taken back.
    assert_eq!(home.show("last")["waiting"][0]["for"], "stale");
    home.step("review last --again --review accept").exits(0);
    let run = home.show("last");
    let status = |key: &str| home.call(key)["status"].clone();
    assert_eq!(home.call("plan[0]")["attempts"].as_array().unwrap().len(), 1);
    assert_eq!(home.call("write[0]")["attempts"].as_array().unwrap().len(), 2);
    assert_eq!((status("end"), status("write[1]")), (json!("accepted"), json!("skipped")), "{run:#}");

    // Without a new call in the way, what vanishes is told before.
    home.step("run notes --review accept").exits(0);
    let shorter =
        changed.replace("const second = await run.step(\"plan\", {}, { key: \"end\" });", "const second = 'x';");
    home.write("workflows/notes/main.js", &shorter);
    let done = home.step("resume last --update").exits(0);
    assert!(done.err.contains("stands: plan[0], write[0]\n"), "{}", done.err);
    assert!(done.err.contains("runs again: nothing\n") && done.err.contains("vanishes: end\n"), "{}", done.err);
}

#[test]
fn what_follows_a_script_is_told_or_started() {
    let home = Home::new();
    let then = "[[inputs]]\nname = \"word\"\n\n[[steps]]\nid = \"say\"\nkind = \"transform\"\nexpr = \"word\"\n\n\
                [[then]]\nworkflow = \"second\"\ninputs = { word = \"{{ inputs.word }}\" }\nwhen = \"inputs.word != 'stop'\"\n";
    let say = "export default async (run, inputs) => run.step('say', { word: inputs.word });";
    workflow(&home, "first", "\"main.js\"", then, &[("main.js", say)]);
    let input = "[[inputs]]\nname = \"word\"\n";
    let second = "export default async (run, inputs) => inputs.word + ' and two';";
    workflow(&home, "second", "\"main.js\"", input, &[("main.js", second)]);
    let done = home.step("run first -i word=one --next").exits(0);
    let next = done.out.lines().find_map(|line| line.strip_prefix("next: ")).unwrap_or_else(|| panic!("{}", done.out));
    assert_eq!(home.shell(next).exits(0).out, "one and two\n");
    assert_eq!(home.step("run first -i word=one --autoruns 1").exits(0).out, "one\none and two\n");
    assert_eq!(home.step("run first -i word=stop --autoruns 1").exits(0).out, "stop\n");
}

/// A step without effects, and one that says that it has begun and waits until it may end.
const SLOW: &str = r#"
[[steps]]
id = "plan"
prompt = "Name two parts."
review = "never"

[[steps]]
id = "hold"
kind = "command"
argv = ["sh", "-c", "echo begun >> begun; while [ ! -e go ]; do sleep 0.05; done; echo held"]
approve = "never"
idempotent = true
"#;

const HOLD_SCRIPT: &str = "export default async (run) => {\n  const plan = await run.step('plan');\n  return (await run.step('hold')) + plan;\n};\n";

const HOLD_PYTHON: &str = "import stepwell\n\n\nasync def main(run, inputs):\n    plan = await run.step('plan')\n    return await run.step('hold') + plan\n\n\nif __name__ == '__main__':\n    stepwell.serve(main)\n";

fn begun(home: &Home) -> usize {
    std::fs::read_to_string(home.path().join("begun")).unwrap_or_default().lines().count()
}

fn start(home: &Home, id: &str) -> Child {
    home.command(env!("CARGO_BIN_EXE_stepwell")).args(["run", id]).spawn().unwrap()
}

fn killed_half_way(home: &Home, id: &str) {
    let mut first = start(home, id);
    until("the second call", || begun(home) == 1);
    // `kill -9`: nothing of it can tidy up.
    first.kill().unwrap();
    first.wait().unwrap();
    let paused = home.show("last");
    assert_eq!(paused["calls"][0]["status"], "accepted", "{paused:#}");
    home.write("go", "");
    let done = home.step("resume last").exits(0);
    assert!(done.out.starts_with("held"), "{}", done.out);
    let run = home.show("last");
    let attempts = |at: usize| run["calls"][at]["attempts"].as_array().unwrap().len();
    assert_eq!((attempts(0), attempts(1)), (1, 2), "nothing is paid for twice: {run:#}");
    assert_eq!(begun(home), 2);
}

#[test]
fn a_script_that_is_killed_half_way_goes_on_where_it_was() {
    let home = Home::new();
    workflow(&home, "slow", "\"main.js\"", SLOW, &[("main.js", HOLD_SCRIPT)]);
    killed_half_way(&home, "slow");
}

fn has(program: &str) -> bool {
    let found = std::process::Command::new(program).arg("--version").output().is_ok_and(|out| out.status.success());
    if !found {
        eprintln!("SKIPPED: `{program}` is not installed, so this test tests nothing");
    }
    found
}

#[test]
fn a_python_program_that_is_killed_half_way_goes_on_where_it_was() {
    if !has("python3") {
        return;
    }
    let home = Home::new();
    let files = [("main.py", HOLD_PYTHON), ("stepwell.py", stepwell::flow::scripted::PYTHON)];
    workflow(&home, "slow", "[\"python3\", \"main.py\"]", SLOW, &files);
    killed_half_way(&home, "slow");
}

#[test]
fn a_configured_variable_reaches_programs_and_commands() {
    let home = Home::new();
    home.write("config.toml", "[process]\nenv = [\"USER\", \"NOT_SET_ANYWHERE\"]\n");
    let steps = "[[steps]]\nid = \"env\"\nkind = \"command\"\nargv = [\"sh\", \"-c\", \"echo command $USER $STEPWELL_HOME\"]\napprove = \"never\"\n";
    let program = "read -r start\n\
                   echo '{\"call\": {\"id\": 1, \"name\": \"env\"}}'; echo '{\"idle\": true}'\n\
                   read -r line || exit 0\n\
                   echo \"{\\\"done\\\": \\\"program $USER $STEPWELL_HOME\\\"}\"\n";
    workflow(&home, "env", "[\"sh\", \"main.sh\"]", steps, &[("main.sh", program)]);
    assert_eq!(home.step("run env").exits(0).out.trim(), "program ana");
    assert_eq!(home.call("env[0]")["output"], "command ana");
}

#[test]
fn a_copy_of_the_shipped_code_has_what_it_needs_beside_it_and_runs() {
    for (from, beside, program) in
        [("release_notes_script", "stepwell.d.ts", None), ("release_notes_python", "stepwell.py", Some("python3"))]
    {
        if !program.is_none_or(has) || !has("git") {
            continue;
        }
        let home = Home::new();
        home.shell("git init -q && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m 'Add a thing'")
            .exits(0);
        home.step(&format!("new workflow mine --from {from}")).exits(0);
        assert!(home.path().join("workflows/mine").join(beside).is_file(), "{from}");
        let done = home.run(["run", "mine", "-i", "version=2.0", "-i", "file=", "--review", "accept"]).exits(0);
        assert!(done.out.starts_with("# 2.0\n\n## "), "{from}: {}", done.out);
    }
}

#[test]
fn the_first_lines_of_the_pages_about_code_run_as_they_are_written() {
    for (page, main, program) in
        [("docs/scripts.md", "main.js", None), ("docs/programs.md", "main.py", Some("python3"))]
    {
        if !program.is_none_or(has) {
            continue;
        }
        let home = Home::new();
        let text = std::fs::read_to_string(page).unwrap();
        let lines: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("    ")).collect();
        let lines: Vec<&str> = lines.into_iter().take_while(|line| line.starts_with("    ")).map(str::trim).collect();
        assert!(lines.len() >= 2, "{page} begins with something that runs");
        for line in &lines[..lines.len() - 1] {
            home.shell(line).exits(0);
        }
        let done = home.shell(&format!("{} --review accept", lines[lines.len() - 1])).exits(0);
        assert!(!done.out.is_empty(), "{page}: {done:?}");
        // The code that the page shows is the code that was written.
        let shown = text.split("```js\n").nth(1).or(text.split("```python\n").nth(1)).unwrap();
        let shown = shown.split("```").next().unwrap();
        let written = std::fs::read_to_string(home.path().join("workflows/notes").join(main)).unwrap();
        assert!(written.contains(shown.trim()), "{page} shows\n{shown}\nand this was written:\n{written}");
    }
}

#[test]
fn the_shell_client_of_the_page_is_a_whole_client() {
    if !has("jq") {
        return;
    }
    let page = std::fs::read_to_string("docs/programs.md").unwrap();
    let client = page.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let home = Home::new();
    let steps = "[[inputs]]\nname = \"topic\"\n\n[[steps]]\nid = \"write\"\nprompt = \"Write about {{ text }}.\"\n";
    workflow(&home, "shell", "[\"sh\", \"main.sh\"]", steps, &[("main.sh", client)]);
    home.run(["run", "shell", "-i", "topic=tea"]).exits(3);
    home.shell("printf mine | stepwell review last 'write[0]' --edit - --accept").exits(0);
    assert_eq!(home.show("last")["result"]["body"].as_str().unwrap().trim(), "mine");
}
