//! One attempt under way: its request, its deltas on their way to whoever watches, and its partial text in the spool.

use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

use crate::core::key::Key;
use crate::core::model::{Delta, DeltaSink};
use crate::core::ports::SpooledText;
use crate::core::text::Untrusted;
use crate::engine::feed::{Feed, Update};

/// How much text, or time, may pass before partial text is spooled.
const SPOOL_BYTES: usize = 4 * 1024;
const SPOOL_EVERY: Duration = Duration::from_millis(200);

/// No more of it is kept, in bytes.
const LONGEST: usize = 32 * 1024 * 1024;

/// The partial text of an attempt: in memory for a cancel, in the spool for a crash. Best effort.
pub struct Partial(Mutex<State>);

struct State {
    text: Untrusted,
    spooled: Box<dyn SpooledText>,
    written: usize,
    /// Something was spooled, if only in part.
    is_spooled: bool,
    /// What is not written yet will be, soon.
    is_due: bool,
    /// The attempt has come to its end.
    ended: bool,
}

impl Partial {
    /// Partial text that is kept there.
    #[must_use]
    pub fn new(spooled: Box<dyn SpooledText>) -> Arc<Self> {
        let text = Untrusted::default();
        Arc::new(Self(Mutex::new(State { text, spooled, written: 0, is_spooled: false, is_due: false, ended: false })))
    }

    /// The text so far.
    #[must_use]
    pub fn text(&self) -> Untrusted {
        self.state().text.clone()
    }

    /// The attempt has ended. Nothing more is spooled; whether anything was, which is not needed once the outcome is
    /// committed.
    pub fn end(&self) -> bool {
        let mut state = self.state();
        state.ended = true;
        state.is_spooled
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
            state.spool();
        } else if pending > 0
            && !state.is_due
            && let Ok(runtime) = Handle::try_current()
        {
            state.is_due = true;
            let partial = Arc::clone(self);
            runtime.spawn(async move {
                tokio::time::sleep(SPOOL_EVERY).await;
                partial.state().spool();
            });
        }
    }
}

impl State {
    fn restart(&mut self) {
        self.text = Untrusted::default();
        self.written = 0;
        self.spooled.restart();
    }

    fn spool(&mut self) {
        self.is_due = false;
        if self.ended || self.written == self.text.data().len() {
            return;
        }
        self.is_spooled = true;
        if self.spooled.write_all(&self.text.data().as_bytes()[self.written..]).is_ok() {
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
