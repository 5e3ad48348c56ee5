//! The rows of the control table in combination.

use super::*;

fn group(id: &str, steps: &Value, rules: &Value) -> Value {
    json!({ "id": id, "does": { "kind": "group", "steps": steps }, "rules": rules })
}

fn result(body: &str) -> Value {
    json!({ "result": { "title": "t", "body": body } })
}

/// A run with child workflows.
pub(super) fn with_children(
    steps: &Value,
    more: &Value,
    children: &[(&str, Task)],
    perform: impl Fn(&Want, u32) -> Result<Value, Failure> + 'static,
) -> Sim {
    let children = children.iter().map(|(id, task)| ((*id).to_owned(), task.clone())).collect();
    let pinned = Arc::new(Pinned { task: workflow_with(steps, more), children, folder: None });
    Sim::of(&pinned, json!({}), perform)
}

fn fails_at(key: &'static str) -> impl Fn(&Want, u32) -> Result<Value, Failure> {
    move |want, attempt| {
        if want.key.to_string() == key && attempt == 1 {
            return Err(Failure::new(FailureClass::Server, "down"));
        }
        shout(want, attempt)
    }
}

#[test]
fn a_review_inside_a_parallel_group_inside_a_repeat_waits_in_each_round() {
    let rounds = group(
        "rounds",
        &json!([
            group(
                "parts",
                &json!([prompt("part", "{{ item }}{{ previous or '' }}", &json!({}))]),
                &json!({ "for_each": { "list": "['a', 'b']" } })
            ),
            step("sum", "steps.parts.outputs | join", &json!({})),
        ]),
        &json!({ "repeat": { "until": "iteration == 1", "max": 3 } }),
    );
    let mut sim = Sim::new(workflow(&json!([rounds])), json!({}));
    assert_eq!(sim.waiting(GateKind::Review), ["rounds#0.parts[0].part", "rounds#0.parts[1].part"]);
    sim.decide("rounds#0.parts[1].part", DecisionKind::Accept);
    assert_eq!(sim.waiting(GateKind::Review), ["rounds#0.parts[0].part"], "the round waits for both");
    sim.decide("rounds#0.parts[0].part", DecisionKind::Edit { output: json!("mine"), accept: true });
    assert_eq!(sim.waiting(GateKind::Review), ["rounds#1.parts[0].part", "rounds#1.parts[1].part"]);
    sim.accept_all();
    assert_eq!(sim.body(), "AMINEBBMINEB");
}

#[test]
fn a_round_that_is_not_needed_any_more_waits_for_nobody() {
    let task = workflow(&json!([prompt(
        "draft",
        "{{ iteration }}",
        &json!({ "repeat": { "until": "output == 'good'", "max": 4 } })
    )]));
    let mut sim = Sim::new(task, json!({}));
    sim.decide("draft#0", DecisionKind::Accept);
    sim.decide("draft#1", DecisionKind::Accept);
    assert_eq!(sim.waiting(GateKind::Review), ["draft#2"]);
    sim.decide("draft#0", DecisionKind::Reopen);
    sim.decide("draft#0", DecisionKind::Edit { output: json!("good"), accept: true });
    assert_eq!(sim.waiting(GateKind::Review), Vec::<String>::new());
    assert_eq!(sim.body(), "good");
}

#[test]
fn a_switch_inside_a_list_chooses_for_each_item() {
    let each = group(
        "each",
        &json!([
            { "id": "size", "does": { "kind": "switch", "cases": [{ "when": "item > 5", "to": ["big"] }], "default": ["small"] } },
            step("big", "'big ' ~ item", &json!({})),
            step("small", "'small ' ~ item", &json!({})),
            step("one", "steps.big.output or steps.small.output", &json!({ "join": "any" })),
        ]),
        &json!({ "for_each": { "list": "[9, 1, 7]" } }),
    );
    let sim = Sim::new(workflow_with(&json!([each]), &result("{{ steps.each.outputs | join(', ') }}")), json!({}));
    assert_eq!(sim.body(), "big 9, small 1, big 7");
    let decided = |key: &str| sim.run.decided[&key.parse().unwrap()][0].clone();
    assert_eq!(decided("each[0].size").value, json!({ "case": 0, "to": ["big"] }));
    assert_eq!(decided("each[0].size").why["saw"]["item"], 9);
    assert_eq!(decided("each[1].size").value["case"], "default");
    assert_eq!(sim.run.items(&"each".parse().unwrap()), Some(3));
}

