//! Which of the wanted calls may start now: approvals, secrets, budgets and limits come before them. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::core::call::{AttemptStatus, Call, CallStatus};
use crate::core::fingerprint::Fingerprint;
use crate::core::gate::{Answer, ApprovalBody, BudgetBody, Gate, GateBody, GateKind, SecretBody};
use crate::core::host::{self, NamedHosts};
use crate::core::key::Key;
use crate::core::run::Run;
use crate::core::usage::{Budget, Usage};
use crate::core::work::{CommandWork, HttpWork, Work, secret_mark, secret_name_mark};
use crate::flow::{Approval, Want};

/// What is to be done about a wanted call.
#[derive(Debug, PartialEq)]
pub enum Readiness {
    /// Nothing now: it runs, a person is asked, or a limit is reached.
    Wait,
    /// Nothing before this time.
    Until(DateTime<Utc>),
    /// A person is asked first.
    Ask(Box<Gate>),
    /// It may start; this is what it is expected to use.
    Start(Usage),
}

/// What calls have taken that are under way or about to start.
#[derive(Debug, Default)]
pub struct Taken {
    calls: usize,
    lanes: HashMap<Key, usize>,
    reserved: Usage,
}

impl Taken {
    /// Counts a call, in the limits of its step and of the groups around it, with what it is expected to use.
    pub fn add(&mut self, lanes: &[(Key, usize)], estimate: Usage) {
        self.calls += 1;
        self.reserved += estimate;
        for (lane, _) in lanes {
            *self.lanes.entry(lane.clone()).or_default() += 1;
        }
    }
}

impl Taken {
    /// What is reserved with more.
    pub fn with(&self, estimate: Usage) -> Usage {
        let mut reserved = self.reserved;
        reserved += estimate;
        reserved
    }
}

/// The limits that hold now.
pub struct Limits<'a> {
    /// Calls under way at the same time, at most.
    pub concurrency: usize,
    /// What the run may spend.
    pub budget: Budget,
    /// What has been taken of both.
    pub taken: &'a Taken,
    /// Hosts that the config names.
    pub hosts: &'a [String],
}

/// What a person is asked before a call.
#[derive(Debug)]
pub struct Asks {
    /// Whether, and how often.
    pub approval: Approval,
    /// Of a step that calls a tool: what is behind the tool's name.
    pub behind: Option<Fingerprint>,
    /// The work as they are shown it: with the tool, also where the config declares that.
    pub shown: Arc<Work>,
}

impl Limits<'_> {
    /// Whether nothing can be done about a call before another one ends: it has to be performed, nobody is to be asked
    /// about it first, and all places are taken.
    pub fn is_full_for(&self, want: &Want, asks: &Asks) -> bool {
        *self.approval(asks) == Approval::None && takes_a_place(&want.work) && !self.has_place(want)
    }

    /// What is to be approved, given what the config names.
    fn approval<'a>(&self, asks: &'a Asks) -> &'a Approval {
        match &asks.approval {
            Approval::Host { host, .. } if host::allows(self.hosts, host) => &Approval::None,
            approval => approval,
        }
    }

    /// Whether the limits leave a place for it.
    pub fn has_place(&self, want: &Want) -> bool {
        let free = |(lane, most): &(Key, usize)| self.taken.lanes.get(lane).is_none_or(|taken| taken < most);
        want.lanes.iter().all(free) && self.taken.calls < self.concurrency
    }
}

/// A pure step takes no time and a form no resources: any number of them may be at it.
fn takes_a_place(work: &Work) -> bool {
    !matches!(work, Work::Transform { .. } | Work::Ask { .. })
}

/// Decides about one wanted call. `estimate` is what it is expected to use, `missing` a secret that must be typed first;
/// both are asked only where they count.
pub fn ready(
    run: &Run,
    want: &Want,
    asks: &Asks,
    limits: &Limits<'_>,
    now: DateTime<Utc>,
    estimate: impl FnOnce() -> Usage,
    missing: impl FnOnce() -> Option<String>,
) -> Readiness {
    let call = run.call(&want.key);
    if let Some(call) = call {
        if call.newest().is_some_and(|attempt| attempt.status == AttemptStatus::Running) {
            return Readiness::Wait;
        }
        if let Some(at) = call.retry_at
            && at > now
        {
            return Readiness::Until(at);
        }
    }
    let gate = call.and_then(|call| call.gates.own());
    if let Some(wanted) = approval(run, want, limits.approval(asks), asks) {
        let asked = gate.is_some_and(|gate| asks_the_same(&gate.body, &wanted.body));
        return if asked { Readiness::Wait } else { Readiness::Ask(Box::new(wanted)) };
    }
    if matches!(*want.work, Work::Transform { .. }) {
        return Readiness::Start(Usage::default());
    }
    if let Some(name) = missing() {
        let asked = gate.is_some_and(|gate| gate.kind() == GateKind::Secret);
        return if asked { Readiness::Wait } else { Readiness::Ask(Box::new(secret(want, &name))) };
    }
    if matches!(*want.work, Work::Ask { .. }) {
        let asked = call.is_some_and(|call| call.status == CallStatus::Input);
        return if asked { Readiness::Wait } else { Readiness::Start(Usage::default()) };
    }
    if !limits.has_place(want) {
        return Readiness::Wait;
    }
    let estimate = estimate();
    if !limits.budget.allows(run.usage, limits.taken.with(estimate)) {
        // One question for the whole run, however many calls it holds up.
        let asked = run.waiting().any(|gate| gate.kind() == GateKind::Budget);
        return if asked {
            Readiness::Wait
        } else {
            Readiness::Ask(Box::new(budget(run, want, limits.budget, estimate)))
        };
    }
    Readiness::Start(estimate)
}

