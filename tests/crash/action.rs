//! A person who has a document changed by two actions, one after the other, and writes in it themselves in between.

use serde_json::json;
use stepwell::core::event::Event;
use stepwell::core::id::RunId;
use stepwell::core::ports::AttemptRequest;
use stepwell::core::run::{Run, Status};
use stepwell::core::work::Work;
use stepwell::engine::EngineError;

use crate::harness::{Act, Harness, prompt};
use crate::person::is_over;
use crate::sandbox::Sandbox;

/// The versions of the document, in their order.
pub const VERSIONS: [&str; 4] = ["The SEA", "THE SEA!", "The sea, by hand", "THE SEA, BY HAND?"];

fn perform(request: &AttemptRequest) -> Act {
    let Work::Prompt(prompt) = &*request.work else { panic!("nobody asks for {}", request.work.kind()) };
    Act::Say(json!(prompt.messages.last().unwrap().text.to_uppercase()))
}

/// Does all that is left to do in a place.
pub async fn change_a_document(sandbox: &Sandbox) {
    let harness = Harness::within(sandbox.path(), perform);
    let definition = json!({
        "result": { "title": "Sea", "body": "The {{ steps.a.output }}" },
        "actions": [
            { "id": "louder", "name": "Louder", "prompt": "{{ document.body }}!" },
            { "id": "doubt", "name": "Doubt", "prompt": "{{ document.body }}?" },
        ],
    });
    let run = match harness.engine.find("last") {
        Ok(run) => run,
        Err(_) => {
            harness.start_with(&json!([prompt("a", "sea", json!({ "review": "never" }))]), &definition, json!({}))
        }
    };
    loop {
        let state = harness.engine.load(run).unwrap();
        if state.status != Status::Completed {
            to_its_end(sandbox, &harness, run).await;
            continue;
        }
        // What is on the screen is what there is: the newest version says what comes next.
        let number = state.documents["result"].current().unwrap().0;
        let done = match number {
            1 => harness.engine.act(run, "result", Some(number), "louder").await,
            2 => harness.engine.edit_document(run, "result", number, "Sea", VERSIONS[2]).await,
            3 => harness.engine.act(run, "result", Some(number), "doubt").await,
            _ => return,
        };
        assert!(matches!(done, Ok(()) | Err(EngineError::Refused(_))), "{done:?}");
    }
}

async fn to_its_end(sandbox: &Sandbox, harness: &Harness, run: RunId) {
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.drive(run).unwrap();
    while !is_over(sandbox, &mut updates).await {}
}

/// Each change was asked for once and made one version, in the order in which the person had them made.
pub fn check(run: &Run, events: impl Iterator<Item = Event>) {
    let versions = &run.documents["result"].versions;
    assert_eq!(versions.iter().map(|version| version.body.data()).collect::<Vec<_>>(), VERSIONS);
    let makers: Vec<_> = versions.iter().map(|version| (version.by.as_str(), version.made_by())).collect();
    assert_eq!(makers, [("model", None), ("model", Some("louder")), ("ana@here", None), ("model", Some("doubt"))]);
    let asked: Vec<String> = events
        .filter_map(|event| match event {
            Event::ActionRequested { action, .. } => Some(action),
            _ => None,
        })
        .collect();
    assert_eq!(asked, ["louder", "doubt"]);
}
