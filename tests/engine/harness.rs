//! What one test of the engine needs: a store of its own, steps that answer as a script says, and an engine over both.
#![allow(dead_code, reason = "every test binary and bench uses another part")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use stepwell::core::code::ErrorCode;
use stepwell::core::decide::{Decision, DecisionKind};
use stepwell::core::event::{Event, Measured};
use stepwell::core::failure::Failure;
use stepwell::core::gate::GateKind;
use stepwell::core::id::RunId;
use stepwell::core::model::{Delta, Finish};
use stepwell::core::pinned::Pinned;
use stepwell::core::ports::{
    AttemptContext, AttemptOutcome, AttemptRequest, BoxFuture, CallOutcome, Clock, Executor, Ownership, Secrets, Spool,
    Storage, ToolCallRequest, ToolScope, Transcript,
};
use stepwell::core::run::{Run, Status};
use stepwell::core::secret::{Redactor, Secret, SecretRef};
use stepwell::core::text::Untrusted;
use stepwell::core::tool::{
    AskedCall, CallReturn, FinishedTurn, OfferedTools, OwnTool, Pattern, ToolApproval, ToolHints, ToolRules, ToolSpec,
};
use stepwell::core::tool_call::ToolCallId;
use stepwell::core::usage::Usage;
use stepwell::core::work::Work;
use stepwell::engine::{Engine, EngineError, Ports, Sleeper, Start, StopReason, Subscription, Update};
use stepwell::store::{MemoryState, MemoryStore, Mode, SqliteStore, StateFolder};

/// How long anything may take: far more than it takes on the busiest machine.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// The real time and how far it was set ahead, in milliseconds, and random bytes that count up.
#[derive(Default)]
pub struct TestClock {
    ahead: AtomicI64,
    count: AtomicU8,
    looks: AtomicUsize,
}

