//! A call, its attempts and their versions, as the events of a run have made them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::actor::Actor;
use super::event::{InstructionScope, Measured, SkipCause, Started};
use super::failure::Failure;
use super::fingerprint::Fingerprint;
use super::gate::{Gate, GateBody, GateKind, OpenGates};
use super::key::Key;
use super::step::OnCrash;
use super::step_name::StepName;
use super::text::Untrusted;
use super::tool_call::ToolCallId;
use super::work::Work;

/// Where a call stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// Why its output cannot be accepted as it is.
    pub problem: Option<String>,
    /// The text that had arrived when it was broken off or failed.
    pub partial: Untrusted,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// What it took.
    pub measured: Measured,
    /// What a crash does to it.
    pub on_crash: OnCrash,
}

impl Attempt {
    /// The newest version's number and output.
    #[must_use]
    pub fn newest(&self) -> Option<(u32, &Version)> {
        let version = self.versions.last()?;
        Some((u32::try_from(self.versions.len()).unwrap_or(u32::MAX), version))
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
            settled: None,
        }
    }

    /// Its step, named across all definitions of the run.
    #[must_use]
    pub fn of(&self) -> StepName<'_> {
        StepName { workflow: self.workflow.as_deref(), step: &self.step }
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

    /// The newest version of the newest attempt that has one: attempt, version, output.
    #[must_use]
    pub fn output(&self) -> Option<(u32, u32, &Arc<Value>)> {
        self.attempts
            .iter()
            .rev()
            .find_map(|attempt| attempt.newest().map(|(version, v)| (attempt.number, version, &v.output)))
            .or_else(|| self.standing.as_ref().map(|s| (s.attempt, s.version, &s.output)))
    }

    /// The output that stands for `fingerprint`.
    #[must_use]
    pub fn stands_for(&self, fingerprint: &Fingerprint) -> Option<&Standing> {
        self.standing.as_ref().filter(|standing| standing.fingerprint == *fingerprint)
    }

    /// What later calls saw when the event of that number came.
    #[must_use]
    pub fn stood_at(&self, seq: u64) -> Option<&Standing> {
        self.stood.iter().chain(&self.standing).rev().find(|standing| standing.seq <= seq)
    }

    /// Whether an outside effect of it has, or may have, happened in this run.
    #[must_use]
    pub fn had_effect(&self) -> bool {
        self.attempts.iter().any(|attempt| attempt.work.as_ref().is_some_and(|work| work.has_effect()))
    }
}

/// What events make of a call.
impl Call {
    pub(super) fn start(&mut self, seq: u64, at: DateTime<Utc>, started: &Started) {
        self.workflow.clone_from(&started.workflow);
        self.step.clone_from(&started.step);
        self.status = CallStatus::Running;
        self.gates.clear();
        self.stale = None;
        self.ending = None;
        self.approved = None;
        self.again = false;
        self.retry_at = None;
        self.tries += 1;
        self.item.clone_from(&started.item);
        self.depends.clone_from(&started.depends);
        for earlier in &mut self.attempts {
            // A form that was asked anew, an effect that a person had run again: nobody waits for the old one.
            if matches!(earlier.status, AttemptStatus::Input | AttemptStatus::InDoubt) {
                earlier.status = AttemptStatus::Cancelled;
            }
        }
        self.attempts.push(Attempt {
            number: started.attempt,
            seq,
            status: AttemptStatus::Running,
            by: started.by.clone(),
            fingerprint: started.fingerprint.clone(),
            work: started.work.clone(),
            versions: Vec::new(),
            instruction: None,
            error: None,
            problem: None,
            partial: Untrusted::default(),
            started_at: at,
            measured: Measured::default(),
            on_crash: started.on_crash,
        });
    }

    pub(super) fn under_way_ended(&mut self) {
        self.gates.clear();
    }

    pub(super) fn fail_attempt(
        &mut self,
        number: u32,
        error: &Failure,
        partial: &Untrusted,
        measured: &Measured,
    ) -> Option<Fingerprint> {
        let attempt = self.attempt_mut(number)?;
        attempt.status = AttemptStatus::Failed;
        attempt.error = Some(error.clone());
        attempt.partial = partial.clone();
        attempt.measured = measured.clone();
        Some(attempt.fingerprint.clone())
    }

    /// The call has failed because of what its newest attempt gave: so has that attempt.
    pub(super) fn give_up_attempt(&mut self, error: &Failure) {
        if let Some(attempt) = self.attempts.last_mut()
            && matches!(attempt.status, AttemptStatus::Review | AttemptStatus::Input | AttemptStatus::InDoubt)
        {
            attempt.status = AttemptStatus::Failed;
            attempt.error = Some(error.clone());
        }
    }

