//! Runs and their events: created, appended to, read, removed.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::error::StoreError;
use super::event_codec;
use super::rowid::{RowidRange, rowid, seq_of};
use super::{list, memory, search};
use crate::core::event::{Created, Event, Recorded};
use crate::core::fingerprint::Fingerprint;
use crate::core::id::RunId;
use crate::core::pinned::Pinned;
use crate::core::ports::{Append, JournalError, Stands, Writer};
use crate::core::run::{NotARun, Run};

/// A run as the file knows it.
pub(super) struct Known {
    /// Its number.
    pub(super) n: i64,
    /// Its newest event.
    pub(super) head: u64,
    /// The epoch of the process that drives it.
    pub(super) epoch: u64,
}

/// Looks a run up.
pub(super) fn known(db: &Connection, run: RunId) -> Result<Known, StoreError> {
    let found = db
        .prepare_cached("SELECT n, epoch FROM runs WHERE id = ?1")?
        .query_row([run.to_string()], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))
        .optional()?;
    let Some((n, epoch)) = found else {
        return Err(JournalError::NoRun(format!("there is no run {}", run.short())).into());
    };
    let range = RowidRange::of(n);
    let newest: Option<i64> = db
        .prepare_cached("SELECT max(place) FROM events WHERE place BETWEEN ?1 AND ?2")?
        .query_row([range.first, range.last], |row| row.get(0))?;
    Ok(Known { n, head: newest.map_or(0, seq_of), epoch })
}

/// Nanoseconds since the Unix epoch; a time beyond the year 2262 is taken as its end.
pub(super) fn nanos(at: DateTime<Utc>) -> i64 {
    at.timestamp_nanos_opt().unwrap_or(i64::MAX)
}

pub(super) fn create(
    tx: &Transaction,
    id: RunId,
    at: DateTime<Utc>,
    created: &Created,
    more: &[Event],
    pinned: &Pinned,
) -> Result<(), StoreError> {
    pin(tx, pinned)?;
    let mut run = Run::new(id, at, created);
    let n = list::insert(tx, &run)?;
    event_codec::insert(tx, rowid(n, 1)?, nanos(at), &Event::RunCreated(created.clone()))?;
    uses(tx, n, &created.definition)?;
    for event in more {
        run.apply(run.seq + 1, at, event);
        event_codec::insert(tx, rowid(n, run.seq)?, nanos(at), event)?;
    }
    run.learn(pinned);
    list::update(tx, n, at, &Stands::of(&run), more)?;
    search::is_behind_from(tx, n, 0)
}

pub(super) fn append(tx: &Transaction, batch: &Append) -> Result<u64, StoreError> {
    let Known { n, head, epoch } = known(tx, batch.run)?;
    // Whoever lost the run learns that, rather than that it went on.
    if matches!(batch.writer, Writer::Owner(held) | Writer::TakingOver(held) if held != epoch) {
        return Err(JournalError::Superseded.into());
    }
    if head != batch.after {
        return Err(JournalError::Conflict { head }.into());
    }
    if matches!(batch.writer, Writer::TakingOver(_)) {
        tx.prepare_cached("UPDATE runs SET epoch = epoch + 1 WHERE n = ?1")?.execute([n])?;
    }
    let at = nanos(batch.at);
    let mut seq = head;
    for event in &batch.events {
        seq += 1;
        event_codec::insert(tx, rowid(n, seq)?, at, event)?;
        if let Event::RunUpdated { definition, .. } = event {
            uses(tx, n, definition)?;
        }
    }
    if seq > head {
        list::update(tx, n, batch.at, &batch.stands, &batch.events)?;
        search::is_behind_from(tx, n, head)?;
        search::keep_up(tx, n, seq, batch.stands.status)?;
    }
    memory::learn(tx, n, at, &batch.learn)?;
    if let Some(left) = &batch.state {
        memory::leave_state(tx, n, left)?;
    }
    Ok(seq)
}

pub(super) fn read(db: &Connection, run: RunId, after: u64) -> Result<Vec<Recorded>, StoreError> {
    let n = known(db, run)?.n;
    event_codec::read(db, run, RowidRange::after(n, after))
}

