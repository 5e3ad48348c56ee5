//! What a definition says to the person who approves.

use serde_json::json;
use stepwell::core::decide::DecisionKind;
use stepwell::core::description::Description;
use stepwell::core::fingerprint::Fingerprint;
use stepwell::core::gate::{ApprovalBody, GateBody};
use stepwell::core::run::{Run, Status};
use stepwell::core::work::Work;

use crate::harness::{Harness, command, prompt, shout, step};

fn asks(input: &str) -> serde_json::Value {
    json!({ "inputs": [{ "name": input }] })
}

fn approval(run: &Run) -> &ApprovalBody {
    let gate = run.waiting().next().expect("an approval");
    let GateBody::Approval(approval) = &gate.body else { panic!("{gate:?}") };
    approval
}

#[tokio::test]
async fn an_approval_says_what_the_definition_says_and_exactly_what_runs() {
    let harness = Harness::new(shout);
    let words = json!({ "when": "steps.draft.output != ''", "approve_title": "Publish {{ steps.draft.output }}", "approve_message": "For {{ inputs.who }}:\nrun:" });
    let steps = json!([prompt("draft", "hello", json!({ "review": "never" })), command("push", words)]);
    let run = harness.start_with(&steps, &asks("who"), json!({ "who": "all" }));
    let waits = harness.drive(run).await;
    let asked = approval(&waits);
    let shown = Description::of_approval(asked, &waits);
    let text = shown.text().data().to_owned();
    assert!(
        text.starts_with(
            "the definition says: Publish HELLO\nand:\n    For all:\n    run:\nrun:\n    touch\n    it\nin: /"
        ),
        "what it says can not pass for what runs: {text}"
    );
    // What is approved is what runs, whatever is said of it.
    let depends = json!({ "when": "steps.draft.output != ''" });
    let silent = json!([prompt("draft", "hello", json!({ "review": "never" })), command("push", depends)]);
    let other = harness.start_with(&silent, &asks("who"), json!({ "who": "all" }));
    let other = harness.drive(other).await;
    let plain = approval(&other);
    assert_eq!((&plain.bytes, &plain.fingerprint), (&asked.bytes, &asked.fingerprint));
    assert_eq!((&plain.title, &plain.message), (&None, &None));
    let done = harness.decide(run, "push", DecisionKind::APPROVE).await;
    assert_eq!(done.status, Status::Completed);
}

#[tokio::test]
async fn words_that_cannot_be_rendered_fail_the_step_and_not_in_silence() {
    let harness = Harness::new(shout);
    let steps = json!([command("push", json!({ "approve_message": "{{ inputs.absent.name }}" }))]);
    let run = harness.start(&steps, json!({}));
    let failed = harness.drive(run).await;
    assert_eq!(failed.status, Status::Failed);
    assert!(failed.error.as_ref().unwrap().1.message.contains("`approve_message`"), "{:?}", failed.error);
}

#[tokio::test]
async fn a_value_that_a_program_may_read_as_an_option_is_pointed_out() {
    let does = |argv: &[&str], shell: bool| json!({ "kind": "command", "argv": argv, "parse": "text", "shell": shell });
    let dashed = "--to-command=sh";
    for (argv, shell, pointed_out) in [
        (&["tar", "{{ inputs.x }}"][..], false, true),
        (&["tar", "{{ inputs.x }}.tar"], false, true),
        (&["tar", "-f", "{{ inputs.x }}"], false, true),
        (&["tar", "--", "{{ inputs.x }}"], false, false),
        (&["git", "log", "--end-of-options", "{{ inputs.x }}"], false, false),
        (&["tar", "--name={{ inputs.x }}"], false, false),
        (&["tar", "./{{ inputs.x }}"], false, false),
        (&["tar", "{% if inputs.x %}--verbose{% endif %}"], false, false),
        (&["tar", "--plain"], false, false),
        (&["tar {{ inputs.x }}"], true, true),
    ] {
        let harness = Harness::new(shout);
        let run =
            harness.start_with(&json!([step("a", does(argv, shell), json!({}))]), &asks("x"), json!({ "x": dashed }));
        let waits = harness.drive(run).await;
        let asked = approval(&waits);
        let text = Description::of_approval(asked, &waits).text().data().to_owned();
        assert_eq!(text.contains("which the program may read as options:\n    --to-command=sh"), pointed_out, "{text}");
        // It is said of the work, and no part of it: what was approved before it was said is approved still.
        let mut work = serde_json::to_value(&*asked.work).unwrap();
        work.as_object_mut().unwrap().shift_remove("options");
        assert_eq!(asked.bytes, Fingerprint::of_bytes(work.to_string().as_bytes()));
    }
}

/// A step that only the words for the person name is waited for, and yet the command reads what it reads without them.
#[tokio::test]
async fn what_a_person_is_told_of_a_command_changes_nothing_of_what_it_reads() {
    let never = json!({ "review": "never" });
    let inside = |rules: serde_json::Value| json!([{ "id": "g", "does": { "kind": "group", "steps": [command("push", rules)] }, "rules": {} }]);
    let alone = |rules: serde_json::Value| json!([command("push", rules)]);
    let words =
        json!({ "approve_title": "Publish {{ steps.draft.output }}", "approve_message": "{{ steps.hint.output }}" });
    let bare = json!({});
    let read = json!({ "approve_title": "Publish {{ steps.draft.output }}", "when": "steps.draft.output != ''" });
    let after = json!({ "approve_message": "{{ steps.hint.output }}", "after": ["hint"] });
    for of in [&inside as &dyn Fn(serde_json::Value) -> serde_json::Value, &alone] {
        let asked = async |rules: &serde_json::Value| {
            let harness = Harness::new(shout);
            let before = [prompt("draft", "hello", never.clone()), prompt("hint", "quickly", never.clone())];
            let steps = [before.to_vec(), of(rules.clone()).as_array().unwrap().clone()].concat();
            let run = harness.start(&json!(steps), json!({}));
            let waits = harness.drive(run).await;
            let asked = approval(&waits).clone();
            let stdin: serde_json::Value = match &*asked.work {
                Work::Command(work) => serde_json::from_str(&work.stdin).unwrap(),
                other => panic!("{other:?}"),
            };
            (asked, stdin["steps"].as_object().unwrap().keys().cloned().collect::<Vec<_>>())
        };
        let (told, reads) = asked(&words).await;
        assert_eq!(
            (told.title.unwrap().data(), told.message.unwrap().data()),
            ("Publish HELLO", "QUICKLY"),
            "it waited"
        );
        let (plain, nothing) = asked(&bare).await;
        assert_eq!((&told.fingerprint, &told.bytes, &reads), (&plain.fingerprint, &plain.bytes, &nothing));
        assert_eq!(nothing, Vec::<String>::new());
        assert_eq!(asked(&read).await.1, ["draft"], "what it names elsewhere, it reads");
        assert_eq!(asked(&after).await.1, if of(bare.clone())[0]["id"] == "g" { &[][..] } else { &["hint"] });
    }
}
