//! Events: what happened in a run. They are appended to its journal, never changed, and everything that is
//! shown of a run is a fold of them.
//!
//! The names and fields here are stored and printed by `--json`: a field may be added, never renamed.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::actor::Actor;
use super::event_json::Unknown;
use super::failure::Failure;
use super::fingerprint::Fingerprint;
use super::gate::Gate;
use super::id::RunId;
use super::key::Key;
use super::text::Untrusted;
use super::tool::{AskedCall, CallReturn, ToolSpec};
use super::tool_call::ToolCallId;
use super::usage::{Budget, Usage};
use super::work::Work;

mod attempt;
mod created;
mod flow_decision;
mod lesson;
mod origin;
mod pause_reason;
mod skip_cause;
mod subject;

pub use attempt::{Measured, Started};
pub use created::Created;
pub use flow_decision::FlowDecision;
pub use lesson::{InstructionScope, Lesson};
pub use origin::{Origin, OriginKind};
pub use pause_reason::PauseReason;
pub use skip_cause::SkipCause;

/// An event with its place in the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// The run.
    pub run: RunId,
    /// Its place in the run's journal, from 1.
    pub seq: u64,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened. Serialised with its name in `snake_case` as `type`, by [`super::event_json`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The run exists.
    RunCreated(Created),
    /// A process took the run and drives it.
    RunResumed {
        /// Who.
        by: Actor,
        /// Counts the processes that drove it.
        epoch: u64,
        /// Why it stood still.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<PauseReason>,
    },
    /// Nothing can go on before a person answers.
    RunWaiting {},
    /// It stands still although nothing waits.
    RunPaused {
        /// Why.
        reason: PauseReason,
    },
    /// It is done.
    RunCompleted {
        /// The result's title.
        title: Untrusted,
        /// The result's body.
        body: Untrusted,
    },
    /// It failed; it can be taken up again.
    RunFailed {
        /// The call that failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Key>,
        /// Why.
        error: Failure,
    },
    /// A person stopped it for good.
    RunCancelled {
        /// Who.
        by: Actor,
    },
    /// A person gave it another title.
    RunRenamed {
        /// The title.
        title: String,
        /// Who.
        by: Actor,
    },
    /// A person put it away, or brought it back. Any other event brings it back too.
    RunArchived {
        /// It is brought back.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        undo: bool,
        /// Who.
        by: Actor,
    },
    /// A person took a decision back: what it changed is as before, and what waited then waits again.
    DecisionUndone {
        /// The event that was the decision. No release ever wrote it as `seq`, as the event's own number is called; stores
        /// written between releases did.
        #[serde(alias = "seq")]
        decision: u64,
        /// The call that it was about; absent: the run as a whole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Key>,
        /// The calls that have begun because of it. What they have is kept, and used again should they be asked to do the
        /// same.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        withdraws: Vec<Key>,
        /// Who.
        by: Actor,
    },
    /// It goes on with another definition.
    RunUpdated {
        /// The content hash of that definition.
        definition: Fingerprint,
        /// Who.
        by: Actor,
    },
    /// A person raised the budget.
    BudgetRaised {
        /// The budget from now on.
        budget: Budget,
        /// Who.
        by: Actor,
    },

    /// An attempt is about to begin.
    AttemptStarted(Started),
    /// An attempt has an output.
    AttemptFinished {
        /// The call.
        key: Key,
        /// The attempt.
        attempt: u32,
        /// Version 1.
        output: Arc<Value>,
        /// Why it cannot be accepted as it is: what its schema does not allow.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
        /// What it took.
        #[serde(flatten)]
        measured: Measured,
    },
    /// An attempt failed.
    AttemptFailed {
        /// The call.
        key: Key,
        /// The attempt.
        attempt: u32,
        /// Why.
        error: Failure,
        /// The text that had arrived.
        #[serde(default, skip_serializing_if = "Untrusted::is_empty")]
        partial: Untrusted,
        /// When it is tried again by itself; absent: the call has failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_at: Option<DateTime<Utc>>,
        /// What it took.
        #[serde(flatten)]
        measured: Measured,
    },
    /// An attempt was broken off: by a person, or because the process that made it ended.
    AttemptCancelled {
        /// The call.
        key: Key,
        /// The attempt.
        attempt: u32,
        /// The text that had arrived.
        #[serde(default, skip_serializing_if = "Untrusted::is_empty")]
        partial: Untrusted,
        /// `true`: the call is wanted again by itself. `false`: a gate about it follows, or the run is over.
        again: bool,
        /// Who, or why.
        by: Actor,
        /// What it took.
        #[serde(flatten)]
        measured: Measured,
    },
    /// A person wants another attempt.
    AttemptRejected {
        /// The call.
        key: Key,
        /// The attempt.
        attempt: u32,
        /// What to do differently.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        instruction: String,
        /// How far that reaches.
        #[serde(default)]
        scope: InstructionScope,
        /// Who.
        by: Actor,
    },
    /// The tools that the model of an attempt may call, as they were listed before it was asked.
    ToolsListed {
        /// The call.
        key: Key,
        /// The attempt.
        attempt: u32,
        /// Each of them.
        tools: Vec<ToolSpec>,
    },
    /// A turn of the model ended in calls of tools. None of them has begun before this is committed.
    TurnFinished {
        /// The call.
        key: Key,
        /// The attempt.
        attempt: u32,
        /// From 1.
        turn: u32,
        /// What the model said beside them.
        #[serde(default, skip_serializing_if = "Untrusted::is_empty")]
        text: Untrusted,
        /// In the order in which they were asked for.
        calls: Vec<AskedCall>,
        /// What the provider has to be sent back with the turn: never shown, and never an input of anything else.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opaque: Option<Arc<Value>>,
        /// What it took.
        #[serde(flatten)]
        measured: Measured,
    },
    /// A tool is about to be called: committed before it is.
    ToolCalled {
        /// The call.
        key: Key,
        /// The attempt.
        attempt: u32,
        /// Which call of which turn.
        call: ToolCallId,
        /// The tool.
        tool: String,
        /// The arguments, as they were allowed.
        arguments: Arc<Value>,
    },
    /// It is known what a tool call came to.
    ToolReturned {
        /// The call.
        key: Key,
        /// The attempt.
        attempt: u32,
        /// Which call of which turn.
        call: ToolCallId,
        /// What.
        outcome: CallReturn,
        /// How long it took, in milliseconds.
        #[serde(default)]
        ms: u64,
    },
    /// An attempt whose model calls tools goes on from where the journal has it, under its number: after a crash, a pause, or
    /// a request that failed and is sent again.
    AttemptResumed {
        /// The call.
        key: Key,
        /// The attempt.
        attempt: u32,
        /// What a request used whose outcome is lost, as far as can be told.
        #[serde(default, skip_serializing_if = "Usage::is_none")]
        usage: Usage,
    },
    /// A person changed an output.
    VersionEdited {
        /// The call.
        key: Key,
        /// The attempt.
        attempt: u32,
        /// The new version's number.
        version: u32,
        /// The new output.
        output: Arc<Value>,
        /// Who.
        by: Actor,
    },

    /// Something waits for a person.
    GateOpened(Gate),
    /// A version is what later calls see.
    CallAccepted {
        /// The call.
        key: Key,
        /// The attempt.
        attempt: u32,
        /// The version.
        version: u32,
        /// Who; `rule` when no review was asked for.
        by: Actor,
        /// The checks that it fails all the same.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        overridden: Vec<String>,
    },
    /// A person allowed an effect.
    CallApproved {
        /// The call.
        key: Key,
        /// The tool call of its attempt that it is about; absent: the call as a whole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<ToolCallId>,
        /// The work that is allowed: as it was shown, or with the changed arguments.
        fingerprint: Fingerprint,
        /// Of a tool call: the person changed its arguments to these.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        arguments: Option<Arc<Value>>,
        /// Of a tool call: later calls of the same tool are allowed for the rest of the run.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        for_run: bool,
        /// Who.
        by: Actor,
    },
    /// A person gave the value that a call asked for.
    CallAnswered {
        /// The call.
        key: Key,
        /// The tool call of its attempt that it is about; absent: the call as a whole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<ToolCallId>,
        /// The attempt that asked.
        attempt: u32,
        /// The value.
        value: Arc<Value>,
        /// Who.
        by: Actor,
    },
    /// The call is not performed.
    CallSkipped {
        /// The call.
        key: Key,
        /// The tool call of its attempt that it is about; absent: the call as a whole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<ToolCallId>,
        /// Its step.
        step: String,
        /// The cause, as a person reads it.
        because: String,
        /// The cause, where a flow decided; absent in what version 0.1.0 wrote.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<SkipCause>,
        /// Who; `flow` when a condition or a dependency decided.
        by: Actor,
    },
    /// The call failed without an attempt: its definition does not work out, or it was denied.
    CallFailed {
        /// The call.
        key: Key,
        /// The tool call of its attempt that it is about; absent: the call as a whole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<ToolCallId>,
        /// Its step.
        step: String,
        /// What it was asked to do.
        fingerprint: Fingerprint,
        /// Why.
        error: Failure,
        /// The checks that its output fails.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        failed: Vec<String>,
        /// Who; `flow` when the definition does not work out.
        by: Actor,
    },
    /// What the call was made from has changed: it does not stand.
    CallStaled {
        /// The call.
        key: Key,
        /// What it would be asked to do now.
        fingerprint: Fingerprint,
        /// The calls that changed.
        because: Vec<Key>,
    },
    /// A person keeps the old output for what the call would be asked to do now.
    CallKept {
        /// The call.
        key: Key,
        /// What the output stands for from now on.
        fingerprint: Fingerprint,
        /// Who.
        by: Actor,
    },
    /// The call would be asked to do again what it did: it stands as before, at no cost.
    CallRestored {
        /// The call.
        key: Key,
        /// That fingerprint.
        fingerprint: Fingerprint,
    },
    /// An accepted result of the same step stands for another item's call.
    CallMoved {
        /// The call where it stands now.
        key: Key,
        /// The call that made it.
        from: Key,
        /// Its attempt.
        attempt: u32,
        /// The version of that.
        version: u32,
        /// What both were asked to do.
        fingerprint: Fingerprint,
    },
    /// An accepted result of another run stands here.
    CallAdopted {
        /// The call.
        key: Key,
        /// The child workflow that declares its step; absent: the run's own definition does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        workflow: Option<String>,
        /// Its step.
        step: String,
        /// What it was asked to do.
        fingerprint: Fingerprint,
        /// The output.
        output: Arc<Value>,
        /// The work that made it: what an edit of it must fit, what was asked, and whether it had an effect. Absent of
        /// replies, whose work is the conversation, and in journals of version 0.1.0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        work: Option<Arc<Work>>,
        /// That run.
        from: RunId,
    },
    /// A person takes up an accepted call again; its output stands until another is accepted.
    CallReopened {
        /// The call.
        key: Key,
        /// Who.
        by: Actor,
    },
    /// A person wants the call performed anew, with a fresh set of attempts.
    CallRequested {
        /// The call.
        key: Key,
        /// The tool call of its attempt that it is about; absent: the call as a whole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<ToolCallId>,
        /// Who.
        by: Actor,
    },
    /// A person chose another model for later attempts.
    ModelChosen {
        /// The call, or a step's where none of its calls has begun.
        key: Key,
        /// The child workflow that declares its step; absent: the run's own definition does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        workflow: Option<String>,
        /// Its step.
        step: String,
        /// A role or `PROVIDER/MODEL`.
        model: String,
        /// `this`: the call. Else also the calls of its step that nobody chose another one for.
        #[serde(default)]
        scope: InstructionScope,
        /// It is for all that is left: for every call of which nobody chose another one, whatever its step is. `key` and
        /// `step` name none then.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        rest: bool,
        /// Who.
        by: Actor,
    },
    /// The call is not wanted any more.
    CallCancelled {
        /// The call.
        key: Key,
        /// The cause.
        because: String,
    },

    /// The flow decided something: a condition, a case, a winner, an end of a repeat.
    FlowDecided {
        /// The call or step that it is about.
        key: Key,
        /// What.
        what: FlowDecision,
        /// What came out.
        value: Value,
        /// The expression, and the values that it saw.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        why: Value,
    },
    /// A name of the state has another value.
    StateSet {
        /// The call that set it.
        key: Key,
        /// The name.
        name: String,
        /// The value.
        value: Value,
    },
    /// A person said something in a conversation.
    MessageAdded {
        /// What.
        text: String,
        /// Who.
        by: Actor,
    },
    /// A document has a new version.
    DocumentWritten {
        /// `result`, or the name that a step gave it.
        name: String,
        /// Its number, from 1.
        version: u32,
        /// The title.
        title: Untrusted,
        /// The body.
        body: Untrusted,
        /// `model`, or who edited it.
        by: Actor,
        /// A person's edit of it counts until they have said which of the two does: a gate asks them.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        proposed: bool,
        /// The call of an action that made it, because a person asked for that: it counts as their edit does, and is not
        /// replaced by what the steps give.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        action: Option<Key>,
    },
    /// A person asked for an action of the definition on a document: a call performs it, and its output is the next version.
    ActionRequested {
        /// That call.
        key: Key,
        /// The action's id.
        action: String,
        /// The document.
        document: String,
        /// The version that it is made from.
        version: u32,
        /// What is to change, where the person said it themselves: the definition has no such action then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instruction: Option<String>,
        /// Who.
        by: Actor,
    },
    /// Of a document that a person has edited, and for which another text was proposed since, this version counts.
    DocumentChosen {
        /// The document.
        name: String,
        /// The version: the one that was proposed, or the one that counted before.
        version: u32,
        /// Who; `flow` when there is nothing to choose any more.
        by: Actor,
    },
    /// Something that the person should know.
    Warned {
        /// The call that it is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Key>,
        /// What.
        message: String,
    },
    /// A line of a script's or program's log.
    Logged {
        /// The line.
        text: Untrusted,
    },
    /// A later version wrote it.
    #[serde(skip)]
    Unknown(Unknown),
}
