//! Journals that an earlier version wrote, and what they must still say. A field of an event that was renamed or read
//! in another way, a fold that changed, a fingerprint that is made differently: each breaks the runs that people have,
//! and a test here.
//!
//! `tests/golden/NAME.jsonl` is a journal, an event a line; `NAME.json` has its definition, what `show --json` said of the
//! run, and what the flow wanted. They are never changed, only added to. After adding a run to [`RUNS`], write what is
//! missing with `cargo test --test golden -- --ignored`; to write one anew, because no release has written such a
//! journal, delete its two files first.
//!
//! `tests/golden/released` has journals that the binary of version 0.1.0 wrote, of failures that were handed over;
//! `tests/golden/fingerprints` has definitions with every kind of step and every rule by itself, and `table.json` the
//! fingerprints that this binary gave their calls.
//!
//! `tests/golden/newer` has journals as a later version might write them, with types of events and with values in events
//! that are made up, and what `show --json` says of each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly, its helpers too")]

#[path = "golden/runs.rs"]
mod runs;

#[path = "engine/harness.rs"]
mod harness;

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use stepwell::core::event::{Event, Recorded};
use stepwell::core::pinned::Pinned;
use stepwell::core::run::{Run, Status};
use stepwell::core::task::Body;
use stepwell::export::{ExportScope, Format, export};
use stepwell::flow::{End, Environment, Flow, Wants, chat::Chat, graph::Graph};

use support::cli::Home;
use support::contained::lost;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn names() -> BTreeSet<String> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

/// A golden journal: its lines, and what stands beside it.
fn golden(name: &str) -> (Vec<Value>, Value) {
    let journal = fs::read_to_string(folder().join(format!("{name}.jsonl"))).unwrap();
    let beside = fs::read_to_string(folder().join(format!("{name}.json"))).unwrap();
    (journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), serde_json::from_str(&beside).unwrap())
}

fn folded(journal: &[Recorded]) -> Run {
    Run::fold(journal[0].run, journal).unwrap()
}

fn flow(pinned: &Value) -> Box<dyn Flow> {
    let pinned: Arc<Pinned> = Arc::new(serde_json::from_value(pinned.clone()).unwrap());
    match pinned.task.body {
        Body::Instruct(_) => Box::new(Chat::new(pinned)),
        Body::Workflow(_) => Box::new(Graph::new(pinned)),
    }
}

/// What `show --json` says of a run.
fn shown(run: &Run) -> Value {
    serde_json::from_slice(&export(run, Format::Json, ExportScope::Full).unwrap()).unwrap()
}

/// What a flow wants, as it is kept.
fn wanted(wants: &Wants) -> Value {
    json!({
        "notes": wants.notes,
        "calls": wants.calls.iter().map(|want| json!([want.key, want.fingerprint])).collect::<Vec<_>>(),
        "end": wants.end.as_ref().map(|end| match end {
            End::Completed { title, body, .. } => json!({ "completed": [title, body] }),
            End::Failed { key, failure } => json!({ "failed": [key, failure.class] }),
        }),
    })
}

fn journal(lines: &[Value]) -> Vec<Recorded> {
    lines.iter().map(|line| serde_json::from_value(line.clone()).unwrap()).collect()
}

#[test]
fn every_run_has_its_journal() {
    let listed: BTreeSet<String> = runs::RUNS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(), listed);
}

#[test]
fn no_field_of_an_old_event_is_lost() {
    for name in names() {
        let (lines, _) = golden(&name);
        for (line, recorded) in lines.iter().zip(journal(&lines)) {
            let again = serde_json::to_value(&recorded).unwrap();
            assert_eq!(lost(line, &again, ""), None, "{name}, event {}", recorded.seq);
        }
    }
}

#[test]
fn an_old_run_is_shown_as_it_was() {
    for name in names() {
        let (lines, beside) = golden(&name);
        assert_eq!(lost(&beside["show"], &shown(&folded(&journal(&lines))), ""), None, "{name}");
    }
}

