//! Secrets in what a graph wants.

use std::sync::Arc;

use chrono::DateTime;

use super::*;
use crate::core::event::Created;
use crate::core::id::RunId;
use crate::core::pinned::Pinned;
use crate::core::task::Kind;
use crate::core::work::secret_marker;
use crate::flow::{Environment, of};

const NONCE: &str = "a0a16b2767bd12a8555b";

/// The work of the one command of a run with the inputs `token`, a secret, and `topic`, and its fingerprint.
fn wanted(does: &Value) -> (Work, String) {
    let mut command = json!({ "kind": "command", "argv": ["cat"], "parse": "text" });
    command.as_object_mut().unwrap().extend(does.as_object().unwrap().clone());
    let mut task = workflow(&json!([{ "id": "c", "does": command }]));
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
