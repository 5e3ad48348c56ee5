//! What a server turned out not to take, so that it is asked without from then on.
//!
//! Only what a refusal names is left out. A refusal that is about something else (the key, the model, money, the
//! rules of the service) teaches nothing, because a schema that is asked for in words is a worse one.

use reqwest::StatusCode;

use crate::core::failure::FailureClass;
use crate::core::model::{ModelRequest, Role};

use super::dialect::{Cause, ProviderError};
use super::offers::AnswerTool;
use super::refusal::{self, contains, names};
use super::tools_refused::refuses_effort_with_tools;

/// Optional parts of a request that a server may refuse; a refused one is left out from then on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one flag for each part that can be left out")]
pub(super) struct UnsupportedFeatures {
    /// How a schema is asked for.
    pub(super) schema: SchemaMode,
    /// A report of usage in the stream.
    pub(super) stream_options: bool,
    /// A system message: its text goes before the first message.
    pub(super) system: bool,
    /// A temperature.
    pub(super) temperature: bool,
    /// A seed.
    pub(super) seed: bool,
    /// Nucleus sampling.
    pub(super) top_p: bool,
    /// Texts to stop at.
    pub(super) stop: bool,
    /// A measure of thinking.
    pub(super) effort: bool,
    /// A measure of thinking in a request with tools.
    pub(super) effort_with_tools: EffortWithTools,
    /// Ids of calls that other servers gave.
    pub(super) call_ids: bool,
    /// Thinking, or a word about it.
    pub(super) thinking: bool,
    /// `max_tokens` in the name that was tried first, or at its default height.
    pub(super) max_tokens: bool,
    /// What it would be sent back of earlier turns, such as their thoughts.
    pub(super) opaque: bool,
    /// Which schemas `schema` is true of.
    pub(super) scope: Scope,
    /// What the server wrote did not fit the schema that it was held to, and it was asked once more.
    redrawn: bool,
}

/// Which measure of thinking a request with tools has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum EffortWithTools {
    /// The one that was set, if one was.
    #[default]
    AsSet,
    /// `none`: a model whose own measure is another takes tools with no other.
    Off,
    /// It is left out.
    Absent,
}

/// How a schema is asked for, from the best to the worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SchemaMode {
    /// As the protocol has it.
    #[default]
    Native,
    /// As the protocol has it, but not as one that the service enforces word by word.
    Loose,
    /// In words.
    Prompt,
}

/// What was learned of a schema is true of …
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Scope {
    /// … this request alone.
    Once,
    /// … this schema: it has a keyword that the server does not know.
    #[default]
    Schema,
    /// … every schema.
    Model,
}

/// What is learned from: a refusal, and what was sent.
pub(super) struct Lesson<'a> {
    pub(super) status: StatusCode,
    pub(super) error: &'a ProviderError,
    pub(super) body: &'a str,
    pub(super) request: &'a ModelRequest,
    /// Whether the schema was asked for as one that is enforced word by word.
    pub(super) strict: bool,
}

