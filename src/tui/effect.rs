//! Effects: what `update` wants done, as data. The runtime does what concerns the terminal; the rest goes to the engine
//! and the catalog, and its outcome comes back as a message.

use std::sync::Arc;

use serde_json::Value;

use crate::core::decide::Decision;
use crate::core::event::{PauseReason, Scope};
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::ports::HistoryQuery;
use crate::core::secret::Secret;
use crate::core::settings::Connection;
use crate::core::text::Untrusted;
use crate::tui::layers::Above;

/// Where a text that is edited outside goes when it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The editor or the instruction that is open on the screen.
    Layer,
    /// A field of the form, by its place.
    Field(usize),
}

/// What becomes of the runs that are going here when the person leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// They are paused, for this reason.
    Pause(PauseReason),
    /// They go on in a process of their own.
    GoOn,
}

/// How a call that is broken off is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Again {
    /// What to do differently.
    pub instruction: String,
    /// How far that reaches.
    pub scope: Scope,
    /// The model, when it is to be another.
    pub model: Option<String>,
}

/// A way to another screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Go {
    /// Where the person came from.
    Back,
    /// All that waits.
    Inbox,
    /// Everything ever produced.
    History,
    /// The next open run.
    NextRun,
    /// The form to start this run's task again.
    RunAgain,
    /// What may follow this run's result.
    FollowUp,
    /// The models that could be connected.
    Connect,
    /// The form for a server that was not found.
    OtherServer,
    /// The form that the selected call asks for.
    Answer,
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Go to another screen.
    Go(Go),
    /// Start a task.
    Start {
        /// The task's id.
        task: String,
        /// The inputs, an object.
        inputs: Value,
        /// The secrets that were typed rather than referred to, by input.
        secrets: Vec<(String, Secret)>,
    },
    /// Open a run on its screen.
    OpenRun(RunId),
    /// Open a task: its form, or straight away when it has no inputs.
    OpenTask(String),
    /// Open a task's form with this filled in, an object.
    OpenTaskWith(String, Value),
    /// Start a plain chat with this.
    Ask(String),
    /// Start a task with a text in its first text input.
    RunWith {
        /// The task's id.
        task: String,
        /// The text.
        text: Untrusted,
    },
    /// Have a conversation's document written with what is known.
    WriteAnyway(RunId),
    /// Watch a run: its snapshot, then what is new.
    Subscribe(RunId),
    /// Watch it no more; the run goes on.
    Unsubscribe(RunId),
    /// Decide.
    Decide(RunId, Decision),
    /// Say something in a conversation.
    Message(RunId, String),
    /// A version of a document by the person, made from the version that was seen.
    EditDocument {
        /// The run.
        run: RunId,
        /// The document.
        name: String,
        /// The version that was seen.
        version: u32,
        /// The title.
        title: String,
        /// The body.
        body: String,
    },
    /// Break off an attempt, and perhaps have it tried again.
    Stop {
        /// The run.
        run: RunId,
        /// The call.
        key: Key,
        /// How it is tried again.
        again: Option<Again>,
    },
    /// Ask which models could make this call.
    ListModels(RunId, Key),
    /// A model was picked for a call: said to its screen, once the person agrees to it if they have to.
    PickModel {
        /// The run.
        run: RunId,
        /// The call, or a step.
        key: Key,
        /// A role or `PROVIDER/MODEL`.
        model: String,
    },
    /// Have later attempts made by another model.
    ChooseModel {
        /// The run.
        run: RunId,
        /// The call, or a step.
        key: Key,
        /// A role or `PROVIDER/MODEL`.
        model: String,
    },
    /// Give the provider of a call that failed a key for this session, and have the call tried again.
    GiveKey {
        /// The run.
        run: RunId,
        /// The call.
        key: Key,
        /// The provider's key.
        secret: Secret,
    },
    /// Pause a run.
    Pause(RunId),
    /// Keep unsaved text with the run; `None` forgets it.
    KeepDraft {
        /// The run.
        run: RunId,
        /// Names the draft.
        name: String,
        /// The text.
        text: Option<String>,
    },
    /// Ask for the paths that begin like this.
    Complete {
        /// The field, by its place.
        field: usize,
        /// What is typed.
        typed: String,
    },
    /// Write a text to a file that does not exist yet.
    WriteFile {
        /// The path, as typed.
        path: String,
        /// The text.
        text: Untrusted,
    },
    /// Take a text to `$EDITOR`.
    OpenEditor {
        /// Where it goes when it comes back.
        purpose: Purpose,
        /// The text.
        text: String,
        /// The end of the file's name, which tells editors its kind: `md`, `json`.
        extension: &'static str,
    },
    /// Put a text into the clipboard.
    Copy(String),
    /// Tell a person who looks elsewhere.
    Notify(Untrusted),
    /// Set the window's title.
    Title(Untrusted),
    /// Stop the process as Ctrl-Z does.
    Suspend,
    /// Ask for the open runs again.
    ListRuns,
    /// Ask for the tasks again.
    ListTasks,
    /// Look for models that could be connected.
    FindModels,
    /// Try a model; when it answers, write the config, and have it answer from then on.
    Connect(Arc<Connection>),
    /// Ask for what waits; the answer comes when it is new, with `anew` in any case.
    ListWaiting {
        /// Whether nothing is known yet.
        anew: bool,
    },
    /// The person agreed to a provider that was only found.
    Agree {
        /// The provider.
        provider: String,
        /// What was to be done when that was asked.
        then: Box<Effect>,
    },
    /// Have a run that is paused or failed go on.
    GoOn(RunId),
    /// Leave, and do this with the runs that are going here.
    Leave(Leaving),
    /// Open a layer above the screen.
    Open(Box<Above>),
    /// Look in the history; the rows come as a message that names the ticket. Only the newest ticket counts.
    Search {
        /// Names the question.
        ticket: u64,
        /// What to look for.
        query: HistoryQuery,
    },
    /// Show the history of one task.
    HistoryOf(String),
    /// Open a run at a call.
    OpenCall(RunId, Key),
    /// The form to run a run's task again, with its inputs filled in.
    RunAgain(RunId),
    /// The choice of what may follow a run's result.
    FollowUps(RunId),
    /// Start a task with a result in one of its inputs: its form with that filled in, or straight away.
    FollowUp {
        /// The task's id.
        task: String,
        /// The input.
        input: String,
        /// The result.
        text: Untrusted,
    },
    /// Compare the results of two runs, the earlier first.
    CompareRuns(RunId, RunId),
    /// Give a run another title.
    Rename {
        /// The run.
        run: RunId,
        /// The title.
        title: String,
    },
    /// Write a run's result to a file that does not exist yet, in the format that the path's end names.
    Export {
        /// The run.
        run: RunId,
        /// The path, as typed.
        path: String,
    },
    /// Delete a run for good.
    Delete(RunId),
    /// Leave.
    Quit,
}
