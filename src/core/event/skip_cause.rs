//! Why a flow leaves a call out, as the journal names it: what tells one cause from another, whatever is shown of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Why a flow leaves a call out.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipCause {
    /// Its `when` is false.
    When,
    /// No switch that may choose it has chosen it.
    NotChosen,
    /// This step, on which it depends, was skipped.
    DependencySkipped(String),
    /// This step, on which it depends, failed, and the run continues.
    DependencyFailed(String),
    /// Nothing that it waits for was accepted.
    NoneAccepted,
    /// It handles failures, and there were none.
    NothingToHandle,
    /// This step came first wherever its own output would have been used.
    Lost(String),
    /// The list is shorter now, a repeat ends earlier, or its step is not performed any more.
    Unwanted,
    /// The script or program ended without waiting for it.
    CodeEnded,
    /// A cause that this version does not know.
    #[serde(untagged)]
    Other(Value),
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cause_reads_as_it_was_written_and_an_unknown_one_is_kept() {
        for (text, known) in [
            (json!("when"), true),
            (json!({ "dependency_skipped": "a" }), true),
            (json!({ "lost": "a" }), true),
            (json!("tired"), false),
            (json!({ "because": ["a"] }), false),
        ] {
            let cause: SkipCause = serde_json::from_value(text.clone()).unwrap();
            assert_eq!(!matches!(cause, SkipCause::Other(_)), known, "{text}");
            assert_eq!(serde_json::to_value(&cause).unwrap(), text);
        }
    }
}
