//! Secrets: references that may be journaled, values that cannot be printed, and the redactor.

mod redactor;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use self::redactor::{REDACTED, RedactedStream, Redactor};

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
    fn a_value_is_not_printed() {
        assert_eq!(format!("{:?}", Secret::new("abcd")), "Secret(…)");
    }
}
