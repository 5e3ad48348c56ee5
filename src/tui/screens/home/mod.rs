//! Home: the open runs, then what can be started. Letters search; the preview shows what the selected row is.

mod view;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use crossterm::event::{KeyEvent, MouseEventKind};
use ratatui::layout::Position;

use crate::core::id::RunId;
use crate::core::model::ModelChoice;
use crate::core::ports::RunRow;
use crate::core::run::Status;
use crate::core::task::{Body, Kind, Task};
use crate::core::text::Untrusted;
use crate::tui::canvas::{FrameInfo, Hit};
use crate::tui::commands::{Id, command, holds};
use crate::tui::effect::{Effect, Go, Opening, Terminal};
use crate::tui::layers::{Above, Kind as Layered, picks};
use crate::tui::markdown::Document;
use crate::tui::message::Message;
use crate::tui::shown::{ContentId, Subject};
use crate::tui::situation::{Screen, Situation};
use crate::tui::text::fuzzy::Fuzzy;
use crate::tui::widgets::line::LineInput;
use crate::tui::widgets::list::List;
use crate::tui::widgets::scroll::{By, Scroll};

const CONNECT: &str = "The demo replays recorded answers; it needs no network and knows only the shipped tasks.\n\n\
    **Enter** looks for keys in your environment and for servers on this machine, or takes the address of another. \
    The model is asked for one token before the config is changed. A key is never written down.";

/// Something that can be started, as home shows it.
#[derive(Clone, Debug)]
pub struct TaskRow {
    /// The definition; `None` when it has errors.
    pub task: Option<Arc<Task>>,
    /// Its id.
    pub id: String,
    /// What the person reads.
    pub name: String,
    /// Instruct or workflow.
    pub kind: Kind,
    /// `shipped`, `mine`, `this project` or a folder.
    pub source: String,
    /// Whether it may run.
    pub trusted: bool,
    /// What is wrong with it, each with its place.
    pub errors: Vec<String>,
    /// What was learned for it, a line each: the step and what to heed.
    pub learned: Vec<String>,
    /// Its last runs, newest first: title and when.
    pub runs: Vec<(String, DateTime<Utc>)>,
}

/// A row of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HomeRow {
    Heading(&'static str),
    Run(usize),
    Task(usize),
    /// There is only the demo: the way to a model.
    Connect,
    Ask,
}

/// The model.
#[derive(Debug)]
pub struct HomeScreen {
    runs: Vec<RunRow>,
    tasks: Vec<TaskRow>,
    model: Option<ModelChoice>,
    search: LineInput,
    rows: Vec<HomeRow>,
    list: List,
    /// The person has moved the selection, or typed: it stays on what it is on.
    moved: bool,
    preview: Document,
    scroll: Scroll,
    now: DateTime<Utc>,
    note: Option<String>,
    /// The person pressed a key here: from then on the selection stays on what it is on.
    touched: bool,
    /// The person moved the selection, or searched, since the last frame.
    steered: bool,
    last_frame: FrameInfo,
}

impl HomeScreen {
    /// An empty home; what there is arrives by messages.
    #[must_use]
    pub fn new(now: DateTime<Utc>) -> Self {
        let mut home = Self {
            runs: Vec::new(),
            tasks: Vec::new(),
            model: None,
            search: LineInput::default(),
            rows: Vec::new(),
            list: List::default(),
            moved: false,
            preview: Document::default(),
            scroll: Scroll::at_start(),
            now,
            note: None,
            touched: false,
            steered: false,
            last_frame: FrameInfo::default(),
        };
        home.refresh();
        home
    }

    /// Takes the open runs. The selection stays on what it was on.
    pub fn fill_runs(&mut self, mut runs: Vec<RunRow>, now: DateTime<Utc>) {
        runs.retain(|run| open_order(run).is_some());
        runs.sort_by_key(open_order);
        self.refill(|home| (home.runs, home.now) = (runs, now));
    }

    /// Takes the tasks, the most recently used first. The selection stays on what it was on.
    pub fn fill_tasks(&mut self, tasks: Vec<TaskRow>, now: DateTime<Utc>) {
        self.refill(|home| (home.tasks, home.now) = (tasks, now));
    }

    fn refill(&mut self, fill: impl FnOnce(&mut Self)) {
        let before = self.selected().filter(|_| self.moved).and_then(|row| self.id_of(row));
        fill(self);
        self.refresh();
        if let Some(at) = self.rows.iter().position(|row| before.is_some() && self.id_of(*row) == before)
            && self.touched
        {
            self.list.select(at, self.rows.len(), self.last_frame.list);
            self.show();
        }
    }

