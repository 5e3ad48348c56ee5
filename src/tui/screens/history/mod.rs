//! History: everything ever produced, found by typing. Filters narrow it, days divide it, the preview is all that the
//! selected run has to show, with the matches marked: Tab leads to it by way of the filters.
//!
//! The screen asks for a page of rows with [`Errand::Search`] and for the next one when the selection comes near the
//! end of what it has; an answer counts only if it names the newest question. Until that answer is there, the rows of
//! the last one stay on screen. So 100,000 runs cost what is looked at. A key that acts on a run waits for what the typed
//! search finds ([`HistoryScreen::waits`]): it never acts on the rows of an earlier one.

mod chips;
mod reading;
mod view;

use std::collections::HashSet;
use std::path::Path;

use chrono::{DateTime, FixedOffset, NaiveDate, Utc};
use crossterm::event::{KeyEvent, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use self::chips::Chips;
use crate::core::id::RunId;
use crate::core::ports::{HistoryQuery, RunRow};
use crate::core::run::Status;
use crate::tui::canvas::{FrameInfo, Hit};
use crate::tui::commands::{Id, command, holds};
use crate::tui::effect::{Effect, Errand, Go, Opening, Terminal};
use crate::tui::layers::{Above, Kind, picks};
use crate::tui::looks::{self, Looks};
use crate::tui::message::Message;
use crate::tui::screens::preview::Preview;
use crate::tui::screens::{is_about_rows, passes};
use crate::tui::shown::{ContentId, Subject};
use crate::tui::situation::{Layer, Screen, Selected, Situation};
use crate::tui::widgets::find::Find;
use crate::tui::widgets::line::LineInput;
use crate::tui::widgets::list::List;
use crate::tui::widgets::scroll::{By, Scroll};

/// So many rows are asked for at a time.
const PAGE: usize = 100;

/// When fewer rows lie below the selection, the next page is asked for.
const NEAR: usize = 40;

/// A row of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HistoryRow {
    Day(NaiveDate),
    Run(usize),
}

/// What has the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Focus {
    #[default]
    Search,
    Filters,
    Preview,
}

/// The model.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each says something else of what is listed and shown")]
pub struct HistoryScreen {
    search: LineInput,
    chips: Chips,
    focus: Focus,
    /// The preview has the whole screen.
    zoom: bool,
    /// The newest question.
    ticket: u64,
    /// While a question is open: how many rows it asks for at most.
    asked: Option<usize>,
    /// The open question is the last one again.
    again: bool,
    /// The rows are of an earlier search than the one that the person has typed or filtered by.
    searching: bool,
    /// Runs have changed since the open question was asked.
    behind: bool,
    /// A run that was brought back, or is as it was before: it is selected once it is there.
    restored: Option<RunId>,
    /// The last page was full: there may be more.
    more: bool,
    runs: Vec<RunRow>,
    rows: Vec<HistoryRow>,
    list: List,
    looks: Looks,
    /// What the selected run has to show, once it is there.
    preview: Option<Preview>,
    /// Where the preview has what the list is searched for.
    words: Find,
    /// The preview itself is searched.
    search_within: Option<Find>,
    scroll: Scroll,
    /// The first marked and the second; a third takes the first's place.
    marked: Vec<RunId>,
    now: DateTime<Utc>,
    zone: FixedOffset,
    note: Option<String>,
    /// The person moved the selection since the last frame.
    steered: bool,
    last_frame: FrameInfo,
}

