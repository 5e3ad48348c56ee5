//! Failures and what becomes of them: handlers that run, that are left out and that fail themselves; what the journal has
//! of a failure, whatever its wording.

use serde_json::{Value, json};

use super::*;
use crate::core::event::SkipCause;

/// Steps of which `try` fails, for the items in `bad`.
fn failing(steps: &Value, body: &str, bad: &'static [&'static str]) -> Sim {
    let task = workflow_with(steps, &json!({ "result": { "title": "t", "body": body } }));
    Sim::performing(task, json!({}), move |want, attempt| {
        let item = want.item.as_deref().and_then(Value::as_str).unwrap_or("");
        if want.step == "try" && bad.contains(&item) {
            return Err(Failure::new(FailureClass::Server, "down"));
        }
        shout(want, attempt)
    })
}

fn tried(rules: Value) -> Value {
    let mut rules = rules;
    rules["review"] = json!("never");
    rules["on_failure"] = json!({ "handler": "fix" });
    prompt("try", "go", &rules)
}

#[test]
fn a_failure_whose_handler_is_left_out_by_its_condition_is_the_failure_of_the_run() {
    let steps = json!([
        tried(json!({})),
        step("fix", "failure.class", &json!({ "when": "false" })),
        step("end", "1", &json!({ "after": ["try"], "join": "ended" })),
    ]);
    let mut sim = failing(&steps, "", &[""]);
    let (key, failure) = sim.failure();
    assert_eq!((key.as_str(), failure.class), ("try", FailureClass::Server));
    sim.perform = Box::new(shout);
    sim.decide("try", DecisionKind::Again { model: None });
    assert_eq!(sim.output("try"), "GO", "it can be taken up again");
    assert!(sim.end.is_some_and(|end| matches!(end, End::Completed { .. })));
}

#[test]
fn so_it_is_where_a_switch_chose_another_way() {
    let steps = json!([
        tried(json!({})),
        { "id": "way", "does": { "kind": "switch", "cases": [{ "when": "false", "to": ["fix"] }], "default": ["end"] } },
        step("fix", "failure.class", &json!({})),
        step("end", "1", &json!({})),
    ]);
    assert_eq!(failing(&steps, "", &[""]).failure().0, "try");
}

#[test]
fn of_a_list_the_item_whose_handler_is_left_out_fails_the_run_by_its_name() {
    let steps = json!([
        tried(json!({ "for_each": { "list": "['a', 'b', 'c']" } })),
        step("fix", "item", &json!({ "when": "item != 'b'" })),
    ]);
    let sim = failing(&steps, "{{ steps.fix.outputs | join }}", &["a", "b"]);
    assert_eq!(sim.failure().0, "try[1]");
    let sim = failing(&steps, "{{ steps.fix.outputs | join }}", &["a"]);
    assert_eq!(sim.body(), "a");
}

#[test]
fn a_person_who_leaves_a_handler_out_lets_the_run_continue_with_a_warning_that_names_the_failure() {
    let steps = json!([tried(json!({})), prompt("fix", "{{ failure.message }}", &json!({}))]);
    let mut sim = failing(&steps, "done", &[""]);
    sim.decide("fix", DecisionKind::Skip);
    assert_eq!(sim.body(), "done");
    let [warning] = sim.run.warnings.as_slice() else { panic!("{:?}", sim.run.warnings) };
    assert!(warning.contains("`try`") && warning.contains("`fix`"), "{warning}");
}

#[test]
fn a_handler_that_fails_and_is_continued_leaves_no_failure_unsaid() {
    let steps = json!([tried(json!({})), step("fix", "inputs.nothing", &json!({ "on_failure": "continue" }))]);
    let sim = failing(&steps, "done", &[""]);
    assert_eq!(sim.body(), "done");
    let said = sim.run.warnings.join("\n");
    assert!(said.contains("`try` failed") && said.contains("`fix` failed"), "{said}");
}

