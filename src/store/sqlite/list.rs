//! The list of runs: one row each, kept with every append, filtered and found by a piece of the id.

use chrono::{DateTime, Utc};
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, Row, params, params_from_iter};

use super::error::StoreError;
use super::journal::nanos;
use super::rowid::RowidRange;
use crate::core::deadline::Due;
use crate::core::decide::Offspring;
use crate::core::event::Event;
use crate::core::id::RunId;
use crate::core::ports::{HistoryQuery, RunRow, Stands};
use crate::core::run::{Run, Status};
use crate::core::step::OnTimeout;
use crate::core::task::Kind;
use crate::core::text::Untrusted;
use crate::store::searchable;

/// Whether the newest event of a run says that it was archived: any other event has brought it back. Of an event the body
/// begins with its type, and one that brings a run back says so before it says who.
const ARCHIVED: &str = r#"(SELECT substr(body, 1, 28) FROM events WHERE place BETWEEN runs.n << 24 AND (runs.n << 24) + 16777215
                            ORDER BY place DESC LIMIT 1) = '{"type":"run_archived","by":'"#;

/// The columns of [`row`].
pub(super) const COLUMNS: &str =
    "id, task, kind, title, status, created_at, updated_at, snippet, cwd, waiting, n, due_at, due_then";

/// So many of the newest events of a run that is not over are looked at, for one that a later version wrote.
const LOOKED_AT: i64 = 8;

/// Enters a new run and gives its number.
pub(super) fn insert(tx: &Connection, run: &Run) -> Result<i64, StoreError> {
    let id = run.id.to_string();
    let tail: String = id.chars().rev().collect();
    tx.prepare_cached(
        "INSERT INTO runs (id, tail, task, kind, title, status, cwd, session, created_at, updated_at, waiting, snippet)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, 0, '')",
    )?
    .execute(params![
        id,
        tail,
        run.task,
        run.kind.name(),
        run.title,
        run.status.name(),
        run.cwd.to_string_lossy(),
        run.session,
        nanos(run.created_at),
    ])?;
    Ok(tx.last_insert_rowid())
}

/// Brings the row of run `n` to where the run stands after `events`.
pub(super) fn update(
    tx: &Connection,
    n: i64,
    at: DateTime<Utc>,
    stands: &Stands,
    events: &[Event],
) -> Result<(), StoreError> {
    let snippet = events.iter().rev().find_map(searchable::snippet);
    tx.prepare_cached(
        "UPDATE runs SET title = ?2, updated_at = ?3, waiting = ?4, snippet = coalesce(?5, snippet) WHERE n = ?1",
    )?
    .execute(params![n, stands.title, nanos(at), stands.waiting, snippet])?;
    // Apart, because it is indexed and seldom changes.
    tx.prepare_cached("UPDATE runs SET status = ?2 WHERE n = ?1 AND status <> ?2")?
        .execute(params![n, stands.status.name()])?;
    set_due(tx, n, stands.due)
}

/// Brings the deadline in the row of run `n` to what it is. Most runs have none, and keep it.
pub(super) fn set_due(tx: &Connection, n: i64, due: Option<Due>) -> Result<(), StoreError> {
    let (at, then) = (due.map(|due| nanos(due.at)), due.map(|due| due.then.name()));
    tx.prepare_cached(
        "UPDATE runs SET due_at = ?2, due_then = ?3 WHERE n = ?1 AND (due_at IS NOT ?2 OR due_then IS NOT ?3)",
    )?
    .execute(params![n, at, then])?;
    Ok(())
}

/// Makes the row of run `n` again from all its events.
pub(super) fn replace(tx: &Connection, n: i64, run: &Run, events: &[Event]) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE runs SET task = ?2, kind = ?3, cwd = ?4, session = ?5, created_at = ?6, status = ?7, snippet = ''
         WHERE n = ?1",
    )?
    .execute(params![
        n,
        run.task,
        run.kind.name(),
        run.cwd.to_string_lossy(),
        run.session,
        nanos(run.created_at),
        run.status.name(),
    ])?;
    update(tx, n, run.updated_at, &Stands::of(run), events)
}

