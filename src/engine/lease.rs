//! Who drives a run: an OS lock on a file of that run, which dies with the process, and a bell that others ring when
//! they have written to its journal.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixDatagram;

use crate::core::id::RunId;
use crate::core::ports::StateFolder;

/// How long the driver of a run takes at most to see what others wrote, when there is no bell.
const POLL: Duration = Duration::from_millis(80);

/// So often it is tried to take the lock, and so long is waited in between.
const LOOKS: u32 = 6;
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

/// The right to drive a run. It ends with this value, or with the process.
pub struct Lease {
    _file: File,
    bell: Option<UnixDatagram>,
    bell_path: PathBuf,
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
                // Whoever only looks whether somebody drives it holds the lock for an instant.
                Err(TryLockError::WouldBlock) if look < LOOKS => std::thread::sleep(BETWEEN_LOOKS),
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        let bell_path = bell_path(state, run);
        // Left by a process that died: nobody else may have it, since this one holds the lock.
        let _ = std::fs::remove_file(&bell_path);
        let bell = UnixDatagram::bind(&bell_path).ok();
        Ok(Some(Self { _file: file, bell, bell_path }))
    }

    /// Waits until somebody else may have written. Without a bell (a path too long for a socket) it is time that rings.
    pub async fn rung(&self) {
        match &self.bell {
            Some(bell) => {
                let mut byte = [0; 8];
                if bell.recv(&mut byte).await.is_err() {
                    tokio::time::sleep(POLL).await;
                }
            }
            None => tokio::time::sleep(POLL).await,
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.bell.is_some() {
            let _ = std::fs::remove_file(&self.bell_path);
        }
    }
}

/// Whether some process drives a run.
#[must_use]
pub fn is_driven(state: &StateFolder, run: RunId) -> bool {
    let Ok(file) = OpenOptions::new().write(true).open(state.lock(run)) else { return false };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// Tells the process that drives a run that its journal has something new.
pub fn ring(state: &StateFolder, run: RunId) {
    if let Ok(socket) = StdDatagram::unbound() {
        let _ = socket.set_nonblocking(true);
        let _ = socket.send_to(b"!", bell_path(state, run));
    }
}

fn bell_path(state: &StateFolder, run: RunId) -> PathBuf {
    state.lock(run).with_extension("bell")
}
