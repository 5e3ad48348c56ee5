//! Home is a desk: the open runs, the last results, then what can be started. Letters search; the preview shows what the
//! selected row is, of a run all that it has to show.
//!
//! Rows come from the journal's list. How far a run is and what it has to show takes its fold: both are asked for
//! ([`Errand::Glance`], [`Errand::Preview`]) when a row is there or selected, and shown when they come.

mod about;
mod listing;
mod view;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use crossterm::event::{KeyEvent, MouseEventKind};
use ratatui::layout::Position;

use crate::core::id::RunId;
use crate::core::model::ModelChoice;
use crate::core::ports::RunRow;
use crate::core::run::Status;
use crate::core::task::{Kind, Task};
use crate::core::text::Untrusted;
use crate::tui::canvas::{FrameInfo, Hit};
use crate::tui::commands::{Id, command, holds};
use crate::tui::effect::{Effect, Errand, Go, Opening, Purpose, Terminal};
use crate::tui::layers::{Above, Kind as Layered, picks};
use crate::tui::looks::{self, Looks};
use crate::tui::markdown::Document;
use crate::tui::message::{Definition, Message};
use crate::tui::screens::preview::Preview;
use crate::tui::screens::{is_about_rows, passes};
use crate::tui::shown::{ContentId, Subject};
use crate::tui::situation::{Screen, Selected, Situation};
use crate::tui::widgets::line::LineInput;
use crate::tui::widgets::list::List;
use crate::tui::widgets::scroll::{By, Scroll};

const CONNECT: &str = "The demo replays recorded answers; it needs no network and knows only the shipped tasks.\n\n\
    **Enter** looks for keys in your environment and for servers on this machine, or takes the address of another. \
    The model is asked for one token before the config is changed. A key is never written down.";

/// Where a task comes from that is the person's own.
pub const MINE: &str = "mine";

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
    /// Its file; `None` for what is in the binary.
    pub file: Option<PathBuf>,
    /// It is the person's own, and one that is shipped is hidden by it.
    pub hides_shipped: bool,
}

/// A row of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HomeRow {
    Heading(&'static str),
    Run(usize),
    /// A run that is done.
    Result(usize),
    Task(usize),
    /// There is only the demo: the way to a model.
    Connect,
    Ask,
}

/// Which lists have come since the program began.
#[derive(Clone, Copy, Debug, Default)]
struct Listed {
    runs: bool,
    tasks: bool,
}

