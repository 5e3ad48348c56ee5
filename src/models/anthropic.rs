//! Anthropic's messages. A schema becomes the input of a tool that the model has to call.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::core::model::{Finish, Image, Message, Role};
use crate::core::tuning::Thinking;

use super::dialect::{
    Completeness, Dialect, PartialAnswer, ProviderError, RequestContext, conversation, extend, object_schema, thinking,
};
use super::refusal::{self, Asked};

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
        let (mut system, turns) = conversation(context);
        // Empty text is refused.
        let turns = turns.iter().filter(|m| !m.text.trim().is_empty() || !m.images.is_empty());
        let mut messages: Vec<Value> = turns.map(|turn| message(turn)).collect();
        if messages.is_empty() {
            // Somebody has to begin.
            messages.push(json!({"role": "user", "content": system.take().unwrap_or_else(|| "(nothing)".to_owned())}));
        }
        let (tuning, unsupported) = (&request.tuning, context.unsupported);
        let thoughts = tuning.thinking.as_ref().filter(|_| !unsupported.thinking);
        let thinks = thoughts.is_some_and(Thinking::is_on);
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
        let tool = context.native_schema().map(object_schema);
        if thinks && tool.is_some() {
            // It can only be told to call the tool, not held to it.
            let told = system.take().map_or_else(String::new, |system| format!("{system}\n\n"));
            system = Some(format!("{told}Give your answer by calling the tool `answer`."));
        }
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
        if let Some(schema) = tool {
            body["tools"] = json!([{
                "name": "answer",
                "description": "Gives the answer.",
                "input_schema": schema,
            }]);
            let choice = if thinks { json!({"type": "auto"}) } else { json!({"type": "tool", "name": "answer"}) };
            body["tool_choice"] = choice;
        }
        if context.settings.prompt_caching {
            keep(&mut body);
        }
        extend(&mut body, context);
        body
    }

    fn frame(&self, frame: &str, answer: &mut PartialAnswer) -> Result<(), ProviderError> {
        let event: Event<'_> = serde_json::from_str(frame).map_err(|error| ProviderError::unreadable(frame, &error))?;
        match &*event.kind {
            "message_start" => {
                let Start { usage, model } = event.message.unwrap_or_default();
                answer.count(usage);
                answer.model = model.unwrap_or_default();
            }
            "content_block_start" => {
                let block = event.content_block.unwrap_or_default();
                answer.push(&block.text.unwrap_or_default());
            }
            "content_block_delta" => {
                let delta = event.delta.unwrap_or_default();
                answer.alive |= delta.thinking.is_some_and(|thought| !thought.is_empty());
                answer.push(&delta.text.unwrap_or_default());
                answer.push_arguments(&delta.partial_json.unwrap_or_default());
            }
            "message_delta" => {
                answer.count(event.usage);
                if let Some(reason) = event.delta.and_then(|delta| delta.stop_reason) {
                    answer.ended(Completeness::Stated);
                    match &*reason {
                        "max_tokens" | "model_context_window_exceeded" => answer.finish = Finish::Length,
                        "refusal" => answer.finish = Finish::Refused,
                        _ => {}
                    }
                }
            }
            "message_stop" => answer.ended(Completeness::Closed),
            "message" => return self.whole(frame, answer),
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
            let delta = match block["type"].as_str() {
                Some("tool_use") => json!({"partial_json": block["input"].to_string()}),
                Some("thinking") => json!({"thinking": block["thinking"]}),
                _ => json!({"text": block["text"]}),
            };
            events.push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
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

fn message(message: &Message) -> Value {
    let role = if message.role == Role::Assistant { "assistant" } else { "user" };
    if message.images.is_empty() {
        return json!({"role": role, "content": message.text});
    }
    let image = |image: &Image| json!({"type": "image", "source": {"type": "base64", "media_type": image.media_type, "data": &*image.base64}});
    let text = (!message.text.trim().is_empty()).then(|| json!({"type": "text", "text": message.text}));
    json!({"role": role, "content": message.images.iter().map(image).chain(text).collect::<Vec<_>>()})
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Cow<'a, str>,
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
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
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
