//! `--json`: one JSON object a line. The journal's events as they are kept, and the text on its way between them.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::problem::Problem;
use crate::core::event::{Event, Recorded};
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::model::Delta;
use crate::core::run::{NotARun, Run};
use crate::engine::Engine;
use crate::export::json::waiting;

#[derive(Serialize)]
struct Line<'a> {
    v: u8,
    #[serde(flatten)]
    recorded: &'a Recorded,
    /// Only on `run_waiting`.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<Value>,
}

/// An event's line; `run` is the fold up to it.
#[must_use]
pub fn event(run: &Run, recorded: &Recorded) -> String {
    let waits = matches!(recorded.event, Event::RunWaiting {}).then(|| waiting(run));
    line(&Line { v: 1, recorded, waiting: waits })
}

/// The lines of a whole journal.
///
/// # Errors
/// When it is not one of a run.
pub fn events(run: RunId, events: &[Recorded]) -> Result<String, Problem> {
    let mut lines = String::new();
    let mut then = match Run::fold(run, &events[..events.len().min(1)]) {
        Ok(first) => first,
        // There is nothing to say beside what a later version wrote.
        Err(NotARun::Newer(_)) => {
            let bare = |recorded| line(&Line { v: 1, recorded, waiting: None });
            return Ok(events.iter().map(bare).collect());
        }
        Err(damaged) => return Err(damaged.into()),
    };
    for recorded in events {
        if recorded.seq > then.seq {
            then.apply(recorded.seq, recorded.at, &recorded.event);
        }
        lines.push_str(&event(&then, recorded));
    }
    Ok(lines)
}

/// The lines of what has happened in a run after event `after`.
///
/// # Errors
/// When the store cannot be used.
pub fn since(engine: &Engine, run: RunId, after: u64) -> Result<String, Problem> {
    let events = engine.events(run, 0)?;
    let known = events.partition_point(|recorded| recorded.seq <= after);
    let mut then = Run::fold(run, &events[..known])?;
    let line = |recorded: &Recorded| {
        then.apply(recorded.seq, recorded.at, &recorded.event);
        event(&then, recorded)
    };
    Ok(events[known..].iter().map(line).collect())
}

/// The line of something that the journal has no event for.
#[must_use]
pub fn done(what: &str, fields: &Value) -> String {
    let mut object = json!({"v": 1, "type": what});
    for (name, value) in fields.as_object().into_iter().flatten() {
        object[name] = value.clone();
    }
    line(&object)
}

/// The line of a run's first event.
///
/// # Errors
/// When the store cannot be used.
pub fn first(engine: &Engine, run: RunId) -> Result<String, Problem> {
    let events = engine.events(run, 0)?;
    let Some(first) = events.first() else { return Ok(String::new()) };
    let folded = Run::fold(run, &events[..1])?;
    Ok(event(&folded, first))
}

/// The last line where only programs that ask are under way: the journal has no event for that, so `seq` is null.
#[must_use]
pub fn asked(run: &Run) -> String {
    line(&json!({"v": 1, "run": run.id, "seq": null, "at": now(), "type": "run_waiting", "waiting": waiting(run)}))
}

/// The line of a run that may follow a run that is done. `seq` is null: nothing of it is in the journal.
#[must_use]
pub fn next(run: RunId, task: &str, inputs: &Value) -> String {
    line(&json!({"v": 1, "run": run, "seq": null, "at": now(), "type": "next", "task": task, "inputs": inputs}))
}

fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Whether an event says how a run stands, as the last line does.
#[must_use]
pub fn is_end(event: &Event) -> bool {
    matches!(
        event,
        Event::RunWaiting {}
            | Event::RunCompleted { .. }
            | Event::RunFailed { .. }
            | Event::RunCancelled { .. }
            | Event::RunPaused { .. }
    )
}

/// The line of what is on its way; empty for what is no part of it. `seq` is null: it is not in the journal.
#[must_use]
pub fn delta(run: RunId, at: DateTime<Utc>, key: &Key, attempt: u32, delta: &Delta) -> String {
    if matches!(delta, Delta::Asks(_)) {
        return String::new();
    }
    let at = at.to_rfc3339_opts(SecondsFormat::Micros, true);
    let text = if let Delta::Text(text) = delta { text.data() } else { "" };
    let mut object = json!({"v": 1, "run": run, "seq": null, "at": at, "type": "delta", "key": key, "attempt": attempt, "text": text});
    match delta {
        Delta::Text(_) | Delta::Asks(_) => {}
        // The text begins anew.
        Delta::Restart(why) => object["restart"] = json!(why),
        Delta::Progress(progress) => object["progress"] = json!(progress),
    }
    line(&object)
}

fn line(object: &impl Serialize) -> String {
    // What the journal holds was JSON before.
    let mut text = serde_json::to_string(object).unwrap_or_default();
    text.push('\n');
    text
}
