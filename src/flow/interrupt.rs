//! Says, from another thread, that what a session computes is not waited for any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared by who waits for a session and who ends the wait. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Ends the wait: within moments a session comes back with whatever it has, which counts for nothing.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Sessions that are opened from now on are waited for again.
    pub fn lower(&self) {
        self.0.store(false, Ordering::Release);
    }

    /// Whether the wait is to end.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
