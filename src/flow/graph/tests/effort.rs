//! What an event costs does not grow with the length of the run: work is counted, not time.

use super::*;
use crate::core::actor::Actor;
use crate::flow::effort::spent;

/// Drives a run with one session until it waits or ends, each call on its own as it comes, and counts what the looks cost.
fn cost(task: Task, inputs: Value) -> usize {
    let pinned = std::sync::Arc::new(Pinned { task, children: std::collections::BTreeMap::new(), folder: None });
    let mut sim = Sim::unsettled(&pinned, inputs, shout);
    let (mut unfed, mut all): (Vec<Event>, usize) = (Vec::new(), 0);
    loop {
        spent();
        let wants = sim.session.feed(&unfed);
        all += spent();
        unfed = wants.notes;
        if unfed.is_empty() && wants.end.is_none() {
            unfed = wants.calls.first().map(|want| sim.perform(want)).unwrap_or_default();
        }
        for event in &unfed {
            sim.apply(event.clone());
        }
        if unfed.is_empty() {
            assert!(matches!(wants.end, Some(End::Completed { .. })), "{:?}", wants.end);
            return all;
        }
    }
}

/// Four times as much to do costs about four times as much, and not sixteen times.
fn grows_with_its_length(what: &str, task: impl Fn(usize) -> Task) {
    let of = |length: usize| cost(task(length), json!({ "items": (0..length).collect::<Vec<_>>() }));
    let (short, long) = (of(20), of(80));
    assert!(short > 20 && long < 6 * short, "{what}: {short} pieces of work at 20, {long} at 80");
}

fn never() -> Value {
    json!({ "review": "never" })
}

fn many(steps: &Value) -> Task {
    workflow_with(steps, &json!({ "max_calls": 100_000 }))
}

#[test]
fn a_long_repeat_costs_each_iteration_as_much_as_the_first() {
    let repeat = |length: usize| json!({ "until": format!("iteration == {}", length - 1), "max": length });
    grows_with_its_length("a step", |length| {
        many(&json!([step("n", "iteration", &json!({ "repeat": repeat(length) }))]))
    });
    grows_with_its_length("a counter", |length| {
        let rules = json!({ "repeat": repeat(length), "set_state": { "n": "(state.n | default(0)) + 1" } });
        many(&json!([step("n", "previous", &rules)]))
    });
    grows_with_its_length("a prompt that says the same each time", |length| {
        many(&json!([prompt("n", "again", &json!({ "review": "never", "repeat": repeat(length) }))]))
    });
    grows_with_its_length("a group", |length| {
        let inside = json!([prompt("a", "{{ iteration }}", &never()), step("b", "steps.a.output", &json!({}))]);
        many(
            &json!([{ "id": "g", "does": { "kind": "group", "steps": inside }, "rules": { "repeat": repeat(length) } }]),
        )
    });
}

#[test]
fn a_long_list_costs_each_item_as_much_as_the_first() {
    let list = |one_by_one: bool| json!({ "list": "inputs.items", "one_by_one": one_by_one });
    for one_by_one in [false, true] {
        grows_with_its_length("prompts", |_| {
            many(&json!([prompt("n", "{{ item }}", &json!({ "review": "never", "for_each": list(one_by_one) }))]))
        });
    }
    grows_with_its_length("items of which some fail", |_| {
        let rules = json!({ "for_each": list(false), "on_failure": "continue" });
        many(&json!([step("n", "1 // (item % 2)", &rules)]))
    });
}

#[test]
fn a_long_list_of_groups_costs_each_as_much_as_the_first() {
    let inside = json!([
        prompt("a", "{{ item }}", &never()),
        step("left_out", "steps.a.output", &json!({ "when": "false" })),
        step("c", "[1, 2]", &json!({})),
        step("each", "item", &json!({ "for_each": { "list": "steps.c.output" } })),
        step("again", "iteration", &json!({ "repeat": { "until": "iteration == 2", "max": 3 } })),
    ]);
    grows_with_its_length("groups", |_| {
        let rules = json!({ "for_each": { "list": "inputs.items" } });
        many(&json!([{ "id": "g", "does": { "kind": "group", "steps": inside }, "rules": rules }]))
    });
}

#[test]
fn documents_are_compared_once_however_many_items_write_them() {
    for name in ["all", "{{ item }}"] {
        grows_with_its_length(name, |_| {
            let document = json!({ "name": name, "title": "{{ item }}", "body": "{{ output }}" });
            let rules = json!({ "review": "never", "for_each": { "list": "inputs.items" }, "document": document });
            many(&json!([prompt("n", "{{ item }}", &rules)]))
        });
    }
}

