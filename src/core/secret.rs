//! Secrets: references that may be journaled, values that cannot be printed, and the redactor.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a secret's value is to be had. Only this is ever written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SecretRef {
    /// An environment variable: `env:NAME`.
    Env(String),
    /// A command named in the config's `[secrets]`: `cmd:NAME`.
    Command(String),
    /// Typed by the person; asked for again after a restart: `typed`.
    Typed,
}

/// Text that is not a reference to a secret.
#[derive(Debug, thiserror::Error)]
#[error(
    "a secret is given as `env:NAME` (an environment variable), `cmd:NAME` (a command of the config) or `typed`, never as its value"
)]
pub struct BadSecretRef;

impl FromStr for SecretRef {
    type Err = BadSecretRef;
    fn from_str(text: &str) -> Result<Self, BadSecretRef> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.to_owned())),
            Some(("cmd", name)) if !name.is_empty() => Ok(Self::Command(name.to_owned())),
            None if text == "typed" => Ok(Self::Typed),
            _ => Err(BadSecretRef),
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::Command(name) => write!(f, "cmd:{name}"),
            Self::Typed => f.write_str("typed"),
        }
    }
}

impl TryFrom<String> for SecretRef {
    type Error = BadSecretRef;
    fn try_from(text: String) -> Result<Self, BadSecretRef> {
        text.parse()
    }
}

impl From<SecretRef> for String {
    fn from(reference: SecretRef) -> Self {
        reference.to_string()
    }
}

/// A secret's value. It has neither `Display` nor `Serialize`, and its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a value into keeping.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for the one place that sends it: an environment, a header, a request body, a tool argument.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// Keeps the values of secrets that are in use out of everything that is written or shown.
#[derive(Clone, Debug, Default)]
pub struct Redactor(Vec<Secret>);

impl Redactor {
    /// Values shorter than this are not replaced: they would blank ordinary text.
    const SHORTEST: usize = 4;

    /// Adds a value to keep out.
    pub fn learn(&mut self, secret: &Secret) {
        if secret.0.len() >= Self::SHORTEST && !self.0.contains(secret) {
            self.0.push(secret.clone());
            // Longest first, so that a secret inside another does not leave the rest of it standing.
            self.0.sort_by_key(|s| std::cmp::Reverse(s.0.len()));
        }
    }

    /// Whether there is anything to keep out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `text` without the values.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| {
            if text.contains(&secret.0) { text.replace(&secret.0, REDACTED) } else { text }
        })
    }

    /// How many bytes at the end of `text` may be the beginning of a value: a stream keeps them back until more comes.
    #[must_use]
    pub fn held_back(&self, text: &str) -> usize {
        let begins = |value: &str| {
            let longest = value.len().min(text.len() + 1) - 1;
            (1..=longest).rev().find(|length| value.is_char_boundary(*length) && text.ends_with(&value[..*length]))
        };
        self.0.iter().filter_map(|secret| begins(&secret.0)).max().unwrap_or(0)
    }

    /// `value` with every text in it redacted, field names too.
    #[must_use]
    pub fn redact_json(&self, value: serde_json::Value) -> serde_json::Value {
        use serde_json::Value;
        if self.is_empty() {
            return value;
        }
        match value {
            Value::String(text) => Value::String(self.redact(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.redact_json(item)).collect(),
            Value::Object(fields) => {
                Value::Object(fields.into_iter().map(|(name, v)| (self.redact(&name), self.redact_json(v))).collect())
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_never_a_reference() {
        assert!("hunter2".parse::<SecretRef>().is_err());
        assert!("env:".parse::<SecretRef>().is_err());
        for text in ["env:TOKEN", "cmd:vault", "typed"] {
            assert_eq!(text.parse::<SecretRef>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn the_value_stays_out_of_text_and_json() {
        let mut redactor = Redactor::default();
        redactor.learn(&Secret::new("abcd"));
        redactor.learn(&Secret::new("abcdefgh"));
        redactor.learn(&Secret::new("no"));
        assert_eq!(redactor.redact("x abcdefgh y abcd no"), "x [redacted] y [redacted] no");
        let json = serde_json::json!({"k abcd": ["abcd", 1]});
        assert_eq!(redactor.redact_json(json), serde_json::json!({"k [redacted]": ["[redacted]", 1]}));
        assert_eq!(format!("{:?}", Secret::new("abcd")), "Secret(…)");
    }

    #[test]
    fn what_may_be_the_beginning_of_a_value_is_known() {
        let mut redactor = Redactor::default();
        assert_eq!(redactor.held_back("any"), 0);
        redactor.learn(&Secret::new("hunter2"));
        redactor.learn(&Secret::new("terrific"));
        for (text, held) in [("", 0), ("x hunt", 4), ("hunter", 6), ("x hunter2", 0), ("ter", 3), ("h", 1), ("é", 0)] {
            assert_eq!(redactor.held_back(text), held, "{text}");
        }
    }
}
