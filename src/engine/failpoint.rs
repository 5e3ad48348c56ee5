//! Named points at which a test may kill the process, as `kill -9` would. Without the feature `failpoints` they are
//! nothing.
//!
//! `STEPWELL_FAILPOINT=NAME:N` kills at the N-th time (from 1) that NAME is reached, `STEPWELL_FAILPOINT_LOG=FILE` adds
//! a line with the name to FILE each time that any is.

/// A point that a test may not get past.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub fn failpoint(_name: &str) {}

/// A point that a test may not get past.
#[cfg(feature = "failpoints")]
pub fn failpoint(name: &str) {
    use std::io::Write as _;
    use std::sync::atomic::{AtomicU32, Ordering};

    static REACHED: AtomicU32 = AtomicU32::new(0);

    if let Some(path) = std::env::var_os("STEPWELL_FAILPOINT_LOG")
        && let Ok(mut log) = std::fs::OpenOptions::new().create(true).append(true).open(path)
    {
        let _ = log.write_all(format!("{name}\n").as_bytes());
    }
    let Ok(at) = std::env::var("STEPWELL_FAILPOINT") else { return };
    let Some((wanted, count)) = at.split_once(':') else { return };
    if wanted == name && (REACHED.fetch_add(1, Ordering::SeqCst) + 1).to_string() == count {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        // The signal is on its way; nothing more may happen meanwhile.
        loop {
            std::thread::park();
        }
    }
}
