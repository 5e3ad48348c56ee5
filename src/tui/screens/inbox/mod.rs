//! The inbox: every gate that waits, across runs. Reviews first, then approvals, then questions, what is to be settled, and
//! the runs that failed.
//!
//! After a decision the selection goes to the next of the same sort. When there is none, it rests on a heading, where
//! no key decides anything: whoever accepts one review after another never finds an approval under the next key. What
//! is decided elsewhere leaves the selection on a heading too. A decision names what was on screen.

mod answers;
mod view;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use crossterm::event::{KeyEvent, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::form::FormScreen;
use super::run::content::{Body, Content};
use super::run::layer::prompt;
use super::run::{pages, rows};
use crate::core::call::Call;
use crate::core::decide::DecisionKind;
use crate::core::document::Document;
use crate::core::gate::{Answer, Gate, GateBody, GateKind};
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::run::{Run, Status};
use crate::core::text::Untrusted;
use crate::core::title::item_title;
use crate::tui::canvas::{FrameInfo, Hit};
use crate::tui::commands::{Id, command, holds};
use crate::tui::effect::{Change, Effect, Go, Request, Terminal};
use crate::tui::layers::{Above, Compared, Kind, Reading};
use crate::tui::message::Message;
use crate::tui::shown::{Page, ShownGate};
use crate::tui::situation::{Layer, Screen, Selected, Situation};
use crate::tui::versions::Compare;
use crate::tui::widgets::find::Find;
use crate::tui::widgets::list::List;
use crate::tui::widgets::scroll::{By, Scroll};

/// A sort of gates, in the order in which they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    Reviews,
    Approvals,
    Questions,
    Unsettled,
    /// Runs, each with the failure that stopped it.
    Failed,
}

impl Sort {
    const ALL: [Self; 5] = [Self::Reviews, Self::Approvals, Self::Questions, Self::Unsettled, Self::Failed];

    fn of(kind: GateKind) -> Self {
        match kind {
            GateKind::Review => Self::Reviews,
            GateKind::Approval | GateKind::Tools => Self::Approvals,
            GateKind::Input | GateKind::Secret => Self::Questions,
            GateKind::InDoubt | GateKind::Stale | GateKind::Budget => Self::Unsettled,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Reviews => "Reviews",
            Self::Approvals => "Approvals",
            Self::Questions => "Questions",
            Self::Unsettled => "To be settled",
            Self::Failed => "Failed",
        }
    }
}

/// A row of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
enum InboxRow {
    /// So many of a sort.
    Heading(Sort, usize),
    /// A gate, as it would be decided.
    Gate(ShownGate),
    /// A run that failed.
    Failed(RunId),
}

impl InboxRow {
    /// Its sort, and whether it is the heading of that.
    fn sort(&self) -> (Sort, bool) {
        match self {
            Self::Heading(sort, _) => (*sort, true),
            Self::Gate(gate) => (Sort::of(gate.kind), false),
            Self::Failed(_) => (Sort::Failed, false),
        }
    }

    fn is_heading(&self) -> bool {
        matches!(self, Self::Heading(..))
    }

    /// Whether both are the same thing, however it has changed meanwhile.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Gate(a), Self::Gate(b)) => {
                (a.run, &a.key, a.call, &a.document, a.kind) == (b.run, &b.key, b.call, &b.document, b.kind)
            }
            (Self::Failed(a), Self::Failed(b)) => a == b,
            _ => false,
        }
    }
}

