//! What becomes of calls when something before them changes: which are stale, because of what, and how often the person
//! is asked.

use super::*;

fn because(sim: &Sim, key: &str) -> Vec<String> {
    let call = sim.run.call(&key.parse().unwrap()).unwrap();
    call.stale.as_ref().unwrap().because.iter().map(ToString::to_string).collect()
}

/// Counts how often something was performed, so that a second time gives another text.
fn numbered(task: Task, inputs: Value) -> Sim {
    Sim::performing(task, inputs, |want, attempt| match &*want.work {
        Work::Prompt(prompt) => Ok(json!(format!("{}/{attempt}", prompt.messages.last().unwrap().text))),
        _ => shout(want, attempt),
    })
}

fn chain(rules: &Value) -> Sim {
    let mut all = json!({ "for_each": { "list": "steps.list.output", "one_by_one": true } });
    for (name, value) in rules.as_object().unwrap() {
        all[name] = value.clone();
    }
    let task = workflow_with(
        &json!([
            step("list", "inputs.items", &json!({ "review": "always" })),
            prompt("write", "{{ item }}({{ earlier | join('+') }})", &all),
            prompt("end", "{{ steps.write.outputs | join(';') }}", &json!({})),
        ]),
        &json!({}),
    );
    numbered(task, json!({ "items": ["a", "b", "c", "d"] }))
}

#[test]
fn a_stale_chain_is_asked_about_once() {
    let mut sim = chain(&json!({}));
    sim.accept_all();
    sim.decide("write[0]", DecisionKind::Reopen);
    sim.decide("write[0]", DecisionKind::Edit { output: json!("A"), accept: true });
    assert_eq!(sim.waiting(GateKind::Stale), ["write[1]"]);
    sim.decide("write[1]", DecisionKind::Again { model: None });
    for key in ["write[1]", "write[2]", "write[3]", "end"] {
        assert_eq!(sim.waiting(GateKind::Stale), Vec::<String>::new(), "no second question");
        assert_eq!(sim.waiting(GateKind::Review), [key], "what is made anew is reviewed as ever");
        sim.decide(key, DecisionKind::Accept);
    }
    assert!(sim.body().starts_with("A;b(A)/2;c(A+b(A)/2)/2;"), "{}", sim.body());
}

#[test]
fn a_later_change_is_a_question_of_its_own() {
    let mut sim = chain(&json!({}));
    sim.accept_all();
    sim.decide("write[0]", DecisionKind::Reopen);
    sim.decide("write[0]", DecisionKind::Edit { output: json!("A"), accept: true });
    sim.decide("write[1]", DecisionKind::Again { model: None });
    sim.decide("write[1]", DecisionKind::Accept);
    assert_eq!(sim.waiting(GateKind::Review), ["write[2]"], "it runs again by the same answer");
    // The person goes back once more, and has not said anything of that yet.
    sim.decide("write[0]", DecisionKind::Reopen);
    sim.decide("write[0]", DecisionKind::Edit { output: json!("AA"), accept: true });
    assert_eq!(sim.waiting(GateKind::Stale), ["write[1]"]);
    assert_eq!(because(&sim, "write[1]"), ["write[0]"]);
}

#[test]
fn a_stale_chain_of_iterations_and_of_groups_is_asked_about_once() {
    let steps = json!([
        step("seed", "inputs.seed", &json!({ "review": "always" })),
        prompt("draft", "{{ previous or steps.seed.output }}.", &json!({
            "repeat": { "until": "iteration == 2", "max": 3 } })),
        { "id": "g", "does": { "kind": "group", "steps": [
            prompt("x", "{{ item }}{{ earlier | join }}{{ steps.draft.output }}", &json!({})),
            prompt("y", "{{ steps.x.output }}!", &json!({})),
        ]}, "rules": { "for_each": { "list": "[1, 2]", "one_by_one": true } } },
    ]);
    let mut sim = numbered(workflow(&steps), json!({ "seed": "s" }));
    sim.accept_all();
    sim.decide("seed", DecisionKind::Reopen);
    sim.decide("seed", DecisionKind::Edit { output: json!("t"), accept: true });
    assert_eq!(sim.waiting(GateKind::Stale), ["draft#0"]);
    sim.decide("draft#0", DecisionKind::Again { model: None });
    let mut reviewed = Vec::new();
    while let Some(key) = sim.waiting(GateKind::Review).first().cloned() {
        assert_eq!(sim.waiting(GateKind::Stale), Vec::<String>::new());
        sim.decide(&key, DecisionKind::Accept);
        reviewed.push(key);
    }
    assert_eq!(reviewed, ["draft#0", "draft#1", "draft#2", "g[0].x", "g[0].y", "g[1].x", "g[1].y"]);
    assert!(sim.end.is_some());
}

