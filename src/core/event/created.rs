//! What a run is created with.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Lesson, Origin};
use crate::core::actor::Actor;
use crate::core::fingerprint::Fingerprint;
use crate::core::task::Kind;
use crate::core::text::Untrusted;
use crate::core::usage::Budget;

/// All that a run is created with; nothing of it changes outside the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Created {
    /// The task's id.
    pub task: String,
    /// Its kind.
    pub kind: Kind,
    /// What the person reads: the task and its first input.
    pub title: String,
    /// Who started it, `user@host`.
    pub by: Actor,
    /// The folder in which it was started.
    pub cwd: PathBuf,
    /// The inputs, an object.
    pub inputs: Arc<Value>,
    /// The content hash of the pinned definition.
    pub definition: Fingerprint,
    /// A random text that marks this run's secrets in rendered work.
    pub nonce: String,
    /// The session that it shares state and history with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The session's state when it started.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub state: Value,
    /// The session's earlier runs as conversation, oldest first: `[user text, result]` each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier_runs: Vec<(String, Untrusted)>,
    /// What was learned, when it started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub learned: Vec<Lesson>,
    /// The model that `--model` named, in the place of the task's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What it may spend, when that was said at the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// The run that it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}
