//! What a person decides on the command line beside accept and retry: an earlier attempt, a failed call filled in or left
//! out, a decision taken back, a run put away, another model for the rest.
#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

mod support;

use support::cli::Home;

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
    assert_eq!(done.lines().iter().filter(|line| line["type"] == "decision_undone").count(), 1);
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
