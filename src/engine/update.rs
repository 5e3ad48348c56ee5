//! What a person changes about a run as a whole: its definition, its budget.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use crate::core::actor::Actor;
use crate::core::code::ErrorCode;
use crate::core::decide::{self, Refusal};
use crate::core::event::Event;
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::pinned::Pinned;
use crate::core::run::{Run, Status};
use crate::core::step_name::{REPLY, StepName};
use crate::core::task::{Body, FlowKind, Workflow};
use crate::core::usage::Budget;
use crate::engine::{Engine, EngineError};

/// What another definition makes of the calls of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// They stand.
    pub stand: Vec<Key>,
    /// They are performed again, once a person says so.
    pub again: Vec<Key>,
    /// Nothing wants them any more.
    pub vanish: Vec<Key>,
}

/// So many rounds a flow may take to say all that it decides at once.
const ROUNDS: usize = 10_000;

impl Engine {
    /// What would become of the calls of a run with another definition. Nothing is changed.
    #[must_use]
    pub fn preview(&self, run: &Run, pinned: &Arc<Pinned>) -> Preview {
        let flow = crate::flow::of(pinned, &self.shared.ports.environment);
        let mut then = run.clone();
        let mut session = flow.open(&then);
        let (mut again, mut gone) = (BTreeSet::new(), BTreeSet::new());
        let mut fed = Vec::new();
        for _ in 0..ROUNDS {
            let mut wants = session.feed(&fed);
            let ended = wants.notes.is_empty();
            fed = std::mem::take(&mut wants.notes);
            let mut kept = Vec::new();
            for event in &fed {
                match event {
                    // Code goes on to its later calls only from an output: the old one is taken for the new one.
                    Event::CallStaled { key, fingerprint, .. } => {
                        again.insert(key.clone());
                        let (key, fingerprint, by) = (key.clone(), fingerprint.clone(), Actor::Flow);
                        kept.push(Event::CallKept { key, fingerprint, by });
                    }
                    Event::CallCancelled { key, .. } | Event::CallSkipped { key, .. } => {
                        gone.insert(key.clone());
                    }
                    _ => {}
                }
            }
            fed.extend(kept);
            for event in &fed {
                then.apply(then.seq + 1, then.updated_at, event);
            }
            if ended {
                again.extend(wants.calls.iter().map(|want| want.key.clone()));
                break;
            }
        }
        let steps = steps(pinned);
        // Code may call what no definition declares.
        let declares = !matches!(&pinned.task.body, Body::Workflow(Workflow { flow, .. }) if *flow != FlowKind::Graph);
        let mut preview = Preview::default();
        for call in run.flow_calls() {
            let key = call.key.clone();
            if gone.contains(&key) || (declares && !steps.contains(&call.of())) {
                preview.vanish.push(key);
            } else if again.contains(&key) {
                preview.again.push(key);
            } else if call.standing.is_some() {
                preview.stand.push(key);
            }
        }
        preview
    }

    /// Has a run go on with another definition, which is kept with it.
    ///
    /// # Errors
    /// When another process drives the run, it is over for good, or the store cannot be used.
    pub async fn update(&self, run: &Run, pinned: &Arc<Pinned>) -> Result<(), EngineError> {
        if run.newer {
            return Err(Refusal::newer().into());
        }
        // Whoever drives the run holds a session of the old definition.
        if self.is_driven(run.id) {
            let why = "the run is being driven with the definition that it keeps; pause it first";
            return Err(Refusal::new(ErrorCode::DrivenElsewhere, why).into());
        }
        let pinned = Arc::clone(pinned);
        let definition = self.patiently(move |store| store.pin(&pinned)).await?;
        let by = self.who.clone();
        self.append(run.id, move |run| {
            if run.status == Status::Cancelled {
                return Err(Refusal::cancelled());
            }
            let event = Event::RunUpdated { definition: definition.clone(), by: by.clone() };
            Ok(if run.definition == definition { Vec::new() } else { vec![event] })
        })
        .await
    }

    /// Lets a run spend so much in all. A limit that is not spoken of stays, unless the run waits because of it.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn set_budget(&self, run: RunId, budget: Budget) -> Result<(), EngineError> {
        let by = self.who.clone();
        let before = self.definition(&self.load(run)?)?.budget();
        self.append(run, move |run| Ok(decide::set_budget(run, budget, before, &by))).await
    }
}

/// Every step that a definition has, its children's included. A conversation has one.
fn steps(pinned: &Pinned) -> HashSet<StepName<'_>> {
    let mut steps = HashSet::new();
    for (workflow, task) in pinned.workflows() {
        let ids = match &task.body {
            Body::Workflow(declared) => declared.all_steps().into_iter().map(|step| step.id.as_str()).collect(),
            Body::Instruct(_) => vec![REPLY],
        };
        steps.extend(ids.into_iter().map(|step| StepName { workflow, step }));
    }
    steps
}
