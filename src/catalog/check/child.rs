//! What is known of a workflow that another one runs as a step: what it gives, and which names of the state it writes.

use std::collections::BTreeSet;

use super::Workflows;
use super::shape::Shape;
use crate::core::names::{ChainPart, in_expr};
use crate::core::step::{Does, Parse, Step, Transform};
use crate::core::task::{Body, Task};

/// The shape of its output: title and body, or what its `[result] output` names.
pub(super) fn output(task: &Task) -> Shape {
    let Body::Workflow(workflow) = &task.body else { return Shape::Any };
    match workflow.result.as_ref().and_then(|result| result.output.as_deref()) {
        None => Shape::object([("title", Shape::text()), ("body", Shape::text())]),
        Some(expr) => named(expr, &workflow.steps).unwrap_or(Shape::Any),
    }
}

/// The shape of an expression that is nothing but the name of an output, or of a part of one.
fn named(expr: &str, steps: &[Step]) -> Option<Shape> {
    let expr = expr.trim();
    let simple = expr.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '[' | ']' | '\'' | '"' | '-'));
    let mut chains = in_expr(expr);
    let chain = chains.pop().filter(|chain| simple && chains.is_empty() && chain.root == "steps" && !chain.call)?;
    let [ChainPart::Name(id), ChainPart::Name(what), ..] = chain.parts.as_slice() else { return None };
    let step = steps.iter().find(|step| step.id == *id)?;
    let shape = match (what.as_str(), step.rules.for_each.is_some()) {
        ("output", false) => of_step(step),
        ("outputs", true) => Shape::list(of_step(step)),
        _ => return None,
    };
    shape.reach(&chain, 2).ok()
}

/// The shape of one call's output, as far as the step says it by itself.
pub(super) fn of_step(step: &Step) -> Shape {
    if let Some(schema) = &step.rules.output {
        return Shape::of_schema(schema);
    }
    match &step.does {
        Does::Prompt(_) => Shape::Plain("a text (it declares no `output` schema)"),
        Does::Command(command) if command.parse == Parse::Lines => Shape::list(Shape::text()),
        Does::Ask { fields, .. } => Shape::of_form(fields),
        Does::Transform(Transform::Set(set)) => {
            Shape::Object(set.keys().map(|name| (name.clone(), Shape::Any)).collect())
        }
        Does::Switch { .. } => Shape::list(Shape::text()),
        Does::Group { output: None, steps } => match steps.last() {
            Some(last) if last.rules.for_each.is_some() => Shape::list(of_step(last)),
            Some(last) => of_step(last),
            None => Shape::Any,
        },
        _ => Shape::Any,
    }
}

/// The names of the state that the steps of a workflow write, those of its own children with them.
pub(super) fn writes(id: &str, workflows: &Workflows<'_>) -> BTreeSet<String> {
    let (mut names, mut seen, mut open) = (BTreeSet::new(), BTreeSet::new(), vec![id.to_owned()]);
    while let Some(id) = open.pop() {
        let Some(task) = workflows(&id) else { continue };
        let Body::Workflow(workflow) = &task.body else { continue };
        for step in workflow.all_steps() {
            names.extend(step.rules.set_state.keys().cloned());
            if let Does::Workflow { workflow, .. } = &step.does
                && seen.insert(workflow.clone())
            {
                open.push(workflow.clone());
            }
        }
    }
    names
}
