//! Guards a wait on a server: it ends when the person stops it, when it takes too long, and when the machine slept.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The time of day. Injected, because a machine that slept is noticed by it.
pub type WallClock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// How often a wait looks whether the machine slept.
const LOOK: Duration = Duration::from_secs(2);

/// So much more time of day than time of the process means sleep; less may be a clock that was set.
const SLEPT: Duration = Duration::from_secs(30);

/// Why a wait ended without what it waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The person stopped it.
    Cancelled,
    /// The machine slept: whatever connection there was is not worth waiting for.
    Slept,
    /// The time ran out.
    Late,
}

/// One request's guard.
pub(super) struct Watch {
    cancel: CancellationToken,
    wall: WallClock,
    seen: (SystemTime, Instant),
}

impl Watch {
    pub(super) fn new(cancel: CancellationToken, wall: WallClock) -> Self {
        let seen = (wall(), Instant::now());
        Self { cancel, wall, seen }
    }

    /// Waits for `work` until `deadline`.
    pub(super) async fn guard<T>(&mut self, deadline: Instant, work: impl Future<Output = T>) -> Result<T, Stop> {
        tokio::pin!(work);
        loop {
            let look = Instant::now() + LOOK;
            let done = tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(Stop::Cancelled),
                done = &mut work => Some(done),
                () = tokio::time::sleep_until(look.min(deadline)) => None,
            };
            if self.slept() {
                return Err(Stop::Slept);
            }
            match done {
                Some(done) => return Ok(done),
                None if Instant::now() >= deadline => return Err(Stop::Late),
                None => {}
            }
        }
    }

    fn slept(&mut self) -> bool {
        let now = ((self.wall)(), Instant::now());
        let by_wall = now.0.duration_since(self.seen.0).unwrap_or_default();
        let by_process = now.1.duration_since(self.seen.1);
        self.seen = now;
        by_wall > by_process + SLEPT
    }
}