#[test]
fn a_failure_inside_a_child_run_takes_the_route_out_of_it() {
    let child = workflow(&json!([
        prompt("p", "x", &json!({ "review": "never" })),
        prompt("q", "{{ steps.p.output }}", &json!({ "review": "never" })),
    ]));
    let steps = json!([
        { "id": "child", "does": { "kind": "workflow", "workflow": "c", "inputs": {} }, "rules": { "on_failure": { "handler": "mend" } } },
        step("mend", "failure.key ~ ' ' ~ failure.class", &json!({})),
        step("end", "steps.mend.output or steps.child.output.body", &json!({ "join": "any" })),
    ]);
    let sim = with_children(&steps, &json!({}), &[("c", child.clone())], fails_at("child.q"));
    assert_eq!(sim.body(), "child.q server");
    let sim = with_children(&steps, &json!({}), &[("c", child)], shout);
    assert_eq!(sim.body(), "X");
    assert_eq!(sim.status("mend"), CallStatus::Skipped);
}

#[test]
fn a_child_run_for_each_item_goes_on_without_the_one_that_failed() {
    let child = workflow(&json!([prompt("p", "{{ inputs.n }}", &json!({}))]));
    let mut child = child;
    child.inputs = serde_json::from_value(json!([{ "name": "n", "type": "integer", "required": true }])).unwrap();
    let steps = json!([{ "id": "each", "does": { "kind": "workflow", "workflow": "c", "inputs": { "n": "{{ item }}" } },
        "rules": { "for_each": { "list": "[1, 2, 3]" }, "on_failure": "continue" } }]);
    let body = result(
        "{% for c in steps.each.calls %}{{ c.status }} {{ c.output.body if c.output else c.error.class }};{% endfor %}",
    );
    let mut sim = with_children(&steps, &body, &[("c", child)], fails_at("each[1].p"));
    assert_eq!(sim.waiting(GateKind::Review), ["each[0].p", "each[2].p"], "gates pass through");
    sim.accept_all();
    assert_eq!(sim.body(), "accepted 1;failed server;accepted 3;");
    assert_eq!(sim.run.warnings.len(), 1);
    assert!(sim.run.warnings[0].contains("each[1].p"), "{}", sim.run.warnings[0]);
}

#[test]
fn nobody_is_asked_about_the_rest_of_a_group_that_failed_and_was_passed_over() {
    let each = group(
        "g",
        &json!([prompt("ask", "{{ item }}", &json!({})), prompt("try", "{{ item }}", &json!({ "review": "never" }))]),
        &json!({ "for_each": { "list": "[1, 2]" }, "on_failure": "continue" }),
    );
    let mut sim = Sim::performing(
        workflow_with(&json!([each]), &result("{{ steps.g.outputs }}")),
        json!({}),
        fails_at("g[0].try"),
    );
    assert_eq!(sim.waiting(GateKind::Review), ["g[1].ask"]);
    sim.decide("g[1].ask", DecisionKind::Accept);
    assert_eq!(sim.body(), "['2']");
    // Taken up again, the whole item comes back.
    sim.decide("g[0].try", DecisionKind::Again { model: None });
    assert_eq!(sim.waiting(GateKind::Review), ["g[0].ask"]);
    sim.decide("g[0].ask", DecisionKind::Accept);
    assert_eq!(sim.body(), "['1', '2']");
}

/// A race of two prompts, of which only `quick` answers at once.
fn race(loser: &Value) -> Sim {
    let steps = json!([
        prompt("quick", "quick", &json!({ "review": "never" })),
        loser,
        step("end", "steps.quick.output or steps.slow.output", &json!({ "join": "first" })),
    ]);
    Sim::new(workflow_with(&steps, &result("{{ steps.end.output }}")), json!({}))
}

#[test]
fn a_loser_that_waits_for_a_person_is_let_go() {
    let sim = race(&prompt("slow", "slow", &json!({ "review": "always" })));
    assert_eq!(sim.waiting(GateKind::Review), Vec::<String>::new());
    assert_eq!(sim.status("slow"), CallStatus::Skipped);
    assert_eq!(sim.body(), "QUICK");
    let winner = &sim.run.decided[&"end".parse().unwrap()][0];
    assert_eq!((&winner.what, &winner.value), (&FlowDecision::First, &json!("quick")));
}

