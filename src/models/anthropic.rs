//! Anthropic's messages. A schema becomes the input of a tool that the model has to call; where it may call others too, it
//! is asked to call that one in the end.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::core::model::{Finish, Image, Message, Role, ToolResult};
use crate::core::tuning::Thinking;

use super::dialect::{Dialect, ProviderError, RequestContext, conversation, extend, thinking};
use super::finish::finish;
use super::halves::mark_halves;
use super::offers::{AnswerTool, CallIds, arguments, parameters};
use super::opaque;
use super::partial_answer::{Completeness, PartialAnswer};
use super::refusal::{self, Asked};
use super::tool_calls::CallPiece;

pub(super) struct Anthropic;

/// The protocol wants a limit. This one holds a long document; a model that takes less says so, and is asked for
/// [`SMALL_ANSWER`].
const LARGE_ANSWER: u32 = 16_000;
const SMALL_ANSWER: u32 = 4_096;

/// How much a model may think of which only that is set, in tokens.
const THOUGHTS: u32 = 8_000;

impl Dialect for Anthropic {
    fn path(&self) -> &'static str {
        "/v1/messages"
    }

    fn key_header(&self, key: &str) -> (&'static str, String) {
        ("x-api-key", key.to_owned())
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[("anthropic-version", "2023-06-01")]
    }

    fn body(&self, context: &RequestContext<'_>) -> Value {
        let request = context.request;
        let (tuning, unsupported) = (&request.tuning, context.unsupported);
        // Who thinks must have thought in the turn that called, too: not so where another model answered it.
        let thoughts =
            tuning.thinking.as_ref().filter(|_| !unsupported.thinking && !continues_without_thoughts(context));
        let thinks = thoughts.is_some_and(Thinking::is_on);
        let answer = AnswerTool::of(request, unsupported);
        // Who thinks, or may call other tools first, can only be asked to call the tool, not held to it.
        let is_held = !thinks && request.tools.is_empty();
        let (mut system, turns) = conversation(context, answer.as_ref().filter(|_| !is_held));
        let mut messages = messages(&turns, context);
        if messages.is_empty() {
            // Somebody has to begin.
            messages.push(json!({"role": "user", "content": system.take().unwrap_or_else(|| "(nothing)".to_owned())}));
        }
        let budget = match thoughts {
            Some(Thinking::Tokens(tokens)) => *tokens,
            Some(Thinking::Set(true)) => THOUGHTS,
            _ => 0,
        };
        let usual = if unsupported.max_tokens { SMALL_ANSWER } else { LARGE_ANSWER };
        // What it thinks counts as a part of the answer.
        let usual = usual.saturating_add(budget);
        let mut body = json!({
            "model": context.model,
            "max_tokens": request.max_tokens.unwrap_or(usual),
            "messages": messages,
            "stream": true,
        });
        if let Some(system) = system {
            body["system"] = json!(system);
        }
        // Who thinks is not given these.
        if let Some(temperature) = request.temperature.filter(|_| !unsupported.temperature && !thinks) {
            body["temperature"] = json!(temperature);
        }
        if let Some(top_p) = tuning.top_p.filter(|_| !unsupported.top_p && !thinks) {
            body["top_p"] = json!(top_p);
        }
        if !tuning.stop.is_empty() && !unsupported.stop {
            body["stop_sequences"] = json!(tuning.stop);
        }
        if let Some(effort) = tuning.reasoning_effort.as_ref().filter(|_| !unsupported.effort) {
            body["output_config"] = json!({"effort": effort});
        }
        if let Some(set) = thoughts {
            body["thinking"] = thinking(set, Some(budget));
        }
        let mut tools: Vec<Value> =
            request.tools.iter().map(|tool| offer(&tool.name, &tool.description, &parameters(&tool.input))).collect();
        if let Some(answer) = answer {
            tools.push(offer(answer.name, answer.description, &answer.schema));
            body["tool_choice"] =
                if is_held { json!({"type": "tool", "name": answer.name}) } else { json!({"type": "auto"}) };
        }
        if !tools.is_empty() {
            body["tools"] = Value::Array(tools);
        }
        if context.settings.prompt_caching {
            keep(&mut body);
        }
        extend(&mut body, context);
        body
    }

    fn frame(&self, frame: &str, answer: &mut PartialAnswer) -> Result<(), ProviderError> {
        let frame = mark_halves(frame);
        let event: Event<'_> =
            serde_json::from_str(&frame).map_err(|error| ProviderError::unreadable(&frame, &error))?;
        match &*event.kind {
            "message_start" => {
                let Start { usage, model } = event.message.unwrap_or_default();
                answer.count(usage);
                answer.model = model.unwrap_or_default();
            }
            "content_block_start" => {
                event.content_block.unwrap_or_default().push_to(event.index, answer);
            }
            "content_block_delta" => {
                let delta = event.delta.unwrap_or_default();
                let (thinking, signature) = (delta.thinking.unwrap_or_default(), delta.signature.unwrap_or_default());
                answer.push_thought(event.index, &thinking, &signature);
                answer.push(&delta.text.unwrap_or_default());
                if let Some(arguments) = &delta.partial_json {
                    answer.push_call(CallPiece { index: event.index, arguments, ..CallPiece::default() });
                }
            }
            "message_delta" => {
                answer.count(event.usage);
                if let Some(reason) = event.delta.and_then(|delta| delta.stop_reason) {
                    let finish = finish(&reason)?;
                    answer.ended(Completeness::Stated);
                    if finish != Finish::Stop {
                        answer.finish = finish;
                    }
                }
            }
            "message_stop" => answer.ended(Completeness::Closed),
            "message" => return self.whole(&frame, answer),
            "error" => {
                let error = refusal::in_answer(&event.error.unwrap_or_default(), Asked::default());
                return Err(ProviderError { text: format!("ended the answer with an error: {}", error.text), ..error });
            }
            // `ping`, `content_block_stop`, and what may come to be.
            _ => {}
        }
        Ok(())
    }
}

