//! A model calls tools: what a person reads of each call, and says of it, on the command line.
#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use serde_json::{Value, json};

use crate::support::cli::Home;
use crate::support::model_server::{ModelServer, Reply};

/// An answer in chat completions that calls `note` with each of these texts.
fn calls(texts: &[&str]) -> Reply {
    let each = texts.iter().enumerate().map(|(index, text)| {
        let function = json!({ "name": "note", "arguments": json!({ "text": text }).to_string() });
        json!({ "index": index, "id": format!("c{index}"), "type": "function", "function": function })
    });
    let delta = json!({ "role": "assistant", "tool_calls": each.collect::<Vec<_>>() });
    let piece = |delta: Value, finish: Value| {
        let chunk = json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] });
        format!("data: {chunk}\n\n")
    };
    let end = piece(json!({}), json!("tool_calls"));
    Reply::raw("text/event-stream", format!("{}{end}data: [DONE]\n\n", piece(delta, Value::Null)))
}

/// A home with a workflow whose model calls `note` for two texts, and then says so; and its model.
fn home() -> (Home, ModelServer) {
    let server = ModelServer::answering(|_, request| {
        let returned = request.body["messages"].to_string().contains("\"tool\"");
        if returned { Reply::text("all noted") } else { calls(&["first", "second"]) }
    });
    let home = Home::asking(&server.url());
    let notes = home.path().join("notes");
    home.write(
        "workflows/scribe/workflow.toml",
        &format!(
            "id = \"scribe\"\nname = \"Scribe\"\n\n[tools.note]\ndescription = \"Notes a text\"\n\
             argv = [\"sh\", \"-c\", \"cat >> {}; echo noted\"]\n\
             input = {{ type = \"object\", properties = {{ text = {{ type = \"string\" }} }}, required = [\"text\"] }}\n\n\
             [[steps]]\nid = \"a\"\nprompt = \"Note it\"\ntools = [\"note\"]\nreview = \"never\"\n",
            notes.display()
        ),
    );
    (home, server)
}

fn notes(home: &Home) -> String {
    std::fs::read_to_string(home.path().join("notes")).unwrap_or_default()
}

#[test]
fn each_call_waits_with_the_command_that_answers_it_and_is_done_as_the_person_says() {
    let (home, server) = home();
    let waits = home.step("run scribe").exits(3);
    let shown = home.show("last");
    assert_eq!(shown["waiting"].as_array().unwrap().len(), 2);
    let first = &shown["waiting"][0];
    assert_eq!((&first["key"], &first["for"], &first["call"]), (&json!("a"), &json!("approval"), &json!("1.0")));
    for wanted in ["a --call 1.0 --approve", "--approve --for-run, --arguments FILE", "\"first\"", "--call 1.1"] {
        assert!(waits.out.contains(wanted), "{wanted}: {}", waits.out);
    }
    assert_eq!((notes(&home).as_str(), server.requests().len()), ("", 1));

    // What may not be said changes nothing.
    home.step("review last a --approve --json").refused(2, "ambiguous");
    home.step("review last a --call 1.7 --approve --json").refused(2, "not_waiting");
    home.step("review last a --call 1.0 --accept --json").refused(2, "not_allowed");
    home.step("review last a --call 1.0 --deny no --for-run").exits(2);
    let wrong = home.write("wrong.json", "{\"text\": 7}");
    home.run(["review", "last", "a", "--call", "1.0", "--arguments", wrong.to_str().unwrap(), "--json"])
        .refused(2, "invalid_input");

    let changed = home.write("changed.json", "{\"text\": \"changed\"}");
    home.run(["review", "last", "a", "--call", "1.0", "--arguments", changed.to_str().unwrap()]).exits(3);
    assert_eq!(notes(&home), r#"{"text":"changed"}"#);
    let done = home.step("review last a --call 1.1 --deny nothing-twice").exits(0);
    assert!(done.out.contains("all noted"), "{}", done.out);
    let read = server.requests().last().unwrap().body["messages"].to_string();
    assert!(read.contains("nothing-twice") && read.contains("noted"), "the model reads both: {read}");

    let shown = home.show("last");
    let turn = &shown["calls"][0]["attempts"][0]["turns"][0];
    assert_eq!(
        (&turn["calls"][0]["changed"], &turn["calls"][0]["status"]),
        (&json!({ "text": "changed" }), &json!("returned"))
    );
    assert_eq!(
        (&turn["calls"][1]["status"], &turn["calls"][1]["error"]["message"]),
        (&json!("denied"), &json!("nothing-twice"))
    );
    let text = home.step("show last").exits(0).out;
    assert!(text.contains("tool call 1.0: note {\"text\":\"changed\"}: noted"), "{text}");
    let full = home.step("export last --format md --scope full").exits(0).out;
    for wanted in ["Tool call 1.0: `note`", "Arguments changed to", "nothing-twice"] {
        assert!(full.contains(wanted), "{wanted}: {full}");
    }
    let types: Vec<String> = home
        .step("show last --events")
        .lines()
        .iter()
        .map(|event| event["type"].as_str().unwrap().to_owned())
        .collect();
    for wanted in ["tools_listed", "turn_finished", "tool_called", "tool_returned"] {
        assert!(types.iter().any(|name| name == wanted), "{wanted}: {types:?}");
    }
}

#[test]
fn a_tool_is_allowed_for_the_rest_of_the_run_and_a_policy_is_for_tool_calls_too() {
    let (home, _server) = home();
    home.step("run scribe").exits(3);
    home.run(["review", "last", "a", "--call", "1.0", "--answer", "\"is there\""]).exits(3);
    home.step("review last a --approve").exits(0);
    assert_eq!(notes(&home), r#"{"text":"second"}"#, "the only one that still waited");
    home.step("run scribe").exits(3);
    // The other one, which was asked about already, is allowed with it.
    home.step("review last a --call 1.0 --approve --for-run").exits(0);
    assert_eq!(notes(&home).matches("first").count() + notes(&home).matches("second").count(), 3);
    home.step("run scribe --approve all").exits(0);
    assert_eq!(notes(&home).matches("first").count() + notes(&home).matches("second").count(), 5);
    let denied = home.step("run scribe --approve deny").exits(0);
    assert!(denied.out.contains("all noted"), "{}", denied.out);
    // A line of `--decisions` says the same as the flags.
    home.step("run scribe").exits(3);
    let lines = home.write(
        "decisions",
        "{\"key\":\"a\",\"call\":\"1.1\",\"decide\":\"deny\",\"reason\":\"no\"}\n\
         {\"key\":\"a\",\"call\":\"1.0\",\"decide\":\"approve\",\"for_run\":true,\"arguments\":{\"text\":\"mine\"}}\n",
    );
    home.run(["review", "last", "--decisions", lines.to_str().unwrap()]).exits(0);
    assert!(notes(&home).ends_with(r#"{"text":"mine"}"#), "{}", notes(&home));
}
