//! Conversations on the command line: what a fork of one shows, what a person writes themselves, which settings its model
//! is asked with, and what counts of an answer that was lost.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

use crate::support::cli::Home;
use crate::support::model_server::{ModelServer, Reply};
use crate::support::patience::until;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

const LETTER: &str = "id = \"letter\"\nname = \"Letter\"\ninstruction = \"Write a letter\"\n\
    temperature = 0.25\nmax_tokens = 321\nreasoning_effort = \"low\"\nextra_body = { user = \"me\" }\n\
    [[inputs]]\nname = \"about\"\ntype = \"text\"\n\
    [[needs]]\nname = \"recipient\"\ndescription = \"who it is for\"\n\
    [result]\ntitle = \"the subject\"\nbody = \"the letter\"\n";

fn home(server: &ModelServer) -> Home {
    let home = Home::new();
    let config = format!(
        "[models]\ndefault = \"local/m\"\n\
         [providers.local]\nkind = \"openai\"\nbase_url = \"{}/v1\"\nreasoning_effort = \"high\"\ntop_p = 0.5\n\
         price = {{ input = 1.0, output = 1000.0 }}\n",
        server.url()
    );
    home.write("config.toml", &config);
    home.write("tasks/letter.toml", LETTER);
    home
}

fn asks(missing: &[&str]) -> Reply {
    Reply::json(&json!({"kind": "ask", "title": "", "body": "", "text": "Who is it for?", "missing": missing}))
}

fn delivers(body: &str) -> Reply {
    Reply::json(&json!({"kind": "deliver", "title": "Hello", "body": body, "text": "", "missing": []}))
}

fn said(run: &Value) -> Vec<(&str, &str)> {
    let messages = run["messages"].as_array().unwrap().iter();
    messages.map(|said| (said["role"].as_str().unwrap(), said["text"].as_str().unwrap())).collect()
}

#[test]
fn a_fork_of_a_conversation_shows_what_was_said_before_it() {
    let server = ModelServer::start(["One.", "Two.", "Two again."].map(Reply::text));
    let home = home(&server);
    home.run(["run", "ask", "--prompt", "First?"]).exits(0);
    home.run(["review", "last", "--answer", "\"Second?\""]).exits(0);
    let forked = home.run(["fork", "last", "--at", "reply#1"]).exits(0);
    assert_eq!(forked.out.trim(), "Two again.");
    let run = home.show("last");
    let whole = [("user", "First?"), ("assistant", "One."), ("user", "Second?"), ("assistant", "Two again.")];
    assert_eq!(said(&run), whole);
    for line in ["show last", "export last --format md --scope full"] {
        let shown = home.step(line).exits(0).out;
        let places: Vec<usize> =
            whole.iter().map(|(_, text)| shown.find(text).unwrap_or_else(|| panic!("{text}: {shown}"))).collect();
        assert!(places.is_sorted(), "{line}: {shown}");
    }
    // The model has read it all, too.
    let read = server.requests()[2].body["messages"].to_string();
    assert!(["First?", "One.", "Second?"].iter().all(|text| read.contains(text)), "{read}");
}

#[test]
fn a_fork_says_what_was_said_of_an_answer_that_a_person_stopped() {
    let server = ModelServer::start([
        Reply::chunks(["Half ", "of it"]).hang_after(1),
        Reply::text("Whole."),
        Reply::text("Other."),
    ]);
    let home = home(&server);
    let mut first =
        home.command(env!("CARGO_BIN_EXE_stepwell")).args(["run", "ask", "--prompt", "First?"]).spawn().unwrap();
    server.wait_for_requests(1);
    until("the answer begins", || home.path().join("state").exists() && partial(&home).is_some());
    kill_process(Pid::from_raw(i32::try_from(first.id()).unwrap()).unwrap(), Signal::INT).unwrap();
    first.wait().unwrap();
    home.run(["review", "last", "--answer", "\"go on\""]);
    home.run(["review", "last", "--answer", "\"and more\""]);
    let before = home.show("last");
    let last = before["calls"].as_array().unwrap().last().unwrap()["key"].as_str().unwrap().to_owned();
    home.run(["fork", "last", "--at", &last]);
    let after = home.show("last");
    let (before, after) = (said(&before), said(&after));
    assert_eq!(after[..after.len() - 1], before[..before.len() - 1]);
}

