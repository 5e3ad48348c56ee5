//! A tool call on one line: what is asked for, and what came of it.

use serde_json::Value;

use crate::core::call::{Attempt, ToolCall, ToolCallEnd};
use crate::core::text::{Untrusted, output_text, shortened};
use crate::core::tool::CallReturn;

/// So many characters of arguments and of what a call returned.
const LONGEST: usize = 160;

fn in_short(text: &Untrusted) -> String {
    shortened(&text.line(), LONGEST)
}

/// `files/read {"path":"a"}`
#[must_use]
pub fn asked(tool: &str, arguments: &Value) -> String {
    in_short(&Untrusted::from(format!("{tool} {arguments}")))
}

/// What a tool returned.
#[must_use]
pub fn returned(outcome: &CallReturn) -> String {
    match outcome {
        CallReturn::Returned { output, is_error, images, .. } => {
            let failed = if *is_error { "failed: " } else { "" };
            let pictures = if images.is_empty() { String::new() } else { format!(" ({} pictures)", images.len()) };
            format!("{failed}{}{pictures}", in_short(&output_text(output)))
        }
        CallReturn::Failed { error } => format!("failed: {}", in_short(&Untrusted::from(error.message.as_str()))),
    }
}

/// What has become of a call of an attempt.
#[must_use]
pub fn state(attempt: &Attempt, call: &ToolCall) -> String {
    match call.end() {
        None => attempt.status_of(call).text().to_owned(),
        Some(ToolCallEnd::Returned(outcome)) => returned(outcome),
        Some(ToolCallEnd::Denied { error, by }) => {
            format!("denied by {by}: {}", in_short(&Untrusted::from(error.message.as_str())))
        }
        Some(ToolCallEnd::Answered { value, by }) => format!("answered by {by}: {}", in_short(&output_text(value))),
        Some(ToolCallEnd::Skipped { because }) => {
            format!("skipped: {}", in_short(&Untrusted::from(because.as_str())))
        }
    }
}
