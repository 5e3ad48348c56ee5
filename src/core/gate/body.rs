//! What a person has to see to decide, for each kind of gate.
//!
//! In the journal it is the member `shows` of a gate, whose shape follows from the gate's `for`: absent where there is
//! nothing to see, and each body is written member by member as the first release wrote it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::GateKind;
use crate::core::fingerprint::Fingerprint;
use crate::core::form::{Field, WrittenForm};
use crate::core::key::Key;
use crate::core::text::Untrusted;
use crate::core::tool::ToolSpec;
use crate::core::usage::{Budget, Usage};
use crate::core::work::Work;

/// What a gate is about. Its variant is the gate's kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum GateBody {
    /// Of [`GateKind::Review`].
    Review(ReviewBody),
    /// Of [`GateKind::Approval`].
    Approval(ApprovalBody),
    /// Of [`GateKind::Input`].
    Input(InputBody),
    /// Of [`GateKind::InDoubt`].
    InDoubt(InDoubtBody),
    /// Of [`GateKind::Stale`].
    Stale(StaleBody),
    /// Of [`GateKind::Budget`].
    Budget(BudgetBody),
    /// Of [`GateKind::Secret`].
    Secret(SecretBody),
    /// Of [`GateKind::Tools`].
    Tools(ToolsBody),
}

impl GateBody {
    /// The kind of gate that this is the body of.
    #[must_use]
    pub fn kind(&self) -> GateKind {
        match self {
            Self::Review(_) => GateKind::Review,
            Self::Approval(_) => GateKind::Approval,
            Self::Input(_) => GateKind::Input,
            Self::InDoubt(_) => GateKind::InDoubt,
            Self::Stale(_) => GateKind::Stale,
            Self::Budget(_) => GateKind::Budget,
            Self::Secret(_) => GateKind::Secret,
            Self::Tools(_) => GateKind::Tools,
        }
    }

    /// Whether nothing of it is written.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Review(review) if *review == ReviewBody::default())
    }

    /// Reads the member `shows` of a gate of this kind; `Null` where it is absent.
    pub(super) fn read(kind: GateKind, shows: Value) -> Result<Self, serde_json::Error> {
        use serde_json::from_value;
        Ok(match kind {
            GateKind::Review if shows.is_null() => Self::Review(ReviewBody::default()),
            GateKind::Review => Self::Review(from_value(shows)?),
            GateKind::Approval => Self::Approval(from_value(shows)?),
            GateKind::Input => Self::Input(from_value(shows)?),
            GateKind::InDoubt => Self::InDoubt(from_value(shows)?),
            GateKind::Stale => Self::Stale(from_value(shows)?),
            GateKind::Budget => Self::Budget(from_value(shows)?),
            GateKind::Secret => Self::Secret(from_value(shows)?),
            GateKind::Tools => Self::Tools(from_value(shows)?),
        })
    }
}

/// The output that is judged, in the gate's attempt and version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReviewBody {
    /// The JSON Schema that an edit must fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// The form that the output answers: it was taken up again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<Field>>,
    /// The checks that the output fails, in the words of the definition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
    /// The attempt was stopped: its output is what had arrived.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
    /// Why the output cannot be accepted as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The limit of tokens cut the output: its end is missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

impl ReviewBody {
    /// Whether the attempt came to its own end: what was stopped or cut never continues without a person.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.cancelled && !self.cut
    }
}

/// The effect that is to be allowed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApprovalBody {
    /// The step.
    pub step: String,
    /// Exactly what runs.
    pub work: Arc<Work>,
    /// The hash of `work`, and of a tool with what is behind its name: what an approval allows.
    pub bytes: Fingerprint,
    /// Of a tool: the definition that calls it and what it declares under the tool's name. What is allowed is allowed of
    /// that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<Fingerprint>,
    /// What the call is asked to do.
    pub fingerprint: Fingerprint,
    /// What the definition says of it in one line: shown with exactly what runs, and no part of what is approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Untrusted>,
    /// And what more it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Untrusted>,
}

/// What the person is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, from = "StoredInput")]
pub enum InputBody {
    /// The next message of a conversation.
    Message {
        /// What the model asked; empty when it asked nothing.
        text: String,
        /// The needs that it still misses.
        missing: Vec<String>,
        /// The needs that are known.
        known: Vec<String>,
    },
    /// The form of an `ask` step.
    Form {
        /// What to say above the form.
        text: Option<String>,
        /// The form.
        fields: Vec<Field>,
    },
    /// The form that a program asks for in the middle of its work.
    Question {
        /// The form.
        fields: WrittenForm,
    },
}

