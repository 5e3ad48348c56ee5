//! What differs between the protocols, without I/O: how a request is written and what a frame of the answer says.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::core::failure::FailureClass;
use crate::core::model::{Message, ModelRequest, Role};
use crate::core::settings::ProviderSettings;
use crate::core::tuning::{Thinking, merge};

use super::offers::{AnswerTool, answer_by_tool};
use super::partial_answer::PartialAnswer;
use super::unsupported::{SchemaMode, UnsupportedFeatures};

/// A request as one model of one provider gets it.
pub(super) struct RequestContext<'a> {
    /// The model's name at the provider.
    pub(super) model: &'a str,
    /// The same as `PROVIDER/MODEL`, with the provider's name in the config.
    pub(super) target: &'a str,
    /// What is asked.
    pub(super) request: &'a ModelRequest,
    /// What the server turned out not to take.
    pub(super) unsupported: UnsupportedFeatures,
    /// What the config says of the provider.
    pub(super) settings: &'a ProviderSettings,
    /// Whether the server is the service that the protocol is named after.
    pub(super) official: bool,
}

impl RequestContext<'_> {
    /// The schema, if it is asked for as the protocol has it.
    pub(super) fn native_schema(&self) -> Option<&Value> {
        self.request.schema.as_ref().filter(|_| self.unsupported.schema < SchemaMode::Prompt)
    }
}

/// What went wrong, before it is known where: a class, and words that may come from the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ProviderError {
    pub(super) class: FailureClass,
    /// What tells more exactly what to do than the class.
    pub(super) cause: Option<Cause>,
    pub(super) text: String,
}

/// What a person can do something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Nothing listens at the address.
    Unreachable,
    /// It is asked through a proxy, which this variable names, and that was not reached or did not connect.
    Proxy(&'static str),
    /// It answers from another address.
    Redirected,
    /// It knows no such path or model.
    NotFound,
    /// It answered with a web page.
    WebPage,
    /// There is no key, or none that can be sent.
    NoKey,
    /// It does not take the key.
    Key,
    /// It takes the key, but not for this model or request.
    NoAccess,
    /// The account, or the budget of the key, has no money for it.
    Spent,
    /// What was sent, or would be answered, is against the rules of the service.
    Moderated,
    /// The model does not see pictures.
    Pictures,
    /// The model, or the server, calls no tools.
    Tools,
    /// The schema of a tool is not taken.
    ToolSchema,
    /// The limit of tokens cut a call of a tool.
    CutCall,
    /// What it sent is not what the protocol says.
    Unreadable,
    /// A connection that had been kept open was closed meanwhile.
    Reset,
}

impl ProviderError {
    pub(super) fn new(class: FailureClass, text: impl Into<String>) -> Self {
        Self { class, cause: None, text: text.into() }
    }

    /// This trouble with its cause.
    pub(super) fn because(self, cause: Cause) -> Self {
        Self { cause: Some(cause), ..self }
    }

    /// A frame that is not what the protocol says. Its beginning ends the text: what is cut off there may be a part of a key.
    pub(super) fn unreadable(frame: &str, error: &serde_json::Error) -> Self {
        let start: String = frame.chars().take(80).collect();
        let text = format!("sent a frame that cannot be read ({error}): {start}");
        Self::new(FailureClass::Server, text).because(Cause::Unreadable)
    }
}

/// One protocol.
pub(super) trait Dialect: Send + Sync {
    /// Where it is asked, after the base URL.
    fn path(&self) -> &'static str;