impl Anthropic {
    /// A whole message, from a server that does not stream: the same events, one after the other.
    fn whole(&self, frame: &str, answer: &mut PartialAnswer) -> Result<(), ProviderError> {
        let message: Value = serde_json::from_str(frame).map_err(|error| ProviderError::unreadable(frame, &error))?;
        let mut events =
            vec![json!({"type": "message_start", "message": {"usage": message["usage"], "model": message["model"]}})];
        for (index, block) in message["content"].as_array().into_iter().flatten().enumerate() {
            events.push(json!({"type": "content_block_start", "index": index, "content_block": block}));
        }
        let reason = &message["stop_reason"];
        events.push(json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": message["usage"]}));
        events.push(json!({"type": "message_stop"}));
        events.iter().try_for_each(|event| self.frame(&event.to_string(), answer))
    }
}

impl PartialAnswer {
    fn count(&mut self, usage: Option<Counts>) {
        let usage = usage.unwrap_or_default();
        let cached = usage.cache_written.unwrap_or(0) + usage.cache_read.unwrap_or(0);
        self.cached_tokens = usage.cache_read.unwrap_or(self.cached_tokens);
        self.input_tokens = usage.input.map_or(self.input_tokens, |tokens| tokens + cached);
        self.output_tokens = usage.output.unwrap_or(self.output_tokens);
    }
}

/// Marks the end of the system text and of the conversation: the service keeps what comes before a mark.
fn keep(body: &mut Value) {
    let mark = json!({"type": "ephemeral"});
    if let Some(text) = body.get("system").and_then(Value::as_str) {
        body["system"] = json!([{"type": "text", "text": text, "cache_control": mark}]);
    }
    let Some(last) = body["messages"].as_array_mut().and_then(|messages| messages.last_mut()) else { return };
    if let Some(text) = last["content"].as_str() {
        last["content"] = json!([{"type": "text", "text": text}]);
    }
    if let Some(block) = last["content"].as_array_mut().and_then(|blocks| blocks.last_mut()) {
        block["cache_control"] = mark;
    }
}

/// Whether the conversation is in the middle of a turn that called tools, and has no thoughts of this model in it.
fn continues_without_thoughts(context: &RequestContext<'_>) -> bool {
    let from_the_last = || context.request.messages.iter().rev();
    // What a person says between ends a turn.
    let mut turn = from_the_last().take_while(|message| message.role != Role::User);
    let calls = turn.find(|message| !message.calls.is_empty());
    calls.is_some_and(|message| opaque::kept(message, context).is_none_or(|kept| !kept.contains_key("blocks")))
}

fn offer(name: &str, description: &str, schema: &Value) -> Value {
    let mut tool = json!({"name": name, "input_schema": schema});
    if !description.is_empty() {
        tool["description"] = json!(description);
    }
    tool
}

fn messages(turns: &[Cow<'_, Message>], context: &RequestContext<'_>) -> Vec<Value> {
    let mut ids = CallIds::plain(context.unsupported);
    let mut messages: Vec<Value> = Vec::new();
    let mut after_results = false;
    for turn in turns {
        let (role, blocks) = match turn.role {
            Role::Tool => {
                ("user", turn.results.iter().enumerate().map(|(nth, r)| result(&ids.of_result(nth, r), r)).collect())
            }
            Role::Assistant if !turn.calls.is_empty() => ("assistant", calls(turn, context, &mut ids)),
            Role::Assistant => ("assistant", said(turn)),
            Role::System | Role::User => ("user", said(turn)),
        };
        // Empty text is refused.
        let Some(first) = blocks.first() else { continue };
        // Results come first in what answers them, and what a person says then comes after them in the same message.
        let together = messages.last_mut().filter(|_| after_results && role == "user");
        if let Some(content) = together.and_then(|message| message["content"].as_array_mut()) {
            content.extend(blocks);
            continue;
        }
        after_results = turn.role == Role::Tool;
        let is_text = blocks.len() == 1 && first["type"] == "text";
        let content = if is_text { first["text"].clone() } else { Value::Array(blocks) };
        messages.push(json!({"role": role, "content": content}));
    }
    messages
}

fn said(message: &Message) -> Vec<Value> {
    message.images.iter().map(image).chain(text(&message.text)).collect()
}

fn text(text: &str) -> Option<Value> {
    (!text.trim().is_empty()).then(|| json!({"type": "text", "text": text}))
}

fn image(image: &Image) -> Value {
    json!({"type": "image", "source": {"type": "base64", "media_type": image.media_type, "data": &*image.base64}})
}

/// A turn that called tools: its thoughts where they were, its text, and its calls.
fn calls(message: &Message, context: &RequestContext<'_>, ids: &mut CallIds) -> Vec<Value> {
    let kept = opaque::kept(message, context).and_then(|kept| kept.get("blocks")?.as_array());
    let thoughts = |at: usize| {
        let here = move |kept: &&Value| kept["at"].as_u64() == u64::try_from(at).ok();
        kept.into_iter().flatten().filter(here).map(|kept| kept["block"].clone())
    };
    let ids = ids.of_calls(&message.calls);
    let mut blocks: Vec<Value> = thoughts(0).chain(text(&message.text)).collect();
    for (nth, (call, id)) in message.calls.iter().zip(ids).enumerate() {
        blocks.extend(thoughts(nth + 1));
        blocks.push(json!({"type": "tool_use", "id": id, "name": call.name, "input": arguments(call)}));
    }
    blocks
}

fn result(id: &str, result: &ToolResult) -> Value {
    let mut block = json!({"type": "tool_result", "tool_use_id": id});
    let content: Vec<Value> = text(&result.text).into_iter().chain(result.images.iter().map(image)).collect();
    if !content.is_empty() {
        block["content"] = Value::Array(content);
    }
    if result.is_error {
        block["is_error"] = json!(true);
    }
    block
}

impl Block<'_> {
    /// Takes the beginning of a block; all of it, from a server that does not stream.
    fn push_to(self, index: Option<u64>, answer: &mut PartialAnswer) {
        match &*self.kind {
            "thinking" => answer.begin_thought(index, Map::from_iter([("type".to_owned(), json!("thinking"))])),
            "redacted_thinking" => {
                let data = json!(self.data.unwrap_or_default());
                answer.begin_thought(
                    index,
                    Map::from_iter([("type".to_owned(), json!(self.kind)), ("data".to_owned(), data)]),
                );
            }
            "tool_use" => {
                let whole = self.input.filter(|input| input.as_object().is_some_and(|fields| !fields.is_empty()));
                let arguments = whole.map_or_else(String::new, |input| input.to_string());
                let (id, name) = (&*self.id.unwrap_or_default(), &*self.name.unwrap_or_default());
                answer.push_call(CallPiece { index, id, name, arguments: &arguments });
            }
            _ => {}
        }
        answer.push_thought(index, &self.thinking.unwrap_or_default(), &self.signature.unwrap_or_default());
        answer.push(&self.text.unwrap_or_default());
    }
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(default)]
    index: Option<u64>,
    #[serde(default)]
    message: Option<Start>,
    #[serde(borrow, default)]
    content_block: Option<Block<'a>>,
    #[serde(borrow, default)]
    delta: Option<Delta<'a>>,
    #[serde(default)]
    usage: Option<Counts>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Default, Deserialize)]
struct Start {
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    usage: Option<Counts>,
}

#[derive(Default, Deserialize)]
struct Block<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    thinking: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    signature: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    data: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(default)]
    input: Option<Value>,
}

#[derive(Default, Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    partial_json: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    thinking: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    signature: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    stop_reason: Option<Cow<'a, str>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Counts {
    #[serde(rename = "input_tokens")]
    input: Option<u64>,
    #[serde(rename = "output_tokens")]
    output: Option<u64>,
    #[serde(rename = "cache_creation_input_tokens")]
    cache_written: Option<u64>,
    #[serde(rename = "cache_read_input_tokens")]
    cache_read: Option<u64>,
}
