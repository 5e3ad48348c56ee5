//! Why the engine did not do what it was asked to.

use crate::core::decide::Refusal;
use crate::core::ports::JournalError;

/// Why the engine did not do what it was asked to. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The decision may not be made.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no such run, or more than one.
    #[error("{0}")]
    NoRun(String),
    /// The store cannot be used.
    #[error("{0}")]
    Store(String),
}

impl From<JournalError> for EngineError {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::NoRun(message) => Self::NoRun(message),
            other => Self::Store(other.to_string()),
        }
    }
}
