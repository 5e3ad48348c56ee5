//! What a person's decision changed, kept so that it can go back, and the fold of taking it back.
//!
//! A run remembers the decisions of persons that can be undone, oldest first; one that cannot be undone takes those before
//! it out of reach, because only the newest is ever undone. Whether it may be is [`crate::core::decide::undo`]'s to say:
//! the fold only puts back what was.
//!
//! Nothing is lost: an attempt, a version and an output that stood stay in the run, and what has begun because of the
//! decision is used again if it is asked for again. The gates themselves are opened again by events that follow, so that
//! their time begins again.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::actor::Actor;
use super::call::{AttemptStatus, Call, CallStatus, Ending, Stale, Standing};
use super::event::{Event, FlowDecision};
use super::fingerprint::Fingerprint;
use super::gate::{Gate, OpenGates};
use super::key::Key;
use super::run::Run;
use super::task::Kind;

/// A decision of a person, with what it takes to undo it.
#[derive(Clone, Debug, PartialEq)]
pub struct PastDecision {
    /// The event that was the decision.
    pub seq: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who decided.
    pub by: Actor,
    /// What it changed.
    pub change: Change,
}

/// What a decision changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A call was accepted, skipped, kept, answered or reopened.
    Call {
        /// The call.
        key: Key,
        /// What was done, for messages: `accept`, `skip` …
        what: &'static str,
        /// The call as it was.
        before: Arc<CallBefore>,
    },
    /// An output was edited.
    Edit {
        /// The call.
        key: Key,
        /// The attempt.
        attempt: u32,
        /// The version that the edit made.
        version: u32,
        /// The gate before it; `None`: the call did not wait.
        gate: Option<Arc<Gate>>,
    },
    /// A document was edited.
    Document {
        /// Its name.
        name: String,
        /// The version that the edit made.
        version: u32,
        /// The version that counted before.
        before: u32,
    },
    /// It was said which version of an edited document counts.
    Choice {
        /// Its name.
        name: String,
        /// What was done, for messages: `keep` or `rebuild`.
        what: &'static str,
        /// The version that counted before, and the one from the steps that it was made from.
        before: (u32, u32),
        /// The question.
        gate: Arc<Gate>,
    },
    /// The run was renamed.
    Title {
        /// What it was called before.
        before: String,
    },
    /// The run was archived.
    Archive,
    /// Something that cannot be undone.
    Final {
        /// What, for messages.
        what: &'static str,
        /// The call that it was about.
        key: Option<Key>,
    },
}

/// What of a call a decision changes.
#[derive(Clone, Debug, PartialEq)]
pub struct CallBefore {
    /// What waited.
    pub gates: OpenGates,
    status: CallStatus,
    standing: Option<Standing>,
    ending: Option<Ending>,
    stale: Option<Stale>,
    again: bool,
    redone: Option<u64>,
    approved: Option<Fingerprint>,
    retry_at: Option<DateTime<Utc>>,
    /// The newest attempt.
    attempts: u32,
    /// The attempt that was decided about, and how it had ended.
    attempt: Option<(u32, AttemptStatus)>,
    /// The version that the decision itself made, of that attempt.
    made: Option<u32>,
    /// The attempts after it that nobody had judged.
    open: Vec<u32>,
}

impl CallBefore {
    fn of(call: &Call, attempt: Option<u32>, makes_version: bool) -> Self {
        let about = attempt.and_then(|number| call.attempt(number));
        let next = |versions: usize| u32::try_from(versions).unwrap_or(u32::MAX).saturating_add(1);
        Self {
            gates: call.gates.clone(),
            status: call.status,
            standing: call.standing.clone(),
            ending: call.ending.clone(),
            stale: call.stale.clone(),
            again: call.again,
            redone: call.redone,
            approved: call.approved.clone(),
            retry_at: call.retry_at,
            attempts: call.newest().map_or(0, |attempt| attempt.number),
            attempt: about.map(|attempt| (attempt.number, attempt.status)),
            open: call
                .attempts
                .iter()
                .filter(|later| later.status == AttemptStatus::Review && Some(later.number) > attempt)
                .map(|later| later.number)
                .collect(),
            made: about.filter(|_| makes_version).map(|attempt| next(attempt.versions.len())),
        }
    }

    /// The number of its newest attempt.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }
}

