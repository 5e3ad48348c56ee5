//! Undo gives back what was, and nothing else.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::decided::{ANA, accept, chain, counting, edit, retry, take};
use super::*;
use crate::core::actor::Actor;
use crate::core::call::Ending;
use crate::core::code::ErrorCode;
use crate::core::decide::{Decision, Offspring, decide, edit_document, newest_decision};
use crate::core::event::OriginKind;
use crate::core::id::RunId;
use crate::core::undo::Change;

fn call(key: &str) -> Key {
    key.parse().unwrap()
}

impl Sim {
    /// What nobody here decides.
    fn happens(&mut self, events: &[Event]) {
        for event in events {
            self.apply(event.clone());
        }
        self.settle(events);
    }

    fn accepted(&mut self, key: &str, by: Actor) {
        let accepted = Event::CallAccepted { key: call(key), attempt: 1, version: 1, by, overridden: Vec::new() };
        self.happens(&[accepted]);
    }
}

#[test]
fn writers_of_a_name_of_the_state_keep_their_order() {
    let group = json!({ "id": "g", "does": { "kind": "group", "steps": [step("x", "'x'", &json!({}))] },
                        "rules": { "after": ["a"], "set_state": { "n": "state.n + 1" } } });
    let task = workflow_with(
        &json!([prompt("a", "one", &json!({ "set_state": { "n": "1" } })), group]),
        &json!({ "result": { "title": "t", "body": "{{ state.n }}" } }),
    );
    let mut sim = Sim::performing(task, json!({}), counting);
    sim.decide("a", accept());
    assert_eq!(sim.body(), "2");
    for _ in 0..2 {
        sim.undo();
        assert!(sim.run.set_state.is_empty(), "{:?}", sim.run.set_state);
        sim.decide("a", accept());
        assert_eq!(sim.body(), "2");
    }
    // What a later decision set is what it was before it.
    sim.decide("a", DecisionKind::Reopen);
    sim.decide("a", DecisionKind::Skip);
    sim.undo();
    sim.decide("a", accept());
    assert_eq!(sim.body(), "2");
    sim.assert_replayed();
}

#[test]
fn what_comes_of_something_else_goes_on_and_is_not_paid_again() {
    let own = |id: &str, after: &str, rules: Value| {
        let mut rules = rules;
        rules["after"] = json!([after]);
        prompt(id, id, &rules)
    };
    let steps = json!([
        prompt("a", "one", &json!({})),
        own("b", "a", json!({})),
        prompt("other", "two", &json!({})),
        own("fails", "other", json!({ "on_failure": "continue" })),
        own("late", "other", json!({})),
    ]);
    let mut sim = Sim::performing(workflow(&steps), json!({}), |want, attempt| {
        if want.step == "fails" {
            return Err(Failure::new(FailureClass::Server, "down"));
        }
        counting(want, attempt)
    });
    sim.decide("a", accept());
    sim.accepted("other", Actor::Deadline);
    assert_eq!(sim.waiting(GateKind::Review), ["b", "late"]);
    let performed = sim.performed.clone();
    let late = sim.run.call(&call("late")).unwrap().clone();
    sim.undo();
    assert_eq!(sim.waiting(GateKind::Review), ["a", "late"]);
    assert_eq!(sim.run.call(&call("late")).unwrap(), &late, "its time does not begin again");
    assert_eq!(sim.status("fails"), CallStatus::Failed);
    assert_eq!(sim.performed, performed, "what failed is not tried again unless somebody asks for it");
    sim.assert_replayed();
}

