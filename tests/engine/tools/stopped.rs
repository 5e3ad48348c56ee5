//! Stopped in the middle: by a person, by a pause, by the end of the process, by what changed meanwhile.

use stepwell::core::call::ToolCallStatus;

use super::*;

/// Waits until a tool is at work.
async fn at_work(harness: &Harness, run: RunId) -> crate::harness::Updates {
    at_work_by(harness, run, Arc::new(|_, _| None)).await
}

/// The same, with a policy that answers.
async fn at_work_by(
    harness: &Harness,
    run: RunId,
    policy: stepwell::engine::DecisionPolicy,
) -> crate::harness::Updates {
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.drive_with_policy(run, policy).unwrap();
    let called = |update: &Update| matches!(update, Update::Event(e) if matches!(e.event, Event::ToolCalled { .. }));
    until(&mut updates, |update| called(update).then_some(())).await;
    updates
}

/// A run whose process dies once a tool has said that it is at work: nothing more of it happens, and nobody holds the run
/// any more.
fn killed(on: &Harness, steps: &Value, at_work: &tokio::sync::Notify) -> RunId {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let run = runtime.block_on(async {
        let run = on.start(steps, json!({}));
        on.engine.drive(run).unwrap();
        tokio::time::timeout(crate::harness::PATIENCE, at_work.notified()).await.expect("it comes in time");
        run
    });
    runtime.shutdown_timeout(Duration::from_secs(20));
    run
}

#[test]
fn after_a_crash_what_returned_is_not_called_again_and_what_may_have_happened_is_asked_about() {
    for (answer, reads, wrote) in [
        (DecisionKind::Again { model: None }, r#"{"n":2}"#, 2),
        (DecisionKind::Answer { value: json!("it is there") }, "it is there", 1),
        (DecisionKind::Skip, "left out", 1),
    ] {
        let on = harness(vec![
            vec![("t/read", json!({ "n": 1 }))],
            vec![("t/read", json!({ "n": 1 })), ("t/write", json!({ "n": 2 }))],
        ]);
        on.executor.tools.offer("t/write", "writes", ToolApproval::Never, false);
        let at_work = Arc::new(tokio::sync::Notify::new());
        let says = Arc::clone(&at_work);
        on.executor.tools.act(move |call| {
            if call.tool != "t/write" {
                return ToolAct::Return((*call.arguments).clone());
            }
            says.notify_one();
            ToolAct::Hang(true)
        });
        // The read of turn one, and in turn two the write that hangs, with a read that is called and may have returned.
        let run = killed(&on, &json!([agent("a", "look", never())]), &at_work);
        let before = on.executor.tools.called().len();
        on.executor.tools.act(|call| ToolAct::Return((*call.arguments).clone()));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let next = on.neighbour();
            let waits = next.drive(run).await;
            assert_eq!(waits.call(&Key::plain("a")).unwrap().attempts.len(), 1);
            assert!(names(&next, run).contains(&"attempt_resumed".to_owned()));
            assert_eq!(waiting(&waits, GateKind::InDoubt), ["a"]);
            assert_eq!((gate(&waits).call, writes(&next)), (Some(id(2, 1)), 1));
            assert!(on.executor.tools.called().len() <= before + 1, "at most the read that may be made twice");
            // Nothing but a person answers it.
            let done = decide(&next, run, about(2, 1, answer)).await;
            assert!(body(&done).contains(reads), "{}", body(&done));
            assert_eq!(writes(&next), wrote);
            assert_eq!(done.call(&Key::plain("a")).unwrap().attempts.len(), 1);
        });
    }
}

