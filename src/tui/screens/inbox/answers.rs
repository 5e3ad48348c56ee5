//! What is decided in the inbox: what was on screen, or what is marked; and what is taken back.

use super::InboxScreen;
use crate::core::call::Call;
use crate::core::decide::{DecisionKind, newest_decision};
use crate::core::gate::{Answer, Gate, GateKind};
use crate::core::given::takes;
use crate::core::run::Run;
use crate::core::task::Kind as TaskKind;
use crate::tui::commands::Id;
use crate::tui::documents;
use crate::tui::effect::{Change, Effect, Go};
use crate::tui::layers::ask::{WHAT_BUDGET, WHAT_RESULT, WHAT_RETURN, WHY_NOT, decision};
use crate::tui::layers::{Above, Arguments, Ask, Confirm, Kind, Then};
use crate::tui::quote::Quote;
use crate::tui::screens::run::content::Body;
use crate::tui::screens::run::decide::{said_of, wrong_with};
use crate::tui::screens::run::marks::ONE_BY_ONE;
use crate::tui::screens::run::pages;
use crate::tui::screens::run::reopen::skipping;
use crate::tui::shown::{Page, ShownGate};
use crate::tui::widgets::find::Find;
use crate::tui::widgets::scroll::Scroll;

/// Asks for an instruction.
const WHAT_ELSE: &str = "What should be different?";

impl InboxScreen {
    /// A decision about the gate that was on screen when the key was pressed.
    pub(super) fn decide(&mut self, kind: GateKind, what: DecisionKind) -> Vec<Effect> {
        match self.seen_gate(kind) {
            Some(gate) => self.decided(vec![(gate, what)]),
            None => self.changed_meanwhile(),
        }
    }

