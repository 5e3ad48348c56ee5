//! What a person decides about a run as a whole rather than about one gate: its conversation, documents, models and
//! budget.

use std::collections::HashSet;

use serde_json::Value;

use super::refusal::{Refusal, what_waits};
use crate::core::actor::Actor;
use crate::core::call::{Call, CallStatus};
use crate::core::code::ErrorCode;
use crate::core::document::{Document, RESULT};
use crate::core::event::{Event, InstructionScope};
use crate::core::gate::{BudgetBody, GateBody};
use crate::core::key::Key;
use crate::core::pinned::Pinned;
use crate::core::run::{Run, Status};
use crate::core::step::Does;
use crate::core::step_name::{REPLY, StepName};
use crate::core::task::{Body, FlowKind, Kind};
use crate::core::text::Untrusted;
use crate::core::usage::Budget;
use crate::core::work::Work;

/// The events of a person's choice of another model: for later attempts of a call, and beyond
/// [`InstructionScope::This`] also for the calls of its step; of a step that has not begun, `key` is the step's. In a
/// conversation it is for all that follows. `workflow` is the child workflow that declares the step, where no call of
/// it says so.
///
/// # Errors
/// When the call asks no model, or the run was cancelled.
pub fn choose_model(
    run: &Run,
    key: &Key,
    workflow: Option<&str>,
    model: &str,
    scope: InstructionScope,
    by: &Actor,
) -> Result<Vec<Event>, Refusal> {
    if run.status == Status::Cancelled {
        return Err(Refusal::cancelled());
    }
    let call = run.call(key);
    if let Some(other) = call.and_then(Call::newest).and_then(|attempt| attempt.work.as_ref())
        && !matches!(**other, Work::Prompt(_))
    {
        return Refusal::because(
            ErrorCode::NotAllowed,
            format!("`{key}` asks no model: it is of kind `{}`", other.kind()),
        );
    }
    let scope = match (run.kind, call) {
        (Kind::Workflow, Some(_)) => scope,
        (Kind::Instruct, _) | (_, None) => InstructionScope::Remaining,
    };
    let of = call.map_or(StepName { workflow, step: key.step() }, |call| call.of());
    let (workflow, step) = (of.workflow.or(workflow).map(str::to_owned), of.step.to_owned());
    let (key, model, by) = (key.clone(), model.to_owned(), by.clone());
    Ok(vec![Event::ModelChosen { key, workflow, step, model, scope, rest: false, by }])
}

/// The events of a person's choice of a model for all that is left to do: for the calls that have not ended well, and for
/// every step that asks a model, its calls that have not begun.
///
/// # Errors
/// When nothing is left to do.
pub fn choose_model_for_the_rest(run: &Run, pinned: &Pinned, model: &str, by: &Actor) -> Result<Vec<Event>, Refusal> {
    if run.status == Status::Cancelled {
        return Err(Refusal::cancelled());
    }
    if run.status == Status::Completed && run.kind == Kind::Workflow {
        let text = "the run is completed: nothing is left that another model could do";
        return Refusal::because(ErrorCode::Over, text);
    }
    let all = InstructionScope::Remaining;
    if run.kind == Kind::Instruct {
        let last = run.flow_calls().last().map_or_else(|| Key::plain(REPLY), |call| call.key.clone());
        return choose_model(run, &last, None, model, all, by);
    }
    let mut chosen = Vec::new();
    let mut named: HashSet<(Option<String>, String)> = HashSet::new();
    for call in run.calls.values().filter(|call| call.standing.is_none() && call.status != CallStatus::Skipped) {
        let asks = match call.newest().and_then(|attempt| attempt.work.as_deref()) {
            Some(work) => matches!(work, Work::Prompt(_)),
            None => pinned.step(call.of()).is_some_and(|step| matches!(step.does, Does::Prompt(_))),
        };
        let step = (call.workflow.clone(), call.step.clone());
        // The first call of a step speaks for the others, but for those that a model was chosen for by name.
        if asks && !named.contains(&step) {
            chosen.extend(choose_model(run, &call.key, None, model, all, by)?);
            named.insert(step);
        } else if asks && call.model.is_some() {
            chosen.extend(choose_model(run, &call.key, None, model, InstructionScope::This, by)?);
        }
    }
    for (workflow, task) in pinned.workflows() {
        let Body::Workflow(flow) = &task.body else { continue };
        for step in flow.all_steps() {
            let unnamed = named.insert((workflow.map(str::to_owned), step.id.clone()));
            if unnamed && matches!(step.does, Does::Prompt(_)) {
                chosen.push(Event::ModelChosen {
                    key: Key::plain(&step.id),
                    workflow: workflow.map(str::to_owned),
                    step: step.id.clone(),
                    model: model.to_owned(),
                    scope: all,
                    rest: false,
                    by: by.clone(),
                });
            }
        }
        // Code may come to ask a model in steps that it makes up.
        if !matches!(flow.flow, FlowKind::Graph) && !chosen.iter().any(is_for_the_rest) {
            let none = Key::plain("_");
            chosen.push(Event::ModelChosen {
                step: none.step().to_owned(),
                key: none,
                workflow: None,
                model: model.to_owned(),
                scope: InstructionScope::This,
                rest: true,
                by: by.clone(),
            });
        }
    }
    Ok(chosen)
}

