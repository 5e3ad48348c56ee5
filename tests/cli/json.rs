//! What programs read: `--json` line by line, `show --json`, `tasks --json`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

use std::io::Read as _;
use std::process::Child;

use crate::support::cli::Home;
use crate::support::model_server::{ModelServer, Reply};
use serde_json::Value;

const POEM: &str = "run poem -i topic=sea -i stanzas=2 --json";

fn types(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["type"].as_str().unwrap()).collect()
}

#[test]
fn the_lines_of_a_run_are_its_journal_and_the_text_on_its_way() {
    let home = Home::new();
    let done = home.step(&format!("{POEM} --review accept")).exits(0);
    let lines = done.lines();
    let types = types(&lines);
    assert_eq!((types[0], *types.last().unwrap()), ("run_created", "run_completed"));
    let run = home.show("last")["run"].clone();
    let mut seq = 0;
    for line in &lines {
        assert_eq!((&line["v"], &line["run"]), (&1.into(), &run), "{line}");
        assert!(chrono::DateTime::parse_from_rfc3339(line["at"].as_str().unwrap()).is_ok());
        if line["type"] == "delta" {
            assert!(line["seq"].is_null() && line["key"].is_string() && line["attempt"].is_u64(), "{line}");
            assert!(line["text"].is_string());
        } else {
            assert_eq!(line["seq"], seq + 1, "{line}");
            seq += 1;
        }
    }
    assert!(types.contains(&"delta"));
    assert!(!types.contains(&"run_waiting"), "it goes on by itself: {types:?}");
    let journal = home.step("show last --events").lines();
    let told: Vec<&Value> = lines.iter().filter(|line| line["type"] != "delta").collect();
    assert_eq!(told.len(), journal.len());
    assert!(told.iter().zip(&journal).all(|(told, kept)| **told == *kept));
}

#[test]
fn what_waits_is_in_the_last_line_and_later_commands_tell_only_what_is_new() {
    let home = Home::new();
    let lines = home.step(POEM).exits(3).lines();
    let last = lines.last().unwrap();
    assert_eq!(last["type"], "run_waiting");
    let gate = &last["waiting"][0];
    assert_eq!(*gate, home.show("last")["waiting"][0]);
    assert_eq!(
        (&gate["key"], &gate["for"], &gate["attempt"], &gate["version"]),
        (&"divide".into(), &"review".into(), &1.into(), &1.into())
    );
    assert_eq!(gate["allowed"], serde_json::json!(["accept", "edit", "retry", "skip"]));

    let seq = last["seq"].as_u64().unwrap();
    let more = home.step("review last --accept --json").exits(3).lines();
    assert_eq!(more[0]["seq"].as_u64().unwrap(), seq + 1);
    assert_eq!(more[0]["type"], "call_accepted");
    assert_eq!(more.last().unwrap()["type"], "run_waiting");
    assert_eq!(more.last().unwrap()["waiting"][0]["key"], "write[0]");

    let resumed = home.step("resume last --json").exits(3).lines();
    assert!(resumed[0]["seq"].as_u64() > more.last().unwrap()["seq"].as_u64());
    assert_eq!(resumed.last().unwrap()["type"], "run_waiting");

    let forked = home.step("fork last --at write[0] --json").exits(3).lines();
    assert!(!types(&forked).contains(&"call_adopted"), "{forked:?}");
    assert_eq!(forked.last().unwrap()["type"], "run_waiting");
}

#[test]
fn a_failed_run_ends_with_its_failure() {
    let home = Home::new();
    home.write(
        "workflows/bad/workflow.toml",
        "id = \"bad\"\nname = \"Bad\"\n\n[[steps]]\nid = \"go\"\nkind = \"command\"\napprove = \"never\"\nargv = [\"false\"]\n",
    );
    let lines = home.step("run bad --json").exits(1).lines();
    assert_eq!(lines.last().unwrap()["type"], "run_failed");
    assert_eq!(home.show("last")["error"]["key"], "go");
}

