//! A conversation of an instruct task: what was said on the left, the document with its versions on the right.

mod answering;
mod document;
mod notice;
mod recall;
mod transcript;
mod view;

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use crossterm::event::{KeyEvent, MouseEventKind};
use ratatui::layout::Position;

use crate::core::call::{AttemptStatus, Call};
use crate::core::decide::{Decision, DecisionKind, waiting_answer};
use crate::core::document::RESULT;
use crate::core::gate::{GateBody, GateKind, InputBody};
use crate::core::key::Key;
use crate::core::model::Delta;
use crate::core::run::Run;
use crate::core::task::{Body, Task};
use crate::tui::canvas::{FrameInfo, Hit};
use crate::tui::commands::{Id, command, holds, key_in};
use crate::tui::documents::EditedDocument;
use crate::tui::drafts::Unsaved;
use crate::tui::effect::{Change, Effect, Go, Opening, Purpose, Terminal};
use crate::tui::failure_panel;
use crate::tui::layers::ask::{WHAT_BUDGET, decision};
use crate::tui::layers::{Above, Ask, Choose, Kind, OwnWords, Then, picks};
use crate::tui::markdown::Document;
use crate::tui::message::Message;
use crate::tui::shown::{Page, ShownGate};
use crate::tui::situation::{Layer, Screen, Selected, Situation};
use crate::tui::tool_calls;
use crate::tui::widgets::editor::Editor;
use crate::tui::widgets::find::Find;
use crate::tui::widgets::scroll::{By, Scroll};
use notice::{About, Notice};
use recall::Recall;
use transcript::Said;

/// Said to who wants to work on with another version of the document than the one that counts.
const TAKE_FIRST: &str = "not the newest version: a takes it, then it can be changed and used";

/// Said to who wants another answer while one comes.
const STILL: &str = "still answering: Esc in the conversation stops it";

/// Shown until the first words of an answer have come.
const SILENCE: &str = "waiting for the first words…";

/// The draft of a message.
const MESSAGE: &str = "message";

/// What has the keys.
#[derive(Debug, Default)]
enum Focus {
    #[default]
    Conversation,
    Document,
    /// The document's body is edited.
    Edit(EditedDocument, Box<Editor>),
}

/// The model.
#[derive(Debug)]
pub struct ChatScreen {
    run: Arc<Run>,
    /// What is new of it is not in the store yet.
    locked: bool,
    /// Its pinned definition, when it could be read.
    task: Option<Arc<Task>>,
    drafts: HashMap<String, String>,
    /// What was said, laid out once.
    said: Vec<Said>,
    /// What is being said: the call, the attempt, the text.
    live: Option<(Key, u32, Document)>,
    /// The model that is asked for it.
    asks: Option<String>,
    /// How many turns of it had ended in calls of tools when what is being said began.
    turns: usize,
    /// What is shown until the first words of that have come.
    silence: Document,
    /// The tools that were called for it so far.
    calls: Document,
    now: Option<DateTime<Utc>>,
    /// The model that answers where nobody names another.
    default_model: Option<String>,
    /// What is to be known of an answer that is none.
    notice: Option<Notice>,
    /// The model's thoughts are unfolded.
    unfolded: bool,
    input: Editor,
    recall: Recall,
    focus: Focus,
    /// The version that the person has gone to; without one, the version that counts is shown.
    paged: Option<Page>,
    /// The text of the shown version, laid out once.
    body: Document,
    /// The document is searched.
    search: Option<Find>,
    /// The document has the whole screen.
    zoom: bool,
    talk: Scroll,
    page: Scroll,
    note: Option<String>,
    last_frame: FrameInfo,
}

