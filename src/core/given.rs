//! What a person gives as the output of a call: one rule for every way to give it. An answer, an edit, an edit that is
//! accepted, the result of an effect whose outcome was not known, and what waits to be accepted are held to the same.

use serde_json::Value;

use super::call::{Attempt, Call};
use super::gate::{Answer, Gate, GateKind};
use super::work::Work;
use super::{form, schema};

impl Work {
    /// A value that a person gives as the output, in its proper form.
    ///
    /// # Errors
    /// Why it cannot be the output.
    pub fn take(&self, value: &Value) -> Result<Value, String> {
        match self {
            Self::Ask { fields, .. } => form::fill(fields, value)
                .map_err(|problems| format!("is no answer to the form: {}", problems.join("; "))),
            _ => fits(self.schema(), value),
        }
    }
}

fn fits(wanted: Option<&Value>, value: &Value) -> Result<Value, String> {
    match wanted.map(|wanted| schema::validate(wanted, value)) {
        Some(Err(problem)) => Err(format!("does not fit its schema: {problem}")),
        Some(Ok(())) | None => Ok(value.clone()),
    }
}

/// A value that a person gives as the output of work, in its proper form. Where the work is not known, anything fits.
pub(super) fn fits_work(work: Option<&Work>, value: &Value) -> Result<Value, String> {
    work.map_or_else(|| Ok(value.clone()), |work| work.take(value))
}

/// Whether a gate takes an answer: one rule for every front end. Version 0.1.0 did not say of all gates what they take.
#[must_use]
pub fn takes(call: &Call, gate: &Gate, answer: Answer) -> bool {
    match answer {
        // A form that was taken up again is answered once more.
        Answer::Answer if gate.kind() == GateKind::Review => gate.allows(answer) || form_of(call, gate).is_some(),
        Answer::Skip if gate.kind() == GateKind::Approval => true,
        _ => gate.allows(answer),
    }
}

/// The work of the attempt that a gate is about, where it is a form.
fn form_of<'a>(call: &'a Call, gate: &Gate) -> Option<&'a Work> {
    call.attempt(gate.attempt)?.work.as_deref().filter(|work| matches!(work, Work::Ask { .. }))
}

/// Whether what waits for a review may be accepted as it is. Of an answer to a form that is not known before: version 0.1.0
/// took any edit of one.
///
/// # Errors
/// Why it may not.
pub fn acceptable(call: &Call, gate: &Gate) -> Result<(), String> {
    match call.attempt(gate.attempt) {
        // What its attempt says of it, the gate does.
        Some(attempt) if form_of(call, gate).is_some() => acceptable_version(attempt, gate.version),
        _ => Ok(()),
    }
}

/// Whether a version of an attempt may be accepted as it is: one rule for what waits and for what is taken instead.
///
/// # Errors
/// Why it may not.
pub(super) fn acceptable_version(attempt: &Attempt, version: u32) -> Result<(), String> {
    let work = attempt.work.as_deref();
    if let Some(problem) = attempt.unfit(version) {
        return Err(format!("cannot be accepted as it is: {problem}"));
    }
    if attempt.is_broken_off(version) && work.and_then(Work::schema).is_some() {
        return Err(
            "cannot be accepted as it is: the attempt was stopped, and this is only what had arrived".to_owned()
        );
    }
    attempt.version(version).map_or(Ok(()), |made| fits_work(work, &made.output).map(|_| ()))
}

/// The output that a person gives for the attempt that a gate is about, in its proper form.
///
/// # Errors
/// Why it cannot be the output.
pub(super) fn given(call: &Call, gate: &Gate, value: &Value) -> Result<Value, String> {
    // What a tool call gives is no output of the call.
    if gate.call.is_some() {
        return Ok(value.clone());
    }
    match call.attempt(gate.attempt).and_then(|attempt| attempt.work.as_deref()) {
        Some(work) => work.take(value),
        None => fits(gate.schema(), value),
    }
}