#[test]
fn what_failed_because_of_a_decision_is_tried_again_only_when_it_is_asked_for_something_else() {
    let steps = json!([
        prompt("a", "one", &json!({})),
        prompt("b", "{{ steps.a.output }}", &json!({ "on_failure": "continue" })),
    ]);
    let mut sim = Sim::performing(workflow(&steps), json!({}), |want, attempt| match want.step.as_str() {
        "b" => Err(Failure::new(FailureClass::Server, "down")),
        _ => counting(want, attempt),
    });
    sim.decide("a", accept());
    sim.undo();
    sim.decide("a", accept());
    assert_eq!((sim.status("b"), sim.performed.len()), (CallStatus::Failed, 2));
    assert!(matches!(sim.run.call(&call("b")).unwrap().ending, Some(Ending::Failed { .. })));
    sim.undo();
    sim.decide("a", DecisionKind::Edit { output: json!("x"), accept: true });
    assert_eq!(sim.performed, ["a", "b", "b"]);
    sim.assert_replayed();
}

#[test]
fn what_lies_behind_a_switch_or_in_a_group_is_taken_back_too() {
    let steps = json!([
        prompt("a", "one", &json!({})),
        { "id": "s", "does": { "kind": "switch", "cases": [{ "when": "steps.a.output == 'a1'", "to": ["x"] }],
                               "default": ["y"] }, "rules": {} },
        prompt("x", "x", &json!({})),
        prompt("y", "y", &json!({})),
        { "id": "g", "does": { "kind": "group", "steps": [prompt("p", "p", &json!({}))] }, "rules": { "after": ["a"] } },
    ]);
    let mut sim = Sim::performing(workflow(&steps), json!({}), counting);
    sim.decide("a", accept());
    assert_eq!(sim.waiting(GateKind::Review), ["x", "g.p"]);
    sim.undo();
    assert_eq!(sim.waiting(GateKind::Review), ["a"]);
    sim.decide("a", DecisionKind::Edit { output: json!("else"), accept: true });
    assert_eq!(sim.waiting(GateKind::Review), ["y", "g.p"]);
    sim.assert_replayed();
}

#[test]
fn results_that_only_moved_are_no_effects_and_move_back() {
    let act = json!({ "id": "act", "does": { "kind": "command", "argv": ["{{ item }}"], "stdin": "{{ item }}" },
                      "rules": { "approve": "never", "review": "never", "for_each": { "list": "steps.list.output" } } });
    let steps = json!([step("list", "inputs.items", &json!({ "review": "always" })), act]);
    let task = workflow_with(&steps, &json!({ "result": { "title": "t", "body": "{{ steps.act.outputs | join }}" } }));
    let mut sim = Sim::performing(task, json!({ "items": ["a", "b", "c"] }), |want, attempt| match &*want.work {
        Work::Command(command) => Ok(json!(command.argv[0])),
        _ => shout(want, attempt),
    });
    sim.decide("list", accept());
    assert_eq!(sim.body(), "abc");
    let performed = sim.performed.clone();
    sim.decide("list", DecisionKind::Reopen);
    sim.decide("list", DecisionKind::Edit { output: json!(["b", "c"]), accept: true });
    assert_eq!((sim.body(), &sim.performed), ("bc".to_owned(), &performed));
    sim.undo();
    assert_eq!(sim.performed, performed, "no effect happens twice");
    sim.undo();
    sim.undo();
    assert_eq!((sim.body(), &sim.performed), ("abc".to_owned(), &performed));
    sim.assert_replayed();
}

#[test]
fn an_effect_elsewhere_does_not_hold_an_undo_up() {
    let act = |id: &str, after: &str| {
        json!({ "id": id, "does": { "kind": "command", "argv": ["x"] },
                "rules": { "approve": "never", "review": "never", "after": [after] } })
    };
    let steps = json!([prompt("a", "one", &json!({})), prompt("b", "two", &json!({})), act("of_b", "b")]);
    let mut sim = Sim::performing(workflow(&steps), json!({}), counting);
    sim.decide("a", accept());
    sim.accepted("b", Actor::Deadline);
    assert!(sim.performed.contains(&"of_b".to_owned()));
    sim.undo();
    assert_eq!(sim.waiting(GateKind::Review), ["a"]);
}

