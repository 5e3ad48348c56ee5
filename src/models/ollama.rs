//! Ollama's own protocol: through its other door the length of the context cannot be set, and prompts are cut silently.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::core::model::{Image, Message, ModelCall, Role, ToolResult};
use crate::core::usage::estimate_tokens;

use super::dialect::{Dialect, ProviderError, RequestContext, conversation, extend};
use super::finish::finish;
use super::halves::mark_halves;
use super::lenient::{ToolCall, push_calls};
use super::offers::{AnswerTool, arguments, function, parameters, result_text};
use super::opaque;
use super::partial_answer::{Completeness, PartialAnswer};
use super::refusal::{self, Asked};
use super::stray::is_meaningful;

pub(super) struct Ollama;

/// The context is one of few sizes, because a change of it makes Ollama load the model again.
const CONTEXTS: [u64; 5] = [8_192, 16_384, 32_768, 65_536, 131_072];

/// Room for an answer without a limit, in tokens.
const ANSWER_ROOM: u64 = 2_048;

/// The field of a message that has what a model thought.
const THINKING: &str = "thinking";

/// A prompt of fewer tokens is too short to be cut, and its estimate too coarse to be held against the server.
const SHORT: u64 = 200;

impl Dialect for Ollama {
    fn path(&self) -> &'static str {
        "/api/chat"
    }

    fn key_header(&self, key: &str) -> (&'static str, String) {
        ("authorization", format!("Bearer {key}"))
    }

    fn body(&self, context: &RequestContext<'_>) -> Value {
        let request = context.request;
        // Beside tools a format for the text would keep the model from calling them.
        let answer = AnswerTool::of(request, context.unsupported).filter(|_| !request.tools.is_empty());
        let (system, turns) = conversation(context, answer.as_ref());
        let system = system.map(|text| json!({"role": "system", "content": text}));
        let turns = turns.iter().flat_map(|turn| messages(turn, context));
        let messages: Vec<Value> = system.into_iter().chain(turns).collect();
        let mut options = Map::new();
        options.insert("num_ctx".to_owned(), json!(context_size(context)));
        if let Some(temperature) = request.temperature.filter(|_| !context.unsupported.temperature) {
            options.insert("temperature".to_owned(), json!(temperature));
        }
        if let Some(seed) = request.seed.filter(|_| !context.unsupported.seed) {
            options.insert("seed".to_owned(), json!(seed));
        }
        if let Some(limit) = request.max_tokens {
            options.insert("num_predict".to_owned(), json!(limit));
        }
        let (tuning, unsupported) = (&request.tuning, context.unsupported);
        if let Some(top_p) = tuning.top_p.filter(|_| !unsupported.top_p) {
            options.insert("top_p".to_owned(), json!(top_p));
        }
        if !tuning.stop.is_empty() && !unsupported.stop {
            options.insert("stop".to_owned(), json!(tuning.stop));
        }
        let mut body = json!({"model": context.model, "messages": messages, "stream": true, "options": options});
        let effort = tuning.reasoning_effort.as_ref().filter(|_| !unsupported.effort);
        let think = tuning.thinking.as_ref().map(|thinking| json!(thinking.is_on()));
        // Models that take a measure of it take it in the place of a yes.
        let think = if think == Some(json!(false)) { think } else { effort.map(|effort| json!(effort)).or(think) };
        if let Some(think) = think.filter(|_| !unsupported.thinking) {
            body["think"] = think;
        }
        if let Some(keep_alive) = &context.settings.keep_alive {
            body["keep_alive"] = keep_alive.clone();
        }
        if request.tools.is_empty() {
            if let Some(schema) = context.native_schema() {
                body["format"] = schema.clone();
            }
        } else {
            let offers = request.tools.iter();
            let offers = offers.map(|tool| function(&tool.name, &tool.description, &parameters(&tool.input)));
            let answer = answer.map(|tool| function(tool.name, tool.description, &tool.schema));
            body["tools"] = offers.chain(answer).collect();
        }
        extend(&mut body, context);
        body
    }

    fn frame(&self, frame: &str, answer: &mut PartialAnswer) -> Result<(), ProviderError> {
        let frame = mark_halves(frame);
        let chunk: Chunk<'_> =
            serde_json::from_str(&frame).map_err(|error| ProviderError::unreadable(&frame, &error))?;
        if let Some(error) = chunk.error.filter(is_meaningful) {
            return Err(refusal::in_answer(&error, Asked::default()));
        }
        // A proxy that answers in the shape of another path.
        answer.push(&chunk.response.unwrap_or_default());
        if let Some(message) = chunk.message {
            answer.push_thinking_in(THINKING, &message.thinking.unwrap_or_default());
            answer.push(&message.content.unwrap_or_default());
            push_calls(message.tool_calls.unwrap_or_default(), answer);
        }
        if let Some(model) = chunk.model.filter(|_| answer.model.is_empty()) {
            answer.model = model.into_owned();
        }
        answer.input_tokens = chunk.prompt_eval_count.unwrap_or(answer.input_tokens);
        answer.output_tokens = chunk.eval_count.unwrap_or(answer.output_tokens);
        if chunk.done {
            // Older servers give no reason.
            if let Some(reason) = chunk.done_reason.filter(|reason| !reason.is_empty()) {
                answer.finish = finish(&reason)?;
            }
            answer.ended(Completeness::Closed);
        }
        Ok(())
    }

    fn check(&self, context: &RequestContext<'_>, answer: &mut PartialAnswer) {
        let (sent, read) = (context.request.prompt_tokens(), answer.input_tokens);
        // 0: an older server that had the whole prompt in its cache.
        if sent >= SHORT && read > 0 && read * 2 < sent {
            answer.notes.push(format!(
                "The prompt was cut: the server read {read} of about {sent} tokens. \
                 Shorten it, or take a model with a longer context."
            ));
        }
    }
}

