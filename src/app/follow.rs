//! Follows a run: as it is, then all that happens in it.
//!
//! Promises: every event of the journal comes once and in order, whichever process wrote it, and also where whoever told of
//! them left some out or told of them twice: what is missing is read from the journal before the next one is given. Text on
//! its way comes between the events as it came. May not: drive a run or decide anything about it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::core::event::{Event, Recorded};
use crate::core::id::RunId;
use crate::core::ports::JournalError;
use crate::core::run::Run;
use crate::engine::{Engine, EngineError, Subscription, Update};

/// A run that is followed, with the fold of all that was given of it so far.
pub struct Follower {
    engine: Engine,
    run: Arc<Run>,
    mailbox: Subscription,
    /// What came together and was not given yet.
    came: VecDeque<Update>,
    /// The newest event that was given, or that the fold had from the beginning.
    given: u64,
    /// The journal was read for all that had to come before the [`Update::Stopped`] that is next.
    looked: bool,
}

impl Follower {
    /// Follows a run from how it is now, as [`Engine::load`] has it. Reads the journal, and has it watched by a task: to be
    /// called within a runtime, where it may block.
    ///
    /// # Errors
    /// When there is no such run or the store cannot be used.
    pub fn open(engine: &Engine, run: RunId) -> Result<Self, EngineError> {
        let (now, mailbox) = engine.subscribe(run)?;
        Ok(Self::over(engine, now, mailbox))
    }

    /// Follows a run from how it was at event `after`, with 0 from before its first one: what happened since is given first.
    /// As [`Follower::open`] otherwise.
    ///
    /// # Errors
    /// As [`Follower::open`].
    pub fn open_after(engine: &Engine, run: RunId, after: u64) -> Result<Self, EngineError> {
        let (now, mailbox) = engine.subscribe(run)?;
        let events = engine.events(run, 0)?;
        let known = events.partition_point(|recorded| recorded.seq <= after);
        // Its first event says what run it is.
        let mut then = Run::fold(run, &events[..known.max(1).min(events.len())]).map_err(JournalError::from)?;
        then.deadlines = Arc::clone(&now.deadlines);
        let mut follower = Self::over(engine, then, mailbox);
        follower.given = after.min(follower.run.seq);
        follower.came.extend(events.into_iter().skip(known).map(Update::Event));
        Ok(follower)
    }

    /// Follows a run from a fold of it, by a mailbox that was opened before that was read.
    #[must_use]
    pub fn over(engine: &Engine, run: Run, mailbox: Subscription) -> Self {
        let given = run.seq;
        Self { engine: engine.clone(), run: Arc::new(run), mailbox, came: VecDeque::new(), given, looked: false }
    }

    /// The run, as far as it was followed. After an [`Update::Stopped`] it is as [`Engine::load`] has it.
    #[must_use]
    pub fn run(&self) -> &Arc<Run> {
        &self.run
    }

    /// Waits for what is next. An event is in [`Follower::run`] when it is given. Nothing is lost where the waiting is given
    /// up.
    ///
    /// # Errors
    /// When something is missing and the journal cannot be read: the next one would not be what is next.
    pub async fn next(&mut self) -> Result<Update, EngineError> {
        loop {
            if let Some(update) = self.rest().await? {
                return Ok(update);
            }
            let came = self.mailbox.next().await;
            self.came.extend(came);
        }
    }

    /// What is next, where it has come already.
    ///
    /// # Errors
    /// As [`Follower::next`].
    pub async fn try_next(&mut self) -> Result<Option<Update>, EngineError> {
        if self.came.is_empty() {
            self.came.extend(self.mailbox.take());
        }
        self.rest().await
    }

    /// What is next of what came together with what was given last: nobody has to see half of what was committed as one.
    ///
    /// # Errors
    /// As [`Follower::next`].
    pub async fn rest(&mut self) -> Result<Option<Update>, EngineError> {
        loop {
            let Some(next) = self.came.front() else { return Ok(None) };
            match next {
                Update::Event(recorded) if recorded.seq <= self.given => drop(self.came.pop_front()),
                Update::Event(recorded) if recorded.seq > self.given + 1 => {
                    let before = recorded.seq;
                    let missing = self.read(self.given).await?;
                    let missing = missing.into_iter().filter(|event| event.seq > self.given && event.seq < before);
                    let missing: Vec<Recorded> = missing.collect();
                    if missing.is_empty() {
                        // A journal has no gaps; what it does not have is not waited for.
                        self.given = before - 1;
                    }
                    self.put_first(missing);
                }
                Update::Event(recorded) => {
                    let recorded = recorded.clone();
                    return self.give(recorded).await.map(Some);
                }
                Update::Stopped(_) if !self.looked => {
                    // Why it stopped may be that the journal cannot be read.
                    let missing = self.read(self.given).await.unwrap_or_default();
                    self.looked = true;
                    self.put_first(missing);
                }
                Update::Stopped(_) => {
                    if let Some(now) = self.load().await {
                        self.run = now;
                    }
                    self.looked = false;
                    return Ok(self.came.pop_front());
                }
                Update::Delta { .. } | Update::Locked(_) => return Ok(self.came.pop_front()),
            }
        }
    }

    /// Has everything that the journal has by now come next: what was appended where nobody drove comes through no mailbox
    /// at once.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn look(&mut self) -> Result<(), EngineError> {
        self.came.extend(self.mailbox.take());
        let newest = self.came.iter().rev().find_map(|update| match update {
            Update::Event(recorded) => Some(recorded.seq),
            _ => None,
        });
        let more = self.read(newest.unwrap_or_default().max(self.given)).await?;
        self.came.extend(more.into_iter().map(Update::Event));
        Ok(())
    }

    /// The event that is next becomes part of the run. Where that waits for something, nothing has changed before.
    async fn give(&mut self, recorded: Recorded) -> Result<Update, EngineError> {
        if recorded.seq <= self.run.seq {
            // The first event of all, which the fold began with.
        } else if matches!(recorded.event, Event::RunUpdated { .. }) {
            let (engine, mut run, event) = (self.engine.clone(), Run::clone(&self.run), recorded.clone());
            self.run = blocking(move || {
                run.apply(event.seq, event.at, &event.event);
                // What the journal does not have of another definition is taken over from it; see `Engine::load`.
                if let Ok(pinned) = engine.definition(&run) {
                    run.learn(&pinned);
                }
                Ok(Arc::new(run))
            })
            .await?;
        } else {
            Arc::make_mut(&mut self.run).apply(recorded.seq, recorded.at, &recorded.event);
        }
        self.given = recorded.seq;
        self.came.pop_front();
        Ok(Update::Event(recorded))
    }

    fn put_first(&mut self, events: Vec<Recorded>) {
        for event in events.into_iter().rev() {
            self.came.push_front(Update::Event(event));
        }
    }

    async fn read(&self, after: u64) -> Result<Vec<Recorded>, EngineError> {
        let (engine, run) = (self.engine.clone(), self.run.id);
        blocking(move || engine.events(run, after)).await
    }

    /// The run as a front end shows it, unless more of it is known here.
    async fn load(&self) -> Option<Arc<Run>> {
        let (engine, run) = (self.engine.clone(), self.run.id);
        let now = blocking(move || engine.load(run)).await.ok()?;
        // What came after is given one by one.
        (now.seq == self.run.seq).then(|| Arc::new(now))
    }
}

/// Does what reads the store where it holds up nobody.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, EngineError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(JournalError::Store(error.to_string()).into()))
}
