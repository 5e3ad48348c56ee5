//! An event as the file keeps it: JSON, with large texts taken out and kept once each as blobs.
//!
//! Which places of a body are blobs is written beside it, not into it, so that nothing that a model writes can name
//! another run's text.

use rusqlite::{Connection, params};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::error::StoreError;
use super::rowid::{RowidRange, seq_of};
use crate::core::event::{Event, Recorded};
use crate::core::event_json;
use crate::core::id::RunId;
use crate::store::nesting;

/// Texts of at least so many bytes become blobs.
const LARGE: usize = 4 * 1024;

/// A large text and the JSON pointer to its place.
struct LargeText {
    pointer: String,
    text: String,
}

/// Writes one event under `rowid`.
pub(super) fn insert(tx: &Connection, rowid: i64, at: i64, event: &Event) -> Result<(), StoreError> {
    let mut json = serde_json::to_string(event)?;
    nesting::check(&json).map_err(StoreError::TooLarge)?;
    let mut parts = Vec::new();
    if json.len() >= LARGE {
        let mut value = event_json::read(&json)?;
        take_out(&mut value, &mut String::new(), &mut parts);
        if !parts.is_empty() {
            json = serde_json::to_string(&value)?;
        }
    }
    tx.prepare_cached("INSERT INTO events (place, at, body) VALUES (?1, ?2, ?3)")?.execute(params![rowid, at, json])?;
    for part in parts {
        let blob = keep(tx, &part.text)?;
        tx.prepare_cached("INSERT INTO parts (place, pointer, blob) VALUES (?1, ?2, ?3)")?.execute(params![
            rowid,
            part.pointer,
            blob
        ])?;
    }
    Ok(())
}

/// Keeps a text, once, and gives its number.
fn keep(tx: &Connection, text: &str) -> Result<i64, StoreError> {
    let hash: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    tx.prepare_cached("INSERT INTO blobs (hash, text) VALUES (?1, ?2) ON CONFLICT (hash) DO NOTHING")?
        .execute(params![hash, text])?;
    Ok(tx.prepare_cached("SELECT n FROM blobs WHERE hash = ?1")?.query_row([hash], |row| row.get(0))?)
}

/// The events of a span, in order.
pub(super) fn read(db: &Connection, run: RunId, range: RowidRange) -> Result<Vec<Recorded>, StoreError> {
    let mut texts = large_texts(db, range)?.into_iter().peekable();
    let mut select =
        db.prepare_cached("SELECT place, at, body FROM events WHERE place BETWEEN ?1 AND ?2 ORDER BY place")?;
    let mut rows = select.query([range.first, range.last])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let rowid: i64 = row.get(0)?;
        let body = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
        let event = if texts.peek().is_some_and(|(at, _)| *at == rowid) {
            let value = whole(body, std::iter::from_fn(|| texts.next_if(|(at, _)| *at == rowid)))?;
            Event::from_value(value, || whole(body, large_texts(db, RowidRange::at(rowid))?))?
        } else {
            Event::from_json(body)?
        };
        let at = chrono::DateTime::from_timestamp_nanos(row.get(1)?);
        events.push(Recorded { run, seq: seq_of(rowid), at, event });
    }
    Ok(events)
}

fn large_texts(db: &Connection, range: RowidRange) -> Result<Vec<(i64, LargeText)>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT place, pointer, text FROM parts JOIN blobs ON blobs.n = parts.blob
         WHERE place BETWEEN ?1 AND ?2 ORDER BY place",
    )?;
    let rows = select.query_map([range.first, range.last], |row| {
        Ok((row.get(0)?, LargeText { pointer: row.get(1)?, text: row.get(2)? }))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A body with its large texts put back.
fn whole(body: &str, parts: impl IntoIterator<Item = (i64, LargeText)>) -> Result<Value, StoreError> {
    let mut value: Value = event_json::read(body)?;
    for (_, part) in parts {
        if let Some(slot) = value.pointer_mut(&part.pointer) {
            *slot = Value::String(part.text);
        }
    }
    Ok(value)
}

fn take_out(value: &mut Value, pointer: &mut String, parts: &mut Vec<LargeText>) {
    let length = pointer.len();
    match value {
        Value::String(text) if text.len() >= LARGE => {
            parts.push(LargeText { pointer: pointer.clone(), text: std::mem::take(text) });
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                pointer.push('/');
                pointer.push_str(&index.to_string());
                take_out(item, pointer, parts);
                pointer.truncate(length);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                pointer.push('/');
                pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
                take_out(field, pointer, parts);
                pointer.truncate(length);
            }
        }
        _ => {}
    }
}
