//! Deadlines of gates: what answers one that stays open longer than its step allows. Whoever drives the run applies them,
//! unless a decision came first.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::core::call::Call;
use crate::core::event::Event;
use crate::core::failure::{Failure, FailureClass};
use crate::core::gate::{Answer, GateBody};
use crate::core::pinned::Pinned;
use crate::core::run::Run;
use crate::core::step::{OnTimeout, Span};
use crate::core::task::{Body, Task};

/// Who decides in the place of a person.
const BY: &str = "deadline";

/// How long the gates of a step may stay open, and what answers them then, by the step's id.
pub type Deadlines = HashMap<String, (Span, OnTimeout)>;

/// The deadlines of a definition, its children's included.
pub fn of(pinned: &Pinned) -> Deadlines {
    let tasks = std::iter::once(&pinned.task).chain(pinned.children.values());
    let workflows = tasks.filter_map(|task: &Task| match &task.body {
        Body::Workflow(workflow) => Some(workflow),
        Body::Instruct(_) => None,
    });
    workflows
        .flat_map(|workflow| workflow.all_steps())
        .filter_map(|step| {
            let within = step.rules.decide_within?;
            Some((step.id.clone(), (within, step.rules.on_timeout.unwrap_or(OnTimeout::Skip))))
        })
        .collect()
}

/// When the next gate's deadline passes.
pub fn next(run: &Run, deadlines: &Deadlines) -> Option<DateTime<Utc>> {
    let answerable = waiting(run, deadlines).filter(|call| answer(call, deadlines).is_some());
    answerable.filter_map(|call| due(call, deadlines)).min()
}

/// The answers to gates whose deadline has passed.
pub fn passed(run: &Run, deadlines: &Deadlines, now: DateTime<Utc>) -> Vec<Event> {
    let late = waiting(run, deadlines).filter(|call| due(call, deadlines).is_some_and(|due| due <= now));
    late.filter_map(|call| answer(call, deadlines)).collect()
}

/// The calls that wait for a person; none where nothing has a deadline.
fn waiting<'a>(run: &'a Run, deadlines: &Deadlines) -> impl Iterator<Item = &'a Call> {
    let none = deadlines.is_empty() || run.gates() == 0;
    run.calls.values().take(if none { 0 } else { usize::MAX }).filter(|call| call.gate.is_some())
}

fn due(call: &Call, deadlines: &Deadlines) -> Option<DateTime<Utc>> {
    call.gate.as_ref()?;
    let (within, _) = deadlines.get(&call.step)?;
    call.gate_since?.checked_add_signed(chrono::TimeDelta::try_milliseconds(i64::try_from(within.0).ok()?)?)
}

fn answer(call: &Call, deadlines: &Deadlines) -> Option<Event> {
    let gate = call.gate.as_ref()?;
    let (within, answer) = deadlines.get(&call.step)?;
    let (key, step, by) = (call.key.clone(), call.step.clone(), BY.to_owned());
    let because = format!("nobody decided within {within}");
    Some(match answer {
        OnTimeout::Accept if gate.allows(Answer::Accept) => {
            let (attempt, version) = (gate.attempt, gate.version);
            Event::CallAccepted { key, attempt, version, by, overridden: gate.failed_checks().to_vec() }
        }
        // What cannot be accepted stays for a person, and so does an effect that may have happened.
        OnTimeout::Accept => return None,
        OnTimeout::Skip => Event::CallSkipped { key, step, because, by },
        OnTimeout::Fail => {
            let asked = match &gate.body {
                GateBody::Approval(approval) => Some(&approval.fingerprint),
                GateBody::Stale(stale) => Some(&stale.fingerprint),
                _ => None,
            };
            let fingerprint = call.newest().map(|attempt| &attempt.fingerprint).or(asked)?.clone();
            Event::CallFailed { key, step, fingerprint, error: Failure::new(FailureClass::Timeout, because), by }
        }
    })
}
