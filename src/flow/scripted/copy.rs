//! A private copy of a definition's files, in which its program runs, and from which its commands are started.
//!
//! Promises: it has exactly the bytes that the run keeps, and nothing that lies in the definition's folder today; only its
//! owner may enter it; it is removed with what the program wrote there. What a process that was killed left behind is removed
//! by the next one ([`PrivateCopy::sweep`]): each copy has a file beside it that its owner holds locked, and a lock dies with
//! its process.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// How programs begin that are not text: those of Linux and of macOS.
const PROGRAMS: [&[u8]; 3] = [b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"];

/// What the file is called that says whether the owner of a copy lives: as the copy, with this ending.
const LOCK: &str = "lock";

/// How often another name is tried.
const NAMES: u32 = 100;

/// A folder that is removed with what is in it.
pub struct PrivateCopy {
    folder: PathBuf,
    /// Held as long as this process lives; `None` where no folder for copies can be had.
    lock: Option<Lock>,
}

/// A file that this process holds locked.
struct Lock {
    path: PathBuf,
    _file: File,
}

impl PrivateCopy {
    /// A folder with these files.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn of(files: &BTreeMap<&str, &[u8]>) -> io::Result<Self> {
        let temporary = std::env::temp_dir();
        // Removed also if it is never finished.
        let copy = match Self::within(&all_copies(&temporary))? {
            Some(copy) => copy,
            None => Self { folder: create(&temporary.join(format!("stepwell-{}", name())))?, lock: None },
        };
        for (name, bytes) in files {
            let inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
            if !Path::new(name).components().all(inside) {
                return Err(io::Error::other(format!("`{name}` leads out of the folder")));
            }
            let path = copy.folder.join(name);
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
        &self.folder
    }

    /// Removes the copies of processes that died without doing so, unless a program that outlived them still works in one.
    /// What cannot be removed is left to the next one.
    pub fn sweep() {
        Self::sweep_in(&all_copies(&std::env::temp_dir()));
    }

    fn sweep_in(all: &Path) {
        // Most never have one, and this is looked at each time.
        let Ok(entries) = fs::read_dir(all) else { return };
        if !is_ours(all) {
            return;
        }
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.extension() != Some(OsStr::new(LOCK)) {
                continue;
            }
            // Whoever has the lock lives.
            let Some(lock) = Lock::take(path, false) else { continue };
            let folder = lock.path.with_extension("");
            if !is_in_use(&folder) {
                // As its owner would have done.
                drop(Self { folder, lock: Some(lock) });
            }
        }
        let _ = fs::remove_dir(all);
    }

    /// An empty copy in the folder for all of them; `None` where that cannot be had.
    fn within(all: &Path) -> io::Result<Option<Self>> {
        for _ in 0..NAMES {
            match fs::DirBuilder::new().mode(0o700).create(all) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Ok(None),
                _ if !is_ours(all) => return Ok(None),
                _ => {}
            }
            let folder = all.join(name());
            // The lock is there before the folder and goes after it: no folder is without one.
            let Some(lock) = Lock::take(folder.with_extension(LOCK), true) else { continue };
            return Ok(Some(Self { folder: create(&folder)?, lock: Some(lock) }));
        }
        Ok(None)
    }
}

impl Drop for PrivateCopy {
    fn drop(&mut self) {
        let removed = fs::remove_dir_all(&self.folder);
        let gone = removed.is_ok() || removed.is_err_and(|error| error.kind() == ErrorKind::NotFound);
        if let Some(lock) = self.lock.take().filter(|_| gone) {
            let _ = fs::remove_file(&lock.path);
            // Only when it was the last one.
            let _ = lock.path.parent().map(fs::remove_dir);
        }
    }
}

impl Lock {
    /// Takes the lock of a file, which is made if it is to be `new`; `None` when another process has it, or removed it just
    /// now.
    fn take(path: PathBuf, new: bool) -> Option<Self> {
        let file = fs::OpenOptions::new().write(true).create_new(new).mode(0o600).open(&path).ok()?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => return None,
        }
        // Between the two another process may have taken it for one that was left behind.
        let (held, named) = (file.metadata().ok()?, fs::symlink_metadata(&path).ok()?);
        ((held.dev(), held.ino()) == (named.dev(), named.ino())).then_some(Self { path, _file: file })
    }
}

/// The folder for all copies of this user.
fn all_copies(temporary: &Path) -> PathBuf {
    temporary.join(format!("stepwell-{}", rustix::process::getuid().as_raw()))
}

