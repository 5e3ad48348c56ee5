//! Deadlines of gates: what answers one that stays open longer than its step allows. Whoever drives the run applies them,
//! unless a decision came first.

use chrono::{DateTime, Utc};

use crate::core::actor::Actor;
use crate::core::call::Call;
use crate::core::event::Event;
use crate::core::failure::{Failure, FailureClass};
use crate::core::gate::{Answer, Gate, GateBody};
use crate::core::given::acceptable;
use crate::core::pinned::Pinned;
use crate::core::run::Run;
use crate::core::step::{OnTimeout, Timespan};
use crate::core::step_name::StepName;
use crate::core::task::Body;

/// How long the gates of each step may stay open, and what answers them then.
#[derive(Debug, Default)]
pub struct Deadlines(Vec<Deadline>);

#[derive(Debug)]
struct Deadline {
    /// The child workflow that declares the step; `None`: the run's own definition does.
    workflow: Option<String>,
    step: String,
    within: Timespan,
    answer: OnTimeout,
}

impl Deadlines {
    /// The deadlines of a definition, its children's included.
    pub fn of(pinned: &Pinned) -> Self {
        let mut deadlines = Vec::new();
        for (name, task) in pinned.workflows() {
            let Body::Workflow(workflow) = &task.body else { continue };
            for step in workflow.all_steps() {
                let Some(within) = step.rules.decide_within else { continue };
                let answer = step.rules.on_timeout.unwrap_or(OnTimeout::Skip);
                let workflow = name.map(str::to_owned);
                deadlines.push(Deadline { workflow, step: step.id.clone(), within, answer });
            }
        }
        Self(deadlines)
    }

    fn get(&self, of: StepName<'_>) -> Option<&Deadline> {
        self.0.iter().find(|deadline| deadline.workflow.as_deref() == of.workflow && deadline.step == of.step)
    }
}

/// When the next gate's deadline passes.
pub fn next(run: &Run, deadlines: &Deadlines) -> Option<DateTime<Utc>> {
    let answerable = waiting(run, deadlines).filter(|waits| waits.answer().is_some());
    answerable.filter_map(|waits| waits.due()).min()
}

/// The answers to gates whose deadline has passed.
pub fn passed(run: &Run, deadlines: &Deadlines, now: DateTime<Utc>) -> Vec<Event> {
    let late = waiting(run, deadlines).filter(|waits| waits.due().is_some_and(|due| due <= now));
    late.filter_map(|waits| waits.answer()).collect()
}

/// A gate that has a deadline.
struct Waits<'a> {
    call: &'a Call,
    gate: &'a Gate,
    since: DateTime<Utc>,
    within: Timespan,
    then: OnTimeout,
}

/// The gates that have a deadline.
fn waiting<'a>(run: &'a Run, deadlines: &'a Deadlines) -> impl Iterator<Item = Waits<'a>> {
    let none = deadlines.0.is_empty() || run.gates() == 0;
    let calls = run.calls.values().take(if none { 0 } else { usize::MAX }).filter(|call| !call.gates.is_empty());
    calls.filter_map(|call| Some((call, deadlines.get(call.of())?))).flat_map(|(call, deadline)| {
        let (within, then) = (deadline.within, deadline.answer);
        call.gates.since().map(move |(gate, since)| Waits { call, gate, since, within, then })
    })
}

impl Waits<'_> {
    fn due(&self) -> Option<DateTime<Utc>> {
        self.since.checked_add_signed(chrono::TimeDelta::try_milliseconds(i64::try_from(self.within.0).ok()?)?)
    }

    fn answer(&self) -> Option<Event> {
        let Self { call, gate, within, .. } = self;
        let (key, step, by) = (call.key.clone(), call.step.clone(), Actor::Deadline);
        let because = format!("nobody decided within {within}");
        Some(match self.then {
            OnTimeout::Accept if gate.allows(Answer::Accept) && acceptable(call, gate).is_ok() => {
                let (attempt, version) = (gate.attempt, gate.version);
                Event::CallAccepted { key, attempt, version, by, overridden: gate.failed_checks().to_vec() }
            }
            // What cannot be accepted stays for a person, and so does an effect that may have happened.
            OnTimeout::Accept => return None,
            OnTimeout::Skip => Event::CallSkipped { key, call: gate.call, step, because, cause: None, by },
            OnTimeout::Fail => {
                let asked = match &gate.body {
                    GateBody::Approval(approval) => Some(&approval.fingerprint),
                    GateBody::Stale(stale) => Some(&stale.fingerprint),
                    _ => None,
                };
                let fingerprint = call.newest().map(|attempt| &attempt.fingerprint).or(asked)?.clone();
                let error = Failure::new(FailureClass::Timeout, because);
                Event::CallFailed { key, call: gate.call, step, fingerprint, error, by }
            }
        })
    }
}
