//! The engine: what a person can do to a run, and what may never happen to it. Its journal is in memory, except where the
//! disk is the subject (`locked.rs`).

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod actions;
mod approvals;
mod attended;
mod children;
mod control;
mod cut;
mod deadlines;
mod documented;
mod documents;
mod elsewhere;
mod followed;
mod harness;
mod limits;
mod locked;
mod models;
mod newer;
mod outside;
mod own_files;
mod persons;
mod records;
mod sessions;
mod taken_back;
mod tools;
mod unwanted;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use harness::{
    Act, Harness, body, command, decision, expr, prompt, refused, shout, step, until, until_stopped, waiting,
};
use serde_json::json;
use stepwell::core::call::{AttemptStatus, CallStatus};
use stepwell::core::code::ErrorCode;
use stepwell::core::decide::DecisionKind;
use stepwell::core::event::{Event, InstructionScope, PauseReason};
use stepwell::core::failure::{Failure, FailureClass};
use stepwell::core::gate::{GateBody, GateKind};
use stepwell::core::model::Delta;
use stepwell::core::run::Status;
use stepwell::core::usage::Budget;
use stepwell::core::work::Work;
use stepwell::engine::{Driver, StopReason, Update};

fn two_steps() -> serde_json::Value {
    json!([prompt("a", "hello", json!({})), prompt("b", "after {{ steps.a.output }}", json!({}))])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_waits_for_each_review_and_ends_with_its_result() {
    let harness = Harness::new(shout);
    let run = harness.start(&two_steps(), json!({}));
    let state = harness.drive(run).await;
    assert_eq!((state.status, waiting(&state, GateKind::Review)), (Status::Waiting, vec!["a".into()]));
    let state = harness.decide(run, "a", DecisionKind::Edit { output: json!("mine"), accept: true }).await;
    assert_eq!(waiting(&state, GateKind::Review), ["b"]);
    let state = harness.decide(run, "b", DecisionKind::Accept).await;
    assert_eq!(body(&state), "AFTER MINE");
    assert_eq!(state.usage.output_tokens, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_accept_is_refused_and_changes_nothing() {
    let harness = Harness::new(shout);
    let run = harness.start(&two_steps(), json!({}));
    harness.drive(run).await;
    harness.decide(run, "a", DecisionKind::Accept).await;
    let before = harness.events(run);
    assert_eq!(refused(harness.engine.decide(run, decision("a", DecisionKind::Accept)).await), ErrorCode::NotWaiting);
    let mut unseen = decision("b", DecisionKind::Accept);
    unseen.attempt = Some(7);
    assert_eq!(refused(harness.engine.decide(run, unseen).await), ErrorCode::StaleView);
    assert_eq!(refused(harness.engine.decide(run, decision("nobody", DecisionKind::Accept)).await), ErrorCode::NoCall);
    assert_eq!(harness.events(run), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_tells_the_model_what_was_rejected_and_why() {
    let harness = Harness::new(shout);
    let run = harness.start(&two_steps(), json!({}));
    harness.drive(run).await;
    let retry =
        DecisionKind::Retry { instruction: "make it rhyme".into(), scope: InstructionScope::Always, model: None };
    let state = harness.decide(run, "a", retry).await;
    let call = state.call(&"a".parse().unwrap()).unwrap();
    assert_eq!(call.attempts.len(), 2);
    let Work::Prompt(work) = &*call.attempts[1].work.clone().unwrap() else { panic!("a prompt") };
    let said: Vec<&str> = work.messages.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(said, ["hello", "HELLO", "Please revise your answer: make it rhyme"]);
    // `always` is learned for later runs of the task, and theirs are asked with it from the start.
    let lessons = harness.engine.learned(Some("test")).unwrap();
    assert_eq!((lessons[0].lesson.step.as_str(), lessons[0].lesson.text.as_str()), ("a", "make it rhyme"));
    let later = harness.start(&two_steps(), json!({}));
    let state = harness.drive(later).await;
    let Work::Prompt(work) = &*state.call(&"a".parse().unwrap()).unwrap().attempts[0].work.clone().unwrap() else {
        panic!("a prompt")
    };
    assert!(work.messages[0].text.ends_with("- make it rhyme\n"), "{}", work.messages[0].text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_failed_in_a_run_that_continued_is_not_asked_for_again_when_it_is_resumed() {
    let harness = Harness::new(|request| match request.key.step() {
        "a" => Act::Fail(Failure::new(FailureClass::Auth, "who are you")),
        _ => shout(request),
    });
    let steps = json!([prompt("a", "hello", json!({ "on_failure": "continue" })), prompt("b", "bye", json!({}))]);
    let run = harness.start(&steps, json!({}));
    let state = harness.drive(run).await;
    assert_eq!((state.status, state.gates()), (Status::Waiting, 1));
    let (events, attempts) = (harness.events(run), harness.attempts());
    harness.engine.retry_failed(run).await.unwrap();
    assert_eq!(harness.events(run), events);
    harness.drive(run).await;
    assert_eq!(harness.attempts(), attempts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_pass_is_tried_again_and_what_may_not_fails_the_run_until_it_is_taken_up() {
    let tries = AtomicUsize::new(0);
    let harness = Harness::new(move |request| match (request.key.step(), tries.fetch_add(1, Ordering::SeqCst)) {
        ("a", 0 | 1) => Act::Fail(Failure::new(FailureClass::Server, "down")),
        ("b", 3) => Act::Fail(Failure::new(FailureClass::Auth, "who are you")),
        _ => shout(request),
    });
    let steps = json!([
        prompt("a", "hello", json!({ "review": "never" })),
        prompt("b", "{{ steps.a.output }}", json!({ "review": "never" }))
    ]);
    let run = harness.start(&steps, json!({}));
    let state = harness.drive(run).await;
    assert_eq!(state.status, Status::Failed);
    let (key, failure) = state.error.clone().unwrap();
    assert_eq!((key.unwrap().to_string().as_str(), failure.class), ("b", FailureClass::Auth));
    assert_eq!(harness.attempts(), ["a", "a", "a", "b"]);
    harness.engine.retry_failed(run).await.unwrap();
    let state = harness.drive(run).await;
    assert_eq!(body(&state), "HELLO");
    assert_eq!(harness.attempts(), ["a", "a", "a", "b", "b"], "what stands is not paid for twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_effect_waits_for_approval_and_a_denial_is_a_failure_with_its_reason() {
    let harness = Harness::new(shout);
    let steps = json!([command("act", json!({}))]);
    let run = harness.start(&steps, json!({}));
    let state = harness.drive(run).await;
    assert_eq!(waiting(&state, GateKind::Approval), ["act"]);
    assert_eq!(harness.attempts(), Vec::<String>::new(), "nothing happens before it is allowed");
    let gate = state.waiting().next().unwrap();
    assert!(matches!(&gate.body, GateBody::Approval(shown)
        if matches!(&*shown.work, Work::Command(command) if command.argv == ["touch", "it"])));
    assert_eq!(refused(harness.engine.decide(run, decision("act", DecisionKind::Accept)).await), ErrorCode::NotAllowed);
    let state = harness.decide(run, "act", DecisionKind::Deny { reason: "not on a Friday".into() }).await;
    assert_eq!((state.status, harness.attempts().len()), (Status::Failed, 0));
    assert_eq!(state.error.unwrap().1, Failure::new(FailureClass::Denied, "not on a Friday"));

    let run = harness.start(&steps, json!({}));
    harness.drive(run).await;
    let state = harness.decide(run, "act", DecisionKind::APPROVE).await;
    assert_eq!((body(&state), harness.attempts().len()), ("command", 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_effect_in_doubt_is_never_run_again_by_itself() {
    let harness = Harness::new(|_| Act::Doubt);
    let run = harness.start(&json!([command("act", json!({ "approve": "never" }))]), json!({}));
    let state = harness.drive(run).await;
    assert_eq!((waiting(&state, GateKind::InDoubt), harness.attempts().len()), (vec!["act".to_owned()], 1));
    let state = harness.decide(run, "act", DecisionKind::Answer { value: json!("it worked") }).await;
    assert_eq!((body(&state), harness.attempts().len()), ("it worked", 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reopened_form_takes_what_it_took_before_and_nothing_else() {
    let harness = Harness::new(shout);
    let fields = json!([{ "name": "n", "type": "integer", "required": true, "max": 5.0 }]);
    let ask = step("q", json!({ "kind": "ask", "fields": fields }), json!({}));
    let run = harness.start(&json!([ask, expr("end", "steps.q.output.n + 1", json!({}))]), json!({}));
    harness.drive(run).await;
    harness.decide(run, "q", DecisionKind::Answer { value: json!({ "n": 2 }) }).await;
    // A number with a point is the whole number that it is, as in the first answer.
    for (what, then) in [
        (DecisionKind::Answer { value: json!({ "n": 4.0 }) }, 4),
        (DecisionKind::Edit { output: json!({ "n": 3.0 }), accept: true }, 3),
        (DecisionKind::Accept, 3),
    ] {
        harness.engine.decide(run, decision("q", DecisionKind::Reopen)).await.unwrap();
        harness.drive(run).await;
        let before = harness.events(run);
        for wrong in [json!(99), json!("just text"), json!({ "n": 99 }), json!({ "n": "x" }), json!({})] {
            for what in [
                DecisionKind::Edit { output: wrong.clone(), accept: false },
                DecisionKind::Edit { output: wrong.clone(), accept: true },
                DecisionKind::Answer { value: wrong.clone() },
            ] {
                let why = refused(harness.engine.decide(run, decision("q", what)).await);
                assert_eq!(why, ErrorCode::InvalidInput);
            }
        }
        assert_eq!(harness.events(run), before, "what is refused changes nothing");
        let state = harness.decide(run, "q", what).await;
        assert_eq!(*state.call(&"q".parse().unwrap()).unwrap().standing.as_ref().unwrap().output, json!({ "n": then }));
    }
}

/// Version 0.1.0 took any edit of a form that was taken up again, and said nothing of an answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_answer_to_a_form_is_not_accepted_although_an_older_version_took_it() {
    let (made, old) = (Harness::new(shout), Harness::new(shout));
    let fields = json!([{ "name": "n", "type": "integer", "required": true, "max": 5.0 }]);
    let ask = step("q", json!({ "kind": "ask", "fields": fields }), json!({}));
    let steps = json!([ask, expr("end", "steps.q.output.n + 1", json!({}))]);
    let run = made.start(&steps, json!({}));
    made.drive(run).await;
    made.decide(run, "q", DecisionKind::Answer { value: json!({ "n": 2 }) }).await;
    made.engine.decide(run, decision("q", DecisionKind::Reopen)).await.unwrap();
    let journal = made.store.read(run, 0).unwrap();
    let Event::RunCreated(created) = &journal[0].event else { panic!("no run") };
    let mut more: Vec<Event> = journal[1..].iter().map(|recorded| recorded.event.clone()).collect();
    for event in &mut more {
        let mut json = serde_json::to_value(&*event).unwrap();
        if json["type"] == "gate_opened" && json["for"] == "review" {
            json.as_object_mut().unwrap().remove("shows");
            json["allowed"] = json!(["accept", "edit", "retry", "skip"]);
            *event = serde_json::from_value(json).unwrap();
        }
    }
    let edited = json!({ "type": "version_edited", "key": "q", "attempt": 1, "version": 2, "output": 99, "by": "ana" });
    more.push(serde_json::from_value(edited).unwrap());
    old.store.create(run, journal[0].at, created, &more, &harness::pinned(&steps, &json!({}))).unwrap();
    drop(made);

    assert_eq!(waiting(&old.drive(run).await, GateKind::Review), ["q"]);
    let why = refused(old.engine.decide(run, decision("q", DecisionKind::Accept)).await);
    assert_eq!(why, ErrorCode::InvalidInput);
    old.decide(run, "q", DecisionKind::Answer { value: json!({ "n": 3 }) }).await;
    // What was made from the first answer is stale, and a person says what becomes of it.
    assert_eq!(body(&old.decide(run, "end", DecisionKind::Again { model: None }).await), "4");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_that_a_person_knows_of_has_to_fit_the_schema_of_the_step() {
    let harness = Harness::new(|_| Act::Doubt);
    let schema = json!({ "type": "object", "required": ["id"] });
    let run = harness.start(&json!([command("act", json!({ "approve": "never", "output": schema }))]), json!({}));
    assert_eq!(waiting(&harness.drive(run).await, GateKind::InDoubt), ["act"]);
    let answer = |value| DecisionKind::Answer { value };
    let why = refused(harness.engine.decide(run, decision("act", answer(json!("it worked")))).await);
    assert_eq!(why, ErrorCode::InvalidInput);
    let state = harness.decide(run, "act", answer(json!({ "id": 7 }))).await;
    assert_eq!(state.status, Status::Completed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalid_answer_leaves_the_form_open() {
    let harness = Harness::new(shout);
    let fields = json!([{ "name": "n", "type": "integer", "required": true, "max": 5.0 }]);
    let ask = step("form", json!({ "kind": "ask", "text": "How many?", "fields": fields }), json!({}));
    let run = harness.start(&json!([ask, expr("end", "steps.form.output.n + 1", json!({}))]), json!({}));
    let state = harness.drive(run).await;
    assert_eq!(waiting(&state, GateKind::Input), ["form"]);
    for wrong in [json!({ "n": 9 }), json!({}), json!("three")] {
        let answer = decision("form", DecisionKind::Answer { value: wrong });
        assert_eq!(refused(harness.engine.decide(run, answer).await), ErrorCode::InvalidInput);
    }
    assert_eq!(waiting(&harness.engine.load(run).unwrap(), GateKind::Input), ["form"]);
    let state = harness.decide(run, "form", DecisionKind::Answer { value: json!({ "n": 2 }) }).await;
    assert_eq!(body(&state), "3");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_may_ask_in_the_middle_of_its_work() {
    let harness = Harness::new(|_| Act::Ask(json!([{ "name": "answer" }])));
    let run = harness.start(&json!([command("act", json!({ "approve": "never" }))]), json!({}));
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.drive(run).unwrap();
    until(&mut updates, |update| match update {
        Update::Event(recorded) => matches!(recorded.event, Event::GateOpened(_)).then_some(()),
        _ => None,
    })
    .await;
    harness
        .engine
        .decide(run, decision("act", DecisionKind::Answer { value: json!({ "answer": "blue" }) }))
        .await
        .unwrap();
    assert_eq!(until_stopped(&mut updates).await, StopReason::Over);
    assert!(body(&harness.engine.load(run).unwrap()).contains("blue"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_stream_keeps_its_text_for_the_person_to_judge() {
    let harness = Harness::new(|_| Act::Hang("half a sen"));
    let run = harness.start(&json!([prompt("a", "hello", json!({}))]), json!({}));
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.drive(run).unwrap();
    until(&mut updates, |update| match update {
        Update::Delta { delta: Delta::Text(text), .. } => (text.data() == "half a sen").then_some(()),
        _ => None,
    })
    .await;
    // It would never end by itself.
    harness.engine.stop(run, &"a".parse().unwrap());
    until_stopped(&mut updates).await;
    let state = harness.engine.load(run).unwrap();
    let gate = state.waiting().next().unwrap();
    assert!(gate.review().is_some_and(|review| review.cancelled), "{gate:?}");
    let state = harness.decide(run, "a", DecisionKind::Edit { output: json!("half a sentence"), accept: true }).await;
    assert_eq!(body(&state), "half a sentence");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_left_goes_on_where_it_was() {
    let tries = AtomicUsize::new(0);
    let harness = Harness::new(move |request| match tries.fetch_add(1, Ordering::SeqCst) {
        1 => Act::Hang("so far"),
        _ => shout(request),
    });
    let run = harness.start(&two_steps(), json!({}));
    harness.drive(run).await;
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.decide(run, decision("a", DecisionKind::Accept)).await.unwrap();
    until(&mut updates, |update| matches!(update, Update::Delta { .. }).then_some(())).await;
    harness.engine.pause(run, PauseReason::Left);
    assert_eq!(until_stopped(&mut updates).await, StopReason::Paused);
    let state = harness.engine.load(run).unwrap();
    assert_eq!((state.status, state.paused), (Status::Paused, Some(PauseReason::Left)));
    assert!(!harness.engine.is_driven(run));
    let left = state.call(&"b".parse().unwrap()).unwrap();
    assert_eq!((left.attempts[0].status, left.attempts[0].partial.data()), (AttemptStatus::Cancelled, "so far"));
    let neighbour = harness.neighbour();
    let state = neighbour.drive(run).await;
    assert_eq!(waiting(&state, GateKind::Review), ["b"], "another process goes on with it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_run_keeps_what_was_written_and_takes_no_more_decisions() {
    let harness = Harness::new(|_| Act::Hang("so far"));
    let run = harness.start(&two_steps(), json!({}));
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.drive(run).unwrap();
    until(&mut updates, |update| matches!(update, Update::Delta { .. }).then_some(())).await;
    harness.engine.cancel(run).await.unwrap();
    assert_eq!(until_stopped(&mut updates).await, StopReason::Over);
    let state = harness.engine.load(run).unwrap();
    assert_eq!(state.status, Status::Cancelled);
    assert_eq!(state.call(&"a".parse().unwrap()).unwrap().attempts[0].partial.data(), "so far");
    assert_eq!(refused(harness.engine.decide(run, decision("a", DecisionKind::Accept)).await), ErrorCode::Over);
    assert_eq!(refused(harness.engine.cancel(run).await), ErrorCode::Over);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_waits_before_it_is_passed_and_can_be_raised() {
    let harness = Harness::new(shout);
    let steps = json!([
        prompt("a", "x", json!({ "review": "never" })),
        prompt("b", "{{ steps.a.output }}", json!({ "review": "never" })),
        prompt("c", "{{ steps.b.output }}", json!({ "review": "never" })),
    ]);
    let run = harness.start_with(&steps, &json!({ "budget": { "usd": 0.25, "tokens": 1000 } }), json!({}));
    let state = harness.drive(run).await;
    assert_eq!(waiting(&state, GateKind::Budget), ["c"]);
    assert_eq!(harness.attempts(), ["a", "b"]);
    let budget = Budget { usd: Some(0.5), tokens: None };
    let state = harness.decide(run, "c", DecisionKind::Budget { budget }).await;
    assert_eq!(body(&state), "X");
    assert_eq!(state.budget, Some(Budget { usd: Some(0.5), tokens: Some(1000) }), "the other limit stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_run_lose_nothing() {
    let harness = Harness::new(shout);
    let steps = json!([prompt("each", "{{ item }}", json!({ "for_each": { "list": "range(20) | list" } }))]);
    let run = harness.start(&steps, json!({}));
    harness.drive(run).await;
    let neighbour = harness.neighbour();
    assert_eq!(neighbour.engine.drive(run).unwrap(), Driver::Remote);
    let (_, mut updates) = harness.subscribe(run);
    let (even, odd) = tokio::join!(accept(&harness, run, 0), accept(&neighbour, run, 1));
    assert_eq!((even, odd), (10, 10));
    while until_stopped(&mut updates).await != StopReason::Over {}
    let state = harness.engine.load(run).unwrap();
    assert_eq!(state.status, Status::Completed);
    assert_eq!(state.calls.values().filter(|call| call.status == CallStatus::Accepted).count(), 20);
    assert_eq!(harness.attempts().len(), 20, "nothing is done twice");
}

/// Accepts every second item, and says how many.
async fn accept(harness: &Harness, run: stepwell::core::id::RunId, first: usize) -> usize {
    let mut accepted = 0;
    for at in (first..20).step_by(2) {
        harness.engine.decide(run, decision(&format!("each[{at}]"), DecisionKind::Accept)).await.unwrap();
        accepted += 1;
    }
    accepted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_driver_sees_what_another_process_decided_within_100_ms() {
    let harness = Harness::on_disk(shout);
    let each = json!({ "for_each": { "list": "range(9) | list", "one_by_one": true } });
    let run = harness.start(&json!([prompt("each", "{{ item }}", each)]), json!({}));
    harness.drive(run).await;
    let neighbour = harness.neighbour();
    let (_, mut updates) = harness.subscribe(run);
    // The wake socket is there in a moment; without it, none would be seen before the driver looks again. How long a
    // busy machine takes to let it ring is not ours to say, so the quickest counts.
    let mut quickest = Duration::MAX;
    for at in 0..8 {
        let (since, key) = (Instant::now(), format!("each[{at}]"));
        neighbour.engine.decide(run, decision(&key, DecisionKind::Accept)).await.unwrap();
        let accepted = |event: &Event| matches!(event, Event::CallAccepted { key: of, .. } if of.to_string() == key);
        until(&mut updates, |update| matches!(update, Update::Event(e) if accepted(&e.event)).then_some(())).await;
        quickest = quickest.min(since.elapsed());
        let next = [format!("each[{}]", at + 1)];
        while waiting(&harness.engine.load(run).unwrap(), GateKind::Review) != next {
            updates.next().await;
        }
    }
    assert!(quickest < Duration::from_millis(50), "{quickest:?}");
    assert_eq!(
        refused(harness.engine.decide(run, decision("each[0]", DecisionKind::Accept)).await),
        ErrorCode::NotWaiting
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_committed_as_one_is_seen_as_one() {
    let harness = Harness::new(shout);
    let each = json!({ "for_each": { "list": "range(200) | list", "one_by_one": true } });
    let run = harness.start(&json!([prompt("each", "{{ item }}", each)]), json!({}));
    harness.drive(run).await;
    let (mut seen, mut updates) = harness.subscribe(run);
    // Somebody who never takes their eyes off it.
    let watcher = std::thread::spawn(move || {
        while seen.status != Status::Completed {
            for update in updates.take() {
                if let Update::Event(recorded) = update {
                    seen.apply(recorded.seq, recorded.at, &recorded.event);
                }
            }
            let going = seen.calls.values().any(|call| call.status == CallStatus::Running);
            assert!(going || seen.gates() == 0 || seen.status == Status::Waiting, "a gate of a run that waits is open");
        }
    });
    for at in 0..200 {
        harness.decide(run, &format!("each[{at}]"), DecisionKind::Accept).await;
    }
    watcher.join().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_adopts_what_does_not_depend_on_its_point() {
    let harness = Harness::new(shout);
    let steps = json!([
        prompt("a", "a", json!({ "review": "never" })),
        command("act", json!({ "approve": "never" })),
        prompt("b", "{{ steps.a.output }} {{ steps.act.output }}", json!({})),
    ]);
    let run = harness.start(&steps, json!({}));
    harness.drive(run).await;
    harness.decide(run, "b", DecisionKind::Accept).await;
    let pinned = std::sync::Arc::new(harness::pinned(&steps, &json!({})));
    let fork = stepwell::engine::Fork { run, at: "b".parse().unwrap(), pinned, budget: None };
    let fork = harness.engine.fork(&fork).unwrap();
    let state = harness.drive(fork).await;
    assert_eq!(waiting(&state, GateKind::Review), ["b"]);
    assert_eq!(harness.attempts().iter().filter(|key| *key == "act").count(), 1, "the effect is not performed again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gate_that_nobody_answers_in_time_is_answered_as_its_step_says() {
    let harness = Harness::new(shout);
    let late = |on_timeout: &str| json!({ "decide_within": 1, "on_timeout": on_timeout });
    for (on_timeout, status) in
        [("skip", CallStatus::Skipped), ("accept", CallStatus::Accepted), ("fail", CallStatus::Failed)]
    {
        let run = harness.start(&json!([prompt("a", "hello", late(on_timeout))]), json!({}));
        let (_, mut updates) = harness.subscribe(run);
        harness.engine.drive(run).unwrap();
        while until_stopped(&mut updates).await != StopReason::Over {}
        let state = harness.engine.load(run).unwrap();
        assert_eq!(state.call(&"a".parse().unwrap()).unwrap().status, status);
    }
}

/// Much comes together, and a test that waits for one thing and then for the next looks at both, however it came.
#[tokio::test]
async fn what_a_test_did_not_look_at_yet_is_kept_for_when_it_does() {
    let harness = Harness::new(shout);
    let run = harness.start(&json!([prompt("a", "x", json!({}))]), json!({}));
    let (_, mut updates) = harness.subscribe(run);
    harness.drive(run).await;
    // All of it is there by now, and comes at once.
    let started = |update: &Update| matches!(update, Update::Event(e) if matches!(e.event, Event::AttemptStarted(_)));
    until(&mut updates, |update| started(update).then_some(())).await;
    assert_eq!(until_stopped(&mut updates).await, StopReason::Waiting);
    assert_eq!(updates.take(), []);
}
