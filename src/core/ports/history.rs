//! Runs in a list, and what is looked for in it.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::core::deadline::Due;
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
