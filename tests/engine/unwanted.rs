//! What is not wanted any more is not asked for, and not accepted: early ends and races that are decided in the same turn in
//! which others would begin.

use serde_json::{Value, json};
use stepwell::core::call::{AttemptStatus, CallStatus};
use stepwell::core::decide::DecisionKind;
use stepwell::core::event::Event;
use stepwell::core::gate::GateKind;
use stepwell::core::run::Status;
use stepwell::engine::DecisionPolicy;

use super::harness::{Act, Harness, body, command, expr, prompt, shout};
use std::sync::Arc;

fn begun(harness: &Harness, run: stepwell::core::id::RunId) -> Vec<String> {
    let events = harness.events(run);
    let begun = events.iter().filter_map(|event| match event {
        Event::AttemptStarted(started) => Some(started.key.to_string()),
        _ => None,
    });
    begun.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_early_end_that_a_transform_of_the_same_turn_decides_begins_nothing_else() {
    let harness = Harness::new(shout);
    let steps = json!([
        prompt("slow", "x", json!({ "review": "never" })),
        command("act", json!({ "approve": "never" })),
        command("asked", json!({})),
        expr("found", "1", json!({ "stop_when": "output == 1" })),
    ]);
    let result = json!({ "result": { "title": "t", "body": "{{ steps.found.output }} {{ steps.slow.status }}" } });
    let run = harness.start_with(&steps, &result, json!({}));
    let state = harness.drive(run).await;
    assert_eq!(body(&state), "1 pending");
    assert_eq!(begun(&harness, run), ["found"]);
    assert!(!harness.events(run).iter().any(|event| matches!(event, Event::GateOpened(_))), "nobody was asked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_race_that_a_transform_of_the_same_turn_wins_begins_nothing_else() {
    let harness = Harness::new(shout);
    let steps = json!([
        prompt("slow", "x", json!({ "review": "never" })),
        command("act", json!({ "approve": "never" })),
        expr("quick", "'quick'", json!({})),
        expr("end", "steps.quick.output or steps.slow.output or steps.act.output", json!({ "join": "first" })),
    ]);
    let run = harness.start(&steps, json!({}));
    let state = harness.drive(run).await;
    assert_eq!(body(&state), "quick");
    assert_eq!(begun(&harness, run), ["quick", "end"]);
    assert_eq!(state.call(&"slow".parse().unwrap()).unwrap().status, CallStatus::Skipped);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_is_when_an_answer_makes_the_transform_possible() {
    let harness = Harness::new(shout);
    let steps = json!([
        prompt("first", "x", json!({ "review": "never" })),
        prompt("slow", "{{ steps.first.output }}", json!({ "review": "never" })),
        expr("found", "steps.first.output", json!({ "stop_when": "output == 'X'" })),
    ]);
    let run = harness.start_with(&steps, &json!({ "result": { "title": "t", "body": "done" } }), json!({}));
    assert_eq!(body(&harness.drive(run).await), "done");
    assert_eq!(begun(&harness, run), ["first", "found"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_early_end_that_a_policy_accepts_leaves_what_was_about_to_begin_unperformed() {
    let harness = Harness::new(shout);
    let steps = json!([
        expr("found", "1", json!({ "review": "always", "stop_when": "output == 1" })),
        prompt("slow", "x", json!({ "review": "never" })),
    ]);
    let run = harness.start_with(&steps, &json!({ "result": { "title": "t", "body": "done" } }), json!({}));
    let accepts: DecisionPolicy = Arc::new(|_, gate| (gate.kind() == GateKind::Review).then_some(DecisionKind::Accept));
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.drive_with_policy(run, accepts).unwrap();
    super::harness::until_stopped(&mut updates).await;
    let state = harness.engine.load(run).unwrap();
    assert_eq!(body(&state), "done");
    assert_eq!(harness.attempts(), Vec::<String>::new(), "no model was asked");
    if let Some(slow) = state.call(&"slow".parse().unwrap()) {
        assert_eq!(slow.status, CallStatus::Cancelled);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_early_end_or_a_race_breaks_off_is_by_the_flow() {
    let steps_of = |end: Value| {
        json!([
            prompt("slow", "slow", json!({ "review": "never" })),
            prompt("quick", "quick", json!({ "review": "never" })),
            end,
        ])
    };
    let ends = [
        expr("end", "steps.quick.output or steps.slow.output", json!({ "join": "first" })),
        expr("end", "steps.quick.output", json!({ "stop_when": "true" })),
    ];
    for end in ends {
        let harness =
            Harness::new(|request| if request.key.step() == "slow" { Act::Hang("half") } else { shout(request) });
        let run = harness.start(&steps_of(end), json!({}));
        let state = harness.drive(run).await;
        assert_eq!(state.status, Status::Completed);
        assert_eq!(state.call(&"slow".parse().unwrap()).unwrap().attempts[0].status, AttemptStatus::Cancelled);
        let by = harness.events(run).into_iter().find_map(|event| match event {
            Event::AttemptCancelled { by, .. } => Some(by.as_str().to_owned()),
            _ => None,
        });
        assert_eq!(by.as_deref(), Some("flow"));
    }
}
