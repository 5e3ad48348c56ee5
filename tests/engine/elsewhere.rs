//! Two processes on one run: what one does while the other drives.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use stepwell::core::call::AttemptStatus;
use stepwell::core::code::ErrorCode;
use stepwell::core::decide::DecisionKind;
use stepwell::core::event::Event;
use stepwell::core::gate::GateKind;
use stepwell::core::id::RunId;
use stepwell::core::ports::{Append, BoxFuture, JournalError, Lease, Ownership, Stands, Writer};
use stepwell::core::run::Status;
use stepwell::engine::{StopReason, Update};
use stepwell::store::MemoryState;
use tokio::sync::Notify;

use crate::harness::{Act, Harness, body, decision, pinned, prompt, refused, shout, until, until_stopped, waiting};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_cancelled_elsewhere_stops_at_once_and_keeps_what_was_written() {
    let harness = Harness::new(|_| Act::Hang("so far"));
    let run = harness.start(&json!([prompt("a", "hello", json!({}))]), json!({}));
    let (_, mut updates) = harness.subscribe(run);
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
    let (_, mut updates) = harness.subscribe(run);
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
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let harness = Harness::on_disk(move |request| {
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
    let (_, mut updates) = harness.subscribe(run);
    let lost = harness.engine.decide(run, decision("a", DecisionKind::Accept)).await.unwrap_err();
    assert!(lost.to_string().contains("another process drives the run now"), "{lost}");
    assert!(matches!(until_stopped(&mut updates).await, StopReason::JournalLost(_)));
    assert_eq!(calls.load(Ordering::SeqCst), 1, "nothing was performed by either");
    let state = neighbour.decide(run, "a", DecisionKind::Accept).await;
    assert_eq!(waiting(&state, GateKind::Review), ["b"]);
}

/// A right to drive runs that ends by time: now, when a test says so.
#[derive(Default)]
struct Ends {
    state: MemoryState,
    now: Arc<Notify>,
}

struct EndingLease {
    lease: Box<dyn Lease>,
    now: Arc<Notify>,
}

impl Ownership for Ends {
    fn take(&self, run: RunId) -> Result<Option<Box<dyn Lease>>, JournalError> {
        let lease = self.state.take(run)?;
        Ok(lease.map(|lease| Box::new(EndingLease { lease, now: Arc::clone(&self.now) }) as Box<dyn Lease>))
    }
    fn is_owned(&self, run: RunId) -> bool {
        self.state.is_owned(run)
    }
    fn wake(&self, run: RunId) {
        self.state.wake(run);
    }
    fn forget(&self, run: RunId) {
        self.state.forget(run);
    }
}

impl Lease for EndingLease {
    fn woken(&self) -> BoxFuture<'_, ()> {
        self.lease.woken()
    }
    fn lost(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.now.notified())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_whose_right_to_drive_a_run_ends_stops_at_once_and_another_continues() {
    let ownership = Arc::new(Ends::default());
    let tries = AtomicUsize::new(0);
    let harness = Harness::owned_by(ownership.clone(), move |request| match tries.fetch_add(1, Ordering::SeqCst) {
        0 => Act::Hang("so far"),
        _ => shout(request),
    });
    let run = harness.start(&json!([prompt("a", "hello", json!({ "review": "never" }))]), json!({}));
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.drive(run).unwrap();
    until(&mut updates, |update| matches!(update, Update::Delta { .. }).then_some(())).await;
    ownership.now.notify_one();
    assert_eq!(until_stopped(&mut updates).await, StopReason::JournalLost(JournalError::Superseded));
    assert!(!harness.engine.is_driven(run));
    let state = harness.engine.load(run).unwrap();
    let attempt = &state.call(&"a".parse().unwrap()).unwrap().attempts[0];
    assert_eq!(attempt.status, AttemptStatus::Running, "it wrote nothing more");
    assert_eq!(body(&harness.neighbour().drive(run).await), "HELLO");
}
