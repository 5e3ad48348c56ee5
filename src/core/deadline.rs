//! Deadlines of gates: until when one may stay open, and what answers it then.
//!
//! Whoever drives a run or decides about it answers what is overdue first ([`Run::overdue`]); whoever shows one says the
//! time and what will be done ([`Run::due`]). What cannot be answered so has no deadline and waits for a person: what
//! is not acceptable as it is, a text that was cut or stopped, an effect that `on_timeout = "accept"` would allow.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::actor::Actor;
use super::call::Call;
use super::decide::Refusal;
use super::event::Event;
use super::failure::{Failure, FailureClass};
use super::fingerprint::Fingerprint;
use super::gate::{Answer, Gate, GateBody};
use super::given::acceptable;
use super::pinned::Pinned;
use super::run::{Run, Status};
use super::step::{OnTimeout, Timespan};
use super::step_name::StepName;
use super::task::Body;

/// How long the gates of each step may stay open, and what answers them then.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deadlines(Vec<Deadline>);

#[derive(Clone, Debug, PartialEq)]
struct Deadline {
    /// The child workflow that declares the step; `None`: the run's own definition does.
    workflow: Option<String>,
    step: String,
    within: Timespan,
    then: OnTimeout,
}

impl Deadlines {
    /// The deadlines of a definition, its children's included.
    #[must_use]
    pub fn of(pinned: &Pinned) -> Self {
        let mut deadlines = Vec::new();
        for (name, task) in pinned.workflows() {
            let Body::Workflow(workflow) = &task.body else { continue };
            for step in workflow.all_steps() {
                let Some(within) = step.rules.decide_within else { continue };
                let then = step.rules.on_timeout.unwrap_or(OnTimeout::Skip);
                let workflow = name.map(str::to_owned);
                deadlines.push(Deadline { workflow, step: step.id.clone(), within, then });
            }
        }
        Self(deadlines)
    }

    fn get(&self, of: StepName<'_>) -> Option<&Deadline> {
        self.0.iter().find(|deadline| deadline.workflow.as_deref() == of.workflow && deadline.step == of.step)
    }
}

/// What becomes of a gate that nobody answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// When.
    pub at: DateTime<Utc>,
    /// What answers it.
    pub then: OnTimeout,
}

impl Due {
    /// Whether the time is up.
    #[must_use]
    pub fn has_passed(&self, now: DateTime<Utc>) -> bool {
        self.at <= now
    }

    /// For a person in that time zone: `deadline 2026-11-29 14:03: will skip`, `deadline passed: will skip`.
    #[must_use]
    pub fn words<Z: TimeZone<Offset: fmt::Display>>(&self, now: DateTime<Utc>, zone: &Z) -> String {
        let then = self.then.name();
        if self.has_passed(now) {
            return format!("deadline passed: will {then}");
        }
        format!("deadline {}: will {then}", self.at.with_timezone(zone).format("%Y-%m-%d %H:%M"))
    }

    /// The same for a row of a list: `by 14:03`, on another day `by 29 Nov`, then `overdue: will skip`.
    #[must_use]
    pub fn short<Z: TimeZone<Offset: fmt::Display>>(&self, now: DateTime<Utc>, zone: &Z) -> String {
        let (at, today) = (self.at.with_timezone(zone), now.with_timezone(zone).date_naive());
        match (self.has_passed(now), at.date_naive() == today) {
            (true, _) => format!("overdue: will {}", self.then.name()),
            (false, true) => format!("by {}", at.format("%H:%M")),
            (false, false) => format!("by {}", at.format("%-d %b")),
        }
    }
}

impl Run {
    /// Takes over from the definition what the journal does not have.
    pub fn learn(&mut self, pinned: &Pinned) {
        self.name_workflows(pinned);
        self.deadlines = Arc::new(Deadlines::of(pinned));
    }

    /// When a gate's time is up, and what answers it then; `None` where only a person can.
    #[must_use]
    pub fn due(&self, gate: &Gate) -> Option<Due> {
        let call = self.call(&gate.key).filter(|_| gate.document().is_none())?;
        self.timed(call).find(|(timed, _)| timed.gate.call == gate.call).map(|(_, due)| due)
    }

    /// The first of its gates that come due.
    #[must_use]
    pub fn next_due(&self) -> Option<Due> {
        self.all_timed().map(|(_, due)| due).min_by_key(|due| due.at)
    }

    /// The answers to gates whose time is up.
    #[must_use]
    pub fn overdue(&self, now: DateTime<Utc>) -> Vec<Event> {
        let late = self.all_timed().filter(|(_, due)| due.has_passed(now));
        late.filter_map(|(timed, _)| timed.answer()).collect()
    }

    fn all_timed(&self) -> impl Iterator<Item = (Timed<'_>, Due)> {
        let none = self.deadlines.0.is_empty() || self.gates() == 0 || self.status == Status::Cancelled || self.newer;
        self.calls.values().take(if none { 0 } else { usize::MAX }).flat_map(|call| self.timed(call))
    }