/// Runs by what is known of them, the one that changed last first.
pub(super) fn history(db: &Connection, query: &HistoryQuery) -> Result<Vec<RunRow>, StoreError> {
    let filter = Filter::of(query);
    let mut values = filter.values;
    values.push(Sql::Integer(limit(query)));
    values.push(Sql::Integer(i64::try_from(query.offset).unwrap_or(i64::MAX)));
    // Few runs are open: they are sorted. Of all others the index has the order.
    let few = !query.statuses.is_empty() && !query.statuses.contains(&Status::Completed);
    let order = if few { "+updated_at DESC, n DESC" } else { "updated_at DESC, n DESC" };
    let sql = format!("SELECT {COLUMNS} FROM runs WHERE {} ORDER BY {order} LIMIT ? OFFSET ?", filter.sql);
    let mut select = db.prepare_cached(&sql)?;
    let mut rows = select.query(params_from_iter(values))?;
    let mut found = Vec::new();
    while let Some(sql) = rows.next()? {
        found.push(row(db, sql)?);
    }
    Ok(found)
}

/// How many rows a query wants.
pub(super) fn limit(query: &HistoryQuery) -> i64 {
    if query.limit == 0 { 50 } else { i64::try_from(query.limit).unwrap_or(i64::MAX) }
}

/// The part of a query that is about the row of a run, as SQL.
pub(super) struct Filter {
    pub(super) sql: String,
    pub(super) values: Vec<Sql>,
    /// Every run passes but those that were archived.
    pub(super) is_open: bool,
}

impl Filter {
    pub(super) fn of(query: &HistoryQuery) -> Self {
        let mut sql = "1".to_owned();
        let mut values = Vec::new();
        if let Some(task) = &query.task {
            sql.push_str(" AND task = ?");
            values.push(Sql::Text(task.clone()));
        }
        if let Some(kind) = query.kind {
            sql.push_str(" AND kind = ?");
            values.push(Sql::Text(kind.name().to_owned()));
        }
        if !query.statuses.is_empty() {
            // Most runs are completed: among those, going through all from the last that changed is faster than the index.
            let column = if query.statuses.contains(&Status::Completed) { "+status" } else { "status" };
            let marks = vec!["?"; query.statuses.len()].join(", ");
            sql.extend([" AND ", column, " IN (", &marks, ")"]);
            values.extend(query.statuses.iter().map(|status| Sql::Text(status.name().to_owned())));
        }
        if let Some(since) = query.since {
            sql.push_str(" AND updated_at >= ?");
            values.push(Sql::Integer(nanos(since)));
        }
        if let Some(cwd) = &query.cwd {
            sql.push_str(" AND cwd = ?");
            values.push(Sql::Text(cwd.to_string_lossy().into_owned()));
        }
        sql.extend([if query.archived { " AND " } else { " AND NOT " }, ARCHIVED]);
        let is_open = values.is_empty() && !query.archived;
        Self { sql, values, is_open }
    }
}

/// When run `n` changed last.
pub(super) fn changed(db: &Connection, n: i64) -> Result<i64, StoreError> {
    Ok(db.prepare_cached("SELECT updated_at FROM runs WHERE n = ?1")?.query_row([n], |row| row.get(0))?)
}

/// Whether run `n` is archived.
pub(super) fn is_archived(db: &Connection, n: i64) -> Result<bool, StoreError> {
    let sql = format!("SELECT {ARCHIVED} FROM runs WHERE n = ?1");
    Ok(db.prepare_cached(&sql)?.query_row([n], |row| row.get(0))?)
}

/// The runs that were made from a run, oldest first.
pub(super) fn made_from(db: &Connection, run: RunId) -> Result<Vec<Offspring>, StoreError> {
    let n = super::journal::known(db, run)?.n;
    let mut select = db.prepare_cached(
        "SELECT id, at, json_extract(body, '$.origin.how'), json_extract(body, '$.origin.seq') FROM runs JOIN events ON place = (n << 24) + 1
         WHERE n > ?1 AND json_extract(body, '$.origin.run') = ?2 ORDER BY n",
    )?;
    let mut rows = select.query(params![n, run.to_string()])?;
    let mut made = Vec::new();
    while let Some(row) = rows.next()? {
        let how = serde_json::from_value(row.get::<_, String>(2)?.into())?;
        let at = chrono::DateTime::from_timestamp_nanos(row.get(1)?);
        made.push(Offspring { run: run_id(row, 0)?, at, seq: row.get(3)?, how });
    }
    Ok(made)
}