/// What a person approves of work: all of it but the hosts that need no approval, and what is said of its values. Secrets are in it by their names, as
/// version 0.1.0 had them, so that what was asked and approved then is not asked again. Of a tool it is also what is
/// `behind` its name.
pub fn bytes(work: &Work, behind: Option<&Fingerprint>, run: &Run) -> Option<Fingerprint> {
    let text = match work {
        Work::Http(request) => {
            let request = HttpWork { hosts: NamedHosts::default(), ..request.clone() };
            serde_json::to_string(&Work::Http(request)).ok()?
        }
        Work::Command(command) if !command.options.is_empty() => {
            let command = CommandWork { options: Vec::new(), ..command.clone() };
            serde_json::to_string(&Work::Command(command)).ok()?
        }
        work => serde_json::to_string(work).ok()?,
    };
    let text = text.replace(&secret_mark(&run.nonce), &secret_name_mark(&run.nonce));
    let bytes = Fingerprint::of_bytes(text.as_bytes());
    Some(behind.map_or(bytes.clone(), |behind| bytes.of_its(behind)))
}

/// Whether a gate asks for the same approval: its bytes say so, however secrets are marked in its work.
fn asks_the_same(asked: &GateBody, wanted: &GateBody) -> bool {
    match (asked, wanted) {
        (GateBody::Approval(asked), GateBody::Approval(wanted)) => {
            (&asked.step, &asked.bytes, &asked.fingerprint) == (&wanted.step, &wanted.bytes, &wanted.fingerprint)
        }
        (asked, wanted) => asked == wanted,
    }
}

/// The approval that is still needed.
fn approval(run: &Run, want: &Want, approval: &Approval, asks: &Asks) -> Option<Gate> {
    let behind = asks.behind.as_ref();
    let bytes = match approval {
        Approval::None => return None,
        Approval::Host { host, once: true } => Fingerprint::of(&("host", host)).ok()?,
        Approval::Each | Approval::Once | Approval::Tool | Approval::Host { .. } => bytes(&want.work, behind, run)?,
    };
    let call = run.call(&want.key);
    let given = if matches!(approval, Approval::Once | Approval::Host { once: true, .. }) {
        run.approved.contains(&bytes)
    } else {
        // An approval is for all the attempts at what was shown, until the person is asked again.
        let same = |call: &Call| call.newest().is_some_and(|tried| tried.fingerprint == want.fingerprint);
        let tried_again = |call: &Call| call.tries > 0 && call.tries < want.retry.attempts && same(call);
        call.is_some_and(|call| call.approved.as_ref() == Some(&bytes) || tried_again(call))
    };
    if given || run.tools.is_allowed(behind) {
        return None;
    }
    Some(Gate {
        call: None,
        key: want.key.clone(),
        workflow: want.workflow.clone(),
        attempt: call.map_or(1, Call::next_attempt),
        version: 0,
        body: GateBody::Approval(ApprovalBody {
            step: want.step.clone(),
            work: Arc::clone(&asks.shown),
            bytes,
            behind: behind.cloned(),
            fingerprint: want.fingerprint.clone(),
            title: want.approval_text.title.clone(),
            message: want.approval_text.message.clone(),
        }),
        allowed: vec![Answer::Approve, Answer::Deny, Answer::Skip],
    })
}

fn secret(want: &Want, name: &str) -> Gate {
    Gate {
        call: None,
        key: want.key.clone(),
        workflow: want.workflow.clone(),
        attempt: 0,
        version: 0,
        body: GateBody::Secret(SecretBody { name: name.to_owned(), fingerprint: Some(want.fingerprint.clone()) }),
        allowed: vec![Answer::Answer],
    }
}

/// The question for a higher budget.
pub fn budget(run: &Run, want: &Want, budget: Budget, estimate: Usage) -> Gate {
    Gate {
        call: None,
        key: want.key.clone(),
        workflow: want.workflow.clone(),
        attempt: 0,
        version: 0,
        body: GateBody::Budget(BudgetBody {
            spent: run.usage,
            budget,
            next: estimate,
            fingerprint: Some(want.fingerprint.clone()),
        }),
        allowed: vec![Answer::Budget],
    }
}
