//! The model of the whole interface: the screens as a stack, and what belongs to none of them. Pure.

mod going;
mod not_done;
mod opening;
mod unsaved;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use crossterm::event::{KeyEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use self::opening::{Awaited, Place, Wanted};
use super::any_screen::AnyScreen;
use crate::core::event::PauseReason;
use crate::core::id::RunId;
use crate::core::run::{Run, Status};
use crate::core::text::{Untrusted, counted};
use crate::tui::canvas::{Canvas, FrameInfo, Hit};
use crate::tui::commands::{Id, command, holds, moved};
use crate::tui::drafts::{self, Drafts, Unsaved};
use crate::tui::effect::{Change, Effect, Errand, Go, Leaving, Order, Purpose, Terminal, Ticket};
use crate::tui::layers::{Above, Choose, Entry, Help, Kind, Pick, picks};
use crate::tui::message::Message;
use crate::tui::runtime::UiModel;
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
    /// The runs of which something is not in the store yet, because another process has that locked.
    locked: HashSet<RunId>,
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
            locked: HashSet::new(),
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

    /// Paints what is visible.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        canvas.as_written = self.top().task().is_some_and(|task| self.as_written.contains(task));
        self.top().view(canvas, area);
        if let Some(above) = &self.above {
            above.view(canvas, area);
        }
        let says = if self.armed {
            " Ctrl-C again leaves; any other key stays"
        } else if let Some(awaited) = self.awaited.as_ref().filter(|awaited| awaited.is_typed_ahead_of()) {
            awaited.says()
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
            Message::Edited(Purpose::Above, _) => (self.above(message), true),
            // Who drags wants to mark text, which only the terminal can.
            Message::Mouse(mouse) if matches!(mouse.kind, MouseEventKind::Drag(_)) => {
                self.top_mut().update(Message::Done(MARKING.to_owned()))
            }
            Message::Mouse(mouse) => {
                let hit = self.last_frame.at(Position { x: mouse.column, y: mouse.row });
                if let (MouseEventKind::Down(_), Some(Hit::Command(id))) = (mouse.kind, hit)
                    && holds(id, &self.top().situation())
                {
                    // What it would be about is not on screen yet.
                    if self.top().waits(id) {
                        return (Vec::new(), false);
                    }
                    if let Some(effects) = self.own(id) {
                        return (effects, true);
                    }
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
            Message::Locked { run, locked } => (self.locked(run, locked), true),
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
                for screen in &mut self.stack {
                    if let AnyScreen::Chat(chat) = screen {
                        chat.answers(&choice.model);
                    }
                }
                if let Some(home) = self.home() {
                    home.answers(choice);
                }
                (Vec::new(), true)
            }
            Message::Connected(said) => (self.connected(said), true),
            Message::FormDraft { name, text } => (Vec::new(), self.form_draft(&name, &text)),
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
                // Where no runs are listed it is only said.
                let lists = matches!(self.top(), AnyScreen::Home(_) | AnyScreen::History(_));
                let message = if lists { Message::RunsChanged(change) } else { Message::Done(change.said) };
                let (mut effects, _) = self.top_mut().update(message);
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
            Message::Draft { run, name, text } => (Vec::new(), self.draft(run, &name, &text)),
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

    /// What is new of a run is not in the store yet, or is now: its header says which, and a note why.
    fn locked(&mut self, run: Option<RunId>, locked: bool) -> Vec<Effect> {
        match run.or(self.top().run()).filter(|_| locked) {
            Some(run) => drop(self.locked.insert(run)),
            // Once anything can be written, all of it is.
            None if !locked => self.locked.clear(),
            None => {}
        }
        for screen in &mut self.stack {
            let run = screen.run();
            let locked = run.is_some_and(|run| self.locked.contains(&run));
            screen.update(Message::Locked { run, locked });
        }
        let (done, waits) = ("all of it is saved", "the store is locked by another process: not saved yet");
        let message = if locked { Message::Failed(waits.to_owned()) } else { Message::Done(done.to_owned()) };
        self.top_mut().update(message).0
    }

    /// The time goes on: lists that others may change are asked for again.
    fn tick(&mut self, now: DateTime<Utc>) -> (Vec<Effect>, bool) {
        self.now = now;
        let (mut effects, changed) = self.top_mut().update(Message::Tick(now));
        match self.top() {
            AnyScreen::Home(_) => effects.extend([Errand::ListRuns, Errand::ListChangedTasks].map(Effect::Errand)),
            AnyScreen::Inbox(_) => effects.push(Effect::Errand(Errand::ListWaiting { anew: false })),
            AnyScreen::History(screen) => {
                effects.push(Effect::Errand(Errand::CheckHistory { going: screen.is_live() }));
            }
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
        let typed = above.own_unsaved();
        let outcome = above.update(message);
        let mut effects = outcome.effects;
        if outcome.closes {
            self.above = above.below();
            self.asks_to_leave = false;
            // Given, it is done with; left, it is kept.
            let left = effects.iter().any(|effect| matches!(effect, Effect::Change(Change::KeepDraft { .. })));
            let given = typed.into_iter().filter(|_| !left).map(|typed| Unsaved { text: None, ..typed });
            effects.extend(self.drafts.keep(given).into_iter().map(Effect::Change));
        }
        if outcome.give == Some(Id::Help) && self.above.is_some() {
            self.above = self.above.take().map(Above::helped);
        } else if let Some(id) = outcome.give {
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
        if id.is_some_and(|id| self.top().waits(id)) {
            self.keep_for_rows(key);
            return Vec::new();
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
        let title = format!("{} in progress", counted(going, "run"));
        let leave = |leaving| Pick::Do(vec![Effect::Go(Go::Leave(leaving))]);
        let entries = vec![
            Entry::new("Keep running in the background", "until it needs me", leave(Leaving::GoOn)),
            Entry::new("Pause it and leave", "", leave(Leaving::Pause(PauseReason::Left))),
            Entry::new("Stay", "Esc", Pick::Do(Vec::new())),
        ];
        let question = Above::from(Kind::Choose(Choose::new(&title, entries)));
        self.above = Some(question.over(self.above.take()));
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

    /// Selects the call that the visible run was opened for, and begins the edit that it was opened for.
    fn go_to_wanted(&mut self) {
        let shown = self.top().run();
        let wanted = self.wanted.take_if(|wanted| Some(wanted.run) == shown);
        let opens = match (wanted.map(|wanted| wanted.at), self.top_mut()) {
            (Some(Place::Call(key)), AnyScreen::Run(screen)) => {
                screen.go_to(&key);
                true
            }
            (Some(Place::Edit(gate, page)), AnyScreen::Run(screen)) => {
                screen.go_to(&gate.key);
                screen.edit_seen(gate, page)
            }
            (Some(Place::Result(version)), AnyScreen::Run(screen)) => screen.edit_result(version),
            (Some(Place::Result(version)), AnyScreen::Chat(screen)) => screen.edit_version(version),
            _ => true,
        };
        // What was typed belongs to the editor: where it does not open, it is no command.
        if !opens {
            self.ahead.clear();
        }
    }
}

/// Said to who drags the mouse.
const MARKING: &str = "F4 lets go of the mouse, to mark text with it; in many terminals Shift does, too";

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
        self.release();
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
