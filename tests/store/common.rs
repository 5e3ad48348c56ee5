//! Runs and events to write, and a store in a folder of its own.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use stepwell::core::event::{Created, Event, Measured, Started};
use stepwell::core::fingerprint::Fingerprint;
use stepwell::core::gate::{Gate, ReviewBody};
use stepwell::core::id::RunId;
use stepwell::core::key::Key;
use stepwell::core::pinned::Pinned;
use stepwell::core::ports::{Append, HistoryQuery, JournalError, Stands, Storage, Writer};
use stepwell::core::run::Run;
use stepwell::core::step::OnCrash;
use stepwell::core::task::{Body, Instruct, Kind, Task};
use stepwell::store::{Mode, SqliteStore};
use tempfile::TempDir;

pub struct TestStore {
    pub folder: TempDir,
    pub store: SqliteStore,
}

impl TestStore {
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("stepwell.db")
    }

    pub fn again(&self) -> SqliteStore {
        SqliteStore::open(&self.path(), Mode::Write).unwrap()
    }

    /// The same file, past the store.
    pub fn raw(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path()).unwrap()
    }
}

pub fn test_store() -> TestStore {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("stepwell.db"), Mode::Write).unwrap();
    TestStore { folder, store }
}

pub fn id(number: u64) -> RunId {
    let mut random = [7; 10];
    random[2..].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    RunId::new(1_700_000_000_000 + number, random)
}

pub fn time(second: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_700_000_000 + second) + TimeDelta::nanoseconds(123_456_789)
}

pub fn pinned(task: &str) -> Pinned {
    let task = Task {
        id: task.to_owned(),
        name: task.to_owned(),
        icon: None,
        description: String::new(),
        tags: Vec::new(),
        model: None,
        inputs: Vec::new(),
        actions: Vec::new(),
        follow_ups: Vec::new(),
        tools: stepwell::core::tool::DeclaredTools::default(),
        meta: None,
        body: Body::Instruct(Instruct { instruction: "Write it.".to_owned(), ..Instruct::default() }),
    };
    Pinned { task, children: std::collections::BTreeMap::default(), folder: None }
}

pub fn created(task: &str, inputs: Value) -> Created {
    Created {
        task: task.to_owned(),
        kind: Kind::Workflow,
        title: format!("{task}, a run"),
        by: "ana@host".into(),
        cwd: "/home/ana".into(),
        inputs: Arc::new(inputs),
        definition: pinned(task).hash().unwrap(),
        nonce: "n".to_owned(),
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

/// A run of the task `poem` in `store`, with these inputs.
pub fn begin(store: &dyn Storage, number: u64, inputs: Value) -> RunId {
    let run = id(number);
    store.create(run, time(0), &created("poem", inputs), &[], &pinned("poem")).unwrap();
    run
}

pub fn append(store: &dyn Storage, run: RunId, after: u64, events: Vec<Event>) -> Result<u64, JournalError> {
    store.append(&batch(store, run, after, events))
}

/// Events to be appended, with how the run stands after them.
pub fn batch(store: &dyn Storage, run: RunId, after: u64, events: Vec<Event>) -> Append {
    let at = time(i64::try_from(after).unwrap());
    let mut folded = Run::fold(run, &store.read(run, 0).unwrap()).unwrap();
    for event in &events {
        folded.apply(folded.seq + 1, at, event);
    }
    let (writer, stands) = (Writer::Decider, Stands::of(&folded));
    Append { run, after, writer, at, events, learn: Vec::new(), state: None, stands }
}

pub fn key(text: &str) -> Key {
    text.parse().unwrap()
}

pub fn fingerprint(text: &str) -> Fingerprint {
    Fingerprint::of_bytes(text.as_bytes())
}

pub fn started(at: &str, attempt: u32) -> Event {
    Event::AttemptStarted(Started {
        key: key(at),
        workflow: None,
        step: key(at).step().to_owned(),
        attempt,
        fingerprint: fingerprint(at),
        by: "model".into(),
        work: None,
        item: None,
        depends: Vec::new(),
        on_crash: OnCrash::Rerun,
    })
}

pub fn finished(at: &str, attempt: u32, output: Value) -> Event {
    let measured = Measured { model: Some("demo/demo".to_owned()), ..Measured::default() };
    Event::AttemptFinished { key: key(at), attempt, output: Arc::new(output), problem: None, measured }
}

pub fn review(at: &str, attempt: u32) -> Event {
    Event::GateOpened(Gate::of_review(key(at), attempt, 1, ReviewBody::default()))
}

pub fn accepted(at: &str, attempt: u32) -> Event {
    Event::CallAccepted { key: key(at), attempt, version: 1, by: "ana@host".into(), overridden: Vec::new() }
}

/// A completed run whose one output is `text`.
pub fn write(store: &dyn Storage, number: u64, text: &str) -> RunId {
    let run = begin(store, number, json!({}));
    let events = vec![
        started("write", 1),
        finished("write", 1, json!(text)),
        accepted("write", 1),
        Event::RunCompleted { title: "".into(), body: "".into() },
    ];
    append(store, run, 1, events).unwrap();
    run
}

pub fn looking_for(text: &str) -> HistoryQuery {
    HistoryQuery { text: text.to_owned(), ..HistoryQuery::default() }
}

pub fn found(store: &dyn Storage, text: &str) -> Vec<RunId> {
    store.history(&looking_for(text)).unwrap().into_iter().map(|row| row.run).collect()
}
