//! The names of drafts that more than one front end knows: an edit that was begun in one is there in the others.

use crate::core::key::Key;
use crate::core::tool_call::ToolCallId;

/// The draft of an edit of the output that waits for a review, as a text.
#[must_use]
pub fn edit(key: &Key) -> String {
    format!("edit:{key}")
}

/// The draft of an edit of the arguments of a tool call, as JSON. Those of another attempt's are others.
#[must_use]
pub fn arguments(key: &Key, attempt: u32, call: ToolCallId) -> String {
    format!("arguments:{key}:{attempt}:{call}")
}

/// Whether a draft is of an edit in the call with that key.
#[must_use]
pub fn is_about(draft: &str, key: &Key) -> bool {
    let of_arguments = || draft.strip_prefix("arguments:")?.strip_prefix(&key.to_string())?.strip_prefix(':');
    draft == edit(key) || of_arguments().is_some()
}