    /// Whether a run is listed that goes on by itself.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.runs.iter().any(|run| run.status == Status::Running)
    }

    /// The open runs, in their order.
    #[must_use]
    pub fn open_runs(&self) -> Vec<RunId> {
        self.runs.iter().map(|run| run.run).collect()
    }

    /// The tasks.
    #[must_use]
    pub fn tasks(&self) -> &[TaskRow] {
        &self.tasks
    }

    /// What was looked for was found and is open: whoever comes back begins anew, with what waits.
    pub fn was_found(&mut self) {
        self.search = LineInput::default();
        (self.moved, self.touched) = (false, false);
        self.refresh();
    }

    /// Which model answers, and why.
    pub fn answers(&mut self, model: ModelChoice) {
        self.refill(|home| home.model = Some(model));
    }

    /// What the last frame showed.
    pub fn set_last_frame(&mut self, frame: FrameInfo) {
        self.last_frame = frame;
        self.steered = false;
    }

    /// The situation that a key meets.
    #[must_use]
    pub fn situation(&self) -> Situation {
        let others = self.runs.iter().any(|run| run.waiting > 0);
        let output = matches!(self.selected(), Some(HomeRow::Run(_) | HomeRow::Task(_)));
        Situation { screen: Screen::Home, others, output, ..Situation::default() }
    }

    /// Takes a message. Gives what is to be done, and whether what is shown may have changed.
    pub fn update(&mut self, message: Message) -> (Vec<Effect>, bool) {
        match message {
            Message::Key(key) => (self.key(key), true),
            Message::Paste(text) => {
                self.search.paste(&text);
                self.steered = true;
                self.refresh();
                (Vec::new(), true)
            }
            Message::Mouse(mouse) => {
                self.touched = true;
                let hit = self.last_frame.at(Position { x: mouse.column, y: mouse.row });
                let lines = match (mouse.kind, hit) {
                    (MouseEventKind::ScrollUp, _) => -3,
                    (MouseEventKind::ScrollDown, _) => 3,
                    (MouseEventKind::Down(_), Some(Hit::Command(id))) if holds(id, &self.situation()) => {
                        return (self.give(id), true);
                    }
                    (MouseEventKind::Down(_), Some(Hit::Row(at))) if !self.is_heading(at) => {
                        // A click selects; a click on what is selected opens it.
                        if at == self.list.selected && self.target() == self.selected() {
                            return (self.give(Id::Open), true);
                        }
                        self.steered = true;
                        self.list.select(at, self.rows.len(), self.last_frame.list);
                        self.show();
                        return (Vec::new(), true);
                    }
                    _ => return (Vec::new(), false),
                };
                match hit {
                    Some(Hit::Output) => self.scroll.by(By::Lines(lines), self.last_frame.output),
                    _ => self.step(lines.signum()),
                }
                (Vec::new(), true)
            }
            Message::Failed(text) | Message::Done(text) => {
                self.note = Some(text);
                (Vec::new(), true)
            }
            Message::Tick(now) => {
                // Home shows no smaller unit than the minute.
                let changed = now.timestamp() / 60 != self.now.timestamp() / 60;
                self.now = now;
                (Vec::new(), changed)
            }
            Message::Resize(..) => (Vec::new(), true),
            _ => (Vec::new(), false),
        }
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        self.note = None;
        self.touched = true;
        if let Some(id) = command(key, &self.situation()) {
            return self.give(id);
        }
        if self.search.key(key) {
            (self.moved, self.steered) = (true, true);
            self.refresh();
        }
        Vec::new()
    }

    /// Gives a command.
    pub fn give(&mut self, id: Id) -> Vec<Effect> {
        match id {
            Id::Open => return self.open(),
            Id::Up => self.step(-1),
            Id::Down => self.step(1),
            Id::PageUp => self.scroll.by(By::Pages(-1), self.last_frame.output),
            Id::PageDown => self.scroll.by(By::Pages(1), self.last_frame.output),
            Id::Back if !self.search.is_empty() => {
                self.search = LineInput::default();
                self.steered = true;
                self.refresh();
            }
            Id::Actions => return self.actions().into_iter().collect(),
            Id::Inbox => return vec![Effect::Go(Go::Inbox)],
            Id::History => return vec![Effect::Go(Go::History)],
            Id::SwitchRun => return vec![Effect::Go(Go::NextRun)],
            Id::Suspend => return vec![Effect::Terminal(Terminal::Suspend)],
            _ => {}
        }
        Vec::new()
    }

    fn open(&mut self) -> Vec<Effect> {
        match self.target() {
            Some(HomeRow::Run(at)) => vec![Effect::Go(Go::Run(self.runs[at].run))],
            Some(HomeRow::Ask) => vec![Effect::Open(Opening::Chat(self.search.value()))],
            Some(HomeRow::Connect) => vec![Effect::Go(Go::Connect)],
            Some(HomeRow::Task(at)) => {
                let task = &self.tasks[at];
                if let Some(error) = task.errors.first() {
                    self.note = Some(format!("it has errors: {error}"));
                } else if task.trusted {
                    return vec![Effect::Open(Opening::Task(task.id.clone()))];
                } else {
                    self.note = Some(format!("not trusted yet: read it, then `stepwell trust` ({})", task.source));
                }
                Vec::new()
            }
            Some(HomeRow::Heading(_)) | None => Vec::new(),
        }
    }

    /// What else can be done with the selected row.
    fn actions(&self) -> Option<Effect> {
        let choose = match self.target()? {
            HomeRow::Run(at) => picks::of_run(&self.runs[at]),
            HomeRow::Task(at) => picks::of_task(&self.tasks[at]),
            HomeRow::Heading(_) | HomeRow::Ask | HomeRow::Connect => return None,
        };
        Some(Above::effect(Layered::Choose(choose)))
    }

    fn selected(&self) -> Option<HomeRow> {
        self.rows.get(self.list.selected).copied()
    }

    fn is_heading(&self, at: usize) -> bool {
        matches!(self.rows.get(at), Some(HomeRow::Heading(_)))
    }

    /// Moves the selection over headings.
    fn step(&mut self, by: isize) {
        (self.moved, self.steered) = (true, true);
        let mut at = self.list.selected;
        loop {
            let next = at.saturating_add_signed(by);
            if next == at || next >= self.rows.len() {
                return;
            }
            at = next;
            if !self.is_heading(at) {
                break;
            }
        }
        self.list.select(at, self.rows.len(), self.last_frame.list);
        self.show();
    }

    /// Makes the rows anew: all by kind, or what the search finds with the best first.
    fn refresh(&mut self) {
        let wanted = self.search.value();
        self.rows = if wanted.trim().is_empty() { self.all() } else { self.found(wanted.trim()) };
        let first =
            self.rows.iter().position(|row| !matches!(row, HomeRow::Heading(_) | HomeRow::Connect)).unwrap_or(0);
        self.list.select(first, self.rows.len(), self.last_frame.list);
        self.show();
    }

    fn all(&self) -> Vec<HomeRow> {
        let of = |kind: Kind| (0..self.tasks.len()).filter(move |at| self.tasks[*at].kind == kind).map(HomeRow::Task);
        let mut rows = Vec::new();
        let mut section = |heading, found: Vec<HomeRow>| {
            if !found.is_empty() {
                rows.push(HomeRow::Heading(heading));
                rows.extend(found);
            }
        };
        section("Open runs", (0..self.runs.len()).map(HomeRow::Run).collect());
        if self.model.as_ref().is_some_and(|model| model.demo) {
            section("Only the demo answers", vec![HomeRow::Connect]);
        }
        section("Instruct", of(Kind::Instruct).collect());
        section("Workflows", of(Kind::Workflow).collect());
        rows
    }

    fn found(&self, wanted: &str) -> Vec<HomeRow> {
        let mut fuzzy = Fuzzy::new(wanted);
        let mut score = |text: &str| fuzzy.score(text);
        // In a sentence almost any letters stand in their order: there the words themselves are looked for.
        let words: Vec<String> = wanted.to_lowercase().split_whitespace().map(str::to_owned).collect();
        let says = |text: &str| {
            let text = text.to_lowercase();
            words.iter().all(|word| text.contains(word.as_str())).then_some(1)
        };
        let mut found: Vec<(u32, HomeRow)> = Vec::new();
        for (at, run) in self.runs.iter().enumerate() {
            found.extend(score(&run.title).map(|score| (score, HomeRow::Run(at))));
        }
        for (at, row) in self.tasks.iter().enumerate() {
            // A match in the name is worth more than one in what is said about it.
            let name = score(&row.name).map(|score| score * 2);
            let about =
                row.task.as_ref().and_then(|task| says(&format!("{} {}", task.description, task.tags.join(" "))));
            found.extend(name.max(about).map(|score| (score, HomeRow::Task(at))));
        }
        found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        let mut rows: Vec<HomeRow> = found.into_iter().map(|(_, row)| row).collect();
        rows.push(HomeRow::Ask);
        rows
    }

    /// What an open run is, and what it said last, as Markdown.
    fn about_run(&self, run: &RunRow) -> String {
        let stands = match (run.status, run.waiting) {
            _ if run.newer => "written by a newer version, or damaged: it can be read".to_owned(),
            (Status::Waiting, 1) => "waits for you".to_owned(),
            (Status::Waiting, count @ 2..) => format!("{count} of its steps wait for you"),
            (status, _) => status.name().to_owned(),
        };
        let task = self.tasks.iter().find(|task| task.id == run.task).map_or(&run.task, |task| &task.name);
        let begun = crate::tui::text::ago((self.now - run.created_at).num_seconds());
        let begun = if begun == "now" { "just now".to_owned() } else { format!("{begun} ago") };
        let said = run.snippet.data().replace(['\u{2}', '\u{3}'], "");
        format!("**{stands}**\n\n{task}, begun {begun}\n\n---\n\n{said}")
    }

    /// What a row is, wherever it is in the list.
    fn id_of(&self, row: HomeRow) -> Option<ContentId> {
        Some(match row {
            HomeRow::Run(at) => ContentId::of_run(self.runs.get(at)?.run, Subject::Run, 0),
            HomeRow::Task(at) => ContentId::apart(Subject::Task(self.tasks.get(at)?.id.clone())),
            HomeRow::Connect => ContentId::apart(Subject::Entry("connect")),
            HomeRow::Ask => ContentId::apart(Subject::Entry("ask")),
            HomeRow::Heading(_) => return None,
        })
    }

    /// The row that a key acts on: the one that the person went to, else the one that was on screen, wherever it is now.
    fn target(&self) -> Option<HomeRow> {
        if self.steered {
            return self.selected();
        }
        let seen = self.last_frame.row.as_ref()?;
        self.rows.iter().copied().find(|row| self.id_of(*row).as_ref() == Some(seen))
    }

    /// Makes the preview of the selected row.
    fn show(&mut self) {
        self.scroll = Scroll::at_start();
        let text = match self.selected() {
            Some(HomeRow::Run(at)) => self.about_run(&self.runs[at]),
            Some(HomeRow::Task(at)) => about(&self.tasks[at], self.now),
            Some(HomeRow::Connect) => CONNECT.to_owned(),
            Some(HomeRow::Ask) => "Enter starts a plain chat with what you typed.".to_owned(),
            Some(HomeRow::Heading(_)) | None => "Nothing here yet.".to_owned(),
        };
        self.preview = Document::new(&Untrusted::new(text));
    }
}