    /// The headers that carry a key.
    fn key_header(&self, key: &str) -> (&'static str, String);

    /// Headers of every request.
    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// The body of a request.
    fn body(&self, context: &RequestContext<'_>) -> Value;

    /// Whether a schema is asked for as one that the service enforces word by word.
    fn is_strict(&self, _schema: &Value) -> bool {
        false
    }

    /// Takes one frame.
    fn frame(&self, frame: &str, answer: &mut PartialAnswer) -> Result<(), ProviderError>;

    /// Looks at a complete answer for what the person should know, and notes it.
    fn check(&self, _context: &RequestContext<'_>, _answer: &mut PartialAnswer) {}
}

/// The field that an answer is wrapped in where a provider wants an object.
pub const WRAPPER: &str = "answer";

/// The schema for a provider that takes only objects: itself, or wrapped in one with the field [`WRAPPER`].
pub(super) fn object_schema(schema: &Value) -> Value {
    if schema.get("type").is_some_and(|kind| kind == "object") {
        return schema.clone();
    }
    let mut inner = schema.clone();
    let mut outer = Map::new();
    // References into the definitions are from the root, so these stay at the root.
    for name in ["$schema", "$defs", "definitions"] {
        if let Some(definitions) = inner.as_object_mut().and_then(|fields| fields.shift_remove(name)) {
            outer.insert(name.to_owned(), definitions);
        }
    }
    outer.insert("type".to_owned(), json!("object"));
    outer.insert("properties".to_owned(), json!({ WRAPPER: inner }));
    outer.insert("required".to_owned(), json!([WRAPPER]));
    outer.insert("additionalProperties".to_owned(), json!(false));
    Value::Object(outer)
}

/// An answer to [`object_schema`] without its wrapper; the text itself where it has none.
pub(super) fn unwrap_answer(schema: &Value, text: String) -> String {
    if schema.get("type").is_some_and(|kind| kind == "object") {
        return text;
    }
    match serde_json::from_str::<Map<String, Value>>(&text) {
        Ok(mut fields) if fields.len() == 1 => match fields.shift_remove(WRAPPER) {
            Some(inner) => inner.to_string(),
            None => text,
        },
        _ => text,
    }
}

/// Lays a person's own fields over the body of a request.
pub(super) fn extend(body: &mut Value, context: &RequestContext<'_>) {
    if let Some(fields) = body.as_object_mut() {
        merge(fields, &context.request.tuning.extra_body);
    }
}

/// Whether a model thinks, as most services take it. `budget`: the tokens where only that it does is set.
pub(super) fn thinking(thinking: &Thinking, budget: Option<u32>) -> Value {
    match thinking {
        Thinking::Set(true) => budget
            .map_or_else(|| json!({"type": "enabled"}), |budget| json!({"type": "enabled", "budget_tokens": budget})),
        Thinking::Tokens(tokens) => json!({"type": "enabled", "budget_tokens": tokens}),
        Thinking::Set(false) => json!({"type": "disabled"}),
        Thinking::Raw(fields) => Value::Object(fields.clone()),
    }
}

/// Whether a model that says it is `answered` is another one than was asked for. Services add a date to the name, proxies
/// a path before it.
pub(super) fn is_another_model(asked: &str, answered: &str) -> bool {
    let plain = |name: &str| {
        let name = name.to_lowercase();
        let name = name.rsplit('/').next().unwrap_or_default();
        let name = name.strip_suffix(":latest").or_else(|| name.strip_suffix("-latest")).unwrap_or(name);
        name.strip_suffix(".gguf").unwrap_or(name).to_owned()
    };
    let (asked, answered) = (plain(asked), plain(answered));
    let dated = |long: &str, short: &str| {
        let rest = long.strip_prefix(short).and_then(|rest| rest.strip_prefix(['-', '@', ':']));
        rest.is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '-'))
    };
    !answered.is_empty() && asked != answered && !dated(&answered, &asked) && !dated(&asked, &answered)
}

/// What is said to a model that cannot be given a schema.
pub(super) fn schema_in_words(schema: &Value) -> String {
    format!(
        "Answer with one JSON value and nothing else: no explanation, no code fence. It must fit this JSON Schema:\n{schema}"
    )
}

/// The system messages as one text, with the schema in words when `unsupported` says so, and with the tool that the answer
/// is given by.
fn system_text(context: &RequestContext<'_>, by_tool: Option<&AnswerTool>) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    parts.extend(context.request.messages.iter().filter(|m| m.role == Role::System).map(|m| m.text.clone()));
    if let (SchemaMode::Prompt, Some(schema)) = (context.unsupported.schema, &context.request.schema) {
        parts.push(schema_in_words(schema));
    }
    parts.extend(by_tool.map(|tool| answer_by_tool(tool, context.request)));
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}

/// The conversation as a model gets it: the system's text, where the server takes one, and the turns. Where it takes
/// none, the text comes first in what the person says first. `by_tool` is the tool that the answer has to be given by, where
/// the model is not held to it.
pub(super) fn conversation<'a>(
    context: &RequestContext<'a>,
    by_tool: Option<&AnswerTool>,
) -> (Option<String>, Vec<Cow<'a, Message>>) {
    let turns = context.request.messages.iter().filter(|m| m.role != Role::System);
    let mut turns: Vec<Cow<'a, Message>> = turns.map(Cow::Borrowed).collect();
    let system = system_text(context, by_tool);
    let Some(text) = system.as_ref().filter(|_| context.unsupported.system) else { return (system, turns) };
    match turns.first_mut().filter(|first| first.role == Role::User) {
        Some(first) => {
            let first = first.to_mut();
            first.text = if first.text.is_empty() { text.clone() } else { format!("{text}\n\n{}", first.text) };
        }
        None => turns.insert(0, Cow::Owned(Message::new(Role::User, text.clone()))),
    }
    (None, turns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_or_a_path_makes_no_other_model() {
        for (asked, answered, other) in [
            ("gpt-4o", "gpt-4o-2024-08-06", false),
            ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929", false),
            ("openai/gpt-4o", "gpt-4o", false),
            ("qwen3", "qwen3:latest", false),
            ("smollm2", "/models/SmolLM2.gguf", false),
            ("m", "", false),
            ("gpt-4o", "gpt-4o-mini", true),
            ("openrouter/auto", "anthropic/claude", true),
            ("gpt-5", "gpt-4", true),
        ] {
            assert_eq!(is_another_model(asked, answered), other, "{asked} {answered}");
        }
    }

    #[test]
    fn what_is_not_an_object_is_wrapped_and_unwrapped() {
        let schema = json!({"type": "array", "items": {"$ref": "#/$defs/x"}, "$defs": {"x": {"type": "integer"}}});
        let wrapped = object_schema(&schema);
        assert_eq!(wrapped["properties"]["answer"], json!({"type": "array", "items": {"$ref": "#/$defs/x"}}));
        assert_eq!(wrapped["$defs"]["x"]["type"], "integer");
        assert!(jsonschema::is_valid(&wrapped, &json!({"answer": [1, 2]})));
        assert_eq!(unwrap_answer(&schema, r#"{"answer":[1,2]}"#.to_owned()), "[1,2]");
        assert_eq!(unwrap_answer(&schema, "[1,2]".to_owned()), "[1,2]");
        assert_eq!(unwrap_answer(&schema, "no json".to_owned()), "no json");

        let object = json!({"type": "object"});
        assert_eq!(object_schema(&object), object);
        assert_eq!(unwrap_answer(&object, r#"{"answer":1}"#.to_owned()), r#"{"answer":1}"#);
    }
}
