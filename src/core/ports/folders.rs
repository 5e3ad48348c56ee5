//! The folders of definitions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The folders of definitions: the `catalog` module.
pub trait Folders: Send + Sync {
    /// The files in a definition's folder, as they are now, that are not among those that a run keeps. None when the
    /// folder is not there any more.
    ///
    /// # Errors
    /// When there are some, and nobody trusts the definition as it is now: why.
    fn others(&self, folder: &Path, kept: &BTreeSet<&str>) -> Result<BTreeMap<String, Vec<u8>>, String>;
}