impl HistoryScreen {
    /// An empty history, and the effect that asks for its first page. `tasks` are the ids that the filter offers, `here`
    /// is the folder that Stepwell was started in, `zone` tells where days begin.
    #[must_use]
    pub fn new(tasks: Vec<String>, here: &Path, now: DateTime<Utc>, zone: FixedOffset) -> (Self, Effect) {
        let mut screen = Self {
            search: LineInput::default(),
            chips: Chips::new(tasks, here),
            focus: Focus::Search,
            zoom: false,
            ticket: 0,
            asked: None,
            again: false,
            searching: false,
            behind: false,
            restored: None,
            more: false,
            runs: Vec::new(),
            rows: Vec::new(),
            list: List::default(),
            looks: Looks::default(),
            preview: None,
            words: Find::of_words(""),
            search_within: None,
            scroll: Scroll::at_start(),
            marked: Vec::new(),
            now,
            zone,
            note: None,
            steered: false,
            last_frame: FrameInfo::default(),
        };
        let ask = screen.ask();
        (screen, ask)
    }

    /// Shows the runs of one task only.
    pub fn only_task(&mut self, task: &str) -> Effect {
        self.chips.only_task(task);
        self.ask()
    }

    /// Whether what the typed search finds is not there yet.
    #[must_use]
    pub fn is_searching(&self) -> bool {
        self.searching
    }

    /// Whether a command has to wait for what the typed search finds, because it is about a run of the list.
    #[must_use]
    pub fn waits(&self, id: Id) -> bool {
        self.searching && self.focus != Focus::Filters && is_about_rows(id)
    }

    /// A search came to nothing: what is listed is all there is.
    pub fn not_found(&mut self, ticket: u64) {
        if ticket == self.ticket {
            (self.asked, self.again, self.searching, self.behind) = (None, false, false, false);
        }
    }

    /// What the last frame showed.
    pub fn set_last_frame(&mut self, frame: FrameInfo) {
        self.last_frame = frame;
        self.steered = false;
    }

    /// The run that is selected.
    #[must_use]
    pub fn selected(&self) -> Option<&RunRow> {
        match self.rows.get(self.list.selected)? {
            HistoryRow::Run(at) => self.runs.get(*at),
            HistoryRow::Day(_) => None,
        }
    }

    /// The run that a key acts on: the one that the person went to, else the one that was on screen.
    fn target(&self) -> Option<&RunRow> {
        if self.steered {
            return self.selected();
        }
        let seen = self.last_frame.row.as_ref()?;
        self.runs.iter().find(|run| id_of(run) == *seen)
    }

