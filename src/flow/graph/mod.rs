//! The graph: steps that begin as soon as what they depend on has ended.
//!
//! `scope` and `slot` say how far each step and item has come, `view` is what later steps see. What a step is asked to
//! do and how that is held against the journal is shared with scripts: `flow::plan`, `flow::work`, `flow::memo`.

mod before;
mod claims;
mod ends;
pub(super) mod history;
pub(super) mod scope;
mod slot;
mod tally;
pub(super) mod view;

use std::sync::Arc;

use serde_json::Value;

use self::scope::{Around, Scope};
use crate::core::decide::Following;
use crate::core::event::{Event, FlowDecision};
use crate::core::failure::Failure;
use crate::core::form::Field;
use crate::core::key::Key;
use crate::core::pinned::Pinned;
use crate::core::revised::Revised;
use crate::core::run::{Decided, Run};
use crate::core::task::Body;
use crate::core::template::{Expr, References};
use crate::core::text::Untrusted;
use crate::flow::documents::KnownDocuments;
use crate::flow::evaluation::{CallIndex, Evaluation, in_order_of_ends, prompts_under_way};
use crate::flow::judge::definition;
use crate::flow::names::Names;
use crate::flow::plan::{Plan, ValuePlan};
use crate::flow::{End, Flow, Session, Wants};
use crate::flow::{limit, work};

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

    fn following(&self, key: &Key) -> Option<Following> {
        let plan = Plan::of(&self.pinned, None)?;
        let key = key.clone();
        Some(Box::new(move |other| plan.follows(&key, other)))
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
        let names = session.names_at_end(|_| true).value();
        let mut next = Vec::new();
        for successor in &workflow.then {
            if let Some(when) = &successor.when
                && !work::condition("when", &Expr::condition(when), &names)?
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
        let root = Scope::new(&plan, None, Names::of(run, &inputs), Around::default());
        let max_calls = match &self.pinned.task.body {
            Body::Workflow(workflow) => workflow.max_calls as usize,
            Body::Instruct(_) => usize::MAX,
        };
        let index = CallIndex::of(run);
        let documents = KnownDocuments::default();
        GraphSession { plan, inputs, max_calls, run: run.clone(), root, index, documents, stopped: false }
    }
}

struct GraphSession {
    plan: Plan,
    inputs: Vec<Field>,
    max_calls: usize,
    run: Run,
    root: Scope,
    index: CallIndex,
    documents: KnownDocuments,
    /// A `stop_when` held at the last look.
    stopped: bool,
}

impl Session for GraphSession {
    fn feed(&mut self, events: &[Event]) -> Wants {
        for event in events {
            let (seq, at) = (self.run.seq + 1, self.run.updated_at);
            self.run.apply(seq, at, event);
            self.documents.hear(event);
            if let Some(key) = event.key() {
                self.root.touch(&self.plan, key, 0);
                self.index.learn(&self.run, key);
            }
        }
        if events.iter().any(|event| matches!(event, Event::DecisionUndone { .. })) {
            // It reaches further than the call that was decided about: all that has begun because of it.
            self.look_again();
            self.index = CallIndex::of(&self.run);
        }
        let (mut notes, mut stops) = self.look();
        if self.stopped && !stops {
            // What was taken back at the early end.
            self.look_again();
            (notes, stops) = self.look();
        }
        self.stopped = stops;
        notes.extend(claims::withdrawn(&self.root, &self.plan, &self.run, stops, &notes));
        let cancel = claims::needless(&self.root, &self.plan, &self.run);
        let mut wants = Wants { notes, cancel, ..Wants::default() };
        if let Some((key, failure)) = self.root.failure() {
            wants.end = Some(End::Failed { key: Some(key.clone()), failure: failure.clone() });
            return wants;
        }
        self.root.wants(&mut wants.calls);
        if stops {
            // Only what a person takes up again goes on.
            wants.calls.retain(|want| self.run.call(&want.key).is_some_and(|call| call.standing.is_some()));
            wants.cancel = prompts_under_way(&self.run);
            wants.cancel.retain(|key| !wants.calls.iter().any(|want| want.key == *key));
        }
        // A reopened call leaves its output standing, and yet a person or another attempt is waited for.
        let open = self.run.gates_of_calls() > 0 || !wants.calls.is_empty() || !wants.notes.is_empty();
        if (stops || self.root.ended()) && !open {
            wants.end = Some(self.end());
            return wants;
        }
        // Stable: equal priorities stay in declared order.
        wants.calls.sort_by_key(|want| std::cmp::Reverse(want.priority));
        limit::hold(&self.run, self.max_calls, &mut wants);
        wants
    }

    fn names(&self, _: &Run, named: &References) -> minijinja::Value {
        self.names_at_end(|id| named.reads_step(id)).value()
    }
}

impl GraphSession {
    /// What the result sees, of the steps whose id `reads` lets in.
    fn names_at_end(&self, reads: impl Fn(&str) -> bool) -> Names {
        self.root.names_at_end(&self.plan, &self.run, reads)
    }

    /// Forgets what it has seen: the next look is at all that the journal has.
    fn look_again(&mut self) {
        self.root = Scope::new(&self.plan, None, Names::of(&self.run, &self.inputs), Around::default());
    }

    /// What is to be noted, and whether the run ends early.
    fn look(&mut self) -> (Vec<Event>, bool) {
        let mut evaluation = Evaluation::new(&self.run, &self.inputs, &self.index);
        self.root.evaluate(&self.plan, &mut evaluation);
        if evaluation.documents || !self.documents.is_quiet() {
            let mut texts = Vec::new();
            self.root.documents(&self.plan, &mut texts);
            texts.sort_by_key(|(seq, _)| *seq);
            self.documents.write(texts.into_iter().map(|(_, text)| text), &mut evaluation, || true);
        }
        let (mut notes, stops) = (evaluation.notes, evaluation.stops);
        in_order_of_ends(&self.run, &mut notes);
        let holds =
            |decided: &Revised<Decided>| decided.what == FlowDecision::StopWhen && decided.value == Value::Bool(true);
        let mut stopping = self.run.decided.iter().filter(|(_, decided)| decided.iter().any(holds));
        let stops = stops || stopping.any(|(key, _)| !self.run.is_left_out(key));
        if stops {
            // Nobody is asked about anything but what a person takes up again.
            let run = &self.run;
            let reopened = |key: &Key| run.call(key).is_some_and(|call| call.standing.is_some());
            notes.retain(|note| claims::asked_about(note).is_none_or(reopened));
        }
        (notes, stops)
    }

    fn end(&self) -> End {
        match view::result(&self.root, &self.plan, &self.run) {
            Ok((title, body)) => End::Completed { title: Untrusted::from(title), body: Untrusted::from(body) },
            Err(failure) => End::Failed { key: None, failure },
        }
    }
}

#[cfg(test)]
mod tests;