#[test]
fn an_effect_further_down_is_asked_about_on_its_own() {
    let steps = json!([
        step("a", "inputs.a", &json!({ "review": "always" })),
        prompt("b", "{{ steps.a.output }}", &json!({ "review": "never" })),
        { "id": "act", "does": { "kind": "command", "argv": ["send", "{{ steps.b.output }}"], "parse": "text" },
          "rules": { "approve": "never" } },
    ]);
    let mut sim = numbered(workflow(&steps), json!({ "a": "1" }));
    sim.accept_all();
    sim.decide("a", DecisionKind::Reopen);
    sim.decide("a", DecisionKind::Edit { output: json!("2"), accept: true });
    sim.decide("b", DecisionKind::Again { model: None });
    assert_eq!(sim.waiting(GateKind::Stale), ["act"], "it happened, and never happens again by itself");
    assert!(matches!(&sim.run.waiting().next().unwrap().body, GateBody::Stale(stale) if stale.had_effect));
}

#[test]
fn a_stale_call_names_only_what_changed() {
    let steps = json!([
        prompt("a", "a", &json!({})),
        prompt("b", "b", &json!({})),
        prompt("c", "{{ steps.a.output }} {{ steps.b.output }}", &json!({})),
        prompt("d", "{{ steps.c.output }} {{ state.n | default('') }}", &json!({ "after": ["n"] })),
        step("n", "steps.a.output", &json!({ "set_state": { "n": "output" } })),
    ]);
    let mut sim = Sim::new(workflow(&steps), json!({}));
    sim.accept_all();
    // Another attempt that comes to the same is no change.
    sim.decide("b", DecisionKind::Reopen);
    sim.decide("b", DecisionKind::Retry { instruction: String::new(), scope: InstructionScope::This, model: None });
    sim.decide("b", DecisionKind::Accept);
    assert_eq!(sim.waiting(GateKind::Stale), Vec::<String>::new());
    sim.decide("a", DecisionKind::Reopen);
    sim.decide("a", DecisionKind::Edit { output: json!("X"), accept: true });
    assert_eq!(because(&sim, "c"), ["a"]);
}

#[test]
fn a_list_that_changed_is_named_by_what_changed_in_it() {
    let steps = json!([
        prompt("each", "{{ item }}", &json!({ "for_each": { "list": "['x', 'y', 'z']" } })),
        prompt("end", "{{ steps.each.outputs | join }}", &json!({})),
    ]);
    let mut sim = Sim::new(workflow(&steps), json!({}));
    sim.accept_all();
    sim.decide("each[1]", DecisionKind::Reopen);
    sim.decide("each[1]", DecisionKind::Edit { output: json!("new"), accept: true });
    assert_eq!(because(&sim, "end"), ["each[1]"]);
}

