//! What an event is about: the call, the tool call, the work.

use std::sync::Arc;

use super::Event;
use crate::core::actor::Actor;
use crate::core::key::Key;
use crate::core::tool_call::ToolCallId;
use crate::core::work::Work;

impl Event {
    /// Whether a person, or whoever acts for one, asks for a call to be performed again.
    #[must_use]
    pub fn asks_again(&self) -> bool {
        match self {
            Self::AttemptRejected { .. } => true,
            Self::CallRequested { by, .. } => *by != Actor::Flow,
            _ => false,
        }
    }

    /// The call that this event is about.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        match self {
            Self::AttemptStarted(started) => Some(&started.key),
            Self::GateOpened(gate) => gate.document().is_none().then_some(&gate.key),
            Self::AttemptFinished { key, .. }
            | Self::AttemptFailed { key, .. }
            | Self::AttemptCancelled { key, .. }
            | Self::AttemptRejected { key, .. }
            | Self::AttemptResumed { key, .. }
            | Self::ToolsListed { key, .. }
            | Self::TurnFinished { key, .. }
            | Self::ToolCalled { key, .. }
            | Self::ToolReturned { key, .. }
            | Self::VersionEdited { key, .. }
            | Self::CallAccepted { key, .. }
            | Self::CallApproved { key, .. }
            | Self::CallAnswered { key, .. }
            | Self::CallSkipped { key, .. }
            | Self::CallFailed { key, .. }
            | Self::CallStaled { key, .. }
            | Self::CallKept { key, .. }
            | Self::CallRestored { key, .. }
            | Self::CallMoved { key, .. }
            | Self::CallAdopted { key, .. }
            | Self::CallReopened { key, .. }
            | Self::CallRequested { key, .. }
            | Self::ModelChosen { key, .. }
            | Self::ActionRequested { key, .. }
            | Self::CallCancelled { key, .. }
            | Self::FlowDecided { key, .. }
            | Self::StateSet { key, .. } => Some(key),
            Self::DecisionUndone { key, .. } => key.as_ref(),
            Self::Warned { .. }
            | Self::RunCreated(_)
            | Self::RunResumed { .. }
            | Self::RunWaiting {}
            | Self::RunPaused { .. }
            | Self::RunCompleted { .. }
            | Self::RunFailed { .. }
            | Self::RunCancelled { .. }
            | Self::RunRenamed { .. }
            | Self::RunArchived { .. }
            | Self::RunUpdated { .. }
            | Self::BudgetRaised { .. }
            | Self::MessageAdded { .. }
            | Self::DocumentWritten { .. }
            | Self::DocumentChosen { .. }
            | Self::Logged { .. }
            | Self::Unknown(_) => None,
        }
    }

    /// Who decided, where a person may have.
    #[must_use]
    pub fn decided_by(&self) -> Option<&Actor> {
        match self {
            Self::RunRenamed { by, .. }
            | Self::RunArchived { by, .. }
            | Self::RunUpdated { by, .. }
            | Self::RunCancelled { by }
            | Self::BudgetRaised { by, .. }
            | Self::MessageAdded { by, .. }
            | Self::DocumentWritten { by, .. }
            | Self::DocumentChosen { by, .. }
            | Self::ActionRequested { by, .. }
            | Self::AttemptRejected { by, .. }
            | Self::VersionEdited { by, .. }
            | Self::CallAccepted { by, .. }
            | Self::CallApproved { by, .. }
            | Self::CallAnswered { by, .. }
            | Self::CallSkipped { by, .. }
            | Self::CallFailed { by, .. }
            | Self::CallKept { by, .. }
            | Self::CallReopened { by, .. }
            | Self::CallRequested { by, .. }
            | Self::ModelChosen { by, .. } => Some(by),
            _ => None,
        }
    }

    /// The tool call whose gate this event answers.
    #[must_use]
    pub fn tool_call(&self) -> Option<ToolCallId> {
        match self {
            Self::CallApproved { call, .. }
            | Self::CallAnswered { call, .. }
            | Self::CallSkipped { call, .. }
            | Self::CallFailed { call, .. }
            | Self::CallRequested { call, .. } => *call,
            _ => None,
        }
    }

    /// The work, where the event holds it.
    #[must_use]
    pub fn work(&self) -> Option<&Arc<Work>> {
        if let Self::AttemptStarted(started) = self { started.work.as_ref() } else { None }
    }

    /// The step's id, where the event names it.
    pub(in crate::core) fn step(&self) -> Option<&str> {
        match self {
            Self::AttemptStarted(started) => Some(&started.step),
            Self::CallSkipped { step, .. } | Self::CallFailed { step, .. } | Self::CallAdopted { step, .. } => {
                Some(step)
            }
            Self::ActionRequested { action, .. } => Some(action),
            _ => None,
        }
    }

    /// The child workflow that declares the step, where the event names it.
    pub(in crate::core) fn workflow(&self) -> Option<&str> {
        match self {
            Self::AttemptStarted(started) => started.workflow.as_deref(),
            Self::GateOpened(gate) => gate.workflow.as_deref(),
            Self::CallAdopted { workflow, .. } => workflow.as_deref(),
            _ => None,
        }
    }
}
