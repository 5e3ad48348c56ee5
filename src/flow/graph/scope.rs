//! A scope: the steps of a workflow, of one item of a group, or of a child workflow, and how far each has come.
//!
//! Only what an event touches is looked at again: a node is *dirty* when something inside it changed, and its names
//! are dirty when something that it depends on did.

use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::Arc;

use fixedbitset::FixedBitSet;
use indexmap::IndexMap;
use minijinja::Value;
use serde_json::json;

use super::before::{Ready, overlaid};
use super::slot::{Slot, Turn};
use super::tally::Tally;
use super::view;
use crate::core::event::FlowDecision;
use crate::core::failure::Failure;
use crate::core::key::{Key, Segment};
use crate::core::run::Run;
use crate::core::step::Join;
use crate::core::template::{Expr, from_json};
use crate::flow::documents::DocumentText;
use crate::flow::evaluation::{Evaluation, Outcome};
use crate::flow::memo::Dependency;
use crate::flow::mistake::Mistake;
use crate::flow::names::{Names, values_used};
use crate::flow::plan::{Node, Plan};
use crate::flow::skip::Skip;
use crate::flow::work::{condition, eval};
use crate::flow::{Want, effort};

/// How far the steps of a plan have come.
pub struct Scope {
    pub(super) states: Vec<StepState>,
    marks: Marks,
    pub(super) prefix: Option<Key>,
    pub(super) names: Names,
    around: Around,
}

/// What the groups around a scope bring to every call inside.
#[derive(Clone, Default)]
pub struct Around {
    /// Their limits.
    pub lanes: Vec<(Key, usize)>,
    /// What they depend on.
    pub sources: Vec<Dependency>,
}

/// What is asked of all steps at every event: a bit for each, by its place in declared order.
struct Marks {
    /// Something inside it changed. By its place in the order in which steps are looked at.
    dirty: FixedBitSet,
    /// It has not ended.
    waits: FixedBitSet,
    /// Its failure ends the scope.
    failed: FixedBitSet,
    /// Some slot of it may want calls.
    wants: FixedBitSet,
}

impl Marks {
    fn new(steps: usize) -> Self {
        let none = FixedBitSet::with_capacity(steps);
        let mut all = none.clone();
        all.insert_range(..);
        Self { dirty: all.clone(), waits: all, failed: none.clone(), wants: none }
    }
}

/// How far one step has come.
pub(super) struct StepState {
    pub(super) names_dirty: bool,
    pub(super) outcome: Outcome,
    /// What `steps.X` is for others, once it has ended.
    pub(super) view: Value,
    /// The newest event that changed what it came to.
    pub(super) seq: u64,
    /// Changes whenever what others see of it does.
    pub(super) stamp: u64,
    /// A failure that ends the scope.
    pub(super) failure: Option<(Key, Failure)>,
    pub(super) names: Option<Arc<Names>>,
    pub(super) items: Vec<Arc<serde_json::Value>>,
    pub(super) slots: Vec<Slot>,
    /// The slots that an event touched; `None`: all.
    pub(super) touched: Option<Vec<usize>>,
    /// The slots, counted.
    pub(super) tally: Tally,
}

impl StepState {
    fn new() -> Self {
        Self {
            names_dirty: true,
            outcome: Outcome::Waiting,
            view: Value::from(()),
            seq: 0,
            stamp: 0,
            failure: None,
            names: None,
            items: Vec::new(),
            slots: Vec::new(),
            touched: None,
            tally: Tally::default(),
        }
    }

    /// Counts the slots, all of them or those that were looked at.
    pub(super) fn count(&mut self, looked: Option<&[usize]>) {
        self.tally.take(&self.slots, looked);
    }
}

