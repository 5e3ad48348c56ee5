//! Runs whose model calls tools.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Story, fingerprint};
use crate::core::event::{Event, Measured};
use crate::core::failure::{Failure, FailureClass};
use crate::core::gate::{Answer, ApprovalBody, Gate, GateBody, InDoubtBody, InputBody};
use crate::core::task::Kind;
use crate::core::tool::{AskedCall, CallReturn, DeclaredTools, OfferedTools, ToolHints, ToolSpec};
use crate::core::tool_call::ToolCallId;
use crate::core::work::{PromptWork, Work};

pub fn spec(tool: &str, description: &str) -> ToolSpec {
    let input = json!({"type": "object", "required": ["path"], "properties": {
        "path": {"type": "string"}, "text": {"type": "string"}}});
    let (output, hints) = (None, ToolHints::default());
    ToolSpec { tool: tool.to_owned(), description: description.into(), input, output, hints }
}

fn tools() -> Vec<ToolSpec> {
    vec![spec("files/read", "Reads a file."), spec("files/write", "Writes a file.")]
}

/// An attempt that may call tools has begun, and they are listed.
pub fn begun() -> Story {
    begun_in(Kind::Workflow)
}

/// The same of a conversation.
pub fn begun_in(kind: Kind) -> Story {
    let patterns = vec!["files/*".to_owned()];
    let offered = OfferedTools::of(&patterns, None, None, &DeclaredTools::default());
    let work = Work::Prompt(PromptWork { tools: offered, ..PromptWork::default() });
    Story::new("tidy", "tidy · notes", kind).started("tidy", 1, None, work).then(Event::ToolsListed {
        key: "tidy".parse().unwrap(),
        attempt: 1,
        tools: tools(),
    })
}

pub fn id(call: &str) -> ToolCallId {
    call.parse().unwrap()
}

pub fn turn(story: Story, turn: u32, text: &str, calls: &[(&str, Value)]) -> Story {
    let calls = calls.iter().zip(0..).map(|((tool, arguments), index)| AskedCall {
        call: ToolCallId { turn, index },
        tool: (*tool).to_owned(),
        arguments: Arc::new(arguments.clone()),
    });
    let opaque = Some(Arc::new(json!({"of": "p/m", "kept": {"signature": "SIGNED-THOUGHTS"}})));
    let (key, measured) = ("tidy".parse().unwrap(), Measured::default());
    let calls = calls.collect();
    story.then(Event::TurnFinished { key, attempt: 1, turn, text: text.into(), calls, opaque, measured })
}

pub fn called(story: Story, call: &str, tool: &str) -> Story {
    let (key, tool, arguments) = ("tidy".parse().unwrap(), tool.to_owned(), Arc::new(json!({})));
    story.then(Event::ToolCalled { key, attempt: 1, call: id(call), tool, arguments })
}

pub fn returned(story: Story, call: &str, output: Value) -> Story {
    let output = Arc::new(output);
    let outcome = CallReturn::Returned { output, is_error: false, images: Vec::new(), notes: Vec::new() };
    story.then(Event::ToolReturned { key: "tidy".parse().unwrap(), attempt: 1, call: id(call), outcome, ms: 340 })
}

/// A tool call waits to be allowed.
pub fn asks_for(story: Story, call: &str, tool: &str, args: Value) -> Story {
    let body = ApprovalBody {
        step: "tidy".to_owned(),
        work: Arc::new(Work::tool(tool, args)),
        bytes: fingerprint(),
        fingerprint: fingerprint(),
        behind: None,
        title: None,
        message: None,
    };
    let allowed = vec![Answer::Approve, Answer::Deny, Answer::Answer, Answer::Skip];
    let (key, body) = ("tidy".parse().unwrap(), GateBody::Approval(body));
    story.then(Event::GateOpened(Gate {
        key,
        workflow: None,
        call: Some(id(call)),
        attempt: 1,
        version: 0,
        body,
        allowed,
    }))
}

/// A tool asks for a name in the middle of its work.
pub fn asks_back(story: Story, call: &str) -> Story {
    let fields = serde_json::from_value(json!([{"name": "name"}])).unwrap();
    story.then(Event::GateOpened(Gate {
        key: "tidy".parse().unwrap(),
        workflow: None,
        call: Some(id(call)),
        attempt: 1,
        version: 0,
        body: GateBody::Input(InputBody::Question { fields }),
        allowed: vec![Answer::Answer, Answer::Deny],
    }))
}

/// Nobody has heard of the end of a tool call, and the person is asked.
pub fn doubts(story: Story, call: &str) -> Story {
    let why = "the server ended while it was called".to_owned();
    let allowed = vec![Answer::Answer, Answer::Again, Answer::Skip];
    story.then(Event::GateOpened(Gate {
        key: "tidy".parse().unwrap(),
        workflow: None,
        call: Some(id(call)),
        attempt: 1,
        version: 0,
        body: GateBody::InDoubt(InDoubtBody { why, partial: crate::core::text::Untrusted::default() }),
        allowed,
    }))
}

pub const NOTES: &str = "buy milk\ncall Ana\n";

pub fn write() -> Value {
    json!({"path": "notes.md", "text": "# Notes\n\n- buy milk\n- call Ana\n"})
}

/// One call has returned, one has failed, one waits for the person, and one is under way.
pub fn waiting() -> Story {
    waiting_in(Kind::Workflow)
}

/// The same of a conversation.
pub fn waiting_in(kind: Kind) -> Story {
    let calls = [("files/read", json!({"path": "notes.md"})), ("files/read", json!({"path": "todo.md"}))];
    let story = turn(begun_in(kind), 1, "I shall read both first.", &calls);
    let story = returned(called(called(story, "1.0", "files/read"), "1.1", "files/read"), "1.0", json!(NOTES));
    let error = Failure::new(FailureClass::Tool, "there is no file todo.md");
    let (key, outcome) = ("tidy".parse().unwrap(), CallReturn::Failed { error });
    let story = story.then(Event::ToolReturned { key, attempt: 1, call: id("1.1"), outcome, ms: 12_000 });
    let calls = [("files/write", write()), ("files/read", json!({"path": "a\u{1b}[31mb"}))];
    let story = turn(story, 2, "", &calls);
    asks_for(called(story, "2.1", "files/read"), "2.0", "files/write", write())
}
