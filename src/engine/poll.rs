//! What other processes write: told to those who watch a run here, and whether there is anything new at all.

use std::time::Duration;

use tokio::runtime::Handle;

use super::{Engine, EngineError, Feed, StopReason, Update};
use crate::core::id::RunId;
use crate::core::ports::{JournalError, Revision};

/// How often a run that another process drives is looked at.
const WATCH: Duration = Duration::from_millis(80);

/// The same, of a run that no process drives.
const WATCH_IDLE: Duration = Duration::from_secs(1);

impl Engine {
    /// The state of the store, for much less than it costs to read it: another one once any process has written anything.
    /// `None` when that cannot be known now.
    #[must_use]
    pub fn revision(&self) -> Option<Revision> {
        self.shared.ports.store.revision()
    }

    /// Publishes what other processes write, and that the one that drove the run is gone, as long as anybody reads and
    /// nobody drives here. There is one that does for each feed.
    ///
    /// # Errors
    /// Outside of a runtime.
    pub(super) fn watch(&self, run: RunId, seen: u64, feed: Feed) -> Result<(), EngineError> {
        let runtime = Handle::try_current().map_err(|_| EngineError::no_runtime())?;
        if feed.claim_watch() {
            runtime.spawn(self.clone().keep_watching(run, seen, feed));
        }
        Ok(())
    }

    async fn keep_watching(self, run: RunId, mut seen: u64, feed: Feed) {
        let is_wanted = || feed.is_read() && self.drive_of(run).is_none();
        loop {
            let mut was_driven = self.is_driven(run);
            while is_wanted() {
                // Looked at first: what it wrote last is read after that.
                let driven = self.is_driven(run);
                match self.with_store(|store| store.read(run, seen)) {
                    Ok(new) => {
                        seen = new.last().map_or(seen, |recorded| recorded.seq);
                        let mut updates: Vec<Update> = new.into_iter().map(Update::Event).collect();
                        if was_driven && !driven {
                            updates.push(Update::Stopped(StopReason::DriverGone));
                        }
                        feed.publish(&updates);
                        was_driven = driven;
                    }
                    // It is free again in a moment.
                    Err(JournalError::Busy(_)) => {}
                    Err(error) => {
                        feed.release_watch();
                        return feed.publish(&[Update::Stopped(StopReason::JournalLost(error))]);
                    }
                }
                // While nobody drives it, it changes only by a person's hand.
                tokio::time::sleep(if driven { WATCH } else { WATCH_IDLE }).await;
            }
            feed.release_watch();
            // Somebody may have wanted it again before that.
            if !is_wanted() || !feed.claim_watch() {
                return;
            }
        }
    }
}
