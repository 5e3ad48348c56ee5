//! What one test of the engine needs: a store of its own, steps that answer as a script says, and an engine over both.
#![allow(dead_code, unused_imports, reason = "every test binary and bench uses another part")]

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use stepwell::core::code::ErrorCode;
use stepwell::core::decide::{Decision, DecisionKind};
use stepwell::core::event::Event;
use stepwell::core::gate::GateKind;
use stepwell::core::id::RunId;
use stepwell::core::pinned::Pinned;
use stepwell::core::ports::{AttemptRequest, Ownership, Spool, Storage};
use stepwell::core::run::{Run, Status};
use stepwell::engine::{Engine, EngineError, Ports, Sleeper, Start, StopReason, Subscription, Update};
use stepwell::store::{MemoryState, MemoryStore, Mode, SqliteStore, StateFolder};

#[path = "fakes.rs"]
mod fakes;

use fakes::NoSecrets;
pub use fakes::{Act, FakeExecutor, FakeTools, TestClock, ToolAct, shout};

/// How long anything may take: far more than it takes on the busiest machine.
pub const PATIENCE: Duration = Duration::from_mins(1);

pub struct Harness {
    pub engine: Engine,
    pub executor: FakeExecutor,
    pub store: Arc<dyn Storage>,
    pub clock: Arc<TestClock>,
    /// The folder of the file and of the locks and partial texts, where they are on the disk.
    pub path: PathBuf,
    database: Database,
    /// Removed with the last harness that works in it.
    folder: Option<Arc<tempfile::TempDir>>,
}

/// Where what is kept is kept.
#[derive(Clone)]
enum Database {
    Memory(Arc<MemoryStore>, MemoryState),
    /// In memory, but who drives a run is decided by something else.
    Owned(Arc<MemoryStore>, MemoryState, Arc<dyn Ownership>),
    /// In a file. A write waits for another process for this long.
    File(Duration),
}

impl Database {
    fn open(&self, path: &Path) -> (Arc<dyn Storage>, Arc<dyn Ownership>, Arc<dyn Spool>) {
        match self {
            Self::Memory(store, state) => {
                let state = Arc::new(state.clone());
                (Arc::new(store.another()), state.clone(), state)
            }
            Self::Owned(store, state, ownership) => {
                (Arc::new(store.another()), Arc::clone(ownership), Arc::new(state.clone()))
            }
            Self::File(patience) => {
                let store = SqliteStore::open_patiently(&path.join(FILE), Mode::Write, *patience).unwrap();
                let state = Arc::new(StateFolder::new(path.join("state")));
                (Arc::new(store), state.clone(), state)
            }
        }
    }
}

const FILE: &str = "stepwell.db";

/// As long as the program's.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

impl Harness {
    /// A harness with all in memory: for what is not about the disk.
    pub fn new(script: impl Fn(&AttemptRequest) -> Act + Send + Sync + 'static) -> Self {
        Self::of(Database::Memory(Arc::default(), MemoryState::new()), script)
    }

    /// A harness with all in memory but who drives a run.
    pub fn owned_by(
        ownership: Arc<dyn Ownership>,
        script: impl Fn(&AttemptRequest) -> Act + Send + Sync + 'static,
    ) -> Self {
        Self::of(Database::Owned(Arc::default(), MemoryState::new(), ownership), script)
    }

    /// A harness with a file.
    pub fn on_disk(script: impl Fn(&AttemptRequest) -> Act + Send + Sync + 'static) -> Self {
        Self::of(Database::File(LOCK_PATIENCE), script)
    }

    /// A harness whose writes wait for another process only for a moment.
    pub fn hasty(script: impl Fn(&AttemptRequest) -> Act + Send + Sync + 'static) -> Self {
        Self::of(Database::File(Duration::from_millis(50)), script)
    }

    /// A harness whose writes wait for another process for as long as a test takes.
    pub fn patient(script: impl Fn(&AttemptRequest) -> Act + Send + Sync + 'static) -> Self {
        Self::of(Database::File(2 * PATIENCE), script)
    }

