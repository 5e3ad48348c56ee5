//! Failures: the classes that retry policies and handlers name, and one failure with its message.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why an attempt failed. The names are those that `[retry] on` and scripts use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureClass {
    /// The provider did not take the key, or there is none.
    Auth,
    /// Too many requests (429).
    RateLimit,
    /// The server failed (5xx).
    Server,
    /// The connection could not be made or broke.
    Network,
    /// A first-token, idle or total limit ran out.
    Timeout,
    /// The server refused the request as malformed (4xx).
    BadRequest,
    /// The output does not have the shape that the step asks for.
    BadOutput,
    /// The model declined to answer.
    Refused,
    /// The prompt, or the answer, is longer than the model allows.
    TooLong,
    /// A command ended with an exit code other than 0, or could not be started.
    Command,
    /// The definition is wrong: an expression or template failed, a list is not a list.
    Definition,
    /// A person denied the approval.
    Denied,
    /// A tool says that it failed, or could not be called.
    Tool,
    /// A model that calls tools came to no answer within the turns that it may take, or asked for the same again and again.
    Turns,
}

impl FailureClass {
    /// Every class, in the order of the reference.
    pub const ALL: [Self; 14] = [
        Self::Auth,
        Self::RateLimit,
        Self::Server,
        Self::Network,
        Self::Timeout,
        Self::BadRequest,
        Self::BadOutput,
        Self::Refused,
        Self::TooLong,
        Self::Command,
        Self::Definition,
        Self::Denied,
        Self::Tool,
        Self::Turns,
    ];

    /// The name in definitions and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::RateLimit => "rate_limit",
            Self::Server => "server",
            Self::Network => "network",
            Self::Timeout => "timeout",
            Self::BadRequest => "bad_request",
            Self::BadOutput => "bad_output",
            Self::Refused => "refused",
            Self::TooLong => "too_long",
            Self::Command => "command",
            Self::Definition => "definition",
            Self::Denied => "denied",
            Self::Tool => "tool",
            Self::Turns => "turns",
        }
    }

    /// The class of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One failure: its class, and a message for a person that says what happened and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[error("{class}: {message}")]
pub struct Failure {
    /// The class.
    pub class: FailureClass,
    /// What happened, where, and what to do.
    pub message: String,
    /// More than fits a line: stderr, a server's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How long the server asked to wait before another try (its Retry-After), in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl Failure {
    /// A failure with a class and a message, no detail.
    #[must_use]
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), detail: None, retry_after_ms: None }
    }

    /// This failure with a longer detail.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

/// An error and its causes in one line, each said once.
#[must_use]
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_ones_in_json() {
        for class in FailureClass::ALL {
            assert_eq!(serde_json::to_value(class).unwrap(), class.name());
            assert_eq!(FailureClass::from_name(class.name()), Some(class));
        }
    }
}
