//! An answer as far as it has arrived.

use serde_json::{Map, Value, json};

use crate::core::model::{Finish, ModelCall};
use crate::core::secret::RedactedStream;

use super::halves::JoinedText;
use super::tool_calls::{CallPiece, ToolCalls};

/// How sure it is that the answer is complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Completeness {
    /// Nothing said so.
    #[default]
    No,
    /// Something that usually comes last was there; the end of the body settles it.
    Likely,
    /// The server said so; what may still come is a report of usage.
    Stated,
    /// Nothing comes any more.
    Closed,
}

/// Which calls are no calls but the answer: a schema is wrapped in a tool of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum AnswerCalls {
    /// The first that has arguments: no tools were offered.
    #[default]
    Any,
    /// Those of this tool.
    Named(String),
    /// The first that has arguments, where there is no text before it: neither tools nor a form were asked for.
    IfSilent,
    /// None of them.
    None,
}

/// The answer as far as it has arrived.
#[derive(Debug, Default)]
pub(super) struct PartialAnswer {
    text: JoinedText,
    calls: ToolCalls,
    /// Which calls are the answer.
    pub(super) answer_calls: AnswerCalls,
    /// The one that is: it counts.
    counts: Option<usize>,
    /// What the server marks as the model's reasoning.
    thinking: JoinedText,
    /// How many bytes of the text, and of the arguments that count, were passed on.
    shown: (usize, usize),
    opaque: OpaqueParts,
    /// On the way there: what the server repeats of the request's secrets is taken out.
    pub(super) redacting: RedactedStream,
    /// Something that a model makes has arrived, be it only thoughts.
    pub(super) alive: bool,
    /// Thoughts or calls have come before any text, and the person was told.
    pub(super) announced: bool,
    pub(super) input_tokens: u64,
    pub(super) output_tokens: u64,
    /// Of the input tokens, those that the server had kept from before.
    pub(super) cached_tokens: u64,
    /// What the server says that it cost, in US dollars.
    pub(super) cost: Option<f64>,
    /// The model that the server says answers; empty when it does not say.
    pub(super) model: String,
    pub(super) finish: Finish,
    pub(super) ended: Completeness,
    pub(super) notes: Vec<String>,
}

/// What the provider has to be sent back with a turn that calls tools.
#[derive(Debug, Default)]
struct OpaqueParts {
    /// The field in which reasoning came, and has to go back.
    field: Option<&'static str>,
    /// Pieces of reasoning that have a form of their own.
    details: Vec<Value>,
    /// Blocks of a turn, and before which of its other parts each came: 0 is its text, 1 its first call.
    blocks: Vec<ThoughtBlock>,
}

#[derive(Debug)]
struct ThoughtBlock {
    index: Option<u64>,
    at: usize,
    /// The block, but for what arrives in pieces.
    block: Map<String, Value>,
    thinking: JoinedText,
    signature: String,
}

/// A turn that is whole.
#[derive(Debug, Default)]
pub(super) struct WholeTurn {
    /// The text; where the answer came as a call, its arguments.
    pub(super) text: String,
    pub(super) thinking: String,
    /// The calls of offered tools.
    pub(super) calls: Vec<ModelCall>,
    /// What the provider has to be sent back with them.
    pub(super) opaque: Option<Value>,
    /// An answer that came together with calls: it was given before their results.
    pub(super) premature: Option<String>,
}

impl PartialAnswer {
    pub(super) fn push(&mut self, text: &str) {
        self.alive |= !text.is_empty();
        self.text.push(text);
    }

    pub(super) fn push_thinking(&mut self, text: &str) {
        self.alive |= !text.is_empty();
        self.thinking.push(text);
    }

    /// More reasoning, which has to be sent back in the field in which it came.
    pub(super) fn push_thinking_in(&mut self, field: &'static str, text: &str) {
        if !text.is_empty() {
            self.opaque.field.get_or_insert(field);
        }
        self.push_thinking(text);
    }

    /// A piece of reasoning in a form of its own. Pieces of one are put together.
    pub(super) fn push_detail(&mut self, piece: &Value) {
        let Some(fields) = piece.as_object() else { return };
        let same =
            |newest: &Map<String, Value>| ["type", "index"].iter().all(|name| newest.get(*name) == fields.get(*name));
        let newest = self.opaque.details.last_mut().and_then(Value::as_object_mut).filter(|newest| same(newest));
        let Some(newest) = newest else {
            self.opaque.details.push(piece.clone());
            return;
        };
        for (name, value) in fields {
            match (newest.get_mut(name), value) {
                (Some(Value::String(text)), Value::String(more))
                    if ["text", "summary", "data"].contains(&name.as_str()) =>
                {
                    text.push_str(more);
                }
                (_, Value::Null) => {}
                _ => drop(newest.insert(name.clone(), value.clone())),
            }
        }
    }

    /// A block of reasoning begins.
    pub(super) fn begin_thought(&mut self, index: Option<u64>, block: Map<String, Value>) {
        let at = if self.calls.len() > 0 { self.calls.len() + 1 } else { usize::from(!self.text.as_str().is_empty()) };
        let (thinking, signature) = (JoinedText::default(), String::new());
        self.opaque.blocks.push(ThoughtBlock { index, at, block, thinking, signature });
        self.alive = true;
    }

    /// More of the block of reasoning at `index`: thoughts, and what they are signed with.
    pub(super) fn push_thought(&mut self, index: Option<u64>, thinking: &str, signature: &str) {
        self.push_thinking(thinking);
        let blocks = &mut self.opaque.blocks;
        let of_index = blocks.iter().rposition(|block| index.is_none() || block.index == index);
        if let Some(block) = of_index.and_then(|at| blocks.get_mut(at)) {
            block.thinking.push(thinking);
            block.signature.push_str(signature);
        }
    }

