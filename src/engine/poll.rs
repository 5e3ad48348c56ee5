//! What other processes write: told to those who watch a run here, and whether there is anything new at all.

use std::time::Duration;

use tokio::runtime::Handle;

use super::{Engine, EngineError, Feed, StopReason, Update};
use crate::core::id::RunId;
use crate::core::ports::Revision;

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

    /// Publishes what another process writes, as long as anybody reads and nobody drives here.
    ///
    /// # Errors
    /// Outside of a runtime.
    pub(super) fn watch(&self, run: RunId, mut seen: u64, feed: Feed) -> Result<(), EngineError> {
        let runtime = Handle::try_current().map_err(|_| EngineError::no_runtime())?;
        let engine = self.clone();
        runtime.spawn(async move {
            while feed.is_read() && engine.drive_of(run).is_none() {
                match engine.with_store(|store| store.read(run, seen)) {
                    Ok(new) => {
                        seen = new.last().map_or(seen, |recorded| recorded.seq);
                        feed.publish(&new.into_iter().map(Update::Event).collect::<Vec<_>>());
                    }
                    Err(error) => return feed.publish(&[Update::Stopped(StopReason::JournalLost(error))]),
                }
                // While nobody drives it, it changes only by a person's hand.
                let driven = engine.shared.ports.ownership.is_owned(run);
                tokio::time::sleep(if driven { WATCH } else { WATCH_IDLE }).await;
            }
        });
        Ok(())
    }
}
