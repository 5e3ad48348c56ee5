//! Marked calls: accept, retry and skip are for them while there are any. A call that has changed since it was marked is
//! not meant any more.

use std::sync::Arc;

use super::rows::{OutlineRow, RowId};
use super::{Note, RunScreen};
use crate::core::call::{Call, CallStatus};
use crate::core::decide::DecisionKind;
use crate::core::gate::{Answer, Gate, GateKind};
use crate::core::given::takes;
use crate::core::key::Key;
use crate::tui::effect::Effect;
use crate::tui::shown::{ShownGate, Target};

/// What fails its checks is named up to this many.
const NAMED: usize = 5;

/// Said where a tool call would be marked: no key for the marked decides about it.
pub const ONE_BY_ONE: &str = "a tool call is decided by itself: it is not marked";

impl RunScreen {
    pub(super) fn mark(&mut self) -> Vec<Effect> {
        if self.gate().is_some_and(|gate| gate.call.is_some() && gate.kind() != GateKind::InDoubt) {
            self.note = Some(Note::Done(ONE_BY_ONE.to_owned()));
        } else if let Some(key) = self.call().map(|call| call.key.clone()) {
            let alike = self.selected_row().map(|row| row.alike.clone()).unwrap_or_default();
            let marks = !self.marked.contains_key(&key);
            for key in std::iter::once(key).chain(alike) {
                match self.run.call(&key).filter(|_| marks) {
                    Some(call) => self.marked.insert(key, call.seq),
                    None => self.marked.remove(&key),
                };
            }
            self.select(1);
        } else if let Some(RowId::Group(key)) = self.selected_row().map(|row| row.id.clone()) {
            // A group folds instead.
            if !self.folded.remove(&key) {
                self.folded.insert(key);
            }
            self.refresh();
        }
        Vec::new()
    }

    /// Accepts the marked reviews, and asks once if some fail a check; with none marked, all in the list as it is filtered
    /// that pass their checks.
    pub(super) fn accept_marked(&mut self) -> Vec<Effect> {
        if !self.marked.is_empty() {
            return self.accept_these();
        }
        let run = Arc::clone(&self.run);
        let row_of = |row: &OutlineRow, key: &Key| row.id == RowId::Call(key.clone()) || row.alike.contains(key);
        let listed = |key: &Key| self.filter.is_none() || self.rows.iter().any(|row| row_of(row, key));
        let passes = |gate: &&Gate| is_acceptable(gate) && gate.failed_checks().is_empty() && listed(&gate.key);
        let gates: Vec<ShownGate> = run.waiting().filter(passes).map(|gate| ShownGate::of(&run, gate)).collect();
        gates.iter().flat_map(|gate| self.decided(gate, DecisionKind::Accept)).collect()
    }

    fn accept_these(&mut self) -> Vec<Effect> {
        let accepts = |call: &Call| call.gate().is_some_and(is_acceptable);
        let targets = self.take_marked(accepts);
        let failed = |target: &&Target| {
            let gate = self.run.call(target.key()).and_then(Call::gate);
            gate.is_some_and(|gate| !gate.failed_checks().is_empty())
        };
        let failing: Vec<String> = targets.iter().filter(failed).map(|target| target.key().to_string()).collect();
        let mut lines = Vec::new();
        if !failing.is_empty() {
            let named = failing.iter().take(NAMED).map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            let more = if failing.len() > NAMED { ", …" } else { "" };
            lines.push(format!("{} of the marked fail a check: {named}{more}.", failing.len()));
        }
        let yes = targets.into_iter().map(|target| (target, DecisionKind::Accept)).collect();
        self.ask_once(lines, "Accept all of them all the same?", yes)
    }

    /// Has the marked tried again: with an instruction where one may be given, else at once.
    pub(super) fn retry_marked(&mut self) -> Vec<Effect> {
        let runs_again = |call: &Call| match call.gate().map(Gate::kind) {
            Some(kind) => matches!(kind, GateKind::InDoubt | GateKind::Stale),
            None => matches!(call.status, CallStatus::Failed | CallStatus::Skipped | CallStatus::Cancelled),
        };
        let instructed = |call: &Call| match call.gate() {
            Some(gate) => gate.kind() == GateKind::Review && gate.allows(Answer::Retry),
            None => call.status == CallStatus::Running,
        };
        let again = self.marked_that(runs_again);
        let told = self.take_marked(|call| instructed(call) || runs_again(call));
        let told: Vec<Target> = told.into_iter().filter(|target| !again.contains(target)).collect();
        match told.as_slice() {
            [] => self.decide_each(&again, &DecisionKind::Again { model: None }),
            [first, others @ ..] => {
                self.instruct(first, others, again);
                Vec::new()
            }
        }
    }

    /// Skips the marked.
    pub(super) fn skip_marked(&mut self) -> Vec<Effect> {
        let skips = |call: &Call| match call.gate() {
            // A tool call that is skipped does not come back: each is asked about where it waits.
            Some(gate) => gate.call.is_none() && takes(call, gate, Answer::Skip),
            None => call.failed_work().is_some(),
        };
        let targets = self.take_marked(skips);
        self.decide_each(&targets, &DecisionKind::Skip)
    }

    pub(super) fn decide_each(&mut self, targets: &[Target], kind: &DecisionKind) -> Vec<Effect> {
        targets.iter().flat_map(|target| self.decide_about(target, kind.clone())).collect()
    }

    /// The marked calls that something can be done with, as they were marked.
    fn marked_that(&self, can: impl Fn(&Call) -> bool) -> Vec<Target> {
        let as_marked = |call: &&Call| self.marked.get(&call.key) == Some(&call.seq);
        let calls = self.run.calls.values().filter(as_marked).filter(|call| can(call));
        calls.map(|call| Target::of(&self.run, call)).collect()
    }

    /// The same, and none is marked any more.
    fn take_marked(&mut self, can: impl Fn(&Call) -> bool) -> Vec<Target> {
        let targets = self.marked_that(can);
        self.marked.clear();
        if targets.is_empty() {
            self.note = Some(Note::Failed("none of the marked takes that".to_owned()));
        }
        targets
    }
}

fn is_acceptable(gate: &Gate) -> bool {
    gate.kind() == GateKind::Review && gate.allows(Answer::Accept)
}
