//! Runs as a whole: looked at for the lists, renamed, archived, cancelled, deleted, and brought back.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use super::backend::{Backend, Made};
use crate::core::decide::newest_decision;
use crate::core::fingerprint::Fingerprint;
use crate::core::id::RunId;
use crate::core::run::Run;
use crate::core::task::Task;
use crate::engine::Engine;
use crate::tui::effect::{Change, Effect, Manage};
use crate::tui::glance::Glance;
use crate::tui::layers::{Confirm, Kind};
use crate::tui::message::{Message, Ready, RunChange};

/// As many runs are looked at before the lists hear of them: those at the top come first.
const PIECE: usize = 16;

/// As many looks are kept.
const KEPT: usize = 4_096;

/// What was looked at: a run is looked at again only when it has changed, a definition is read once.
#[derive(Default)]
pub struct Glances {
    runs: HashMap<RunId, Glance>,
    tasks: HashMap<Fingerprint, Option<Arc<Task>>>,
}

impl Backend {
    /// Looks at runs. All but the last piece is posted as it comes.
    pub async fn look_at(&self, runs: Vec<(RunId, DateTime<Utc>)>) -> Result<Message, String> {
        let mut last = Vec::new();
        for piece in runs.chunks(PIECE) {
            if !last.is_empty() {
                self.post(Message::Glances(std::mem::take(&mut last))).await;
            }
            let (backend, piece) = (self.clone(), piece.to_vec());
            last = self.blocking(move |engine| Ok(backend.glances_of(engine, &piece))).await?;
        }
        Ok(Message::Glances(last))
    }

    fn glances_of(&self, engine: &Engine, runs: &[(RunId, DateTime<Utc>)]) -> Vec<(RunId, Glance)> {
        let mut glances = Vec::new();
        for (id, changed) in runs {
            let known = self.known().runs.get(id).filter(|glance| glance.updated_at >= *changed).cloned();
            // What was deleted meanwhile, or cannot be read, has no more to show than its row.
            let glance = known.or_else(|| {
                let run = engine.load(*id).ok()?;
                let task = self.task_of(engine, &run);
                let drafts = engine.drafts(*id).map_or(0, |drafts| drafts.len());
                Some(Glance::of(&run, task.as_deref(), drafts))
            });
            glances.extend(glance.map(|glance| (*id, glance)));
        }
        let mut known = self.known();
        if known.runs.len() > KEPT {
            known.runs.clear();
        }
        known.runs.extend(glances.iter().cloned());
        glances
    }

    fn known(&self) -> MutexGuard<'_, Glances> {
        self.glances.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn task_of(&self, engine: &Engine, run: &Run) -> Option<Arc<Task>> {
        if let Some(known) = self.known().tasks.get(&run.definition).cloned() {
            return known;
        }
        let task = engine.definition(run).ok().map(|pinned| Arc::new(pinned.task.clone()));
        self.known().tasks.insert(run.definition.clone(), task.clone());
        task
    }

    /// The question whether the newest decision in a run is to be taken back: what that is.
    pub async fn ask_to_take_back(&self, run: RunId) -> Result<Made, String> {
        let before = self.blocking(move |engine| engine.load(run).map_err(|error| error.to_string())).await?;
        let title = before.shown_title();
        let Some(newest) = newest_decision(&before) else {
            return Err(format!("there is no decision to take back in \"{title}\""));
        };
        let lines = vec![
            format!("Take back the {} in \"{title}\"?", newest.name()),
            "It is the newest decision there. What has begun because of it is stopped, and can be decided again."
                .to_owned(),
        ];
        let undo = Effect::Change(Change::Undo { run, seq: newest.seq });
        Ok(Ready::Above(Box::new(Kind::Confirm(Confirm::new(lines, vec![undo])).into())).into())
    }

    /// Changes a run as a whole. Gives what is to be said, and what takes it back.
    pub async fn manage(&self, engine: &Engine, run: RunId, manage: Manage) -> Result<Message, String> {
        let load = move |engine: &Engine| engine.load(run).map_err(|error| error.to_string());
        let before = self.blocking(load).await?;
        let title = before.shown_title();
        let gone = manage == Manage::Delete;
        let may_undo = matches!(manage, Manage::Rename(_) | Manage::Archive);
        let (said, done) = match manage {
            Manage::Rename(title) => (format!("renamed to \"{title}\""), engine.rename(run, &title).await),
            Manage::Archive => (format!("archived \"{title}\""), engine.archive(run, false).await),
            Manage::Cancel => (format!("cancelled \"{title}\"; what it has is kept"), engine.cancel(run).await),
            Manage::Delete => (format!("deleted \"{title}\""), engine.stop_and_delete(run).await),
        };
        done.map_err(|error| error.to_string())?;
        let undo = if may_undo { newest_decision(&self.blocking(load).await?).map(|newest| newest.seq) } else { None };
        Ok(Message::RunsChanged(RunChange { run, said, undo, gone, restored: false }))
    }
}