/// The model; empty until [`Message::Waiting`] says what waits.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each says something else of what is shown")]
pub struct InboxScreen {
    /// The run from which it was opened.
    from: Option<RunId>,
    runs: Vec<Arc<Run>>,
    /// Whether it is known what waits.
    known: bool,
    rows: Vec<InboxRow>,
    list: List,
    /// Decided here; it counts no more even before the engine has said so.
    decided: Vec<ShownGate>,
    /// Failed runs that are taken up again from here, each as it was then.
    taken_up: Vec<(RunId, u64)>,
    /// A question about this gate is open above the screen: when the gate goes, it was decided here.
    asked: Option<ShownGate>,
    /// The output has the focus, or the whole screen where there is room for one pane.
    reading: bool,
    zoom: bool,
    /// What an attempt has beside its output is unfolded above it.
    unfolded: bool,
    content: Content,
    scroll: Scroll,
    /// The attempt and version that the person has paged to, of the selected gate.
    paged: Option<Page>,
    /// What accept, retry and skip are for while there is any.
    marked: Vec<ShownGate>,
    /// The text on screen is searched.
    search: Option<Find>,
    /// The newest decision that was made here and can be taken back: the run, and its event.
    undoable: Option<(RunId, u64)>,
    /// The runs in which something was decided here, and it has not been said yet that it was kept.
    reports: Vec<RunId>,
    note: Option<String>,
    last_frame: FrameInfo,
}

impl InboxScreen {
    /// What the last frame showed.
    pub fn set_last_frame(&mut self, frame: FrameInfo) {
        self.last_frame = frame;
    }

    /// The situation that a key meets: what waits counts only as far as the last frame showed it.
    #[must_use]
    pub fn situation(&self) -> Situation {
        self.situation_with(&self.last_frame)
    }

    fn situation_with(&self, frame: &FrameInfo) -> Situation {
        let gate = self.gate();
        let call = self.call();
        // Whether it still waits as it was shown is looked at when it is decided, and said.
        let on_screen = gate.zip(self.open_gate()).zip(frame.gate.as_ref());
        let on_screen = on_screen.is_some_and(|((gate, open), seen)| seen.is_of(gate.run, open));
        let earlier = self.content.earlier.filter(|_| frame.content.is_some() && frame.content == self.content.id);
        Situation {
            screen: Screen::Inbox,
            layer: self.search.as_ref().map_or(Layer::None, Find::layer),
            selected: match (gate, earlier) {
                (None, _) if self.failed().is_none() => Selected::None,
                (None, _) if self.is_on_screen(frame) => Selected::Ended,
                (Some(_), Some(earlier)) => Selected::Earlier(earlier.behind),
                (Some(gate), None) if on_screen => Selected::Gate(gate.kind),
                (None, _) | (Some(_), None) => Selected::Unread,
            },
            acceptable: match earlier {
                Some(earlier) => earlier.takeable,
                None => self.open_gate().is_some_and(|gate| gate.allows(Answer::Accept)),
            },
            output: matches!(&self.content.body, Body::Text(text) if !text.is_empty()),
            several: match self.document() {
                Some(document) => document.count() > 1,
                None => call.is_some_and(|call| pages::pages(call, self.open_gate()).len() > 1),
            },
            tool: self.open_gate().is_some_and(|gate| gate.tool().is_some()),
            by_model: self.open_gate().is_some_and(|gate| gate.tool().is_some() && gate.call.is_some()),
            marked: !self.marked.is_empty(),
            prompt: call.is_some_and(|call| call.attempts.iter().any(|attempt| attempt.work.is_some())),
            others: self.count() > usize::from(gate.is_some() || self.failed().is_some()),
            ..Situation::default()
        }
    }

