//! What a person has edited of a result or another document is never replaced silently.

use serde_json::json;
use stepwell::core::code::ErrorCode;
use stepwell::core::decide::{Decision, DecisionKind};
use stepwell::core::event::Event;
use stepwell::core::gate::GateKind;
use stepwell::core::id::RunId;
use stepwell::core::run::{Run, Status};

use super::harness::{Harness, Updates, body, decision, prompt, refused, shout, until_stopped, waiting};

const AGAIN: DecisionKind = DecisionKind::Again { model: None };

/// A run of one step, whose output is in the result.
fn start(harness: &Harness) -> RunId {
    let result = json!({ "result": { "title": "Sea", "body": "The {{ steps.a.output }}" } });
    harness.start_with(&json!([prompt("a", "sea", json!({}))]), &result, json!({}))
}

fn own(text: &str) -> DecisionKind {
    DecisionKind::Edit { output: json!(text), accept: true }
}

/// Decides about a run that nobody drives, and drives it to where it waits or ends.
async fn decide(harness: &Harness, run: RunId, key: &str, kind: DecisionKind) -> Run {
    harness.engine.decide(run, decision(key, kind)).await.unwrap();
    harness.drive(run).await
}

/// Another output of the first step is accepted.
async fn change(harness: &Harness, run: RunId, text: &str) -> Run {
    decide(harness, run, "a", DecisionKind::Reopen).await;
    harness.decide(run, "a", own(text)).await
}

/// A completed run whose result the person has edited, and whose first step came out otherwise since.
async fn stale(harness: &Harness) -> (RunId, Run) {
    let run = start(harness);
    harness.drive(run).await;
    assert_eq!(body(&harness.decide(run, "a", DecisionKind::Accept).await), "The SEA");
    harness.engine.edit_document(run, "result", 1, "Mine", "My sea").await.unwrap();
    assert_eq!(body(&harness.engine.load(run).unwrap()), "My sea");
    (run, change(harness, run, "lake").await)
}

fn versions<'a>(run: &'a Run, name: &str) -> Vec<&'a str> {
    run.documents[name].versions.iter().map(|version| version.body.data()).collect()
}

