//! Deadlines: what nobody decides in time is answered once, before any decision, by whoever comes next.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stepwell::core::actor::Actor;
use stepwell::core::call::CallStatus;
use stepwell::core::code::ErrorCode;
use stepwell::core::decide::DecisionKind;
use stepwell::core::event::{Event, PauseReason};
use stepwell::core::failure::{Failure, FailureClass};
use stepwell::core::gate::GateKind;
use stepwell::core::id::RunId;
use stepwell::core::ports::HistoryQuery;
use stepwell::core::run::{Run, Status};
use stepwell::engine::StopReason;

use crate::harness::{Act, Harness, body, command, decision, prompt, refused, shout, step, until_stopped, waiting};

const DAY: Duration = Duration::from_hours(24);

/// Its time is up at once.
fn late(then: &str) -> Value {
    json!({ "review": "never", "decide_within": 1, "on_timeout": then })
}

/// Its time is up in a day.
fn in_a_day(then: &str) -> Value {
    json!({ "decide_within": 86_400_000, "on_timeout": then })
}

fn status(run: &Run, key: &str) -> CallStatus {
    run.call(&key.parse().unwrap()).unwrap().status
}

fn count(harness: &Harness, run: RunId, wanted: impl Fn(&Event) -> bool) -> usize {
    harness.events(run).iter().filter(|event| wanted(event)).count()
}

fn failed_late(event: &Event) -> bool {
    matches!(event, Event::CallFailed { by: Actor::Deadline, .. })
}

/// Drives until nothing is left to do, and gives the run up.
async fn drive_and_leave(harness: &Harness, run: RunId) -> Run {
    let state = harness.drive(run).await;
    if !state.status.is_over() {
        let (_, mut updates) = harness.subscribe(run);
        harness.engine.pause(run, PauseReason::Left);
        while until_stopped(&mut updates).await != StopReason::Paused {}
    }
    state
}

