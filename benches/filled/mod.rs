//! Stores for measuring: filled with many runs within seconds.

#![allow(dead_code, clippy::unwrap_used, reason = "each bench uses another part, and may fail loudly")]

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::params;
use serde_json::{Value, json};
use stepwell::core::event::{Created, Event, Measured, Started};
use stepwell::core::fingerprint::Fingerprint;
use stepwell::core::id::RunId;
use stepwell::core::key::{Key, Segment};
use stepwell::core::pinned::Pinned;
use stepwell::core::ports::{Append, Journal as _, Stands, Writer};
use stepwell::core::run::Status;
use stepwell::core::step::OnCrash;
use stepwell::core::task::{Body, Instruct, Kind, Task};
use stepwell::store::{Mode, SqliteStore};

pub fn id(number: u64) -> RunId {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    RunId::new(1_700_000_000_000 + number, random)
}

pub fn time() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_700_000_000)
}

pub fn pinned() -> Pinned {
    let task = Task {
        id: "poem".into(),
        name: "Poem".into(),
        icon: None,
        description: String::new(),
        tags: Vec::new(),
        model: None,
        inputs: Vec::new(),
        actions: Vec::new(),
        follow_ups: Vec::new(),
        tools: stepwell::core::tool::DeclaredTools::default(),
        meta: None,
        body: Body::Instruct(Instruct::default()),
    };
    Pinned { task, children: std::collections::BTreeMap::default(), folder: None }
}

pub fn created(title: &str) -> Created {
    Created {
        task: "poem".into(),
        kind: Kind::Workflow,
        title: title.into(),
        by: "ana@host".into(),
        cwd: "/home/ana".into(),
        inputs: Arc::new(json!({ "topic": title })),
        definition: pinned().hash().unwrap(),
        nonce: "n".into(),
        date: None,
        session: None,
        state: Value::Null,
        earlier_runs: Vec::new(),
        learned: Vec::new(),
        model: None,
        budget: None,
        origin: None,
    }
}

pub fn key(index: u64) -> Key {
    Key::root(Segment { id: "write".into(), item: u32::try_from(index).ok(), iteration: None })
}

/// The three events of a step without a review.
pub fn step(index: u64, output: &str) -> Vec<Event> {
    let key = key(index);
    vec![
        Event::AttemptStarted(Started {
            key: key.clone(),
            workflow: None,
            step: "write".into(),
            attempt: 1,
            fingerprint: Fingerprint::of_bytes(&index.to_be_bytes()),
            by: "program".into(),
            work: None,
            item: None,
            depends: Vec::new(),
            on_crash: OnCrash::Rerun,
        }),
        Event::AttemptFinished {
            key: key.clone(),
            attempt: 1,
            output: Arc::new(json!(output)),
            problem: None,
            measured: Measured::default(),
        },
        Event::CallAccepted { key, attempt: 1, version: 1, by: "rule".into(), overridden: Vec::new() },
    ]
}

pub fn append(store: &SqliteStore, run: RunId, after: u64, events: Vec<Event>) -> u64 {
    let done = events.iter().any(|event| matches!(event, Event::RunCompleted { .. }));
    let status = if done { Status::Completed } else { Status::Running };
    let stands = Stands { title: "A run".to_owned(), status, waiting: 0, due: None };
    let (writer, at) = (Writer::Owner(0), time());
    let batch = Append { run, after, writer, at, events, learn: Vec::new(), state: None, stands };
    store.append(&batch).unwrap()
}

/// Some words, of which a few are common and one is the run's own.
pub fn text(number: u64) -> String {
    const WORDS: [&str; 24] = [
        "the",
        "sea",
        "station",
        "under",
        "evening",
        "light",
        "of",
        "report",
        "customer",
        "meeting",
        "moved",
        "friday",
        "a",
        "gull",
        "over",
        "release",
        "notes",
        "river",
        "and",
        "summary",
        "nation",
        "chapter",
        "translation",
        "question",
    ];
    let mut seed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = format!("own{number}");
    for _ in 0..60 {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        text.push(' ');
        text.push_str(WORDS[usize::try_from(seed % 24).unwrap()]);
    }
    text
}

/// Fills a store with runs of one step each, of which every thousandth waits, past its port: a commit for each would take minutes.
pub fn fill(path: &Path, runs: u64) -> SqliteStore {
    let store = SqliteStore::open(path, Mode::Write).unwrap();
    store.create(id(0), time(), &created("first"), &[], &pinned()).unwrap();
    let mut raw = rusqlite::Connection::open(path).unwrap();
    let tx = raw.transaction().unwrap();
    for number in 1..runs {
        let run = id(number).to_string();
        let tail: String = run.chars().rev().collect();
        tx.prepare_cached(
            "INSERT INTO runs (n, id, tail, task, kind, title, status, cwd, created_at, updated_at, waiting, snippet)
             SELECT ?1, ?2, ?3, task, kind, '', '', '', 0, 0, 0, '' FROM runs WHERE n = 1",
        )
        .unwrap()
        .execute(params![number + 1, run, tail])
        .unwrap();
        let end = if number % 1_000 == 0 {
            Event::RunWaiting {}
        } else {
            Event::RunCompleted { title: "".into(), body: "".into() }
        };
        let mut events = vec![Event::RunCreated(created(&format!("poem {number}")))];
        events.extend(step(0, &text(number)));
        events.push(end);
        for (seq, event) in (1i64..).zip(&events) {
            let place = (i64::try_from(number + 1).unwrap() << 24) | seq;
            tx.prepare_cached("INSERT INTO events (place, at, body) VALUES (?1, ?2, ?3)")
                .unwrap()
                .execute(params![place, time().timestamp_nanos_opt(), serde_json::to_string(event).unwrap()])
                .unwrap();
        }
    }
    tx.commit().unwrap();
    store.rebuild().unwrap();
    store
}