#[test]
fn a_handler_inside_a_group_that_is_left_out_fails_its_item() {
    let group = json!({ "id": "g", "rules": { "for_each": { "list": "['a', 'b']" }, "on_failure": "continue" },
        "does": { "kind": "group", "steps": [
            tried(json!({})), step("fix", "1", &json!({ "when": "false" })), step("last", "item", &json!({ "after": ["try"] })),
        ] } });
    let task =
        workflow_with(&json!([group]), &json!({ "result": { "title": "t", "body": "{{ steps.g.outputs | join }}" } }));
    let sim = Sim::performing(task, json!({}), |want, attempt| match want.key.to_string().as_str() {
        "g[0].try" => Err(Failure::new(FailureClass::Server, "down")),
        _ => shout(want, attempt),
    });
    assert_eq!(sim.body(), "b");
    assert!(sim.run.warnings[0].contains("`g[0].try`"), "{:?}", sim.run.warnings);
}

#[test]
fn the_handler_of_a_list_is_a_list_for_later_steps_however_many_items_there_are() {
    let steps =
        json!([tried(json!({ "for_each": { "list": "inputs.items" } })), step("fix", "item ~ '!'", &json!({})),]);
    let body =
        "{{ steps.fix.outputs | join(',') }} {% for c in steps.fix.calls %}{{ c.item }}{{ c.status }} {% endfor %}";
    let run = |items: Value| {
        let task = workflow_with(&steps, &json!({ "result": { "title": "t", "body": body } }));
        Sim::performing(task, json!({ "items": items }), |want, attempt| {
            if want.step == "try" && want.item.as_deref() != Some(&json!("good")) {
                return Err(Failure::new(FailureClass::Server, "down"));
            }
            shout(want, attempt)
        })
    };
    assert_eq!(run(json!(["a", "good", "b"])).body(), "a!,b! aaccepted goodskipped baccepted ");
    assert_eq!(run(json!(["a"])).body(), "a! aaccepted ", "one item is a list, too");
    assert_eq!(run(json!(["good"])).body(), " ");
    assert_eq!(run(json!([])).body(), " ");
}

/// Has the journal say everything in other words, and asks whether anything is noted again.
fn is_known_in_other_words(sim: &Sim) {
    let mut run = sim.run.clone();
    for call in run.calls.values_mut() {
        match &mut call.ending {
            Some(crate::core::call::Ending::Skipped { because, .. }) => "reworded".clone_into(because),
            Some(crate::core::call::Ending::Failed { failure, .. }) => "reworded".clone_into(&mut failure.message),
            None => {}
        }
    }
    run.warnings.iter_mut().for_each(|warning| "reworded".clone_into(warning));
    assert_eq!(sim.flow.open(&run).feed(&[]).notes, []);
}

#[test]
fn what_the_journal_says_in_other_words_is_not_said_again() {
    let route = json!({ "id": "way", "does": { "kind": "switch", "cases": [], "default": ["end"] } });
    let mut quick = step("quick", "steps.end.output", &json!({ "join": "first" }));
    quick["rules"]["after"] = json!(["try"]);
    let steps = json!([
        prompt("try", "go", &json!({ "review": "never", "on_failure": "continue" })),
        step("bad", "inputs.nothing", &json!({ "on_failure": "continue" })),
        step("list", "1", &json!({ "for_each": { "list": "3" }, "on_failure": "continue" })),
        step("never", "1", &json!({ "when": "false" })),
        step("after_never", "steps.never.output", &json!({})),
        step("after_bad", "steps.bad.output", &json!({})),
        step("some", "item", &json!({ "for_each": { "list": "[1, 2]" }, "when": "item > 1" })),
        step("any", "1", &json!({ "after": ["never", "bad"], "join": "any" })),
        route,
        step("end", "1", &json!({})),
        step("not_chosen", "1", &json!({})),
        quick,
    ]);
    let sim = failing(&steps, "done", &[""]);
    assert_eq!(sim.body(), "done");
    assert_eq!(sim.run.warnings.len(), 3, "{:?}", sim.run.warnings);
    is_known_in_other_words(&sim);
}

