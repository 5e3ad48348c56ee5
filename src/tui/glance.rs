//! What a list shows of a run at a glance, beyond its row: how far it is, what is wrong with it, whether a person has a
//! hand in it, how long it worked.
//!
//! Pure, and made from the fold of a run: the journal's rows do not have it. Whoever lists runs makes it once for each
//! and keeps it until the run changes.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use crate::core::call::CallStatus;
use crate::core::document::Document;
use crate::core::run::Run;
use crate::core::task::{Kind, Task};
use crate::tui::screens::run::badges::{fails_a_check, is_edited};
use crate::tui::screens::run::progress::{Progress, progress};
use crate::tui::screens::run::rows::{OutlineRow, leaves, rows};

/// A run at a glance.
#[derive(Clone, Debug, PartialEq)]
pub struct Glance {
    /// When the run changed last: what was made from an older one does not count any more.
    pub updated_at: DateTime<Utc>,
    /// What the run is called: by the title of its result, once that says something.
    pub title: String,
    /// Of a workflow: how far it is.
    pub progress: Option<Progress>,
    /// Of a workflow: what it is at, or what waits; one line, safe to show.
    pub at: Option<String>,
    /// An output that waits, or was accepted, fails a check.
    pub failed_check: bool,
    /// What counts of it was edited by hand.
    pub edited: bool,
    /// A text that a person has not saved is kept with it.
    pub draft: bool,
    /// How long it worked, in milliseconds; waiting and reading do not count.
    pub worked_ms: u64,
}

impl Glance {
    /// Looks at a run. `drafts` is how many unsaved texts are kept with it.
    #[must_use]
    pub fn of(run: &Run, task: Option<&Task>, drafts: usize) -> Self {
        let calls = || run.calls.values();
        let rows = if run.kind == Kind::Workflow { rows(run, task, &HashSet::new()) } else { Vec::default() };
        let under_way = |row: &&OutlineRow| matches!(row.status, Some(CallStatus::Running | CallStatus::Failed));
        let here = leaves(run, &rows).find(|row| row.waits).or_else(|| leaves(run, &rows).find(under_way));
        Self {
            updated_at: run.updated_at,
            title: run.shown_title(),
            progress: progress(run, &rows, task),
            at: here.map(|row| row.title.clone()),
            failed_check: calls().any(fails_a_check),
            edited: calls().any(is_edited) || run.documents.values().any(is_by_hand),
            draft: drafts > 0,
            worked_ms: run.worked(run.updated_at),
        }
    }
}

fn is_by_hand(document: &Document) -> bool {
    document.versions.len() > 1 && document.current().is_some_and(|(_, written)| written.by.is_person())
}
