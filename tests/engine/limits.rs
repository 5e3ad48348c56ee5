//! Limits: how many at a time, and what may be spent.

use std::sync::Arc;

use serde_json::{Value, json};
use stepwell::core::event::Event;
use stepwell::core::failure::FailureClass;
use stepwell::core::gate::GateKind;
use stepwell::core::run::Status;
use stepwell::core::usage::Budget;
use stepwell::engine::Start;

use crate::harness::{Act, Harness, body, expr, pinned, prompt, shout, waiting};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_keeps_to_its_own_limit_from_the_first_call_on() {
    let harness = Harness::new(|_| Act::Say(json!("x")));
    let rules = json!({ "for_each": { "list": "range(12) | list", "max_parallel": 2 }, "review": "never" });
    let steps = json!([prompt("each", "{{ item }}", rules), prompt("other", "o", json!({ "review": "never" }))]);
    let run = harness.start(&steps, json!({}));
    assert_eq!(body(&harness.drive(run).await), "x");
    let (mut now, mut most) = (0, 0);
    for event in harness.events(run) {
        match event {
            Event::AttemptStarted(started) if started.step == "each" => now += 1,
            Event::AttemptFinished { key, .. } if key.step() == "each" => now -= 1,
            _ => {}
        }
        most = most.max(now);
    }
    assert_eq!(most, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_begin_together_share_one_budget() {
    let harness = Harness::new(|_| Act::Say(json!("x")));
    let rules = json!({ "for_each": { "list": "range(4) | list" }, "review": "never" });
    // Each call is expected to cost 0.1.
    let budget = json!({ "budget": { "usd": 0.25 } });
    let run = harness.start_with(&json!([prompt("each", "{{ item }}", rules)]), &budget, json!({}));
    let state = harness.drive(run).await;
    assert_eq!(harness.attempts().len(), 2, "the third could pass it");
    assert_eq!(waiting(&state, GateKind::Budget).len(), 1, "one question for the whole run");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_of_money_leaves_the_limit_of_tokens() {
    let harness = Harness::new(|_| Act::Say(json!("x")));
    let steps = json!([prompt("a", "x", json!({ "review": "never" })), prompt("b", "{{ steps.a.output }}", json!({}))]);
    let budget = json!({ "budget": { "usd": 0.15, "tokens": 1000 } });
    let run = harness.start_with(&steps, &budget, json!({}));
    assert_eq!(waiting(&harness.drive(run).await, GateKind::Budget), ["b"]);
    let more = Budget { usd: Some(5.0), tokens: None };
    harness.engine.set_budget(run, more).await.unwrap();
    assert_eq!(harness.engine.load(run).unwrap().budget, Some(Budget { usd: Some(5.0), tokens: Some(1000) }));
    let start = Start {
        pinned: Arc::new(pinned(&steps, &budget)),
        inputs: json!({}),
        cwd: "/".into(),
        session: None,
        model: None,
        budget: Some(more),
        origin: None,
    };
    let other = harness.engine.start(&start).unwrap();
    assert_eq!(harness.engine.load(other).unwrap().budget, Some(Budget { usd: Some(5.0), tokens: Some(1000) }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn iterations_without_end_are_stopped_by_the_number_of_calls() {
    let endless = |more: Value| {
        let mut rules = json!({ "repeat": { "until": "false", "max": 1_000_000_000 } });
        rules.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        rules
    };
    for (step, made) in [
        (expr("again", "iteration", endless(json!({}))), 40),
        (expr("again", "iteration", endless(json!({ "set_state": { "n": "output" } }))), 40),
        (prompt("again", "{{ iteration }}", endless(json!({ "review": "never" }))), 40),
    ] {
        let harness = Harness::new(shout);
        let run = harness.start_with(&json!([step]), &json!({ "max_calls": made }), json!({}));
        let state = harness.drive(run).await;
        let (key, failure) = state.error.clone().expect("it fails");
        assert_eq!((state.status, failure.class), (Status::Failed, FailureClass::Definition));
        assert_eq!(failure.message, format!("the run has made {made} calls, as many as `max_calls` allows"));
        assert_eq!((state.calls.len(), key.unwrap().to_string()), (made, format!("again#{made}")));
    }
}
