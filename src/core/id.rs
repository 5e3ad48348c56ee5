//! Run ids: a UUIDv7 as 32 hex digits, and the rule that names a run by a piece of its id.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The id of a run: a UUIDv7, so that ids sort by the time of their creation.
///
/// Written as 32 lower-case hex digits without dashes; read with or without dashes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(uuid::Uuid);

/// Text that is not a run id.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a run id: expected 32 hex digits")]
pub struct BadRunId(String);

impl RunId {
    /// Builds the id for a run created `millis` after the Unix epoch, with ten random bytes.
    #[must_use]
    pub fn new(millis: u64, random: [u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// The last eight hex digits: how a run is shown to a person.
    #[must_use]
    pub fn short(&self) -> String {
        let hex = self.to_string();
        hex[24..].to_owned()
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.simple())
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for RunId {
    type Err = BadRunId;
    fn from_str(text: &str) -> Result<Self, BadRunId> {
        uuid::Uuid::try_parse(text).map(Self).map_err(|_| BadRunId(text.to_owned()))
    }
}

impl TryFrom<String> for RunId {
    type Error = BadRunId;
    fn try_from(text: String) -> Result<Self, BadRunId> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.to_string()
    }
}

/// Brings what a person typed to the form that ids are compared in: lower case, no dashes.
///
/// `None` when it cannot be a piece of an id.
#[must_use]
pub fn id_fragment(typed: &str) -> Option<String> {
    let hex: String = typed.trim().chars().filter(|c| *c != '-').map(|c| c.to_ascii_lowercase()).collect();
    (!hex.is_empty() && hex.len() <= 32 && hex.chars().all(|c| c.is_ascii_hexdigit())).then_some(hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_creation_and_show_their_tail() {
        let early = RunId::new(1_000, [1; 10]);
        let late = RunId::new(2_000, [0; 10]);
        assert!(early < late);
        assert_eq!(early.to_string().len(), 32);
        assert!(early.to_string().ends_with(&early.short()));
        assert_eq!(early.to_string().parse::<RunId>().unwrap(), early);
    }

    #[test]
    fn a_fragment_is_hex_of_any_case_with_or_without_dashes() {
        assert_eq!(id_fragment("0193-ABcd").as_deref(), Some("0193abcd"));
        assert_eq!(id_fragment("poem"), None);
        assert_eq!(id_fragment(""), None);
    }
}
