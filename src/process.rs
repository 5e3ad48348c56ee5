//! Programs as processes: started although they were just written, each in a group of its own, and ended with all that
//! they started.
//!
//! Whoever starts programs (steps, servers of tools, flows, secrets) does it in its own way, with its own pipes and
//! patience; what is the same for all of them is here. This module imports none of the others.

use std::io::{self, ErrorKind};
use std::process::{Child, Command};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

/// How long a program is waited for, each time, that another thread still has open, and how often.
const BUSY: (Duration, u32) = (Duration::from_millis(10), 200);

/// Whether a program cannot be started because something has it open for writing: it was just written, and a process that
/// another thread was starting meanwhile has the file for a moment, until it runs its own program.
fn is_busy(error: &io::Error) -> bool {
    error.kind() == ErrorKind::ExecutableFileBusy
}

/// Starts a program that may just have been written.
///
/// # Errors
/// When it cannot be started.
pub fn spawn(command: &mut Command) -> io::Result<Child> {
    let (pause, tries) = BUSY;
    for _ in 0..tries {
        match command.spawn() {
            Err(error) if is_busy(&error) => std::thread::sleep(pause),
            spawned => return spawned,
        }
    }
    command.spawn()
}

/// The same by `start`, without holding up the thread.
///
/// # Errors
/// Those of `start`.
pub async fn started<T>(mut start: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let (pause, tries) = BUSY;
    for _ in 0..tries {
        match start() {
            Err(error) if is_busy(&error) => tokio::time::sleep(pause).await,
            started => return started,
        }
    }
    start()
}

/// Why a program could not be started, after `the program NAME`: what is wrong and what to do.
#[must_use]
pub fn not_started(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "was not found; install it, or give its path".to_owned(),
        ErrorKind::PermissionDenied => format!("may not be run: {error}"),
        _ => format!("could not be started: {error}"),
    }
}

/// A program's process group. It is killed when this is dropped, so that nothing of it outlives whoever started it.
#[derive(Debug)]
pub struct Group(Option<Pid>);

impl Group {
    /// The group that this process leads; `None`: it has ended already.
    #[must_use]
    pub fn of(leader: Option<u32>) -> Self {
        Self(leader.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// Sends a signal to all of it. False: none of it is left.
    pub fn signal(&self, signal: Signal) -> bool {
        self.0.is_some_and(|group| kill_process_group(group, signal).is_ok())
    }

    /// Whether none of it is left.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.0.is_none_or(|group| test_kill_process_group(group).is_err())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::Stdio;

    use super::*;

    #[test]
    fn what_a_program_has_started_ends_with_it() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "sleep 600 & wait"]).stdout(Stdio::null()).process_group(0);
        let mut child = spawn(&mut shell).unwrap();
        let group = Group::of(Some(child.id()));
        assert!(!group.is_gone());
        drop(group);
        let status = child.wait().unwrap();
        assert!(!status.success(), "{status}");
        // The shell is gone and has been waited for; what it had started is init's to wait for, in a moment.
        let group = Group::of(Some(child.id()));
        while !group.is_gone() {
            std::thread::yield_now();
        }
        assert!(!group.signal(Signal::TERM));
    }
}
