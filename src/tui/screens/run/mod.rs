//! The screen of a run: its steps on the left, what the selected one has to show on the right.
//!
//! [`RunScreen`] is the model. It changes only through [`RunScreen::update`], which gives effects, and is painted by
//! [`RunScreen::view`]. All it knows of the run is the engine's snapshot and the partial text of what is under way.

pub(in crate::tui) mod badges;
mod calls;
pub(super) mod content;
pub(super) mod decide;
mod documents;
mod drafts;
mod edit;
pub(super) mod layer;
pub(super) mod marks;
pub(super) mod pages;
pub(in crate::tui) mod progress;
pub(super) mod reopen;
mod retry;
pub(in crate::tui) mod rows;
mod search;
mod update;
mod view;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::core::call::{Attempt, AttemptStatus, Call, CallStatus, ToolUse};
use crate::core::document::{RESULT, key_of};
use crate::core::gate::{Answer, Gate, GateBody};
use crate::core::key::Key;
use crate::core::run::{Run, Status};
use crate::core::task::Task;
use crate::core::text::Untrusted;
use crate::core::tool_call::ToolCallId;
use crate::tui::canvas::FrameInfo;
use crate::tui::failure_panel;
use crate::tui::markdown::Document;
use crate::tui::screens::form::FormScreen;
use crate::tui::shown::ShownGate;
use crate::tui::situation::{Screen, Selected, Situation};
use crate::tui::text::partial_json::so_far;
use crate::tui::widgets::find::Find;
use crate::tui::widgets::line::LineInput;
use crate::tui::widgets::list::List;
use crate::tui::widgets::scroll::Scroll;
use content::Content;
use layer::Over;
use pages::Paged;
use progress::Progress;
use rows::{OutlineRow, RowId};

/// Which pane the arrows move in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Pane {
    #[default]
    List,
    Output,
}

/// The partial text of an attempt that is under way.
#[derive(Debug, Default)]
struct PartialOutput {
    attempt: u32,
    /// The model that is asked.
    model: Option<String>,
    text: Document,
    /// How many turns had ended in calls of tools when it began: what is being said is of the next one.
    turns: usize,
    progress: Untrusted,
    /// Of a structured output: its fields as far as they have come, and of how much text they were made.
    fields: RefCell<Option<(usize, Document)>>,
}

/// Past this a structured output streams as the text that it is: its fields are made anew for each frame.
const LONGEST_AS_FIELDS: usize = 32 * 1024;

impl PartialOutput {
    /// So many turns have ended: what was said in them is in the transcript.
    fn follow(&mut self, turns: usize) {
        if turns > self.turns {
            (self.turns, self.text, self.progress) = (turns, Document::default(), Untrusted::default());
        }
    }

    /// The text as it is shown: laid out as it will be once it is whole.
    fn with_shown<T>(&self, structured: bool, show: impl FnOnce(&Document) -> T) -> T {
        let text = self.text.raw().data();
        if !structured || text.len() > LONGEST_AS_FIELDS {
            return show(&self.text);
        }
        let mut fields = self.fields.borrow_mut();
        if fields.as_ref().is_none_or(|(made_of, _)| *made_of != text.len()) {
            *fields = so_far(text).map(|value| (text.len(), Document::of_value(&value)));
        }
        show(fields.as_ref().map_or(&self.text, |(_, fields)| fields))
    }
}

/// A word to the person in the footer, until the next key.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Note {
    Done(String),
    /// A decision was kept, and can be taken back.
    Decided(String),
    /// This call is being stopped; said until it is.
    Stopping(Key),
    Failed(String),
}

