//! The file as the ports have it: each call is one transaction, and its subject has a file of its own.

use std::time::{Duration, UNIX_EPOCH};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{SqliteStore, journal, list, lock, memory, search};
use crate::core::decide::Offspring;
use crate::core::event::{Created, Event, Recorded};
use crate::core::fingerprint::Fingerprint;
use crate::core::id::RunId;
use crate::core::pinned::Pinned;
use crate::core::ports::{
    Append, Drafts, HistoryQuery, Journal, JournalError, Learned, Memory, Revision, RunRow, Runs,
};

/// No file system's clock is coarser.
const TICK: Duration = Duration::from_millis(50);

impl Journal for SqliteStore {
    fn create(
        &self,
        run: RunId,
        at: DateTime<Utc>,
        created: &Created,
        more: &[Event],
        pinned: &Pinned,
    ) -> Result<(), JournalError> {
        self.writing(|tx| journal::create(tx, run, at, created, more, pinned))
    }

    fn append(&self, batch: &Append) -> Result<u64, JournalError> {
        self.writing(|tx| journal::append(tx, batch))
    }

    fn read(&self, run: RunId, after: u64) -> Result<Vec<Recorded>, JournalError> {
        self.reading(|db| journal::read(db, run, after))
    }

    fn head(&self, run: RunId) -> Result<u64, JournalError> {
        self.reading(|db| Ok(journal::known(db, run)?.head))
    }

    fn epoch(&self, run: RunId) -> Result<u64, JournalError> {
        self.reading(|db| Ok(journal::known(db, run)?.epoch))
    }

    fn definition(&self, hash: &Fingerprint) -> Result<Pinned, JournalError> {
        self.reading(|db| journal::definition(db, hash))
    }

    fn pin(&self, pinned: &Pinned) -> Result<Fingerprint, JournalError> {
        self.writing(|tx| journal::pin(tx, pinned))
    }

    fn delete(&self, run: RunId) -> Result<(), JournalError> {
        self.writing(|tx| journal::delete(tx, run))
    }

    fn close(&self) {
        // Who closes the file last brings what is in the log into it, which one that only reads cannot.
        for connection in std::iter::once(&self.reader).chain(&self.writer) {
            drop(lock(connection).take());
        }
    }
}

impl Runs for SqliteStore {
    fn find(&self, fragment: Option<&str>) -> Result<Vec<RunId>, JournalError> {
        self.reading(|db| list::find(db, fragment))
    }

    fn history(&self, query: &HistoryQuery) -> Result<Vec<RunRow>, JournalError> {
        if query.text.trim().is_empty() {
            return self.reading(|db| list::history(db, query));
        }
        self.catch_up();
        self.reading(|db| search::history(db, query))
    }

    fn made_from(&self, run: RunId) -> Result<Vec<Offspring>, JournalError> {
        self.reading(|db| list::made_from(db, run))
    }

    /// By the dates and lengths of its files.
    fn revision(&self) -> Option<Revision> {
        // Every commit goes to the log; only who closes the file last takes that away.
        let log = self.path.with_file_name(format!("{}-wal", self.path.file_name()?.to_string_lossy()));
        let (file, log) = (std::fs::metadata(&self.path).ok()?, std::fs::metadata(log).ok());
        let newest = log.as_ref().and_then(|log| log.modified().ok()).max(file.modified().ok())?;
        // The clock of files ticks in milliseconds: a write that comes in the same tick would not show.
        newest.elapsed().ok().filter(|age| *age >= TICK)?;
        let written = newest.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        Some(Revision((written << 64) | u128::from(file.len() + log.map_or(0, |log| log.len()))))
    }
}

impl Memory for SqliteStore {
    fn learned(&self, task: Option<&str>) -> Result<Vec<Learned>, JournalError> {
        self.reading(|db| memory::learned(db, task))
    }

    fn update_lesson(&self, id: i64, text: Option<&str>) -> Result<(), JournalError> {
        self.writing(|tx| memory::teach(tx, id, text))
    }

    fn session(&self, name: &str, runs: usize) -> Result<(Value, Vec<RunId>), JournalError> {
        self.reading(|db| memory::session(db, name, runs))
    }

    fn cached(&self, fingerprint: &Fingerprint, since: DateTime<Utc>) -> Result<Option<(RunId, Value)>, JournalError> {
        self.catch_up();
        self.reading(|db| search::cached(db, fingerprint, since))
    }
}

impl Drafts for SqliteStore {
    fn keep_draft(&self, run: RunId, name: &str, text: Option<&str>) -> Result<(), JournalError> {
        self.writing(|tx| memory::keep_draft(tx, run, name, text))
    }

    fn drafts(&self, run: RunId) -> Result<Vec<(String, String)>, JournalError> {
        self.reading(|db| memory::drafts(db, run))
    }

    fn keep_form(&self, task: &str, text: Option<&str>) -> Result<(), JournalError> {
        self.writing(|tx| memory::keep_form(tx, task, text))
    }

    fn form(&self, task: &str) -> Result<Option<String>, JournalError> {
        self.reading(|db| memory::form(db, task))
    }
}
