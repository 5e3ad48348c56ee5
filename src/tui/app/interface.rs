//! The model of the whole interface: the screens as a stack, and what belongs to none of them. Pure.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, FixedOffset, Utc};
use crossterm::event::{KeyEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};
use serde_json::Value;

use super::page::Page;
use crate::core::decide::{Decision, What};
use crate::core::event::PauseReason;
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::model::ModelChoice;
use crate::core::run::{Run, Status};
use crate::core::task::Kind as TaskKind;
use crate::core::text::Untrusted;
use crate::tui::canvas::{Canvas, Hit, Seen};
use crate::tui::commands::{Id, command, holds};
use crate::tui::effect::{Effect, Go, Leaving};
use crate::tui::layers::{Above, Choose, Confirm, Entry, Help, Kind, Pick, picks};
use crate::tui::message::{FormOf, Message, Opened};
use crate::tui::runtime::App;
use crate::tui::screens::chat::ChatScreen;
use crate::tui::screens::connect::other_server;
use crate::tui::screens::form::{For, FormScreen};
use crate::tui::screens::history::HistoryScreen;
use crate::tui::screens::home::HomeScreen;
use crate::tui::screens::run::RunScreen;
use crate::tui::situation::Situation;

/// The model.
pub struct Interface {
    /// The screens, the visible one last. The first is Home and stays.
    stack: Vec<Page>,
    /// The newest of every run that is watched.
    runs: HashMap<RunId, Arc<Run>>,
    /// What lies above the visible screen and has the keys.
    above: Option<Above>,
    /// The call that a run is to be opened at, once it is there.
    wanted: Option<(RunId, Key)>,
    /// The folder that Stepwell was started in.
    here: PathBuf,
    zone: FixedOffset,
    /// Ctrl-C was pressed, and nothing since.
    armed: bool,
    /// The terminal is looked at, as far as it says.
    looked_at: bool,
    leaving: Option<Leaving>,
    /// The window's title as it was set last.
    title: Untrusted,
    now: DateTime<Utc>,
    seen: Seen,
}

impl Interface {
    /// Opens on Home. `here` is the folder that Stepwell was started in, `zone` tells where days begin.
    #[must_use]
    pub fn new(here: PathBuf, now: DateTime<Utc>, zone: FixedOffset) -> Self {
        Self {
            stack: vec![Page::Home(Box::new(HomeScreen::new(now)))],
            runs: HashMap::new(),
            above: None,
            wanted: None,
            here,
            zone,
            armed: false,
            looked_at: true,
            leaving: None,
            title: Untrusted::default(),
            now,
            seen: Seen::default(),
        }
    }

    /// What is to become of the runs that are going here, once the person has left.
    #[must_use]
    pub fn leaving(&self) -> Option<Leaving> {
        self.leaving
    }