fn is_for_the_rest(event: &Event) -> bool {
    matches!(event, Event::ModelChosen { rest: true, .. })
}

/// The answer of a conversation that waits in its middle: for a person's word on a tool call, or on tools that changed.
#[must_use]
pub fn waiting_answer(run: &Run) -> Option<&Call> {
    let waits = |call: &&Call| (call.runs_tools() || call.resumes_tools()) && !call.gates.is_empty();
    run.flow_calls().find(waits).filter(|_| run.kind == Kind::Instruct)
}

/// What is said while a model answers has to wait: it says which answer. Its prompt is what it was when it began, so that
/// nothing said meanwhile would be answered.
fn nothing_is_answered(run: &Run) -> Result<(), Refusal> {
    let runs = |key: &Key| run.call(key).is_some_and(|call| call.status == CallStatus::Running);
    let text = match run.action_under_way(RESULT) {
        Some((key, _)) if runs(key) => format!("`{key}` is changing the document; wait for it, or stop it first"),
        _ if waiting_answer(run).is_some() => {
            format!("the model's answer is not complete: decide first what it waits for; {}", what_waits(run))
        }
        _ if run.under_way() > 0 => "the model is still answering; wait for it, or stop it first".to_owned(),
        _ => return Ok(()),
    };
    Refusal::because(ErrorCode::NotWaiting, text)
}

/// The events of a person's message in a conversation.
///
/// # Errors
/// When the run takes no messages.
pub fn message(run: &Run, text: &str, by: &Actor) -> Result<Vec<Event>, Refusal> {
    if run.kind != Kind::Instruct {
        return Refusal::because(
            ErrorCode::NotAllowed,
            "only an instruct run takes messages; a workflow's calls are answered by their key",
        );
    }
    if run.status == Status::Cancelled {
        return Refusal::because(ErrorCode::Over, "the run was cancelled");
    }
    if text.trim().is_empty() {
        return Refusal::because(ErrorCode::InvalidInput, "the message is empty");
    }
    nothing_is_answered(run)?;
    Ok(vec![Event::MessageAdded { text: text.to_owned(), by: by.clone() }])
}