    /// Whether a run is listed that goes on by itself.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.runs.iter().any(|run| run.status == Status::Running)
    }

    /// The run that commands about a run as a whole are for.
    #[must_use]
    pub fn listed(&self) -> Option<RunRow> {
        self.target().cloned()
    }

    /// The situation that a key meets.
    #[must_use]
    pub fn situation(&self) -> Situation {
        // What is searched for may be found: a key for it is no text, and waits.
        let run = self.searching || self.selected().is_some();
        Situation {
            screen: Screen::History,
            layer: match self.focus {
                Focus::Search => Layer::None,
                Focus::Filters => Layer::Chips,
                Focus::Preview => self.search_within.as_ref().map_or(Layer::Preview, Find::layer),
            },
            selected: if run { Selected::Listed } else { Selected::None },
            output: run,
            several: match self.focus {
                Focus::Preview => !self.search.is_empty(),
                Focus::Search | Focus::Filters => self.pair().is_some(),
            },
            marked: !self.marked.is_empty(),
            acceptable: self.preview.as_ref().is_some_and(Preview::has_versions),
            document: self.preview.as_ref().is_some_and(|preview| preview.version() > 0),
            ..Situation::default()
        }
    }

    /// Takes a message. Gives what is to be done, and whether what is shown may have changed.
    pub fn update(&mut self, message: Message) -> (Vec<Effect>, bool) {
        let (mut effects, changed) = self.take(message);
        let selected = self.selected().cloned();
        effects.extend(self.looks.asks(self.runs.iter(), selected.as_ref()));
        (effects, changed)
    }

    fn take(&mut self, message: Message) -> (Vec<Effect>, bool) {
        match message {
            Message::Key(key) => (self.key(key), true),
            Message::Paste(text) => {
                if self.types_within(|find| find.paste(&text)) {
                    return (Vec::new(), true);
                }
                self.focus = Focus::Search;
                self.search.paste(&text);
                (vec![self.find()], true)
            }
            Message::Mouse(mouse) => self.mouse(mouse),
            Message::Rows { ticket, offset, rows } if ticket == self.ticket => {
                self.fill(offset, rows);
                let asks = if std::mem::take(&mut self.behind) { vec![self.ask_as_many()] } else { self.ask_more() };
                (asks, true)
            }
            Message::RunsChanged(change) => {
                self.restored = change.restored.then_some(change.run);
                self.note = Some(self.looks.changed(&change));
                (vec![self.ask_as_many()], true)
            }
            // What is being asked for may have been read before: it is not given up, so that a search that takes long is
            // answered at last.
            Message::HistoryChanged if self.asked.is_some() => {
                self.behind = true;
                (Vec::new(), false)
            }
            Message::HistoryChanged => (vec![self.ask_as_many()], false),
            Message::Glances(glances) => {
                self.looks.take(glances);
                (Vec::new(), true)
            }
            Message::Preview(run) => {
                if self.selected().is_some_and(|selected| selected.run == run.id) {
                    self.take_preview(Preview::of(&run));
                }
                (Vec::new(), true)
            }
            Message::Tick(now) => {
                let changed = self.runs.iter().any(|run| passes(run, self.now, now));
                self.now = now;
                (Vec::new(), changed)
            }
            Message::Failed(text) | Message::Done(text) | Message::NotDone { why: text, .. } => {
                self.note = Some(text);
                (Vec::new(), true)
            }
            Message::Resize(..) => (Vec::new(), true),
            _ => (Vec::new(), false),
        }
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        self.note = None;
        if let Some(id) = command(key, &self.situation()) {
            return self.give(id);
        }
        if self.types_within(|find| find.key(key)) {
            return Vec::new();
        }
        let before = self.search.value();
        // Whoever types on the filters goes on with the search. In the preview letters are commands.
        if self.focus != Focus::Preview && self.search.key(key) {
            self.focus = Focus::Search;
        }
        if self.search.value() == before { Vec::new() } else { vec![self.find()] }
    }

    /// Gives a command.
    pub fn give(&mut self, id: Id) -> Vec<Effect> {
        match self.focus {
            Focus::Filters => return self.filter(id),
            Focus::Preview => return self.read(id),
            Focus::Search => {}
        }
        let run = self.target();
        match id {
            Id::Open => return run.map(|run| Effect::Go(Go::Run(run.run))).into_iter().collect(),
            Id::RunAgain => {
                return run.map(|run| Effect::Open(Opening::RunAgain(run.run))).into_iter().collect();
            }
            Id::WriteFile => return run.map(picks::export).into_iter().collect(),
            Id::Rename => return run.map(picks::rename).into_iter().collect(),
            Id::Archive => {
                let run = run.cloned();
                return looks::archive(run.as_ref(), &mut self.note);
            }
            Id::UndoLast => {
                let run = run.cloned();
                return self.looks.undo(run.as_ref(), &mut self.note);
            }
            Id::Actions => {
                return run.map(|run| Above::effect(Kind::Choose(picks::of_run(run)))).into_iter().collect();
            }
            Id::CompareRuns => {
                return self.pair().map(|(old, new)| Effect::Open(Opening::Compare(old, new))).into_iter().collect();
            }
            Id::Mark => self.mark(),
            Id::Chips => self.focus = Focus::Filters,
            Id::Up => return self.step(-1),
            Id::Down => return self.step(1),
            Id::PageUp => return self.step(-self.page()),
            Id::PageDown => return self.step(self.page()),
            Id::Back if !self.search.is_empty() => {
                self.search = LineInput::default();
                return vec![self.find()];
            }
            Id::Back => return vec![Effect::Go(Go::Back)],
            Id::SwitchRun => return vec![Effect::Go(Go::NextRun)],
            Id::Inbox => return vec![Effect::Go(Go::Inbox)],
            Id::Suspend => return vec![Effect::Terminal(Terminal::Suspend)],
            _ => {}
        }
        Vec::new()
    }

    /// Gives a command while the filters have the focus.
    fn filter(&mut self, id: Id) -> Vec<Effect> {
        match id {
            Id::Left => self.chips.go(-1),
            Id::Right => self.chips.go(1),
            Id::Chips | Id::Back => self.focus = Focus::Search,
            Id::Focus => self.focus = Focus::Preview,
            Id::Up | Id::Down => {
                self.chips.turn(if id == Id::Up { -1 } else { 1 });
                return vec![self.find()];
            }
            Id::Clear => {
                self.chips.clear();
                return vec![self.find()];
            }
            Id::Suspend => return vec![Effect::Terminal(Terminal::Suspend)],
            _ => {}
        }
        Vec::new()
    }

    fn mouse(&mut self, mouse: MouseEvent) -> (Vec<Effect>, bool) {
        let hit = self.last_frame.at(Position { x: mouse.column, y: mouse.row });
        let lines = match (mouse.kind, hit) {
            (MouseEventKind::ScrollUp, _) => -3,
            (MouseEventKind::ScrollDown, _) => 3,
            (MouseEventKind::Down(_), Some(Hit::Command(id))) if holds(id, &self.situation()) => {
                return (self.give(id), true);
            }
            (MouseEventKind::Down(_), Some(Hit::Chip(at))) => {
                (self.focus, self.chips.at) = (Focus::Filters, at);
                self.chips.turn(1);
                return (vec![self.find()], true);
            }
            (MouseEventKind::Down(_), Some(Hit::Row(at))) if matches!(self.rows.get(at), Some(HistoryRow::Run(_))) => {
                // A click selects; a click on what is selected opens it.
                if at == self.list.selected && self.target() == self.selected() {
                    return (self.give(Id::Open), true);
                }
                self.steered = true;
                self.select(at);
                return (self.ask_more(), true);
            }
            _ => return (Vec::new(), false),
        };
        if hit == Some(Hit::Output) {
            self.scroll.by(By::Lines(lines), self.last_frame.output);
            return (Vec::new(), true);
        }
        (self.step(lines), true)
    }

    fn query(&self) -> HistoryQuery {
        self.chips.query(self.search.value().trim().to_owned(), self.now, self.zone)
    }

    /// Asks for what the person looks for from now on.
    fn find(&mut self) -> Effect {
        self.searching = true;
        self.ask()
    }

    /// Asks for the first page of what is looked for now.
    fn ask(&mut self) -> Effect {
        self.again = false;
        self.words = Find::of_words(&self.search.value());
        self.question(HistoryQuery { limit: PAGE, ..self.query() })
    }

    /// Asks again for all that is there, so that the selection keeps its place.
    pub fn ask_as_many(&mut self) -> Effect {
        self.again = !self.searching;
        self.question(HistoryQuery { limit: self.runs.len().max(PAGE), ..self.query() })
    }

    /// Asks for the next page when the selection is near the end.
    fn ask_more(&mut self) -> Vec<Effect> {
        if self.asked.is_some() || !self.more || self.list.selected + NEAR < self.rows.len() {
            return Vec::new();
        }
        vec![self.question(HistoryQuery { limit: PAGE, offset: self.runs.len(), ..self.query() })]
    }

    fn question(&mut self, query: HistoryQuery) -> Effect {
        self.ticket += 1;
        self.asked = Some(query.limit);
        Effect::Errand(Errand::Search { ticket: self.ticket, query })
    }

    /// Takes rows: in the place of what was there, or after it.
    fn fill(&mut self, offset: usize, rows: Vec<RunRow>) {
        self.more = self.asked.take().is_some_and(|limit| rows.len() >= limit);
        if offset > 0 {
            // Runs that were started since have moved the pages: what is there already does not come twice.
            let known: HashSet<RunId> = self.runs.iter().map(|run| run.run).collect();
            let from = self.runs.len();
            self.runs.extend(rows.into_iter().filter(|run| !known.contains(&run.run)));
            self.divide(from);
            return;
        }
        // Who typed the search has gone to what it finds, as with a key.
        self.steered |= std::mem::take(&mut self.searching);
        let (before, again) = (self.selected().map(|run| run.run), std::mem::take(&mut self.again));
        self.runs = rows;
        self.rows.clear();
        self.divide(0);
        let restored = self.restored.take().and_then(|run| self.row_of(run));
        let same = restored.or_else(|| self.row_of(before?));
        // What is typed may find the selected run again, but what is wanted is the newest that matches. The same question
        // asked again, because a run was renamed, leaves the selection on its run.
        let searches = !self.search.is_empty() || !self.chips.are_open();
        let at = same.filter(|_| again || !searches || self.list.selected > 1);
        let near = self.list.selected.min(self.rows.len().saturating_sub(1));
        self.select(at.unwrap_or(if again { near.max(1) } else { 1 }));
    }

    fn row_of(&self, run: RunId) -> Option<usize> {
        self.rows.iter().position(|row| matches!(row, HistoryRow::Run(at) if self.runs[*at].run == run))
    }

    /// Makes the rows of the runs from `from` on, a heading before each day.
    fn divide(&mut self, from: usize) {
        let day = |run: &RunRow| run.updated_at.with_timezone(&self.zone).date_naive();
        let mut last = from.checked_sub(1).and_then(|at| self.runs.get(at)).map(day);
        for (at, run) in self.runs.iter().enumerate().skip(from) {
            let this = day(run);
            if last != Some(this) {
                self.rows.push(HistoryRow::Day(this));
                last = Some(this);
            }
            self.rows.push(HistoryRow::Run(at));
        }
    }

    fn page(&self) -> isize {
        isize::try_from(self.last_frame.list.height).unwrap_or(1).max(1)
    }

    /// Moves the selection by so many rows, past headings.
    fn step(&mut self, by: isize) -> Vec<Effect> {
        self.steered = true;
        let last = self.rows.len().saturating_sub(1);
        let at = self.list.selected.saturating_add_signed(by).min(last);
        let is_run = |at: usize| matches!(self.rows.get(at), Some(HistoryRow::Run(_)));
        // The first row is a heading and the last a run.
        let at = if is_run(at) {
            at
        } else if by < 0 && at > 0 {
            at - 1
        } else {
            at + 1
        };
        if is_run(at) {
            self.select(at);
        }
        self.ask_more()
    }

    fn select(&mut self, at: usize) {
        if at == 1 {
            // The first day's heading comes into view with its first run.
            self.list.select(0, self.rows.len(), self.last_frame.list);
        }
        self.list.select(at, self.rows.len(), self.last_frame.list);
        let selected = self.selected().map(|run| run.run);
        if self.preview.as_ref().map(Preview::run) != selected {
            (self.preview, self.search_within) = (None, None);
            self.scroll = Scroll::at_start();
        }
    }

    fn mark(&mut self) {
        let Some(run) = self.target().map(|run| run.run) else { return };
        if let Some(at) = self.marked.iter().position(|marked| *marked == run) {
            self.marked.remove(at);
            return;
        }
        if self.marked.len() == 2 {
            self.marked.remove(0);
        }
        self.marked.push(run);
    }

    /// The two runs that a comparison is of, the earlier first: the marked, or the marked and the selected.
    fn pair(&self) -> Option<(RunId, RunId)> {
        let (one, other) = match self.marked.as_slice() {
            [one, other] => (*one, *other),
            [one] => (*one, self.target()?.run),
            _ => return None,
        };
        // Ids sort by the time of their creation.
        (one != other).then(|| (one.min(other), one.max(other)))
    }
}

/// What a run in the list is, wherever it is.
fn id_of(run: &RunRow) -> ContentId {
    ContentId::of_run(run.run, Subject::Run, 0)
}

#[cfg(test)]
mod tests;
