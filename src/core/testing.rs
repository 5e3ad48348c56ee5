//! What tests in several modules measure with.

use std::time::Duration;

/// The time that this thread computes while it does something: what other programs take of the machine does not count.
pub fn cpu_time(work: impl FnOnce()) -> Duration {
    let now = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap())
    };
    let begun = now();
    work();
    now().saturating_sub(begun)
}
