//! Documents: named results with versions; and the two ways in which a conversation's turn may end.

use serde::{Deserialize, Serialize};

use super::actor::Actor;
use super::key::Key;
use super::text::Untrusted;

/// A named result and all its versions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// `result`, or the name that a step gave it.
    pub name: String,
    /// Oldest first; the number of each is its place, from 1.
    pub versions: Vec<DocumentVersion>,
}

impl Document {
    /// The newest version and its number; every document has at least one.
    #[must_use]
    pub fn newest(&self) -> Option<(u32, &DocumentVersion)> {
        let version = self.versions.last()?;
        Some((u32::try_from(self.versions.len()).unwrap_or(u32::MAX), version))
    }
}

/// One version of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentVersion {
    /// The title, one line.
    pub title: Untrusted,
    /// The body, Markdown.
    pub body: Untrusted,
    /// `model`, or the person who edited it.
    pub by: Actor,
}

/// What a turn of an instruct task's conversation says, as the model's reply was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "turn", rename_all = "snake_case")]
pub enum Turn {
    /// Plain talk, in a task without needs and result.
    Say {
        /// What is said.
        text: Untrusted,
    },
    /// Something is missing.
    Ask {
        /// The question.
        text: Untrusted,
        /// The names of the needs that are not known yet.
        #[serde(default)]
        missing: Vec<String>,
    },
    /// The document.
    Deliver {
        /// Its title.
        title: Untrusted,
        /// Its body.
        body: Untrusted,
        /// A remark that goes with it, for the conversation; may be empty.
        #[serde(default, skip_serializing_if = "Untrusted::is_empty")]
        text: Untrusted,
    },
}

/// One thing that happened in the conversation of an instruct run, so that its order is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The person said something.
    Person(String),
    /// This version of the model's reply counts; an attempt that was stopped counts with what had arrived, if anything.
    Model {
        /// The call.
        key: Key,
        /// The attempt.
        attempt: u32,
        /// The version; 0 when nothing had arrived.
        version: u32,
    },
    /// A version of a document was written.
    Written {
        /// The document.
        name: String,
        /// Its number.
        version: u32,
        /// By the model; else a person edited it.
        by_model: bool,
    },
}
