//! How an attempt begins, and what it took.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::core::actor::Actor;
use crate::core::fingerprint::Fingerprint;
use crate::core::key::Key;
use crate::core::model::{Discarded, Finish};
use crate::core::step::OnCrash;
use crate::core::text::Untrusted;
use crate::core::usage::Usage;
use crate::core::work::Work;

/// The intent to perform a call, committed before the work begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// The call.
    pub key: Key,
    /// The child workflow that declares its step; absent: the run's own definition does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// Its step.
    pub step: String,
    /// From 1.
    pub attempt: u32,
    /// What it was asked to do.
    pub fingerprint: Fingerprint,
    /// `model`, `person`, `program` or `cache`: who makes the output.
    pub by: Actor,
    /// The exact work; absent for a transform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<Arc<Work>>,
    /// The item of a fan-out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<Arc<Value>>,
    /// The calls whose outputs it used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends: Vec<Key>,
    /// What a crash does to it.
    pub on_crash: OnCrash,
}

/// What a performed attempt came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The model that was asked, `PROVIDER/MODEL`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The model that answered, in the server's words, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<String>,
    /// Tokens and cost.
    #[serde(default)]
    pub usage: Usage,
    /// To the first token, in milliseconds.
    #[serde(default)]
    pub first_token_ms: u64,
    /// In all, in milliseconds.
    #[serde(default)]
    pub ms: u64,
    /// Why the model stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish: Option<Finish>,
    /// A fallback and its cause, a prompt that was cut, a file that holds the full output.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The model's reasoning, apart from its output.
    #[serde(default, skip_serializing_if = "Untrusted::is_empty")]
    pub thinking: Untrusted,
    /// What models wrote in this attempt that is no part of its output, in the order in which it came.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub discarded: Vec<Discarded>,
}

impl Measured {
    /// The model for a person: the one that was asked, with the one that answered where that is another.
    #[must_use]
    pub fn model_in_full(&self) -> Option<String> {
        let model = self.model.as_ref()?;
        Some(match &self.answered_by {
            Some(other) => format!("{model} (answered by {other})"),
            None => model.clone(),
        })
    }
}