    fn decided(&mut self, all: Vec<(ShownGate, DecisionKind)>) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (gate, what) in all {
            effects.push(decision(&gate, what));
            self.is_decided(gate);
        }
        self.paged = None;
        self.refresh();
        effects
    }

    fn is_decided(&mut self, gate: ShownGate) {
        self.reports.push(gate.run);
        self.decided.push(gate);
    }

    /// The gate that is on screen, if it is of that kind and still the one that is selected.
    pub(super) fn seen_gate(&self, kind: GateKind) -> Option<ShownGate> {
        self.last_frame
            .gate
            .clone()
            .filter(|seen| seen.kind == kind && self.gate() == Some(seen) && self.content.gate.as_ref() == Some(seen))
    }

    /// The gate that is decided about: the one on screen, or the one behind the earlier attempt that is.
    pub(super) fn seen(&self) -> Option<ShownGate> {
        let gate = self.gate()?;
        if self.content.earlier.is_none() {
            return self.seen_gate(gate.kind);
        }
        let shown = self.content.id.is_some() && self.last_frame.content == self.content.id;
        shown.then(|| gate.clone())
    }

    pub(super) fn changed_meanwhile(&mut self) -> Vec<Effect> {
        self.note = Some("what waits has changed meanwhile: look again".to_owned());
        Vec::new()
    }

    /// Opens a question about the gate that was on screen.
    fn ask(&mut self, gate: Option<ShownGate>, question: impl FnOnce(ShownGate) -> Kind) -> Vec<Effect> {
        let Some(gate) = gate else { return self.changed_meanwhile() };
        self.asked = Some(gate.clone());
        self.reports.push(gate.run);
        vec![Above::effect(question(gate))]
    }

    pub(super) fn ask_for(&mut self, id: Id) -> Vec<Effect> {
        let before = self.run().and_then(|run| run.budget).unwrap_or_default();
        let (kind, question) = match id {
            Id::Deny => (self.approval_kind(), WHY_NOT),
            Id::AnswerForTool => (GateKind::Approval, WHAT_RETURN),
            Id::Worked => (GateKind::InDoubt, WHAT_RESULT),
            _ => (GateKind::Budget, WHAT_BUDGET),
        };
        let then = |gate| match kind {
            GateKind::Approval if id == Id::AnswerForTool => Then::Worked(gate),
            GateKind::Approval | GateKind::Tools => Then::Deny(gate),
            GateKind::InDoubt => Then::Worked(gate),
            _ => Then::Budget(gate, before),
        };
        self.ask(self.seen_gate(kind), |gate| Kind::Ask(Ask::new(question, "", then(gate))))
    }

    /// Accepts what is on screen: what waits, or the earlier attempt that is shown instead. What a person cannot see from
    /// it is asked about once.
    pub(super) fn accept(&mut self) -> Vec<Effect> {
        if let (Some(document), Some(earlier)) = (self.document(), self.content.earlier) {
            return self.take_version(&document.name.clone(), earlier.page);
        }
        let (Some(gate), Some(run), Some(call)) = (self.seen(), self.run(), self.call()) else {
            return self.changed_meanwhile();
        };
        let open = call.gates.of(gate.call);
        let (lines, question, what) = match self.content.earlier {
            Some(earlier) => {
                let lines = pages::before_taking(run, call, open, earlier.page);
                (lines, "Take it?", pages::take(earlier.page))
            }
            None => (open.map(wrong_with).unwrap_or_default(), "Accept it all the same?", DecisionKind::Accept),
        };
        self.ask_once(lines, question, vec![(gate, what)])
    }

    /// Takes the version of a document that is on screen.
    fn take_version(&mut self, name: &str, page: Page) -> Vec<Effect> {
        let gate = self.seen();
        let taking = gate.as_ref().and_then(|_| documents::taking(self.run()?, name, page.version));
        let (Some(gate), Some(effect)) = (gate, taking) else { return self.changed_meanwhile() };
        self.paged = None;
        if matches!(&effect, Effect::Change(Change::Decide(..))) {
            self.is_decided(gate);
        } else {
            self.reports.push(gate.run);
        }
        self.refresh();
        vec![effect]
    }

    fn ask_once(&mut self, mut lines: Vec<String>, question: &str, all: Vec<(ShownGate, DecisionKind)>) -> Vec<Effect> {
        if lines.is_empty() {
            return self.decided(all);
        }
        lines.push(question.to_owned());
        let effects = all.iter().map(|(gate, what)| decision(gate, what.clone())).collect();
        self.asked = all.into_iter().next().map(|(gate, _)| gate);
        self.reports.extend(self.asked.as_ref().map(|gate| gate.run));
        vec![Above::effect(Kind::Confirm(Confirm::new(lines, effects)))]
    }

    /// Asks for an instruction; where an earlier attempt is shown, the next one starts from that.
    pub(super) fn retry(&mut self) -> Vec<Effect> {
        let quote = self.content.earlier.zip(self.call()).and_then(|(earlier, call)| Quote::of(call, earlier.page));
        let gate = self.seen().filter(|gate| gate.kind == GateKind::Review);
        self.ask(gate, |gate| Kind::Ask(Ask::new(WHAT_ELSE, "", Then::Retry(vec![gate], quote))))
    }

    /// Skips what is on screen. Undo brings it back with all that needs it; a tool call that was skipped does not come
    /// back, so that is asked about.
    pub(super) fn skip(&mut self) -> Vec<Effect> {
        let Some(gate) = self.gate().and_then(|gate| self.seen_gate(gate.kind)) else {
            return self.changed_meanwhile();
        };
        if gate.call.is_none() {
            return self.decided(vec![(gate, DecisionKind::Skip)]);
        }
        let lines = self.run().map(|run| skipping(run, &gate)).unwrap_or_default();
        self.ask(Some(gate), |gate| Kind::Confirm(Confirm::new(lines, vec![decision(&gate, DecisionKind::Skip)])))
    }

    /// What takes more space than there is here is edited on the run's own screen.
    pub(super) fn edit(&mut self) -> Vec<Effect> {
        let takes =
            |gate: &ShownGate| gate.kind == GateKind::Review || gate.kind == GateKind::Approval && gate.call.is_some();
        let Some(gate) = self.seen().filter(takes) else {
            return self.changed_meanwhile();
        };
        // A conversation has no fields for arguments on its own screen.
        let of_chat = gate.call.is_some() && self.run().is_some_and(|run| run.kind == TaskKind::Instruct);
        if let (true, Some(edits)) = (of_chat, self.arguments(&gate)) {
            return self.ask(Some(gate), |_| edits);
        }
        vec![Effect::Go(Go::Edit(gate, self.content.earlier.map(|earlier| earlier.page)))]
    }

    /// The layer in which the arguments of the tool call that waits are edited.
    fn arguments(&self, seen: &ShownGate) -> Option<Kind> {
        let gate = self.open_gate()?;
        let (tool, asked) = (gate.tool()?, gate.arguments()?);
        let spec = self.call().and_then(Call::tool_use).and_then(|used| used.tool(tool));
        let edits = Arguments::new(seen.clone(), tool, asked, spec.map(|spec| &spec.input));
        Some(Kind::Arguments(Box::new(edits)))
    }

    /// Writes what is on screen to a file.
    pub(super) fn write_file(&mut self) -> Vec<Effect> {
        match &self.content.body {
            Body::Text(text) if self.last_frame.content == self.content.id => {
                let task = self.run().map(|run| run.task.clone()).unwrap_or_default();
                vec![Above::effect(Kind::Ask(Ask::write(&task, text.raw())))]
            }
            _ => self.changed_meanwhile(),
        }
    }

    /// Turns to an earlier or a later attempt or version of the selected call.
    pub(super) fn turn(&mut self, by: isize) {
        if self.last_frame.content.is_none() {
            // There is no room for it beside the list.
            self.reading = true;
            return;
        }
        let (from, page) = match (self.call(), self.document()) {
            (Some(call), _) => {
                let from = self.paged.unwrap_or_else(|| pages::current(call, self.open_gate()));
                (from, pages::step(call, self.open_gate(), from, by))
            }
            (None, Some(document)) => {
                let from = self.paged.unwrap_or_else(|| documents::current(document));
                (from, documents::step(document, from, by))
            }
            (None, None) => return,
        };
        if page == from {
            self.note = Some(pages::end(by).to_owned());
            return;
        }
        self.paged = Some(page);
        self.show();
        self.scroll = Scroll::at_start();
    }

    /// What is to be approved where the selection is: an effect, or tools that have changed.
    pub(super) fn approval_kind(&self) -> GateKind {
        let kind = self.gate().map(|gate| gate.kind).filter(|kind| kind.asks_approval());
        kind.unwrap_or(GateKind::Approval)
    }

    pub(super) fn mark(&mut self) {
        let Some(gate) = self.gate().cloned() else { return };
        if gate.call.is_some() && gate.kind != GateKind::InDoubt {
            self.note = Some(ONE_BY_ONE.to_owned());
            return;
        }
        match self.marked.iter().position(|marked| *marked == gate) {
            Some(at) => drop(self.marked.remove(at)),
            None => self.marked.push(gate),
        }
        self.select(self.list.selected + 1);
    }

    /// The marked that something can be done with, with what waits there; none is marked any more.
    fn take_marked(&mut self, can: impl Fn(&Call, &Gate) -> bool) -> Vec<(ShownGate, Vec<String>)> {
        let marked = std::mem::take(&mut self.marked);
        let open = |gate: ShownGate| {
            let call = self.runs.iter().find(|run| run.id == gate.run)?.call(&gate.key)?;
            let waits = call.gates.of(gate.call).filter(|waits| can(call, waits))?;
            Some((gate, wrong_with(waits)))
        };
        let taken: Vec<_> = marked.into_iter().filter_map(open).collect();
        if taken.is_empty() {
            self.note = Some("none of the marked takes that".to_owned());
        }
        taken
    }

    /// Accepts the marked reviews; what fails its checks is asked about once.
    pub(super) fn accept_marked(&mut self) -> Vec<Effect> {
        let takes_it = |_: &Call, gate: &Gate| gate.kind() == GateKind::Review && gate.allows(Answer::Accept);
        let marked = self.take_marked(takes_it);
        let wrong = marked.iter().filter(|(_, wrong)| !wrong.is_empty());
        let lines = wrong.map(|(gate, wrong)| format!("`{}`: {}", gate.key, wrong.join(" "))).collect();
        let all = marked.into_iter().map(|(gate, _)| (gate, DecisionKind::Accept)).collect();
        self.ask_once(lines, "Accept all of the marked all the same?", all)
    }

    /// Has the marked tried again: with an instruction where one may be given, else at once.
    pub(super) fn retry_marked(&mut self) -> Vec<Effect> {
        let takes_it = |call: &Call, gate: &Gate| takes(call, gate, Answer::Retry) || takes(call, gate, Answer::Again);
        let marked = self.take_marked(takes_it).into_iter().map(|(gate, _)| gate);
        let (told, again): (Vec<_>, Vec<_>) = marked.partition(|gate| gate.kind == GateKind::Review);
        let mut effects =
            self.decided(again.into_iter().map(|gate| (gate, DecisionKind::Again { model: None })).collect());
        if let Some(first) = told.first().cloned() {
            self.asked = Some(first);
            effects.push(Above::effect(Kind::Ask(Ask::new(WHAT_ELSE, "", Then::Retry(told, None)))));
        }
        effects
    }

    /// Skips the marked.
    pub(super) fn skip_marked(&mut self) -> Vec<Effect> {
        let takes_it = |call: &Call, gate: &Gate| gate.call.is_none() && takes(call, gate, Answer::Skip);
        let marked = self.take_marked(takes_it);
        self.decided(marked.into_iter().map(|(gate, _)| (gate, DecisionKind::Skip)).collect())
    }

    /// Takes back the newest decision that was made here.
    pub(super) fn undo(&mut self) -> Vec<Effect> {
        if let Some((run, seq)) = self.undoable.take() {
            vec![Effect::Change(Change::Undo { run, seq })]
        } else {
            self.note = Some("nothing has been decided here that could be taken back".to_owned());
            Vec::new()
        }
    }

    /// Says that a decision was kept and can be taken back, once it is seen to be.
    pub(super) fn report(&mut self, run: &Run) {
        let Some(at) = self.reports.iter().position(|reports| *reports == run.id) else { return };
        let before = self.runs.iter().find(|known| known.id == run.id).and_then(|known| newest_decision(known));
        let newest = newest_decision(run).filter(|newest| before.is_none_or(|before| before.seq < newest.seq));
        let Some(newest) = newest else { return };
        self.undoable = said_of(newest).map(|_| (run.id, newest.seq));
        self.note = said_of(newest);
        self.reports.remove(at);
    }

    /// Gives a command to the search, if there is one and the command is for it.
    pub(super) fn gives_to_search(&mut self, id: Id) -> bool {
        let takes = Find::give(&mut self.search, id);
        if takes {
            self.show_match();
        }
        takes
    }

    /// Types into the line of the search, if it has the keys.
    pub(super) fn types_search(&mut self, types: impl FnOnce(&mut Find)) -> bool {
        let takes = Find::types(&mut self.search, types);
        if takes {
            self.show_match();
        }
        takes
    }

    /// Scrolls to the match that is looked at.
    fn show_match(&mut self) {
        let text = if let Body::Text(text) = &self.content.body { Some(&**text) } else { None };
        Find::scroll(self.search.as_ref(), text, &mut self.scroll, self.last_frame.output);
    }
}