#[test]
fn a_run_as_one_object_has_every_field_of_the_contract() {
    let home = Home::new();
    home.step(POEM).exits(3);
    home.step("review last --accept").exits(3);
    home.run(["review", "last", "--retry", "warmer"]).exits(3);
    let run = home.show("last");
    let names: Vec<&String> = run.as_object().unwrap().keys().collect();
    let wanted = [
        "v",
        "run",
        "task",
        "kind",
        "title",
        "status",
        "by",
        "cwd",
        "created_at",
        "inputs",
        "definition",
        "calls",
        "waiting",
        "messages",
        "warnings",
        "result",
        "documents",
        "error",
        "usage",
        "newer",
        "archived",
    ];
    assert_eq!(names, wanted);
    assert!(run["by"].as_str().unwrap().starts_with("ana@"));
    assert!(run["result"].is_null() && run["error"].is_null());
    let call = home.call("write[0]");
    let names: Vec<&String> = call.as_object().unwrap().keys().collect();
    assert_eq!(names, ["key", "step", "status", "attempt", "output", "standing", "attempts"]);
    assert_eq!((&call["status"], &call["attempt"]), (&"review".into(), &2.into()));
    let attempt = &call["attempts"][0];
    for name in [
        "attempt",
        "status",
        "by",
        "model",
        "output",
        "versions",
        "instruction",
        "error",
        "started_at",
        "first_token_ms",
        "ms",
        "usage",
    ] {
        assert!(attempt.get(name).is_some(), "{name}");
    }
    assert_eq!(attempt["model"], "demo/recorded");
}

#[test]
fn tasks_are_listed_without_opening_a_store() {
    let home = Home::new();
    let tasks = home.step("tasks --json").exits(0).lines();
    let poem = tasks.iter().find(|task| task["id"] == "poem").unwrap();
    let names: Vec<&String> = poem.as_object().unwrap().keys().collect();
    assert_eq!(names, ["id", "kind", "name", "description", "tags", "source", "trusted", "inputs"]);
    assert_eq!(
        (&poem["kind"], &poem["source"], &poem["trusted"]),
        (&"workflow".into(), &"builtin".into(), &true.into())
    );
    assert!(home.step("tasks").exits(0).out.contains("poem"));
    assert!(std::fs::read_dir(home.path()).unwrap().next().is_none(), "nothing was written");
}

/// A run whose model hangs after some text.
fn a_hanging_run(home: &Home) -> (ModelServer, Child) {
    let server = ModelServer::start([Reply::chunks(["Once upon a time, ", "never"]).hang_after(1)]);
    let provider = format!("[providers.here]\nkind = \"openai\"\nbase_url = \"{}/v1\"\n", server.url());
    home.write("config.toml", &format!("[models]\ndefault = \"here/m\"\n\n{provider}"));
    home.write(
        "workflows/tell/workflow.toml",
        "id = \"tell\"\nname = \"Tell\"\n\n[[steps]]\nid = \"tale\"\nprompt = \"Tell\"\n",
    );
    let child = home.command(env!("CARGO_BIN_EXE_stepwell")).args(["run", "tell", "--json"]).spawn().unwrap();
    (server, child)
}

/// Reads lines until one holds `text`.
fn read_until(child: &mut Child, text: &str) -> Vec<Value> {
    let out = child.stdout.as_mut().unwrap();
    let mut lines = Vec::new();
    // Byte by byte: nothing after the line may be taken from the pipe.
    loop {
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            let mut byte = [0];
            assert_eq!(out.read(&mut byte).unwrap(), 1, "it ended before `{text}`: {lines:?}");
            line.push(byte[0]);
        }
        let found = String::from_utf8_lossy(&line).contains(text);
        lines.push(serde_json::from_slice(&line).unwrap());
        if found {
            return lines;
        }
    }
}

#[test]
fn signals_pause_a_run_with_their_reason() {
    for (signal, reason) in [("-INT", "left"), ("-TERM", "hung_up"), ("-HUP", "hung_up")] {
        let home = Home::new();
        let (_server, mut child) = a_hanging_run(&home);
        read_until(&mut child, "Once upon");
        let id = child.id().to_string();
        assert!(home.command("kill").args([signal, &id]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130));
        let last: Value =
            serde_json::from_str(String::from_utf8(output.stdout).unwrap().lines().last().unwrap()).unwrap();
        assert_eq!((&last["type"], &last["reason"]), (&"run_paused".into(), &reason.into()), "{signal}");
        assert_eq!(home.show("last")["status"], "paused");
    }
}

#[test]
fn a_second_process_follows_decides_and_takes_over() {
    let home = Home::new();
    let (server, mut first) = a_hanging_run(&home);
    read_until(&mut first, "Once upon");
    let mut second = home.command(env!("CARGO_BIN_EXE_stepwell")).args(["resume", "last", "--json"]).spawn().unwrap();
    // The process that drives dies; the one that follows takes the run up, and its prompt is asked for anew.
    first.kill().unwrap();
    first.wait().unwrap();
    server.release();
    let lines = read_until(&mut second, "run_waiting");
    assert_eq!(second.wait().unwrap().code(), Some(3), "{lines:?}");
    let resumed = lines.iter().find(|line| line["type"] == "run_resumed").unwrap();
    assert_eq!(resumed["after"], "crashed");
    let call = home.call("tale");
    assert_eq!((&call["attempts"][0]["status"], &call["attempt"]), (&"cancelled".into(), &2.into()), "{call:#}");
}
