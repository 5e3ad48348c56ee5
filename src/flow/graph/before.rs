//! Before a step: whether it may begin, by the ends of what it depends on, and the names that it will see.

use minijinja::Value;
use serde_json::json;

use super::scope::Scope;
use super::view;
use crate::core::call::CallStatus;
use crate::core::event::FlowDecision;
use crate::core::key::Key;
use crate::core::run::Run;
use crate::core::step::Join;
use crate::core::template::{from_json, to_json};
use crate::flow::evaluation::{Evaluation, Outcome};
use crate::flow::names::Names;
use crate::flow::plan::{Plan, ancestors};
use crate::flow::skip::Skip;

/// Whether a step may begin.
pub(super) enum Ready {
    Wait,
    Skip(Skip),
    Go,
}

impl Scope {
    pub(super) fn ready(&self, plan: &Plan, at: usize, evaluation: &mut Evaluation<'_>) -> Ready {
        let node = &plan.nodes[at];
        for &switch in &node.routed_by {
            if self.states[switch].outcome == Outcome::Waiting {
                return Ready::Wait;
            }
        }
        if !node.routed_by.is_empty() {
            let chosen = node.routed_by.iter().any(|&switch| chose(&self.states[switch].view, &node.step.id));
            if !chosen {
                let switches = node.routed_by.iter().map(|&switch| plan.nodes[switch].step.id.as_str());
                return Ready::Skip(Skip::not_chosen(switches));
            }
        }
        let outcome = |dep: &usize| &self.states[*dep].outcome;
        let waits = node.deps.iter().any(|dep| *outcome(dep) == Outcome::Waiting);
        if let Some(guarded) = node.handles {
            if waits {
                return Ready::Wait;
            }
            let failed = self.states[guarded].tally.failed().next().is_some();
            return if failed { Ready::Go } else { Ready::Skip(Skip::nothing_to_handle()) };
        }
        // An empty list of dependencies is no reason to skip.
        let accepted = node.deps.is_empty() || node.deps.iter().any(|dep| *outcome(dep) == Outcome::Accepted);
        let none = || Ready::Skip(Skip::none_accepted());
        match node.join() {
            Join::All => {
                let fell = node.deps.iter().find_map(|&dep| match &self.states[dep].outcome {
                    Outcome::Skipped(_) => Some(Skip::dependency_skipped(&plan.nodes[dep].step.id)),
                    Outcome::Failed(_) => Some(Skip::dependency_failed(&plan.nodes[dep].step.id)),
                    _ => None,
                });
                match fell {
                    Some(skip) => Ready::Skip(skip),
                    None if waits => Ready::Wait,
                    None => Ready::Go,
                }
            }
            Join::Any | Join::Ended if waits => Ready::Wait,
            Join::Any if accepted => Ready::Go,
            Join::Any => none(),
            Join::Ended => Ready::Go,
            Join::First => match self.winner(plan, at, evaluation) {
                Some(_) => Ready::Go,
                None if waits => Ready::Wait,
                None => none(),
            },
        }
    }

    /// Who won a `first`: what the journal says, else the first that is accepted, which is then journaled.
    fn winner(&self, plan: &Plan, at: usize, evaluation: &mut Evaluation<'_>) -> Option<usize> {
        let node = &plan.nodes[at];
        let key = self.base(node);
        let known = evaluation.decided(&key, &FlowDecision::First).and_then(|id| plan.by_id.get(id.as_str()?).copied());
        if let Some(winner) = known {
            return (self.states[winner].outcome == Outcome::Accepted).then_some(winner);
        }
        let winner = node
            .deps
            .iter()
            .copied()
            .filter(|&dep| self.states[dep].outcome == Outcome::Accepted)
            .min_by_key(|&dep| self.states[dep].seq)?;
        evaluation.decide(key, FlowDecision::First, json!(plan.nodes[winner].step.id), || serde_json::Value::Null);
        Some(winner)
    }

    pub(super) fn names_of(&self, plan: &Plan, at: usize, evaluation: &mut Evaluation<'_>) -> Names {
        let node = &plan.nodes[at];
        let winner = if node.join() == Join::First { self.winner(plan, at, evaluation) } else { None };
        let mut steps = (*self.names.steps).clone();
        for &dep in node.deps.iter().chain(&node.routed_by) {
            let state = &self.states[dep];
            let lost = winner.is_some_and(|winner| winner != dep);
            let view = if lost || state.outcome == Outcome::Waiting { view::nothing() } else { state.view.clone() };
            steps.insert(plan.nodes[dep].step.id.clone(), view);
        }
        let mut names = self.names.clone().with_steps(steps);
        if !node.only_said.is_empty() {
            let other = |id: &&String| {
                let at = plan.by_id.get(*id);
                at.is_some_and(|at| node.routed_by.contains(at) || node.handles == Some(*at))
            };
            let said = node.only_said.iter().filter(|id| !other(id));
            names.only_said = names.only_said.iter().chain(said).cloned().collect();
        }
        names.state = self.state_seen(plan, at, evaluation);
        names
    }

    /// The state as it was at the start, overlaid by the writers that a step depends on.
    fn state_seen(&self, plan: &Plan, at: usize, evaluation: &Evaluation<'_>) -> Value {
        if evaluation.run.set_state.is_empty() {
            return self.names.state.clone();
        }
        let writers: Vec<Key> = ancestors(&plan.nodes, at).into_iter().map(|at| self.base(&plan.nodes[at])).collect();
        overlaid(&self.names.state, evaluation.run, |key| writers.iter().any(|base| key.is_of(base)))
    }

    /// That a step is not needed any more, because another came first wherever it would have been taken. One that has
    /// ended all the same keeps its output.
    pub(super) fn lost(&self, plan: &Plan, at: usize, evaluation: &Evaluation<'_>) -> Option<Skip> {
        let node = &plan.nodes[at];
        let own = evaluation.run.call(&self.base(node));
        if own.is_some_and(|call| call.status == CallStatus::Accepted) {
            return None;
        }
        let mut first = None;
        for &taker in &plan.dependents[at] {
            let winner = evaluation.decided(&self.base(&plan.nodes[taker]), &FlowDecision::First)?.as_str()?;
            if winner == node.step.id {
                return None;
            }
            first.get_or_insert(winner);
        }
        first.map(Skip::lost)
    }
}

/// A state overlaid by what the calls that count have set.
pub(super) fn overlaid(state: &Value, run: &Run, counts: impl Fn(&Key) -> bool) -> Value {
    let set = if run.set_state.is_empty() { serde_json::Map::new() } else { run.state_set(counts) };
    if set.is_empty() {
        return state.clone();
    }
    let mut fields = match to_json(state) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    fields.extend(set);
    from_json(&serde_json::Value::Object(fields))
}

/// Whether a switch chose a step.
fn chose(view: &Value, id: &str) -> bool {
    view.get_attr("output")
        .ok()
        .and_then(|chosen| chosen.try_iter().ok())
        .is_some_and(|mut chosen| chosen.any(|one| one.as_str() == Some(id)))
}
