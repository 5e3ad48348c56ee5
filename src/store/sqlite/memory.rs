//! What is kept beside the runs: lessons, the state of sessions, drafts.

use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::{Map, Value};

use super::error::StoreError;
use super::journal::known;
use crate::core::event::Lesson;
use crate::core::id::RunId;
use crate::core::ports::{JournalError, Learned, SessionUpdate};

/// Keeps lessons of run `n`, each once, with the definition that declares the step: its task, or a child of it.
pub(super) fn learn(tx: &Connection, n: i64, at: i64, lessons: &[Lesson]) -> Result<(), StoreError> {
    for lesson in lessons {
        tx.prepare_cached(
            "INSERT INTO lessons (task, step, text, at) SELECT coalesce(?5, task), ?2, ?3, ?4 FROM runs WHERE n = ?1
             AND NOT EXISTS (SELECT 1 FROM lessons WHERE task = coalesce(?5, runs.task) AND step = ?2 AND text = ?3)",
        )?
        .execute(params![n, lesson.step, lesson.text, at, lesson.workflow])?;
    }
    Ok(())
}

pub(super) fn learned(db: &Connection, task: Option<&str>) -> Result<Vec<Learned>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT n, task, step, text, at FROM lessons WHERE ?1 IS NULL OR task = ?1 ORDER BY task, step, n",
    )?;
    let rows = select.query_map([task], |row| {
        Ok(Learned {
            id: row.get(0)?,
            task: row.get(1)?,
            lesson: Lesson { workflow: None, step: row.get(2)?, text: row.get(3)? },
            at: chrono::DateTime::from_timestamp_nanos(row.get(4)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn teach(tx: &Connection, id: i64, text: Option<&str>) -> Result<(), StoreError> {
    let changed = match text {
        Some(text) => tx.execute("UPDATE lessons SET text = ?2 WHERE n = ?1", params![id, text])?,
        None => tx.execute("DELETE FROM lessons WHERE n = ?1", [id])?,
    };
    if changed == 0 {
        let text = format!("there is no lesson {id}; `stepwell learned` lists them");
        return Err(JournalError::NoLesson(text).into());
    }
    Ok(())
}

/// Puts what is left to the session of run `n` into its state, name by name, if that has of these names what was seen.
pub(super) fn leave_state(tx: &Connection, n: i64, left: &SessionUpdate) -> Result<(), StoreError> {
    let mut select = tx.prepare_cached("SELECT session FROM runs WHERE n = ?1")?;
    let Some(name) = select.query_row([n], |row| row.get::<_, Option<String>>(0))? else { return Ok(()) };
    let mut state = state(tx, &name)?;
    if left.names().any(|name| state.get(name) != left.seen.get(name)) {
        return Err(JournalError::SessionChanged.into());
    }
    state.extend(left.values.clone());
    state.retain(|name, _| !left.removed.contains(name));
    tx.prepare_cached(
        "INSERT INTO sessions (name, state) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET state = excluded.state",
    )?
    .execute(params![name, serde_json::to_string(&state)?])?;
    Ok(())
}

fn state(db: &Connection, name: &str) -> Result<Map<String, Value>, StoreError> {
    let state: Option<String> = db
        .prepare_cached("SELECT state FROM sessions WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    Ok(state.map(|state| serde_json::from_str(&state)).transpose()?.unwrap_or_default())
}

pub(super) fn session(db: &Connection, name: &str, runs: usize) -> Result<(Value, Vec<RunId>), StoreError> {
    let mut select =
        db.prepare_cached("SELECT id FROM runs WHERE session = ?1 AND status = 'completed' ORDER BY n DESC LIMIT ?2")?;
    let limit = i64::try_from(runs).unwrap_or(i64::MAX);
    let mut ids = Vec::new();
    let mut rows = select.query(params![name, limit])?;
    while let Some(row) = rows.next()? {
        ids.push(super::list::run_id(row, 0)?);
    }
    ids.reverse();
    Ok((Value::Object(state(db, name)?), ids))
}

pub(super) fn keep_draft(tx: &Connection, run: RunId, name: &str, text: Option<&str>) -> Result<(), StoreError> {
    put_draft(tx, known(tx, run)?.n, name, text)
}

/// Of no run: their numbers begin with 1.
const NO_RUN: i64 = 0;

pub(super) fn keep_form(tx: &Connection, task: &str, text: Option<&str>) -> Result<(), StoreError> {
    put_draft(tx, NO_RUN, task, text)
}

pub(super) fn form(db: &Connection, task: &str) -> Result<Option<String>, StoreError> {
    let mut select = db.prepare_cached("SELECT text FROM drafts WHERE run = ?1 AND name = ?2")?;
    Ok(select.query_row(params![NO_RUN, task], |row| row.get(0)).optional()?)
}

fn put_draft(tx: &Connection, n: i64, name: &str, text: Option<&str>) -> Result<(), StoreError> {
    match text {
        Some(text) => tx
            .prepare_cached(
                "INSERT INTO drafts (run, name, text) VALUES (?1, ?2, ?3)
                 ON CONFLICT (run, name) DO UPDATE SET text = excluded.text",
            )?
            .execute(params![n, name, text])?,
        None => tx.prepare_cached("DELETE FROM drafts WHERE run = ?1 AND name = ?2")?.execute(params![n, name])?,
    };
    Ok(())
}

pub(super) fn drafts(db: &Connection, run: RunId) -> Result<Vec<(String, String)>, StoreError> {
    let n = known(db, run)?.n;
    let mut select = db.prepare_cached("SELECT name, text FROM drafts WHERE run = ?1 ORDER BY name")?;
    let rows = select.query_map([n], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