    /// The gates of a call that something answers when their time is up.
    fn timed<'a>(&'a self, call: &'a Call) -> impl Iterator<Item = (Timed<'a>, Due)> {
        let waits = !call.gates.is_empty();
        let deadline = if waits { self.deadlines.get(call.of()) } else { None };
        deadline.into_iter().flat_map(move |deadline| {
            call.gates.since().filter_map(move |(gate, since)| {
                let timed = Timed { call, gate, deadline };
                let within = TimeDelta::try_milliseconds(i64::try_from(deadline.within.0).ok()?)?;
                let due = Due { at: since.checked_add_signed(within)?, then: deadline.then };
                timed.answer().is_some().then_some((timed, due))
            })
        })
    }
}

/// A gate that has a deadline.
struct Timed<'a> {
    call: &'a Call,
    gate: &'a Gate,
    deadline: &'a Deadline,
}

impl Timed<'_> {
    fn answer(&self) -> Option<Event> {
        let Self { call, gate, deadline } = self;
        let (key, step, by) = (call.key.clone(), call.step.clone(), Actor::Deadline);
        let because = format!("nobody decided within {}", deadline.within);
        match deadline.then {
            OnTimeout::Accept => self.accepted(),
            OnTimeout::Skip => Some(Event::CallSkipped { key, call: gate.call, step, because, cause: None, by }),
            OnTimeout::Fail => {
                let fingerprint = self.asked()?.clone();
                let error = Failure::new(FailureClass::Timeout, because);
                let failed = gate.failed_checks().to_vec();
                Some(Event::CallFailed { key, call: gate.call, step, fingerprint, error, failed, by })
            }
        }
    }

    /// What waits is taken: an output as it is, a form with its defaults.
    fn accepted(&self) -> Option<Event> {
        let Self { call, gate, .. } = self;
        let (key, attempt, by) = (call.key.clone(), gate.attempt, Actor::Deadline);
        match &gate.body {
            GateBody::Review(review) => {
                let takes = gate.allows(Answer::Accept) && review.is_whole() && acceptable(call, gate).is_ok();
                let (version, overridden) = (gate.version, gate.failed_checks().to_vec());
                takes.then_some(Event::CallAccepted { key, attempt, version, by, overridden })
            }
            GateBody::Input(input) => {
                let value = super::form::fill(input.with_defaults()?, &json!({})).ok()?;
                Some(Event::CallAnswered { key, call: gate.call, attempt, value: Arc::new(value), by })
            }
            _ => None,
        }
    }

    /// What the call is asked to do while this gate is open: a failure at anything else would not count, and the same
    /// would be asked again for ever.
    fn asked(&self) -> Option<&Fingerprint> {
        let Self { call, gate, .. } = self;
        let says = match &gate.body {
            GateBody::Approval(approval) => Some(&approval.fingerprint),
            GateBody::Stale(stale) => Some(&stale.fingerprint),
            GateBody::Budget(budget) => budget.fingerprint.as_ref(),
            GateBody::Secret(secret) => secret.fingerprint.as_ref(),
            GateBody::Review(_) | GateBody::Input(_) | GateBody::InDoubt(_) | GateBody::Tools(_) => None,
        };
        // What was kept stands for something else than it was made for.
        let stands = || call.standing.as_ref().filter(|standing| standing.attempt == gate.attempt);
        let made = || call.attempt(gate.attempt).or_else(|| call.newest()).map(|attempt| &attempt.fingerprint);
        says.or_else(|| stands().map(|standing| &standing.fingerprint)).or_else(made)
    }
}

/// A refusal, which says what came before the decision: `late` are the answers to gates whose time was up.
#[must_use]
pub fn refused(refusal: Refusal, late: &[Event]) -> Refusal {
    match became(late) {
        Some(became) => Refusal { message: format!("{became}; {}", refusal.message), ..refusal },
        None => refusal,
    }
}

/// What the answers to gates whose time was up made of their calls, for a person; `None` where there are none.
#[must_use]
pub fn became(late: &[Event]) -> Option<String> {
    let became = |event: &Event| match event {
        Event::CallSkipped { key, because, .. } => Some(format!("`{key}` was skipped ({because})")),
        Event::CallFailed { key, error, .. } => Some(format!("`{key}` failed ({})", error.message)),
        Event::CallAccepted { key, .. } => Some(format!("`{key}` was accepted")),
        Event::CallAnswered { key, .. } => Some(format!("`{key}` was answered with its defaults")),
        _ => None,
    };
    let became: Vec<String> = late.iter().filter_map(became).collect();
    (!became.is_empty()).then(|| format!("a deadline had passed: {}", became.join(", ")))
}

#[cfg(test)]
mod tests;