    /// Takes a message. Gives what is to be done, and whether what is shown may have changed.
    pub fn update(&mut self, message: Message) -> (Vec<Effect>, bool) {
        match message {
            Message::Key(key) => (self.key(key), true),
            Message::Mouse(mouse) => self.mouse(mouse),
            Message::Waiting(runs) => {
                self.known = true;
                self.runs = runs;
                self.refresh();
                (Vec::new(), true)
            }
            Message::Run(run) => {
                self.report(&run);
                let known = self.runs.iter_mut().find(|known| known.id == run.id);
                let changed = known.map(|known| *known = run).is_some();
                if changed {
                    self.refresh();
                }
                (Vec::new(), changed)
            }
            Message::NotDone { request, why } => {
                match *request {
                    // It waits again.
                    Request::Change(Change::Decide(run, decision, _)) => {
                        self.decided.retain(|gate| gate.run != run || gate.key != decision.key);
                    }
                    Request::Change(Change::GoOn(run)) => self.taken_up.retain(|(taken, _)| *taken != run),
                    _ => {}
                }
                self.refresh();
                self.note = Some(why);
                (Vec::new(), true)
            }
            Message::Failed(text) | Message::Done(text) => {
                self.note = Some(text);
                (Vec::new(), true)
            }
            Message::Paste(text) => (Vec::new(), self.types_search(|search| search.paste(&text))),
            Message::Resize(..) => (Vec::new(), true),
            _ => (Vec::new(), false),
        }
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        self.note = None;
        if let Some(id) = command(key, &self.situation()) {
            self.give(id)
        } else {
            self.types_search(|search| search.key(key));
            Vec::new()
        }
    }

    /// Gives a command.
    pub fn give(&mut self, id: Id) -> Vec<Effect> {
        if self.gives_to_search(id) {
            return Vec::new();
        }
        match id {
            Id::Accept => return self.accept(),
            Id::Approve => {
                return self.decide(self.approval_kind(), DecisionKind::APPROVE);
            }
            Id::ApproveForRun => {
                return self.decide(GateKind::Approval, DecisionKind::Approve { for_run: true, arguments: None });
            }
            Id::Keep => return self.decide(GateKind::Stale, DecisionKind::Keep),
            Id::Again if self.failed().is_some() => return self.take_up(),
            Id::Again => {
                let kind = self.gate().map_or(GateKind::Stale, |gate| gate.kind);
                return self.decide(kind, DecisionKind::Again { model: None });
            }
            Id::Deny | Id::Worked | Id::AnswerForTool | Id::RaiseBudget => return self.ask_for(id),
            Id::Retry => return self.retry(),
            Id::Skip => return self.skip(),
            Id::AcceptMarked => return self.accept_marked(),
            Id::RetryMarked => return self.retry_marked(),
            Id::SkipMarked => return self.skip_marked(),
            Id::Mark => self.mark(),
            Id::UndoLast => return self.undo(),
            Id::Open | Id::Answer => return self.open(id),
            Id::Edit => return self.edit(),
            Id::WriteFile => return self.write_file(),
            Id::Thoughts if self.content.besides.is_none() => {
                self.note = Some("this attempt has no thoughts".to_owned());
            }
            Id::Thoughts => (self.unfolded, self.scroll) = (!self.unfolded, Scroll::at_start()),
            Id::Filter => self.search = matches!(self.content.body, Body::Text(_)).then(Find::default),
            Id::Left | Id::Right => self.turn(if id == Id::Left { -1 } else { 1 }),
            Id::Prompt | Id::Compare | Id::Copy => return self.read(id),
            Id::NextWaiting => self.next(),
            Id::Focus => self.reading = !self.reading,
            Id::Zoom => {
                self.zoom = !self.zoom;
                self.reading = self.zoom;
            }
            Id::Back if self.zoom || self.reading => (self.zoom, self.reading) = (false, false),
            Id::Back | Id::Quit => return vec![Effect::Go(Go::Back)],
            Id::SwitchRun => return vec![Effect::Go(Go::NextRun)],
            Id::History => return vec![Effect::Go(Go::History)],
            Id::Suspend => return vec![Effect::Terminal(Terminal::Suspend)],
            other => self.walk(other),
        }
        Vec::new()
    }

