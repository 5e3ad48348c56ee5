//! The graph over a journal in memory: every step of every test also drops the session, opens it again, and holds what
//! both want against each other.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::core::call::CallStatus;
use crate::core::decide::DecisionKind;
use crate::core::event::{FlowDecision, InstructionScope};
use crate::core::failure::FailureClass;
use crate::core::gate::{Gate, GateBody, GateKind, ReviewBody};
use crate::core::run::Status;
use crate::core::task::Task;
use crate::core::work::Work;
use crate::flow::Want;
use crate::flow::testing::{Sim, prompt, shout, step, workflow, workflow_with};

mod again;
mod combined;
mod cut_short;
mod decided;
mod effort;
mod ends;
mod failures;
mod secrets;
mod undone;

fn poem() -> Sim {
    let task = workflow_with(
        &json!([
            step("divide", "inputs.subjects", &json!({ "review": "always" })),
            prompt(
                "write",
                "{{ item }} after {{ earlier | join('/') }}",
                &json!({ "for_each": { "list": "steps.divide.output", "one_by_one": true } })
            ),
        ]),
        &json!({ "result": { "title": "t", "body": "{{ steps.write.outputs | join(';') }}" } }),
    );
    Sim::new(task, json!({ "subjects": ["sea", "sky", "sun"] }))
}

#[test]
fn stanzas_wait_for_the_review_of_those_before_them() {
    let mut sim = poem();
    assert_eq!(sim.waiting(GateKind::Review), ["divide"]);
    sim.decide("divide", DecisionKind::Accept);
    assert_eq!(sim.waiting(GateKind::Review), ["write[0]"]);
    assert!(sim.run.call(&"write[1]".parse().unwrap()).is_none());
    sim.decide("write[0]", DecisionKind::Edit { output: json!("mine"), accept: true });
    sim.accept_all();
    assert_eq!(sim.output("write[1]"), "SKY AFTER MINE", "a manual edit is what later steps see");
    assert_eq!(sim.body(), "mine;SKY AFTER MINE;SUN AFTER MINE/SKY AFTER MINE");
}

#[test]
fn an_edited_early_output_marks_exactly_the_calls_that_used_it() {
    let mut sim = poem();
    sim.accept_all();
    sim.decide("write[1]", DecisionKind::Reopen);
    assert_eq!(sim.output("write[1]"), "SKY AFTER SEA AFTER ", "it stands until another is accepted");
    assert_eq!(sim.end, None, "a run with an open review has not ended");
    sim.decide("write[1]", DecisionKind::Edit { output: json!("new"), accept: true });
    assert_eq!(sim.waiting(GateKind::Stale), ["write[2]"]);
    assert_eq!(sim.status("write[0]"), CallStatus::Accepted);
    let stale = sim.run.call(&"write[2]".parse().unwrap()).unwrap().stale.clone().unwrap();
    assert_eq!(stale.because, ["write[1]".parse().unwrap()]);
    let performed = sim.performed.len();
    sim.decide("write[2]", DecisionKind::Keep);
    assert_eq!(sim.performed.len(), performed, "what is kept is not performed");
    assert_eq!(sim.body(), "SEA AFTER ;new;SUN AFTER SEA AFTER /SKY AFTER SEA AFTER ");
}

#[test]
fn a_stale_call_stands_again_at_no_cost_when_its_source_is_as_before() {
    let mut sim = poem();
    sim.accept_all();
    let before = sim.body();
    sim.decide("write[0]", DecisionKind::Reopen);
    sim.decide("write[0]", DecisionKind::Edit { output: json!("x"), accept: true });
    assert_eq!(sim.waiting(GateKind::Stale), ["write[1]"], "what depends on a stale call waits for it");
    sim.decide("write[0]", DecisionKind::Reopen);
    let performed = sim.performed.len();
    sim.decide("write[0]", DecisionKind::Edit { output: json!("SEA AFTER "), accept: true });
    assert_eq!(sim.performed.len(), performed);
    assert_eq!(sim.body(), before);
}

