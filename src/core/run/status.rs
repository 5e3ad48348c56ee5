//! Where a run stands, in the journal and as it is shown.

use serde::{Deserialize, Serialize};

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Status {
    /// Something is under way.
    Running,
    /// Only a person can make it go on.
    Waiting,
    /// It stands still, for a reason of its own.
    Paused,
    /// Done.
    Completed,
    /// Something failed; it can be taken up again.
    Failed,
    /// Stopped for good by a person.
    Cancelled,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Running, Self::Waiting, Self::Paused, Self::Completed, Self::Failed, Self::Cancelled];

    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status that a person is shown, on every screen and in every list, of a run that stands at this one in its
    /// journal. What a person has to do comes first: a run with something that they can answer is waiting, even if
    /// something else in it was broken off, unless it is at work or over.
    #[must_use]
    pub fn shown(self, facts: Facts) -> Self {
        match self {
            Self::Completed | Self::Failed | Self::Cancelled | Self::Waiting => self,
            Self::Running if facts.driven && !facts.only_asks => Self::Running,
            Self::Running | Self::Paused if facts.gates > 0 => Self::Waiting,
            Self::Running if facts.driven => Self::Running,
            Self::Running | Self::Paused => Self::Paused,
        }
    }

    /// What a journal may say of a run that is shown at one of `wanted`.
    #[must_use]
    pub fn kept_as(wanted: &[Self]) -> Vec<Self> {
        let may_be_shown = |kept: &Self| {
            let shown = |gates, driven| kept.shown(Facts { gates, driven, only_asks: false });
            [(0, false), (0, true), (1, false), (1, true)]
                .iter()
                .any(|(gates, driven)| wanted.contains(&shown(*gates, *driven)))
        };
        Self::ALL.into_iter().filter(may_be_shown).collect()
    }

    /// Whether it is over, unless a person takes it up again.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// What the status that is shown depends on besides the one in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// How many gates are open.
    pub gates: usize,
    /// All that is under way is programs that wait for an answer; see [`super::Run::only_asks`].
    pub only_asks: bool,
    /// A process drives the run.
    pub driven: bool,
}
