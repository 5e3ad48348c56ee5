//! Runs that are watched: their events are folded into a copy that the screens share.

use std::sync::{Arc, PoisonError};

use tokio::task::AbortHandle;

use super::backend::{Backend, Made};
use crate::app::consent;
use crate::app::follow::Follower;
use crate::core::event::PauseReason;
use crate::core::id::RunId;
use crate::core::model::ModelChoice;
use crate::core::run::{Run, Status};
use crate::engine::{EngineError, StopReason, Update};
use crate::tui::message::{Message, Opened, Ready};

/// A run that is watched.
pub struct Watched {
    task: AbortHandle,
    /// As it was seen last.
    run: Arc<Run>,
}

impl Backend {
    /// Opens a run: takes it up, unless the person paused it or it is over.
    pub async fn open_run(&self, run: RunId) -> Result<Made, String> {
        let asks = self.needs_consent(run, goes_on).await?;
        let drives = if asks.is_none() { goes_on } else { |_: &Run| false };
        let (stands, follower) = self.take_up(run, drives).await?;
        let opened = Arc::clone(&stands);
        let opened = self
            .blocking(move |engine| {
                let task = engine.definition(&opened).ok().map(|pinned| Arc::new(pinned.task.clone()));
                let drafts = engine.drafts(run).unwrap_or_default();
                Ok(Opened { run: opened, task, drafts, asks })
            })
            .await?;
        Ok(Made { ready: Ready::Run(Box::new(opened)), run: Some((stands, follower)), says: None })
    }

    /// Sees to it that a run is watched, and with `drive` that it goes on. It is posted as it stands.
    pub async fn attend(&self, run: RunId, drive: bool) -> Result<(), String> {
        let asks = if drive { self.needs_consent(run, may_go_on).await? } else { None };
        let drives = if drive && asks.is_none() { may_go_on } else { |_: &Run| false };
        let (stands, follower) = self.take_up(run, drives).await?;
        if let Some(follower) = follower {
            self.watch(follower);
        }
        self.post(Message::Run(stands)).await;
        // What led to this is done all the same.
        if let Some(ModelChoice { model, .. }) = asks {
            let why = "was found, not configured, and nobody has agreed to use it";
            self.post(Message::Failed(format!("not resumed: {model} {why}; open the run again to be asked"))).await;
        }
        Ok(())
    }

    /// The model that a person has to agree to before a run is driven here, if it would be.
    async fn needs_consent(&self, run: RunId, drives: fn(&Run) -> bool) -> Result<Option<ModelChoice>, String> {
        let stands = self.blocking(move |engine| engine.load(run).map_err(|error| error.to_string())).await?;
        if !drives(&stands) {
            return Ok(None);
        }
        let services = self.services().await?;
        // A model that is not known fails where it is asked, with its own panel; so does a definition that cannot be read.
        let needed = consent::needed_to_drive(&services.engine, &*services.models, &stands).await.unwrap_or_default();
        Ok(needed.into_iter().next())
    }

    /// A run as it stands, with what is told of it from now on, unless it is watched already or says nothing more.
    async fn take_up(&self, run: RunId, drives: fn(&Run) -> bool) -> Result<(Arc<Run>, Option<Follower>), String> {
        let backend = self.clone();
        self.blocking(move |engine| {
            let load = || engine.load(run).map_err(|error| error.to_string());
            if drives(&load()?) {
                engine.attend(run).map_err(|error| error.to_string())?;
            }
            let stands = load()?;
            // What is over and in nobody's hands says nothing more: to watch it would be to ask for nothing.
            if backend.is_watched(run) || stands.status.is_over() && !engine.is_driven(run) {
                return Ok((Arc::new(stands), None));
            }
            let follower = Follower::open(engine, run).map_err(|error| error.to_string())?;
            Ok((Arc::clone(follower.run()), Some(follower)))
        })
        .await
    }