/// Drives until the run is over; it may wait before, for a deadline.
async fn drive_to_the_end(harness: &Harness, run: RunId) -> Run {
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.drive(run).unwrap();
    while until_stopped(&mut updates).await != StopReason::Over {}
    harness.engine.load(run).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_call_that_nobody_decides_about_in_time_fails_once() {
    let harness = Harness::new(shout);
    let steps = json!([prompt("a", "hello", json!({})), prompt("b", "after {{ steps.a.output }}", late("fail"))]);
    let run = harness.start(&steps, json!({}));
    harness.drive(run).await;
    let state = harness.decide(run, "a", DecisionKind::Accept).await;
    assert_eq!(body(&state), "AFTER HELLO");
    // Nobody drives what is completed: the decisions are recorded, and the next drive applies the deadline.
    harness.engine.decide(run, decision("a", DecisionKind::Reopen)).await.unwrap();
    let edit = DecisionKind::Edit { output: json!("changed"), accept: true };
    harness.engine.decide(run, decision("a", edit)).await.unwrap();
    let state = drive_to_the_end(&harness, run).await;
    let (key, failure) = state.error.clone().unwrap();
    assert_eq!((state.status, key.unwrap().to_string().as_str()), (Status::Failed, "b"));
    assert_eq!((failure.class, failure.message.as_str()), (FailureClass::Timeout, "nobody decided within 1ms"));
    assert_eq!(count(&harness, run, |event| matches!(event, Event::CallStaled { .. })), 1);
    assert_eq!(count(&harness, run, failed_late), 1);
    // Asked for again it is made from what is there now, and nothing is asked about what it was made from before.
    harness.engine.retry_failed(run).await.unwrap();
    assert_eq!(body(&drive_to_the_end(&harness, run).await), "AFTER CHANGED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_effect_that_failed_before_and_is_not_allowed_in_time_fails_once() {
    let harness = Harness::new(|request| match request.key.step() {
        "act" => Act::Fail(Failure::new(FailureClass::Command, "no")),
        _ => shout(request),
    });
    let rules = json!({ "approve": { "when": "steps.a.output == 'sure'" }, "decide_within": 1, "on_timeout": "fail" });
    let does = json!({ "kind": "command", "argv": ["do", "{{ steps.a.output }}"], "parse": "text" });
    let steps = json!([prompt("a", "hello", json!({})), step("act", does, rules)]);
    let run = harness.start(&steps, json!({}));
    harness.drive(run).await;
    assert_eq!(harness.decide(run, "a", DecisionKind::Accept).await.status, Status::Failed);
    harness.engine.decide(run, decision("a", DecisionKind::Reopen)).await.unwrap();
    let edit = DecisionKind::Edit { output: json!("sure"), accept: true };
    harness.engine.decide(run, decision("a", edit)).await.unwrap();
    let state = drive_to_the_end(&harness, run).await;
    assert_eq!((state.status, state.error.unwrap().1.class), (Status::Failed, FailureClass::Timeout));
    let asked = |event: &Event| matches!(event, Event::GateOpened(gate) if gate.kind() == GateKind::Approval);
    assert_eq!((count(&harness, run, asked), count(&harness, run, failed_late)), (1, 1));
    assert_eq!(harness.attempts(), ["a", "act"], "nobody allowed the second");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_allowed_once_and_failed_is_not_run_with_other_bytes_unasked() {
    let harness = Harness::new(|request| match request.key.step() {
        "act" => Act::Fail(Failure::new(FailureClass::Command, "no")),
        _ => shout(request),
    });
    let does = json!({ "kind": "command", "argv": ["do", "{{ steps.a.output }}"], "parse": "text" });
    let steps = json!([prompt("a", "hello", json!({})), step("act", does, json!({}))]);
    let run = harness.start(&steps, json!({}));
    harness.drive(run).await;
    harness.decide(run, "a", DecisionKind::Accept).await;
    assert_eq!(harness.decide(run, "act", DecisionKind::APPROVE).await.status, Status::Failed);
    harness.engine.decide(run, decision("a", DecisionKind::Reopen)).await.unwrap();
    let edit = DecisionKind::Edit { output: json!("something else"), accept: true };
    harness.engine.decide(run, decision("a", edit)).await.unwrap();
    let state = harness.drive(run).await;
    assert_eq!(
        (waiting(&state, GateKind::Approval), harness.attempts()),
        (vec!["act".into()], vec!["a".into(), "act".into()])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_nobody_gives_a_budget_to_in_time_fails_once() {
    let harness = Harness::new(shout);
    let steps = json!([prompt("a", "hello", late("fail"))]);
    let run = harness.start_with(&steps, &json!({ "budget": { "usd": 0.05 } }), json!({}));
    let state = drive_to_the_end(&harness, run).await;
    assert_eq!((state.status, state.error.unwrap().1.class), (Status::Failed, FailureClass::Timeout));
    assert_eq!((harness.attempts().len(), count(&harness, run, failed_late)), (0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_that_nobody_fills_in_in_time_takes_its_defaults_if_every_field_has_one() {
    let form = |id: &str, fields: Value| step(id, json!({ "kind": "ask", "fields": fields }), in_a_day("accept"));
    let steps = json!([
        form("whole", json!([{ "name": "count", "type": "integer", "default": 3 }])),
        form(
            "lacking",
            json!([{ "name": "count", "type": "integer", "default": 3 }, { "name": "why", "type": "text" }])
        ),
    ]);
    let harness = Harness::new(shout);
    let run = harness.start(&steps, json!({}));
    let state = drive_and_leave(&harness, run).await;
    let due =
        |key: &str| state.waiting().find(|gate| gate.key.to_string() == key).map(|gate| state.due(gate).is_some());
    assert_eq!((due("whole"), due("lacking")), (Some(true), Some(false)));
    harness.clock.advance(DAY);
    let state = harness.drive(run).await;
    let answered = state.call(&"whole".parse().unwrap()).unwrap().standing.as_ref().unwrap();
    assert_eq!(*answered.output, json!({ "count": 3 }));
    assert_eq!(waiting(&state, GateKind::Input), ["lacking"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_that_comes_too_late_is_refused_and_the_deadline_is_what_counts() {
    for driven in [true, false] {
        let harness = Harness::new(shout);
        let run = harness.start(&json!([prompt("a", "hello", in_a_day("skip"))]), json!({}));
        if driven {
            harness.drive(run).await;
        } else {
            drive_and_leave(&harness, run).await;
        }
        harness.clock.advance(DAY);
        let error = harness.engine.decide(run, decision("a", DecisionKind::Accept)).await.unwrap_err();
        assert!(error.to_string().contains("`a` was skipped (nobody decided within 1d)"), "driven {driven}: {error}");
        assert_eq!(refused(Err(error)), ErrorCode::NotWaiting);
        let state = harness.engine.load(run).unwrap();
        assert_eq!(status(&state, "a"), CallStatus::Skipped, "driven {driven}");
        let skipped = |event: &Event| matches!(event, Event::CallSkipped { by: Actor::Deadline, .. });
        assert_eq!(count(&harness, run, skipped), 1, "driven {driven}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_about_another_call_applies_what_is_overdue_first() {
    let harness = Harness::new(shout);
    let steps = json!([prompt("a", "hello", in_a_day("skip")), prompt("b", "hello", json!({}))]);
    let run = harness.start(&steps, json!({}));
    drive_and_leave(&harness, run).await;
    harness.clock.advance(DAY);
    harness.engine.decide(run, decision("b", DecisionKind::Accept)).await.unwrap();
    let events = harness.events(run);
    let place = |wanted: &dyn Fn(&Event) -> bool| events.iter().position(wanted).unwrap();
    let skipped = place(&|event| matches!(event, Event::CallSkipped { by: Actor::Deadline, .. }));
    let accepted = place(&|event| matches!(event, Event::CallAccepted { .. }));
    assert!(skipped < accepted, "{events:?}");
    // A new title is no decision.
    let run = harness.start(&steps, json!({}));
    drive_and_leave(&harness, run).await;
    harness.clock.advance(DAY);
    harness.engine.rename(run, "later").await.unwrap();
    assert_eq!(status(&harness.engine.load(run).unwrap(), "a"), CallStatus::Review);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_policy_would_answer_is_answered_by_the_deadline_when_that_has_passed() {
    let harness = Harness::new(shout);
    let run = harness.start(&json!([prompt("a", "hello", in_a_day("skip"))]), json!({}));
    drive_and_leave(&harness, run).await;
    harness.clock.advance(DAY);
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.drive_with_policy(run, Arc::new(|_, _| Some(DecisionKind::Accept))).unwrap();
    until_stopped(&mut updates).await;
    assert_eq!(status(&harness.engine.load(run).unwrap(), "a"), CallStatus::Skipped);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_reads_a_run_knows_until_when_it_waits() {
    let harness = Harness::new(shout);
    let steps = json!([prompt("a", "hello", in_a_day("fail")), command("act", in_a_day("accept"))]);
    let run = harness.start(&steps, json!({}));
    drive_and_leave(&harness, run).await;
    let reader = harness.neighbour();
    let state = reader.engine.load(run).unwrap();
    let due = |key: &str| state.waiting().find(|gate| gate.key.to_string() == key).and_then(|gate| state.due(gate));
    let (at, now) = (due("a").unwrap(), state.updated_at);
    assert!(!at.has_passed(now) && at.has_passed(now + DAY));
    assert!(at.words(now, &chrono::Utc).starts_with("deadline 2"), "{}", at.words(now, &chrono::Utc));
    assert_eq!(at.words(now + DAY, &chrono::Utc), "deadline passed: will fail");
    // Nothing allows an effect but a person.
    assert_eq!(due("act"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_definition_brings_its_own_deadlines_with_it() {
    let harness = Harness::new(shout);
    let steps = |within: u64| json!([prompt("a", "sea", json!({ "decide_within": within, "on_timeout": "skip" }))]);
    let run = harness.start(&steps(86_400_000), json!({}));
    drive_and_leave(&harness, run).await;
    let due = |harness: &Harness| {
        let rows = harness.engine.history(&HistoryQuery::default()).unwrap();
        rows[0].due.map(|due| due.at)
    };
    let before = due(&harness).unwrap();
    let pinned = Arc::new(crate::harness::pinned(&steps(2 * 86_400_000), &json!({})));
    harness.engine.update(&harness.engine.load(run).unwrap(), &pinned).await.unwrap();
    let later = due(&harness).unwrap() - before;
    assert_eq!(later.num_hours(), 24, "the list says it");
    let state = harness.engine.load(run).unwrap();
    assert!(state.overdue(before + chrono::TimeDelta::hours(1)).is_empty(), "and nothing is answered before");
}
