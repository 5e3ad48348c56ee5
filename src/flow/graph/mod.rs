//! The graph: steps that begin as soon as what they depend on has ended.
//!
//! `plan` makes a definition ready, `scope` and `slot` say how far each step and item has come, `call` holds what a
//! call is asked to do against the journal, `work` and `names` render it, `view` is what later steps see.

mod before;
mod call;
mod history;
mod names;
mod plan;
mod scope;
mod slot;
mod view;
mod work;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use self::names::Names;
use self::plan::{Plan, ValuePlan};
use self::scope::Scope;
use crate::core::call::CallStatus;
use crate::core::event::Event;
use crate::core::failure::{Failure, FailureClass};
use crate::core::fingerprint::Fingerprint;
use crate::core::form::{Field, FieldType};
use crate::core::key::{Key, Segment};
use crate::core::pinned::Pinned;
use crate::core::run::Run;
use crate::core::task::Body;
use crate::core::template::Expr;
use crate::core::text::Untrusted;
use crate::core::work::Work;
use crate::flow::judge::definition;
use crate::flow::{End, Flow, Session, Wants};

/// The flow of a workflow whose steps are declared.
pub struct Graph {
    pinned: Arc<Pinned>,
}

impl Graph {
    /// The graph of a pinned workflow.
    #[must_use]
    pub fn new(pinned: Arc<Pinned>) -> Self {
        Self { pinned }
    }
}

impl Flow for Graph {
    fn open(&self, run: &Run) -> Box<dyn Session> {
        Box::new(self.session(run))
    }
}

impl Graph {
    /// What may follow a completed run: the workflows of `[[then]]` whose `when` holds, with their inputs.
    ///
    /// # Errors
    /// An expression or template that does not work out.
    pub fn successors(&self, run: &Run) -> Result<Vec<(String, Value)>, Failure> {
        let Body::Workflow(workflow) = &self.pinned.task.body else { return Ok(Vec::new()) };
        let mut session = self.session(run);
        session.feed(&[]);
        let names = session.root.names_at_end(&session.plan).value();
        let mut next = Vec::new();
        for successor in &workflow.then {
            if let Some(when) = &successor.when
                && !work::condition("when", &Expr::parse(when), &names)?
            {
                continue;
            }
            let inputs: serde_json::Map<String, Value> = successor.inputs.clone().into_iter().collect();
            let rendered = ValuePlan::parse(&Value::Object(inputs)).render(&names).map_err(|error| {
                definition("inputs", &format!("(of the successor `{}`)", successor.workflow), &error)
            })?;
            next.push((successor.workflow.clone(), rendered));
        }
        Ok(next)
    }

    fn session(&self, run: &Run) -> GraphSession {
        let plan = Plan::of(&self.pinned, run.model.as_deref()).unwrap_or_else(Plan::empty);
        let inputs = self.pinned.task.inputs.clone();
        let root = Scope::new(&plan, None, Names::of(run, &inputs));
        let max_calls = match &self.pinned.task.body {
            Body::Workflow(workflow) => workflow.max_calls as usize,
            Body::Instruct(_) => usize::MAX,
        };
        let mut standing: HashMap<Fingerprint, Vec<Key>> = HashMap::new();
        for (key, call) in &run.calls {
            if let Some(stands) = &call.standing {
                standing.entry(stands.fingerprint.clone()).or_default().push(key.clone());
            }
        }
        GraphSession { plan, inputs, max_calls, run: run.clone(), root, standing }
    }
}

struct GraphSession {
    plan: Plan,
    inputs: Vec<Field>,
    max_calls: usize,
    run: Run,
    root: Scope,
    standing: HashMap<Fingerprint, Vec<Key>>,
}

