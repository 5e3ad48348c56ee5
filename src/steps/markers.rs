//! Secrets at an attempt: values in the place of their markers on the way out, and out of everything that comes back.
//!
//! A marker carries the run's nonce, so no text from outside can name a secret into place. A value lives in the
//! environment, the header or the body that is sent, nowhere else.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::core::event::Measured;
use crate::core::failure::{Failure, FailureClass};
use crate::core::model::{Delta, DeltaSink, Discarded};
use crate::core::ports::{AttemptOutcome, AttemptRequest, CallOutcome, Secrets};
use crate::core::secret::{RedactedStream, Redactor, Secret};
use crate::core::text::Untrusted;
use crate::core::tool::CallReturn;
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

    /// `value` with the values in the place of the markers.
    pub fn fill_json(&self, value: Value) -> Value {
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

/// `outcome` without the values of secrets.
pub fn redacted(outcome: AttemptOutcome, redactor: &Redactor) -> AttemptOutcome {
    if redactor.is_empty() {
        return outcome;
    }
    // What had arrived of an answer ends anywhere, in the middle of a value too.
    let begun = |text: Untrusted| Untrusted::new(redactor.redact_cut(text.data()));
    match outcome {
        AttemptOutcome::Done { output, problem, measured: took } => AttemptOutcome::Done {
            output: redactor.redact_json(output),
            problem: problem.map(|problem| redactor.redact(&problem)),
            measured: measured(took, redactor),
        },
        AttemptOutcome::Turn(mut turn) => {
            turn.text = Untrusted::new(redactor.redact(turn.text.data()));
            for call in &mut turn.calls {
                call.arguments = redactor.redact_json((*call.arguments).clone()).into();
            }
            turn.opaque = turn.opaque.map(|opaque| redactor.redact_json((*opaque).clone()).into());
            turn.measured = measured(turn.measured, redactor);
            AttemptOutcome::Turn(turn)
        }
        AttemptOutcome::Failed { mut failure, partial, in_doubt, measured: took } => {
            failure.message = redactor.redact(&failure.message);
            failure.detail = failure.detail.map(|detail| redactor.redact(&detail));
            AttemptOutcome::Failed { failure, partial: begun(partial), in_doubt, measured: measured(took, redactor) }
        }
        AttemptOutcome::Cancelled { partial, in_doubt, measured: took } => {
            AttemptOutcome::Cancelled { partial: begun(partial), in_doubt, measured: measured(took, redactor) }
        }
    }
}

/// What a call of a tool came to, without the values of secrets.
pub fn redacted_call(outcome: CallOutcome, redactor: &Redactor) -> CallOutcome {
    if redactor.is_empty() {
        return outcome;
    }
    let failure = |mut failure: Failure| {
        failure.message = redactor.redact(&failure.message);
        failure.detail = failure.detail.map(|detail| redactor.redact(&detail));
        failure
    };
    match outcome {
        CallOutcome::Known(CallReturn::Returned { output, is_error, images, notes }) => {
            let output = Arc::new(redactor.redact_json(Arc::unwrap_or_clone(output)));
            let notes = notes.iter().map(|note| redactor.redact(note)).collect();
            CallOutcome::Known(CallReturn::Returned { output, is_error, images, notes })
        }
        CallOutcome::Known(CallReturn::Failed { error }) => {
            CallOutcome::Known(CallReturn::Failed { error: failure(error) })
        }
        CallOutcome::InDoubt(why) => CallOutcome::InDoubt(failure(why)),
        cancelled @ CallOutcome::Cancelled { .. } => cancelled,
    }
}

/// The texts among what an attempt took: notes, thoughts and what was not taken as its output. The two last may end
/// anywhere, in the middle of a value too.
fn measured(took: Measured, redactor: &Redactor) -> Measured {
    let text = |text: &Untrusted| Untrusted::new(redactor.redact_cut(text.data()));
    let discarded = |all: Vec<Discarded>| {
        let each = |found: Discarded| Discarded { text: text(&found.text), why: redactor.redact(&found.why) };
        all.into_iter().map(each).collect()
    };
    Measured {
        notes: took.notes.iter().map(|note| redactor.redact(note)).collect(),
        thinking: text(&took.thinking),
        discarded: discarded(took.discarded),
        ..took
    }
}

/// Passes on what a model streams, without the values of secrets: across pieces, each stretch of text by itself.
pub struct RedactedDeltas {
    deltas: DeltaSink,
    redactor: Redactor,
    stream: Mutex<RedactedStream>,
}

impl RedactedDeltas {
    /// Passes on to `deltas` what `redactor` lets through.
    pub fn new(deltas: &DeltaSink, redactor: Redactor) -> Arc<Self> {
        let stream = Mutex::new(RedactedStream::new(redactor.clone()));
        Arc::new(Self { deltas: Arc::clone(deltas), redactor, stream })
    }

    /// Where the model streams to.
    pub fn sink(self: &Arc<Self>) -> DeltaSink {
        let deltas = Arc::clone(self);
        Arc::new(move |delta| deltas.take(delta))
    }

    /// The end of the stream.
    pub fn finish(&self) {
        self.show(self.stream().finish());
    }

    fn take(&self, delta: Delta) {
        match delta {
            Delta::Asks(_) => (self.deltas)(delta),
            Delta::Text(text) => self.show(self.stream().push(text.data())),
            Delta::Restart(why) => {
                self.stream().cut();
                (self.deltas)(Delta::Restart(self.redactor.redact(&why)));
            }
            Delta::Progress(line) => (self.deltas)(Delta::Progress(self.redactor.redact(line.data()).into())),
        }
    }

    fn show(&self, text: String) {
        if !text.is_empty() {
            (self.deltas)(Delta::Text(text.into()));
        }
    }

    fn stream(&self) -> MutexGuard<'_, RedactedStream> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_beside_an_output_holds_no_secret_either() {
        let mut redactor = Redactor::default();
        redactor.learn(&Secret::new("hunter2"));
        let said = || "hunter2 it is".to_owned();
        let took = Measured {
            notes: vec![said()],
            thinking: said().into(),
            discarded: vec![Discarded { text: said().into(), why: said() }],
            ..Measured::default()
        };
        let outcome = AttemptOutcome::Done { output: Value::Null, problem: None, measured: took };
        let shown = format!("{:?}", redacted(outcome, &redactor));
        assert!(!shown.contains("hunter2") && shown.matches("[redacted] it is").count() == 4, "{shown}");
    }

    #[test]
    fn a_value_in_json_stays_json() {
        let filler = Filler(vec![("⟦secret:n:key⟧".to_owned(), Secret::new("a\"b"))]);
        assert_eq!(filler.fill(r#"{"k":"⟦secret:n:key⟧"}"#), r#"{"k":"a\"b"}"#);
        assert_eq!(filler.fill("Bearer ⟦secret:n:key⟧"), "Bearer a\"b");
        assert_eq!(filler.fill(r#"{ "k": 1 }"#), r#"{ "k": 1 }"#);
    }
}