#[test]
fn items_that_move_keep_their_results() {
    let task = workflow_with(
        &json!([
            step("list", "inputs.items", &json!({ "review": "always" })),
            prompt("each", "say {{ item }}", &json!({ "for_each": { "list": "steps.list.output" } })),
        ]),
        &json!({ "result": { "title": "t", "body": "{{ steps.each.outputs | join(' ') }}" } }),
    );
    let mut sim = Sim::new(task, json!({ "items": ["a", "b", "c"] }));
    sim.accept_all();
    assert_eq!(sim.performed.len(), 4);
    sim.decide("list", DecisionKind::Reopen);
    sim.decide("list", DecisionKind::Edit { output: json!(["c", "a", "b"]), accept: true });
    assert_eq!(sim.performed.len(), 4, "nothing is performed again: {:?}", sim.performed);
    assert_eq!(sim.body(), "SAY C SAY A SAY B");
    sim.decide("list", DecisionKind::Reopen);
    sim.decide("list", DecisionKind::Edit { output: json!(["b"]), accept: true });
    assert_eq!(sim.body(), "SAY B");
    assert_eq!(sim.waiting(GateKind::Stale), Vec::<String>::new());
}

#[test]
fn the_same_prompt_for_several_items_is_asked_for_each() {
    let task = workflow(&json!([prompt(
        "idea",
        "an idea",
        &json!({ "for_each": { "list": "[1, 2, 3]" }, "review": "never" })
    )]));
    let sim = Sim::new(task, json!({}));
    assert_eq!(sim.performed, ["idea[0]", "idea[1]", "idea[2]"]);
}

#[test]
fn a_nested_fan_out_keeps_every_branch_and_an_empty_list_is_an_empty_list() {
    let task = workflow_with(
        &json!([{
            "id": "files",
            "does": { "kind": "group", "steps": [
                step("lines", "item", &json!({})),
                step("score", "item * 10", &json!({ "for_each": { "list": "steps.lines.output" } })),
            ]},
            "rules": { "for_each": { "list": "inputs.files" } },
        }]),
        &json!({ "result": { "title": "t", "body": "{{ steps.files.outputs }}" } }),
    );
    let sim = Sim::new(task, json!({ "files": [[1, 2], [], [3]] }));
    assert_eq!(sim.body(), "[[10, 20], [], [30]]");
    assert_eq!(sim.output("files[2].score[0]"), 30);
}

#[test]
fn false_when_skips_and_what_depends_on_it_is_skipped_with_the_cause() {
    let task = workflow_with(
        &json!([
            step("a", "1", &json!({})),
            step("b", "steps.a.output", &json!({ "when": "steps.a.output > 1" })),
            step("c", "steps.b.output", &json!({})),
            step("d", "[steps.b.status, steps.b.output]", &json!({ "join": "ended" })),
        ]),
        &json!({ "result": { "title": "t", "body": "{{ steps.d.output | join(',') }}" } }),
    );
    let sim = Sim::new(task, json!({}));
    assert_eq!((sim.status("b"), sim.status("c")), (CallStatus::Skipped, CallStatus::Skipped));
    assert_eq!(sim.body(), "skipped,");
    let why = &sim.run.decided[&"b".parse().unwrap()][0];
    assert_eq!((&why.what, &why.value), (&FlowDecision::When, &json!(false)));
    assert_eq!(why.why["saw"]["steps.a.output"], 1);
}

#[test]
fn a_repeat_redraws_until_it_holds() {
    let task = workflow(&json!([step(
        "draft",
        "(previous or 0) + 3",
        &json!({ "repeat": { "until": "output >= 8", "max": 5 } })
    )]));
    let sim = Sim::new(task, json!({}));
    assert_eq!(sim.performed, ["draft#0", "draft#1", "draft#2"]);
    assert_eq!(sim.body(), "9");

    let never = |accept_last| {
        let rules = json!({ "repeat": { "until": "false", "max": 2, "accept_last": accept_last } });
        Sim::new(workflow(&json!([step("draft", "iteration", &rules)])), json!({}))
    };
    assert_eq!(never(true).body(), "1");
    assert_eq!(never(false).failure().0, "draft#1");
}

