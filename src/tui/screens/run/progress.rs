//! How far a run is: at which of its steps, or how many of its calls are done.

use super::rows::{OutlineRow, RowId, declared};
use crate::core::call::{Call, CallStatus, Ending};
use crate::core::event::SkipCause;
use crate::core::key::Key;
use crate::core::run::{Run, Status};
use crate::core::task::Task;

/// How far a run is: the steps at the top that have a row, where the definition knows them beforehand; else its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// That are done.
    pub done: usize,
    /// In all, as far as is known.
    pub of: usize,
    /// Of steps, the one that it is at, from 1.
    step: Option<usize>,
}

impl Progress {
    /// `step 2 of 4`: the one that it is at; or `7 of 30 done`.
    #[must_use]
    pub fn says(self) -> String {
        let Self { done, of, step } = self;
        step.map_or_else(|| format!("{done} of {of} done"), |step| format!("step {step} of {of}"))
    }

    /// The same where there is little room: `2/4`.
    #[must_use]
    pub fn short(self) -> String {
        format!("{}/{}", self.step.unwrap_or(self.done), self.of)
    }
}

/// How far a run with these rows is, whether or not some are folded. `None` where there is one thing to do, or nothing is
/// known.
#[must_use]
pub fn progress(run: &Run, rows: &[OutlineRow], task: Option<&Task>) -> Option<Progress> {
    let top: Vec<&OutlineRow> = rows.iter().filter(|row| row.depth == 0 && row.id.document().is_none()).collect();
    let counts: Vec<(usize, usize)> =
        top.iter().map(|row| row.count.unwrap_or((usize::from(is_done(run, row)), 1))).collect();
    let declared = declared(task);
    let steps = declared > 1 && counts.len() == declared;
    let is_over = |at: usize| counts[at].0 == counts[at].1;
    let (done, of) = if steps {
        ((0..declared).filter(|at| is_over(*at)).count(), declared)
    } else {
        counts.iter().fold((0, 0), |(done, of), (more, all)| (done + more, of + all))
    };
    // What failed is where it is, unless it continued from there.
    let continued = |at: usize| {
        let ended = matches!(top[at].status, Some(CallStatus::Failed | CallStatus::Skipped | CallStatus::Cancelled));
        ended && top[at + 1..].iter().any(|row| has_begun(row))
    };
    let at = || (0..declared).find(|at| !is_over(*at) && !continued(*at)).map_or(declared, |at| at + 1);
    let step = steps.then(|| if run.status == Status::Completed { declared } else { at() });
    (of > 1).then_some(Progress { done, of, step })
}

fn has_begun(row: &OutlineRow) -> bool {
    !matches!(row.status, None | Some(CallStatus::Pending | CallStatus::Skipped))
}

fn is_done(run: &Run, row: &OutlineRow) -> bool {
    match (row.status, &row.id) {
        (Some(CallStatus::Accepted), _) => true,
        (Some(CallStatus::Skipped), RowId::Call(key)) => run.call(key).is_none_or(|call| is_left_out(run, call)),
        (status, _) => status == Some(CallStatus::Skipped),
    }
}

/// Whether nothing is left to be done for a call that was skipped: not where that is because of a failure, which may be
/// repaired.
fn is_left_out(run: &Run, call: &Call) -> bool {
    match &call.ending {
        Some(Ending::Skipped { cause: Some(SkipCause::DependencyFailed(_)), .. }) => false,
        Some(Ending::Skipped { cause: Some(SkipCause::DependencySkipped(step)), .. }) => {
            let before = run.call(&Key::plain(step.as_str())).filter(|before| before.key != call.key);
            before.is_none_or(|before| is_left_out(run, before))
        }
        _ => true,
    }
}
