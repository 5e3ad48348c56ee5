//! The journal: the events of every run and the definitions that they go by.

use chrono::{DateTime, Utc};

use super::SessionUpdate;
use crate::core::code::ErrorCode;
use crate::core::deadline::Due;
use crate::core::event::{Created, Event, Lesson, Recorded};
use crate::core::fingerprint::Fingerprint;
use crate::core::id::RunId;
use crate::core::pinned::Pinned;
use crate::core::run::{NotARun, Run, Status};

/// Why the journal did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
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

/// Durability: it takes data and gives data, so that another journal can be used instead of SQLite's.
///
/// Every call blocks until it is durable, which on a disk takes from 0.2 to some 10 milliseconds, and seconds where another
/// process has it locked: the engine makes none on a thread that other tasks wait for. A call that fails has
/// changed nothing. Any number of processes may use the same journal at once: what one of them wrote, the others read.
pub trait Journal: Send + Sync {
    /// Keeps the definition, the first event and those that come with it (what a fork takes over) in one transaction.
    ///
    /// # Errors
    /// When the store cannot be used or there is such a run already.
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

    /// The sequence number that a run's journal is at.
    ///
    /// # Errors
    /// When the store cannot be used or there is no such run.
    fn head(&self, run: RunId) -> Result<u64, JournalError>;

    /// The newest epoch of a run: how many owners it has had. The next one becomes its owner with the first append, by
    /// [`Writer::TakingOver`].
    ///
    /// # Errors
    /// When the store cannot be used or there is no such run.
    fn epoch(&self, run: RunId) -> Result<u64, JournalError>;

    /// The pinned definition of that hash.
    ///
    /// # Errors
    /// When the store cannot be used or does not have it.
    fn definition(&self, hash: &Fingerprint) -> Result<Pinned, JournalError>;

    /// Keeps a definition. One that was found again elsewhere is the same one, in the folder where it is now.
    ///
    /// # Errors
    /// When the store cannot be used.
    fn pin(&self, pinned: &Pinned) -> Result<Fingerprint, JournalError>;

    /// Removes a run and all that only it has: its events, its drafts, its definitions. Lessons and what it left to its
    /// session stay.
    ///
    /// # Errors
    /// When the store cannot be used or there is no such run.
    fn delete(&self, run: RunId) -> Result<(), JournalError>;

    /// Closes it in good order, whoever else has this handle: what is asked of it later is refused.
    fn close(&self);
}
