//! What must hold of a place in which everybody is done, whatever happened before.

use std::collections::BTreeMap;

use serde_json::Value;
use stepwell::core::actor::Actor;
use stepwell::core::call::AttemptStatus;
use stepwell::core::decide::{Decision, DecisionKind};
use stepwell::core::event::{Event, Recorded};
use stepwell::core::gate::GateKind;
use stepwell::core::id::RunId;
use stepwell::core::ports::{HistoryQuery, Journal as _, Runs as _};
use stepwell::core::run::Run;
use stepwell::store::{Mode, SqliteStore};

use crate::harness::body;
use crate::person::{FORK_AT, OTHERWISE, PLAN, RESULT, RHYME, STANZA, STREAMED, TITLE};
use crate::sandbox::Sandbox;
use crate::{action, tools};

struct Kept {
    run: Run,
    journal: Vec<Recorded>,
}

/// Every run of the place, oldest first.
fn kept(sandbox: &Sandbox) -> Vec<Kept> {
    let store = SqliteStore::open(&sandbox.file("stepwell.db"), Mode::Read).unwrap();
    let rows = store.history(&HistoryQuery::default()).unwrap();
    rows.iter()
        .rev()
        .map(|row| {
            let journal = store.read(row.run, 0).unwrap();
            Kept { run: Run::fold(row.run, &journal).unwrap(), journal }
        })
        .collect()
}