#[test]
fn who_came_first_stays_who_came_first() {
    let steps = json!([
        prompt("a", "one", &json!({})),
        prompt("b", "two", &json!({})),
        prompt("x", "three", &json!({})),
        step("of_a", "steps.a.output", &json!({})),
        step("of_b", "steps.b.output", &json!({})),
        step("first", "[steps.a.output, steps.b.output]", &json!({ "join": "first" })),
    ]);
    let mut sim = Sim::performing(workflow(&steps), json!({}), counting);
    sim.decide("x", accept());
    sim.accepted("b", Actor::Deadline);
    sim.accepted("a", Actor::Deadline);
    assert_eq!(sim.output("first"), json!([null, "b1"]));
    // The winner is accepted once more.
    sim.happens(&[Event::CallReopened { key: call("b"), by: Actor::Flow }]);
    sim.accepted("b", Actor::Deadline);
    sim.undo();
    assert_eq!(sim.waiting(GateKind::Review), ["x"]);
    assert_eq!(sim.output("first"), json!([null, "b1"]));
    assert_eq!(sim.status("first"), CallStatus::Accepted);
    sim.assert_replayed();
}

#[test]
fn a_cut_answer_is_cut_again_when_its_edit_is_undone_or_not_taken() {
    let steps = json!([prompt("a", "one", &json!({}))]);
    let mut sim = Sim::unsettled(
        &Arc::new(Pinned { task: workflow(&steps), children: BTreeMap::new(), folder: None }),
        json!({}),
        counting,
    );
    sim.cuts = |_| true;
    sim.settle(&[]);
    let gate = |sim: &Sim| sim.run.waiting().next().unwrap().clone();
    assert!(gate(&sim).review().unwrap().cut);
    sim.decide("a", edit("all of it"));
    assert!(!gate(&sim).review().unwrap().cut);
    sim.undo();
    assert!(gate(&sim).review().unwrap().cut, "its end is missing, as before");
    sim.decide("a", edit("all of it"));
    sim.decide("a", take(1, Some(1)));
    sim.decide("a", DecisionKind::Reopen);
    assert_eq!(gate(&sim).version, 1);
    assert!(gate(&sim).review().unwrap().cut, "what is reviewed is the cut one");
    sim.assert_replayed();
}

#[test]
fn an_edit_that_was_undone_stays_so_when_the_taking_of_it_is() {
    let mut sim = Sim::performing(chain(), json!({}), counting);
    sim.decide("a", edit("mine"));
    sim.undo();
    sim.decide("a", take(1, Some(2)));
    assert_eq!(sim.output("a"), json!("mine"));
    sim.undo();
    assert_eq!(sim.run.waiting().next().unwrap().version, 1);
    sim.decide("a", accept());
    assert_eq!(sim.output("a"), json!("a1"));
    sim.assert_replayed();
}

