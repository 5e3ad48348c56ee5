//! Runs that are removed, whatever they are doing.

use serde_json::json;
use stepwell::core::code::ErrorCode;
use stepwell::core::run::Status;
use stepwell::engine::Update;

use crate::harness::{Act, Harness, prompt, shout, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_waits_and_is_driven_here_is_deleted() {
    let harness = Harness::new(shout);
    let run = harness.start(&json!([prompt("a", "hello", json!({}))]), json!({}));
    assert_eq!(harness.drive(run).await.status, Status::Waiting);
    assert!(harness.engine.is_driven(run), "it is in hand while it waits");
    harness.engine.stop_and_delete(run).await.unwrap();
    assert_eq!(harness.engine.load(run).unwrap_err().code(), ErrorCode::NoRun);
    assert!(!harness.engine.is_driven(run));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_at_work_is_stopped_and_deleted_here_and_from_another_process() {
    for elsewhere in [false, true] {
        let harness = Harness::new(|_| Act::Hang("so far"));
        let run = harness.start(&json!([prompt("a", "hello", json!({}))]), json!({}));
        let (_, mut updates) = harness.subscribe(run);
        harness.engine.drive(run).unwrap();
        until(&mut updates, |update| matches!(update, Update::Delta { .. }).then_some(())).await;
        let neighbour = harness.neighbour();
        let engine = if elsewhere { &neighbour.engine } else { &harness.engine };
        engine.stop_and_delete(run).await.unwrap();
        assert_eq!(harness.engine.load(run).unwrap_err().code(), ErrorCode::NoRun, "elsewhere: {elsewhere}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_nothing_drives_is_deleted_and_one_that_is_not_there_is_said_to_be_none() {
    let harness = Harness::new(shout);
    let run = harness.start(&json!([prompt("a", "hello", json!({}))]), json!({}));
    harness.engine.stop_and_delete(run).await.unwrap();
    assert_eq!(harness.engine.stop_and_delete(run).await.unwrap_err().code(), ErrorCode::NoRun);
}
