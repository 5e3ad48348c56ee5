//! Who drives a run, and what is on its way into the journal, among the engines of one process.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::core::id::RunId;
use crate::core::ports::{BoxFuture, JournalError, Lease, Ownership, Spool, SpooledText};

/// What a [`MemoryStore`](super::MemoryStore) needs beside it to drive runs. Its clones share it, as processes share a
/// folder.
#[derive(Clone, Default)]
pub struct MemoryState {
    /// The owned runs, and how their owners are woken.
    owners: Arc<Mutex<HashMap<RunId, Arc<Notify>>>>,
    notes: Notes,
}

/// By run and name.
type Notes = Arc<Mutex<HashMap<RunId, BTreeMap<String, Vec<u8>>>>>;

impl MemoryState {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Owner {
    run: RunId,
    woken: Arc<Notify>,
    state: MemoryState,
}

impl Ownership for MemoryState {
    fn take(&self, run: RunId) -> Result<Option<Box<dyn Lease>>, JournalError> {
        let mut owners = lock(&self.owners);
        if owners.contains_key(&run) {
            return Ok(None);
        }
        let woken = Arc::new(Notify::new());
        owners.insert(run, Arc::clone(&woken));
        Ok(Some(Box::new(Owner { run, woken, state: self.clone() })))
    }

    fn is_owned(&self, run: RunId) -> bool {
        lock(&self.owners).contains_key(&run)
    }

    fn wake(&self, run: RunId) {
        if let Some(owner) = lock(&self.owners).get(&run) {
            owner.notify_one();
        }
    }

    /// Nothing is kept of a run that has no owner.
    fn forget(&self, _: RunId) {}
}

impl Lease for Owner {
    fn woken(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.woken.notified())
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        lock(&self.state.owners).remove(&self.run);
    }
}

impl Spool for MemoryState {
    fn keep(&self, run: RunId, name: &str, note: &[u8]) -> io::Result<()> {
        lock(&self.notes).entry(run).or_default().insert(name.to_owned(), note.to_owned());
        Ok(())
    }

    fn text(&self, run: RunId, name: &str) -> Box<dyn SpooledText> {
        Box::new(Text { run, name: name.to_owned(), is_begun: false, notes: Arc::clone(&self.notes) })
    }

    fn read(&self, run: RunId, name: &str) -> Option<Vec<u8>> {
        lock(&self.notes).get(&run)?.get(name).cloned()
    }

    fn names(&self, run: RunId) -> Vec<String> {
        lock(&self.notes).get(&run).map(|notes| notes.keys().cloned().collect()).unwrap_or_default()
    }

    fn remove(&self, run: RunId, name: &str) {
        if let Some(notes) = lock(&self.notes).get_mut(&run) {
            notes.remove(name);
        }
    }

    fn clear(&self, run: RunId) {
        lock(&self.notes).remove(&run);
    }
}

struct Text {
    run: RunId,
    name: String,
    is_begun: bool,
    notes: Notes,
}

impl Text {
    fn change(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut notes = lock(&self.notes);
        change(notes.entry(self.run).or_default().entry(self.name.clone()).or_default());
    }
}

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let begins = !std::mem::replace(&mut self.is_begun, true);
        self.change(|text| {
            if begins {
                text.clear();
            }
            text.extend_from_slice(bytes);
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SpooledText for Text {
    fn restart(&mut self) {
        if self.is_begun {
            self.change(Vec::clear);
        }
    }

    fn location(&self) -> String {
        format!("the memory of the program, as {}", self.name)
    }
}