#[test]
fn a_call_in_review_stays_in_review_when_a_branch_is_left_and_taken_again() {
    let steps = json!([
        step("n", "inputs.n", &json!({ "review": "always" })),
        prompt("p", "hello", &json!({ "when": "steps.n.output > 1" })),
        step("end", "steps.p.output", &json!({ "join": "ended" })),
    ]);
    let mut sim = Sim::new(workflow(&steps), json!({ "n": 2 }));
    sim.accept_all();
    assert_eq!(sim.body(), "HELLO");
    let mut sim = Sim::new(workflow(&steps), json!({ "n": 2 }));
    sim.decide("n", DecisionKind::Accept);
    assert_eq!(sim.waiting(GateKind::Review), ["p"]);
    for (n, waits) in [(1, vec![]), (3, vec!["p"])] {
        sim.decide("n", DecisionKind::Reopen);
        sim.decide("n", DecisionKind::Edit { output: json!(n), accept: true });
        assert_eq!(sim.waiting(GateKind::Review), waits);
        assert_eq!(sim.waiting(GateKind::Stale), Vec::<String>::new());
    }
    assert_eq!(sim.performed.iter().filter(|key| *key == "p").count(), 1, "nothing is paid for twice");
}

#[test]
fn a_reopened_call_makes_nothing_stale_before_another_version_is_accepted() {
    let mut all = prompt("c", "three", &json!({ "after": ["b"] }));
    all["does"]["history"] = json!("all");
    let steps = json!([prompt("a", "one", &json!({})), prompt("b", "{{ steps.a.output }}", &json!({})), all]);
    let mut sim = Sim::new(workflow(&steps), json!({}));
    sim.decide("a", DecisionKind::Accept);
    sim.decide("b", DecisionKind::Accept);
    assert_eq!(sim.waiting(GateKind::Review), ["c"]);
    sim.decide("a", DecisionKind::Reopen);
    assert_eq!(sim.waiting(GateKind::Review), ["a", "c"]);
    sim.decide("a", DecisionKind::Accept);
    assert_eq!(sim.waiting(GateKind::Stale), Vec::<String>::new());
    assert_eq!(sim.waiting(GateKind::Review), ["c"]);
}

#[test]
fn another_title_of_the_run_makes_nothing_stale() {
    let mut sim = Sim::new(workflow(&json!([prompt("a", "{{ run.title }}", &json!({}))])), json!({}));
    let renamed = Event::RunRenamed { title: "Other".into(), by: "ana@here".into() };
    sim.apply(renamed.clone());
    sim.settle(&[renamed]);
    sim.decide("a", DecisionKind::Accept);
    assert_eq!((sim.run.title.as_str(), sim.body().as_str()), ("Other", "TEST"));
}

/// The same run with another definition, as after `resume --update`.
fn updated(mut sim: Sim, task: Task) -> Sim {
    sim.pinned = Arc::new(Pinned { task, children: std::collections::BTreeMap::new(), folder: None });
    sim.flow = crate::flow::of(&sim.pinned, &crate::flow::Environment::new());
    sim.session = sim.flow.open(&sim.run);
    sim.settle(&[]);
    sim
}

#[test]
fn what_a_new_definition_does_not_have_waits_for_nobody() {
    let before = json!([
        prompt("a", "one", &json!({})),
        prompt("gone", "two", &json!({})),
        prompt("many", "{{ item }}", &json!({ "for_each": { "list": "[1, 2]" } })),
        command("act"),
    ]);
    let sim = Sim::new(workflow(&before), json!({}));
    assert_eq!(sim.waiting(GateKind::Review), ["a", "gone", "many[0]", "many[1]"]);
    let after = json!([prompt("a", "one", &json!({})), prompt("many", "three", &json!({}))]);
    let mut sim = updated(sim, workflow(&after));
    assert_eq!(sim.waiting(GateKind::Review), ["a", "many"]);
    assert_eq!(sim.status("gone"), CallStatus::Cancelled);
    sim.accept_all();
    assert_eq!(sim.body(), "THREE");
}

fn command(id: &str) -> Value {
    json!({ "id": id, "does": { "kind": "command", "argv": ["x"], "parse": "text" }, "rules": { "approve": "never" } })
}

