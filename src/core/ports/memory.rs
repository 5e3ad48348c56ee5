//! What later runs take over from earlier ones: lessons, the state of sessions, results that can be used again.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::JournalError;
use crate::core::event::Lesson;
use crate::core::fingerprint::Fingerprint;
use crate::core::id::RunId;

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

/// What later runs take over. It is written by appends to the journal, in their transactions; only a person changes a
/// lesson by itself.
pub trait Memory: Send + Sync {
    /// What was learned, for one task or all: by task, step, and the order in which it was learned.
    ///
    /// # Errors
    /// When the store cannot be used.
    fn learned(&self, task: Option<&str>) -> Result<Vec<Learned>, JournalError>;

    /// Changes (`Some`) or removes (`None`) a lesson. The number of one that was removed is never another's.
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

    /// An accepted output for the same fingerprint in another run, of an attempt that did not begin before `since`; the
    /// newest run's. For `cache`.
    ///
    /// # Errors
    /// When the store cannot be used.
    fn cached(&self, fingerprint: &Fingerprint, since: DateTime<Utc>) -> Result<Option<(RunId, Value)>, JournalError>;
}