impl Run {
    /// What an event changes, if it is a person's decision; asked before the event is folded in.
    pub(super) fn decision(&self, seq: u64, event: &Event) -> Option<(Actor, Change)> {
        let call = |key: &Key, what, attempt, makes_version| {
            let before = self.call(key).map(|call| Arc::new(CallBefore::of(call, attempt, makes_version)));
            match before {
                // What is said in a conversation was heard by the model.
                Some(before) if self.kind == Kind::Workflow => Change::Call { key: key.clone(), what, before },
                _ => Change::Final { what, key: Some(key.clone()) },
            }
        };
        let for_good = |what, key: Option<&Key>| Change::Final { what, key: key.cloned() };
        let (by, change) = match event {
            Event::CallAccepted { key, attempt, by, .. } => (by, call(key, "accept", Some(*attempt), false)),
            Event::CallSkipped { key, call: None, by, .. } => {
                let about = self.call(key).and_then(Call::newest).map(|attempt| attempt.number);
                (by, call(key, "skip", about, false))
            }
            // Accepting what was made for something else keeps it for what is asked now: one decision.
            Event::CallKept { key, by, .. } if self.accepted_just_before(seq, key, by) => return None,
            Event::CallKept { key, by, .. } => (by, call(key, "keep", None, false)),
            Event::CallReopened { key, by } => (by, call(key, "reopen", None, false)),
            Event::CallAnswered { key, call: None, attempt, by, .. } if !self.answers_a_program(key, *attempt) => {
                (by, call(key, "answer", Some(*attempt), true))
            }
            Event::VersionEdited { key, attempt, version, by, .. } => {
                let gate = self.call(key).and_then(|call| call.gates.own()).cloned().map(Arc::new);
                (by, Change::Edit { key: key.clone(), attempt: *attempt, version: *version, gate })
            }
            Event::DocumentWritten { name, by, .. } if self.documents.contains_key(name) => {
                let document = self.documents.get(name)?;
                let (version, before) = (document.next_version(), document.current);
                (by, Change::Document { name: name.clone(), version, before })
            }
            Event::DocumentChosen { name, version, by } => {
                let document = self.documents.get(name)?;
                let gate = Arc::new(document.gate.clone()?);
                let what = if *version == gate.version { "rebuild" } else { "keep" };
                let before = (document.current, document.made);
                (by, Change::Choice { name: name.clone(), what, before, gate })
            }
            Event::RunRenamed { by, .. } => (by, Change::Title { before: self.title.clone() }),
            Event::RunArchived { undo: false, by } if !self.archived => (by, Change::Archive),
            Event::CallSkipped { key, by, .. } => (by, for_good("skip", Some(key))),
            Event::CallAnswered { key, by, .. } => (by, for_good("answer", Some(key))),
            Event::AttemptRejected { key, by, .. } => (by, for_good("retry", Some(key))),
            Event::CallApproved { key, by, .. } => (by, for_good("approve", Some(key))),
            Event::CallFailed { key, by, .. } => (by, for_good("deny", Some(key))),
            Event::CallRequested { key, by, .. } => (by, for_good("again", Some(key))),
            Event::BudgetRaised { by, .. } => (by, for_good("budget", None)),
            Event::MessageAdded { by, .. } => (by, for_good("message", None)),
            Event::RunUpdated { by, .. } => (by, for_good("update", None)),
            Event::RunCancelled { by } => (by, for_good("cancel", None)),
            _ => return None,
        };
        by.is_person().then(|| (by.clone(), change))
    }

    fn accepted_just_before(&self, seq: u64, key: &Key, by: &Actor) -> bool {
        self.decisions.last().is_some_and(|newest| {
            newest.seq + 1 == seq
                && newest.by == *by
                && matches!(&newest.change, Change::Call { key: accepted, what: "accept", .. } if accepted == key)
        })
    }

    /// A program that asked in the middle of its work has gone on with the answer.
    fn answers_a_program(&self, key: &Key, attempt: u32) -> bool {
        let attempt = self.call(key).and_then(|call| call.attempt(attempt));
        attempt.is_some_and(|attempt| attempt.by == Actor::Program && attempt.status == AttemptStatus::Running)
    }

    pub(super) fn remember_decision(&mut self, seq: u64, at: DateTime<Utc>, (by, change): (Actor, Change)) {
        if matches!(change, Change::Final { .. }) {
            self.decisions.clear();
        }
        self.decisions.push(PastDecision { seq, at, by, change });
    }

