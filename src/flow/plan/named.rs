//! The names that a step uses, itself or inside it: what it depends on, and what of that it reads.

use super::{Doing, Node, Parsed, TransformPlan};
use crate::core::template::{Expr, References, Template};

pub(super) fn merge_text(into: &mut References, text: &Parsed<Template>) {
    if let Ok(text) = text {
        into.merge(&text.references());
    }
}

pub(super) fn merge_expr(into: &mut References, expr: &Parsed<Expr>) {
    if let Ok(expr) = expr {
        into.merge(expr.references());
    }
}

/// What a step, or anything inside it, reads, and what it says to the person who approves.
pub(super) fn with_said(node: &Node) -> References {
    let mut named = node.read.clone();
    node.approve_texts.iter().flatten().for_each(|text| merge_text(&mut named, text));
    if let Doing::Group(plan, _) = &node.does {
        plan.nodes.iter().for_each(|inner| named.merge(&inner.named));
    }
    named
}

/// Every name that a step, or anything inside it, reads.
pub(super) fn read(node: &Node) -> References {
    let mut used = References::default();
    let exprs = [&node.when, &node.list, &node.until, &node.stop_when, &node.review, &node.approve];
    exprs.into_iter().flatten().for_each(|expr| merge_expr(&mut used, expr));
    node.checks.iter().for_each(|(expr, _)| merge_expr(&mut used, expr));
    node.set_state.iter().for_each(|(_, expr)| merge_expr(&mut used, expr));
    node.document.iter().flatten().for_each(|text| merge_text(&mut used, text));
    match &node.does {
        Doing::Prompt(prompt) => {
            merge_text(&mut used, &prompt.prompt);
            prompt.system.iter().for_each(|text| merge_text(&mut used, text));
            prompt.attach.iter().for_each(|expr| merge_expr(&mut used, expr));
        }
        Doing::Command(command) => {
            let texts = command.argv.iter().chain(&command.cwd).chain(command.env.values()).chain(&command.stdin);
            texts.for_each(|text| merge_text(&mut used, text));
        }
        Doing::Http(http) => {
            merge_text(&mut used, &http.url);
            http.headers.values().chain(&http.body).for_each(|text| merge_text(&mut used, text));
            http.json.iter().for_each(|value| value.references(&mut used));
        }
        Doing::Tool(_, args, _) => args.references(&mut used),
        Doing::Ask(text) => text.iter().for_each(|text| merge_text(&mut used, text)),
        Doing::Transform(TransformPlan::Expr(expr)) => merge_expr(&mut used, expr),
        Doing::Transform(TransformPlan::Template(text)) => merge_text(&mut used, text),
        Doing::Transform(TransformPlan::Value(_)) => {}
        Doing::Transform(TransformPlan::Set(fields)) => fields.iter().for_each(|(_, expr)| merge_expr(&mut used, expr)),
        Doing::Switch(cases, _) => cases.iter().for_each(|(expr, _)| merge_expr(&mut used, expr)),
        Doing::Group(plan, output) => {
            plan.nodes.iter().for_each(|inner| used.merge(&inner.read));
            if let Some(expr) = output {
                merge_expr(&mut used, expr);
            }
        }
        // What a child's steps name is the child's own.
        Doing::Child(_, inputs) => inputs.values().for_each(|value| value.references(&mut used)),
    }
    used
}
