//! More control: state, documents, early ends, history, caches, deadlines.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stepwell::core::call::{AttemptStatus, CallStatus};
use stepwell::core::decide::DecisionKind;
use stepwell::core::event::{Event, InstructionScope};
use stepwell::core::gate::GateKind;
use stepwell::core::model::Role;
use stepwell::core::ports::AttemptRequest;
use stepwell::core::run::Status;
use stepwell::core::work::Work;
use stepwell::engine::Update;
use tokio::sync::Notify;

use super::{Play, quotes, start_in};
use crate::harness::{Act, Harness, body, decision, shout, until, until_stopped, waiting};

fn transform(id: &str, expr: &str, more: &str) -> String {
    format!("[[steps]]\nid = \"{id}\"\nkind = \"transform\"\nexpr = \"{expr}\"\n{more}\n")
}

fn prompt(id: &str, text: &str, more: &str) -> String {
    format!("[[steps]]\nid = \"{id}\"\nprompt = \"{text}\"\n{more}\n")
}

fn says(text: &str) -> String {
    format!("[result]\ntitle = \"t\"\nbody = \"{text}\"\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn set_state() {
    quotes(
        r#"`state.name` for what depends on this step, for the next item with `one_by_one` and for the next iteration"#,
    );
    let sets = "set_state = { n = \"output\" }";
    let steps = [
        transform("first", "1", sets),
        transform("depends", "state.n", "after = [\"first\"]"),
        transform(
            "items",
            "state.n + item",
            &format!("for_each = \"[1, 2, 3]\"\none_by_one = true\nafter = [\"depends\"]\n{sets}"),
        ),
        transform(
            "rounds",
            "state.n * 10",
            &format!("repeat = {{ until = \"iteration == 1\", max = 3 }}\nafter = [\"items\"]\n{sets}"),
        ),
        says("{{ steps.depends.output }} {{ steps.items.outputs | join(',') }} {{ steps.rounds.output }}"),
    ];
    assert_eq!(body(&Play::of(&steps.concat(), json!({})).await.state), "1 2,4,7 700");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn set_state_in_a_session() {
    quotes(
        r#"kept for the later runs of the same `--session` when the run completes (where another run changed it meanwhile: objects and what is added to lists go together, any other value is the other run's, with a warning)"#,
    );
    quotes(r#"where it may not be set yet, `state.name \| default(0)`"#);
    let sets = "set_state = { n = \"(state.n | default(0)) + inputs.n\", seen = \"(state.seen | default([])) + [inputs.n]\", by = \"inputs.by\" }";
    let text = format!(
        "inputs = [{{ name = \"n\", type = \"integer\" }}, {{ name = \"by\", type = \"json\" }}]\n{}",
        transform("a", "1", sets)
    );
    let harness = Harness::new(shout);
    let start = |inputs| start_in(&harness, Some("desk"), &[&text], inputs);
    let kept = || harness.store.session("desk", 0).unwrap().0;
    let done = async |run| {
        let state = harness.drive(run).await;
        assert_eq!(state.status, Status::Completed, "{:?}", state.error);
        state
    };
    let (first, second) = (start(json!({ "n": 1, "by": { "x": 1 } })), start(json!({ "n": 2, "by": { "y": 2 } })));
    assert_eq!(kept(), json!({}), "before it completes nothing is kept");
    assert_eq!(done(first).await.warnings, Vec::<String>::new());
    let later = done(second).await;
    let [warning] = later.warnings.as_slice() else { panic!("{:?}", later.warnings) };
    assert!(warning.contains("state.n"), "{warning}");
    assert_eq!(kept(), json!({ "n": 1, "seen": [1, 2], "by": { "x": 1, "y": 2 } }));
    done(start(json!({ "n": 3, "by": { "z": 3 } }))).await;
    assert_eq!(kept()["n"], 4, "a later run sees what was kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn document() {
    quotes(r#"a document beside the result, made of templates over `output`"#);
    quotes(r#"a new version whenever it changes"#);
    let own =
        "document = { name = \"note\", title = \"About {{ output | length }}\", body = \"It says {{ output }}\" }";
    let mut play = Play::of(&prompt("a", "hello", own), json!({})).await;
    play.decide("a", DecisionKind::Accept).await;
    let document = play.state.documents["note"].clone();
    let version = document.versions.last().unwrap();
    assert_eq!((version.title.data(), version.body.data()), ("About 5", "It says HELLO"));
    assert_eq!((document.versions.len(), body(&play.state)), (1, "HELLO"));
    play.harness.engine.decide(play.run, decision("a", DecisionKind::Reopen)).await.unwrap();
    let mine = DecisionKind::Edit { output: json!("mine"), accept: true };
    play.harness.engine.decide(play.run, decision("a", mine)).await.unwrap();
    play.state = play.harness.drive(play.run).await;
    let versions = &play.state.documents["note"].versions;
    assert_eq!((versions.len(), versions[1].body.data()), (2, "It says mine"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stop_when() {
    quotes(
        r#"holds after a call: the whole run completes early, with the result so far: what has not ended is `none`, a list has the outputs that it has"#,
    );
    let steps = [
        prompt(
            "each",
            "{{ item }}",
            "for_each = \"['a', 'b', 'c']\"\none_by_one = true\nreview = \"never\"\nstop_when = \"output == 'B'\"",
        ),
        transform("late", "steps.each.outputs", ""),
        says("{{ steps.each.outputs | join(',') }} {{ steps.late.output is none }}"),
    ];
    let play = Play::of(&steps.concat(), json!({})).await;
    assert_eq!((body(&play.state), play.begun().len()), ("A,B True", 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stop_when_asks_nobody() {
    quotes(r#"Nobody is asked about what is left"#);
    let steps = [prompt("asked", "x", ""), prompt("ends", "y", "stop_when = \"true\""), says("done")];
    let mut play = Play::of(&steps.concat(), json!({})).await;
    assert_eq!(waiting(&play.state, GateKind::Review), ["asked", "ends"]);
    play.decide("ends", DecisionKind::Accept).await;
    assert_eq!((body(&play.state), play.state.gates()), ("done", 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stop_when_ends_prompts() {
    quotes(r#"prompts are broken off, effects finish"#);
    quotes(r#"What is broken off is `by` the flow"#);
    let let_go = Arc::new(Notify::new());
    let finishes = Arc::clone(&let_go);
    let harness = Harness::new(move |request: &AttemptRequest| match request.key.step() {
        "endless" => Act::Hang("and so on"),
        "act" => Act::Finish(Arc::clone(&finishes), json!("acted")),
        _ => shout(request),
    });
    let act = "[[steps]]\nid = \"act\"\nkind = \"command\"\nargv = [\"x\"]\napprove = \"never\"\n";
    let steps = [
        prompt("endless", "x", "review = \"never\""),
        act.to_owned(),
        prompt("ends", "y", "stop_when = \"true\""),
        says("{{ steps.act.output }} {{ steps.endless.output is none }}"),
    ];
    let run = start_in(&harness, None, &[&steps.concat()], json!({}));
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.drive(run).unwrap();
    let asked = |update: &Update| match update {
        Update::Event(recorded) => {
            matches!(&recorded.event, Event::GateOpened(gate) if gate.key.step() == "ends").then_some(())
        }
        _ => None,
    };
    until(&mut updates, asked).await;
    harness.engine.decide(run, decision("ends", DecisionKind::Accept)).await.unwrap();
    let broken_off = |update: &Update| match update {
        Update::Event(recorded) => match &recorded.event {
            Event::AttemptCancelled { key, by, .. } => Some((key.to_string(), by.as_str().to_owned())),
            _ => None,
        },
        _ => None,
    };
    assert_eq!(until(&mut updates, broken_off).await, ("endless".to_owned(), "flow".to_owned()));
    let meanwhile = harness.engine.load(run).unwrap();
    assert_ne!(meanwhile.status, Status::Completed, "the effect has not finished");
    let_go.notify_one();
    until_stopped(&mut updates).await;
    let state = harness.engine.load(run).unwrap();
    assert_eq!(body(&state), "acted True");
    let attempt = |key: &str| state.call(&key.parse().unwrap()).unwrap().attempts[0].status;
    assert_eq!(attempt("endless"), AttemptStatus::Cancelled);
    assert_eq!(state.call(&"act".parse().unwrap()).unwrap().status, CallStatus::Accepted);
}

/// The messages that the prompt of that key was asked with.
fn messages(harness: &Harness, key: &str) -> Vec<(Role, String)> {
    let requests = harness.executor.requests.lock().unwrap();
    let request = requests.iter().rev().find(|request| request.key.to_string() == key).expect("it was asked");
    let Work::Prompt(prompt) = &*request.work else { panic!("a prompt") };
    prompt.messages.iter().map(|message| (message.role, message.text.clone())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history() {
    quotes(r#"prompts: earlier prompts and their accepted outputs come first, as a conversation"#);
    quotes(r#"of these steps, of all that came before, or of the last runs of the session"#);
    let never = "review = \"never\"";
    let steps = [
        prompt("one", "first", never),
        prompt("two", "second", &format!("{never}\nafter = [\"one\"]")),
        prompt("some", "third", &format!("{never}\nhistory = [\"one\"]")),
        prompt("all", "fourth", &format!("{never}\nhistory = \"all\"\nafter = [\"two\"]")),
        prompt("runs", "fifth", &format!("{never}\nhistory = {{ runs = 1 }}")),
    ];
    let text = steps.concat();
    let harness = Harness::new(shout);
    let turn = |role, text: &str| (role, text.to_owned());
    let first = start_in(&harness, Some("desk"), &[&text], json!({}));
    assert_eq!(harness.drive(first).await.status, Status::Completed);
    let one = [turn(Role::User, "first"), turn(Role::Assistant, "FIRST")];
    let two = [turn(Role::User, "second"), turn(Role::Assistant, "SECOND")];
    assert_eq!(messages(&harness, "some"), [one.to_vec(), vec![turn(Role::User, "third")]].concat());
    assert_eq!(messages(&harness, "all"), [one.to_vec(), two.to_vec(), vec![turn(Role::User, "fourth")]].concat());
    assert_eq!(messages(&harness, "runs"), [turn(Role::User, "fifth")], "there was no run before");
    let second = start_in(&harness, Some("desk"), &[&text], json!({}));
    harness.drive(second).await;
    let turns = messages(&harness, "runs");
    assert_eq!((turns.len(), turns[1].0), (3, Role::Assistant), "{turns:?}");
    assert!(turns[1].1.contains("FIFTH") || turns[1].1.contains("FOURTH"), "what that run came to: {turns:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn summarize_over() {
    quotes(r#"with `history`: [condenses](#a-long-history) its oldest turns when it is longer than that"#);
    let steps = |limit: &str| {
        [
            prompt("one", &"first ".repeat(100), "review = \"never\""),
            prompt("two", "second", "review = \"never\"\nhistory = [\"one\"]"),
            prompt("end", "third", &format!("history = [\"one\", \"two\"]\nsummarize_over = {{ tokens = {limit} }}")),
        ]
        .concat()
    };
    let short = Play::of(&steps("50_000"), json!({})).await;
    assert!(!short.begun().contains(&"end.summary".to_owned()));
    let long = Play::of(&steps("100"), json!({})).await;
    assert_eq!(long.begun(), ["one", "two", "end.summary", "end"]);
    let turns = messages(&long.harness, "end");
    assert!(turns[1].1.starts_with("CONDENSE THIS CONVERSATION"), "{turns:?}");
    assert_eq!(turns.last(), Some(&(Role::User, "third".to_owned())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cache() {
    quotes(
        r#"prompts and transforms: an accepted output of an earlier run with the same fingerprint is taken as the attempt, `by: "cache"`, and reviewed like any other"#,
    );
    quotes(r#"Of a transform that only matters where a person edits what it computed"#);
    let text = [
        "inputs = [{ name = \"x\", default = \"x\" }]\n".to_owned(),
        prompt("said", "{{ inputs.x }}", "cache = \"1d\""),
        transform("plan", "[1, 2]", "cache = \"1d\"\nreview = \"always\""),
    ]
    .concat();
    let harness = Harness::new(shout);
    let start = |inputs: Value| start_in(&harness, None, &[&text], inputs);
    let first = start(json!({}));
    harness.drive(first).await;
    harness.decide(first, "said", DecisionKind::Accept).await;
    harness.decide(first, "plan", DecisionKind::Edit { output: json!([1, 3]), accept: true }).await;
    let second = start(json!({}));
    let state = harness.drive(second).await;
    assert_eq!(waiting(&state, GateKind::Review), ["plan", "said"], "reviewed like any other");
    let attempt = |key: &str| state.call(&key.parse().unwrap()).unwrap().attempts[0].clone();
    assert_eq!((attempt("said").by.as_str(), attempt("plan").by.as_str()), ("cache", "cache"));
    assert_eq!(*attempt("plan").versions[0].output, json!([1, 3]), "what the person made of it");
    assert_eq!(harness.attempts(), ["said"], "no model was asked again");
    // Another prompt is another piece of work, and what is asked for again is made.
    harness.drive(start(json!({ "x": "y" }))).await;
    assert_eq!(harness.attempts(), ["said", "said"]);
    let retry = DecisionKind::Retry { instruction: String::new(), scope: InstructionScope::This, model: None };
    harness.decide(second, "said", retry).await;
    assert_eq!(harness.attempts().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decide_within() {
    quotes(r#"how long something may wait for a person"#);
    quotes(r#"then `on_timeout` decides: `"skip"` (when absent), `"fail"`, or `"accept"` ([deadlines](#deadlines))"#);
    for (then, status) in [
        ("", CallStatus::Skipped),
        ("on_timeout = \"skip\"", CallStatus::Skipped),
        ("on_timeout = \"fail\"", CallStatus::Failed),
        ("on_timeout = \"accept\"", CallStatus::Accepted),
    ] {
        let text = [prompt("a", "x", &format!("decide_within = \"2d\"\n{then}")), says("done")].concat();
        let play = Play::of(&text, json!({})).await;
        assert_eq!(play.status("a"), CallStatus::Review);
        let (_, mut updates) = play.harness.subscribe(play.run);
        play.harness.engine.pause(play.run, stepwell::core::event::PauseReason::Left);
        until_stopped(&mut updates).await;
        // The next process that drives it, one day later, and then another.
        let drives = async |days: u64| {
            play.harness.clock.advance(Duration::from_hours(24 * days));
            play.harness.drive(play.run).await
        };
        let before = drives(1).await;
        assert_eq!(before.call(&"a".parse().unwrap()).unwrap().status, CallStatus::Review, "{then}");
        let (_, mut updates) = play.harness.subscribe(play.run);
        play.harness.engine.pause(play.run, stepwell::core::event::PauseReason::Left);
        until_stopped(&mut updates).await;
        let after = drives(2).await;
        assert_eq!(after.call(&"a".parse().unwrap()).unwrap().status, status, "{then}");
    }
}
