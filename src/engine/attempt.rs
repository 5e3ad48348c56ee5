//! One attempt under way: its job, its deltas on their way to whoever watches, and its partial text on the disk.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::core::key::Key;
use crate::core::model::{Delta, DeltaSink};
use crate::core::text::Untrusted;
use crate::engine::feed::{Feed, Update};
use crate::engine::lease::private_folder;

/// How much text, or time, may pass before partial text is put on the disk.
const SPOOL_BYTES: usize = 4 * 1024;
const SPOOL_EVERY: Duration = Duration::from_millis(200);

/// The partial text of an attempt: in memory for a cancel, on the disk for a crash. Best effort.
pub struct Partial {
    state: Mutex<State>,
    path: PathBuf,
}

struct State {
    text: Untrusted,
    written: usize,
    at: Instant,
    file: Option<File>,
}

impl Partial {
    /// Partial text that is kept at `path`.
    #[must_use]
    pub fn new(path: PathBuf) -> Arc<Self> {
        let state = State { text: Untrusted::default(), written: 0, at: Instant::now(), file: None };
        Arc::new(Self { state: Mutex::new(state), path })
    }

    /// The text so far.
    #[must_use]
    pub fn text(&self) -> Untrusted {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).text.clone()
    }

    /// The file that is not needed any more once the outcome is committed, if there is one.
    pub fn spent(&self) -> Option<PathBuf> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.file.take().map(|_| self.path.clone())
    }

    fn take(&self, delta: &Delta) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match delta {
            Delta::Text(more) => state.text.push(more),
            Delta::Restart(_) => {
                state.text = Untrusted::default();
                state.written = 0;
                if let Some(file) = &state.file {
                    let _ = file.set_len(0);
                }
            }
            Delta::Progress(_) => return,
        }
        let pending = state.text.data().len() - state.written;
        if pending >= SPOOL_BYTES || (pending > 0 && state.at.elapsed() >= SPOOL_EVERY) {
            state.spool(&self.path);
        }
    }
}

impl State {
    fn spool(&mut self, path: &Path) {
        self.at = Instant::now();
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
        feed.publish(&Update::Delta { key: key.clone(), attempt, delta });
    })
}
