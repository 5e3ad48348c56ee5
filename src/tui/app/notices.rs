//! Waits until the journal was written or a definition changed, by whichever process: by the notices of changed files that
//! Linux gives, so that nobody has to look again and again. Elsewhere there are none, and lists are looked at now and then.

#[cfg(target_os = "linux")]
pub use linux::Notices;

#[cfg(not(target_os = "linux"))]
pub struct Notices;

#[cfg(not(target_os = "linux"))]
impl Notices {
    pub fn of(_journal: &std::path::Path, _definitions: &crate::catalog::SearchPaths) -> Option<Self> {
        None
    }

    pub fn wait(&mut self) -> bool {
        false
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashSet;
    use std::ffi::OsString;
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::{Path, PathBuf};

    use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
    use rustix::io::Errno;

    use crate::catalog::SearchPaths;

    /// The folders of definitions within a folder that has them.
    const DEFINITIONS: [&str; 2] = ["tasks", "workflows"];

    /// So many folders are watched, and so deep; what changes in others is seen when Home is looked at again.
    const FOLDERS: usize = 512;
    const DEEP: usize = 4;

    /// What is waited for.
    pub struct Notices {
        inotify: OwnedFd,
        /// Folders in which only some names count …
        roots: Vec<PathBuf>,
        /// … these. What is shared memory gives no notices.
        names: Vec<OsString>,
        /// As the system names those folders.
        known: HashSet<i32>,
    }

    impl Notices {
        pub fn of(journal: &Path, definitions: &SearchPaths) -> Option<Self> {
            let file = journal.file_name()?.to_owned();
            let mut log = file.clone();
            log.push("-wal");
            let names = [file, log].into_iter().chain(DEFINITIONS.map(OsString::from)).collect();
            let homes = [&definitions.own, &definitions.project, &definitions.dir].into_iter().flatten().cloned();
            let roots = homes.chain(journal.parent().map(Path::to_owned)).collect();
            let inotify = inotify::init(CreateFlags::CLOEXEC).ok()?;
            let mut notices = Self { inotify, roots, names, known: HashSet::new() };
            notices.watch();
            (!notices.known.is_empty()).then_some(notices)
        }

        /// Blocks until something has changed, which may not be readable yet: a commit is seen once its bytes are on the
        /// disk. Gives whether there will be more.
        pub fn wait(&mut self) -> bool {
            let mut space = [MaybeUninit::uninit(); 4096];
            let mut changes = Reader::new(&self.inotify, &mut space);
            let changed = loop {
                match changes.next() {
                    Ok(change) => {
                        let counts =
                            |name: &std::ffi::CStr| self.names.iter().any(|it| it.as_bytes() == name.to_bytes());
                        // Without a name some were lost.
                        if !self.known.contains(&change.wd()) || change.file_name().is_none_or(counts) {
                            break true;
                        }
                    }
                    Err(Errno::INTR) => {}
                    Err(_) => break false,
                }
            };
            // A folder that is new is watched from now on.
            self.watch();
            changed
        }

        fn watch(&mut self) {
            let mut left = FOLDERS;
            for root in self.roots.clone() {
                self.known.extend(self.add(&root));
                for folder in DEFINITIONS {
                    self.add_all(&root.join(folder), DEEP, &mut left);
                }
            }
        }

        fn add(&self, folder: &Path) -> Option<i32> {
            let changes = WatchFlags::MODIFY
                | WatchFlags::CREATE
                | WatchFlags::DELETE
                | WatchFlags::MOVED_FROM
                | WatchFlags::MOVED_TO
                | WatchFlags::ONLYDIR;
            inotify::add_watch(&self.inotify, folder, changes).ok()
        }

        fn add_all(&self, folder: &Path, deep: usize, left: &mut usize) {
            if deep == 0 || *left == 0 || self.add(folder).is_none() {
                return;
            }
            *left -= 1;
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    self.add_all(&entry.path(), deep - 1, left);
                }
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn what_is_written_to_the_journal_or_changed_in_a_definition_is_told() {
            let folder = tempfile::tempdir().unwrap();
            let home = folder.path();
            std::fs::create_dir_all(home.join("workflows/poem")).unwrap();
            let definitions = SearchPaths { own: Some(home.to_owned()), ..SearchPaths::default() };
            let mut notices = Notices::of(&home.join("stepwell.db"), &definitions).unwrap();
            for file in ["stepwell.db", "stepwell.db-wal", "workflows/poem/workflow.toml", "tasks/x.toml"] {
                std::fs::write(home.join("another"), "x").unwrap();
                if let Some(within) = home.join(file).parent() {
                    std::fs::create_dir_all(within).unwrap();
                }
                std::fs::write(home.join(file), "x").unwrap();
                assert!(notices.wait(), "{file}");
            }
            assert!(Notices::of(&home.join("nowhere/stepwell.db"), &SearchPaths::default()).is_none());
        }
    }
}
