//! What belongs to a step is kept by its definition and its id: a child's `draft` is not its parent's.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use stepwell::core::actor::Actor;
use stepwell::core::call::CallStatus;
use stepwell::core::decide::DecisionKind;
use stepwell::core::event::{Event, InstructionScope};
use stepwell::core::gate::GateKind;
use stepwell::core::id::RunId;
use stepwell::core::pinned::Pinned;
use stepwell::core::run::Run;
use stepwell::core::task::Task;
use stepwell::core::work::Work;
use stepwell::engine::{Fork, Start, Update};

use crate::harness::{Harness, command, decision, pinned, prompt, shout, step, until, waiting};

/// The own steps of a run, the steps of its children, and what else its definition says.
fn family(own: &Value, children: &[(&str, Value)], more: &Value) -> Arc<Pinned> {
    let child = |id: &str, steps: &Value| Task { id: id.to_owned(), ..pinned(steps, &json!({})).task };
    let children: BTreeMap<String, Task> =
        children.iter().map(|(id, steps)| ((*id).to_owned(), child(id, steps))).collect();
    Arc::new(Pinned { children, ..pinned(own, more) })
}

fn child(id: &str, of: &str) -> Value {
    step(id, json!({ "kind": "workflow", "workflow": of, "inputs": {} }), json!({}))
}

/// One call at a time: the gates open in the order in which the steps are declared.
fn one_at_a_time() -> Value {
    json!({ "max_concurrency": 1 })
}

fn start(harness: &Harness, pinned: &Arc<Pinned>) -> RunId {
    let (pinned, inputs, cwd) = (Arc::clone(pinned), json!({}), "/".into());
    let start = Start { pinned, inputs, cwd, session: None, model: None, budget: None, origin: None };
    harness.engine.start(&start).unwrap()
}

fn status(run: &Run, key: &str) -> CallStatus {
    run.call(&key.parse().unwrap()).unwrap().status
}

/// What the model was told last in a call, and which models were to answer.
fn asked(run: &Run, key: &str) -> (String, Vec<String>) {
    let call = run.call(&key.parse().unwrap()).unwrap_or_else(|| panic!("no call {key}"));
    match call.newest().unwrap().work.as_deref() {
        Some(Work::Prompt(work)) => (work.messages.last().unwrap().text.clone(), work.models.clone()),
        other => panic!("no prompt but {other:?}"),
    }
}

