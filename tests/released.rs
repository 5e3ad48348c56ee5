//! Stores that a release left behind, opened by this version.
//!
//! `tests/store/released/NAME.sql` is a whole store, written by the binary of a release with `make.py` beside it, and
//! `NAME/RUN.json` is what that binary said of each run (`show --json`). The runs wait at every gate and ended in every
//! way; their definitions are pinned in the store, and every command in them leaves a line in a file when it runs. So
//! this holds: what people have is read as it was, is found and exported; nothing of it starts, fails or is performed
//! or becomes stale because the program is a newer one; and all of it can be brought to its end.
//!
//! A release adds a fixture and changes none: `python3 tests/store/released/make.py target/release/stepwell NAME`, with
//! the number of its schema and its version as the name. Every fixture is found by these tests without being listed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stepwell::core::ports::{Drafts as _, Memory as _};
use stepwell::store::{Mode, SqliteStore};
use support::cli::{Done, Home};
use support::contained::lost;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/store/released")
}

/// A copy of a store that a release left, in a home of its own.
struct Released {
    home: Home,
    /// What the release said of each run, by the name of its file.
    runs: BTreeMap<String, Value>,
}

impl Released {
    fn open(name: &str) -> Self {
        let home = Home::new();
        let raw = rusqlite::Connection::open(home.path().join("stepwell.db")).unwrap();
        raw.execute_batch(&fs::read_to_string(folder().join(format!("{name}.sql"))).unwrap()).unwrap();
        fs::create_dir(home.path().join("tmp")).unwrap();
        let files = fs::read_dir(folder().join(name)).unwrap().map(|entry| entry.unwrap().path());
        let read = |path: PathBuf| {
            let shown = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), shown)
        };
        Self { home, runs: files.map(read).collect() }
    }

    /// Runs `stepwell`; what the commands of the runs write goes to the home.
    fn step(&self, args: &[&str]) -> Done {
        let mut command = self.home.command(env!("CARGO_BIN_EXE_stepwell"));
        command.args(args).env("TMPDIR", self.home.path().join("tmp")).env("FIXTURE_TOKEN", "a-token-of-the-fixture");
        Done::of(command.output().unwrap())
    }

    fn show(&self, run: &str) -> Value {
        serde_json::from_str(&self.step(&["show", run, "--json"]).exits(0).out).unwrap()
    }

    fn events(&self, run: &str) -> Vec<Value> {
        self.step(&["show", run, "--events"]).exits(0).lines()
    }

    /// The runs that wait, with what was said of them.
    fn waiting(&self) -> impl Iterator<Item = (&str, &str)> {
        self.runs.iter().filter(|(_, shown)| shown["status"] == "waiting").map(|(name, shown)| (&**name, id(shown)))
    }

    /// Whether a command of any run has run.
    fn has_performed(&self) -> bool {
        self.home.path().join("tmp/ran").exists()
    }
}

fn id(shown: &Value) -> &str {
    shown["run"].as_str().unwrap()
}

/// Every fixture that has what its release said of it.
fn released() -> Vec<(String, Released)> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let names = files.filter(|path| path.extension().is_some_and(|e| e == "sql") && path.with_extension("").is_dir());
    let names = names.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned());
    let all: Vec<_> = names.map(|name| (name.clone(), Released::open(&name))).collect();
    assert!(!all.is_empty());
    all
}

/// The gates of a run: the call, what it waits for, and the attempt and version that are asked about.
fn gates(shown: &Value) -> BTreeSet<String> {
    let all = shown["waiting"].as_array().unwrap().iter();
    all.map(|gate| format!("{} {} {}.{}", gate["key"], gate["for"], gate["attempt"], gate["version"])).collect()
}

#[test]
fn a_released_store_has_a_run_at_every_gate_and_at_every_end() {
    for (name, store) in released() {
        let waiting = store.runs.values().flat_map(|run| run["waiting"].as_array().unwrap());
        let gates: BTreeSet<&str> = waiting.map(|gate| gate["for"].as_str().unwrap()).collect();
        let seven = ["approval", "budget", "in_doubt", "input", "review", "secret", "stale"];
        assert!(seven.iter().all(|gate| gates.contains(gate)), "{name}: {gates:?}");
        let ends: BTreeSet<&str> = store.runs.values().map(|run| run["status"].as_str().unwrap()).collect();
        assert_eq!(Vec::from_iter(ends), ["cancelled", "completed", "failed", "paused", "waiting"], "{name}");
    }
}

