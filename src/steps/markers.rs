//! Secrets at an attempt: values in the place of their markers on the way out, and out of everything that comes back.
//!
//! A marker carries the run's nonce, so no text from outside can name a secret into place. A value lives in the
//! environment, the header or the body that is sent, nowhere else.

use std::sync::Arc;

use serde_json::Value;

use crate::core::failure::{Failure, FailureClass};
use crate::core::ports::{AttemptOutcome, AttemptRequest, Secrets};
use crate::core::secret::{REDACTED, Redactor, Secret};
use crate::core::text::Untrusted;
use crate::core::work::{secret_marker, secret_name};

/// The secrets of one attempt that its work uses, by their markers.
pub struct Filler(Vec<(String, Secret)>);

impl Filler {
    /// Resolves the secrets whose markers stand in one of `texts`.
    ///
    /// # Errors
    /// Class `auth` when a value is not to be had: which, and what to do.
    pub async fn resolve(
        secrets: &Arc<dyn Secrets>,
        attempt: &AttemptRequest,
        texts: &[&str],
    ) -> Result<Self, Failure> {
        let mut values = Vec::new();
        for (name, reference) in &attempt.secrets {
            let marker = secret_marker(&attempt.nonce, name);
            if !texts.iter().any(|text| text.contains(&marker)) {
                continue;
            }
            let (secrets, run, name, reference) = (Arc::clone(secrets), attempt.run, name.clone(), reference.clone());
            // A `cmd:` secret runs a program.
            let resolved = tokio::task::spawn_blocking(move || {
                secrets.resolve(run, &name, &reference)?.ok_or_else(|| {
                    let message = format!(
                        "the secret `{name}` was typed in another process and is not kept: type it again and retry the step"
                    );
                    Failure::new(FailureClass::Auth, message)
                })
            });
            let value = resolved.await.map_err(|error| {
                Failure::new(FailureClass::Auth, format!("the secrets could not be read: {error}"))
            })??;
            values.push((marker, value));
        }
        Ok(Self(values))
    }

    /// `text` with the values in the place of the markers; inside JSON they stay JSON.
    pub fn fill(&self, text: &str) -> String {
        if !self.0.iter().any(|(marker, _)| text.contains(marker)) {
            return text.to_owned();
        }
        match serde_json::from_str(text) {
            Ok(value @ (Value::Object(_) | Value::Array(_))) => self.fill_json(value).to_string(),
            _ => self.replace(text),
        }
    }

    fn replace(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (marker, value)| text.replace(marker, value.reveal()))
    }

    fn fill_json(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.replace(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.fill_json(item)).collect(),
            Value::Object(fields) => fields.into_iter().map(|(name, v)| (name, self.fill_json(v))).collect(),
            other => other,
        }
    }
}

/// Refuses work that has a secret where it would be seen: `place` says where.
///
/// # Errors
/// Class `definition`.
pub fn refuse(attempt: &AttemptRequest, place: &str, texts: &[&str]) -> Result<(), Failure> {
    match attempt.secrets.iter().find(|(name, _)| {
        let marks = [secret_marker(&attempt.nonce, name), secret_name(&attempt.nonce, name)];
        texts.iter().any(|text| marks.iter().any(|mark| text.contains(mark)))
    }) {
        None => Ok(()),
        Some((name, _)) => Err(Failure::new(
            FailureClass::Definition,
            format!(
                "the secret `{name}` stands in {place}, where others can see it: pass it in a command's `env` or `stdin`, or in http `headers` or the body"
            ),
        )),
    }
}

/// A stream of text from outside, with secrets taken out even where two pieces meet.
pub struct Redacting {
    redactor: Redactor,
    held: String,
}

impl Redacting {
    /// Takes out what `redactor` knows.
    pub fn new(redactor: Redactor) -> Self {
        Self { redactor, held: String::new() }
    }

    /// More text; gives what may be shown of it and of what was held back.
    pub fn push(&mut self, more: &str) -> String {
        if self.redactor.is_empty() {
            return more.to_owned();
        }
        self.held.push_str(more);
        // Whole values go first, or the beginning of one inside another would be held back for nothing.
        let mut shown = self.redactor.redact(&self.held);
        let keep = if shown.ends_with(REDACTED) { 0 } else { self.redactor.held_back(&shown) };
        self.held = shown.split_off(shown.len() - keep);
        shown
    }

    /// The end: what was held back is no secret.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// `outcome` without the values of secrets.
pub fn redacted(outcome: AttemptOutcome, redactor: &Redactor) -> AttemptOutcome {
    if redactor.is_empty() {
        return outcome;
    }
    let text = |text: Untrusted| Untrusted::new(redactor.redact(text.data()));
    match outcome {
        AttemptOutcome::Done { output, problem, measured } => AttemptOutcome::Done {
            output: redactor.redact_json(output),
            problem: problem.map(|problem| redactor.redact(&problem)),
            measured,
        },
        AttemptOutcome::Failed { mut failure, partial, in_doubt, measured } => {
            failure.message = redactor.redact(&failure.message);
            failure.detail = failure.detail.map(|detail| redactor.redact(&detail));
            AttemptOutcome::Failed { failure, partial: text(partial), in_doubt, measured }
        }
        AttemptOutcome::Cancelled { partial, in_doubt, measured } => {
            AttemptOutcome::Cancelled { partial: text(partial), in_doubt, measured }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_two_pieces_is_still_taken_out() {
        let mut redactor = Redactor::default();
        redactor.learn(&Secret::new("hunter2"));
        let mut stream = Redacting::new(redactor);
        let mut shown = String::new();
        for piece in ["pass ", "hun", "ter", "2 hunter", " and hunt"] {
            shown += &stream.push(piece);
        }
        shown += &stream.finish();
        assert_eq!(shown, "pass [redacted] hunter and hunt");
    }

    #[test]
    fn a_value_in_json_stays_json() {
        let filler = Filler(vec![("⟦secret:n:key⟧".to_owned(), Secret::new("a\"b"))]);
        assert_eq!(filler.fill(r#"{"k":"⟦secret:n:key⟧"}"#), r#"{"k":"a\"b"}"#);
        assert_eq!(filler.fill("Bearer ⟦secret:n:key⟧"), "Bearer a\"b");
        assert_eq!(filler.fill(r#"{ "k": 1 }"#), r#"{ "k": 1 }"#);
    }
}
