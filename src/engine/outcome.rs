//! From how an attempt ended to the events that say so; and what of a batch of events outlives the run.

use chrono::{DateTime, TimeDelta, Utc};

use crate::core::actor::Actor;
use crate::core::call::{Attempt, Call};
use crate::core::event::{Event, InstructionScope, Lesson, Measured};
use crate::core::failure::{Failure, FailureClass};
use crate::core::gate::{Answer, Gate, GateBody, InDoubtBody};
use crate::core::key::Key;
use crate::core::ports::AttemptOutcome;
use crate::core::run::Run;
use crate::core::step::{OnCrash, Retry};
use crate::core::step_name::StepName;
use crate::core::text::Untrusted;
use crate::core::tool::{AskedCall, FinishedTurn};
use crate::core::tool_call::ToolCallId;
use crate::core::usage::Usage;

/// The events of an attempt's end. `random` is between 0 and 1: retries are spread by it.
pub fn events(
    call: &Call,
    attempt: u32,
    outcome: AttemptOutcome,
    ms: u64,
    retry: &Retry,
    now: DateTime<Utc>,
    random: f64,
) -> Vec<Event> {
    let key = call.key.clone();
    let on_crash = call.attempt(attempt).map_or(OnCrash::Ask, |attempt| attempt.on_crash);
    match outcome {
        AttemptOutcome::Done { output, problem, measured } => {
            let measured = Measured { ms, ..measured };
            vec![Event::AttemptFinished { key, attempt, output: output.into(), problem, measured }]
        }
        AttemptOutcome::Turn(FinishedTurn { text, calls, opaque, measured, .. }) => {
            let measured = Measured { ms, ..measured };
            // Which turn it is, and what its calls are named, is for the journal to say.
            let before =
                call.attempt(attempt).and_then(|attempt| attempt.tool_use.as_ref()).map_or(0, |u| u.turns.len());
            let turn = u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1);
            let named = |(index, asked): (u32, AskedCall)| AskedCall { call: ToolCallId { turn, index }, ..asked };
            let calls = (0..).zip(calls).map(named).collect();
            vec![Event::TurnFinished { key, attempt, turn, text, calls, opaque, measured }]
        }
        AttemptOutcome::Failed { failure, partial, in_doubt: true, .. } if on_crash == OnCrash::Ask => {
            vec![Event::GateOpened(in_doubt(&key, attempt, &failure.message, &partial))]
        }
        AttemptOutcome::Failed { failure, partial, in_doubt, measured } => {
            let fails = in_doubt && on_crash == OnCrash::Fail;
            let retry_at = if fails { None } else { retry_at(call, &failure, retry, now, random) };
            let measured = Measured { ms, ..measured };
            vec![Event::AttemptFailed { key, attempt, error: failure, partial, retry_at, measured }]
        }
        AttemptOutcome::Cancelled { partial, in_doubt: true, .. } if on_crash == OnCrash::Ask => {
            vec![Event::GateOpened(in_doubt(&key, attempt, "it was stopped after it had begun", &partial))]
        }
        AttemptOutcome::Cancelled { partial, measured, .. } => {
            let measured = Measured { ms, ..measured };
            vec![Event::AttemptCancelled { key, attempt, partial, again: false, by: Actor::Person, measured }]
        }
    }
}

/// The gate of a call whose effect may have happened, with the text that had arrived.
fn in_doubt(key: &Key, attempt: u32, why: &str, partial: &Untrusted) -> Gate {
    let body = GateBody::InDoubt(InDoubtBody { why: why.to_owned(), partial: partial.clone() });
    let allowed = vec![Answer::Again, Answer::Answer, Answer::Skip];
    Gate { call: None, key: key.clone(), workflow: None, attempt, version: 0, body, allowed }
}

/// What is said of a tool call that was stopped while it ran.
pub const STOPPED: &str = "it was stopped after it had begun, and may have had its effect";
/// The same, where the tool had not been reached.
pub const NOT_BEGUN: &str = "it was stopped before it had begun";

/// The gate of a tool call whose effect may have happened.
pub fn call_in_doubt(call: &Call, attempt: u32, tool_call: ToolCallId, why: &str) -> Gate {
    let workflow = call.workflow.clone();
    Gate { call: Some(tool_call), workflow, ..in_doubt(&call.key, attempt, why, &Untrusted::default()) }
}

/// The event of an attempt that a process left without an outcome, with what that used as far as can be told; `program` is
/// its process, if that still runs.
pub fn abandoned(call: &Call, attempt: &Attempt, partial: Untrusted, usage: Usage, program: Option<i32>) -> Event {
    let (key, number) = (call.key.clone(), attempt.number);
    let why = abandoned_because(program);
    let measured = Measured { usage, ..Measured::default() };
    match attempt.on_crash {
        OnCrash::Ask => Event::GateOpened(in_doubt(&key, number, &why, &partial)),
        OnCrash::Rerun => {
            let by = Actor::Crash;
            Event::AttemptCancelled { key, attempt: number, partial, again: true, by, measured }
        }
        OnCrash::Fail => {
            let error = Failure::new(FailureClass::Command, why);
            Event::AttemptFailed { key, attempt: number, error, partial, retry_at: None, measured }
        }
    }
}

/// Why nobody knows what came of something; `program` is its process, if that still runs.
pub fn abandoned_because(program: Option<i32>) -> String {
    let still = program.map_or_else(String::new, |pid| {
        format!("; its program was still running then (process {pid}), and is ended before it runs again")
    });
    format!("the process that performed it ended before its outcome was known{still}")
}

/// When a failed attempt is tried again by itself.
fn retry_at(call: &Call, failure: &Failure, retry: &Retry, now: DateTime<Utc>, random: f64) -> Option<DateTime<Utc>> {
    if call.tries >= retry.attempts.max(1) || !retry.on.contains(&failure.class) {
        return None;
    }
    // A server that is full for hours is not waited for: the person hears of it now.
    let asked = failure.retry_after_ms.unwrap_or(0);
    if asked > retry.max_delay.0 {
        return None;
    }
    let exponent = i32::try_from(call.tries.saturating_sub(1)).unwrap_or(i32::MAX);
    #[expect(clippy::cast_precision_loss, reason = "delays are far below 2^52 milliseconds")]
    let (delay, longest) = (retry.delay.0 as f64, retry.max_delay.0 as f64);
    let wait = (delay * retry.backoff.powi(exponent)).min(longest);
    // Between three quarters of it and the whole: many that failed together do not come back together.
    let wait = wait * (0.75 + 0.25 * random);
    #[expect(clippy::cast_possible_truncation, reason = "at most `max_delay`, and a cast saturates")]
    let wait = (wait as i64).max(i64::try_from(asked).unwrap_or(i64::MAX));
    now.checked_add_signed(TimeDelta::try_milliseconds(wait)?)
}

/// The instructions among `events` that later runs are to heed.
pub fn lessons(run: &Run, events: &[Event]) -> Vec<Lesson> {
    let lesson = |event: &Event| match event {
        Event::AttemptRejected { key, instruction, scope: InstructionScope::Always, .. } if !instruction.is_empty() => {
            let of = run.call(key).map_or(StepName { workflow: None, step: key.step() }, Call::of);
            let workflow = of.workflow.map(str::to_owned);
            Some(Lesson { workflow, step: of.step.to_owned(), text: instruction.clone() })
        }
        _ => None,
    };
    events.iter().filter_map(lesson).collect()
}
