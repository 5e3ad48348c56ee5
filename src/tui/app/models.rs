//! Which model makes a call: another one, a key for it, and another attempt of a call that is under way.

use std::time::Duration;

use super::backend::{Backend, Made};
use crate::app::consent;
use crate::app::follow::Follower;
use crate::core::decide::{Decision, DecisionKind};
use crate::core::gate::GateKind;
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::run::Run;
use crate::core::secret::Secret;
use crate::core::work::Work;
use crate::engine::Update;
use crate::tui::effect::{Again, Opening};
use crate::tui::layers::{Kind, picks};
use crate::tui::message::Ready;

/// An attempt that was broken off comes to its end within this time, or something is wrong.
const PATIENCE: Duration = Duration::from_secs(30);

impl Backend {
    /// The choice of the models that could make a call.
    pub async fn list_models(&self, run: RunId, key: &Key) -> Result<Made, String> {
        let kind = self.blocking(move |engine| engine.load(run).map_err(|error| error.to_string())).await?.kind;
        let models = &self.services().await?.models;
        let roles = self.settings.models.iter().map(|(role, settings)| (role.clone(), settings.model.clone()));
        let mut known: Vec<(String, String)> = roles.collect();
        for choice in models.choices() {
            if !known.iter().any(|(name, model)| *name == choice.model || *model == choice.model) {
                known.push((choice.model, choice.why));
            }
        }
        Ok(Ready::Above(Box::new(Kind::Choose(picks::models(run, kind, key, &known)).into())).into())
    }

    /// A model was picked. One that was only found is asked about first.
    pub async fn pick_model(&self, run: RunId, key: Key, model: String, typed: bool) -> Result<Made, String> {
        let models = &self.services().await?.models;
        let needed = consent::needed_for(&**models, Some(&model)).await.map_err(|unknown| unknown.to_string())?;
        if let Some(choice) = needed {
            let then = Box::new(Opening::PickModel { run, key, model, typed });
            return Ok(Ready::Consent { choice, then }.into());
        }
        Ok(Ready::Model { run, key, model }.into())
    }

    /// Gives the provider of a call that failed a key, and has the call tried again.
    pub async fn give_key(&self, run: RunId, key: Key, secret: Secret) -> Result<(), String> {
        let services = self.services().await?;
        let call = key.clone();
        let asked = self
            .blocking(move |engine| {
                let run = engine.load(run).map_err(|error| error.to_string())?;
                Ok(asked(&run, &call))
            })
            .await?;
        let choice = services.models.choice(asked.as_deref()).map_err(|failure| failure.message)?;
        services.models.give_key(choice.provider(), secret).map_err(|failure| failure.message)?;
        let decision = Decision::new(key, DecisionKind::Again { model: None });
        self.decide(&services.engine, run, decision).await
    }

    /// Breaks off an attempt and, once it has come to its end, has it tried again.
    pub async fn break_off(&self, run: RunId, key: Key, again: Again) -> Result<(), String> {
        let engine = self.services().await?.engine.clone();
        let mut follower = Follower::open(&engine, run).map_err(|error| error.to_string())?;
        engine.stop(run, &key);
        let ended = async {
            while follower.run().call(&key).is_some_and(|call| call.gates.own().is_none()) {
                match follower.next().await {
                    // Nothing more comes; it may have come to its end with that.
                    Ok(Update::Stopped(_)) | Err(_) => return,
                    Ok(_) => {}
                }
            }
        };
        // Past that time it is looked at as it is.
        let _ = tokio::time::timeout(PATIENCE, ended).await;
        let Some(gate) = follower.run().call(&key).and_then(|call| call.gates.own()) else {
            return Err(format!("`{key}` did not finish; look at it again"));
        };
        let Again { instruction, scope, model } = again;
        let what = match gate.kind() {
            GateKind::Review => DecisionKind::Retry { instruction, scope, model },
            _ => DecisionKind::Again { model },
        };
        let decision = Decision::about(gate, what);
        self.decide(&engine, run, decision).await
    }
}

/// The model that a call's newest attempt asked, or was to ask.
fn asked(run: &Run, key: &Key) -> Option<String> {
    let attempt = run.call(key)?.newest()?;
    let chosen = attempt.measured.model.clone();
    chosen.or_else(|| match attempt.work.as_deref() {
        Some(Work::Prompt(prompt)) => prompt.models.first().cloned(),
        _ => None,
    })
}
