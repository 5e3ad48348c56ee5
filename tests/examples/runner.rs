//! Runs the examples: the real engine, store, steps and catalog; a model that answers as a test says, else the
//! demo; a clock that can be set on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::support::patience::PATIENCE;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use stepwell::catalog::{Catalog, SearchPaths};
use stepwell::core::call::Call;
use stepwell::core::decide::{Decision, DecisionKind};
use stepwell::core::event::{Event, FlowDecision};
use stepwell::core::failure::Failure;
use stepwell::core::gate::GateKind;
use stepwell::core::id::RunId;
use stepwell::core::model::{Completion, DeltaSink, Finish, ModelChoice, ModelFailure, ModelRequest};
use stepwell::core::ports::{BoxFuture, Clock, Models, Secrets};
use stepwell::core::run::{Run, Status};
use stepwell::core::secret::{Redactor, Secret, SecretRef};
use stepwell::core::settings::Settings;
use stepwell::core::text::Untrusted;
use stepwell::core::usage::Usage;
use stepwell::engine::{Engine, Ports, Sleeper, Start, StopReason, Update};
use stepwell::models::{DEMO_MODEL, LanguageModels, Pace, Surroundings};
use stepwell::steps::Steps;
use stepwell::store::{Mode, SqliteStore, StateFolder};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// The folder that `--dir` takes.
pub fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/examples")
}

/// What a model says.
pub enum Says {
    /// This text.
    Text(String),
    /// What the demo says.
    AsDemo,
    /// It fails.
    Fails(Failure),
}

pub fn says(text: impl Into<String>) -> Says {
    Says::Text(text.into())
}

pub fn gives(value: &Value) -> Says {
    Says::Text(value.to_string())
}

type Script = dyn Fn(&ModelRequest) -> Says + Send + Sync;

/// A model that answers as told, and keeps what it was asked.
struct Scripted {
    script: Box<Script>,
    demo: LanguageModels,
    asked: Mutex<Vec<ModelRequest>>,
    running: AtomicUsize,
    most: AtomicUsize,
    /// As many requests must run at the same time before any is answered.
    together: Option<(usize, Semaphore)>,
}

struct Model(Arc<Scripted>);

impl Models for Model {
    fn complete(
        &self,
        request: ModelRequest,
        deltas: DeltaSink,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Result<Completion, ModelFailure>> {
        let scripted = Arc::clone(&self.0);
        let running = scripted.running.fetch_add(1, Ordering::SeqCst) + 1;
        scripted.most.fetch_max(running, Ordering::SeqCst);
        scripted.asked.lock().unwrap().push(request.clone());
        let said = (scripted.script)(&request);
        Box::pin(async move {
            if let Some((count, answers)) = &scripted.together {
                if running == *count {
                    answers.add_permits(*count);
                }
                answers.acquire().await.unwrap().forget();
            }
            let model = format!("demo/{DEMO_MODEL}");
            let failed = |failure| ModelFailure { model: model.clone(), ..ModelFailure::new(failure) };
            let answer = match said {
                Says::Text(text) => Ok(Completion {
                    text: Untrusted::from(text),
                    model: model.clone(),
                    usage: Usage { input_tokens: 10, output_tokens: 5, ..Usage::default() },
                    finish: Finish::Stop,
                    first_token_ms: 1,
                    ..Completion::default()
                }),
                Says::AsDemo => scripted.demo.complete(request, deltas, cancel).await,
                Says::Fails(failure) => Err(failed(failure)),
            };
            scripted.running.fetch_sub(1, Ordering::SeqCst);
            answer
        })
    }
    fn choice(&self, name: Option<&str>) -> Result<ModelChoice, Failure> {
        self.0.demo.choice(name)
    }
    fn estimate(&self, models: &[String], prompt_tokens: u64, max_tokens: Option<u32>) -> Usage {
        self.0.demo.estimate(models, prompt_tokens, max_tokens)
    }
    fn lane(&self, _: &[String]) -> Option<(String, usize)> {
        None
    }
}

/// A clock that a test sets on.
#[derive(Default)]
struct Watch {
    ahead: AtomicI64,
    ticks: AtomicI64,
}

impl Clock for Watch {
    fn now(&self) -> DateTime<Utc> {
        Utc::now() + TimeDelta::milliseconds(self.ahead.load(Ordering::SeqCst))
    }
    fn random(&self) -> [u8; 10] {
        let mut bytes = [7; 10];
        bytes[2..].copy_from_slice(&self.ticks.fetch_add(1, Ordering::SeqCst).to_be_bytes());
        bytes
    }
}

struct NoSecrets;

impl Secrets for NoSecrets {
    fn resolve(&self, _: RunId, _: &str, _: &SecretRef) -> Result<Option<Secret>, Failure> {
        Ok(None)
    }
    fn provide(&self, _: RunId, _: &str, _: Secret) {}
    fn redactor(&self) -> Redactor {
        Redactor::default()
    }
}

/// A person at a machine with the examples on it.
pub struct ExampleRunner {
    pub engine: Engine,
    model: Arc<Scripted>,
    watch: Arc<Watch>,
    folder: tempfile::TempDir,
}

impl ExampleRunner {
    /// With a model that answers as told.
    pub fn new(script: impl Fn(&ModelRequest) -> Says + Send + Sync + 'static) -> Self {
        Self::answering(script, None)
    }

