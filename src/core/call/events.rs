//! What events make of a call.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Attempt, AttemptStatus, Call, CallStatus, Ending, Standing, Version};
use crate::core::actor::Actor;
use crate::core::event::{Measured, Started};
use crate::core::failure::Failure;
use crate::core::fingerprint::Fingerprint;
use crate::core::gate::{Gate, GateBody, GateKind};
use crate::core::text::Untrusted;
use crate::core::work::Work;

impl Call {
    pub(in crate::core) fn start(&mut self, seq: u64, at: DateTime<Utc>, started: &Started) {
        self.workflow.clone_from(&started.workflow);
        self.step.clone_from(&started.step);
        self.status = CallStatus::Running;
        self.gates.clear();
        self.stale = None;
        self.ending = None;
        self.approved = None;
        self.again = false;
        self.withdrawn = false;
        self.retry_at = None;
        self.tries += 1;
        self.item.clone_from(&started.item);
        self.depends.clone_from(&started.depends);
        for earlier in &mut self.attempts {
            // A form that was asked again, an effect that a person had run again: nobody waits for the old one.
            if matches!(earlier.status, AttemptStatus::Input | AttemptStatus::InDoubt) {
                earlier.status = AttemptStatus::Cancelled;
            }
        }
        let (by, fingerprint) = (started.by.clone(), started.fingerprint.clone());
        let calls_tools = matches!(started.work.as_deref(), Some(Work::Prompt(prompt)) if prompt.tools.is_some());
        self.attempts.push(Attempt {
            work: started.work.clone(),
            on_crash: started.on_crash,
            tool_use: calls_tools.then(Box::default),
            ..Attempt::begun(started.attempt, seq, at, by, fingerprint)
        });
    }

    /// Nobody wants it any more, and so it waits for nothing.
    pub(in crate::core) fn give_up(&mut self) {
        self.status = CallStatus::Cancelled;
        self.gates.clear();
        self.retry_at = None;
        self.again = false;
    }

    pub(in crate::core) fn fail_attempt(
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
        attempt.add_measured(measured);
        Some(attempt.fingerprint.clone())
    }

    /// The call has failed because of what its newest attempt gave: so has that attempt. `failed` are the checks that it fails.
    pub(in crate::core) fn give_up_attempt(&mut self, error: &Failure, failed: &[String]) {
        let waited = |attempt: &Attempt| match attempt.status {
            AttemptStatus::Review | AttemptStatus::Input | AttemptStatus::InDoubt => true,
            AttemptStatus::Running => attempt.tool_use.is_some(),
            _ => false,
        };
        if let Some(attempt) = self.attempts.last_mut().filter(|attempt| waited(attempt)) {
            attempt.status = AttemptStatus::Failed;
            attempt.error = Some(error.clone());
            let newest = attempt.versions.iter_mut().rev().find(|version| !version.withdrawn);
            if let Some(newest) = newest.filter(|_| !failed.is_empty()) {
                newest.failed = failed.to_vec();
            }
        }
    }

    pub(in crate::core) fn wait(&mut self, seq: u64, at: DateTime<Utc>, gate: &Gate) {
        self.gates.open(gate, seq, at);
        self.status = self.status_now();
        // A tool call that waits is a part of its attempt, which goes on.
        if let Some(tool_call) = gate.call {
            match gate.kind() {
                GateKind::InDoubt => self.tool_in_doubt(gate.attempt, tool_call),
                GateKind::Input => self.tool_asks(gate.attempt, tool_call),
                GateKind::Approval => self.tool_not_reached(gate.attempt, tool_call),
                _ => {}
            }
        } else if let Some(attempt) = self.attempt_mut(gate.attempt) {
            match &gate.body {
                GateBody::InDoubt(doubt) => {
                    attempt.status = AttemptStatus::InDoubt;
                    if !doubt.partial.is_empty() {
                        attempt.partial = doubt.partial.clone();
                    }
                }
                GateBody::Input(_) if attempt.by == Actor::Person => attempt.status = AttemptStatus::Input,
                GateBody::Review(review) => {
                    let place = gate.version.saturating_sub(1) as usize;
                    if let Some(version) = attempt.versions.get_mut(place) {
                        version.failed.clone_from(&review.failed);
                    }
                }
                _ => {}
            }
        }
    }

