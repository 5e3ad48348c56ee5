//! What `steps.X` is for the steps after it, and what a group, a child workflow and a switch come to.

use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::Value;
use serde_json::json;

use super::scope::{Scope, stamp};
use super::slot::Slot;
use crate::core::event::FlowDecision;
use crate::core::failure::Failure;
use crate::core::form;
use crate::core::key::Key;
use crate::core::run::Run;
use crate::core::task::Task;
use crate::core::template::{Expr, TemplateError, from_json};
use crate::flow::evaluation::{Evaluation, Outcome};
use crate::flow::judge::definition;
use crate::flow::memo::CallView;
use crate::flow::names::{Names, values_used};
use crate::flow::plan::{Doing, Node, Parsed, Plan, ValuePlan};
use crate::flow::work::{condition, eval, text};

fn none() -> Value {
    Value::from(())
}

fn status(outcome: &Outcome) -> (&'static str, Value) {
    match outcome {
        Outcome::Waiting => ("pending", none()),
        Outcome::Accepted => ("accepted", none()),
        Outcome::Skipped(_) => ("skipped", none()),
        Outcome::Failed(failure) => ("failed", error(failure)),
    }
}

fn error(failure: &Failure) -> Value {
    Value::from_pairs([("class", Value::from(failure.class.name())), ("message", Value::from(failure.message.clone()))])
}

/// The `failure` that a handler sees.
#[must_use]
pub fn failure(key: &Key, failure: &Failure) -> Value {
    Value::from_pairs([
        ("key", Value::from(key.to_string())),
        ("class", Value::from(failure.class.name())),
        ("message", Value::from(failure.message.clone())),
    ])
}

/// `steps.X` of a step that has one call.
#[must_use]
pub fn plain(slot: &Slot) -> Value {
    let (status, error) = status(&slot.outcome);
    let output = slot.output.clone().unwrap_or_else(none);
    Value::from_pairs([("output", output), ("status", Value::from(status)), ("error", error)])
}

/// `steps.X` of a step that is not there for this call: one that lost a `first`, or has not ended.
#[must_use]
pub fn nothing() -> Value {
    Value::from_pairs([
        ("output", none()),
        ("outputs", Value::from(Vec::<Value>::new())),
        ("calls", Value::from(Vec::<Value>::new())),
        ("status", Value::from("pending")),
        ("error", none()),
    ])
}

/// `steps.X` of a step that has no calls: it was skipped as a whole, or has not begun.
#[must_use]
pub fn empty(fans_out: bool, status: &'static str) -> Value {
    let empty = || Value::from(Vec::<Value>::new());
    let end = [("status", Value::from(status)), ("error", none())];
    if fans_out {
        Value::from_pairs([("outputs", empty()), ("calls", empty())].into_iter().chain(end))
    } else {
        Value::from_pairs([("output", none())].into_iter().chain(end))
    }
}

/// `steps.X` of a fan-out: the accepted outputs in item order, and every call.
#[must_use]
pub fn fan_out(items: &[Arc<serde_json::Value>], slots: &[Slot], ended: &'static str) -> Value {
    let outputs: Vec<Value> = slots
        .iter()
        .filter(|slot| slot.outcome == Outcome::Accepted)
        .map(|slot| slot.output.clone().unwrap_or_else(none))
        .collect();
    let calls: Vec<Value> = slots
        .iter()
        .zip(items)
        .enumerate()
        .map(|(index, (slot, item))| {
            let (status, error) = status(&slot.outcome);
            Value::from_pairs([
                ("item", from_json(item)),
                ("index", Value::from(index)),
                ("status", Value::from(status)),
                ("output", slot.output.clone().unwrap_or_else(none)),
                ("error", error),
            ])
        })
        .collect();
    Value::from_pairs([
        ("outputs", Value::from(outputs)),
        ("calls", Value::from(calls)),
        ("status", Value::from(ended)),
        ("error", none()),
    ])
}

/// What a group comes to: the output of its last declared step, or of its expression.
///
/// An item of a list whose last step has no output has none either, and so is none of the list's outputs: it is left out
/// for the same reason. A group alone is accepted without an output.
#[must_use]
pub fn of_group(scope: &Scope, plan: &Plan, output: Option<&Parsed<Expr>>, run: &Run, is_item: bool) -> CallView {
    if let Some((key, failure)) = scope.failure() {
        return CallView::failed(Some(key.clone()), failure.clone());
    }
    if !scope.ended() {
        return CallView::waiting();
    }
    let output = match output {
        Some(expr) => match eval("output", expr, &scope.names_at_end(plan, run, |_| true).value()) {
            Ok(output) => from_json(&output),
            Err(mistake) => return CallView::failed(None, mistake.into()),
        },
        None => match scope.last_without_output(plan).filter(|_| is_item) {
            Some(skip) => {
                let (outcome, seq, stamp) = (Outcome::Skipped(skip), scope.seq(), scope.stamp());
                return CallView { outcome, seq, stamp, ..CallView::waiting() };
            }
            None => scope.last_view().map_or_else(none, output_of),
        },
    };
    CallView { stamp: scope.stamp(), ..CallView::accepted(output, scope.seq()) }
}

/// The output of a step as a whole: a fan-out's is the list of its outputs.
fn output_of(view: &Value) -> Value {
    let own = |name| view.get_attr(name).ok().filter(|value| !value.is_undefined());
    own("outputs").or_else(|| own("output")).unwrap_or_else(none)
}