#[test]
fn a_step_that_fails_is_never_completed_and_can_be_taken_up() {
    let task = workflow(&json!([
        prompt("a", "a", &json!({ "review": "never" })),
        prompt("b", "{{ steps.a.output }}!", &json!({ "review": "never" })),
    ]));
    let fails = |want: &Want, attempt| {
        if want.step == "b" && attempt == 1 {
            return Err(Failure::new(FailureClass::Server, "down"));
        }
        shout(want, attempt)
    };
    let mut sim = Sim::performing(task, json!({}), fails);
    assert_eq!(sim.failure().0, "b");
    sim.decide("b", DecisionKind::Again { model: None });
    assert_eq!(sim.performed, ["a", "b", "b"]);
    assert_eq!(sim.body(), "A!");
}

#[test]
fn a_failure_that_is_continued_is_a_warning_and_a_gap() {
    let task = workflow_with(
        &json!([prompt(
            "each",
            "{{ item }}",
            &json!({
                "for_each": { "list": "['x', 'y', 'z']" }, "on_failure": "continue", "review": "never"
            })
        ),]),
        &json!({ "result": { "title": "t",
            "body": "{{ steps.each.outputs | join }} {% for c in steps.each.calls %}{{ c.index }}{{ c.status }} {% endfor %}" } }),
    );
    let fails = |want: &Want, attempt| match want.item.as_deref() {
        Some(Value::String(item)) if item == "y" => Err(Failure::new(FailureClass::Refused, "no")),
        _ => shout(want, attempt),
    };
    let sim = Sim::performing(task, json!({}), fails);
    assert_eq!(sim.body(), "XZ 0accepted 1failed 2accepted ");
    assert_eq!(sim.run.warnings.len(), 1);
}

#[test]
fn a_failure_inside_a_group_is_the_groups() {
    let group = |on_failure: &str| {
        workflow_with(
            &json!([{
                "id": "g",
                "does": { "kind": "group", "steps": [prompt("p", "{{ item }}", &json!({ "review": "never" }))] },
                "rules": { "for_each": { "list": "[1, 2]" }, "on_failure": on_failure },
            }]),
            &json!({ "result": { "title": "t", "body": "{{ steps.g.outputs | join(',') }}" } }),
        )
    };
    let fails = |want: &Want, attempt| {
        if want.key.to_string() == "g[0].p" {
            Err(Failure::new(FailureClass::Server, "down"))
        } else {
            shout(want, attempt)
        }
    };
    assert_eq!(Sim::performing(group("stop"), json!({}), fails).failure().0, "g[0].p");
    assert_eq!(Sim::performing(group("continue"), json!({}), fails).body(), "2");
}

#[test]
fn a_rejected_attempt_stays_visible_with_its_instruction() {
    let mut sim = Sim::new(workflow(&json!([prompt("p", "hello", &json!({}))])), json!({}));
    sim.decide("p", DecisionKind::Retry { instruction: "rhyme".into(), scope: InstructionScope::This, model: None });
    sim.decide("p", DecisionKind::Accept);
    let call = sim.run.call(&"p".parse().unwrap()).unwrap();
    assert_eq!(call.attempts.len(), 2);
    assert_eq!(call.attempts[0].instruction.as_ref().unwrap().text, "rhyme");
    assert_eq!(call.attempts[0].newest().unwrap().1.output.as_str(), Some("HELLO"));
    assert_eq!(sim.body(), "HELLO");
}

#[test]
fn a_check_that_fails_is_shown_and_an_edit_is_judged_anew() {
    let rules = json!({ "checks": [{ "expr": "output | length > 3", "says": "more than three letters" }] });
    let mut sim = Sim::new(workflow(&json!([prompt("p", "hey", &rules)])), json!({}));
    let gate = |sim: &Sim| -> Gate { sim.run.waiting().next().unwrap().clone() };
    assert_eq!(gate(&sim).failed_checks(), ["more than three letters"]);
    sim.decide("p", DecisionKind::Edit { output: json!("longer"), accept: false });
    assert_eq!((gate(&sim).version, gate(&sim).body), (2, GateBody::Review(ReviewBody::default())));
    sim.decide("p", DecisionKind::Edit { output: json!("no"), accept: false });
    sim.decide("p", DecisionKind::Accept);
    assert!(matches!(
        sim.journal.iter().rev().find(|event| matches!(event, Event::CallAccepted { .. })),
        Some(Event::CallAccepted { overridden, .. }) if overridden == &["more than three letters"]
    ));
}

