//! The model of the whole interface: the screens as a stack, and what belongs to none of them. Pure.

mod going;
mod opening;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use crossterm::event::{KeyEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};
use serde_json::Value;

use self::opening::{Awaited, Wanted};
use super::any_screen::AnyScreen;
use crate::core::decide::{Decision, DecisionKind};
use crate::core::event::PauseReason;
use crate::core::id::RunId;
use crate::core::run::{Run, Status};
use crate::core::text::Untrusted;
use crate::tui::canvas::{Canvas, FrameInfo, Hit};
use crate::tui::commands::{Id, command, holds, moved};
use crate::tui::drafts::{self, Drafts, Slot, Unsaved};
use crate::tui::effect::{Change, Effect, Errand, Go, Leaving, Order, Request, Terminal, Ticket};
use crate::tui::layers::{Above, Choose, Entry, Help, Kind, Pick, picks};
use crate::tui::message::Message;
use crate::tui::runtime::UiModel;
use crate::tui::screens::chat::document_draft;
use crate::tui::screens::home::HomeScreen;
use crate::tui::situation::Situation;

/// After so long what was written is on the disk, and was read.
const SETTLED: TimeDelta = TimeDelta::seconds(10);

/// The model.
pub struct Interface {
    /// The screens, the visible one last. The first is Home and stays.
    stack: Vec<AnyScreen>,
    /// The newest of every run that is watched.
    runs: HashMap<RunId, Arc<Run>>,
    /// What lies above the visible screen and has the keys.
    above: Option<Above>,
    /// What was asked for and is to take the screen as soon as it is ready.
    awaited: Option<Awaited>,
    /// The ticket that was given last.
    ticket: Ticket,
    /// Keys that were pressed while something was awaited, for what has taken the screen.
    ahead: VecDeque<Message>,
    /// Tasks whose texts are shown as they are written.
    as_written: BTreeSet<String>,
    /// Where a run is to be opened, once it is there.
    wanted: Option<Wanted>,
    /// What was typed and not given, as far as it is kept.
    drafts: Drafts,
    /// The folder that Stepwell was started in.
    here: PathBuf,
    zone: FixedOffset,
    /// Ctrl-C was pressed, and nothing since.
    armed: bool,
    /// The terminal is looked at, as far as it says.
    looked_at: bool,
    leaving: Option<Leaving>,
    /// The question is open what is to become of the runs that are going.
    asks_to_leave: bool,
    /// The window's title as it was set last.
    title: Untrusted,
    now: DateTime<Utc>,
    /// When the journal was written or a definition changed last, once that is told by itself.
    written: Option<DateTime<Utc>>,
    last_frame: FrameInfo,
}

impl Interface {
    /// Opens on Home. `here` is the folder that Stepwell was started in, `zone` tells where days begin.
    #[must_use]
    pub fn new(here: PathBuf, now: DateTime<Utc>, zone: FixedOffset) -> Self {
        Self {
            stack: vec![AnyScreen::Home(Box::new(HomeScreen::new(now)))],
            runs: HashMap::new(),
            above: None,
            awaited: None,
            ticket: Ticket::default(),
            ahead: VecDeque::new(),
            as_written: BTreeSet::new(),
            wanted: None,
            drafts: Drafts::default(),
            here,
            zone,
            armed: false,
            looked_at: true,
            leaving: None,
            asks_to_leave: false,
            title: Untrusted::default(),
            now,
            written: None,
            last_frame: FrameInfo::default(),
        }
    }

    /// What is to become of the runs that are going here, once the person has left.
    #[must_use]
    pub fn leaving(&self) -> Option<Leaving> {
        self.leaving
    }

    /// What has to be done so that everything is kept that was typed and not given.
    pub fn unsaved(&mut self) -> Vec<Change> {
        let above = self.above.as_ref().and_then(Above::unsaved);
        self.drafts.catch_up(self.stack.iter().flat_map(AnyScreen::unsaved).chain(above))
    }

    /// Whether what is typed here is kept.
    fn keeps(&self) -> bool {
        match &self.above {
            Some(above) => above.unsaved().is_some(),
            None => matches!(self.top(), AnyScreen::Form(_) | AnyScreen::Run(_) | AnyScreen::Chat(_)),
        }
    }