#[test]
fn an_old_run_that_is_taken_up_wants_what_it_wanted_and_nothing_new() {
    for name in names() {
        let (lines, beside) = golden(&name);
        let journal = journal(&lines);
        let run = folded(&journal);
        // Nobody asks what is next of a run that was stopped for good.
        if run.status == Status::Cancelled {
            continue;
        }
        let flow = flow(&beside["definition"]);
        let wants = flow.open(&run).feed(&[]);
        assert_eq!(wants.notes, [], "{name}: the flow has something to add");
        assert_eq!(wanted(&wants), beside["wants"], "{name}");
        let mut live = flow.open(&folded(&journal[..1]));
        for recorded in &journal[1..] {
            live.feed(std::slice::from_ref(&recorded.event));
        }
        assert_eq!(wanted(&live.feed(&[])), beside["wants"], "{name}, event by event");
    }
}

#[test]
fn a_failure_that_the_first_release_handed_over_is_not_performed_again() {
    for name in ["caught_by_a_script", "handed_to_a_handler"] {
        let (lines, beside) = golden(&format!("released/{name}"));
        let journal = journal(&lines);
        let run = folded(&journal);
        assert_eq!(lost(&beside["show"], &shown(&run), ""), None, "{name}");
        let pinned: Arc<Pinned> = Arc::new(serde_json::from_value(beside["definition"].clone()).unwrap());
        let flow = stepwell::flow::of(&pinned, &Environment::new());
        let mut live = flow.open(&folded(&journal[..1]));
        for recorded in &journal[1..] {
            live.feed(std::slice::from_ref(&recorded.event));
        }
        for wants in [flow.open(&run).feed(&[]), live.feed(&[])] {
            assert_eq!((wants.notes, wants.end.map(|_| ())), (vec![], None), "{name}");
            let wanted: Vec<String> = wants.calls.iter().map(|want| want.key.to_string()).collect();
            assert!(wanted.iter().all(|key| key.starts_with("ask")), "{name}: {wanted:?}");
        }
    }
}

#[test]
fn every_call_has_the_fingerprint_that_the_first_release_gave_it() {
    let home = Home::new();
    let copied =
        std::process::Command::new("cp").arg("-r").arg(folder().join("fingerprints/.")).arg(home.path()).status();
    assert!(copied.unwrap().success());
    // The first release took any name for a server; this one has it declared.
    home.write("config.toml", "[tools.files]\ncommand = [\"mcp-server-filesystem\"]\n");
    let table: Value = serde_json::from_slice(&fs::read(folder().join("fingerprints/table.json")).unwrap()).unwrap();
    for (line, task) in [("rules -i token=env:PATH", "rules"), ("code", "code"), ("note -i topic=sea", "note")] {
        home.step(&format!("run {line} --review stop --approve ask"));
        let journal = home.step("show last --events").exits(0);
        let mut given = serde_json::Map::new();
        for mut event in journal.lines() {
            // What a call is asked to do may hold words that look like one.
            event.as_object_mut().unwrap().remove("work");
            if let (Some(key), Some(fingerprint)) = (event["key"].as_str(), fingerprint(&event)) {
                given.entry(key.to_owned()).or_insert(fingerprint);
            }
        }
        let expected = table[task].as_object().unwrap();
        assert!(!expected.is_empty());
        for (key, fingerprint) in expected {
            assert_eq!(given.get(key), Some(fingerprint), "{task}: {key}");
        }
    }
}

/// The first fingerprint in a value.
fn fingerprint(value: &Value) -> Option<Value> {
    let fields = value.as_object()?;
    fields
        .get("fingerprint")
        .filter(|found| found.is_string())
        .cloned()
        .or_else(|| fields.values().find_map(fingerprint))
}

