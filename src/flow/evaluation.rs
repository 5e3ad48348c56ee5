//! One look of a flow at its run: what the journal has, and what is to be added to it.

use std::collections::HashMap;

use serde_json::Value;

use crate::core::call::{CallStatus, Ending};
use crate::core::event::{Event, FLOW};
use crate::core::failure::Failure;
use crate::core::fingerprint::Fingerprint;
use crate::core::form::{Field, FieldType};
use crate::core::key::{Key, Segment};
use crate::core::run::Run;
use crate::core::text::Untrusted;
use crate::core::work::Work;

/// Whether and how a step or call has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Not yet.
    #[default]
    Waiting,
    /// It has an output.
    Accepted,
    /// It is not performed; the cause.
    Skipped(String),
    /// It has no output; the cause.
    Failed(Failure),
}

/// The calls whose output stands, by what they were asked to do.
#[derive(Default)]
pub struct Standing(HashMap<Fingerprint, Vec<Key>>);

impl Standing {
    /// Of a run.
    #[must_use]
    pub fn of(run: &Run) -> Self {
        let mut standing = Self::default();
        run.calls.keys().for_each(|key| standing.learn(run, key));
        standing
    }

    /// Takes in what an event has made of a call.
    pub fn learn(&mut self, run: &Run, key: &Key) {
        if let Some(stands) = run.call(key).and_then(|call| call.standing.as_ref()) {
            let keys = self.0.entry(stands.fingerprint.clone()).or_default();
            if !keys.contains(key) {
                keys.push(key.clone());
            }
        }
    }
}

/// The prompts that are under way; effects are left to finish.
#[must_use]
pub fn prompts_under_way(run: &Run) -> Vec<Key> {
    let calls = run.calls.values().filter(|call| call.status == CallStatus::Running);
    calls
        .filter(|call| call.newest().and_then(|a| a.work.as_ref()).is_none_or(|work| !work.has_effect()))
        .map(|call| call.key.clone())
        .collect()
}

/// One look at a flow: the journal as it stands, and what is to be added to it.
pub struct Evaluation<'a> {
    /// The journal as it stands.
    pub run: &'a Run,
    /// Whether rendered work may hold markers of secrets.
    secret: bool,
    standing: &'a Standing,
    /// What is to be added.
    pub notes: Vec<Event>,
    /// A `stop_when` holds.
    pub stops: bool,
}

impl<'a> Evaluation<'a> {
    /// A look at `run`, whose form has `inputs`.
    #[must_use]
    pub fn new(run: &'a Run, inputs: &[Field], standing: &'a Standing) -> Self {
        let secret = inputs.iter().any(|field| field.kind == FieldType::Secret);
        Self { run, secret, standing, notes: Vec::new(), stops: false }
    }

    /// Notes an event.
    pub fn note(&mut self, event: Event) {
        self.notes.push(event);
    }

    /// The calls whose standing output is for `fingerprint`.
    pub fn standing_for(&self, fingerprint: &Fingerprint) -> impl Iterator<Item = &'a Key> + use<'a> {
        let run = self.run;
        let fingerprint = fingerprint.clone();
        let keys = self.standing.0.get(&fingerprint).into_iter().flatten();
        keys.filter(move |key| run.call(key).is_some_and(|call| call.stands_for(&fingerprint).is_some()))
    }

    /// What a call is asked to do, whichever run it is in: the nonce of its secrets is left out.
    #[must_use]
    pub fn fingerprint(&self, step: &str, work: &Work) -> Fingerprint {
        let mut bytes = serde_json::to_vec(&(step, work)).unwrap_or_default();
        if self.secret {
            bytes = String::from_utf8_lossy(&bytes).replace(&self.run.nonce, "").into_bytes();
        }
        Fingerprint::of_bytes(&bytes)
    }

    /// What the journal has of a decision of the flow.
    #[must_use]
    pub fn decided(&self, key: &Key, what: &str) -> Option<&'a Value> {
        let decided = self.run.decided.get(key)?;
        decided.iter().find(|decided| decided.what == what).map(|decided| &decided.value)
    }

    /// Whether the journal has any call of a step.
    #[must_use]
    pub fn has_calls_of(&self, base: &Key) -> bool {
        self.run.calls.keys().any(|key| key.is_of(base))
    }

    /// Notes a decision of the flow, unless the journal has it.
    pub fn decide(&mut self, key: Key, what: &str, value: Value, why: impl FnOnce() -> Value) {
        if self.decided(&key, what) != Some(&value) {
            self.note(Event::FlowDecided { key, what: what.to_owned(), value, why: why() });
        }
    }

    /// Notes that a call is not performed, unless the journal has it.
    pub fn skip(&mut self, key: Key, step: &str, because: String) {
        let known = self.run.call(&key).is_some_and(|call| {
            call.status == CallStatus::Skipped
                && matches!(&call.ending, Some(Ending::Skipped { because: b, .. }) if *b == because)
        });
        if !known {
            self.note(Event::CallSkipped { call: None, key, step: step.to_owned(), because, by: FLOW.to_owned() });
        }
    }

    /// Notes a failure that the run goes on with, unless the journal has it.
    pub fn warn(&mut self, key: &Key, failure: &Failure) {
        let message = format!("`{key}` failed and the run went on: {failure}");
        if !self.run.warnings.contains(&message) {
            self.note(Event::Warned { key: Some(key.clone()), message });
        }
    }

    /// Notes a value of the state, unless the journal has it.
    pub fn set_state(&mut self, key: &Key, name: &str, value: Value) {
        if self.run.set_state.get(name).and_then(|set| set.get(key)) != Some(&value) {
            self.note(Event::StateSet { key: key.clone(), name: name.to_owned(), value });
        }
    }

    /// Writes a document beside the result, unless one of its versions says the same.
    pub fn write(&mut self, name: &str, title: &str, body: &str) {
        let versions = self.run.documents.get(name).map(|document| document.versions.as_slice()).unwrap_or_default();
        let noted = self.notes.iter().filter_map(|note| match note {
            Event::DocumentWritten { name: noted, title, body, .. } if noted == name => Some((title, body)),
            _ => None,
        });
        let written: Vec<_> = versions.iter().map(|version| (&version.title, &version.body)).chain(noted).collect();
        if !written.iter().any(|(t, b)| t.data() == title && b.data() == body) {
            let count = written.len();
            self.note(Event::DocumentWritten {
                name: name.to_owned(),
                version: u32::try_from(count).unwrap_or(u32::MAX).saturating_add(1),
                title: Untrusted::from(title),
                body: Untrusted::from(body),
                by: "model".to_owned(),
            });
        }
    }

    /// Takes back what waits of calls that are not wanted any more: those of the step `base` whose segment `is_gone`.
    pub fn retire(&mut self, base: &Key, is_gone: impl Fn(&Segment) -> bool) {
        let depth = base.segments().len() - 1;
        for call in self.run.calls.values().filter(|call| call.key.is_of(base)) {
            let open = matches!(
                call.status,
                CallStatus::Pending
                    | CallStatus::Approval
                    | CallStatus::Review
                    | CallStatus::Input
                    | CallStatus::Stale
                    | CallStatus::Accepted
            );
            if open && is_gone(&call.key.segments()[depth]) {
                self.notes.push(Event::CallSkipped {
                    call: None,
                    key: call.key.clone(),
                    step: call.step.clone(),
                    because: "it is not wanted any more".to_owned(),
                    by: FLOW.to_owned(),
                });
            }
        }
    }
}
