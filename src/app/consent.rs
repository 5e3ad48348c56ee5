//! Which models a run would ask, and which of them a person has to agree to before the first call: those that were only
//! found, by a key or a port, and that no config names.
//!
//! Promises: local servers are probed in one place, and only where the demo would answer because nothing else is known.
//! May not: ask a person. Whoever does says so to [`Models::agree`], and is not asked again.

use crate::core::code::ErrorCode;
use crate::core::failure::Failure;
use crate::core::model::ModelChoice;
use crate::core::pinned::Pinned;
use crate::core::ports::Models;
use crate::core::run::Run;
use crate::engine::{Engine, EngineError};

/// A model is named that nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnknownModel(String);

impl UnknownModel {
    /// Its code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        ErrorCode::UnknownModel
    }
}

impl From<Failure> for UnknownModel {
    fn from(failure: Failure) -> Self {
        Self(failure.message)
    }
}

/// Why it is not known what a person has to agree to.
#[derive(Debug, thiserror::Error)]
pub enum ConsentError {
    /// A model is named that nobody knows.
    #[error(transparent)]
    Unknown(#[from] UnknownModel),
    /// The run's definition cannot be read.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl ConsentError {
    /// Its code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Unknown(unknown) => unknown.code(),
            Self::Engine(error) => error.code(),
        }
    }
}

/// The models that a person has to agree to before this process drives a run further; none where another process drives
/// it, which has asked.
///
/// # Errors
/// When one of the models that the run would ask is not known, or its definition cannot be read.
pub async fn needed_to_drive(
    engine: &Engine,
    models: &dyn Models,
    run: &Run,
) -> Result<Vec<ModelChoice>, ConsentError> {
    if engine.is_driven(run.id) {
        return Ok(Vec::new());
    }
    Ok(needed(models, &*engine.definition(run)?, run.model.as_deref()).await?)
}

/// The models that a person has to agree to before a run of `pinned` is driven, one of each provider. `model` is asked
/// instead of the task's.
///
/// # Errors
/// When one of the models that the run would ask is not known.
pub async fn needed(
    models: &dyn Models,
    pinned: &Pinned,
    model: Option<&str>,
) -> Result<Vec<ModelChoice>, UnknownModel> {
    let mut needed: Vec<ModelChoice> = Vec::new();
    for name in pinned.models(model) {
        if let Some(choice) = needed_for(models, name.as_deref()).await?
            && needed.iter().all(|other| other.provider() != choice.provider())
        {
            needed.push(choice);
        }
    }
    Ok(needed)
}

