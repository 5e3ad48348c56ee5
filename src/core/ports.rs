//! Ports: what the engine and the steps need from modules that they may not import.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

mod folders;
mod history;

pub use self::folders::{Folders, StateFolder};
pub use self::history::{HistoryQuery, RunRow};
use super::code::ErrorCode;
use super::deadline::Due;
use super::decide::Offspring;
use super::event::{Created, Event, Lesson, Measured, Recorded};
use super::failure::{Failure, FailureClass};
use super::fingerprint::Fingerprint;
use super::form::WrittenForm;
use super::id::RunId;
use super::kept_files::KeptFiles;
use super::key::Key;
use super::model::{Asker, Completion, DeltaSink, Inspected, ModelChoice, ModelFailure, ModelRequest};
use super::pinned::Pinned;
use super::run::{NotARun, Run, Status};
use super::secret::{Redactor, Secret, SecretRef};
use super::step::Timespan;
use super::text::Untrusted;
use super::usage::Usage;
use super::work::Work;

/// A future that may be sent to another thread.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The time and randomness of the engine, injected so that tests decide them.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> DateTime<Utc>;
    /// Ten random bytes.
    fn random(&self) -> [u8; 10];
}

/// Why the journal did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// Another process appended first; nothing was written. Read what is new and decide again.
    #[error("the run continued meanwhile: its journal is at event {head}")]
    Conflict {
        /// The sequence number that the journal is at.
        head: u64,
    },
    /// Another run left something to the session meanwhile; nothing was written. Read what it has now, and make of that what
    /// is left to it.
    #[error("another run of the session left something to it meanwhile")]
    SessionChanged,
    /// Another process drives the run; nothing was written.
    #[error("another process drives the run now")]
    Superseded,
    /// No such run.
    #[error("{0}")]
    NoRun(String),
    /// No such lesson.
    #[error("{0}")]
    NoLesson(String),
    /// A value, or a run, is larger than what is kept; nothing was written.
    #[error("{0}")]
    TooLarge(String),
    /// A newer version of the program wrote it.
    #[error("{0}")]
    Newer(String),
    /// Another process holds it locked; nothing was written, and the same may succeed later.
    #[error("{0}")]
    Busy(String),
    /// The store cannot be used: what happened, where, what to do.
    #[error("{0}")]
    Store(String),
}

impl JournalError {
    /// Its code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Conflict { .. } | Self::SessionChanged => ErrorCode::Conflict,
            Self::Superseded => ErrorCode::DrivenElsewhere,
            Self::NoRun(_) => ErrorCode::NoRun,
            Self::NoLesson(_) => ErrorCode::Usage,
            Self::TooLarge(_) => ErrorCode::TooLarge,
            Self::Newer(_) => ErrorCode::Newer,
            Self::Busy(_) | Self::Store(_) => ErrorCode::Store,
        }
    }
}

impl From<NotARun> for JournalError {
    fn from(error: NotARun) -> Self {
        match error {
            NotARun::Damaged(_) => Self::Store(error.to_string()),
            NotARun::Newer(_) => Self::Newer(error.to_string()),
        }
    }
}

/// Who appends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// A process that holds the run's lock and takes the run over with this: the epoch before its own, which is the
    /// next one.
    TakingOver(u64),
    /// The process that drives the run, with its epoch.
    Owner(u64),
    /// Any process that records a person's decision.
    Decider,
}

/// Events to be appended in one transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Append {
    /// The run.
    pub run: RunId,
    /// The sequence number that the journal must be at: the last event that the writer has seen.
    pub after: u64,
    /// Who appends.
    pub writer: Writer,
    /// When.
    pub at: DateTime<Utc>,
    /// What happened, in order. The first gets the number `after + 1`.
    pub events: Vec<Event>,
    /// Lessons to keep for later runs of the task, in the same transaction.
    pub learn: Vec<Lesson>,
    /// What is left to the session, in the same transaction.
    pub state: Option<SessionUpdate>,
    /// How the run stands after these events.
    pub stands: Stands,
}

/// What a run leaves to its session, made of what the session had then.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionUpdate {
    /// The values, by name.
    pub values: Map<String, Value>,
    /// The names that it has no more.
    pub removed: Vec<String>,
    /// What the session had of all these names.
    pub seen: Map<String, Value>,
}

impl SessionUpdate {
    /// The names that it is about.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.values.keys().chain(&self.removed)
    }
}