/// Drives until a deadline has answered the gate of a call.
async fn until_late(harness: &Harness, run: RunId, late: &str) -> Run {
    let by_deadline = |event: &Event| match event {
        Event::CallAccepted { key, by, .. } | Event::CallSkipped { key, by, .. } => {
            *by == Actor::Deadline && key.to_string() == late
        }
        _ => false,
    };
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.drive(run).unwrap();
    // Whoever drove it before may have done so already.
    if !harness.events(run).iter().any(by_deadline) {
        until(&mut updates, |update| matches!(update, Update::Event(e) if by_deadline(&e.event)).then_some(())).await;
    }
    harness.engine.load(run).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_of_a_child_s_step_answers_nothing_of_its_parent() {
    let late = json!({ "decide_within": 1, "on_timeout": "accept" });
    let own = json!([prompt("draft", "mine", json!({})), child("k", "kid")]);
    let family = family(&own, &[("kid", json!([prompt("draft", "a child's", late)]))], &one_at_a_time());
    let harness = Harness::new(shout);
    let run = start(&harness, &family);
    let state = until_late(&harness, run, "k.draft").await;
    assert_eq!(
        (status(&state, "draft"), waiting(&state, GateKind::Review)),
        (CallStatus::Review, vec!["draft".into()])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_of_a_parent_s_step_answers_nothing_of_its_child_not_even_before_it_has_begun() {
    let late = json!({ "decide_within": 1, "on_timeout": "skip" });
    // The child's command comes first; it waits for its approval, and no attempt says whose step it is.
    let own = json!([child("k", "kid"), command("act", late)]);
    let family = family(&own, &[("kid", json!([command("act", json!({}))]))], &one_at_a_time());
    let harness = Harness::new(shout);
    let run = start(&harness, &family);
    let state = until_late(&harness, run, "act").await;
    assert_eq!((status(&state, "act"), status(&state, "k.act")), (CallStatus::Skipped, CallStatus::Approval));
    assert_eq!(waiting(&state, GateKind::Approval), ["k.act"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_of_a_child_s_command_skips_its_approval_and_not_its_parent_s() {
    let late = json!({ "decide_within": 1, "on_timeout": "skip" });
    let own = json!([command("act", json!({})), child("k", "kid")]);
    let family = family(&own, &[("kid", json!([command("act", late)]))], &one_at_a_time());
    let harness = Harness::new(shout);
    let run = start(&harness, &family);
    let state = until_late(&harness, run, "k.act").await;
    assert_eq!(
        (status(&state, "k.act"), waiting(&state, GateKind::Approval)),
        (CallStatus::Skipped, vec!["act".into()])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_children_keep_a_deadline_each() {
    let rules = |answer: &str| json!({ "decide_within": 1, "on_timeout": answer });
    let steps = |answer: &str| json!([prompt("draft", "text", rules(answer))]);
    let harness = Harness::new(shout);
    for (first, second) in [("accept", "skip"), ("skip", "accept")] {
        let own = json!([child("x", "one"), child("y", "two")]);
        let family = family(&own, &[("one", steps(first)), ("two", steps(second))], &one_at_a_time());
        let run = start(&harness, &family);
        until_late(&harness, run, "x.draft").await;
        let state = until_late(&harness.neighbour(), run, "y.draft").await;
        let became = |answer| if answer == "skip" { CallStatus::Skipped } else { CallStatus::Accepted };
        assert_eq!((status(&state, "x.draft"), status(&state, "y.draft")), (became(first), became(second)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_for_the_remaining_calls_of_a_step_stays_with_its_definition() {
    let own = json!([
        prompt("draft", "mine", json!({ "for_each": { "list": "[1, 2]", "one_by_one": true } })),
        child("j", "kid"),
        child("k", "kid"),
    ]);
    let kid =
        json!([prompt("first", "begin", json!({})), prompt("draft", "after {{ steps.first.output }}", json!({}))]);
    let family = family(&own, &[("kid", kid)], &json!({}));
    let harness = Harness::new(shout);
    let run = start(&harness, &family);
    harness.drive(run).await;
    let retry = |instruction: &str, model: &str| DecisionKind::Retry {
        instruction: instruction.into(),
        scope: InstructionScope::Remaining,
        model: Some(model.into()),
    };
    harness.decide(run, "draft[0]", retry("in verse", "big/model")).await;
    harness.decide(run, "draft[0]", DecisionKind::Accept).await;
    harness.decide(run, "j.first", DecisionKind::Accept).await;
    let state = harness.decide(run, "j.draft", retry("in prose", "small/model")).await;
    // The rest of the parent's own list hears what was said of it, its children do not.
    let in_verse = "mine\n\nAlso follow these instructions:\n- in verse\n".to_owned();
    assert_eq!(asked(&state, "draft[1]"), (in_verse, vec!["big/model".to_owned()]));
    assert_eq!(asked(&state, "j.draft").1, ["small/model"]);
    // What was said in one use of the child holds for the other use of it.
    let state = harness.decide(run, "k.first", DecisionKind::Accept).await;
    let in_prose = "after BEGIN\n\nAlso follow these instructions:\n- in prose\n".to_owned();
    assert_eq!(asked(&state, "k.draft"), (in_prose, vec!["small/model".to_owned()]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_chosen_for_a_child_s_step_that_has_not_begun_is_not_its_parent_s() {
    let steps = || json!([prompt("a", "x", json!({})), prompt("draft", "{{ steps.a.output }}", json!({}))]);
    let own =
        json!([prompt("a", "x", json!({})), prompt("draft", "{{ steps.a.output }}", json!({})), child("k", "kid")]);
    let harness = Harness::new(shout);
    let run = start(&harness, &family(&own, &[("kid", steps())], &json!({})));
    harness.drive(run).await;
    harness
        .engine
        .choose_model(run, &"k.draft".parse().unwrap(), "big/model", InstructionScope::Remaining)
        .await
        .unwrap();
    harness.decide(run, "a", DecisionKind::Accept).await;
    let state = harness.decide(run, "k.a", DecisionKind::Accept).await;
    assert_eq!((asked(&state, "draft").1, asked(&state, "k.draft").1), (vec![], vec!["big/model".to_owned()]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lesson_is_kept_with_the_definition_that_declares_its_step() {
    let own = json!([prompt("draft", "mine", json!({})), child("k", "kid")]);
    let kid = json!([prompt("draft", "a child's", json!({}))]);
    let family = family(&own, &[("kid", kid.clone())], &json!({}));
    let harness = Harness::new(shout);
    let run = start(&harness, &family);
    harness.drive(run).await;
    let always =
        |text: &str| DecisionKind::Retry { instruction: text.into(), scope: InstructionScope::Always, model: None };
    harness.decide(run, "k.draft", always("in prose")).await;
    harness.decide(run, "draft", always("in verse")).await;
    let learned = |task: &str| -> Vec<(String, String)> {
        let lessons = harness.engine.learned(Some(task)).unwrap();
        lessons.into_iter().map(|learned| (learned.lesson.step, learned.lesson.text)).collect()
    };
    assert_eq!(learned("test"), [("draft".to_owned(), "in verse".to_owned())]);
    assert_eq!(learned("kid"), [("draft".to_owned(), "in prose".to_owned())]);

    // A later run of the same definition, and one of the child by itself.
    let heeds = |text: &str, lesson: &str| format!("{text}\n\nAlso follow these instructions:\n- {lesson}\n");
    let later = start(&harness, &family);
    let state = harness.drive(later).await;
    assert_eq!(asked(&state, "draft").0, heeds("mine", "in verse"));
    assert_eq!(asked(&state, "k.draft").0, heeds("a child's", "in prose"));
    let alone =
        Pinned { task: Task { id: "kid".to_owned(), ..pinned(&kid, &json!({})).task }, ..pinned(&kid, &json!({})) };
    let alone = start(&harness, &Arc::new(alone));
    assert_eq!(asked(&harness.drive(alone).await, "draft").0, heeds("a child's", "in prose"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_a_script_starts_under_a_name_of_its_own_is_still_a_child() {
    let code = "export default async (run) => { await Promise.all([run.step('draft', {}), \
                run.workflow('kid', {}, { key: 'mine' }), run.workflow('kid', {})]); return 'x'; };";
    let more = json!({ "flow": { "script": { "entry": "main.js", "sources": { "main.js": code } } } });
    let own = json!([prompt("draft", "mine", json!({})), child("unused", "kid")]);
    let kid = json!([prompt("draft", "a child's", json!({}))]);
    let harness = Harness::new(shout);
    let run = start(&harness, &family(&own, &[("kid", kid)], &more));
    let state = harness.drive(run).await;
    // They run side by side.
    let mut open = waiting(&state, GateKind::Review);
    open.sort();
    assert_eq!(open, ["draft[0]", "kid[0].draft", "mine.draft"]);
    let always = DecisionKind::Retry {
        instruction: "in prose".into(),
        scope: InstructionScope::Always,
        model: Some("big/model".into()),
    };
    harness.decide(run, "mine.draft", always).await;
    assert_eq!(harness.engine.learned(Some("kid")).unwrap().len(), 1);
    assert_eq!(harness.engine.learned(Some("test")).unwrap(), []);
    // The other use of the child heeds it when it is made again, the script's own step does not.
    let again = || DecisionKind::Retry { instruction: String::new(), scope: InstructionScope::This, model: None };
    harness.decide(run, "draft[0]", again()).await;
    let state = harness.decide(run, "kid[0].draft", again()).await;
    assert_eq!((asked(&state, "draft[0]").1, asked(&state, "kid[0].draft").1), (vec![], vec!["big/model".to_owned()]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_adopted_call_of_a_child_is_still_the_child_s() {
    let own = json!([child("k", "kid"), prompt("draft", "mine", json!({}))]);
    let family = family(&own, &[("kid", json!([prompt("draft", "a child's", json!({}))]))], &json!({}));
    let harness = Harness::new(shout);
    let run = start(&harness, &family);
    harness.drive(run).await;
    harness.decide(run, "k.draft", DecisionKind::Accept).await;
    let forked = harness
        .engine
        .fork(&Fork { run, at: "draft".parse().unwrap(), pinned: Arc::clone(&family), budget: None })
        .unwrap();
    harness.drive(forked).await;
    harness.engine.decide(forked, decision("k.draft", DecisionKind::Reopen)).await.unwrap();
    let always = DecisionKind::Retry { instruction: "in prose".into(), scope: InstructionScope::Always, model: None };
    harness.decide(forked, "k.draft", always).await;
    assert_eq!(harness.engine.learned(Some("kid")).unwrap().len(), 1);
    assert_eq!(harness.engine.learned(Some("test")).unwrap(), []);
}

/// A journal of version 0.1.0 does not say of a call that it is a child's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_old_journal_says_of_a_child_s_step_is_the_child_s() {
    let own = json!([prompt("draft", "mine", json!({})), child("j", "kid"), child("k", "kid"),]);
    let kid =
        json!([prompt("first", "begin", json!({})), prompt("draft", "after {{ steps.first.output }}", json!({}))]);
    let family = family(&own, &[("kid", kid)], &json!({}));
    let (made, old) = (Harness::new(shout), Harness::new(shout));
    let run = start(&made, &family);
    made.drive(run).await;
    made.decide(run, "j.first", DecisionKind::Accept).await;
    let retry = |scope| DecisionKind::Retry { instruction: "in prose".into(), scope, model: Some("big/model".into()) };
    made.decide(run, "j.draft", retry(InstructionScope::Remaining)).await;

    let mut journal = made.store.read(run, 0).unwrap();
    for recorded in &mut journal {
        match &mut recorded.event {
            Event::AttemptStarted(started) => started.workflow = None,
            Event::ModelChosen { workflow, .. } => *workflow = None,
            _ => {}
        }
    }
    let Event::RunCreated(created) = &journal[0].event else { panic!("no run") };
    let more: Vec<Event> = journal[1..].iter().map(|recorded| recorded.event.clone()).collect();
    old.store.create(run, journal[0].at, created, &more, &family).unwrap();
    drop(made);

    old.drive(run).await;
    let state = old.decide(run, "k.first", DecisionKind::Accept).await;
    let (text, models) = asked(&state, "k.draft");
    assert!(text.ends_with("- in prose\n") && models == ["big/model"], "{text} {models:?}");
    let again = DecisionKind::Retry { instruction: String::new(), scope: InstructionScope::This, model: None };
    assert_eq!(asked(&old.decide(run, "draft", again).await, "draft").1, Vec::<String>::new());
    old.decide(run, "j.draft", retry(InstructionScope::Always)).await;
    assert_eq!(
        (old.engine.learned(Some("kid")).unwrap().len(), old.engine.learned(Some("test")).unwrap().len()),
        (1, 0)
    );
}
