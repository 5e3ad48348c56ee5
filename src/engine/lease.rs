//! Who drives a run: an OS lock on a file of that run, which dies with the process, and a socket by which others wake
//! it when they have written to its journal.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixDatagram;

use crate::core::id::RunId;
use crate::core::ports::StateFolder;

/// How long the driver of a run takes at most to see what others wrote, when there is no wake socket.
const POLL: Duration = Duration::from_millis(80);

/// So often the lock is tried while others only look at it, and so long is waited in between. Each of them is gone in an
/// instant, unless the machine has no time for it.
const LOOKS: u32 = 1_000;
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

/// The right to drive a run. It ends with this value, or with the process.
pub struct Lease {
    _file: File,
    wake_socket: Option<UnixDatagram>,
    wake_path: PathBuf,
}

/// Creates a folder that only its owner can read, with all above it.
///
/// # Errors
/// As the system says.
pub fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

impl Lease {
    /// Takes the right to drive a run; `None` while another process has it.
    ///
    /// # Errors
    /// When the lock file cannot be made.
    pub fn take(state: &StateFolder, run: RunId) -> io::Result<Option<Self>> {
        let path = state.lock(run);
        if let Some(folder) = path.parent() {
            private_folder(folder)?;
        }
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path)?;
        for look in 1.. {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if look < LOOKS && !is_owned(&file) => std::thread::sleep(BETWEEN_LOOKS),
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        let wake_path = wake_path(state, run);
        // Left by a process that died: nobody else may have it, since this one holds the lock.
        let _ = std::fs::remove_file(&wake_path);
        let wake_socket = UnixDatagram::bind(&wake_path).ok();
        Ok(Some(Self { _file: file, wake_socket, wake_path }))
    }

    /// Waits until somebody else may have written. Without a wake socket (its path may be too long) it
    /// looks again after a while.
    pub async fn woken(&self) {
        match &self.wake_socket {
            Some(socket) => {
                let mut byte = [0; 8];
                if socket.recv(&mut byte).await.is_err() {
                    tokio::time::sleep(POLL).await;
                }
            }
            None => tokio::time::sleep(POLL).await,
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.wake_socket.is_some() {
            let _ = std::fs::remove_file(&self.wake_path);
        }
    }
}

/// Whether some process drives a run.
#[must_use]
pub fn is_driven(state: &StateFolder, run: RunId) -> bool {
    OpenOptions::new().write(true).open(state.lock(run)).is_ok_and(|file| is_owned(&file))
}

/// Whether somebody has the lock for themselves. Who only looks shares it, and must not be taken for an owner: a run
/// would be left to a process that does not drive it.
fn is_owned(file: &File) -> bool {
    let looked = file.try_lock_shared();
    if looked.is_ok() {
        let _ = file.unlock();
    }
    matches!(looked, Err(TryLockError::WouldBlock))
}

/// Tells the process that drives a run that its journal has something new.
pub fn wake(state: &StateFolder, run: RunId) {
    if let Ok(socket) = StdDatagram::unbound() {
        let _ = socket.set_nonblocking(true);
        let _ = socket.send_to(b"!", wake_path(state, run));
    }
}

fn wake_path(state: &StateFolder, run: RunId) -> PathBuf {
    state.lock(run).with_extension("bell")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_only_looks_keeps_nobody_from_driving_however_long_that_takes() {
        let folder = tempfile::tempdir().unwrap();
        let (state, run) = (StateFolder(folder.path().to_owned()), RunId::new(1, [1; 10]));
        drop(Lease::take(&state, run).unwrap().unwrap());
        let looks = OpenOptions::new().write(true).open(state.lock(run)).unwrap();
        looks.lock_shared().unwrap();
        let of = StateFolder(folder.path().to_owned());
        let mut taking = tokio::task::spawn_blocking(move || Lease::take(&of, run));
        let soon = tokio::time::timeout(Duration::from_millis(100), &mut taking).await;
        assert!(soon.is_err(), "a look is taken for an owner");
        assert!(!is_driven(&state, run));
        looks.unlock().unwrap();
        let lease = taking.await.unwrap().unwrap().unwrap();
        assert!(is_driven(&state, run));
        assert!(Lease::take(&state, run).unwrap().is_none(), "there is one owner");
        drop(lease);
        assert!(!is_driven(&state, run));
    }
}
