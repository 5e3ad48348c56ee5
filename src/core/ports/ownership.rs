//! Who drives a run: one process at a time.

use super::{BoxFuture, JournalError};
use crate::core::id::RunId;

/// The right to drive a run, of which there is one. It keeps processes from doing the same work twice; the journal does not
/// rely on it, and refuses an owner that lost its run without knowing it by its epoch ([`super::Writer::Owner`]).
pub trait Ownership: Send + Sync {
    /// Takes the right to drive a run; `None` while another has it, in this process or any other.
    ///
    /// # Errors
    /// When it cannot be known whether another has it: what happened, where, what to do.
    fn take(&self, run: RunId) -> Result<Option<Box<dyn Lease>>, JournalError>;

    /// Whether anybody has it.
    fn is_owned(&self, run: RunId) -> bool;

    /// Tells the owner of a run, if it has one, that the journal has something new.
    fn wake(&self, run: RunId);

    /// Forgets a run that was deleted.
    fn forget(&self, run: RunId);
}

/// The right to drive one run. It is released when this is dropped, and ends with the process. One that ends by time is
/// renewed by whoever implements it, for as long as this is kept.
pub trait Lease: Send + Sync {
    /// Waits until somebody else may have written to the run's journal. It may be woken for nothing.
    fn woken(&self) -> BoxFuture<'_, ()>;

    /// Waits until the right is lost although this is kept: whoever has it stops. What cannot be lost waits for ever.
    fn lost(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}