    fn is_watched(&self, run: RunId) -> bool {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.get(&run).is_some_and(|watched| !watched.task.is_finished())
    }

    /// Has what happens in a run posted from now on.
    pub fn watch(&self, follower: Follower) {
        let run = Arc::clone(follower.run());
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let id = run.id;
        let watcher = Watcher { backend: self.clone(), follower, changed: false };
        let task = tokio::spawn(watcher.follow()).abort_handle();
        if let Some(before) = watched.insert(id, Watched { task, run }) {
            before.task.abort();
        }
    }

    /// Watches a run no more, unless it is driven here: then it is told when it waits.
    pub fn leave_alone(&self, run: RunId) {
        if self.engine().is_some_and(|engine| engine.driven().contains(&run)) {
            return;
        }
        if let Some(watched) = self.watched.lock().unwrap_or_else(PoisonError::into_inner).remove(&run) {
            watched.task.abort();
        }
    }

    fn snapshot(&self, run: RunId) -> Option<Arc<Run>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).get(&run).map(|watched| Arc::clone(&watched.run))
    }

    /// Whether something of a run is under way.
    pub fn is_under_way(&self, run: RunId) -> bool {
        self.snapshot(run).is_some_and(|run| run.status == Status::Running)
    }

    /// Whether a run waits for the person.
    pub fn waits(&self, run: RunId) -> bool {
        self.snapshot(run).is_some_and(|run| run.gates() > 0)
    }

    /// What a run is called.
    pub fn title(&self, run: RunId) -> String {
        let title = self.snapshot(run).map(|run| run.title.clone()).unwrap_or_default();
        crate::core::text::Untrusted::new(title).line().into_owned()
    }
}

/// Whether a run can go on once a person has decided something about it.
fn may_go_on(run: &Run) -> bool {
    run.status != Status::Cancelled && !run.newer
}

/// Whether opening a run takes it up: not when it is over, when the person paused it, or when a later version wrote it. One
/// that waits is in hand then, so that what is decided goes on at once, and nothing is written before.
fn goes_on(run: &Run) -> bool {
    match run.status {
        _ if run.newer => false,
        Status::Running | Status::Waiting => true,
        Status::Paused => run.paused != Some(PauseReason::ByYou),
        Status::Completed | Status::Failed | Status::Cancelled => false,
    }
}

struct Watcher {
    backend: Backend,
    follower: Follower,
    /// The run changed since it was posted last.
    changed: bool,
}

impl Watcher {
    async fn follow(mut self) {
        if let Err(lost) = self.follow_on().await {
            self.tell().await;
            self.backend.post(Message::Failed(lost.to_string())).await;
        }
    }

    /// # Errors
    /// When what happens cannot be read any more.
    async fn follow_on(&mut self) -> Result<(), EngineError> {
        loop {
            let mut next = Some(self.follower.next().await?);
            while let Some(update) = next {
                self.take(update).await;
                next = self.follower.rest().await?;
            }
            self.tell().await;
        }
    }

    async fn take(&mut self, update: Update) {
        let run = self.follower.run().id;
        match update {
            Update::Event(_) => self.changed = true,
            Update::Delta { key, attempt, delta } => {
                self.tell().await;
                self.backend.post(Message::Delta { run, key, attempt, delta }).await;
            }
            Update::Locked(locked) => self.backend.post(Message::Locked { run: Some(run), locked }).await,
            Update::Stopped(reason) => {
                if let StopReason::JournalLost(why) = reason {
                    self.backend.post(Message::Failed(why.to_string())).await;
                }
                self.changed = true;
            }
        }
    }

    async fn tell(&mut self) {
        if !std::mem::take(&mut self.changed) {
            return;
        }
        let run = self.follower.run();
        if let Some(watched) = self.backend.watched.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&run.id) {
            watched.run = Arc::clone(run);
        }
        self.backend.post(Message::Run(Arc::clone(run))).await;
    }
}
