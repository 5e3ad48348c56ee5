//! What can go wrong in the store, and how it is told to a person: what happened, where, what to do.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::core::ports::JournalError;

/// A failure inside the module. The path is added where it leaves the module.
#[derive(Debug)]
pub(super) enum StoreError {
    /// SQLite did not do it.
    Sql(rusqlite::Error),
    /// Something could not be written as JSON or read from it.
    Json(serde_json::Error),
    /// The file system did not do it.
    Io(std::io::Error),
    /// An answer of the port.
    Journal(JournalError),
    /// Already told in full but for the place.
    Failed(String),
    /// Larger than what is kept; told in full but for the place.
    TooLarge(String),
    /// A newer version of the program wrote it; told in full but for the place.
    Newer(String),
    /// What the file holds is not what was written: where.
    Damaged(String),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<JournalError> for StoreError {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

impl StoreError {
    /// Whether the file or its folder cannot be written, so that it may still be read.
    pub(super) fn is_read_only(&self) -> bool {
        match self {
            Self::Sql(error) => matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied)
            ),
            Self::Io(error) => {
                matches!(error.kind(), std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem)
            }
            _ => false,
        }
    }

    /// Whether another process held the lock for too long.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self, Self::Sql(error) if matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
        ))
    }

    /// As the port tells it, for the store at `path`.
    pub(super) fn at(self, path: &Path) -> JournalError {
        let place = path.display();
        if self.is_busy() {
            return JournalError::Busy(format!(
                "the store {place} has been locked by another process for too long: nothing was written. \
                 Try again; if it stays so, end the process that has the file open"
            ));
        }
        let text = match self {
            Self::Journal(error) => return error,
            Self::Failed(text) => format!("the store {place}: {text}"),
            Self::TooLarge(text) => return JournalError::TooLarge(format!("the store {place}: {text}")),
            Self::Newer(text) => return JournalError::Newer(format!("the store {place}: {text}")),
            Self::Json(error) => format!(
                "the store {place} contains something that this program cannot read ({error}): \
                 was it written by a newer version? Update stepwell"
            ),
            Self::Io(error) => {
                format!("the store {place} cannot be opened: {error}. Check its folder and its permissions")
            }
            Self::Sql(error) => explain(&place.to_string(), &error),
            Self::Damaged(what) => damaged(&place.to_string(), &what),
        };
        JournalError::Store(text)
    }
}

fn damaged(place: &str, what: &str) -> String {
    format!(
        "the store {place} is damaged ({what}). It was left as it is: copy it to a safe place, \
         try `sqlite3 {place} .recover`, or move it away to begin a new one"
    )
}

fn explain(place: &str, error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            format!("the disk with the store {place} is full: nothing was written. Free some space and try again")
        }
        Some(ErrorCode::ReadOnly) => {
            format!("the store {place} cannot be written: the file or its folder is read-only. Make both writable")
        }
        Some(ErrorCode::NotADatabase) => format!(
            "{place} is not a store (file is not a database). It was left as it is: \
             move it away, or set STEPWELL_HOME to another folder"
        ),
        Some(ErrorCode::DatabaseCorrupt) => damaged(place, &error.to_string()),
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            format!("the store {place} cannot be opened: {error}. Check that its folder exists, and its permissions")
        }
        Some(ErrorCode::SystemIoFailure) => format!(
            "the disk failed while the store {place} was used ({error}): what was not confirmed was not written. \
             Check the disk and try again"
        ),
        _ => format!("the store {place} failed an operation: {error}"),
    }
}
