//! How the screen of a run changes: messages in, effects out.

use std::sync::Arc;

use crossterm::event::{KeyEvent, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::content::Body;
use super::edit::draft_name;
use super::layer::{Compare, Over, Then, prompt};
use super::reopen::skipping;
use super::result::document_draft;
use super::rows::{OutlineRow, RowId};
use super::{Note, Pane, PartialOutput, RunScreen};
use crate::core::decide::{Decision, DecisionKind};
use crate::core::gate::{Gate, GateKind};
use crate::core::key::Key;
use crate::core::model::Delta;
use crate::core::run::Run;
use crate::core::text::Untrusted;
use crate::tui::canvas::Hit;
use crate::tui::commands::{Id, command, holds};
use crate::tui::effect::{Change, Effect, Errand, Go, Opening, Purpose, Terminal};
use crate::tui::layers::ask::{WHAT_BUDGET, WHAT_RESULT, WHY_NOT, decision, raised, worked};
use crate::tui::layers::picks;
use crate::tui::markdown::Document;
use crate::tui::message::Message;
use crate::tui::shown::ShownGate;
use crate::tui::widgets::line::LineInput;
use crate::tui::widgets::scroll::{By, Scroll};

impl RunScreen {
    /// Takes a message. Gives what is to be done, and whether what is shown may have changed.
    pub fn update(&mut self, message: Message) -> (Vec<Effect>, bool) {
        match message {
            Message::Key(key) => (self.key(key), true),
            Message::Paste(text) => {
                self.paste(&text);
                (Vec::new(), true)
            }
            Message::Mouse(mouse) => self.mouse(mouse),
            Message::Run(run) if run.id == self.run.id => (self.snapshot(run), true),
            Message::Delta { run, key, attempt, delta } if run == self.run.id => {
                (Vec::new(), self.delta(key, attempt, delta))
            }
            Message::Tick(now) => {
                self.now = now;
                (Vec::new(), self.ticks())
            }
            Message::Failed(text) => {
                self.note = Some(Note::Failed(text));
                (Vec::new(), true)
            }
            Message::Done(text) => {
                self.note = Some(Note::Done(text));
                (Vec::new(), true)
            }
            Message::Edited(Purpose::Layer, text) => {
                if let Some(text) = text {
                    self.edited(&text);
                }
                (Vec::new(), true)
            }
            Message::Draft { run, name, text } if run == self.run.id => {
                self.drafts.insert(name, text);
                (Vec::new(), false)
            }
            Message::Model { run, key, model } if run == self.run.id => (self.by_model(&key, model), true),
            Message::Resize(..) => (Vec::new(), true),
            _ => (Vec::new(), false),
        }
    }

    fn snapshot(&mut self, run: Arc<Run>) -> Vec<Effect> {
        self.run = run;
        self.refresh();
        Vec::new()
    }

    fn delta(&mut self, key: Key, attempt: u32, delta: Delta) -> bool {
        let shown = self.call().is_some_and(|call| call.key == key);
        let live = self.live.entry(key).or_default();
        if live.attempt != attempt {
            *live = PartialOutput { attempt, ..PartialOutput::default() };
        }
        match delta {
            Delta::Text(text) => live.text.push(&text),
            Delta::Restart(why) => {
                live.text = Document::default();
                live.progress = Untrusted::new(why);
            }
            Delta::Progress(line) => live.progress = line,
        }
        shown
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        self.note = None;
        if let Some(id) = command(key, &self.situation()) {
            return self.give(id);
        }
        self.type_in(key);
        Vec::new()
    }

    /// A key that is no command is text, where text is typed.
    fn type_in(&mut self, key: KeyEvent) {
        match &mut self.over {
            Over::Document { editor, .. } => {
                editor.key(key);
            }
            Over::Edit { editor, problem, .. } => {
                editor.key(key);
                *problem = None;
            }
            Over::Fields { tree, .. } => tree.key(key),
            Over::Retry(retry) => {
                if !retry.ticks() {
                    retry.input.key(key);
                }
            }
            Over::Ask { input, problem, .. } => {
                input.key(key);
                *problem = None;
            }
            Over::Filter => {
                self.filter.get_or_insert_default().key(key);
                self.refresh();
            }
            Over::None | Over::Compare(_) | Over::Prompt { .. } | Over::Confirm { .. } => {}
        }
    }

    fn paste(&mut self, text: &str) {
        match &mut self.over {
            Over::Edit { editor, .. } | Over::Document { editor, .. } => editor.paste(text),
            Over::Fields { tree, .. } => tree.paste(text),
            Over::Retry(retry) => retry.input.paste(text),
            Over::Ask { input, .. } => input.paste(text),
            Over::Filter => {
                self.filter.get_or_insert_default().paste(text);
                self.refresh();
            }
            Over::None | Over::Compare(_) | Over::Prompt { .. } | Over::Confirm { .. } => {}
        }
    }

    /// Gives a command.
    pub fn give(&mut self, id: Id) -> Vec<Effect> {
        if matches!(self.over, Over::None) && !self.is_seen(id) {
            return self.changed_meanwhile();
        }
        match id {
            Id::Accept => self.decide(GateKind::Review, DecisionKind::Accept),
            Id::Approve => self.decide(GateKind::Approval, DecisionKind::Approve),
            Id::Keep => self.decide(GateKind::Stale, DecisionKind::Keep),
            Id::Again => self.again(),
            Id::Skip => self.skip(),
            Id::Reopen => self.reopen(),
            Id::Deny => self.ask(WHY_NOT, Then::Deny, GateKind::Approval),
            Id::Worked => self.ask(WHAT_RESULT, Then::Worked, GateKind::InDoubt),
            Id::RaiseBudget => self.ask(WHAT_BUDGET, Then::Budget, GateKind::Budget),
            Id::AcceptMarked => self.accept_marked(),
            Id::Up | Id::Down | Id::Mark if matches!(self.over, Over::Retry(_)) => {
                if let Over::Retry(retry) = &mut self.over {
                    retry.give(id);
                }
                Vec::new()
            }
            Id::Mark => self.mark(),
            Id::Edit if self.is_on_document() => self.edit_document(),
            Id::Restore => self.restore(),
            Id::Edit => self.edit(),
            Id::Retry => self.retry(None),
            Id::OtherModel => match self.asks() {
                Some(key) => vec![Effect::Open(Opening::Models(self.run.id, key))],
                None => Vec::new(),
            },
            Id::GiveKey => match self.call() {
                Some(call) => vec![picks::give_key(self.run.id, &call.key)],
                None => Vec::new(),
            },
            Id::Compare if self.is_on_document() => {
                self.compare_document();
                Vec::new()
            }
            Id::Left | Id::Right if matches!(self.over, Over::None) => {
                self.page(if id == Id::Left { -1 } else { 1 });
                Vec::new()
            }
            Id::Compare => {
                if let Some(compare) = self.call().and_then(Compare::of) {
                    self.over = Over::Compare(Box::new(compare));
                }
                Vec::new()
            }
            Id::Prompt => self.open_prompt(),
            Id::Stop => self.stop(),
            Id::Copy => self.copy(),
            Id::WriteFile => {
                if let Body::Text(document) = &self.content.body {
                    let (input, text) = (LineInput::new(&format!("{}.md", self.run.task)), document.raw().clone());
                    let then = Then::WriteFile(text);
                    self.over = Over::Ask { question: "Write the result to", input, then, problem: None };
                }
                Vec::new()
            }
            Id::Save => self.save(false),
            Id::SaveAccept => self.save(true),
            Id::External => self.external(),
            Id::Submit => self.submit(),
            Id::Scope | Id::Others => {
                if let Over::Retry(retry) = &mut self.over {
                    retry.give(id);
                }
                Vec::new()
            }
            Id::FieldEdit | Id::FieldAdd | Id::FieldRemove | Id::FieldUp | Id::FieldDown | Id::FieldRaw => {
                self.change_field(id);
                Vec::new()
            }
            Id::Yes | Id::No => self.confirmed(id == Id::Yes),
            Id::NextWaiting => {
                self.list.selected = (self.list.selected + 1) % self.rows.len().max(1);
                self.follow();
                self.following = false;
                self.show();
                Vec::new()
            }
            Id::Back => self.back(),
            Id::Zoom => {
                self.zoom = !self.zoom;
                self.pane = if self.zoom { Pane::Output } else { Pane::List };
                Vec::new()
            }
            Id::Alike => {
                self.apart = !self.apart;
                self.refresh();
                Vec::new()
            }
            Id::Filter => {
                self.filter.get_or_insert_default();
                self.pane = Pane::List;
                self.over = Over::Filter;
                Vec::new()
            }
            Id::Focus => {
                self.pane = if self.pane == Pane::List { Pane::Output } else { Pane::List };
                Vec::new()
            }
            other => self.leads(other).map_or_else(
                || {
                    self.walk(other);
                    Vec::new()
                },
                |effect| vec![effect],
            ),
        }
    }

    /// Whether what a command is about was on screen: the text that it takes, or at least the call.
    fn is_seen(&self, id: Id) -> bool {
        let Some(content) = &self.content.id else { return true };
        match id {
            Id::Edit | Id::Retry | Id::Compare | Id::Prompt | Id::Restore => self.last_frame.shows(content),
            // What is taken elsewhere as it is has to be seen itself: its row says too little.
            Id::Copy | Id::WriteFile => self.last_frame.content.as_ref() == Some(content),
            Id::Again | Id::Reopen | Id::OtherModel | Id::GiveKey | Id::Stop | Id::Mark => {
                self.last_frame.shows_subject(content)
            }
            _ => true,
        }
    }

    /// The commands that concern the run as a whole, or lead elsewhere.
    fn leads(&self, id: Id) -> Option<Effect> {
        Some(match id {
            Id::GoOn => Effect::Change(Change::GoOn(self.run.id)),
            Id::Pause => Effect::Change(Change::Pause(self.run.id)),
            Id::Answer => Effect::Go(Go::Answer),
            Id::FollowUp => Effect::Go(Go::FollowUp),
            Id::RunAgain => Effect::Go(Go::RunAgain),
            Id::SwitchRun => Effect::Go(Go::NextRun),
            Id::Inbox => Effect::Go(Go::Inbox),
            Id::History => Effect::Go(Go::History),
            Id::Suspend => Effect::Terminal(Terminal::Suspend),
            _ => return None,
        })
    }

    /// The commands that move something.
    fn walk(&mut self, id: Id) {
        let by = match id {
            Id::Up => By::Lines(-1),
            Id::Down => By::Lines(1),
            Id::PageUp => By::Pages(-1),
            Id::PageDown => By::Pages(1),
            Id::First => By::Start,
            Id::Last => By::End,
            Id::Left | Id::Right | Id::AgainstEarlier | Id::AgainstLater => {
                let Over::Compare(compare) = &mut self.over else { return };
                match id {
                    Id::Left => compare.step(-1),
                    Id::Right => compare.step(1),
                    Id::AgainstEarlier => compare.against(-1),
                    _ => compare.against(1),
                }
                return;
            }
            _ => return,
        };
        let extent = self.last_frame.output;
        match (&mut self.over, by) {
            (Over::Compare(compare), by) => compare.scroll.by(by, extent),
            (Over::Prompt { scroll, .. }, by) => scroll.by(by, extent),
            (Over::Fields { tree, .. }, By::Lines(lines)) => tree.step(lines, self.last_frame.list),
            // The arrows move in the list unless the output has the focus; pages are always the output's.
            (Over::None, By::Lines(lines)) if self.pane == Pane::List => self.select(lines),
            (Over::None, by) => self.scroll.by(by, extent),
            _ => {}
        }
    }

    /// The person moves the selection.
    fn select(&mut self, rows: isize) {
        self.following = false;
        self.list.step(rows, self.rows.len(), self.last_frame.list);
        self.show();
    }

    /// A decision about the gate that was on screen when the key was pressed. What waits in truth is the engine's to
    /// compare: the decision names what was seen.
    fn decide(&mut self, kind: GateKind, what: DecisionKind) -> Vec<Effect> {
        match self.seen_gate(kind) {
            Some(gate) => self.decided(&gate, what),
            None => self.changed_meanwhile(),
        }
    }

    /// The gate that is on screen, if it is of that kind and waits as it was shown.
    pub(super) fn seen_gate(&self, kind: GateKind) -> Option<ShownGate> {
        self.last_frame.gate.clone().filter(|seen| seen.kind == kind && self.content.gate.as_ref() == Some(seen))
    }

    pub(super) fn decided(&mut self, gate: &ShownGate, kind: DecisionKind) -> Vec<Effect> {
        self.following = true;
        self.marked.remove(&gate.key);
        self.decided.insert(gate.key.clone(), gate.clone());
        vec![decision(gate, kind)]
    }

    pub(super) fn changed_meanwhile(&mut self) -> Vec<Effect> {
        self.note = Some(Note::Failed("what waits has changed meanwhile: look again".to_owned()));
        Vec::new()
    }

    /// A decision about a call that does not wait.
    pub(super) fn on_call(&mut self, key: &Key, kind: DecisionKind) -> Vec<Effect> {
        self.following = true;
        vec![Effect::Change(Change::Decide(self.run.id, Decision::new(key.clone(), kind)))]
    }

    fn again(&mut self) -> Vec<Effect> {
        if self.is_on_document() {
            return self.decide(GateKind::Stale, DecisionKind::Again { model: None });
        }
        let Some(call) = self.call() else { return Vec::new() };
        let key = call.key.clone();
        match call.gate().map(Gate::kind) {
            Some(kind) => self.decide(kind, DecisionKind::Again { model: None }),
            None => self.on_call(&key, DecisionKind::Again { model: None }),
        }
    }

    /// Skipping takes along what depends on the call: that is said first.
    fn skip(&mut self) -> Vec<Effect> {
        let seen = self.content.gate.as_ref().and_then(|gate| self.seen_gate(gate.kind));
        let Some(gate) = seen else { return self.changed_meanwhile() };
        let lines = skipping(&self.run, &gate.key);
        self.over = Over::Confirm { lines, key: gate.key.clone(), gate: Some(gate), kind: DecisionKind::Skip };
        Vec::new()
    }

    fn confirmed(&mut self, yes: bool) -> Vec<Effect> {
        match std::mem::take(&mut self.over) {
            Over::Confirm { gate: Some(gate), kind: what, .. } if yes => self.decided(&gate, what),
            Over::Confirm { key, gate: None, kind: what, .. } if yes => self.on_call(&key, what),
            _ => Vec::new(),
        }
    }

    fn ask(&mut self, question: &'static str, then: fn(ShownGate) -> Then, kind: GateKind) -> Vec<Effect> {
        let Some(gate) = self.seen_gate(kind) else { return self.changed_meanwhile() };
        self.over = Over::Ask { question, input: LineInput::default(), then: then(gate), problem: None };
        Vec::new()
    }

    fn mark(&mut self) -> Vec<Effect> {
        if let Some(key) = self.call().map(|call| call.key.clone()) {
            let alike = self.selected_row().map(|row| row.alike.clone()).unwrap_or_default();
            if self.marked.remove(&key) {
                self.marked.retain(|key| !alike.contains(key));
            } else {
                self.marked.insert(key);
                self.marked.extend(alike);
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

    /// Accepts the marked reviews; with none marked, all in the list as it is filtered that pass their checks.
    fn accept_marked(&mut self) -> Vec<Effect> {
        let run = Arc::clone(&self.run);
        let row_of = |row: &OutlineRow, key: &Key| row.id == RowId::Call(key.clone()) || row.alike.contains(key);
        let listed = |key: &Key| self.filter.is_none() || self.rows.iter().any(|row| row_of(row, key));
        let takes = |gate: &&crate::core::gate::Gate| {
            gate.kind() == GateKind::Review
                && gate.allows(crate::core::gate::Answer::Accept)
                && if self.marked.is_empty() {
                    gate.failed_checks().is_empty() && listed(&gate.key)
                } else {
                    self.marked.contains(&gate.key)
                }
        };
        let gates: Vec<ShownGate> = run.waiting().filter(takes).map(|gate| ShownGate::of(&run, gate)).collect();
        self.marked.clear();
        gates.iter().flat_map(|gate| self.decided(gate, DecisionKind::Accept)).collect()
    }

    fn open_prompt(&mut self) -> Vec<Effect> {
        let attempt = self.call().and_then(|call| call.newest());
        if let Some(attempt) = attempt {
            let text = Box::new(Document::new(&prompt(&self.run, attempt)));
            self.over = Over::Prompt { text, scroll: Scroll::at_start() };
        }
        Vec::new()
    }

    fn stop(&mut self) -> Vec<Effect> {
        let Some(key) = self.call().map(|call| call.key.clone()) else { return Vec::new() };
        vec![Effect::Change(Change::Stop { run: self.run.id, key, again: None })]
    }

    fn copy(&mut self) -> Vec<Effect> {
        match &self.content.body {
            Body::Text(document) => vec![Effect::Terminal(Terminal::Copy(document.raw().block().into_owned()))],
            _ => Vec::new(),
        }
    }

    fn submit(&mut self) -> Vec<Effect> {
        if let Over::Fields { tree, .. } = &mut self.over {
            tree.commit();
            return Vec::new();
        }
        match std::mem::take(&mut self.over) {
            Over::Filter => {
                if self.filter.as_ref().is_some_and(LineInput::is_empty) {
                    self.clear_filter();
                }
                Vec::new()
            }
            Over::Retry(retry) => self.retried(*retry),
            Over::Ask { question, input, then, .. } => {
                let typed = input.value();
                match self.answered(&then, &typed) {
                    Ok(effects) => effects,
                    Err(problem) => {
                        self.over = Over::Ask { question, input, then, problem: Some(problem) };
                        Vec::new()
                    }
                }
            }
            _ => Vec::new(),
        }
    }

    fn answered(&mut self, then: &Then, typed: &str) -> Result<Vec<Effect>, String> {
        match then {
            Then::Deny(gate) => Ok(self.decided(gate, DecisionKind::Deny { reason: typed.to_owned() })),
            Then::Worked(gate) => Ok(self.decided(gate, DecisionKind::Answer { value: worked(typed) })),
            Then::Budget(gate) => {
                let budget = raised(self.run.budget.unwrap_or_default(), typed.trim())?;
                Ok(self.decided(gate, DecisionKind::Budget { budget }))
            }
            Then::WriteFile(text) => {
                if typed.trim().is_empty() {
                    return Err("a path is wanted".to_owned());
                }
                Ok(vec![Effect::Errand(Errand::WriteFile { path: typed.trim().to_owned(), text: text.clone() })])
            }
        }
    }

    /// Esc: out of the layer, its text kept as a draft; else out of the zoom; else back.
    fn back(&mut self) -> Vec<Effect> {
        if let Over::Fields { tree, .. } = &mut self.over
            && tree.is_typing()
        {
            tree.cancel();
            return Vec::new();
        }
        let draft = match std::mem::take(&mut self.over) {
            Over::Filter => {
                self.clear_filter();
                return Vec::new();
            }
            Over::None if self.filter.is_some() => {
                self.clear_filter();
                return Vec::new();
            }
            Over::None if self.zoom || self.pane == Pane::Output => {
                self.zoom = false;
                self.pane = Pane::List;
                return Vec::new();
            }
            Over::None => return vec![Effect::Go(Go::Back)],
            Over::Edit { gate, editor, .. } => Some((draft_name(&gate), editor.text())),
            Over::Document { name, version, editor, .. } => Some((document_draft(&name, version), editor.text())),
            Over::Fields { gate, tree } => Some((draft_name(&gate), tree.value().to_string())),
            Over::Retry(retry) => Self::instruction_draft(&retry),
            _ => None,
        };
        let Some((name, text)) = draft else { return Vec::new() };
        self.note = Some(Note::Done("draft kept".to_owned()));
        self.drafts.insert(name.clone(), text.clone());
        vec![Effect::Change(Change::KeepDraft { run: self.run.id, name, text: Some(text) })]
    }

    fn clear_filter(&mut self) {
        self.filter = None;
        self.refresh();
    }

    fn mouse(&mut self, mouse: MouseEvent) -> (Vec<Effect>, bool) {
        let hit = self.last_frame.at(Position { x: mouse.column, y: mouse.row });
        let lines = match mouse.kind {
            MouseEventKind::ScrollUp => -3,
            MouseEventKind::ScrollDown => 3,
            MouseEventKind::Down(_) => {
                return match hit {
                    Some(Hit::Row(at)) if matches!(self.over, Over::None) => {
                        self.select(
                            isize::try_from(at).unwrap_or(0) - isize::try_from(self.list.selected).unwrap_or(0),
                        );
                        (Vec::new(), true)
                    }
                    Some(Hit::Command(id)) if holds(id, &self.situation()) => (self.give(id), true),
                    _ => (Vec::new(), false),
                };
            }
            _ => return (Vec::new(), false),
        };
        match hit {
            Some(Hit::Output) if matches!(self.over, Over::None) => {
                self.scroll.by(By::Lines(lines), self.last_frame.output);
            }
            Some(Hit::List | Hit::Row(_)) if matches!(self.over, Over::None) => self.select(lines.signum()),
            _ => {
                let id = if lines < 0 { Id::Up } else { Id::Down };
                (0..lines.unsigned_abs()).for_each(|_| self.walk(id));
            }
        }
        (Vec::new(), true)
    }
}
