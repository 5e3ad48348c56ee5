//! Workflows written as code, through the real program with the demo model.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

use crate::support::cli::Home;
use serde_json::json;

/// A workflow with `main.js` or `main.py`, and steps that the demo model answers.
fn workflow(home: &Home, id: &str, flow: &str, files: &[(&str, &str)]) {
    let definition = format!(
        r#"
id = "{id}"
name = "A {id}"
flow = {flow}

[[inputs]]
name = "topic"
type = "text"

[[steps]]
id = "plan"
prompt = "Name two parts of {{{{ inputs.topic }}}}."
output = {{ type = "array", items = {{ type = "string" }} }}

[[steps]]
id = "write"
prompt = "Write about {{{{ part }}}}."

[[steps]]
id = "join"
kind = "transform"
expr = "texts | join('/')"
"#
    );
    home.write(&format!("workflows/{id}/workflow.toml"), &definition);
    for (name, text) in files {
        home.write(&format!("workflows/{id}/{name}"), text);
    }
}

const SCRIPT: &str = r#"
export default async function (run, inputs) {
  const parts = await run.step("plan", {});
  console.log("parts:", parts.length);
  const texts = await Promise.all(parts.map((part) => run.step("write", { part })));
  return { title: inputs.topic, body: await run.step("join", { texts }) };
}
"#;

const PYTHON: &str = r#"
import asyncio
import stepwell

async def main(run, inputs):
    parts = await run.step("plan", {})
    print("parts:", len(parts))
    texts = await asyncio.gather(*(run.step("write", {"part": part}) for part in parts))
    return {"title": inputs["topic"], "body": await run.step("join", {"texts": texts})}

if __name__ == "__main__":
    stepwell.serve(main)
"#;

#[test]
fn what_a_script_hands_over_as_item_is_what_its_call_is_called() {
    let home = Home::new();
    let script = r#"
export default async function (run, inputs) {
  const item = { name: "the leaves", words: ["x"] };
  const texts = [await run.step("write", { item, part: "a" }), await run.step("write", { part: "b" })];
  return texts.join("/");
}
"#;
    workflow(&home, "named", "\"main.js\"", &[("main.js", script)]);
    let waits = home.run(["run", "named", "-i", "topic=tea"]).exits(3);
    assert!(waits.err.contains("write[0]: write · the leaves · demo/"), "{}", waits.err);
    let next = home.run(["review", "last", "--accept"]).exits(3);
    assert!(next.err.contains("write[1]: write · demo/"), "{}", next.err);
}

/// Takes a run from its first review to its end, each decision by a process of its own.
fn reviewed_to_its_end(home: &Home, id: &str) {
    home.run(["run", id, "-i", "topic=tea"]).exits(3);
    home.step("review last plan[0] --accept").exits(3);
    let plan = home.call("plan[0]")["standing"]["output"].as_array().unwrap().len();
    assert!(plan > 0);
    home.shell("printf mine | stepwell review last 'write[0]' --edit - --accept");
    for part in 1..plan {
        home.step(&format!("review last write[{part}] --accept"));
    }
    let run = home.show("last");
    assert_eq!(run["status"], "completed", "{run:#}");
    assert!(run["result"]["body"].as_str().unwrap().starts_with("mine"), "{run:#}");
    assert_eq!(run["calls"].as_array().unwrap().len(), plan + 2);
    for call in run["calls"].as_array().unwrap() {
        assert_eq!(call["attempts"].as_array().unwrap().len(), 1, "nothing is paid for twice: {call:#}");
    }
}

#[test]
fn a_script_is_reviewed_step_by_step_and_every_process_takes_it_up_where_it_was() {
    let home = Home::new();
    workflow(&home, "script", "\"main.js\"", &[("main.js", SCRIPT)]);
    reviewed_to_its_end(&home, "script");
}

#[test]
fn a_python_program_is_reviewed_step_by_step_in_the_same_way() {
    if std::process::Command::new("python3").arg("--version").output().is_err() {
        eprintln!("SKIPPED: `python3` is not installed, so this test tests nothing");
        return;
    }
    let home = Home::new();
    workflow(
        &home,
        "python",
        "[\"python3\", \"main.py\"]",
        &[("main.py", PYTHON), ("stepwell.py", stepwell::flow::scripted::PYTHON)],
    );
    reviewed_to_its_end(&home, "python");
}

#[test]
fn an_early_edit_makes_a_script_s_later_calls_stale_and_the_person_is_asked_once() {
    let home = Home::new();
    workflow(&home, "script", "\"main.js\"", &[("main.js", SCRIPT)]);
    reviewed_to_its_end(&home, "script");
    home.step("reopen last write[0]").exits(3);
    home.shell("printf other | stepwell review last 'write[0]' --edit - --accept").exits(3);
    let waiting = home.show("last")["waiting"].clone();
    assert_eq!(waiting[0]["key"], "join[0]");
    assert_eq!(waiting[0]["for"], "stale");
    home.step("review last --again").exits(0);
    assert!(home.show("last")["result"]["body"].as_str().unwrap().starts_with("other"));
}

#[test]
fn a_mistake_in_a_script_ends_the_run_with_its_place_and_line() {
    let home = Home::new();
    let broken = SCRIPT.replace("parts.length", "parts.size()");
    workflow(&home, "script", "\"main.js\"", &[("main.js", &broken)]);
    home.run(["run", "script", "-i", "topic=tea", "--review", "accept"]).exits(1);
    let error = home.show("last")["error"].clone();
    let message = error["message"].as_str().unwrap();
    assert!(message.starts_with("main.js:4:"), "{message}");
    assert!(message.contains("in the line `console.log"), "{message}");
    assert_eq!(error["class"], json!("definition"));
}

#[test]
fn new_definitions_from_script_and_python_run_as_they_are() {
    let home = Home::new();
    for (id, from, beside) in [("a", "script", "stepwell.d.ts"), ("b", "python", "stepwell.py")] {
        home.step(&format!("new workflow {id} --from {from}")).exits(0);
        assert!(home.path().join("workflows").join(id).join(beside).is_file());
        home.run(["run", id, "-i", "topic=tea", "--review", "accept"]).exits(0);
    }
}
