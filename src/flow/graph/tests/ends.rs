//! What counts at the end of an item, a repeat, a child workflow, a run: outputs, state, early ends.

use serde_json::{Value, json};

use super::*;

fn group(steps: &Value, rules: &Value) -> Value {
    json!({ "id": "g", "does": { "kind": "group", "steps": steps }, "rules": rules })
}

/// Has everything that is stale run again.
fn again(sim: &mut Sim) {
    while let Some(key) = sim.waiting(GateKind::Stale).first().cloned() {
        sim.decide(&key, DecisionKind::Again { model: None });
    }
}

fn with_body(steps: &Value, body: &str) -> Task {
    workflow_with(steps, &json!({ "result": { "title": "t", "body": body } }))
}

const CALLS: &str = "{{ steps.g.outputs | join }} {% for c in steps.g.calls %}{{ c.index }}{{ c.status }} {% endfor %}";

#[test]
fn an_item_whose_last_step_was_left_out_has_no_output() {
    let steps = json!([step("a", "item", &json!({})), step("b", "steps.a.output", &json!({ "when": "item != 'y'" }))]);
    let task = with_body(&json!([group(&steps, &json!({ "for_each": { "list": "['x', 'y', 'z']" } }))]), CALLS);
    assert_eq!(Sim::new(task, json!({})).body(), "xz 0accepted 1skipped 2accepted ");
}

#[test]
fn an_item_whose_last_step_failed_and_was_continued_has_none_either() {
    let steps = json!([step("b", "item + 1", &json!({ "on_failure": "continue" }))]);
    let task = with_body(&json!([group(&steps, &json!({ "for_each": { "list": "[1, 'y', 3]" } }))]), CALLS);
    assert_eq!(Sim::new(task, json!({})).body(), "24 0accepted 1skipped 2accepted ");
}

#[test]
fn what_a_group_says_is_its_output_is_the_output_of_every_item() {
    let steps = json!([step("b", "item", &json!({ "when": "item > 1" }))]);
    let mut each = group(&steps, &json!({ "for_each": { "list": "[1, 2]" } }));
    each["does"]["output"] = json!("steps.b.output or 'none'");
    assert_eq!(Sim::new(with_body(&json!([each]), CALLS), json!({})).body(), "none2 0accepted 1accepted ");
}

#[test]
fn the_items_after_one_without_output_see_only_what_was_accepted() {
    let steps = json!([step("b", "earlier | length", &json!({ "when": "item != 'y'" }))]);
    let rules = json!({ "for_each": { "list": "['x', 'y', 'z']", "one_by_one": true } });
    assert_eq!(
        Sim::new(with_body(&json!([group(&steps, &rules)]), CALLS), json!({})).body().split(' ').next(),
        Some("01")
    );
}

#[test]
fn a_group_alone_whose_last_step_was_left_out_is_accepted_without_an_output() {
    let steps = json!([
        group(&json!([step("a", "1", &json!({ "when": "false" }))]), &json!({})),
        step("end", "[steps.g.status, steps.g.output]", &json!({}))
    ]);
    assert_eq!(Sim::new(with_body(&steps, "{{ steps.end.output | join(',') }}"), json!({})).body(), "accepted,");
}

#[test]
fn iterations_beyond_a_new_end_are_not_accepted_and_count_again_when_it_moves_back() {
    let rules = json!({ "review": "always", "set_state": { "n": "output" },
        "repeat": { "until": "output is string or iteration == 2", "max": 5 } });
    let steps = json!([step("draft", "iteration", &rules), step("end", "[steps.draft.output, state.n]", &json!({}))]);
    let mut sim = Sim::new(with_body(&steps, "{{ steps.end.output | join(',') }}"), json!({}));
    sim.accept_all();
    assert_eq!(sim.body(), "2,2");
    sim.decide("draft#0", DecisionKind::Reopen);
    sim.decide("draft#0", DecisionKind::Edit { output: json!("done"), accept: true });
    again(&mut sim);
    assert_eq!(sim.body(), "done,done");
    for beyond in ["draft#1", "draft#2"] {
        assert_eq!(sim.status(beyond), CallStatus::Skipped, "{beyond}");
    }
    sim.decide("draft#0", DecisionKind::Reopen);
    sim.decide("draft#0", DecisionKind::Edit { output: json!(0), accept: true });
    assert_eq!((sim.status("draft#1"), sim.status("draft#2")), (CallStatus::Accepted, CallStatus::Accepted));
    again(&mut sim);
    assert_eq!(sim.body(), "2,2");
}

#[test]
fn so_it_is_with_the_calls_inside_the_iterations_of_a_group() {
    let inner =
        json!([step("a", "iteration", &json!({ "review": "always" })), step("b", "steps.a.output", &json!({}))]);
    let rules = json!({ "for_each": { "list": "['x']" }, "repeat": { "until": "output is string or iteration == 1", "max": 3 } });
    let mut sim = Sim::new(with_body(&json!([group(&inner, &rules)]), "{{ steps.g.outputs | join }}"), json!({}));
    sim.accept_all();
    sim.decide("g[0]#0.a", DecisionKind::Reopen);
    sim.decide("g[0]#0.a", DecisionKind::Edit { output: json!("done"), accept: true });
    again(&mut sim);
    assert_eq!(sim.body(), "done");
    assert_eq!((sim.status("g[0]#1.a"), sim.status("g[0]#1.b")), (CallStatus::Skipped, CallStatus::Skipped));
}

