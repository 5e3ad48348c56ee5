//! Tools: a step that calls one, and those that a model may call.

use serde_json::{Map, Value};

use super::{At, Context, TemplateScope};
use crate::core::key::is_id;
use crate::core::step::Does;
use crate::core::task::Kind;
use crate::core::toml_reader::{Item, Table, TomlString, values};
use crate::core::tool::{self, DeclaredTools};

/// The key for them in a task that declares tools, whose `tools` is the table of these.
pub(super) const MAY_CALL: &str = "may_call";

impl Context<'_> {
    pub(super) fn tool(&self, table: &Table<'_>, step: At<'_>) -> Does {
        let tool = table.required("tool", "`tool = \"server/name\"`").and_then(|item| {
            let tool = item.text()?;
            let of_server =
                || tool.value.split_once('/').is_some_and(|(server, name)| !server.is_empty() && !name.is_empty());
            if !is_id(&tool.value) && !of_server() {
                item.error(format!(
                    "`tool` is \"server/name\", or the name of a tool that `[tools.NAME]` declares, not \"{}\"",
                    tool.value
                ));
                return None;
            }
            self.notes.borrow_mut().called.push((step.index, tool.clone()));
            Some(tool.value)
        });
        let args = table.get("args").and_then(|item| {
            if !item.is_table() {
                item.error("`args` is a table of arguments, `args = { path = \"…\" }`");
            }
            self.notes.borrow_mut().arguments.push((step.index, item.span()));
            self.templates(&item, Some(step), TemplateScope::Work, true)
        });
        Does::Tool { tool: tool.unwrap_or_default(), args: args.unwrap_or_else(|| Value::Object(Map::new())) }
    }

    /// The tools that the definition declares. In a task `tools` may be the list of those that its model may call instead.
    pub(super) fn declared(&self, root: &Table<'_>, kind: Kind) -> DeclaredTools {
        let Some(item) = root.get("tools") else { return DeclaredTools::new() };
        if item.is_list() {
            if kind == Kind::Workflow {
                item.error(
                    "here `[tools.NAME]` declares tools; which of them a model may call is said by `tools` of a step",
                );
            }
            return DeclaredTools::new();
        }
        let names = item.clone().table().map(|table| table.keys()).unwrap_or_default();
        self.notes.borrow_mut().declared.extend(names);
        tool::read(root, Some(&|element| self.tool_file(element, kind)), self.report)
    }

    /// The tools that the model of a task may call: `tools`, and where that declares some, `may_call` or else all of them.
    pub(super) fn offered_by_task(&self, root: &Table<'_>) -> Vec<String> {
        let (tools, may_call) = (root.get("tools"), root.get(MAY_CALL));
        match (tools, may_call) {
            (Some(tools), Some(may_call)) if tools.is_list() => {
                may_call.error("`tools` says already what the model may call; keep one of the two");
                values(self.offered(Some(tools)))
            }
            (_, Some(may_call)) => values(self.offered(Some(may_call))),
            (Some(tools), None) if tools.is_list() => values(self.offered(Some(tools))),
            (Some(tools), None) => {
                let all = tools.table().map(|table| table.entries()).unwrap_or_default();
                let pattern = |item: &Item<'_>| {
                    let is_server = item.clone().table().is_some_and(|table| tool::is_server(&table));
                    if is_server { format!("{}/*", item.name()) } else { item.name().to_owned() }
                };
                all.iter().filter(|item| item.is_table()).map(pattern).collect()
            }
            (None, None) => Vec::new(),
        }
    }

    /// The tools that a model may call, by patterns over their names.
    pub(super) fn offered(&self, item: Option<Item<'_>>) -> Vec<TomlString> {
        let Some(item) = item else { return Vec::new() };
        let patterns = item.texts().unwrap_or_default();
        for pattern in &patterns {
            let (server, name) = pattern.value.split_once('/').unwrap_or(("*", &pattern.value));
            if server.is_empty() || name.is_empty() || pattern.value.contains(char::is_whitespace) {
                let message = format!(
                    "\"{}\" names no tool; write \"server/name\", \"server/*\", or the name of a tool that `[tools.NAME]` declares",
                    pattern.value.escape_debug()
                );
                self.report.error(&pattern.span, message);
            }
        }
        self.notes.borrow_mut().offered.extend(patterns.iter().cloned());
        patterns
    }
}

/// Turns that a model may take that calls tools.
pub(super) fn max_turns(table: &Table<'_>) -> Option<u32> {
    let item = table.get("max_turns")?;
    let offers = table.has("tools") || table.has(MAY_CALL);
    if !offers {
        item.error("`max_turns` is about a model that calls tools; add `tools = [\"server/*\"]`");
    }
    item.count(1)
}