/// Whether a folder is this user's, and nobody else may enter it: anybody can make one in a place for everybody.
fn is_ours(folder: &Path) -> bool {
    fs::symlink_metadata(folder).is_ok_and(|found| {
        let private = found.permissions().mode().trailing_zeros() >= 6;
        found.is_dir() && private && found.uid() == rustix::process::getuid().as_raw()
    })
}

/// A name that no other copy has.
fn name() -> String {
    static COPIES: AtomicU64 = AtomicU64::new(0);
    let number = COPIES.fetch_add(1, Ordering::Relaxed);
    let nanos = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
    format!("{}-{number}-{nanos}", std::process::id())
}

fn create(folder: &Path) -> io::Result<PathBuf> {
    fs::DirBuilder::new().mode(0o700).create(folder)?;
    Ok(folder.to_owned())
}

/// Whether a program that outlived its owner works in a folder or was started from it, as far as the system tells.
fn is_in_use(folder: &Path) -> bool {
    let Ok(processes) = fs::read_dir("/proc") else { return false };
    let place = folder.as_os_str().as_bytes();
    processes.flatten().map(|process| process.path()).any(|process| {
        let works = fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
        let names =
            || fs::read(process.join("cmdline")).is_ok_and(|line| line.windows(place.len()).any(|w| w == place));
        works || names()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> BTreeMap<&'static str, &'static [u8]> {
        BTreeMap::from([("main.sh", &b"#!/bin/sh\n"[..]), ("data/words.txt", b"tide")])
    }

    fn filled(all: &Path) -> PrivateCopy {
        let copy = PrivateCopy::within(all).unwrap().unwrap();
        fs::write(copy.path().join("written"), "by the program").unwrap();
        copy
    }

    /// As a process leaves a copy that is killed: its lock is gone with it.
    fn left_behind(all: &Path) -> PathBuf {
        let mut copy = filled(all);
        let folder = copy.folder.clone();
        drop(copy.lock.take());
        std::mem::forget(copy);
        folder
    }

    #[test]
    fn what_a_dead_process_left_is_removed_and_nothing_of_one_that_lives() {
        let temporary = tempfile::tempdir().unwrap();
        let all = all_copies(temporary.path());
        let (left, mine) = (left_behind(&all), filled(&all));
        PrivateCopy::sweep_in(&all);
        assert!(!left.exists() && !left.with_extension(LOCK).exists());
        assert!(mine.path().join("written").exists());
        drop(mine);
        assert!(!all.exists(), "nothing is left when the last one is gone");
        PrivateCopy::sweep_in(&all);
        assert!(!all.exists());
    }

    #[test]
    fn a_copy_in_which_a_program_still_works_is_left_until_that_has_ended() {
        let temporary = tempfile::tempdir().unwrap();
        let all = all_copies(temporary.path());
        let left = left_behind(&all);
        let mut outlived = std::process::Command::new("sleep").arg("600").current_dir(&left).spawn().unwrap();
        if Path::new("/proc/self/cwd").exists() {
            PrivateCopy::sweep_in(&all);
            assert!(left.join("written").exists());
        }
        outlived.kill().unwrap();
        outlived.wait().unwrap();
        PrivateCopy::sweep_in(&all);
        assert!(!all.exists());
    }

    #[test]
    fn a_folder_that_somebody_else_may_enter_is_neither_used_nor_swept() {
        let temporary = tempfile::tempdir().unwrap();
        let all = all_copies(temporary.path());
        let left = left_behind(&all);
        fs::set_permissions(&all, fs::Permissions::from_mode(0o770)).unwrap();
        PrivateCopy::sweep_in(&all);
        assert!(left.exists());
        assert!(PrivateCopy::within(&all).unwrap().is_none());
        fs::remove_dir_all(&all).unwrap();
        std::os::unix::fs::symlink(temporary.path(), &all).unwrap();
        assert!(PrivateCopy::within(&all).unwrap().is_none(), "nor one that leads elsewhere");
    }

    #[test]
    fn a_copy_has_its_files_and_only_programs_may_be_run() {
        let copy = PrivateCopy::of(&files()).unwrap();
        let mode = |name: &str| fs::metadata(copy.path().join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("main.sh"), mode("data/words.txt")), (0o700, 0o600));
        let folder = copy.path().to_owned();
        drop(copy);
        assert!(!folder.exists() && !folder.with_extension(LOCK).exists());
        assert!(PrivateCopy::of(&BTreeMap::from([("../out", &b""[..])])).is_err());
    }
}
