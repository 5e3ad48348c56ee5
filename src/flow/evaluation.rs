//! One look of a flow at its run: what the journal has, and what is to be added to it.

use std::collections::HashMap;

use indexmap::IndexSet;
use serde_json::Value;

use crate::core::actor::Actor;
use crate::core::call::{Call, CallStatus, Ending};
use crate::core::event::{Event, FlowDecision};
use crate::core::failure::Failure;
use crate::core::fingerprint::Fingerprint;
use crate::core::form::{Field, FieldType};
use crate::core::key::{Key, Segment};
use crate::core::revised::Revised;
use crate::core::run::Run;
use crate::core::template::Expr;
use crate::core::work::Work;
use crate::flow::effort;
use crate::flow::mistake::Mistake;
use crate::flow::names::values_used;
use crate::flow::plan::Parsed;
use crate::flow::skip::Skip;
use crate::flow::work::condition;

/// Whether and how a step or call has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Not yet.
    #[default]
    Waiting,
    /// It has an output.
    Accepted,
    /// It is not performed; the cause.
    Skipped(Skip),
    /// It has no output; the cause.
    Failed(Failure),
}

/// The calls of a run by what a look asks for, so that none has to go through all of them.
#[derive(Default)]
pub struct CallIndex {
    /// Those whose output stands, by what they were asked to do.
    standing: HashMap<Fingerprint, IndexSet<Key>>,
    /// Those of each step and inside it, by its name without item and iteration, in the order in which they were heard of.
    steps: HashMap<Key, IndexSet<Key>>,
    /// The furthest iteration of each repeat, by its name without the iteration.
    iterations: HashMap<Key, u32>,
}

impl CallIndex {
    /// Of a run.
    #[must_use]
    pub fn of(run: &Run) -> Self {
        let mut index = Self::default();
        for call in run.calls.values() {
            index.add(&call.key);
            index.stands(call);
        }
        index
    }

    /// Takes in what the newest event has made of a call.
    pub fn learn(&mut self, run: &Run, key: &Key) {
        let Some(call) = run.call(key) else { return };
        if call.heard == run.seq {
            self.add(key);
        }
        self.stands(call);
    }

    fn add(&mut self, key: &Key) {
        for (at, segment) in key.segments().iter().enumerate() {
            let repeat = key.up_to(at).with_iteration(None);
            self.steps.entry(repeat.with_item(None)).or_default().insert(key.clone());
            if let Some(iteration) = segment.iteration {
                let furthest = self.iterations.entry(repeat).or_default();
                *furthest = iteration.max(*furthest);
            }
        }
    }

    fn stands(&mut self, call: &Call) {
        if let Some(standing) = &call.standing {
            self.standing.entry(standing.fingerprint.clone()).or_default().insert(call.key.clone());
        }
    }

    /// The calls of a step, and those inside it; `base` names it without an item or iteration.
    fn of_step(&self, base: &Key) -> impl ExactSizeIterator<Item = &Key> {
        self.steps.get(base).map(IndexSet::iter).unwrap_or_default()
    }
}

/// The prompts that are under way; effects are left to finish.
#[must_use]
pub fn prompts_under_way(run: &Run) -> Vec<Key> {
    let calls = run.flow_calls().filter(|call| call.status == CallStatus::Running);
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
    index: &'a CallIndex,
    /// What is to be added.
    pub notes: Vec<Event>,
    /// A `stop_when` holds.
    pub stops: bool,
    /// A step was looked at that writes a document, or has one inside it that does.
    pub documents: bool,
}

impl<'a> Evaluation<'a> {
    /// A look at `run`, whose form has `inputs`.
    #[must_use]
    pub fn new(run: &'a Run, inputs: &[Field], index: &'a CallIndex) -> Self {
        let secret = inputs.iter().any(|field| field.kind == FieldType::Secret);
        Self { run, secret, index, notes: Vec::new(), stops: false, documents: false }
    }

    /// Notes an event.
    pub fn note(&mut self, event: Event) {
        self.notes.push(event);
    }

    /// The calls whose standing output is for `fingerprint`.
    pub fn standing_for(&self, fingerprint: &Fingerprint) -> impl Iterator<Item = &'a Key> + use<'a> {
        let run = self.run;
        let fingerprint = fingerprint.clone();
        let keys = self.index.standing.get(&fingerprint).into_iter().flatten();
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
    pub fn decided(&self, key: &Key, what: &FlowDecision) -> Option<&'a Value> {
        let decided = self.run.decided.get(key)?;
        decided.iter().find(|decided| decided.what == *what).map(|decided| &decided.value().value)
    }

    /// Whether a condition holds. Where it cannot be said, what the journal decided of the same values counts: a run keeps
    /// to the rule that it began with.
    ///
    /// # Errors
    /// As [`condition`].
    pub fn holds(
        &self,
        key: &Key,
        decision: &FlowDecision,
        what: &str,
        source: &Parsed<Expr>,
        context: &minijinja::Value,
    ) -> Result<bool, Mistake> {
        condition(what, source, context)
            .or_else(|mistake| self.decided_of(key, decision, source, context).and_then(Value::as_bool).ok_or(mistake))
    }

