//! What tests in several rooms measure with.

use std::time::Duration;

/// The time that this thread has computed: what other programs take of the machine does not count.
pub fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let whole = Duration::from_secs(u64::try_from(time.tv_sec).unwrap());
    whole + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap())
}
