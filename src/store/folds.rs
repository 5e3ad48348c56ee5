//! The runs that this process appends to, folded, so that a row of the list follows from each append without reading
//! the journal again. Only a cache: a fold that is behind reads what is new, and one whose append fails is dropped.

use rusqlite::Connection;

use super::body;
use super::fault::Fault;
use super::place::Span;
use crate::core::id::RunId;
use crate::core::run::Run;

/// Runs kept folded.
const KEPT: usize = 8;

/// Folded runs, the newest used last.
#[derive(Default)]
pub(super) struct Folds(Vec<Run>);

impl Folds {
    /// The run, number `n`, folded up to event `head`. It is taken out: give it back once its append is committed.
    pub(super) fn take(&mut self, db: &Connection, id: RunId, n: i64, head: u64) -> Result<Run, Fault> {
        let known = self.0.iter().position(|run| run.id == id).map(|at| self.0.remove(at));
        match known {
            Some(mut run) if run.seq <= head => {
                if run.seq < head {
                    for recorded in body::read(db, id, Span::after(n, run.seq))? {
                        run.apply(recorded.seq, recorded.at, &recorded.event);
                    }
                }
                Ok(run)
            }
            _ => fold(db, id, n),
        }
    }

    /// Keeps a run for the next append.
    pub(super) fn give(&mut self, run: Run) {
        if self.0.len() == KEPT {
            self.0.remove(0);
        }
        self.0.push(run);
    }
}

/// Folds a run's whole journal.
pub(super) fn fold(db: &Connection, id: RunId, n: i64) -> Result<Run, Fault> {
    Run::fold(id, &body::read(db, id, Span::of(n))?).map_err(|error| Fault::Said(error.to_string()))
}