/// The model of this name, a role or `PROVIDER/MODEL`, where a person has to agree to it first; `None` names the one that
/// answers where none is named.
///
/// # Errors
/// When it is not known.
pub async fn needed_for(models: &dyn Models, name: Option<&str>) -> Result<Option<ModelChoice>, UnknownModel> {
    let mut choice = models.choice(name)?;
    if choice.demo && name.is_none() {
        models.probe().await;
        choice = models.choice(None)?;
    }
    Ok(choice.ask_first.then_some(choice))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::json;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::core::failure::FailureClass;
    use crate::core::model::{Completion, DeltaSink, ModelFailure, ModelRequest};
    use crate::core::ports::BoxFuture;
    use crate::core::usage::Usage;

    /// Knows what providers were only found; a local server answers once it was looked for.
    #[derive(Default)]
    struct Found {
        local: bool,
        probes: AtomicUsize,
        agreed: Mutex<Vec<String>>,
    }

    impl Models for Found {
        fn complete(
            &self,
            _: ModelRequest,
            _: DeltaSink,
            _: CancellationToken,
        ) -> BoxFuture<'static, Result<Completion, ModelFailure>> {
            unreachable!("nothing is asked")
        }

        fn choice(&self, name: Option<&str>) -> Result<ModelChoice, Failure> {
            let answers = self.local && self.probes.load(Ordering::SeqCst) > 0;
            let model = name.unwrap_or(if answers { "ollama/small" } else { "demo/recorded" }).to_owned();
            if model.starts_with("nobody") {
                return Err(Failure::new(FailureClass::Definition, "there is no model `nobody/x`"));
            }
            let agreed = self.agreed.lock().unwrap().iter().any(|provider| model.starts_with(provider.as_str()));
            let demo = model.starts_with("demo");
            let ask_first = !demo && !agreed && !model.starts_with("configured");
            Ok(ModelChoice { model, why: String::new(), demo, ask_first, config_lines: String::new() })
        }

        fn probe(&self) -> BoxFuture<'static, ()> {
            self.probes.fetch_add(1, Ordering::SeqCst);
            Box::pin(std::future::ready(()))
        }

        fn lane(&self, _: &[String]) -> Option<(String, usize)> {
            None
        }

        fn estimate(&self, _: &[String], _: u64, _: Option<u32>) -> Usage {
            Usage::default()
        }

        fn agree(&self, provider: &str) {
            self.agreed.lock().unwrap().push(provider.to_owned());
        }
    }

    /// A workflow with one prompt for each model; an empty name is none.
    fn asking(models: &[&str]) -> Pinned {
        let step = |(at, model): (usize, &&str)| {
            let mut does = json!({"kind": "prompt", "prompt": "x"});
            if !model.is_empty() {
                does["model"] = json!(model);
            }
            json!({"id": format!("s{at}"), "does": does, "rules": {}})
        };
        let steps: Vec<_> = models.iter().enumerate().map(step).collect();
        let retry = json!({"attempts": 1, "delay": 0, "backoff": 1.0, "max_delay": 0, "on": []});
        let workflow = json!({"version": 1, "flow": "graph", "max_concurrency": 4, "max_calls": 500, "retry": retry,
            "steps": steps});
        let task = json!({"id": "poem", "name": "Poem", "body": {"workflow": workflow}});
        serde_json::from_value(json!({ "task": task })).unwrap()
    }

    async fn named(models: &Found, pinned: &Pinned, model: Option<&str>) -> Vec<String> {
        needed(models, pinned, model).await.unwrap().into_iter().map(|choice| choice.model).collect()
    }

    #[tokio::test]
    async fn a_person_is_asked_once_for_each_provider_that_was_only_found() {
        let models = Found::default();
        let pinned = asking(&["cloud/big", "cloud/small", "configured/x", "other/y", "cloud/big"]);
        assert_eq!(named(&models, &pinned, None).await, ["cloud/big", "other/y"]);
        models.agree("cloud");
        assert_eq!(named(&models, &pinned, None).await, ["other/y"]);
        assert_eq!(models.probes.load(Ordering::SeqCst), 0, "every step names its model");
        // Another model is asked where a step names none.
        assert_eq!(named(&models, &asking(&[""]), Some("third/z")).await, ["third/z"]);
    }

    #[tokio::test]
    async fn a_local_server_is_looked_for_before_the_demo_answers_in_its_place() {
        let local = Found { local: true, ..Found::default() };
        assert_eq!(named(&local, &asking(&[""]), None).await, ["ollama/small"]);
        let nothing = Found::default();
        assert_eq!(named(&nothing, &asking(&[""]), None).await, [""; 0]);
        assert_eq!(nothing.probes.load(Ordering::SeqCst), 1, "it was looked for");
        // Who names the demo means it.
        assert_eq!(named(&Found { local: true, ..Found::default() }, &asking(&["demo/recorded"]), None).await, [""; 0]);
    }

    #[tokio::test]
    async fn nobody_is_asked_about_anything_where_a_model_is_not_known() {
        let unknown = needed(&Found::default(), &asking(&["cloud/big", "nobody/x"]), None).await.unwrap_err();
        assert_eq!(
            (unknown.code(), unknown.to_string().as_str()),
            (ErrorCode::UnknownModel, "there is no model `nobody/x`")
        );
    }
}
