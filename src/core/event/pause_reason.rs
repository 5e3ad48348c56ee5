//! Why a run is paused.

use serde::{Deserialize, Serialize};

/// Why a run does not go on although nothing waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PauseReason {
    /// The person paused it.
    ByYou,
    /// The person left.
    Left,
    /// The terminal went away.
    HungUp,
    /// The process that drove it died.
    Crashed,
}

impl PauseReason {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ByYou => "by_you",
            Self::Left => "left",
            Self::HungUp => "hung_up",
            Self::Crashed => "crashed",
        }
    }
}
