//! The control table where time, processes and the store come in: races, early ends, deadlines, limits, caches, another
//! definition.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use stepwell::core::call::{AttemptStatus, Call, CallStatus};
use stepwell::core::code::ErrorCode;
use stepwell::core::decide::DecisionKind;
use stepwell::core::event::{Event, PauseReason, Recorded};
use stepwell::core::failure::FailureClass;
use stepwell::core::gate::GateKind;
use stepwell::core::id::RunId;
use stepwell::core::run::{Run, Status};
use stepwell::engine::{StopReason, Update};

use super::harness::{
    self, Act, Harness, Updates, body, command, expr, prompt, shout, step, until, until_stopped, waiting,
};

fn call<'a>(run: &'a Run, key: &str) -> &'a Call {
    run.call(&key.parse().unwrap()).unwrap()
}

fn group(id: &str, steps: &Value, rules: Value) -> Value {
    step(id, json!({ "kind": "group", "steps": steps }), rules)
}

async fn over(harness: &Harness, run: RunId) -> Run {
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.drive(run).unwrap();
    while until_stopped(&mut updates).await != StopReason::Over {}
    harness.engine.load(run).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prompt_that_lost_is_broken_off_with_its_text_kept() {
    let harness =
        Harness::new(|request| if request.key.step() == "slow" { Act::Hang("half a") } else { shout(request) });
    let steps = json!([
        prompt("slow", "slow", json!({ "review": "never" })),
        prompt("quick", "quick", json!({ "review": "never" })),
        expr("end", "steps.quick.output or steps.slow.output", json!({ "join": "first" })),
    ]);
    let state = over(&harness, harness.start(&steps, json!({}))).await;
    assert_eq!(body(&state), "QUICK");
    let slow = call(&state, "slow");
    assert_eq!((slow.status, slow.attempts[0].status), (CallStatus::Skipped, AttemptStatus::Cancelled));
    assert_eq!(slow.attempts[0].partial.data(), "half a");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_early_end_breaks_prompts_off_and_lets_effects_finish() {
    let harness = Harness::new(|request| match request.key.step() {
        "endless" => Act::Hang("and so on"),
        _ => shout(request),
    });
    let steps = json!([
        prompt("endless", "x", json!({ "review": "never" })),
        command("act", json!({ "approve": "never" })),
        prompt("asked", "y", json!({})),
        expr("found", "steps.act.output", json!({ "stop_when": "output == 'command'" })),
        prompt("later", "{{ steps.found.output }} {{ steps.endless.output }}", json!({})),
    ]);
    let result = json!({ "result": { "title": "t",
        "body": "{{ steps.found.output }} {{ steps.later.status }} {{ steps.endless.output }}" } });
    let state = over(&harness, harness.start_with(&steps, &result, json!({}))).await;
    assert_eq!(body(&state), "command pending ");
    assert_eq!((state.gates(), call(&state, "act").status), (0, CallStatus::Accepted));
    assert_eq!(call(&state, "endless").attempts[0].status, AttemptStatus::Cancelled);
    assert!(state.call(&"later".parse().unwrap()).is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deadlines_hold_in_each_item_of_a_group() {
    let harness = Harness::new(shout);
    let each = group(
        "each",
        &json!([
            prompt("p", "{{ item }}", json!({ "decide_within": 1, "on_timeout": "skip" })),
            expr("q", "steps.p.output or 'left out'", json!({ "join": "ended" })),
        ]),
        json!({ "for_each": { "list": "['a', 'b']" } }),
    );
    let result = json!({ "result": { "title": "t", "body": "{{ steps.each.outputs | join(', ') }}" } });
    let state = over(&harness, harness.start_with(&json!([each]), &result, json!({}))).await;
    assert_eq!(body(&state), "left out, left out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_of_a_group_holds_for_the_calls_of_all_its_items() {
    static RUNNING: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    let harness = Harness::new(|request| {
        let running = RUNNING.fetch_add(1, Ordering::SeqCst) + 1;
        MOST.fetch_max(running, Ordering::SeqCst);
        // As long as another might begin beside it.
        std::thread::sleep(Duration::from_millis(5));
        RUNNING.fetch_sub(1, Ordering::SeqCst);
        shout(request)
    });
    let inner = prompt("p", "{{ item }}", json!({ "for_each": { "list": "[1, 2, 3]" }, "review": "never" }));
    let outer = group("g", &json!([inner]), json!({ "for_each": { "list": "[1, 2, 3]", "max_parallel": 1 } }));
    let state = over(&harness, harness.start(&json!([outer]), json!({}))).await;
    assert_eq!(state.calls.len(), 9);
    assert_eq!(MOST.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_made_of_a_transform_is_taken_from_the_cache_by_a_later_run() {
    let harness = Harness::new(shout);
    let day = 86_400_000;
    let steps = json!([expr("plan", "['a', 'b']", json!({ "cache": day, "review": "always" }))]);
    let run = harness.start(&steps, json!({}));
    harness.drive(run).await;
    harness.decide(run, "plan", DecisionKind::Edit { output: json!(["a", "c"]), accept: true }).await;
    let later = harness.start(&steps, json!({}));
    let state = harness.drive(later).await;
    assert_eq!(waiting(&state, GateKind::Review), ["plan"], "it is reviewed like any other");
    let attempt = &call(&state, "plan").attempts[0];
    assert_eq!((attempt.by.as_str(), &*attempt.versions[0].output), ("cache", &json!(["a", "c"])));
    // Asked for again, it is computed.
    let retry = DecisionKind::Retry {
        instruction: String::new(),
        scope: stepwell::core::event::InstructionScope::This,
        model: None,
    };
    let state = harness.decide(later, "plan", retry).await;
    assert_eq!(*call(&state, "plan").attempts[1].versions[0].output, json!(["a", "b"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_transform_gives_must_fit_its_schema() {
    let harness = Harness::new(shout);
    let rules = json!({ "output": { "type": "integer" } });
    let run = harness.start(&json!([expr("n", "'three'", rules)]), json!({}));
    let state = harness.drive(run).await;
    assert_eq!((state.status, state.gates()), (Status::Failed, 0), "nobody is asked where nothing is reviewed");
    assert_eq!(state.error.as_ref().unwrap().1.class, FailureClass::BadOutput);
    let wrong = harness
        .engine
        .decide(run, harness::decision("n", DecisionKind::Edit { output: json!("x"), accept: true }))
        .await;
    assert_eq!(harness::refused(wrong), ErrorCode::InvalidInput);
    let filled = harness::decision("n", DecisionKind::Edit { output: json!(3), accept: true });
    harness.engine.decide(run, filled).await.unwrap();
    assert_eq!(body(&harness.drive(run).await), "3");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_definition_leaves_no_question_about_what_it_does_not_have() {
    let harness = Harness::new(shout);
    let before = json!([
        prompt("a", "one", json!({})),
        prompt("gone", "two", json!({})),
        command("act", json!({})),
        prompt("same", "three", json!({})),
    ]);
    let run = harness.start(&before, json!({}));
    harness.drive(run).await;
    harness.decide(run, "a", DecisionKind::Accept).await;
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.pause(run, PauseReason::Left);
    while until_stopped(&mut updates).await != StopReason::Paused {}

    let after = json!([prompt("a", "another", json!({})), prompt("same", "three", json!({}))]);
    let pinned = Arc::new(harness::pinned(&after, &json!({})));
    let state = harness.engine.load(run).unwrap();
    let preview = harness.engine.preview(&state, &pinned);
    let keys = |keys: &[stepwell::core::key::Key]| keys.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    assert_eq!(
        (keys(&preview.again), keys(&preview.vanish)),
        (["a".into()].into(), ["act".into(), "gone".into()].into())
    );
    harness.engine.update(&state, &pinned).await.unwrap();
    let state = harness.drive(run).await;
    assert_eq!(state.waiting().map(|gate| gate.key.to_string()).collect::<Vec<_>>(), ["a", "same"]);
    assert_eq!(waiting(&state, GateKind::Review), ["same"], "what did not change waits as before");
    assert_eq!(call(&state, "a").stale.as_ref().unwrap().because, [], "nothing before it changed");
    harness.decide(run, "a", DecisionKind::Keep).await;
    let state = harness.decide(run, "same", DecisionKind::Accept).await;
    assert_eq!((state.status, body(&state)), (Status::Completed, "THREE"));
}

/// The run is in hand and rests: what was decided may have been settled before anybody follows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_takes_up_a_run_that_rests_in_hand_hears_that_it_rests() {
    let harness = Harness::new(shout);
    let run = harness.start(&json!([prompt("a", "x", json!({}))]), json!({}));
    for _ in 0..3 {
        assert_eq!(harness.drive(run).await.status, Status::Waiting);
    }
}

/// A run of two prompts, of which the first is under way until it is let go.
async fn answering(review: &str) -> (Harness, RunId, Arc<tokio::sync::Notify>, Updates) {
    let let_go = Arc::new(tokio::sync::Notify::new());
    let held = Arc::clone(&let_go);
    let harness = Harness::new(move |request| match request.key.step() {
        "a" => Act::Finish(Arc::clone(&held), json!("whole")),
        _ => shout(request),
    });
    let second = json!({ "review": "never", "after": ["a"] });
    let steps = json!([prompt("a", "one", json!({ "review": review })), prompt("b", "two", second)]);
    let run = harness.start(&steps, json!({}));
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.drive(run).unwrap();
    let begun = |update: &Update| matches!(update, Update::Event(Recorded { event: Event::AttemptStarted(_), .. }));
    until(&mut updates, |update| begun(update).then_some(())).await;
    (harness, run, let_go, updates)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_left_is_given_up_once_its_answer_has_come_and_nothing_more_begins() {
    let (harness, run, let_go, mut updates) = answering("never").await;
    harness.engine.leave(run, PauseReason::Left);
    let_go.notify_one();
    while until_stopped(&mut updates).await != StopReason::Paused {}
    let state = harness.engine.load(run).unwrap();
    assert_eq!((state.status, state.paused), (Status::Paused, Some(PauseReason::Left)));
    assert_eq!((call(&state, "a").status, call(&state, "a").attempts.len()), (CallStatus::Accepted, 1));
    assert_eq!(harness.attempts(), ["a"], "what comes next is begun where it goes on");
    assert!(!harness.engine.is_answering(run));
    assert_eq!(harness.drive(run).await.status, Status::Completed);
    assert_eq!(harness.attempts(), ["a", "b"], "nothing is asked for twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_left_waits_for_the_person_if_its_answer_does() {
    let (harness, run, let_go, mut updates) = answering("always").await;
    harness.engine.leave(run, PauseReason::Left);
    let_go.notify_one();
    while until_stopped(&mut updates).await != StopReason::Waiting {}
    let state = harness.engine.load(run).unwrap();
    assert_eq!((state.status, waiting(&state, GateKind::Review)), (Status::Waiting, vec!["a".to_owned()]));
}
