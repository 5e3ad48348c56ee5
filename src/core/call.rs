//! A call, its attempts and their versions, as the events of a run have made them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::actor::Actor;
use super::event::{InstructionScope, Measured, SkipCause};
use super::failure::Failure;
use super::fingerprint::Fingerprint;
use super::gate::{Gate, GateBody, OpenGates};
use super::key::Key;
use super::model::Finish;
use super::step::OnCrash;
use super::step_name::StepName;
use super::text::Untrusted;
use super::work::Work;

mod events;
mod tool_use;

pub use tool_use::{NextUnit, ToolCall, ToolCallEnd, ToolCallState, ToolCallStatus, ToolUse, Turn};

/// Where a call stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CallStatus {
    /// Wanted, not begun; or between two attempts.
    #[default]
    Pending,
    /// A person has to allow it.
    Approval,
    /// An attempt is under way.
    Running,
    /// A person has to judge it.
    Review,
    /// A person has to answer it.
    Input,
    /// A version stands.
    Accepted,
    /// It is not performed.
    Skipped,
    /// Its attempts are used up.
    Failed,
    /// Its effect may have happened.
    InDoubt,
    /// What it was made from has changed.
    Stale,
    /// It was broken off for good.
    Cancelled,
}

impl CallStatus {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approval => "approval",
            Self::Running => "running",
            Self::Review => "review",
            Self::Input => "input",
            Self::Accepted => "accepted",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::InDoubt => "in_doubt",
            Self::Stale => "stale",
            Self::Cancelled => "cancelled",
        }
    }
}

/// How an attempt ended, or that it has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AttemptStatus {
    /// Under way.
    Running,
    /// Has an output that nobody has judged.
    Review,
    /// Waits for the person's answer.
    Input,
    /// Its output was accepted.
    Accepted,
    /// A person wanted another.
    Rejected,
    /// Has an output that nobody has judged: a person has taken an earlier attempt instead.
    PassedOver,
    /// It has no output.
    Failed,
    /// It was broken off.
    Cancelled,
    /// Its effect may have happened.
    InDoubt,
}

/// The output of an attempt: the first by the model, later ones by a person's edit.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// Who made it.
    pub by: Actor,
    /// The output.
    pub output: Arc<Value>,
    /// The checks that it fails, as far as a review has shown them.
    pub failed: Vec<String>,
    /// The edit that made it was undone: it can still be taken.
    pub withdrawn: bool,
}

impl Version {
    /// Made by this actor.
    #[must_use]
    pub fn new(by: Actor, output: Arc<Value>) -> Self {
        Self { by, output, failed: Vec::new(), withdrawn: false }
    }
}

/// What a person said when asking for another attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What to do differently.
    pub text: String,
    /// How far that reaches.
    pub scope: InstructionScope,
}

/// One try at a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// The event that began it.
    pub seq: u64,
    /// How it ended.
    pub status: AttemptStatus,
    /// `model`, `person`, `program` or `cache`.
    pub by: Actor,
    /// What it was asked to do.
    pub fingerprint: Fingerprint,
    /// The exact work; `None` for a transform.
    pub work: Option<Arc<Work>>,
    /// Version 1 is the first; empty when there is no output.
    pub versions: Vec<Version>,
    /// What the person said when rejecting it.
    pub instruction: Option<Instruction>,
    /// Why it has no output.
    pub error: Option<Failure>,
    /// Why its first version cannot be accepted as it is; see [`Attempt::unfit`].
    pub problem: Option<String>,
    /// The text that had arrived when it was broken off or failed.
    pub partial: Untrusted,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// What it took.
    pub measured: Measured,
    /// What a crash does to it.
    pub on_crash: OnCrash,
    /// What it has done with tools, if its model may call any.
    pub tool_use: Option<Box<ToolUse>>,
    /// How long it has waited for what it asked a person in the middle of its work, in milliseconds.
    pub waited_ms: u64,
}

impl Attempt {
    /// One that begins now, and of which nothing else is known yet.
    pub(super) fn begun(number: u32, seq: u64, at: DateTime<Utc>, by: Actor, fingerprint: Fingerprint) -> Self {
        Self {
            number,
            seq,
            status: AttemptStatus::Running,
            by,
            fingerprint,
            work: None,
            versions: Vec::new(),
            instruction: None,
            error: None,
            problem: None,
            partial: Untrusted::default(),
            started_at: at,
            measured: Measured::default(),
            on_crash: OnCrash::Rerun,
            tool_use: None,
            waited_ms: 0,
        }
    }

