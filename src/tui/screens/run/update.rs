//! How the screen of a run changes: messages in, effects out.

use std::sync::Arc;

use crossterm::event::{KeyEvent, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::calls::Calls;
use super::content::Body;
use super::layer::{Over, Then, prompt};
use super::pages::{self, Paged};
use super::{Note, Pane, PartialOutput, RunScreen};
use crate::core::call::CallStatus;
use crate::core::decide::{DecisionKind, newest_decision};
use crate::core::document::RESULT;
use crate::core::gate::GateKind;
use crate::core::key::Key;
use crate::core::model::Delta;
use crate::core::run::Run;
use crate::core::text::Untrusted;
use crate::tui::canvas::Hit;
use crate::tui::commands::{Id, command, holds};
use crate::tui::documents;
use crate::tui::effect::{Change, Effect, Errand, Go, Opening, Purpose, Terminal};
use crate::tui::layers::ask::{WHAT_BUDGET, WHAT_RESULT, WHAT_RETURN, WHY_NOT, raised, worked};
use crate::tui::layers::picks;
use crate::tui::markdown::Document;
use crate::tui::message::Message;
use crate::tui::tool_calls;
use crate::tui::versions::Compare;
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
            Message::Locked { run, locked } if run == Some(self.run.id) => {
                self.locked = locked;
                (Vec::new(), true)
            }
            Message::Tick(now) => {
                let shows_time = self.ticks();
                self.now = now;
                (Vec::new(), shows_time)
            }
            Message::Failed(text) => {
                (self.reports, self.returns) = (false, None);
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
            Message::Draft { run, name, text } if run == self.run.id => (Vec::new(), self.draft(&name, text)),
            Message::Model { run, key, model } if run == self.run.id => (self.by_model(&key, model), true),
            Message::Resize(..) => (Vec::new(), true),
            _ => (Vec::new(), false),
        }
    }

    fn snapshot(&mut self, run: Arc<Run>) -> Vec<Effect> {
        let before = newest_decision(&self.run).map(|newest| newest.seq);
        self.run = run;
        for (key, live) in &mut self.live {
            live.follow(tool_calls::turns_of(&self.run, key, live.attempt));
        }
        self.refresh();
        let runs = |key: &Key| self.run.call(key).is_some_and(|call| call.status == CallStatus::Running);
        self.note.take_if(|note| matches!(note, Note::Stopping(key) if !runs(key)));
        self.report(before);
        Vec::new()
    }

    fn delta(&mut self, key: Key, attempt: u32, delta: Delta) -> bool {
        let shown = self.call().is_some_and(|call| call.key == key);
        let turns = tool_calls::turns_of(&self.run, &key, attempt);
        let live = self.live.entry(key).or_default();
        if live.attempt != attempt {
            *live = PartialOutput { attempt, turns, ..PartialOutput::default() };
        }
        match delta {
            Delta::Asks(model) => live.model = Some(model),
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
        // Within an instruction of several lines the arrows move in it.
        let within = matches!(&self.over, Over::Retry(retry) if !retry.ticks() && !retry.input.is_at_bottom());
        let id = command(key, &self.situation()).filter(|id| !(within && *id == Id::Others));
        if let Some(id) = id {
            return self.give(id);
        }
        self.type_in(key);
        Vec::new()
    }

    /// A key that is no command is text, where text is typed.
    fn type_in(&mut self, key: KeyEvent) {
        if self.types_search(|search| search.key(key)) {
            return;
        }
        match &mut self.over {
            Over::Document { editor, .. } => {
                editor.key(key);
            }
            Over::Edit { editor, problem, .. } => {
                editor.key(key);
                *problem = None;
            }
            Over::Fields { tree, .. } if tree.is_typing() => tree.key(key),
            Over::Fields { .. } => self.note = Some(Note::Done("Enter edits the value".to_owned())),
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
            Over::None | Over::Compare(_) | Over::Prompt { .. } | Over::Calls(_) | Over::Confirm { .. } => {}
        }
    }

    fn paste(&mut self, text: &str) {
        if self.types_search(|search| search.paste(text)) {
            return;
        }
        match &mut self.over {
            Over::Edit { editor, .. } | Over::Document { editor, .. } => editor.paste(text),
            Over::Fields { tree, .. } => tree.paste(text),
            Over::Retry(retry) => retry.input.paste(text),
            Over::Ask { input, .. } => input.paste(text),
            Over::Filter => {
                self.filter.get_or_insert_default().paste(text);
                self.refresh();
            }
            Over::None | Over::Compare(_) | Over::Prompt { .. } | Over::Calls(_) | Over::Confirm { .. } => {}
        }
    }

    /// Gives a command.
    #[expect(clippy::too_many_lines, reason = "one line for each command")]
    pub fn give(&mut self, id: Id) -> Vec<Effect> {
        if self.gives_to_search(id) {
            return Vec::new();
        }
        if matches!(self.over, Over::None) && !self.is_seen(id) {
            return self.changed_meanwhile();
        }
        match id {
            Id::Accept => self.accept(),
            Id::Approve => self.decide(self.approval_kind(), DecisionKind::APPROVE),
            Id::ApproveForRun => {
                self.decide(GateKind::Approval, DecisionKind::Approve { for_run: true, arguments: None })
            }
            Id::Keep => self.decide(GateKind::Stale, DecisionKind::Keep),
            Id::Again => self.again(),
            Id::Skip => self.skip(),
            Id::Reopen => self.reopen(),
            Id::Fork => self.fork(),
            Id::Deny => self.ask(WHY_NOT, Then::Deny, self.approval_kind()),
            Id::AnswerForTool => self.ask(WHAT_RETURN, Then::Worked, GateKind::Approval),
            Id::Worked => self.ask(WHAT_RESULT, Then::Worked, GateKind::InDoubt),
            Id::RaiseBudget => self.ask(WHAT_BUDGET, Then::Budget, GateKind::Budget),
            Id::AcceptMarked => self.accept_marked(),
            Id::RetryMarked => self.retry_marked(),
            Id::SkipMarked => self.skip_marked(),
            Id::UndoLast => self.undo(),
            Id::Up | Id::Down | Id::Mark if matches!(self.over, Over::Retry(_)) => {
                if let Over::Retry(retry) = &mut self.over {
                    retry.give(id);
                }
                Vec::new()
            }
            Id::Mark => self.mark(),
            Id::Edit if self.is_on_document() => self.edit_document(),
            Id::Edit => self.edit(),
            Id::Change => self.change_result(),
            Id::Retry => self.retry(None),
            Id::OtherModel => match self.asks() {
                Some(key) => vec![Effect::Open(Opening::Models(self.run.id, key))],
                None => Vec::new(),
            },
            Id::GiveKey => match self.call() {
                Some(call) => vec![picks::give_key(self.run.id, &call.key)],
                None => Vec::new(),
            },
            Id::Compare => self.compare(),
            Id::Prompt => self.open_prompt(),
            Id::Calls => {
                let attempt = self.shown_attempt().map_or(0, |attempt| attempt.number);
                if let Some(calls) = self.call().and_then(|call| Calls::of(call, attempt)) {
                    self.over = Over::Calls(Box::new(calls));
                }
                Vec::new()
            }
            Id::Unfold => {
                if let Over::Calls(calls) = &mut self.over {
                    calls.unfold();
                }
                Vec::new()
            }
            Id::Stop => self.stop(),
            Id::Copy => self.copy(),
            Id::WriteFile => {
                if let Body::Text(document) = &self.content.body {
                    let input = LineInput::new(&self.file_name());
                    let then = Then::WriteFile(document.raw().clone());
                    self.over = Over::Ask { question: "Write it to", input, then, problem: None };
                }
                Vec::new()
            }
            Id::Save => self.save(false),
            Id::SaveAccept => self.save(true),
            Id::External => self.external(),
            Id::Submit => self.submit(),
            Id::NewLine => {
                self.paste("\n");
                Vec::new()
            }
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
                self.next_waiting();
                Vec::new()
            }
            Id::Back => self.back(),
            Id::Zoom => {
                self.zoom = !self.zoom;
                self.pane = if self.zoom { Pane::Output } else { Pane::List };
                Vec::new()
            }
            Id::Thoughts => {
                if self.content.besides.is_none() {
                    self.note = Some(Note::Done("this attempt has no thoughts".to_owned()));
                } else {
                    self.unfolded = !self.unfolded;
                    self.scroll = Scroll::at_start();
                }
                Vec::new()
            }
            Id::Alike => {
                self.apart = !self.apart;
                self.refresh();
                Vec::new()
            }
            Id::Filter => {
                self.filter_or_search();
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
            Id::Edit | Id::Change | Id::Retry | Id::Compare | Id::Prompt | Id::Skip => self.last_frame.shows(content),
            // What is taken elsewhere as it is has to be seen itself: its row says too little.
            Id::Copy | Id::WriteFile => self.last_frame.content.as_ref() == Some(content),
            Id::Again | Id::Reopen | Id::Fork | Id::OtherModel | Id::GiveKey | Id::Stop | Id::Mark => {
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
        match (id, &mut self.over) {
            (Id::Left, Over::Compare(compare)) => compare.step(-1),
            (Id::Right, Over::Compare(compare)) => compare.step(1),
            (Id::AgainstEarlier, Over::Compare(compare)) => compare.against(-1),
            (Id::AgainstLater, Over::Compare(compare)) => compare.against(1),
            (Id::Left, Over::None) => self.turn(-1),
            (Id::Right, Over::None) => self.turn(1),
            _ => {}
        }
        let Some(by) = By::of(id) else { return };
        let extent = self.last_frame.output;
        match (&mut self.over, by) {
            (Over::Compare(compare), by) => compare.scroll.by(by, extent),
            (Over::Prompt { scroll, .. }, by) => scroll.by(by, extent),
            (Over::Calls(calls), by) => calls.by(by, &self.run, extent),
            (Over::Fields { tree, .. }, By::Lines(lines)) => tree.step(lines, self.last_frame.list),
            // The arrows move in the list unless the output has the focus; pages are always the output's.
            (Over::None, By::Lines(lines)) if self.pane == Pane::List => self.select(lines),
            (Over::None, by) => self.scroll.by(by, extent),
            _ => {}
        }
    }

    /// Turns to an earlier or a later attempt or version of what is selected.
    fn turn(&mut self, by: isize) {
        if self.last_frame.content.is_none() {
            // There is no room for it beside the list.
            self.pane = Pane::Output;
            return;
        }
        let Some(row) = self.selected_row().map(|row| row.id.clone()) else { return };
        let paged = self.paged.as_ref().map(|paged| paged.page);
        let (from, page) = match (self.call(), self.document()) {
            (Some(call), _) => {
                let from = paged.unwrap_or_else(|| pages::current(call, self.gate()));
                (from, pages::step(call, self.gate(), from, by))
            }
            (None, Some(document)) => {
                let from = paged.unwrap_or_else(|| documents::current(document));
                (from, documents::step(document, from, by))
            }
            (None, None) => return,
        };
        if page == from {
            self.note = Some(Note::Done(pages::end(by).to_owned()));
            return;
        }
        self.paged = Some(Paged { row, page });
        self.following = false;
        self.show();
        self.scroll = if self.content.streams() { Scroll::following() } else { Scroll::at_start() };
    }

    /// The person moves the selection.
    pub(super) fn select(&mut self, rows: isize) {
        self.following = false;
        self.search = None;
        self.list.step(rows, self.rows.len(), self.last_frame.list);
        self.show();
    }

    /// Compares what is shown with what is shown without paging, else with what came before it.
    fn compare(&mut self) -> Vec<Effect> {
        if self.is_on_document() {
            self.compare_document();
            return Vec::new();
        }
        let shown = self.content.earlier.map(|earlier| earlier.page);
        match self.call().and_then(|call| Compare::of(call, shown, pages::current(call, self.gate()))) {
            Some(compare) => self.over = Over::Compare(Box::new(compare)),
            None => self.note = Some(Note::Failed("there is no other output to compare it with".to_owned())),
        }
        Vec::new()
    }

    /// The file that a text is offered to be written to.
    fn file_name(&self) -> String {
        let document = self.document().map(|document| document.name.clone()).filter(|name| name != RESULT);
        let Some(of) = self.call().map(|call| call.key.to_string()).or(document) else {
            return format!("{}.md", self.run.task);
        };
        let plain = |c: char| if c.is_alphanumeric() { c } else { '-' };
        let of: String = of.chars().map(plain).collect();
        format!("{}-{}.md", self.run.task, of.trim_matches('-'))
    }

    /// The exact prompt of the attempt that is shown.
    fn open_prompt(&mut self) -> Vec<Effect> {
        let shown = self.content.earlier.map(|earlier| earlier.page.attempt);
        let attempt = self.call().and_then(|call| shown.map_or_else(|| call.newest(), |shown| call.attempt(shown)));
        if let Some(attempt) = attempt {
            let text = Box::new(Document::new(&prompt(&self.run, attempt)));
            self.over = Over::Prompt { text, scroll: Scroll::at_start() };
        }
        Vec::new()
    }

    fn stop(&mut self) -> Vec<Effect> {
        let Some(key) = self.call().map(|call| call.key.clone()) else { return Vec::new() };
        self.note = Some(Note::Stopping(key.clone()));
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
                    Ok(mut effects) => {
                        let run = self.run.id;
                        if let Some(name) = then.draft() {
                            self.drafts.remove(&name);
                            effects.push(Effect::Change(Change::KeepDraft { run, name, text: None }));
                        }
                        effects
                    }
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
                    return Err("enter a path".to_owned());
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
        let unsaved = self.unsaved();
        match std::mem::take(&mut self.over) {
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
            _ => {}
        }
        self.keep(unsaved)
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
