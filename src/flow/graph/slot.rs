//! A slot: one item of a fan-out, or the only one of a plain step, through the iterations of its repeat.

use std::sync::Arc;

use minijinja::Value;
use serde_json::json;

use super::before::overlaid;
use super::claims::asked_about;
use super::scope::{Around, Scope, stamp};
use super::view;
use crate::core::event::FlowDecision;
use crate::core::failure::{Failure, FailureClass};
use crate::core::key::Key;
use crate::core::text::Untrusted;
use crate::flow::documents::DocumentText;
use crate::flow::evaluation::{Evaluation, Outcome};
use crate::flow::memo::{Asked, CallView, Cell, Dependency};
use crate::flow::names::{Names, values_used};
use crate::flow::plan::{Doing, Node, Plan};
use crate::flow::work::{eval, text};
use crate::flow::{Want, effort};

/// How far one item has come.
#[derive(Default)]
pub struct Slot {
    /// Whether and how it has ended.
    pub outcome: Outcome,
    /// Its output.
    pub output: Option<Value>,
    /// The newest event that changed what it came to.
    pub seq: u64,
    inner_stamp: u64,
    /// The call inside that failed it.
    pub failed_at: Option<Key>,
    /// What it says of a document, once it has an output.
    written: Option<DocumentText>,
    /// What it depended on at the last look.
    made_from: Vec<Dependency>,
    iterations: Vec<Iteration>,
    /// The first iteration that the next look has to begin with: those before it are as they were.
    first: usize,
}

#[derive(Default)]
struct Iteration {
    /// What it depended on when it was made: after a change it is made again.
    made_from: Vec<Dependency>,
    cell: Cell,
    scope: Option<Box<Scope>>,
    /// Its call, when that is to be performed: also of one that has passed and is tried again.
    want: Option<Arc<Want>>,
    /// What the next one begins with, once there is to be one.
    passed: Option<Passed>,
}

/// What an iteration leaves to the next one.
#[derive(Clone)]
struct Passed {
    output: Value,
    /// The newest event that changed what it, or one before it, came to.
    seq: u64,
    /// Changes whenever what others see of it, or of one before it, does.
    stamp: u64,
}

impl Slot {
    /// It has ended without an output.
    pub fn end(&mut self, outcome: Outcome) {
        self.outcome = outcome;
        self.output = None;
        for iteration in &mut self.iterations {
            iteration.want = None;
        }
        self.written = None;
    }

    /// It failed, at a call inside it if one is named.
    pub fn fail(&mut self, at: Option<Key>, failure: Failure) {
        self.end(Outcome::Failed(failure));
        self.failed_at = at;
    }

    /// It waits for something before it. Whether it did not before.
    pub fn withdraw(&mut self) -> bool {
        let had_begun = self.outcome != Outcome::Waiting || !self.iterations.is_empty();
        self.end(Outcome::Waiting);
        self.iterations.clear();
        had_begun
    }

    /// Something happened to an iteration: it and those after it are to be looked at.
    pub fn touch(&mut self, iteration: usize) {
        self.first = self.first.min(iteration);
    }

    /// The names that it was made from have changed.
    pub fn forget(&mut self) {
        self.first = 0;
        for iteration in &mut self.iterations {
            iteration.cell.forget();
            iteration.scope = None;
        }
    }

    /// Where a look begins, and what the iteration before it has left: at the first that something happened to. Whoever
    /// depends on something else by now begins at the beginning.
    fn begin(&mut self, depends: &[Dependency]) -> (usize, Option<Passed>) {
        if self.made_from != depends {
            self.made_from = depends.to_vec();
            self.first = 0;
        }
        let first = self.first.min(self.iterations.len());
        let known = (1..=first).rev().find_map(|at| Some((at, self.iterations[at - 1].passed.clone()?)));
        known.map_or((0, None), |(at, passed)| (at, Some(passed)))
    }

    /// Changes whenever what others see of it does.
    #[must_use]
    pub fn stamp(&self) -> u64 {
        stamp(&(&self.outcome, self.seq, self.inner_stamp))
    }

    /// Whether it, or a scope inside it, may want calls.
    #[must_use]
    pub fn may_want(&self) -> bool {
        self.iterations.iter().any(|iteration| iteration.want.is_some() || iteration.scope.is_some())
    }

    /// The calls that it wants.
    pub fn wants(&self, into: &mut Vec<Arc<Want>>) {
        for iteration in &self.iterations {
            into.extend(iteration.want.clone());
            if let Some(scope) = &iteration.scope {
                scope.wants(into);
            }
        }
    }