/// The smallest context that holds prompt and answer. A quarter of the bytes is a low estimate for code and for other
/// scripts than Latin, so half as much again is added.
fn context_size(context: &RequestContext<'_>) -> u64 {
    let schema = context.request.schema.as_ref().map_or(0, |schema| estimate_tokens(&schema.to_string()));
    let prompt = context.request.prompt_tokens().saturating_add(schema);
    let needed = prompt.saturating_mul(3) / 2 + context.request.max_tokens.map_or(ANSWER_ROOM, u64::from);
    let [.., largest] = CONTEXTS;
    let size = CONTEXTS.into_iter().find(|size| *size >= needed).unwrap_or(largest);
    context.settings.num_ctx.map_or(size, |most| size.min(most))
}

/// A message of ours, as one or several of the protocol.
fn messages(message: &Message, context: &RequestContext<'_>) -> Vec<Value> {
    if message.role == Role::Tool {
        return message.results.iter().map(result).collect();
    }
    let role = if message.role == Role::Assistant { "assistant" } else { "user" };
    let mut value = said(role, &message.text, &message.images);
    if !message.calls.is_empty() {
        let call = |call: &ModelCall| json!({"function": {"name": call.name, "arguments": arguments(call)}});
        value["tool_calls"] = message.calls.iter().map(call).collect();
        if let Some(thoughts) = opaque::kept(message, context).and_then(|kept| kept.get(THINKING)) {
            value[THINKING] = thoughts.clone();
        }
    }
    vec![value]
}

fn said(role: &str, text: &str, images: &[Image]) -> Value {
    let mut value = json!({"role": role, "content": text});
    if !images.is_empty() {
        value["images"] = images.iter().map(|image| json!(&*image.base64)).collect();
    }
    value
}

/// What a tool returned: the protocol knows it by its name, and by its place.
fn result(result: &ToolResult) -> Value {
    let mut value = said("tool", &result_text(result), &result.images);
    value["tool_name"] = json!(result.name);
    value
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow, default)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    message: Option<Said<'a>>,
    #[serde(borrow, default)]
    response: Option<Cow<'a, str>>,
    #[serde(default)]
    error: Option<Value>,
    #[serde(default)]
    done: bool,
    #[serde(borrow, default)]
    done_reason: Option<Cow<'a, str>>,
    #[serde(default)]
    prompt_eval_count: Option<u64>,
    #[serde(default)]
    eval_count: Option<u64>,
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow, default)]
    content: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    thinking: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<ToolCall<'a>>>,
}
