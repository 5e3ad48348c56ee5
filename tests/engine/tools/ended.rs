//! What becomes of an attempt whose run, or whose result, is settled without it.

use super::*;

fn attempts(run: &Run, key: &str) -> usize {
    run.call(&Key::plain(key)).unwrap().attempts.len()
}

/// A step fails while the model of another one is asked: its answer comes, and nothing follows that.
#[tokio::test]
async fn of_a_run_that_failed_nothing_is_under_way_and_the_attempt_continues_when_the_run_does() {
    let let_go = Arc::new(tokio::sync::Notify::new());
    let (held, fails) = (Arc::clone(&let_go), Arc::new(std::sync::atomic::AtomicBool::new(true)));
    let broken = Arc::clone(&fails);
    let harness = with_tools(Harness::new(move |request| match (&*request.key.to_string(), turns(request)) {
        ("b", 0) => Act::CallsOnce(Arc::clone(&held), vec![("t/read", json!({ "n": 1 }))]),
        ("b", _) => Act::Say(json!(read(request))),
        _ if broken.load(std::sync::atomic::Ordering::SeqCst) => {
            Act::Fail(Failure::new(FailureClass::Definition, "there is nothing to ask"))
        }
        _ => Act::Say(json!("asked")),
    }));
    let steps = json!([agent("b", "look", never()), prompt("a", "ask", never())]);
    let run = harness.start(&steps, json!({}));
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.drive(run).unwrap();
    let failed = |update: &Update| matches!(update, Update::Event(e) if matches!(e.event, Event::AttemptFailed { .. }));
    until(&mut updates, |update| failed(update).then_some(())).await;
    let_go.notify_one();
    while until_stopped(&mut updates).await != StopReason::Over {}
    let over = harness.engine.load(run).unwrap();
    assert_eq!((over.status, over.under_way()), (Status::Failed, 0));
    let later = over.updated_at + chrono::TimeDelta::hours(1);
    assert_eq!(over.worked(over.updated_at), over.worked(later), "nothing of it works");
    assert!(harness.executor.tools.called().is_empty());
    // Opened once more, and taken up.
    let asked = harness.attempts().len();
    assert_eq!(harness.drive(run).await.status, Status::Failed);
    assert_eq!(harness.attempts().len(), asked);
    let resumed = names(&harness, run).into_iter().filter(|name| name == "attempt_resumed").count();
    assert_eq!(resumed, 0, "nothing was left of it that had to be settled");
    fails.store(false, std::sync::atomic::Ordering::SeqCst);
    harness.engine.decide(run, crate::harness::decision("a", DecisionKind::Again { model: None })).await.unwrap();
    let done = harness.drive(run).await;
    assert_eq!((done.status, attempts(&done, "b"), harness.executor.tools.called().len()), (Status::Completed, 1, 1));
    let first = harness.executor.requests.lock().unwrap();
    assert_eq!(
        first.iter().filter(|it| it.key == Key::plain("b") && turns(it) == 0).count(),
        1,
        "it was paid for once"
    );
}

/// What the run is once it rests after a decision, whether somebody drove it before or not.
async fn decided(harness: &Harness, run: RunId, key: &str, kind: DecisionKind) -> Run {
    harness.engine.decide(run, crate::harness::decision(key, kind)).await.unwrap();
    harness.drive(run).await
}

/// A run in which `a` has an accepted result of `plan`, and the model of its second attempt, which calls a tool.
async fn accepted_once() -> (Harness, RunId) {
    let harness = with_tools(Harness::new(|request| match (&*request.work, request.attempt) {
        (Work::Prompt(work), 2) if work.tools.is_some() => Act::Calls(vec![("t/write", json!({ "n": 1 }))]),
        _ => crate::harness::shout(request),
    }));
    let steps = json!([prompt("plan", "plan", json!({})), agent("a", "{{ steps.plan.output }}", json!({}))]);
    let run = harness.start(&steps, json!({}));
    harness.drive(run).await;
    decided(&harness, run, "plan", DecisionKind::Accept).await;
    decided(&harness, run, "a", DecisionKind::Accept).await;
    (harness, run)
}

