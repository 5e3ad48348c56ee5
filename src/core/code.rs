//! Codes: what a refusal or an error is, for a program that reacts to it.
//!
//! Every error that leaves a module has one, in addition to its text. Texts are for people and change; a code never
//! does, and a script, a test and the interface ask for it and for nothing else. The list is closed: a new error takes
//! the code whose reader would do the right thing.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a refusal or an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// The command cannot be done as it was given: flags, or the name of something that does not exist.
    Usage,
    /// No run has that id.
    NoRun,
    /// The run has no such call, or the call no such attempt.
    NoCall,
    /// More than one run or call fits: name it more exactly.
    Ambiguous,
    /// The call, or anything in the run, does not wait for a decision now: it was answered, still runs or has not begun.
    NotWaiting,
    /// What was asked for is not among what can be done here now.
    NotAllowed,
    /// Another attempt or version was seen than the newest: look again, then decide.
    StaleView,
    /// The run is completed or cancelled, and this needs one that is not.
    Over,
    /// Another process drives the run, and only the one that drives may do this.
    DrivenElsewhere,
    /// A value does not fit the input, the form or the schema that it was given for.
    InvalidInput,
    /// A definition or the config has mistakes.
    InvalidDefinition,
    /// The definition may not run before a person trusts it.
    Untrusted,
    /// No model answers to that role or name.
    UnknownModel,
    /// No server or definition has that tool.
    UnknownTool,
    /// Somebody else was faster, or has another history under the same name: read again, then try again.
    Conflict,
    /// Something with that name exists, and nothing is written over it.
    Exists,
    /// A person who has to agree did not.
    Denied,
    /// The path cannot be used: it leads out of its folder, is a link, or cannot be written.
    PathRefused,
    /// Larger than what is taken.
    TooLarge,
    /// The store, or the machine beneath it, did not do its part.
    Store,
    /// It would cost more than may be spent.
    Budget,
    /// A newer version of the program wrote it.
    Newer,
}

impl ErrorCode {
    /// Every code, in the order in which they are documented.
    pub const ALL: [Self; 22] = [
        Self::Usage,
        Self::NoRun,
        Self::NoCall,
        Self::Ambiguous,
        Self::NotWaiting,
        Self::NotAllowed,
        Self::StaleView,
        Self::Over,
        Self::DrivenElsewhere,
        Self::InvalidInput,
        Self::InvalidDefinition,
        Self::Untrusted,
        Self::UnknownModel,
        Self::UnknownTool,
        Self::Conflict,
        Self::Exists,
        Self::Denied,
        Self::PathRefused,
        Self::TooLarge,
        Self::Store,
        Self::Budget,
        Self::Newer,
    ];

    /// The name, as it is written in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::NoRun => "no_run",
            Self::NoCall => "no_call",
            Self::Ambiguous => "ambiguous",
            Self::NotWaiting => "not_waiting",
            Self::NotAllowed => "not_allowed",
            Self::StaleView => "stale_view",
            Self::Over => "over",
            Self::DrivenElsewhere => "driven_elsewhere",
            Self::InvalidInput => "invalid_input",
            Self::InvalidDefinition => "invalid_definition",
            Self::Untrusted => "untrusted",
            Self::UnknownModel => "unknown_model",
            Self::UnknownTool => "unknown_tool",
            Self::Conflict => "conflict",
            Self::Exists => "exists",
            Self::Denied => "denied",
            Self::PathRefused => "path_refused",
            Self::TooLarge => "too_large",
            Self::Store => "store",
            Self::Budget => "budget",
            Self::Newer => "newer",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As published: scripts ask for these names.
    const PUBLISHED: &str = "usage no_run no_call ambiguous not_waiting not_allowed stale_view over driven_elsewhere \
        invalid_input invalid_definition untrusted unknown_model unknown_tool conflict exists denied path_refused \
        too_large store budget newer";

    #[test]
    fn the_codes_are_those_that_were_published() {
        let names: Vec<&str> = ErrorCode::ALL.into_iter().map(ErrorCode::name).collect();
        assert_eq!(names.join(" "), PUBLISHED);
    }

    #[test]
    fn a_code_is_written_in_json_by_its_name_and_read_again() {
        for code in ErrorCode::ALL {
            let json = serde_json::to_value(code).unwrap();
            assert_eq!(json, code.name());
            assert_eq!(serde_json::from_value::<ErrorCode>(json).unwrap(), code);
            assert_eq!(code.to_string(), code.name());
        }
    }
}