/// The text of an answer that is under way, as far as it is on the disk.
fn partial(home: &Home) -> Option<String> {
    let runs = std::fs::read_dir(home.path().join("state/spool")).ok()?;
    let files = runs.flatten().filter_map(|run| std::fs::read_dir(run.path()).ok()).flatten().flatten();
    let mut texts = files.filter_map(|file| std::fs::read_to_string(file.path()).ok());
    texts.find(|text| !text.is_empty())
}

#[test]
fn an_answer_that_a_crash_lost_counts_what_it_is_estimated_to_have_used() {
    let server = ModelServer::start([Reply::chunks(["Half of ", "it"]).hang_after(1), Reply::text("Whole.")]);
    let home = home(&server);
    let mut first =
        home.command(env!("CARGO_BIN_EXE_stepwell")).args(["run", "ask", "--prompt", "First?"]).spawn().unwrap();
    until("the answer begins", || partial(&home).is_some());
    first.kill().unwrap();
    first.wait().unwrap();
    home.step("resume last").exits(0);
    let run = home.show("last");
    let attempts = run["calls"][0]["attempts"].as_array().unwrap();
    let usage = &attempts[0]["usage"];
    assert_eq!((&usage["output_tokens"], &usage["estimated"]), (&json!(2), &json!(true)), "{usage}");
    assert!(usage["input_tokens"].as_u64().unwrap() > 2 && usage["usd"].as_f64().unwrap() > 0.002, "{usage}");
    assert_eq!(attempts[1]["usage"].get("estimated"), None);
    // The run says so of its sum.
    assert_eq!(run["usage"]["estimated"], true);
    let all: u64 = attempts.iter().map(|attempt| attempt["usage"]["input_tokens"].as_u64().unwrap()).sum();
    assert_eq!(run["usage"]["input_tokens"], all);
    assert!(home.step("show last").out.contains("about "));
}

#[test]
fn write_it_anyway_leaves_the_model_only_a_delivery() {
    let server = ModelServer::start([asks(&["recipient"]), delivers("Dear all")]);
    let home = home(&server);
    let asked = home.run(["run", "letter", "--prompt", "we moved"]).exits(3);
    assert!(asked.out.contains("--answer"), "{}", asked.out);
    home.run(["review", "last", "--answer", "\"Write it anyway, please.\""]).exits(0);
    let schema = |at: usize| server.requests()[at].body["response_format"]["json_schema"]["schema"].clone();
    let (first, second) = (schema(0), schema(1));
    assert_eq!(first["properties"]["kind"]["enum"], json!(["ask", "deliver"]));
    assert_eq!(first["properties"]["missing"]["items"]["enum"], json!(["recipient"]));
    assert_eq!(second["properties"]["kind"]["enum"], json!(["deliver"]));
    assert_eq!(second["properties"].get("missing"), None);
    assert_eq!(home.show("last")["result"]["body"], "Dear all");
}

#[test]
fn the_person_writes_the_document_before_the_model_has_delivered_one() {
    let server = ModelServer::start([asks(&["recipient"])]);
    let home = home(&server);
    home.run(["run", "letter", "--prompt", "we moved"]).exits(3);
    home.write("own.md", "# We moved\n\nDear all,\n\nwe moved.\n");
    home.step("review last --edit own.md").exits(3);
    let run = home.show("last");
    let written = &run["documents"][0];
    assert_eq!((&written["title"], &written["body"]), (&json!("We moved"), &json!("Dear all,\n\nwe moved.")));
    assert_ne!(written["by"], "model");
    assert_eq!(run["waiting"][0]["for"], "input", "what the model asked is still open");
    let done = home.step("review last --edit own.md --accept").exits(0);
    assert_eq!(done.out.trim(), "Dear all,\n\nwe moved.");
}

#[test]
fn the_task_says_how_its_model_answers_and_comes_before_the_provider() {
    let server = ModelServer::start([delivers("Dear all")]);
    let home = home(&server);
    home.run(["run", "letter", "--prompt", "we moved"]).exits(0);
    let body = &server.requests()[0].body;
    let sent = |name: &str| body[name].clone();
    assert_eq!(sent("temperature"), json!(0.25));
    assert!([sent("max_tokens"), sent("max_completion_tokens")].contains(&json!(321)), "{body}");
    assert_eq!((sent("reasoning_effort"), sent("user"), sent("top_p")), (json!("low"), json!("me"), json!(0.5)));
    home.write("tasks/letter.toml", &LETTER.replace("temperature = 0.25", "temperature = 9"));
    let mistake = home.step("check").exits(4);
    let told = mistake.out + &mistake.err;
    assert!(told.contains("letter.toml:4:") && told.contains("temperature"), "{told}");
}