    /// A harness with a file in a folder that outlives it.
    pub fn within(path: PathBuf, script: impl Fn(&AttemptRequest) -> Act + Send + Sync + 'static) -> Self {
        Self::at(path, None, Database::File(LOCK_PATIENCE), FakeExecutor::new(script))
    }

    fn of(database: Database, script: impl Fn(&AttemptRequest) -> Act + Send + Sync + 'static) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        Self::at(folder.path().to_owned(), Some(folder), database, FakeExecutor::new(script))
    }

    fn at(path: PathBuf, folder: Option<Arc<tempfile::TempDir>>, database: Database, executor: FakeExecutor) -> Self {
        let (store, ownership, spool) = database.open(&path);
        let clock = Arc::new(TestClock::default());
        let engine = Engine::new(Ports {
            store: store.clone(),
            executor: Arc::new(executor.clone()),
            secrets: Arc::new(NoSecrets::default()),
            folders: Arc::new(stepwell::catalog::folders::DefinitionFolders::new(None, Path::new("/nowhere"))),
            clock: clock.clone(),
            environment: BTreeMap::new(),
            hosts: vec!["127.0.0.1".to_owned()],
            ownership,
            spool,
            timers: Arc::new(Sleeper),
            who: "ana@here".into(),
            notify: Vec::new(),
        });
        Self { engine, executor, store, clock, path, database, folder }
    }

    /// The file.
    pub fn database(&self) -> PathBuf {
        self.path.join(FILE)
    }

    /// What is on its way into the journal.
    pub fn spool(&self) -> Arc<dyn Spool> {
        self.database.open(&self.path).2
    }

    /// Another process on the same store.
    pub fn neighbour(&self) -> Self {
        Self::at(self.path.clone(), self.folder.clone(), self.database.clone(), self.executor.clone())
    }

    pub fn start(&self, steps: &Value, inputs: Value) -> RunId {
        self.start_with(steps, &json!({}), inputs)
    }

    pub fn start_with(&self, steps: &Value, more: &Value, inputs: Value) -> RunId {
        let start = Start {
            pinned: Arc::new(pinned(steps, more)),
            inputs,
            cwd: "/".into(),
            session: None,
            model: None,
            budget: None,
            origin: None,
        };
        self.engine.start(&start).unwrap()
    }

    /// A run as it is, and what comes in it from here on.
    pub fn subscribe(&self, run: RunId) -> (Run, Updates) {
        Updates::of(&self.engine, run)
    }

    /// Drives until the run waits or is over.
    pub async fn drive(&self, run: RunId) -> Run {
        let (_, mut updates) = self.subscribe(run);
        self.engine.drive(run).unwrap();
        until_stopped(&mut updates).await;
        self.engine.load(run).unwrap()
    }

    /// Decides, and waits until the run waits again or is over.
    pub async fn decide(&self, run: RunId, key: &str, kind: DecisionKind) -> Run {
        let (_, mut updates) = self.subscribe(run);
        self.engine.decide(run, decision(key, kind)).await.unwrap();
        until_stopped(&mut updates).await;
        self.engine.load(run).unwrap()
    }

    pub fn attempts(&self) -> Vec<String> {
        self.executor.requests.lock().unwrap().iter().map(|request| request.key.to_string()).collect()
    }

    pub fn events(&self, run: RunId) -> Vec<Event> {
        self.engine.events(run, 0).unwrap().into_iter().map(|recorded| recorded.event).collect()
    }
}

pub fn decision(key: &str, kind: DecisionKind) -> Decision {
    Decision::new(key.parse().unwrap(), kind)
}

/// What comes in a run, in order. What a test did not look at yet is kept for when it does, however much came together.
pub struct Updates {
    mailbox: Subscription,
    kept: Vec<Update>,
}

impl Updates {
    pub fn of(engine: &Engine, run: RunId) -> (Run, Self) {
        let (run, mailbox) = engine.subscribe(run).unwrap();
        (run, Self { mailbox, kept: Vec::new() })
    }

