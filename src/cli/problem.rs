//! How a command ends: the exit codes, and what is said when it did not do what it was asked to.

use crate::app::consent::{ConsentError, UnknownModel};
use crate::app::definitions::NoDefinition;
use crate::app::documents::DocumentError;
use crate::app::inputs::{InputError, InputErrors};
use crate::catalog::scaffold::ScaffoldError;
use crate::catalog::trust::TrustError;
use crate::catalog::{NothingThere, PinError, Unknown};
use crate::config::{ConfigError, NoHome};
use crate::core::code::ErrorCode;
use crate::core::decide::Refusal;
use crate::core::key::BadKey;
use crate::core::ports::JournalError;
use crate::core::run::NotARun;
use crate::engine::{EngineError, StartError};
use crate::export::{ExportError, wire};

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
    /// For a program.
    pub code: ErrorCode,
    /// What happened, where, what to do.
    pub message: String,
}

impl Problem {
    /// The command cannot be done as it was given: its flags, or the name of something that does not exist.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self::refused(ErrorCode::Usage, message)
    }

    /// The command may not or cannot be done here and now.
    #[must_use]
    pub fn refused(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, code, message: message.into() }
    }

    /// A definition, an input or the config is not valid.
    #[must_use]
    pub fn invalid(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { exit: Exit::Invalid, code, message: message.into() }
    }

    /// The person, or a signal, ended it.
    #[must_use]
    pub fn interrupted(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { exit: Exit::Interrupted, code, message: message.into() }
    }

    /// The same with more to say.
    #[must_use]
    pub fn and(self, more: &str) -> Self {
        Self { message: format!("{}{more}", self.message), ..self }
    }

    /// The last line of stdout where a program reads it: one JSON object.
    #[must_use]
    pub fn line(&self) -> String {
        wire::error(self.code, &self.message)
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        let exit = match &error {
            EngineError::Store(_) => Exit::Store,
            EngineError::Refused(_) | EngineError::NoRun(_) | EngineError::Ambiguous(_) => Exit::Usage,
        };
        Self { exit, code: error.code(), message: error.to_string() }
    }
}

impl From<JournalError> for Problem {
    fn from(error: JournalError) -> Self {
        EngineError::from(error).into()
    }
}

impl From<NotARun> for Problem {
    fn from(error: NotARun) -> Self {
        JournalError::from(error).into()
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        EngineError::from(refusal).into()
    }
}

impl From<StartError> for Problem {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Engine(error) => error.into(),
            StartError::Inputs(_) | StartError::Definition(_) => Self::invalid(error.code(), error.to_string()),
        }
    }
}

impl From<ConsentError> for Problem {
    fn from(error: ConsentError) -> Self {
        match error {
            ConsentError::Unknown(unknown) => unknown.into(),
            ConsentError::Engine(error) => error.into(),
        }
    }
}

impl From<UnknownModel> for Problem {
    fn from(error: UnknownModel) -> Self {
        Self::invalid(error.code(), error.to_string())
    }
}

impl From<InputErrors> for Problem {
    fn from(wrong: InputErrors) -> Self {
        Self::invalid(wrong.code(), wrong.to_string())
    }
}

impl From<InputError> for Problem {
    fn from(wrong: InputError) -> Self {
        Self::invalid(wrong.code, wrong.to_string())
    }
}

impl From<DocumentError> for Problem {
    fn from(error: DocumentError) -> Self {
        match error {
            DocumentError::Engine(error) => error.into(),
            other => Self::refused(other.code(), other.to_string()),
        }
    }
}

impl From<NoDefinition> for Problem {
    fn from(error: NoDefinition) -> Self {
        match error {
            NoDefinition::Today(error) => error.into(),
            NoDefinition::Kept(error) => error.into(),
        }
    }
}

impl From<Unknown> for Problem {
    fn from(error: Unknown) -> Self {
        Self::refused(error.code(), error.to_string())
    }
}

impl From<PinError> for Problem {
    fn from(error: PinError) -> Self {
        match error {
            PinError::Unknown(unknown) => unknown.into(),
            PinError::Wrong(_) | PinError::Untrusted { .. } => Self::invalid(error.code(), error.to_string()),
        }
    }
}

impl From<NothingThere> for Problem {
    fn from(error: NothingThere) -> Self {
        Self::refused(error.code(), error.to_string())
    }
}

impl From<TrustError> for Problem {
    fn from(error: TrustError) -> Self {
        Self::refused(error.code(), error.to_string())
    }
}

impl From<ScaffoldError> for Problem {
    fn from(error: ScaffoldError) -> Self {
        Self::refused(error.code(), error.to_string())
    }
}

impl From<ExportError> for Problem {
    fn from(error: ExportError) -> Self {
        Self::refused(error.code(), error.to_string())
    }
}

impl From<BadKey> for Problem {
    fn from(error: BadKey) -> Self {
        Self::refused(error.code(), error.to_string())
    }
}

impl From<&ConfigError> for Problem {
    fn from(error: &ConfigError) -> Self {
        Self::invalid(error.code(), error.to_string())
    }
}

impl From<NoHome> for Problem {
    fn from(error: NoHome) -> Self {
        Self { exit: Exit::Store, code: ErrorCode::Store, message: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_survives_the_way_from_the_store_to_the_command_line() {
        let why = || "why".to_owned();
        for error in [
            JournalError::Conflict { head: 1 },
            JournalError::Superseded,
            JournalError::NoRun(why()),
            JournalError::NoLesson(why()),
            JournalError::TooLarge(why()),
            JournalError::Newer(why()),
            JournalError::Busy(why()),
            JournalError::Store(why()),
        ] {
            let code = error.code();
            let of_engine = EngineError::from(error);
            assert_eq!(of_engine.code(), code);
            let of_start = StartError::from(of_engine);
            assert_eq!(of_start.code(), code);
            let problem = Problem::from(of_start);
            assert_eq!(problem.code, code);
            let is_the_stores = !matches!(code, ErrorCode::NoRun | ErrorCode::Usage);
            assert_eq!(problem.exit == Exit::Store, is_the_stores, "{code}");
        }
    }
}
