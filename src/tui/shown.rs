//! What a text on screen is of.
//!
//! Every view that lays out content, or keeps content that it laid out, carries a [`ContentId`] with it, and the frame
//! reports the one that it painted. So no content can be shown under another's title, and a key that acts on content
//! acts on what the last frame showed, or on nothing. What two texts may differ in belongs in here.

use crate::core::call::Call;
use crate::core::decide::{Decision, DecisionKind};
use crate::core::gate::{Gate, GateKind};
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::run::Run;
use crate::core::tool_call::ToolCallId;
use crate::tui::drafts;
use crate::tui::effect::Change;

/// What a text is of, exactly: equal ids have equal texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentId {
    /// The run; `None` for what belongs to none.
    pub run: Option<RunId>,
    /// What of it.
    pub subject: Subject,
    /// The tool call of its attempt.
    pub tool_call: Option<ToolCallId>,
    /// The attempt; 0 when there is none.
    pub attempt: u32,
    /// The version; 0 when there is none.
    pub version: u32,
    /// The newest event that it was made from: the same attempt may come to ask something else.
    pub seq: u64,
}

/// What of a run, or beyond runs, a text is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A call.
    Call(Key),
    /// A step, no call of which has begun.
    Step(String),
    /// A group of calls.
    Group(Key),
    /// The result.
    Result,
    /// A document.
    Document(String),
    /// The run as a whole, in a list.
    Run,
    /// Something that can be started.
    Task(String),
    /// A row that leads somewhere.
    Entry(&'static str),
}

impl ContentId {
    /// Something of a run that has neither attempts nor versions.
    #[must_use]
    pub fn of_run(run: RunId, subject: Subject, seq: u64) -> Self {
        Self { run: Some(run), subject, tool_call: None, attempt: 0, version: 0, seq }
    }

    /// Something that belongs to no run.
    #[must_use]
    pub fn apart(subject: Subject) -> Self {
        Self { run: None, subject, tool_call: None, attempt: 0, version: 0, seq: 0 }
    }

    /// Whether both are of the same thing, however it has changed meanwhile.
    #[must_use]
    pub fn same_subject(&self, other: &Self) -> bool {
        self.run == other.run && self.subject == other.subject
    }
}

/// An attempt and a version of it; version 0 where the attempt has no output, or that is not what is shown of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The attempt; 0 when there is none.
    pub attempt: u32,
    /// The version.
    pub version: u32,
}

/// A gate as it was on screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownGate {
    /// The run.
    pub run: RunId,
    /// The call.
    pub key: Key,
    /// The tool call of its attempt.
    pub call: Option<ToolCallId>,
    /// The document, where it is of none of the calls.
    pub document: Option<String>,
    /// What it waits for.
    pub kind: GateKind,
    /// The attempt.
    pub attempt: u32,
    /// The version.
    pub version: u32,
    /// The newest event about the call: a gate that opened again may ask for something else under the same numbers.
    pub seq: u64,
}

impl ShownGate {
    /// Whether it is that gate of that run, however it has changed meanwhile.
    #[must_use]
    pub fn is_of(&self, run: RunId, gate: &Gate) -> bool {
        (self.run, &self.key, self.call, self.document.as_deref(), self.kind)
            == (run, &gate.key, gate.call, gate.document(), gate.kind())
    }

    /// Decides about what was seen.
    #[must_use]
    pub fn decide(&self, kind: DecisionKind) -> Change {
        Target::Gate(self.clone()).decide(kind)
    }

    fn decision(&self, kind: DecisionKind) -> Decision {
        // What else waits may ask for something else under the same numbers; an attempt's version is what it is.
        let seq = (self.kind != GateKind::Review).then_some(self.seq);
        let (attempt, version) = (Some(self.attempt), Some(self.version));
        let (call, document) = (self.call, self.document.clone());
        Decision { call, document, attempt, version, seq, ..Decision::new(self.key.clone(), kind) }
    }

    /// A gate of a run, as it waits now.
    #[must_use]
    pub fn of(run: &Run, gate: &Gate) -> Self {
        Self {
            run: run.id,
            key: gate.key.clone(),
            call: gate.call,
            document: gate.document().map(str::to_owned),
            kind: gate.kind(),
            attempt: gate.attempt,
            version: gate.version,
            seq: run.newest_about(gate),
        }
    }
}

/// A call that waits for nothing, as it was on screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownCall {
    /// The run.
    pub run: RunId,
    /// The call.
    pub key: Key,
    /// Its newest attempt; 0 when there is none.
    pub attempt: u32,
    /// The newest event about it.
    pub seq: u64,
}

impl ShownCall {
    /// A call of a run, as it is now.
    #[must_use]
    pub fn of(run: &Run, call: &Call) -> Self {
        let attempt = call.newest().map_or(0, |attempt| attempt.number);
        Self { run: run.id, key: call.key.clone(), attempt, seq: call.seq }
    }
}

/// What a person decides about, as it was on screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// What waits.
    Gate(ShownGate),
    /// A call that waits for nothing: it failed, or ended otherwise.
    Call(ShownCall),
}

impl Target {
    /// A call as it is now: its gate, if it has one.
    #[must_use]
    pub fn of(run: &Run, call: &Call) -> Self {
        let gate = call.gate().map(|gate| Self::Gate(ShownGate::of(run, gate)));
        gate.unwrap_or_else(|| Self::Call(ShownCall::of(run, call)))
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> RunId {
        match self {
            Self::Gate(gate) => gate.run,
            Self::Call(call) => call.run,
        }
    }

    /// The call.
    #[must_use]
    pub fn key(&self) -> &Key {
        match self {
            Self::Gate(gate) => &gate.key,
            Self::Call(call) => &call.key,
        }
    }

    /// The tool call of its attempt.
    #[must_use]
    pub fn tool_call(&self) -> Option<ToolCallId> {
        match self {
            Self::Gate(gate) => gate.call,
            Self::Call(_) => None,
        }
    }

    /// The attempt.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        match self {
            Self::Gate(gate) => gate.attempt,
            Self::Call(call) => call.attempt,
        }
    }

    /// Decides about it: it counts only if it is still as it was seen.
    #[must_use]
    pub fn decide(&self, kind: DecisionKind) -> Change {
        let draft = drafts::of_decision(self, &kind);
        Change::Decide(self.run(), self.decision(kind), draft)
    }

    /// The decision itself.
    #[must_use]
    pub fn decision(&self, kind: DecisionKind) -> Decision {
        match self {
            Self::Gate(gate) => gate.decision(kind),
            Self::Call(call) => {
                let attempt = Some(call.attempt);
                Decision { attempt, seq: Some(call.seq), ..Decision::new(call.key.clone(), kind) }
            }
        }
    }
}