    /// Paints what is visible.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        canvas.as_written = self.top().task().is_some_and(|task| self.as_written.contains(task));
        self.top().view(canvas, area);
        if let Some(above) = &self.above {
            above.view(canvas, area);
        }
        let says = if self.armed {
            " Ctrl-C again leaves; any other key stays"
        } else if self.awaited.as_ref().is_some_and(Awaited::is_typed_ahead_of) {
            " Opening…  Esc cancels"
        } else {
            return;
        };
        if area.height > 0 {
            let foot = Rect { y: area.bottom() - 1, height: 1, ..area };
            canvas.clear(foot);
            let style = canvas.theme.waiting;
            canvas.text(foot, says, style);
        }
    }

    fn top(&self) -> &AnyScreen {
        self.stack.last().unwrap_or(&self.stack[0])
    }

    fn top_mut(&mut self) -> &mut AnyScreen {
        let last = self.stack.len() - 1;
        &mut self.stack[last]
    }

    fn home(&mut self) -> Option<&mut HomeScreen> {
        match &mut self.stack[0] {
            AnyScreen::Home(home) => Some(home),
            _ => None,
        }
    }

    fn on_home(&self) -> bool {
        self.stack.len() == 1
    }

    fn take(&mut self, message: Message) -> (Vec<Effect>, bool) {
        match message {
            Message::Key(_) | Message::Paste(_) | Message::Mouse(_) if self.awaited.is_some() => self.keep(message),
            Message::Key(key) => (self.key(key), true),
            Message::Paste(_) | Message::Mouse(_) if self.above.is_some() => (self.above(message), true),
            // Who drags wants to mark text, which only the terminal can.
            Message::Mouse(mouse) if matches!(mouse.kind, MouseEventKind::Drag(_)) => {
                self.top_mut().update(Message::Done(MARKING.to_owned()))
            }
            Message::Mouse(mouse) => {
                let hit = self.last_frame.at(Position { x: mouse.column, y: mouse.row });
                if let (MouseEventKind::Down(_), Some(Hit::Command(id))) = (mouse.kind, hit)
                    && holds(id, &self.top().situation())
                    && let Some(effects) = self.own(id)
                {
                    return (effects, true);
                }
                self.top_mut().update(Message::Mouse(mouse))
            }
            Message::Tick(now) => self.tick(now),
            Message::Written(now) => {
                self.written = Some(now);
                self.tick(now)
            }
            Message::Unwatched => {
                self.written = None;
                (Vec::new(), false)
            }
            Message::Focus(looked_at) => {
                self.looked_at = looked_at;
                (Vec::new(), false)
            }
            Message::Run(run) => self.run(&run),
            Message::OpenRuns(runs) => {
                let now = self.now;
                let asks = self.home().map(|home| home.fill_runs(runs, now)).unwrap_or_default();
                (asks, self.on_home())
            }
            Message::Tasks(tasks) => {
                let now = self.now;
                if let Some(home) = self.home() {
                    home.fill_tasks(tasks, now);
                }
                (Vec::new(), self.on_home())
            }
            Message::Answers(choice) => {
                if let Some(home) = self.home() {
                    home.answers(choice);
                }
                (Vec::new(), self.on_home())
            }
            Message::Connected(said) => {
                self.stack.retain(|screen| !matches!(screen, AnyScreen::Connect(_)) && !screen.is_connecting());
                self.top_mut().update(Message::Done(said))
            }
            Message::AsWritten(tasks) => {
                self.as_written.extend(tasks);
                (Vec::new(), true)
            }
            Message::Ready(ticket, ready) => self.ready(ticket, ready),
            Message::RunsChanged(change) => {
                if change.gone {
                    self.stack.retain(|screen| screen.run() != Some(change.run));
                    self.runs.remove(&change.run);
                }
                let (mut effects, _) = self.top_mut().update(Message::RunsChanged(change));
                effects.push(Effect::Errand(Errand::ListRuns));
                (effects, true)
            }
            // Home keeps its own, whatever lies over it.
            Message::Glances(glances) => {
                let over = !self.on_home();
                if let Some(home) = self.home().filter(|_| over) {
                    home.update(Message::Glances(glances.clone()));
                }
                self.top_mut().update(Message::Glances(glances))
            }
            Message::NotDone { request, why } => self.not_done(*request, why),
            Message::Ending(reason) => (vec![Effect::Go(Go::Leave(Leaving::Pause(reason)))], false),
            Message::Draft { run, name, text } => {
                self.drafts.found(Slot::Run(run, name.clone()), &text);
                if let Some(above) = &mut self.above {
                    above.offer(run, &name, &text);
                }
                let concerned = |page: &AnyScreen| page.hears_of(run);
                let mut changed = self.above.is_some();
                for page in self.stack.iter_mut().filter(|page| concerned(page)) {
                    changed |= page.update(Message::Draft { run, name: name.clone(), text: text.clone() }).1;
                }
                (Vec::new(), changed)
            }
            Message::Delta { run, .. } => {
                let mut shown = (Vec::new(), false);
                let last = self.stack.len() - 1;
                for (at, page) in self.stack.iter_mut().enumerate().filter(|(_, page)| page.run() == Some(run)) {
                    let (effects, changed) = page.update(message.clone());
                    shown.0.extend(effects);
                    shown.1 |= changed && at == last;
                }
                shown
            }
            other => self.top_mut().update(other),
        }
    }

    /// The time goes on: lists that others may change are asked for again.
    fn tick(&mut self, now: DateTime<Utc>) -> (Vec<Effect>, bool) {
        self.now = now;
        let (mut effects, changed) = self.top_mut().update(Message::Tick(now));
        match self.top() {
            AnyScreen::Home(_) => effects.extend([Errand::ListRuns, Errand::ListChangedTasks].map(Effect::Errand)),
            AnyScreen::Inbox(_) => effects.push(Effect::Errand(Errand::ListWaiting { anew: false })),
            _ => {}
        }
        if self.drafts.is_behind() {
            effects.extend(self.unsaved().into_iter().map(Effect::Change));
        }
        (effects, changed)
    }

    /// Whether nothing was written for so long that all of it is read.
    fn is_quiet(&self) -> bool {
        self.written.is_some_and(|at| self.now - at >= SETTLED)
    }

    fn situation(&self) -> Situation {
        self.above.as_ref().map_or_else(|| self.top().situation(), Above::situation)
    }

    /// Hands a message to the layer above, and does what comes of it.
    fn above(&mut self, message: Message) -> Vec<Effect> {
        let Some(above) = &mut self.above else { return Vec::new() };
        let typed = above.unsaved();
        let outcome = above.update(message);
        let mut effects = outcome.effects;
        if outcome.closes {
            self.above = None;
            self.asks_to_leave = false;
            // Given, it is done with; left, it is kept.
            let left = effects.iter().any(|effect| matches!(effect, Effect::Change(Change::KeepDraft { .. })));
            let given = typed.filter(|_| !left).map(|typed| Unsaved { text: None, ..typed });
            effects.extend(self.drafts.keep(given).into_iter().map(Effect::Change));
        }
        if let Some(id) = outcome.give {
            effects.extend(self.own(id).unwrap_or_else(|| self.top_mut().give(id)));
        }
        effects
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        let id = command(key, &self.situation());
        let armed = std::mem::take(&mut self.armed);
        if id == Some(Id::Leave) {
            self.armed = !armed;
            return if armed { self.quit() } else { Vec::new() };
        }
        if id == Some(Id::Mouse) {
            return self.own(Id::Mouse).unwrap_or_default();
        }
        if self.above.is_some() {
            return match id {
                Some(Id::AsWritten) => self.own(Id::AsWritten).unwrap_or_default(),
                _ => self.above(Message::Key(key)),
            };
        }
        if let Some(effects) = id.and_then(|id| self.own(id)) {
            return effects;
        }
        if let Some(says) = moved(key, &self.situation()).filter(|_| id.is_none()) {
            return self.top_mut().update(Message::Done(says.to_owned())).0;
        }
        self.top_mut().update(Message::Key(key)).0
    }

    /// What a command does that belongs to no screen.
    fn own(&mut self, id: Id) -> Option<Vec<Effect>> {
        match id {
            Id::Quit => Some(self.quit()),
            Id::AsWritten => {
                let task = self.top().task()?.to_owned();
                if !self.as_written.remove(&task) {
                    self.as_written.insert(task);
                }
                Some(vec![Effect::Errand(Errand::KeepAsWritten(self.as_written.clone()))])
            }
            Id::Mouse => Some(vec![Effect::Terminal(Terminal::ToggleMouse)]),
            Id::Models => Some(vec![Effect::Go(Go::Connect)]),
            Id::Help => {
                self.above = Some(Kind::Help(Help::of(&self.top().situation())).into());
                Some(Vec::new())
            }
            Id::Palette => {
                let (situation, run) = (self.top().situation(), self.top().listed());
                let tasks = self.home().map(|home| home.tasks()).unwrap_or_default();
                self.above = Some(Kind::Choose(picks::palette(&situation, run.as_ref(), tasks)).into());
                Some(Vec::new())
            }
            _ => None,
        }
    }

    /// The person wants to leave.
    fn quit(&mut self) -> Vec<Effect> {
        let going = self.runs.values().filter(|run| run.status == Status::Running).count();
        // Who asks to leave again before the question is answered wants to leave, and nothing else.
        if going == 0 || (self.asks_to_leave && self.above.is_some()) {
            return vec![Effect::Go(Go::Leave(Leaving::Pause(PauseReason::Left)))];
        }
        let title = if going == 1 { "A run is going".to_owned() } else { format!("{going} runs are going") };
        let leave = |leaving| Pick::Do(vec![Effect::Go(Go::Leave(leaving))]);
        let entries = vec![
            Entry::new("Keep running in the background", "until it needs me", leave(Leaving::GoOn)),
            Entry::new("Pause it and leave", "", leave(Leaving::Pause(PauseReason::Left))),
            Entry::new("Stay", "Esc", Pick::Do(Vec::new())),
        ];
        self.above = Some(Kind::Choose(Choose::new(&title, entries)).into());
        self.asks_to_leave = true;
        Vec::new()
    }

    /// A watched run went on.
    fn run(&mut self, run: &Arc<Run>) -> (Vec<Effect>, bool) {
        // What was read before something new was told may come after it.
        if self.runs.get(&run.id).is_some_and(|known| known.seq > run.seq) {
            return (Vec::new(), false);
        }
        let before = self.runs.insert(run.id, Arc::clone(run));
        let mut effects = Vec::new();
        let mut shown = false;
        let last = self.stack.len() - 1;
        let concerned = |screen: &AnyScreen| screen.hears_of(run.id);
        for (at, page) in self.stack.iter_mut().enumerate().filter(|(_, page)| concerned(page)) {
            let (more, changed) = page.update(Message::Run(Arc::clone(run)));
            effects.extend(more);
            shown |= changed && at == last;
        }
        if let Some(says) = before.filter(|_| !self.looked_at).and_then(|before| news(&before, run)) {
            effects.push(Effect::Terminal(Terminal::Notify(Untrusted::new(format!("{} {says}", run.title)))));
        }
        if self.on_home() {
            effects.push(Effect::Errand(Errand::ListRuns));
        }
        (effects, shown)
    }

    /// What was not done is told where it was asked for; the text in it is kept there.
    fn not_done(&mut self, request: Request, why: String) -> (Vec<Effect>, bool) {
        let change = match request {
            Request::Change(change) => Some(change),
            Request::Open(ticket, _) => {
                // What was typed ahead was meant for it.
                self.awaited.take_if(|awaited| awaited.ticket == ticket);
                None
            }
            Request::Errand(_) => None,
        };
        if let Some(Change::Decide(run, decision)) = &change {
            for screen in &mut self.stack {
                match screen {
                    AnyScreen::Run(screen) if screen.run().id == *run => screen.not_decided(&decision.key),
                    // It waits there again.
                    AnyScreen::Inbox(screen) => {
                        let request = Box::new(Request::Change(Change::Decide(*run, decision.clone())));
                        screen.update(Message::NotDone { request, why: why.clone() });
                    }
                    _ => {}
                }
            }
        }
        let mut effects = Vec::new();
        if let Some((run, name, text)) = change.and_then(kept_text) {
            for screen in self.stack.iter_mut().filter(|screen| screen.run() == Some(run)) {
                screen.update(Message::Draft { run, name: name.clone(), text: text.clone() });
            }
            // It was forgotten when it was given.
            effects.push(Effect::Change(Change::KeepDraft { run, name, text: Some(text) }));
        }
        effects.extend(self.top_mut().update(Message::Failed(why)).0);
        (effects, true)
    }

    /// Selects the call that the visible run was opened for, and begins the edit that it was opened for.
    fn go_to_wanted(&mut self) {
        let shown = self.top().run();
        let wanted = self.wanted.take_if(|wanted| Some(wanted.run) == shown);
        if let (Some(Wanted { key, edit, .. }), AnyScreen::Run(screen)) = (wanted, self.top_mut()) {
            screen.go_to(&key);
            // What was typed belongs to the editor: where it does not open, it is no command.
            if edit.is_some_and(|(gate, page)| !screen.edit_seen(gate, page)) {
                self.ahead.clear();
            }
        }
    }
}