    /// Whether a version is a model's answer that the limit of tokens cut, and not a person's edit of it: its end is missing.
    /// Of an output with a schema only where that has to do with it: a value that is there whole lacks nothing.
    #[must_use]
    pub fn is_cut(&self, version: u32) -> bool {
        let matters = || self.problem.is_some() || self.work.as_deref().and_then(Work::schema).is_none();
        version <= 1 && self.measured.finish == Some(Finish::Length) && matters()
    }

    /// Whether a version is what had arrived when the attempt was stopped.
    #[must_use]
    pub fn is_broken_off(&self, version: u32) -> bool {
        // Whatever was decided of the attempt since.
        let arrived = |made: &Version| made.by == self.by && made.output.as_str() == Some(self.partial.data());
        !self.partial.is_empty() && self.version(version).is_some_and(arrived)
    }

    /// The newest version and its number; one whose edit was undone does not count.
    #[must_use]
    pub fn newest(&self) -> Option<(u32, &Version)> {
        let place = self.versions.iter().rposition(|version| !version.withdrawn)?;
        Some((u32::try_from(place).unwrap_or(u32::MAX).saturating_add(1), &self.versions[place]))
    }

    /// A version by its number, from 1.
    #[must_use]
    pub fn version(&self, number: u32) -> Option<&Version> {
        self.versions.get(number.checked_sub(1)? as usize)
    }

    /// Why a version cannot be accepted as it is: what a person made was only taken because it fits.
    #[must_use]
    pub fn unfit(&self, version: u32) -> Option<&str> {
        self.problem.as_deref().filter(|_| version <= 1)
    }

    /// The same, of the newest version.
    #[must_use]
    pub fn newest_unfit(&self) -> Option<&str> {
        self.unfit(self.newest().map_or(0, |(version, _)| version))
    }
}

/// The accepted version of a call that later calls see.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The attempt.
    pub attempt: u32,
    /// The version.
    pub version: u32,
    /// What it stands for.
    pub fingerprint: Fingerprint,
    /// The output.
    pub output: Arc<Value>,
    /// The event that made it stand.
    pub seq: u64,
    /// It was made anew because it had become stale: the event with which a person said so. What becomes stale by it in
    /// turn is part of the same answer.
    pub redone: Option<u64>,
}

/// How a call ended without an output.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// It failed at what this fingerprint asks for.
    Failed {
        /// What it was asked to do.
        fingerprint: Fingerprint,
        /// Why.
        failure: Failure,
        /// The work that failed or was denied, where the journal has it.
        work: Option<Arc<Work>>,
    },
    /// It is not performed.
    Skipped {
        /// The cause, as a person reads it.
        because: String,
        /// The cause, where a flow decided and said it.
        cause: Option<SkipCause>,
        /// A person decided so: it holds whatever the call would be asked to do.
        by_person: bool,
    },
}

/// What the call would be asked to do since what it was made from changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// That.
    pub fingerprint: Fingerprint,
    /// The calls that changed.
    pub because: Vec<Key>,
}

/// A call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Its name.
    pub key: Key,
    /// The child workflow that declares its step; `None`: the run's own definition does.
    pub workflow: Option<String>,
    /// Its step.
    pub step: String,
    /// Where it stands.
    pub status: CallStatus,
    /// The item of a fan-out.
    pub item: Option<Arc<Value>>,
    /// The calls whose outputs its newest attempt used.
    pub depends: Vec<Key>,
    /// Oldest first.
    pub attempts: Vec<Attempt>,
    /// What later calls see.
    pub standing: Option<Standing>,
    /// What they saw before, oldest first.
    pub stood: Vec<Standing>,
    /// How it ended without an output.
    pub ending: Option<Ending>,
    /// What waits for a person.
    pub gates: OpenGates,
    /// Set while it is stale.
    pub stale: Option<Stale>,
    /// A person wants it performed although something stands, failed or was skipped.
    pub again: bool,
    /// As [`Standing::redone`], until a version stands.
    pub redone: Option<u64>,
    /// The work that a person allowed and that has not begun yet.
    pub approved: Option<Fingerprint>,
    /// The model that a person chose for its later attempts, in the place of the definition's.
    pub model: Option<String>,
    /// Attempts since a person last asked for it: what retry policies count.
    pub tries: u32,
    /// Not to be tried before.
    pub retry_at: Option<DateTime<Utc>>,
    /// What a person answered in the middle of the newest attempt.
    pub answer: Option<Arc<Value>>,
    /// The newest event about it.
    pub seq: u64,
    /// The first event about it.
    pub heard: u64,
    /// It has begun because of a decision that was undone: asked to do something else, it does so without a question.
    pub withdrawn: bool,
    /// The event that first settled it: a script is given its results in that order, whatever becomes of them later.
    pub settled: Option<u64>,
}

