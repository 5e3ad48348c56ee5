//! What a person decides about a run as a whole rather than about one gate: its conversation, documents, models and
//! budget.

use std::collections::HashSet;

use super::Refusal;
use crate::core::actor::Actor;
use crate::core::call::{Call, CallStatus};
use crate::core::code::ErrorCode;
use crate::core::event::{Event, InstructionScope};
use crate::core::gate::{BudgetBody, GateBody};
use crate::core::key::Key;
use crate::core::pinned::Pinned;
use crate::core::run::{Run, Status};
use crate::core::step::Does;
use crate::core::step_name::StepName;
use crate::core::task::{Body, Kind};
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
    Ok(vec![Event::ModelChosen { key, workflow, step, model, scope, by }])
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
        let last = run.calls.keys().last().cloned().unwrap_or_else(|| Key::plain("reply"));
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
                    by: by.clone(),
                });
            }
        }
    }
    Ok(chosen)
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
    if run.under_way() > 0 {
        return Refusal::because(ErrorCode::NotWaiting, "the model is still answering; wait for it, or stop it first");
    }
    Ok(vec![Event::MessageAdded { text: text.to_owned(), by: by.clone() }])
}

/// The events of a person's edit of a document; `version` is the one that was seen.
///
/// # Errors
/// When there is no such document, or it has a newer version.
pub fn edit_document(
    run: &Run,
    name: &str,
    version: u32,
    title: &str,
    body: &str,
    by: &Actor,
) -> Result<Vec<Event>, Refusal> {
    let Some((newest, _)) = run.documents.get(name).and_then(|document| document.newest()) else {
        return Refusal::because(ErrorCode::Usage, format!("the run has no document `{name}`"));
    };
    if newest != version {
        return Refusal::because(
            ErrorCode::StaleView,
            format!("version {version} of `{name}` was seen, but version {newest} is there now"),
        );
    }
    Ok(vec![Event::DocumentWritten {
        name: name.to_owned(),
        version: newest + 1,
        title: Untrusted::from(title),
        body: Untrusted::from(body),
        by: by.clone(),
    }])
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
