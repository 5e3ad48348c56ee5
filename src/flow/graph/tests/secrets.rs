//! Secrets in what a graph wants.

use std::sync::Arc;

use chrono::DateTime;

use super::*;
use crate::core::event::Created;
use crate::core::fingerprint::Fingerprint;
use crate::core::id::RunId;
use crate::core::pinned::Pinned;
use crate::core::task::Kind;
use crate::core::work::{secret_marker, secret_name};
use crate::flow::{Environment, of};

const NONCE: &str = "a0a16b2767bd12a8555b";

/// The work of the one command of a run with the inputs `token`, a secret, and `topic`, and its fingerprint.
fn wanted(does: &Value) -> (Work, String) {
    let mut command = json!({ "kind": "command", "argv": ["cat"], "parse": "text" });
    command.as_object_mut().unwrap().extend(does.as_object().unwrap().clone());
    wanted_of(&command)
}

/// The same of any step.
fn wanted_of(does: &Value) -> (Work, String) {
    let mut task = workflow(&json!([{ "id": "c", "does": does }]));
    task.inputs = serde_json::from_value(json!([{ "name": "token", "type": "secret" }, { "name": "topic" }])).unwrap();
    let pinned = Arc::new(Pinned { task, children: [].into(), folder: None });
    let created = Created {
        task: "test".into(),
        kind: Kind::Workflow,
        title: "Test".into(),
        by: "ana@here".into(),
        cwd: "/".into(),
        inputs: Arc::new(json!({ "token": "env:TOKEN", "topic": "tide" })),
        definition: pinned.hash().unwrap(),
        nonce: NONCE.into(),
        session: None,
        state: Value::Null,
        earlier_runs: Vec::new(),
        learned: Vec::new(),
        model: None,
        budget: None,
        origin: None,
    };
    let run = Run::new(RunId::new(1, [0; 10]), DateTime::UNIX_EPOCH, &created);
    let wants = of(&pinned, &Environment::new()).open(&run).feed(&[]);
    let [want] = wants.calls.as_slice() else { panic!("one call, not {:?}", wants.calls) };
    ((*want.work).clone(), want.fingerprint.to_string())
}

fn stdin(work: &Work) -> &str {
    match work {
        Work::Command(command) => &command.stdin,
        other => panic!("no command but {other:?}"),
    }
}

#[test]
fn the_stdin_that_is_made_up_for_a_command_holds_no_secret_and_the_fingerprint_is_that_of_the_first_release() {
    let (work, fingerprint) = wanted(&json!({}));
    assert_eq!(stdin(&work), r#"{"inputs":{"topic":"tide"},"step":"c","steps":{}}"#);
    // As version 0.1.0 made it of the same definition and inputs: what it accepted goes on standing.
    assert_eq!(fingerprint, "770ee7c96f7575ddf5b318f0067ad84cf20dfb7ddbb88631bb961e8655dd7cec");
}

#[test]
fn a_stdin_that_names_a_secret_holds_it() {
    let (work, _) = wanted(&json!({ "stdin": "key={{ inputs.token }}" }));
    assert_eq!(stdin(&work), format!("key={}", secret_marker(NONCE, "token")));
}

/// What a step wants that is not a command.
fn work_of(does: &Value) -> Work {
    wanted_of(does).0
}

#[test]
fn no_prompt_has_what_stands_for_a_secret_and_the_fingerprint_is_that_of_the_first_release() {
    let (work, fingerprint) =
        wanted_of(&json!({ "kind": "prompt", "prompt": "Of {{ inputs }} and {{ inputs | tojson }}." }));
    let Work::Prompt(prompt) = &work else { panic!("a prompt") };
    assert_eq!(prompt.messages[0].text, "Of {'topic': 'tide'} and {\"topic\": \"tide\"}.");
    assert!(!serde_json::to_string(&work).unwrap().contains("⟦secret"));
    // As version 0.1.0 made it: of the name of the secret, without the run's nonce.
    let seen =
        "Of {'token': '⟦secret::token⟧', 'topic': 'tide'} and {\"token\": \"⟦secret::token⟧\", \"topic\": \"tide\"}.";
    let same = json!(["c", { "kind": "prompt", "messages": [{ "role": "user", "text": seen }] }]);
    assert_eq!(fingerprint, Fingerprint::of(&same).unwrap().to_string());
}

#[test]
fn a_body_has_the_secret_that_it_names_and_no_other_way_leads_to_it() {
    let marker = secret_marker(NONCE, "token");
    let request = |more: Value| {
        let mut does = json!({ "kind": "http", "method": "POST", "url": "http://127.0.0.1/" });
        does.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        match work_of(&does) {
            Work::Http(request) => request,
            other => panic!("{other:?}"),
        }
    };
    let named =
        request(json!({ "json": { "key": "{{ inputs.token }}" }, "headers": { "A": "{{ inputs['token'] }}" } }));
    assert_eq!((named.body.unwrap(), &named.headers["A"]), (format!("{{\"key\":\"{marker}\"}}"), &marker));
    // A name that the definition does not write, and what a model may have seen of an older version.
    let whole = request(
        json!({ "json": { "all": "{{ inputs }}" }, "headers": { "A": "{% for n in inputs %}{{ n }}{% endfor %}" } }),
    );
    assert_eq!(
        (whole.body.unwrap().as_str(), whole.headers["A"].as_str()),
        ("{\"all\":{\"topic\":\"tide\"}}", "topic")
    );
    let seen = secret_name(NONCE, "token");
    let told = request(json!({ "body": format!("it says {seen}"), "headers": { "A": seen } }));
    assert_eq!((told.body.unwrap().as_str(), told.headers["A"].as_str()), ("it says ⟦secret token⟧", "⟦secret token⟧"));
    let both = request(json!({ "body": "{{ inputs.token }} {{ inputs }}" }));
    assert_eq!(both.body.unwrap(), format!("{marker} {{'topic': 'tide'}}"));
}

#[test]
fn what_a_step_makes_of_the_inputs_has_no_secret() {
    assert_eq!(
        work_of(&json!({ "kind": "transform", "expr": "inputs" })),
        Work::Transform { value: json!({ "topic": "tide" }), schema: None }
    );
}