#[test]
fn a_loser_that_something_else_needs_goes_on() {
    let steps = json!([
        prompt("quick", "quick", &json!({ "review": "never" })),
        prompt("slow", "slow", &json!({ "review": "always" })),
        step("end", "[steps.quick.output, steps.slow.output]", &json!({ "join": "first" })),
        step("other", "steps.slow.output", &json!({})),
    ]);
    let mut sim = Sim::new(
        workflow_with(&steps, &result("{{ steps.end.output | join('-') }} {{ steps.other.output }}")),
        json!({}),
    );
    assert_eq!(sim.waiting(GateKind::Review), ["slow"]);
    sim.accept_all();
    assert_eq!(sim.body(), "QUICK- SLOW", "for the race it stays none, for good");
}

#[test]
fn a_running_loser_is_cancelled_and_an_effect_is_left_to_finish() {
    let start = |sim: &mut Sim, key: &str| {
        let want = sim.session.feed(&[]).calls.into_iter().find(|want| want.key.to_string() == key).unwrap();
        let mut events = sim.perform(&want);
        let end = events.pop().unwrap();
        for event in &events {
            sim.apply(event.clone());
        }
        (events, end)
    };
    for (loser, cancelled) in [
        (prompt("slow", "slow", &json!({ "review": "never" })), vec!["slow"]),
        (
            json!({ "id": "slow", "does": { "kind": "command", "argv": ["x"], "parse": "text" }, "rules": { "approve": "never" } }),
            vec![],
        ),
    ] {
        let steps = json!([
            prompt("quick", "quick", &json!({ "review": "never" })),
            loser,
            step("end", "steps.quick.output or steps.slow.output", &json!({ "join": "first" })),
        ]);
        let task = workflow_with(&steps, &result("{{ steps.end.output }}"));
        let mut sim = Sim::unsettled(
            &Arc::new(Pinned { task, children: std::collections::BTreeMap::new(), folder: None }),
            json!({}),
            shout,
        );
        let (slow, late) = start(&mut sim, "slow");
        sim.session.feed(&slow);
        let (mut quick, end) = start(&mut sim, "quick");
        sim.apply(end.clone());
        quick.push(end);
        let mut fed = quick;
        let mut cancel = Vec::new();
        loop {
            let wants = sim.session.feed(&fed);
            cancel.extend(wants.cancel.iter().map(ToString::to_string));
            fed = wants.notes;
            if fed.is_empty() {
                break;
            }
            for note in &fed {
                sim.apply(note.clone());
            }
        }
        cancel.dedup();
        assert_eq!(cancel, cancelled);
        // However late it comes, it is ignored.
        sim.apply(late.clone());
        sim.settle(&[late]);
        assert_eq!(sim.body(), "QUICK");
        assert_eq!(sim.status("slow"), CallStatus::Skipped);
    }
}

