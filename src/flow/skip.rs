//! Why a call is not performed: what the journal and the flow tell one cause from another by, and what a person reads.

use crate::core::event::SkipCause;
use crate::core::template::Expr;
use crate::flow::plan::Parsed;

/// Why a call is not performed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Skip {
    /// The cause; `None`: a person decided so.
    pub cause: Option<SkipCause>,
    /// What a person reads. It identifies nothing.
    pub because: String,
}

impl Skip {
    fn of(cause: SkipCause, because: impl Into<String>) -> Self {
        Self { cause: Some(cause), because: because.into() }
    }

    /// A person left it out.
    pub fn by_person(because: &str) -> Self {
        Self { cause: None, because: because.to_owned() }
    }

    /// Its condition is false.
    pub fn when(when: &Parsed<Expr>) -> Self {
        let source = when.as_ref().map_or_else(ToString::to_string, |expr| expr.source().to_owned());
        Self::of(SkipCause::When, format!("`when` is false: {source}"))
    }

    /// These switches have chosen other steps.
    pub fn not_chosen<'a>(switches: impl Iterator<Item = &'a str>) -> Self {
        let names: Vec<_> = switches.map(|switch| format!("`{switch}`")).collect();
        Self::of(SkipCause::NotChosen, format!("{} chose another way", names.join(" and ")))
    }

    /// A step that it depends on was skipped.
    pub fn dependency_skipped(step: &str) -> Self {
        Self::of(SkipCause::DependencySkipped(step.to_owned()), format!("`{step}` was skipped"))
    }

    /// A step that it depends on failed.
    pub fn dependency_failed(step: &str) -> Self {
        Self::of(SkipCause::DependencyFailed(step.to_owned()), format!("`{step}` failed"))
    }

    /// Nothing that it waits for was accepted.
    pub fn none_accepted() -> Self {
        Self::of(SkipCause::NoneAccepted, "none of what it waits for was accepted")
    }

    /// There was no failure to handle.
    pub fn nothing_to_handle() -> Self {
        Self::of(SkipCause::NothingToHandle, "there was nothing to handle")
    }

    /// Another step came first.
    pub fn lost(winner: &str) -> Self {
        Self::of(SkipCause::Lost(winner.to_owned()), format!("`{winner}` came first"))
    }

    /// Nothing asks for it any more.
    pub fn unwanted() -> Self {
        Self::of(SkipCause::Unwanted, "it is no longer needed")
    }

    /// The code did not wait for it.
    pub fn code_ended() -> Self {
        Self::of(SkipCause::CodeEnded, "the code ended without it")
    }
}
