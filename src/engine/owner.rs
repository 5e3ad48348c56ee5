//! The owner of a run: its right to drive it, and its epoch in the journal.

use crate::core::ports::{Lease, Writer};

/// What this process has of a run that it drives.
pub struct Owner {
    /// The right to drive it.
    pub lease: Box<dyn Lease>,
    epoch: u64,
    writer: Writer,
}

impl Owner {
    /// With this right, after an owner in the epoch `before`: the run is taken over with the first commit.
    pub fn after(before: u64, lease: Box<dyn Lease>) -> Self {
        Self { lease, epoch: before + 1, writer: Writer::TakingOver(before) }
    }

    /// Its epoch.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// As what it writes.
    pub fn writer(&self) -> Writer {
        self.writer
    }

    /// Something was committed: the run is taken over.
    pub fn has_committed(&mut self) {
        self.writer = Writer::Owner(self.epoch);
    }
}