    /// What it, and the steps inside it, say of documents, each with the event that made it so. `inner` is the plan of those
    /// steps.
    pub fn documents<'a>(&'a self, inner: Option<&Plan>, into: &mut Vec<(u64, &'a DocumentText)>) {
        if let Some(inner) = inner.filter(|inner| inner.writes_documents()) {
            let scopes = self.iterations.iter().filter_map(|iteration| iteration.scope.as_ref());
            scopes.for_each(|scope| scope.documents(inner, into));
        }
        into.extend(self.written.as_ref().map(|written| (self.seq, written)));
    }

    /// Differs where what it says of a document itself does.
    #[must_use]
    pub fn said(&self) -> Option<(u64, u64)> {
        self.written.as_ref().map(|written| (self.seq, written.stamp()))
    }

    /// Whether it has come as far as that iteration.
    #[must_use]
    pub fn has_reached(&self, iteration: usize) -> bool {
        iteration < self.iterations.len()
    }

    /// The scope inside an iteration, if it has been opened.
    #[must_use]
    pub fn inner(&self, iteration: usize) -> Option<&Scope> {
        self.iterations.get(iteration)?.scope.as_deref()
    }

    /// The same, to be changed.
    pub fn scope(&mut self, iteration: usize) -> Option<&mut Scope> {
        self.iterations.get_mut(iteration)?.scope.as_deref_mut()
    }

    fn iteration(&mut self, at: usize, depends: &[Dependency]) -> &mut Iteration {
        if self.iterations.len() <= at {
            self.iterations.resize_with(at + 1, Iteration::default);
        }
        let iteration = &mut self.iterations[at];
        if iteration.made_from != depends {
            iteration.made_from = depends.to_vec();
            iteration.cell.forget();
            iteration.scope = None;
        }
        iteration.passed = None;
        iteration
    }
}

/// One slot being looked at.
pub struct Turn<'a> {
    /// Its name, without an iteration.
    pub key: Key,
    /// The step's name, without an item.
    pub base: Key,
    /// The plan that the step is of.
    pub plan: &'a Plan,
    /// The step's place in it.
    pub at: usize,
    /// The step.
    pub node: &'a Node,
    /// The item.
    pub item: Option<&'a Arc<serde_json::Value>>,
    /// All items.
    pub list: &'a [Arc<serde_json::Value>],
    /// The limits of the groups around it.
    pub lanes: &'a [(Key, usize)],
    /// What it depends on.
    pub depends: &'a [Dependency],
    /// The names of the steps that its `history` takes in, in declared order.
    pub before: &'a [Key],
}

