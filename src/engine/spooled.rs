//! The names under which what is on its way into the journal is spooled. They are read by later versions.

use crate::core::fingerprint::Fingerprint;
use crate::core::key::Key;
use crate::core::tool_call::ToolCallId;

/// The text of an attempt, as far as it has arrived.
pub fn partial(key: &Key, attempt: u32) -> String {
    format!("{key}.{attempt}.partial")
}

/// How an attempt, or a tool call of it, ended, while the store cannot take it.
pub fn outcome(key: &Key, attempt: u32, call: Option<ToolCallId>) -> String {
    format!("{}.outcome", unit(key, attempt, call))
}

/// The program that an attempt, or a tool call of it, has started.
pub fn program(key: &Key, attempt: u32, call: Option<ToolCallId>) -> String {
    format!("{}.program", unit(key, attempt, call))
}

fn unit(key: &Key, attempt: u32, call: Option<ToolCallId>) -> String {
    call.map_or_else(|| format!("{key}.{attempt}"), |call| format!("{key}.{attempt}.{call}"))
}

/// Whether that is the name of a program's note.
pub fn is_program(name: &str) -> bool {
    name.ends_with(".program")
}

/// What the name of an unsaved text ends with.
const DRAFT: &str = ".draft";

/// An unsaved text, while the store cannot take it.
pub fn draft(name: &str) -> String {
    format!("{}{DRAFT}", &Fingerprint::of_bytes(name.as_bytes()).as_str()[..16])
}

/// Whether that is the name of an unsaved text.
pub fn is_draft(name: &str) -> bool {
    name.ends_with(DRAFT)
}