    /// What the journal decided of the very values that an expression sees now.
    #[must_use]
    pub fn decided_of(
        &self,
        key: &Key,
        decision: &FlowDecision,
        source: &Parsed<Expr>,
        context: &minijinja::Value,
    ) -> Option<&'a Value> {
        let expr = source.as_ref().ok()?;
        let decided = self.run.decided.get(key)?.iter().find(|decided| decided.what == *decision)?;
        (decided.why == values_used(expr, context)).then_some(&decided.value().value)
    }

    /// Whether the journal has any call of a step.
    #[must_use]
    pub fn has_calls_of(&self, base: &Key) -> bool {
        self.index.of_step(base).len() > 0
    }

    /// Notes a decision of the flow, unless the journal has it.
    pub fn decide(&mut self, key: Key, what: FlowDecision, value: Value, why: impl FnOnce() -> Value) {
        if self.decided(&key, &what) != Some(&value) {
            self.note(Event::FlowDecided { key, what, value, why: why() });
        }
    }

    /// Takes back a decision of this look: what it was about has failed all the same.
    pub fn unsay(&mut self, about: &Key, decision: &FlowDecision) {
        self.notes
            .retain(|note| !matches!(note, Event::FlowDecided { key, what, .. } if key == about && what == decision));
    }

    /// Notes that a call is not performed, unless the journal has it.
    pub fn skip(&mut self, key: Key, step: &str, skip: Skip) {
        let known = self.run.call(&key).filter(|call| call.status == CallStatus::Skipped);
        // What a person left out has no cause, nor has what version 0.1.0 wrote: both stay as they are.
        let same = |ending: &Ending| match ending {
            Ending::Skipped { cause, .. } => cause.is_none() || *cause == skip.cause,
            Ending::Failed { .. } => false,
        };
        if !known.and_then(|call| call.ending.as_ref()).is_some_and(same) {
            let (Skip { cause, because }, step, by) = (skip, step.to_owned(), Actor::Flow);
            self.note(Event::CallSkipped { call: None, key, step, because, cause, by });
        }
    }

    /// What a person said who left a call out, whatever it would be asked to do.
    #[must_use]
    pub fn left_out_by_person(&self, key: &Key) -> Option<&'a str> {
        match self.run.call(key)? {
            Call { ending: Some(Ending::Skipped { because, by_person: true, .. }), again: false, .. } => Some(because),
            _ => None,
        }
    }

    /// Notes that a call fails because of a mistake of the definition, unless the journal has it.
    pub fn fail(&mut self, key: &Key, step: &str, mistake: &Mistake) {
        let ending = self.run.call(key).and_then(|call| call.ending.as_ref());
        if !matches!(ending, Some(Ending::Failed { fingerprint, failure, .. }) if mistake.failed(fingerprint, failure))
        {
            let (key, step, fingerprint) = (key.clone(), step.to_owned(), mistake.identity());
            let (error, by) = (mistake.failure().clone(), Actor::Flow);
            self.note(Event::CallFailed { call: None, key, step, fingerprint, error, failed: Vec::new(), by });
        }
    }

    /// Notes that what failed although it is no call, a list or a choice, does not fail any more.
    pub fn mended(&mut self, key: &Key, step: &str) {
        if self.run.call(key).is_some_and(|call| call.status == CallStatus::Failed && call.attempts.is_empty()) {
            self.skip(key.clone(), step, Skip::unwanted());
        }
    }

    /// Notes a failure that the run continues with, unless the journal has a warning that is newer than the failure.
    pub fn warn(&mut self, key: &Key, message: impl FnOnce() -> String) {
        let newest = || match self.run.call(key) {
            Some(call) => call.seq,
            None => {
                self.run.calls.values().filter(|call| call.key.is_within(key)).map(|call| call.seq).max().unwrap_or(0)
            }
        };
        if self.run.warned.get(key).is_none_or(|warned| *warned < newest()) {
            self.note(Event::Warned { key: Some(key.clone()), message: message() });
        }
    }

    /// Notes a value of the state, unless the journal has it.
    pub fn set_state(&mut self, key: &Key, name: &str, value: Value) {
        if self.run.set_state.get(name).and_then(|set| set.get(key)).map(Revised::value) != Some(&value) {
            self.note(Event::StateSet { key: key.clone(), name: name.to_owned(), value });
        }
    }

    /// Takes back the iterations of the repeat `key` that come after the one with number `last`.
    pub fn retire_after(&mut self, key: &Key, last: u32) {
        if self.index.iterations.get(key).is_some_and(|furthest| *furthest > last) {
            let item = key.last().item;
            self.retire(key, |segment| segment.item == item && segment.iteration.is_some_and(|at| at > last));
        }
    }

    /// Takes back what waits of calls that are not wanted any more: those of the step `base` whose segment `is_gone`.
    pub fn retire(&mut self, base: &Key, is_gone: impl Fn(&Segment) -> bool) {
        let (run, index) = (self.run, self.index);
        let (depth, base) = (base.segments().len() - 1, base.with_item(None).with_iteration(None));
        let calls = index.of_step(&base);
        effort::spend(calls.len());
        for call in calls.filter_map(|key| run.call(key)) {
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
                let (Skip { cause, because }, by) = (Skip::unwanted(), Actor::Flow);
                let (key, step) = (call.key.clone(), call.step.clone());
                self.notes.push(Event::CallSkipped { call: None, key, step, because, cause, by });
            }
        }
    }
}

/// Puts what is accepted into the order in which it came to its end; everything else stays in its place.
pub fn in_order_of_ends(run: &Run, notes: &mut [Event]) {
    let ended = |note: &Event| match note {
        Event::CallAccepted { key, .. } => run.call(key).map(|call| call.seq),
        _ => None,
    };
    let places: Vec<usize> = (0..notes.len()).filter(|&at| ended(&notes[at]).is_some()).collect();
    if places.len() < 2 {
        return;
    }
    let mut accepted: Vec<Event> = places.iter().map(|&at| notes[at].clone()).collect();
    accepted.sort_by_key(ended);
    for (at, note) in places.into_iter().zip(accepted) {
        notes[at] = note;
    }
}
