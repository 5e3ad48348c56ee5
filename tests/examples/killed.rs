//! Any example can be killed half-way (`kill -9`) and finished: nothing that was accepted is lost or paid for twice.

use std::io::{BufRead as _, BufReader};
use std::process::Child;

use serde_json::Value;

use super::all;
use super::runner::examples;
use super::support::cli::Home;

/// A home in which the examples are trusted.
fn home() -> Home {
    let home = Home::new();
    home.run(["trust", examples().to_str().unwrap()]).exits(0);
    home
}

fn arguments(id: &str) -> Vec<String> {
    let folder = examples();
    let mut arguments: Vec<String> =
        ["run", id, "--dir", folder.to_str().unwrap(), "--review", "accept", "--approve", "all", "--json"]
            .map(str::to_owned)
            .into();
    if id == "picture" {
        let picture = folder.join("workflows/picture/square.png");
        arguments.extend(["-i".to_owned(), format!("photo=@{}", picture.display())]);
    }
    arguments
}

fn kind(line: &Value) -> &str {
    line["type"].as_str().unwrap_or_default()
}

/// Whether a line says that a model is asked.
fn asks(line: &Value) -> bool {
    kind(line) == "attempt_started" && line["by"] == "model"
}

/// Reads the journal as it is printed, until the prompt of that number streams its first words, and kills the process.
fn kill_at(child: &mut Child, prompt: usize) {
    let mut prompts = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        prompts += usize::from(asks(&line));
        if prompts >= prompt && (kind(&line) == "delta" || prompt == 0) {
            break;
        }
    }
    // SIGKILL: nothing of it can be caught.
    child.kill().unwrap();
    child.wait().unwrap();
}

/// What a run came to: its result, and how each call ended.
fn came_to(run: &Value) -> Value {
    let calls = run["calls"].as_array().unwrap();
    let mut ends: Vec<Value> = calls.iter().map(|call| serde_json::json!([call["key"], call["status"]])).collect();
    ends.sort_by_key(|end| end[0].as_str().unwrap().to_owned());
    serde_json::json!({ "result": run["result"], "calls": ends })
}

/// Kills a run in the middle and takes it up. Whether it was killed in time: some have only a word to say.
fn killed_and_finished(id: &str) -> bool {
    let whole = home();
    let done = whole.run(arguments(id)).exits(0);
    let prompts = done.lines().iter().filter(|line| asks(line)).count();
    let expected = came_to(&whole.show("last"));

    let home = home();
    let mut command = home.command(env!("CARGO_BIN_EXE_stepwell"));
    // At a pace that leaves time to kill it.
    let mut child = command.args(arguments(id)).env("STEPWELL_DEMO_PACE", "natural").spawn().unwrap();
    kill_at(&mut child, prompts.div_ceil(2));
    let left = home.show("last");
    home.run(["resume", "last", "--review", "accept", "--approve", "all"]).exits(0);
    let now = home.show("last");
    let mut came = came_to(&now);
    let mut expected = expected;
    if came["result"]["body"].as_str().unwrap().contains("Demo model") {
        // The demo's words hold nothing that differs from run to run.
        assert_eq!(came["result"], expected["result"], "{id}");
    }
    // Which of two that race is first may differ; what they come to does not.
    (came["result"], expected["result"]) = (Value::Null, Value::Null);
    assert_eq!(came, expected, "{id}");
    for call in left["calls"].as_array().unwrap().iter().filter(|call| call["status"] == "accepted") {
        let later = now["calls"].as_array().unwrap().iter().find(|later| later["key"] == call["key"]).unwrap();
        assert_eq!(later["attempts"], call["attempts"], "{id}: what stood is kept and not paid for twice");
    }
    left["status"] != "completed"
}

#[test]
fn every_example_can_be_killed_half_way_and_finished() {
    let (ids, killed) = (std::sync::Mutex::new(all()), std::sync::atomic::AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let next = ids.lock().unwrap().pop();
                    let Some(id) = next else { return };
                    let in_time = killed_and_finished(&id);
                    killed.fetch_add(usize::from(in_time), std::sync::atomic::Ordering::SeqCst);
                }
            });
        }
    });
    let killed = killed.into_inner();
    assert!(killed * 3 >= all().len() * 2, "only {killed} were killed half-way");
}
