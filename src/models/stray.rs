//! Frames that are no part of a protocol, whichever it is: noise that keeps a connection open, the end that proxies add,
//! and errors in the place of an answer, after the status 200 and in whatever shape.

use serde_json::Value;

use super::dialect::{Cause, Dialect, ProviderError};
use super::partial_answer::{Completeness, PartialAnswer};
use super::refusal::{self, Asked};

/// Takes one frame, as the dialect reads it.
pub(super) fn take(
    dialect: &dyn Dialect,
    frame: &str,
    answer: &mut PartialAnswer,
    asked: Asked<'_>,
) -> Result<(), ProviderError> {
    if frame == "[DONE]" {
        answer.ended(Completeness::Closed);
        return Ok(());
    }
    if !frame.starts_with('{') {
        return match serde_json::from_str::<Value>(frame) {
            Ok(Value::Array(items)) => match items.iter().find(|item| is_error(item)) {
                Some(error) => Err(refusal::in_answer(error, asked)),
                None => items.iter().try_for_each(|item| take(dialect, &item.to_string(), answer, asked)),
            },
            // `[PING]`, `ping`, `null`.
            _ => Ok(()),
        };
    }
    let before = (answer.ended, answer.input_tokens, answer.output_tokens);
    if let Err(error) = dialect.frame(frame, answer) {
        // `{"message": "…"}` is an error where the protocol has an object of that name.
        let unreadable = error.cause == Some(Cause::Unreadable);
        let value = unreadable.then(|| serde_json::from_str::<Value>(frame).ok()).flatten();
        return Err(value.filter(is_error).map_or(error, |value| refusal::in_answer(&value, asked)));
    }
    if before != (answer.ended, answer.input_tokens, answer.output_tokens) {
        return Ok(());
    }
    if frame.contains("\"choices\"") {
        // Whole although a stream was asked for, and then nothing need follow.
        if frame.contains("\"message\"") && !frame.contains("\"delta\"") {
            answer.ended(Completeness::Likely);
        }
        return Ok(());
    }
    // Read once more only where it is not what a protocol sends most of the time.
    let usual = ["\"delta\"", "\"done\"", "\"content_block\"", "\"usage\"", "\"ping\"", "\"message_st"];
    if usual.iter().any(|part| frame.contains(part)) {
        return Ok(());
    }
    match serde_json::from_str::<Value>(frame) {
        Ok(value) if is_error(&value) => Err(refusal::in_answer(&value, asked)),
        _ => Ok(()),
    }
}

/// Whether a value says anything: an `error` that is empty, false or `{}` is none.
pub(super) fn is_meaningful(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(set) => *set,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => items.iter().any(is_meaningful),
        Value::Object(fields) => fields.values().any(is_meaningful),
    }
}

/// Whether an object is an error, and no part of an answer.
fn is_error(value: &Value) -> bool {
    let Some(fields) = value.as_object() else { return false };
    let states = |name: &str| fields.get(name).is_some_and(is_meaningful);
    let is = |name: &str, what: &str| fields.get(name).and_then(Value::as_str) == Some(what);
    let denies = |name: &str| fields.get(name) == Some(&Value::Bool(false));
    if ["choices", "response", "content"].iter().any(|name| states(name)) {
        return false;
    }
    ["error", "errors", "detail", "error_message", "error_msg", "errorMessage", "exception"].iter().any(|n| states(n))
        || is("object", "error")
        || is("type", "error")
        || is("status", "error")
        || denies("success")
        || denies("ok")
        || fields.get("message").is_some_and(|message| message.is_string() && is_meaningful(message))
        || fields.get("msg").is_some_and(|message| message.is_string() && is_meaningful(message))
}