/// Keeps a definition. Found again elsewhere it is the same one, in the folder where it lies now.
pub(super) fn pin(tx: &Transaction, pinned: &Pinned) -> Result<Fingerprint, StoreError> {
    let hash = pinned.hash()?;
    tx.prepare_cached(
        "INSERT INTO definitions (hash, body) VALUES (?1, ?2)
         ON CONFLICT (hash) DO UPDATE SET body = excluded.body WHERE body <> excluded.body",
    )?
    .execute(params![hash.as_str(), serde_json::to_string(pinned)?])?;
    Ok(hash)
}

pub(super) fn definition(db: &Connection, hash: &Fingerprint) -> Result<Pinned, StoreError> {
    let body: Option<String> = db
        .prepare_cached("SELECT body FROM definitions WHERE hash = ?1")?
        .query_row([hash.as_str()], |row| row.get(0))
        .optional()?;
    match body {
        Some(body) => Ok(serde_json::from_str(&body)?),
        None => {
            Err(StoreError::Failed(format!("it does not contain the definition {hash} that a run was started with")))
        }
    }
}

/// Folds a run's journal; `None` when a later version wrote of it what this one does not know.
pub(super) fn fold(id: RunId, journal: &[Recorded]) -> Result<Option<Run>, StoreError> {
    match Run::fold(id, journal) {
        Ok(run) => Ok(Some(run).filter(|run| !run.newer)),
        Err(NotARun::Newer(_)) => Ok(None),
        Err(damaged) => Err(StoreError::Failed(damaged.to_string())),
    }
}

/// As [`fold`], with what only its definition says: until when its gates may stay open.
pub(super) fn fold_with_deadlines(db: &Connection, id: RunId, journal: &[Recorded]) -> Result<Option<Run>, StoreError> {
    let Some(mut run) = fold(id, journal)? else { return Ok(None) };
    if run.gates() > 0 {
        match definition(db, &run.definition) {
            Ok(pinned) => run.learn(&pinned),
            Err(fault @ StoreError::Sql(_)) => return Err(fault),
            // What it cannot be driven by gives it no deadline either.
            Err(_) => {}
        }
    }
    Ok(Some(run))
}

/// Notes that a run goes by a definition.
pub(super) fn uses(tx: &Connection, n: i64, definition: &Fingerprint) -> Result<(), StoreError> {
    tx.prepare_cached("INSERT OR IGNORE INTO uses (run, definition) VALUES (?1, ?2)")?
        .execute(params![n, definition.as_str()])?;
    Ok(())
}

pub(super) fn delete(tx: &Transaction, run: RunId) -> Result<(), StoreError> {
    let n = known(tx, run)?.n;
    let RowidRange { first, last } = RowidRange::of(n);
    search::forget(tx, n)?;
    tx.execute("INSERT INTO removal (run) VALUES (?1)", [n])?;
    tx.execute(
        "CREATE TEMP TABLE freed AS SELECT DISTINCT blob FROM main.parts WHERE place BETWEEN ?1 AND ?2",
        [first, last],
    )?;
    tx.execute("DELETE FROM parts WHERE place BETWEEN ?1 AND ?2", [first, last])?;
    tx.execute(
        "DELETE FROM blobs WHERE n IN (SELECT blob FROM temp.freed) AND n NOT IN
         (SELECT blob FROM parts WHERE blob IN (SELECT blob FROM temp.freed))",
        [],
    )?;
    tx.execute("DROP TABLE temp.freed", [])?;
    tx.execute("DELETE FROM events WHERE place BETWEEN ?1 AND ?2", [first, last])?;
    tx.execute("DELETE FROM removal", [])?;
    tx.execute(
        "DELETE FROM definitions WHERE hash IN (SELECT definition FROM uses WHERE run = ?1)
         AND hash NOT IN (SELECT definition FROM uses WHERE run <> ?1)",
        [n],
    )?;
    for table in ["uses", "drafts"] {
        tx.execute(&format!("DELETE FROM {table} WHERE run = ?1"), [n])?;
    }
    tx.execute("DELETE FROM runs WHERE n = ?1", [n])?;
    Ok(())
}
