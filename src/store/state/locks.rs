//! Who drives a run: an OS lock on a file of that run, which dies with the process, and a socket by which others wake
//! it when they have written to its journal.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::UnixDatagram;
use tokio::runtime::Handle;

use super::{StateFolder, create_folder_of};
use crate::core::id::RunId;
use crate::core::ports::{BoxFuture, JournalError, Lease, Ownership};

/// How long the driver of a run takes at most to see what others wrote, when there is no wake socket.
const POLL: Duration = Duration::from_millis(80);

/// So often the lock is tried while others only look at it, and so long is waited in between. Each of them is gone in an
/// instant, unless the machine has no time for it.
const LOOKS: u32 = 1_000;
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

/// The lock of a run, as long as it is kept.
struct LockedFile {
    _file: File,
    wake_socket: Option<UnixDatagram>,
    wake_path: PathBuf,
}

impl Ownership for StateFolder {
    fn take(&self, run: RunId) -> Result<Option<Box<dyn Lease>>, JournalError> {
        let locked = self.lock_file(run).map_err(|error| {
            JournalError::Store(format!("the lock {} cannot be taken: {error}", self.lock(run).display()))
        })?;
        Ok(locked.map(|locked| Box::new(locked) as Box<dyn Lease>))
    }

    fn is_owned(&self, run: RunId) -> bool {
        OpenOptions::new().write(true).open(self.lock(run)).is_ok_and(|file| is_locked(&file))
    }

    fn wake(&self, run: RunId) {
        if let Ok(socket) = StdDatagram::unbound() {
            let _ = socket.set_nonblocking(true);
            let _ = socket.send_to(b"!", self.wake_path(run));
        }
    }

    fn forget(&self, run: RunId) {
        let _ = std::fs::remove_file(self.lock(run));
    }
}

impl StateFolder {
    fn wake_path(&self, run: RunId) -> PathBuf {
        self.lock(run).with_extension("bell")
    }

    fn lock_file(&self, run: RunId) -> io::Result<Option<LockedFile>> {
        let path = self.lock(run);
        create_folder_of(&path)?;
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path)?;
        for look in 1.. {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if look < LOOKS && !is_locked(&file) => std::thread::sleep(BETWEEN_LOOKS),
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        let wake_path = self.wake_path(run);
        // Left by a process that died: nobody else may have it, since this one holds the lock.
        let _ = std::fs::remove_file(&wake_path);
        // A socket of Tokio's can only be made where it is waited for.
        let wake_socket = Handle::try_current().ok().and_then(|_| UnixDatagram::bind(&wake_path).ok());
        Ok(Some(LockedFile { _file: file, wake_socket, wake_path }))
    }
}

impl Lease for LockedFile {
    /// Without a wake socket (its path may be too long) it looks again after a while.
    fn woken(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            match &self.wake_socket {
                Some(socket) => {
                    let mut byte = [0; 8];
                    if socket.recv(&mut byte).await.is_err() {
                        tokio::time::sleep(POLL).await;
                    }
                }
                None => tokio::time::sleep(POLL).await,
            }
        })
    }
}

impl Drop for LockedFile {
    fn drop(&mut self) {
        if self.wake_socket.is_some() {
            let _ = std::fs::remove_file(&self.wake_path);
        }
    }
}

/// Whether somebody has the lock for themselves. Who only looks shares it, and must not be taken for an owner: a run
/// would be left to a process that does not drive it.
fn is_locked(file: &File) -> bool {
    let looked = file.try_lock_shared();
    if looked.is_ok() {
        let _ = file.unlock();
    }
    matches!(looked, Err(TryLockError::WouldBlock))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_only_looks_keeps_nobody_from_driving_however_long_that_takes() {
        let folder = tempfile::tempdir().unwrap();
        let (state, run) = (StateFolder::new(folder.path().to_owned()), RunId::new(1, [1; 10]));
        drop(state.take(run).unwrap().unwrap());
        let looks = OpenOptions::new().write(true).open(state.lock(run)).unwrap();
        looks.lock_shared().unwrap();
        let of = state.clone();
        let mut taking = tokio::task::spawn_blocking(move || of.take(run));
        let soon = tokio::time::timeout(Duration::from_millis(100), &mut taking).await;
        assert!(soon.is_err(), "a look is taken for an owner");
        assert!(!state.is_owned(run));
        looks.unlock().unwrap();
        let lease = taking.await.unwrap().unwrap().unwrap();
        assert!(state.is_owned(run));
        assert!(state.take(run).unwrap().is_none(), "there is one owner");
        drop(lease);
        assert!(!state.is_owned(run));
    }
}
