//! Fingerprints: what a call was asked to do, as a SHA-256.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// SHA-256 in lower-case hex over everything that decides what a call does: the resolved step, the
/// rendered prompt, the input. Equal fingerprints mean that an accepted result still stands.
///
/// Also the content hash of pinned definitions and blobs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The hash of `bytes`.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
        let digest = Sha256::digest(bytes);
        let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        Self(digits.map(|digit| DIGITS[usize::from(digit)]).collect())
    }

    /// The hash of `value` as JSON, in the order of its fields.
    ///
    /// # Errors
    /// When `value` has no JSON form (a map whose keys are not text).
    pub fn of(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self::of_bytes(&serde_json::to_vec(value)?))
    }

    /// The hash of this together with what it is of.
    #[must_use]
    pub fn of_its(&self, whole: &Self) -> Self {
        Self::of_bytes(format!("{whole} {self}").as_bytes())
    }

    /// The 64 hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", self.0.get(..8).unwrap_or(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_sha256_of_the_json() {
        // `printf '[1,2]' | sha256sum`
        assert_eq!(
            Fingerprint::of(&[1, 2]).unwrap().as_str(),
            "49a64717d5d4cb19952e6eac2946415cf6879adacf9908e7d872332d32c6e684"
        );
        assert_ne!(Fingerprint::of(&"a").unwrap(), Fingerprint::of(&"b").unwrap());
    }
}
