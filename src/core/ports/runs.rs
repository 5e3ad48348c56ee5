//! Runs as they are found: by a part of the id, in a list, by what they said.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::JournalError;
use crate::core::deadline::Due;
use crate::core::decide::Offspring;
use crate::core::id::RunId;
use crate::core::run::{Run, Status};
use crate::core::task::Kind;
use crate::core::text::Untrusted;

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRow {
    /// The run.
    pub run: RunId,
    /// The task's id.
    pub task: String,
    /// Its kind.
    pub kind: Kind,
    /// What the person reads.
    pub title: String,
    /// As the journal has it: a run whose process died still says `running` here, until [`Status::shown`] is asked.
    pub status: Status,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When its last event was written.
    pub updated_at: DateTime<Utc>,
    /// Around the match of a search, with the match between `\u{2}` and `\u{3}`; else the newest output's beginning.
    pub snippet: Untrusted,
    /// Where it was started.
    pub cwd: PathBuf,
    /// How many gates wait.
    pub waiting: u32,
    /// The first of them that comes due.
    #[serde(default)]
    pub due: Option<Due>,
    /// A later version wrote of it what this one does not know, as far as its newest events tell. Not asked of what is
    /// completed or cancelled.
    #[serde(default)]
    pub newer: bool,
}

impl RunRow {
    /// A run as a list shows it, from its fold.
    #[must_use]
    pub fn of(run: &Run) -> Self {
        Self {
            run: run.id,
            task: run.task.clone(),
            kind: run.kind,
            title: run.shown_title(),
            status: run.status,
            created_at: run.created_at,
            updated_at: run.updated_at,
            snippet: Untrusted::default(),
            cwd: run.cwd.clone(),
            waiting: u32::try_from(run.gates()).unwrap_or(u32::MAX),
            due: run.next_due(),
            newer: run.newer,
        }
    }
}

/// What to look for in the history. Empty fields do not filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Words that inputs, outputs, instructions, messages or documents hold. Never query syntax.
    pub text: String,
    /// A task's id.
    pub task: Option<String>,
    /// A kind.
    pub kind: Option<Kind>,
    /// Any of these statuses.
    pub statuses: Vec<Status>,
    /// Changed at or after.
    pub since: Option<DateTime<Utc>>,
    /// Started in this folder.
    pub cwd: Option<PathBuf>,
    /// Those that were archived; else those that were not.
    pub archived: bool,
    /// At most so many, the one that changed last first; 0: 50.
    pub limit: usize,
    /// Leave out so many of the first.
    pub offset: usize,
}

/// Names a state of a store. Two that are equal mean that nothing was written in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revision(pub u128);

/// Finding runs. What is found follows from the events and from what was said of the run with them ([`super::Stands`]).
pub trait Runs: Send + Sync {
    /// The runs whose id begins or ends with `fragment` (see [`crate::core::id::id_fragment`]), newest first, two at most;
    /// the newest of all for `None`.
    ///
    /// # Errors
    /// When the store cannot be used.
    fn find(&self, fragment: Option<&str>) -> Result<Vec<RunId>, JournalError>;

    /// Runs, the one that changed last first; of those that changed at the same time, the one that was created last.
    ///
    /// All words of [`HistoryQuery::text`] have to be in one event's texts, in any order, without regard to case and
    /// accents; the last may be the beginning of a word. Where no event of any run has them so, they are looked for inside
    /// of words; so are scripts without spaces, and words that begin or end with a sign (`C++`), always.
    ///
    /// # Errors
    /// When the store cannot be used.
    fn history(&self, query: &HistoryQuery) -> Result<Vec<RunRow>, JournalError>;

    /// The runs that were made from a run, oldest first.
    ///
    /// # Errors
    /// When the store cannot be used or there is no such run.
    fn made_from(&self, run: RunId) -> Result<Vec<Offspring>, JournalError>;

    /// The state of the store, for much less than it costs to list its runs: another one once any process has written
    /// anything. `None` when that cannot be known now.
    fn revision(&self) -> Option<Revision>;
}
