//! How tools, calls of them and their results are written in a request, whichever the protocol.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use crate::core::model::{ModelCall, ModelRequest, ToolResult};

use super::dialect::object_schema;
use super::partial_answer::AnswerCalls;
use super::unsupported::{SchemaMode, UnsupportedFeatures};

/// What the tool of ours is called by which an answer with a schema is given; the others, where a tool has the name.
const ANSWER: [&str; 3] = ["answer", "final_answer", "stepwell_final_answer"];

/// Services take no longer id of a call.
const LONGEST_ID: usize = 40;

/// The tool of ours by which an answer is given that must fit a schema.
pub(super) struct AnswerTool {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    /// The schema of its arguments, an object.
    pub(super) schema: Value,
}

impl AnswerTool {
    /// The tool for a request; `None` where no schema is asked for as the protocol has it.
    pub(super) fn of(request: &ModelRequest, unsupported: UnsupportedFeatures) -> Option<Self> {
        let schema = request.schema.as_ref().filter(|_| unsupported.schema < SchemaMode::Prompt)?;
        let taken = |name: &str| request.tools.iter().any(|tool| tool.name == name);
        let [usual, .., last] = ANSWER;
        let name = ANSWER.into_iter().find(|name| !taken(name)).unwrap_or(last);
        let description =
            if name == usual && request.tools.is_empty() { "Gives the answer." } else { "Gives the final answer." };
        Some(Self { name, description, schema: object_schema(schema) })
    }
}

/// Which calls of an answer to a request are the answer.
pub(super) fn answer_calls(request: &ModelRequest, unsupported: UnsupportedFeatures) -> AnswerCalls {
    if request.tools.is_empty() {
        return if request.schema.is_some() { AnswerCalls::Any } else { AnswerCalls::IfSilent };
    }
    AnswerTool::of(request, unsupported).map_or(AnswerCalls::None, |tool| AnswerCalls::Named(tool.name.to_owned()))
}

/// What is said to a model that has to answer by calling a tool, and is not held to it.
pub(super) fn answer_by_tool(tool: &AnswerTool, request: &ModelRequest) -> String {
    let name = tool.name;
    if request.tools.is_empty() {
        return format!("Give your answer by calling the tool `{name}`.");
    }
    format!(
        "When you need no other tool any more, give your final answer by calling the tool `{name}`, and in no other way."
    )
}

/// A tool as chat completions and Ollama are offered it.
pub(super) fn function(name: &str, description: &str, parameters: &Value) -> Value {
    let mut function = Map::from_iter([("name".to_owned(), json!(name))]);
    if !description.is_empty() {
        function.insert("description".to_owned(), json!(description));
    }
    function.insert("parameters".to_owned(), parameters.clone());
    json!({"type": "function", "function": function})
}

/// The schema of a tool's arguments as every service takes it: an object that says so and has its properties.
pub(super) fn parameters(input: &Value) -> Value {
    let mut fields = input.as_object().cloned().unwrap_or_default();
    // It says which draft a schema is of; some services refuse what they do not know.
    fields.shift_remove("$schema");
    fields.insert("type".to_owned(), json!("object"));
    fields.entry("properties").or_insert_with(|| json!({}));
    Value::Object(fields)
}

/// The arguments of a call as the object that services take. What a model wrote that is none is wrapped in one.
pub(super) fn arguments(call: &ModelCall) -> Value {
    match &call.arguments {
        Value::Object(_) => call.arguments.clone(),
        Value::Null => json!({}),
        other => json!({"arguments": other}),
    }
}

/// What a tool returned, for protocols that have no mark for a failure.
pub(super) fn result_text(result: &ToolResult) -> String {
    let is_plain = result.text.trim_start().get(..5).is_none_or(|start| !start.eq_ignore_ascii_case("error"));
    if result.is_error && is_plain { format!("Error: {}", result.text) } else { result.text.clone() }
}

/// The ids of calls in one request: those of the provider where it gave some that are of use, else ours. A call and its result
/// have the same.
#[derive(Default)]
pub(super) struct CallIds {
    used: HashSet<String>,
    /// Of the newest turn that calls: the provider's id, and the one in the request.
    newest: Vec<(String, String)>,
    made: usize,
    /// Whether an id may have letters, digits, `_` and `-` only.
    plain: bool,
    /// Whether all are ours: the service refused those that others gave.
    ours: bool,
}

