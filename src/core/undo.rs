//! What a person's decision changed, kept so that it can go back, and the fold of taking it back.
//!
//! A run remembers the decisions of persons that can be undone, oldest first; one that cannot be undone takes those before
//! it out of reach, because only the newest is ever undone. Whether it may be is [`crate::core::decide::undo`]'s to say:
//! the fold only puts back what was.
//!
//! What follows from what is accepted, and is not a fact of its own, is what it was when the decision came: the state that
//! calls set and what the flow decided keep what they were before ([`super::revised::Revised`]). The flow says it again as far as it is still
//! so.
//!
//! Nothing is lost: an attempt, a version and an output that was accepted stay in the run, and what has begun because of
//! the decision is used again if it is asked for again. The gates themselves are opened again by events that follow, so
//! that their time begins again.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::actor::Actor;
use super::call::{AttemptStatus, Call, CallStatus, Ending, Stale, Standing};
use super::event::{Event, FlowDecision};
use super::fingerprint::Fingerprint;
use super::gate::{Gate, OpenGates};
use super::key::Key;
use super::run::{Decided, Run};
use super::task::Kind;

/// So many decisions can be undone at most: each keeps what it takes.
const MOST_KEPT: usize = 200;

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
    /// The calls that have changed since, as they were; `None`: it had not been heard of.
    touched: HashMap<Key, Option<Arc<CallBefore>>>,
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
    /// An action was asked for.
    Action {
        /// The call that performs it.
        key: Key,
        /// The action's id.
        action: String,
        /// The document.
        document: String,
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
    tries: u32,
    depends: Vec<Key>,
    withdrawn: bool,
    attempts: Vec<Judged>,
}

/// What decisions have made of an attempt.
#[derive(Clone, Debug, PartialEq)]
struct Judged {
    number: u32,
    status: AttemptStatus,
    /// Of each version, whether its edit was undone.
    withdrawn: Vec<bool>,
}

impl CallBefore {
    fn of(call: &Call) -> Self {
        let judged = call.attempts.iter().map(|attempt| Judged {
            number: attempt.number,
            status: attempt.status,
            withdrawn: attempt.versions.iter().map(|version| version.withdrawn).collect(),
        });
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
            tries: call.tries,
            depends: call.depends.clone(),
            withdrawn: call.withdrawn,
            attempts: judged.collect(),
        }
    }

    /// The number of its newest attempt.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts.last().map_or(0, |newest| newest.number)
    }
}