/// The open runs' order: what waits, what failed, what runs, what is paused; newest first within each.
fn open_order(run: &RunRow) -> Option<(u8, std::cmp::Reverse<DateTime<Utc>>)> {
    let rank = match run.status {
        Status::Waiting => 0,
        Status::Failed => 1,
        Status::Running => 2,
        Status::Paused => 3,
        Status::Completed | Status::Cancelled => return None,
    };
    Some((rank, std::cmp::Reverse(run.updated_at)))
}

/// What a task is, as Markdown.
fn about(row: &TaskRow, now: DateTime<Utc>) -> String {
    let mut parts = Vec::new();
    if !row.errors.is_empty() {
        let errors: Vec<String> = row.errors.iter().map(|error| format!("- {error}")).collect();
        parts.push(format!("**It has errors and cannot be started:**\n{}", errors.join("\n")));
    }
    if let Some(task) = &row.task {
        parts.push(format!("*{} · {} · {}*", row.kind.name(), row.source, row.id.replace('_', "\\_")));
        parts.push(task.description.clone());
        let inputs: Vec<String> = task
            .inputs
            .iter()
            .map(|field| format!("{}{}", field.question(), if field.required { "\\*" } else { "" }))
            .collect();
        if !inputs.is_empty() {
            parts.push(format!("**Inputs** {}", inputs.join(" · ")));
        }
        if let Body::Workflow(workflow) = &task.body {
            let steps: Vec<String> =
                (1..).zip(&workflow.steps).map(|(n, step)| format!("{n}. {}", step.title())).collect();
            parts.push(format!("**Steps**\n{}", steps.join("\n")));
        }
    }
    if !row.learned.is_empty() {
        let learned: Vec<String> = row.learned.iter().map(|lesson| format!("- {lesson}")).collect();
        parts.push(format!("**Learned**\n{}", learned.join("\n")));
    }
    if !row.runs.is_empty() {
        let runs = row.runs.iter().take(5);
        let runs: Vec<String> = runs
            .map(|(title, at)| format!("- {title} · {}", crate::tui::text::ago((now - *at).num_seconds())))
            .collect();
        parts.push(format!("**Last runs**\n{}", runs.join("\n")));
    }
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

#[cfg(test)]
mod tests;