#[test]
fn a_new_definition_leaves_alone_what_it_does_not_change() {
    let steps = |first: &str, last: &str| {
        workflow(&json!([
            prompt("a", first, &json!({})),
            prompt("b", "b", &json!({})),
            prompt("c", last, &json!({ "after": ["a", "b"] })),
        ]))
    };
    let mut sim = Sim::new(steps("a", "c"), json!({}));
    sim.decide("a", DecisionKind::Accept);
    let sim = updated(sim, steps("a", "other"));
    assert_eq!((sim.waiting(GateKind::Review), sim.waiting(GateKind::Stale)), (vec!["b".to_owned()], vec![]));
    let mut sim = updated(sim, steps("new", "other"));
    assert_eq!(
        (sim.waiting(GateKind::Review), sim.waiting(GateKind::Stale)),
        (vec!["b".to_owned()], vec!["a".to_owned()])
    );
    assert_eq!(because(&sim, "a"), Vec::<String>::new(), "nothing before it changed, it did itself");
    sim.decide("a", DecisionKind::Again { model: None });
    sim.accept_all();
    assert_eq!(sim.body(), "OTHER");
}

#[test]
fn a_long_history_is_condensed_by_a_call_of_its_own() {
    let long = "word ".repeat(40);
    let mut last = prompt("c", "three", &json!({ "after": ["b"], "review": "never" }));
    last["does"]["history"] = json!("all");
    last["does"]["summarize_over"] = json!(60);
    let steps =
        json!([prompt("a", &format!("one {long}"), &json!({})), prompt("b", "two", &json!({ "after": ["a"] })), last]);
    let mut sim = Sim::performing(workflow(&steps), json!({}), |want, attempt| match want.step.as_str() {
        "summary" => Ok(json!("it began")),
        _ => shout(want, attempt),
    });
    sim.accept_all();
    assert_eq!(sim.performed, ["a", "b", "c.summary", "c"]);
    let said = |sim: &Sim, key: &str| {
        let call = sim.run.call(&key.parse().unwrap()).unwrap();
        let Some(Work::Prompt(work)) = call.newest().unwrap().work.as_deref() else { panic!("a prompt") };
        work.messages.iter().map(|message| message.text.clone()).collect::<Vec<_>>()
    };
    assert_eq!(said(&sim, "c"), ["Sum up what was said so far.", "it began", "two", "TWO", "three"]);
    let asked = said(&sim, "c.summary").remove(0);
    assert!(asked.contains("at most 40 words") && asked.contains("Request:\none word") && !asked.contains("two"));
    assert_eq!(sim.body(), "THREE");

    // A person may edit the summary like anything else; what was made from it is then stale.
    sim.decide("c.summary", DecisionKind::Reopen);
    sim.decide("c.summary", DecisionKind::Edit { output: json!("it began well"), accept: true });
    assert_eq!(sim.waiting(GateKind::Stale), ["c"]);
    sim.decide("c", DecisionKind::Again { model: None });
    assert_eq!(said(&sim, "c")[1], "it began well");

    // A summary of something else is made without a question; what is asked about is the call that it is for.
    sim.decide("a", DecisionKind::Reopen);
    sim.decide("a", DecisionKind::Edit { output: json!(format!("new {long}")), accept: true });
    assert_eq!(sim.waiting(GateKind::Stale), ["c"]);
    assert_eq!(sim.performed.iter().filter(|key| *key == "c.summary").count(), 2);
}

#[test]
fn a_summary_that_fails_fails_its_call_and_can_be_taken_up() {
    let mut last = prompt("b", "two", &json!({ "after": ["a"], "review": "never" }));
    last["does"]["history"] = json!({ "steps": ["a"] });
    last["does"]["summarize_over"] = json!(10);
    let steps = json!([prompt("a", &"long ".repeat(30), &json!({ "review": "never" })), last]);
    let mut sim = Sim::performing(workflow(&steps), json!({}), |want, attempt| match want.step.as_str() {
        "summary" if attempt == 1 => Err(Failure::new(FailureClass::Server, "down")),
        _ => shout(want, attempt),
    });
    assert_eq!(sim.failure().0, "b.summary");
    sim.decide("b.summary", DecisionKind::Again { model: None });
    assert_eq!(sim.body(), "TWO");
}