    /// With the demo.
    pub fn with_demo() -> Self {
        Self::new(|_| Says::AsDemo)
    }

    /// With a model that answers only when so many are asking at the same time.
    pub fn together(count: usize) -> Self {
        Self::answering(|_| Says::AsDemo, Some((count, Semaphore::new(0))))
    }

    fn answering(
        script: impl Fn(&ModelRequest) -> Says + Send + Sync + 'static,
        together: Option<(usize, Semaphore)>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let surroundings = Surroundings { lookup: Arc::new(|_| None), ..Surroundings::real(Pace::Instant) };
        let model = Arc::new(Scripted {
            script: Box::new(script),
            demo: LanguageModels::new(Settings::default(), surroundings),
            asked: Mutex::default(),
            running: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            together,
        });
        let store = SqliteStore::open(&folder.path().join("stepwell.db"), Mode::Write).unwrap();
        let secrets: Arc<dyn Secrets> = Arc::new(NoSecrets);
        let steps = Steps::new(Arc::new(Model(Arc::clone(&model))), Arc::clone(&secrets), BTreeMap::new())
            .with_hosts(vec!["127.0.0.1".to_owned()]);
        let watch = Arc::new(Watch::default());
        let state = Arc::new(StateFolder::new(folder.path().join("state")));
        let engine = Engine::new(Ports {
            environment: BTreeMap::new(),
            store: Arc::new(store),
            executor: Arc::new(steps),
            secrets,
            folders: Arc::new(stepwell::catalog::folders::DefinitionFolders::new(None, Path::new("/nowhere"))),
            clock: watch.clone(),
            hosts: vec!["127.0.0.1".to_owned()],
            ownership: state.clone(),
            spool: state,
            timers: Arc::new(Sleeper),
            who: "ana@host".into(),
            notify: Vec::new(),
        });
        Self { engine, model, watch, folder }
    }

    /// Where runs are started.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a run of an example.
    pub fn start(&self, id: &str, inputs: Value, session: Option<&str>) -> RunId {
        // As the person's own: what lies there is trusted.
        let search_paths =
            SearchPaths { own: Some(examples()), state: self.folder.path().join("state"), ..SearchPaths::default() };
        let pinned = Catalog::load(&search_paths).pin(id).unwrap();
        let start = Start {
            pinned: Arc::new(pinned),
            inputs,
            cwd: self.folder.path().to_owned(),
            session: session.map(str::to_owned),
            model: Some(format!("demo/{DEMO_MODEL}")),
            budget: None,
            origin: None,
        };
        self.engine.start(&start).unwrap()
    }

    /// Drives until a person is waited for, or the run is over.
    pub async fn drive(&self, run: RunId) -> Run {
        self.and_rests(run, || async {}).await
    }

    /// Decides, and drives on.
    pub async fn decide(&self, run: RunId, key: &str, kind: DecisionKind) -> Run {
        let decision = Decision::new(key.parse().unwrap(), kind);
        self.and_rests(run, || async { self.engine.decide(run, decision).await.unwrap() }).await
    }