/// A program of a tool call that outlived its process: a person says that it worked, and it is left alone; or gives the call
/// up, and it is ended.
#[test]
fn a_program_that_worked_is_not_ended_by_the_next_request_and_one_that_is_given_up_is() {
    let worked = || DecisionKind::Answer { value: json!("deployed") };
    for (answer, lives) in [(worked(), true), (DecisionKind::Skip, false)] {
        let on = harness(vec![vec![("t/read", json!({}))]]);
        on.executor.tools.offer("t/read", "deploys", ToolApproval::Never, false);
        let (at_work, program) = (Arc::new(tokio::sync::Notify::new()), Arc::default());
        let (says, left) = (Arc::clone(&at_work), Arc::clone(&program));
        on.executor.tools.act(move |_| ToolAct::Leaves(Arc::clone(&says), Arc::clone(&left)));
        let run = killed(&on, &json!([agent("a", "look", never())]), &at_work);
        let mut program: std::process::Child = program.lock().unwrap().take().expect("it was started");
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let next = on.neighbour();
            let waits = next.drive(run).await;
            let GateBody::InDoubt(doubt) = &gate(&waits).body else { panic!("{:?}", gate(&waits)) };
            assert!(doubt.why.contains(&program.id().to_string()), "{}", doubt.why);
            let done = decide(&next, run, about(1, 0, answer)).await;
            assert_eq!(done.status, Status::Completed, "{:?}", done.error);
            assert_eq!(next.attempts().len(), 2, "the model was asked once more");
        });
        assert_eq!(program.try_wait().unwrap().is_none(), lives);
        let _ = (program.kill(), program.wait());
    }
}

