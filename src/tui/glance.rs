//! What a list shows of a run at a glance, beyond its row: how far it is, what is wrong with it, whether a person has a
//! hand in it, how long it worked.
//!
//! Pure, and made from the fold of a run: the journal's rows do not have it. Whoever lists runs makes it once for each
//! and keeps it until the run changes.

use chrono::{DateTime, Utc};

use crate::core::call::{Attempt, CallStatus};
use crate::core::document::Document;
use crate::core::run::Run;
use crate::core::task::{Kind, Task};
use crate::tui::screens::run::marks_of_call::{fails_a_check, is_edited};
use crate::tui::screens::run::rows::leaves;

/// A run at a glance.
#[derive(Clone, Debug, PartialEq)]
pub struct Glance {
    /// When the run changed last: what was made from an older one does not count any more.
    pub updated_at: DateTime<Utc>,
    /// Of a workflow: how many of its steps are done, and how many there are as far as is known.
    pub steps: Option<(usize, usize)>,
    /// Of a workflow: what it is at, or what waits; one line, safe to show.
    pub at: Option<String>,
    /// An output that waits, or was accepted, fails a check.
    pub failed_check: bool,
    /// What counts of it was edited by hand.
    pub edited: bool,
    /// A text that a person has not saved is kept with it.
    pub draft: bool,
    /// How long its attempts took in all, in milliseconds: work, not waiting.
    pub worked_ms: u64,
}

impl Glance {
    /// Looks at a run. `drafts` is how many unsaved texts are kept with it.
    #[must_use]
    pub fn of(run: &Run, task: Option<&Task>, drafts: usize) -> Self {
        let calls = || run.calls.values();
        let leaves = (run.kind == Kind::Workflow).then(|| leaves(run, task));
        let done = |status: Option<CallStatus>| matches!(status, Some(CallStatus::Accepted | CallStatus::Skipped));
        Self {
            updated_at: run.updated_at,
            steps: leaves.as_ref().map(|leaves| (leaves.iter().filter(|leaf| done(leaf.status)).count(), leaves.len())),
            at: leaves.as_ref().and_then(|leaves| {
                let under_way = |status| matches!(status, Some(CallStatus::Running | CallStatus::Failed));
                let here =
                    leaves.iter().find(|leaf| leaf.waits).or_else(|| leaves.iter().find(|leaf| under_way(leaf.status)));
                here.map(|leaf| leaf.title.clone())
            }),
            failed_check: calls().any(fails_a_check),
            edited: calls().any(is_edited) || run.documents.values().any(is_by_hand),
            draft: drafts > 0,
            worked_ms: calls().flat_map(|call| &call.attempts).map(|attempt: &Attempt| attempt.measured.ms).sum(),
        }
    }
}

fn is_by_hand(document: &Document) -> bool {
    document.versions.len() > 1 && document.newest().is_some_and(|(_, written)| written.by.is_person())
}