impl CallIds {
    /// For a service that takes ids however they are written, until it refuses one.
    pub(super) fn for_any(unsupported: UnsupportedFeatures) -> Self {
        Self { ours: unsupported.call_ids, ..Self::default() }
    }

    /// Of letters, digits, `_` and `-` only.
    pub(super) fn plain(unsupported: UnsupportedFeatures) -> Self {
        Self { plain: true, ..Self::for_any(unsupported) }
    }

    /// Those of the calls of a turn.
    pub(super) fn of_calls(&mut self, calls: &[ModelCall]) -> Vec<String> {
        self.newest.clear();
        for call in calls {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            let fits = !self.ours
                && !call.id.is_empty()
                && call.id.len() <= LONGEST_ID
                && (!self.plain || call.id.chars().all(plain));
            let mut id = call.id.clone();
            // Services refuse two calls of one id, and some servers number those of each turn from the beginning.
            if !fits || self.used.contains(&id) {
                self.made += 1;
                // Nine letters and digits: one service takes nothing else.
                id = format!("call{:05}", self.made);
            }
            self.used.insert(id.clone());
            self.newest.push((call.id.clone(), id));
        }
        self.newest.iter().map(|(_, id)| id.clone()).collect()
    }

    /// That of a result: of the call with its id, else of the one at its place.
    pub(super) fn of_result(&self, nth: usize, result: &ToolResult) -> String {
        let at_its_place = self.newest.get(nth).filter(|(id, _)| *id == result.id);
        let of_its_id = || self.newest.iter().find(|(id, _)| !id.is_empty() && *id == result.id);
        let found = at_its_place.or_else(of_its_id).or(self.newest.get(nth));
        found.map_or_else(|| result.id.clone(), |(_, id)| id.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(id: &str) -> ModelCall {
        ModelCall { id: id.to_owned(), name: "read".to_owned(), arguments: json!({}) }
    }

    fn result(id: &str) -> ToolResult {
        ToolResult { id: id.to_owned(), name: "read".to_owned(), text: "x".to_owned(), ..ToolResult::default() }
    }

    #[test]
    fn every_call_of_a_request_has_an_id_of_its_own_that_its_result_has_too() {
        let mut ids = CallIds::plain(UnsupportedFeatures::default());
        assert_eq!(ids.of_calls(&[call("toolu_1"), call("")]), ["toolu_1", "call00001"]);
        assert_eq!(
            (ids.of_result(0, &result("toolu_1")), ids.of_result(1, &result(""))),
            ("toolu_1".into(), "call00001".into())
        );
        assert_eq!(ids.of_result(1, &result("toolu_1")), "toolu_1", "results in another order");
        let long = "x".repeat(41);
        let next = ids.of_calls(&[call("toolu_1"), call("functions.read:0"), call(&long)]);
        assert_eq!(next, ["call00002", "call00003", "call00004"], "used, not plain, too long");
        assert_eq!(ids.of_result(1, &result("functions.read:0")), "call00003");
        assert_eq!(CallIds::default().of_calls(&[call("functions.read:0")]), ["functions.read:0"]);
    }

    #[test]
    fn a_schema_of_arguments_is_an_object_with_properties() {
        for (input, sent) in [
            (json!({}), json!({"type": "object", "properties": {}})),
            (json!(true), json!({"type": "object", "properties": {}})),
            (
                json!({"$schema": "x", "type": "object", "properties": {"p": {}}, "required": ["p"]}),
                json!({"type": "object", "properties": {"p": {}}, "required": ["p"]}),
            ),
        ] {
            assert_eq!(parameters(&input), sent, "{input}");
        }
    }

    #[test]
    fn a_failure_says_that_it_is_one_once() {
        let failed = |text: &str| result_text(&ToolResult { text: text.to_owned(), is_error: true, ..result("") });
        assert_eq!(failed("no such file"), "Error: no such file");
        assert_eq!(failed("ERROR: no such file"), "ERROR: no such file");
        assert_eq!(failed("é"), "Error: é");
        assert_eq!(result_text(&result("")), "x");
    }
}
