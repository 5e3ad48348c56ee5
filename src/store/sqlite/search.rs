//! Full-text search over what the events say, and the index of the cache.
//!
//! Words are looked for first, the last one as a beginning. When no text has them so, and for scripts without spaces,
//! they are looked for inside of words, by trigrams; so is a word whose signs mean something, such as `C++`. The run that
//! changed last comes first. What a person types is never query syntax.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params, params_from_iter};
use serde_json::Value;

use super::error::StoreError;
use super::event_codec;
use super::journal::{fold, nanos};
use super::list::{self, Filter};
use super::rowid::{RowidRange, rowid, run_of};
use crate::core::event::{Event, Recorded};
use crate::core::fingerprint::Fingerprint;
use crate::core::id::RunId;
use crate::core::ports::{HistoryQuery, RunRow};
use crate::core::run::Status;
use crate::core::text::Untrusted;
use crate::store::searchable;
use crate::store::snippet::{self, snippet};

/// Events that one transaction indexes at most, so that nobody waits long for it.
const BATCH: i64 = 256;

/// So many events of a run that waits for a person are indexed at once: each on its own costs several times as much.
const MUCH: u64 = 64;

/// Transactions that a query spends at most on what is not indexed yet.
pub(super) const BATCHES: usize = 64;

/// Trigrams that a piece of one or two characters is looked for in.
const TERMS: usize = 64;

/// Texts that have the trigrams and yet not what is looked for; after so many the search gives up.
const MISLEADING: usize = 2_000;

/// A word that more texts hold is common.
const COMMON: i64 = 1_000;

/// So many matching runs are put into order by their last change at once: of more, those that were started last come first.
const ORDERED: usize = 5_000;

/// The same where the text of each is read.
const VERIFIED: usize = 500;

/// Earlier attempts at the same work that are looked at for the cache.
const TRIED: i64 = 8;

/// Notes that the events of run `n` after `head` are to be indexed.
pub(super) fn is_behind_from(tx: &Connection, n: i64, head: u64) -> Result<(), StoreError> {
    tx.prepare_cached("INSERT OR IGNORE INTO pending (run, done) VALUES (?1, ?2)")?.execute(params![n, head])?;
    Ok(())
}

/// Indexes the events of run `n` up to `head`, where that is worth its cost: when the run stands still for long, or when
/// there is much. What is left is indexed before it is searched.
pub(super) fn keep_up(tx: &Connection, n: i64, head: u64, status: Status) -> Result<(), StoreError> {
    match status {
        Status::Running => return Ok(()),
        Status::Waiting => {
            let mut pending = tx.prepare_cached("SELECT done FROM pending WHERE run = ?1")?;
            let done: u64 = pending.query_row([n], |row| row.get(0))?;
            if head.saturating_sub(done) < MUCH {
                return Ok(());
            }
        }
        Status::Paused | Status::Completed | Status::Failed | Status::Cancelled => {}
    }
    catch_up(tx, Some(n)).map(|_| ())
}

/// Whether anything is to be indexed.
pub(super) fn is_behind(db: &Connection) -> Result<bool, StoreError> {
    Ok(db
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM pending) OR EXISTS (SELECT 1 FROM unnamed)")?
        .query_row([], |row| row.get(0))?)
}