fn current<'a>(run: &'a Run, name: &str) -> &'a str {
    run.documents[name].current().unwrap().1.body.data()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_result_stays_when_an_earlier_step_changes_until_the_person_has_chosen() {
    let harness = Harness::new(shout);
    let (run, state) = stale(&harness).await;
    assert_eq!((state.status, waiting(&state, GateKind::Stale)), (Status::Waiting, vec!["result".to_owned()]));
    let gate = state.waiting().next().unwrap();
    assert_eq!((gate.document(), gate.version), (Some("result"), 3));
    assert_eq!(versions(&state, "result"), ["The SEA", "My sea", "The lake"]);
    assert_eq!((current(&state, "result"), state.result.as_ref().unwrap().body.data()), ("My sea", "My sea"));
    // Another process reads the same, and so does one that opens the store later.
    let elsewhere = harness.neighbour().engine.load(run).unwrap();
    assert_eq!((elsewhere.gates(), current(&elsewhere, "result")), (1, "My sea"));

    let kept = harness.decide(run, "result", DecisionKind::Keep).await;
    assert_eq!((body(&kept), kept.gates()), ("My sea", 0));
    assert_eq!(versions(&kept, "result"), ["The SEA", "My sea", "The lake"]);
    // The answer is to that text: only another one asks again.
    assert_eq!(body(&change(&harness, run, "lake").await), "My sea");
    let asked = change(&harness, run, "pond").await;
    assert_eq!((asked.status, asked.waiting().next().unwrap().version), (Status::Waiting, 4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuilt_result_is_what_the_steps_give_and_the_edit_stays_a_version() {
    let harness = Harness::new(shout);
    let (run, _) = stale(&harness).await;
    let state = harness.decide(run, "result", AGAIN).await;
    assert_eq!(body(&state), "The lake");
    assert_eq!(versions(&state, "result"), ["The SEA", "My sea", "The lake"]);
    // Nothing of it is edited any more, so nobody is asked.
    assert_eq!(body(&change(&harness, run, "pond").await), "The pond");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_steps_give_again_what_was_edited_there_is_nothing_to_ask() {
    let harness = Harness::new(shout);
    let (run, state) = stale(&harness).await;
    assert_eq!(state.gates(), 1);
    let state = change(&harness, run, "SEA").await;
    assert_eq!((body(&state), state.gates()), ("My sea", 0));
    assert_eq!(body(&harness.drive(run).await), "My sea");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_may_go_on_editing_while_the_question_is_open() {
    let harness = Harness::new(shout);
    let (run, _) = stale(&harness).await;
    harness.engine.edit_document(run, "result", 2, "Mine", "My own sea").await.unwrap();
    // Version 3 is proposed, not what counts.
    let refusal = harness.engine.edit_document(run, "result", 3, "t", "x").await;
    assert_eq!(refused(refusal), ErrorCode::StaleView);
    let state = harness.engine.load(run).unwrap();
    assert_eq!((state.gates(), current(&state, "result")), (1, "My own sea"));
    assert_eq!(body(&harness.decide(run, "result", DecisionKind::Keep).await), "My own sea");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_choice_is_undone_and_the_question_waits_again() {
    let harness = Harness::new(shout);
    for (kind, came) in [(DecisionKind::Keep, "My sea"), (AGAIN, "The lake")] {
        let (run, _) = stale(&harness).await;
        assert_eq!(body(&harness.decide(run, "result", kind).await), came);
        harness.engine.undo(run, None).await.unwrap();
        let state = harness.drive(run).await;
        assert_eq!((state.status, state.gates(), current(&state, "result")), (Status::Waiting, 1, "My sea"));
        let state = harness.decide(run, "result", AGAIN).await;
        assert_eq!((body(&state), versions(&state, "result").len()), ("The lake", 3));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_that_was_undone_is_no_edit_and_nobody_is_asked() {
    let harness = Harness::new(shout);
    let run = start(&harness);
    harness.drive(run).await;
    harness.decide(run, "a", DecisionKind::Accept).await;
    harness.engine.edit_document(run, "result", 1, "Mine", "My sea").await.unwrap();
    harness.engine.undo(run, None).await.unwrap();
    let state = change(&harness, run, "lake").await;
    assert_eq!((body(&state), state.gates()), ("The lake", 0));
    // The edit is still there to be restored.
    assert_eq!(versions(&state, "result"), ["The SEA", "My sea", "The SEA", "The lake"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_goes_back_to_what_the_steps_had_made_is_asked_no_more() {
    let harness = Harness::new(shout);
    let (run, state) = stale(&harness).await;
    let title = state.documents["result"].versions[0].title.data().to_owned();
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.edit_document(run, "result", 2, &title, "The SEA").await.unwrap();
    until_stopped(&mut updates).await;
    assert_eq!(body(&harness.engine.load(run).unwrap()), "The lake");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_decided_about_a_document_is_decided_of_what_was_seen() {
    let harness = Harness::new(shout);
    let (run, state) = stale(&harness).await;
    let gate = state.waiting().next().unwrap().clone();
    let before = harness.events(run).len();
    let about = |version, kind| Decision { version: Some(version), ..Decision::of(&gate, kind) };
    let engine = &harness.engine;
    assert_eq!(refused(engine.decide(run, about(2, DecisionKind::Keep)).await), ErrorCode::StaleView);
    assert_eq!(refused(engine.decide(run, about(3, DecisionKind::Accept)).await), ErrorCode::NotAllowed);
    let model = DecisionKind::Again { model: Some("big".to_owned()) };
    assert_eq!(refused(engine.decide(run, about(3, model)).await), ErrorCode::NotAllowed);
    let unknown = Decision { document: Some("notes".to_owned()), ..Decision::of(&gate, DecisionKind::Keep) };
    assert_eq!(refused(engine.decide(run, unknown).await), ErrorCode::NotWaiting);
    let stale_seq = Decision { seq: Some(1), ..Decision::about_seen(&state, &gate, DecisionKind::Keep) };
    assert_eq!(refused(engine.decide(run, stale_seq).await), ErrorCode::StaleView);
    assert_eq!(harness.events(run).len(), before, "nothing changed");
    let (_, mut updates) = Updates::of(engine, run);
    engine.decide(run, Decision::about_seen(&state, &gate, DecisionKind::Keep)).await.unwrap();
    until_stopped(&mut updates).await;
    assert_eq!(refused(engine.decide(run, Decision::of(&gate, AGAIN)).await), ErrorCode::NotWaiting);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_is_with_the_document_of_a_step_and_the_run_continues_meanwhile() {
    let harness = Harness::new(shout);
    let document = json!({ "name": "my notes", "title": "Notes", "body": "On {{ output }}" });
    let steps = json!([
        prompt("a", "sea", json!({ "document": document })),
        prompt("b", "then {{ steps.a.output }}", json!({ "review": "never" })),
    ]);
    let run = harness.start(&steps, json!({}));
    harness.drive(run).await;
    harness.decide(run, "a", DecisionKind::Accept).await;
    harness.engine.edit_document(run, "my notes", 1, "Notes", "Mine").await.unwrap();
    let state = change(&harness, run, "lake").await;
    // What depends on the step is asked about as ever; the document is a question of its own.
    let state = if waiting(&state, GateKind::Stale).contains(&"b".to_owned()) {
        harness.decide(run, "b", AGAIN).await
    } else {
        state
    };
    assert_eq!((state.status, waiting(&state, GateKind::Stale)), (Status::Waiting, vec!["document".to_owned()]));
    assert_eq!(
        (current(&state, "my notes"), versions(&state, "my notes")),
        ("Mine", vec!["On SEA", "Mine", "On lake"])
    );
    assert_eq!(state.call(&"b".parse().unwrap()).unwrap().output().unwrap().2.as_str(), Some("THEN LAKE"));
    let state = harness.decide(run, "document", DecisionKind::Keep).await;
    assert_eq!((state.status, current(&state, "my notes")), (Status::Completed, "Mine"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_is_called_result_is_not_taken_for_the_document() {
    let harness = Harness::new(shout);
    let run = harness.start(&json!([prompt("result", "sea", json!({}))]), json!({}));
    harness.drive(run).await;
    harness.decide(run, "result", DecisionKind::Accept).await;
    harness.engine.edit_document(run, "result", 1, "Mine", "My sea").await.unwrap();
    decide(&harness, run, "result", DecisionKind::Reopen).await;
    let state = harness.decide(run, "result", own("lake")).await;
    let gate = state.waiting().next().unwrap().clone();
    assert_eq!(gate.document(), Some("result"));
    let of_the_call = harness.engine.decide(run, decision("result", DecisionKind::Keep)).await;
    assert_eq!(refused(of_the_call), ErrorCode::NotWaiting);
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.decide(run, Decision::of(&gate, DecisionKind::Keep)).await.unwrap();
    until_stopped(&mut updates).await;
    assert_eq!(body(&harness.engine.load(run).unwrap()), "My sea");
}

/// Version 0.1.0 replaced an edit: a journal of it reads as it did.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_that_an_older_version_replaced_stays_replaced() {
    let harness = Harness::new(shout);
    let (run, _) = stale(&harness).await;
    let mut events = harness.engine.events(run, 0).unwrap();
    events.retain(|recorded| !matches!(recorded.event, Event::GateOpened(ref gate) if gate.document().is_some()));
    for recorded in &mut events {
        if let Event::DocumentWritten { proposed, .. } = &mut recorded.event {
            *proposed = false;
        }
    }
    let then = Run::fold(run, &events).unwrap();
    assert_eq!((current(&then, "result"), then.gates()), ("The lake", 0));
    // Nor does the event of today say more than theirs where there is nothing more to say.
    let written = events.iter().map(|recorded| serde_json::to_value(&recorded.event).unwrap());
    assert!(written.filter(|event| event["type"] == "document_written").all(|event| event.get("proposed").is_none()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edits_are_taken_back_one_after_the_other() {
    let harness = Harness::new(shout);
    let run = start(&harness);
    harness.drive(run).await;
    harness.decide(run, "a", DecisionKind::Accept).await;
    harness.engine.edit_document(run, "result", 1, "t", "first").await.unwrap();
    harness.engine.edit_document(run, "result", 2, "t", "second").await.unwrap();
    for text in ["first", "The SEA"] {
        harness.engine.undo(run, None).await.unwrap();
        assert_eq!(body(&harness.engine.load(run).unwrap()), text);
    }
    let state = harness.engine.load(run).unwrap();
    assert_eq!(versions(&state, "result"), ["The SEA", "first", "second", "first", "The SEA"]);
}
