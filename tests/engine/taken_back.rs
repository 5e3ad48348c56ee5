//! What is taken back, and when: deadlines come first, time does not run backwards, and nothing else is touched.

use std::time::Duration;

use serde_json::json;
use stepwell::core::actor::Actor;
use stepwell::core::call::CallStatus;
use stepwell::core::code::ErrorCode;
use stepwell::core::decide::DecisionKind;
use stepwell::core::event::{Event, PauseReason};
use stepwell::core::gate::GateKind;
use stepwell::core::id::RunId;
use stepwell::core::run::Status;
use stepwell::engine::StopReason;

use crate::harness::{Act, Harness, decision, prompt, refused, shout, until_stopped, waiting};

const DAY: Duration = Duration::from_hours(24);
const HOUR: Duration = Duration::from_hours(1);

async fn leave(harness: &Harness, run: RunId) {
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.pause(run, PauseReason::Left);
    while until_stopped(&mut updates).await != StopReason::Paused {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undo_answers_what_is_overdue_first() {
    let skip = json!({ "decide_within": 86_400_000, "on_timeout": "skip" });
    for driven in [true, false] {
        let harness = Harness::new(shout);
        let steps = json!([prompt("a", "hello", json!({})), prompt("other", "two", skip.clone())]);
        let run = harness.start(&steps, json!({}));
        harness.drive(run).await;
        harness.decide(run, "a", DecisionKind::Accept).await;
        if !driven {
            leave(&harness, run).await;
        }
        harness.clock.advance(DAY);
        harness.engine.undo(run, None).await.unwrap();
        let state = harness.engine.load(run).unwrap();
        let other = state.call(&"other".parse().unwrap()).unwrap();
        assert_eq!(other.status, CallStatus::Skipped, "driven {driven}");
        assert_eq!(waiting(&state, GateKind::Review), ["a"], "driven {driven}");
        let events = harness.events(run);
        let place = |wanted: &dyn Fn(&Event) -> bool| events.iter().position(wanted).unwrap();
        let skipped = place(&|event| matches!(event, Event::CallSkipped { by: Actor::Deadline, .. }));
        assert!(skipped < place(&|event| matches!(event, Event::DecisionUndone { .. })), "driven {driven}: {events:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_back_does_not_make_a_deadline_come_early() {
    let harness = Harness::new(shout);
    let fail = json!({ "decide_within": 86_400_000, "on_timeout": "fail" });
    let run = harness.start(&json!([prompt("a", "hello", fail)]), json!({}));
    harness.clock.advance(HOUR);
    harness.drive(run).await;
    harness.decide(run, "a", DecisionKind::Accept).await;
    harness.clock.set_back(HOUR);
    // Nobody drives what is completed.
    harness.engine.undo(run, None).await.unwrap();
    let recorded = harness.engine.events(run, 0).unwrap();
    assert!(recorded.is_sorted_by_key(|recorded| recorded.at), "{recorded:#?}");
    let state = harness.engine.load(run).unwrap();
    let due = state.due(state.waiting().next().unwrap()).unwrap();
    let written = recorded.last().unwrap().at;
    assert!(!due.has_passed(written + DAY - Duration::from_secs(1)) && due.has_passed(written + DAY));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_given_up_does_not_look_at_the_time_over_and_over() {
    let skip = json!({ "decide_within": 86_400_000, "on_timeout": "skip" });
    let harness = Harness::new(|request| match request.key.step() {
        "slow" => Act::Linger("so far", Duration::from_millis(500)),
        _ => shout(request),
    });
    let run = harness.start(&json!([prompt("a", "hello", skip), prompt("slow", "x", json!({}))]), json!({}));
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.drive(run).unwrap();
    crate::harness::until(&mut updates, |update| {
        matches!(update, stepwell::engine::Update::Event(recorded) if matches!(&recorded.event, Event::GateOpened(_)))
            .then_some(())
    })
    .await;
    harness.engine.pause(run, PauseReason::Left);
    harness.clock.advance(DAY);
    let before = harness.clock.looks();
    while until_stopped(&mut updates).await != StopReason::Paused {}
    let looks = harness.clock.looks() - before;
    assert!(looks < 60, "the time was asked for {looks} times while one attempt came to its end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_failed_before_it_had_work_is_filled_in_by_what_is_known_of_its_schema() {
    let harness = Harness::new(shout);
    let list = json!({ "output": { "type": "array", "minItems": "{{ inputs.n }}" } });
    let steps = json!([prompt("a", "{{ inputs.none.of_it }}", list)]);
    let run = harness.start(&steps, json!({}));
    assert_eq!(harness.drive(run).await.status, Status::Failed);
    let fill = |output| decision("a", DecisionKind::Edit { output, accept: true });
    let wrong = harness.engine.decide(run, fill(json!("no list"))).await;
    assert_eq!(refused(wrong), ErrorCode::InvalidInput);
    harness.engine.decide(run, fill(json!(["x"]))).await.unwrap();
    assert_eq!(harness.drive(run).await.status, Status::Completed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stopped_attempt_left_of_a_value_is_not_taken_either() {
    let harness = Harness::new(|request| if request.attempt == 1 { Act::Hang("half of") } else { shout(request) });
    let text = json!({ "output": { "type": "string" } });
    let run = harness.start(&json!([prompt("a", "hello", text)]), json!({}));
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.drive(run).unwrap();
    crate::harness::until(&mut updates, |update| {
        matches!(update, stepwell::engine::Update::Delta { .. }).then_some(())
    })
    .await;
    harness.engine.stop(run, &"a".parse().unwrap());
    until_stopped(&mut updates).await;
    let take = || DecisionKind::Take { take: stepwell::core::decide::Taken { attempt: 1, version: None } };
    assert!(!harness.engine.load(run).unwrap().waiting().next().unwrap().allows(stepwell::core::gate::Answer::Accept));
    assert_eq!(refused(harness.engine.decide(run, decision("a", take())).await), ErrorCode::InvalidInput);
    let retry = DecisionKind::Retry {
        instruction: String::new(),
        scope: stepwell::core::event::InstructionScope::This,
        model: None,
    };
    harness.decide(run, "a", retry).await;
    assert_eq!(refused(harness.engine.decide(run, decision("a", take())).await), ErrorCode::InvalidInput);
    assert_eq!(harness.decide(run, "a", DecisionKind::Accept).await.status, Status::Completed);
}
