//! What other processes write: told to those who watch a run here, and whether there is anything new at all.

use std::time::Duration;

use super::{Engine, Feed, StopReason, Update, is_driven};
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
    pub(super) fn watch(&self, run: RunId, mut seen: u64, feed: Feed) {
        let engine = self.clone();
        tokio::spawn(async move {
            while feed.is_read() && engine.drive_of(run).is_none() {
                match engine.shared.ports.store.read(run, seen) {
                    Ok(new) => {
                        seen = new.last().map_or(seen, |recorded| recorded.seq);
                        feed.publish(&new.into_iter().map(Update::Event).collect::<Vec<_>>());
                    }
                    Err(error) => return feed.publish(&[Update::Stopped(StopReason::JournalLost(error))]),
                }
                // While nobody drives it, it changes only by a person's hand.
                let driven = is_driven(&engine.shared.ports.state, run);
                tokio::time::sleep(if driven { WATCH } else { WATCH_IDLE }).await;
            }
        });
    }
}
