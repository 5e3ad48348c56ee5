//! Decisions of persons beyond the answer to a gate: undo, archive, another model for all that is left.

use crate::core::code::ErrorCode;
use crate::core::decide::{self, Decision, DecisionKind, Refusal};
use crate::core::event::Event;
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::run::Run;
use crate::core::schema;
use crate::core::task::Kind;
use crate::engine::{Engine, EngineError};
use crate::flow::Environment;

impl Engine {
    /// Takes back the newest decision of a person in a run; see [`decide::newest_decision`]. `seq` is the decision that was
    /// seen to be that; `None`: whichever is. What started because of it is stopped. It is committed when this returns.
    ///
    /// # Errors
    /// When it may not be undone, there is no such run, or the store cannot be used.
    pub async fn undo(&self, run: RunId, seq: Option<u64>) -> Result<(), EngineError> {
        let offspring = self.with_store(|store| store.made_from(run))?;
        let (who, engine) = (self.who.clone(), self.clone());
        self.append_decision(run, move |run| {
            let flow = engine.definition(run).map(|pinned| crate::flow::of(&pinned, &Environment::new()));
            let following = |key: &Key| flow.as_ref().ok()?.following(key);
            decide::undo(run, seq, &offspring, following, &who)
        })
        .await
    }

    /// Puts a run away, out of every list; `undo` brings it back, as any other event in it does. A run that is where it is to
    /// be stays there.
    ///
    /// # Errors
    /// When there is no such run or the store cannot be used.
    pub async fn archive(&self, run: RunId, undo: bool) -> Result<(), EngineError> {
        let by = self.who.clone();
        self.append(run, move |run| {
            let changes = run.archived == undo;
            Ok(changes.then(|| Event::RunArchived { undo, by: by.clone() }).into_iter().collect())
        })
        .await
    }

    /// Asks for an action of the definition on a document, made from the version that was seen, or from whichever counts. In a
    /// conversation it may be a message of the person. It is committed when this returns; driving the run performs it.
    ///
    /// # Errors
    /// When the definition has no such action, the document cannot be changed now, or the store cannot be used.
    pub async fn act(&self, run: RunId, document: &str, version: Option<u32>, action: &str) -> Result<(), EngineError> {
        let folded = self.load(run)?;
        let pinned = self.definition(&folded)?;
        let task = &pinned.task;
        let Some(declared) = task.action(action) else {
            let ids: Vec<&str> = task.actions.iter().map(|action| action.id.as_str()).collect();
            let has = if ids.is_empty() { "none".to_owned() } else { ids.join(", ") };
            let text = format!("`{}` has no action `{action}`; it has {has}", task.id);
            return Err(Refusal::new(ErrorCode::InvalidInput, text).into());
        };
        let message = task.message_of(declared, &folded.inputs);
        let message = message.map_err(|error| {
            Refusal::new(ErrorCode::InvalidDefinition, format!("the action `{action}` cannot be rendered: {error}"))
        })?;
        if let Some(message) = message {
            return self.message(run, &message).await;
        }
        let (who, document, action) = (self.who.clone(), document.to_owned(), action.to_owned());
        let asks = move |run: &Run| decide::request_action(run, &document, version, (&action, None), &who);
        self.append_decision(run, asks).await
    }

    /// Asks for a change of a document in the person's own words, as [`Engine::act`] does for one that the definition has.
    ///
    /// # Errors
    /// When nothing is said, the document cannot be changed now, or the store cannot be used.
    pub async fn act_in_words(
        &self,
        run: RunId,
        document: &str,
        version: Option<u32>,
        instruction: &str,
    ) -> Result<(), EngineError> {
        let instruction = instruction.trim().to_owned();
        if instruction.is_empty() {
            return Err(Refusal::new(ErrorCode::InvalidInput, "say what is to change").into());
        }
        let folded = self.load(run)?;
        if folded.kind == Kind::Instruct {
            return self.message(run, &instruction).await;
        }
        // Its calls are named apart from those of steps and actions.
        let pinned = self.definition(&folded)?;
        let task = &pinned.task;
        let taken = |id: &str| task.action(id).is_some() || folded.flow_calls().any(|call| call.key.step() == id);
        let mut names = std::iter::once("change".to_owned()).chain((2..u32::MAX).map(|n| format!("change-{n}")));
        let action = names.find(|id| !taken(id)).unwrap_or_default();
        let (who, document) = (self.who.clone(), document.to_owned());
        let asks =
            move |run: &Run| decide::request_action(run, &document, version, (&action, Some(&instruction)), &who);
        self.append_decision(run, asks).await
    }

    /// Has all that is left to do in a run done by another model, whatever its steps say.
    ///
    /// # Errors
    /// When the model is not known, the run is over, or the store cannot be used.
    pub async fn choose_model_for_the_rest(&self, run: RunId, model: &str) -> Result<(), EngineError> {
        self.knows_model(model)?;
        let pinned = self.definition(&self.load(run)?)?;
        let (model, who) = (model.to_owned(), self.who.clone());
        self.append_decision(run, move |run| decide::choose_model_for_the_rest(run, &pinned, &model, &who)).await
    }

    /// Holds an output that a person gives for a call that failed before it had any work to what its step declares: only the
    /// definition knows.
    ///
    /// # Errors
    /// When it does not fit, or the step makes a list and has no output of its own.
    pub(super) fn check_filled(&self, run: RunId, decision: &Decision) -> Result<(), EngineError> {
        let DecisionKind::Edit { output, .. } = &decision.kind else { return Ok(()) };
        let folded = self.fold(run)?;
        let checked = folded.call(&decision.key).map_or(Ok(()), |call| {
            if call.failed_work() != Some(None) {
                return Ok(());
            }
            let Ok(pinned) = self.definition(&folded) else { return Ok(()) };
            let Some(step) = pinned.step(call.of()) else { return Ok(()) };
            let key = &call.key;
            if step.rules.for_each.is_some() && key.last().item.is_none() {
                let text = format!("`{key}` makes a list and has no output of its own; leave it out (--skip)");
                return Err(Refusal::new(ErrorCode::NotAllowed, text));
            }
            // Of a schema that holds templates, what does not depend on them: they are what may have failed.
            let declared = step.rules.output.as_ref().map(schema::without_templates);
            let fits = declared.map_or(Ok(()), |schema| schema::validate(&schema, output));
            fits.map_err(|problem| {
                let text = format!("the output for `{key}` does not fit its schema: {problem}");
                Refusal::new(ErrorCode::InvalidInput, text)
            })
        });
        self.remember(folded);
        Ok(checked?)
    }
}
