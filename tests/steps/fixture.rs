//! Everything that an attempt needs, all of it fake but the steps.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use stepwell::core::event::Measured;
use stepwell::core::failure::{Failure, FailureClass};
use stepwell::core::id::RunId;
use stepwell::core::kept_files::KeptFiles;
use stepwell::core::model::{
    Asker, Completion, Delta, DeltaSink, Finish, ModelCall, ModelChoice, ModelFailure, ModelRequest,
};
use stepwell::core::ports::{
    AttemptContext, AttemptOutcome, AttemptRequest, BoxFuture, Executor, Models, Secrets, Transcript,
};
use stepwell::core::secret::{Redactor, Secret, SecretRef};
use stepwell::core::usage::{Budget, Usage};
use stepwell::core::work::Work;
use stepwell::steps::Steps;
use stepwell::store::StateFolder;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub const NONCE: &str = "n0nce";
/// How long anything may take: far more than it takes on the busiest machine.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// The value of the secret `token`; the secret `typed` is not there.
pub const TOKEN: &str = "tok\"en-value";

/// What the fake model does when asked.
pub enum Says {
    Text(&'static str, Finish),
    Fails(FailureClass, &'static str),
    /// Says this and calls these.
    Calls(&'static str, Vec<ModelCall>),
    /// Streams this, then waits for the cancel.
    Hangs(&'static str),
    /// Streams this and never looks at the cancel.
    Deaf(&'static str),
}

#[derive(Default)]
struct FakeModels {
    says: Mutex<VecDeque<Says>>,
    asked: Mutex<Vec<ModelRequest>>,
}

impl Models for FakeModels {
    fn complete(
        &self,
        request: ModelRequest,
        deltas: DeltaSink,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Result<Completion, ModelFailure>> {
        self.asked.lock().unwrap().push(request);
        let says = self.says.lock().unwrap().pop_front().expect("asked more often than expected");
        let usage = Usage { input_tokens: 10, output_tokens: 5, usd: 0.5, estimated: false };
        let failure = move |class, partial: &str| ModelFailure {
            partial: partial.into(),
            model: "fake/one".into(),
            usage,
            ..ModelFailure::new(Failure::new(class, "the fake failed"))
        };
        Box::pin(async move {
            match says {
                Says::Text(text, finish) => {
                    text.split_inclusive(' ').for_each(|piece| deltas(Delta::Text(piece.into())));
                    let notes = vec!["a note".into()];
                    let model = "fake/one".into();
                    let text = text.into();
                    Ok(Completion { text, model, usage, finish, first_token_ms: 7, notes, ..Completion::default() })
                }
                Says::Calls(text, calls) => {
                    deltas(Delta::Text(text.into()));
                    let opaque = Some(Arc::new(json!({ "signed": "thoughts" })));
                    let (model, finish) = ("fake/one".into(), Finish::Calls);
                    Ok(Completion { text: text.into(), calls, opaque, model, usage, finish, ..Completion::default() })
                }
                Says::Fails(class, partial) => Err(failure(class, partial)),
                Says::Hangs(text) => {
                    deltas(Delta::Text(text.into()));
                    cancel.cancelled().await;
                    Err(failure(FailureClass::Network, text))
                }
                Says::Deaf(text) => {
                    deltas(Delta::Text(text.into()));
                    std::future::pending().await
                }
            }
        })
    }

    fn choice(&self, _name: Option<&str>) -> Result<ModelChoice, Failure> {
        Err(Failure::new(FailureClass::Definition, "not asked here"))
    }

    fn estimate(&self, _models: &[String], prompt_tokens: u64, max_tokens: Option<u32>) -> Usage {
        Usage { input_tokens: prompt_tokens, output_tokens: u64::from(max_tokens.unwrap_or(100)), ..Usage::default() }
    }

    fn lane(&self, models: &[String]) -> Option<(String, usize)> {
        Some((models.first()?.split('/').next()?.to_owned(), 4))
    }
}

struct FakeSecrets {
    token: Mutex<&'static str>,
    redactor: Mutex<Redactor>,
    /// What a secret's command that hangs waits for.
    hanging: Mutex<Receiver<()>>,
}

impl Secrets for FakeSecrets {
    fn resolve(&self, _run: RunId, _name: &str, reference: &SecretRef) -> Result<Option<Secret>, Failure> {
        if *reference == SecretRef::Typed {
            return Ok(None);
        }
        if matches!(reference, SecretRef::Command(_)) {
            let _ = self.hanging.lock().unwrap().recv();
        }
        let secret = Secret::new(*self.token.lock().unwrap());
        self.redactor.lock().unwrap().learn(&secret);
        Ok(Some(secret))
    }

    fn provide(&self, _run: RunId, _name: &str, _value: Secret) {}

    fn redactor(&self) -> Redactor {
        self.redactor.lock().unwrap().clone()
    }
}

pub struct StepFixture {
    models: Arc<FakeModels>,
    secrets: Arc<FakeSecrets>,
    pub steps: Steps,
    pub folder: tempfile::TempDir,
    deltas: Arc<Mutex<Vec<Delta>>>,
    pub cancel: CancellationToken,
    pub forms: Arc<Mutex<Vec<Value>>>,
    pub timeout: Option<Duration>,
    /// The files of the definition.
    pub files: KeptFiles,
    /// How far an attempt has come whose model calls tools.
    pub transcript: Option<Transcript>,
    /// The tokens that an attempt may use.
    pub allowed: Option<u64>,
    /// Dropped, the secret `hangs` is there.
    _hanging: Sender<()>,
}

impl StepFixture {
    pub fn new() -> Self {
        let models = Arc::new(FakeModels::default());
        let configured = BTreeMap::from([("CONFIGURED".to_owned(), "yes".to_owned())]);
        let (keeps_hanging, hanging) = channel();
        let token = Mutex::new(TOKEN);
        let secrets = Arc::new(FakeSecrets { token, redactor: Mutex::default(), hanging: Mutex::new(hanging) });
        let steps = Steps::new(models.clone(), secrets.clone(), configured);
        Self {
            models,
            secrets,
            steps,
            folder: tempfile::tempdir().unwrap(),
            deltas: Arc::default(),
            cancel: CancellationToken::new(),
            forms: Arc::default(),
            timeout: None,
            files: KeptFiles::default(),
            transcript: None,
            allowed: None,
            _hanging: keeps_hanging,
        }
    }

    pub fn with(self, change: impl FnOnce(Steps) -> Steps) -> Self {
        Self { steps: change(self.steps), ..self }
    }

    pub fn says(self, says: impl IntoIterator<Item = Says>) -> Self {
        self.models.says.lock().unwrap().extend(says);
        self
    }

    /// The secret `token` has this value.
    pub fn with_token(self, value: &'static str) -> Self {
        *self.secrets.token.lock().unwrap() = value;
        self
    }

    pub fn run() -> RunId {
        RunId::new(0, [1; 10])
    }

    pub fn spool(&self) -> PathBuf {
        self.folder.path().join("spool").join(Self::run().to_string())
    }

    fn attempt(&self, work: Work) -> (AttemptRequest, AttemptContext) {
        let request = AttemptRequest {
            run: Self::run(),
            key: "step[1]".parse().unwrap(),
            attempt: 1,
            work: Arc::new(work),
            timeout: self.timeout,
            longest_wait: None,
            asker: Asker::default(),
            cwd: self.folder.path().to_owned(),
            files: self.files.clone(),
            nonce: NONCE.into(),
            secrets: [("token", "env:TOKEN"), ("hangs", "cmd:hangs"), ("typed", "typed")]
                .map(|(name, reference)| (name.to_owned(), reference.parse().unwrap()))
                .into(),
            declared: Arc::default(),
            transcript: self.transcript.clone(),
        };
        (request, self.context())
    }

    pub fn context(&self) -> AttemptContext {
        let deltas = Arc::clone(&self.deltas);
        let forms = Arc::clone(&self.forms);
        AttemptContext {
            deltas: Arc::new(move |delta| deltas.lock().unwrap().push(delta)),
            cancel: self.cancel.clone(),
            ask: Arc::new(move |form| {
                forms.lock().unwrap().push(form.into());
                Box::pin(async { json!({"answer": "Ana\nB"}) })
            }),
            may_spend: {
                let allowed = self.allowed;
                Arc::new(move |used, next| Budget { tokens: allowed, usd: None }.allows(used, next))
            },
            began: Arc::new(|_| {}),
            spool: Arc::new(StateFolder::new(self.folder.path().to_owned())),
        }
    }

    pub fn begin(&self, work: Work) -> BoxFuture<'static, AttemptOutcome> {
        let (request, context) = self.attempt(work);
        self.steps.execute(request, context)
    }

    pub async fn perform(&self, work: Work) -> AttemptOutcome {
        self.begin(work).await
    }

    /// The text on the screen: what streamed since the last restart.
    pub fn shown(&self) -> String {
        self.deltas.lock().unwrap().iter().fold(String::new(), |mut shown, delta| {
            match delta {
                Delta::Text(text) => shown.push_str(text.data()),
                Delta::Restart(_) => shown.clear(),
                _ => {}
            }
            shown
        })
    }

    pub fn progress(&self) -> Vec<String> {
        let told = |delta: &Delta| if let Delta::Progress(text) = delta { Some(text.data().to_owned()) } else { None };
        self.deltas.lock().unwrap().iter().filter_map(told).collect()
    }

    pub fn asked(&self) -> Vec<ModelRequest> {
        self.models.asked.lock().unwrap().clone()
    }

    /// Cancels as soon as the screen shows `text`, and gives the time of that.
    pub async fn cancel_when_shown(&self, text: &str) -> Instant {
        self.until(|fixture| fixture.shown().contains(text)).await;
        self.cancel.cancel();
        Instant::now()
    }

    pub async fn until(&self, happened: impl Fn(&Self) -> bool) {
        until(|| happened(self)).await;
    }
}

/// Waits until it is so. What is waited for may need this thread.
pub async fn until(is_so: impl Fn() -> bool) {
    let looks = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looks).await.expect("it comes in time");
}

#[track_caller]
pub fn done(performed: AttemptOutcome) -> (Value, Option<String>, Measured) {
    match performed {
        AttemptOutcome::Done { output, problem, measured } => (output, problem, measured),
        other => panic!("not done: {other:?}"),
    }
}

#[track_caller]
pub fn output(performed: AttemptOutcome) -> Value {
    let (output, problem, _) = done(performed);
    assert_eq!(problem, None);
    output
}

/// The failure, the partial text, and whether the effect is in doubt.
#[track_caller]
pub fn failure(performed: AttemptOutcome) -> (Failure, String, bool) {
    match performed {
        AttemptOutcome::Failed { failure, partial, in_doubt, .. } => (failure, partial.data().to_owned(), in_doubt),
        other => panic!("not failed: {other:?}"),
    }
}