    /// Waits until there is something that was not looked at, and takes all of it.
    pub async fn next(&mut self) -> Vec<Update> {
        if self.kept.is_empty() { self.mailbox.next().await } else { self.take() }
    }

    /// Takes all that is there without waiting.
    pub fn take(&mut self) -> Vec<Update> {
        let mut all = std::mem::take(&mut self.kept);
        all.extend(self.mailbox.take());
        all
    }

    /// Waits for something, in `find` by its place in what has come: it and all before it has been looked at then.
    async fn find<T>(&mut self, mut find: impl FnMut(&[Update]) -> Option<(usize, T)>) -> T {
        let found = async {
            loop {
                let mut news = self.next().await;
                news.extend(self.take());
                if let Some((place, found)) = find(&news) {
                    self.kept = news.split_off(place + 1);
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.expect("it comes in time")
    }
}

/// How the drive came to rest, the last time as far as is known when it is looked: it may have gone on meanwhile.
pub async fn until_stopped(updates: &mut Updates) -> StopReason {
    let rest = |update: &Update| match update {
        Update::Stopped(rest) => Some(rest.clone()),
        _ => None,
    };
    updates.find(|news| news.iter().enumerate().rev().find_map(|(place, update)| Some((place, rest(update)?)))).await
}

pub async fn until<T>(updates: &mut Updates, mut wanted: impl FnMut(&Update) -> Option<T>) -> T {
    updates.find(|news| news.iter().enumerate().find_map(|(place, update)| Some((place, wanted(update)?)))).await
}

pub fn pinned(steps: &Value, more: &Value) -> Pinned {
    let mut workflow = json!({
        "version": 1, "flow": "graph", "max_concurrency": 4, "max_calls": 20_000,
        "retry": { "attempts": 3, "delay": 1, "backoff": 1.0, "max_delay": 5, "on": ["server", "network"] },
        "steps": steps,
    });
    for (name, value) in more.as_object().unwrap() {
        workflow[name] = value.clone();
    }
    let mut of_task = |name: &str| workflow.as_object_mut().unwrap().shift_remove(name).unwrap_or(json!([]));
    let (inputs, actions) = (of_task("inputs"), of_task("actions"));
    let tools = workflow.as_object_mut().unwrap().shift_remove("tools").unwrap_or(json!({}));
    let task = json!({
        "id": "test", "name": "Test", "inputs": inputs, "actions": actions, "tools": tools, "body": { "workflow": workflow },
    });
    Pinned { task: serde_json::from_value(task).unwrap(), children: BTreeMap::default(), folder: None }
}

#[expect(clippy::needless_pass_by_value, reason = "a test writes its steps in place")]
pub fn step(id: &str, does: Value, rules: Value) -> Value {
    json!({ "id": id, "does": does, "rules": rules })
}

pub fn prompt(id: &str, text: &str, rules: Value) -> Value {
    step(id, json!({ "kind": "prompt", "prompt": text }), rules)
}

pub fn expr(id: &str, source: &str, rules: Value) -> Value {
    step(id, json!({ "kind": "transform", "expr": source }), rules)
}

pub fn command(id: &str, rules: Value) -> Value {
    step(id, json!({ "kind": "command", "argv": ["touch", "it"], "parse": "text" }), rules)
}

/// The calls that wait for that, by name: which of several was first is chance.
pub fn waiting(run: &Run, kind: GateKind) -> Vec<String> {
    let mut keys: Vec<String> =
        run.waiting().filter(|gate| gate.kind() == kind).map(|gate| gate.key.to_string()).collect();
    keys.sort();
    keys
}

pub fn body(run: &Run) -> &str {
    assert_eq!(run.status, Status::Completed, "{:?}", run.error);
    run.result.as_ref().unwrap().body.data()
}

/// The code of what must have been refused.
pub fn refused(result: Result<(), EngineError>) -> ErrorCode {
    match result {
        Err(EngineError::Refused(refusal)) => refusal.code,
        other => panic!("not refused but {other:?}"),
    }
}