#[test]
fn every_run_of_a_released_store_is_shown_as_it_was() {
    for (name, store) in released() {
        for (run, shown) in &store.runs {
            assert_eq!(lost(shown, &store.show(id(shown)), ""), None, "{name}, {run}");
        }
    }
}

#[test]
fn every_run_of_a_released_store_is_found_and_exported() {
    for (name, store) in released() {
        let everything = store.step(&["history", "--limit", "1000", "--json"]).exits(0).lines();
        assert_eq!(everything.len(), store.runs.len(), "{name}");
        for (run, shown) in &store.runs {
            let title = shown["title"].as_str().unwrap();
            let found = store.step(&["history", title, "--json"]).exits(0).lines();
            assert!(found.iter().any(|row| row["run"] == shown["run"]), "{name}, {run}: {found:?}");
            let markdown = store.step(&["export", id(shown), "--format", "md", "--scope", "full"]).exits(0).out;
            for call in shown["calls"].as_array().unwrap() {
                let text = call["output"].as_str().and_then(|text| text.lines().next()).unwrap_or_default();
                assert!(markdown.contains(text), "{name}, {run}: {text:?} is not in\n{markdown}");
            }
            let exported = store.step(&["export", id(shown), "--format", "json", "--scope", "full"]).exits(0).out;
            assert_eq!(lost(shown, &serde_json::from_str(&exported).unwrap(), ""), None, "{name}, {run}");
        }
    }
}

#[test]
fn the_lists_and_the_search_of_a_released_store_are_made_again_as_they_were() {
    for (name, store) in released() {
        let rows = store.step(&["history", "--limit", "1000", "--json"]).exits(0).out;
        let found = store.step(&["history", "tide", "--json"]).exits(0).out;
        assert!(!found.is_empty(), "{name}");
        store.step(&["doctor", "--rebuild"]).exits(0);
        assert_eq!(store.step(&["history", "--limit", "1000", "--json"]).exits(0).out, rows, "{name}");
        assert_eq!(store.step(&["history", "tide", "--json"]).exits(0).out, found, "{name}");
    }
}

#[test]
fn what_is_kept_beside_the_runs_of_a_released_store_is_there() {
    for (name, store) in released() {
        let kept = SqliteStore::open(&store.home.path().join("stepwell.db"), Mode::Read).unwrap();
        let learned = kept.learned(None).unwrap();
        assert!(learned.iter().any(|lesson| lesson.lesson.text == "shorter, please"), "{name}: {learned:?}");
        assert!(store.step(&["learned"]).exits(0).out.contains("shorter, please"), "{name}");
        assert_eq!(kept.session("work", 10).unwrap().0["count"], 1, "{name}");
        let drafts = kept.drafts(id(&store.runs["review"]).parse().unwrap()).unwrap();
        for text in ["half an edit", "half an instruction"] {
            assert!(drafts.iter().any(|(_, draft)| draft.starts_with(text)), "{name}: {drafts:?}");
        }
    }
}

/// What a run may say of itself when it is taken up and there is nothing to do.
const STILL: [&str; 2] = ["run_resumed", "run_waiting"];