/// The runs whose id begins or ends with `fragment`, newest first, two at most.
pub(super) fn find(db: &Connection, fragment: Option<&str>) -> Result<Vec<RunId>, StoreError> {
    let mut ids = Vec::new();
    if let Some(head) = fragment {
        let tail: String = head.chars().rev().collect();
        let mut select = db.prepare_cached(
            "SELECT id FROM (SELECT n, id FROM runs WHERE id >= ?1 AND id < ?1 || 'g'
                             UNION SELECT n, id FROM runs WHERE tail >= ?2 AND tail < ?2 || 'g')
             ORDER BY n DESC LIMIT 2",
        )?;
        let mut rows = select.query([head, tail.as_str()])?;
        while let Some(row) = rows.next()? {
            ids.push(run_id(row, 0)?);
        }
    } else {
        let mut select = db.prepare_cached("SELECT id FROM runs ORDER BY n DESC LIMIT 1")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            ids.push(run_id(row, 0)?);
        }
    }
    Ok(ids)
}

/// Reads the row of a run from [`COLUMNS`].
pub(super) fn row(db: &Connection, row: &Row) -> Result<RunRow, StoreError> {
    let kind: String = row.get(2)?;
    let status: String = row.get(4)?;
    let known = Status::ALL.into_iter().find(|known| known.name() == status);
    let newer = match known {
        Some(Status::Completed | Status::Cancelled) => false,
        Some(_) => is_newer(db, row.get(10)?)?,
        None => true,
    };
    Ok(RunRow {
        run: run_id(row, 0)?,
        task: row.get(1)?,
        kind: if kind == Kind::Instruct.name() { Kind::Instruct } else { Kind::Workflow },
        title: row.get(3)?,
        // One that this version does not know stands still for it.
        status: known.unwrap_or(Status::Paused),
        created_at: chrono::DateTime::from_timestamp_nanos(row.get(5)?),
        updated_at: chrono::DateTime::from_timestamp_nanos(row.get(6)?),
        snippet: Untrusted::new(row.get::<_, String>(7)?),
        cwd: row.get::<_, String>(8)?.into(),
        waiting: row.get(9)?,
        due: due(row)?,
        newer,
    })
}

/// The deadline of a run, from [`COLUMNS`]. A version that does not know of it may have closed the gate meanwhile.
fn due(row: &Row) -> Result<Option<Due>, StoreError> {
    let (waiting, at, then): (u32, Option<i64>, Option<String>) = (row.get(9)?, row.get(11)?, row.get(12)?);
    let then = then.and_then(|name| OnTimeout::ALL.into_iter().find(|known| known.name() == name));
    let due = at.zip(then).map(|(at, then)| Due { at: DateTime::from_timestamp_nanos(at), then });
    Ok(due.filter(|_| waiting > 0))
}

/// Whether any of the newest events of run `n` is of a later version.
fn is_newer(db: &Connection, n: i64) -> Result<bool, StoreError> {
    let RowidRange { first, last } = RowidRange::of(n);
    let mut select =
        db.prepare_cached("SELECT body FROM events WHERE place BETWEEN ?1 AND ?2 ORDER BY place DESC LIMIT ?3")?;
    let mut rows = select.query(params![first, last, LOOKED_AT])?;
    while let Some(row) = rows.next()? {
        let body = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        // What cannot be read at all is said where the run is opened.
        if matches!(Event::from_json(body), Ok(Event::Unknown(_))) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Reads a run's id.
pub(super) fn run_id(row: &Row, column: usize) -> Result<RunId, StoreError> {
    let text: String = row.get(column)?;
    text.parse().map_err(|error: crate::core::id::BadRunId| StoreError::Failed(error.to_string()))
}