    /// More of a call. Gives which it is, for [`PartialAnswer::keep_with_call`].
    pub(super) fn push_call(&mut self, piece: CallPiece<'_>) -> usize {
        self.alive |= !piece.arguments.is_empty() || !piece.name.is_empty();
        let at = self.calls.push(piece);
        if !piece.arguments.is_empty() && self.counts.is_none() && self.is_answer(at) {
            self.counts = Some(at);
        }
        at
    }

    /// Keeps what the server has to be sent back with a call.
    pub(super) fn keep_with_call(&mut self, at: usize, field: &str, value: Value) {
        self.calls.keep(at, field, value);
    }

    fn is_answer(&self, at: usize) -> bool {
        match &self.answer_calls {
            AnswerCalls::Any => true,
            AnswerCalls::IfSilent => self.text.as_str().trim().is_empty(),
            AnswerCalls::Named(name) => self.calls.name(at) == name,
            AnswerCalls::None => false,
        }
    }

    fn arguments(&self) -> Option<&str> {
        Some(self.calls.arguments(self.counts?))
    }

    /// Whether there is no text that a person could see.
    pub(super) fn is_silent(&self) -> bool {
        self.text.as_str().is_empty() && self.arguments().is_none()
    }

    /// How many calls have begun to arrive.
    pub(super) fn call_count(&self) -> usize {
        self.calls.len()
    }

    /// The name of a call that had not arrived whole when a limit cut the turn.
    pub(super) fn cut_call(&self) -> Option<&str> {
        let unasked = matches!(self.answer_calls, AnswerCalls::Any | AnswerCalls::IfSilent);
        let cut = self.calls.unfinished().filter(|_| !unasked && self.finish == Finish::Length)?;
        (!self.is_answer(cut)).then(|| self.calls.name(cut))
    }

    /// Whether the server says that a tool is called, and nothing of that has arrived.
    pub(super) fn lacks_call(&self) -> bool {
        self.finish == Finish::Calls && self.calls.len() == 0 && self.text.as_str().trim().is_empty()
    }

    /// How many bytes of it have not been passed on.
    pub(super) fn unshown(&self) -> usize {
        self.text.as_str().len() + self.arguments().map_or(0, str::len) - self.shown.0 - self.shown.1
    }

    /// What has not been passed on, which is passed on by this.
    pub(super) fn show(&mut self) -> String {
        let (text, arguments) = (self.text.as_str(), self.arguments().unwrap_or_default());
        let new = format!("{}{}", &text[self.shown.0..], &arguments[self.shown.1..]);
        self.shown = (text.len(), arguments.len());
        new
    }

    /// How long it is in all, in bytes.
    pub(super) fn length(&self) -> usize {
        self.text.as_str().len() + self.thinking.as_str().len() + self.calls.length()
    }

    pub(super) fn ended(&mut self, ended: Completeness) {
        self.ended = self.ended.max(ended);
    }

    /// The text that counts, which is the arguments of the answer's call where there is one; and the reasoning.
    pub(super) fn into_text(mut self) -> (String, String) {
        let counts = self.counts.map(|at| self.calls.take_text(at));
        (counts.unwrap_or_else(|| self.text.into_string()), self.thinking.into_string())
    }

    /// The turn, which is over.
    pub(super) fn into_turn(mut self) -> WholeTurn {
        let counts = self.counts.take().map(|at| {
            // The calls after it move up.
            self.opaque.blocks.iter_mut().filter(|block| block.at > at + 1).for_each(|block| block.at -= 1);
            self.calls.take_text(at)
        });
        let (text, thinking) = (self.text.into_string(), self.thinking.into_string());
        let offered = |call: &ModelCall| match &self.answer_calls {
            AnswerCalls::Any | AnswerCalls::IfSilent => false,
            AnswerCalls::Named(answer) => call.name != *answer,
            AnswerCalls::None => true,
        };
        let calls: Vec<(ModelCall, Map<String, Value>)> =
            self.calls.finish().into_iter().filter(|(call, _)| offered(call)).collect();
        if calls.is_empty() {
            return WholeTurn { text: counts.unwrap_or(text), thinking, ..WholeTurn::default() };
        }
        let (calls, with_calls): (Vec<ModelCall>, Vec<Map<String, Value>>) = calls.into_iter().unzip();
        let opaque = self.opaque.finish(&thinking, &with_calls);
        WholeTurn { text, thinking, calls, opaque, premature: counts }
    }
}

impl OpaqueParts {
    /// All of it as one value; `None` where there is nothing to send back.
    fn finish(self, thinking: &str, with_calls: &[Map<String, Value>]) -> Option<Value> {
        let mut kept = Map::new();
        if !self.blocks.is_empty() {
            let block = |ThoughtBlock { at, mut block, thinking, signature, .. }: ThoughtBlock| {
                let thinking = thinking.into_string();
                if block.get("type").is_some_and(|kind| kind == "thinking") {
                    block.insert("thinking".to_owned(), json!(thinking));
                    block.insert("signature".to_owned(), json!(signature));
                }
                json!({"at": at, "block": block})
            };
            kept.insert("blocks".to_owned(), self.blocks.into_iter().map(block).collect());
        }
        if !self.details.is_empty() {
            kept.insert("reasoning_details".to_owned(), Value::Array(self.details));
        } else if let Some(field) = self.field {
            kept.insert(field.to_owned(), json!(thinking));
        }
        if with_calls.iter().any(|fields| !fields.is_empty()) {
            kept.insert("calls".to_owned(), json!(with_calls));
        }
        (!kept.is_empty()).then_some(Value::Object(kept))
    }
}