/// A number that differs where `value` does.
pub fn stamp(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl Scope {
    /// A scope in which nothing has been looked at.
    #[must_use]
    pub fn new(plan: &Plan, prefix: Option<Key>, names: Names, around: Around) -> Self {
        let states = plan.nodes.iter().map(|_| StepState::new()).collect();
        Self { states, marks: Marks::new(plan.nodes.len()), prefix, names, around }
    }

    /// Marks what an event about `key` touches; `depth` is the segment that names a step of this scope.
    pub fn touch(&mut self, plan: &Plan, key: &Key, depth: usize) {
        let Some(segment) = key.segments().get(depth) else { return };
        let Some(&at) = plan.by_id.get(&segment.id) else { return };
        let fresh = !self.marks.dirty.put(plan.places[at]);
        let slot = segment.item.unwrap_or(0) as usize;
        if plan.nodes[at].join() == Join::First {
            // Who lost may just have been decided.
            for &rival in plan.nodes[at].deps.iter().filter(|&&rival| plan.spare[rival]) {
                self.marks.dirty.insert(plan.places[rival]);
                self.states[rival].names_dirty = true;
            }
        }
        if plan.writes[at] {
            // What it set may count no more, or again.
            for &watcher in &plan.watchers[at] {
                self.marks.dirty.insert(plan.places[watcher]);
                self.states[watcher].names_dirty = true;
            }
        }
        let state = &mut self.states[at];
        if fresh {
            state.touched = Some(vec![slot]);
        } else if let Some(touched) = &mut state.touched
            && !touched.contains(&slot)
        {
            touched.push(slot);
        }
        let iteration = segment.iteration.unwrap_or(0) as usize;
        if let Some(slot) = state.slots.get_mut(slot) {
            slot.touch(iteration);
        }
        let inner = plan.nodes[at].does.inner();
        if let (Some(inner), Some(slot)) = (inner, state.slots.get_mut(slot))
            && let Some(scope) = slot.scope(iteration)
        {
            scope.touch(inner, key, depth + 1);
        }
    }

    /// Looks at everything that is dirty, in an order in which each step comes after what it depends on.
    pub fn evaluate(&mut self, plan: &Plan, evaluation: &mut Evaluation<'_>) {
        let mut from = 0;
        while let Some(place) = self.marks.dirty.ones().find(|place| *place >= from) {
            from = place + 1;
            let at = plan.order[place];
            let before = self.states[at].stamp;
            self.step(plan, at, evaluation);
            let state = &mut self.states[at];
            state.names_dirty = false;
            state.touched = None;
            state.stamp = stamp(&(&state.outcome, state.tally.stamp()));
            self.marks.dirty.set(place, false);
            self.marks.waits.set(at, state.outcome == Outcome::Waiting);
            self.marks.failed.set(at, state.failure.is_some());
            self.marks.wants.set(at, state.tally.wanting().next().is_some());
            if before != state.stamp {
                for &watcher in &plan.watchers[at] {
                    self.marks.dirty.insert(plan.places[watcher]);
                    self.states[watcher].names_dirty = true;
                }
            }
        }
    }

    /// The calls that are wanted, in declared order; none new where a step has failed for good.
    pub fn wants(&self, into: &mut Vec<Arc<Want>>) {
        if self.failure().is_none() {
            for state in self.marks.wants.ones().map(|at| &self.states[at]) {
                state.tally.wanting().for_each(|slot| state.slots[slot].wants(into));
            }
        }
    }

    /// The call that ended this scope by its failure.
    #[must_use]
    pub fn failure(&self) -> Option<&(Key, Failure)> {
        self.states[self.marks.failed.ones().next()?].failure.as_ref()
    }

    /// Whether every step has ended.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.marks.waits.is_clear()
    }

    /// What `steps.X` is of every step, for what comes after all of them; of one that has not ended, as a run that ends
    /// early has it, what there is so far.
    fn views(&self, plan: &Plan, reads: impl Fn(&str) -> bool) -> IndexMap<String, Value> {
        let mut steps = (*self.names.steps).clone();
        for (node, state) in plan.nodes.iter().zip(&self.states).filter(|(node, _)| reads(&node.step.id)) {
            effort::spend(state.slots.len());
            let view = match (&state.outcome, state.slots.as_slice()) {
                (Outcome::Waiting, slots) if node.list.is_some() => view::fan_out(&state.items, slots, "pending"),
                (Outcome::Waiting, [only]) => view::plain(only),
                (Outcome::Waiting, _) => view::empty(false, "pending"),
                _ => state.view.clone(),
            };
            steps.insert(node.step.id.clone(), view);
        }
        steps
    }

    /// The names that the result of this scope sees, of the steps whose id `reads` lets in.
    #[must_use]
    pub fn names_at_end(&self, plan: &Plan, run: &Run, reads: impl Fn(&str) -> bool) -> Names {
        let mut names = self.names.clone().with_steps(self.views(plan, reads));
        let own = |key: &Key| self.prefix.as_ref().is_none_or(|prefix| key.is_within(prefix));
        names.state = overlaid(&names.state, run, own);
        names
    }

    /// What the steps say of documents, each with the event that made it so.
    pub fn documents<'a>(&'a self, plan: &Plan, into: &mut Vec<(u64, &'a DocumentText)>) {
        for at in (0..plan.nodes.len()).filter(|&at| plan.documents[at]) {
            let inner = plan.nodes[at].does.inner();
            self.states[at].slots.iter().for_each(|slot| slot.documents(inner, into));
        }
    }

    /// The newest event that changed what it came to.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.states.iter().map(|state| state.seq).max().unwrap_or(0)
    }

    /// Changes whenever what others see of it does.
    #[must_use]
    pub fn stamp(&self) -> u64 {
        stamp(&self.states.iter().map(|state| state.stamp).collect::<Vec<_>>())
    }

    /// What `steps.X` is of the last declared step.
    #[must_use]
    pub fn last_view(&self) -> Option<&Value> {
        self.states.last().map(|state| &state.view)
    }

    /// Why the last declared step has no output, if it was skipped or failed and the run continues.
    pub(super) fn last_without_output(&self, plan: &Plan) -> Option<Skip> {
        match &self.states.last()?.outcome {
            Outcome::Skipped(skip) => Some(skip.clone()),
            Outcome::Failed(_) => plan.nodes.last().map(|last| Skip::dependency_failed(&last.step.id)),
            Outcome::Waiting | Outcome::Accepted => None,
        }
    }

    fn source(&self, plan: &Plan, at: usize, through: Arc<[String]>) -> Dependency {
        Dependency { key: self.base(&plan.nodes[at]), seq: self.states[at].seq, stamp: self.states[at].stamp, through }
    }

    /// The name of a step in this scope, without an item.
    pub(super) fn base(&self, node: &Node) -> Key {
        let segment = Segment::plain(&node.step.id);
        match &self.prefix {
            Some(prefix) => prefix.child(segment),
            None => Key::root(segment),
        }
    }

    fn step(&mut self, plan: &Plan, at: usize, evaluation: &mut Evaluation<'_>) {
        self.states[at].failure = None;
        if self.states[at].names_dirty || self.states[at].names.is_none() {
            evaluation.documents |= plan.documents[at];
            let ready = self.ready(plan, at, evaluation);
            let lost = if plan.spare[at] { self.lost(plan, at, evaluation) } else { None };
            match lost.filter(|_| !matches!(ready, Ready::Skip(_))).map_or(ready, Ready::Skip) {
                Ready::Wait => {
                    let state = &mut self.states[at];
                    state.outcome = Outcome::Waiting;
                    state.names = None;
                    for slot in &mut state.slots {
                        slot.withdraw();
                    }
                    state.count(None);
                    return;
                }
                Ready::Skip(skip) => return self.skip(plan, at, skip, evaluation),
                Ready::Go => {}
            }
            let names = self.names_of(plan, at, evaluation);
            if let Err(stop) = self.open(plan, at, names, evaluation) {
                return match stop {
                    Stop::Skipped(skip) => self.skip(plan, at, skip, evaluation),
                    Stop::Failed(mistake) => self.fail(plan, at, &mistake, evaluation),
                };
            }
        }
        let looked = self.slots(plan, at, evaluation);
        self.states[at].count(looked.as_deref());
        self.sum_up(plan, at, evaluation);
    }

    /// Decides `when` and the list, and makes the slots.
    fn open(&mut self, plan: &Plan, at: usize, names: Names, evaluation: &mut Evaluation<'_>) -> Result<(), Stop> {
        let node = &plan.nodes[at];
        let context = names.value();
        if let (Some(when), false) = (&node.when, node.when_per_item) {
            let holds = evaluation.holds(&self.base(node), &FlowDecision::When, "when", when, &context)?;
            if let Ok(expr) = when {
                evaluation.decide(self.base(node), FlowDecision::When, json!(holds), || values_used(expr, &context));
            }
            if !holds {
                return Err(Stop::Skipped(Skip::when(when)));
            }
        }
        let items: Vec<Arc<serde_json::Value>> = match &node.list {
            Some(list) => match eval("for_each", list, &context)? {
                serde_json::Value::Array(items) => {
                    let known = evaluation.decided(&self.base(node), &FlowDecision::ForEach).is_some();
                    // Journals from before lists were counted stay as they are.
                    if let Ok(list) = list
                        && (known || !evaluation.has_calls_of(&self.base(node)))
                    {
                        evaluation.decide(self.base(node), FlowDecision::ForEach, json!(items.len()), || {
                            values_used(list, &context)
                        });
                    }
                    items.into_iter().map(Arc::new).collect()
                }
                other => {
                    let message = format!("`for_each` of `{}` is not a list but {}", node.step.id, kind_of(&other));
                    let source = list.as_ref().ok().map(Expr::source);
                    return Err(Stop::Failed(Mistake::saying("for_each", source, message)));
                }
            },
            None => Vec::new(),
        };
        let count = match (&node.list, node.handles) {
            (Some(_), _) => items.len(),
            (None, Some(guarded)) => self.states[guarded].slots.len(),
            (None, None) => 1,
        };
        let state = &mut self.states[at];
        let shrank = state.slots.len() > count;
        state.items = items;
        state.names = Some(Arc::new(names));
        state.touched = None;
        state.slots.resize_with(count, Slot::default);
        state.slots.iter_mut().for_each(Slot::forget);
        let base = self.base(node);
        if plan.fans_out(at) || node.does.has_scope() {
            evaluation.mended(&base, &node.step.id);
        }
        if node.list.is_some() || shrank {
            evaluation.retire(&base, |segment| segment.item.is_some_and(|item| item as usize >= count));
        }
        Ok(())
    }

    /// Looks at the slots that an event touched, and gives those that it has looked at; `None`: all.
    fn slots(&mut self, plan: &Plan, at: usize, evaluation: &mut Evaluation<'_>) -> Option<Vec<usize>> {
        let node = &plan.nodes[at];
        let names = self.states[at].names.clone()?;
        let one_by_one = node.step.rules.for_each.as_ref().is_some_and(|for_each| for_each.one_by_one);
        let count = self.states[at].slots.len();
        if one_by_one {
            return Some(self.one_by_one(plan, at, &names, evaluation));
        }
        let mut touched = self.states[at].touched.take();
        if let Some(touched) = &mut touched {
            touched.retain(|slot| *slot < count);
        }
        let mut look = |slot: usize| {
            let names = self.slot_names(plan, at, slot, &names);
            self.slot(plan, at, slot, &names, None, evaluation);
        };
        match &touched {
            Some(touched) => touched.iter().copied().for_each(&mut look),
            None => (0..count).for_each(&mut look),
        }
        touched
    }

    /// Each slot sees the accepted outputs before it, so it waits for them. Gives those that it has looked at.
    fn one_by_one(
        &mut self,
        plan: &Plan,
        at: usize,
        names: &Arc<Names>,
        evaluation: &mut Evaluation<'_>,
    ) -> Vec<usize> {
        let count = self.states[at].slots.len();
        let first = self.states[at].touched.take().and_then(|touched| touched.into_iter().min()).unwrap_or(0);
        let mut earlier: Vec<Value> = Vec::new();
        let mut latest = 0;
        let mut stamps = 0;
        let (mut blocked, mut looked) = (false, Vec::new());
        for at_slot in 0..count {
            if blocked {
                let withdrawn = self.states[at].slots[at_slot].withdraw();
                evaluation.documents |= withdrawn && plan.documents[at];
                looked.extend(withdrawn.then_some(at_slot));
                continue;
            }
            if at_slot >= first {
                let before = self.states[at].slots[at_slot].stamp();
                let mut names = self.slot_names(plan, at, at_slot, names);
                names.earlier = Some(Value::from(earlier.clone()));
                if plan.writes[at] {
                    let (base, item) = (self.base(&plan.nodes[at]), Some(u32::try_from(at_slot).unwrap_or(u32::MAX)));
                    let before = |key: &Key| key.is_of(&base) && key.segments()[base.segments().len() - 1].item < item;
                    names.state = overlaid(&names.state, evaluation.run, before);
                }
                let seen = (at_slot > 0).then_some((latest, stamps));
                self.slot(plan, at, at_slot, &names, seen, evaluation);
                looked.push(at_slot);
                let slot = &self.states[at].slots[at_slot];
                // Nothing changed here, so nothing changes for those after it.
                if at_slot == first && first > 0 && slot.stamp() == before && slot.outcome == Outcome::Waiting {
                    return looked;
                }
            }
            let slot = &self.states[at].slots[at_slot];
            blocked = slot.outcome == Outcome::Waiting
                || (matches!(slot.outcome, Outcome::Failed(_)) && !plan.nodes[at].goes_on());
            latest = latest.max(slot.seq);
            stamps = stamp(&(stamps, slot.stamp()));
            earlier.extend(slot.output.clone());
        }
        looked
    }

    fn slot_names(&self, plan: &Plan, at: usize, slot: usize, names: &Names) -> Names {
        let mut names = names.clone();
        let node = &plan.nodes[at];
        let index = u32::try_from(slot).unwrap_or(u32::MAX);
        if node.list.is_some() {
            names.item = Some(from_json(&self.states[at].items[slot]));
            names.index = Some(index);
        }
        if let Some(guarded) = node.handles
            && let Some((key, failure)) = self.failed(plan, guarded, slot)
        {
            names.failure = Some(view::failure(&key, failure));
            if let Some(item) = self.states[guarded].items.get(slot) {
                names.item = Some(from_json(item));
                names.index = Some(index);
            }
        }
        names
    }

    /// Looks at one slot: its condition, its iterations, and what its acceptance brings.
    fn slot(
        &mut self,
        plan: &Plan,
        at: usize,
        at_slot: usize,
        names: &Names,
        earlier: Option<(u64, u64)>,
        evaluation: &mut Evaluation<'_>,
    ) {
        let node = &plan.nodes[at];
        let key = self.slot_key(plan, at, at_slot);
        let mut slot = std::mem::take(&mut self.states[at].slots[at_slot]);
        let said = slot.said();
        let nothing_to_handle = node.handles.is_some() && names.failure.is_none();
        if nothing_to_handle {
            slot.end(Outcome::Skipped(Skip::nothing_to_handle()));
        } else {
            match Self::item_condition(node, &key, names, evaluation) {
                Ok(None) => {
                    let mut depends: Vec<Dependency> = node
                        .deps
                        .iter()
                        .zip(&node.through)
                        .map(|(&dep, through)| self.source(plan, dep, Arc::clone(through)))
                        .collect();
                    // Of what the groups around depend on, what this step sees.
                    let seen = |source: &&Dependency| source.through.iter().any(|name| node.named.uses(name));
                    depends.extend(self.around.sources.iter().filter(seen).cloned());
                    if let Some((seq, stamp)) = earlier {
                        let before = u32::try_from(at_slot).unwrap_or(u32::MAX).saturating_sub(1);
                        let through = Arc::from(["earlier".to_owned()]);
                        depends.push(Dependency { key: self.base(node).with_item(Some(before)), seq, stamp, through });
                    }
                    let list = std::mem::take(&mut self.states[at].items);
                    let before: Vec<Key> = node.before.iter().map(|&at| self.base(&plan.nodes[at])).collect();
                    let turn = Turn {
                        before: &before,
                        key,
                        base: self.base(node),
                        plan,
                        at,
                        node,
                        item: list.get(at_slot),
                        list: &list,
                        lanes: &self.around.lanes,
                        depends: &depends,
                    };
                    turn.iterate(&mut slot, names, evaluation);
                    self.states[at].items = list;
                }
                Ok(Some(skip)) => slot.end(Outcome::Skipped(skip)),
                Err(failure) => slot.fail(None, failure),
            }
        }
        // What is said inside it may have gone with it.
        evaluation.documents |= plan.documents[at] && (node.does.has_scope() || slot.said() != said);
        self.states[at].slots[at_slot] = slot;
    }

    /// Why an item is left out, if its own condition is false.
    fn item_condition(
        node: &Node,
        key: &Key,
        names: &Names,
        evaluation: &mut Evaluation<'_>,
    ) -> Result<Option<Skip>, Failure> {
        let (Some(when), true) = (&node.when, node.when_per_item) else { return Ok(None) };
        // What has begun was let in, by whatever rule.
        let begun = || evaluation.run.call(key).is_some_and(|call| !call.attempts.is_empty());
        if condition("when", when, &names.value()).or_else(|mistake| begun().then_some(true).ok_or(mistake))? {
            return Ok(None);
        }
        let skip = Skip::when(when);
        evaluation.skip(key.clone(), &node.step.id, skip.clone());
        Ok(Some(skip))
    }
}

/// Why a step has no slots.
enum Stop {
    Skipped(Skip),
    Failed(Mistake),
}

impl From<Mistake> for Stop {
    fn from(mistake: Mistake) -> Self {
        Self::Failed(mistake)
    }
}

fn kind_of(value: &serde_json::Value) -> &'static str {
    match value {
        serde_json::Value::Null => "nothing",
        serde_json::Value::Bool(_) => "a boolean",
        serde_json::Value::Number(_) => "a number",
        serde_json::Value::String(_) => "a text",
        serde_json::Value::Array(_) => "a list",
        serde_json::Value::Object(_) => "an object",
    }
}