#[test]
fn the_model_that_answered_is_told_where_it_is_another_one() {
    let frame = |model: &str| {
        let chunk =
            json!({"model": model, "choices": [{"index": 0, "delta": {"content": "Hi."}, "finish_reason": "stop"}]});
        Reply::raw("text/event-stream", format!("data: {chunk}\n\ndata: [DONE]\n\n"))
    };
    let server = ModelServer::start([frame("cheaper-model"), frame("m-2026-01-01")]);
    let home = home(&server);
    home.run(["run", "ask", "--prompt", "First?"]).exits(0);
    let attempt = home.call("reply#0")["attempts"][0].clone();
    assert_eq!((&attempt["model"], &attempt["answered_by"]), (&json!("local/m"), &json!("cheaper-model")));
    for line in ["show last", "export last --format md --scope full", "export last --format md --scope log"] {
        let shown = home.step(line).exits(0).out;
        assert!(shown.contains("local/m (answered by cheaper-model)"), "{line}: {shown}");
    }
    // A date at the end of the name is the same model.
    home.run(["run", "ask", "--prompt", "Second?"]).exits(0);
    assert_eq!(home.call("reply#0")["attempts"][0].get("answered_by"), None);
}

#[test]
fn a_run_that_is_made_from_another_says_which_session_it_is_in() {
    let server = ModelServer::answering(|_, _| Reply::text("Yes."));
    let home = home(&server);
    home.run(["run", "ask", "--prompt", "First?", "--session", "the sea"]).exits(0);
    let again = home.step("rerun last").exits(0);
    assert!(again.err.contains("in session 'the sea'"), "{}", again.err);
    let forked = home.step("fork last --at reply#0").exits(0);
    assert!(forked.err.contains("in session 'the sea'"), "{}", forked.err);
    let run = home.show("last");
    assert_eq!((&run["session"], &run["origin"]["how"]), (&json!("the sea"), &json!("fork")));
    home.run(["run", "ask", "--prompt", "First?"]).exits(0);
    let alone = home.step("rerun last").exits(0);
    assert!(!alone.err.contains("session"), "{}", alone.err);
    for nothing in ["", "  "] {
        let refused = home.run(["run", "ask", "--prompt", "First?", "--session", nothing]).exits(2);
        assert!(refused.err.contains("session"), "{}", refused.err);
    }
}

#[test]
fn an_answer_that_is_a_document_and_nothing_else_leaves_a_turn() {
    let server = ModelServer::start(["Dear Ana, on Friday.", "Dear Ana, on Monday."].map(Reply::text));
    let home = home(&server);
    home.write("tasks/letter.toml", LETTER);
    home.run(["run", "letter", "--prompt", "tell Ana"]).exits(0);
    home.run(["review", "last", "--answer", "\"on Monday\""]).exits(0);
    let run = home.show("last");
    let whole = [
        ("user", "tell Ana"),
        ("assistant", "wrote version 1"),
        ("user", "on Monday"),
        ("assistant", "wrote version 2"),
    ];
    assert_eq!(said(&run), whole);
    assert_eq!((&run["messages"][1]["wrote"], &run["messages"][3]["wrote"]), (&json!(1), &json!(2)));
    let shown = home.step("show last").exits(0).out;
    assert!(shown.contains("[Assistant, wrote version 2]"), "{shown}");
    let exported = home.step("export last --format md --scope full").exits(0).out;
    assert!(exported.contains("**Model (wrote version 2):**"), "{exported}");
}

#[test]
fn what_had_arrived_of_an_answer_that_was_stopped_is_said_to_be_that() {
    let server = ModelServer::start([Reply::chunks(["Half ", "of it"]).hang_after(1)]);
    let home = home(&server);
    let mut first =
        home.command(env!("CARGO_BIN_EXE_stepwell")).args(["run", "ask", "--prompt", "First?"]).spawn().unwrap();
    until("the answer begins", || partial(&home).is_some());
    home.step("cancel last");
    first.wait().unwrap();
    let run = home.show("last");
    assert_eq!(said(&run), [("user", "First?"), ("assistant", "Half ")]);
    assert_eq!(run["messages"][1]["stopped"], json!(true));
    let shown = home.step("show last").exits(0).out;
    assert!(shown.contains("[Assistant, stopped]"), "{shown}");
    let exported = home.step("export last --format md --scope full").exits(0).out;
    assert!(exported.contains("**Model (stopped):**"), "{exported}");
}