#[test]
fn a_broken_expression_fails_its_call_with_its_place() {
    let sim = Sim::new(workflow(&json!([step("a", "inputs.nothing", &json!({}))])), json!({}));
    let (key, failure) = sim.failure();
    assert_eq!((key.as_str(), failure.class), ("a", FailureClass::Definition));
    assert!(failure.message.contains("inputs.nothing"), "{failure}");
    let sim = Sim::new(workflow(&json!([step("a", "1", &json!({ "for_each": { "list": "3" } }))])), json!({}));
    let (key, failure) = sim.failure();
    assert_eq!((key.as_str(), failure.class), ("a", FailureClass::Definition));
}

#[test]
fn a_switch_runs_the_chosen_and_skips_the_others() {
    let task = workflow_with(
        &json!([
            { "id": "route", "does": { "kind": "switch",
                "cases": [{ "when": "inputs.n > 5", "to": ["big"] }], "default": ["small"] } },
            step("big", "'big'", &json!({})),
            step("small", "'small'", &json!({})),
            step("end", "[steps.big.output, steps.small.output] | join", &json!({ "join": "any" })),
        ]),
        &json!({ "result": { "title": "t", "body": "{{ steps.end.output }}" } }),
    );
    assert_eq!(Sim::new(task.clone(), json!({ "n": 9 })).body(), "big");
    assert_eq!(Sim::new(task, json!({ "n": 1 })).body(), "small");
}

#[test]
fn a_handler_runs_once_per_failing_call() {
    let task = workflow_with(
        &json!([
            prompt(
                "try",
                "{{ item }}",
                &json!({
                    "for_each": { "list": "['a', 'b', 'c']" }, "on_failure": { "handler": "mend" }, "review": "never"
                })
            ),
            step("mend", "failure.class ~ ' ' ~ item", &json!({})),
        ]),
        &json!({ "result": { "title": "t", "body": "{{ steps.mend.outputs | join(',') }}" } }),
    );
    let fails = |want: &Want, attempt| match want.item.as_deref() {
        Some(Value::String(item)) if item == "b" => Err(Failure::new(FailureClass::Server, "down")),
        _ => shout(want, attempt),
    };
    let sim = Sim::performing(task, json!({}), fails);
    assert_eq!(sim.output("mend[1]"), "server b");
    assert_eq!(sim.performed.iter().filter(|key| key.starts_with("mend")).count(), 1);
}

#[test]
fn two_steps_that_wait_for_each_other_want_nothing() {
    let sim = Sim::new(
        workflow(&json!([step("a", "steps.b.output", &json!({})), step("b", "steps.a.output", &json!({}))])),
        json!({}),
    );
    assert_eq!((sim.end, sim.performed.len()), (None, 0));
}

#[test]
fn no_more_calls_than_allowed_are_made() {
    let task = workflow_with(
        &json!([step("a", "item", &json!({ "for_each": { "list": "range(9) | list" } }))]),
        &json!({ "max_calls": 3 }),
    );
    let sim = Sim::new(task, json!({}));
    assert!(sim.failure().1.message.contains("max_calls"));
}

#[test]
fn history_puts_what_was_asked_and_accepted_before_a_prompt() {
    let mut all = prompt("c", "three", &json!({ "after": ["b"] }));
    all["does"]["history"] = json!("all");
    let mut one = prompt("d", "four", &json!({}));
    one["does"]["history"] = json!({ "steps": ["b"] });
    let task = workflow(&json!([
        prompt("a", "one", &json!({})),
        prompt("b", "{{ steps.a.output }} two", &json!({})),
        all,
        one
    ]));
    let mut sim = Sim::new(task, json!({}));
    sim.decide("a", DecisionKind::Edit { output: json!("mine"), accept: true });
    sim.accept_all();
    let said = |key: &str| {
        let call = sim.run.call(&key.parse().unwrap()).unwrap();
        let Some(Work::Prompt(work)) = call.attempts[0].work.as_deref() else { panic!("a prompt") };
        work.messages.iter().map(|message| message.text.clone()).collect::<Vec<_>>().join(" | ")
    };
    assert_eq!(said("c"), "one | mine | mine two | MINE TWO | three");
    assert_eq!(said("d"), "mine two | MINE TWO | four");
}