/// The person says something else in `plan`, and the run rests after that.
async fn plan(harness: &Harness, run: RunId, text: &str) {
    decided(harness, run, "plan", DecisionKind::Reopen).await;
    decided(harness, run, "plan", DecisionKind::Edit { output: json!(text), accept: true }).await;
}

/// A newer attempt was stopped because what it is made from changed; a person settles which result counts, and no model is
/// asked once more.
#[tokio::test]
async fn a_result_that_a_person_keeps_or_takes_is_not_made_once_more_by_an_attempt_that_was_stopped() {
    let take = DecisionKind::Take { take: stepwell::core::decide::Taken { attempt: 1, version: None } };
    for how in [DecisionKind::Keep, take] {
        let (harness, run) = accepted_once().await;
        decided(&harness, run, "a", DecisionKind::Reopen).await;
        let retry = DecisionKind::Retry { instruction: String::new(), scope: InstructionScope::This, model: None };
        assert_eq!(waiting(&decided(&harness, run, "a", retry).await, GateKind::Approval), ["a"]);
        plan(&harness, run, "another plan").await;
        let waits = harness.engine.load(run).unwrap();
        assert_eq!((waiting(&waits, GateKind::Stale), attempts(&waits, "a")), (vec!["a".to_owned()], 2));
        let asked = harness.attempts().len();
        let done = decided(&harness, run, "a", how.clone()).await;
        assert_eq!((done.status, body(&done), attempts(&done, "a")), (Status::Completed, "PLAN", 2), "{how:?}");
        assert_eq!((harness.attempts().len(), writes(&harness)), (asked, 0), "{how:?}");
    }
}

/// What the result was made from changed, and is what it was: the attempt that was made for the other is not needed.
#[tokio::test]
async fn a_result_whose_upstream_is_as_it_was_is_not_made_once_more_by_an_attempt_for_something_else() {
    let (harness, run) = accepted_once().await;
    plan(&harness, run, "another plan").await;
    let waits = decided(&harness, run, "a", DecisionKind::Again { model: None }).await;
    assert_eq!((waiting(&waits, GateKind::Approval), attempts(&waits, "a")), (vec!["a".to_owned()], 2));
    let asked = harness.attempts().len();
    plan(&harness, run, "PLAN").await;
    let done = harness.engine.load(run).unwrap();
    assert_eq!((done.status, body(&done), attempts(&done, "a")), (Status::Completed, "PLAN", 2));
    assert_eq!((harness.attempts().len(), writes(&harness)), (asked, 0));
}

/// A person leaves: of one turn one call waits for them and another one is stopped before it had begun.
#[tokio::test]
async fn a_run_that_is_left_while_a_call_of_it_ran_is_paused_and_what_had_not_begun_is_no_doubt() {
    let harness = harness(vec![vec![("t/write", json!({ "n": 1 })), ("t/send", json!({ "n": 2 }))]]);
    harness.executor.tools.offer("t/send", "sends", ToolApproval::Never, false);
    harness.executor.tools.act(|_| ToolAct::Hang(false));
    let run = harness.start(&json!([agent("a", "look", never())]), json!({}));
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.drive(run).unwrap();
    let called = |update: &Update| matches!(update, Update::Event(e) if matches!(e.event, Event::ToolCalled { .. }));
    until(&mut updates, |update| called(update).then_some(())).await;
    harness.engine.leave(run, PauseReason::Left);
    while until_stopped(&mut updates).await != StopReason::Paused {}
    let left = harness.engine.load(run).unwrap();
    assert_eq!((left.status, left.under_way()), (Status::Paused, 0));
    harness.executor.tools.act(|call| ToolAct::Return((*call.arguments).clone()));
    let next = harness.neighbour();
    let waits = next.drive(run).await;
    assert!(waiting(&waits, GateKind::InDoubt).is_empty(), "it is known what became of it");
    assert_eq!((waiting(&waits, GateKind::Approval), gate(&waits).call), (vec!["a".to_owned()], Some(id(1, 0))));
    let done = decide(&next, run, about(1, 0, DecisionKind::APPROVE)).await;
    assert_eq!((done.status, attempts(&done, "a")), (Status::Completed, 1), "{:?}", done.error);
}
