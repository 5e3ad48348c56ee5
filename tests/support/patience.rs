//! Waiting: always for something that can be seen, never for a time. How long it may take is far more than it takes on
//! the busiest machine, so that only a fault reaches it.

use std::time::{Duration, Instant};

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Between two looks at what nobody reports: a file, a process.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// Looks until there is something.
#[track_caller]
pub fn until_some<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} never came");
        std::thread::sleep(BETWEEN_LOOKS);
    }
}

/// Looks until it is so.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    until_some(what, || is_so().then_some(()));
}