#[test]
fn a_document_or_a_state_holds_up_nothing_that_comes_after_it() {
    let document = json!({ "name": "notes", "title": "Notes", "body": "{{ output }}" });
    let task = workflow_with(
        &json!([
            step("a", "'one'", &json!({ "document": document, "set_state": { "n": "output" } })),
            step("b", "[steps.a.output, state.n]", &json!({})),
        ]),
        &json!({ "result": { "title": "t", "body": "{{ steps.b.output | join(' ') }}" } }),
    );
    let sim = Sim::new(task, json!({}));
    assert_eq!(sim.body(), "one one");
    assert_eq!(sim.run.documents["notes"].versions[0].body.data(), "one");
}

#[test]
fn successors_are_those_whose_condition_holds_with_their_inputs() {
    let then = json!([
        { "workflow": "again", "inputs": { "n": "{{ steps.a.output + 1 }}" }, "when": "steps.a.output < 3" },
        { "workflow": "other", "when": "steps.a.output > 3" },
    ]);
    let sim = Sim::new(
        workflow_with(&json!([step("a", "inputs.n", &json!({}))]), &json!({ "then": then })),
        json!({ "n": 1 }),
    );
    assert_eq!(
        Graph::new(Arc::clone(&sim.pinned)).successors(&sim.run).unwrap(),
        [("again".to_owned(), json!({ "n": 2 }))]
    );
}

/// What a person may do in the property test.
#[derive(Clone, Debug)]
enum Act {
    Accept(usize),
    Edit(usize, u8),
    Retry(usize),
    Skip(usize),
    Reopen(usize),
    Stale(usize, bool),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => any::<usize>().prop_map(Act::Accept),
        2 => (any::<usize>(), any::<u8>()).prop_map(|(at, n)| Act::Edit(at, n)),
        1 => any::<usize>().prop_map(Act::Retry),
        1 => any::<usize>().prop_map(Act::Skip),
        2 => any::<usize>().prop_map(Act::Reopen),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(at, keep)| Act::Stale(at, keep)),
    ];
    prop::collection::vec(act, 0..25)
}

fn garden() -> Task {
    workflow_with(
        &json!([
            step("list", "inputs.items", &json!({ "review": "always" })),
            prompt("each", "{{ item }}", &json!({ "for_each": { "list": "steps.list.output" } })),
            { "id": "g", "does": { "kind": "group", "steps": [
                prompt("x", "{{ item }} {{ steps.each.outputs | length }}", &json!({})),
                step("y", "steps.x.output ~ '.'", &json!({ "repeat": { "until": "iteration == 1", "max": 3 } })),
            ]}, "rules": { "for_each": { "list": "steps.list.output", "one_by_one": true } } },
            step("maybe", "steps.each.outputs | length", &json!({ "when": "(steps.list.output | length) > 2" })),
            step("end", "[steps.g.outputs, steps.maybe.output]", &json!({ "join": "ended" })),
        ]),
        &json!({ "result": { "title": "t", "body": "{{ steps.end.output | join }}" } }),
    )
}

