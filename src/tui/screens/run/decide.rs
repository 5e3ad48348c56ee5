//! Decisions on the screen of a run: what is on screen is what is decided, and what was decided says that it can be taken
//! back.
//!
//! A decision names what the last frame showed; if that is not what waits any more, nothing is decided and the person is
//! told. What undo takes back is not asked about beforehand; what a person cannot see from the screen is, once: a check
//! that fails, an end that is missing, an attempt that was made for something else.

use super::content::Earlier;
use super::layer::{Over, Then};
use super::pages;
use super::reopen::skipping;
use super::{Note, RunScreen};
use crate::core::decide::{Decision, DecisionKind, newest_decision};
use crate::core::gate::{Gate, GateKind};
use crate::core::key::Key;
use crate::core::undo::{Change as Undoable, PastDecision};
use crate::tui::effect::{Change, Effect};
use crate::tui::layers::ask::decision;
use crate::tui::shown::{ShownGate, Target};
use crate::tui::text::fit;
use crate::tui::widgets::line::LineInput;

impl RunScreen {
    /// A decision about the gate that was on screen when the key was pressed. What waits in truth is the engine's to
    /// compare: the decision names what was seen.
    pub(super) fn decide(&mut self, kind: GateKind, what: DecisionKind) -> Vec<Effect> {
        match self.seen_gate(kind) {
            Some(gate) => self.decided(&gate, what),
            None => self.changed_meanwhile(),
        }
    }

    /// What is to be approved on screen: an effect, or tools that have changed.
    pub(super) fn approval_kind(&self) -> GateKind {
        let asked = self.content.gate.as_ref().map(|gate| gate.kind);
        asked.filter(|kind| kind.asks_approval()).unwrap_or(GateKind::Approval)
    }

    /// The gate that is on screen, if it is of that kind and waits as it was shown.
    pub(super) fn seen_gate(&self, kind: GateKind) -> Option<ShownGate> {
        self.last_frame.gate.clone().filter(|seen| seen.kind == kind && self.content.gate.as_ref() == Some(seen))
    }

    /// What the text on screen is decided about: the gate that was shown; behind an earlier attempt, what waits there; of
    /// a call that waits for nothing, the call. `None` when that is not as it was shown any more.
    pub(super) fn seen_target(&self) -> Option<Target> {
        if let Some(gate) = &self.content.gate {
            return self.seen_gate(gate.kind).map(Target::Gate);
        }
        let shown = self.content.id.as_ref().is_some_and(|id| match self.content.earlier {
            Some(_) => self.last_frame.content.as_ref() == Some(id),
            None => self.last_frame.shows(id),
        });
        self.call().filter(|_| shown).map(|call| Target::of(&self.run, call))
    }

    pub(super) fn decided(&mut self, gate: &ShownGate, kind: DecisionKind) -> Vec<Effect> {
        self.decided.insert(gate.key.clone(), gate.clone());
        self.settled(&gate.key, &kind);
        vec![decision(gate, kind)]
    }

    /// A decision about what was seen.
    pub(super) fn decide_about(&mut self, target: &Target, kind: DecisionKind) -> Vec<Effect> {
        match target {
            Target::Gate(gate) => self.decided(gate, kind),
            Target::Call(call) => {
                self.settled(&call.key, &kind);
                vec![Effect::Change(target.decide(kind))]
            }
        }
    }

    /// A decision about a call that does not wait.
    pub(super) fn on_call(&mut self, key: &Key, kind: DecisionKind) -> Vec<Effect> {
        self.settled(key, &kind);
        vec![Effect::Change(Change::Decide(self.run.id, Decision::new(key.clone(), kind), None))]
    }

    fn settled(&mut self, key: &Key, kind: &DecisionKind) {
        self.following = true;
        self.reports = true;
        self.marked.remove(key);
        // What was paged to before a call is reopened is what it is reopened for.
        if *kind != DecisionKind::Reopen {
            self.paged = None;
        }
    }

    pub(super) fn changed_meanwhile(&mut self) -> Vec<Effect> {
        self.note = Some(Note::Failed("what waits has changed meanwhile: look again".to_owned()));
        Vec::new()
    }

    /// Accepts what is on screen: what waits, or the earlier attempt that is shown instead.
    pub(super) fn accept(&mut self) -> Vec<Effect> {
        if let Some(earlier) = self.content.earlier {
            return self.take(earlier);
        }
        let Some(gate) = self.seen_gate(GateKind::Review) else { return self.changed_meanwhile() };
        let open = self.run.call(&gate.key).and_then(|call| call.gates.of(gate.call));
        let lines = open.map(wrong_with).unwrap_or_default();
        self.ask_once(lines, "Accept it all the same?", vec![(Target::Gate(gate), DecisionKind::Accept)])
    }

    fn take(&mut self, earlier: Earlier) -> Vec<Effect> {
        if self.is_on_document() {
            return self.take_version(earlier.page);
        }
        let (Some(target), Some(call)) = (self.seen_target(), self.call()) else { return self.changed_meanwhile() };
        let lines = pages::before_taking(&self.run, call, self.gate(), earlier.page);
        self.ask_once(lines, "Take it?", vec![(target, pages::take(earlier.page))])
    }

