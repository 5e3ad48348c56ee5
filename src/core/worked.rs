//! How long a run has been at work: the time in which something of it was under way. That a person reads, or has gone home,
//! is none of it.

use chrono::{DateTime, TimeDelta, Utc};

use super::call::{Attempt, AttemptStatus, Call, ToolCall, ToolCallState, ToolUse};
use super::run::{Run, Status};
use super::work::Work;

impl Run {
    /// The milliseconds in which at least one of its attempts was under way, until `now`. What runs side by side counts once.
    #[must_use]
    pub fn worked(&self, now: DateTime<Utc>) -> u64 {
        let attempts = self.calls.values().flat_map(|call| call.attempts.iter().map(move |attempt| (call, attempt)));
        let mut spans: Vec<_> = attempts.filter_map(|(call, attempt)| span(self, call, attempt, now)).collect();
        spans.sort_unstable();
        let mut worked = TimeDelta::zero();
        let mut until = DateTime::<Utc>::MIN_UTC;
        for (start, end) in spans {
            worked += (end - start.max(until)).max(TimeDelta::zero());
            until = until.max(end);
        }
        u64::try_from(worked.num_milliseconds()).unwrap_or(0)
    }
}

/// From when to when an attempt was under way; `None` for what no machine did.
fn span(run: &Run, call: &Call, attempt: &Attempt, now: DateTime<Utc>) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    if matches!(attempt.work.as_deref(), Some(Work::Ask { .. })) {
        return None;
    }
    let start = attempt.started_at;
    let measured = || start.checked_add_signed(milliseconds(attempt.measured.ms)?);
    let end = match (attempt.status, &attempt.tool_use) {
        (AttemptStatus::Running, None) => {
            // A program that asks a person in the middle of its work waits for them.
            let waited = attempt.waited_ms.saturating_add(call.gates.open_for(None, now));
            now.checked_sub_signed(milliseconds(waited)?)?.max(start)
        }
        (AttemptStatus::Running, Some(used)) => {
            measured()?.checked_add_signed(unmeasured(run, call, used, used.moved_at.unwrap_or(start), now))?
        }
        _ => measured()?,
    };
    Some((start, end))
}

fn milliseconds(ms: u64) -> Option<TimeDelta> {
    TimeDelta::try_milliseconds(i64::try_from(ms).ok()?)
}