#[test]
fn a_run_of_a_later_version_is_read_and_what_is_not_known_of_it_is_given_back_as_it_was_written() {
    for (name, unknown) in [("made_up_types", 3), ("made_up_values", 3)] {
        let text = |ending: &str| fs::read_to_string(folder().join(format!("newer/{name}.{ending}"))).unwrap();
        let lines = text("jsonl");
        let journal: Vec<Recorded> = lines.lines().map(read).collect();
        let made_up = |recorded: &Recorded| matches!(recorded.event, Event::Unknown(_));
        assert_eq!(journal.iter().filter(|recorded| made_up(recorded)).count(), unknown, "{name}");
        for (line, recorded) in lines.lines().zip(&journal) {
            assert_eq!(serde_json::to_string(recorded).unwrap(), line, "{name}");
        }
        let run = folded(&journal);
        let expected: Value = serde_json::from_str(&text("json")).unwrap();
        assert_eq!(lost(&expected, &shown(&run), ""), None, "{name}");
        // A flow passes over what it does not know.
        let (_, beside) = golden("poem_with_edit_and_retry");
        let mut live = flow(&beside["definition"]).open(&folded(&journal[..1]));
        for recorded in &journal[1..] {
            live.feed(std::slice::from_ref(&recorded.event));
        }
        assert_eq!(live.feed(&[]).end.map(|_| ()), None, "{name}");
    }
}

/// An event with its place, its event read as the store reads it: to the byte.
fn read(line: &str) -> Recorded {
    let place: Value = serde_json::from_str(line).unwrap();
    let at = line.find("\"type\"").unwrap();
    let event = Event::from_json(&format!("{{{}", &line[at..])).unwrap();
    let field = |name: &str| place[name].clone();
    Recorded {
        run: serde_json::from_value(field("run")).unwrap(),
        seq: place["seq"].as_u64().unwrap(),
        at: serde_json::from_value(field("at")).unwrap(),
        event,
    }
}

#[test]
fn the_journals_have_every_kind_of_event() {
    let kinds: BTreeSet<String> =
        names().iter().flat_map(|name| golden(name).0).map(|line| line["type"].as_str().unwrap().to_owned()).collect();
    let missing: Vec<&str> = KINDS.into_iter().filter(|kind| !kinds.contains(*kind)).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

/// Every event of `core::event` but those that nothing writes yet: a graph cancels no call and keeps no log.
const KINDS: [&str; 32] = [
    "run_created",
    "run_resumed",
    "run_waiting",
    "run_paused",
    "run_completed",
    "run_failed",
    "run_cancelled",
    "run_renamed",
    "budget_raised",
    "attempt_started",
    "attempt_finished",
    "attempt_failed",
    "attempt_cancelled",
    "attempt_rejected",
    "version_edited",
    "gate_opened",
    "call_accepted",
    "call_approved",
    "call_answered",
    "call_skipped",
    "call_failed",
    "call_staled",
    "call_kept",
    "call_restored",
    "call_moved",
    "call_adopted",
    "call_reopened",
    "call_requested",
    "flow_decided",
    "state_set",
    "message_added",
    "document_written",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "writes the journals that are missing"]
async fn missing_journals_are_written() {
    for (name, make) in runs::RUNS {
        if names().contains(name) {
            continue;
        }
        let (harness, run) = make().await;
        let journal = harness.store.read(run, 0).unwrap();
        let state = folded(&journal);
        let definition = serde_json::to_value(harness.store.definition(&state.definition).unwrap()).unwrap();
        let wants = flow(&definition).open(&state).feed(&[]);
        let lines: Vec<String> =
            journal.iter().map(|recorded| serde_json::to_string(recorded).unwrap() + "\n").collect();
        let beside = json!({ "definition": definition, "show": shown(&state), "wants": wanted(&wants) });
        fs::write(folder().join(format!("{name}.json")), serde_json::to_string_pretty(&beside).unwrap() + "\n")
            .unwrap();
        fs::write(folder().join(format!("{name}.jsonl")), lines.concat()).unwrap();
    }
}
