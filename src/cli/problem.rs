//! How a command ends: the exit codes, and what is said when it did not do what it was asked to.

use crate::catalog::{PinError, Unknown};
use crate::config::ConfigError;
use crate::core::decide::Refusal;
use crate::engine::{EngineError, StartError};

/// The exit codes of every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// The run failed or was cancelled.
    Failed = 1,
    /// The command cannot be done as it was given.
    Usage = 2,
    /// A person is waited for.
    Waiting = 3,
    /// A definition, an input or the config is not valid.
    Invalid = 4,
    /// The store cannot be used.
    Store = 5,
    /// The person broke it off.
    Interrupted = 130,
}

impl Exit {
    /// Of an exit code that another process of this program ended with.
    #[must_use]
    pub fn from_code(code: i32) -> Self {
        let all = [Self::Done, Self::Failed, Self::Usage, Self::Waiting, Self::Invalid, Self::Store];
        all.into_iter().find(|exit| *exit as i32 == code).unwrap_or(Self::Interrupted)
    }
}

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// The exit code.
    pub exit: Exit,
    /// What happened, where, what to do.
    pub message: String,
}

impl Problem {
    /// The arguments cannot be used.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into() }
    }

    /// A definition, an input or the config is not valid.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { exit: Exit::Invalid, message: message.into() }
    }

    /// The store cannot be used.
    #[must_use]
    pub fn store(message: impl Into<String>) -> Self {
        Self { exit: Exit::Store, message: message.into() }
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Store(message) => Self::store(message),
            other => Self::usage(other.to_string()),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::usage(refusal.to_string())
    }
}

impl From<StartError> for Problem {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Engine(error) => error.into(),
            other => Self::invalid(other.to_string()),
        }
    }
}

impl From<Unknown> for Problem {
    fn from(error: Unknown) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<PinError> for Problem {
    fn from(error: PinError) -> Self {
        match error {
            PinError::Unknown(unknown) => unknown.into(),
            other => Self::invalid(other.to_string()),
        }
    }
}

impl From<&ConfigError> for Problem {
    fn from(error: &ConfigError) -> Self {
        Self::invalid(error.to_string())
    }
}
