//! Folders: those of definitions, and the one in which a process keeps what is not in the store.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::core::id::RunId;

/// The folders of definitions: the `catalog` module.
pub trait Folders: Send + Sync {
    /// The files in a definition's folder, as they are now, that are not among those that a run keeps. None when the
    /// folder is not there any more.
    ///
    /// # Errors
    /// When there are some, and nobody trusts the definition as it is now: why.
    fn others(&self, folder: &Path, kept: &BTreeSet<&str>) -> Result<BTreeMap<String, Vec<u8>>, String>;
}

/// Where a process keeps what is not in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateFolder(pub PathBuf);

impl StateFolder {
    /// The lock file of a run.
    #[must_use]
    pub fn lock(&self, run: RunId) -> PathBuf {
        self.0.join("locks").join(format!("{run}.lock"))
    }

    /// The folder for a run's partial texts and large outputs.
    #[must_use]
    pub fn spool(&self, run: RunId) -> PathBuf {
        self.0.join("spool").join(run.to_string())
    }

    /// The folder of logs.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}