/// An action that waits while the run goes on costs each event no more than what it names.
#[test]
fn an_action_that_waits_does_not_evaluate_the_run_again() {
    let waits = |length: usize, instruction: &str| {
        let rules = json!({ "review": "never", "for_each": { "list": "inputs.items" } });
        let mut task = many(&json!([prompt("other", "x", &never()), prompt("n", "{{ item }}", &rules)]));
        let action = json!({ "id": "shorter", "name": "Shorter", "instruction": instruction });
        task.actions.push(serde_json::from_value(action).unwrap());
        let mut sim = Sim::new(task.clone(), json!({ "items": (0..length).collect::<Vec<_>>() }));
        let (title, body, by) = ("T".into(), "B".into(), Actor::Model);
        let (name, proposed, action) = ("result".to_owned(), false, None);
        sim.apply(Event::DocumentWritten { name, version: 1, title, body, by, proposed, action });
        let (key, by) = ("shorter#0".parse().unwrap(), "ana@here".into());
        let (action, document, instruction) = ("shorter".into(), "result".into(), None);
        sim.apply(Event::ActionRequested { key, action, document, version: 1, instruction, by });
        let fed = sim.journal[sim.journal.len() - 2..].to_vec();
        let mut wants = sim.session.feed(&fed);
        spent();
        crate::flow::action::add(&*sim.session, &task, &sim.run, &mut wants);
        assert_eq!(wants.calls.first().map(|want| want.step.as_str()), Some("shorter"), "{wants:?}");
        (spent(), format!("{:?}", wants.calls[0].work))
    };
    assert_eq!(waits(80, "Shorten {{ document.title }}").0, waits(20, "Shorten {{ document.title }}").0);
    let (of_few, work) = waits(80, "Mind {{ steps.other.output }}");
    assert_eq!(of_few, waits(20, "Mind {{ steps.other.output }}").0);
    assert!(work.contains("Mind X"), "{work}");
    let (of_all, work) = waits(80, "Mind {{ steps.n.outputs | length }}");
    assert!(of_all >= 80 && work.contains("Mind 80"), "{of_all}: {work}");
}

/// An edit of an early iteration is an edit of all that came after it, as long as that has seen it.
#[test]
fn what_is_edited_in_an_early_iteration_is_seen_by_all_later_ones() {
    let rules = json!({ "review": "never", "repeat": { "until": "iteration == 4", "max": 5 } });
    let mut sim = Sim::new(many(&json!([prompt("n", "{{ previous }}+", &rules)])), json!({}));
    assert_eq!(sim.output("n#4"), "+++++");
    sim.decide("n#1", DecisionKind::Reopen);
    sim.decide("n#1", DecisionKind::Edit { output: json!("mine"), accept: true });
    assert_eq!(sim.waiting(GateKind::Stale), ["n#2"]);
    sim.decide("n#2", DecisionKind::Again { model: None });
    for key in ["n#3", "n#4"] {
        if sim.waiting(GateKind::Stale).contains(&key.to_owned()) {
            sim.decide(key, DecisionKind::Again { model: None });
        }
    }
    assert_eq!(sim.output("n#4"), "MINE+++");
}

/// A retry of one that is not the last is made, although those after it still count.
#[test]
fn an_early_iteration_that_is_tried_again_gets_its_attempt() {
    let rules = json!({ "review": "never", "repeat": { "until": "iteration == 4", "max": 5 } });
    let mut sim = Sim::new(many(&json!([prompt("n", "{{ previous }}+", &rules)])), json!({}));
    sim.decide("n#1", DecisionKind::Reopen);
    sim.decide("n#1", super::decided::retry());
    assert_eq!(sim.run.call(&"n#1".parse().unwrap()).unwrap().attempts.len(), 2);
    assert_eq!(sim.status("n#1"), CallStatus::Accepted);
    assert!(matches!(sim.end, Some(End::Completed { .. })));
}

/// A count that an iteration two before sets is seen, although the one between has not changed.
#[test]
fn a_state_that_an_early_iteration_sets_otherwise_is_seen_by_later_ones_too() {
    let rules = json!({ "review": "never", "repeat": { "until": "iteration == 3", "max": 4 },
        "set_state": { "last": "output if iteration == 0 else state.last" } });
    let mut sim =
        Sim::new(many(&json!([prompt("n", "{{ iteration }} {{ state.last | default('') }}", &rules)])), json!({}));
    let seen = |sim: &Sim, key: &str| sim.output(key).as_str().unwrap().to_owned();
    assert_eq!(seen(&sim, "n#3"), "3 0 ".to_uppercase());
    sim.decide("n#0", DecisionKind::Reopen);
    sim.decide("n#0", DecisionKind::Edit { output: json!("mine"), accept: true });
    for _ in 0..3 {
        for key in sim.waiting(GateKind::Stale) {
            sim.decide(&key, DecisionKind::Again { model: None });
        }
    }
    assert_eq!(seen(&sim, "n#3"), "3 MINE");
}
