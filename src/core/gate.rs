//! Gates: what waits for a person. One type for all of them; events open and answer it.
//!
//! In JSON a gate is `{key, call, for, attempt, version, shows, allowed}`, without `call` where it is none of a tool call; here `for` is the variant of its [`GateBody`], which
//! holds what is under `shows`. A gate whose body does not fit its kind is not read at all.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

mod body;
mod open;

pub use body::{
    ApprovalBody, BudgetBody, GateBody, InDoubtBody, InputBody, ReviewBody, SecretBody, StaleBody, ToolChange,
    ToolsBody,
};
pub use open::OpenGates;

use super::document::RESULT;
use super::fingerprint::Fingerprint;
use super::form::Field;
use super::key::Key;
use super::tool_call::ToolCallId;
use super::work::Work;

/// What a gate waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GateKind {
    /// The judgement of an attempt's output.
    Review,
    /// The approval of an effect.
    Approval,
    /// A form, or the next message of a conversation.
    Input,
    /// The truth about an effect whose outcome is not known.
    InDoubt,
    /// Whether a result made from something that changed is kept or made again.
    Stale,
    /// A higher budget.
    Budget,
    /// The value of a secret.
    Secret,
    /// Whether tools are used that are not those that they were.
    Tools,
}

impl GateKind {
    /// Whether a person allows or denies it: an effect, or tools that have changed.
    #[must_use]
    pub fn asks_approval(self) -> bool {
        matches!(self, Self::Approval | Self::Tools)
    }

    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Review => "review",
            Self::Approval => "approval",
            Self::Input => "input",
            Self::InDoubt => "in_doubt",
            Self::Stale => "stale",
            Self::Budget => "budget",
            Self::Secret => "secret",
            Self::Tools => "tools",
        }
    }
}

impl fmt::Display for GateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One of the answers that a gate may allow. The names are the flags of `stepwell review`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Answer {
    /// Take the version that was seen.
    Accept,
    /// Record a version of one's own.
    Edit,
    /// Have it tried again, with an instruction.
    Retry,
    /// Go on without it.
    Skip,
    /// Allow the effect.
    Approve,
    /// Refuse the effect.
    Deny,
    /// Give the value.
    Answer,
    /// Run it again.
    Again,
    /// Keep the result as it is.
    Keep,
    /// Raise the budget.
    Budget,
}

impl Answer {
    /// The name in JSON and, after `--`, the flag of `stepwell review`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Edit => "edit",
            Self::Retry => "retry",
            Self::Skip => "skip",
            Self::Approve => "approve",
            Self::Deny => "deny",
            Self::Answer => "answer",
            Self::Again => "again",
            Self::Keep => "keep",
            Self::Budget => "budget",
        }
    }
}

/// Something that waits for a person.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Gate {
    /// The call that waits.
    pub key: Key,
    /// The child workflow that declares its step, where the call has not begun; absent: its attempts say so, or the
    /// run's own definition declares it.
    pub workflow: Option<String>,
    /// The tool call of its attempt that waits; `None`: the call as a whole.
    pub call: Option<ToolCallId>,
    /// The attempt that it is about; 0 when there is none yet.
    pub attempt: u32,
    /// The version that it is about; 0 when there is none.
    pub version: u32,
    /// What a person has to see to decide. It says what the gate waits for.
    pub body: GateBody,
    /// The answers that it takes.
    pub allowed: Vec<Answer>,
}

impl Gate {
    /// The gate of a review. What cannot be accepted as it is can only be edited, tried again or skipped.
    #[must_use]
    pub fn of_review(key: Key, attempt: u32, version: u32, review: ReviewBody) -> Self {
        let broken_off = review.cancelled && (version == 0 || review.schema.is_some());
        let allowed = review_answers(!broken_off && review.problem.is_none(), review.fields.is_some());
        Self { key, workflow: None, call: None, attempt, version, body: GateBody::Review(review), allowed }
    }

    /// A person's edit is a newer version of what is reviewed. It was only taken because it fits, and it is whole; what was
    /// wrong with the version before it is not wrong with it, and its checks have not been looked at yet.
    pub(super) fn edited(&mut self, version: u32) {
        self.version = version;
        self.allowed = review_answers(true, self.fields().is_some());
        if let GateBody::Review(review) = &mut self.body {
            let (schema, fields) = (review.schema.take(), review.fields.take());
            *review = ReviewBody { schema, fields, ..ReviewBody::default() };
        }
    }

    /// The document that waits, where it is none of a call.
    #[must_use]
    pub fn document(&self) -> Option<&str> {
        match &self.body {
            GateBody::Stale(stale) => stale.document.as_deref(),
            _ => None,
        }
    }

    /// The call that waits, and the tool call if it is one: `write`, `write, tool call 2.0`; or the document.
    #[must_use]
    pub fn name(&self) -> String {
        if let Some(document) = self.document() {
            return if document == RESULT { document.to_owned() } else { format!("document {document}") };
        }
        self.call.map_or_else(|| self.key.to_string(), |call| format!("{}, tool call {call}", self.key))
    }