impl Session for GraphSession {
    fn feed(&mut self, events: &[Event]) -> Wants {
        for event in events {
            let (seq, at) = (self.run.seq + 1, self.run.updated_at);
            self.run.apply(seq, at, event);
            if let Some(key) = event.key() {
                self.root.touch(&self.plan, key, 0);
                if let Some(stands) = self.run.call(key).and_then(|call| call.standing.as_ref()) {
                    let keys = self.standing.entry(stands.fingerprint.clone()).or_default();
                    if !keys.contains(key) {
                        keys.push(key.clone());
                    }
                }
            }
        }
        let mut evaluation = Evaluation {
            run: &self.run,
            secret: self.inputs.iter().any(|field| field.kind == FieldType::Secret),
            standing: &self.standing,
            notes: Vec::new(),
            stops: false,
        };
        self.root.evaluate(&self.plan, &mut evaluation);
        let (notes, stops) = (evaluation.notes, evaluation.stops);
        let mut wants = Wants { notes, ..Wants::default() };
        if let Some((key, failure)) = self.root.failure() {
            wants.end = Some(End::Failed { key: Some(key.clone()), failure: failure.clone() });
            return wants;
        }
        let stops = stops || self.run.decided.values().flatten().any(|decided| decided.what == "stop_when");
        self.root.wants(&mut wants.calls);
        // A reopened call leaves its output standing, and yet a person or another attempt is waited for.
        let open = self.run.gates() > 0 || !wants.calls.is_empty() || !wants.notes.is_empty();
        if stops || (self.root.ended() && !open) {
            wants.calls.clear();
            if wants.notes.is_empty() {
                wants.end = Some(self.end());
                wants.cancel = self.prompts_under_way();
            }
            return wants;
        }
        // Stable: equal priorities stay in declared order.
        wants.calls.sort_by_key(|want| std::cmp::Reverse(want.priority));
        self.limit(&mut wants);
        wants
    }
}

impl GraphSession {
    fn end(&self) -> End {
        match view::result(&self.root, &self.plan) {
            Ok((title, body)) => {
                let state = self.run.set_state.iter().filter_map(|(name, set)| {
                    let (_, value) = set.last()?;
                    Some((name.clone(), value.clone()))
                });
                let state: serde_json::Map<String, Value> = state.collect();
                let state = if state.is_empty() { Value::Null } else { Value::Object(state) };
                End::Completed { title: Untrusted::from(title), body: Untrusted::from(body), state }
            }
            Err(failure) => End::Failed { key: None, failure },
        }
    }

    /// After a `stop_when`, prompts are cancelled; effects finish.
    fn prompts_under_way(&self) -> Vec<Key> {
        let calls = self.run.calls.values().filter(|call| call.status == CallStatus::Running);
        calls
            .filter(|call| call.newest().and_then(|a| a.work.as_ref()).is_none_or(|work| !work.has_effect()))
            .map(|call| call.key.clone())
            .collect()
    }

    /// A run that has made as many calls as it may fails before it makes another.
    fn limit(&self, wants: &mut Wants) {
        // Far from the limit nothing needs to be counted.
        if self.run.calls.len() + wants.calls.len() <= self.max_calls {
            return;
        }
        let begun = |key: &Key| self.run.call(key).is_some_and(|call| !call.attempts.is_empty());
        let made = self.run.calls.values().filter(|call| !call.attempts.is_empty()).count();
        let mut left = self.max_calls.saturating_sub(made);
        let refused =
            wants.calls.iter().find(|want| !begun(&want.key)).filter(|_| left == 0).map(|want| want.key.clone());
        if let Some(key) = refused {
            let message = format!("the run has made {made} calls, as many as `max_calls` allows");
            wants.end = Some(End::Failed { key: Some(key), failure: Failure::new(FailureClass::Definition, message) });
            wants.calls.clear();
            return;
        }
        wants.calls.retain(|want| {
            let new = !begun(&want.key);
            let may = !new || left > 0;
            left -= usize::from(new && may);
            may
        });
    }
}

/// Whether and how a step or call has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
enum Outcome {
    #[default]
    Waiting,
    Accepted,
    Skipped(String),
    Failed(Failure),
}

