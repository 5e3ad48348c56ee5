//! Effects: what `update` asks for, as data, sorted by who performs it. Each kind is matched in one place and without a
//! wildcard, so that the compiler leads whoever adds one to the place that performs it.
//!
//! | kind | what it does | performed by |
//! |---|---|---|
//! | [`Go`] | changes which screens and layers are there | the app: `Interface::go` |
//! | [`Terminal`] | concerns the terminal itself | the host: `TerminalHost::perform` |
//! | [`Change`] | changes a run, in the order in which it was asked for | the backend: `Backend::change` |
//! | [`Opening`] | makes something ready that then takes the screen | the backend: `Backend::open` |
//! | [`Errand`] | looks something up or leaves something behind, and changes no run | the backend: `Backend::run` |
//!
//! Screens and layers give [`Effect`]s. The app performs its own and hands the others on as [`Order`]s; what comes of
//! those, if anything, comes back as a message.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::core::decide::Decision;
use crate::core::event::{InstructionScope, OriginKind, PauseReason};
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::ports::HistoryQuery;
use crate::core::secret::Secret;
use crate::core::settings::{Connection, Trial};
use crate::core::text::Untrusted;
use crate::tui::layers::Above;
use crate::tui::message::Definition;
use crate::tui::shown::{Page, ShownGate};

/// Something to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// By the app.
    Go(Go),
    /// By the host.
    Terminal(Terminal),
    /// By the backend, one after the other.
    Change(Change),
    /// By the backend; the answer takes the screen.
    Open(Opening),
    /// By the backend, beside all else.
    Errand(Errand),
}

/// What the app leaves to others.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// The loop ends.
    Quit,
    /// For the host.
    Terminal(Terminal),
    /// For the backend.
    Backend(Request),
}

/// What the backend is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Changes a run.
    Change(Change),
    /// Makes something ready that then takes the screen; the answer names the ticket.
    Open(Ticket, Opening),
    /// Changes no run.
    Errand(Errand),
}

/// Names what is to take the screen: if the person has given it up meanwhile, it does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticket(pub u64);

/// A way to another screen, or a layer above this one.
#[derive(Clone, Debug, PartialEq)]
pub enum Go {
    /// Where the person came from.
    Back,
    /// All that waits.
    Inbox,
    /// Everything ever produced.
    History,
    /// The history of one task.
    HistoryOf(String),
    /// A run.
    Run(RunId),
    /// A run, at a call.
    Call(RunId, Key),
    /// A run, at what waits there: its output is edited, as it was on screen, or the page that was shown instead.
    Edit(ShownGate, Option<Page>),
    /// A run, at its result: that version of it is edited.
    EditResult(RunId, u32),
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
    /// The form for a model, with what is known of how it is reached; for a role, and with what is wrong.
    Describe(Arc<Connection>, String, String),
    /// A model is tried, and its screen says so; when it answers, the config is written, and it answers from then on.
    Try(Arc<Trial>),
    /// The form that the selected call asks for.
    Answer,
    /// A layer above the screen.
    Above(Box<Above>),
    /// Away, and this becomes of the runs that are going here.
    Leave(Leaving),
}

/// What becomes of the runs that are going here when the person leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// They are paused, for this reason.
    Pause(PauseReason),
    /// They go on in a process of their own.
    GoOn,
}

/// What concerns the terminal itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Terminal {
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
    /// Leave the mouse to the terminal, which marks text with it; or take it back.
    ToggleMouse,
    /// Stop the process as Ctrl-Z does.
    Suspend,
}

/// Where a text that is edited outside goes when it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The editor or the instruction that is open on the screen.
    Layer,
    /// A field of the form, by its place.
    Field(usize),
    /// The definition that Home asked for.
    Definition,
    /// What is asked for above the screen.
    Above,
}