    pub(super) fn wait(&mut self, at: DateTime<Utc>, gate: &Gate) {
        self.gates.open(gate, at);
        self.status = self.gates.first().map_or(self.status, |first| self.status_of(first));
        // A tool call that waits is a part of its attempt, which goes on.
        if gate.call.is_none()
            && let Some(attempt) = self.attempt_mut(gate.attempt)
        {
            match &gate.body {
                GateBody::InDoubt(doubt) => {
                    attempt.status = AttemptStatus::InDoubt;
                    if !doubt.partial.is_empty() {
                        attempt.partial = doubt.partial.clone();
                    }
                }
                GateBody::Input(_) if attempt.by == Actor::Person => attempt.status = AttemptStatus::Input,
                _ => {}
            }
        }
    }

    /// How a call stands while this gate is what it waits at.
    fn status_of(&self, gate: &Gate) -> CallStatus {
        match gate.kind() {
            GateKind::Review => CallStatus::Review,
            GateKind::Approval => CallStatus::Approval,
            // A conversation asks for the next message after a turn that stands.
            GateKind::Input if self.status == CallStatus::Accepted => CallStatus::Accepted,
            GateKind::Input => CallStatus::Input,
            GateKind::InDoubt => CallStatus::InDoubt,
            GateKind::Stale => CallStatus::Stale,
            GateKind::Budget | GateKind::Secret => self.status_of_attempt(),
        }
    }

    fn status_of_attempt(&self) -> CallStatus {
        let runs = self.newest().is_some_and(|attempt| attempt.status == AttemptStatus::Running);
        if runs { CallStatus::Running } else { CallStatus::Pending }
    }

    /// A person answered about one tool call; what else waits goes on waiting.
    pub(super) fn tool_call_answered(&mut self, tool_call: ToolCallId) {
        if self.gates.close(Some(tool_call)) {
            self.status = self.gates.first().map_or_else(|| self.status_of_attempt(), |gate| self.status_of(gate));
        }
    }

    pub(super) fn accept(&mut self, seq: u64, number: u32, version: u32) {
        let Some(attempt) = self.attempt_mut(number) else { return };
        let Some(output) = attempt.versions.get(version.saturating_sub(1) as usize).map(|v| Arc::clone(&v.output))
        else {
            return;
        };
        attempt.status = AttemptStatus::Accepted;
        let fingerprint = attempt.fingerprint.clone();
        self.stand(Standing { attempt: number, version, fingerprint, output, seq, redone: self.redone });
    }

    pub(super) fn stand(&mut self, standing: Standing) {
        self.status = CallStatus::Accepted;
        self.gates.clear();
        self.stale = None;
        self.ending = None;
        self.again = false;
        self.redone = None;
        self.retry_at = None;
        self.stood.extend(self.standing.replace(standing));
    }

    /// A result that was made elsewhere stands here, as an attempt of its own.
    pub(super) fn take_over(
        &mut self,
        seq: u64,
        at: DateTime<Utc>,
        by: Actor,
        fingerprint: &Fingerprint,
        output: &Arc<Value>,
    ) {
        let number = self.next_attempt();
        self.attempts.push(Attempt {
            number,
            seq,
            status: AttemptStatus::Accepted,
            by: by.clone(),
            fingerprint: fingerprint.clone(),
            work: None,
            versions: vec![Version { by, output: Arc::clone(output) }],
            instruction: None,
            error: None,
            problem: None,
            partial: Untrusted::default(),
            started_at: at,
            measured: Measured::default(),
            on_crash: OnCrash::Rerun,
        });
        self.accept(seq, number, 1);
    }

    /// An answer is the output of a form; in the middle of a command it only lets that go on.
    pub(super) fn answered(&mut self, seq: u64, number: u32, value: &Arc<Value>, by: &Actor) {
        let Some(attempt) = self.attempt_mut(number) else { return };
        if attempt.by == Actor::Program && attempt.status == AttemptStatus::Running {
            self.gates.close(None);
            self.status = CallStatus::Running;
            self.answer = Some(Arc::clone(value));
            return;
        }
        attempt.versions.push(Version { by: by.clone(), output: Arc::clone(value) });
        let version = u32::try_from(attempt.versions.len()).unwrap_or(u32::MAX);
        self.accept(seq, number, version);
    }

    pub(super) fn keep(&mut self, seq: u64, fingerprint: &Fingerprint) {
        self.stale = None;
        self.gates.clear();
        if let Some(standing) = &mut self.standing {
            self.stood.push(standing.clone());
            standing.fingerprint = fingerprint.clone();
            standing.seq = seq;
            standing.redone = None;
            self.status = CallStatus::Accepted;
        } else if let Some(attempt) = self.attempts.last_mut() {
            attempt.fingerprint = fingerprint.clone();
            self.status = CallStatus::Pending;
        }
    }

    pub(super) fn restore(&mut self, fingerprint: &Fingerprint) {
        self.stale = None;
        self.gates.clear();
        self.status = match &self.standing {
            Some(standing) if standing.fingerprint == *fingerprint => CallStatus::Accepted,
            _ => CallStatus::Pending,
        };
    }
}