/// The events of a person's own text of a conversation's document: its first version, before the model has delivered any, or
/// the next. It is Markdown, whose first line is the title if it is a heading, or an object with `title` and `body`. With
/// `accept` the conversation is done with it, whatever the model asked for.
///
/// # Errors
/// When the run has no such document, the model is answering, or the text is empty.
pub fn write_document(run: &Run, text: &Value, accept: bool, by: &Actor) -> Result<Vec<Event>, Refusal> {
    if run.kind != Kind::Instruct || run.flow_calls().any(is_plain) {
        let text = "only a conversation with a document takes one; a plain chat and a workflow have none";
        return Refusal::because(ErrorCode::NotAllowed, text);
    }
    nothing_is_answered(run)?;
    let (title, body) = match text {
        Value::String(text) => {
            match text.trim_start().strip_prefix("# ").map(|text| text.split_once('\n').unwrap_or((text, ""))) {
                Some((title, body)) => (title.trim(), body.trim()),
                None => ("", text.trim()),
            }
        }
        other => {
            let part = |name: &str| other.get(name).and_then(Value::as_str).unwrap_or_default().trim();
            (part("title"), part("body"))
        }
    };
    if body.is_empty() {
        let text = "the document is empty: expected a text, or an object with `title` and `body`";
        return Refusal::because(ErrorCode::InvalidInput, text);
    }
    let document = run.documents.get(RESULT);
    let current = document.and_then(Document::current);
    let before = current.map_or(run.title.as_str(), |(_, version)| version.title.data());
    let written = Event::DocumentWritten {
        name: RESULT.to_owned(),
        version: document.map_or(1, Document::next_version),
        title: Untrusted::from(if title.is_empty() { before } else { title }),
        body: Untrusted::from(body),
        by: by.clone(),
        proposed: false,
        action: None,
    };
    // The reply that waits, or came to nothing, is left out: the person wrote what it was for.
    let open =
        |call: &&Call| call.gates.own().is_some() || !matches!(call.status, CallStatus::Accepted | CallStatus::Skipped);
    let left_out = run.flow_calls().filter(open).filter(|_| accept).map(|call| Event::CallSkipped {
        call: None,
        key: call.key.clone(),
        step: call.step.clone(),
        because: format!("{by} wrote the document"),
        cause: None,
        by: by.clone(),
    });
    Ok(std::iter::once(written).chain(left_out).collect())
}

/// Whether a reply is one of a plain chat, which follows no schema.
fn is_plain(call: &Call) -> bool {
    let work = call.newest().and_then(|attempt| attempt.work.as_deref());
    matches!(work, Some(Work::Prompt(prompt)) if prompt.schema.is_none())
}

/// The events of a person's word on what a run may spend in all; `before` is what its definition says. A limit that is
/// not spoken of stays.
#[must_use]
pub fn set_budget(run: &Run, budget: Budget, before: Budget, by: &Actor) -> Vec<Event> {
    let asked = run.waiting().find_map(|gate| match &gate.body {
        GateBody::Budget(asked) => Some(asked),
        _ => None,
    });
    let budget = match asked {
        Some(asked) => raised(asked, budget),
        None => budget.over(run.budget.unwrap_or(before)),
    };
    vec![Event::BudgetRaised { budget, by: by.clone() }]
}

/// A limit that was not spoken of stays, unless it is the one that holds the run up.
pub(super) fn raised(asked: &BudgetBody, budget: Budget) -> Budget {
    budget.over(asked.budget.kept_by(asked.needed()))
}

/// A fresh set of attempts for every call of the flow that failed, where the run failed of it: what failed in a run that
/// continued all the same is settled. An action on a document is asked for again by itself:
/// what it would change may be another version by now.
///
/// # Errors
/// When the run was cancelled.
pub fn retry_failed(run: &Run, who: &Actor) -> Result<Vec<Event>, Refusal> {
    if run.status == Status::Cancelled {
        return Err(Refusal::cancelled());
    }
    if run.status != Status::Failed {
        return Ok(Vec::new());
    }
    let failed = run.flow_calls().filter(|call| call.status == CallStatus::Failed);
    Ok(failed.map(|call| Event::CallRequested { call: None, key: call.key.clone(), by: who.clone() }).collect())
}

/// The end of a run by a person's will.
///
/// # Errors
/// When it is over already.
pub fn cancel(run: &Run, who: &Actor) -> Result<Vec<Event>, Refusal> {
    match run.status {
        Status::Cancelled => Err(Refusal::new(ErrorCode::Over, "the run was cancelled already")),
        Status::Completed => Err(Refusal::new(ErrorCode::Over, "the run is completed; there is nothing to cancel")),
        _ => Ok(vec![Event::RunCancelled { by: who.clone() }]),
    }
}
