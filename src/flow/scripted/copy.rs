//! A private copy of a definition's files, in which its program runs, and from which its commands are started.
//!
//! Promises: it has exactly the bytes that the run keeps, and nothing that lies in the definition's folder today; only its
//! owner may enter it; it is removed with what the program wrote there.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How programs begin that are not text: those of Linux and of macOS.
const PROGRAMS: [&[u8]; 3] = [b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"];

/// How long, and how often, a program is waited for that another thread has open still.
pub const BUSY: Duration = Duration::from_millis(10);
/// How often that is done.
pub const BUSY_TRIES: u32 = 200;

/// Whether a program cannot be started because something has it open for writing: it was just written, and a process that
/// another thread was starting meanwhile has the file for a moment, until it runs its own program.
#[must_use]
pub fn is_busy(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::ExecutableFileBusy
}

/// Starts a program that was just written.
///
/// # Errors
/// When it cannot be started.
pub fn spawn(command: &mut Command) -> std::io::Result<Child> {
    for _ in 0..BUSY_TRIES {
        match command.spawn() {
            Err(error) if is_busy(&error) => std::thread::sleep(BUSY),
            spawned => return spawned,
        }
    }
    command.spawn()
}

/// A folder that is removed with what is in it.
pub struct PrivateCopy(PathBuf);

impl PrivateCopy {
    /// A folder with these files.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn of(files: &BTreeMap<&str, &[u8]>) -> std::io::Result<Self> {
        static COPIES: AtomicU64 = AtomicU64::new(0);
        let number = COPIES.fetch_add(1, Ordering::Relaxed);
        let nanos = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
        let folder = std::env::temp_dir().join(format!("stepwell-{}-{number}-{nanos}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&folder)?;
        // Removed also if it is never finished.
        let copy = Self(folder);
        for (name, bytes) in files {
            let inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
            if !Path::new(name).components().all(inside) {
                return Err(std::io::Error::other(format!("`{name}` leads out of the folder")));
            }
            let path = copy.0.join(name);
            if let Some(parent) = path.parent() {
                fs::DirBuilder::new().mode(0o700).recursive(true).create(parent)?;
            }
            let runs = bytes.starts_with(b"#!") || PROGRAMS.iter().any(|begins| bytes.starts_with(begins));
            let mode = if runs { 0o700 } else { 0o600 };
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
            file.write_all(bytes)?;
        }
        Ok(copy)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for PrivateCopy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