    async fn and_rests<F: Future<Output = ()>>(&self, run: RunId, act: impl FnOnce() -> F) -> Run {
        let (_, mut updates) = self.engine.subscribe(run).unwrap();
        act().await;
        self.engine.drive(run).unwrap();
        let until_stopped = async {
            loop {
                for update in updates.next().await {
                    match update {
                        Update::Stopped(StopReason::JournalLost(why)) => panic!("{why}"),
                        Update::Stopped(_) => return,
                        _ => {}
                    }
                }
            }
        };
        tokio::time::timeout(PATIENCE, until_stopped).await.expect("it comes to rest in time");
        self.engine.load(run).unwrap()
    }

    /// Waits until nobody drives it any more.
    pub async fn until_stopped(&self, run: RunId) -> Run {
        while self.engine.is_driven(run) {
            tokio::task::yield_now().await;
        }
        self.engine.load(run).unwrap()
    }

    /// Drives to the end; a person accepts, allows and answers with defaults.
    pub async fn finish(&self, run: RunId) -> Run {
        // Whoever drives it already has come to rest.
        let mut now = if self.engine.is_driven(run) { self.engine.load(run).unwrap() } else { self.drive(run).await };
        while !now.status.is_over() {
            let gate = now.waiting().next().expect("somebody is waited for").clone();
            let what = match gate.kind() {
                GateKind::Review => DecisionKind::Accept,
                GateKind::Approval => DecisionKind::APPROVE,
                GateKind::Input => DecisionKind::Answer { value: json!({}) },
                other => panic!("{other} of `{}`", gate.key),
            };
            now = self.decide(run, &gate.key.to_string(), what).await;
        }
        assert_eq!(now.status, Status::Completed, "{:?}\n{:?}", now.error, now.warnings);
        now
    }

    /// A run of an example, to its end.
    pub async fn run(&self, id: &str, inputs: Value) -> Run {
        self.finish(self.start(id, inputs, None)).await
    }

    /// Sets the clock on.
    pub fn later(&self, time: TimeDelta) {
        self.watch.ahead.fetch_add(time.num_milliseconds(), Ordering::SeqCst);
    }

    /// Which steps the model was asked for, in the order of that.
    pub fn asked(&self) -> Vec<String> {
        self.requests().iter().map(|request| request.asker.step.clone()).collect()
    }

    pub fn requests(&self) -> Vec<ModelRequest> {
        self.model.asked.lock().unwrap().clone()
    }

    /// How many requests ran at the same time, at most.
    pub fn most_at_once(&self) -> usize {
        self.model.most.load(Ordering::SeqCst)
    }

    pub fn events(&self, run: RunId) -> Vec<Event> {
        self.engine.events(run, 0).unwrap().into_iter().map(|recorded| recorded.event).collect()
    }
}

pub fn body(run: &Run) -> &str {
    run.result.as_ref().unwrap().body.data()
}

pub fn title(run: &Run) -> &str {
    run.result.as_ref().unwrap().title.data()
}

pub fn call<'a>(run: &'a Run, key: &str) -> &'a Call {
    run.call(&key.parse().unwrap()).unwrap_or_else(|| panic!("no call `{key}` in {:?}", run.calls.keys()))
}

pub fn status(run: &Run, key: &str) -> &'static str {
    call(run, key).status.name()
}

pub fn output(run: &Run, key: &str) -> Value {
    (*call(run, key).standing.as_ref().unwrap_or_else(|| panic!("`{key}` has no output")).output).clone()
}

/// What waits, by name: which of several that run at the same time was first is chance.
pub fn waits(run: &Run) -> Vec<String> {
    let mut waits: Vec<String> = run.waiting().map(|gate| format!("{} {}", gate.kind(), gate.key)).collect();
    waits.sort();
    waits
}

/// Why a call was skipped.
pub fn because(run: &Run, key: &str) -> String {
    match &call(run, key).ending {
        Some(stepwell::core::call::Ending::Skipped { because, .. }) => because.clone(),
        other => panic!("`{key}` was not skipped but {other:?}"),
    }
}

/// What the flow decided at a step.
pub fn decided(run: &Run, key: &str, what: &FlowDecision) -> Value {
    let decided = run.decided.get(&key.parse().unwrap()).into_iter().flatten();
    decided.filter(|decided| decided.what == *what).map(|decided| decided.value.clone()).next().unwrap_or_default()
}

/// The user's text of a request.
pub fn prompt(request: &ModelRequest) -> &str {
    &request.messages.last().unwrap().text
}
