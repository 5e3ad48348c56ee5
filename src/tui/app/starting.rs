//! How a task is started: its form, the files that it names, the model that a person must agree to, the run.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::backend::{Backend, Made};
use super::expense::expected;
use crate::app::consent;
use crate::catalog::Catalog;
use crate::catalog::inputs::read_all;
use crate::core::event::{Origin, OriginKind};
use crate::core::form::{Field, FieldType};
use crate::core::ports::HistoryQuery;
use crate::core::run::Run;
use crate::core::secret::Secret;
use crate::core::task::Task;
use crate::engine::Start;
use crate::tui::effect::{Opening, Parent};
use crate::tui::message::{FormOf, Ready};

/// The task that is started with what was typed where no task was found.
pub const PLAIN_CHAT: &str = "ask";

impl Backend {
    /// The form of a task; one without inputs is started at once.
    pub async fn open_task(&self, id: String, given: Option<Value>, from: Option<Parent>) -> Result<Made, String> {
        let task = self.task(id.clone()).await?;
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
                Ok((run.map(|run| (as_typed(&run.inputs), run.usage.usd)), draft))
            })
            .await?;
        let (last, usd) = last.unzip();
        let cost = expected(&task, usd, &*self.services().await?.models);
        let given = given.map_or(json!({}), |given| as_typed(&given));
        Ok(Ready::Form(Box::new(FormOf { task: Arc::new(task), given, last, cost, draft, from })).into())
    }

    /// Starts a task with a text in its first required text input, or shows its form when there is more to fill in.
    pub async fn run_with(&self, id: String, text: String, from: Option<Parent>) -> Result<Made, String> {
        let task = self.task(id.clone()).await?;
        let takes = |field: &&Field| matches!(field.kind, FieldType::Text | FieldType::Multiline);
        let mut texts = task.inputs.iter().filter(takes);
        let first = texts.clone().find(|field| field.required).or_else(|| texts.next());
        let Some(first) = first else { return Err(format!("`{id}` has no input that takes a text")) };
        let given = json!({ first.name.as_str(): text });
        let complete = task.inputs.iter().all(|field| field.name == first.name || !field.required);
        if complete {
            self.start(id, given, Vec::new(), from).await
        } else {
            self.open_task(id, Some(given), from).await
        }
    }

    /// A task as it may be run, with the config's defaults.
    async fn task(&self, id: String) -> Result<Task, String> {
        let backend = self.clone();
        let pinned = move || -> Result<Task, String> {
            let mut task = Catalog::load(&backend.search_paths).pin(&id).map_err(|error| error.to_string())?.task;
            task.inputs = backend.settings.overlay(&task.id, &task.inputs).map_err(|wrong| wrong.join("; "))?;
            Ok(task)
        };
        tokio::task::spawn_blocking(pinned).await.map_err(|error| error.to_string())?
    }

    /// Starts a run and opens it.
    pub async fn start(
        &self,
        task: String,
        inputs: Value,
        secrets: Vec<(String, Secret)>,
        from: Option<Parent>,
    ) -> Result<Made, String> {
        let (backend, id) = (self.clone(), task.clone());
        let pinned = move || Catalog::load(&backend.search_paths).pin(&id).map_err(|error| error.to_string());
        let pinned = tokio::task::spawn_blocking(pinned).await.map_err(|error| error.to_string())??;
        let models = &self.services().await?.models;
        let needed = consent::needed(&**models, &pinned, None).await.map_err(|unknown| unknown.to_string())?;
        if let Some(choice) = needed.into_iter().next() {
            let then = Box::new(Opening::Start { task, inputs, secrets, from });
            return Ok(Ready::Consent { choice, then }.into());
        }
        let backend = self.clone();
        let run = self
            .blocking(move |engine| {
                let mut given: Map<String, Value> = inputs.as_object().cloned().unwrap_or_default();
                let fields = backend.settings.overlay(&pinned.task.id, &pinned.task.inputs);
                for field in fields.map_err(|wrong| wrong.join("; "))? {
                    // The config's default stands in the place of the task's own.
                    if let Some(default) = field.default
                        && !given.contains_key(&field.name)
                    {
                        given.insert(field.name, default);
                    }
                }
                let inputs = read_all(&pinned.task.inputs, &given, &backend.cwd).map_err(|wrong| wrong.join("; "))?;
                // It may have been deleted meanwhile: that the inputs came from it is known all the same.
                let old = from.as_ref().and_then(|parent| engine.load(parent.run).ok());
                let again = old.as_ref().filter(|_| from.as_ref().is_some_and(|from| from.how == OriginKind::Rerun));
                let start = Start {
                    pinned: Arc::new(pinned),
                    inputs: Value::Object(inputs),
                    cwd: backend.cwd.clone(),
                    session: old.as_ref().and_then(|old| old.session.clone()),
                    model: again.and_then(|old| old.model.clone()),
                    budget: again.and_then(|old| old.budget),
                    origin: from.map(|parent| origin(parent, old.as_ref())),
                };
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

/// Where a run comes from. What another run gave stays that, also when the person has edited it in a form; of a run that is
/// started again only what it was given itself.
fn origin(parent: Parent, old: Option<&Run>) -> Origin {
    let handed_over = match parent.how {
        OriginKind::Rerun => old.and_then(|old| old.origin.as_ref()).is_some_and(Origin::hands_over),
        _ => true,
    };
    Origin { run: parent.run, how: parent.how, at: None, seq: old.map(|old| old.seq), handed_over }
}

/// Inputs as a form takes them: a file that was read is its path again.
fn as_typed(inputs: &Value) -> Value {
    let path = |value: &Value| value.get("path").cloned();
    match inputs {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| {
                let typed = match value {
                    Value::Object(_) => path(value).unwrap_or_else(|| value.clone()),
                    Value::Array(items) if items.iter().any(|item| path(item).is_some()) => {
                        items.iter().filter_map(path).collect()
                    }
                    other => other.clone(),
                };
                (name.clone(), typed)
            })
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}
