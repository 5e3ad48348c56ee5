//! Messages: what `update` is told. From the terminal, the engine and the clock, all through one mailbox.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use crossterm::event::{Event as TerminalEvent, KeyEvent, KeyEventKind, MouseEvent};
use serde_json::Value;

use super::effect::{Opening, Parent, Purpose, Request, Ticket};
use super::glance::Glance;
use super::layers::Above;
use super::screens::home::TaskRow;
use crate::core::event::PauseReason;
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::model::{Delta, ModelChoice};
use crate::core::ports::RunRow;
use crate::core::run::Run;
use crate::core::settings::{Connection, Found};
use crate::core::task::Task;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Message {
    /// A key.
    Key(KeyEvent),
    /// A paste.
    Paste(String),
    /// The mouse.
    Mouse(MouseEvent),
    /// The terminal has another size.
    Resize(u16, u16),
    /// The terminal is looked at, or not.
    Focus(bool),
    /// The time, at most once a second and only while something on screen depends on it.
    Tick(DateTime<Utc>),
    /// A process may have written to the journal, or changed a definition: what it wrote can be read soon, if not now. From
    /// the first of these on such news come by themselves.
    Written(DateTime<Utc>),
    /// They come no more.
    Unwatched,
    /// A watched run as it stands now.
    Run(Arc<Run>),
    /// Another process has the store locked, and what is new of a run is not in it yet; or it is now.
    Locked {
        /// The run; `None` for what a person has just done.
        run: Option<RunId>,
        /// Whether it is.
        locked: bool,
    },
    /// Partial text or progress of an attempt.
    Delta {
        /// The run.
        run: RunId,
        /// The call.
        key: Key,
        /// The attempt.
        attempt: u32,
        /// What arrived.
        delta: Delta,
    },
    /// Something was not done: what happened and what to do.
    Failed(String),
    /// Something was done that is worth a word.
    Done(String),
    /// Runs that a search found, newest first.
    Rows {
        /// The search.
        ticket: u64,
        /// How many were left out before the first.
        offset: usize,
        /// They.
        rows: Vec<RunRow>,
    },
    /// A run was renamed, archived, cancelled, deleted or brought back: lists of runs are asked for again.
    RunsChanged(RunChange),
    /// Runs were changed, by whichever process, since this was last said.
    HistoryChanged,
    /// Runs at a glance.
    Glances(Vec<(RunId, Glance)>),
    /// A run whose text is to be shown beside a list.
    Preview(Arc<Run>),
    /// Every run in which something waits, as it stands.
    Waiting(Vec<Arc<Run>>),
    /// Paths that begin like what was typed.
    Completions {
        /// The field, by its place.
        field: usize,
        /// What was typed.
        typed: String,
        /// The paths.
        paths: Vec<String>,
    },
    /// A text came back from `$EDITOR`; `None` when it is to stay as it was.
    Edited(Purpose, Option<String>),
    /// A draft that was kept with the run.
    Draft {
        /// The run.
        run: RunId,
        /// Its name.
        name: String,
        /// The text.
        text: String,
    },
    /// What was typed into a form before.
    FormDraft {
        /// Its name.
        name: String,
        /// The text.
        text: String,
    },
    /// The runs that are open.
    OpenRuns(Vec<RunRow>),
    /// What can be started.
    Tasks(Vec<TaskRow>),
    /// A definition that is to be edited.
    Definition(Definition),
    /// A definition was edited and written; the tasks were listed before this came.
    DefinitionSaved(PathBuf),
    /// Which model answers, and why.
    Answers(ModelChoice),
    /// Models that could be connected.
    Found(Vec<Found>),
    /// What each role stands for, the default first.
    Roles(Vec<(String, Connection)>),
    /// The models that a server has, or why it has none.
    Served {
        /// The server.
        connection: Arc<Connection>,
        /// Its models, by name.
        models: Result<Vec<String>, String>,
    },
    /// A model was connected; what is to be said.
    Connected(String),
    /// Tasks whose texts are shown as they are written, as they were kept.
    AsWritten(Vec<String>),
    /// What was asked for with that ticket is ready, and takes the screen.
    Ready(Ticket, Ready),
    /// Something was not done: what, and why.
    NotDone {
        /// It.
        request: Box<Request>,
        /// What happened and what to do.
        why: String,
    },
    /// Another model was picked for a call.
    Model {
        /// The run.
        run: RunId,
        /// The call, or a step.
        key: Key,
        /// A role or `PROVIDER/MODEL`.
        model: String,
    },
    /// The process is to end: a signal, or the terminal went away.
    Ending(PauseReason),
}

/// A definition as its file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its id.
    pub id: String,
    /// The file.
    pub file: PathBuf,
    /// What the file says.
    pub text: String,
}

/// A change of a run as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunChange {
    /// The run.
    pub run: RunId,
    /// What is to be said.
    pub said: String,
    /// The decision that Alt-U takes back.
    pub undo: Option<u64>,
    /// It is there no more.
    pub gone: bool,
    /// Something was taken back: the run is as it was before.
    pub restored: bool,
}

/// What takes the screen.
#[derive(Clone, Debug)]
pub enum Ready {
    /// A run.
    Run(Box<Opened>),
    /// The form of a task.
    Form(Box<FormOf>),
    /// A layer above the screen.
    Above(Box<Above>),
    /// A question: before this is opened a person must agree to a model that was only found.
    Consent {
        /// The model.
        choice: ModelChoice,
        /// What is opened then.
        then: Box<Opening>,
    },
    /// The model that was picked for a call.
    Model {
        /// The run.
        run: RunId,
        /// The call, or a step.
        key: Key,
        /// A role or `PROVIDER/MODEL`.
        model: String,
    },
}

/// A run to be shown.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The run.
    pub run: Arc<Run>,
    /// Its pinned definition, when it could be read.
    pub task: Option<Arc<Task>>,
    /// The texts that were kept with it: name and text.
    pub drafts: Vec<(String, String)>,
    /// It would go on, once a person agrees to this model, which was only found.
    pub asks: Option<ModelChoice>,
}

/// A task's form to be shown.
#[derive(Clone, Debug)]
pub struct FormOf {
    /// The task, with the config's defaults.
    pub task: Arc<Task>,
    /// What is filled in already, an object.
    pub given: Value,
    /// The inputs of its last run.
    pub last: Option<Value>,
    /// The run that the new one comes from.
    pub from: Option<Parent>,
    /// What a run of it is expected to cost, where prices are known.
    pub cost: Option<String>,
    /// What was typed into it before and not started.
    pub draft: Option<String>,
}

impl Message {
    /// What the terminal sent, if it means something.
    #[must_use]
    pub fn of_terminal(event: TerminalEvent) -> Option<Self> {
        Some(match event {
            TerminalEvent::Key(key) if key.kind == KeyEventKind::Release => return None,
            TerminalEvent::Key(key) => Self::Key(key),
            TerminalEvent::Paste(text) => Self::Paste(text),
            TerminalEvent::Mouse(mouse) => Self::Mouse(mouse),
            TerminalEvent::Resize(width, height) => Self::Resize(width, height),
            TerminalEvent::FocusGained => Self::Focus(true),
            TerminalEvent::FocusLost => Self::Focus(false),
        })
    }

    /// Whether the person did it or waits for it, so that its outcome is shown at once.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        matches!(
            self,
            Self::Key(_)
                | Self::Paste(_)
                | Self::Mouse(_)
                | Self::Resize(..)
                | Self::Edited(..)
                | Self::Tasks(_)
                | Self::Rows { .. }
                | Self::Ready(..)
                | Self::Completions { .. }
        )
    }
}