/// The model.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each says something else of what is shown")]
pub struct RunScreen {
    run: Arc<Run>,
    /// What is new of it is not in the store yet.
    locked: bool,
    task: Option<Arc<Task>>,
    now: DateTime<Utc>,
    rows: Vec<OutlineRow>,
    /// How far it is.
    progress: Option<Progress>,
    list: List,
    folded: HashSet<Key>,
    /// The calls that are marked, each with the newest event about it when it was: one that has changed since is not meant
    /// any more.
    marked: HashMap<Key, u64>,
    /// The attempt and version that the person has paged to.
    paged: Option<Paged>,
    /// The text on screen is searched.
    search: Option<Find>,
    /// Calls that wait with the same output have each a row of their own.
    apart: bool,
    filter: Option<LineInput>,
    pane: Pane,
    zoom: bool,
    /// What an attempt has beside its output is unfolded above it.
    unfolded: bool,
    /// After a decision the selection goes to what waits next, unless the person moves it first.
    following: bool,
    /// Of several tool calls of a call that wait, the one that the person has gone to.
    looked_at: Option<(Key, ToolCallId)>,
    /// What was decided here and is not yet seen to be: it waits no more.
    decided: HashMap<Key, ShownGate>,
    live: HashMap<Key, PartialOutput>,
    content: Content,
    scroll: Scroll,
    over: Over,
    drafts: HashMap<String, String>,
    /// Something was decided here, and it has not been said yet that it was kept.
    reports: bool,
    /// The call that a decision was taken back about: it is looked at once it waits again.
    returns: Option<Key>,
    note: Option<Note>,
    last_frame: FrameInfo,
}

impl RunScreen {
    /// Opens on a run; `task` is its pinned definition, when it could be read.
    #[must_use]
    pub fn new(run: Arc<Run>, task: Option<Arc<Task>>, now: DateTime<Utc>) -> Self {
        let mut screen = Self {
            run,
            locked: false,
            task,
            now,
            rows: Vec::new(),
            progress: None,
            list: List::default(),
            folded: HashSet::new(),
            marked: HashMap::new(),
            paged: None,
            search: None,
            apart: false,
            filter: None,
            pane: Pane::List,
            zoom: false,
            unfolded: false,
            following: true,
            looked_at: None,
            decided: HashMap::new(),
            live: HashMap::new(),
            content: Content::default(),
            scroll: Scroll::following(),
            over: Over::None,
            drafts: HashMap::new(),
            reports: false,
            returns: None,
            note: None,
            last_frame: FrameInfo::default(),
        };
        screen.refresh();
        screen
    }

