//! Two processes on one run: what one does while the other drives.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use stepwell::core::call::AttemptStatus;
use stepwell::core::code::ErrorCode;
use stepwell::core::decide::DecisionKind;
use stepwell::core::event::Event;
use stepwell::core::gate::GateKind;
use stepwell::core::ports::{Append, Stands, Writer};
use stepwell::core::run::Status;
use stepwell::engine::{StopReason, Update};

use crate::harness::{Act, Harness, body, decision, pinned, prompt, refused, shout, until, until_stopped, waiting};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_cancelled_elsewhere_stops_at_once_and_keeps_what_was_written() {
    let harness = Harness::new(|_| Act::Hang("so far"));
    let run = harness.start(&json!([prompt("a", "hello", json!({}))]), json!({}));
    let (_, mut updates) = harness.engine.subscribe(run).unwrap();
    harness.engine.drive(run).unwrap();
    until(&mut updates, |update| matches!(update, Update::Delta { .. }).then_some(())).await;
    // It would never end by itself.
    harness.neighbour().engine.cancel(run).await.unwrap();
    assert_eq!(until_stopped(&mut updates).await, StopReason::Over);
    let state = harness.engine.load(run).unwrap();
    let attempt = &state.call(&"a".parse().unwrap()).unwrap().attempts[0];
    assert_eq!((state.status, attempt.status), (Status::Cancelled, AttemptStatus::Cancelled));
    assert_eq!(attempt.partial.data(), "so far");
    assert!(!harness.engine.is_driven(run));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_about_what_only_another_process_knows_of_is_taken() {
    let harness = Harness::new(shout);
    let run = harness.start(&json!([prompt("a", "hello", json!({}))]), json!({}));
    harness.drive(run).await;
    // Another process records a version, and wakes nobody.
    let state = harness.engine.load(run).unwrap();
    let edited = Event::VersionEdited {
        key: "a".parse().unwrap(),
        attempt: 1,
        version: 2,
        output: json!("mine").into(),
        by: "bob@there".into(),
    };
    append(&harness, &state, edited);
    let mut accept = decision("a", DecisionKind::Accept);
    accept.version = Some(2);
    let (_, mut updates) = harness.engine.subscribe(run).unwrap();
    harness.engine.decide(run, accept).await.unwrap();
    while until_stopped(&mut updates).await != StopReason::Over {}
    assert_eq!(body(&harness.engine.load(run).unwrap()), "mine");
    let mut late = decision("a", DecisionKind::Accept);
    late.version = Some(1);
    assert_eq!(refused(harness.engine.decide(run, late).await), ErrorCode::NotWaiting);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_given_another_definition_goes_on_with_that_one() {
    let harness = Harness::new(shout);
    let run = harness.start(&json!([prompt("a", "hello", json!({}))]), json!({}));
    harness.drive(run).await;
    // It was driven between the look and the word: whoever updates a run looks first whether anybody drives it.
    let after = json!([prompt("a", "hello", json!({})), prompt("b", "and {{ steps.a.output }}", json!({}))]);
    let definition = harness.store.pin(&pinned(&after, &json!({}))).unwrap();
    let state = harness.engine.load(run).unwrap();
    append(&harness, &state, Event::RunUpdated { definition, by: "bob@there".into() });
    let state = harness.decide(run, "a", DecisionKind::Accept).await;
    assert_eq!(waiting(&state, GateKind::Review), ["b"]);
}

/// Appends as another process does, and wakes nobody.
fn append(harness: &Harness, run: &stepwell::core::run::Run, event: Event) {
    let (after, at) = (run.seq, chrono::Utc::now());
    let batch = Append {
        run: run.id,
        after,
        writer: Writer::Decider,
        at,
        events: vec![event],
        learn: Vec::new(),
        state: None,
        stands: Stands::of(run),
    };
    harness.store.append(&batch).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_lost_the_lock_without_knowing_performs_nothing_more() {
    let calls = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&calls);
    let harness = Harness::new(move |request| {
        counted.fetch_add(1, Ordering::SeqCst);
        shout(request)
    });
    let steps = json!([prompt("a", "hello", json!({})), prompt("b", "{{ steps.a.output }}", json!({}))]);
    let run = harness.start(&steps, json!({}));
    harness.drive(run).await;
    // A lock that does not hold, as on some network file systems: somebody removes the file, another takes a new one.
    let state = harness.engine.load(run).unwrap();
    let locks = harness.path.join("state/locks");
    std::fs::remove_dir_all(locks).unwrap();
    let neighbour = harness.neighbour();
    let taken = neighbour.drive(run).await;
    assert!(taken.seq > state.seq, "it has taken the run over");
    let (_, mut updates) = harness.engine.subscribe(run).unwrap();
    let lost = harness.engine.decide(run, decision("a", DecisionKind::Accept)).await.unwrap_err();
    assert!(lost.to_string().contains("another process drives the run now"), "{lost}");
    assert!(matches!(until_stopped(&mut updates).await, StopReason::JournalLost(_)));
    assert_eq!(calls.load(Ordering::SeqCst), 1, "nothing was performed by either");
    let state = neighbour.decide(run, "a", DecisionKind::Accept).await;
    assert_eq!(waiting(&state, GateKind::Review), ["b"]);
}
