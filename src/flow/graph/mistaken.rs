//! A step whose own texts do not work out: its condition, its list. It fails without a call, and a person may leave it out or
//! give its output.

use super::scope::Scope;
use super::slot::Slot;
use super::view;
use crate::core::actor::Actor;
use crate::core::call::{Call, CallStatus, Ending, Standing};
use crate::core::event::Event;
use crate::core::step::OnFailure;
use crate::core::template::from_json;
use crate::flow::evaluation::{Evaluation, Outcome};
use crate::flow::mistake::Mistake;
use crate::flow::plan::Node;

impl Scope {
    pub(super) fn fail(&mut self, node: &Node, at: usize, mistake: &Mistake, evaluation: &mut Evaluation<'_>) {
        let key = self.base(node);
        let failure = mistake.failure().clone();
        let call = evaluation.run.call(&key);
        if let Some(Call { ending: Some(Ending::Skipped { because, by_person: true }), again: false, .. }) = call {
            return self.skip(node, at, because.clone(), evaluation);
        }
        if let Some(standing) = call.and_then(|call| call.stands_for(&mistake.identity()))
            && node.list.is_none()
        {
            return self.filled(at, standing);
        }
        if call.is_none_or(|call| call.status != CallStatus::Failed) {
            evaluation.note(Event::CallFailed {
                call: None,
                key: key.clone(),
                step: node.step.id.clone(),
                fingerprint: mistake.identity(),
                error: failure.clone(),
                by: Actor::Flow,
            });
        }
        let state = &mut self.states[at];
        // Looked at again whenever the person asks for it.
        state.names = None;
        state.slots.clear();
        let mut slot = Slot::default();
        slot.fail(Some(key.clone()), failure.clone());
        state.slots.push(slot);
        state.view = view::plain(&state.slots[0]);
        state.outcome = Outcome::Failed(failure.clone());
        match &node.step.rules.on_failure {
            OnFailure::Stop => state.failure = Some((key, failure)),
            OnFailure::Continue => evaluation.warn(&key, &failure),
            OnFailure::Handler(_) => {}
        }
    }

    /// A person has given what the step comes to.
    fn filled(&mut self, at: usize, standing: &Standing) {
        let state = &mut self.states[at];
        state.names = None;
        state.slots.clear();
        let mut slot = Slot::default();
        slot.outcome = Outcome::Accepted;
        slot.output = Some(from_json(&standing.output));
        slot.seq = standing.seq;
        state.slots.push(slot);
        state.view = view::plain(&state.slots[0]);
        state.seq = standing.seq;
        state.outcome = Outcome::Accepted;
    }
}