impl InputBody {
    /// What to say above the form or the box for the message; empty for nothing.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Message { text, .. } => text,
            Self::Form { text, .. } => text.as_deref().unwrap_or_default(),
            Self::Question { .. } => "",
        }
    }

    /// The form, if every field of it has a default: it can be answered without a person.
    #[must_use]
    pub fn with_defaults(&self) -> Option<&[Field]> {
        self.fields().filter(|fields| fields.iter().all(|field| field.default.is_some()))
    }

    /// The form; `None` where a message is asked for.
    #[must_use]
    pub fn fields(&self) -> Option<&[Field]> {
        match self {
            Self::Message { .. } => None,
            Self::Form { fields, .. } => Some(fields),
            Self::Question { fields } => Some(fields.fields()),
        }
    }
}

/// The members of an [`InputBody`] as they are read. What tells the kinds apart is which members are there: that of an
/// `ask` step without a text has `"text": null`.
#[derive(Deserialize)]
#[expect(clippy::option_option, reason = "absent, null and a text are three things")]
struct StoredInput {
    #[serde(default, deserialize_with = "present")]
    text: Option<Option<String>>,
    fields: Option<WrittenForm>,
    #[serde(default)]
    missing: Vec<String>,
    #[serde(default)]
    known: Vec<String>,
}

#[expect(clippy::option_option, reason = "absent, null and a text are three things")]
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl From<StoredInput> for InputBody {
    fn from(shows: StoredInput) -> Self {
        let StoredInput { text, fields, missing, known } = shows;
        match (fields, text) {
            (None, text) => Self::Message { text: text.flatten().unwrap_or_default(), missing, known },
            (Some(fields), Some(text)) => Self::Form { text, fields: fields.fields().to_vec() },
            (Some(fields), None) => Self::Question { fields },
        }
    }
}

/// An effect whose outcome is not known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InDoubtBody {
    /// How it came to that.
    pub why: String,
    /// The text that had arrived.
    #[serde(default, skip_serializing_if = "Untrusted::is_empty")]
    pub partial: Untrusted,
}

/// A result made from something that changed: a call's, or a document as a person edited it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StaleBody {
    /// The calls that changed.
    pub because: Vec<Key>,
    /// An outside effect of the call has, or may have, happened.
    pub had_effect: bool,
    /// What the call would be asked to do now; of a document, its text as the steps give it now.
    pub fingerprint: Fingerprint,
    /// The document; the gate's version is the one that is proposed. Absent: a call's result is stale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
}

/// A budget that the next call could pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BudgetBody {
    /// What the run has used.
    pub spent: Usage,
    /// What it may spend.
    pub budget: Budget,
    /// What the next call is expected to use.
    pub next: Usage,
    /// What that call is asked to do; absent in journals of version 0.1.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
}

impl BudgetBody {
    /// What the run will have used after the next call, as far as can be told.
    #[must_use]
    pub fn needed(&self) -> Usage {
        let mut needed = self.spent;
        needed += self.next;
        needed
    }
}

/// A secret that nobody has typed in this session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretBody {
    /// The input that refers to it.
    pub name: String,
    /// What the call is asked to do; absent in journals of version 0.1.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
}

/// Tools that are not what they were when the run last used them: what was allowed then is what they are compared with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolsBody {
    /// Those that have changed or are gone, as they were.
    pub before: Vec<ToolSpec>,
    /// Those that have changed or are new, as they are now.
    pub after: Vec<ToolSpec>,
    /// Of all tools as they are now.
    pub fingerprint: Fingerprint,
}

/// What has become of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolChange {
    /// It was not there before.
    New,
    /// It is another than it was: in its description, what it takes or gives, or in what its server says of it.
    Changed,
    /// It is not there any more.
    Gone,
}

impl ToolsBody {
    /// What has become of each tool, in the order of what is shown.
    pub fn changes(&self) -> impl Iterator<Item = (&str, ToolChange)> {
        let was = |tool: &ToolSpec| self.before.iter().any(|before| before.tool == tool.tool);
        let is = |tool: &ToolSpec| self.after.iter().any(|after| after.tool == tool.tool);
        let gone = self.before.iter().filter(move |tool| !is(tool)).map(|tool| (&*tool.tool, ToolChange::Gone));
        let change = move |tool| if was(tool) { ToolChange::Changed } else { ToolChange::New };
        self.after.iter().map(move |tool| (&*tool.tool, change(tool))).chain(gone)
    }
}

#[cfg(test)]
mod tests;
