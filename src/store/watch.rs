//! Waits until a process has written to the store: by the notices of changed files that Linux gives, so that nobody has to
//! look again and again. Elsewhere there is none, and who wants to know looks.

use std::path::Path;

use crate::core::ports::Watch;

/// A watch of the store in that file.
#[cfg(target_os = "linux")]
pub(super) fn watch(file: &Path) -> Option<Box<dyn Watch>> {
    notices::Notices::of(file).map(|notices| Box::new(notices) as Box<dyn Watch>)
}

/// A watch of the store in that file.
#[cfg(not(target_os = "linux"))]
pub(super) fn watch(_file: &Path) -> Option<Box<dyn Watch>> {
    None
}

#[cfg(target_os = "linux")]
mod notices {
    use std::ffi::OsString;
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::Path;

    use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
    use rustix::io::Errno;

    use crate::core::ports::Watch;

    pub(super) struct Notices {
        inotify: OwnedFd,
        /// The store, and its log. What is shared memory gives no notices.
        names: [OsString; 2],
    }

    impl Notices {
        pub(super) fn of(file: &Path) -> Option<Self> {
            let name = file.file_name()?.to_owned();
            let mut log = name.clone();
            log.push("-wal");
            let inotify = inotify::init(CreateFlags::CLOEXEC).ok()?;
            let writes = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::DELETE;
            // The folder and not the files: they come and go.
            inotify::add_watch(&inotify, file.parent()?, writes).ok()?;
            Some(Self { inotify, names: [name, log] })
        }
    }

    impl Watch for Notices {
        fn wait(&mut self) -> bool {
            let mut space = [MaybeUninit::uninit(); 4096];
            let mut notices = Reader::new(&self.inotify, &mut space);
            loop {
                match notices.next() {
                    // Without a name: some were lost.
                    Ok(notice) => match notice.file_name() {
                        Some(name) if !self.names.iter().any(|known| known.as_bytes() == name.to_bytes()) => {}
                        _ => return true,
                    },
                    Err(Errno::INTR) => {}
                    Err(_) => return false,
                }
            }
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn what_is_written_to_the_store_or_its_log_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("stepwell.db");
        for written in ["stepwell.db", "stepwell.db-wal"] {
            let mut watch = super::watch(&file).unwrap();
            std::fs::write(folder.path().join("another"), "x").unwrap();
            std::fs::write(folder.path().join(written), "x").unwrap();
            assert!(watch.wait());
        }
        assert!(super::watch(&folder.path().join("nowhere/stepwell.db")).is_none());
    }
}
