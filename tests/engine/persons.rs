//! Who decided is kept with each decision, however many people share one process.

use serde_json::json;
use stepwell::core::actor::Actor;
use stepwell::core::decide::DecisionKind;
use stepwell::core::event::Event;
use stepwell::core::id::RunId;
use stepwell::engine::Update;

use crate::harness::{Act, Harness, decision, prompt, shout, until, until_stopped};

/// Who decided, in order, with the name of the event.
fn deciders(harness: &Harness, run: RunId) -> Vec<(String, String)> {
    let events = harness.events(run);
    let of = |event: &Event| {
        let name = serde_json::to_value(event).unwrap()["type"].as_str().unwrap().to_owned();
        Some((name, event.decided_by()?.to_string()))
    };
    events.iter().filter_map(of).collect()
}

fn named(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(event, who)| ((*event).to_owned(), (*who).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_decision_is_by_whoever_made_it_in_the_run_that_this_process_drives_and_in_one_that_it_does_not() {
    let harness = Harness::new(shout);
    let bea = harness.engine.on_behalf_of(Actor::named("bea@phone"));
    for driven in [true, false] {
        let steps = json!([prompt("a", "hello", json!({})), prompt("b", "{{ steps.a.output }}", json!({}))]);
        let run = harness.start(&steps, json!({}));
        harness.drive(run).await;
        if !driven {
            let (_, mut updates) = harness.subscribe(run);
            harness.engine.pause(run, stepwell::core::event::PauseReason::Left);
            until_stopped(&mut updates).await;
        }
        bea.rename(run, "By Bea").await.unwrap();
        bea.decide(run, decision("a", DecisionKind::Edit { output: json!("mine"), accept: true })).await.unwrap();
        harness.drive(run).await;
        harness.engine.decide(run, decision("b", DecisionKind::Skip)).await.unwrap();
        bea.undo(run, None).await.unwrap_err();
        let expected = named(&[
            ("run_renamed", "bea@phone"),
            ("version_edited", "bea@phone"),
            ("call_accepted", "bea@phone"),
            ("call_skipped", "ana@here"),
        ]);
        assert_eq!(deciders(&harness, run)[..4], expected, "driven here: {driven}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_under_way_is_broken_off_by_whoever_cancels() {
    let harness = Harness::new(|_| Act::Hang("so far"));
    let run = harness.start(&json!([prompt("a", "hello", json!({}))]), json!({}));
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.drive(run).unwrap();
    until(&mut updates, |update| matches!(update, Update::Delta { .. }).then_some(())).await;
    harness.engine.on_behalf_of(Actor::named("bea@phone")).cancel(run).await.unwrap();
    until_stopped(&mut updates).await;
    let by = harness.events(run).into_iter().find_map(|event| match event {
        Event::AttemptCancelled { by, .. } => Some(by.to_string()),
        _ => None,
    });
    assert_eq!(by.as_deref(), Some("bea@phone"));
    assert_eq!(deciders(&harness, run), named(&[("run_cancelled", "bea@phone")]));
}
