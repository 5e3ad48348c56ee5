//! Every key is read into the types that runs are made of.

use serde_json::json;

use super::read;
use crate::core::failure::FailureClass;
use crate::core::form::FieldType;
use crate::core::step::{
    Approve, Does, History, Join, OnCrash, OnFailure, OnTimeout, Parse, Review, Timespan, Transform,
};
use crate::core::task::{Body, FlowKind, Kind, Task, Workflow};
use crate::core::tuning::Thinking;

const FILES: [(&str, &str); 2] =
    [("prompts/write.md", "Write {{ item.subject }}."), ("schemas/stanza.json", r#"{"type":"object"}"#)];

fn every_key() -> (Task, Workflow) {
    let (draft, mistakes) = read(Kind::Workflow, include_str!("every_key.toml"), &FILES);
    assert_eq!(mistakes, Vec::<String>::new());
    let task = draft.unwrap().task;
    let Body::Workflow(workflow) = task.body.clone() else { panic!("a workflow") };
    (task, workflow)
}

#[test]
fn the_keys_of_a_workflow_are_read() {
    let (task, workflow) = every_key();
    assert_eq!((task.id.as_str(), task.icon.as_deref(), task.model.as_deref()), ("every", Some("✎"), Some("careful")));
    assert_eq!(task.meta, Some(json!({"author": "me", "when": "2026-11-20"})));
    assert_eq!((task.actions[0].id.as_str(), task.follow_ups[0].input.as_str()), ("shorter", "text"));
    assert_eq!((workflow.version, workflow.max_concurrency, workflow.max_calls), (3, 2, 50));
    assert_eq!(workflow.flow, FlowKind::Graph);
    assert_eq!(workflow.budget.unwrap().tokens, Some(200_000));
    assert_eq!(workflow.retry.on, [FailureClass::RateLimit, FailureClass::Server]);
    assert_eq!(workflow.result.unwrap().title, "{{ inputs.topic }}");
    assert_eq!(workflow.then[0].when.as_deref(), Some("inputs.stanzas > 1"));
    let kinds: Vec<_> = task.inputs.iter().map(|field| (field.kind, field.required)).collect();
    assert_eq!(
        kinds,
        [
            (FieldType::Text, true),
            (FieldType::Integer, false),
            (FieldType::Image, false),
            (FieldType::Choice, false),
            (FieldType::Secret, false),
            (FieldType::Json, false)
        ]
    );
}

#[test]
fn the_keys_of_steps_are_read() {
    let (_, workflow) = every_key();
    let step = |id: &str| workflow.all_steps().into_iter().find(|step| step.id == id).unwrap().clone();

    let divide = step("divide");
    let Does::Prompt(prompt) = &divide.does else { panic!("a prompt") };
    assert_eq!((prompt.temperature, prompt.max_tokens, prompt.seed), (Some(0.7), Some(800), Some(7)));
    let tuning = &prompt.tuning;
    assert_eq!(
        (tuning.top_p, &tuning.stop, &tuning.thinking),
        (Some(0.9), &vec!["END".to_owned()], &Some(Thinking::Set(false)))
    );
    assert_eq!((tuning.reasoning_effort.as_deref(), &tuning.extra_body["user"]), (Some("low"), &"me".into()));
    assert_eq!(
        (prompt.fallback.clone(), prompt.attach.clone()),
        (vec!["local/y".to_owned()], vec!["inputs.photo".to_owned()])
    );
    assert_eq!((divide.title(), divide.rules.review.clone()), ("Divide into stanzas", Some(Review::Always)));
    assert_eq!((divide.rules.on_crash, divide.rules.timeout), (Some(OnCrash::Ask), Some(Timespan(120_000))));
    let retry = divide.rules.retry.unwrap();
    assert_eq!((retry.attempts, retry.delay), (1, Timespan(2_000)), "a step's retry is laid over the workflow's");
    assert_eq!((divide.rules.on_timeout, divide.rules.cache), (Some(OnTimeout::Skip), Some(Timespan(86_400_000))));
    assert_eq!((divide.rules.priority, divide.rules.idempotent), (5, true));

    let write = step("write");
    let Does::Prompt(prompt) = &write.does else { panic!("a prompt") };
    assert_eq!(prompt.prompt, "Write {{ item.subject }}.");
    assert_eq!(
        (prompt.history.clone(), prompt.summarize_over),
        (Some(History::Steps(vec!["divide".into()])), Some(50_000))
    );
    assert_eq!(write.rules.output, Some(json!({"type": "object"})));
    assert!(write.rules.for_each.unwrap().one_by_one);
    assert_eq!(write.rules.on_failure, OnFailure::Handler("mend".into()));
    assert_eq!(write.rules.review, Some(Review::When("output.lines | length > 4".into())));

    let repeat = step("draft").rules.repeat.unwrap();
    assert_eq!((repeat.max, repeat.accept_last), (4, true));
    assert!(
        matches!(step("route").does, Does::Switch { cases, default } if cases[0].to == ["log"] && default == ["fetch"])
    );

    let Does::Command(command) = step("log").does else { panic!("a command") };
    assert_eq!(
        (command.parse, command.shell, command.env["TOKEN"].as_str()),
        (Parse::Lines, true, "{{ inputs.token }}")
    );
    assert_eq!(step("log").rules.approve, Some(Approve::Once));
    let Does::Http(http) = step("fetch").does else { panic!("a request") };
    assert_eq!(http.json, Some(json!({"q": ["{{ inputs.topic }}", 1, true]})));
    assert!(matches!(step("search").does, Does::Tool { tool, .. } if tool == "files/search"));
    assert!(matches!(step("ask_me").does, Does::Ask { fields, .. } if fields[0].kind == FieldType::Multiline));

    let all = step("all");
    assert_eq!((all.inner().len(), all.rules.join, all.rules.output.clone()), (2, Join::Ended, None));
    assert!(matches!(all.does, Does::Group { output: Some(output), .. } if output == "steps.inner_b.output"));
    assert!(
        matches!(step("count").does, Does::Transform(Transform::Set(set)) if set["words"] == "steps.draft.output | length")
    );
    assert_eq!(step("count").rules.set_state["seen"], "output.words");
    assert!(matches!(step("child").does, Does::Workflow { workflow, .. } if workflow == "poem"));
}

#[test]
fn the_keys_of_an_instruct_task_are_read() {
    let (draft, mistakes) = read(
        Kind::Instruct,
        r#"
            id = "email"
            name = "Write an email"
            model = "default"
            instruction = """Write to {{ inputs.who }}."""
            inputs = [{ name = "who" }]
            needs = [{ name = "recipient", description = "who it is for" }]
            [result]
            title = "the subject"
            body = "the text"
            kind = "email"
            [[actions]]
            id = "shorter"
            instruction = "Shorter."
            [[follow_ups]]
            task = "translate"
            input = "text"
        "#,
        &[],
    );
    assert_eq!(mistakes, Vec::<String>::new());
    let task = draft.unwrap().task;
    let Body::Instruct(instruct) = &task.body else { panic!("an instruct task") };
    assert_eq!(instruct.needs[0].description, "who it is for");
    assert_eq!(instruct.result.as_ref().unwrap().kind.as_deref(), Some("email"));
    assert_eq!((task.actions[0].name.as_str(), task.follow_ups[0].label.as_str()), ("shorter", "translate"));
}

#[test]
fn a_script_and_a_program_are_flows() {
    for (flow, files) in [("\"main.js\"", [("main.js", "")]), ("[\"python3\", \"main.py\"]", [("main.py", "")])] {
        let (draft, mistakes) = read(Kind::Workflow, &format!("id = \"a\"\nname = \"A\"\nflow = {flow}\n"), &files);
        assert_eq!(mistakes, Vec::<String>::new());
        let Body::Workflow(workflow) = draft.unwrap().task.body else { panic!("a workflow") };
        assert_ne!(workflow.flow, FlowKind::Graph);
    }
}

#[test]
fn a_result_without_a_body_leaves_that_to_the_run_where_the_last_step_is_a_child() {
    let body = |steps: &str| {
        let text = format!("id = \"w\"\nname = \"W\"\n{steps}[result]\ntitle = \"t\"\n");
        let (draft, mistakes) = read(Kind::Workflow, &text, &[]);
        assert_eq!(mistakes, Vec::<String>::new(), "{steps}");
        let Body::Workflow(workflow) = draft.unwrap().task.body else { panic!("a workflow") };
        workflow.result.unwrap().body
    };
    let child = "kind = \"workflow\"\nworkflow = \"poem\"\n";
    assert_eq!(body(&format!("[[steps]]\nid = \"k\"\n{child}")), None);
    assert_eq!(body(&format!("[[steps]]\nid = \"k\"\nfor_each = \"[1]\"\n{child}")), None);
    assert_eq!(body(&format!("[[steps]]\nid = \"g\"\nkind = \"group\"\n[[steps.steps]]\nid = \"k\"\n{child}")), None);
    // As the first release kept it.
    assert_eq!(body("[[steps]]\nid = \"a\"\nprompt = \"x\"\n").unwrap(), "{{ steps['a'].output }}");
    let list = body("[[steps]]\nid = \"a\"\nprompt = \"x\"\nfor_each = \"[1]\"\n");
    assert_eq!(list.unwrap(), "{{ steps['a'].outputs | join('\n\n') }}");
}
