//! A store that another process holds locked: what came is kept in memory and beside the store, the person hears of it,
//! and it is written as soon as the lock is free.
//!
//! The outcome of an attempt is put beside the store before anything is waited for: should this process end meanwhile, the
//! next one that takes the run up finds it there, and nothing is asked, or paid, twice.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};

use crate::core::event::Event;
use crate::core::gate::GateKind;
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::ports::{JournalError, Spool, Storage};
use crate::core::tool_call::ToolCallId;
use crate::engine::feed::Update;
use crate::engine::run_loop::RunLoop;
use crate::engine::{Engine, spooled};

/// What is waited between two tries, besides what the store itself waits.
const BETWEEN: Duration = Duration::from_millis(10);

/// What people do outside of a run that is driven here: it waits as well, for as long as they do.
impl Engine {
    /// Does something with what is kept, which blocks: nothing else that this thread has to do waits for it.
    pub(super) fn with_store<T>(&self, work: impl FnOnce(&dyn Storage) -> T) -> T {
        blocking(|| work(&*self.shared.ports.store))
    }

    /// Has a front end told when something that a person asked for waits, because another process holds the store locked,
    /// and (`false`) when it waits no more. What a run does by itself is told to its readers; see [`Update::Locked`].
    pub fn on_locked(&self, tell: impl Fn(bool) + Send + Sync + 'static) {
        let _ = self.shared.on_locked.set(Box::new(tell));
    }

    /// Does something with the journal, again for as long as another process holds it locked.
    ///
    /// # Errors
    /// As the journal says, but never that it is locked.
    pub(super) async fn patiently<T: Send + 'static>(
        &self,
        work: impl Fn(&dyn Storage) -> Result<T, JournalError> + Send + Sync + 'static,
    ) -> Result<T, JournalError> {
        if Handle::try_current().is_err() {
            return self.patiently_here(work);
        }
        let (work, mut waits) = (Arc::new(work), false);
        loop {
            let (store, work) = (Arc::clone(&self.shared.ports.store), Arc::clone(&work));
            // On a thread of its own, so that whoever waits for it may give up.
            let done = tokio::task::spawn_blocking(move || work(&*store)).await;
            let done = done.unwrap_or_else(|died| Err(JournalError::Store(format!("nothing was written: {died}"))));
            if !self.is_locked(&done, &mut waits) {
                return done;
            }
            tokio::time::sleep(BETWEEN).await;
        }
    }

    /// The same where nothing else is done meanwhile.
    ///
    /// # Errors
    /// As the journal says, but never that it is locked.
    pub(super) fn patiently_here<T>(
        &self,
        work: impl Fn(&dyn Storage) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let (store, mut waits) = (&*self.shared.ports.store, false);
        loop {
            let done = blocking(|| {
                if waits {
                    std::thread::sleep(BETWEEN);
                }
                work(store)
            });
            if !self.is_locked(&done, &mut waits) {
                return done;
            }
        }
    }

    /// Whether that is to be done again, because the store is locked. The front end hears when that changes.
    fn is_locked<T>(&self, done: &Result<T, JournalError>, waits: &mut bool) -> bool {
        let locked = matches!(done, Err(JournalError::Busy(_)));
        if std::mem::replace(waits, locked) != locked
            && let Some(tell) = self.shared.on_locked.get()
        {
            tell(locked);
        }
        locked
    }
}

impl RunLoop {
    /// Does something with the journal, again for as long as another process holds it locked, unless the run is given up
    /// here meanwhile. `held` is what is to be written, where that is not staged any more.
    ///
    /// # Errors
    /// As the journal says; that it is locked only when the run is given up.
    pub(super) fn patiently<T>(
        &mut self,
        held: Option<&[Event]>,
        work: impl Fn(&dyn Storage) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let store = Arc::clone(&self.engine.shared.ports.store);
        let mut waits = false;
        loop {
            match blocking(|| work(&*store)) {
                Err(JournalError::Busy(why)) => {
                    if !waits {
                        waits = true;
                        self.keep_outcomes(held);
                        self.feed.publish(&[Update::Locked(true)]);
                    }
                    self.keep_late();
                    if self.control.pausing().is_some() {
                        return Err(JournalError::Busy(why));
                    }
                }
                done => {
                    if waits {
                        self.feed.publish(&[Update::Locked(false)]);
                    }
                    return done;
                }
            }
        }
    }

    /// Puts what came to its end meanwhile beside the store, too.
    fn keep_late(&mut self) {
        while let Ok(ended) = self.attempts.endings.try_recv() {
            let events = self.end_of(&ended);
            self.keep_outcomes(Some(&events));
            self.attempts.late.push(ended);
        }
    }

    /// Puts the outcomes that are not written yet beside the store. They are removed once they are.
    pub(super) fn keep_outcomes(&mut self, held: Option<&[Event]>) {
        let spool = &self.engine.shared.ports.spool;
        let outcomes = held.unwrap_or(self.log.staged()).iter().filter_map(|event| Some((event, outcome_of(event)?)));
        // What cannot be kept there is still in memory.
        let kept = outcomes.filter_map(|(event, (key, attempt, call))| {
            let name = spooled::outcome(key, attempt, call);
            spool.keep(self.run.id, &name, &serde_json::to_vec(event).ok()?).ok().map(|()| name)
        });
        let kept: Vec<String> = kept.collect();
        self.attempts.spent.extend(kept);
    }
}

/// Does what blocks, for seconds where the store is locked, while another thread goes on with the other tasks of this one.
/// In a runtime of one thread there is none: they wait.
pub(super) fn blocking<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

/// The attempt whose end, or that of a turn or a tool call of it, an event is.
fn outcome_of(event: &Event) -> Option<(&Key, u32, Option<ToolCallId>)> {
    match event {
        Event::AttemptFinished { key, attempt, .. }
        | Event::TurnFinished { key, attempt, .. }
        | Event::AttemptFailed { key, attempt, .. }
        | Event::AttemptCancelled { key, attempt, .. } => Some((key, *attempt, None)),
        Event::ToolReturned { key, attempt, call, .. } => Some((key, *attempt, Some(*call))),
        Event::GateOpened(gate) if gate.kind() == GateKind::InDoubt => Some((&gate.key, gate.attempt, gate.call)),
        _ => None,
    }
}

/// The outcome of an attempt, or of a tool call of it, that was kept there, if it can be read.
pub(super) fn kept_outcome(
    spool: &dyn Spool,
    run: RunId,
    key: &Key,
    attempt: u32,
    call: Option<ToolCallId>,
) -> Option<Event> {
    let kept = String::from_utf8(spool.read(run, &spooled::outcome(key, attempt, call))?).ok()?;
    let event = Event::from_json(&kept).ok()?;
    (outcome_of(&event)? == (key, attempt, call)).then_some(event)
}

/// Keeps an unsaved text, or that there is none any more, in addition to the store.
///
/// # Errors
/// As the system says.
pub(super) fn keep_draft(spool: &dyn Spool, run: RunId, name: &str, text: Option<&str>) -> std::io::Result<()> {
    spool.keep(run, &spooled::draft(name), &serde_json::to_vec(&(name, text))?)
}

/// The unsaved texts of a run that are spooled: they are newer than those in the store.
pub(super) fn drafts(spool: &dyn Spool, run: RunId) -> Vec<(String, Option<String>)> {
    let names = spool.names(run).into_iter().filter(|name| spooled::is_draft(name));
    names.filter_map(|name| serde_json::from_slice(&spool.read(run, &name)?).ok()).collect()
}
