//! What a person decides on the command line beside accept and retry: an earlier attempt, a failed call filled in or left
//! out, a decision taken back, a run put away, another model for the rest.
#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use crate::support::cli::Home;

const FAILING: &str = r#"
id = "bad"
name = "Bad"

[[steps]]
id = "list"
kind = "command"
approve = "never"
argv = ["sh", "-c", "test $1 != 2", "x", "{{ item }}"]
for_each = "[1, 2, 3]"
output = { type = "string", maxLength = 7 }

[[steps]]
id = "use"
kind = "transform"
expr = "steps.list.outputs | join(',')"

[[steps]]
id = "gate"
kind = "command"
argv = ["touch", "begun"]
after = ["use"]

[result]
title = "t"
body = "{{ steps.use.output }}"
"#;

fn failed() -> Home {
    let home = Home::new();
    home.write("workflows/bad/workflow.toml", FAILING);
    home.step("run bad").exits(1);
    home
}

/// A poem whose first step was retried, and waits with its second attempt.
fn retried() -> Home {
    let home = Home::new();
    home.step("run poem -i topic=sea -i stanzas=2 --review stop").exits(3);
    home.step("review last divide --retry shorter --review stop").exits(3);
    home
}

#[test]
fn an_earlier_attempt_is_taken_and_the_run_continues_with_it() {
    for taking in [retried, || {
        let home = retried();
        home.write("take.jsonl", r#"{"key": "divide", "attempt": 2, "take": {"attempt": 1, "version": 1}}"#);
        home
    }] {
        let home = taking();
        let first = home.call("divide")["attempts"][0]["versions"][0]["output"].clone();
        if home.path().join("take.jsonl").exists() {
            home.step("review last --decisions take.jsonl --review stop").exits(3);
        } else {
            home.step("review last divide --take 9 --json").refused(2, "invalid_input");
            home.step("review last divide --take 1.1 --review stop").exits(3);
        }
        let divide = home.call("divide");
        assert_eq!((&divide["status"], &divide["output"]), (&"accepted".into(), &first));
        assert_eq!(home.show("last")["waiting"][0]["key"], "write[0]");
    }
}

#[test]
fn one_failed_item_is_filled_in_by_hand_and_a_waiting_approval_left_out() {
    let home = failed();
    home.write("long.txt", "much too long");
    home.step("review last list[1] --edit long.txt --accept --json").refused(2, "invalid_input");
    home.write("own.txt", "by hand\n");
    home.step("review last list[1] --edit own.txt --accept").exits(3);
    assert_eq!(home.show("last")["waiting"][0]["key"], "gate");
    home.step("review last gate --skip").exits(0);
    let run = home.show("last");
    assert_eq!((&run["status"], &run["result"]["body"]), (&"completed".into(), &",by hand,".into()));
    assert!(!home.path().join("begun").exists(), "what was left out has not run");
}

#[test]
fn a_text_by_hand_is_a_text_whatever_it_looks_like() {
    for (file, output, read_as_json) in
        [("42\n", "42", false), ("{\"a\": 1", "{\"a\": 1", false), ("\"quoted\"\n", "quoted", true)]
    {
        let home = failed();
        home.write("own.txt", file);
        let done = home.step("review last list[1] --edit own.txt --accept").exits(3);
        assert_eq!(home.call("list[1]")["output"], output, "{file}");
        assert_eq!(done.err.contains("JSON string"), read_as_json, "{file}: {}", done.err);
    }
}

#[test]
fn one_failed_item_is_left_out_and_the_others_count() {
    let home = failed();
    home.step("review last list[1] --skip").exits(3);
    home.step("review last gate --skip").exits(0);
    assert_eq!(home.show("last")["result"]["body"], ",");
}

#[test]
fn an_acceptance_is_taken_back_and_the_same_output_waits_again() {
    let home = retried();
    let output = home.call("divide")["attempts"][1]["versions"][0]["output"].clone();
    home.step("review last divide --accept --review stop").exits(3);
    let done = home.step("undo last --json").exits(3);
    let undone = done.lines().into_iter().find(|line| line["type"] == "decision_undone").unwrap();
    let journal = home.step("show last --events").exits(0);
    let line = journal.out.lines().find(|line| line.contains("decision_undone")).unwrap();
    assert_eq!(line.matches("\"seq\":").count(), 1, "a line has one number of its own: {line}");
    let accepted = journal.lines().into_iter().rfind(|line| line["type"] == "call_accepted").unwrap();
    assert_eq!(undone["decision"], accepted["seq"]);
    let run = home.show("last");
    let gate = &run["waiting"][0];
    assert_eq!((&gate["key"], &gate["attempt"], &gate["version"]), (&"divide".into(), &2.into(), &1.into()));
    home.step("review last divide --accept --review accept").exits(0);
    assert_eq!(home.call("divide")["output"], output);
    // A retry cannot be taken back.
    let home = retried();
    home.step("undo last --json").refused(2, "not_allowed");
}

#[test]
fn a_run_that_is_put_away_leaves_the_lists_and_anything_that_happens_in_it_brings_it_back() {
    let home = retried();
    let listed = |line: &str| home.step(line).exits(0).lines().len();
    home.step("archive last").exits(0);
    assert_eq!((listed("history --json"), listed("history --archived --json")), (0, 1));
    assert_eq!((listed("history sea --json"), listed("history sea --archived --json")), (0, 1));
    let run = home.step("history --archived --json").exits(0).lines()[0]["run"].as_str().unwrap().to_owned();
    home.step(&format!("show {run}")).exits(0);
    assert_eq!(listed("history --json"), 0, "who looks at it leaves it where it is");
    home.step(&format!("archive {run} --undo")).exits(0);
    assert_eq!((listed("history --json"), listed("history --archived --json")), (1, 0));
    home.step(&format!("archive {run}")).exits(0);
    home.step(&format!("review {run} divide --accept --review stop")).exits(3);
    assert_eq!(listed("history --json"), 1);
}

#[test]
fn commands_that_are_refused_say_so_as_json() {
    let home = failed();
    for line in ["undo nothing --json", "archive nothing --json", "cancel nothing --json", "reopen nothing a --json"] {
        home.step(line).refused(2, "no_run");
    }
    home.step("reopen last nothing --json").refused(2, "no_call");
    home.step("undo last --json").refused(2, "not_allowed");
}

#[test]
fn all_that_is_left_is_done_by_another_model() {
    let home = Home::new();
    home.step("run poem -i topic=sea -i stanzas=2 --review stop").exits(3);
    home.step("resume last --model nobody/nothing --json").refused(4, "unknown_model");
    home.step("resume last --model demo/quick --review accept").exits(0);
    let models: Vec<String> =
        ["write[0]", "write[1]"].map(|key| home.call(key)["attempts"][0]["model"].as_str().unwrap().to_owned()).into();
    assert!(models.iter().all(|model| model.starts_with("demo/")), "{models:?}");
}

const EDITED: &str = r#"
id = "edited"
name = "Edited"

[[steps]]
id = "first"
kind = "transform"
expr = "'sea'"
review = "always"

[result]
title = "t"
body = "the {{ steps.first.output }}"
"#;

/// A completed run whose result was edited, and whose first step came out otherwise since.
fn edited() -> Home {
    let home = Home::new();
    home.write("workflows/edited/workflow.toml", EDITED);
    home.step("run edited").exits(3);
    home.step("review last first --accept").exits(0);
    home.write("mine.md", "my sea\n");
    home.step("document last --edit mine.md").exits(0);
    let said = home.step("reopen last first").exits(3).out;
    assert!(said.contains("you edited the result: your version stays"), "{said}");
    home.write("lake.txt", "lake");
    home.step("review last first --edit lake.txt --accept").exits(3);
    home
}

#[test]
fn an_edited_result_is_kept_or_rebuilt_after_both_were_compared() {
    let home = edited();
    let run = home.show("last");
    assert_eq!(run["result"]["body"], "my sea");
    let gate = &run["waiting"][0];
    assert_eq!((&gate["for"], &gate["document"], &gate["version"]), (&"stale".into(), &"result".into(), &3.into()));
    let current: Vec<_> =
        run["documents"].as_array().unwrap().iter().map(|version| version["current"].clone()).collect();
    assert_eq!(current, [false, true, false]);
    let shown = home.step("show last").exits(0).out;
    assert!(shown.contains("you edited it (version 2)") && shown.contains("first"), "{shown}");
    // The commands that it names do what they say.
    let named = |word: &str| shown.lines().find(|line| line.contains(word)).unwrap().trim().trim_matches(['(', ')']);
    let compare = named("stepwell diff").split_once("them: ").unwrap().1;
    assert_eq!(home.shell(compare).exits(0).out.trim(), "[-my-]{+the+} [-sea-]{+lake+}");
    home.shell(named("--keep")).exits(0);
    assert_eq!(home.show("last")["result"]["body"], "my sea");
    home.step("undo last --json").exits(3);
    home.step("review last --again").exits(0);
    let run = home.show("last");
    assert_eq!((&run["result"]["body"], run["documents"].as_array().unwrap().len()), (&"the lake".into(), 3));
    assert_eq!(run["documents"][2].get("current"), None, "the newest counts");
}

#[test]
fn a_version_of_a_document_is_read_listed_and_restored() {
    let home = edited();
    assert_eq!(home.step("document last").exits(0).out, "my sea\n");
    let listed = home.step("document last result --versions").exits(0).out;
    assert_eq!(listed.lines().map(|line| line.starts_with('*')).collect::<Vec<_>>(), [false, true, false], "{listed}");
    assert!(listed.lines().nth(2).unwrap().contains("proposed"), "{listed}");
    home.step("document last --restore 9 --json").refused(2, "invalid_input");
    home.step("document last notes --json").refused(2, "invalid_input");
    home.step("review last --document=result --keep").exits(0);
    home.step("document last --restore 1").exits(0);
    let run = home.show("last");
    assert_eq!((&run["result"]["body"], &run["documents"][3]["body"]), (&"the sea".into(), &"the sea".into()));
    home.step("undo last").exits(0);
    assert_eq!(home.show("last")["result"]["body"], "my sea");
}

const FORM: &str = r#"
id = "form"
name = "Form"

[[steps]]
id = "who"
kind = "ask"
[[steps.fields]]
name = "name"
type = "text"

[[steps]]
id = "greet"
kind = "transform"
expr = "'Dear ' ~ steps.who.output.name"

[result]
title = "t"
body = "{{ steps.greet.output }}"
"#;

#[test]
fn the_answer_to_a_form_is_taken_back_and_given_otherwise() {
    let home = Home::new();
    home.write("workflows/form/workflow.toml", FORM);
    home.step("run form").exits(3);
    home.step(r#"review last who --answer {"name":"Ann"}"#).exits(0);
    let said = home.step("undo last").exits(3);
    assert!(said.err.contains("taken back: answer of `who`"), "{}", said.err);
    let gate = home.show("last")["waiting"][0].clone();
    assert_eq!((&gate["key"], &gate["for"]), (&"who".into(), &"input".into()));
    home.step(r#"review last who --answer {"name":"Ana"}"#).exits(0);
    let run = home.show("last");
    assert_eq!(run["result"]["body"], "Dear Ana");
    let who = home.call("who");
    let given: Vec<_> =
        who["attempts"].as_array().unwrap().iter().flat_map(|a| a["versions"].as_array().unwrap()).collect();
    assert_eq!((given.len(), &given[0]["withdrawn"], &given[0]["output"]["name"]), (2, &true.into(), &"Ann".into()));
    assert_eq!(given[1].get("withdrawn"), None);
}

#[test]
fn an_edit_of_a_document_is_taken_back_in_a_conversation_and_in_a_workflow() {
    let home = Home::new();
    home.run(["run", "email", "--prompt", "tell Ana the meeting moved to Friday"]).exits(0);
    let before = home.show("last")["result"].clone();
    home.write("mine.md", "# Moved\n\nDear Ana, Friday it is.");
    home.step("review last --edit mine.md --accept").exits(0);
    assert_eq!(home.show("last")["result"]["title"], "Moved");
    let said = home.step("undo last").exits(0);
    assert!(said.err.contains("edit of the document `result`"), "{}", said.err);
    let run = home.show("last");
    assert_eq!((&run["result"], run["documents"].as_array().unwrap().len()), (&before, 3));

    let home = edited();
    home.step("review last --keep").exits(0);
    home.write("other.md", "another sea");
    home.step("document last --edit other.md --json").exits(0);
    assert_eq!(home.show("last")["result"]["body"], "another sea");
    home.step("undo last --json").exits(0);
    assert_eq!(home.show("last")["result"]["body"], "my sea");
}

#[test]
fn an_attempt_that_was_passed_over_says_so_and_waits_again_once_that_is_taken_back() {
    let home = retried();
    home.step("review last divide --take 1 --review stop").exits(3);
    let divide = home.call("divide");
    let status = |call: &serde_json::Value, at: usize| call["attempts"][at]["status"].clone();
    assert_eq!((status(&divide, 0), status(&divide, 1)), ("accepted".into(), "passed_over".into()));
    // `attempt` is the newest as ever; whose the output is, is said beside it.
    assert_eq!((&divide["attempt"], &divide["standing"]["attempt"]), (&2.into(), &1.into()));
    assert_eq!(divide["output_of"], serde_json::json!({ "attempt": 1, "version": 1 }));
    assert_eq!(divide["output"], divide["standing"]["output"]);
    home.step("undo last --json").exits(3);
    let divide = home.call("divide");
    assert_eq!((status(&divide, 1), &divide["status"]), ("review".into(), &"review".into()));
    assert_eq!((&divide["output"], divide.get("output_of")), (&divide["attempts"][1]["output"], None));
}

#[test]
fn who_has_put_every_run_away_is_told_how_to_see_them() {
    let home = retried();
    assert_eq!(home.show("last")["archived"], false);
    assert!(home.step("history --archived").exits(0).err.contains("no run is archived"));
    home.step("archive last").exits(0);
    assert_eq!(home.show("last")["archived"], true);
    let said = home.step("history").exits(0).err;
    assert!(said.contains("every run is archived") && said.contains("--archived"), "{said}");
    let said = home.step("history --task poem").exits(0).err;
    assert!(said.contains("--archived"), "{said}");
    let said = home.step("history --task email").exits(0).err;
    assert!(said.contains("no run fits that") && !said.contains("archived"), "{said}");
    assert!(Home::new().step("history").exits(0).err.contains("no runs yet"));
}

const SCRIPT: &str = r#"
export default async function (run) {
  const seen = await run.review("look", "first");
  const made = await run.prompt("say something about " + seen);
  return { title: "t", body: made };
}
"#;

#[test]
fn what_a_script_asks_a_model_for_later_is_asked_of_the_other_model_too() {
    let home = Home::new();
    home.write("workflows/later/workflow.toml", "id = \"later\"\nname = \"Later\"\nflow = \"main.js\"\n");
    home.write("workflows/later/main.js", SCRIPT);
    home.step("run later").exits(3);
    home.step("resume last --model demo/quick").exits(3);
    home.step("review last look[0] --accept --review stop").exits(3);
    let made = home.call("prompt[0]");
    assert_eq!(made["attempts"][0]["model"], "demo/quick", "{made:#}");
}
