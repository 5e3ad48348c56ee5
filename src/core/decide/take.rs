//! Take: an earlier attempt, or another version of one, is accepted instead of what waits. So that a retry is never a gamble.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::refusal::{not_waiting, stands};
use super::{Decision, Refusal, check_current};
use crate::core::actor::Actor;
use crate::core::call::{Attempt, AttemptStatus, Call, CallStatus, Ending, Version};
use crate::core::code::ErrorCode;
use crate::core::event::Event;
use crate::core::fingerprint::Fingerprint;
use crate::core::gate::{Gate, GateBody, GateKind};
use crate::core::given::{acceptable_version, fits_work, given};
use crate::core::run::Run;
use crate::core::work::Work;

/// Which attempt of a call is taken, and which version of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taken {
    /// The attempt.
    pub attempt: u32,
    /// The version; `None`: the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

impl Decision {
    /// The attempt that it takes, if it takes one that was made for something else than what is asked now: it is kept for
    /// that, which a person has to know beforehand.
    #[must_use]
    pub fn takes_from_elsewhere(&self, run: &Run) -> Option<Taken> {
        let super::DecisionKind::Take { take } = &self.kind else { return None };
        let call = run.call(&self.key)?;
        let made = &call.attempt(take.attempt)?.fingerprint;
        (asked(call)? != made).then_some(*take)
    }
}

/// The events of taking an attempt.
pub(super) fn take(
    run: &Run,
    call: &Call,
    taken: Taken,
    decision: &Decision,
    by: Actor,
) -> Result<Vec<Event>, Refusal> {
    let key = &call.key;
    let gate = call.gates.own();
    let waits = gate.is_some_and(|gate| matches!(gate.kind(), GateKind::Review | GateKind::Stale | GateKind::Approval));
    match gate {
        Some(gate) => check_current(run, gate, decision)?,
        None => check_failed(call, decision)?,
    }
    let Some(asked) = asked(call).filter(|_| decision.call.is_none() && (waits || call.status == CallStatus::Failed))
    else {
        return Err(match gate {
            Some(_) => Refusal::new(
                ErrorCode::NotAllowed,
                format!("`{key}` {}: an earlier attempt does not answer that", stands(call)),
            ),
            None => not_waiting(run, call),
        });
    };
    let (attempt, number, version) = found(call, taken)?;
    let refused = |problem: &str| {
        let text = format!("attempt {}, version {number} of `{key}` {problem}", attempt.number);
        Refusal::new(ErrorCode::InvalidInput, text)
    };
    acceptable_version(attempt, number).map_err(|problem| refused(&problem))?;
    fits(call, gate, &version.output).map_err(|problem| refused(&problem))?;
    let taken_now = gate.is_some_and(|gate| (gate.attempt, gate.version) == (attempt.number, number));
    let overridden = gate.filter(|_| taken_now).map_or(&*version.failed, Gate::failed_checks).to_vec();
    let kept = (attempt.fingerprint != *asked).then(|| Event::CallKept {
        key: key.clone(),
        fingerprint: asked.clone(),
        by: by.clone(),
    });
    let (key, attempt, version) = (key.clone(), attempt.number, number);
    let accepted = Event::CallAccepted { key, attempt, version, by, overridden };
    Ok(std::iter::once(accepted).chain(kept).collect())
}

/// The events of giving the output of a failed call by hand.
pub(super) fn fill(call: &Call, output: &Value, accept: bool, by: Actor) -> Result<Vec<Event>, Refusal> {
    let key = call.key.clone();
    let Some(Ending::Failed { fingerprint, work, .. }) = &call.ending else {
        return Refusal::because(ErrorCode::NotWaiting, format!("`{key}` {}", stands(call)));
    };
    if !accept {
        let text =
            format!("`{key}` has failed and waits for nothing: accept the output that you give for it (--accept)");
        return Refusal::because(ErrorCode::NotAllowed, text);
    }
    let refused = |problem| Refusal::new(ErrorCode::InvalidInput, format!("the output for `{key}` {problem}"));
    let output = fits_work(work.as_deref(), output).map_err(refused)?;
    // An attempt that failed at this gets a version; otherwise the person's is an attempt of its own.
    let failed = call.newest().filter(|attempt| {
        attempt.fingerprint == *fingerprint && matches!(attempt.status, AttemptStatus::Failed | AttemptStatus::Review)
    });
    let attempt = failed.map_or_else(|| call.next_attempt(), |attempt| attempt.number);
    let versions = failed.map_or(0, |attempt| attempt.versions.len());
    let version = u32::try_from(versions).unwrap_or(u32::MAX).saturating_add(1);
    let edited = Event::VersionEdited { key: key.clone(), attempt, version, output: Arc::new(output), by: by.clone() };
    Ok(vec![edited, Event::CallAccepted { key, attempt, version, by, overridden: Vec::new() }])
}

/// Whether a decision about a failed call was made of what it is now.
pub(super) fn check_failed(call: &Call, decision: &Decision) -> Result<(), Refusal> {
    let newest = call.newest().map_or(0, |attempt| attempt.number);
    if let Some(seen) = decision.attempt.filter(|seen| *seen != newest) {
        let text = format!("attempt {seen} of `{}` was seen, but attempt {newest} is the newest now", call.key);
        return Refusal::because(ErrorCode::StaleView, text);
    }
    if decision.seq.is_some_and(|seq| seq != call.seq) {
        let text = format!("`{}` has changed since it was seen: look again", call.key);
        return Refusal::because(ErrorCode::StaleView, text);
    }
    Ok(())
}

fn found(call: &Call, taken: Taken) -> Result<(&Attempt, u32, &Version), Refusal> {
    let no = |what: String| Refusal::new(ErrorCode::InvalidInput, format!("{what} of `{}`", call.key));
    let Some(attempt) = call.attempt(taken.attempt) else {
        let all = call.attempts.len();
        return Err(no(format!("there is no attempt {} (it has {all})", taken.attempt)));
    };
    let newest = attempt.newest().map(|(newest, _)| newest);
    let Some(number) = taken.version.or(newest).filter(|_| newest.is_some()) else {
        return Err(no(format!("there is no output in attempt {}", taken.attempt)));
    };
    let Some(version) = attempt.version(number) else {
        let all = attempt.versions.len();
        return Err(no(format!("there is no version {number} (it has {all}) in attempt {}", taken.attempt)));
    };
    Ok((attempt, number, version))
}

/// Whether an output fits what is asked now.
fn fits(call: &Call, gate: Option<&Gate>, output: &Value) -> Result<(), String> {
    match gate {
        Some(gate) => given(call, gate, output)?,
        None => fits_work(work_of_failure(call), output)?,
    };
    Ok(())
}

fn work_of_failure(call: &Call) -> Option<&Work> {
    match &call.ending {
        Some(Ending::Failed { work, .. }) => work.as_deref(),
        _ => None,
    }
}

/// What a call is asked to do now.
fn asked(call: &Call) -> Option<&Fingerprint> {
    match call.gates.own().map(|gate| (&gate.body, gate.attempt)) {
        Some((GateBody::Stale(stale), _)) => Some(&stale.fingerprint),
        Some((GateBody::Approval(approval), _)) => Some(&approval.fingerprint),
        Some((_, attempt)) => call.attempt(attempt).map(|attempt| &attempt.fingerprint),
        None => match &call.ending {
            Some(Ending::Failed { fingerprint, .. }) => Some(fingerprint),
            _ => None,
        },
    }
}
