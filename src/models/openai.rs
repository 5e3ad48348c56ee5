//! Chat completions: `OpenAI`, and any server that speaks like it.
//!
//! Made for servers that leave things out: absent, null, empty and unknown fields are all taken.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::core::failure::FailureClass;
use crate::core::model::{Finish, Image, Message, Role};

use super::dialect::{
    Completeness, Dialect, PartialAnswer, ProviderError, RequestContext, conversation, extend, object_schema, thinking,
};
use super::refusal::{self, Asked};
use super::stray::is_meaningful;
use super::unsupported::SchemaMode;

pub(super) struct OpenAi;

impl Dialect for OpenAi {
    fn path(&self) -> &'static str {
        "/chat/completions"
    }

    fn key_header(&self, key: &str) -> (&'static str, String) {
        ("authorization", format!("Bearer {key}"))
    }

    fn body(&self, context: &RequestContext<'_>) -> Value {
        let request = context.request;
        let (system, turns) = conversation(context);
        let system = system.map(|text| json!({"role": "system", "content": text}));
        let messages: Vec<Value> = system.into_iter().chain(turns.iter().map(|turn| message(turn))).collect();
        let mut body = json!({"model": context.model, "messages": messages, "stream": true});
        if !context.unsupported.stream_options {
            body["stream_options"] = json!({"include_usage": true});
        }
        if let Some(temperature) = request.temperature.filter(|_| !context.unsupported.temperature) {
            body["temperature"] = json!(temperature);
        }
        if let Some(seed) = request.seed.filter(|_| !context.unsupported.seed) {
            body["seed"] = json!(seed);
        }
        let (tuning, unsupported) = (&request.tuning, context.unsupported);
        if let Some(top_p) = tuning.top_p.filter(|_| !unsupported.top_p) {
            body["top_p"] = json!(top_p);
        }
        if !tuning.stop.is_empty() && !unsupported.stop {
            body["stop"] = json!(tuning.stop);
        }
        if let Some(effort) = tuning.reasoning_effort.as_ref().filter(|_| !unsupported.effort) {
            body["reasoning_effort"] = json!(effort);
        }
        if let Some(set) = tuning.thinking.as_ref().filter(|_| !unsupported.thinking) {
            body["thinking"] = thinking(set, None);
        }
        if let Some(limit) = request.max_tokens {
            // The service has renamed it; other servers know the old name. Whichever is refused, the other is tried.
            let renamed = context.official != context.unsupported.max_tokens;
            body[if renamed { "max_completion_tokens" } else { "max_tokens" }] = json!(limit);
        }
        if let Some(schema) = context.native_schema() {
            let strict = context.unsupported.schema == SchemaMode::Native && self.is_strict(schema);
            let schema = object_schema(schema);
            body["response_format"] = json!({
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": strict, "schema": schema},
            });
        }
        extend(&mut body, context);
        body
    }

    fn is_strict(&self, schema: &Value) -> bool {
        is_strict(&object_schema(schema))
    }

    fn frame(&self, frame: &str, answer: &mut PartialAnswer) -> Result<(), ProviderError> {
        let chunk: Chunk<'_> = serde_json::from_str(frame).map_err(|error| ProviderError::unreadable(frame, &error))?;
        if let Some(error) = chunk.error.filter(is_meaningful) {
            return Err(refusal::in_answer(&error, Asked::default()));
        }
        for choice in chunk.choices.unwrap_or_default() {
            // `message` comes from servers that do not stream.
            if let Some(delta) = choice.delta.or(choice.message) {
                answer.alive |= [&delta.reasoning, &delta.reasoning_content].iter().any(|t| !t.0.is_empty());
                answer.push(&delta.content.0);
                if !delta.refusal.0.is_empty() {
                    answer.push(&delta.refusal.0);
                    answer.finish = Finish::Refused;
                }
                for call in delta.tool_calls.unwrap_or_default() {
                    answer.push_arguments(&call.function.unwrap_or_default().arguments.0);
                }
            }
            match choice.finish_reason.as_deref() {
                None => {}
                Some("") => answer.ended(Completeness::Likely),
                Some(reason) => {
                    answer.ended(Completeness::Stated);
                    match reason {
                        "length" => answer.finish = Finish::Length,
                        "content_filter" => answer.finish = Finish::Refused,
                        "error" => {
                            return Err(ProviderError::new(FailureClass::Server, "ended the answer with an error"));
                        }
                        _ => {}
                    }
                }
            }
        }
        if let Some(Value::Object(usage)) = chunk.usage {
            count(&usage, answer);
        }
        if let Some(model) = chunk.model.filter(|_| answer.model.is_empty()) {
            answer.model = model.into_owned();
        }
        Ok(())
    }
}

/// What a report of usage says, in the words of several services.
fn count(usage: &Map<String, Value>, answer: &mut PartialAnswer) {
    let count = |names: &[&str]| names.iter().find_map(|name| usage.get(*name)?.as_u64());
    let within = |outer: &str, inner: &str| usage.get(outer)?.get(inner)?.as_u64();
    answer.input_tokens = count(&["prompt_tokens", "input_tokens"]).unwrap_or(answer.input_tokens);
    answer.output_tokens = count(&["completion_tokens", "output_tokens"]).unwrap_or(answer.output_tokens);
    // Where thoughts are not counted in the answer, they are in the total.
    let rest = count(&["total_tokens"]).map_or(0, |total| total.saturating_sub(answer.input_tokens));
    answer.output_tokens = answer.output_tokens.max(rest);
    let cached = within("prompt_tokens_details", "cached_tokens").or_else(|| count(&["prompt_cache_hit_tokens"]));
    answer.cached_tokens = cached.unwrap_or(answer.cached_tokens);
    let cost = usage.get("cost").and_then(Value::as_f64).filter(|cost| cost.is_finite() && *cost >= 0.0);
    answer.cost = cost.or(answer.cost);
}