#[test]
fn nothing_starts_fails_or_is_performed_because_a_released_store_is_opened() {
    for (name, store) in released() {
        let before: BTreeMap<&str, usize> =
            store.runs.values().map(|shown| (id(shown), store.events(id(shown)).len())).collect();
        for shown in store.runs.values() {
            store.step(&["show", id(shown)]).exits(0);
        }
        for (run, events) in before {
            assert_eq!(store.events(run).len(), events, "{name}: looking at {run} wrote something");
        }
        for (label, run) in store.waiting() {
            let (before, events) = (gates(&store.show(run)), store.events(run).len());
            store.step(&["resume", run]).exits(3);
            for event in &store.events(run)[events..] {
                let kind = event["type"].as_str().unwrap();
                // A secret is no longer part of a command's default input, and a value no part of a shell's text: an
                // approval shows what would run now.
                let other_bytes = ["stdin", "shell"].contains(&label);
                let shown_again = other_bytes && kind == "gate_opened" && event["for"] == "approval";
                // No `call_staled` among them: every fingerprint is what that release computed.
                assert!(shown_again || STILL.contains(&kind), "{name}, {label}: {event}");
            }
            assert_eq!(gates(&store.show(run)), before, "{name}, {label}");
            // Taken up once more it has nothing to add.
            let events = store.events(run).len();
            store.step(&["resume", run]).exits(3);
            for event in &store.events(run)[events..] {
                assert!(STILL.contains(&event["type"].as_str().unwrap()), "{name}, {label}: asked again: {event}");
            }
            assert!(!store.has_performed(), "{name}, {label}: a command ran");
        }
        for (label, shown) in store.runs.iter().filter(|(_, run)| run["status"] == "completed") {
            let events = store.events(id(shown)).len();
            store.step(&["resume", id(shown)]).exits(0);
            assert_eq!(store.events(id(shown)).len(), events, "{name}, {label}");
        }
        assert!(!store.has_performed(), "{name}");
    }
}

/// What a person answers at a gate of a run.
fn answer(run: &str, gate: &Value) -> Vec<&'static str> {
    match gate["for"].as_str().unwrap() {
        "review" => vec!["--accept"],
        "approval" => vec!["--approve"],
        "input" if run == "chat" => vec!["--answer", "\"for the flowers\""],
        "input" if run == "asks" => vec!["--answer", r#"{"n": 7}"#],
        "input" => vec!["--answer", r#"{"count": 2, "colour": "red", "note": "none"}"#],
        "in_doubt" => vec!["--answer", "\"it worked\""],
        "stale" => vec!["--keep"],
        "budget" => vec!["--budget", "100"],
        "secret" => vec!["--answer", "\"a secret that is typed\""],
        other => panic!("a gate that nobody knows: {other}"),
    }
}

#[test]
fn every_run_of_a_released_store_can_be_brought_to_its_end() {
    for (name, store) in released() {
        // What failed or hung does so no more.
        fs::write(store.home.path().join("tmp/mended"), "").unwrap();
        for (label, shown) in &store.runs {
            let run = id(shown);
            if !["waiting", "completed", "cancelled"].contains(&shown["status"].as_str().unwrap()) {
                store.step(&["resume", run]);
            }
            let mut answers = 0;
            let last = loop {
                let now = store.show(run);
                let Some(gate) = now["waiting"].as_array().unwrap().first().filter(|_| label != "chat" || answers < 2)
                else {
                    break now;
                };
                answers += 1;
                assert!(answers < 12, "{name}, {label}: no end of questions: {now:#}");
                let key = gate["key"].as_str().unwrap();
                let args = [vec!["review", run, key], answer(label, gate), vec!["--review", "stop"]].concat();
                let done = store.step(&args);
                assert!([0, 3].contains(&done.code), "{name}, {label}: {args:?}: {done:?}");
            };
            let end = match label.as_str() {
                // The demo asks for ever where nothing is recorded.
                "chat" => "waiting",
                "cancelled" => "cancelled",
                _ => "completed",
            };
            assert_eq!(last["status"], end, "{name}, {label}: {last:#}");
            for (before, after) in shown["calls"].as_array().unwrap().iter().zip(last["calls"].as_array().unwrap()) {
                if before["status"] == "accepted" {
                    assert_eq!(lost(before, after, ""), None, "{name}, {label}: what stood was made again");
                }
            }
        }
        assert!(store.has_performed(), "{name}");
        let heard = fs::read_to_string(store.home.path().join("tmp/stdin")).unwrap();
        let heard: Value = serde_json::from_str(&heard).unwrap();
        assert_eq!(heard["inputs"]["topic"], json!("stdin"), "{name}");
    }
}