/// How a run stands, for lists: what its fold says, kept with each append so that nobody has to fold it to list it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stands {
    /// What the person reads.
    pub title: String,
    /// Its status.
    pub status: Status,
    /// How many gates wait.
    pub waiting: usize,
    /// The first of them that comes due.
    pub due: Option<Due>,
}

impl Stands {
    /// What the fold says.
    #[must_use]
    pub fn of(run: &Run) -> Self {
        Self { title: run.title.clone(), status: run.seen_status(), waiting: run.gates(), due: run.next_due() }
    }
}

/// A lesson as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learned {
    /// Names it for `learned --remove`.
    pub id: i64,
    /// The task's id.
    pub task: String,
    /// The step, and what to heed.
    #[serde(flatten)]
    pub lesson: Lesson,
    /// When.
    pub at: DateTime<Utc>,
}

/// When a journal was written last, as far as its files tell. Two that are equal mean that nothing was between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When.
    pub written: std::time::SystemTime,
    /// How long they were then.
    pub bytes: u64,
}

/// Durability: it takes data and gives data, so that another journal can stand in SQLite's place.
///
/// Every call blocks until the disk has it, which takes from 0.2 to some 10 milliseconds.
pub trait Journal: Send + Sync {
    /// Keeps the definition, the first event and those that come with it (what a fork takes over) in one transaction.
    ///
    /// # Errors
    /// When the store cannot be used.
    fn create(
        &self,
        run: RunId,
        at: DateTime<Utc>,
        created: &Created,
        more: &[Event],
        pinned: &Pinned,
    ) -> Result<(), JournalError>;

    /// Appends events and gives the new head. Committed when it returns.
    ///
    /// # Errors
    /// [`JournalError::Conflict`] when the journal is not at `after`, [`JournalError::Superseded`] when an owner's
    /// epoch is not the newest, [`JournalError::SessionChanged`] when the session does not have what was seen of it.
    fn append(&self, batch: &Append) -> Result<u64, JournalError>;

    /// The events of a run after `after`, in order.
    ///
    /// # Errors
    /// When the store cannot be used or there is no such run.
    fn read(&self, run: RunId, after: u64) -> Result<Vec<Recorded>, JournalError>;

    /// Closes it in good order, whoever else holds it: what is asked of it later is refused.
    fn close(&self);
    /// What tells, for the price of looking at a file's date, whether anything may have been written since: by whichever
    /// process, it is another then. `None` when that cannot be told now.
    fn stamp(&self) -> Option<Stamp>;

    /// The sequence number that a run's journal is at.
    ///
    /// # Errors
    /// When the store cannot be used or there is no such run.
    fn head(&self, run: RunId) -> Result<u64, JournalError>;

    /// The newest epoch of a run: how many processes have taken it over. One that holds its lock takes it over with its
    /// first append, by [`Writer::TakingOver`].
    ///
    /// # Errors
    /// When the store cannot be used or there is no such run.
    fn epoch(&self, run: RunId) -> Result<u64, JournalError>;

    /// The pinned definition of that hash.
    ///
    /// # Errors
    /// When the store cannot be used or does not have it.
    fn definition(&self, hash: &Fingerprint) -> Result<Pinned, JournalError>;

    /// Keeps a definition.
    ///
    /// # Errors
    /// When the store cannot be used.
    fn pin(&self, pinned: &Pinned) -> Result<Fingerprint, JournalError>;

    /// The runs whose id begins or ends with `fragment` (see [`super::id::id_fragment`]), newest first, two at most;
    /// the newest of all for `None`.
    ///
    /// # Errors
    /// When the store cannot be used.
    fn find(&self, fragment: Option<&str>) -> Result<Vec<RunId>, JournalError>;

    /// Runs, the one that changed last first.
    ///
    /// # Errors
    /// When the store cannot be used.
    fn history(&self, query: &HistoryQuery) -> Result<Vec<RunRow>, JournalError>;

    /// The runs that were made from a run, oldest first.
    ///
    /// # Errors
    /// When the store cannot be used or there is no such run.
    fn made_from(&self, run: RunId) -> Result<Vec<Offspring>, JournalError>;

    /// Removes a run and all that only it holds.
    ///
    /// # Errors
    /// When the store cannot be used or there is no such run.
    fn delete(&self, run: RunId) -> Result<(), JournalError>;

    /// What was learned, for one task or all.
    ///
    /// # Errors
    /// When the store cannot be used.
    fn learned(&self, task: Option<&str>) -> Result<Vec<Learned>, JournalError>;

