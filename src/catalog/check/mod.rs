//! What the parts of a definition mean to each other: names, order, schemas.
//!
//! It finds every mistake that can be told without running anything, and guesses nothing: where a value's shape is not
//! declared, anything may be in it.

use std::collections::BTreeMap;

use super::decode::Draft;
use crate::core::diagnostic::{Report, did_you_mean};
use crate::core::step::Does;
use crate::core::task::{Body, FlowKind};

mod code;
mod order;
mod shape;
mod snippets;
mod tree;

use tree::Tree;

/// Notes every mistake in how the parts of a definition fit each other.
pub fn check(draft: &Draft, report: &Report) {
    let (steps, flow) = match &draft.task.body {
        Body::Workflow(workflow) => (workflow.steps.as_slice(), workflow.flow.clone()),
        Body::Instruct(_) => (&[][..], FlowKind::Graph),
    };
    let tree = Tree::new(steps, &draft.notes);
    let graph = flow == FlowKind::Graph;
    unique_ids(draft, report);
    schemas(draft, report);
    let mentions = mentions(draft, &tree, report);
    let named = snippets::check(draft, &tree, graph, report);
    if graph {
        order::check(draft, &tree, &mentions, &named, report);
    } else {
        code::check(draft, &tree, &flow, report);
    }
}

/// Ids are unique in the whole file.
fn unique_ids(draft: &Draft, report: &Report) {
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for id in draft.notes.steps.iter().flatten().chain(&draft.notes.actions) {
        let (line, _) = id.place.source.position(id.place.span.start);
        if let Some(line) = first.get(id.value.as_str()) {
            report.error(
                &id.place,
                format!("the id `{}` is taken in line {line}; ids are unique in the whole file", id.value),
            );
        } else {
            first.insert(&id.value, line);
        }
    }
}

fn schemas(draft: &Draft, report: &Report) {
    for (place, schema) in &draft.notes.schemas {
        if let Err(error) = jsonschema::meta::validate(schema) {
            let at = error.instance_path().to_string();
            let at = if at.is_empty() { String::new() } else { format!(" at `{at}`") };
            report.error(place, format!("this is not a JSON Schema{at}: {error}"));
        } else if let Err(error) = jsonschema::validator_for(schema) {
            report.error(place, format!("this JSON Schema cannot be used: {error}"));
        }
    }
}

/// Looks up every id that names a step: who names whom under which key.
fn mentions(draft: &Draft, tree: &Tree<'_>, report: &Report) -> Vec<(usize, &'static str, usize)> {
    let mut found = Vec::new();
    for mention in &draft.notes.mentions {
        let id = mention.id.value.as_str();
        match tree.visible(mention.step, id) {
            Ok(step) if step == mention.step => {
                report.error(&mention.id.place, format!("`{}` of step `{id}` names the step itself", mention.key));
            }
            Ok(step)
                if matches!(mention.key, "to" | "default" | "on_failure") && !tree.are_siblings(step, mention.step) =>
            {
                let message = format!("`{}` names steps beside it, and `{id}` is not in the same group", mention.key);
                report.error(&mention.id.place, message);
            }
            Ok(step) if mention.key == "history" && !matches!(tree.nodes[step].step.does, Does::Prompt(_)) => {
                let message = format!("`history` takes prompts, and `{id}` is a {}", tree.nodes[step].step.does.kind());
                report.error(&mention.id.place, message);
            }
            Ok(step) => found.push((mention.step, mention.key, step)),
            Err(hidden) => {
                let words = if mention.key == "on_failure" { " (or \"stop\", \"continue\")" } else { "" };
                let message = hidden.unwrap_or_else(|| {
                    format!("there is no step `{id}`{words}{}", did_you_mean(id, tree.ids_visible(mention.step)))
                });
                report.error(&mention.id.place, message);
            }
        }
    }
    found
}
