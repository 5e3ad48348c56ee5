//! One SQLite file: the journal of every run, and the lists and the search that follow from it.
//!
//! What it promises beyond the ports: what a write call returned from is on the disk (WAL, `synchronous=FULL`); reads do
//! not wait for writes; a file that cannot be used is never changed, replaced or deleted. Lists, search and the index of
//! the cache are projections: [`SqliteStore::rebuild`] makes them again from the events.
//!
//! Search and cache are indexed when a run stands still or is asked about, not with each event, so that an append
//! costs hardly more than its commit.

mod error;
mod event_codec;
mod journal;
mod list;
mod log_check;
mod memory;
mod open;
mod ports;
mod rebuild;
mod rowid;
mod search;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use self::error::StoreError;
use self::log_check::Index;
use crate::core::ports::JournalError;

pub use self::rebuild::Rebuilt;

/// How long a write waits for another process.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the store is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// To read and write; file and folder are created when they are missing. A file that cannot be written is opened
    /// to read, see [`SqliteStore::read_only`].
    Write,
    /// To read an existing file.
    Read,
}

/// The journal in a SQLite file.
pub struct SqliteStore {
    path: PathBuf,
    reader: Mutex<Option<Connection>>,
    writer: Option<Mutex<Option<Connection>>>,
    read_only: Option<String>,
    copy: Option<PathBuf>,
    damage: Option<String>,
    /// After the connections, which are closed before it.
    _counted: Counted,
}

/// How many stores this process has open: the index of a log may be looked at only while there are none.
static OPEN: Mutex<usize> = Mutex::new(0);

/// One of them.
struct Counted;

impl Drop for Counted {
    fn drop(&mut self) {
        *lock(&OPEN) -= 1;
    }
}

impl SqliteStore {
    /// Opens the store at `path`. Takes about a millisecond when it exists.
    ///
    /// # Errors
    /// [`JournalError::Store`] when the file is damaged, of a newer version or another program's, or cannot be opened.
    pub fn open(path: &Path, mode: Mode) -> Result<Self, JournalError> {
        Self::open_patiently(path, mode, PATIENCE)
    }

    /// As [`SqliteStore::open`], with the time that a write waits for another process.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_patiently(path: &Path, mode: Mode, patience: Duration) -> Result<Self, JournalError> {
        Self::open_as(path, mode, patience, open::MIGRATIONS)
    }

    fn open_as(path: &Path, mode: Mode, patience: Duration, schemas: open::Migrations) -> Result<Self, JournalError> {
        let mut open = lock(&OPEN);
        let index = if *open == 0 { Index::read(path) } else { None };
        let opened = match mode {
            Mode::Write => open::to_write(path, patience, schemas, index),
            Mode::Read => open::to_read(path, patience, "it was opened to read only".to_owned(), schemas, index),
        }
        .map_err(|fault| fault.at(path))?;
        *open += 1;
        Ok(Self {
            path: path.to_owned(),
            reader: Mutex::new(Some(opened.reader)),
            writer: opened.writer.map(|writer| Mutex::new(Some(writer))),
            read_only: opened.read_only,
            copy: opened.copy,
            damage: opened.damage,
            _counted: Counted,
        })
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Why nothing can be written; `None` when it can.
    #[must_use]
    pub fn read_only(&self) -> Option<&str> {
        self.read_only.as_deref()
    }

    /// Where the file was copied when this brought it to a newer schema; `None` when that was not needed.
    #[must_use]
    pub fn copy(&self) -> Option<&Path> {
        self.copy.as_deref()
    }

    /// What of that which was committed is lost, because the log beside the file is damaged; `None` when nothing is, as far
    /// as can be told.
    #[must_use]
    pub fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    /// A number that changes with every commit by any process: what a watcher polls, for some microseconds.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub fn data_version(&self) -> Result<i64, JournalError> {
        let db = lock(&self.reader);
        let db = db.as_ref().ok_or_else(|| self.is_closed())?;
        db.prepare_cached("PRAGMA data_version")
            .and_then(|mut pragma| pragma.query_row([], |row| row.get(0)))
            .map_err(|error| StoreError::from(error).at(&self.path))
    }

    /// How a commit is made durable: `PRAGMA journal_mode` and `PRAGMA synchronous` of the connection that writes.
    ///
    /// # Errors
    /// When the store cannot be used or is read-only.
    pub fn durability(&self) -> Result<(String, i64), JournalError> {
        self.writing(|tx| {
            let mode = tx.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
            Ok((mode, tx.pragma_query_value(None, "synchronous", |row| row.get(0))?))
        })
    }

    /// Makes every projection anew from the events, in one transaction.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub fn rebuild(&self) -> Result<Rebuilt, JournalError> {
        self.writing(rebuild::rebuild)
    }

    /// Looks at every page whether it holds what it should. It takes about a second for 500 MB.
    ///
    /// # Errors
    /// When the store is damaged, inside of pages too, or cannot be used.
    pub fn check(&self) -> Result<(), JournalError> {
        self.reading(|db| {
            let mut check = db.prepare("PRAGMA quick_check(3)")?;
            let found = check.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
            if found == ["ok"] { Ok(()) } else { Err(StoreError::Damaged(found.join("; ").replace('\n', " "))) }
        })
    }

    /// Reads one state of the file, whatever is committed meanwhile.
    fn reading<T>(&self, f: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, JournalError> {
        let db = lock(&self.reader);
        let db = db.as_ref().ok_or_else(|| self.is_closed())?;
        db.unchecked_transaction().map_err(StoreError::from).and_then(|tx| f(&tx)).map_err(|fault| fault.at(&self.path))
    }

    /// Writes all or nothing.
    fn writing<T>(&self, f: impl FnOnce(&Transaction) -> Result<T, StoreError>) -> Result<T, JournalError> {
        let Some(writer) = &self.writer else {
            let why = self.read_only.as_deref().unwrap_or_default();
            return Err(JournalError::Store(format!("nothing was written: {why}")));
        };
        let mut db = lock(writer);
        let db = db.as_mut().ok_or_else(|| self.is_closed())?;
        let done =
            db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StoreError::from).and_then(|tx| {
                let done = f(&tx)?;
                tx.commit()?;
                Ok(done)
            });
        done.map_err(|fault| fault.at(&self.path))
    }

    fn is_closed(&self) -> JournalError {
        StoreError::Failed("it was closed, because the program ends".to_owned()).at(&self.path)
    }

    /// Indexes what no run that stands still has indexed yet. What cannot be written now is indexed later.
    fn catch_up(&self) {
        let Ok(true) = self.reading(search::is_behind) else { return };
        for _ in 0..search::BATCHES {
            match self.writing(|tx| search::catch_up(tx, None)) {
                Ok(true) => {}
                Ok(false) | Err(_) => return,
            }
        }
    }
}

/// Takes a lock. A panic elsewhere left no half-done work behind: its transaction was rolled back.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
