//! Why the engine did not do what it was asked to.

use crate::core::code::ErrorCode;
use crate::core::decide::Refusal;
use crate::core::ports::JournalError;

/// Why the engine did not do what it was asked to. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The decision may not be made.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no such run.
    #[error("{0}")]
    NoRun(String),
    /// More than one run is named.
    #[error("{0}")]
    Ambiguous(String),
    /// The store cannot be used.
    #[error(transparent)]
    Store(JournalError),
}

impl EngineError {
    /// What is done in the background needs something to do it.
    pub(super) fn no_runtime() -> Self {
        let text = "runs are driven and watched in the background: call this within a Tokio runtime";
        Refusal::new(ErrorCode::Usage, text).into()
    }

    /// Its code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(refusal) => refusal.code,
            Self::NoRun(_) => ErrorCode::NoRun,
            Self::Ambiguous(_) => ErrorCode::Ambiguous,
            Self::Store(error) => error.code(),
        }
    }
}

impl From<JournalError> for EngineError {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::NoRun(message) => Self::NoRun(message),
            JournalError::NoLesson(message) => Self::Refused(Refusal::new(ErrorCode::Usage, message)),
            JournalError::Conflict { .. }
            | JournalError::SessionChanged
            | JournalError::Superseded
            | JournalError::TooLarge(_)
            | JournalError::Newer(_)
            | JournalError::Busy(_)
            | JournalError::Store(_) => Self::Store(error),
        }
    }
}
