//! The state folder: what the processes of a machine keep in addition to the store, in files for their user alone.
//!
//! It is who may drive a run ([`Ownership`](crate::core::ports::Ownership)), and what is on its way into the journal
//! ([`Spool`](crate::core::ports::Spool)).

mod locks;
mod spool;

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::core::id::RunId;

/// A folder for the locks and the spool of a machine's runs.
#[derive(Clone, Debug)]
pub struct StateFolder(PathBuf);

impl StateFolder {
    /// In this folder, which is created when something is put there.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    fn lock(&self, run: RunId) -> PathBuf {
        self.0.join("locks").join(format!("{run}.lock"))
    }

    fn spool(&self, run: RunId) -> PathBuf {
        self.0.join("spool").join(run.to_string())
    }
}

/// Creates the folder of a file, for its user alone, with all above it.
fn create_folder_of(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| DirBuilder::new().recursive(true).mode(0o700).create(folder))
}
