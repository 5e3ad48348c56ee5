//! Another model for what was tried before, and for what is still to come.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use stepwell::core::call::CallStatus;
use stepwell::core::code::ErrorCode;
use stepwell::core::decide::DecisionKind;
use stepwell::core::event::InstructionScope;
use stepwell::core::failure::{Failure, FailureClass};
use stepwell::core::gate::GateKind;
use stepwell::core::ports::AttemptRequest;
use stepwell::core::run::{Run, Status};
use stepwell::core::work::Work;

use crate::harness::{Act, Harness, Updates, body, command, decision, prompt, refused, shout, until_stopped, waiting};

/// Says which models it was asked by.
fn named(request: &AttemptRequest) -> Act {
    match &*request.work {
        Work::Prompt(prompt) => Act::Say(json!(format!("{}:{}", request.key, prompt.models.join(",")))),
        _ => shout(request),
    }
}

fn retry(scope: InstructionScope, model: &str) -> DecisionKind {
    DecisionKind::Retry { instruction: "shorter".into(), scope, model: Some(model.into()) }
}

fn output(run: &Run, key: &str) -> serde_json::Value {
    (**run.call(&key.parse().unwrap()).unwrap().output().unwrap().2).clone()
}

fn each() -> serde_json::Value {
    let rules = json!({ "for_each": { "list": "[1, 2, 3]", "one_by_one": true } });
    json!([
        prompt("each", "{{ item }}", rules),
        prompt("end", "{{ steps.each.outputs }}", json!({ "review": "never" }))
    ])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_by_another_model_is_for_this_call_or_for_the_remaining_ones_too() {
    for (scope, second) in [(InstructionScope::This, "each[1]:"), (InstructionScope::Remaining, "each[1]:big/model")] {
        let harness = Harness::new(named);
        let run = harness.start(&each(), json!({}));
        harness.drive(run).await;
        let state = harness.decide(run, "each[0]", retry(scope, "big/model")).await;
        assert_eq!(output(&state, "each[0]"), "each[0]:big/model");
        let state = harness.decide(run, "each[0]", DecisionKind::Accept).await;
        assert_eq!(output(&state, "each[1]"), second, "{scope:?}");
        harness.decide(run, "each[1]", DecisionKind::Accept).await;
        let state = harness.decide(run, "each[2]", DecisionKind::Accept).await;
        assert!(body(&state).starts_with("end:"), "another step asks its own model: {}", body(&state));
        // Who answered is no part of what was asked: nothing is stale, nothing is made again.
        assert!(state.calls.values().all(|call| call.status == CallStatus::Accepted));
        assert_eq!(harness.attempts().len(), 5);
        // A later attempt keeps to it, in another process, too.
        let neighbour = harness.neighbour();
        neighbour.engine.decide(run, decision("each[0]", DecisionKind::Reopen)).await.unwrap();
        neighbour.drive(run).await;
        let again = DecisionKind::Retry { instruction: String::new(), scope: InstructionScope::This, model: None };
        let state = neighbour.decide(run, "each[0]", again).await;
        assert_eq!(output(&state, "each[0]"), "each[0]:big/model");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_call_is_repaired_by_another_model() {
    let tries = AtomicUsize::new(0);
    let harness = Harness::new(move |request| match tries.fetch_add(1, Ordering::SeqCst) {
        0 => Act::Fail(Failure::new(FailureClass::Auth, "who are you")),
        _ => named(request),
    });
    let run = harness.start(&json!([prompt("a", "x", json!({ "review": "never" }))]), json!({}));
    assert_eq!(harness.drive(run).await.status, Status::Failed);
    let again = |model: &str| DecisionKind::Again { model: Some(model.into()) };
    let before = harness.events(run);
    let refused = refused(harness.engine.decide(run, decision("a", again("nobody/knows"))).await);
    assert_eq!(refused, ErrorCode::UnknownModel);
    assert_eq!(harness.events(run), before, "what is refused changes nothing");
    harness.engine.decide(run, decision("a", again("big/model"))).await.unwrap();
    assert_eq!(body(&harness.drive(run).await), "a:big/model");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_is_chosen_for_a_step_before_it_begins() {
    let harness = Harness::new(named);
    let steps = json!([prompt("a", "x", json!({})), prompt("b", "{{ steps.a.output }}", json!({}))]);
    let run = harness.start(&steps, json!({}));
    harness.drive(run).await;
    let engine = &harness.engine;
    let (_, mut updates) = Updates::of(engine, run);
    engine.choose_model(run, &"b".parse().unwrap(), "big/model", InstructionScope::Remaining).await.unwrap();
    until_stopped(&mut updates).await;
    let state = engine.load(run).unwrap();
    assert!(state.call(&"b".parse().unwrap()).is_none(), "no call comes into being by it");
    assert_eq!((state.status, waiting(&state, GateKind::Review)), (Status::Waiting, vec!["a".into()]));
    let state = harness.decide(run, "a", DecisionKind::Accept).await;
    assert_eq!(output(&state, "b"), "b:big/model");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_asks_no_model_takes_none() {
    let harness = Harness::new(|request| if request.attempt == 1 { Act::Doubt } else { shout(request) });
    let run = harness.start(&json!([command("act", json!({ "approve": "never" }))]), json!({}));
    assert_eq!(waiting(&harness.drive(run).await, GateKind::InDoubt), ["act"]);
    let again = DecisionKind::Again { model: Some("big/model".into()) };
    assert_eq!(refused(harness.engine.decide(run, decision("act", again)).await), ErrorCode::NotAllowed);
    assert_eq!(body(&harness.decide(run, "act", DecisionKind::Again { model: None }).await), "command");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_again_has_what_was_refused_before_tried_whoever_drives_the_run() {
    let harness = Harness::new(|_| Act::Fail(Failure::new(FailureClass::Auth, "the key is not taken")));
    let asked = |harness: &Harness| harness.executor.asked_again.load(Ordering::SeqCst);
    let run = harness.start(&json!([prompt("a", "a", json!({}))]), json!({}));
    harness.drive(run).await;
    assert_eq!(asked(&harness), 0, "nobody asked twice");
    harness.engine.retry_failed(run).await.unwrap();
    assert_eq!(asked(&harness), 1);
    harness.drive(run).await;
    harness.engine.decide(run, decision("a", DecisionKind::Again { model: None })).await.unwrap();
    assert_eq!(asked(&harness), 2);
}
