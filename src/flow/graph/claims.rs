//! What a graph still wants: a gate or an attempt of a call that nothing wants any more is taken back.
//!
//! What merely waits for something before it keeps its gate: it may be as before once that has ended.

use super::scope::Scope;
use crate::core::call::Call;
use crate::core::event::Event;
use crate::core::gate::GateKind;
use crate::core::key::Key;
use crate::core::run::Run;
use crate::flow::evaluation::Outcome;
use crate::flow::plan::Plan;

/// What is open of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// A person is waited for.
    Gate,
    /// An attempt is under way.
    Attempt,
}

/// The call that a note asks a person about, or whose question it answers for them.
pub fn asked_about(note: &Event) -> Option<&Key> {
    match note {
        Event::GateOpened(_) => note.key(),
        Event::CallStaled { key, .. } | Event::CallRequested { key, .. } => Some(key),
        _ => None,
    }
}

/// Takes back the gates of calls that nothing wants any more. An effect that may have happened stays a person's to
/// settle. `stopped`: the run ends early, and only what was taken up again is waited for.
#[must_use]
pub fn withdrawn(scope: &Scope, plan: &Plan, run: &Run, stopped: bool, notes: &[Event]) -> Vec<Event> {
    if run.gates_of_calls() == 0 {
        return Vec::new();
    }
    let settled = |call: &&Call| !call.gates.iter().any(|gate| gate.kind() == GateKind::InDoubt);
    let waiting = run.flow_calls().filter(|call| !call.gates.is_empty()).filter(settled).map(|call| &call.key);
    let reopened = |key: &Key| run.call(key).is_some_and(|call| call.standing.is_some());
    waiting
        .filter(|key| !scope.claims(plan, key, 0, Open::Gate) || (stopped && !reopened(key)))
        .filter(|key| {
            !notes.iter().any(|note| matches!(note, Event::CallSkipped { key: skipped, .. } if skipped == *key))
        })
        .map(|key| Event::CallCancelled { key: key.clone(), because: "it is no longer needed".to_owned() })
        .collect()
}

/// The prompts and the like that are under way and that nothing wants any more; effects are left to finish.
#[must_use]
pub fn needless(scope: &Scope, plan: &Plan, run: &Run) -> Vec<Key> {
    if run.under_way() == 0 {
        return Vec::new();
    }
    let needless = crate::flow::evaluation::prompts_under_way(run).into_iter();
    needless.filter(|key| !scope.claims(plan, key, 0, Open::Attempt)).collect()
}

impl Scope {
    /// Whether `key` names a call that this scope wants, or may want again by itself; `depth` is the segment that names
    /// a step of it.
    fn claims(&self, plan: &Plan, key: &Key, depth: usize, open: Open) -> bool {
        let segments = key.segments();
        let Some(&at) = plan.by_id.get(&segments[depth].id) else { return false };
        let (node, state, segment) = (&plan.nodes[at], &self.states[at], &segments[depth]);
        let fans_out = plan.fans_out(at);
        let repeats = node.step.rules.repeat.is_some();
        let skipped = matches!(state.outcome, Outcome::Skipped(_));
        if skipped && (!repeats || state.names.is_none()) {
            return false;
        }
        if fans_out != segment.item.is_some() || repeats != segment.iteration.is_some() {
            return false;
        }
        // Its list is not made, or it waits for something before it.
        if state.names.is_none() {
            return true;
        }
        let Some(slot) = state.slots.get(segment.item.unwrap_or(0) as usize) else { return false };
        let iteration = segment.iteration.unwrap_or(0) as usize;
        let inside = depth + 1 < segments.len();
        let counts = match &slot.outcome {
            Outcome::Waiting => true,
            // An iteration is skipped after what those before it came to: one of them that was taken up again is waited for.
            Outcome::Skipped(_) => slot.has_reached(iteration + 1),
            Outcome::Failed(_) if inside && open == Open::Gate && node.goes_on() => false,
            Outcome::Accepted | Outcome::Failed(_) => slot.has_reached(iteration),
        };
        if !counts {
            return false;
        }
        // What lies inside a call of another kind is its own helper.
        let Some(inner) = node.does.inner() else { return true };
        inside && slot.inner(iteration).is_none_or(|scope| scope.claims(inner, key, depth + 1, open))
    }
}
