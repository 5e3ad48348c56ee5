//! Where a run comes from, when it was made from another.

use serde::{Deserialize, Serialize};

use crate::core::id::RunId;
use crate::core::key::Key;

/// How a run was made from another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OriginKind {
    /// Run again, with nothing taken over.
    Rerun,
    /// Forked, with what did not depend on a call.
    Fork,
    /// Started by a successor of its definition.
    Successor,
    /// Started with its result.
    FollowUp,
    /// A way that this version does not know.
    #[serde(untagged)]
    Other(String),
}

/// The run that a run was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// That run.
    pub run: RunId,
    /// How it was made.
    pub how: OriginKind,
    /// The key at which it was forked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Key>,
    /// The newest event of that run then; absent in what version 0.1.0 wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Its inputs are what another run gave, here or further back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub handed_over: bool,
}

impl Origin {
    /// Whether its inputs are what another run gave, and not a person.
    #[must_use]
    pub fn hands_over(&self) -> bool {
        self.handed_over || matches!(self.how, OriginKind::Successor | OriginKind::FollowUp | OriginKind::Other(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_that_is_not_known_is_kept_as_it_was_written() {
        for (text, known) in
            [("rerun", true), ("fork", true), ("successor", true), ("follow_up", true), ("imported", false)]
        {
            let kind: OriginKind = serde_json::from_value(text.into()).unwrap();
            assert_eq!(!matches!(kind, OriginKind::Other(_)), known, "{text}");
            assert_eq!(serde_json::to_value(&kind).unwrap(), text);
        }
    }
}