    /// Takes the newest decision back, if it is the one with that number.
    pub(super) fn undone(&mut self, seq: u64, decided: u64, withdraws: &[Key]) {
        let Some(PastDecision { change, .. }) = self.decisions.pop_if(|newest| newest.seq == decided) else { return };
        match change {
            Change::Call { key, before, .. } => {
                if let Some(call) = self.calls.get_mut(&key) {
                    call.go_back(seq, &before);
                }
                self.forget_what_followed(decided, &key, withdraws);
            }
            Change::Edit { key, attempt, version, gate } => {
                let Some(call) = self.calls.get_mut(&key) else { return };
                call.withdraw_version(attempt, version);
                if let (Some(before), Some(now)) = (gate, call.gates.own_mut()) {
                    now.clone_from(&before);
                }
            }
            Change::Document { name, version, before } => self.take_edit_back(&name, version, before),
            Change::Choice { name, before: (current, made), .. } => self.take_choice_back(&name, current, made),
            Change::Title { before } => self.title = before,
            // It was brought back by this event, as by any other.
            Change::Archive | Change::Final { .. } => {}
        }
    }

    /// The flow's own decisions that followed, and what has begun, do not count for now.
    fn forget_what_followed(&mut self, decided: u64, key: &Key, withdraws: &[Key]) {
        for of_call in self.decided.values_mut() {
            // What code was told, and when, stays: it would not be the same code otherwise.
            let told = |what: &FlowDecision| matches!(what, FlowDecision::Now | FlowDecision::Settled);
            of_call.retain(|decision| decision.seq < decided || told(&decision.what));
        }
        self.decided.retain(|_, of_call| !of_call.is_empty());
        let at_the_end = Key::plain("state");
        for set in self.set_state.values_mut() {
            set.retain(|by, _| !key.is_within(by) && !withdraws.contains(by) && *by != at_the_end);
        }
        self.set_state.retain(|_, set| !set.is_empty());
        for withdrawn in withdraws {
            if let Some(call) = self.calls.get_mut(withdrawn) {
                call.withdraw();
            }
        }
    }
}

impl Call {
    fn go_back(&mut self, seq: u64, before: &CallBefore) {
        let same = |a: &Standing, b: &Standing| a.seq == b.seq;
        let unchanged = match (&self.standing, &before.standing) {
            (Some(now), Some(before)) => same(now, before),
            (None, None) => true,
            _ => false,
        };
        if !unchanged {
            // What stood meanwhile did stand: attempts were made from it.
            self.stood.extend(self.standing.take());
            self.standing = before.standing.clone().map(|standing| Standing { seq, ..standing });
        }
        // They are opened by the events that follow.
        self.gates.clear();
        self.status = before.status;
        self.ending.clone_from(&before.ending);
        self.stale.clone_from(&before.stale);
        self.again = before.again;
        self.redone = before.redone;
        self.approved.clone_from(&before.approved);
        self.retry_at = before.retry_at;
        for number in &before.open {
            if let Some(attempt) = self.attempt_mut(*number) {
                attempt.status = AttemptStatus::Review;
            }
        }
        if let Some((number, status)) = before.attempt {
            if let Some(made) = before.made {
                self.withdraw_version(number, made);
            }
            if let Some(attempt) = self.attempt_mut(number) {
                attempt.status = status;
            }
        }
    }

    /// It has begun because of a decision that was taken back.
    fn withdraw(&mut self) {
        self.gates.clear();
        self.stale = None;
        self.ending = None;
        self.retry_at = None;
        self.again = false;
        self.tries = 0;
        self.withdrawn = true;
        let newest = self.newest().map(|attempt| attempt.status);
        self.status = match newest {
            // Whoever performs it breaks it off, and says so.
            Some(AttemptStatus::Running) => CallStatus::Running,
            Some(AttemptStatus::Cancelled) | None => CallStatus::Pending,
            // What it has is looked at again once it is asked for.
            Some(_) => CallStatus::Cancelled,
        };
    }

    fn withdraw_version(&mut self, attempt: u32, version: u32) {
        let attempt = self.attempt_mut(attempt);
        let version = attempt.and_then(|attempt| attempt.versions.get_mut(version.saturating_sub(1) as usize));
        if let Some(version) = version {
            version.withdrawn = true;
        }
    }
}
