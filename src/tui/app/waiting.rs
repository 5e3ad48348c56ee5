//! What waits or failed, across runs, for the inbox.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use chrono::{DateTime, Utc};

use super::backend::Backend;
use crate::core::id::RunId;
use crate::core::ports::{HistoryQuery, RunRow};
use crate::core::run::{Run, Status};
use crate::tui::message::Message;

/// As many runs as the inbox looks through, the newest first.
const RUNS: usize = 1_000;

/// As many failed runs as it lists, the newest: whoever has left more of them unattended does not come back to them one by
/// one.
const FAILED: usize = 50;

/// The runs that waited or had failed when it was looked last, each with when it was changed: what has not changed is not read again.
pub type Waited = HashMap<RunId, (DateTime<Utc>, Arc<Run>)>;

impl Backend {
    /// Every run in which something waits or that failed, when it is not what was reported last; with `anew` in any case.
    pub async fn list_waiting(&self, anew: bool) -> Result<Option<Message>, String> {
        let backend = self.clone();
        self.blocking(move |engine| {
            let statuses = vec![Status::Waiting, Status::Running, Status::Paused, Status::Failed];
            let query = HistoryQuery { statuses, limit: RUNS, ..HistoryQuery::default() };
            let rows = engine.history(&query).map_err(|error| error.to_string())?;
            let before = backend.waited.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let mut waited = Waited::new();
            let mut runs = Vec::new();
            let mut changed = anew;
            let mut failed = 0;
            let mut counts = |row: &RunRow| {
                failed += usize::from(row.status == Status::Failed);
                row.waiting > 0 || row.status == Status::Failed && failed <= FAILED
            };
            for row in rows.into_iter().filter(|row| counts(row)) {
                let known = before.get(&row.run).filter(|(at, _)| *at == row.updated_at);
                let run = if let Some((_, run)) = known {
                    Arc::clone(run)
                } else {
                    changed = true;
                    match engine.load(row.run) {
                        Ok(run) => Arc::new(run),
                        // It was deleted meanwhile.
                        Err(_) => continue,
                    }
                };
                runs.push(Arc::clone(&run));
                waited.insert(row.run, (row.updated_at, run));
            }
            changed |= waited.len() != before.len();
            *backend.waited.lock().unwrap_or_else(PoisonError::into_inner) = waited;
            Ok(changed.then_some(Message::Waiting(runs)))
        })
        .await
    }
}