    /// Decides, after saying what a person should know before; without that, at once.
    pub(super) fn ask_once(
        &mut self,
        mut lines: Vec<String>,
        question: &str,
        yes: Vec<(Target, DecisionKind)>,
    ) -> Vec<Effect> {
        if lines.is_empty() {
            return self.decide_all(yes);
        }
        lines.push(question.to_owned());
        self.over = Over::Confirm { lines, yes };
        Vec::new()
    }

    fn decide_all(&mut self, all: Vec<(Target, DecisionKind)>) -> Vec<Effect> {
        all.into_iter().flat_map(|(target, kind)| self.decide_about(&target, kind)).collect()
    }

    pub(super) fn confirmed(&mut self, yes: bool) -> Vec<Effect> {
        match std::mem::take(&mut self.over) {
            Over::Confirm { yes: all, .. } if yes => self.decide_all(all),
            _ => Vec::new(),
        }
    }

    pub(super) fn again(&mut self) -> Vec<Effect> {
        if self.gate_of_document().is_some() {
            return self.decide(GateKind::Stale, DecisionKind::Again { model: None });
        }
        let Some(call) = self.call() else { return Vec::new() };
        let key = call.key.clone();
        match self.gate().map(Gate::kind) {
            Some(kind) => self.decide(kind, DecisionKind::Again { model: None }),
            None => self.on_call(&key, DecisionKind::Again { model: None }),
        }
    }

    /// Skips what is on screen. What needs it is skipped too, and undo brings back all of it; a tool call that was skipped
    /// does not come back, so that is asked about.
    pub(super) fn skip(&mut self) -> Vec<Effect> {
        let Some(target) = self.seen_target() else { return self.changed_meanwhile() };
        match &target {
            Target::Gate(gate) if gate.call.is_some() => {
                let lines = skipping(&self.run, gate);
                self.over = Over::Confirm { lines, yes: vec![(target, DecisionKind::Skip)] };
                Vec::new()
            }
            _ => self.decide_about(&target, DecisionKind::Skip),
        }
    }

    pub(super) fn ask(&mut self, question: &'static str, then: fn(ShownGate) -> Then, kind: GateKind) -> Vec<Effect> {
        let Some(gate) = self.seen_gate(kind) else { return self.changed_meanwhile() };
        let then = then(gate);
        let draft = then.draft().and_then(|name| self.drafts.get(&name)).map_or("", String::as_str);
        self.over = Over::Ask { question, input: LineInput::new(draft), then, problem: None };
        Vec::new()
    }

    /// Takes back the newest decision, whoever's it is: who may not is told why.
    pub(super) fn undo(&mut self) -> Vec<Effect> {
        let Some(newest) = newest_decision(&self.run) else {
            self.note = Some(Note::Failed("nothing has been decided in this run that could be taken back".to_owned()));
            return Vec::new();
        };
        self.returns = newest.key().cloned();
        vec![Effect::Change(Change::Undo { run: self.run.id, seq: newest.seq })]
    }

    /// Says that a decision was kept and can be taken back, once it is seen to be; after one was taken back, shows what
    /// waits again.
    pub(super) fn report(&mut self, before: Option<u64>) {
        let newest = newest_decision(&self.run);
        if self.reports && newest.is_some_and(|newest| Some(newest.seq) > before) {
            self.reports = false;
            self.note = newest.and_then(said_of).map(Note::Decided);
        }
        let open = |key: &Key| self.run.call(key).is_some_and(|call| !call.gates.is_empty());
        if let Some(key) = self.returns.take_if(|key| open(key)) {
            self.go_to(&key);
        }
    }
}

/// What is wrong with what waits for a review although it may be accepted; each a line.
pub fn wrong_with(gate: &Gate) -> Vec<String> {
    let cut = gate.review().is_some_and(|review| review.cut);
    let cut = cut.then(|| "The limit of tokens cut it: its end is missing.".to_owned());
    let checks = gate.failed_checks().iter().map(|check| format!("It fails a check: {check}."));
    checks.chain(cut).collect()
}

/// What is said of a decision that can be taken back: `write[1] accepted · u undoes`.
#[must_use]
pub fn said_of(decision: &PastDecision) -> Option<String> {
    let what = match &decision.change {
        Undoable::Call { what, .. } => match *what {
            "accept" => "accepted".to_owned(),
            "skip" => "skipped".to_owned(),
            "keep" => "kept".to_owned(),
            "answer" => "answered".to_owned(),
            other => format!("{other}ed"),
        },
        Undoable::Edit { version, .. } | Undoable::Document { version, .. } => format!("version {version} saved"),
        Undoable::Action { action, .. } => format!("{} asked for", fit(action, 24)),
        Undoable::Choice { what: "keep", .. } => "result kept".to_owned(),
        Undoable::Choice { .. } => "result rebuilt".to_owned(),
        Undoable::Title { .. } => "renamed".to_owned(),
        Undoable::Archive => "archived".to_owned(),
        Undoable::Final { .. } => return None,
    };
    let key = decision.key().map(|key| format!("{} ", fit(&key.to_string(), 24))).unwrap_or_default();
    Some(format!("{key}{what} · u undoes"))
}