/// Said to who drags the mouse.
const MARKING: &str = "F4 lets go of the mouse, to mark text with it; in many terminals Shift does, too";

/// The text in what was not done, with its run and under the name of its draft.
fn kept_text(change: Change) -> Option<(RunId, String, String)> {
    match change {
        Change::Message(run, text) => Some((run, "message".to_owned(), text)),
        Change::EditDocument { run, version, body, .. } => Some((run, document_draft(version), body)),
        Change::WriteDocument(run, decision) => match decision.kind {
            DecisionKind::Edit { output: Value::String(text), .. } => Some((run, document_draft(0), text)),
            _ => None,
        },
        Change::Decide(run, decision) => {
            let Decision { key, attempt, kind: what, .. } = decision;
            let (name, text) = match what {
                DecisionKind::Edit { output: Value::String(text), .. } => (format!("edit {key} {}", attempt?), text),
                DecisionKind::Edit { output, .. } => (format!("edit {key} {}", attempt?), output.to_string()),
                DecisionKind::Retry { instruction, .. } => (format!("retry {key}"), instruction),
                // An object is a form that was filled in; the answer to anything else is no text, or a secret.
                DecisionKind::Answer { value: value @ Value::Object(_) } => {
                    (crate::tui::screens::form::answer_draft(&key), value.to_string())
                }
                _ => return None,
            };
            Some((run, name, text))
        }
        Change::WriteAnyway(_)
        | Change::Act { .. }
        | Change::Stop { .. }
        | Change::ChooseModel { .. }
        | Change::GiveKey { .. }
        | Change::Undo { .. }
        | Change::Pause(_)
        | Change::GoOn(_)
        | Change::Manage(..)
        | Change::KeepDraft { .. }
        | Change::KeepForm { .. } => None,
    }
}