/// How long an attempt whose model calls tools is at work beyond what was measured of it: its tools since the first of them
/// began, else its model since something happened in it last. A person who is asked about a call, or by a tool, is none of
/// that, and while the run only waits nothing of it is at work.
fn unmeasured(run: &Run, call: &Call, used: &ToolUse, moved_at: DateTime<Utc>, now: DateTime<Utc>) -> TimeDelta {
    let called = || used.open().filter(|asked| asked.state == ToolCallState::Called);
    let worked = |asked: &ToolCall| {
        let waited = asked.waited_ms.saturating_add(call.gates.open_for(Some(asked.asked.call), now));
        (now - asked.began_at?).checked_sub(&milliseconds(waited)?)
    };
    let more = match called().filter_map(worked).max() {
        // What has returned of the same turn ran side by side with it, and was measured.
        Some(longest) => longest - milliseconds(used.longest_of_turn()).unwrap_or_default(),
        None if call.gates.is_empty() && run.status == Status::Running => now - moved_at,
        None => TimeDelta::zero(),
    };
    more.max(TimeDelta::zero())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::{DateTime, TimeDelta, TimeZone as _, Utc};
    use serde_json::{Value, json};

    use crate::core::actor::Actor;
    use crate::core::event::{Created, Event, Measured, Started};
    use crate::core::fingerprint::Fingerprint;
    use crate::core::id::RunId;
    use crate::core::run::Run;
    use crate::core::step::OnCrash;
    use crate::core::task::Kind;

    fn at(seconds: i64) -> DateTime<Utc> {
        Utc.timestamp_opt(1_795_000_000 + seconds, 0).unwrap()
    }

    fn run() -> Run {
        let created = Created {
            task: "poem".to_owned(),
            kind: Kind::Workflow,
            title: "poem".to_owned(),
            by: Actor::Person,
            cwd: "/".into(),
            inputs: Arc::new(json!({})),
            definition: Fingerprint::of(&"x").unwrap(),
            nonce: "n".to_owned(),
            date: None,
            session: None,
            state: json!(null),
            earlier_runs: Vec::new(),
            learned: Vec::new(),
            model: None,
            budget: None,
            origin: None,
        };
        Run::new(RunId::new(1, [1; 10]), at(0), &created)
    }

    fn start(run: &mut Run, key: &str, seconds: i64) {
        let started = Started {
            workflow: None,
            key: key.parse().unwrap(),
            step: key.to_owned(),
            attempt: 1,
            fingerprint: Fingerprint::of(&"x").unwrap(),
            by: Actor::Model,
            work: None,
            item: None,
            depends: Vec::new(),
            on_crash: OnCrash::Rerun,
        };
        run.apply(run.seq + 1, at(seconds), &Event::AttemptStarted(started));
    }

    fn finish(run: &mut Run, key: &str, ms: u64) {
        let measured = Measured { ms, ..Measured::default() };
        let (key, output) = (key.parse().unwrap(), Arc::new(json!("x")));
        let finished = Event::AttemptFinished { key, attempt: 1, output, problem: None, measured };
        run.apply(run.seq + 1, run.updated_at, &finished);
    }

    #[test]
    fn what_runs_side_by_side_counts_once_and_reading_counts_as_nothing() {
        let mut run = run();
        assert_eq!(run.worked(at(90)), 0);
        start(&mut run, "a", 10);
        start(&mut run, "b", 12);
        finish(&mut run, "a", 4_000);
        finish(&mut run, "b", 1_000);
        assert_eq!(run.worked(at(5_000)), 4_000, "one lies within the other");
        // An hour of reading later, something is under way.
        start(&mut run, "c", 3_600);
        assert_eq!(run.worked(at(3_607)), 11_000);
        assert_eq!(run.worked(at(3_600) - TimeDelta::seconds(5)), 4_000, "a clock that steps back takes nothing away");
    }

    fn happens(run: &mut Run, seconds: i64, mut event: Value) {
        event["key"] = json!("a");
        let event = Event::from_json(&event.to_string()).unwrap();
        run.apply(run.seq + 1, at(seconds), &event);
    }

    /// A run whose model has called tools after ten seconds: `1.0`, which runs, and `1.1`, which has not begun.
    fn calls_tools() -> Run {
        let mut run = run();
        let work = json!({ "kind": "prompt", "messages": [], "tools": { "patterns": ["t/*"], "max_turns": 20 } });
        happens(
            &mut run,
            0,
            json!({ "type": "attempt_started", "step": "a", "attempt": 1, "by": "model", "work": work,
            "fingerprint": Fingerprint::of(&"x").unwrap(), "on_crash": "rerun" }),
        );
        happens(&mut run, 0, json!({ "type": "tools_listed", "attempt": 1, "tools": [] }));
        let call = |call: &str| json!({ "call": call, "tool": "t/x", "arguments": {} });
        happens(
            &mut run,
            10,
            json!({ "type": "turn_finished", "attempt": 1, "turn": 1, "calls": [call("1.0"), call("1.1")], "ms": 10_000 }),
        );
        called(&mut run, 10, "1.0");
        run
    }

    fn called(run: &mut Run, seconds: i64, call: &str) {
        happens(
            run,
            seconds,
            json!({ "type": "tool_called", "attempt": 1, "call": call, "tool": "t/x", "arguments": {} }),
        );
    }

    fn returned(run: &mut Run, seconds: i64, call: &str, ms: u64) {
        let outcome = json!({ "status": "returned", "output": "x" });
        happens(
            run,
            seconds,
            json!({ "type": "tool_returned", "attempt": 1, "call": call, "outcome": outcome, "ms": ms }),
        );
    }

    #[test]
    fn what_happens_to_another_call_of_the_turn_takes_nothing_of_one_that_runs() {
        let mut run = calls_tools();
        assert_eq!(run.worked(at(300)), 300_000);
        happens(
            &mut run,
            300,
            json!({ "type": "call_skipped", "call": "1.1", "step": "a", "because": "left out", "by": "ana@here" }),
        );
        assert_eq!(run.worked(at(400)), 400_000, "it has run all the time");
        returned(&mut run, 410, "1.0", 400_000);
        assert_eq!(run.worked(at(415)), 415_000, "and the model is asked");
        // Two that run side by side count once.
        let mut run = calls_tools();
        called(&mut run, 20, "1.1");
        returned(&mut run, 60, "1.1", 40_000);
        assert_eq!(run.worked(at(100)), 100_000);
        returned(&mut run, 110, "1.0", 100_000);
        assert_eq!(run.worked(at(110)), 110_000);
    }

    #[test]
    fn while_a_tool_waits_for_an_answer_it_does_not_work() {
        let mut run = calls_tools();
        let fields = json!({ "fields": [{ "name": "name", "type": "text" }] });
        happens(
            &mut run,
            30,
            json!({ "type": "gate_opened", "call": "1.0", "for": "input", "attempt": 1, "version": 0, "shows": fields, "allowed": ["answer"] }),
        );
        assert_eq!(run.worked(at(30)), 30_000);
        assert_eq!(run.worked(at(50_000)), 30_000, "a night");
        happens(
            &mut run,
            50_000,
            json!({ "type": "call_answered", "call": "1.0", "attempt": 1, "value": {}, "by": "ana@here" }),
        );
        assert_eq!(run.worked(at(50_005)), 35_000);
    }

    #[test]
    fn while_a_program_waits_for_an_answer_it_does_not_work() {
        let mut run = run();
        happens(
            &mut run,
            0,
            json!({ "type": "attempt_started", "step": "a", "attempt": 1, "by": "program",  "fingerprint": Fingerprint::of(&"x").unwrap(), "on_crash": "ask" }),
        );
        let asks = |run: &mut Run, seconds: i64| {
            let fields = json!({ "fields": [{ "name": "name", "type": "text" }] });
            happens(
                run,
                seconds,
                json!({ "type": "gate_opened", "for": "input", "attempt": 1, "version": 0, "shows": fields, "allowed": ["answer"] }),
            );
        };
        let answers = |run: &mut Run, seconds: i64| {
            happens(run, seconds, json!({ "type": "call_answered", "attempt": 1, "value": {}, "by": "ana@here" }));
        };
        asks(&mut run, 30);
        assert_eq!(run.worked(at(50_000)), 30_000, "a night");
        answers(&mut run, 50_000);
        assert_eq!(run.worked(at(50_005)), 35_000);
        asks(&mut run, 50_010);
        answers(&mut run, 60_010);
        assert_eq!(run.worked(at(60_020)), 50_000, "two questions");
    }

    /// Another run has the only place at the provider, or the budget of the run is spent: nothing of this attempt is at work.
    #[test]
    fn while_the_run_waits_no_model_of_it_works() {
        let mut run = calls_tools();
        returned(&mut run, 20, "1.0", 10_000);
        happens(
            &mut run,
            20,
            json!({ "type": "call_skipped", "call": "1.1", "step": "a", "because": "left out", "by": "ana@here" }),
        );
        assert_eq!(run.worked(at(25)), 25_000, "its model is asked");
        run.apply(run.seq + 1, at(25), &Event::RunWaiting {});
        assert_eq!(run.worked(at(50_000)), 20_000, "what was measured");
    }
}