    /// Changes (`Some`) or removes (`None`) a lesson.
    ///
    /// # Errors
    /// When the store cannot be used or there is no such lesson.
    fn update_lesson(&self, id: i64, text: Option<&str>) -> Result<(), JournalError>;

    /// The state of a session, an object; empty for a new one. With it, the last `runs` completed runs of the session,
    /// oldest first.
    ///
    /// # Errors
    /// When the store cannot be used.
    fn session(&self, name: &str, runs: usize) -> Result<(Value, Vec<RunId>), JournalError>;

    /// Keeps (`Some`) or forgets (`None`) unsaved text of a person, under the run and a name of the front end's choice.
    ///
    /// # Errors
    /// When the store cannot be used.
    fn keep_draft(&self, run: RunId, name: &str, text: Option<&str>) -> Result<(), JournalError>;

    /// The unsaved texts of a run: name and text.
    ///
    /// # Errors
    /// When the store cannot be used.
    fn drafts(&self, run: RunId) -> Result<Vec<(String, String)>, JournalError>;

    /// Keeps (`Some`) or forgets (`None`) what a person typed into the form of a task that was not started.
    ///
    /// # Errors
    /// When the store cannot be used.
    fn keep_form(&self, task: &str, text: Option<&str>) -> Result<(), JournalError>;

    /// What was typed into the form of a task and kept.
    ///
    /// # Errors
    /// When the store cannot be used.
    fn form(&self, task: &str) -> Result<Option<String>, JournalError>;

    /// An accepted output for the same fingerprint in another run, not older than `since`: for `cache`.
    ///
    /// # Errors
    /// When the store cannot be used.
    fn cached(&self, fingerprint: &Fingerprint, since: DateTime<Utc>) -> Result<Option<(RunId, Value)>, JournalError>;
}

/// One attempt to be performed.
#[derive(Clone, Debug)]
pub struct AttemptRequest {
    /// The run.
    pub run: RunId,
    /// The call.
    pub key: Key,
    /// The attempt, from 1.
    pub attempt: u32,
    /// What to do; instructions are in its messages already.
    pub work: Arc<Work>,
    /// The time that it may take; `None`: no limit but the providers' own.
    pub timeout: Option<std::time::Duration>,
    /// The step's `max_delay`: a server that asks to wait longer is not waited for.
    pub longest_wait: Option<Timespan>,
    /// Who asks, for the demo model.
    pub asker: Asker,
    /// The folder in which the run was started.
    pub cwd: PathBuf,
    /// The files of the definition that declares the step, where the work names one of them.
    pub files: KeptFiles,
    /// The run's nonce, which marks its secrets.
    pub nonce: String,
    /// The secret inputs of the run: name and reference.
    pub secrets: Vec<(String, SecretRef)>,
    /// Where the full text of a large output may be put.
    pub spool: PathBuf,
}

/// A form that a command asks for in the middle of its work: the fields as [`super::form::Field`]s in JSON.
pub type AskSink = Arc<dyn Fn(WrittenForm) -> BoxFuture<'static, Value> + Send + Sync>;

/// Whether an attempt that has used so much may send another request that is expected to use so much; if so, both are
/// reserved for it.
pub type MaySpend = Arc<dyn Fn(Usage, Usage) -> bool + Send + Sync>;

/// What an attempt is performed with.
#[derive(Clone)]
pub struct AttemptContext {
    /// Where partial text and progress go.
    pub deltas: DeltaSink,
    /// Cancelled when the attempt is to be broken off; it must then end within 200 ms (a command within 2.2 s).
    pub cancel: CancellationToken,
    /// Asks the person in the middle of the work.
    pub ask: AskSink,
    /// Asked before every request of a model but the first.
    pub may_spend: MaySpend,
    /// Told the id of a process that leads a group of its own and has been started for the attempt.
    pub began: Arc<dyn Fn(u32) + Send + Sync>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub enum AttemptOutcome {
    /// It has an output.
    Done {
        /// The output.
        output: Value,
        /// What the schema does not allow of it; then a person decides.
        problem: Option<String>,
        /// What it took (`ms` is the engine's to fill in).
        measured: Measured,
    },
    /// It has none.
    Failed {
        /// Why.
        failure: Failure,
        /// The text that had arrived.
        partial: Untrusted,
        /// It may have had its effect all the same: it began, and its end is not known.
        in_doubt: bool,
        /// What it took.
        measured: Measured,
    },
    /// It was broken off as asked.
    Cancelled {
        /// The text that had arrived.
        partial: Untrusted,
        /// It may have had its effect all the same.
        in_doubt: bool,
        /// What it took.
        measured: Measured,
    },
}

/// Performs attempts: the `steps` module.
pub trait Executor: Send + Sync {
    /// Performs one attempt to its end. It never panics and always answers.
    fn execute(&self, request: AttemptRequest, context: AttemptContext) -> BoxFuture<'static, AttemptOutcome>;

