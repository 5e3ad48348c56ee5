//! Projections from the events: all of them made again, or what the rows of an older version lack.

use rusqlite::Transaction;

use super::error::StoreError;
use super::rowid::RowidRange;
use super::{event_codec, journal, list, search};
use crate::core::event::Event;
use crate::core::id::RunId;

/// What a rebuild came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Runs whose row, search and cache were made again.
    pub runs: usize,
    /// Runs whose journal cannot be read, and why. Their rows were left as they were.
    pub damaged: Vec<(RunId, String)>,
}

pub(super) fn rebuild(tx: &Transaction) -> Result<Rebuilt, StoreError> {
    tx.execute_batch(
        "DELETE FROM uses; DELETE FROM tried; DELETE FROM pending; DELETE FROM unnamed;
         INSERT INTO words (words) VALUES ('delete-all');
         INSERT INTO trigrams (trigrams) VALUES ('delete-all');",
    )?;
    let mut rebuilt = Rebuilt::default();
    let mut select = tx.prepare("SELECT id, n FROM runs ORDER BY n")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let id = list::run_id(row, 0)?;
        let n = row.get(1)?;
        match of_run(tx, id, n) {
            Ok(()) => rebuilt.runs += 1,
            Err(fault @ StoreError::Sql(_)) => return Err(fault),
            Err(fault) => {
                let why = fault.at(std::path::Path::new(tx.path().unwrap_or_default())).to_string();
                rebuilt.damaged.push((id, why));
            }
        }
    }
    while search::catch_up(tx, None)? {}
    Ok(rebuilt)
}

/// Gives the rows of the runs of which `lacking` is true what an older version did not keep in them. A run that cannot be
/// read keeps its row as it is.
pub(super) fn complete(tx: &Transaction, lacking: &str) -> Result<(), StoreError> {
    let mut select = tx.prepare(&format!("SELECT id, n FROM runs WHERE {lacking}"))?;
    let mut rows = select.query([])?;
    let mut runs = Vec::new();
    while let Some(row) = rows.next()? {
        runs.push((list::run_id(row, 0)?, row.get(1)?));
    }
    for (id, n) in runs {
        let folded = event_codec::read(tx, id, RowidRange::of(n))
            .and_then(|recorded| journal::fold_with_deadlines(tx, id, &recorded));
        match folded {
            Ok(Some(run)) => list::set_due(tx, n, run.next_due())?,
            Err(fault @ StoreError::Sql(_)) => return Err(fault),
            Ok(None) | Err(_) => {}
        }
    }
    Ok(())
}

fn of_run(tx: &Transaction, id: RunId, n: i64) -> Result<(), StoreError> {
    let recorded = event_codec::read(tx, id, RowidRange::of(n))?;
    let run = journal::fold_with_deadlines(tx, id, &recorded)?;
    let events: Vec<Event> = recorded.into_iter().map(|recorded| recorded.event).collect();
    // The row of a run that a later version wrote is better than what this one could make of it.
    if let Some(run) = run {
        list::replace(tx, n, &run, &events)?;
    }
    for event in &events {
        if let Event::RunCreated(created) = event {
            journal::uses(tx, n, &created.definition)?;
        } else if let Event::RunUpdated { definition, .. } = event {
            journal::uses(tx, n, definition)?;
        }
    }
    search::is_behind_from(tx, n, 0)
}