    /// Leads to where what waits is answered: the form that it asks for, else the run.
    fn open(&mut self, id: Id) -> Vec<Effect> {
        if let Some(run) = self.failed() {
            return vec![Effect::Go(Go::Run(run.id))];
        }
        let Some(gate) = self.seen() else { return self.changed_meanwhile() };
        // What a conversation asks is answered by its next message.
        let asks_message = |gate: &Gate| gate.kind() == GateKind::Input && gate.fields().is_none();
        let has_form = id == Id::Answer && !self.open_gate().is_some_and(asks_message);
        self.asked = Some(gate.clone());
        vec![if has_form { Effect::Go(Go::Answer) } else { Effect::Go(Go::Call(gate.run, gate.key)) }]
    }

    /// The form that the selected gate asks for; `None` when it asks for none.
    #[must_use]
    pub fn answer_form(&self, now: DateTime<Utc>) -> Option<FormScreen> {
        let seen = self.gate().and_then(|gate| self.seen_gate(gate.kind))?;
        let gate = self.open_gate()?;
        let text = match &gate.body {
            GateBody::Input(input) => input.text(),
            _ => "",
        };
        FormScreen::answering(&self.call().map(title_of)?, Untrusted::from(text), gate, seen, now)
    }

    /// Reads, compares or copies what is on screen.
    fn read(&mut self, id: Id) -> Vec<Effect> {
        let on_screen = self.is_on_screen(&self.last_frame);
        let Some(run) = self.run().filter(|_| on_screen) else { return self.changed_meanwhile() };
        let shown = self.content.earlier.map(|earlier| earlier.page);
        let title = format!("{} · {}", self.content.title, run.title);
        match (id, self.call(), self.document()) {
            (Id::Prompt, Some(call), _) => {
                let attempt = shown.map_or_else(|| call.newest(), |shown| call.attempt(shown.attempt));
                let text = attempt.map(|attempt| prompt(run, attempt));
                let reading = |text| {
                    Above::effect(Kind::Read(Box::new(Reading::new(&format!("The exact prompt · {title}"), text))))
                };
                text.map(reading).into_iter().collect()
            }
            (Id::Compare, call, document) => {
                let of_call = call.and_then(|call| Compare::of(call, shown, pages::current(call, self.open_gate())));
                let compare = of_call.or_else(|| Compare::of_document(document?, shown));
                let compared = compare.map(|compare| Compared::of_versions(compare, &title));
                compared.map(|compared| Above::effect(Kind::Compare(compared))).into_iter().collect()
            }
            _ => match &self.content.body {
                Body::Text(text) => vec![Effect::Terminal(Terminal::Copy(text.raw().block().into_owned()))],
                _ => Vec::new(),
            },
        }
    }

    fn walk(&mut self, id: Id) {
        match (By::of(id), id) {
            // The arrows move in the list unless the output has the focus; pages are always the output's.
            (Some(By::Lines(lines)), _) if !self.reading => {
                self.select(self.list.selected.saturating_add_signed(lines));
            }
            (Some(by), _) => self.scroll.by(by, self.last_frame.output),
            (None, _) => {}
        }
    }

    fn select(&mut self, row: usize) {
        let before = self.gate().map(|gate| (gate.run, gate.key.clone(), gate.call));
        self.list.select(row, self.rows.len(), self.last_frame.list);
        if self.gate().map(|gate| (gate.run, gate.key.clone(), gate.call)) != before {
            (self.paged, self.search) = (None, None);
        }
        self.show();
    }

    /// The next gate, whatever its sort: the person asks for it.
    fn next(&mut self) {
        let count = self.rows.len();
        let from = self.list.selected;
        let next = (1..=count).map(|step| (from + step) % count).find(|at| !self.rows[*at].is_heading());
        if let Some(next) = next {
            self.select(next);
        }
    }

    /// The selected gate.
    fn gate(&self) -> Option<&ShownGate> {
        match self.rows.get(self.list.selected)? {
            InboxRow::Gate(gate) => Some(gate),
            InboxRow::Heading(..) | InboxRow::Failed(_) => None,
        }
    }