    /// The tool whose call is to be allowed.
    #[must_use]
    pub fn tool(&self) -> Option<&str> {
        match &self.body {
            GateBody::Approval(ApprovalBody { work, .. }) => match &**work {
                Work::Tool { tool, .. } => Some(tool),
                _ => None,
            },
            _ => None,
        }
    }

    /// What is to be approved.
    #[must_use]
    pub fn approval(&self) -> Option<&ApprovalBody> {
        match &self.body {
            GateBody::Approval(approval) => Some(approval),
            _ => None,
        }
    }

    /// What is behind the name of the tool that is to be allowed.
    #[must_use]
    pub fn behind(&self) -> Option<&Fingerprint> {
        self.approval()?.behind.as_ref()
    }

    /// The arguments of the tool call that is to be allowed.
    #[must_use]
    pub fn arguments(&self) -> Option<&Value> {
        match &self.body {
            GateBody::Approval(ApprovalBody { work, .. }) => match &**work {
                Work::Tool { args, .. } => Some(args),
                _ => None,
            },
            _ => None,
        }
    }

    /// What it waits for.
    #[must_use]
    pub fn kind(&self) -> GateKind {
        self.body.kind()
    }

    /// Whether it takes this answer.
    #[must_use]
    pub fn allows(&self, answer: Answer) -> bool {
        self.allowed.contains(&answer)
    }

    /// What there is to be judged, of a review.
    #[must_use]
    pub fn review(&self) -> Option<&ReviewBody> {
        match &self.body {
            GateBody::Review(review) => Some(review),
            _ => None,
        }
    }

    /// The JSON Schema that an edit of what is reviewed must fit.
    #[must_use]
    pub fn schema(&self) -> Option<&Value> {
        self.review()?.schema.as_ref()
    }

    /// The checks that what is reviewed fails.
    #[must_use]
    pub fn failed_checks(&self) -> &[String] {
        self.review().map(|review| review.failed.as_slice()).unwrap_or_default()
    }

    /// The form that it asks for.
    #[must_use]
    pub fn fields(&self) -> Option<&[Field]> {
        match &self.body {
            GateBody::Input(input) => input.fields(),
            GateBody::Review(review) => review.fields.as_deref(),
            _ => None,
        }
    }
}

fn review_answers(acceptable: bool, form: bool) -> Vec<Answer> {
    let accept = acceptable.then_some(Answer::Accept);
    let answer = form.then_some(Answer::Answer);
    accept.into_iter().chain([Answer::Edit, Answer::Retry, Answer::Skip]).chain(answer).collect()
}

/// A gate as it is read.
#[derive(Deserialize)]
struct Stored {
    key: Key,
    #[serde(default)]
    workflow: Option<String>,
    #[serde(default)]
    call: Option<ToolCallId>,
    #[serde(rename = "for")]
    kind: GateKind,
    attempt: u32,
    version: u32,
    #[serde(default)]
    shows: Value,
    allowed: Vec<Answer>,
}

impl TryFrom<Stored> for Gate {
    type Error = serde_json::Error;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let Stored { key, workflow, call, kind, attempt, version, shows, allowed } = stored;
        Ok(Self { key, workflow, call, attempt, version, body: GateBody::read(kind, shows)?, allowed })
    }
}

impl Serialize for Gate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written<'a> {
            key: &'a Key,
            #[serde(skip_serializing_if = "Option::is_none")]
            workflow: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            call: Option<ToolCallId>,
            #[serde(rename = "for")]
            kind: GateKind,
            attempt: u32,
            version: u32,
            #[serde(skip_serializing_if = "GateBody::is_empty")]
            shows: &'a GateBody,
            allowed: &'a [Answer],
        }
        let Self { key, workflow, call, attempt, version, body, allowed } = self;
        let (kind, workflow) = (self.kind(), workflow.as_deref());
        Written { key, workflow, call: *call, kind, attempt: *attempt, version: *version, shows: body, allowed }
            .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_edited_version_has_none_of_what_was_wrong_with_the_one_before_it() {
        let (schema, fields) = (Some(json!({ "type": "object" })), Some(vec![Field::default()]));
        let of_it = ReviewBody { schema, fields, ..ReviewBody::default() };
        let wrong = ReviewBody {
            failed: vec!["too long".to_owned()],
            problem: Some("no list".to_owned()),
            cancelled: true,
            cut: true,
            ..of_it.clone()
        };
        let mut gate = Gate::of_review(Key::plain("write"), 1, 1, wrong);
        assert!(!gate.allows(Answer::Accept));
        gate.edited(2);
        assert_eq!(gate, Gate::of_review(Key::plain("write"), 1, 2, of_it));
        assert!(gate.allows(Answer::Accept) && gate.allows(Answer::Answer));
    }
}