/// What a workflow comes to: its title and body, once all its steps have ended.
///
/// # Errors
/// A template of `[result]` that does not work out.
pub fn result(scope: &Scope, plan: &Plan, run: &Run) -> Result<(String, String), Failure> {
    let context = scope.names_at_end(plan, run, |_| true).value();
    let Some(result) = &plan.result else { return Ok((String::new(), String::new())) };
    let title = text("title", &result.title, &context)?;
    let body = match &result.body {
        Some(body) => text("body", body, &context)?,
        None => match (scope.last_view(), plan.nodes.last()) {
            (Some(view), Some(last)) => readable(&bodies(last, &output_of(view))),
            _ => String::new(),
        },
    };
    Ok((title, body))
}

/// The output of a step as what a result is made of: of a child workflow its body, without its title.
fn bodies(node: &Node, output: &Value) -> Value {
    let of_call = |output: &Value| match &node.does {
        Doing::Child(..) => match output.get_attr("body") {
            Ok(body) if !body.is_undefined() => body,
            _ => output.clone(),
        },
        Doing::Group(plan, None) => match plan.nodes.last() {
            Some(last) => bodies(last, output),
            None => output.clone(),
        },
        _ => output.clone(),
    };
    match output.try_iter() {
        Ok(items) if node.list.is_some() => items.map(|item| of_call(&item)).collect(),
        _ => of_call(output),
    }
}

/// An output as the text of a document: texts as they are, lists of texts one after another, the rest as JSON.
fn readable(value: &Value) -> String {
    if value.is_none() {
        return String::new();
    }
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    let texts: Option<Vec<String>> =
        value.try_iter().ok().and_then(|items| items.map(|item| item.as_str().map(str::to_owned)).collect());
    match texts {
        Some(texts) if value.kind() == minijinja::value::ValueKind::Seq => texts.join("\n\n"),
        _ => crate::core::template::to_json(value)
            .ok()
            .and_then(|json| serde_json::to_string_pretty(&json).ok())
            .unwrap_or_else(|| value.to_string()),
    }
}

/// What a child workflow comes to.
#[must_use]
pub fn of_child(scope: &Scope, plan: &Plan, key: &Key, run: &Run) -> CallView {
    if let Some((key, failure)) = scope.failure() {
        return CallView::failed(Some(key.clone()), failure.clone());
    }
    if !scope.ended() {
        return CallView::waiting();
    }
    if let Some(expr) = plan.result.as_ref().and_then(|result| result.output.as_ref()) {
        return match eval("output", expr, &scope.names_at_end(plan, run, |_| true).value()) {
            Ok(output) => CallView { stamp: scope.stamp(), ..CallView::accepted(from_json(&output), scope.seq()) },
            Err(mistake) => CallView::failed(Some(key.clone()), mistake.into()),
        };
    }
    match result(scope, plan, run) {
        Ok((title, body)) => {
            let output = Value::from_pairs([("title", Value::from(title)), ("body", Value::from(body))]);
            CallView { stamp: scope.stamp(), ..CallView::accepted(output, scope.seq()) }
        }
        Err(failure) => CallView::failed(Some(key.clone()), failure),
    }
}

/// The inputs of a child workflow, filled and checked like a form.
///
/// # Errors
/// A template that does not work out, or a value that the child does not take.
pub fn child_inputs(task: &Task, inputs: &IndexMap<String, ValuePlan>, names: &Names) -> Result<Value, Failure> {
    let mut given = serde_json::Map::new();
    for (name, value) in inputs {
        let context = names.granting(|| value.all_references());
        let value = value.render(&context).map_err(|error| definition("inputs", name, &error))?;
        given.insert(name.clone(), names.handed_over(value));
    }
    let given = form::as_typed(&task.inputs, &serde_json::Value::Object(given));
    let filled = form::fill(&task.inputs, &given).map_err(|problems| {
        let error = TemplateError { message: problems.join("; "), line: 1, column: 1 };
        definition("inputs", &format!("(of the child `{}`)", task.id), &error)
    })?;
    Ok(from_json(&filled))
}

/// The choice of a switch: the first case that holds, else the default.
pub fn switch(
    step: &str,
    cases: &[(Parsed<Expr>, Vec<String>)],
    default: &[String],
    key: &Key,
    context: &Value,
    evaluation: &mut Evaluation<'_>,
) -> CallView {
    for (at, (when, to)) in cases.iter().enumerate() {
        let chosen_before = || {
            let chosen = evaluation.decided_of(key, &FlowDecision::Switch, when, context)?;
            (chosen["case"] == json!(at)).then_some(true)
        };
        match condition("when", when, context).or_else(|mistake| chosen_before().ok_or(mistake)) {
            Ok(true) => {
                evaluation.mended(key, step);
                if let Ok(expr) = when {
                    let chosen = json!({ "case": at, "to": to });
                    evaluation.decide(key.clone(), FlowDecision::Switch, chosen, || values_used(expr, context));
                }
                return CallView { stamp: stamp(to), ..CallView::accepted(Value::from(to.clone()), 0) };
            }
            Ok(false) => {}
            Err(mistake) => {
                evaluation.fail(key, step, &mistake);
                return CallView::failed(None, mistake.into());
            }
        }
    }
    evaluation.mended(key, step);
    evaluation.decide(key.clone(), FlowDecision::Switch, json!({ "case": "default", "to": default }), || {
        serde_json::Value::Null
    });
    CallView { stamp: stamp(&default), ..CallView::accepted(Value::from(default.to_vec()), 0) }
}
