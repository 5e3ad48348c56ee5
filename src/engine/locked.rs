//! A store that another process holds locked: what came is kept in memory and beside the store, the person hears of it,
//! and it is written as soon as the lock is free.
//!
//! The outcome of an attempt is put beside the store before anything is waited for: should this process end meanwhile, the
//! next one that takes the run up finds it there, and nothing is asked, or paid, twice.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};

use crate::core::event::Event;
use crate::core::fingerprint::Fingerprint;
use crate::core::gate::GateKind;
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::ports::{JournalError, StateFolder, Storage};
use crate::engine::Engine;
use crate::engine::feed::Update;
use crate::engine::lease::private_folder;
use crate::engine::run_loop::RunLoop;

/// What is waited between two tries, besides what the store itself waits.
const BETWEEN: Duration = Duration::from_millis(10);

/// What people do outside of a run that is driven here: it waits as well, for as long as they do.
impl Engine {
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
            let done = if waits { blocking(|| work(&*store)) } else { work(&*store) };
            match done {
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
        while let Ok(ended) = self.endings.try_recv() {
            let under_way = self.under_way.get(&ended.key).filter(|under_way| under_way.attempt == ended.attempt);
            let events = under_way.map(|under_way| self.end_of(under_way, &ended.key, ended.outcome.clone()));
            if let Some(events) = events {
                self.keep_outcomes(Some(&events));
            }
            self.late.push(ended);
        }
    }

    /// Puts the outcomes that are not written yet beside the store. They are removed once they are.
    pub(super) fn keep_outcomes(&mut self, held: Option<&[Event]>) {
        let state = &self.engine.shared.ports.state;
        let outcomes = held.unwrap_or(&self.staged).iter().filter_map(|event| Some((event, outcome_of(event)?)));
        // What cannot be kept there is still in memory.
        let kept = outcomes.filter_map(|(event, (key, attempt))| {
            let path = outcome_file(state, self.run.id, key, attempt);
            write(&path, &serde_json::to_vec(event).ok()?).ok().map(|()| path)
        });
        let kept: Vec<PathBuf> = kept.collect();
        self.spent.extend(kept);
    }
}

/// Does what may block for seconds where it holds up no other run, if there are threads for that.
fn blocking<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

/// The attempt whose end an event is.
fn outcome_of(event: &Event) -> Option<(&Key, u32)> {
    match event {
        Event::AttemptFinished { key, attempt, .. }
        | Event::AttemptFailed { key, attempt, .. }
        | Event::AttemptCancelled { key, attempt, .. } => Some((key, *attempt)),
        Event::GateOpened(gate) if gate.kind() == GateKind::InDoubt => Some((&gate.key, gate.attempt)),
        _ => None,
    }
}

/// The file that the outcome of an attempt is kept in until it is in the journal.
pub(super) fn outcome_file(state: &StateFolder, run: RunId, key: &Key, attempt: u32) -> PathBuf {
    state.spool(run).join(format!("{key}.{attempt}.outcome"))
}

/// The outcome of an attempt that was kept there, if it can be read.
pub(super) fn kept_outcome(path: &Path, key: &Key, attempt: u32) -> Option<Event> {
    let event = Event::from_json(&fs::read_to_string(path).ok()?).ok()?;
    (outcome_of(&event)? == (key, attempt)).then_some(event)
}

/// The file that an unsaved text is kept in while the store cannot take it.
fn draft_file(state: &StateFolder, run: RunId, name: &str) -> PathBuf {
    let name = Fingerprint::of_bytes(name.as_bytes());
    state.spool(run).join(format!("{}.draft", &name.as_str()[..16]))
}

/// Keeps an unsaved text, or that there is none any more, beside the store.
///
/// # Errors
/// As the system says.
pub(super) fn keep_draft(state: &StateFolder, run: RunId, name: &str, text: Option<&str>) -> std::io::Result<()> {
    let bytes = serde_json::to_vec(&(name, text))?;
    write(&draft_file(state, run, name), &bytes)
}

/// What was kept beside the store is in it.
pub(super) fn forget_draft(state: &StateFolder, run: RunId, name: &str) {
    let _ = fs::remove_file(draft_file(state, run, name));
}

/// The unsaved texts of a run that lie beside the store: they are newer than those in it.
pub(super) fn drafts(state: &StateFolder, run: RunId) -> Vec<(String, Option<String>)> {
    let Ok(files) = fs::read_dir(state.spool(run)) else { return Vec::new() };
    let drafts = files.flatten().map(|file| file.path()).filter(|path| path.extension().is_some_and(|e| e == "draft"));
    drafts.filter_map(|path| serde_json::from_slice(&fs::read(path).ok()?).ok()).collect()
}

/// Writes a file whole or not at all, for this user alone, and on the disk when it has its name.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    private_folder(path.parent().unwrap_or(path))?;
    let part = path.with_extension("part");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&part, path)
}