#[test]
fn an_early_end_is_looked_at_after_each_iteration() {
    let rules = json!({ "stop_when": "output == 1", "repeat": { "until": "output == 3", "max": 9 } });
    let steps = json!([step("draft", "iteration", &rules), step("end", "steps.draft.output", &json!({}))]);
    let sim = Sim::new(with_body(&steps, "{{ steps.draft.output }} {{ steps.end.output }}"), json!({}));
    assert_eq!(sim.body(), "1 ");
    assert_eq!(sim.performed, ["draft#0", "draft#1"]);
}

#[test]
fn an_early_end_that_its_iteration_does_not_count_for_any_more_is_none() {
    let rules = json!({ "review": "always", "stop_when": "output == 1", "repeat": { "until": "output is string", "max": 9, "accept_last": true } });
    let steps = json!([step("draft", "iteration", &rules), step("end", "steps.draft.output", &json!({}))]);
    let mut sim = Sim::new(with_body(&steps, "{{ steps.draft.output }} {{ steps.end.output }}"), json!({}));
    sim.accept_all();
    assert_eq!(sim.body(), "1 ");
    sim.decide("draft#0", DecisionKind::Reopen);
    sim.decide("draft#0", DecisionKind::Edit { output: json!("x"), accept: true });
    assert_eq!(sim.body(), "x x");
}

#[test]
fn each_item_one_by_one_sees_the_state_that_those_before_it_set() {
    let rules =
        json!({ "for_each": { "list": "['a', 'b', 'c']", "one_by_one": true }, "set_state": { "n": "output" } });
    let steps = json!([
        step("count", "(state.n | default(0)) + 1", &rules),
        step("end", "state.n", &json!({ "after": ["count"] }))
    ]);
    let sim = Sim::new(with_body(&steps, "{{ steps.count.outputs | join(',') }} {{ steps.end.output }}"), json!({}));
    assert_eq!(sim.body(), "1,2,3 3");
}

#[test]
fn each_iteration_sees_the_state_that_those_before_it_set() {
    let rules = json!({ "repeat": { "until": "output == 3", "max": 5 }, "set_state": { "n": "output" } });
    let steps = json!([
        step("count", "(state.n | default(0)) + 1", &rules),
        step("end", "state.n", &json!({ "after": ["count"] }))
    ]);
    let sim = Sim::new(with_body(&steps, "{{ steps.end.output }}"), json!({}));
    assert_eq!(sim.performed, ["count#0", "count#1", "count#2", "end"]);
    assert_eq!(sim.body(), "3");
}

#[test]
fn so_they_do_where_a_step_inside_a_group_sets_it() {
    for rules in [
        json!({ "for_each": { "list": "['a', 'b', 'c']", "one_by_one": true } }),
        json!({ "repeat": { "until": "iteration == 2", "max": 5 } }),
        json!({ "for_each": { "list": "['a']" }, "repeat": { "until": "iteration == 2", "max": 5 } }),
    ] {
        let inner = json!([step("count", "(state.n | default(0)) + 1", &json!({ "set_state": { "n": "output" } }))]);
        let steps = json!([group(&inner, &rules), step("end", "state.n", &json!({ "after": ["g"] }))]);
        assert_eq!(Sim::new(with_body(&steps, "{{ steps.end.output }}"), json!({})).body(), "3", "{rules}");
    }
}

#[test]
fn what_an_item_set_that_is_not_in_the_list_any_more_does_not_count() {
    let rules =
        json!({ "for_each": { "list": "steps.list.output", "one_by_one": true }, "set_state": { "last": "item" } });
    let steps = json!([
        step("list", "['a', 'b']", &json!({ "review": "always" })),
        step("each", "item", &rules),
        step("end", "state.last", &json!({ "after": ["each"] })),
    ]);
    let mut sim = Sim::new(with_body(&steps, "{{ steps.end.output }}"), json!({}));
    sim.accept_all();
    assert_eq!(sim.body(), "b");
    sim.decide("list", DecisionKind::Reopen);
    sim.decide("list", DecisionKind::Edit { output: json!(["a"]), accept: true });
    again(&mut sim);
    assert_eq!(sim.body(), "a");
}

#[test]
fn transforms_are_accepted_in_the_order_of_their_priority() {
    let steps = json!([
        step("low", "'low'", &json!({})),
        step("high", "'high'", &json!({ "priority": 5 })),
        step("end", "[steps.low.output, steps.high.output]", &json!({ "join": "first" })),
    ]);
    let sim = Sim::new(with_body(&steps, "{{ steps.end.output | join }}"), json!({}));
    assert_eq!(sim.performed[..2], ["high", "low"]);
    let accepted = sim.journal.iter().filter_map(|event| match event {
        Event::CallAccepted { key, .. } => Some(key.to_string()),
        _ => None,
    });
    assert_eq!(accepted.collect::<Vec<_>>()[..2], ["high", "low"]);
    assert_eq!(sim.body(), "high");
}
