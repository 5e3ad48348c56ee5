//! Runs of one session at the same time: what they leave goes together, or what another run set is kept and said.

use serde_json::{Value, json};
use stepwell::core::decide::DecisionKind;
use stepwell::core::id::RunId;
use stepwell::core::run::{Run, Status};
use stepwell::engine::Start;

use super::harness::{Harness, Updates, expr, pinned, prompt, shout, until_stopped};

fn start(harness: &Harness, sets: &Value) -> RunId {
    start_steps(harness, &json!([expr("count", "1", json!({ "set_state": sets }))]))
}

fn start_steps(harness: &Harness, steps: &Value) -> RunId {
    let start = Start {
        pinned: std::sync::Arc::new(pinned(steps, &json!({}))),
        inputs: json!({}),
        cwd: "/".into(),
        session: Some("desk".into()),
        model: None,
        budget: None,
        origin: None,
    };
    harness.engine.start(&start).unwrap()
}

async fn done(harness: &Harness, run: RunId) -> Run {
    let run = harness.drive(run).await;
    assert_eq!(run.status, Status::Completed, "{:?}", run.error);
    run
}

fn kept(harness: &Harness) -> Value {
    harness.store.session("desk", 0).unwrap().0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_counter_that_several_runs_raise_at_the_same_time_loses_nothing_in_silence() {
    let harness = Harness::new(shout);
    let raise = json!({ "n": "(state.n | default(0)) + 1" });
    let runs: Vec<RunId> = (0..3).map(|_| start(&harness, &raise)).collect();
    let first = done(&harness, runs[0]).await;
    assert_eq!(first.warnings, Vec::<String>::new());
    // The same value is no news: what one run gave it is what the other would have.
    done(&harness, runs[1]).await;
    let after = start(&harness, &raise);
    done(&harness, after).await;
    assert_eq!(kept(&harness), json!({ "n": 2 }));
    let late = done(&harness, runs[2]).await;
    let [warning] = late.warnings.as_slice() else { panic!("{:?}", late.warnings) };
    assert!(warning.contains("state.n") && warning.contains("desk"), "{warning}");
    assert_eq!(kept(&harness), json!({ "n": 2 }), "what came meanwhile is kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_names_fields_and_what_is_added_to_lists_go_together() {
    let harness = Harness::new(shout);
    let sets = |name: &str| json!({ name: "1", "seen": format!("(state.seen | default([])) + ['{name}']"), "by": format!("{{ '{name}': 1 }}") });
    let (a, b) = (start(&harness, &sets("a")), start(&harness, &sets("b")));
    done(&harness, a).await;
    let later = done(&harness, b).await;
    assert_eq!(later.warnings, Vec::<String>::new());
    assert_eq!(kept(&harness), json!({ "a": 1, "b": 1, "seen": ["a", "b"], "by": { "a": 1, "b": 1 } }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn runs_that_end_at_the_same_time_lose_nothing() {
    let harness = Harness::new(shout);
    let other = harness.neighbour();
    let names: Vec<String> = (10..34).map(|at| at.to_string()).collect();
    let adds = |name: &String| json!({ "seen": format!("(state.seen | default([])) + ['{name}']") });
    let runs: Vec<RunId> = names.iter().map(|name| start(&harness, &adds(name))).collect();
    let mut all = Vec::new();
    for (at, run) in runs.iter().enumerate() {
        let engine = if at % 2 == 0 { &harness.engine } else { &other.engine };
        let (_, updates) = Updates::of(engine, *run);
        engine.drive(*run).unwrap();
        all.push(updates);
    }
    for updates in &mut all {
        until_stopped(updates).await;
    }
    for run in runs {
        let run = harness.engine.load(run).unwrap();
        assert_eq!((run.status, run.warnings), (Status::Completed, Vec::new()));
    }
    let mut seen: Vec<String> = serde_json::from_value(kept(&harness)["seen"].clone()).unwrap();
    seen.sort();
    assert_eq!(seen, names);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_run_left_because_of_a_decision_that_was_undone_goes_back_to_what_it_was() {
    let harness = Harness::new(shout);
    done(&harness, start(&harness, &json!({ "n": "1" }))).await;
    let steps = json!([prompt("x", "hello", json!({ "set_state": { "n": "5", "own": "output" } }))]);
    for meanwhile in [false, true] {
        let run = start_steps(&harness, &steps);
        harness.drive(run).await;
        assert_eq!(harness.decide(run, "x", DecisionKind::Accept).await.status, Status::Completed);
        assert_eq!(kept(&harness), json!({ "n": 5, "own": "HELLO" }));
        if meanwhile {
            done(&harness, start(&harness, &json!({ "n": "7" }))).await;
        }
        harness.engine.undo(run, None).await.unwrap();
        harness.drive(run).await;
        let state = harness.decide(run, "x", DecisionKind::Skip).await;
        assert_eq!(state.status, Status::Completed);
        let n = if meanwhile { 7 } else { 1 };
        assert_eq!(kept(&harness), json!({ "n": n }), "meanwhile {meanwhile}");
        assert_eq!(state.warnings.len(), usize::from(meanwhile), "{:?}", state.warnings);
    }
}
