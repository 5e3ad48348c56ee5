//! What Home lists: the open runs and the last results, the tasks with what is known of each; and the paths that a form completes.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use super::backend::Backend;
use crate::catalog::{Catalog, DefinitionSource, Entry};
use crate::core::ports::{HistoryQuery, Learned};
use crate::core::run::Status;
use crate::engine::Engine;
use crate::tui::message::Message;
use crate::tui::screens::home::{MINE, TaskRow};

/// As many open runs as Home lists.
const OPEN_RUNS: usize = 50;

/// As many runs that are done are looked at for the last results: one that was started long ago may have ended last.
const RESULTS: usize = 20;

/// As many last runs of a task as the preview shows.
const LAST_RUNS: usize = 5;

/// As many paths as a form offers.
const PATHS: usize = 50;

impl Backend {
    /// The open runs and the newest that are done, when they are others than were listed last, or none were.
    pub async fn list_runs(&self) -> Result<Option<Message>, String> {
        let rows = self
            .blocking(|engine| {
                let statuses = vec![Status::Waiting, Status::Running, Status::Paused, Status::Failed];
                let query = HistoryQuery { statuses, limit: OPEN_RUNS, ..HistoryQuery::default() };
                let mut rows = engine.history(&query).map_err(|error| error.to_string())?;
                let done = vec![Status::Completed];
                let query = HistoryQuery { statuses: done, limit: RESULTS, ..HistoryQuery::default() };
                rows.extend(engine.history(&query).map_err(|error| error.to_string())?);
                Ok(rows)
            })
            .await?;
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        if listed.as_ref() == Some(&rows) {
            return Ok(None);
        }
        *listed = Some(rows.clone());
        Ok(Some(Message::OpenRuns(rows)))
    }

    /// The tasks, the most recently used first.
    pub async fn list_tasks(&self) -> Result<Option<Message>, String> {
        let backend = self.clone();
        // Read while the engine is opened, when that is still to be done.
        let catalog = tokio::task::spawn_blocking(move || Catalog::load(&backend.search_paths));
        self.services().await?;
        let catalog = catalog.await.map_err(|error| error.to_string())?;
        self.blocking(move |engine| {
            let mut rows: Vec<TaskRow> = catalog.entries.iter().map(|entry| row(&catalog, entry, engine)).collect();
            rows.sort_by_key(|row| std::cmp::Reverse(row.runs.first().map(|(_, at)| *at)));
            Ok(Some(Message::Tasks(rows)))
        })
        .await
    }
}

fn row(catalog: &Catalog, entry: &Entry, engine: &Engine) -> TaskRow {
    let query = HistoryQuery { task: Some(entry.id.clone()), limit: LAST_RUNS, ..HistoryQuery::default() };
    let runs = engine.history(&query).unwrap_or_default();
    // What is shipped was checked when it was built.
    let mistakes = if entry.source == DefinitionSource::Builtin { Vec::new() } else { catalog.check(entry) };
    TaskRow {
        task: entry.task.as_ref().ok().map(Arc::clone),
        id: entry.id.clone(),
        name: entry.name.clone(),
        kind: entry.kind,
        source: source(entry),
        trusted: entry.is_trusted(),
        errors: mistakes.iter().map(ToString::to_string).collect(),
        learned: learned(catalog, entry, engine),
        runs: runs.into_iter().map(|run| (run.title, run.created_at)).collect(),
        file: (entry.source != DefinitionSource::Builtin).then(|| entry.path.clone()),
        hides_shipped: super::definitions::hides_shipped(entry),
    }
}

/// What a run of it would heed, by step; of a step of a child workflow, with the child's id.
fn learned(catalog: &Catalog, entry: &Entry, engine: &Engine) -> Vec<String> {
    let mut lines = Vec::new();
    for id in std::iter::once(entry.id.as_str()).chain(catalog.children(&entry.id)) {
        for Learned { lesson, .. } in engine.learned(Some(id)).unwrap_or_default() {
            let of = if id == entry.id { String::new() } else { format!("{id} / ") };
            lines.push(format!("{of}{}: {}", lesson.step, lesson.text));
        }
    }
    lines
}

fn source(entry: &Entry) -> String {
    match entry.source {
        DefinitionSource::Builtin => "shipped".to_owned(),
        DefinitionSource::User => MINE.to_owned(),
        DefinitionSource::Project => "this project".to_owned(),
        DefinitionSource::Dir => entry.path.display().to_string(),
    }
}

/// The paths that begin like `typed`, as the person would go on typing it; folders end with a slash.
pub fn paths(cwd: &Path, typed: &str) -> Vec<String> {
    let (folder, begins) = typed.rsplit_once('/').map_or(("", typed), |(folder, begins)| (folder, begins));
    let prefix = &typed[..typed.len() - begins.len()];
    let place = match prefix {
        "" => cwd.to_owned(),
        "/" => "/".into(),
        _ => match folder.strip_prefix('~') {
            Some(rest) => Path::new(&std::env::var("HOME").unwrap_or_default()).join(rest.trim_start_matches('/')),
            None => cwd.join(folder),
        },
    };
    let Ok(entries) = std::fs::read_dir(place) else { return Vec::new() };
    let mut paths: Vec<String> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            let hidden = name.starts_with('.') && !begins.starts_with('.');
            let slash = if entry.path().is_dir() { "/" } else { "" };
            (name.starts_with(begins) && !hidden).then(|| format!("{prefix}{name}{slash}"))
        })
        .collect();
    paths.sort();
    paths.truncate(PATHS);
    paths
}
