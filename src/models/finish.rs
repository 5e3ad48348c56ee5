//! What a server's reason for the end of an answer means. The protocols and the servers behind gateways each have words
//! of their own, so one table reads them all.
//!
//! A reason that is not known is a failure: an answer of which nobody knows whether it is whole is not taken as whole.

use crate::core::failure::FailureClass;
use crate::core::model::Finish;

use super::dialect::ProviderError;

/// The model had said all.
const WHOLE: [&str; 10] =
    ["stop", "end_turn", "stop_sequence", "eos", "eos_token", "end", "complete", "completed", "done", "success"];

/// The model waits for what tools return, or gave its answer as a call of one.
const CALLS: [&str; 6] = ["tool_calls", "tool_call", "tool_use", "tool", "function_call", "function_calls"];

/// A limit cut the answer.
const CUT: [&str; 9] = [
    "length",
    "max_tokens",
    "max_output_tokens",
    "max_completion_tokens",
    "max_length",
    "model_length",
    "model_context_window_exceeded",
    "context_length",
    "context_length_exceeded",
];

/// A filter, or the model itself, declined.
const REFUSED: [&str; 14] = [
    "content_filter",
    "content_filtered",
    "refusal",
    "safety",
    "image_safety",
    "recitation",
    "blocklist",
    "prohibited_content",
    "spii",
    "sensitive",
    "moderation",
    "blocked",
    "guardrail",
    "guardrail_intervened",
];

/// What `reason` means.
///
/// # Errors
/// When the server gave up in the middle, or gives a reason that is not known.
pub(super) fn finish(reason: &str) -> Result<Finish, ProviderError> {
    let word = reason.trim().to_ascii_lowercase().replace(['-', ' '], "_");
    let word = ["finish_reason_", "finishreason."]
        .iter()
        .fold(word.as_str(), |word, prefix| word.strip_prefix(prefix).unwrap_or(word));
    if WHOLE.contains(&word) {
        return Ok(Finish::Stop);
    }
    if CALLS.contains(&word) {
        return Ok(Finish::Calls);
    }
    if CUT.contains(&word) {
        return Ok(Finish::Length);
    }
    if REFUSED.contains(&word) {
        return Ok(Finish::Refused);
    }
    let text = match word {
        "error" => "ended the answer with an error".to_owned(),
        "load" | "unload" => "loaded or unloaded the model instead of answering".to_owned(),
        _ => {
            let shown: String = reason.chars().take(80).collect();
            format!("ended the answer before it was complete, and gives as its reason: {shown}")
        }
    };
    Err(ProviderError::new(FailureClass::Server, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_servers_word_for_an_end_has_its_meaning() {
        for (meaning, reasons) in [
            (Finish::Stop, ["stop", "STOP", "end_turn", "end", "FINISH_REASON_STOP"].as_slice()),
            (Finish::Calls, &["tool_calls", "tool_use", "function_call", "TOOL_CALLS", "tool-calls"]),
            (Finish::Length, &["length", "max_tokens", "MAX_TOKENS", "model_length", "FINISH_REASON_MAX_TOKENS"]),
            (Finish::Refused, &["content_filter", "SAFETY", "PROHIBITED_CONTENT", "content-filter", "refusal"]),
        ] {
            for reason in reasons {
                assert_eq!(finish(reason), Ok(meaning), "{reason}");
            }
        }
    }

    #[test]
    fn an_end_that_is_none_and_one_that_is_not_known_are_failures() {
        for reason in [
            "error",
            "abort",
            "insufficient_system_resource",
            "unload",
            "load",
            "network_error",
            "pause_turn",
            "MALFORMED_FUNCTION_CALL",
            "something new",
        ] {
            assert_eq!(finish(reason).unwrap_err().class, FailureClass::Server, "{reason}");
        }
    }
}
