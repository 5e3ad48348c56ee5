//! Chat completions: `OpenAI`, and any server that speaks like it.
//!
//! Made for servers that leave things out: absent, null, empty and unknown fields are all taken.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::core::model::{Finish, Image, Message, Role, ToolResult};

use super::dialect::{Dialect, ProviderError, RequestContext, conversation, extend, object_schema, thinking};
use super::finish::finish;
use super::halves::mark_halves;
use super::lenient::{Function, LenientText, ToolCall, lenient_text, push_calls, push_function_call};
use super::offers::{AnswerTool, CallIds, arguments, function, parameters, result_text};
use super::opaque;
use super::partial_answer::{Completeness, PartialAnswer};
use super::refusal::{self, Asked};
use super::stray::is_meaningful;
use super::unsupported::{EffortWithTools, SchemaMode};

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
        // Beside tools a schema for the text would keep the model from calling them.
        let answer = AnswerTool::of(request, context.unsupported).filter(|_| !request.tools.is_empty());
        let (system, turns) = conversation(context, answer.as_ref());
        let system = system.map(|text| json!({"role": "system", "content": text}));
        let mut ids = CallIds::for_any(context.unsupported);
        let turns = turns.iter().flat_map(|turn| messages(turn, context, &mut ids));
        let messages: Vec<Value> = system.into_iter().chain(turns).collect();
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
        let set = || tuning.reasoning_effort.as_deref().filter(|_| !unsupported.effort);
        let effort = match unsupported.effort_with_tools {
            EffortWithTools::Off if !request.tools.is_empty() => Some("none"),
            EffortWithTools::Absent if !request.tools.is_empty() => None,
            _ => set(),
        };
        if let Some(effort) = effort {
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
        let strict = |schema: &Value| context.unsupported.schema == SchemaMode::Native && self.is_strict(schema);
        let mut tools: Vec<Value> = request
            .tools
            .iter()
            .map(|tool| function(&tool.name, &tool.description, &parameters(&tool.input)))
            .collect();
        if let (Some(answer), Some(schema)) = (&answer, &request.schema) {
            let mut tool = function(answer.name, answer.description, &answer.schema);
            if strict(schema) {
                tool["function"]["strict"] = json!(true);
            }
            tools.push(tool);
        } else if let Some(schema) = context.native_schema() {
            let strict = strict(schema);
            let schema = object_schema(schema);
            body["response_format"] = json!({
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": strict, "schema": schema},
            });
        }
        if !tools.is_empty() {
            body["tools"] = Value::Array(tools);
        }
        extend(&mut body, context);
        body
    }

    fn is_strict(&self, schema: &Value) -> bool {
        is_strict(&object_schema(schema))
    }

    fn check(&self, context: &RequestContext<'_>, answer: &mut PartialAnswer) {
        let (sent, read) = (context.request.prompt_tokens(), answer.input_tokens);
        // Some local servers take tools, and have a template that does not show them to the model.
        // Who has called one has seen them.
        let called = answer.call_count() > 0 || context.request.messages.iter().any(|said| !said.calls.is_empty());
        let offered = !context.request.tools.is_empty() && !called;
        if offered && read > 0 && read * 2 < sent {
            answer.notes.push(format!(
                "The model may not have seen its tools: the server read {read} of about {sent} tokens. Its template may have \
                 none; take a model that calls tools, or another template."
            ));
        }
    }

    fn frame(&self, frame: &str, answer: &mut PartialAnswer) -> Result<(), ProviderError> {
        let frame = mark_halves(frame);
        let chunk: Chunk<'_> =
            serde_json::from_str(&frame).map_err(|error| ProviderError::unreadable(&frame, &error))?;
        if let Some(error) = chunk.error.filter(is_meaningful) {
            return Err(refusal::in_answer(&error, Asked::default()));
        }
        for choice in chunk.choices.unwrap_or_default() {
            // `message` comes from servers that do not stream.
            if let Some(delta) = choice.delta.or(choice.message) {
                delta.push_to(answer);
            }
            if let Some(error) = choice.error.filter(is_meaningful) {
                return Err(refusal::in_answer(&error, Asked::default()));
            }
            match choice.finish_reason.as_deref() {
                None => {}
                Some("" | "null" | "none") => answer.ended(Completeness::Likely),
                Some(reason) => {
                    let finish = finish(reason)?;
                    answer.ended(Completeness::Stated);
                    if finish != Finish::Stop {
                        answer.finish = finish;
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

/// A message of ours, as one or several of the protocol.
fn messages(message: &Message, context: &RequestContext<'_>, ids: &mut CallIds) -> Vec<Value> {
    match message.role {
        Role::Tool => results(&message.results, ids),
        Role::Assistant if !message.calls.is_empty() => vec![calls(message, context, ids)],
        Role::Assistant => vec![said("assistant", &message.text, message.images.iter())],
        Role::System | Role::User => vec![said("user", &message.text, message.images.iter())],
    }
}

fn said<'a>(role: &str, text: &str, images: impl Iterator<Item = &'a Image>) -> Value {
    let mut images = images.peekable();
    if images.peek().is_none() {
        return json!({"role": role, "content": text});
    }
    let image = |image: &Image| {
        let url = format!("data:{};base64,{}", image.media_type, image.base64);
        json!({"type": "image_url", "image_url": {"url": url}})
    };
    let text = std::iter::once(json!({"type": "text", "text": text}));
    json!({"role": role, "content": text.chain(images.map(image)).collect::<Vec<_>>()})
}

/// A turn that called tools, with what its server has to be sent back.
fn calls(message: &Message, context: &RequestContext<'_>, ids: &mut CallIds) -> Value {
    let kept = opaque::kept(message, context);
    let with_calls = kept.and_then(|kept| kept.get("calls")?.as_array());
    let ids = ids.of_calls(&message.calls);
    let call = |(nth, (call, id)): (usize, (&_, &String))| {
        let arguments = arguments(call).to_string();
        let function = json!({"name": call.name, "arguments": arguments});
        let mut value = json!({"id": id, "type": "function", "function": function});
        for (field, extra) in with_calls.and_then(|with| with.get(nth)?.as_object()).into_iter().flatten() {
            value[field] = extra.clone();
        }
        value
    };
    let calls: Vec<Value> = message.calls.iter().zip(&ids).enumerate().map(call).collect();
    // What only calls has no text: an empty one is refused here and there.
    let content = (!message.text.trim().is_empty()).then_some(&message.text);
    let mut value = json!({"role": "assistant", "content": content, "tool_calls": calls});
    for (field, thoughts) in kept.into_iter().flatten().filter(|(field, _)| *field != "calls") {
        value[field] = thoughts.clone();
    }
    value
}

/// What tools returned. Only a person's message may have pictures, so those come in one after it.
fn results(results: &[ToolResult], ids: &CallIds) -> Vec<Value> {
    let result = |(nth, result): (usize, &ToolResult)| json!({"role": "tool", "tool_call_id": ids.of_result(nth, result), "content": result_text(result)});
    let mut messages: Vec<Value> = results.iter().enumerate().map(result).collect();
    for result in results.iter().filter(|result| !result.images.is_empty()) {
        messages.push(said("user", &format!("What `{}` returned, as pictures:", result.name), result.images.iter()));
    }
    messages
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
    #[serde(borrow, default, deserialize_with = "lenient_text")]
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
    #[serde(default)]
    error: Option<Value>,
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
    #[serde(default)]
    reasoning_details: Option<Vec<Value>>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<ToolCall<'a>>>,
    /// What calls of tools were before there could be several.
    #[serde(borrow, default)]
    function_call: Option<Function<'a>>,
}

impl Delta<'_> {
    fn push_to(self, answer: &mut PartialAnswer) {
        // Servers that know two names for it send the same under both.
        let details: String =
            self.reasoning_details.iter().flatten().filter_map(|part| part["text"].as_str()).collect();
        let thinking = [&*self.reasoning_content.text, &self.reasoning.text, &details];
        let field = if self.reasoning_content.text.is_empty() { "reasoning" } else { "reasoning_content" };
        answer.push_thinking_in(field, thinking.into_iter().find(|text| !text.is_empty()).unwrap_or_default());
        answer.push_thinking(&self.content.thinking);
        for piece in self.reasoning_details.iter().flatten() {
            answer.push_detail(piece);
        }
        answer.push(&self.content.text);
        if !self.refusal.text.is_empty() {
            answer.push(&self.refusal.text);
            answer.finish = Finish::Refused;
        }
        push_calls(self.tool_calls.unwrap_or_default(), answer);
        if let Some(call) = self.function_call {
            push_function_call(&call, answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::failure::FailureClass;

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
        assert_eq!((answer.input_tokens, answer.ended), (7, Completeness::Likely));
        assert_eq!(answer.into_text().0, "a\nbc");
    }

    #[test]
    fn a_refusal_a_limit_and_a_tool_call_are_told_apart() {
        assert_eq!(read(&[r#"{"choices":[{"delta":{"refusal":"No."}}]}"#]).finish, Finish::Refused);
        assert_eq!(read(&[r#"{"choices":[{"finish_reason":"length"}]}"#]).finish, Finish::Length);
        let tool = |json: &str| format!(r#"{{"choices":[{{"delta":{{"tool_calls":[{{"function":{json}}}]}}}}]}}"#);
        let answer = read(&[r#"{"choices":[{"delta":{"content":"ok: "}}]}"#, &tool(r#"{"arguments":"{\"a\""}"#)]);
        assert_eq!(answer.into_text().0, r#"{"a""#);
        assert_eq!(read(&[&tool(r#"{"arguments":{"a":1}}"#)]).into_text().0, r#"{"a":1}"#);
    }

    #[test]
    fn arguments_that_arrive_in_turns_and_those_of_the_old_form_are_put_together() {
        let delta = |json: &str| format!(r#"{{"choices":[{{"delta":{json}}}]}}"#);
        let call = |index: &str, id: &str, json: &str| {
            let function = json!({"arguments": json});
            delta(&format!(r#"{{"tool_calls":[{{{index}"id":{id},"function":{function}}}]}}"#))
        };
        let interleaved = [
            call(r#""index":0,"#, r#""a""#, r#"{"answer": "#),
            call(r#""index":1,"#, r#""b""#, r#"{"other": "#),
            call(r#""index":0,"#, "null", "[1]}"),
            call(r#""index":1,"#, "null", "[2]}"),
        ];
        let same_index = [call(r#""index":0,"#, r#""a""#, "[1]"), call(r#""index":0,"#, r#""b""#, "[2]")];
        let no_index = [call("", r#""a""#, "[1"), call("", r#""""#, "]"), call("", r#""b""#, "[2]")];
        let old = [
            delta(r#"{"function_call":{"name":"answer","arguments":"[1"}}"#),
            delta(r#"{"content":null,"function_call":{"arguments":"]"}}"#),
        ];
        let prose_after = [call(r#""index":0,"#, r#""a""#, "[1]"), delta(r#"{"content":"There you are."}"#)];
        for (frames, text) in [
            (interleaved.as_slice(), r#"{"answer": [1]}"#),
            (&same_index, "[1]"),
            (&no_index, "[1]"),
            (&old, "[1]"),
            (&prose_after, "[1]"),
        ] {
            let frames: Vec<&str> = frames.iter().map(String::as_str).collect();
            assert_eq!(read(&frames).into_text().0, text, "{frames:?}");
        }
    }

    #[test]
    fn reasoning_is_kept_apart_under_every_name_and_once() {
        for json in [
            r#"{"reasoning_content":"hm","content":"ok"}"#,
            r#"{"reasoning":"hm","reasoning_content":"hm","content":"ok"}"#,
            r#"{"reasoning_details":[{"type":"reasoning.text","text":"hm"}],"content":"ok"}"#,
            r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"ok"}]}"#,
            r#"{"content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"ok"}]}"#,
        ] {
            let answer = read(&[&format!(r#"{{"choices":[{{"delta":{json}}}]}}"#)]);
            assert_eq!(answer.into_text(), ("ok".to_owned(), "hm".to_owned()), "{json}");
        }
    }

    #[test]
    fn an_error_anywhere_in_a_stream_is_a_failure_in_the_servers_words() {
        for frame in [
            r#"{"choices":[{"delta":{"content":""},"finish_reason":"error","error":{"code":502,"message":"upstream broke"}}]}"#,
            r#"{"choices":[{"error":"upstream broke"}]}"#,
            r#"{"error":"upstream broke"}"#,
        ] {
            let error = OpenAi.frame(frame, &mut PartialAnswer::default()).unwrap_err();
            assert_eq!((error.class, error.text.as_str()), (FailureClass::Server, "upstream broke"), "{frame}");
        }
        for error in ["null", "{}", "false", "\"\"", "[]"] {
            let answer =
                read(&[&format!(r#"{{"error":{error},"choices":[{{"delta":{{"content":"ok"}},"error":{error}}}]}}"#)]);
            assert_eq!(answer.into_text().0, "ok", "{error}");
        }
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