/// Indexes a batch of events, of run `only` or of any, newest first; whether there is more to do.
pub(super) fn catch_up(tx: &Connection, only: Option<i64>) -> Result<bool, StoreError> {
    let mut room = BATCH;
    while room > 0 {
        let next: Option<(i64, u64)> = tx
            .prepare_cached("SELECT run, done FROM pending WHERE ?1 IS NULL OR run = ?1 ORDER BY run DESC LIMIT 1")?
            .query_row([only], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((n, done)) = next else {
            return if only.is_none() { add_names(tx, room) } else { Ok(false) };
        };
        let mut range = RowidRange::after(n, done);
        range.last = range.last.min(range.first + room - 1);
        let events = event_codec::read(tx, RunId::new(0, [0; 10]), range)?;
        for recorded in &events {
            index(tx, n, recorded)?;
        }
        room -= i64::try_from(events.len()).unwrap_or(room);
        if room > 0 {
            tx.prepare_cached("DELETE FROM pending WHERE run = ?1")?.execute([n])?;
        } else if let Some(last) = events.last() {
            tx.prepare_cached("UPDATE pending SET done = ?2 WHERE run = ?1")?.execute(params![n, last.seq])?;
        }
    }
    Ok(true)
}

/// Indexes the first events of runs that are not found by their task's name yet, newest first and so many at most; whether
/// there may be more.
fn add_names(tx: &Connection, most: i64) -> Result<bool, StoreError> {
    let mut select = tx.prepare_cached("SELECT run FROM unnamed ORDER BY run DESC LIMIT ?1")?;
    let runs = select.query_map([most], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
    for n in &runs {
        let first = rowid(*n, 1)?;
        match event_codec::read(tx, RunId::new(0, [0; 10]), RowidRange::at(first)) {
            Ok(events) => {
                for sql in ["DELETE FROM words WHERE rowid = ?1", "DELETE FROM trigrams WHERE rowid = ?1"] {
                    tx.prepare_cached(sql)?.execute([first])?;
                }
                events.iter().try_for_each(|created| index(tx, *n, created))?;
            }
            Err(fault @ StoreError::Sql(_)) => return Err(fault),
            // It stays found as it was.
            Err(_) => {}
        }
        tx.prepare_cached("DELETE FROM unnamed WHERE run = ?1")?.execute([n])?;
    }
    Ok(i64::try_from(runs.len()) == Ok(most))
}

fn index(tx: &Connection, n: i64, recorded: &Recorded) -> Result<(), StoreError> {
    let rowid = rowid(n, recorded.seq)?;
    if let Some(fingerprint) = searchable::cacheable(&recorded.event) {
        tx.prepare_cached("INSERT OR IGNORE INTO tried (fingerprint, place) VALUES (?1, ?2)")?
            .execute(params![short(fingerprint), rowid])?;
    }
    let mut text = said(tx, &recorded.event)?;
    if !text.is_empty() {
        tx.prepare_cached("INSERT INTO words (rowid, text) VALUES (?1, ?2)")?.execute(params![rowid, text])?;
        // So that the last two characters begin a trigram too.
        text.push_str("\n\n");
        tx.prepare_cached("INSERT INTO trigrams (rowid, text) VALUES (?1, ?2)")?.execute(params![rowid, text])?;
    }
    Ok(())
}

/// What an event says, as far as it is searched.
fn said(db: &Connection, event: &Event) -> Result<String, StoreError> {
    let Event::RunCreated(created) = event else { return Ok(searchable::said(event, None)) };
    let mut name = db.prepare_cached("SELECT json_extract(body, '$.task.name') FROM definitions WHERE hash = ?1")?;
    let name: Option<Option<String>> = name.query_row([created.definition.as_str()], |row| row.get(0)).optional()?;
    Ok(searchable::said(event, name.flatten().as_deref()))
}

/// Takes a run out of every index.
pub(super) fn forget(tx: &Connection, n: i64) -> Result<(), StoreError> {
    let RowidRange { first, last } = RowidRange::of(n);
    for sql in [
        "DELETE FROM words WHERE rowid BETWEEN ?1 AND ?2",
        "DELETE FROM trigrams WHERE rowid BETWEEN ?1 AND ?2",
        "DELETE FROM tried WHERE place BETWEEN ?1 AND ?2",
    ] {
        tx.execute(sql, [first, last])?;
    }
    for table in ["pending", "unnamed"] {
        tx.execute(&format!("DELETE FROM {table} WHERE run = ?1"), [n])?;
    }
    Ok(())
}

/// Runs whose texts hold what the query looks for, the one that changed last first.
pub(super) fn history(db: &Connection, query: &HistoryQuery) -> Result<Vec<RunRow>, StoreError> {
    let text = snippet::looked_for(&query.text);
    let wanted = snippet::pieces(&text);
    if !wanted.iter().any(|piece| snippet::is_within_words(piece))
        && let Some(expression) = words(db, &wanted)?
    {
        let rowids = db.prepare_cached("SELECT rowid FROM words WHERE words MATCH ?1 ORDER BY rowid DESC")?;
        return collect(db, query, rowids, &expression, &wanted, false);
    }
    let Some(expression) = trigrams(db, &wanted)? else { return Ok(Vec::new()) };
    let rowids = db.prepare_cached("SELECT rowid FROM trigrams WHERE trigrams MATCH ?1 ORDER BY rowid DESC")?;
    collect(db, query, rowids, &expression, &wanted, true)
}

/// A run that matches: when it changed last, its number, the newest place of a match.
type Match = (i64, i64, i64);

/// Goes through the places of matches until there are rows enough. Places come by the creation of their runs: they are put
/// into order by pieces, so that a common word costs no more than a piece.
///
/// With `verify`, a place counts only if its text holds every piece: trigrams alone do not say so.
fn collect(
    db: &Connection,
    query: &HistoryQuery,
    mut rowids: CachedStatement,
    expression: &str,
    wanted: &[&str],
    verify: bool,
) -> Result<Vec<RunRow>, StoreError> {
    let passing = passing(db, query)?;
    let oldest = passing.as_ref().map_or(Some(0), |runs| runs.iter().min().copied());
    let Some(oldest) = oldest else { return Ok(Vec::new()) };
    let mut rows = Page::of(db, query, wanted, passing.is_none());
    let most = if verify { VERIFIED } else { ORDERED };
    let mut piece: Vec<Match> = Vec::new();
    let (mut seen, mut misled) = (0, 0);
    let mut matches = rowids.query([expression])?;
    while let Some(matched) = matches.next()? {
        let rowid: i64 = matched.get(0)?;
        let n = run_of(rowid);
        if n < oldest {
            break;
        }
        if n == seen || passing.as_ref().is_some_and(|runs| !runs.contains(&n)) {
            continue;
        }
        if verify && !marked(db, rowid, wanted)?.1 {
            misled += 1;
            if misled == MISLEADING {
                break;
            }
            continue;
        }
        seen = n;
        piece.push((list::changed(db, n)?, n, rowid));
        if piece.len() == most && rows.take(std::mem::take(&mut piece))? {
            return Ok(rows.found);
        }
    }
    rows.take(piece)?;
    Ok(rows.found)
}

/// The page of a search that is asked for.
struct Page<'a> {
    db: &'a Connection,
    wanted: &'a [&'a str],
    /// Archived runs are still to be left out.
    sorts_out: bool,
    offset: usize,
    limit: usize,
    found: Vec<RunRow>,
}