#[tokio::test]
async fn a_person_who_stops_it_is_asked_about_each_call_that_ran_and_nothing_that_was_paid_is_lost() {
    for tool in ["t/read", "t/send"] {
        let harness = harness(vec![vec![(tool, json!({ "n": 1 }))]]);
        harness.executor.tools.offer("t/send", "sends", ToolApproval::Never, false);
        harness.executor.tools.act(move |_| ToolAct::Hang(true));
        let run = harness.start(&json!([agent("a", "look", never())]), json!({}));
        let mut updates = at_work(&harness, run).await;
        assert!(harness.engine.stop(run, &Key::plain("a")));
        until_stopped(&mut updates).await;
        let waits = harness.engine.load(run).unwrap();
        let GateBody::InDoubt(doubt) = &gate(&waits).body else { panic!("{:?}", gate(&waits)) };
        assert!(doubt.why.contains("may have had its effect"), "{}", doubt.why);
        harness.executor.tools.act(|_| ToolAct::Return(json!("there")));
        let done = decide(&harness, run, about(1, 0, DecisionKind::Again { model: None })).await;
        assert_eq!((body(&done), harness.attempts().len()), (r#""there""#, 2));
    }
}

/// It was stopped before the tool had been reached: nothing is in doubt, whatever the rules allow unasked.
#[tokio::test]
async fn a_call_that_was_stopped_before_it_had_begun_waits_to_be_allowed_and_is_no_doubt() {
    for (tool, answer, reads) in [
        ("t/read", DecisionKind::APPROVE, r#""there""#),
        ("t/send", DecisionKind::APPROVE, r#""there""#),
        ("t/send", DecisionKind::Skip, "not called: left out by ana@here"),
    ] {
        let harness = harness(vec![vec![(tool, json!({ "n": 1 }))]]);
        harness.executor.tools.offer("t/send", "sends", ToolApproval::Never, false);
        harness.executor.tools.act(move |_| ToolAct::Hang(false));
        let run = harness.start(&json!([agent("a", "look", never())]), json!({}));
        let mut updates = at_work(&harness, run).await;
        assert!(harness.engine.stop(run, &Key::plain("a")));
        until_stopped(&mut updates).await;
        let waits = harness.engine.load(run).unwrap();
        assert_eq!((waiting(&waits, GateKind::Approval), gate(&waits).call), (vec!["a".to_owned()], Some(id(1, 0))));
        assert!(!waits.call(&Key::plain("a")).unwrap().had_effect(), "nothing has happened");
        harness.executor.tools.act(|_| ToolAct::Return(json!("there")));
        let done = decide(&harness, run, about(1, 0, answer)).await;
        assert_eq!((body(&done), harness.attempts().len()), (reads, 2));
    }
}

/// Who allows all effects beforehand does not allow what a person stops meanwhile.
#[tokio::test]
async fn what_a_person_stopped_is_not_begun_again_by_a_policy() {
    let harness = harness(vec![vec![("t/send", json!({ "n": 1 }))]]);
    harness.executor.tools.offer("t/send", "sends", ToolApproval::Always, false);
    harness.executor.tools.act(move |_| ToolAct::Hang(false));
    let run = harness.start(&json!([agent("a", "look", never())]), json!({}));
    let all =
        Arc::new(|_: &Run, gate: &Gate| matches!(gate.body, GateBody::Approval(_)).then_some(DecisionKind::APPROVE));
    let mut updates = at_work_by(&harness, run, all).await;
    assert!(harness.engine.stop(run, &Key::plain("a")));
    until_stopped(&mut updates).await;
    let waits = harness.engine.load(run).unwrap();
    assert_eq!(waiting(&waits, GateKind::Approval), ["a"]);
    assert_eq!(harness.executor.tools.called().len(), 1);
    // Once a person says so, it begins, and is nobody's any more.
    harness.executor.tools.act(|_| ToolAct::Return(json!("there")));
    let done = decide(&harness, run, about(1, 0, DecisionKind::APPROVE)).await;
    assert_eq!((body(&done), harness.executor.tools.called().len()), (r#""there""#, 2));
}

/// What a request used that was on its way when the process died: it read all that came before it.
#[test]
fn what_a_lost_request_used_is_estimated_with_all_that_it_was_sent() {
    let (asked, at_work) = (Arc::new(std::sync::atomic::AtomicUsize::new(0)), Arc::new(tokio::sync::Notify::new()));
    let (count, says) = (Arc::clone(&asked), Arc::clone(&at_work));
    let on = with_tools(Harness::new(move |request| match turns(request) {
        turn @ (0 | 1) => Act::Calls(vec![("t/read", json!({ "n": turn }))]),
        _ if count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) > 0 => Act::Say(json!("done")),
        _ => {
            says.notify_one();
            Act::Hang("")
        }
    }));
    let run = killed(&on, &json!([agent("a", "look", never())]), &at_work);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let done = runtime.block_on(async { on.neighbour().drive(run).await });
    assert_eq!(body(&done), "done");
    let resumed = on.events(run).into_iter().find_map(|event| match event {
        Event::AttemptResumed { usage, .. } => Some(usage.input_tokens),
        _ => None,
    });
    assert_eq!(resumed, Some(2_000), "two turns and what their calls returned");
}

#[tokio::test]
async fn a_stopped_request_is_as_any_other_attempt_that_was_stopped() {
    let harness = with_tools(Harness::new(|request| match turns(request) {
        0 => Act::Calls(vec![("t/read", json!({}))]),
        _ => Act::Hang("so far"),
    }));
    let run = harness.start(&json!([agent("a", "look", json!({}))]), json!({}));
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.drive(run).unwrap();
    until(&mut updates, |update| matches!(update, Update::Delta { .. }).then_some(())).await;
    harness.engine.stop(run, &Key::plain("a"));
    until_stopped(&mut updates).await;
    let waits = harness.engine.load(run).unwrap();
    assert_eq!(waiting(&waits, GateKind::Review), ["a"]);
    let retry = DecisionKind::Retry { instruction: "shorter".to_owned(), scope: InstructionScope::This, model: None };
    harness.engine.decide(run, crate::harness::decision("a", retry)).await.unwrap();
    until(&mut updates, |update| matches!(update, Update::Delta { .. }).then_some(())).await;
    let state = harness.engine.load(run).unwrap();
    assert_eq!(state.call(&Key::plain("a")).unwrap().attempts.len(), 2, "only a person begins a new transcript");
}

#[tokio::test]
async fn a_pause_lets_go_of_what_runs_and_the_same_attempt_goes_on_later() {
    // A request; a call that had not begun; one that may be made twice; one that may not.
    for (tool, begun, asked) in [
        (None, false, false),
        (Some("t/write"), false, false),
        (Some("t/read"), true, false),
        (Some("t/write"), true, true),
    ] {
        let harness = with_tools(Harness::new(move |request| match (turns(request), tool) {
            (0, _) => Act::Calls(vec![(tool.unwrap_or("t/read"), json!({ "n": 1 }))]),
            (_, None) => Act::Hang("half"),
            _ => Act::Say(json!("done")),
        }));
        harness.executor.tools.offer("t/write", "writes", ToolApproval::Never, false);
        if tool.is_some() {
            harness.executor.tools.act(move |_| ToolAct::Hang(begun));
        }
        let run = harness.start(&json!([agent("a", "look", never())]), json!({}));
        let mut updates = at_work(&harness, run).await;
        if tool.is_none() {
            until(&mut updates, |update| matches!(update, Update::Delta { .. }).then_some(())).await;
        }
        harness.engine.pause(run, PauseReason::ByYou);
        while until_stopped(&mut updates).await != StopReason::Paused {}
        let paused = harness.engine.load(run).unwrap();
        assert_eq!(
            (paused.status, paused.under_way(), paused.gates()),
            (Status::Paused, 0, usize::from(asked)),
            "{tool:?}"
        );
        harness.executor.tools.act(|_| ToolAct::Return(json!("there")));
        let next = with_tools(harness.neighbour());
        let (_, mut updates) = next.subscribe(run);
        next.engine.drive(run).unwrap();
        if tool.is_none() {
            until(&mut updates, |update| matches!(update, Update::Delta { .. }).then_some(())).await;
            let state = next.engine.load(run).unwrap();
            assert_eq!(
                (state.call(&Key::plain("a")).unwrap().attempts.len(), next.executor.tools.called().len()),
                (1, 1)
            );
            continue;
        }
        until_stopped(&mut updates).await;
        let mut state = next.engine.load(run).unwrap();
        if asked {
            assert_eq!(waiting(&state, GateKind::InDoubt), ["a"]);
            state = decide(&next, run, about(1, 0, DecisionKind::Again { model: None })).await;
        }
        assert_eq!((body(&state), next.executor.tools.called().len()), ("done", 2), "{tool:?} {begun}");
        assert_eq!(state.call(&Key::plain("a")).unwrap().attempts.len(), 1);
    }
}

#[tokio::test]
async fn a_cancelled_run_keeps_what_its_calls_came_to() {
    let harness = harness(vec![vec![("t/read", json!({ "n": 1 })), ("t/read", json!({ "n": 2 }))]]);
    let let_go = Arc::new(tokio::sync::Notify::new());
    let held = Arc::clone(&let_go);
    harness.executor.tools.act(move |call| match call.call.index {
        0 => ToolAct::Finish(Arc::clone(&held), json!("written all the same")),
        _ => ToolAct::Hang(true),
    });
    let run = harness.start(&json!([agent("a", "look", never())]), json!({}));
    let mut updates = at_work(&harness, run).await;
    harness.engine.cancel(run).await.unwrap();
    let_go.notify_one();
    while until_stopped(&mut updates).await != StopReason::Over {}
    let over = harness.engine.load(run).unwrap();
    assert_eq!((over.status, over.under_way(), over.gates()), (Status::Cancelled, 0, 0));
    let used = over.call(&Key::plain("a")).unwrap().tool_use().unwrap();
    let ended = [0, 1].map(|index| {
        let returned = used.call(id(1, index)).unwrap().returned();
        serde_json::to_string(&*returned.expect("it has ended")).unwrap()
    });
    assert!(ended[0].contains("written all the same") && ended[1].contains("may have had its effect"), "{ended:?}");
}

#[tokio::test]
async fn what_changed_upstream_holds_up_the_next_call_and_a_person_says_whether_the_transcript_goes_on() {
    for keep in [false, true] {
        let harness = harness(vec![vec![("t/read", json!({ "n": 1 }))], vec![("t/write", json!({ "n": 2 }))]]);
        let steps = json!([prompt("plan", "plan", json!({})), agent("a", "{{ steps.plan.output }}", never())]);
        let run = harness.start(&steps, json!({}));
        harness.drive(run).await;
        let waits = harness.decide(run, "plan", DecisionKind::Accept).await;
        assert_eq!(waiting(&waits, GateKind::Approval), ["a"]);
        let (_, mut updates) = harness.subscribe(run);
        harness.engine.decide(run, crate::harness::decision("plan", DecisionKind::Reopen)).await.unwrap();
        let edit = DecisionKind::Edit { output: json!("another plan"), accept: true };
        harness.engine.decide(run, crate::harness::decision("plan", edit)).await.unwrap();
        let stale = |update: &Update| matches!(update, Update::Event(e) if matches!(&e.event, Event::GateOpened(gate) if gate.kind() == GateKind::Stale));
        until(&mut updates, |update| stale(update).then_some(())).await;
        until_stopped(&mut updates).await;
        let waits = harness.engine.load(run).unwrap();
        let GateBody::Stale(asked) = &gate(&waits).body else { panic!("{:?}", gate(&waits)) };
        assert!(asked.had_effect, "it has called a tool");
        let answer = if keep { DecisionKind::Keep } else { DecisionKind::Again { model: None } };
        let waits = harness.decide(run, "a", answer).await;
        assert_eq!(waiting(&waits, GateKind::Approval), ["a"]);
        let call = waits.call(&Key::plain("a")).unwrap();
        assert_eq!(call.attempts.len(), if keep { 1 } else { 2 });
        assert_eq!(harness.executor.tools.called().len(), if keep { 1 } else { 2 });
        let done = decide(&harness, run, about(2, 0, DecisionKind::APPROVE)).await;
        assert_eq!((body(&done), writes(&harness)), (r#"{"n":2}"#, 1));
    }
}

/// The gates of a tool call, in every container that a step may be in.
#[tokio::test]
async fn a_call_waits_and_is_answered_in_every_container() {
    let group = |rules: Value| json!([{ "id": "g", "does": { "kind": "group", "steps": [agent("a", "look", never())] }, "rules": rules }]);
    let many = json!({ "review": "never", "for_each": { "list": "[1, 2]" } });
    let again = json!({ "review": "never", "repeat": { "until": "iteration == 1", "max": 3, "on_max": "fail" } });
    let containers = BTreeMap::from([
        ("plain", (json!([agent("a", "look", never())]), vec!["a"])),
        ("list", (json!([agent("a", "look {{ item }}", many)]), vec!["a[0]", "a[1]"])),
        ("repeat", (json!([agent("a", "look", again)]), vec!["a#0", "a#1"])),
        ("group", (group(json!({})), vec!["g.a"])),
        ("group of a list", (group(json!({ "for_each": { "list": "[1, 2]" } })), vec!["g[0].a", "g[1].a"])),
        (
            "handler",
            (
                json!([
                    expr("x", "1 / 0 / nothing", json!({ "on_failure": { "handler": "a" } })),
                    agent("a", "look", never())
                ]),
                vec!["a"],
            ),
        ),
    ]);
    for (name, (steps, keys)) in containers {
        for kind in [
            DecisionKind::APPROVE,
            DecisionKind::Deny { reason: String::new() },
            DecisionKind::Answer { value: json!(1) },
        ] {
            let harness = harness(vec![vec![("t/write", json!({ "n": 1 })), ("t/write", json!({ "n": 2 }))]]);
            let run = harness.start(&steps, json!({}));
            let mut state = harness.drive(run).await;
            let mut asked = Vec::new();
            loop {
                let Some(gate) = state.waiting().next().cloned() else { break };
                assert_eq!(gate.kind(), GateKind::Approval, "{name}");
                asked.push(format!("{} {}", gate.key, gate.call.unwrap()));
                state = decide(&harness, run, Decision::about(&gate, kind.clone())).await;
            }
            asked.sort();
            let wanted: Vec<String> =
                keys.iter().flat_map(|key| ["1.0", "1.1"].map(|call| format!("{key} {call}"))).collect();
            assert_eq!((state.status, asked), (Status::Completed, wanted), "{name}: {:?}", state.error);
            assert_eq!(writes(&harness), if kind == DecisionKind::APPROVE { 2 * keys.len() } else { 0 }, "{name}");
        }
    }
}

/// A misled model asks for one thing after the other: the person stops the step, which nothing of runs just now.
#[tokio::test]
async fn a_step_whose_calls_wait_for_a_person_is_stopped_by_them_and_begins_again_with_an_instruction() {
    let on = with_tools(Harness::new(|request| match request.attempt {
        1 => Act::Calls(vec![("t/write", json!({ "n": 1 })), ("t/write", json!({ "n": 2 }))]),
        _ => crate::harness::shout(request),
    }));
    let run = on.start(&json!([agent("a", "look", json!({}))]), json!({}));
    let waits = on.drive(run).await;
    assert_eq!(waiting(&waits, GateKind::Approval), ["a", "a"]);
    let (_, mut updates) = on.subscribe(run);
    assert!(on.engine.stop(run, &Key::plain("a")));
    let asks = |update: &Update| matches!(update, Update::Event(e) if matches!(&e.event, Event::GateOpened(gate) if gate.call.is_none()));
    until(&mut updates, |update| asks(update).then_some(())).await;
    let stopped = on.engine.load(run).unwrap();
    assert_eq!((waiting(&stopped, GateKind::Review), stopped.gates()), (vec!["a".to_owned()], 1));
    let retry =
        DecisionKind::Retry { instruction: "call nothing".to_owned(), scope: InstructionScope::This, model: None };
    let waits = on.decide(run, "a", retry).await;
    assert_eq!((waiting(&waits, GateKind::Review), writes(&on)), (vec!["a".to_owned()], 0));
    let attempts = &waits.call(&Key::plain("a")).unwrap().attempts;
    assert_eq!((attempts.len(), attempts[0].status), (2, AttemptStatus::Rejected));
}

#[tokio::test]
async fn of_a_step_in_doubt_it_is_said_first_what_happened_before_it_is_stopped() {
    let on = harness(vec![vec![("t/send", json!({})), ("t/write", json!({}))]]);
    on.executor.tools.offer("t/send", "sends", ToolApproval::Never, false);
    on.executor.tools.act(|_| ToolAct::Doubt);
    let run = on.start(&json!([agent("a", "look", json!({}))]), json!({}));
    let waits = on.drive(run).await;
    assert_eq!(
        (waiting(&waits, GateKind::InDoubt), waiting(&waits, GateKind::Approval).len()),
        (vec!["a".to_owned()], 1)
    );
    on.engine.stop(run, &Key::plain("a"));
    let waits = decide(&on, run, about(1, 0, DecisionKind::Answer { value: json!("sent") })).await;
    assert_eq!(waiting(&waits, GateKind::Approval), ["a"], "nothing was stopped");
    assert!(!names(&on, run).contains(&"attempt_cancelled".to_owned()));
}

/// A process takes up what another one has left, and a third one cancels the run before the second has written anything.
#[test]
fn of_a_run_that_is_cancelled_while_it_is_taken_up_nothing_goes_on_and_nothing_waits() {
    for tool in ["t/read", "t/write"] {
        let on = harness(vec![vec![(tool, json!({}))]]);
        on.executor.tools.offer("t/write", "writes", ToolApproval::Never, false);
        let at_work = Arc::new(tokio::sync::Notify::new());
        let says = Arc::clone(&at_work);
        on.executor.tools.act(move |_| {
            says.notify_one();
            ToolAct::Hang(true)
        });
        let run = killed(&on, &json!([agent("a", "look", never())]), &at_work);
        let third = on.neighbour();
        let cancels = move || {
            let cancelled = tokio::runtime::Runtime::new().unwrap().block_on(third.engine.cancel(run));
            cancelled.unwrap();
        };
        let elsewhere = move || std::thread::spawn(cancels).join().unwrap();
        *on.executor.tools.meanwhile.lock().unwrap() = Some(Box::new(elsewhere));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let over = runtime.block_on(async { on.neighbour().drive(run).await });
        assert_eq!((over.status, over.under_way(), over.gates()), (Status::Cancelled, 0, 0), "{tool}");
        let names = names(&on, run);
        let after = names.iter().skip_while(|name| *name != "run_cancelled").skip(1).collect::<Vec<_>>();
        assert_eq!(after, Vec::<&String>::new(), "{tool}");
        // Nobody has said how the call ended, and nobody waits for it.
        let attempt = over.call(&Key::plain("a")).unwrap().newest().unwrap();
        let call = attempt.tool_use.as_ref().unwrap().call(id(1, 0)).unwrap();
        assert_eq!(attempt.status_of(call), ToolCallStatus::InDoubt, "{tool}");
    }
}

/// The end of a request was kept beside the store, and written, and the process died before that was removed.
#[test]
fn how_a_request_ended_is_never_read_as_the_end_of_the_next_one() {
    let (asked, at_work) = (Arc::new(std::sync::atomic::AtomicUsize::new(0)), Arc::new(tokio::sync::Notify::new()));
    let left = Arc::new(std::sync::OnceLock::<Box<dyn Fn(RunId) + Send + Sync>>::new());
    let (count, says, leaves) = (Arc::clone(&asked), Arc::clone(&at_work), Arc::clone(&left));
    let on = with_tools(Harness::new(move |request| {
        if turns(request) == 0 {
            return Act::Calls(vec![("t/read", json!({}))]);
        }
        match count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => {
                (leaves.get().unwrap())(request.run);
                Act::Fail(Failure::new(FailureClass::Server, "try later"))
            }
            1 => {
                says.notify_one();
                Act::Hang("half")
            }
            _ => Act::Say(json!("done")),
        }
    }));
    let spool = on.spool();
    let failed = json!({ "type": "attempt_failed", "key": "a", "attempt": 1, "retry_at": "2020-01-01T00:00:00Z",
        "error": { "class": "server", "message": "try later" }, "usage": { "input_tokens": 10, "output_tokens": 5, "usd": 0.1 }, "ms": 1 });
    let leave = move |run| spool.keep(run, "a.1.outcome", failed.to_string().as_bytes()).unwrap();
    assert!(left.set(Box::new(leave)).is_ok());
    let run = killed(&on, &json!([agent("a", "look", never())]), &at_work);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let done = runtime.block_on(async { on.neighbour().drive(run).await });
    assert_eq!(body(&done), "done");
    assert_eq!(names(&on, run).into_iter().filter(|name| name == "attempt_failed").count(), 1, "it failed once");
}

/// A model that is asked once the provider has a place for it, although the run waited for a person meanwhile.
#[tokio::test]
async fn a_run_whose_model_is_asked_does_not_say_that_it_waits_for_a_person() {
    let (first, second) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let (holds, answers) = (Arc::clone(&first), Arc::clone(&second));
    let on = with_tools(Harness::new(move |request| match &*request.key.to_string() {
        "first" => Act::Finish(Arc::clone(&holds), json!("first")),
        "a" => Act::Finish(Arc::clone(&answers), json!("answer")),
        _ => crate::harness::shout(request),
    }));
    on.executor.places.store(1, std::sync::atomic::Ordering::SeqCst);
    let other = on.start(&json!([prompt("first", "first", never())]), json!({}));
    let (_, mut updates) = on.subscribe(other);
    on.engine.drive(other).unwrap();
    let begun = |update: &Update| matches!(update, Update::Event(e) if matches!(e.event, Event::AttemptStarted(_)));
    until(&mut updates, |update| begun(update).then_some(())).await;
    let steps = json!([agent("a", "look", never()), crate::harness::command("asked", json!({}))]);
    let run = on.start_with(&steps, &json!({ "max_concurrency": 2 }), json!({}));
    let waits = on.drive(run).await;
    assert_eq!((waits.status, waiting(&waits, GateKind::Approval)), (Status::Waiting, vec!["asked".to_owned()]));
    let (_, mut updates) = on.subscribe(run);
    first.notify_one();
    let resumed =
        |update: &Update| matches!(update, Update::Event(e) if matches!(e.event, Event::AttemptResumed { .. }));
    until(&mut updates, |update| resumed(update).then_some(())).await;
    let asks = on.engine.load(run).unwrap();
    assert_eq!((asks.status, asks.in_hand()), (Status::Running, true), "a model is asked");
    second.notify_one();
    until(&mut updates, |update| {
        matches!(update, Update::Event(e) if matches!(e.event, Event::CallAccepted { .. })).then_some(())
    })
    .await;
    assert_eq!(on.engine.load(run).unwrap().call(&Key::plain("a")).unwrap().attempts.len(), 1);
}
