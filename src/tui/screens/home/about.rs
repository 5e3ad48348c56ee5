//! What a task is, for the preview: what it makes, an example of that, how it goes about it, what it asks for, what was
//! learned, what it made last. As Markdown.

use chrono::{DateTime, Utc};

use super::TaskRow;
use crate::core::task::{Body, Task};
use crate::tui::text::ago;

/// So many lines of an example are shown: as many as say what to expect.
const EXAMPLE: usize = 8;

/// What a task is.
pub fn about(row: &TaskRow, variants: &[&TaskRow], now: DateTime<Utc>) -> String {
    let mut parts = Vec::new();
    if !row.errors.is_empty() {
        let errors: Vec<String> = row.errors.iter().map(|error| format!("- {error}")).collect();
        parts.push(format!("**It has errors and cannot be started:**\n{}", errors.join("\n")));
    }
    parts.push(format!("*{} · {} · {}*", row.kind.name(), row.source, row.id.replace('_', "\\_")));
    if let Some(task) = &row.task {
        parts.push(task.description.clone());
        parts.extend(makes(task));
        parts.extend(example(task));
        parts.extend(steps(task));
        let inputs: Vec<String> = task
            .inputs
            .iter()
            .map(|field| format!("{}{}", field.question(), if field.required { "\\*" } else { "" }))
            .collect();
        if !inputs.is_empty() {
            parts.push(format!("**Asks** {}", inputs.join(" · ")));
        }
    }
    if !variants.is_empty() {
        let names: Vec<String> = variants.iter().map(|variant| format!("- {}", variant.name)).collect();
        parts.push(format!("**Also** (Tab)\n{}", names.join("\n")));
    }
    if !row.learned.is_empty() {
        let learned: Vec<String> = row.learned.iter().map(|lesson| format!("- {lesson}")).collect();
        parts.push(format!("**Learned**\n{}", learned.join("\n")));
    }
    if !row.runs.is_empty() {
        let runs = row.runs.iter().take(5);
        let runs: Vec<String> =
            runs.map(|(title, at)| format!("- {title} · {}", ago((now - *at).num_seconds()))).collect();
        parts.push(format!("**Last runs**\n{}", runs.join("\n")));
    }
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

/// What the definition says of itself beyond what it does, under `[meta]`.
pub fn meta<'a>(task: &'a Task, name: &str) -> Option<&'a str> {
    task.meta.as_ref()?.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

fn makes(task: &Task) -> Option<String> {
    let Body::Instruct(instruct) = &task.body else { return None };
    let body = &instruct.result.as_ref()?.body;
    (!body.is_empty()).then(|| format!("**Makes** {body}"))
}

/// The beginning of what it makes, as a quotation.
fn example(task: &Task) -> Option<String> {
    let text = meta(task, "example")?;
    let mut lines: Vec<String> = text.lines().take(EXAMPLE).map(|line| format!("> {line}")).collect();
    if text.lines().count() > EXAMPLE {
        lines.push(">\n> …".to_owned());
    }
    Some(format!("**For example**\n\n{}", lines.join("\n")))
}

fn steps(task: &Task) -> Option<String> {
    let Body::Workflow(workflow) = &task.body else { return None };
    let steps: Vec<String> = (1..).zip(&workflow.steps).map(|(n, step)| format!("{n}. {}", step.title())).collect();
    (!steps.is_empty()).then(|| format!("**Steps**\n{}", steps.join("\n")))
}
