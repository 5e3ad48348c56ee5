//! `[[steps]]`: the id, the kind, and which keys go with it.

use super::{At, Context};
use crate::core::step::{Retry, Step};
use crate::core::toml_reader::Table;
use crate::core::tuning::ModelSettings;

/// The kinds of step, as they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KindName {
    Prompt,
    Command,
    Http,
    Tool,
    Ask,
    Workflow,
    Transform,
    Switch,
    Group,
}

const KINDS: [(&str, KindName); 9] = [
    ("prompt", KindName::Prompt),
    ("command", KindName::Command),
    ("http", KindName::Http),
    ("tool", KindName::Tool),
    ("ask", KindName::Ask),
    ("workflow", KindName::Workflow),
    ("transform", KindName::Transform),
    ("switch", KindName::Switch),
    ("group", KindName::Group),
];

/// Keys that only one kind has, for whoever writes one in a step of another kind.
const KEYS_OF_KINDS: [(&str, &[&str]); 9] = [
    (
        "prompt",
        &[
            "prompt",
            "prompt_file",
            "system",
            "model",
            "fallback",
            "attach",
            "history",
            "summarize_over",
            "on_cut",
            "tools",
            "max_turns",
        ],
    ),
    ("command", &["argv", "cwd", "env", "stdin", "parse", "shell", "speaks"]),
    ("http", &["method", "url", "headers", "json", "body", "expect", "hosts"]),
    ("tool", &["tool", "args"]),
    ("ask", &["text", "fields"]),
    ("workflow", &["workflow", "inputs"]),
    ("transform", &["expr", "template", "set"]),
    ("switch", &["cases", "default"]),
    ("group", &["steps"]),
];

impl Context<'_> {
    /// One step; `retry` is the workflow's, which its own overlays.
    pub(super) fn step(&self, table: &Table<'_>, retry: &Retry) -> Step {
        let id = table.required("id", "`id = \"write\"`").and_then(|item| self.id(&item));
        let index = {
            let mut notes = self.notes.borrow_mut();
            notes.steps.push(id.clone());
            notes.tables.push(table.span());
            notes.keys.push(table.keys());
            notes.steps.len() - 1
        };
        let id = id.map(|text| text.value).unwrap_or_default();
        let at = At { id: &id, index };
        let written = table.get("kind").map(|item| item.one_of(&KINDS));
        let kind = written.flatten().unwrap_or(KindName::Prompt);
        let title = table.text("title");
        let does = match kind {
            KindName::Prompt => self.prompt(table, at, written == Some(None)),
            KindName::Command => self.command(table, at),
            KindName::Http => self.http(table, at),
            KindName::Tool => self.tool(table, at),
            KindName::Ask => self.ask(table, at),
            KindName::Workflow => self.child(table, at),
            KindName::Transform => self.transform(table, at),
            KindName::Switch => self.switch(table, at),
            KindName::Group => self.group(table, at, retry),
        };
        let rules = self.rules(table, at, kind, retry);
        let name = KINDS.iter().find(|(_, each)| *each == kind).map_or("", |(name, _)| *name);
        table.done_with(|key| {
            let owner = match KEYS_OF_KINDS.iter().find(|(_, keys)| keys.contains(&key)) {
                Some((owner, _)) => owner,
                None => ModelSettings::KEYS.contains(&key).then_some("prompt")?,
            };
            match written {
                // What kind it is is not known, so the key may well be right.
                Some(None) => Some(format!("`{key}` belongs to a step of `kind = \"{owner}\"`")),
                Some(_) => Some(format!("`{key}` belongs to a step of `kind = \"{owner}\"`; this one is \"{name}\"")),
                None => Some(format!(
                    "`{key}` belongs to a step of `kind = \"{owner}\"`; this one has no `kind`, so it is a \"prompt\""
                )),
            }
        });
        Step { id, title, does, rules }
    }
}
