//! What a reader is shown of a tool call's state. It takes the attempt as well: a call that had begun when its attempt
//! ended does not run any more.

use super::{ToolCall, ToolCallEnd, ToolCallState};
use crate::core::call::{Attempt, AttemptStatus};
use crate::core::tool::CallReturn;

/// What has become of a tool call of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolCallStatus {
    /// Nothing yet.
    Asked,
    /// It may begin.
    Allowed,
    /// It runs.
    Called,
    /// It has begun, does not run any more, and nobody has said how it ended.
    InDoubt,
    /// The tool returned, be it an error.
    Returned,
    /// It is known that the tool did not return.
    Failed,
    /// It was denied, or its time was up.
    Denied,
    /// A person answered in the tool's place.
    Answered,
    /// It is left out.
    Skipped,
}

impl ToolCallStatus {
    /// The word for programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Allowed => "allowed",
            Self::Called => "called",
            Self::InDoubt => "in_doubt",
            Self::Returned => "returned",
            Self::Failed => "failed",
            Self::Denied => "denied",
            Self::Answered => "answered",
            Self::Skipped => "skipped",
        }
    }

    /// The words for a person.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Asked => "has not begun",
            Self::Allowed => "allowed, has not begun",
            Self::Called => "running",
            Self::InDoubt => "outcome unknown, it may have taken effect",
            Self::Returned | Self::Failed | Self::Denied | Self::Answered | Self::Skipped => self.name(),
        }
    }
}

impl Attempt {
    /// What has become of a tool call of it.
    #[must_use]
    pub fn status_of(&self, call: &ToolCall) -> ToolCallStatus {
        match &call.state {
            ToolCallState::Asked => ToolCallStatus::Asked,
            ToolCallState::Allowed => ToolCallStatus::Allowed,
            ToolCallState::Called if self.status == AttemptStatus::Running => ToolCallStatus::Called,
            ToolCallState::Called | ToolCallState::InDoubt => ToolCallStatus::InDoubt,
            ToolCallState::Ended(end) => match end {
                ToolCallEnd::Returned(returned) => match **returned {
                    CallReturn::Returned { .. } => ToolCallStatus::Returned,
                    CallReturn::Failed { .. } => ToolCallStatus::Failed,
                },
                ToolCallEnd::Denied { .. } => ToolCallStatus::Denied,
                ToolCallEnd::Answered { .. } => ToolCallStatus::Answered,
                ToolCallEnd::Skipped { .. } => ToolCallStatus::Skipped,
            },
        }
    }
}