impl Run {
    /// What an event changes, if it is a person's decision; asked before the event is folded in.
    pub(super) fn decision(&self, seq: u64, event: &Event) -> Option<(Actor, Change)> {
        let by = event.decided_by().filter(|by| by.is_person())?;
        let call = |key: &Key, what| {
            let before = self.call(key).map(|call| Arc::new(CallBefore::of(call)));
            match before {
                // What is said in a conversation was heard by the model.
                Some(before) if self.kind == Kind::Workflow => Change::Call { key: key.clone(), what, before },
                _ => Change::Final { what, key: Some(key.clone()) },
            }
        };
        let for_good = |what, key: Option<&Key>| Change::Final { what, key: key.cloned() };
        let change = match event {
            Event::CallAccepted { key, .. } => call(key, "accept"),
            Event::CallSkipped { key, call: None, .. } => call(key, "skip"),
            // Accepting what was made for something else keeps it for what is asked now: one decision.
            Event::CallKept { key, .. } if self.accepted_just_before(seq, key, by) => return None,
            Event::CallKept { key, .. } => call(key, "keep"),
            Event::CallReopened { key, .. } => call(key, "reopen"),
            Event::CallAnswered { key, call: None, attempt, .. } if !self.answers_a_program(key, *attempt) => {
                call(key, "answer")
            }
            Event::VersionEdited { key, attempt, version, .. } => {
                let gate = self.call(key).and_then(|call| call.gates.own()).cloned().map(Arc::new);
                Change::Edit { key: key.clone(), attempt: *attempt, version: *version, gate }
            }
            Event::DocumentWritten { name, .. } if self.documents.contains_key(name) => {
                let document = self.documents.get(name)?;
                let (version, before) = (document.next_version(), document.current);
                Change::Document { name: name.clone(), version, before }
            }
            Event::ActionRequested { key, action, document, version, .. } => {
                let (key, action, document) = (key.clone(), action.clone(), document.clone());
                Change::Action { key, action, document, before: *version }
            }
            Event::DocumentChosen { name, version, .. } => {
                let document = self.documents.get(name)?;
                let gate = Arc::new(document.gate.clone()?);
                let what = if *version == gate.version { "rebuild" } else { "keep" };
                let before = (document.current, document.made);
                Change::Choice { name: name.clone(), what, before, gate }
            }
            Event::DocumentWritten { .. } => for_good("first version of a document", None),
            Event::RunRenamed { .. } => Change::Title { before: self.title.clone() },
            Event::RunArchived { undo: false, .. } if !self.archived => Change::Archive,
            Event::CallSkipped { key, .. } => for_good("skip", Some(key)),
            Event::CallAnswered { key, .. } => for_good("answer", Some(key)),
            Event::AttemptRejected { key, .. } => for_good("retry", Some(key)),
            Event::CallApproved { key, .. } => for_good("approve", Some(key)),
            Event::CallFailed { key, .. } => for_good("deny", Some(key)),
            Event::CallRequested { key, .. } => for_good("again", Some(key)),
            Event::ModelChosen { key, .. } => for_good("model", Some(key)),
            Event::BudgetRaised { .. } => for_good("budget", None),
            Event::MessageAdded { .. } => for_good("message", None),
            Event::RunUpdated { .. } => for_good("update", None),
            Event::RunCancelled { .. } => for_good("cancel", None),
            _ => return None,
        };
        Some((by.clone(), change))
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
        if self.decisions.len() >= MOST_KEPT {
            self.decisions.remove(0);
        }
        self.decisions.push(PastDecision { seq, at, by, change, touched: HashMap::new() });
    }

    /// Keeps a call as it is, before an event changes it, for the undo of the newest decision.
    pub(super) fn remember_call(&mut self, key: &Key) {
        let Some(newest) = self.decisions.last_mut().filter(|_| self.kind == Kind::Workflow) else { return };
        if matches!(newest.change, Change::Final { .. }) || newest.touched.contains_key(key) {
            return;
        }
        let before = self.calls.get(key).map(|call| Arc::new(CallBefore::of(call)));
        newest.touched.insert(key.clone(), before);
    }

    /// Who brings a run back that was put away has taken that decision back.
    pub(super) fn brought_back(&mut self) {
        self.decisions.pop_if(|newest| newest.change == Change::Archive);
    }

    /// Takes the newest decision back, if it is the one with that number.
    pub(super) fn undone(&mut self, seq: u64, decided: u64, withdraws: &[Key]) {
        let undone = self.decisions.pop_if(|newest| newest.seq == decided);
        let Some(PastDecision { change, touched, .. }) = undone else { return };
        match change {
            Change::Call { key, before, .. } => {
                if let Some(call) = self.calls.get_mut(&key) {
                    call.go_back(seq, &before);
                    // They are opened by the events that follow.
                    call.gates.clear();
                }
                self.take_back_what_followed(decided, &key, withdraws);
                for withdrawn in withdraws {
                    let before = touched.get(withdrawn).cloned().flatten();
                    if let Some(call) = self.calls.get_mut(withdrawn) {
                        call.withdraw(seq, before.as_deref());
                    }
                }
            }
            Change::Edit { key, attempt, version, gate } => {
                let Some(call) = self.calls.get_mut(&key) else { return };
                call.withdraw_version(attempt, version);
                if let (Some(before), Some(now)) = (gate, call.gates.own_mut()) {
                    now.clone_from(&before);
                }
            }
            Change::Document { name, version, before } => self.take_edit_back(&name, version, before),
            Change::Action { key, before, .. } => self.take_action_back(&key, before),
            Change::Choice { name, before: (current, made), .. } => self.take_choice_back(&name, current, made),
            Change::Title { before } => self.title = before,
            // It was brought back by this event, as by any other.
            Change::Archive | Change::Final { .. } => {}
        }
        // What has changed since this one has changed since the one before it, too.
        if let Some(newest) = self.decisions.last_mut().filter(|newest| !matches!(newest.change, Change::Final { .. }))
        {
            for (key, before) in touched {
                newest.touched.entry(key).or_insert(before);
            }
        }
    }