#[test]
fn what_failed_its_checks_without_a_review_is_taken_over_them() {
    let check = json!({ "review": "never", "checks": [{ "expr": "output == 'x'", "says": "it is x" }] });
    let mut sim = Sim::performing(workflow(&json!([prompt("a", "one", &check)])), json!({}), counting);
    assert_eq!(sim.failure().1.class, FailureClass::BadOutput);
    let decision = Decision::new(call("a"), take(1, None));
    let events = decide(&sim.run, &decision, &ANA.into()).unwrap();
    let Event::CallAccepted { overridden, .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!(overridden, &["it is x"]);
    sim.happens(&events);
    sim.assert_replayed();
}

#[test]
fn a_model_that_was_chosen_is_not_passed_over_and_who_brings_a_run_back_has_undone_its_archive() {
    let mut sim = Sim::performing(chain(), json!({}), counting);
    sim.happens(&[Event::RunRenamed { title: "Other".into(), by: ANA.into() }]);
    sim.happens(&[Event::RunArchived { undo: false, by: ANA.into() }]);
    sim.happens(&[Event::RunArchived { undo: true, by: ANA.into() }]);
    sim.undo();
    assert_eq!(sim.run.title, "Test", "the archive has been taken back already");
    sim.happens(&[Event::RunRenamed { title: "Other".into(), by: ANA.into() }]);
    sim.happens(&[Event::ModelChosen {
        key: call("a"),
        workflow: None,
        step: "a".into(),
        model: "big".into(),
        scope: InstructionScope::This,
        rest: false,
        by: ANA.into(),
    }]);
    let (code, why) = sim.refused_undo(ANA, &[]);
    assert!(code == ErrorCode::NotAllowed && why.contains("model of `a`"), "{why}");
    assert_eq!(sim.run.title, "Other");
}

#[test]
fn a_run_that_was_made_from_it_is_known_by_what_it_had_seen() {
    let mut sim = Sim::performing(chain(), json!({}), counting);
    let before = sim.run.seq;
    sim.decide("a", accept());
    let made = |seq| Offspring { run: RunId::new(9, [9; 10]), at: sim.run.updated_at, seq, how: OriginKind::Fork };
    assert!(sim.undoing(None, &[made(Some(before))], ANA).is_ok(), "whatever the clocks say");
    for seq in [Some(before + 1), Some(sim.run.seq), None] {
        assert_eq!(sim.undoing(None, &[made(seq)], ANA).unwrap_err().code, ErrorCode::NotAllowed, "{seq:?}");
    }
}

#[test]
fn some_hundred_decisions_can_be_undone() {
    let mut sim = Sim::performing(chain(), json!({}), counting);
    for at in 0..300 {
        sim.apply(Event::RunRenamed { title: format!("Title {at}"), by: ANA.into() });
    }
    let mut undone = 0;
    while let Ok(events) = sim.undoing(None, &[], ANA) {
        for event in events {
            sim.apply(event);
        }
        undone += 1;
    }
    assert_eq!((undone, sim.run.title.as_str()), (200, "Title 99"));
}

/// What a person sees of a run.
#[derive(Debug, PartialEq)]
struct Seen {
    waiting: Vec<Gate>,
    accepted: BTreeMap<String, Value>,
    state: Value,
    decided: BTreeMap<String, Vec<(String, Value)>>,
    documents: Vec<(String, String)>,
    end: Option<End>,
    title: String,
}

impl Seen {
    fn of(sim: &Sim) -> Self {
        let run = &sim.run;
        let mut waiting: Vec<Gate> = run.waiting().cloned().collect();
        waiting.sort_by_key(|gate| gate.key.to_string());
        let accepted = run.calls.values().filter(|call| call.status == CallStatus::Accepted);
        let accepted =
            accepted.filter_map(|call| Some((call.key.to_string(), (*call.standing.as_ref()?.output).clone())));
        let mut decided: BTreeMap<String, Vec<(String, Value)>> = BTreeMap::new();
        for (key, made) in &run.decided {
            let mut made: Vec<_> = made.iter().map(|made| (format!("{:?}", made.what), made.value.clone())).collect();
            made.sort_by(|a, b| a.0.cmp(&b.0));
            decided.insert(key.to_string(), made);
        }
        let newest = |written: &crate::core::document::Document| {
            Some((written.name.clone(), written.current()?.1.body.data().to_owned()))
        };
        Self {
            waiting,
            accepted: accepted.collect(),
            state: Value::Object(run.state_set(|_| true)),
            decided,
            documents: run.documents.values().filter_map(newest).collect(),
            end: sim.end.clone(),
            title: run.title.clone(),
        }
    }
}

/// Lists, races, conditions, groups and effects, with state, answers that are cut, and checks that fail.
fn all_sorts(shape: u8) -> Sim {
    let sets = |expr: &str| json!({ "set_state": { "n": expr } });
    let mut list = json!({ "for_each": { "list": "[1, 2]", "one_by_one": shape.is_multiple_of(2) } });
    if shape.is_multiple_of(5) {
        list["checks"] = json!([{ "expr": "output != 'a[1]1'", "says": "it is not that" }]);
    }
    let after = match shape % 4 {
        0 => prompt("b", "{{ steps.a.outputs | join }} {{ state.n }}", &sets("state.n + 1")),
        1 => prompt("b", "two", &json!({ "after": ["a"], "when": "steps.a.outputs | length > 1" })),
        2 => prompt("b", "two {{ previous or '' }}", &json!({ "repeat": { "until": "iteration == 1", "max": 2 } })),
        _ => prompt("b", "two", &json!({ "on_failure": "continue", "stop_when": "output == 'own'" })),
    };
    let join = ["first", "ended", "any"][usize::from(shape % 3)];
    let group = json!({ "id": "g", "does": { "kind": "group", "steps": [
                            step("x", "'x'", &json!({ "review": if shape % 7 < 3 { "always" } else { "never" } })) ] },
                        "rules": { "after": ["a"], "set_state": { "m": "(state.n or 0) + 1" } } });
    let act = json!({ "id": "act", "does": { "kind": "command", "argv": ["x", "{{ steps.c.output }}"] },
                      "rules": { "approve": if shape % 11 < 5 { "always" } else { "never" }, "review": "always" } });
    let steps = json!([
        prompt("z", "zero", &sets("1")),
        { "id": "a", "does": { "kind": "prompt", "prompt": "{{ item }}" },
          "rules": { "for_each": list["for_each"], "checks": list["checks"].as_array().cloned().unwrap_or_default() } },
        after,
        group,
        step("c", "[steps.a.outputs, steps.b.output, steps.g.output]", &json!({
            "join": join, "document": { "name": "notes", "title": "t", "body": "{{ output }} {{ state.m }}" } })),
        act,
    ]);
    let task =
        workflow_with(&steps, &json!({ "result": { "title": "t", "body": "{{ steps.c.output }} {{ state.m }}" } }));
    let perform = move |want: &Want, attempt: u32| {
        if want.step == "b" && shape % 4 == 3 && attempt == 1 {
            return Err(Failure::new(FailureClass::Server, "down"));
        }
        counting(want, attempt)
    };
    let pinned = Arc::new(Pinned { task, children: BTreeMap::new(), folder: None });
    let mut sim = Sim::unsettled(&pinned, json!({}), perform);
    sim.cuts = |want| want.step == "a" && want.key.last().item == Some(0);
    sim.asks = true;
    sim.settle(&[]);
    sim
}

/// Another text for the document, or another title where there is none.
fn edit_or_rename(sim: &mut Sim, choice: u16) {
    let current = sim.run.documents.get("notes").and_then(|notes| notes.current()).map(|(number, _)| number);
    let by = Actor::from(ANA);
    let events = match current {
        Some(number) => edit_document(&sim.run, "notes", number, "t", &format!("Text {choice}"), &by).unwrap(),
        None => vec![Event::RunRenamed { title: format!("Title {choice}"), by }],
    };
    sim.happens(&events);
}

/// What a person does next: of `choice`, what can be done now.
fn act(sim: &mut Sim, choice: u16) {
    let calls: Vec<Key> = sim.run.calls.keys().cloned().collect();
    let gates: Vec<Key> = sim.run.waiting().map(|gate| gate.key.clone()).collect();
    let pick = |of: &[Key]| of.get(usize::from(choice / 32) % of.len().max(1)).cloned();
    let asks = |key: &Key| sim.run.call(key).and_then(|call| call.gates.own()).map(Gate::kind);
    let (key, kind) = match (choice / 2) % 16 {
        0..=4 if pick(&gates).and_then(|key| asks(&key)) == Some(GateKind::Approval) => {
            (pick(&gates), DecisionKind::APPROVE)
        }
        0..=4 => (pick(&gates), accept()),
        5 => (pick(&gates), edit("mine")),
        6 => (pick(&gates), DecisionKind::Edit { output: json!("own"), accept: true }),
        7 => (pick(&gates), retry()),
        8 => (pick(&gates), DecisionKind::Skip),
        9 => (pick(&gates), DecisionKind::Keep),
        10 => (pick(&calls), DecisionKind::Again { model: None }),
        11 | 12 => (pick(&calls), DecisionKind::Reopen),
        13 => (pick(&calls), take(1 + u32::from(choice / 32) % 3, None)),
        14 => (pick(&calls), DecisionKind::Skip),
        _ => return edit_or_rename(sim, choice),
    };
    let Some(key) = key else { return };
    if let Ok(events) = decide(&sim.run, &Decision::new(key, kind), &ANA.into()) {
        sim.happens(&events);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn a_decision_that_is_undone_leaves_no_trace_and_is_refused_only_after_an_effect(
        shape in any::<u8>(),
        choices in prop::collection::vec(any::<u16>(), 0..16),
    ) {
        let mut sim = all_sorts(shape);
        for choice in choices {
            let (before, head, performed) = (Seen::of(&sim), sim.run.seq, sim.performed.len());
            let attempts = |sim: &Sim| -> BTreeMap<String, usize> {
                sim.run.calls.values().map(|call| (call.key.to_string(), call.attempts.len())).collect()
            };
            let begun = attempts(&sim);
            act(&mut sim, choice);
            sim.assert_replayed();
            if !choice.is_multiple_of(2) {
                continue;
            }
            // An edit that is accepted at once is two decisions.
            while let Some(newest) = newest_decision(&sim.run).filter(|newest| newest.seq > head).cloned() {
                if matches!(newest.change, Change::Final { .. }) {
                    break;
                }
                let acted = sim.performed[performed..].iter().any(|key| key == "act");
                match sim.undoing(None, &[], ANA) {
                    Ok(events) => {
                        prop_assert!(!acted, "an effect has come of it: {}", newest.name());
                        sim.happens(&events);
                    }
                    Err(refusal) => {
                        prop_assert!(acted, "{}", refusal.message);
                        break;
                    }
                }
                sim.assert_replayed();
                if newest_decision(&sim.run).is_none_or(|newest| newest.seq <= head) {
                    let mut now = Seen::of(&sim);
                    if matches!(before.end, Some(End::Failed { .. })) {
                        // What a failure held up elsewhere, a call or another attempt, has begun meanwhile; it is judged,
                        // as all that has begun is.
                        let since = attempts(&sim);
                        let is_new = |key: &String| begun.get(key) != since.get(key);
                        now.waiting.retain(|gate| !is_new(&gate.key.to_string()));
                        now.accepted.retain(|key, _| before.accepted.contains_key(key) || !is_new(key));
                    }
                    prop_assert_eq!(&now, &before, "{} was undone", newest.name());
                    let again = sim.performed[performed..].iter().filter(|key| *key == "act").count();
                    prop_assert!(again == 0, "an effect happens because of an undo");
                }
            }
        }
    }
}

#[test]
fn an_edit_of_a_document_is_undone_to_the_text_before_it_and_not_over_a_newer_one() {
    let task = workflow_with(
        &json!([prompt("a", "one", &json!({ "document": { "name": "notes", "title": "t", "body": "{{ output }}" } }))]),
        &json!({ "result": { "title": "t", "body": "done" } }),
    );
    let mut sim = Sim::performing(task, json!({}), counting);
    sim.decide("a", accept());
    let text = |sim: &Sim| sim.run.documents["notes"].current().unwrap().1.body.data().to_owned();
    let edit = |sim: &mut Sim, body: &str| {
        let number = sim.run.documents["notes"].current().unwrap().0;
        let events = edit_document(&sim.run, "notes", number, "t", body, &ANA.into()).unwrap();
        sim.happens(&events);
    };
    edit(&mut sim, "mine");
    edit(&mut sim, "mine, again");
    for before in ["mine", "a1"] {
        sim.undo();
        assert_eq!(text(&sim), before);
    }
    edit(&mut sim, "mine");
    let newer = Event::DocumentWritten {
        name: "notes".into(),
        version: sim.run.documents["notes"].next_version(),
        title: "t".into(),
        body: "newer".into(),
        by: Actor::Model,
        proposed: false,
        action: None,
    };
    sim.happens(&[newer]);
    let (code, why) = sim.refused_undo(ANA, &[]);
    assert!(code == ErrorCode::NotAllowed && why.contains("written again"), "{why}");
    sim.assert_replayed();
}

/// What an acceptance made of a document that was taken back counts no more; what is accepted then does, also when it was
/// there before.
#[test]
fn a_document_is_what_the_accepted_results_say_whatever_was_accepted_and_taken_back_meanwhile() {
    let notes = json!({ "name": "notes", "title": "t", "body": "{{ output }}" });
    let task = workflow_with(
        &json!([prompt("a", "one", &json!({ "document": notes })), prompt("b", "two", &json!({ "after": ["a"] }))]),
        &json!({ "result": { "title": "t", "body": "done" } }),
    );
    let text = |sim: &Sim| sim.run.documents["notes"].current().unwrap().1.body.data().to_owned();
    let own = |text: &str| DecisionKind::Edit { output: json!(text), accept: true };
    let mut sim = Sim::performing(task, json!({}), counting);
    sim.decide("a", own("A"));
    for (now, versions) in [("B", 2), ("A", 3), ("B", 4), ("A", 5)] {
        // The acceptance, and with it what it was made from, the edit.
        sim.undo();
        assert_eq!(sim.waiting(GateKind::Review), ["a"]);
        sim.decide("a", own(now));
        assert_eq!((text(&sim), sim.run.documents["notes"].versions.len()), (now.to_owned(), versions));
        sim.assert_replayed();
    }
    // An edit of the person stays, and is asked about only when the steps say something else.
    let edit = edit_document(&sim.run, "notes", 5, "t", "mine", &ANA.into()).unwrap();
    sim.happens(&edit);
    sim.decide("a", DecisionKind::Reopen);
    sim.decide("a", own("B"));
    assert_eq!((text(&sim), sim.waiting(GateKind::Stale)), ("mine".to_owned(), vec!["notes".to_owned()]));
    sim.decide("a", DecisionKind::Reopen);
    sim.decide("a", own("A"));
    assert_eq!((text(&sim), sim.waiting(GateKind::Stale)), ("mine".to_owned(), Vec::new()), "nothing is to be asked");
    sim.assert_replayed();
}

/// Items that write one document, each over the one before.
#[test]
fn what_a_skipped_item_said_of_a_document_gives_way_to_what_was_said_before_it() {
    let rules = json!({ "for_each": { "list": "['x', 'y']" }, "document": { "name": "notes", "title": "t", "body": "{{ item }} {{ output }}" } });
    let task = workflow_with(&json!([prompt("a", "{{ item }}", &rules)]), &json!({}));
    let mut sim = Sim::performing(task, json!({}), counting);
    let text = |sim: &Sim| sim.run.documents["notes"].current().unwrap().1.body.data()[..1].to_owned();
    sim.decide("a[0]", accept());
    sim.decide("a[1]", accept());
    assert_eq!(text(&sim), "y");
    sim.undo();
    assert_eq!(text(&sim), "x");
    sim.decide("a[1]", accept());
    assert_eq!((text(&sim), sim.run.documents["notes"].versions.len()), ("y".to_owned(), 4));
    sim.assert_replayed();
}

#[test]
fn a_reopened_iteration_is_open_again_when_the_skip_of_a_later_one_is_undone() {
    let steps =
        json!([prompt("b", "two {{ previous or '' }}", &json!({ "repeat": { "until": "iteration == 1", "max": 2 } }))]);
    let mut sim = Sim::performing(workflow(&steps), json!({}), counting);
    sim.decide("b#0", accept());
    sim.decide("b#0", DecisionKind::Reopen);
    let waiting = |sim: &Sim| sim.waiting(GateKind::Review);
    let before = waiting(&sim);
    sim.decide("b#1", DecisionKind::Skip);
    assert_eq!(waiting(&sim), ["b#0"], "what was taken up again is still waited for");
    sim.undo();
    assert_eq!(waiting(&sim), before);
    sim.assert_replayed();
}
