//! How a task is started: its form, the files that it names, the model that a person must agree to, the run.

use std::sync::Arc;

use serde_json::{Value, json};

use super::backend::{Backend, Made};
use super::expense::expected;
use crate::app::start::{Source, Terms, plan};
use crate::app::{consent, definitions, inputs};
use crate::catalog::Catalog;
use crate::core::event::OriginKind;
use crate::core::form;
use crate::core::pinned::Pinned;
use crate::core::ports::HistoryQuery;
use crate::core::secret::Secret;
use crate::core::task::Task;
use crate::tui::effect::{Opening, Parent};
use crate::tui::message::{FormOf, Ready};

/// The task that is started with what was typed where no task was found.
pub const PLAIN_CHAT: &str = "ask";

impl Backend {
    /// The form of a task; one without inputs is started at once.
    pub async fn open_task(&self, id: String, given: Option<Value>, from: Option<Parent>) -> Result<Made, String> {
        let task = self.task(id.clone(), from.as_ref()).await?;
        if task.inputs.is_empty() {
            return self.start(id, json!({}), Vec::new(), from).await;
        }
        // What was typed and not started is for who comes back to it, not for who brings something else along.
        let comes_back = given.is_none();
        let (last, draft) = self
            .blocking(move |engine| {
                let draft = if comes_back { engine.form(&id).map_err(|error| error.to_string())? } else { None };
                let query = HistoryQuery { task: Some(id), limit: 1, ..HistoryQuery::default() };
                let newest = engine.history(&query).map_err(|error| error.to_string())?.into_iter().next();
                let run = newest.and_then(|row| engine.load(row.run).ok());
                Ok((run.map(|run| (inputs::as_given(&run.inputs), run.usage.usd)), draft))
            })
            .await?;
        let (last, usd) = last.unzip();
        let cost = expected(&task, usd, &*self.services().await?.models);
        let handed_over = from.as_ref().is_some_and(|from| from.how == OriginKind::Successor);
        let given = given.map_or(json!({}), |given| {
            let given = inputs::as_given(&given);
            if handed_over { form::as_typed(&task.inputs, &given) } else { given }
        });
        Ok(Ready::Form(Box::new(FormOf { task: Arc::new(task), given, last, cost, draft, from })).into())
    }

    /// Starts a task with a text in its first required text input, or shows its form when there is more to fill in.
    pub async fn run_with(&self, id: String, text: String, from: Option<Parent>) -> Result<Made, String> {
        let task = self.task(id.clone(), from.as_ref()).await?;
        let Some(first) = inputs::for_text(&task) else { return Err(format!("`{id}` has no input that takes a text")) };
        let given = json!({ first.name.as_str(): text });
        let complete = task.inputs.iter().all(|field| field.name == first.name || !field.required);
        if complete {
            self.start(id, given, Vec::new(), from).await
        } else {
            self.open_task(id, Some(given), from).await
        }
    }

    /// A task as it may be run, with the config's defaults.
    async fn task(&self, id: String, from: Option<&Parent>) -> Result<Task, String> {
        let mut task = self.pin(id, from).await?.task;
        task.inputs = inputs::fields(&self.settings, &task).map_err(|wrong| wrong.line())?;
        Ok(task)
    }

    /// A task's definition as it is now; of a run that is started again, that of where the run's came from.
    async fn pin(&self, id: String, from: Option<&Parent>) -> Result<Pinned, String> {
        let backend = self.clone();
        let pin = move || Catalog::load(&backend.search_paths).pin(&id).map_err(|error| error.to_string());
        let Some(again) = from.filter(|from| from.how == OriginKind::Rerun).map(|from| from.run) else {
            return tokio::task::spawn_blocking(pin).await.map_err(|error| error.to_string())?;
        };
        let backend = self.clone();
        self.blocking(move |engine| match engine.load(again) {
            Ok(old) => definitions::today(engine, &backend.search_paths, &old).map_err(|error| error.to_string()),
            // It was deleted meanwhile.
            Err(_) => pin(),
        })
        .await
    }

    /// Starts a run and opens it.
    pub async fn start(
        &self,
        task: String,
        inputs: Value,
        secrets: Vec<(String, Secret)>,
        from: Option<Parent>,
    ) -> Result<Made, String> {
        let pinned = Arc::new(self.pin(task.clone(), from.as_ref()).await?);
        let (backend, given, parent) = (self.clone(), inputs.as_object().cloned().unwrap_or_default(), from.clone());
        let start = self
            .blocking(move |engine| {
                let of = &pinned.task;
                let inputs =
                    inputs::complete(&backend.settings, of, given, &backend.cwd).map_err(|wrong| wrong.line())?;
                inputs::check(of, &inputs).map_err(|wrong| wrong.line())?;
                let source = parent.map(|parent| Source::find(engine, parent.run, parent.how));
                Ok(plan(source.as_ref(), pinned, inputs, backend.cwd.clone(), Terms::default()))
            })
            .await?;
        let models = &self.services().await?.models;
        let needed = consent::needed(&**models, &start.pinned, start.model.as_deref()).await;
        if let Some(choice) = needed.map_err(|unknown| unknown.to_string())?.into_iter().next() {
            let then = Box::new(Opening::Start { task, inputs, secrets, from });
            return Ok(Ready::Consent { choice, then }.into());
        }
        let run = self
            .blocking(move |engine| {
                let run = engine.start(&start).map_err(|error| error.to_string())?;
                for (name, value) in secrets {
                    engine.provide_secret(run, &name, value);
                }
                Ok(run)
            })
            .await?;
        self.open_run(run).await
    }
}
