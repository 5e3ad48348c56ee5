//! Answers that the limit of tokens cut, and outputs that do not fit: nothing of them continues by itself.

use serde_json::json;
use stepwell::core::actor::Actor;
use stepwell::core::call::{AttemptStatus, CallStatus};
use stepwell::core::code::ErrorCode;
use stepwell::core::decide::DecisionKind;
use stepwell::core::event::{Event, Origin};
use stepwell::core::failure::FailureClass;
use stepwell::core::gate::GateKind;
use stepwell::core::run::Status;
use stepwell::core::work::Work;
use stepwell::engine::Fork;

use crate::harness::{Act, Harness, body, command, decision, pinned, prompt, refused, shout, step, waiting};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_answer_never_continues_by_itself_unless_the_definition_says_so() {
    let table = [
        (json!({}), "asked"),
        (json!({ "review": "failed" }), "asked"),
        (json!({ "review": { "when": "false" } }), "asked"),
        (json!({ "review": "never" }), "failed"),
        (json!({ "review": "never", "on_cut": "ask" }), "asked"),
        (json!({ "review": "never", "on_cut": "continue" }), "failed"),
        (json!({ "review": "never", "on_cut": "accept" }), "accepted"),
        (json!({ "on_cut": "fail" }), "failed"),
        (json!({ "on_cut": "continue" }), "asked"),
    ];
    for (rules, outcome) in table {
        let harness = Harness::new(|_| Act::Cut("Once upon a"));
        let run = harness.start(&json!([prompt("a", "tell", rules.clone())]), json!({}));
        let state = harness.drive(run).await;
        let call = state.call(&"a".parse().unwrap()).unwrap();
        assert_eq!(*call.output().unwrap().2.as_ref(), json!("Once upon a"), "{rules}: the text is kept");
        match outcome {
            "asked" => {
                let gate = call.gate().unwrap();
                assert!(gate.review().unwrap().cut && !gate.review().unwrap().is_whole(), "{rules}");
                let state = harness.decide(run, "a", DecisionKind::Accept).await;
                assert_eq!(body(&state), "Once upon a");
            }
            "failed" => assert_eq!(
                (state.status, state.error.unwrap().1.class),
                (Status::Failed, FailureClass::TooLong),
                "{rules}"
            ),
            _ => assert_eq!(body(&state), "Once upon a", "{rules}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_answer_that_a_person_completed_is_cut_no_longer() {
    let harness = Harness::new(|_| Act::Cut("Once upon a"));
    let run = harness.start(&json!([prompt("a", "tell", json!({}))]), json!({}));
    harness.drive(run).await;
    let edit = DecisionKind::Edit { output: json!("Once upon a time."), accept: false };
    let state = harness.decide(run, "a", edit).await;
    assert!(state.waiting().next().unwrap().review().unwrap().is_whole());
    assert_eq!(body(&harness.decide(run, "a", DecisionKind::Accept).await), "Once upon a time.");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_is_asked_an_output_that_does_not_fit_fails_as_a_failed_check_does() {
    for rules in [json!({ "review": "never" }), json!({ "review": "never", "on_failure": "continue" })] {
        let harness = Harness::new(|_| Act::Unfit(json!("three"), "it is no number"));
        let run = harness.start(&json!([prompt("a", "count", rules)]), json!({}));
        let state = harness.drive(run).await;
        let call = state.call(&"a".parse().unwrap()).unwrap();
        assert_eq!((call.status, call.gates.len()), (CallStatus::Failed, 0));
        assert_eq!(*call.output().unwrap().2.as_ref(), json!("three"), "what came is kept");
        let failed = harness.events(run).into_iter().find_map(|event| match event {
            Event::CallFailed { error, .. } => Some(error),
            _ => None,
        });
        assert_eq!(failed.unwrap().class, FailureClass::BadOutput);
    }
    // Where somebody is asked, that is still a person's to judge.
    let harness = Harness::new(|_| Act::Unfit(json!("three"), "it is no number"));
    let run = harness.start(&json!([prompt("a", "count", json!({}))]), json!({}));
    assert_eq!(waiting(&harness.drive(run).await, GateKind::Review), ["a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_fork_adopts_is_held_to_the_form_and_schema_that_it_was_made_for() {
    let form = json!({ "kind": "ask", "fields": [{ "name": "n", "type": "integer", "max": 5 }] });
    let steps = json!([
        step("q", form, json!({})),
        command("act", json!({ "approve": "never" })),
        prompt("last", "end", json!({ "after": ["q", "act"] })),
    ]);
    let harness = Harness::new(shout);
    let run = harness.start(&steps, json!({}));
    harness.drive(run).await;
    harness.decide(run, "q", DecisionKind::Answer { value: json!({ "n": 3 }) }).await;
    let pinned = std::sync::Arc::new(pinned(&steps, &json!({})));
    let fork = harness.engine.fork(&Fork { run, at: "last".parse().unwrap(), pinned, budget: None }).unwrap();
    assert!(matches!(harness.engine.load(fork).unwrap().origin, Some(Origin { .. })));
    harness.engine.decide(fork, decision("q", DecisionKind::Reopen)).await.unwrap();
    for (unfit, wrong) in [(json!({ "n": 99 }), "n"), (json!("just text"), "text")] {
        let edit = DecisionKind::Edit { output: unfit, accept: true };
        let refusal = refused(harness.engine.decide(fork, decision("q", edit)).await);
        assert_eq!(refusal, ErrorCode::InvalidInput, "{wrong}");
    }
    let answer = DecisionKind::Answer { value: json!({ "n": 4 }) };
    harness.engine.decide(fork, decision("q", answer)).await.unwrap();
    let state = harness.engine.load(fork).unwrap();
    let act = state.call(&"act".parse().unwrap()).unwrap();
    assert!(act.had_effect(), "what happened in the other run has happened");
    assert_eq!(
        act.newest().map(|attempt| (attempt.status, attempt.by.clone())),
        Some((AttemptStatus::Accepted, Actor::Adopted))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_says_what_comes_of_a_cut_answer() {
    let table = [
        ("{}", "asked"),
        ("{ review: 'never' }", "too_long"),
        ("{ review: 'never', on_cut: 'accept' }", "Once upon a"),
        ("{ review: 'never', on_cut: 'ask' }", "asked"),
        ("{ on_cut: 'fail' }", "too_long"),
        ("{ review: 'never', on_cut: 'perhaps' }", "definition"),
    ];
    for (options, outcome) in table {
        let harness = Harness::new(|_| Act::Cut("Once upon a"));
        let script = format!(
            "export default async function (run) {{\n  try {{\n    return await run.prompt('tell', {options});\n  }} catch (error) {{\n    return error.class ?? 'no class';\n  }}\n}}"
        );
        let flow = json!({ "flow": { "script": { "entry": "main.js", "sources": { "main.js": script } } } });
        let run = harness.start_with(&json!([]), &flow, json!({}));
        let state = harness.drive(run).await;
        if outcome == "asked" {
            assert!(state.waiting().next().unwrap().review().unwrap().cut, "{options}");
        } else if outcome == "definition" {
            let why = state.error.unwrap().1.message;
            assert!(why.contains("`on_cut` must be `ask`, `continue`, `accept` or `fail`, not \"perhaps\""), "{why}");
        } else {
            assert_eq!(body(&state), outcome, "{options}");
        }
    }
    let harness = Harness::new(shout);
    let script = "export default async (run) => run.prompt('tell', { review: 'never', on_cut: 'continue' });";
    let flow = json!({ "flow": { "script": { "entry": "main.js", "sources": { "main.js": script } } } });
    let run = harness.start_with(&json!([]), &flow, json!({}));
    harness.drive(run).await;
    let requests = harness.executor.requests.lock().unwrap();
    assert!(matches!(&*requests[0].work, Work::Prompt(prompt) if prompt.continues));
}
