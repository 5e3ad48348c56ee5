//! Prompts whose model calls tools, and tools of the author's own.

use std::sync::Arc;

use serde_json::{Value, json};
use stepwell::core::failure::{Failure, FailureClass};
use stepwell::core::model::{Finish, Image, ModelCall, Role};
use stepwell::core::ports::{AttemptOutcome, PastTurn, Transcript};
use stepwell::core::tool::{CallReturn, FinishedTurn, OfferedTools, ToolHints, ToolSpec};
use stepwell::core::work::{PromptWork, Work};

use crate::fixture::{Says, StepFixture};

fn spec(tool: &str) -> ToolSpec {
    let (input, hints) = (json!({ "type": "object" }), ToolHints::default());
    ToolSpec { tool: tool.to_owned(), description: format!("Does {tool}.").into(), input, output: None, hints }
}

fn call(id: &str, name: &str, arguments: Value) -> ModelCall {
    ModelCall { id: id.to_owned(), name: name.to_owned(), arguments }
}

fn transcript(turns: Vec<PastTurn>) -> Option<Transcript> {
    Some(Transcript { tools: Arc::from([spec("files/read"), spec("price")]), turns })
}

fn prompt(schema: Option<Value>) -> Work {
    let tools = OfferedTools::of(&["files/*".to_owned(), "price".to_owned()], None, None, &Default::default());
    let messages = vec![stepwell::core::model::Message::new(Role::User, "What does it cost?")];
    Work::Prompt(PromptWork { messages, schema, tools, ..PromptWork::default() })
}

fn returned(output: Value) -> Arc<CallReturn> {
    let (is_error, images, notes) = (false, Vec::new(), Vec::new());
    Arc::new(CallReturn::Returned { output: Arc::new(output), is_error, images, notes })
}

async fn turn(fixture: &StepFixture, work: Work) -> FinishedTurn {
    match fixture.perform(work).await {
        AttemptOutcome::Turn(turn) => turn,
        other => panic!("no turn: {other:?}"),
    }
}

#[tokio::test]
async fn a_model_that_calls_tools_ends_a_turn_and_is_asked_again_with_what_they_returned() {
    let mut fixture = StepFixture::new().says([
        Says::Calls(
            "Let me look. ",
            vec![
                call("c1", "files__read", json!({ "path": "a" })),
                call("c2", "price", json!({})),
                call("c3", "nowhere!", json!("{")),
            ],
        ),
        Says::Text("It costs 3.", Finish::Stop),
    ]);
    fixture.transcript = transcript(Vec::new());
    let first = turn(&fixture, prompt(None)).await;
    assert_eq!((first.turn, first.text.data(), first.measured.finish), (1, "Let me look. ", Some(Finish::Calls)));
    let calls: Vec<(String, &str)> = first.calls.iter().map(|call| (call.call.to_string(), &*call.tool)).collect();
    assert_eq!(calls, [("1.0".to_owned(), "files/read"), ("1.1".to_owned(), "price"), ("1.2".to_owned(), "nowhere!")]);
    assert_eq!(fixture.shown(), "Let me look. ", "what is said beside calls streams");
    assert_eq!(first.measured.usage.input_tokens, 10);

    let denied = CallReturn::Failed { error: Failure::new(FailureClass::Denied, "too dear") };
    let image = Image { name: "p.png".into(), media_type: "image/png".into(), base64: "AA==".into() };
    let shown = CallReturn::Returned {
        output: Arc::new(json!({ "text": 1 })),
        is_error: true,
        images: vec![image],
        notes: vec!["more is in FILE".into()],
    };
    let ends = vec![
        (returned(json!("text of a")), Some(Arc::new(json!({ "path": "b" })))),
        (Arc::new(denied), None),
        (Arc::new(shown), None),
    ];
    fixture.transcript = transcript(vec![PastTurn { turn: Arc::new(first), returned: ends }]);
    let AttemptOutcome::Done { output, .. } = fixture.perform(prompt(None)).await else { panic!() };
    assert_eq!(output, "It costs 3.");
    let asked = fixture.asked();
    assert_eq!(asked[0].tools.iter().map(|tool| &*tool.name).collect::<Vec<_>>(), ["files__read", "price"]);
    let [_, said, results] = &asked[1].messages[..] else { panic!("{:?}", asked[1].messages) };
    assert_eq!(
        (said.role, said.text.as_str(), said.opaque.as_deref()),
        (Role::Assistant, "Let me look. ", Some(&json!({ "signed": "thoughts" })))
    );
    assert_eq!(said.calls[0], call("c1", "files__read", json!({ "path": "a" })));
    assert_eq!(
        (said.calls[2].id.as_str(), said.calls[2].name.as_str()),
        ("c3", "nowhere_"),
        "a name that providers take"
    );
    assert_eq!(results.role, Role::Tool);
    let read: Vec<(&str, &str, bool)> =
        results.results.iter().map(|result| (&*result.id, &*result.text, result.is_error)).collect();
    assert_eq!(
        read,
        [
            ("c1", "(A person changed the arguments to {\"path\":\"b\"} before it was called.)\ntext of a", false),
            ("c2", "A person did not allow this call: too dear", true),
            ("c3", "{\"text\":1}\n(more is in FILE)", true),
        ]
    );
    assert_eq!(results.results[2].images.len(), 1);
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_asked_for_once_more_with_all_that_the_tools_returned() {
    let schema =
        Some(json!({ "type": "object", "properties": { "price": { "type": "integer" } }, "required": ["price"] }));
    let mut fixture = StepFixture::new().says([
        Says::Calls("", vec![call("", "price", json!({}))]),
        Says::Text("{\"cost\": 3}", Finish::Stop),
        Says::Text("{\"price\": 3}", Finish::Stop),
    ]);
    fixture.transcript = transcript(Vec::new());
    let first = turn(&fixture, prompt(schema.clone())).await;
    assert_eq!(first.opaque.as_deref(), Some(&json!({ "provider": { "signed": "thoughts" } })), "no ids, none kept");
    fixture.transcript =
        transcript(vec![PastTurn { turn: Arc::new(first), returned: vec![(returned(json!(3)), None)] }]);
    let AttemptOutcome::Done { output, problem, .. } = fixture.perform(prompt(schema)).await else { panic!() };
    assert_eq!((output, problem), (json!({ "price": 3 }), None));
    let repair = &fixture.asked()[2];
    assert_eq!(repair.messages.len(), 5, "the prompt, the turn, what it returned, the answer, what was wrong with it");
    assert_eq!(repair.messages[2].results[0].text, "3");
    assert_eq!(repair.tools.len(), 2);
}

#[tokio::test]
async fn a_model_that_looks_again_before_it_answers_once_more_is_let() {
    let schema = Some(json!({ "type": "object", "required": ["price"] }));
    let mut fixture = StepFixture::new()
        .says([Says::Text("no idea", Finish::Stop), Says::Calls("", vec![call("c", "price", json!({}))])]);
    fixture.transcript = transcript(Vec::new());
    let first = turn(&fixture, prompt(schema)).await;
    assert_eq!((first.turn, first.calls.len(), first.measured.usage.input_tokens), (1, 1, 20));
    assert_eq!(first.measured.discarded[0].text.data(), "no idea");
}

#[tokio::test]
async fn what_was_not_offered_cannot_be_called() {
    let fixture = StepFixture::new().says([Says::Calls("An answer.", vec![call("c", "price", json!({}))])]);
    let AttemptOutcome::Done { output, .. } = fixture.perform(prompt(None)).await else { panic!() };
    assert_eq!(output, "An answer.");
}
