//! A run that somebody looks at: nothing is written because of that, and what they decide goes on at once.

use serde_json::json;
use stepwell::core::decide::DecisionKind;
use stepwell::core::event::Event;
use stepwell::core::id::RunId;
use stepwell::core::run::Status;
use stepwell::engine::StopReason;
use tokio::runtime::Runtime;

use crate::harness::{Act, Harness, body, decision, prompt, shout, until, until_stopped};

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A run that waits, and the process that drove it is gone.
fn left_waiting() -> (Harness, RunId) {
    let harness = Harness::new(shout);
    let run = harness.start(&json!([prompt("a", "hello", json!({}))]), json!({}));
    let process = runtime();
    assert_eq!(process.block_on(harness.drive(run)).status, Status::Waiting);
    drop(process);
    assert!(!harness.neighbour().engine.is_driven(run));
    (harness.neighbour(), run)
}

#[test]
fn who_looks_at_a_run_that_waits_writes_nothing_and_decides_at_once() {
    let (harness, run) = left_waiting();
    let before = harness.engine.load(run).unwrap();
    runtime().block_on(async {
        let (_, mut updates) = harness.subscribe(run);
        harness.engine.attend(run).unwrap();
        assert_eq!(until_stopped(&mut updates).await, StopReason::Waiting);
        assert!(harness.engine.is_driven(run), "it is in hand");
        let now = harness.engine.load(run).unwrap();
        assert_eq!((now.seq, now.updated_at, now.status), (before.seq, before.updated_at, Status::Waiting));
        harness.engine.decide(run, decision("a", DecisionKind::Accept)).await.unwrap();
        while until_stopped(&mut updates).await != StopReason::Over {}
        assert_eq!(body(&harness.engine.load(run).unwrap()), "HELLO");
    });
}

#[test]
fn who_looks_at_a_run_that_was_cut_off_has_it_go_on() {
    let harness = Harness::new(|request| if request.attempt == 1 { Act::Hang("so far") } else { shout(request) });
    let run = harness.start(&json!([prompt("a", "hello", json!({}))]), json!({}));
    let process = runtime();
    process.block_on(async {
        let (_, mut updates) = harness.subscribe(run);
        harness.engine.drive(run).unwrap();
        until(&mut updates, |update| matches!(update, stepwell::engine::Update::Delta { .. }).then_some(())).await;
    });
    drop(process);
    let harness = harness.neighbour();
    runtime().block_on(async {
        let (_, mut updates) = harness.subscribe(run);
        harness.engine.attend(run).unwrap();
        assert_eq!(until_stopped(&mut updates).await, StopReason::Waiting);
        assert!(harness.events(run).iter().any(|event| matches!(event, Event::RunResumed { after: Some(_), .. })));
        assert_eq!(harness.engine.load(run).unwrap().calls.values().next().unwrap().attempts.len(), 2);
    });
}