    /// Paints what is visible.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        self.top().view(canvas, area);
        if let Some(above) = &self.above {
            above.view(canvas, area);
        }
        if self.armed && area.height > 0 {
            let foot = Rect { y: area.bottom() - 1, height: 1, ..area };
            canvas.clear(foot);
            let style = canvas.theme.waiting;
            canvas.text(foot, " Ctrl-C again leaves; any other key stays", style);
        }
    }

    fn top(&self) -> &Page {
        self.stack.last().unwrap_or(&self.stack[0])
    }

    fn top_mut(&mut self) -> &mut Page {
        let last = self.stack.len() - 1;
        &mut self.stack[last]
    }

    fn home(&mut self) -> Option<&mut HomeScreen> {
        match &mut self.stack[0] {
            Page::Home(home) => Some(home),
            _ => None,
        }
    }

    fn on_home(&self) -> bool {
        self.stack.len() == 1
    }

    fn take(&mut self, message: Message) -> (Vec<Effect>, bool) {
        match message {
            Message::Key(key) => (self.key(key), true),
            Message::Paste(_) | Message::Mouse(_) if self.above.is_some() => (self.above(message), true),
            Message::Mouse(mouse) => {
                let hit = self.seen.at(Position { x: mouse.column, y: mouse.row });
                if let (MouseEventKind::Down(_), Some(Hit::Command(id))) = (mouse.kind, hit)
                    && holds(id, &self.top().situation())
                    && let Some(effects) = self.own(id)
                {
                    return (effects, true);
                }
                self.top_mut().update(Message::Mouse(mouse))
            }
            Message::Tick(now) => {
                self.now = now;
                let (mut effects, changed) = self.top_mut().update(Message::Tick(now));
                match self.top() {
                    Page::Home(_) => effects.push(Effect::ListRuns),
                    Page::Inbox(_) => effects.push(Effect::ListWaiting { anew: false }),
                    _ => {}
                }
                (effects, changed)
            }
            Message::Focus(looked_at) => {
                self.looked_at = looked_at;
                (Vec::new(), false)
            }
            Message::Run(run) => self.run(&run),
            Message::OpenRuns(runs) => {
                let now = self.now;
                if let Some(home) = self.home() {
                    home.fill_runs(runs, now);
                }
                (Vec::new(), self.on_home())
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
                self.stack.retain(|page| !matches!(page, Page::Connect(_)));
                self.top_mut().update(Message::Done(said))
            }
            Message::Opened(opened) => (self.opened(*opened), true),
            Message::Form(form) => {
                self.form(*form);
                (Vec::new(), true)
            }
            Message::Open(above) => {
                self.above = Some(*above);
                (Vec::new(), true)
            }
            Message::Consent { choice, then } => {
                self.above = Some(Kind::Confirm(consent(&choice, *then)).into());
                (Vec::new(), true)
            }
            Message::RunsChanged => {
                let (mut effects, changed) = self.top_mut().update(Message::RunsChanged);
                effects.push(Effect::ListRuns);
                (effects, changed)
            }
            Message::NotDone { effect, why } => self.not_done(*effect, why),
            Message::Ending(reason) => (self.leave(Leaving::Pause(reason)), false),
            Message::Delta { run, .. } | Message::Draft { run, .. } => {
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

    fn situation(&self) -> Situation {
        self.above.as_ref().map_or_else(|| self.top().situation(), Above::situation)
    }

    /// Hands a message to the layer above, and does what comes of it.
    fn above(&mut self, message: Message) -> Vec<Effect> {
        let Some(above) = &mut self.above else { return Vec::new() };
        let outcome = above.update(message);
        if outcome.closes {
            self.above = None;
        }
        let mut effects = outcome.effects;
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
        if self.above.is_some() {
            return self.above(Message::Key(key));
        }
        if let Some(effects) = id.and_then(|id| self.own(id)) {
            return effects;
        }
        self.top_mut().update(Message::Key(key)).0
    }

    /// What a command does that belongs to no screen.
    fn own(&mut self, id: Id) -> Option<Vec<Effect>> {
        match id {
            Id::Quit => Some(self.quit()),
            Id::Help => {
                self.above = Some(Kind::Help(Help::of(&self.top().situation())).into());
                Some(Vec::new())
            }
            Id::Palette => {
                let situation = self.top().situation();
                let tasks = self.home().map(|home| home.tasks()).unwrap_or_default();
                self.above = Some(Kind::Choose(picks::palette(&situation, tasks)).into());
                Some(Vec::new())
            }
            _ => None,
        }
    }

    /// The person wants to leave.
    fn quit(&mut self) -> Vec<Effect> {
        let going = self.runs.values().filter(|run| run.status == Status::Running).count();
        if going == 0 {
            return self.leave(Leaving::Pause(PauseReason::Left));
        }
        let title = if going == 1 { "A run is going".to_owned() } else { format!("{going} runs are going") };
        let leave = |leaving| Pick::Do(vec![Effect::Leave(leaving)]);
        let entries = vec![
            Entry::new("Let it go on without me", "until it needs me", leave(Leaving::GoOn)),
            Entry::new("Pause it and leave", "", leave(Leaving::Pause(PauseReason::Left))),
            Entry::new("Stay", "Esc", Pick::Do(Vec::new())),
        ];
        self.above = Some(Kind::Choose(Choose::new(&title, entries)).into());
        Vec::new()
    }

    fn leave(&mut self, leaving: Leaving) -> Vec<Effect> {
        self.leaving = Some(leaving);
        vec![Effect::Quit]
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
        let concerned = |page: &Page| page.run() == Some(run.id) || matches!(page, Page::Inbox(_));
        for (at, page) in self.stack.iter_mut().enumerate().filter(|(_, page)| concerned(page)) {
            let (more, changed) = page.update(Message::Run(Arc::clone(run)));
            effects.extend(more);
            shown |= changed && at == last;
        }
        if let Some(says) = before.filter(|_| !self.looked_at).and_then(|before| news(&before, run)) {
            effects.push(Effect::Notify(Untrusted::new(format!("{} {says}", run.title))));
        }
        if self.on_home() {
            effects.push(Effect::ListRuns);
        }
        (effects, shown)
    }

    /// What was not done is told where it was wanted; the text in it is kept there.
    fn not_done(&mut self, effect: Effect, why: String) -> (Vec<Effect>, bool) {
        let kept = match effect {
            Effect::Message(run, text) => Some((run, "message".to_owned(), text)),
            Effect::Decide(run, decision) => kept_text(&decision).map(|(name, text)| (run, name, text)),
            _ => None,
        };
        if let Some((run, name, text)) = kept {
            for page in self.stack.iter_mut().filter(|page| page.run() == Some(run)) {
                page.update(Message::Draft { run, name: name.clone(), text: text.clone() });
            }
        }
        self.top_mut().update(Message::Failed(why))
    }

    fn opened(&mut self, opened: Opened) -> Vec<Effect> {
        let Opened { run, task, drafts } = opened;
        // The form that it was started from is done with.
        if matches!(self.top(), Page::Form(form) if form.starts()) {
            self.stack.pop();
        }
        let id = run.id;
        let run = self.runs.get(&id).filter(|known| known.seq > run.seq).map_or(run, Arc::clone);
        self.runs.insert(id, Arc::clone(&run));
        let page = if run.kind == TaskKind::Instruct {
            Page::Chat(Box::new(ChatScreen::new(run, task)))
        } else {
            Page::Run(Box::new(RunScreen::new(run, task, self.now)))
        };
        self.stack.retain(|page| page.run() != Some(id));
        self.stack.push(page);
        if let Some(home) = self.home() {
            home.was_found();
        }
        self.go_to_wanted();
        for (name, text) in drafts {
            self.top_mut().update(Message::Draft { run: id, name, text });
        }
        Vec::new()
    }

    /// Selects the call that the visible run was opened for.
    fn go_to_wanted(&mut self) {
        let shown = self.top().run();
        let wanted = self.wanted.take_if(|(run, _)| Some(*run) == shown);
        if let (Some((_, key)), Page::Run(screen)) = (wanted, self.top_mut()) {
            screen.go_to(&key);
        }
    }

    fn form(&mut self, form: FormOf) {
        let FormOf { task, given, last } = form;
        let intro = Untrusted::from(task.description.as_str());
        let purpose = For::Start(task.id.clone());
        let mut screen = FormScreen::new(&task.name, intro, &task.inputs, purpose, &given, self.now);
        if let Some(last) = last {
            screen.offer_last(last);
        }
        self.stack.push(Page::Form(Box::new(screen)));
    }

    /// Does what concerns the way between screens; the rest is handed on.
    fn follow(&mut self, effect: Effect, out: &mut Vec<Effect>) {
        match effect {
            Effect::Go(Go::Back) => self.back(out),
            Effect::Go(Go::NextRun) => {
                if let Some(next) = self.next_run() {
                    self.follow(Effect::OpenRun(next), out);
                }
            }
            Effect::Go(Go::Answer) => {
                let form = match self.top() {
                    Page::Run(screen) => screen.answer_form(self.now),
                    _ => None,
                };
                self.stack.extend(form.map(|form| Page::Form(Box::new(form))));
            }
            Effect::Go(Go::RunAgain) => {
                let again = match self.top() {
                    Page::Run(screen) => Some((screen.run().task.clone(), Value::clone(&screen.run().inputs))),
                    _ => None,
                };
                out.extend(again.map(|(task, given)| Effect::OpenTaskWith(task, given)));
            }
            Effect::Go(Go::History) => self.history(None, out),
            Effect::HistoryOf(task) => self.history(Some(&task), out),
            Effect::Go(Go::FollowUp) => out.extend(self.top().run().map(Effect::FollowUps)),
            Effect::Go(Go::Inbox) => {
                out.push(Effect::ListWaiting { anew: true });
                self.stack.retain(|page| !matches!(page, Page::Inbox(_)));
                self.stack.push(Page::Inbox(Box::default()));
            }
            Effect::Go(Go::Connect) => {
                out.push(Effect::FindModels);
                self.stack.push(Page::Connect(Box::default()));
            }
            Effect::Go(Go::OtherServer) => {
                self.stack.push(Page::Form(Box::new(other_server(self.now))));
            }
            Effect::Connect(connection) => {
                if let Page::Connect(screen) = self.top_mut() {
                    screen.tries(&connection);
                }
                out.push(Effect::Connect(connection));
            }
            Effect::OpenCall(run, key) => {
                self.wanted = Some((run, key));
                self.follow(Effect::OpenRun(run), out);
                self.go_to_wanted();
            }
            Effect::Open(above) => self.above = Some(*above),
            Effect::OpenRun(run) => match self.stack.iter().position(|page| page.run() == Some(run)) {
                Some(at) => {
                    let page = self.stack.remove(at);
                    self.stack.push(page);
                }
                None => out.push(Effect::OpenRun(run)),
            },
            Effect::Leave(leaving) => out.extend(self.leave(leaving)),
            other => out.push(other),
        }
    }

    fn history(&mut self, task: Option<&str>, out: &mut Vec<Effect>) {
        let tasks = self.home().map(|home| home.tasks().iter().map(|task| task.id.clone()).collect());
        let (mut screen, ask) = HistoryScreen::new(tasks.unwrap_or_default(), &self.here, self.now, self.zone);
        out.push(match task {
            Some(task) => screen.only_task(task),
            None => ask,
        });
        self.stack.retain(|page| !matches!(page, Page::History(_)));
        self.stack.push(Page::History(Box::new(screen)));
    }

    fn back(&mut self, out: &mut Vec<Effect>) {
        if self.on_home() {
            return;
        }
        if let Some(run) = self.stack.pop().and_then(|page| page.run()) {
            if self.runs.get(&run).is_some_and(|run| run.status.is_over()) {
                self.runs.remove(&run);
            }
            out.push(Effect::Unsubscribe(run));
        }
        if self.on_home() {
            out.extend([Effect::ListRuns, Effect::ListTasks]);
        }
    }

    /// The open run after the one that is shown.
    fn next_run(&mut self) -> Option<RunId> {
        let shown = self.top().run();
        let mut open = self.home().map(|home| home.open_runs()).unwrap_or_default();
        for run in self.stack.iter().filter_map(Page::run) {
            if !open.contains(&run) {
                open.push(run);
            }
        }
        let at = shown.and_then(|run| open.iter().position(|open| *open == run));
        let next = at.map_or(0, |at| (at + 1) % open.len().max(1));
        open.get(next).copied().filter(|next| Some(*next) != shown)
    }
}

/// Asks whether a model may be used that was only found.
fn consent(choice: &ModelChoice, then: Effect) -> Confirm {
    let ModelChoice { model, why, .. } = choice;
    let provider = model.split('/').next().unwrap_or(model).to_owned();
    let lines = vec![
        format!("{model} would answer, because {why}."),
        "It was found, not configured. What you give and what it answers goes there.".to_owned(),
        "Use it from now on?".to_owned(),
    ];
    Confirm::new(lines, vec![Effect::Agree { provider, then: Box::new(then) }])
}

/// The text in a decision that was not made, under the name of its draft.
fn kept_text(decision: &Decision) -> Option<(String, String)> {
    match &decision.what {
        What::Edit { output: Value::String(text), .. } => {
            Some((format!("edit {} {}", decision.key, decision.attempt?), text.clone()))
        }
        What::Edit { output, .. } => Some((format!("edit {} {}", decision.key, decision.attempt?), output.to_string())),
        What::Retry { instruction, .. } => Some((format!("retry {}", decision.key), instruction.clone())),
        _ => None,
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

impl App for Interface {
    fn update(&mut self, message: Message) -> (Vec<Effect>, bool) {
        let (effects, changed) = self.take(message);
        let mut out = Vec::new();
        for effect in effects {
            self.follow(effect, &mut out);
        }
        let title = self.top().title();
        if title != self.title {
            self.title = title.clone();
            out.push(Effect::Title(title));
        }
        (out, changed)
    }

    fn saw(&mut self, seen: Seen) {
        if let Some(above) = &mut self.above {
            // The screen below keeps what it saw: a command of the palette answers that.
            above.saw(seen);
        } else {
            self.seen = seen.clone();
            self.top_mut().saw(seen);
        }
    }

    fn next_tick(&self) -> Option<Duration> {
        self.top().ticks()
    }
}

#[cfg(test)]
mod tests;
