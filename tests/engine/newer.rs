//! A run that a later version takes a hand in is left to it.

use serde_json::json;
use stepwell::core::code::ErrorCode;
use stepwell::core::decide::DecisionKind;
use stepwell::core::event::Event;
use stepwell::core::id::RunId;
use stepwell::core::ports::{Append, JournalError, Stands, Writer};
use stepwell::engine::StopReason;

use super::harness::{Harness, decision, prompt, shout, until_stopped};

/// A later version writes something of its own into a run.
fn write(harness: &Harness, run: RunId) {
    let state = harness.engine.load(run).unwrap();
    let body = r#"{"type":"gate_opened","key":"a","for":"tools","call":"1.0","attempt":1,"version":1,"allowed":[]}"#;
    let append = Append {
        run,
        after: state.seq,
        writer: Writer::Decider,
        at: state.updated_at,
        events: vec![Event::from_json(body).unwrap()],
        learn: Vec::new(),
        state: None,
        stands: Stands::of(&state),
    };
    harness.store.append(&append).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_drives_or_decides_on_what_a_later_version_wrote() {
    let harness = Harness::new(shout);
    let run = harness.start(&json!([prompt("a", "hello", json!({}))]), json!({}));
    write(&harness, run);
    let head = harness.store.head(run).unwrap();
    assert_eq!(harness.engine.drive(run).unwrap_err().code(), ErrorCode::Newer);
    assert!(!harness.engine.is_driven(run));
    for refused in [
        harness.engine.decide(run, decision("a", DecisionKind::Accept)).await,
        harness.engine.rename(run, "another title").await,
        harness.engine.retry_failed(run).await,
        harness.engine.cancel(run).await,
    ] {
        assert_eq!(refused.unwrap_err().code(), ErrorCode::Newer);
    }
    assert_eq!(harness.store.head(run).unwrap(), head);
    assert!(harness.engine.subscribe(run).unwrap().0.newer);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_drives_a_run_lets_go_of_it_when_a_later_version_writes_into_it() {
    let harness = Harness::new(shout);
    let run = harness.start(&json!([prompt("a", "hello", json!({}))]), json!({}));
    harness.drive(run).await;
    let (_, mut updates) = harness.subscribe(run);
    write(&harness, run);
    let head = harness.store.head(run).unwrap();
    assert!(harness.engine.decide(run, decision("a", DecisionKind::Accept)).await.is_err());
    let rest = loop {
        match until_stopped(&mut updates).await {
            StopReason::Waiting => {}
            rest => break rest,
        }
    };
    assert!(matches!(rest, StopReason::JournalLost(JournalError::Newer(_))), "{rest:?}");
    assert_eq!(harness.store.head(run).unwrap(), head);
}
