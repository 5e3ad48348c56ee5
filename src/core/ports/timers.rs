//! Waking up at a time.

use chrono::{DateTime, Utc};

use super::BoxFuture;
use crate::core::id::RunId;

/// Wakes whoever drives a run when something in it is due.
pub trait Timers: Send + Sync {
    /// Waits until about `at`; `now` is the time by the clock of whoever asks. It may be earlier: who is woken looks at the
    /// clock, and asks again.
    fn wake_at(&self, run: RunId, at: DateTime<Utc>, now: DateTime<Utc>) -> BoxFuture<'static, ()>;
}