/// The model.
#[derive(Debug)]
pub struct HomeScreen {
    runs: Vec<RunRow>,
    results: Vec<RunRow>,
    looks: Looks,
    tasks: Vec<TaskRow>,
    /// The runs and the tasks have been listed, or cannot be.
    listed: Listed,
    model: Option<ModelChoice>,
    search: LineInput,
    rows: Vec<HomeRow>,
    list: List,
    /// The person has moved the selection, or typed: it stays on what it is on.
    moved: bool,
    preview: Document,
    /// What the selected run has to show, once it is there.
    shown_run: Option<Preview>,
    scroll: Scroll,
    now: DateTime<Utc>,
    note: Option<String>,
    /// The definition that is in the editor.
    edits: Option<Definition>,
    /// A run that was brought back, or is as it was before: it is selected once it is listed.
    restored: Option<RunId>,
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
            results: Vec::new(),
            looks: Looks::default(),
            tasks: Vec::new(),
            listed: Listed::default(),
            model: None,
            search: LineInput::default(),
            rows: Vec::new(),
            list: List::default(),
            moved: false,
            preview: Document::default(),
            shown_run: None,
            scroll: Scroll::at_start(),
            now,
            note: None,
            edits: None,
            restored: None,
            touched: false,
            steered: false,
            last_frame: FrameInfo::default(),
        };
        home.refresh();
        home
    }

    /// Takes the open runs and the results. The selection stays on what it was on. Gives what is to be asked for.
    pub fn fill_runs(&mut self, runs: Vec<RunRow>, now: DateTime<Utc>) -> Vec<Effect> {
        let (open, results) = listing::on_the_desk(runs);
        self.refill(|home| {
            home.listed.runs = true;
            (home.runs, home.results, home.now) = (open, results, now);
        });
        let restored = self.restored.take();
        let is_restored = |row: &HomeRow| restored.is_some() && self.run_of(*row).map(|run| run.run) == restored;
        if let Some(at) = self.rows.iter().position(is_restored) {
            self.list.select(at, self.rows.len(), self.last_frame.list);
            self.show();
        }
        self.asks()
    }

    /// Takes the tasks, the most recently used first. The selection stays on what it was on.
    pub fn fill_tasks(&mut self, tasks: Vec<TaskRow>, now: DateTime<Utc>) {
        self.refill(|home| {
            home.listed.tasks = true;
            (home.tasks, home.now) = (tasks, now);
        });
    }

    /// Runs or tasks cannot be listed.
    pub fn not_listed(&mut self) {
        self.listed = Listed { runs: true, tasks: true };
    }

    /// Whether something is searched for among rows that are not all there yet.
    #[must_use]
    pub fn is_searching(&self) -> bool {
        let all_there = self.listed.runs && self.listed.tasks;
        !self.search.is_empty() && !all_there
    }

    /// Whether a command has to wait for the rows that are searched, because it is about one of them.
    #[must_use]
    pub fn waits(&self, id: Id) -> bool {
        self.is_searching() && is_about_rows(id)
    }

    fn refill(&mut self, fill: impl FnOnce(&mut Self)) {
        // What was typed before there was anything to be found is searched now, and has gone to the first that it finds.
        let searched = self.is_searching();
        let stays = self.moved && self.touched && !searched;
        let (before, row) = (self.selected().and_then(|row| self.id_of(row)), self.list.selected);
        let scroll = self.scroll;
        fill(self);
        self.refresh();
        self.steered |= searched;
        if !stays || before.is_none() {
            return;
        }
        let same = self.rows.iter().position(|row| self.id_of(*row) == before);
        // What was there is gone: the selection stays where it was, on the next that is no heading.
        let near = || (row..self.rows.len()).chain((0..row).rev()).find(|at| !self.is_heading(*at));
        if let Some(at) = same.or_else(near) {
            self.list.select(at, self.rows.len(), self.last_frame.list);
            self.show();
        }
        if same.is_some() {
            self.scroll = scroll;
        }
    }

    /// What is to be asked for, so that rows and preview can show all that they have to.
    fn asks(&mut self) -> Vec<Effect> {
        let selected = self.selected().and_then(|row| self.run_of(row)).cloned();
        self.looks.asks(self.runs.iter().chain(&self.results), selected.as_ref())
    }

    /// The run of a row.
    fn run_of(&self, row: HomeRow) -> Option<&RunRow> {
        match row {
            HomeRow::Run(at) => self.runs.get(at),
            HomeRow::Result(at) => self.results.get(at),
            HomeRow::Heading(_) | HomeRow::Task(_) | HomeRow::Connect | HomeRow::Ask => None,
        }
    }

    /// The run that is selected.
    #[must_use]
    pub fn listed(&self) -> Option<RunRow> {
        self.run_of(self.target()?).cloned()
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

    /// The model that answers, once that is known.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.model.as_ref().map(|choice| choice.model.as_str())
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
        let run = self.selected().is_some_and(|row| self.run_of(row).is_some());
        let output = run || self.is_searching() || matches!(self.selected(), Some(HomeRow::Task(_)));
        let selected = if run { Selected::Listed } else { Selected::None };
        Situation { screen: Screen::Home, selected, others, output, ..Situation::default() }
    }

    /// Takes a message. Gives what is to be done, and whether what is shown may have changed.
    pub fn update(&mut self, message: Message) -> (Vec<Effect>, bool) {
        let (mut effects, changed) = self.take(message);
        effects.extend(self.asks());
        (effects, changed)
    }

    fn take(&mut self, message: Message) -> (Vec<Effect>, bool) {
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
            Message::RunsChanged(change) => {
                self.restored = change.restored.then_some(change.run);
                self.note = Some(self.looks.changed(&change));
                (Vec::new(), true)
            }
            Message::Definition(definition) => {
                let text = definition.text.clone();
                self.edits = Some(definition);
                let purpose = Purpose::Definition;
                (vec![Effect::Terminal(Terminal::OpenEditor { purpose, text, extension: "toml" })], false)
            }
            Message::Edited(Purpose::Definition, text) => (self.edited(text), true),
            Message::DefinitionSaved(file) => {
                self.definition_saved(&file);
                (Vec::new(), true)
            }
            Message::Glances(glances) => {
                self.looks.take(glances);
                (Vec::new(), true)
            }
            Message::Preview(run) => {
                let selected = self.selected().and_then(|row| self.run_of(row)).map(|row| row.run);
                if selected == Some(run.id) {
                    self.shown_run = Some(Preview::of(&run));
                }
                (Vec::new(), true)
            }
            Message::Tick(now) => {
                // Home shows no smaller unit than the minute, but when a deadline passes.
                let passes = self.runs.iter().any(|run| passes(run, self.now, now));
                let changed = passes || now.timestamp() / 60 != self.now.timestamp() / 60;
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
            Id::Archive => return looks::archive(self.listed().as_ref(), &mut self.note),
            Id::UndoLast => return self.looks.undo(self.listed().as_ref(), &mut self.note),
            Id::EditDefinition => {
                if let Some(HomeRow::Task(at)) = self.target() {
                    return vec![picks::edit_definition(&self.tasks[at])];
                }
            }
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
            Some(row @ (HomeRow::Run(_) | HomeRow::Result(_))) => {
                self.run_of(row).map(|run| Effect::Go(Go::Run(run.run))).into_iter().collect()
            }
            Some(HomeRow::Ask) => vec![Effect::Open(Opening::Chat(self.search.value()))],
            Some(HomeRow::Connect) => vec![Effect::Go(Go::Connect)],
            Some(HomeRow::Task(at)) => {
                let task = &self.tasks[at];
                if let Some(error) = task.errors.first() {
                    self.note = Some(format!("it has errors: {error} · Alt-E edits it"));
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
            row @ (HomeRow::Run(_) | HomeRow::Result(_)) => picks::of_run(self.run_of(row)?),
            HomeRow::Task(at) => picks::of_task(&self.tasks[at], &self.variants(at)),
            HomeRow::Heading(_) | HomeRow::Ask | HomeRow::Connect => return None,
        };
        Some(Above::effect(Layered::Choose(choose)))
    }

    /// A definition came back from the editor.
    fn edited(&mut self, text: Option<String>) -> Vec<Effect> {
        let before = self.edits.take();
        match (before, text) {
            (Some(before), Some(text)) if before.text != text => {
                vec![Effect::Errand(Errand::SaveDefinition { before, text })]
            }
            _ => {
                self.note = Some("the definition is as it was".to_owned());
                Vec::new()
            }
        }
    }

    /// A definition was written: the selection goes to it, with its mistakes beside it.
    fn definition_saved(&mut self, file: &Path) {
        let Some(at) = self.tasks.iter().position(|task| task.file.as_deref() == Some(file)) else { return };
        self.note = Some(match self.tasks[at].errors.len() {
            0 => format!("saved; `{}` has no mistakes", self.tasks[at].id),
            1 => "saved, with a mistake: it is shown beside the list · Alt-E edits it again".to_owned(),
            many => format!("saved, with {many} mistakes: they are shown beside the list · Alt-E edits it again"),
        });
        if !self.rows.contains(&HomeRow::Task(at)) {
            self.search = LineInput::default();
            self.refresh();
        }
        if let Some(row) = self.rows.iter().position(|row| *row == HomeRow::Task(at)) {
            (self.moved, self.touched, self.steered) = (true, true, true);
            self.list.select(row, self.rows.len(), self.last_frame.list);
            self.show();
        }
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

    /// What a row is, wherever it is in the list.
    fn id_of(&self, row: HomeRow) -> Option<ContentId> {
        Some(match row {
            HomeRow::Run(_) | HomeRow::Result(_) => ContentId::of_run(self.run_of(row)?.run, Subject::Run, 0),
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

    /// Makes the preview of the selected row. Of a run it is what the list knows, until the run itself is there.
    fn show(&mut self) {
        self.scroll = Scroll::at_start();
        let row = self.selected();
        let run = row.and_then(|row| self.run_of(row));
        if let Some(run) = run {
            if self.shown_run.as_ref().is_some_and(|shown| shown.run() == run.run) {
                return;
            }
            let said = run.snippet.data().replace(['\u{2}', '\u{3}'], "");
            (self.shown_run, self.preview) = (None, Document::new(&Untrusted::new(said)));
            return;
        }
        self.shown_run = None;
        let text = match row {
            Some(HomeRow::Task(at)) => about::about(&self.tasks[at], &self.variants(at), self.now),
            Some(HomeRow::Connect) => CONNECT.to_owned(),
            Some(HomeRow::Ask) => "Enter starts a plain chat with what you typed.".to_owned(),
            _ => "Nothing here yet.".to_owned(),
        };
        self.preview = Document::new(&Untrusted::new(text));
    }
}

#[cfg(test)]
mod tests;
