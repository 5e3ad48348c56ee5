//! What a model is sent that calls tools: the tools by their names on the wire, the turns so far with what its calls
//! returned; and what comes back, as a turn.
//!
//! A provider's own ids of the calls, and what else it must be sent back, are part of what the journal keeps of a turn and
//! are seen by nobody else. A call of a tool that there is not, or with arguments that are none, is kept as the model wrote
//! it: whoever makes the calls refuses it, and the model reads why.

use std::fmt::Write as _;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::core::event::Measured;
use crate::core::failure::{Failure, FailureClass};
use crate::core::model::{Message, ModelCall, Role, ToolOffer, ToolResult};
use crate::core::ports::{PastTurn, Transcript};
use crate::core::text::Untrusted;
use crate::core::tool::{AskedCall, CallReturn, FinishedTurn, WireNames};
use crate::core::tool_call::ToolCallId;

/// A model reads no more of what one call returned, in bytes: it would see nothing else.
const MOST_READ: usize = 256 * 1024;

/// The turns of an attempt, ready to be sent.
#[derive(Default)]
pub(super) struct Conversation {
    names: WireNames,
    pub(super) offers: Vec<ToolOffer>,
    /// The turns so far, to follow the prompt.
    pub(super) turns: Vec<Message>,
    finished: u32,
}

/// What is kept of a turn for its provider.
#[derive(Serialize, Deserialize)]
struct Opaque {
    /// The ids of its calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ids: Vec<String>,
    /// What the provider gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provider: Option<Arc<Value>>,
}

impl Conversation {
    /// Of an attempt; nothing where its model calls no tools.
    pub(super) fn of(transcript: Option<&Transcript>) -> Self {
        let Some(transcript) = transcript else { return Self::default() };
        let names = WireNames::of(&transcript.tools);
        let offers = transcript.tools.iter().zip(names.names()).map(|(spec, name)| ToolOffer {
            name: name.clone(),
            description: spec.description.data().to_owned(),
            input: spec.input.clone(),
        });
        let offers = offers.collect();
        let turns = transcript.turns.iter().flat_map(|turn| messages(turn, &names)).collect();
        let finished = transcript.turns.last().map_or(0, |past| past.turn.turn);
        Self { names, offers, turns, finished }
    }

    /// What a model may call nothing in has no turns.
    pub(super) fn calls_tools(&self) -> bool {
        !self.offers.is_empty()
    }

    /// A turn that ended in calls.
    pub(super) fn turn(
        &self,
        text: String,
        calls: Vec<ModelCall>,
        opaque: Option<Arc<Value>>,
        measured: Measured,
    ) -> FinishedTurn {
        let turn = self.finished.saturating_add(1);
        let ids: Vec<String> = calls.iter().map(|call| call.id.clone()).collect();
        let kept = Opaque { ids: if ids.iter().all(String::is_empty) { Vec::new() } else { ids }, provider: opaque };
        let opaque = (!kept.ids.is_empty() || kept.provider.is_some())
            .then(|| serde_json::to_value(&kept).ok().map(Arc::new))
            .flatten();
        let asked = calls.into_iter().zip(0..).map(|(call, index)| AskedCall {
            call: ToolCallId { turn, index },
            tool: self.names.tool(&call.name).map_or(call.name, str::to_owned),
            arguments: Arc::new(call.arguments),
        });
        FinishedTurn { turn, text: Untrusted::from(text), calls: asked.collect(), opaque, measured }
    }
}

/// A turn as it is sent again, and what its calls returned.
fn messages(past: &PastTurn, names: &WireNames) -> [Message; 2] {
    let turn = &past.turn;
    let kept = turn.opaque.as_deref().and_then(|opaque| Opaque::deserialize(opaque).ok());
    let (ids, provider) = kept.map_or((Vec::new(), None), |kept| (kept.ids, kept.provider));
    let id = |index: usize| ids.get(index).cloned().unwrap_or_default();
    let name = |call: &AskedCall| names.wire(&call.tool).map_or_else(|| WireNames::safe(&call.tool), str::to_owned);
    let calls = turn.calls.iter().enumerate().map(|(index, call)| ModelCall {
        id: id(index),
        name: name(call),
        arguments: (*call.arguments).clone(),
    });
    let results = turn.calls.iter().zip(&past.returned).enumerate().map(|(index, (call, (returned, changed)))| {
        let (mut text, is_error) = read(returned);
        if let Some(changed) = changed {
            text.insert_str(0, &format!("(A person changed the arguments to {changed} before it was called.)\n"));
        }
        let images = match &**returned {
            CallReturn::Returned { images, .. } => images.clone(),
            CallReturn::Failed { .. } => Vec::new(),
        };
        ToolResult { id: id(index), name: name(call), text, images, is_error }
    });
    let (calls, results) = (calls.collect(), results.collect());
    [
        Message { calls, opaque: provider, ..Message::new(Role::Assistant, turn.text.data()) },
        Message { results, ..Message::new(Role::Tool, "") },
    ]
}

/// What a model reads of what a call returned, and whether it is an error.
fn read(returned: &CallReturn) -> (String, bool) {
    match returned {
        CallReturn::Returned { output, is_error, notes, .. } => {
            let text = match &**output {
                Value::String(text) => text.clone(),
                value => value.to_string(),
            };
            let mut read = cut(text);
            for note in notes {
                // Writing to a String cannot fail.
                let _ = write!(read, "\n({note})");
            }
            (read, *is_error)
        }
        CallReturn::Failed { error } => (why(error), true),
    }
}

fn why(error: &Failure) -> String {
    let mut text = match error.class {
        FailureClass::Denied => format!("A person did not allow this call: {}", error.message),
        _ => error.message.clone(),
    };
    if let Some(detail) = &error.detail {
        text.push('\n');
        text.push_str(detail);
    }
    cut(text)
}

fn cut(mut text: String) -> String {
    if text.len() > MOST_READ {
        let left_out = text.len() - text.floor_char_boundary(MOST_READ);
        text.truncate(text.len() - left_out);
        // Writing to a String cannot fail.
        let _ = write!(text, "\n(… {left_out} bytes more are left out here)");
    }
    text
}