fn message(message: &Message) -> Value {
    let role = if message.role == Role::Assistant { "assistant" } else { "user" };
    if message.images.is_empty() {
        return json!({"role": role, "content": message.text});
    }
    let image = |image: &Image| {
        let url = format!("data:{};base64,{}", image.media_type, image.base64);
        json!({"type": "image_url", "image_url": {"url": url}})
    };
    let text = std::iter::once(json!({"type": "text", "text": message.text}));
    json!({"role": role, "content": text.chain(message.images.iter().map(image)).collect::<Vec<_>>()})
}

/// Whether the service's strict mode takes a schema: every object closed, with all its properties required.
/// What strict mode does not know at all makes the server refuse, and then the prompt asks.
fn is_strict(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => {
            let closed = match fields.get("properties").and_then(Value::as_object) {
                Some(properties) => {
                    let required = fields.get("required").and_then(Value::as_array);
                    fields.get("additionalProperties") == Some(&Value::Bool(false))
                        && properties.keys().all(|name| required.is_some_and(|all| all.iter().any(|r| r == name)))
                }
                None => fields.get("type").is_none_or(|kind| kind != "object"),
            };
            closed && fields.values().all(is_strict)
        }
        Value::Array(items) => items.iter().all(is_strict),
        _ => true,
    }
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow, default)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    model: Option<Cow<'a, str>>,
    #[serde(default)]
    usage: Option<Value>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow, default)]
    delta: Option<Delta<'a>>,
    #[serde(borrow, default)]
    message: Option<Delta<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    content: LenientText<'a>,
    #[serde(borrow, default)]
    reasoning_content: LenientText<'a>,
    #[serde(borrow, default)]
    reasoning: LenientText<'a>,
    #[serde(borrow, default)]
    refusal: LenientText<'a>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<ToolCall<'a>>>,
}

#[derive(Deserialize)]
struct ToolCall<'a> {
    #[serde(borrow, default)]
    function: Option<Function<'a>>,
}

#[derive(Default, Deserialize)]
struct Function<'a> {
    #[serde(borrow, default)]
    arguments: LenientText<'a>,
}

/// Text, or nothing where it is something else.
fn lenient<'de: 'a, 'a, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'a, str>>, D::Error> {
    let LenientText(text) = LenientText::deserialize(deserializer)?;
    Ok((!text.is_empty()).then_some(text))
}

/// Text that may be absent, null, or a list of parts of which those with a `text` count.
#[derive(Default)]
struct LenientText<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for LenientText<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> serde::de::Visitor<'de> for Any {
            type Value = LenientText<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("text")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(LenientText(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(LenientText(Cow::Owned(text.to_owned())))
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(LenientText::default())
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
                let mut text = String::new();
                while let Some(part) = parts.next_element::<Value>()? {
                    text.push_str(part.get("text").and_then(Value::as_str).unwrap_or_default());
                }
                Ok(LenientText(Cow::Owned(text)))
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                // A tool's arguments as an object instead of as text.
                let value = Value::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(LenientText(Cow::Owned(value.to_string())))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(frames: &[&str]) -> PartialAnswer {
        let mut answer = PartialAnswer::default();
        for frame in frames {
            OpenAi.frame(frame, &mut answer).unwrap();
        }
        answer
    }

    #[test]
    fn what_servers_leave_out_does_no_harm() {
        let answer = read(&[
            r#"{"choices":[{"delta":{"role":"assistant","content":null}}],"usage":{}}"#,
            r#"{"choices":[{"delta":{"content":"a\n"},"finish_reason":null,"logprobs":{}}],"usage":null}"#,
            r#"{"choices":[{"delta":{"content":[{"type":"text","text":"b"},{"type":"thinking"}]}}]}"#,
            r#"{"choices":[{"delta":{"content":"c"},"finish_reason":""}],"new":[1]}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":null}}"#,
            r#"{"choices":null}"#,
            "{}",
        ]);
        assert_eq!((answer.text.as_str(), answer.input_tokens, answer.ended), ("a\nbc", 7, Completeness::Likely));
    }

    #[test]
    fn a_refusal_a_limit_and_a_tool_call_are_told_apart() {
        assert_eq!(read(&[r#"{"choices":[{"delta":{"refusal":"No."}}]}"#]).finish, Finish::Refused);
        assert_eq!(read(&[r#"{"choices":[{"finish_reason":"length"}]}"#]).finish, Finish::Length);
        let tool = |json: &str| format!(r#"{{"choices":[{{"delta":{{"tool_calls":[{{"function":{json}}}]}}}}]}}"#);
        let answer = read(&[r#"{"choices":[{"delta":{"content":"ok: "}}]}"#, &tool(r#"{"arguments":"{\"a\""}"#)]);
        assert_eq!(answer.into_text(), r#"{"a""#);
        assert_eq!(read(&[&tool(r#"{"arguments":{"a":1}}"#)]).into_text(), r#"{"a":1}"#);
    }

    #[test]
    fn strict_is_asked_for_only_where_the_service_takes_it() {
        let closed = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
        assert!(is_strict(&closed));
        assert!(is_strict(&object_schema(&json!({"type": "array", "items": closed}))));
        assert!(!is_strict(&json!({"type": "object"})));
        assert!(!is_strict(&object_schema(&json!({"type": "array", "items": {"type": "object"}}))));
    }
}