#[test]
fn what_was_skipped_passes_through_joins_of_all_four_kinds() {
    let joined = |id: &str, join: &str| step(id, "[steps.a.status, steps.b.status]", &json!({ "join": join }));
    let steps = |b: &str| {
        json!([
            step("a", "1", &json!({ "when": "false" })),
            step("b", "2", &json!({ "when": b })),
            joined("all", "all"),
            joined("any", "any"),
            joined("first", "first"),
            joined("ended", "ended"),
            step("after", "steps.all.output", &json!({})),
        ])
    };
    let sim = Sim::new(workflow(&steps("true")), json!({}));
    let status = |key: &str| sim.status(key).name();
    assert_eq!(
        ["all", "any", "first", "ended", "after"].map(status),
        ["skipped", "accepted", "accepted", "accepted", "skipped"]
    );
    assert_eq!(sim.output("any"), json!(["skipped", "accepted"]));
    assert_eq!(sim.output("first"), json!(["pending", "accepted"]));
    let because = |sim: &Sim, key: &str| match &sim.run.call(&key.parse().unwrap()).unwrap().ending {
        Some(crate::core::call::Ending::Skipped { because, .. }) => because.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!((because(&sim, "all"), because(&sim, "after")), ("`a` was skipped".into(), "`all` was skipped".into()));
    let sim = Sim::new(workflow(&steps("false")), json!({}));
    let status = |key: &str| sim.status(key).name();
    assert_eq!(["all", "any", "first", "ended"].map(status), ["skipped", "skipped", "skipped", "accepted"]);
    assert_eq!(because(&sim, "any"), "none of what it waits for was accepted");
}

#[test]
fn stop_when_inside_a_group_ends_the_run_with_the_result_so_far() {
    let found = group(
        "look",
        &json!([
            step("see", "item", &json!({ "stop_when": "output == 2" })),
            prompt("tell", "{{ steps.see.output }}", &json!({})),
        ]),
        &json!({ "for_each": { "list": "[1, 2, 3]", "one_by_one": true } }),
    );
    let steps = json!([found, prompt("aside", "x", &json!({}))]);
    let mut sim =
        Sim::new(workflow_with(&steps, &result("{{ steps.aside.status }} {{ steps.look.outputs | join }}")), json!({}));
    assert_eq!(sim.waiting(GateKind::Review), ["aside", "look[0].tell"]);
    sim.decide("look[0].tell", DecisionKind::Accept);
    assert_eq!(sim.body(), "pending 1");
    assert_eq!(sim.run.gates(), 0, "a run that has ended waits for nobody");
    assert!(sim.run.call(&"look[2].see".parse().unwrap()).is_none());
    // A person may still go back, and then it does not hold any more.
    sim.decide("look[0].tell", DecisionKind::Reopen);
    assert_eq!((sim.waiting(GateKind::Review), sim.end.clone()), (vec!["look[0].tell".to_owned()], None));
    sim.decide("look[0].tell", DecisionKind::Accept);
    assert!(sim.end.is_some());
}

#[test]
fn limits_of_a_group_hold_for_the_calls_inside() {
    let inner = prompt("p", "x", &json!({ "for_each": { "list": "[1, 2]", "max_parallel": 3 }, "review": "never" }));
    let outer = group("g", &json!([inner]), &json!({ "for_each": { "list": "[1, 2]", "max_parallel": 2 } }));
    let pinned =
        Arc::new(Pinned { task: workflow(&json!([outer])), children: std::collections::BTreeMap::new(), folder: None });
    let mut sim = Sim::unsettled(&pinned, json!({}), shout);
    let wants = loop {
        let wants = sim.session.feed(&[]);
        if wants.notes.is_empty() {
            break wants;
        }
        wants.notes.iter().for_each(|note| sim.apply(note.clone()));
        sim.session = sim.flow.open(&sim.run);
    };
    let lanes: Vec<Vec<(String, usize)>> = wants
        .calls
        .iter()
        .map(|want| want.lanes.iter().map(|(key, most)| (key.to_string(), *most)).collect())
        .collect();
    assert_eq!(lanes.len(), 4);
    assert_eq!(lanes[3], [("g".to_owned(), 2), ("g[1].p".to_owned(), 3)]);
}

#[test]
fn state_is_what_the_steps_before_have_made_of_it() {
    let steps = json!([
        step("a", "1", &json!({ "set_state": { "n": "output" } })),
        group(
            "g",
            &json!([
                step("b", "state.n + 1", &json!({ "set_state": { "n": "output" } })),
                step("c", "state.n + 10", &json!({ "after": ["b"] }))
            ]),
            &json!({ "after": ["a"] })
        ),
        step("d", "state.n", &json!({ "after": ["a"] })),
        step("e", "state.n", &json!({ "after": ["g"] })),
    ]);
    let sim = Sim::new(
        workflow_with(&steps, &result("{{ steps.g.output }} {{ steps.d.output }} {{ steps.e.output }} {{ state.n }}")),
        json!({}),
    );
    assert_eq!(sim.body(), "12 1 2 2");
}

#[test]
fn a_handler_inside_a_list_of_groups_mends_its_own_item() {
    let each = group(
        "each",
        &json!([
            prompt("parse", "{{ item }}", &json!({ "review": "never", "on_failure": { "handler": "repair" } })),
            prompt("repair", "{{ failure.key }}", &json!({})),
            step("one", "steps.parse.output or steps.repair.output", &json!({ "join": "any" })),
        ]),
        &json!({ "for_each": { "list": "['a', 'b']" } }),
    );
    let mut sim = Sim::performing(
        workflow_with(&json!([each]), &result("{{ steps.each.outputs | join(' ') }}")),
        json!({}),
        fails_at("each[1].parse"),
    );
    assert_eq!(sim.waiting(GateKind::Review), ["each[1].repair"]);
    sim.accept_all();
    assert_eq!(sim.body(), "A EACH[1].PARSE");
}

#[test]
fn a_child_run_inside_a_child_run_has_keys_names_and_results_of_its_own() {
    let inner = workflow(&json!([prompt("p", "deep", &json!({}))]));
    let outer = workflow_with(
        &json!([{ "id": "in", "does": { "kind": "workflow", "workflow": "inner", "inputs": {} } }]),
        &result("<{{ steps.in.output.body }}>"),
    );
    let steps = json!([{ "id": "out", "does": { "kind": "workflow", "workflow": "outer", "inputs": {} } }]);
    let mut sim =
        with_children(&steps, &result("{{ steps.out.output.body }}"), &[("inner", inner), ("outer", outer)], shout);
    assert_eq!(sim.waiting(GateKind::Review), ["out.in.p"]);
    sim.decide("out.in.p", DecisionKind::Edit { output: json!("mine"), accept: true });
    assert_eq!(sim.body(), "<mine>");
}

#[test]
fn a_skipped_review_in_a_list_leaves_a_gap_and_its_group_skips_what_follows() {
    let each = group(
        "each",
        &json!([prompt("p", "{{ item }}", &json!({})), step("q", "steps.p.output ~ '!'", &json!({}))]),
        &json!({ "for_each": { "list": "['a', 'b']" } }),
    );
    let body = result("{% for c in steps.each.calls %}{{ c.index }}{{ c.status }}{{ c.output }} {% endfor %}");
    let mut sim = Sim::new(workflow_with(&json!([each]), &body), json!({}));
    sim.decide("each[0].p", DecisionKind::Skip);
    sim.accept_all();
    assert_eq!(sim.status("each[0].q"), CallStatus::Skipped);
    assert_eq!(sim.body(), "0skipped 1acceptedB! ");
}

#[test]
fn a_child_gives_what_its_result_says_and_a_list_works_through_it() {
    let gives = json!({ "result": { "title": "T", "body": "B", "output": "steps.words.output" } });
    let child = workflow_with(&json!([step("words", "['a', 'b']", &json!({}))]), &gives);
    let steps = json!([
        { "id": "child", "does": { "kind": "workflow", "workflow": "c", "inputs": {} }, "rules": {} },
        step("each", "item | upper", &json!({ "for_each": { "list": "steps.child.output" } })),
        step("all", "steps.each.outputs | join('+')", &json!({})),
    ]);
    let sim = with_children(&steps, &json!({}), &[("c", child)], shout);
    assert_eq!(sim.body(), "A+B");
}

#[test]
fn a_result_without_a_body_is_what_the_last_child_gives_whatever_that_is() {
    let text = workflow_with(
        &json!([step("p", "'one'", &json!({}))]),
        &json!({ "result": { "title": "T", "body": "{{ steps.p.output }}" } }),
    );
    let data = workflow_with(
        &json!([step("words", "['a', 'b']", &json!({}))]),
        &json!({ "result": { "title": "T", "output": "steps.words.output" } }),
    );
    let child = |id: &str, workflow: &str, rules: Value| json!({ "id": id, "does": { "kind": "workflow", "workflow": workflow, "inputs": {} }, "rules": rules });
    let list = json!({ "for_each": { "list": "[1, 2]" } });
    for (last, body) in [
        (child("k", "text", json!({})), "one"),
        (child("k", "data", json!({})), "a\n\nb"),
        (child("k", "text", list), "one\n\none"),
        (group("g", &json!([child("k", "text", json!({}))]), &json!({})), "one"),
    ] {
        for own in [json!({}), json!({ "result": { "title": "mine" } })] {
            let children = [("text", text.clone()), ("data", data.clone())];
            let sim = with_children(&json!([last.clone()]), &own, &children, shout);
            assert_eq!(sim.body(), body, "{last} {own}");
        }
    }
}
