//! How long a run has been at work: the time in which something of it was under way. That a person reads, or has gone home,
//! is none of it.

use chrono::{DateTime, TimeDelta, Utc};

use super::call::{Attempt, AttemptStatus, Call};
use super::run::Run;
use super::work::Work;

impl Run {
    /// The milliseconds in which at least one of its attempts was under way, until `now`. What runs side by side counts once.
    #[must_use]
    pub fn worked(&self, now: DateTime<Utc>) -> u64 {
        let attempts = self.calls.values().flat_map(|call| call.attempts.iter().map(move |attempt| (call, attempt)));
        let mut spans: Vec<_> = attempts.filter_map(|(call, attempt)| span(call, attempt, now)).collect();
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
fn span(call: &Call, attempt: &Attempt, now: DateTime<Utc>) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    if matches!(attempt.work.as_deref(), Some(Work::Ask { .. })) {
        return None;
    }
    let start = attempt.started_at;
    let measured = || start.checked_add_signed(TimeDelta::try_milliseconds(i64::try_from(attempt.measured.ms).ok()?)?);
    let end = match (attempt.status, &attempt.tool_use) {
        (AttemptStatus::Running, None) => now.max(start),
        // What has ended of it was measured; a person who is asked about a call is not its work.
        (AttemptStatus::Running, Some(used)) if call.gates.is_empty() || used.is_calling() => {
            measured()?.checked_add_signed((now - used.moved_at.unwrap_or(start)).max(TimeDelta::zero()))?
        }
        _ => measured()?,
    };
    Some((start, end))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::{DateTime, TimeDelta, TimeZone as _, Utc};
    use serde_json::json;

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
}
