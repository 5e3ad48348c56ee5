//! The files of a definition's folder as a run keeps them, whatever becomes of the folder.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bytes::Bytes;

/// Files by their path in the folder, with `/`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptFiles {
    /// Those that are text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub texts: BTreeMap<String, String>,
    /// The others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub binary: BTreeMap<String, Bytes>,
}

impl KeptFiles {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.binary.is_empty()
    }

    /// The bytes of each.
    #[must_use]
    pub fn bytes(&self) -> BTreeMap<&str, &[u8]> {
        let texts = self.texts.iter().map(|(name, text)| (name.as_str(), text.as_bytes()));
        texts.chain(self.binary.iter().map(|(name, bytes)| (name.as_str(), bytes.0.as_slice()))).collect()
    }
}

impl FromIterator<(String, Vec<u8>)> for KeptFiles {
    fn from_iter<T: IntoIterator<Item = (String, Vec<u8>)>>(files: T) -> Self {
        let mut kept = Self::default();
        for (name, bytes) in files {
            match String::from_utf8(bytes) {
                Ok(text) => drop(kept.texts.insert(name, text)),
                Err(bytes) => drop(kept.binary.insert(name, Bytes(bytes.into_bytes()))),
            }
        }
        kept
    }
}