/// One look at the graph: the journal as it stands, and what is to be added to it.
struct Evaluation<'a> {
    run: &'a Run,
    /// Whether rendered work may hold markers of secrets.
    secret: bool,
    standing: &'a HashMap<Fingerprint, Vec<Key>>,
    notes: Vec<Event>,
    /// A `stop_when` holds.
    stops: bool,
}

impl<'a> Evaluation<'a> {
    fn note(&mut self, event: Event) {
        self.notes.push(event);
    }

    /// The calls whose standing output is for `fingerprint`.
    fn standing_for(&self, fingerprint: &Fingerprint) -> impl Iterator<Item = &'a Key> + use<'a> {
        let run = self.run;
        let fingerprint = fingerprint.clone();
        let keys = self.standing.get(&fingerprint).into_iter().flatten();
        keys.filter(move |key| run.call(key).is_some_and(|call| call.stands_for(&fingerprint).is_some()))
    }

    /// What a call is asked to do, whichever run it is in: the nonce of its secrets is left out.
    fn fingerprint(&self, step: &str, work: &Work) -> Fingerprint {
        let mut bytes = serde_json::to_vec(&(step, work)).unwrap_or_default();
        if self.secret {
            bytes = String::from_utf8_lossy(&bytes).replace(&self.run.nonce, "").into_bytes();
        }
        Fingerprint::of_bytes(&bytes)
    }

    fn decided(&self, key: &Key, what: &str) -> Option<&'a Value> {
        let decided = self.run.decided.get(key)?;
        decided.iter().find(|decided| decided.what == what).map(|decided| &decided.value)
    }

    /// Notes a decision of the flow, unless the journal has it.
    fn decide(&mut self, key: Key, what: &str, value: Value, why: impl FnOnce() -> Value) {
        if self.decided(&key, what) != Some(&value) {
            self.note(Event::FlowDecided { key, what: what.to_owned(), value, why: why() });
        }
    }

    /// Notes that a call is not performed, unless the journal has it.
    fn skip(&mut self, key: Key, step: &str, because: String) {
        let known = self.run.call(&key).is_some_and(|call| {
            call.status == CallStatus::Skipped
                && matches!(&call.ending, Some(crate::core::call::Ending::Skipped { because: b, .. }) if *b == because)
        });
        if !known {
            self.note(Event::CallSkipped { key, step: step.to_owned(), because, by: "flow".to_owned() });
        }
    }

    /// Notes a failure that the run goes on with, unless the journal has it.
    fn warn(&mut self, key: &Key, failure: &Failure) {
        let message = format!("`{key}` failed and the run went on: {failure}");
        if !self.run.warnings.contains(&message) {
            self.note(Event::Warned { key: Some(key.clone()), message });
        }
    }

    fn set_state(&mut self, key: &Key, name: &str, value: Value) {
        if self.run.set_state.get(name).and_then(|set| set.get(key)) != Some(&value) {
            self.note(Event::StateSet { key: key.clone(), name: name.to_owned(), value });
        }
    }

    /// Writes a document beside the result, unless one of its versions says the same.
    fn write(&mut self, name: &str, title: &str, body: &str) {
        let versions = self.run.documents.get(name).map(|document| document.versions.as_slice()).unwrap_or_default();
        if !versions.iter().any(|version| version.title.data() == title && version.body.data() == body) {
            self.note(Event::DocumentWritten {
                name: name.to_owned(),
                version: u32::try_from(versions.len()).unwrap_or(u32::MAX).saturating_add(1),
                title: Untrusted::from(title),
                body: Untrusted::from(body),
                by: "model".to_owned(),
            });
        }
    }

    /// Takes back what waits of calls that are not wanted any more: those of the step `base` whose segment `is_gone`.
    fn retire(&mut self, base: &Key, is_gone: impl Fn(&Segment) -> bool) {
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
                    key: call.key.clone(),
                    step: call.step.clone(),
                    because: "it is not wanted any more".to_owned(),
                    by: "flow".to_owned(),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests;