    /// What the last frame showed.
    pub fn set_last_frame(&mut self, frame: FrameInfo) {
        self.last_frame = frame;
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Whether the time on screen grows by itself.
    #[must_use]
    pub fn ticks(&self) -> bool {
        let due = || self.run.next_due().is_some_and(|due| !due.has_passed(self.now));
        self.run.status == Status::Running && self.run.under_way() > 0 || due()
    }

    /// Selects a call, or the document that waits under that key, for the person to see what waits there.
    pub fn go_to(&mut self, key: &Key) {
        self.filter = None;
        self.folded.clear();
        self.refresh();
        let of_call = |row: &OutlineRow| matches!(&row.id, RowId::Call(call) if call == key || row.alike.contains(key));
        let of_document = |row: &OutlineRow| row.id.document().is_some_and(|name| key_of(name) == *key);
        let place = |of: &dyn Fn(&OutlineRow) -> bool| self.rows.iter().position(of);
        // A call may have the key under which a document waits: what waits is what is looked for.
        let found = place(&|row| (of_call(row) || of_document(row)) && row.waits);
        if let Some(at) = found.or_else(|| place(&of_call)).or_else(|| place(&of_document)) {
            self.following = false;
            self.list.select(at, self.rows.len(), self.last_frame.list);
            self.show();
        }
    }

    /// What was decided here was not kept: it waits as before, and is what is looked at.
    pub fn not_decided(&mut self, key: &Key) {
        self.decided.remove(key);
        self.go_to(key);
    }

    /// The form that the selected call asks for; `None` when it asks for none.
    #[must_use]
    pub fn answer_form(&self, now: DateTime<Utc>) -> Option<FormScreen> {
        let seen = self.content.gate.as_ref().and_then(|gate| self.seen_gate(gate.kind))?;
        let gate = self.run.call(&seen.key)?.gates.of(seen.call)?;
        let title = self.selected_row().map_or_else(|| seen.key.to_string(), |row| row.title.clone());
        let text = match &gate.body {
            GateBody::Input(input) => input.text(),
            _ => "",
        };
        FormScreen::answering(&title, Untrusted::from(text), gate, seen, now)
    }

    /// The situation that a key meets: what waits counts only as far as the last frame showed it.
    #[must_use]
    pub fn situation(&self) -> Situation {
        self.situation_with(&self.last_frame)
    }

    fn situation_with(&self, frame: &FrameInfo) -> Situation {
        let call = self.call();
        let selected = match (self.selected_row().map(|row| &row.id), call) {
            (Some(RowId::Result | RowId::Document(_)), _) => self.selected_document(frame),
            (_, None) => Selected::None,
            (_, Some(call)) if self.content.earlier.is_some() => match self.content.earlier {
                Some(earlier) if frame.content == self.content.id => Selected::Earlier(earlier.behind),
                _ if call.gates.is_empty() => Selected::Pending,
                _ => Selected::Unread,
            },
            (_, Some(call)) => match (self.gate(), call.status) {
                // Whether it still waits as it was shown is looked at when it is decided, and said.
                (Some(gate), _) if frame.gate.as_ref().is_some_and(|seen| seen.is_of(self.run.id, gate)) => {
                    Selected::Gate(gate.kind())
                }
                (Some(_), _) => Selected::Unread,
                (None, CallStatus::Running) => Selected::Running,
                // A version of the document came of it: that is what can be taken back.
                (None, CallStatus::Accepted) if self.run.actions.contains_key(&call.key) => Selected::None,
                (None, CallStatus::Accepted) => Selected::Accepted,
                (None, CallStatus::Failed) => failure_panel::selected(call),
                (None, CallStatus::Skipped | CallStatus::Cancelled) => Selected::Ended,
                (None, _) => Selected::Pending,
            },
        };
        Situation {
            screen: Screen::Run,
            layer: self.search.as_ref().map_or_else(|| self.over.layer(), Find::layer),
            selected,
            acceptable: match self.content.earlier {
                Some(earlier) => earlier.takeable,
                None => self.gate().is_some_and(|gate| gate.allows(Answer::Accept)),
            },
            // Where there is room for the list alone, the text is not there before it is gone to.
            output: !self.content.is_empty() && (frame.content.is_some() || frame.row.is_none()),
            several: match &self.over {
                Over::Retry(retry) => retry.has_others(),
                Over::Compare(compare) => compare.has_others(),
                _ => match call {
                    Some(call) => pages::pages(call, self.gate()).len() > 1,
                    None => self.document().is_some_and(|document| document.count() > 1),
                },
            },
            asks: self.asks().is_some(),
            prompt: call.is_some_and(|call| call.attempts.iter().any(|attempt| attempt.work.is_some())),
            marked: !self.marked.is_empty(),
            alike: self.apart || self.rows.iter().any(|row| !row.alike.is_empty()),
            changes: self.run.documents.contains_key(RESULT),
            going: self.run.status == Status::Running,
            others: self.gates_elsewhere() > 0,
            rests: matches!(self.run.status, Status::Paused | Status::Failed),
            tool: self.gate().is_some_and(|gate| gate.tool().is_some()),
            by_model: self.gate().is_some_and(|gate| gate.tool().is_some() && gate.call.is_some()),
            stops: call.is_some_and(Call::stops_as_it_waits),
            calls: self.shown_tools().is_some(),
            forks: call.is_some_and(|call| !self.run.actions.contains_key(&call.key)),
            ..Situation::default()
        }
    }

    /// The call that is shown, and what the attempt that is has done with tools, if it has called any.
    fn shown_tools(&self) -> Option<(&Call, &ToolUse)> {
        let (call, attempt) = (self.call()?, self.shown_attempt()?);
        Some((call, attempt.tool_use.as_deref()?)).filter(|(_, used)| !used.turns.is_empty())
    }

    /// How much waits beside what is selected.
    fn gates_elsewhere(&self) -> usize {
        let waits = self.call().is_some_and(|call| !call.gates.is_empty()) || self.gate_of_document().is_some();
        self.run.gates().saturating_sub(usize::from(waits))
    }

    /// How the selected document counts for the commands.
    fn selected_document(&self, frame: &FrameInfo) -> Selected {
        let gate = self.gate_of_document();
        match (self.content.earlier, gate) {
            (Some(earlier), _) if frame.content == self.content.id => Selected::Earlier(earlier.behind),
            (None, Some(gate)) if frame.gate.as_ref().is_some_and(|seen| seen.is_of(self.run.id, gate)) => {
                Selected::Gate(gate.kind())
            }
            (_, Some(_)) => Selected::Unread,
            (Some(_), None) => Selected::None,
            (None, None) if self.is_on_result() => Selected::Result,
            (None, None) => Selected::Document,
        }
    }

    fn selected_row(&self) -> Option<&OutlineRow> {
        self.rows.get(self.list.selected)
    }

    /// The selected call.
    fn call(&self) -> Option<&Call> {
        match &self.selected_row()?.id {
            RowId::Call(key) => self.run.call(key),
            _ => None,
        }
    }

    /// What waits in the selected call: the tool call that the person has gone to, else what comes first.
    fn gate(&self) -> Option<&Gate> {
        let call = self.call()?;
        let gone_to = self.looked_at.as_ref().filter(|(key, _)| *key == call.key);
        gone_to.and_then(|(_, id)| call.gates.of(Some(*id))).or_else(|| call.gate())
    }

    /// Goes to what waits next: another tool call of the selected call, else another row.
    fn next_waiting(&mut self) {
        let shown = self.gate().map(|gate| gate.call);
        let gates = self.call().into_iter().flat_map(|call| call.gates.iter());
        let after = gates.skip_while(|gate| Some(gate.call) != shown).nth(1);
        self.looked_at = after.and_then(|gate| Some((gate.key.clone(), gate.call?)));
        if self.looked_at.is_none() {
            self.list.selected = (self.list.selected + 1) % self.rows.len().max(1);
            self.follow();
        }
        self.following = false;
        self.show();
    }

    /// Makes the rows anew from the run; the selection stays on what it was on.
    fn refresh(&mut self) {
        let before = self.selected_row().map(|row| row.id.clone());
        let mut rows = rows::rows(&self.run, self.task.as_deref(), &self.folded);
        self.progress = progress::progress(&self.run, &rows, self.task.as_deref());
        if let Some(filter) = &self.filter {
            let wanted = filter.value().to_lowercase();
            rows.retain(|row| {
                matches!(row.id, RowId::Call(_) | RowId::Document(_)) && row.title.to_lowercase().contains(&wanted)
                    || wanted.is_empty()
            });
        }
        if !self.apart {
            rows::fold_alike(&self.run, &mut rows);
        }
        self.rows = rows;
        let shows =
            |row: &OutlineRow, id: &RowId| row.id == *id || matches!(id, RowId::Call(key) if row.alike.contains(key));
        let same = before.and_then(|id| self.rows.iter().position(|row| shows(row, &id)));
        let keep = same.unwrap_or(self.list.selected);
        self.list.select(keep, self.rows.len(), self.last_frame.list);
        let run = Arc::clone(&self.run);
        self.decided.retain(|key, seen| {
            let document = seen.document.as_ref().and_then(|name| run.documents.get(name)?.gate.as_ref());
            let gate = document.or_else(|| run.call(key)?.gates.of(seen.call));
            gate.is_some_and(|gate| ShownGate::of(&run, gate) == *seen)
        });
        self.marked.retain(|key, seq| run.call(key).is_some_and(|call| call.seq == *seq));
        // What lies over the run belongs to the call that it was opened on.
        if self.following && matches!(self.over, Over::None | Over::Filter) {
            self.follow();
        }
        self.live.retain(|key, live| {
            let attempt = self.run.call(key).and_then(|call| call.attempt(live.attempt));
            attempt.is_some_and(|attempt| attempt.status == AttemptStatus::Running)
        });
        self.show();
    }

    /// Goes to what waits next, else to what will: what runs, what is pending, the result.
    fn follow(&mut self) {
        let from = self.list.selected;
        let count = self.rows.len();
        let ahead = |found: &dyn Fn(&OutlineRow) -> bool| {
            (0..count).map(|step| (from + step) % count.max(1)).find(|at| self.rows.get(*at).is_some_and(found))
        };
        let call = |row: &OutlineRow| matches!(row.id, RowId::Call(_));
        let is_decided = |key: &Key, document: Option<&str>| {
            self.decided.get(key).is_some_and(|seen| seen.document.as_deref() == document)
        };
        let open = |row: &OutlineRow| match (&row.id, row.id.document()) {
            (RowId::Call(key), _) => !is_decided(key, None),
            (_, Some(name)) => !is_decided(&key_of(name), Some(name)),
            (_, None) => false,
        };
        let waits = ahead(&|row| row.waits && open(row));
        let runs = || ahead(&|row| call(row) && row.status == Some(CallStatus::Running));
        let pending = || ahead(&|row| matches!(row.status, None | Some(CallStatus::Pending)) && row.count.is_none());
        let target = if self.run.status.is_over() {
            self.following = false;
            let failed = ahead(&|row| call(row) && row.status == Some(CallStatus::Failed));
            let result = self.rows.iter().position(|row| row.id == RowId::Result);
            if self.run.status == Status::Failed { failed.or(result) } else { result }
        } else {
            self.following = waits.is_none();
            waits.or_else(runs).or_else(pending)
        };
        if let Some(target) = target {
            self.list.select(target, count, self.last_frame.list);
        }
    }

    /// Shows what the selected row has to show, from its beginning or, while it streams, following its end.
    fn show(&mut self) {
        let row = self.selected_row().map(|row| &row.id);
        if self.paged.as_ref().is_some_and(|paged| Some(&paged.row) != row) {
            self.paged = None;
        }
        let mut content = match self.selected_row() {
            None => Content::default(),
            Some(row) => Content::of(&self.run, row, self.gate(), self.paged.as_ref().map(|paged| paged.page)),
        };
        if content.is_same(&self.content) {
            return;
        }
        if let (Some(call), Some(gate)) = (self.call(), self.gate()) {
            let at = call.gates.iter().position(|other| other.call == gate.call).unwrap_or(0);
            content.is_one_of(at, call.gates.len());
        }
        // A text that was followed while it streamed stays where it is when it is complete; one that begins is followed;
        // one that came while only the list was on screen is read from its beginning.
        let begins = content.streams() && !self.content.streams();
        let unseen = self.content.streams() && !content.streams() && self.last_frame.content.is_none();
        if begins || unseen || !content.continues(&self.content) {
            self.scroll = if content.streams() { Scroll::following() } else { Scroll::at_start() };
        }
        self.content = content;
        if let (Some(search), Over::None) = (&mut self.search, &self.over) {
            search.forget();
        }
        if self.content.earlier.is_none() {
            self.paged = None;
        }
    }

    /// The attempt that is shown: the one that the person has gone to, else the one whose output is.
    fn shown_attempt(&self) -> Option<&Attempt> {
        let shown = self.content.id.as_ref().map_or(0, |id| id.attempt);
        let call = self.call()?;
        call.attempt(shown).or_else(|| call.newest())
    }

    /// The model that made the attempt that is shown, or is asked for it; as far as that is known.
    fn shown_model(&self) -> Option<String> {
        let attempt = self.shown_attempt()?;
        let asked = || self.live().filter(|live| live.attempt == attempt.number)?.model.clone();
        attempt.measured.model.clone().or_else(asked)
    }

    /// The partial text of the attempt that is shown.
    fn live(&self) -> Option<&PartialOutput> {
        let attempt = self.call()?.newest()?.number;
        self.live.get(&self.call()?.key).filter(|live| live.attempt == attempt)
    }
}

#[cfg(test)]
mod tests;
