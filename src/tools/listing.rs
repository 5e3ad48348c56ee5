//! What a server lists of its tools, as it is offered further: names that are two, and schemas that are none, are left out
//! and said.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::core::ports::ServerTools;
use crate::core::schema::Schema;
use crate::core::text::{Untrusted, counted};
use crate::core::tool::{ToolHints, ToolSpec};

/// The longest name of a tool, in bytes. Names are looked at, journaled and sent to models.
const LONGEST_NAME: usize = 256;
/// So many remarks are kept.
const MAX_NOTES: usize = 50;

/// Reads the tools of all pages.
pub fn read(server: &str, listed: Vec<Value>) -> ServerTools {
    let mut listing = ServerTools::default();
    let mut left_out = Vec::new();
    let mut names = HashSet::new();
    for tool in listed {
        match spec(server, tool) {
            Ok(spec) if names.insert(spec.tool.clone()) => listing.tools.push(spec),
            Ok(spec) => left_out.push(format!("two tools are named `{}`: the second one is left out", spec.tool)),
            Err(why) => left_out.push(why),
        }
    }
    let more = left_out.len().saturating_sub(MAX_NOTES);
    left_out.truncate(MAX_NOTES);
    if more > 0 {
        left_out.push(format!("{} more left out", counted(more, "tool")));
    }
    listing.notes = left_out;
    listing
}

fn spec(server: &str, mut tool: Value) -> Result<ToolSpec, String> {
    let name = tool["name"].as_str().unwrap_or_default().to_owned();
    if name.is_empty() {
        return Err("a tool without a name is left out".to_owned());
    }
    let is_odd = |c: char| c.is_control() || c.is_whitespace();
    if name.len() > LONGEST_NAME || name.contains(is_odd) {
        let shown: String = name.chars().take(80).collect();
        return Err(format!("the tool `{}` is left out: invalid name", shown.escape_debug()));
    }
    let tool_name = format!("{server}/{name}");
    let wrong = |why: &str| format!("`{tool_name}` is left out: invalid input schema ({why})");
    let input = match tool["inputSchema"].take() {
        // A tool that says nothing takes nothing.
        Value::Null => json!({ "type": "object" }),
        Value::Object(schema) => Value::Object(schema),
        other => return Err(wrong(&format!("it is {}", kind(&other)))),
    };
    if let Some(kind) = input.get("type").filter(|kind| *kind != "object") {
        return Err(wrong(&format!("its type is {kind}, and arguments are an object")));
    }
    Schema::compile(&input).map_err(|why| wrong(&why))?;
    let output = Some(tool["outputSchema"].take()).filter(Value::is_object);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (title, description) = (text(&tool["title"]), text(&tool["description"]));
    let description = if description.is_empty() { title } else { description };
    let hint = |key: &str| tool["annotations"][key].as_bool();
    let hints = ToolHints {
        read_only: hint("readOnlyHint"),
        destructive: hint("destructiveHint"),
        idempotent: hint("idempotentHint"),
        open_world: hint("openWorldHint"),
    };
    Ok(ToolSpec { tool: tool_name, description: Untrusted::new(description), input, output, hints })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_called_is_left_out_and_said() {
        let listed = json!([
            {"name": "a", "description": "Does a.", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": true, "idempotentHint": "yes"}},
            {"name": "a", "inputSchema": {}},
            {"name": "b", "inputSchema": "no schema"},
            {"name": "c", "inputSchema": {"type": "array"}},
            {"name": "d", "inputSchema": {"type": "object", "properties": {"x": {"type": "nonsense"}}}},
            {"name": "e", "inputSchema": {"$ref": "https://example.org/schema.json"}},
            {"name": "f", "title": "F"},
            {"name": ""},
            {"name": "g\n\u{1b}[31m"},
            "h",
            {"name": "last", "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"}},
        ]);
        let ServerTools { tools, notes } = read("s", listed.as_array().unwrap().clone());
        let names: Vec<&str> = tools.iter().map(|tool| tool.tool.as_str()).collect();
        assert_eq!(names, ["s/a", "s/f", "s/last"]);
        assert_eq!(tools[0].description.data(), "Does a.");
        assert_eq!((tools[0].hints.read_only, tools[0].hints.idempotent), (Some(true), None));
        assert_eq!((tools[1].description.data(), &tools[1].input), ("F", &json!({"type": "object"})));
        assert!(tools[2].output.is_some());
        for (at, says) in [
            "two tools are named `s/a`",
            "`s/b` is left out: invalid input schema (it is a text)",
            "`s/c` is left out: invalid input schema (its type is \"array\"",
            "`s/d` is left out",
            "`s/e` is left out",
            "a tool without a name",
            "the tool `g\\n\\u{1b}[31m` is left out: invalid name",
            "a tool without a name",
        ]
        .into_iter()
        .enumerate()
        {
            assert!(notes[at].contains(says), "{}", notes[at]);
        }
    }
}