/// What a person who looks elsewhere is told of a run.
fn news(before: &Run, now: &Run) -> Option<&'static str> {
    if now.gates() > before.gates() {
        return Some("waits for you");
    }
    match now.status {
        status if status == before.status => None,
        Status::Completed => Some("is done"),
        Status::Failed => Some("failed"),
        _ => None,
    }
}

impl Interface {
    fn step(&mut self, message: Message, out: &mut Vec<Order>) -> bool {
        let types = matches!(message, Message::Key(_) | Message::Paste(_) | Message::Edited(..)) && self.keeps();
        let (effects, changed) = self.take(message);
        if types {
            self.drafts.touch();
        }
        for effect in effects {
            self.follow(effect, out);
        }
        changed
    }
}

impl UiModel for Interface {
    fn update(&mut self, message: Message) -> (Vec<Order>, bool) {
        let mut out = Vec::new();
        let mut changed = self.step(message, &mut out);
        // What was typed ahead of something may ask for the next thing, and then waits for that.
        while let Some(key) = self.ahead.pop_front() {
            changed |= self.step(key, &mut out);
        }
        let title = self.top().title();
        if title != self.title {
            self.title = title.clone();
            out.push(Order::Terminal(Terminal::Title(title)));
        }
        (out, changed)
    }

    fn set_last_frame(&mut self, frame: FrameInfo) {
        if let Some(above) = &mut self.above {
            // The screen below keeps what it saw: a command of the palette answers that.
            above.set_last_frame(frame);
        } else {
            self.last_frame = frame.clone();
            self.top_mut().set_last_frame(frame);
        }
    }

    fn next_tick(&self) -> Option<Duration> {
        let keeps = self.drafts.is_behind().then_some(drafts::EVERY);
        self.top().ticks(self.is_quiet()).into_iter().chain(keeps).min()
    }
}

#[cfg(test)]
mod tests;