impl TestClock {
    /// Sets it ahead: whoever sleeps does not notice.
    pub fn advance(&self, by: Duration) {
        self.ahead.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub fn set_back(&self, by: Duration) {
        self.ahead.fetch_sub(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// How often it was looked at.
    pub fn looks(&self) -> usize {
        self.looks.load(Ordering::SeqCst)
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        Utc::now() + chrono::TimeDelta::milliseconds(self.ahead.load(Ordering::SeqCst))
    }
    fn random(&self) -> [u8; 10] {
        let mut bytes = [7; 10];
        bytes[9] = self.count.fetch_add(1, Ordering::Relaxed);
        bytes[8] = std::process::id().to_le_bytes()[0];
        bytes
    }
}

#[derive(Default)]
struct NoSecrets(Mutex<Vec<String>>);

impl Secrets for NoSecrets {
    fn resolve(&self, _: RunId, name: &str, reference: &SecretRef) -> Result<Option<Secret>, Failure> {
        let typed = self.0.lock().unwrap().contains(&name.to_owned());
        Ok((typed || *reference != SecretRef::Typed).then(|| Secret::new("value")))
    }
    fn provide(&self, _: RunId, name: &str, _: Secret) {
        self.0.lock().unwrap().push(name.to_owned());
    }
    fn redactor(&self) -> Redactor {
        Redactor::default()
    }
}

type Script = dyn Fn(&AttemptRequest) -> Act + Send + Sync;

/// What a performed attempt does.
pub enum Act {
    Say(Value),
    Fail(Failure),
    /// Says this as far as the limit of tokens goes.
    Cut(&'static str),
    /// Says this, and what is wrong with it.
    Unfit(Value, &'static str),
    Doubt,
    /// Streams this and hangs until it is cancelled.
    Hang(&'static str),
    /// The same, and takes its time to end.
    Linger(&'static str, Duration),
    /// Asks the person and gives the answer as its output.
    Ask(Value),
    /// Says this once it is let go, whoever cancels it.
    Finish(Arc<tokio::sync::Notify>, Value),
    /// The model calls these tools, with these arguments.
    Calls(Vec<(&'static str, Value)>),
    /// The same, once it is let go.
    CallsOnce(Arc<tokio::sync::Notify>, Vec<(&'static str, Value)>),
}

/// What a tool does that is called.
pub enum ToolAct {
    Return(Value),
    Fail(&'static str),
    /// Nobody knows whether it did anything.
    Doubt,
    /// Hangs until it is stopped; whether it had begun by then.
    Hang(bool),
    /// Returns this once it is let go, whoever stops it.
    Finish(Arc<tokio::sync::Notify>, Value),
    /// Asks the person these forms, one after the other, and returns what they say.
    Ask(Vec<Value>),
    /// Starts a program that goes on by itself, and hangs.
    Leaves(Arc<tokio::sync::Notify>, Arc<Mutex<Option<std::process::Child>>>),
}

type ToolScript = dyn Fn(&ToolCallRequest) -> ToolAct + Send + Sync;

/// The tools that there are, and what was called of them.
pub struct FakeTools {
    script: Mutex<Box<ToolScript>>,
    specs: Mutex<Vec<ToolSpec>>,
    rules: Mutex<BTreeMap<String, ToolRules>>,
    pub called: Mutex<Vec<(String, Value)>>,
    pub lists: AtomicUsize,
    /// The author's own tools that the config declares.
    pub of_config: Mutex<BTreeMap<String, OwnTool>>,
    /// What happens elsewhere when the rules of a tool are looked up next.
    pub meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Default for FakeTools {
    fn default() -> Self {
        Self {
            script: Mutex::new(Box::new(|call| ToolAct::Return((*call.arguments).clone()))),
            specs: Mutex::default(),
            rules: Mutex::default(),
            called: Mutex::default(),
            lists: AtomicUsize::default(),
            of_config: Mutex::default(),
            meanwhile: Mutex::default(),
        }
    }
}

impl FakeTools {
    /// There is a tool, whose arguments are any object but for a `path` that is no text.
    pub fn offer(&self, tool: &str, description: &str, approve: ToolApproval, idempotent: bool) {
        let input = json!({ "type": "object", "properties": { "path": { "type": "string" } } });
        let (tool, output, hints) = (tool.to_owned(), None, ToolHints::default());
        self.rules.lock().unwrap().insert(tool.clone(), ToolRules { approve, idempotent, timeout: None });
        let mut specs = self.specs.lock().unwrap();
        specs.retain(|spec| spec.tool != tool);
        specs.push(ToolSpec { tool, description: description.into(), input, output, hints });
    }

    pub fn act(&self, script: impl Fn(&ToolCallRequest) -> ToolAct + Send + Sync + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    /// What was called, and with which arguments.
    pub fn called(&self) -> Vec<(String, Value)> {
        self.called.lock().unwrap().clone()
    }
}

/// Steps that answer as told; every request is kept.
#[derive(Clone)]
pub struct FakeExecutor {
    script: Arc<Script>,
    pub tools: Arc<FakeTools>,
    pub requests: Arc<Mutex<Vec<AttemptRequest>>>,
    /// How often a person asked for something again.
    pub asked_again: Arc<std::sync::atomic::AtomicUsize>,
    /// How many requests the provider of all models takes at a time; 0: any number.
    pub places: Arc<AtomicUsize>,
}

impl FakeExecutor {
    fn new(script: impl Fn(&AttemptRequest) -> Act + Send + Sync + 'static) -> Self {
        let (tools, requests) = (Arc::default(), Arc::default());
        Self { script: Arc::new(script), tools, requests, asked_again: Arc::default(), places: Arc::default() }
    }
}

impl Executor for FakeExecutor {
    fn ask_again(&self) {
        self.asked_again.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }

    fn execute(&self, request: AttemptRequest, context: AttemptContext) -> BoxFuture<'static, AttemptOutcome> {
        let act = (self.script)(&request);
        self.requests.lock().unwrap().push(request);
        let measured = Measured {
            usage: Usage { input_tokens: 10, output_tokens: 5, usd: 0.1, estimated: false },
            ..Measured::default()
        };
        Box::pin(async move {
            match act {
                Act::Say(output) => AttemptOutcome::Done { output, problem: None, measured },
                Act::Cut(text) => AttemptOutcome::Done {
                    output: json!(text),
                    problem: None,
                    measured: Measured { finish: Some(Finish::Length), ..measured },
                },
                Act::Unfit(output, problem) => {
                    AttemptOutcome::Done { output, problem: Some(problem.to_owned()), measured }
                }
                Act::Fail(failure) => {
                    AttemptOutcome::Failed { failure, partial: Untrusted::default(), in_doubt: false, measured }
                }
                Act::Doubt => AttemptOutcome::Failed {
                    failure: Failure::new(stepwell::core::failure::FailureClass::Timeout, "no answer"),
                    partial: Untrusted::default(),
                    in_doubt: true,
                    measured,
                },
                Act::Linger(text, time) => {
                    context.cancel.cancelled().await;
                    tokio::time::sleep(time).await;
                    AttemptOutcome::Cancelled { partial: text.into(), in_doubt: false, measured }
                }
                Act::Hang(text) => {
                    (context.deltas)(Delta::Text(text.into()));
                    context.cancel.cancelled().await;
                    AttemptOutcome::Cancelled { partial: text.into(), in_doubt: false, measured }
                }
                Act::Finish(let_go, output) => {
                    let_go.notified().await;
                    AttemptOutcome::Done { output, problem: None, measured }
                }
                Act::Calls(_) | Act::CallsOnce(..) => {
                    let calls = match act {
                        Act::CallsOnce(let_go, calls) => {
                            let_go.notified().await;
                            calls
                        }
                        Act::Calls(calls) => calls,
                        _ => Vec::new(),
                    };
                    let asked = |(tool, arguments): (&str, Value)| AskedCall {
                        call: ToolCallId { turn: 0, index: 0 },
                        tool: tool.to_owned(),
                        arguments: arguments.into(),
                    };
                    let calls = calls.into_iter().map(asked).collect();
                    let (text, opaque) = ("let me look".into(), Some(json!({ "signed": "thought" }).into()));
                    AttemptOutcome::Turn(FinishedTurn { turn: 0, text, calls, opaque, measured })
                }
                Act::Ask(fields) => AttemptOutcome::Done {
                    output: (context.ask)(fields.try_into().unwrap()).await,
                    problem: None,
                    measured,
                },
            }
        })
    }
    fn list_tools(&self, _: ToolScope, offered: OfferedTools) -> BoxFuture<'static, Result<Vec<ToolSpec>, Failure>> {
        self.tools.lists.fetch_add(1, Ordering::SeqCst);
        let named = |spec: &&ToolSpec| offered.patterns.iter().any(|it| Pattern(it.clone()).matches(&spec.tool));
        let listed: Vec<ToolSpec> = self.tools.specs.lock().unwrap().iter().filter(named).cloned().collect();
        Box::pin(async move {
            if listed.is_empty() {
                return Err(Failure::new(stepwell::core::failure::FailureClass::Tool, "the server does not answer"));
            }
            Ok(listed)
        })
    }
    fn tool_rules(&self, _: &ToolScope, tool: &str, _: Option<&OwnTool>) -> ToolRules {
        let meanwhile = self.tools.meanwhile.lock().unwrap().take();
        if let Some(happens) = meanwhile {
            happens();
        }
        self.tools.rules.lock().unwrap().get(tool).copied().unwrap_or_default()
    }
    fn call_tool(&self, call: ToolCallRequest, context: AttemptContext) -> BoxFuture<'static, CallOutcome> {
        let act = (self.tools.script.lock().unwrap())(&call);
        self.tools.called.lock().unwrap().push((call.tool, (*call.arguments).clone()));
        let returned = |output: Value| {
            let (output, images, notes) = (output.into(), Vec::new(), Vec::new());
            CallOutcome::Known(CallReturn::Returned { output, is_error: false, images, notes })
        };
        let failure = |text: &str| Failure::new(stepwell::core::failure::FailureClass::Tool, text);
        Box::pin(async move {
            match act {
                ToolAct::Return(output) => returned(output),
                ToolAct::Fail(text) => CallOutcome::Known(CallReturn::Failed { error: failure(text) }),
                ToolAct::Doubt => CallOutcome::InDoubt(failure("no answer came")),
                ToolAct::Hang(in_doubt) => {
                    context.cancel.cancelled().await;
                    CallOutcome::Cancelled { in_doubt }
                }
                ToolAct::Finish(let_go, output) => {
                    let_go.notified().await;
                    returned(output)
                }
                ToolAct::Ask(forms) => {
                    let mut said = Vec::new();
                    for fields in forms {
                        said.push((context.ask)(fields.try_into().unwrap()).await);
                    }
                    returned(json!(said))
                }
                ToolAct::Leaves(at_work, program) => {
                    use std::os::unix::process::CommandExt as _;
                    let child = std::process::Command::new("sleep").arg("1000").process_group(0).spawn().unwrap();
                    (context.began)(child.id());
                    *program.lock().unwrap() = Some(child);
                    at_work.notify_one();
                    context.cancel.cancelled().await;
                    CallOutcome::Cancelled { in_doubt: true }
                }
            }
        })
    }
    fn estimate(&self, work: &Work, _: Option<&Transcript>) -> Usage {
        let usd = if matches!(work, Work::Prompt(_)) { 0.1 } else { 0.0 };
        Usage { usd, ..Usage::default() }
    }
    fn spent(&self, _: &Work, so_far: Option<&Transcript>, _: &Untrusted) -> Usage {
        let turns = so_far.map_or(0, |so_far| so_far.turns.len());
        Usage { input_tokens: 1_000 * turns as u64, estimated: true, ..Usage::default() }
    }
    fn own_tool(&self, _: &ToolScope, tool: &str) -> Option<OwnTool> {
        self.tools.of_config.lock().unwrap().get(tool).cloned()
    }
    fn lane(&self, work: &Work) -> Option<(String, usize)> {
        let places = self.places.load(Ordering::SeqCst);
        (places > 0 && matches!(work, Work::Prompt(_))).then(|| ("models".to_owned(), places))
    }
    fn knows_model(&self, name: &str) -> Result<(), Failure> {
        let unknown = Failure::new(stepwell::core::failure::FailureClass::Definition, format!("no model `{name}`"));
        if name.starts_with("nobody") { Err(unknown) } else { Ok(()) }
    }
}

/// What a fake model says: the last message in capitals.
pub fn shout(request: &AttemptRequest) -> Act {
    match &*request.work {
        Work::Prompt(prompt) => Act::Say(json!(prompt.messages.last().unwrap().text.to_uppercase())),
        other => Act::Say(json!(other.kind())),
    }
}

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