    /// The selected run that failed.
    fn failed(&self) -> Option<&Arc<Run>> {
        match self.rows.get(self.list.selected)? {
            InboxRow::Failed(run) => self.runs.iter().find(|known| known.id == *run),
            InboxRow::Heading(..) | InboxRow::Gate(_) => None,
        }
    }

    /// The call at which it failed, if it was one.
    fn failed_call(&self) -> Option<&Call> {
        let run = self.failed()?;
        run.call(run.error.as_ref()?.0.as_ref()?)
    }

    pub(in crate::tui) fn run(&self) -> Option<&Arc<Run>> {
        let Some(gate) = self.gate() else { return self.failed() };
        self.runs.iter().find(|run| run.id == gate.run)
    }

    fn call(&self) -> Option<&Call> {
        let Some(gate) = self.gate() else { return self.failed_call() };
        self.run()?.call(&Some(gate).filter(|gate| gate.document.is_none())?.key)
    }

    /// The document that the selected gate is of.
    fn document(&self) -> Option<&Document> {
        self.run()?.documents.get(self.gate()?.document.as_ref()?)
    }

    /// Whether what is selected is what a frame showed.
    fn is_on_screen(&self, frame: &FrameInfo) -> bool {
        self.content.id.as_ref().is_some_and(|id| frame.shows(id))
    }

    fn open_gate(&self) -> Option<&Gate> {
        if let Some(document) = self.document() {
            return document.gate.as_ref();
        }
        self.call()?.gates.of(self.gate()?.call)
    }

    /// How much there is to be done.
    fn count(&self) -> usize {
        self.rows.iter().filter(|row| !row.is_heading()).count()
    }

    /// Has the failed run that is on screen continue: what failed in it gets a fresh set of attempts.
    fn take_up(&mut self) -> Vec<Effect> {
        let on_screen = self.is_on_screen(&self.last_frame);
        let Some((run, seq)) = self.failed().filter(|_| on_screen).map(|run| (run.id, run.seq)) else {
            return self.changed_meanwhile();
        };
        self.taken_up.push((run, seq));
        self.refresh();
        vec![Effect::Change(Change::GoOn(run))]
    }

    /// Opened from a run: what waits there is looked at first.
    #[must_use]
    pub fn opened_from(run: Option<RunId>) -> Self {
        Self { from: run, ..Self::default() }
    }

    /// Rebuilds the rows. The selection stays on its gate; when that is gone, see the top of this module.
    fn refresh(&mut self) {
        let before = self.rows.get(self.list.selected).filter(|row| !row.is_heading()).cloned();
        let place = self.list.selected;
        let knew_none = self.rows.is_empty();
        let mut gates: Vec<ShownGate> =
            self.runs.iter().flat_map(|run| run.waiting().map(|gate| ShownGate::of(run, gate))).collect();
        self.decided.retain(|decided| gates.contains(decided));
        self.marked.retain(|marked| gates.contains(marked));
        gates.retain(|gate| !self.decided.contains(gate));
        let failed = |run: &&Arc<Run>| run.status == Status::Failed && !run.archived;
        self.taken_up.retain(|(taken, seq)| self.runs.iter().any(|run| (run.id, run.seq) == (*taken, *seq)));
        let taken_up = |run: RunId| self.taken_up.iter().any(|(taken, _)| *taken == run);
        let failed = self.runs.iter().filter(failed).map(|run| run.id).filter(|run| !taken_up(*run));
        let all: Vec<InboxRow> = gates.into_iter().map(InboxRow::Gate).chain(failed.map(InboxRow::Failed)).collect();
        self.rows.clear();
        for sort in Sort::ALL {
            let of: Vec<&InboxRow> = all.iter().filter(|row| row.sort().0 == sort).collect();
            if !of.is_empty() {
                self.rows.push(InboxRow::Heading(sort, of.len()));
                self.rows.extend(of.into_iter().cloned());
            }
        }
        let row = match before {
            // Nothing was selected, or a heading: the first gate, when there was none before.
            None if knew_none => {
                let of_run = |row: &InboxRow| matches!(row, InboxRow::Gate(gate) if Some(gate.run) == self.from);
                self.rows.iter().position(of_run).unwrap_or(1)
            }
            None => place.min(self.rows.len().saturating_sub(1)),
            Some(row) => self.place_after(&row, place),
        };
        self.select(row);
    }