/// The failures that the flow has noted of a call, by their messages.
fn failed(sim: &Sim, key: &str) -> Vec<String> {
    let failures = sim.journal.iter().filter_map(|event| match event {
        Event::CallFailed { key: failed, error, .. } if failed.to_string() == key => Some(error.message.clone()),
        _ => None,
    });
    failures.collect()
}

#[test]
fn a_template_that_does_not_work_out_fails_once_and_again_when_what_it_is_made_from_changes() {
    let steps = json!([
        prompt("a", "x", &json!({ "review": "always" })),
        prompt("b", "{{ steps.a.output.x }} {{ steps.a.output.y }}", &json!({ "on_failure": "continue" })),
        prompt("c", "wait", &json!({ "review": "always" })),
    ]);
    let mut sim = Sim::new(workflow(&steps), json!({}));
    sim.decide("a", DecisionKind::Edit { output: json!({ "z": 1 }), accept: true });
    let first = failed(&sim, "b");
    assert!(first.len() == 1 && first[0].contains("steps.a.output.x"), "{first:?}");
    // A session that is opened again does not say so again.
    sim.settle(&[]);
    assert_eq!(failed(&sim, "b").len(), 1);
    // What a person reads is what is wrong now.
    sim.decide("a", DecisionKind::Reopen);
    sim.decide("a", DecisionKind::Edit { output: json!({ "x": 1 }), accept: true });
    let then = failed(&sim, "b");
    assert!(then.len() == 2 && then[1].contains("steps.a.output.y"), "{then:?}");
}

/// The checks that what waits fails.
fn fails(sim: &Sim, key: &str) -> Vec<String> {
    sim.run.call(&key.parse().unwrap()).unwrap().gate().expect("it waits").failed_checks().to_vec()
}

#[test]
fn an_edit_of_an_accepted_call_that_was_reopened_is_judged_by_its_checks() {
    let checks = json!([{ "expr": "output | length > 2", "says": "more than two letters" }]);
    for rules in [
        json!({ "checks": checks }),
        json!({ "checks": checks, "review": "never" }),
        json!({ "checks": checks, "review": "failed" }),
    ] {
        let mut sim = Sim::new(workflow(&json!([prompt("a", "hello", &rules)])), json!({}));
        if !sim.waiting(GateKind::Review).is_empty() {
            sim.decide("a", DecisionKind::Accept);
        }
        sim.decide("a", DecisionKind::Reopen);
        assert_eq!(fails(&sim, "a"), Vec::<String>::new());
        sim.decide("a", DecisionKind::Edit { output: json!("ab"), accept: false });
        assert_eq!(fails(&sim, "a"), ["more than two letters"], "{rules}");
        sim.decide("a", DecisionKind::Edit { output: json!("abc"), accept: false });
        assert_eq!(fails(&sim, "a"), Vec::<String>::new(), "{rules}");
        sim.decide("a", DecisionKind::Edit { output: json!("x"), accept: false });
        sim.decide("a", DecisionKind::Accept);
        assert_eq!(sim.body(), "x", "a person may take it all the same");
        let accepted = sim.journal.iter().rev().find_map(|event| match event {
            Event::CallAccepted { overridden, .. } => Some(overridden.clone()),
            _ => None,
        });
        assert_eq!(accepted.unwrap(), ["more than two letters"], "and that is recorded");
    }
}

#[test]
fn an_edit_of_a_form_that_was_reopened_stays_a_form() {
    let fields = json!([{ "name": "n", "type": "integer", "required": true, "max": 5.0 }]);
    let ask = json!({ "id": "q", "does": { "kind": "ask", "text": null, "fields": fields }, "rules": {} });
    let mut sim = Sim::performing(workflow(&json!([ask])), json!({}), |_, _| Ok(json!({ "n": 1 })));
    sim.decide("q", DecisionKind::Reopen);
    sim.decide("q", DecisionKind::Edit { output: json!({ "n": 2 }), accept: false });
    let gate = sim.run.call(&"q".parse().unwrap()).unwrap().gate().unwrap();
    assert!(gate.fields().is_some(), "{gate:?}");
}
