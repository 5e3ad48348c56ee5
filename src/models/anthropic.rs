//! Anthropic's messages. A schema becomes the input of a tool that the model has to call.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::core::failure::FailureClass;
use crate::core::model::{Finish, Image, Message, Role};

use super::dialect::{
    Completeness, Dialect, PartialAnswer, ProviderError, RequestContext, conversation, object_schema,
};
use super::finish::finish;
use super::frames::Framing;
use super::halves::mark_halves;

pub(super) struct Anthropic;

/// The protocol wants a limit. This one holds a long document; a model that takes less says so, and is asked for
/// [`SMALL_ANSWER`].
const LARGE_ANSWER: u32 = 16_000;
const SMALL_ANSWER: u32 = 4_096;

impl Dialect for Anthropic {
    fn path(&self) -> &'static str {
        "/v1/messages"
    }

    fn framing(&self) -> Framing {
        Framing::Sse
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
        let usual = if context.unsupported.max_tokens { SMALL_ANSWER } else { LARGE_ANSWER };
        let mut body = json!({
            "model": context.model,
            "max_tokens": request.max_tokens.unwrap_or(usual),
            "messages": messages,
            "stream": true,
        });
        if let Some(system) = system {
            body["system"] = json!(system);
        }
        if let Some(temperature) = request.temperature.filter(|_| !context.unsupported.temperature) {
            body["temperature"] = json!(temperature);
        }
        if let Some(schema) = context.native_schema() {
            body["tools"] = json!([{
                "name": "answer",
                "description": "Gives the answer.",
                "input_schema": object_schema(schema),
            }]);
            body["tool_choice"] = json!({"type": "tool", "name": "answer"});
        }
        body
    }

    fn frame(&self, frame: &str, answer: &mut PartialAnswer) -> Result<(), ProviderError> {
        let frame = mark_halves(frame);
        let event: Event<'_> =
            serde_json::from_str(&frame).map_err(|error| ProviderError::unreadable(&frame, &error))?;
        match &*event.kind {
            "message_start" => answer.count(event.message.and_then(|message| message.usage)),
            "content_block_start" => {
                let block = event.content_block.unwrap_or_default();
                answer.push_thinking(&block.thinking.unwrap_or_default());
                answer.push(&block.text.unwrap_or_default());
            }
            "content_block_delta" => {
                let delta = event.delta.unwrap_or_default();
                answer.push_thinking(&delta.thinking.unwrap_or_default());
                answer.push(&delta.text.unwrap_or_default());
                if let Some(json) = delta.partial_json {
                    answer.push_arguments(event.index, "", &json);
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
            "error" => {
                let Problem { kind, message } = event.error.unwrap_or_default();
                let class = match &*kind {
                    "authentication_error" | "permission_error" | "billing_error" => FailureClass::Auth,
                    "rate_limit_error" => FailureClass::RateLimit,
                    "invalid_request_error" | "not_found_error" => FailureClass::BadRequest,
                    "request_too_large" => FailureClass::TooLong,
                    "timeout_error" => FailureClass::Timeout,
                    _ => FailureClass::Server,
                };
                return Err(ProviderError::new(class, format!("ended the answer with an error: {kind}: {message}")));
            }
            // `ping`, `content_block_stop`, and what may come to be.
            _ => {}
        }
        Ok(())
    }
}

impl PartialAnswer {
    fn count(&mut self, usage: Option<Counts>) {
        let usage = usage.unwrap_or_default();
        let cached = usage.cache_written.unwrap_or(0) + usage.cache_read.unwrap_or(0);
        self.input_tokens = usage.input.map_or(self.input_tokens, |tokens| tokens + cached);
        self.output_tokens = usage.output.unwrap_or(self.output_tokens);
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
    index: Option<u64>,
    #[serde(default)]
    message: Option<Start>,
    #[serde(borrow, default)]
    content_block: Option<Block<'a>>,
    #[serde(borrow, default)]
    delta: Option<Delta<'a>>,
    #[serde(default)]
    usage: Option<Counts>,
    #[serde(borrow, default)]
    error: Option<Problem<'a>>,
}

#[derive(Deserialize)]
struct Start {
    #[serde(default)]
    usage: Option<Counts>,
}

#[derive(Default, Deserialize)]
struct Block<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    thinking: Option<Cow<'a, str>>,
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

#[derive(Default, Deserialize)]
struct Problem<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    message: Cow<'a, str>,
}