    /// Where the selection goes that was on `gone`, in row `place`.
    fn place_after(&mut self, gone: &InboxRow, place: usize) -> usize {
        if let Some(at) = self.rows.iter().position(|row| row.is_same(gone)) {
            return at;
        }
        let here = match gone {
            InboxRow::Gate(gate) => self.asked.as_ref() == Some(gate) || self.decided.contains(gate),
            InboxRow::Failed(run) => self.taken_up.iter().any(|(taken, _)| taken == run),
            InboxRow::Heading(..) => false,
        };
        self.asked = None;
        let (sort, _) = gone.sort();
        match self.rows.iter().position(|row| row.sort() == (sort, true)) {
            // The next of the sort has moved up to where this one was; after the last comes the first.
            Some(heading) if here => {
                let follows = self.rows.get(place).is_some_and(|next| next.sort() == (sort, false));
                if follows { place } else { heading + 1 }
            }
            Some(heading) => {
                self.note = Some("it was decided elsewhere".to_owned());
                heading
            }
            None => self.rows.iter().position(|row| row.is_heading() && row.sort().0 > sort).unwrap_or(0),
        }
    }

    /// Shows what the selected gate has to show, from its beginning.
    fn show(&mut self) {
        let content = match (self.run(), self.call()) {
            (Some(run), _) if self.failed().is_some() => Content::of_failed(run, Screen::Inbox),
            (Some(run), None) => self.document().map_or_else(Content::default, |document| {
                Content::of_document(run, &rows::document(run, &document.name), document, self.paged)
            }),
            (Some(run), Some(call)) => Content::of_call(run, &row_of(call), call, self.open_gate(), self.paged),
            _ => Content::default(),
        };
        if !content.is_same(&self.content) || content.is_empty() {
            self.scroll = Scroll::at_start();
            self.content = content;
            if let Some(search) = &mut self.search {
                search.forget();
            }
        }
        if self.content.earlier.is_none() {
            self.paged = None;
        }
    }

    fn mouse(&mut self, mouse: MouseEvent) -> (Vec<Effect>, bool) {
        let hit = self.last_frame.at(Position { x: mouse.column, y: mouse.row });
        let lines = match (mouse.kind, hit) {
            (MouseEventKind::ScrollUp, _) => -3,
            (MouseEventKind::ScrollDown, _) => 3,
            (MouseEventKind::Down(_), Some(Hit::Command(id))) if holds(id, &self.situation()) => {
                return (self.give(id), true);
            }
            (MouseEventKind::Down(_), Some(Hit::Row(at))) => {
                self.select(at);
                return (Vec::new(), true);
            }
            _ => return (Vec::new(), false),
        };
        match hit {
            Some(Hit::Output) => self.scroll.by(By::Lines(lines), self.last_frame.output),
            _ => self.select(self.list.selected.saturating_add_signed(lines.signum())),
        }
        (Vec::new(), true)
    }
}

/// What a call is called: its item, else its key.
fn title_of(call: &Call) -> String {
    call.item.as_deref().and_then(item_title).unwrap_or_else(|| call.key.to_string())
}

/// The call as a row of its run's screen, which knows what there is to be shown.
fn row_of(call: &Call) -> rows::OutlineRow {
    let key: Key = call.key.clone();
    rows::OutlineRow {
        id: rows::RowId::Call(key),
        depth: 0,
        title: title_of(call),
        status: Some(call.status),
        waits: true,
        count: None,
        folded: false,
        alike: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