impl Call {
    /// A call that has just been heard of.
    #[must_use]
    pub fn new(key: Key, step: String) -> Self {
        Self {
            key,
            workflow: None,
            step,
            status: CallStatus::Pending,
            item: None,
            depends: Vec::new(),
            attempts: Vec::new(),
            standing: None,
            stood: Vec::new(),
            ending: None,
            gates: OpenGates::default(),
            stale: None,
            again: false,
            redone: None,
            approved: None,
            model: None,
            tries: 0,
            retry_at: None,
            answer: None,
            seq: 0,
            heard: 0,
            withdrawn: false,
            settled: None,
        }
    }

    /// Its step, named across all definitions of the run.
    #[must_use]
    pub fn of(&self) -> StepName<'_> {
        StepName { workflow: self.workflow.as_deref(), step: &self.step }
    }

    /// The work that it failed at, as far as that is known; `None` unless it has failed and waits for nothing.
    #[must_use]
    pub fn failed_work(&self) -> Option<Option<&Work>> {
        match &self.ending {
            Some(Ending::Failed { work, .. }) if self.status == CallStatus::Failed && self.gates.is_empty() => {
                Some(work.as_deref())
            }
            _ => None,
        }
    }

    /// Whether it is one of a step, by the child workflow that declares that and its id.
    #[must_use]
    pub fn is_of(&self, workflow: Option<&str>, step: &str) -> bool {
        self.of() == StepName { workflow, step }
    }

    /// The gate of the call as a whole; while it has none, the first of those of its tool calls.
    #[must_use]
    pub fn gate(&self) -> Option<&Gate> {
        self.gates.first()
    }

    /// The attempt of that number.
    #[must_use]
    pub fn attempt(&self, number: u32) -> Option<&Attempt> {
        // Numbers are places, but nothing relies on it for journals written by others.
        self.attempts.iter().rev().find(|attempt| attempt.number == number)
    }

    /// The attempt of that number, to be changed by an event.
    pub(super) fn attempt_mut(&mut self, number: u32) -> Option<&mut Attempt> {
        self.attempts.iter_mut().rev().find(|attempt| attempt.number == number)
    }

    /// The number of the attempt that would come next.
    #[must_use]
    pub fn next_attempt(&self) -> u32 {
        self.attempts.last().map_or(1, |attempt| attempt.number.saturating_add(1))
    }

    /// The newest attempt.
    #[must_use]
    pub fn newest(&self) -> Option<&Attempt> {
        self.attempts.last()
    }

    /// What it has to show: of an accepted call what was accepted, else the newest version of the newest attempt that has
    /// one. Attempt, version, output.
    #[must_use]
    pub fn output(&self) -> Option<(u32, u32, &Arc<Value>)> {
        if let (CallStatus::Accepted, Some(stands)) = (self.status, &self.standing) {
            return Some((stands.attempt, stands.version, &stands.output));
        }
        self.attempts
            .iter()
            .rev()
            .find_map(|attempt| attempt.newest().map(|(version, v)| (attempt.number, version, &v.output)))
            .or_else(|| self.standing.as_ref().map(|s| (s.attempt, s.version, &s.output)))
    }

    /// The attempt whose output it has to show; while it has none, the newest.
    #[must_use]
    pub fn shown_attempt(&self) -> Option<&Attempt> {
        self.output().and_then(|(attempt, ..)| self.attempt(attempt)).or_else(|| self.newest())
    }

    /// The output that stands for `fingerprint`.
    #[must_use]
    pub fn stands_for(&self, fingerprint: &Fingerprint) -> Option<&Standing> {
        self.standing.as_ref().filter(|standing| standing.fingerprint == *fingerprint)
    }

    /// The work with that fingerprint, as far as an approval or an attempt has shown it.
    #[must_use]
    pub fn work_of(&self, fingerprint: &Fingerprint) -> Option<Arc<Work>> {
        if let Some(GateBody::Approval(approval)) = self.gates.own().map(|gate| &gate.body)
            && approval.fingerprint == *fingerprint
        {
            return Some(Arc::clone(&approval.work));
        }
        let made = self.attempts.iter().rev().find(|attempt| attempt.fingerprint == *fingerprint);
        made.and_then(|attempt| attempt.work.clone())
    }

    /// What later calls saw when the event of that number came.
    #[must_use]
    pub fn stood_at(&self, seq: u64) -> Option<&Standing> {
        self.stood.iter().chain(&self.standing).rev().find(|standing| standing.seq <= seq)
    }

    /// Whether an outside effect of it has, or may have, happened: in this run, or in the one that it was adopted from.
    #[must_use]
    pub fn had_effect(&self) -> bool {
        self.attempts.iter().any(Attempt::had_effect)
    }
}
