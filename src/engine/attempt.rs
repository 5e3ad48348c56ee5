//! One attempt under way: its request, its deltas on their way to whoever watches, and its partial text on the disk.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

use crate::core::key::Key;
use crate::core::model::{Delta, DeltaSink};
use crate::core::text::Untrusted;
use crate::engine::feed::{Feed, Update};
use crate::engine::lease::private_folder;

/// How much text, or time, may pass before partial text is put on the disk.
const SPOOL_BYTES: usize = 4 * 1024;
const SPOOL_EVERY: Duration = Duration::from_millis(200);

/// No more of it is kept, in bytes.
const LONGEST: usize = 32 * 1024 * 1024;

/// The partial text of an attempt: in memory for a cancel, on the disk for a crash. Best effort.
pub struct Partial {
    state: Mutex<SpooledText>,
    path: PathBuf,
}

#[derive(Default)]
struct SpooledText {
    text: Untrusted,
    written: usize,
    file: Option<File>,
    /// What is not written yet will be, soon.
    is_due: bool,
    /// The attempt has come to its end.
    ended: bool,
}

impl Partial {
    /// Partial text that is kept at `path`.
    #[must_use]
    pub fn new(path: PathBuf) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), path })
    }

    /// The text so far.
    #[must_use]
    pub fn text(&self) -> Untrusted {
        self.state().text.clone()
    }

    /// The file that is not needed any more once the outcome is committed, if there is one. None is made after this.
    pub fn spent(&self) -> Option<PathBuf> {
        let mut state = self.state();
        state.ended = true;
        state.file.take().map(|_| self.path.clone())
    }

    fn state(&self) -> MutexGuard<'_, SpooledText> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(self: &Arc<Self>, delta: &Delta) {
        let mut state = self.state();
        match delta {
            // What a command floods is kept where its output is.
            Delta::Text(_) if state.text.data().len() >= LONGEST => return,
            Delta::Text(more) => state.text.push(more),
            Delta::Restart(_) => state.restart(),
            Delta::Asks(_) | Delta::Progress(_) => return,
        }
        let pending = state.text.data().len() - state.written;
        if pending >= SPOOL_BYTES {
            state.spool(&self.path);
        } else if pending > 0
            && !state.is_due
            && let Ok(runtime) = Handle::try_current()
        {
            state.is_due = true;
            let partial = Arc::clone(self);
            runtime.spawn(async move {
                tokio::time::sleep(SPOOL_EVERY).await;
                partial.state().spool(&partial.path);
            });
        }
    }
}

impl SpooledText {
    fn restart(&mut self) {
        self.text = Untrusted::default();
        self.written = 0;
        if let Some(file) = &self.file {
            let _ = file.set_len(0);
        }
    }

    fn spool(&mut self, path: &Path) {
        self.is_due = false;
        if self.ended || self.written == self.text.data().len() {
            return;
        }
        if self.file.is_none() {
            let folder = path.parent().unwrap_or(path);
            self.file = private_folder(folder)
                .and_then(|()| OpenOptions::new().create(true).append(true).mode(0o600).open(path))
                .ok();
        }
        if let Some(file) = &mut self.file
            && file.write_all(&self.text.data().as_bytes()[self.written..]).is_ok()
        {
            self.written = self.text.data().len();
        }
    }
}

/// A sink that keeps partial text and tells whoever watches.
#[must_use]
pub fn sink(feed: Feed, key: Key, attempt: u32, partial: Arc<Partial>) -> DeltaSink {
    Arc::new(move |delta| {
        partial.take(&delta);
        feed.publish(&[Update::Delta { key: key.clone(), attempt, delta }]);
    })
}
