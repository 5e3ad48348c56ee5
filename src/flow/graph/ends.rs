//! What a step comes to: from the ends of its slots, or because it is left out or fails as a whole. A failure that is not
//! continued, and that no handler takes, ends the scope.

use super::scope::Scope;
use super::slot::Slot;
use super::view;
use crate::core::call::Standing;
use crate::core::failure::Failure;
use crate::core::key::Key;
use crate::core::step::OnFailure;
use crate::core::template::from_json;
use crate::flow::evaluation::{Evaluation, Outcome};
use crate::flow::mistake::Mistake;
use crate::flow::plan::Plan;
use crate::flow::skip::Skip;

impl Scope {
    /// The name of a slot's call, without an iteration.
    pub(super) fn slot_key(&self, plan: &Plan, at: usize, slot: usize) -> Key {
        let item = plan.fans_out(at).then(|| u32::try_from(slot).unwrap_or(u32::MAX));
        self.base(&plan.nodes[at]).with_item(item)
    }

    /// The failure of a slot, and the call that has it.
    pub(super) fn failed(&self, plan: &Plan, at: usize, slot: usize) -> Option<(Key, &Failure)> {
        let Slot { outcome: Outcome::Failed(failure), failed_at, .. } = self.states[at].slots.get(slot)? else {
            return None;
        };
        Some((failed_at.clone().unwrap_or_else(|| self.slot_key(plan, at, slot)), failure))
    }

    /// The outcome of a step from those of its slots.
    pub(super) fn sum_up(&mut self, plan: &Plan, at: usize, evaluation: &mut Evaluation<'_>) {
        let waiting = self.states[at].tally.waits();
        let failed: Vec<usize> = self.states[at].tally.failed().collect();
        for slot in failed {
            self.take_failure(plan, at, slot, evaluation);
        }
        let own = self.states[at].failure.as_ref().map(|(_, failure)| failure.clone());
        self.take_unhandled(plan, at, None, evaluation);
        let state = &mut self.states[at];
        if let Some(failure) = own {
            state.outcome = if waiting { Outcome::Waiting } else { Outcome::Failed(failure) };
            return;
        }
        if waiting {
            state.outcome = Outcome::Waiting;
            return;
        }
        state.seq = state.slots.iter().map(|slot| slot.seq).max().unwrap_or(0);
        // A handler has the items of the list that it handles.
        let items = plan.nodes[at].handles.filter(|_| plan.nodes[at].list.is_none()).unwrap_or(at);
        let (outcome, view) = match self.states[at].slots.as_slice() {
            [only] if !plan.fans_out(at) => (only.outcome.clone(), view::plain(only)),
            slots => (Outcome::Accepted, view::fan_out(&self.states[items].items, slots, "accepted")),
        };
        (self.states[at].outcome, self.states[at].view) = (outcome, view);
    }

    /// What a failed slot does to the scope.
    fn take_failure(&mut self, plan: &Plan, at: usize, slot: usize, evaluation: &mut Evaluation<'_>) {
        let Some((key, failure)) = self.failed(plan, at, slot) else { return };
        match &plan.nodes[at].step.rules.on_failure {
            OnFailure::Continue => evaluation.warn(&key, || continued(&key, failure)),
            OnFailure::Handler(_) if plan.is_handled(at) => {}
            OnFailure::Handler(_) | OnFailure::Stop => {
                let failure = (key, failure.clone());
                self.states[at].failure.get_or_insert(failure);
            }
        }
    }

    /// A failure whose handler does not run is as if it had none; where a person left the handler out, or it failed and
    /// the run continues all the same, so does the run with what it should have handled.
    /// `skipped`: the handler is left out as a whole.
    fn take_unhandled(&mut self, plan: &Plan, at: usize, skipped: Option<&Outcome>, evaluation: &mut Evaluation<'_>) {
        let Some(guarded) = plan.nodes[at].handles else { return };
        let handler = &plan.nodes[at].step;
        let failed: Vec<usize> = self.states[guarded].tally.failed().collect();
        for slot in failed {
            let Some((key, failure)) = self.failed(plan, guarded, slot) else { continue };
            let handling = skipped.or_else(|| self.states[at].slots.get(slot).map(|slot| &slot.outcome));
            match handling {
                Some(Outcome::Skipped(Skip { cause: None, .. })) => evaluation
                    .warn(&key, || format!("{}; its handler `{}` was left out", continued(&key, failure), handler.id)),
                Some(Outcome::Failed(_)) if handler.rules.on_failure == OnFailure::Continue => evaluation
                    .warn(&key, || format!("{}; so did its handler `{}`", continued(&key, failure), handler.id)),
                Some(Outcome::Skipped(_)) => {
                    let failure = (key, failure.clone());
                    self.states[at].failure.get_or_insert(failure);
                }
                _ => {}
            }
        }
    }

    /// The step is left out as a whole.
    pub(super) fn skip(&mut self, plan: &Plan, at: usize, skip: Skip, evaluation: &mut Evaluation<'_>) {
        let node = &plan.nodes[at];
        let base = self.base(node);
        evaluation.retire(&base, |_| true);
        evaluation.skip(base, &node.step.id, skip.clone());
        let state = &mut self.states[at];
        state.slots.clear();
        state.count(None);
        state.names = None;
        state.view = view::empty(plan.fans_out(at), "skipped");
        state.seq = 0;
        let skipped = Outcome::Skipped(skip);
        state.outcome = skipped.clone();
        self.take_unhandled(plan, at, Some(&skipped), evaluation);
    }

    /// The step itself does not work out: its condition or its list.
    pub(super) fn fail(&mut self, plan: &Plan, at: usize, mistake: &Mistake, evaluation: &mut Evaluation<'_>) {
        let node = &plan.nodes[at];
        let key = self.base(node);
        if let Some(because) = evaluation.left_out_by_person(&key) {
            return self.skip(plan, at, Skip::by_person(because), evaluation);
        }
        let filled = evaluation.run.call(&key).and_then(|call| call.stands_for(&mistake.identity()));
        if let (Some(standing), None) = (filled, &node.list) {
            return self.filled(at, standing);
        }
        evaluation.fail(&key, &node.step.id, mistake);
        let state = &mut self.states[at];
        // Looked at again whenever the person asks for it.
        state.names = None;
        state.slots.clear();
        let mut slot = Slot::default();
        slot.fail(Some(key), mistake.failure().clone());
        state.slots.push(slot);
        state.count(None);
        state.view = view::plain(&state.slots[0]);
        state.outcome = Outcome::Failed(mistake.failure().clone());
        self.take_failure(plan, at, 0, evaluation);
        self.take_unhandled(plan, at, None, evaluation);
    }
}

impl Scope {
    /// A person has given what a step comes to that does not work out.
    fn filled(&mut self, at: usize, standing: &Standing) {
        let mut slot = Slot::default();
        slot.outcome = Outcome::Accepted;
        slot.output = Some(from_json(&standing.output));
        slot.seq = standing.seq;
        let state = &mut self.states[at];
        state.names = None;
        state.view = view::plain(&slot);
        state.slots.clear();
        state.slots.push(slot);
        state.count(None);
        state.seq = standing.seq;
        state.outcome = Outcome::Accepted;
    }
}

fn continued(key: &Key, failure: &Failure) -> String {
    format!("`{key}` failed, and the run continued: {failure}")
}
