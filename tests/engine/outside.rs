//! An engine outside of an async runtime: what needs one says so, and the rest works.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use serde_json::json;
use stepwell::core::code::ErrorCode;
use stepwell::core::decide::DecisionKind;
use stepwell::core::run::Status;

use super::harness::{Harness, decision, prompt, refused, shout};

/// What comes of it without anything that runs in the background.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it waits for something"),
    }
}

#[test]
fn a_run_can_be_started_read_decided_on_and_deleted_and_what_drives_one_is_refused() {
    let harness = Harness::new(shout);
    let run = harness.start(&json!([prompt("a", "hello", json!({}))]), json!({}));
    assert_eq!(harness.engine.drive(run).unwrap_err().code(), ErrorCode::Usage);
    assert_eq!(harness.engine.subscribe(run).err().unwrap().code(), ErrorCode::Usage);
    assert!(!harness.engine.is_driven(run), "it did not keep the right to drive it");
    at_once(harness.engine.rename(run, "as I call it")).unwrap();
    let state = harness.engine.load(run).unwrap();
    assert_eq!((state.title.as_str(), state.calls.len()), ("as I call it", 0));
    let early = at_once(harness.engine.decide(run, decision("a", DecisionKind::Accept)));
    assert_eq!(refused(early), ErrorCode::NoCall);
    at_once(harness.engine.cancel(run)).unwrap();
    assert_eq!(harness.engine.load(run).unwrap().status, Status::Cancelled);
    at_once(harness.engine.stop_and_delete(run)).unwrap();
    assert_eq!(harness.engine.load(run).unwrap_err().code(), ErrorCode::NoRun);
}