fn json_lines(sandbox: &Sandbox, name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(sandbox.file(name)).unwrap_or_default();
    // The process may have been killed in the middle of a line: then nobody has read it.
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Both runs are done, with the same result as ever, and nothing was lost or done twice.
pub fn check(sandbox: &Sandbox) {
    let kept = kept(sandbox);
    let [first, fork] = kept.as_slice() else { panic!("a run and its fork, not {} runs", kept.len()) };
    assert_eq!(fork.run.origin.as_ref().map(|origin| origin.run), Some(first.run.id));
    for Kept { run, journal } in &kept {
        assert_eq!(body(run), RESULT);
        assert_eq!(run.title, TITLE);
        nothing_runs_after_a_recovery(run.id, journal);
    }
    assert!(first.run.call(&"plan".parse().unwrap()).unwrap().attempts.iter().any(|a| has(a, PLAN)));
    assert!(first.run.call(&"write[2]".parse().unwrap()).unwrap().attempts.iter().any(|a| has(a, STANZA)));
    let rhymed = &first.run.call(&FORK_AT.parse().unwrap()).unwrap().attempts;
    let rejected = rhymed.iter().filter(|attempt| attempt.status == AttemptStatus::Rejected);
    assert_eq!(rejected.filter_map(|a| a.instruction.as_ref()).map(|i| i.text.as_str()).collect::<Vec<_>>(), [RHYME]);
    for key in ["plan", "write[0]", "write[2]", "pay[0]", "pay[1]", "form"] {
        let attempts = &fork.run.call(&key.parse().unwrap()).unwrap().attempts;
        assert!(attempts.iter().all(|attempt| attempt.by == Actor::Adopted), "`{key}` of the fork: {attempts:?}");
    }
    what_was_shown_as_saved_is_there(sandbox, &kept);
    what_was_decided_is_there(sandbox, &kept);
    every_effect_happened_once(sandbox, first.run.id, fork.run.id);
}

fn has(attempt: &stepwell::core::call::Attempt, text: &str) -> bool {
    attempt.versions.iter().any(|version| *version.output == text && version.by.as_str() == "ana@here")
}

fn nothing_runs_after_a_recovery(run: RunId, journal: &[Recorded]) {
    for (at, recorded) in journal.iter().enumerate() {
        if !matches!(recorded.event, Event::RunResumed { .. }) {
            continue;
        }
        let settles = |event: &Event| match event {
            Event::AttemptCancelled { by, .. } => *by == Actor::Crash,
            Event::GateOpened(gate) => gate.kind() == GateKind::InDoubt,
            _ => false,
        };
        let settled = journal[at + 1..].iter().take_while(|next| settles(&next.event)).count();
        let state = Run::fold(run, &journal[..=at + settled]).unwrap();
        let mut attempts = state.calls.values().flat_map(|call| &call.attempts);
        let running = attempts.find(|attempt| attempt.status == AttemptStatus::Running);
        assert!(running.is_none() && state.under_way() == 0, "taken up at event {}: {running:?}", recorded.seq);
    }
}

fn what_was_shown_as_saved_is_there(sandbox: &Sandbox, kept: &[Kept]) {
    let journal: BTreeMap<(String, u64), Value> = kept
        .iter()
        .flat_map(|kept| &kept.journal)
        .map(|recorded| ((recorded.run.to_string(), recorded.seq), serde_json::to_value(recorded).unwrap()))
        .collect();
    let seen = json_lines(sandbox, "seen");
    assert!(!seen.is_empty());
    for event in seen {
        let sandbox = (event["run"].as_str().unwrap().to_owned(), event["seq"].as_u64().unwrap());
        assert_eq!(journal.get(&sandbox), Some(&event), "it was shown as saved");
    }
}

fn what_was_decided_is_there(sandbox: &Sandbox, kept: &[Kept]) {
    for told in json_lines(sandbox, "told") {
        let kept = kept.iter().find(|kept| told["run"] == kept.run.id.to_string()).unwrap();
        let decision: Decision = serde_json::from_value(told["decision"].clone()).unwrap();
        let same = |key: &stepwell::core::key::Key, number: u32| {
            *key == decision.key && decision.attempt.is_none_or(|attempt| attempt == number)
        };
        let found = kept.journal.iter().any(|recorded| match (&decision.kind, &recorded.event) {
            (DecisionKind::Accept, Event::CallAccepted { key, attempt, by, .. }) => {
                by.as_str() == "ana@here" && same(key, *attempt)
            }
            (DecisionKind::Edit { output: edited, .. }, Event::VersionEdited { key, attempt, output, .. }) => {
                same(key, *attempt) && **output == *edited
            }
            (
                DecisionKind::Retry { instruction, .. },
                Event::AttemptRejected { key, attempt, instruction: kept, .. },
            ) => same(key, *attempt) && kept == instruction,
            (DecisionKind::Answer { value: given }, Event::CallAnswered { key, attempt, value, .. }) => {
                same(key, *attempt) && **value == *given
            }
            (DecisionKind::Approve { .. }, Event::CallApproved { key, .. })
            | (DecisionKind::Again { model: None }, Event::CallRequested { key, .. }) => *key == decision.key,
            _ => false,
        });
        assert!(found, "the person was told that this is saved: {decision:?}");
    }
}

/// The person looks before saying `again`, so each effect is there exactly once, and none that was adopted in the fork.
fn every_effect_happened_once(sandbox: &Sandbox, first: RunId, fork: RunId) {
    let text = std::fs::read_to_string(sandbox.file("effects")).unwrap();
    let mut effects: Vec<&str> = text.lines().collect();
    effects.sort_unstable();
    let mut wanted = vec![format!("{first} pay[0]"), format!("{first} pay[1]"), format!("{first} send")];
    wanted.push(format!("{fork} send"));
    wanted.sort_unstable();
    assert_eq!(effects, wanted);
}

/// The decision was taken back once, what it had begun is kept, and the run ended with what was decided instead.
pub fn undone(sandbox: &Sandbox) {
    let kept = kept(sandbox);
    let [Kept { run, journal }] = kept.as_slice() else { panic!("one run") };
    assert_eq!(body(run), OTHERWISE);
    nothing_runs_after_a_recovery(run.id, journal);
    what_was_shown_as_saved_is_there(sandbox, std::slice::from_ref(&kept[0]));
    let undone = journal.iter().filter(|recorded| matches!(recorded.event, Event::DecisionUndone { .. })).count();
    assert_eq!(undone, 1, "what was taken back is taken back once");
    let outputs = |key: &str| {
        let call = run.call(&key.parse().unwrap()).unwrap();
        let versions = call.attempts.iter().flat_map(|attempt| &attempt.versions);
        versions.map(|version| version.output.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(outputs("a"), ["one", PLAN]);
    assert_eq!(outputs("b"), ["two one", "two my plan"], "neither is made twice, unless its process was killed");
}

/// The model came to its answer in the attempt in which it began, and what may not be done twice was done once.
pub fn tools(sandbox: &Sandbox) {
    let kept = kept(sandbox);
    let [Kept { run, journal }] = kept.as_slice() else { panic!("one run") };
    assert_eq!(body(run), tools::RESULT);
    what_was_shown_as_saved_is_there(sandbox, std::slice::from_ref(&kept[0]));
    let call = run.call(&"a".parse().unwrap()).unwrap();
    assert_eq!(call.attempts.len(), 1, "it goes on under its number");
    let used = call.tool_use().unwrap();
    assert!(used.calls().all(|call| call.end().is_some()), "{used:?}");
    let effects = std::fs::read_to_string(sandbox.file("effects")).unwrap();
    let times = |what: &str| effects.lines().filter(|line| *line == what).count();
    for write in ["write 1", "write 2", "write 3"] {
        assert_eq!(times(write), 1, "{write}: {effects}");
    }
    // A tool is called between the event that says so and the one that says what it returned.
    let mut called = Vec::new();
    for recorded in journal {
        match &recorded.event {
            Event::ToolCalled { call, .. } => called.push(*call),
            Event::ToolReturned { call, .. } => assert!(called.contains(call), "{call} returned and was not called"),
            _ => {}
        }
    }
}

/// What the person asked of the document was made, each once.
pub fn actions(sandbox: &Sandbox) {
    let kept = kept(sandbox);
    let [Kept { run, journal }] = kept.as_slice() else { panic!("one run") };
    action::check(run, journal.iter().map(|recorded| recorded.event.clone()));
    nothing_runs_after_a_recovery(run.id, journal);
    what_was_shown_as_saved_is_there(sandbox, std::slice::from_ref(&kept[0]));
}

/// The text of the attempt that the crash ended is kept, and the attempt after it stands.
pub fn streamed(sandbox: &Sandbox) {
    let kept = kept(sandbox);
    let [Kept { run, .. }] = kept.as_slice() else { panic!("one run") };
    let call = run.call(&"a".parse().unwrap()).unwrap();
    assert_eq!(call.attempts[0].partial.data(), STREAMED);
    assert_eq!(body(run), "done");
}
