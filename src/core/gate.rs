//! Gates: what waits for a person. One type for all of them; events open and answer it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::key::Key;

/// What a gate waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateFor {
    /// The judgement of an attempt's output.
    Review,
    /// The leave to act outside.
    Approval,
    /// A form, or the next message of a conversation.
    Input,
    /// The truth about an effect whose outcome is not known.
    InDoubt,
    /// Whether a result made from something that changed is kept or made again.
    Stale,
    /// A higher budget.
    Budget,
    /// The value of a secret.
    Secret,
}

impl GateFor {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Review => "review",
            Self::Approval => "approval",
            Self::Input => "input",
            Self::InDoubt => "in_doubt",
            Self::Stale => "stale",
            Self::Budget => "budget",
            Self::Secret => "secret",
        }
    }
}

impl fmt::Display for GateFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One of the answers that a gate may allow. The names are the flags of `stepwell review`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Take the version that was seen.
    Accept,
    /// Record a version of one's own.
    Edit,
    /// Have it tried again, with an instruction.
    Retry,
    /// Go on without it.
    Skip,
    /// Allow the effect.
    Approve,
    /// Refuse the effect.
    Deny,
    /// Give the value.
    Answer,
    /// Run it again.
    Again,
    /// Keep the result as it is.
    Keep,
    /// Raise the budget.
    Budget,
}

impl Answer {
    /// The name in JSON and, after `--`, the flag of `stepwell review`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Edit => "edit",
            Self::Retry => "retry",
            Self::Skip => "skip",
            Self::Approve => "approve",
            Self::Deny => "deny",
            Self::Answer => "answer",
            Self::Again => "again",
            Self::Keep => "keep",
            Self::Budget => "budget",
        }
    }
}

/// Something that waits for a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// The call that waits.
    pub key: Key,
    /// The child workflow that declares its step, where the call has not begun; absent: its attempts say so, or the
    /// run's own definition declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// What it waits for.
    #[serde(rename = "for")]
    pub kind: GateFor,
    /// The attempt that it is about; 0 when there is none yet.
    pub attempt: u32,
    /// The version that it is about; 0 when there is none.
    pub version: u32,
    /// What a person has to see to decide: the schema and failed checks of a review, the exact work of an approval,
    /// the fields of a form.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub shows: Value,
    /// The answers that it takes.
    pub allowed: Vec<Answer>,
}
