//! Everything in memory: for programs that embed the engine, and for tests.
//!
//! Events are kept as the JSON that a file would have of them, so that what is read is what any other store gives. The
//! handles of one store ([`MemoryStore::another`]) share its data, as processes share a file; with the last of them it is
//! gone. A search reads every event: what has thousands of runs belongs into a file.

mod data;
mod state;
mod words;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde_json::Value;

pub use self::state::MemoryState;

use self::data::Data;
use crate::core::decide::Offspring;
use crate::core::event::{Created, Event, Recorded};
use crate::core::fingerprint::Fingerprint;
use crate::core::id::RunId;
use crate::core::pinned::Pinned;
use crate::core::ports::{
    Append, Drafts, HistoryQuery, Journal, JournalError, Learned, Memory, Revision, RunRow, Runs,
};

/// A store in memory.
#[derive(Default)]
pub struct MemoryStore {
    data: Arc<Mutex<Data>>,
    closed: AtomicBool,
}

impl MemoryStore {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Another handle on the same data, as another process has one on the same file. It is open, whether this one is
    /// closed or not.
    #[must_use]
    pub fn another(&self) -> Self {
        Self { data: Arc::clone(&self.data), closed: AtomicBool::new(false) }
    }

    fn data(&self) -> Result<MutexGuard<'_, Data>, JournalError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(JournalError::Store("the store in memory was closed, because the program ends".to_owned()));
        }
        Ok(self.data.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes all or nothing: what fails has changed nothing.
    fn writing<T>(&self, f: impl FnOnce(&mut Data) -> Result<T, JournalError>) -> Result<T, JournalError> {
        let mut data = self.data()?;
        let done = f(&mut data)?;
        data.revision += 1;
        Ok(done)
    }
}

impl Journal for MemoryStore {
    fn create(
        &self,
        run: RunId,
        at: DateTime<Utc>,
        created: &Created,
        more: &[Event],
        pinned: &Pinned,
    ) -> Result<(), JournalError> {
        self.writing(|data| data.create(run, at, created, more, pinned))
    }

    fn append(&self, batch: &Append) -> Result<u64, JournalError> {
        self.writing(|data| data.append(batch))
    }

    fn read(&self, run: RunId, after: u64) -> Result<Vec<Recorded>, JournalError> {
        self.data()?.run(run)?.read(after)
    }

    fn head(&self, run: RunId) -> Result<u64, JournalError> {
        Ok(self.data()?.run(run)?.head())
    }

    fn epoch(&self, run: RunId) -> Result<u64, JournalError> {
        Ok(self.data()?.run(run)?.epoch)
    }

    fn definition(&self, hash: &Fingerprint) -> Result<Pinned, JournalError> {
        self.data()?.definition(hash)
    }

    fn pin(&self, pinned: &Pinned) -> Result<Fingerprint, JournalError> {
        self.writing(|data| data.pin(pinned))
    }

    fn delete(&self, run: RunId) -> Result<(), JournalError> {
        self.writing(|data| data.delete(run))
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }
}

impl Runs for MemoryStore {
    fn find(&self, fragment: Option<&str>) -> Result<Vec<RunId>, JournalError> {
        Ok(self.data()?.find(fragment))
    }

    fn history(&self, query: &HistoryQuery) -> Result<Vec<RunRow>, JournalError> {
        self.data()?.history(query)
    }

    fn made_from(&self, run: RunId) -> Result<Vec<Offspring>, JournalError> {
        self.data()?.made_from(run)
    }

    fn revision(&self) -> Option<Revision> {
        self.data().ok().map(|data| Revision(data.revision.into()))
    }
}

impl Memory for MemoryStore {
    fn learned(&self, task: Option<&str>) -> Result<Vec<Learned>, JournalError> {
        Ok(self.data()?.learned(task))
    }

    fn update_lesson(&self, id: i64, text: Option<&str>) -> Result<(), JournalError> {
        self.writing(|data| data.update_lesson(id, text))
    }

    fn session(&self, name: &str, runs: usize) -> Result<(Value, Vec<RunId>), JournalError> {
        Ok(self.data()?.session(name, runs))
    }

    fn cached(&self, fingerprint: &Fingerprint, since: DateTime<Utc>) -> Result<Option<(RunId, Value)>, JournalError> {
        self.data()?.cached(fingerprint, since)
    }
}

impl Drafts for MemoryStore {
    fn keep_draft(&self, run: RunId, name: &str, text: Option<&str>) -> Result<(), JournalError> {
        self.writing(|data| {
            put(&mut data.run_mut(run)?.drafts, name, text);
            Ok(())
        })
    }

    fn drafts(&self, run: RunId) -> Result<Vec<(String, String)>, JournalError> {
        Ok(self.data()?.run(run)?.drafts.clone().into_iter().collect())
    }

    fn keep_form(&self, task: &str, text: Option<&str>) -> Result<(), JournalError> {
        self.writing(|data| {
            put(&mut data.forms, task, text);
            Ok(())
        })
    }

    fn form(&self, task: &str) -> Result<Option<String>, JournalError> {
        Ok(self.data()?.forms.get(task).cloned())
    }
}

fn put(texts: &mut data::Texts, name: &str, text: Option<&str>) {
    match text {
        Some(text) => drop(texts.insert(name.to_owned(), text.to_owned())),
        None => drop(texts.remove(name)),
    }
}
