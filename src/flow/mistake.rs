//! A text of the definition that does not work out: the failure that a person reads, and what tells it from another.
//!
//! A failure that was handed over stands until a person asks again, so it needs an identity that nothing changes but the
//! definition: its class, the key that has it and the source that stands there. The wording of the error is no part of it.

use crate::core::failure::{Failure, FailureClass};
use crate::core::fingerprint::Fingerprint;
use crate::core::template::TemplateError;
use crate::flow::judge::definition;

/// A text of the definition that does not work out.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistake {
    /// The key that has it.
    key: Box<str>,
    /// What stands there; `None` where that is not known because it does not parse.
    source: Option<Box<str>>,
    /// How the message of version 0.1.0 ends, where it names the source.
    ends: Option<Box<str>>,
    /// What a person reads.
    failure: Failure,
}

impl Mistake {
    /// `source` is what stands under `key`, `shown` how much of it a person reads.
    pub fn of(key: &str, source: Option<&str>, shown: &str, error: &TemplateError) -> Self {
        let (source, failure) = (source.map(Box::from), definition(key, shown, error));
        Self { key: key.into(), source, ends: Some(format!("; it says: {shown}").into()), failure }
    }

    /// With a message of its own.
    pub fn saying(key: &str, source: Option<&str>, message: String) -> Self {
        let failure = Failure::new(FailureClass::Definition, message);
        Self { key: key.into(), source: source.map(Box::from), ends: None, failure }
    }

    /// What a person reads.
    pub fn failure(&self) -> &Failure {
        &self.failure
    }

    /// What tells it from another.
    pub fn identity(&self) -> Fingerprint {
        let parts = [Some(self.failure.class.name()), Some(&*self.key), self.source.as_deref()];
        Fingerprint::of_bytes(&serde_json::to_vec(&parts).unwrap_or_default())
    }

    /// Whether a call failed because of it. Version 0.1.0 made the fingerprint of such a failure of its message, in which the
    /// key comes first and, where it names it, the source last.
    pub fn failed(&self, fingerprint: &Fingerprint, failure: &Failure) -> bool {
        let before = || {
            failure.class == self.failure.class
                && failure.message.starts_with(&format!("`{}`", self.key))
                && self.ends.as_ref().is_none_or(|ends| failure.message.ends_with(&**ends))
                && *fingerprint == Fingerprint::of_bytes(failure.message.as_bytes())
        };
        *fingerprint == self.identity() || before()
    }
}

impl From<Mistake> for Failure {
    fn from(mistake: Mistake) -> Self {
        mistake.failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(source: &str, message: &str) -> Mistake {
        let error = TemplateError { message: message.to_owned(), line: 1, column: 3 };
        Mistake::of("prompt", Some(source), source, &error)
    }

    #[test]
    fn another_wording_is_the_same_mistake_and_another_source_is_not() {
        let (one, reworded) = (mistake("{{ a }}", "it names nothing"), mistake("{{ a }}", "undefined value"));
        assert_eq!(one.identity(), reworded.identity());
        assert_ne!(one.identity(), mistake("{{ b }}", "it names nothing").identity());
        assert!(reworded.failed(&one.identity(), one.failure()));
    }

    #[test]
    fn a_failure_that_the_first_release_wrote_is_known() {
        // As its journal has it: the fingerprint is that of the message.
        let message = "`prompt` does not work out (line 1, column 4): it names nothing; it says: {{ a }}";
        let written = Failure::new(FailureClass::Definition, message);
        let fingerprint = Fingerprint::of_bytes(message.as_bytes());
        assert!(mistake("{{ a }}", "undefined value").failed(&fingerprint, &written));
        let other = Mistake::saying("argv", None, "x".to_owned());
        assert!(!other.failed(&fingerprint, &written));
        assert!(!mistake("{{ a }}", "x").failed(&Fingerprint::of_bytes(b"other"), &written));
        assert!(
            !mistake("{{ b }}", "it names nothing").failed(&fingerprint, &written),
            "another source is another mistake"
        );
    }
}