impl UnsupportedFeatures {
    /// What a refusal is about: learns it, and says in words what is done without; no words where nobody notices.
    /// `None` when nothing optional was refused.
    pub(super) fn learn(&mut self, lesson: &Lesson<'_>) -> Option<&'static str> {
        let said = refusal::evidence(lesson.body);
        let request = lesson.request;
        let status = lesson.status.as_u16();
        // What is too long may be so by a limit that is ours.
        if matches!(lesson.error.class, FailureClass::BadRequest | FailureClass::TooLong)
            && !self.max_tokens
            && contains(&said, &["max_tokens", "max_completion_tokens"])
        {
            self.max_tokens = true;
            return Some("");
        }
        if !matches!(lesson.error.class, FailureClass::BadRequest | FailureClass::Server)
            || matches!(lesson.error.cause, Some(Cause::NotFound | Cause::Pictures | Cause::Tools))
        {
            return None;
        }
        if lesson.error.cause == Some(Cause::ToolSchema) {
            // That of a tool of ours may be asked for in another way.
            let ours = AnswerTool::of(request, *self).filter(|tool| names(&said, tool.name));
            return ours.and_then(|_| self.learn_schema(&said, lesson));
        }
        // The model wrote a call that the server could not read.
        if !request.tools.is_empty() && !self.redrawn && is_bad_draw(&said) {
            self.redrawn = true;
            return Some("");
        }
        if !self.opaque && request.messages.iter().any(|m| m.opaque.is_some()) && refuses_opaque(&said) {
            self.opaque = true;
            return Some("");
        }
        if !self.call_ids && request.messages.iter().any(|m| !m.calls.is_empty()) && refuses_call_ids(&said) {
            self.call_ids = true;
            return Some("");
        }
        if !self.system && request.messages.iter().any(|m| m.role == Role::System) && refuses_system(&said) {
            self.system = true;
            return Some("");
        }
        if matches!(status, 400 | 422) {
            if !self.stream_options && contains(&said, &["stream_options", "include_usage"]) {
                self.stream_options = true;
                return Some("");
            }
            if !self.temperature && request.temperature.is_some() && names(&said, "temperature") {
                self.temperature = true;
                return Some("the model does not take a temperature: asked without it");
            }
            if !self.seed && request.seed.is_some() && names(&said, "seed") {
                self.seed = true;
                return Some("the model does not take a seed: asked without it");
            }
            let tuning = &request.tuning;
            let efforts = ["reasoning_effort", "reasoning.effort", "output_config", "effort"];
            if !request.tools.is_empty() && contains(&said, &efforts) {
                let refused = refuses_effort_with_tools(&said);
                match self.effort_with_tools {
                    EffortWithTools::AsSet if refused => {
                        self.effort_with_tools = EffortWithTools::Off;
                        return Some("the model takes tools only without thinking: asked with reasoning_effort `none`");
                    }
                    EffortWithTools::Off => {
                        self.effort_with_tools = EffortWithTools::Absent;
                        return Some("the model takes no reasoning_effort with tools: asked without it");
                    }
                    _ => {}
                }
            }
            if !self.effort && tuning.reasoning_effort.is_some() && contains(&said, &efforts) {
                self.effort = true;
                return Some("the model does not take a reasoning_effort: asked without it");
            }
            let thinks = tuning.thinking.is_some() || tuning.reasoning_effort.is_some();
            if !self.thinking && thinks && names(&said, "thinking") {
                self.thinking = true;
                return Some("the model has no setting for thinking: asked without it");
            }
            if !self.top_p && tuning.top_p.is_some() && contains(&said, &["top_p", "top p"]) {
                self.top_p = true;
                return Some("the model does not take top_p: asked without it");
            }
            let stops = ["'stop'", "\"stop\"", "`stop`", ": stop", "stop_sequences", "stop sequence", "stop is not"];
            if !self.stop && !tuning.stop.is_empty() && contains(&said, &stops) {
                self.stop = true;
                return Some("the model does not take `stop`: asked without it");
            }
        }
        if matches!(status, 400 | 404 | 422 | 500 | 501) && request.schema.is_some() {
            return self.learn_schema(&said, lesson);
        }
        None
    }

    fn learn_schema(&mut self, said: &str, lesson: &Lesson<'_>) -> Option<&'static str> {
        if self.schema == SchemaMode::Prompt {
            return None;
        }
        let enforced = ["grammar", "json schema", "json_schema", "response_format", "guided", "structured output"];
        let words: &[&str] = if lesson.status.is_server_error() { &enforced } else { &refusal::SCHEMA };
        let about = contains(said, words);
        let unclear = !about && matches!(lesson.status.as_u16(), 400 | 422);
        if is_bad_draw(said) {
            if !self.redrawn {
                self.redrawn = true;
                return Some("");
            }
            (self.schema, self.scope) = (SchemaMode::Prompt, Scope::Once);
            return Some("the server could not enforce the JSON Schema: asked for it in the prompt");
        }
        if !about && !unclear {
            return None;
        }
        // Servers without structured output word their refusal in every way there is, so one that says nothing of
        // anything is taken for one, for this schema.
        if unclear || is_about_this_schema(said, lesson.request) {
            if self.schema == SchemaMode::Native && lesson.strict && about {
                self.schema = SchemaMode::Loose;
                return Some("");
            }
            (self.schema, self.scope) = (SchemaMode::Prompt, Scope::Schema);
            return Some("the server does not take this JSON Schema: asked for it in the prompt");
        }
        (self.schema, self.scope) = (SchemaMode::Prompt, Scope::Model);
        Some("the server does not take a JSON Schema: asked for it in the prompt")
    }

    /// This, with what is known of one schema.
    pub(super) fn of_schema(self, mode: SchemaMode) -> Self {
        if mode > self.schema { Self { schema: mode, scope: Scope::Schema, ..self } } else { self }
    }

    /// What is true of every request to the model, of what this one taught.
    pub(super) fn of_the_model(self) -> Self {
        let schema = if self.scope == Scope::Model { self.schema } else { SchemaMode::Native };
        Self { schema, redrawn: false, ..self }
    }

    /// How the schema of this request is asked for from now on, where that is not true of all.
    pub(super) fn of_the_schema(self) -> Option<SchemaMode> {
        (self.scope == Scope::Schema && self.schema != SchemaMode::Native).then_some(self.schema)
    }

    /// What either of them has learned.
    pub(super) fn and(self, other: Self) -> Self {
        let (most, least) = if self.schema >= other.schema { (self, other) } else { (other, self) };
        Self {
            schema: most.schema,
            scope: most.scope,
            stream_options: most.stream_options || least.stream_options,
            system: most.system || least.system,
            temperature: most.temperature || least.temperature,
            seed: most.seed || least.seed,
            top_p: most.top_p || least.top_p,
            stop: most.stop || least.stop,
            effort: most.effort || least.effort,
            effort_with_tools: most.effort_with_tools.max(least.effort_with_tools),
            call_ids: most.call_ids || least.call_ids,
            thinking: most.thinking || least.thinking,
            max_tokens: most.max_tokens || least.max_tokens,
            opaque: most.opaque || least.opaque,
            redrawn: most.redrawn || least.redrawn,
        }
    }
}

/// Whether a refusal is about a message with the role of the system. Templates of models say it in their own words.
fn refuses_system(said: &str) -> bool {
    let refused = [
        "not support",
        "n't support",
        "unsupported",
        "not enabled",
        "not allowed",
        "not permitted",
        "not accept",
        "n't accept",
        "not available",
        "invalid",
        "unexpected",
        "unknown",
        "unrecognized",
        "must be",
        "should be",
        "expected",
        "only",
    ];
    let role = ["system", "developer"].iter().any(|name| names(said, name));
    let about = ["role", "message", "instruction", "prompt"];
    role && contains(said, &about) && contains(said, &refused)
        || ["system", "developer"].iter().any(|name| said.contains(&format!("{name} not supported")))
        || contains(said, &["only user and assistant roles", "roles must alternate", "only user and model roles"])
}

/// Whether a refusal is about what a server was sent back of an earlier turn.
fn refuses_opaque(said: &str) -> bool {
    let fields =
        ["reasoning_content", "reasoning_details", "extra_content", "provider_specific_fields", "thought_signature"];
    // That it is missing, or must be there, is no reason to leave it out.
    let missing = ["missing", "must be provided", "must be passed", "is required", "field required", "must contain"];
    (contains(said, &fields) || names(said, "reasoning") || names(said, "thinking")) && !contains(said, &missing)
}

/// Whether a refusal is about how the id of a call is written.
fn refuses_call_ids(said: &str) -> bool {
    let about = ["tool call id", "tool_call_id", "tool call ids", "tool_call.id", "tool_calls.id", "toolcallid"];
    let how = ["length", "a-z", "alphanumeric", "characters", "9 ", "nine", "pattern", "regex"];
    contains(said, &about) && contains(said, &how)
}

/// Whether the model was held to a schema, and broke it all the same.
fn is_bad_draw(said: &str) -> bool {
    contains(said, &["json_validate_failed", "failed_generation", "failed to generate json", "tool_use_failed"])
}

/// Whether a refusal is about what is in the schema, and not about there being one.
fn is_about_this_schema(said: &str, request: &ModelRequest) -> bool {
    let phrases = [
        "invalid schema",
        "invalid json schema",
        "invalid_json_schema",
        "schema is invalid",
        "schema is not valid",
        "schema must",
        "in context=",
        "contains features",
        "conversion failed",
        "unrecognized schema",
        "unsupported schema",
        "parse grammar",
        "create grammar",
        "compile grammar",
        "compiling grammar",
        "grammar is too",
        "schema is too",
        "schema too",
        "too many states",
        "is not permitted",
    ];
    let mut keywords = Vec::new();
    if let Some(schema) = &request.schema {
        schema_keywords(schema, 0, &mut keywords);
    }
    contains(said, &phrases) || keywords.iter().any(|keyword| names(said, keyword))
}

/// The keywords of a schema that a server may not know; those that every schema has would be found in any refusal.
fn schema_keywords<'a>(schema: &'a serde_json::Value, depth: usize, found: &mut Vec<&'a str>) {
    const COMMON: [&str; 8] = ["type", "properties", "items", "required", "title", "description", "schema", "format"];
    if depth > 12 {
        return;
    }
    match schema {
        serde_json::Value::Object(fields) => {
            for (name, inner) in fields {
                if name == "properties" || name == "$defs" || name == "definitions" {
                    let named = inner.as_object().into_iter().flat_map(serde_json::Map::values);
                    named.for_each(|inner| schema_keywords(inner, depth + 1, found));
                    continue;
                }
                if !COMMON.contains(&name.as_str()) {
                    found.push(name);
                }
                schema_keywords(inner, depth + 1, found);
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|inner| schema_keywords(inner, depth + 1, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::Message;
    use reqwest::header::HeaderMap;
    use serde_json::json;

    fn request() -> ModelRequest {
        ModelRequest {
            messages: vec![Message::new(Role::System, "s"), Message::new(Role::User, "u")],
            schema: Some(json!({"type": "object", "properties": {"a": {"type": "array", "minItems": 1}}})),
            temperature: Some(0.5),
            ..ModelRequest::default()
        }
    }

    /// What is learned from one refusal of a request with a schema that is enforced.
    fn learned(status: u16, said: &str) -> Option<UnsupportedFeatures> {
        let (request, status) = (request(), StatusCode::from_u16(status).unwrap());
        let body = json!({"error": {"message": said}}).to_string();
        let asked = refusal::Asked { model: "m", ..refusal::Asked::default() };
        let error = refusal::refusal(status, &HeaderMap::new(), &body, asked);
        let lesson = Lesson { status, error: &error, body: &body, request: &request, strict: true };
        let mut unsupported = UnsupportedFeatures::default();
        unsupported.learn(&lesson).map(|_| unsupported)
    }

    #[test]
    fn a_system_message_that_is_refused_is_known_by_every_wording() {
        for (status, said) in [
            (400, "System role not supported"),
            (400, "Developer instruction is not enabled for models/gemma-3-27b-it"),
            (400, "Only user and assistant roles are supported!"),
            (500, "Jinja Exception: System role not supported"),
            (400, "Unsupported value: 'messages[0].role' does not support 'system' with this model."),
            (400, "Conversation roles must alternate user/assistant/user/assistant/..."),
            (422, "This model does not support system messages"),
            (400, "Invalid role: system"),
            (400, "system prompt is not supported"),
        ] {
            let learned = learned(status, said).unwrap_or_default();
            assert!(learned.system && learned.schema == SchemaMode::Native, "{said}: {learned:?}");
        }
        for said in
            ["the file system is full", "our systems detected a problem with the prompt", "internal system error"]
        {
            assert!(!learned(400, said).unwrap_or_default().system, "{said}");
        }
    }

    #[test]
    fn what_is_about_something_else_leaves_the_schema_alone() {
        for (status, said) in [
            (400, "The response was filtered due to the prompt triggering the content management policy"),
            (400, "The model `m` does not exist"),
            (404, "model not found"),
            (422, "Budget has been exceeded"),
            (400, "Your credit balance is too low"),
            (400, "prompt is too long: 9 > 5"),
            (400, "API key not valid"),
            (401, "response_format is for members"),
            (500, "internal error"),
            (503, "no grammar workers"),
            (404, "nothing here"),
        ] {
            assert_eq!(learned(status, said), None, "{status} {said}");
        }
        let drawn = learned(400, "Failed to generate JSON. See 'failed_generation' (json_validate_failed)").unwrap();
        assert_eq!((drawn.schema, drawn.of_the_schema()), (SchemaMode::Native, None));
    }

    #[test]
    fn what_is_refused_is_this_schema_or_every_one() {
        for (status, said) in [
            (500, "this server was built without grammar support"),
            (501, "grammar is not implemented"),
            (404, "No endpoints found that support structured outputs"),
            (400, "unknown field response_format"),
            (400, "'response_format' of type 'json_schema' is not supported with this model."),
        ] {
            let learned = learned(status, said).unwrap_or_default();
            assert_eq!((learned.schema, learned.scope), (SchemaMode::Prompt, Scope::Model), "{said}");
        }
        for (status, said) in [
            (
                400,
                "Invalid schema for response_format 'answer': In context=('properties', 'a'), 'minItems' is not permitted.",
            ),
            (400, "JSON schema conversion failed"),
            (500, "Failed to initialize samplers: failed to parse grammar"),
            (400, "output_config.schema: 'minItems' is not supported"),
        ] {
            let learned = learned(status, said).unwrap_or_default();
            assert_eq!(
                (learned.schema, learned.of_the_schema()),
                (SchemaMode::Loose, Some(SchemaMode::Loose)),
                "{said}"
            );
            assert_eq!(learned.of_the_model().schema, SchemaMode::Native, "{said}");
        }
        let unclear = learned(400, "Bad Request").unwrap();
        assert_eq!((unclear.schema, unclear.of_the_schema()), (SchemaMode::Prompt, Some(SchemaMode::Prompt)));
    }
}