impl ChatScreen {
    /// Opens on a run of an instruct task; `task` is its pinned definition, when it could be read.
    #[must_use]
    pub fn new(run: Arc<Run>, task: Option<Arc<Task>>) -> Self {
        let mut screen = Self {
            run,
            locked: false,
            task,
            drafts: HashMap::new(),
            said: Vec::new(),
            live: None,
            asks: None,
            turns: 0,
            silence: Document::new(&SILENCE.into()),
            calls: Document::default(),
            now: None,
            default_model: None,
            notice: None,
            unfolded: false,
            input: Editor::default(),
            recall: Recall::default(),
            focus: Focus::Conversation,
            paged: None,
            body: Document::default(),
            search: None,
            zoom: false,
            talk: Scroll::following(),
            page: Scroll::at_start(),
            note: None,
            last_frame: FrameInfo::default(),
        };
        screen.refresh();
        screen
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// What was typed and not given: the message, and an edit of the document.
    #[must_use]
    pub fn unsaved(&self) -> Vec<Unsaved> {
        let run = self.run.id;
        let message = Some(self.input.text()).filter(|text| !text.trim().is_empty());
        let mut unsaved = vec![Unsaved::of_run(run, MESSAGE.to_owned(), message)];
        if let Focus::Edit(edited, editor) = &self.focus {
            unsaved.push(edited.unsaved(&self.run, editor.text()));
        }
        unsaved
    }

    /// What the last frame showed.
    pub fn set_last_frame(&mut self, frame: FrameInfo) {
        self.last_frame = frame;
    }

    /// The situation that a key meets.
    #[must_use]
    pub fn situation(&self) -> Situation {
        let layer = match self.focus {
            Focus::Conversation => Layer::None,
            Focus::Document => self.search.as_ref().map_or(Layer::Document, Find::layer),
            Focus::Edit(..) => Layer::Edit,
        };
        let about = self.notice.as_ref().map(|notice| notice.about);
        let selected = match (self.asked(), about) {
            (_, Some(About::Asks(kind))) => Selected::Gate(kind),
            (Some(_), _) => Selected::Gate(GateKind::Input),
            (None, _) if self.run.under_way() > 0 => Selected::Running,
            (None, Some(About::Failed)) => notice::newest(&self.run).map_or(Selected::Ended, failure_panel::selected),
            (None, Some(About::Waits)) => Selected::Gate(GateKind::Budget),
            (None, _) => Selected::None,
        };
        let versions = self.written().map_or(0, |written| written.versions.len());
        let unfolds = self.said.iter().any(Said::has_more);
        Situation {
            screen: Screen::Chat,
            layer,
            selected,
            acceptable: self.is_earlier(),
            output: versions > 0,
            several: if layer == Layer::None { unfolds } else { versions > 1 },
            tool: matches!(about, Some(About::Asks(_))),
            going: self.is_answering(),
            rests: matches!(about, Some(About::Failed | About::Unfinished)),
            stops: waiting_answer(&self.run).is_some_and(Call::stops_as_it_waits),
            document: versions > 0 || self.may_be_written(),
            ..Situation::default()
        }
    }

    /// Whether the conversation is one that ends in a document.
    fn may_be_written(&self) -> bool {
        self.task.as_deref().is_some_and(|task| matches!(&task.body, Body::Instruct(task) if !task.is_plain()))
    }

    /// What is missing and what is known, while the model asks for something.
    fn asked(&self) -> Option<(&[String], &[String])> {
        let asked = self.run.waiting().find_map(|gate| match &gate.body {
            GateBody::Input(InputBody::Message { missing, known, .. }) => Some((missing, known)),
            _ => None,
        });
        asked.filter(|(missing, _)| !missing.is_empty()).map(|(missing, known)| (missing.as_slice(), known.as_slice()))
    }

    fn refresh(&mut self) {
        for (said, message) in self.said.iter_mut().zip(&self.run.messages) {
            said.refresh(&self.run, message);
        }
        for message in self.run.messages.iter().skip(self.said.len()) {
            self.said.push(Said::new(&self.run, message));
        }
        self.notice = Notice::of(&self.run);
        self.calls = self.tool_calls();
        let over = self.live.as_ref().is_some_and(|(key, attempt, _)| {
            let found = self.run.call(key).and_then(|call| call.attempt(*attempt));
            found.is_some_and(|found| found.status != AttemptStatus::Running)
        });
        if over {
            self.live = None;
        } else if let Some((key, attempt, _)) = &self.live {
            self.follow_turns(tool_calls::turns_of(&self.run, key, *attempt));
        }
        self.show();
    }

    fn show(&mut self) {
        let body = self.shown().map(|(_, version)| version.body.clone()).unwrap_or_default();
        if body != *self.body.raw() {
            self.body = Document::new(&body);
            if let Some(search) = &mut self.search {
                search.forget();
            }
        }
    }

    /// Takes a message. Gives what is to be done, and whether what is shown may have changed.
    pub fn update(&mut self, message: Message) -> (Vec<Effect>, bool) {
        match message {
            Message::Key(key) => (self.key(key), true),
            Message::Paste(text) => {
                match &mut self.focus {
                    Focus::Conversation => self.input.paste(&text),
                    Focus::Edit(_, editor) => editor.paste(&text),
                    Focus::Document => self.types_search(|search| search.paste(&text)),
                }
                (Vec::new(), true)
            }
            Message::Mouse(mouse) => {
                let lines = match mouse.kind {
                    MouseEventKind::ScrollUp => -3,
                    MouseEventKind::ScrollDown => 3,
                    MouseEventKind::Down(_) => {
                        return match self.last_frame.at(Position { x: mouse.column, y: mouse.row }) {
                            Some(Hit::Command(id)) if holds(id, &self.situation()) => (self.give(id), true),
                            _ => (Vec::new(), false),
                        };
                    }
                    _ => return (Vec::new(), false),
                };
                match self.last_frame.at(Position { x: mouse.column, y: mouse.row }) {
                    Some(Hit::Output) => self.page.by(By::Lines(lines), self.last_frame.output),
                    _ => self.talk.by(By::Lines(lines), self.last_frame.list),
                }
                (Vec::new(), true)
            }
            Message::Run(run) if run.id == self.run.id => {
                let versions = |run: &Run| run.documents.get(RESULT).map_or(0, |written| written.versions.len());
                if versions(&run) > versions(&self.run) {
                    // What was asked for has come, whatever was looked at before.
                    (self.paged, self.page) = (None, Scroll::at_start());
                }
                self.run = run;
                self.refresh();
                (Vec::new(), true)
            }
            Message::Locked { run, locked } if run == Some(self.run.id) => {
                self.locked = locked;
                (Vec::new(), true)
            }
            Message::Delta { run, key, attempt, delta } if run == self.run.id => {
                self.delta(key, attempt, delta);
                (Vec::new(), true)
            }
            Message::Edited(Purpose::Layer, Some(text)) => {
                match &mut self.focus {
                    Focus::Edit(_, editor) => **editor = Editor::new(&text),
                    _ => self.input = Editor::at_end(&text),
                }
                (Vec::new(), true)
            }
            Message::Draft { run, name, text } if run == self.run.id => {
                if name == MESSAGE && self.input.is_empty() {
                    self.input = Editor::at_end(&text);
                    return (Vec::new(), true);
                }
                // What could not be kept comes back a moment later than the next key.
                let untouched = self.unsaved().iter().any(|unsaved| unsaved.is_untouched(&name));
                if let Focus::Edit(_, editor) = &mut self.focus
                    && untouched
                {
                    **editor = Editor::new(&text);
                    return (Vec::new(), true);
                }
                self.found_edit(&name);
                self.drafts.insert(name, text);
                (Vec::new(), true)
            }
            Message::Model { run, key, model } if run == self.run.id => (self.by_model(key, model), true),
            Message::Failed(text) | Message::Done(text) => {
                self.note = Some(text);
                (Vec::new(), true)
            }
            Message::Tick(now) => (Vec::new(), self.tick(now)),
            Message::Resize(..) => (Vec::new(), true),
            _ => (Vec::new(), false),
        }
    }

    fn delta(&mut self, key: Key, attempt: u32, delta: Delta) {
        let turns = tool_calls::turns_of(&self.run, &key, attempt);
        if !self.live.as_ref().is_some_and(|(of, number, _)| *of == key && *number == attempt) {
            self.live = Some((key, attempt, Document::default()));
            self.asks = None;
            self.turns = turns;
        }
        self.follow_turns(turns);
        let Some((_, _, text)) = &mut self.live else { return };
        match delta {
            Delta::Asks(model) => self.asks = Some(model),
            Delta::Text(more) => text.push(&more),
            Delta::Restart(_) => *text = Document::default(),
            Delta::Progress(line) => self.note = Some(line.line().into_owned()),
        }
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        self.note = None;
        if let Some(id) = command(key, &self.situation()) {
            return self.give(id);
        }
        match &mut self.focus {
            Focus::Conversation if self.recall.key(key, &mut self.input, &self.run) => true,
            Focus::Conversation => self.input.key(key),
            Focus::Edit(_, editor) => editor.key(key),
            Focus::Document => {
                self.types_search(|search| search.key(key));
                true
            }
        };
        Vec::new()
    }

    /// Gives a command.
    pub fn give(&mut self, id: Id) -> Vec<Effect> {
        // A version that came since the last frame is read before it is changed, restored or copied.
        let takes = matches!(
            id,
            Id::Edit | Id::Restore | Id::Copy | Id::Compare | Id::WriteFile | Id::Change | Id::Retry | Id::FollowUp
        );
        if takes && self.shown_id().is_some_and(|shown| !self.last_frame.shows(&shown)) {
            self.note = Some("the document has changed meanwhile: look again".to_owned());
            return Vec::new();
        }
        if matches!(self.focus, Focus::Document) && Find::give(&mut self.search, id) {
            self.show_match();
            return Vec::new();
        }
        match id {
            Id::Send => return self.send(),
            Id::Again => return self.again(None),
            Id::OtherModel => {
                let key = notice::newest(&self.run).map(|call| call.key.clone());
                return key.map(|key| Effect::Open(Opening::Models(self.run.id, key))).into_iter().collect();
            }
            Id::GiveKey => {
                let call = notice::newest(&self.run);
                return call.map(|call| picks::give_key(self.run.id, &call.key)).into_iter().collect();
            }
            Id::RaiseBudget => return self.raise_budget().into_iter().collect(),
            Id::Thoughts => {
                self.unfolded = !self.unfolded;
                self.calls = self.tool_calls();
            }
            Id::Inbox => return vec![Effect::Go(Go::Inbox)],
            Id::NewLine => self.input.paste("\n"),
            Id::Document => self.focus = Focus::Document,
            Id::Focus => (self.focus, self.zoom) = (Focus::Conversation, false),
            Id::Zoom => self.zoom = !self.zoom,
            Id::Filter => self.search = Some(Find::default()),
            Id::WriteFile => return self.write_file(),
            Id::WriteAnyway => return vec![Effect::Change(Change::WriteAnyway(self.run.id))],
            Id::Edit => self.edit(),
            Id::Save | Id::SaveAccept => return self.save(id == Id::SaveAccept),
            Id::Restore => return self.restore(),
            Id::Copy => return vec![Effect::Terminal(Terminal::Copy(self.body.raw().block().into_owned()))],
            Id::Change | Id::Retry | Id::FollowUp if self.is_earlier() => {
                self.note = Some(TAKE_FIRST.to_owned());
            }
            Id::Change => return self.change(),
            Id::Retry => return self.write_again(),
            Id::Compare => return self.compare(),
            Id::FollowUp => return vec![Effect::Go(Go::FollowUp)],
            Id::External => {
                let text = if let Focus::Edit(_, editor) = &self.focus { editor.text() } else { self.input.text() };
                return vec![Effect::Terminal(Terminal::OpenEditor { purpose: Purpose::Layer, text, extension: "md" })];
            }
            Id::Left | Id::Right => self.browse(if id == Id::Left { -1 } else { 1 }),
            Id::Back => return self.back(),
            Id::Stop => return self.stop(),
            Id::SwitchRun => return vec![Effect::Go(Go::NextRun)],
            Id::Suspend => return vec![Effect::Terminal(Terminal::Suspend)],
            other => self.walk(other),
        }
        Vec::new()
    }

    fn walk(&mut self, id: Id) {
        let by = match id {
            Id::Up => By::Lines(-1),
            Id::Down => By::Lines(1),
            Id::PageUp => By::Pages(-1),
            Id::PageDown => By::Pages(1),
            Id::First => By::Start,
            Id::Last => By::End,
            _ => return,
        };
        match self.focus {
            Focus::Document => self.page.by(by, self.last_frame.output),
            _ => self.talk.by(by, self.last_frame.list),
        }
    }

    fn send(&mut self) -> Vec<Effect> {
        let text = self.input.text();
        if text.trim().is_empty() {
            return Vec::new();
        }
        if let Some(task) = text.trim().strip_prefix("/run ") {
            let task = task.trim().to_owned();
            let spoken = self.said.iter().rfind(|said| !said.text.is_empty());
            let last = spoken.map(|said| said.text.raw().clone()).unwrap_or_default();
            let text = self.shown().map_or(last, |(_, version)| version.body.clone());
            self.input = Editor::default();
            return vec![Effect::Open(Opening::RunWith { task, text, from: self.run.id })];
        }
        if self.is_answering() {
            self.note = Some(format!("{}; your text is kept", self.says_busy()));
            return Vec::new();
        }
        self.input = Editor::default();
        self.talk = Scroll::following();
        let run = self.run.id;
        vec![
            Effect::Change(Change::Message(run, text)),
            Effect::Change(Change::KeepDraft { run, name: MESSAGE.to_owned(), text: None }),
        ]
    }

    /// Has the answer that failed, was stopped or is no whole one asked for again, by another model if one is named.
    fn again(&mut self, model: Option<String>) -> Vec<Effect> {
        let run = self.run.id;
        let Some(call) = notice::newest(&self.run) else { return Vec::new() };
        let effect = match (self.notice.as_ref().map(|notice| notice.about), call.gates.own(), model) {
            (Some(About::Failed), _, None) => Effect::Change(Change::GoOn(run)),
            (Some(About::Failed), _, model) => {
                let again = Decision::new(call.key.clone(), DecisionKind::Again { model });
                Effect::Change(Change::Decide(run, again, None))
            }
            (Some(About::Unfinished), Some(gate), model) => {
                decision(&ShownGate::of(&self.run, gate), DecisionKind::Again { model })
            }
            _ => return Vec::new(),
        };
        self.talk = Scroll::following();
        vec![effect]
    }

    /// Another model was picked: the answer that is missing is asked of it at once, else it makes those that follow.
    fn by_model(&mut self, key: Key, model: String) -> Vec<Effect> {
        if self.situation().rests {
            return self.again(Some(model));
        }
        self.note = Some(format!("{model} answers from now on"));
        vec![Effect::Change(Change::ChooseModel { run: self.run.id, key, model })]
    }

    fn raise_budget(&self) -> Option<Effect> {
        let gate = self.run.waiting().find(|gate| gate.kind() == GateKind::Budget)?;
        let then = Then::Budget(ShownGate::of(&self.run, gate), self.run.budget.unwrap_or_default());
        Some(Above::effect(Kind::Ask(Ask::new(WHAT_BUDGET, "", then))))
    }

    /// The choice of the task's actions.
    fn change(&mut self) -> Vec<Effect> {
        if self.has_to_wait() {
            return Vec::new();
        }
        let entries = self.task.as_deref().map(|task| picks::actions(task, &self.run, RESULT)).unwrap_or_default();
        if entries.is_empty() {
            return self.write_again();
        }
        let choose = Choose::new("Change what? Pick or type", entries);
        vec![Above::effect(Kind::Choose(choose.or_own_words(OwnWords::Say(self.run.id))))]
    }

    /// Whether an answer has begun that is not complete: under way, or held up by a tool call that waits for the person.
    fn is_answering(&self) -> bool {
        self.run.under_way() > 0 || waiting_answer(&self.run).is_some()
    }

    /// Why nothing more can be asked for then.
    fn says_busy(&self) -> String {
        let decides = || key_in(Id::Inbox, &self.situation());
        match waiting_answer(&self.run).and_then(|_| decides()) {
            Some(key) => format!("the answer waits for your decision ({key})"),
            None => STILL.to_owned(),
        }
    }

    /// Whether nothing more can be asked for; then that is said.
    fn has_to_wait(&mut self) -> bool {
        let waits = self.is_answering();
        if waits {
            self.note = Some(self.says_busy());
        }
        waits
    }

    /// Asks what is to be different, for the document to be written again.
    fn write_again(&mut self) -> Vec<Effect> {
        if self.has_to_wait() {
            return Vec::new();
        }
        vec![Above::effect(Kind::Ask(Ask::new("What should be different?", "", Then::Say(self.run.id))))]
    }

    /// Stops the answer that is under way, or waits for the person.
    fn stop(&self) -> Vec<Effect> {
        let running = |call: &&Call| call.newest().is_some_and(|attempt| attempt.status == AttemptStatus::Running);
        let call = self.run.calls.values().find(running);
        let stop = |call: &Call| Change::Stop { run: self.run.id, key: call.key.clone(), again: None };
        call.map(stop).map(Effect::Change).into_iter().collect()
    }

    /// Esc: out of the editor with the text kept as a draft; out of the document; stops the stream; back.
    fn back(&mut self) -> Vec<Effect> {
        // What waits for the person is not stopped: its key says that it leads back.
        let stops = self.situation().selected == Selected::Running;
        match std::mem::take(&mut self.focus) {
            Focus::Edit(edited, editor) => {
                self.focus = Focus::Edit(edited.clone(), editor);
                let unsaved = self.unsaved().pop();
                self.focus = Focus::Document;
                let Some(unsaved) = unsaved.filter(|unsaved| unsaved.text.is_some()) else {
                    return self.forget_draft(&edited);
                };
                self.note = Some("draft kept".to_owned());
                self.drafts.insert(edited.draft().to_owned(), unsaved.text.clone().unwrap_or_default());
                vec![Effect::Change(unsaved.into())]
            }
            Focus::Document => {
                // Out of the zoom first; the document keeps the focus then.
                if std::mem::take(&mut self.zoom) {
                    self.focus = Focus::Document;
                }
                Vec::new()
            }
            Focus::Conversation => {
                if stops {
                    return self.stop();
                }
                let run = self.run.id;
                let text = Some(self.input.text()).filter(|text| !text.trim().is_empty());
                vec![Effect::Change(Change::KeepDraft { run, name: MESSAGE.to_owned(), text }), Effect::Go(Go::Back)]
            }
        }
    }
}

#[cfg(test)]
mod tests;