#[test]
fn a_call_that_version_0_1_0_left_out_without_a_cause_stays_as_it_is() {
    let steps = json!([step("never", "1", &json!({ "when": "false" })), step("end", "2", &json!({}))]);
    let mut sim = failing(&steps, "done", &[]);
    for call in sim.run.calls.values_mut() {
        if let Some(crate::core::call::Ending::Skipped { cause, because, .. }) = &mut call.ending {
            assert_eq!(cause.take(), Some(SkipCause::When));
            "`when` is false".clone_into(because);
        }
    }
    assert_eq!(sim.flow.open(&sim.run).feed(&[]).notes, []);
}

#[test]
fn a_call_that_is_left_out_for_another_reason_now_says_so() {
    let task = workflow(&json!([
        step("list", "inputs.n", &json!({ "review": "always" })),
        step("a", "1", &json!({ "when": "steps.list.output > 1" })),
        step("b", "steps.a.output", &json!({ "when": "steps.list.output != 1" })),
    ]));
    let mut sim = Sim::new(task, json!({ "n": 0 }));
    sim.accept_all();
    let cause = |sim: &Sim| match &sim.run.call(&"b".parse().unwrap()).unwrap().ending {
        Some(crate::core::call::Ending::Skipped { cause, .. }) => cause.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(cause(&sim), Some(SkipCause::DependencySkipped("a".into())));
    sim.decide("list", DecisionKind::Reopen);
    sim.decide("list", DecisionKind::Edit { output: json!(2), accept: true });
    assert_eq!(sim.output("b"), 1);
}

#[test]
fn a_failure_that_comes_again_after_it_was_taken_up_is_warned_of_once() {
    let steps = json!([prompt("try", "go", &json!({ "review": "never", "on_failure": "continue" }))]);
    let mut sim = failing(&steps, "done", &[""]);
    sim.decide("try", DecisionKind::Again { model: None });
    assert_eq!(sim.body(), "done");
    assert_eq!(sim.run.warnings.len(), 1);
    let warned = sim.journal.iter().filter(|event| matches!(event, Event::Warned { .. })).count();
    assert_eq!(warned, 2, "the journal has a warning that is newer than each failure");
}

#[test]
fn a_mistake_of_the_definition_is_told_again_when_what_it_was_made_from_has_changed() {
    let task = workflow(&json!([
        step("value", "inputs.value", &json!({ "review": "always" })),
        step("sum", "steps.value.output + 1", &json!({ "on_failure": "continue" })),
    ]));
    let mut sim = Sim::new(task, json!({ "value": "text" }));
    sim.accept_all();
    let failed = |sim: &Sim| sim.journal.iter().filter(|event| matches!(event, Event::CallFailed { .. })).count();
    assert_eq!(failed(&sim), 1);
    is_known_in_other_words(&sim);
    sim.decide("value", DecisionKind::Reopen);
    sim.decide("value", DecisionKind::Edit { output: json!([]), accept: true });
    assert_eq!(failed(&sim), 2);
    is_known_in_other_words(&sim);
}

#[test]
fn a_list_or_a_switch_that_failed_is_not_shown_as_failed_once_it_works_out() {
    let task = workflow_with(
        &json!([
            step("value", "inputs.value", &json!({ "review": "always" })),
            step("each", "item", &json!({ "for_each": { "list": "steps.value.output" } })),
            { "id": "way", "does": { "kind": "switch",
                "cases": [{ "when": "steps.value.output + [1]", "to": ["end"] }], "default": ["end"] } },
            step("end", "1", &json!({})),
        ]),
        &json!({ "result": { "title": "t", "body": "{{ steps.each.outputs | join }}" } }),
    );
    let mut sim = Sim::new(task, json!({ "value": 3 }));
    sim.accept_all();
    assert_eq!(sim.failure().0, "each");
    assert_eq!((sim.status("each"), sim.status("way")), (CallStatus::Failed, CallStatus::Failed));
    let chose = |sim: &Sim| {
        sim.journal.iter().any(|event| matches!(event, Event::FlowDecided { what: FlowDecision::Switch, .. }))
    };
    assert!(!chose(&sim), "a switch that failed has chosen nothing");
    sim.decide("value", DecisionKind::Reopen);
    sim.decide("value", DecisionKind::Edit { output: json!([1, 2]), accept: true });
    assert_eq!(sim.body(), "12");
    assert!(chose(&sim));
    assert!(sim.run.calls.values().all(|call| call.status != CallStatus::Failed), "{:?}", sim.run.calls);
}

#[test]
fn a_switch_whose_state_does_not_work_out_has_not_chosen() {
    let task = workflow(&json!([
        { "id": "way", "does": { "kind": "switch", "cases": [], "default": ["end"] },
          "rules": { "set_state": { "n": "inputs.nothing" } } },
        step("end", "1", &json!({})),
    ]));
    let sim = Sim::new(task, json!({}));
    assert_eq!(sim.failure().0, "way");
    assert!(!sim.journal.iter().any(|event| matches!(event, Event::FlowDecided { .. })), "{:?}", sim.journal);
}

#[test]
fn an_attempt_whose_output_broke_its_checks_has_failed_as_its_call_has() {
    let rules = json!({ "review": "never", "checks": [{ "expr": "output == 'x'", "says": "it is x" }] });
    let sim = Sim::new(workflow(&json!([prompt("p", "y", &rules)])), json!({}));
    assert_eq!(sim.failure().0, "p");
    let call = sim.run.call(&"p".parse().unwrap()).unwrap();
    assert_eq!(call.status, CallStatus::Failed);
    let attempt = &call.attempts[0];
    assert_eq!(attempt.status, crate::core::call::AttemptStatus::Failed);
    assert!(attempt.error.is_some() && attempt.newest().is_some(), "what it gave is kept: {attempt:?}");
}

#[test]
fn what_an_older_rule_decided_of_the_same_values_stays_decided_and_of_others_is_a_mistake() {
    let steps = json!([step("a", "'x'", &json!({ "when": "inputs.go" }))]);
    let task = workflow_with(&steps, &json!({ "result": { "title": "t", "body": "{{ steps.a.output }}" } }));
    let pinned = std::sync::Arc::new(Pinned { task, children: std::collections::BTreeMap::new(), folder: None });
    let opened = |saw: &str| {
        let mut sim = Sim::unsettled(&pinned, json!({ "go": "false" }), shout);
        sim.apply(Event::FlowDecided {
            key: Key::plain("a"),
            what: FlowDecision::When,
            value: json!(true),
            why: json!({ "expr": "inputs.go", "saw": { "inputs.go": saw } }),
        });
        sim.session = sim.flow.open(&sim.run);
        sim.settle(&[]);
        sim
    };
    assert_eq!(opened("false").body(), "x");
    assert!(opened("no").failure().1.message.contains("| bool"));
}

#[test]
fn what_failed_at_something_else_is_judged_when_it_is_asked_for_the_same_again() {
    let steps = json!([
        prompt("a", "one", &json!({})),
        prompt("b", "for {{ steps.a.output }} {{ 1 / (steps.a.output | length) }}", &json!({ "join": "ended" })),
    ]);
    let mut sim = Sim::new(workflow(&steps), json!({}));
    sim.decide("a", DecisionKind::Accept);
    assert_eq!(sim.waiting(GateKind::Review), ["b"]);
    sim.decide("a", DecisionKind::Reopen);
    sim.decide("a", DecisionKind::Skip);
    assert_eq!(sim.failure().0, "b", "it does not work out without `a`");
    sim.decide("a", DecisionKind::Again { model: None });
    sim.decide("a", DecisionKind::Accept);
    assert_eq!(sim.waiting(GateKind::Review), ["b"], "the same as before waits for the same judgement");
    assert_eq!(sim.waiting(GateKind::Stale), Vec::<String>::new());
    sim.decide("b", DecisionKind::Accept);
    assert_eq!(sim.status("b"), CallStatus::Accepted);
}
