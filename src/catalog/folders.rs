//! What lies in the folder of a definition today, for a run that did not keep all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::folder::{FileProblem, Folder};
use super::trust::{Trust, TrustStore};
use crate::core::ports::Folders;
use crate::core::task::Kind;

/// The folders of definitions on disk.
#[derive(Debug)]
pub struct DefinitionFolders {
    /// The person's own definitions, which are trusted.
    own: Option<PathBuf>,
    trust: TrustStore,
}

impl DefinitionFolders {
    /// With the person's own definitions in `own`, and what is trusted in the state folder.
    #[must_use]
    pub fn new(own: Option<&Path>, state: &Path) -> Self {
        Self { own: own.map(Path::to_owned), trust: TrustStore::new(state) }
    }
}

impl Folders for DefinitionFolders {
    fn others(&self, folder: &Path, kept: &BTreeSet<&str>) -> Result<BTreeMap<String, Vec<u8>>, String> {
        let Ok(real) = folder.canonicalize() else { return Ok(BTreeMap::new()) };
        let own = self.own.as_ref().and_then(|own| own.join("workflows").canonicalize().ok());
        let own = own.is_some_and(|own| real.starts_with(own));
        let file = folder.join("workflow.toml");
        // Read once, so that what is compared is what is used.
        let (read, trusted) = if own {
            (Folder::Disk(folder.to_owned()), true)
        } else {
            let files = Folder::snapshot(&file, Kind::Workflow).map_err(|problem| problem.to_string())?;
            let trusted = self.trust.look_up(&file, Kind::Workflow, &files) == Trust::Trusted;
            (Folder::Snapshot(files), trusted)
        };
        let mut others = read.everything().map_err(|problem: FileProblem| problem.to_string())?;
        others.retain(|name, _| !kept.contains(name.as_str()));
        match others.keys().next() {
            Some(first) if !trusted => Err(format!("`{first}` lies there, and the folder is not trusted as it is now")),
            _ => Ok(others),
        }
    }
}