/// What changes a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Decide; with the draft of the text in the decision, if it has one that is kept.
    Decide(RunId, Decision, Option<String>),
    /// Say something in a conversation.
    Message(RunId, String),
    /// Have a conversation's document written with what is known.
    WriteAnyway(RunId),
    /// The first version of a conversation's document, by the person.
    WriteDocument(RunId, Decision),
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
        /// The draft of the body, where a person typed it; `None`: it is a version as it was.
        draft: Option<String>,
    },
    /// Have an action of the definition performed on a document, made from the version that was seen.
    Act {
        /// The run.
        run: RunId,
        /// The document.
        document: String,
        /// The version that was seen.
        version: u32,
        /// The action's id.
        action: String,
    },
    /// Have a document changed as a person said it, made from the version that was seen.
    ActInWords {
        /// The run.
        run: RunId,
        /// The document.
        document: String,
        /// The version that was seen.
        version: u32,
        /// What is to change.
        instruction: String,
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
    /// Take back the newest decision of a person, if it is the one with that event.
    Undo {
        /// The run.
        run: RunId,
        /// The event.
        seq: u64,
    },
    /// Pause a run.
    Pause(RunId),
    /// Have a run that is paused or failed go on.
    GoOn(RunId),
    /// Change a run as a whole.
    Manage(RunId, Manage),
    /// Keep unsaved text with the run; `None` forgets it.
    KeepDraft {
        /// The run.
        run: RunId,
        /// Names the draft.
        name: String,
        /// The text.
        text: Option<String>,
    },
    /// Keep what was typed into a form that was not given; `None` forgets it.
    KeepForm {
        /// The task's id, or another form's name.
        task: String,
        /// The fields, as [`crate::tui::screens::form::FormScreen`] writes them.
        text: Option<String>,
    },
}

/// A change of a run as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manage {
    /// Give it another title.
    Rename(String),
    /// Put it away, out of every list.
    Archive,
    /// Stop it for good.
    Cancel,
    /// Delete it for good, whatever it is doing.
    Delete,
}

/// How a call that is broken off is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Again {
    /// What to do differently.
    pub instruction: String,
    /// How far that reaches.
    pub scope: InstructionScope,
    /// The model, when it is to be another.
    pub model: Option<String>,
}

/// The run that another one is started from, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// That run.
    pub run: RunId,
    /// How.
    pub how: OriginKind,
}

impl Parent {
    /// Its task is run again.
    #[must_use]
    pub fn of_rerun(run: RunId) -> Self {
        Self { run, how: OriginKind::Rerun }
    }

    /// Its result is taken along.
    #[must_use]
    pub fn of_follow_up(run: RunId) -> Self {
        Self { run, how: OriginKind::FollowUp }
    }
}

/// What is made ready and then takes the screen: a run, a form, a choice, a comparison, a question.
#[derive(Clone, Debug, PartialEq)]
pub enum Opening {
    /// A run.
    Run(RunId),
    /// A task: its form, or its run straight away when it has no inputs.
    Task(String),
    /// A task's form with this filled in, an object; what another run gave, if one did.
    TaskWith(String, Value, Option<Parent>),
    /// A plain chat that begins with this.
    Chat(String),
    /// A task with a text in its first text input.
    RunWith {
        /// The task's id.
        task: String,
        /// The text.
        text: Untrusted,
        /// The conversation that it was said in.
        from: RunId,
    },
    /// The run of a task that is started.
    Start {
        /// The task's id.
        task: String,
        /// The inputs, an object.
        inputs: Value,
        /// The secrets that were typed rather than referred to, by input.
        secrets: Vec<(String, Secret)>,
        /// The run that it comes from.
        from: Option<Parent>,
    },
    /// The form to run a run's task again, with its inputs filled in.
    RunAgain(RunId),
    /// The question whether the newest decision in a run is to be taken back.
    TakeBack(RunId),
    /// A new run that takes over what does not depend on a call of this one.
    Fork {
        /// This run.
        run: RunId,
        /// The call.
        at: Key,
    },
    /// The choice of the call at which a run is forked.
    ForkAt(RunId),
    /// The choice of what may follow a run's result.
    FollowUps(RunId),
    /// A task with a result in one of its inputs: its form with that filled in, or its run straight away.
    FollowUp {
        /// The task's id.
        task: String,
        /// The input.
        input: String,
        /// The result.
        text: Untrusted,
        /// The run whose result it is.
        from: RunId,
    },
    /// A comparison of the results of two runs, the earlier first.
    Compare(RunId, RunId),
    /// The choice of the models that could make a call.
    Models(RunId, Key),
    /// The model that was picked for a call: said to its screen, once the person agrees to it if they have to.
    PickModel {
        /// The run.
        run: RunId,
        /// The call, or a step.
        key: Key,
        /// A role or `PROVIDER/MODEL`.
        model: String,
        /// The person typed its name.
        typed: bool,
    },
    /// What was to be opened when the person was asked whether a provider that was only found may be used: they agreed.
    Agreed {
        /// The provider.
        provider: String,
        /// What was to be opened.
        then: Box<Opening>,
    },
}

