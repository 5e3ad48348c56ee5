//! What time it is for a run: the clock on the wall, as long as that goes forward; and sleeping until it is time.
//!
//! People and machines set clocks back. What is due by the journal's times (a retry, a gate's deadline) would then wait as
//! much longer. So time does not run backwards here: not behind what was seen before, nor behind the newest event.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::runtime::Handle;

use crate::core::id::RunId;
use crate::core::ports::{BoxFuture, Clock, Timers};

/// How late a machine that slept may be with what became due meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(20);

/// Wakes whoever drives a run for as long as this process lives. What is due is looked at again after a while at the
/// latest: the clock of sleeps stops while the machine sleeps, the one on the wall does not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sleeper;

impl Timers for Sleeper {
    fn wake_at(&self, _: RunId, at: DateTime<Utc>, now: DateTime<Utc>) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep((at - now).to_std().unwrap_or_default().min(LONGEST_SLEEP)))
    }
}

/// Lets some time pass, in or outside of a runtime.
pub async fn pause(time: Duration) {
    match Handle::try_current() {
        Ok(_) => tokio::time::sleep(time).await,
        Err(_) => std::thread::sleep(time),
    }
}

/// A clock that never goes back.
pub struct SteadyClock {
    wall: Arc<dyn Clock>,
    /// The latest time that was seen, and when that was.
    latest: Mutex<(DateTime<Utc>, Instant)>,
}

impl SteadyClock {
    /// By the clock on the wall, and not before `newest`.
    pub fn new(wall: Arc<dyn Clock>, newest: DateTime<Utc>) -> Self {
        let latest = Mutex::new((newest.max(wall.now()), Instant::now()));
        Self { wall, latest }
    }

    /// What time it is.
    pub fn now(&self) -> DateTime<Utc> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let (wall, now) = (self.wall.now(), Instant::now());
        if wall >= latest.0 {
            *latest = (wall, now);
            return wall;
        }
        let since = TimeDelta::from_std(now - latest.1).unwrap_or_default();
        latest.0.checked_add_signed(since).unwrap_or(latest.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Wall(Mutex<DateTime<Utc>>);

    impl Clock for Wall {
        fn now(&self) -> DateTime<Utc> {
            *self.0.lock().unwrap()
        }

        fn random(&self) -> [u8; 10] {
            [0; 10]
        }
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_take_time_with_it() {
        let at = |hours: i64| DateTime::UNIX_EPOCH + TimeDelta::hours(hours);
        let wall = Arc::new(Wall(Mutex::new(at(5))));
        let clock = SteadyClock::new(wall.clone(), at(2));
        assert_eq!(clock.now(), at(5));
        *wall.0.lock().unwrap() = at(4);
        let first = clock.now();
        assert!(first >= at(5) && first < at(6) && clock.now() >= first);
        *wall.0.lock().unwrap() = at(9);
        assert_eq!(clock.now(), at(9));
    }

    #[test]
    fn time_is_not_before_the_newest_event() {
        let wall = Arc::new(Wall(Mutex::new(DateTime::UNIX_EPOCH)));
        let newest = DateTime::UNIX_EPOCH + TimeDelta::hours(1);
        assert!(SteadyClock::new(wall, newest).now() >= newest);
    }
}