    /// What calls set and what the flow decided since is as it was.
    fn take_back_what_followed(&mut self, decided: u64, key: &Key, withdraws: &[Key]) {
        for (of, decisions) in &mut self.decided {
            decisions.retain_mut(|made| stays(of, made, key, withdraws) || made.go_back_to(decided));
        }
        self.decided.retain(|_, decisions| !decisions.is_empty());
        for set in self.set_state.values_mut() {
            set.retain(|_, value| value.go_back_to(decided));
        }
        self.set_state.retain(|_, set| !set.is_empty());
    }
}

/// Whether a decision of the flow stays although a person's before it was taken back: it cannot be made again as it was.
fn stays(of: &Key, made: &Decided, key: &Key, withdraws: &[Key]) -> bool {
    match made.what {
        // What code was told, and when: it would not be the same code otherwise.
        FlowDecision::Now | FlowDecision::Settled => true,
        // Who came first did so, unless that is what was taken back.
        FlowDecision::First => made.value.as_str().is_some_and(|first| {
            let first = of.beside(first);
            !std::iter::once(key).chain(withdraws).any(|taken_back| taken_back.is_of(&first))
        }),
        _ => false,
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
        self.gates.clone_from(&before.gates);
        self.status = before.status;
        self.ending.clone_from(&before.ending);
        self.stale.clone_from(&before.stale);
        self.again = before.again;
        self.redone = before.redone;
        self.approved.clone_from(&before.approved);
        self.retry_at = before.retry_at;
        self.tries = before.tries;
        self.depends.clone_from(&before.depends);
        self.withdrawn = before.withdrawn;
        for judged in &before.attempts {
            // The end of an attempt is a fact.
            let ended = judged.status != AttemptStatus::Running;
            let Some(attempt) = self.attempt_mut(judged.number).filter(|_| ended) else { continue };
            attempt.status = judged.status;
            for (at, version) in attempt.versions.iter_mut().enumerate() {
                // One that was not there was made by the decision itself.
                version.withdrawn = judged.withdrawn.get(at).copied().unwrap_or(true);
            }
        }
    }

    /// It has moved because of a decision that was taken back: it is as it was before; what it has made since is used again
    /// if it is asked for again.
    fn withdraw(&mut self, seq: u64, before: Option<&CallBefore>) {
        let newest = self.newest().map(|attempt| (attempt.number, attempt.status));
        let Some(before) = before else { return self.begun_in_vain() };
        let failed = self.ending.take_if(|ending| matches!(ending, Ending::Failed { .. }));
        self.go_back(seq, before);
        let Some((_, status)) = newest.filter(|(number, _)| *number > before.attempts()) else { return };
        self.withdrawn = true;
        if self.ending.is_none() {
            self.ending = failed;
        }
        if status == AttemptStatus::Running {
            self.gates.clear();
            self.status = CallStatus::Running;
        }
    }

    /// It was not heard of before the decision that was taken back. That it failed at what it was asked to do stays so: it is
    /// not tried again unless a person asks for that, or it is asked to do something else.
    fn begun_in_vain(&mut self) {
        self.gates.clear();
        self.stale = None;
        self.ending.take_if(|ending| matches!(ending, Ending::Skipped { .. }));
        self.retry_at = None;
        self.again = false;
        self.tries = 0;
        self.withdrawn = true;
        let newest = self.newest().map(|attempt| attempt.status);
        self.status = match newest {
            // Whoever performs it breaks it off, and says so.
            Some(AttemptStatus::Running) => CallStatus::Running,
            _ if self.ending.is_some() => CallStatus::Failed,
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
