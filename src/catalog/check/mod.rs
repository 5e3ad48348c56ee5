//! What the parts of a definition mean to each other: names, order, schemas.
//!
//! It finds every mistake that can be told without running anything, and guesses nothing: where a value's shape is not
//! declared, anything may be in it.

use std::collections::HashMap;
use std::sync::Arc;

use super::decode::Draft;
use crate::core::diagnostic::{Report, SourceSpan, did_you_mean};
use crate::core::schema;
use crate::core::step::Does;
use crate::core::task::{Body, FlowKind, Task};
use crate::core::tool::DeclaredTools;

mod child;
mod code;
mod gates;
mod operations;
mod options;
mod order;
mod shape;
mod shell;
mod snippets;
mod tools;
mod tree;

use tree::Tree;

/// The workflow of an id, where there is one without mistakes.
pub type Workflows<'w> = dyn Fn(&str) -> Option<Arc<Task>> + 'w;

/// Notes every mistake in how the parts of a definition fit each other, the workflows that it starts as steps, and what the
/// person's config declares, where that is known.
pub fn check(draft: &Draft, workflows: &Workflows<'_>, config: Option<&DeclaredTools>, report: &Report) {
    let (steps, flow) = match &draft.task.body {
        Body::Workflow(workflow) => (workflow.steps.as_slice(), workflow.flow.clone()),
        Body::Instruct(_) => (&[][..], FlowKind::Graph),
    };
    let tree = Tree::new(steps, &draft.notes);
    let graph = flow == FlowKind::Graph;
    unique_ids(draft, report);
    schemas(draft, report);
    idle_keys(draft, &tree, report);
    gates::check(draft, &tree, report);
    let mentions = mentions(draft, &tree, report);
    let named = snippets::check(draft, &tree, graph, workflows, report);
    shell::check(draft, report);
    options::check(draft, &tree, report);
    tools::check(draft, &tree, config, report);
    if graph {
        order::check(draft, &tree, &mentions, &named, workflows, report);
    } else {
        code::check(draft, &tree, &flow, report);
    }
}

/// Ids are unique in the whole file.
fn unique_ids(draft: &Draft, report: &Report) {
    let mut first: HashMap<&str, &SourceSpan> = HashMap::new();
    for id in draft.notes.steps.iter().flatten().chain(&draft.notes.actions) {
        if let Some(taken) = first.get(id.value.as_str()) {
            let (line, _) = taken.source.position(taken.range.start);
            report.error(
                &id.span,
                format!("the id `{}` is taken in line {line}; ids are unique in the whole file", id.value),
            );
        } else {
            first.insert(&id.value, &id.span);
        }
    }
}

fn schemas(draft: &Draft, report: &Report) {
    for schema in &draft.notes.schemas {
        if let Some((span, message)) = schema::misplaced(&schema.value, &schema.parts) {
            report.error(span, message);
        }
    }
}

/// Keys that go with a call, and so do nothing in a step that has none of its own.
const OF_CALLS: [&str; 13] = [
    "output",
    "checks",
    "review",
    "approve",
    "approve_title",
    "approve_message",
    "on_crash",
    "timeout",
    "retry",
    "idempotent",
    "priority",
    "decide_within",
    "cache",
];

/// Notes keys that do nothing in a step of its kind, so that nobody relies on them.
fn idle_keys(draft: &Draft, tree: &Tree<'_>, report: &Report) {
    for (node, keys) in tree.nodes.iter().zip(&draft.notes.keys) {
        for key in keys.iter().filter(|key| OF_CALLS.contains(&key.value.as_str())) {
            let why = match (&node.step.does, key.value.as_str()) {
                (Does::Group { .. }, "output") => continue,
                (Does::Group { .. }, _) => "a group has no call of its own; put it on the steps inside".to_owned(),
                (Does::Workflow { workflow, .. }, _) => {
                    format!("a child workflow has no call of its own; put it on the steps of `{workflow}`")
                }
                (Does::Switch { .. }, _) => "a switch is decided by its conditions alone".to_owned(),
                (Does::Ask { .. }, "output" | "review" | "checks") => {
                    "the answer is a person's, and its fields say what fits".to_owned()
                }
                (Does::Ask { .. } | Does::Command(_) | Does::Http(_) | Does::Tool { .. }, "cache") => {
                    "only what a prompt or a transform gave is taken from earlier runs".to_owned()
                }
                _ => continue,
            };
            let kind = node.step.does.kind();
            report.error(&key.span, format!("`{}` has no effect in a step of `kind = \"{kind}\"`: {why}", key.value));
        }
    }
}

/// Looks up every id that names a step: who names whom under which key.
fn mentions(draft: &Draft, tree: &Tree<'_>, report: &Report) -> Vec<(usize, &'static str, usize)> {
    let mut found = Vec::new();
    let mut handled: HashMap<usize, usize> = HashMap::new();
    for mention in &draft.notes.mentions {
        let id = mention.id.value.as_str();
        match tree.visible(mention.step, id) {
            Ok(step) if step == mention.step => {
                report.error(&mention.id.span, format!("`{}` of step `{id}` names the step itself", mention.key));
            }
            Ok(step)
                if matches!(mention.key, "to" | "default" | "on_failure") && !tree.are_siblings(step, mention.step) =>
            {
                let message =
                    format!("`{}` names steps of its own group, and `{id}` is not in the same group", mention.key);
                report.error(&mention.id.span, message);
            }
            Ok(step) if mention.key == "history" && !matches!(tree.nodes[step].step.does, Does::Prompt(_)) => {
                let message = format!("`history` takes prompts, and `{id}` is a {}", tree.nodes[step].step.does.kind());
                report.error(&mention.id.span, message);
            }
            Ok(step) if mention.key == "on_failure" && handled.contains_key(&step) => {
                let first = &tree.nodes[handled[&step]].step.id;
                let message =
                    format!("`{id}` handles the failures of `{first}` already; each step has a handler of its own");
                report.error(&mention.id.span, message);
            }
            Ok(step) => {
                if mention.key == "on_failure" {
                    handled.insert(step, mention.step);
                }
                found.push((mention.step, mention.key, step));
            }
            Err(hidden) => {
                let words = if mention.key == "on_failure" { " (or \"stop\", \"continue\")" } else { "" };
                let message = hidden.unwrap_or_else(|| {
                    format!("there is no step `{id}`{words}{}", did_you_mean(id, tree.ids_visible(mention.step)))
                });
                report.error(&mention.id.span, message);
            }
        }
    }
    found
}