impl<'a> Page<'a> {
    fn of(db: &'a Connection, query: &HistoryQuery, wanted: &'a [&'a str], sorts_out: bool) -> Self {
        let limit = usize::try_from(list::limit(query)).unwrap_or(usize::MAX);
        Self { db, wanted, sorts_out, offset: query.offset, limit, found: Vec::new() }
    }

    /// Takes a piece of the matches, in its order; whether the page is full.
    fn take(&mut self, mut piece: Vec<Match>) -> Result<bool, StoreError> {
        piece.sort_unstable_by_key(|found| std::cmp::Reverse(*found));
        let sql = format!("SELECT {} FROM runs WHERE n = ?1", list::COLUMNS);
        let mut select = self.db.prepare_cached(&sql)?;
        for (_, n, rowid) in piece {
            if self.found.len() == self.limit {
                return Ok(true);
            }
            if self.sorts_out && list::is_archived(self.db, n)? {
                continue;
            }
            if self.offset > 0 {
                self.offset -= 1;
                continue;
            }
            let mut row = select.query([n])?;
            if let Some(row) = row.next()? {
                let (snippet, _) = marked(self.db, rowid, self.wanted)?;
                self.found.push(RunRow { snippet: Untrusted::new(snippet), ..list::row(self.db, row)? });
            }
        }
        Ok(self.found.len() == self.limit)
    }
}

/// The runs that pass the query's filters; `None` when there are none to pass but that a run was not archived.
fn passing(db: &Connection, query: &HistoryQuery) -> Result<Option<HashSet<i64>>, StoreError> {
    let filter = Filter::of(query);
    if filter.is_open {
        return Ok(None);
    }
    let mut select = db.prepare_cached(&format!("SELECT n FROM runs WHERE {}", filter.sql))?;
    let runs = select.query_map(params_from_iter(filter.values), |row| row.get(0))?;
    Ok(Some(runs.collect::<Result<_, _>>()?))
}

/// The text at a place around what is looked for, and whether all of it is there.
fn marked(db: &Connection, rowid: i64, wanted: &[&str]) -> Result<(String, bool), StoreError> {
    let events = event_codec::read(db, RunId::new(0, [0; 10]), RowidRange::at(rowid))?;
    let text = events.first().map(|recorded| said(db, &recorded.event)).transpose()?;
    Ok(text.map(|text| snippet(&text, wanted)).unwrap_or_default())
}

/// The pieces as an FTS5 expression over words that some text matches. The last one is taken as a beginning too, unless
/// as a word it is common: of a beginning SQLite gathers every match before it gives the newest.
fn words(db: &Connection, wanted: &[&str]) -> Result<Option<String>, StoreError> {
    let pieces: Vec<&&str> = wanted.iter().filter(|piece| piece.chars().any(char::is_alphanumeric)).collect();
    let Some(last) = pieces.last() else { return Ok(None) };
    let whole = pieces.iter().map(|piece| quoted(piece)).collect::<Vec<_>>().join(" ");
    let mut matches = db.prepare_cached("SELECT 1 FROM words WHERE words MATCH ?1 LIMIT 1 OFFSET ?2")?;
    if matches.exists(params![whole, COMMON])? {
        return Ok(Some(whole));
    }
    let begun = if last.chars().count() > 1 { format!("{whole}*") } else { whole };
    Ok(matches.exists(params![begun, 0])?.then_some(begun))
}

/// The pieces as an FTS5 expression over trigrams; `None` when no text can hold them.
fn trigrams(db: &Connection, wanted: &[&str]) -> Result<Option<String>, StoreError> {
    let mut all = Vec::new();
    for piece in wanted {
        let chars: Vec<char> = piece.chars().collect();
        if chars.len() < 3 {
            let any = beginning_with(db, piece)?;
            if any.is_empty() {
                return Ok(None);
            }
            all.push(format!("({})", any.join(" OR ")));
        }
        all.extend(chars.windows(3).map(|three| quoted(&three.iter().collect::<String>())));
    }
    Ok((!all.is_empty()).then(|| all.join(" AND ")))
}

/// The trigrams that begin with one or two characters.
fn beginning_with(db: &Connection, piece: &str) -> Result<Vec<String>, StoreError> {
    let piece = piece.to_lowercase();
    let end = format!("{piece}\u{10ffff}");
    let mut select = db.prepare_cached("SELECT term FROM trigram_terms WHERE term >= ?1 AND term < ?2 LIMIT ?3")?;
    let limit = i64::try_from(TERMS).unwrap_or(i64::MAX);
    let rows = select.query_map(params![piece, end, limit], |row| row.get::<_, String>(0))?;
    rows.map(|term| Ok(quoted(&term?))).collect()
}

fn quoted(piece: &str) -> String {
    format!("\"{}\"", piece.replace('"', "\"\""))
}

/// An accepted output for the same fingerprint, of an attempt not older than `since`, newest first.
pub(super) fn cached(
    db: &Connection,
    fingerprint: &Fingerprint,
    since: DateTime<Utc>,
) -> Result<Option<(RunId, Value)>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT DISTINCT runs.id, runs.n FROM tried JOIN events USING (place) JOIN runs ON runs.n = tried.place >> 24
         WHERE tried.fingerprint = ?1 AND events.at >= ?2 ORDER BY runs.n DESC LIMIT ?3",
    )?;
    let mut rows = select.query(params![short(fingerprint), nanos(since), TRIED])?;
    while let Some(row) = rows.next()? {
        let id = list::run_id(row, 0)?;
        // What a later version decided about its results is not known.
        let Some(run) = fold(id, &event_codec::read(db, id, RowidRange::of(row.get(1)?))?)? else { continue };
        if let Some(standing) = run.calls.values().find_map(|call| call.stands_for(fingerprint)) {
            return Ok(Some((id, (*standing.output).clone())));
        }
    }
    Ok(None)
}

/// The first 16 bytes of a fingerprint; what is found by them is compared in full.
fn short(fingerprint: &Fingerprint) -> Vec<u8> {
    let hex = fingerprint.as_str().as_bytes();
    hex.chunks_exact(2)
        .take(16)
        .map(|pair| {
            std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()).unwrap_or_default()
        })
        .collect()
}