/// What came later: a race, a long history, rounds with reviews, a handler, an early end.
fn meadow() -> Task {
    let mut told = prompt("told", "tell", &json!({ "after": ["race", "g"] }));
    told["does"]["history"] = json!("all");
    told["does"]["summarize_over"] = json!(8);
    let fix = json!({ "on_failure": { "handler": "fix" }, "review": "never",
        "checks": [{ "expr": "output | length < 12", "says": "short" }] });
    workflow_with(
        &json!([
            step("list", "inputs.items", &json!({ "review": "always", "set_state": { "n": "output | length" } })),
            prompt("one", "{{ steps.list.output | join }}", &json!({})),
            prompt("two", "{{ state.n }}", &json!({ "after": ["list"], "when": "state.n < 3" })),
            step("race", "[steps.one.output, steps.two.output]", &json!({ "join": "first" })),
            { "id": "g", "does": { "kind": "group", "steps": [
                prompt("x", "{{ item }}{{ previous or '' }}", &json!({})),
                prompt("risky", "{{ steps.x.output }}", &fix),
                prompt("fix", "{{ failure.class }}", &json!({})),
                step("y", "steps.risky.output or steps.fix.output", &json!({ "join": "any" })),
            ]}, "rules": { "for_each": { "list": "steps.list.output" }, "on_failure": "continue",
                "repeat": { "until": "output | length > 2 or iteration == 1", "max": 2, "accept_last": true } } },
            told,
            step("stop", "steps.list.output | length", &json!({ "after": ["g"], "stop_when": "output == 0" })),
            step("end", "[steps.told.output, steps.race.output, state.n]", &json!({ "join": "ended" })),
        ]),
        &json!({ "result": { "title": "t", "body": "{{ steps.end.output | default('') | join }}" } }),
    )
}

/// Does what any person may do, and then brings the run to its end.
fn walk(mut sim: Sim, acts: Vec<Act>) {
    for act in acts {
        let pick =
            |at: usize, keys: Vec<String>| if keys.is_empty() { None } else { Some(keys[at % keys.len()].clone()) };
        let reviews = sim.waiting(GateKind::Review);
        match act {
            Act::Accept(at) => {
                if let Some(key) = pick(at, reviews) {
                    sim.decide(&key, DecisionKind::Accept);
                }
            }
            Act::Edit(at, n) => {
                if let Some(key) = pick(at, reviews) {
                    let list: Vec<u8> = (0..n % 4).map(|i| i + n % 3).collect();
                    let output = if key == "list" { json!(list) } else { json!(format!("e{n}")) };
                    sim.decide(&key, DecisionKind::Edit { output, accept: n % 2 == 0 });
                }
            }
            Act::Retry(at) => {
                if let Some(key) = pick(at, reviews) {
                    let (instruction, scope) = ("again".into(), InstructionScope::Remaining);
                    sim.decide(&key, DecisionKind::Retry { instruction, scope, model: None });
                }
            }
            Act::Skip(at) => {
                if let Some(key) = pick(at, reviews) {
                    sim.decide(&key, DecisionKind::Skip);
                }
            }
            Act::Reopen(at) => {
                let accepted = sim.run.calls.values().filter(|c| c.status == CallStatus::Accepted);
                let accepted = accepted.map(|c| c.key.to_string()).collect();
                if let Some(key) = pick(at, accepted) {
                    sim.decide(&key, DecisionKind::Reopen);
                }
            }
            Act::Stale(at, keep) => {
                if let Some(key) = pick(at, sim.waiting(GateKind::Stale)) {
                    sim.decide(&key, if keep { DecisionKind::Keep } else { DecisionKind::Again { model: None } });
                }
            }
        }
        assert_eq!(sim.run.status, Status::Running);
    }
    // Whatever was done, the run can be brought to an end.
    for _ in 0..200 {
        if let Some(key) = sim.waiting(GateKind::Stale).first() {
            sim.decide(&key.clone(), DecisionKind::Again { model: None });
        } else if let Some(key) = sim.waiting(GateKind::Review).first() {
            sim.decide(&key.clone(), DecisionKind::Accept);
        } else {
            break;
        }
    }
    let calls = || sim.run.calls.values().map(|c| (c.key.to_string(), c.status)).collect::<Vec<_>>();
    assert!(sim.end.is_some(), "{:?}", calls());
    assert_eq!(sim.run.gates(), 0, "{:?}", calls());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// `Sim::settle` holds every session against one that was opened anew; here over what any person may do.
    #[test]
    fn a_session_that_is_dropped_at_any_event_wants_the_same(acts in acts()) {
        walk(Sim::new(garden(), json!({ "items": ["a", "b", "c"] })), acts);
    }

    #[test]
    fn so_it_does_with_races_histories_rounds_handlers_and_early_ends(acts in acts()) {
        walk(Sim::new(meadow(), json!({ "items": ["a", "b"] })), acts);
    }
}