impl Turn<'_> {
    /// Goes through the iterations of a repeat, or the only one.
    pub fn iterate(self, slot: &mut Slot, names: &Names, evaluation: &mut Evaluation<'_>) {
        let repeat = self.node.step.rules.repeat.as_ref();
        let most = repeat.map_or(1, |repeat| repeat.max.max(1));
        let mut depends = self.depends.to_vec();
        let mut turn_names = names.clone();
        let (first, mut past) = slot.begin(self.depends);
        if repeat.is_some() {
            turn_names.previous = Some(Value::from(()));
        }
        if let Some(passed) = &past {
            self.follow(passed, first, &mut depends, &mut turn_names, names, evaluation);
        }
        for iteration in u32::try_from(first).unwrap_or(u32::MAX)..most {
            slot.first = iteration as usize;
            slot.written = None;
            let mut key = self.key.clone();
            if repeat.is_some() {
                key = key.with_iteration(Some(iteration));
                turn_names.iteration = Some(iteration);
            }
            let seen = self.body(slot, iteration as usize, &key, &turn_names, &depends, evaluation);
            // Iterations after this one do not count any more, or not yet.
            slot.iterations.truncate(iteration as usize + 1);
            if let Some(of_it) = slot.iterations.get_mut(iteration as usize) {
                of_it.want = seen.want;
            }
            slot.seq = seen.seq;
            slot.inner_stamp = seen.stamp;
            slot.output = seen.output;
            slot.outcome = seen.outcome;
            slot.failed_at = seen.failed_at;
            if slot.outcome != Outcome::Accepted {
                match &slot.outcome {
                    Outcome::Failed(_) if slot.failed_at.is_none() => slot.failed_at = Some(key),
                    Outcome::Skipped(_) if repeat.is_some() => evaluation.retire_after(&self.key, iteration),
                    _ => {}
                }
                return;
            }
            if repeat.is_none() && self.node.set_state.is_empty() && self.node.stop_when.is_none() {
                break;
            }
            let output = slot.output.clone().unwrap_or_else(|| Value::from(()));
            let context = turn_names.with_output(output.clone()).value();
            match self.bring(&key, &context, evaluation) {
                Ok(Brought::Known) => {}
                // The run ends early, and so does this.
                Ok(Brought::Stops) => {
                    if repeat.is_some() {
                        evaluation.retire_after(&self.key, iteration);
                    }
                    break;
                }
                // Others see the state once the journal has it.
                Ok(Brought::Noted) => {
                    slot.outcome = Outcome::Waiting;
                    return;
                }
                Err(failure) => {
                    evaluation.unsay(&key, &FlowDecision::Switch);
                    return slot.fail(Some(key), failure);
                }
            }
            let Some(repeat) = repeat else { break };
            match self.until(&key, &context, evaluation) {
                Ok(false) if iteration + 1 < most => {
                    let before = past.as_ref().map_or((0, 0), |before| (before.seq, before.stamp));
                    let stamp = stamp(&(before.1, slot.stamp()));
                    let passed = Passed { output, seq: slot.seq.max(before.0), stamp };
                    self.follow(&passed, iteration as usize + 1, &mut depends, &mut turn_names, names, evaluation);
                    slot.iterations[iteration as usize].passed = Some(passed.clone());
                    past = Some(passed);
                }
                Ok(false) if !repeat.accept_last => {
                    let message = format!("`until` did not hold after {most} iterations: {}", repeat.until);
                    return slot.fail(Some(key), Failure::new(FailureClass::BadOutput, message));
                }
                Ok(_) => {
                    evaluation.retire_after(&self.key, iteration);
                    break;
                }
                Err(failure) => return slot.fail(Some(key), failure),
            }
        }
        self.write(slot, &turn_names);
    }

    /// Brings what an iteration sees to the one with number `next`: it depends on the one before it, and through that on all
    /// before that.
    fn follow(
        &self,
        passed: &Passed,
        next: usize,
        depends: &mut Vec<Dependency>,
        turn_names: &mut Names,
        names: &Names,
        evaluation: &Evaluation<'_>,
    ) {
        let last = u32::try_from(next.saturating_sub(1)).unwrap_or(u32::MAX);
        let (key, through) = (self.key.with_iteration(Some(last)), Arc::from(["previous".to_owned()]));
        depends.truncate(self.depends.len());
        depends.push(Dependency { key, seq: passed.seq, stamp: passed.stamp, through });
        turn_names.previous = Some(passed.output.clone());
        if self.plan.writes[self.at] {
            let before = |key: &Key| self.is_iteration(key).is_some_and(|at| at <= last);
            turn_names.state = overlaid(&names.state, evaluation.run, before);
        }
    }

    /// Which iteration of this slot a call is, or lies in.
    fn is_iteration(&self, key: &Key) -> Option<u32> {
        let at = self.key.segments().len() - 1;
        let (own, segment) = (self.key.last(), key.segments().get(at)?);
        let same = key.is_of(&self.key) && segment.item == own.item;
        if same { segment.iteration } else { None }
    }

    fn until(&self, key: &Key, context: &Value, evaluation: &mut Evaluation<'_>) -> Result<bool, Failure> {
        let Some(until) = &self.node.until else { return Ok(true) };
        let holds = evaluation.holds(key, &FlowDecision::Until, "until", until, context)?;
        if let Ok(expr) = until {
            evaluation.decide(key.clone(), FlowDecision::Until, json!(holds), || values_used(expr, context));
        }
        Ok(holds)
    }

    fn body(
        &self,
        slot: &mut Slot,
        iteration: usize,
        key: &Key,
        names: &Names,
        depends: &[Dependency],
        evaluation: &mut Evaluation<'_>,
    ) -> CallView {
        effort::spend(1 + depends.len());
        let iteration = slot.iteration(iteration, depends);
        let mut lanes = self.lanes.to_vec();
        let for_each = self.node.step.rules.for_each.as_ref();
        lanes.extend(for_each.and_then(|list| list.max_parallel).map(|most| (self.base.clone(), most as usize)));
        match &self.node.does {
            Doing::Group(plan, output) => {
                let around = Around { lanes, sources: depends.to_vec() };
                let open = || Box::new(Scope::new(plan, Some(key.clone()), names.clone(), around.clone()));
                let scope = iteration.scope.get_or_insert_with(open);
                if !self.settle(scope, plan, evaluation) {
                    *scope = open();
                    scope.evaluate(plan, evaluation);
                }
                view::of_group(scope, plan, output.as_ref(), evaluation.run, self.key.last().item.is_some())
            }
            Doing::Child(Ok(child), inputs) => {
                let (plan, task) = child.as_ref();
                let given = match view::child_inputs(task, inputs, names) {
                    Ok(given) => given,
                    Err(failure) => return CallView::failed(None, failure),
                };
                let through: Arc<[String]> = Arc::from(["inputs".to_owned()]);
                let sources =
                    depends.iter().map(|source| Dependency { through: Arc::clone(&through), ..source.clone() });
                let around = Around { lanes, sources: sources.collect() };
                let open =
                    || Box::new(Scope::new(plan, Some(key.clone()), names.for_child(given.clone()), around.clone()));
                let scope = iteration.scope.get_or_insert_with(open);
                if !self.settle(scope, plan, evaluation) {
                    *scope = open();
                    scope.evaluate(plan, evaluation);
                }
                view::of_child(scope, plan, key, evaluation.run)
            }
            Doing::Child(Err(why), _) => CallView::failed(None, Failure::new(FailureClass::Definition, why.clone())),
            Doing::Switch(cases, default) => {
                view::switch(&self.node.step.id, cases, default, key, &names.value(), evaluation)
            }
            _ => {
                let history = match &self.node.does {
                    Doing::Prompt(prompt) => prompt.spec.history.as_ref(),
                    _ => None,
                };
                let asked = Asked {
                    history,
                    before: self.before,
                    key,
                    workflow: self.plan.workflow.as_deref(),
                    node: self.node,
                    names,
                    item: self.item,
                    list: self.list,
                    depends,
                    model: self.plan.model.as_deref(),
                    retry: &self.plan.retry,
                    lanes: &lanes,
                    helps: false,
                };
                iteration.cell.evaluate(&asked, evaluation)
            }
        }
    }

    /// Looks at the steps inside. Where one has failed and the run continues without them all, nobody is asked about the
    /// others. False when that one does not fail any more: the others are to be looked at again.
    fn settle(&self, scope: &mut Scope, plan: &Plan, evaluation: &mut Evaluation<'_>) -> bool {
        let (had_failed, noted) = (scope.failure().is_some(), evaluation.notes.len());
        scope.evaluate(plan, evaluation);
        let fails = scope.failure().is_some();
        if fails && self.node.goes_on() {
            let notes = evaluation.notes.split_off(noted);
            evaluation.notes.extend(notes.into_iter().filter(|note| asked_about(note).is_none()));
        }
        if had_failed && !fails {
            // All of it is noted by the next look.
            evaluation.notes.truncate(noted);
        }
        fails || !had_failed
    }

    /// What the acceptance of an iteration brings: state and an early end.
    fn bring(&self, key: &Key, context: &Value, evaluation: &mut Evaluation<'_>) -> Result<Brought, Failure> {
        let noted = evaluation.notes.len();
        for (name, expr) in &self.node.set_state {
            let value = eval("set_state", expr, context)?;
            evaluation.set_state(key, name, value);
        }
        let known = evaluation.notes.len() == noted;
        let Some(expr) = &self.node.stop_when else { return Ok(if known { Brought::Known } else { Brought::Noted }) };
        let holds = evaluation.holds(key, &FlowDecision::StopWhen, "stop_when", expr, context)?;
        // That it does not hold is noted only of one that did.
        if let Ok(expr) = expr
            && (holds || evaluation.decided(key, &FlowDecision::StopWhen).is_some())
        {
            let why = || values_used(expr, context);
            evaluation.decide(key.clone(), FlowDecision::StopWhen, json!(holds), why);
        }
        evaluation.stops |= holds;
        Ok(match (known, holds) {
            (false, _) => Brought::Noted,
            (true, true) => Brought::Stops,
            (true, false) => Brought::Known,
        })
    }

    /// What the last iteration says of the step's document.
    fn write(&self, slot: &mut Slot, names: &Names) {
        let Some([name, title, body]) = &self.node.document else { return };
        let context = names.with_output(slot.output.clone().unwrap_or_else(|| Value::from(()))).value();
        let text = |source| text("document", source, &context);
        let written = text(name).and_then(|name| {
            let (title, body) = (Untrusted::from(text(title)?), Untrusted::from(text(body)?));
            Ok(DocumentText::new(name, title, body))
        });
        match written {
            Ok(written) => slot.written = Some(written),
            Err(mistake) => slot.fail(Some(self.key.clone()), mistake.into()),
        }
    }
}

/// What the acceptance of an iteration brought.
enum Brought {
    /// The journal has the state that it sets, if any.
    Known,
    /// It does not yet.
    Noted,
    /// The run ends early.
    Stops,
}