/// What changes no run.
#[derive(Clone, Debug, PartialEq)]
pub enum Errand {
    /// Ask for the open runs again.
    ListRuns,
    /// Ask for the tasks again.
    ListTasks,
    /// The same, if any file of a definition has changed.
    ListChangedTasks,
    /// Ask for a definition that is to be edited.
    OpenDefinition(String),
    /// Copy a definition to the person's own folder, and perhaps edit it there.
    CopyDefinition {
        /// Its id.
        id: String,
        /// It is edited then.
        edit: bool,
    },
    /// Put the person's own copy of a shipped definition aside: the shipped one is used again.
    DropCopy(String),
    /// Write a definition that was edited, and check it.
    SaveDefinition {
        /// As it was before.
        before: Definition,
        /// Its text now.
        text: String,
    },
    /// Ask for what waits; the answer comes when it is new, with `anew` in any case.
    ListWaiting {
        /// Whether nothing is known yet.
        anew: bool,
    },
    /// Look in the history; the rows come as a message that names the ticket. Only the newest ticket counts.
    Search {
        /// Names the question.
        ticket: u64,
        /// What to look for.
        query: HistoryQuery,
    },
    /// Say it when a run was changed since this was asked last, by whichever process; where something goes on in a run that
    /// is listed, in any case.
    CheckHistory {
        /// Whether it does.
        going: bool,
    },
    /// Look at runs, each as of when it changed last; what is known already is not looked at again.
    Glance(Vec<(RunId, DateTime<Utc>)>),
    /// Ask for a run whose text is shown beside a list. Only the newest question counts.
    Preview(RunId),
    /// Ask for the paths that begin like this.
    Complete {
        /// The field, by its place.
        field: usize,
        /// What is typed.
        typed: String,
    },
    /// Look for models that could be connected.
    FindModels,
    /// Try a model; when it answers, write the config, and have it answer from then on.
    Connect(Arc<Trial>),
    /// Ask for what each role stands for.
    ListRoles,
    /// Ask a server which models it has.
    ListServer(Arc<Connection>),
    /// Keep for which tasks texts are shown as they are written.
    KeepAsWritten(BTreeSet<String>),
    /// Write a text to a file that does not exist yet.
    WriteFile {
        /// The path, as typed.
        path: String,
        /// The text.
        text: Untrusted,
    },
    /// Write a run's result to a file that does not exist yet, in the format that the path's end names.
    Export {
        /// The run.
        run: RunId,
        /// The path, as typed.
        path: String,
    },
    /// Look for the unsaved texts of a run; each comes as a message.
    FindDrafts(RunId),
    /// Look for what was typed into a form before; it comes as a message.
    FindForm(String),
    /// Watch a run no more; it goes on.
    Unsubscribe(RunId),
}

impl From<Change> for Order {
    fn from(change: Change) -> Self {
        Self::Backend(Request::Change(change))
    }
}

impl From<Errand> for Order {
    fn from(errand: Errand) -> Self {
        Self::Backend(Request::Errand(errand))
    }
}
