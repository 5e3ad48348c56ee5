//! How far a person's instruction reaches, and those that hold for later runs.

use serde::{Deserialize, Serialize};

use crate::core::step_name::StepName;

/// How far an instruction reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum InstructionScope {
    /// Later attempts of this call.
    #[default]
    This,
    /// Also calls of this step that have not started.
    Remaining,
    /// Also later runs.
    Always,
}

/// An instruction that a person wants to hold for all later runs of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lesson {
    /// The child workflow that declares the step; absent: the definition that it is a lesson of does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// The step.
    pub step: String,
    /// What to heed.
    pub text: String,
}

impl Lesson {
    /// The step that it is about.
    #[must_use]
    pub fn of(&self) -> StepName<'_> {
        StepName { workflow: self.workflow.as_deref(), step: &self.step }
    }
}