    /// What performing this work is expected to use, to be reserved from a budget; zero where nothing is known.
    fn estimate(&self, work: &Work) -> Usage;

    /// What an attempt at this work used whose outcome is lost, as far as can be told from what had arrived of it: an
    /// estimate, marked as one.
    fn spent(&self, _work: &Work, _partial: &Untrusted) -> Usage {
        Usage::default()
    }

    /// The provider whose limit of parallel requests this work counts against, and that limit.
    fn lane(&self, work: &Work) -> Option<(String, usize)>;

    /// A person asks for something again: what was not even tried because the same had been refused before is tried.
    fn ask_again(&self) {}

    /// Whether a model of that name can be asked at all.
    ///
    /// # Errors
    /// When no such role or provider is configured: what was asked for and what there is.
    fn knows_model(&self, _name: &str) -> Result<(), Failure> {
        Ok(())
    }
}

/// Language models: the `models` module.
pub trait Models: Send + Sync {
    /// Asks, streams, and gives the whole answer. Falls back as the request says. Obeys `cancel` within 200 ms.
    fn complete(
        &self,
        request: ModelRequest,
        deltas: DeltaSink,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Result<Completion, ModelFailure>>;

    /// Which model would answer for a role or `PROVIDER/MODEL` (`None`: the default role), and why. Asks no network.
    ///
    /// # Errors
    /// When no such role or provider is configured: what was asked for and what there is.
    fn choice(&self, name: Option<&str>) -> Result<ModelChoice, Failure>;

    /// What a request is expected to use: for budgets.
    fn estimate(&self, models: &[String], prompt_tokens: u64, max_tokens: Option<u32>) -> Usage;

    /// What a request used whose answer is lost, from estimates of what was sent and of what had arrived.
    fn spent(&self, _models: &[String], prompt_tokens: u64, output_tokens: u64) -> Usage {
        Usage { input_tokens: prompt_tokens, output_tokens, usd: 0.0, estimated: true }
    }

    /// The provider that would answer, and how many requests it takes at the same time.
    fn lane(&self, models: &[String]) -> Option<(String, usize)>;

    /// Every model that can be named without knowing more than the config: its roles, then what was found.
    fn choices(&self) -> Vec<ModelChoice> {
        Vec::new()
    }

    /// Looks whether a local server answers that nothing configured, so that `choice` can name it. To be called after
    /// the first frame, or where no person waits for one; it takes at most half a second.
    fn probe(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Asks every configured provider which models it has; no model is asked.
    fn inspect(&self) -> BoxFuture<'static, Vec<Inspected>> {
        Box::pin(std::future::ready(Vec::new()))
    }

    /// A person asks for something again: where nothing more was sent because a key was not taken, one request finds out
    /// whether that is still so. Keys are looked up again.
    fn ask_again(&self) {}

    /// Takes a key that a person typed, for the life of this process, in the place of the configured one; requests go to
    /// that provider again. It is held in memory only, and sent nowhere but there.
    ///
    /// # Errors
    /// When there is no such provider, or it takes no key.
    fn give_key(&self, provider: &str, _key: Secret) -> Result<(), Failure> {
        Err(Failure::new(FailureClass::Definition, format!("the provider `{provider}` takes no key")))
    }

    /// The person agreed that a provider that was only found is used: `ask_first` is no longer set for it.
    fn agree(&self, _provider: &str) {}
}

/// Secrets by reference: the `config` module.
pub trait Secrets: Send + Sync {
    /// The value. `None` for one that must be typed and has not been in this process.
    ///
    /// # Errors
    /// When the environment lacks the name or the command failed.
    fn resolve(&self, run: RunId, name: &str, reference: &SecretRef) -> Result<Option<Secret>, Failure>;

    /// Keeps a typed value for the life of this process.
    fn provide(&self, run: RunId, name: &str, value: Secret);

    /// A redactor that knows every value resolved so far.
    fn redactor(&self) -> Redactor;
}