    /// How a call stands while this gate is what it waits at.
    pub(super) fn status_of(&self, gate: &Gate) -> CallStatus {
        match gate.kind() {
            GateKind::Review => CallStatus::Review,
            GateKind::Approval | GateKind::Tools => CallStatus::Approval,
            // A conversation asks for the next message after a turn that stands.
            GateKind::Input if self.status == CallStatus::Accepted => CallStatus::Accepted,
            GateKind::Input => CallStatus::Input,
            GateKind::InDoubt => CallStatus::InDoubt,
            GateKind::Stale => CallStatus::Stale,
            GateKind::Budget | GateKind::Secret => self.status_of_attempt(),
        }
    }

    pub(super) fn status_of_attempt(&self) -> CallStatus {
        let runs = self.newest().is_some_and(|attempt| attempt.status == AttemptStatus::Running);
        if runs { CallStatus::Running } else { CallStatus::Pending }
    }

    pub(in crate::core) fn accept(&mut self, seq: u64, number: u32, version: u32) {
        let Some(attempt) = self.attempt_mut(number) else { return };
        let Some(taken) = attempt.versions.get_mut(version.saturating_sub(1) as usize) else { return };
        taken.withdrawn = false;
        let output = Arc::clone(&taken.output);
        attempt.status = AttemptStatus::Accepted;
        let fingerprint = attempt.fingerprint.clone();
        self.stand(Standing { attempt: number, version, fingerprint, output, seq, redone: self.redone });
    }

    /// An earlier attempt than the newest was taken: nobody judges the later ones any more.
    pub(in crate::core) fn pass_over(&mut self, taken: u32) {
        for later in self.attempts.iter_mut().filter(|attempt| attempt.number > taken) {
            if later.status == AttemptStatus::Review {
                later.status = AttemptStatus::PassedOver;
            }
        }
    }

    pub(in crate::core) fn stand(&mut self, standing: Standing) {
        self.status = CallStatus::Accepted;
        self.gates.clear();
        self.stale = None;
        self.ending = None;
        self.again = false;
        self.withdrawn = false;
        self.redone = None;
        self.retry_at = None;
        // It is what counts, whatever an attempt that was stopped might still have given.
        self.begins_again();
        self.stood.extend(self.standing.replace(standing));
    }

    /// A result that was made elsewhere stands here, as an attempt of its own.
    pub(in crate::core) fn take_over(
        &mut self,
        seq: u64,
        at: DateTime<Utc>,
        by: Actor,
        fingerprint: &Fingerprint,
        output: &Arc<Value>,
    ) {
        let number = self.next_attempt();
        self.attempts.push(Attempt {
            versions: vec![Version::new(by.clone(), Arc::clone(output))],
            ..Attempt::begun(number, seq, at, by, fingerprint.clone())
        });
        self.accept(seq, number, 1);
    }

    /// An answer is the output of a form; in the middle of a command it only lets that go on.
    pub(in crate::core) fn answered(
        &mut self,
        (seq, at): (u64, DateTime<Utc>),
        number: u32,
        value: &Arc<Value>,
        by: &Actor,
    ) {
        let waited = self.gates.open_for(None, at);
        let Some(attempt) = self.attempt_mut(number) else { return };
        if attempt.by == Actor::Program && attempt.status == AttemptStatus::Running {
            attempt.waited_ms = attempt.waited_ms.saturating_add(waited);
            self.gates.close(None);
            self.status = CallStatus::Running;
            self.answer = Some(Arc::clone(value));
            return;
        }
        attempt.versions.push(Version::new(by.clone(), Arc::clone(value)));
        let version = u32::try_from(attempt.versions.len()).unwrap_or(u32::MAX);
        self.accept(seq, number, version);
    }

    pub(in crate::core) fn keep(&mut self, seq: u64, fingerprint: &Fingerprint) {
        self.stale = None;
        self.gates.clear();
        if self.standing.is_some() {
            self.begins_again();
        }
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

    /// A person gives the output of a call that failed before any attempt at what it was asked to do: the attempt is
    /// theirs.
    pub(in crate::core) fn fill(&mut self, seq: u64, at: DateTime<Utc>, by: &Actor) {
        let Some(Ending::Failed { fingerprint, work, .. }) = self.ending.clone() else { return };
        self.attempts.push(Attempt {
            status: AttemptStatus::Review,
            work,
            ..Attempt::begun(self.next_attempt(), seq, at, by.clone(), fingerprint)
        });
    }

    pub(in crate::core) fn restore(&mut self, fingerprint: &Fingerprint) {
        self.withdrawn = false;
        self.stale = None;
        self.gates.clear();
        self.status = match &self.standing {
            Some(standing) if standing.fingerprint == *fingerprint => CallStatus::Accepted,
            _ => CallStatus::Pending,
        };
    }
}
