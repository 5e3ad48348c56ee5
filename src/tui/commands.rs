//! The one table of commands. The footer, the help, the palette and the keys all come from here, so that what is shown
//! is what works.
//!
//! A row says what a command is called, which keys it has, and the condition under which it can be given, read from a
//! [`Situation`] alone. Rows stand in the order of their weight: the footer shows them in this order as far as they
//! fit. Where two conditions hold, no key belongs to both; a test goes through all situations and holds that. A key has
//! one meaning on every text; one that had another in the release before says where that went ([`moved()`]).

mod conditions;
mod id;
mod moved;

pub mod words;

use crossterm::event::{KeyCode, KeyEvent};

use self::conditions::{
    accepts_edit, allows, answer_failed, answers, earlier_document, edits_arguments, ended, failed, gate, has_versions,
    holds_up_answer, instead_of, is_listed_only, layered, moves, moves_by_letter, on, on_run, pages, rests_at,
    runs_again, takes_along,
};
pub use self::id::Id;
pub use self::moved::moved;
use super::keys::Chord;
use super::situation::{Behind, Layer, Screen, Selected, Situation};
use crate::core::gate::GateKind;

/// A row of the table.
pub struct CommandEntry {
    /// Its name.
    pub id: Id,
    /// What it does, for help and palette.
    pub title: &'static str,
    /// The word in the footer; empty: it is not shown there.
    pub short: &'static str,
    /// Its keys; the first is the one that is shown.
    pub keys: &'static [Chord],
    /// When it can be given.
    pub when: fn(&Situation) -> bool,
}

/// A command as the footer shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The command.
    pub id: Id,
    /// Its key.
    pub key: String,
    /// Its word.
    pub short: &'static str,
}

const fn c(key: char) -> Chord {
    Chord::char(key)
}

const fn k(code: KeyCode) -> Chord {
    Chord::key(code)
}

const ENTER: Chord = k(KeyCode::Enter);
const ESC: Chord = k(KeyCode::Esc);
const TAB: Chord = k(KeyCode::Tab);

macro_rules! command {
    ($id:ident, $title:literal, $short:literal, [$($key:expr),*], $when:expr) => {
        CommandEntry { id: Id::$id, title: $title, short: $short, keys: &[$($key),*], when: $when }
    };
}

/// Every command.
pub static TABLE: &[CommandEntry] = &[
    // What waits is answered first.
    command!(AcceptMarked, "Accept the marked", "accept marked", [c('a'), c('A')], |s| on_run(s) && s.marked),
    command!(RetryMarked, "Retry the marked", "retry marked", [c('r')], |s| on_run(s) && s.marked),
    command!(SkipMarked, "Skip the marked", "skip marked", [c('s')], |s| on_run(s) && s.marked),
    command!(Accept, "Accept what is shown", "accept", [c('a')], |s| gate(s, GateKind::Review)
        && s.acceptable
        && !s.marked),
    command!(Accept, "Take this one instead", "take this", [c('a')], |s| {
        on_run(s) && matches!(s.selected, Selected::Earlier(_)) && s.acceptable && !s.marked
    }),
    command!(Approve, "Approve: run exactly what is shown", "allow", [c('Y')], allows),
    command!(Deny, "Refuse it, with a reason", "refuse", [c('n')], allows),
    command!(ApproveForRun, "Approve it, and this tool for the rest of the run", "allow for run", [c('T')], |s| {
        gate(s, GateKind::Approval) && s.tool
    }),
    command!(Edit, "Edit the arguments, then approve it", "edit", [c('e')], |s| {
        gate(s, GateKind::Approval) && s.by_model
    }),
    command!(AnswerForTool, "Answer in place of the tool, which is not called", "answer instead", [c('i')], |s| {
        gate(s, GateKind::Approval) && s.by_model
    }),
    command!(Answer, "Answer", "answer", [ENTER], |s| gate(s, GateKind::Input) || gate(s, GateKind::Secret)),
    command!(Worked, "Mark as succeeded and enter its result", "it worked", [ENTER], |s| gate(s, GateKind::InDoubt)),
    command!(RaiseBudget, "Raise the budget", "raise", [ENTER], |s| gate(s, GateKind::Budget)),
    command!(Again, "Run it again", "try again", [c('r')], |s| runs_again(s) && !s.marked),
    command!(GiveKey, "Give a key, for this session only", "key…", [c('i')], |s| {
        on(s, Screen::Run) && s.selected == Selected::Keyless
    }),
    command!(Again, "Ask for the answer again", "try again", [Chord::ctrl('r')], |s| on(s, Screen::Chat)
        && s.rests
        && !answers(s)),
    command!(GiveKey, "Give a key, for this session only", "key…", [Chord::alt(KeyCode::Char('k'))], |s| {
        on(s, Screen::Chat) && s.selected == Selected::Keyless
    }),
    command!(OtherModel, "Another model for all that follows", "model…", [Chord::alt(KeyCode::Char('m'))], |s| {
        on(s, Screen::Chat) && answer_failed(s)
    }),
    command!(RaiseBudget, "Raise the budget", "raise", [Chord::ctrl('r')], |s| {
        on(s, Screen::Chat) && !s.rests && !s.tool && s.selected == Selected::Gate(GateKind::Budget)
    }),
    command!(Edit, "Give its output by hand", "fill in", [c('e')], failed),
    command!(Skip, "Skip it: the run continues without it", "skip", [c('s')], |s| failed(s) && !s.marked),
    command!(OtherModel, "Another model", "model…", [c('m')], |s| on(s, Screen::Run) && s.asks && ended(s)),
    command!(Keep, "Keep the result although what it was made from changed", "keep", [c('K')], |s| {
        gate(s, GateKind::Stale)
    }),
    command!(Focus, "Read what waits", "read", [TAB, ENTER], |s| on_run(s) && s.selected == Selected::Unread),
    command!(Focus, "Read the text of the row", "read", [TAB], is_listed_only),
    command!(Edit, "Edit what is shown", "edit", [c('e')], |s| {
        gate(s, GateKind::Review)
            || instead_of(s, Behind::Review)
            || instead_of(s, Behind::Failed)
            || instead_of(s, Behind::Document) && s.screen == Screen::Run
            || on_run(s) && matches!(s.selected, Selected::Result | Selected::Document) && s.output
    }),
    command!(Retry, "Try again with an instruction", "retry…", [c('r')], |s| {
        !s.marked && (gate(s, GateKind::Review) || on_run(s) && s.selected == Selected::Running)
    }),
    command!(Retry, "Retry, starting from this one", "retry from it…", [c('r')], |s| {
        !s.marked && instead_of(s, Behind::Review)
    }),
    command!(Stop, "Stop this call", "stop", [c('x')], |s| on_run(s) && s.selected == Selected::Running),
    command!(NextWaiting, "Go to the next that waits", "next", [c(']')], |s| on_run(s) && s.others),
    command!(Compare, "Compare attempts and versions word by word", "compare", [c('d')], |s| on_run(s) && s.several),
    command!(Right, "The next attempt or version", "version", [k(KeyCode::Right)], |s| on_run(s) && s.several),
    command!(Left, "The attempt or version before", "", [k(KeyCode::Left)], |s| on_run(s) && s.several),
    command!(Skip, "Skip it: the run continues without it", "skip", [c('s')], |s| {
        let takes = |kind| gate(s, kind);
        !s.marked && (takes(GateKind::Review) || takes(GateKind::InDoubt) || allows(s))
    }),
    command!(Stop, "Stop the step: no tool call that waits is made", "stop", [c('x')], |s| {
        gate(s, GateKind::Approval) && s.stops && s.screen == Screen::Run
    }),
    command!(OtherModel, "Another model", "model…", [c('m')], |s| {
        let takes = match s.selected {
            Selected::Gate(kind) => matches!(kind, GateKind::Review | GateKind::InDoubt | GateKind::Stale),
            selected => matches!(selected, Selected::Running | Selected::Pending | Selected::None),
        };
        on(s, Screen::Run) && s.asks && takes
    }),
    command!(OtherModel, "Another model for all that follows", "", [Chord::alt(KeyCode::Char('m'))], |s| {
        on(s, Screen::Chat) && !answer_failed(s)
    }),
    command!(Reopen, "Reopen an accepted call", "reopen", [c('b')], |s| {
        on_run(s) && s.selected == Selected::Accepted || instead_of(s, Behind::Accepted)
    }),
    command!(Restore, "Take this version: it becomes the newest", "take this", [c('a')], |s| {
        s.layer == Layer::Document && s.several && s.acceptable
    }),
    command!(Edit, "Edit the document", "edit", [c('e')], |s| s.layer == Layer::Document),
    command!(Change, "Have it changed: shorter, friendlier, …", "change…", [c('c')], |s| {
        // What counts is changed, and nothing else.
        let of_chat = s.layer == Layer::Document && !s.acceptable && !s.going;
        s.output && (of_chat || on_run(s) && s.selected == Selected::Result && s.changes)
    }),
    command!(Change, "Have it changed, once it is the newest (a takes it)", "", [c('c')], earlier_document),
    command!(Retry, "Have it written again, once it is the newest (a takes it)", "", [c('r')], earlier_document),
    command!(FollowUp, "Use it in another task, once it is the newest (a takes it)", "", [c('f')], earlier_document),
    command!(Compare, "Compare this version with the one before", "compare", [c('d')], |s| {
        s.layer == Layer::Document && s.several
    }),
    command!(Left, "The part before", "", [k(KeyCode::Left)], |s| s.layer == Layer::CompareRuns && s.several),
    command!(Right, "The next part", "part", [k(KeyCode::Right)], |s| s.layer == Layer::CompareRuns && s.several),
    command!(Left, "The version before", "", [k(KeyCode::Left)], has_versions),
    command!(Right, "The next version", "version", [k(KeyCode::Right)], has_versions),
    command!(Copy, "Copy the document", "copy", [c('y')], |s| s.layer == Layer::Document && s.output),
    command!(FollowUp, "Use the document in another task", "go on…", [c('f')], |s| {
        s.layer == Layer::Document && s.output && !s.acceptable
    }),
    command!(Focus, "Back to the conversation", "talk", [TAB], |s| s.layer == Layer::Document),
    command!(Retry, "Have it written again, with an instruction", "write again…", [c('r')], |s| {
        // What counts is written again, and nothing else.
        s.layer == Layer::Document && s.output && !s.acceptable && !s.going
    }),
    command!(WriteFile, "Write the document to a file", "write", [c('w')], |s| s.layer == Layer::Document && s.output),
    command!(Zoom, "Give the document the whole screen, or take it back", "zoom", [c('z')], |s| {
        s.layer == Layer::Document
    }),
    command!(Copy, "Copy what is shown", "copy", [c('y')], takes_along),
    command!(Prompt, "Read the exact prompt", "prompt", [c('p')], |s| on_run(s) && s.prompt),
    command!(Calls, "Go through the tool calls, one by one", "tool calls", [c('c')], |s| {
        on(s, Screen::Run) && s.calls && s.selected != Selected::Result
    }),
    command!(Calls, "Go through the tool calls, one by one", "", [ENTER], |s| {
        let gates = matches!(s.selected, Selected::Gate(GateKind::Review | GateKind::Approval | GateKind::Tools));
        on(s, Screen::Run) && s.calls && (gates || matches!(s.selected, Selected::Running | Selected::Accepted))
    }),
    command!(Unfold, "Show what it was called with and returned, or its line alone", "unfold", [ENTER, c(' ')], |s| {
        s.layer == Layer::Calls
    }),
    command!(WriteFile, "Write what is shown to a file", "write", [c('w')], |s| {
        takes_along(s) && s.selected != Selected::Gate(GateKind::InDoubt)
    }),
    command!(FollowUp, "Use the result in another task", "go on…", [c('f')], |s| {
        on_run(s) && s.selected == Selected::Result && s.output
    }),
    command!(RunAgain, "Run the task again", "run again", [c('R')], |s| on_run(s) && s.selected == Selected::Result),
    command!(
        Fork,
        "Fork: a new run that does this call again, and keeps what does not depend on it",
        "fork",
        [c('F')],
        |s| on(s, Screen::Run) && s.forks && rests_at(s)
    ),
    command!(
        Fork,
        "Fork: a new run that does this call again, and keeps what does not depend on it",
        "",
        [c('F')],
        |s| on(s, Screen::Run) && s.forks && !rests_at(s)
    ),
    command!(AcceptMarked, "Accept all that pass", "accept all", [c('A')], |s| {
        on(s, Screen::Run) && !s.marked && s.others && s.selected == Selected::Gate(GateKind::Review)
    }),
    command!(
        Mark,
        "Mark the call: accept, retry and skip are then for the marked",
        "",
        [c(' '), Chord::ctrl('t')],
        on_run
    ),
    command!(UndoLast, "Take back the last decision", "", [c('u')], |s| {
        on_run(s) && s.selected != Selected::Gate(GateKind::Budget)
    }),
    command!(Pause, "Pause the run", "pause", [c('X')], |s| on_run(s) && s.going),
    command!(GoOn, "Resume the run", "resume", [c('X')], |s| on_run(s) && s.rests && !s.going),
    command!(Zoom, "Give the output the whole screen, or take it back", "zoom", [c('z')], on_run),
    command!(Alike, "Fold calls that wait with the same output, or take them apart", "alike", [c('=')], |s| {
        on(s, Screen::Run) && s.alike
    }),
    command!(Filter, "Filter the list or, where the text has the focus, search it", "", [c('/')], |s| {
        on_run(s) || s.layer == Layer::Found || s.layer == Layer::Prompt
    }),
    command!(Filter, "Search the text", "", [c('/')], |s| {
        s.layer == Layer::Document && s.output || s.layer == Layer::Preview
    }),
    command!(FindNext, "The next match", "next match", [c('n')], |s| s.layer == Layer::Found),
    command!(FindPrevious, "The match before", "before", [c('N')], |s| s.layer == Layer::Found),
    command!(Open, "Choose it: its models are listed, or it is tried and used from now on", "choose", [ENTER], |s| on(
        s,
        Screen::Connect
    )
        && !s.going),
    command!(Open, "Open the run there", "open", [ENTER], |s| {
        on(s, Screen::Inbox)
            && (ended(s)
                || matches!(
                    s.selected,
                    Selected::Gate(GateKind::Review | GateKind::Approval | GateKind::Tools | GateKind::Stale)
                ))
    }),
    command!(Open, "Open the run there", "", [c('o')], |s| {
        on(s, Screen::Inbox) && matches!(s.selected, Selected::Gate(_) | Selected::Earlier(_))
    }),
    // Editing.
    command!(SaveAccept, "Save a version and accept it", "save and accept", [Chord::alt(KeyCode::Enter)], accepts_edit),
    command!(
        SaveAccept,
        "Save it, and end the conversation with it",
        "save and end",
        [Chord::alt(KeyCode::Enter)],
        |s| { s.layer == Layer::Edit && s.screen == Screen::Chat && !s.output }
    ),
    command!(
        Save,
        "Allow it with these arguments",
        "allow with these",
        [Chord::ctrl('s'), Chord::alt(KeyCode::Enter)],
        edits_arguments
    ),
    command!(Save, "Save a version", "save", [Chord::ctrl('s')], |s| {
        matches!(s.layer, Layer::Edit | Layer::Fields) && !edits_arguments(s)
    }),
    command!(FieldEdit, "Edit the value", "edit", [ENTER, c('e')], |s| s.layer == Layer::Fields),
    command!(FieldAdd, "Add an item or a missing field", "add", [c('+'), c('o')], |s| s.layer == Layer::Fields),
    command!(FieldRemove, "Remove it", "remove", [c('-'), k(KeyCode::Delete)], |s| s.layer == Layer::Fields),
    command!(FieldDown, "Move the item down", "move", [c('J'), Chord::alt(KeyCode::Down)], |s| {
        s.layer == Layer::Fields
    }),
    command!(FieldUp, "Move the item up", "up", [c('K'), Chord::alt(KeyCode::Up)], |s| s.layer == Layer::Fields),
    command!(FieldRaw, "Edit it as raw JSON", "raw", [c('R')], |s| s.layer == Layer::Fields),
    command!(Submit, "Have it tried again", "retry", [ENTER, Chord::ctrl('s')], |s| {
        matches!(s.layer, Layer::Retry | Layer::Others)
    }),
    command!(Others, "To the other calls that it may be meant for", "others", [k(KeyCode::Down)], |s| {
        s.layer == Layer::Retry && s.several
    }),
    command!(Mark, "Tick it: the instruction is for it too", "tick", [c(' ')], |s| s.layer == Layer::Others),
    command!(Submit, "Take it", "ok", [ENTER, Chord::ctrl('s')], |s| s.layer == Layer::Text),
    command!(Submit, "Take it", "ok", [ENTER], |s| {
        matches!(s.layer, Layer::Ask | Layer::FieldValue | Layer::Palette)
    }),
    command!(Scope, "How far the instruction reaches", "scope", [TAB], |s| s.layer == Layer::Retry),
    command!(Yes, "Yes", "yes", [c('Y'), c('y')], |s| s.layer == Layer::Confirm),
    command!(No, "No", "no", [c('n'), ESC], |s| s.layer == Layer::Confirm),
    // Home, history, forms, conversations.
    command!(Open, "Open", "open", [ENTER], |s| { on(s, Screen::Home) || on(s, Screen::History) && s.output }),
    command!(Actions, "What else can be done with it", "actions", [TAB], |s| on(s, Screen::Home) && s.output),
    command!(Chips, "Narrow the search", "filter", [TAB], |s| on(s, Screen::History)),
    command!(Actions, "What else can be done with it", "actions", [Chord::alt(KeyCode::Enter)], |s| {
        on(s, Screen::History) && s.output
    }),
    command!(
        CompareRuns,
        "Compare two results: the marked, or the marked and this",
        "compare",
        [Chord::ctrl('d')],
        |s| { on(s, Screen::History) && s.several }
    ),
    command!(RunAgain, "Run the task again, with these or other inputs", "again", [Chord::ctrl('g')], |s| {
        on(s, Screen::History) && s.output
    }),
    command!(Mark, "Mark the run, to compare two", "mark", [Chord::ctrl('t')], |s| on(s, Screen::History) && s.output),
    command!(WriteFile, "Export the result to a file", "export", [Chord::ctrl('s')], |s| {
        on(s, Screen::History) && s.output
    }),
    command!(Rename, "Rename the run", "rename", [Chord::ctrl('r')], |s| on(s, Screen::History) && s.output),
    command!(Archive, "Archive the run: it leaves the lists, and is kept", "archive", [Chord::ctrl('x')], |s| {
        (on(s, Screen::Home) || on(s, Screen::History)) && s.selected == Selected::Listed
    }),
    command!(EditDefinition, "Edit the definition in $EDITOR", "", [Chord::alt(KeyCode::Char('e'))], |s| {
        on(s, Screen::Home) && s.output && s.selected != Selected::Listed
    }),
    command!(UndoLast, "Take back what was done last", "", [Chord::alt(KeyCode::Char('u'))], |s| {
        on(s, Screen::Home) || on(s, Screen::History)
    }),
    command!(Chips, "Back to the search", "search", [ENTER], |s| s.layer == Layer::Chips),
    command!(Focus, "To the preview", "preview", [TAB], |s| s.layer == Layer::Chips),
    command!(Open, "Open the run", "open", [ENTER], |s| s.layer == Layer::Preview),
    command!(Focus, "Back to the search", "search", [TAB], |s| s.layer == Layer::Preview),
    command!(FindNext, "The next match", "next match", [c('n')], |s| s.layer == Layer::Preview && s.several),
    command!(FindPrevious, "The match before", "", [c('N')], |s| s.layer == Layer::Preview && s.several),
    command!(Copy, "Copy what is shown", "copy", [c('y')], |s| s.layer == Layer::Preview && s.output),
    command!(WriteFile, "Export the result to a file", "export", [c('w')], |s| s.layer == Layer::Preview && s.output),
    command!(Zoom, "Give the preview the whole screen, or take it back", "zoom", [c('z')], |s| {
        s.layer == Layer::Preview
    }),
    command!(Edit, "Edit the result, on its own screen", "edit", [c('e')], |s| {
        s.layer == Layer::Preview && s.document
    }),
    command!(Compare, "Compare the version with another", "compare", [c('d')], |s| {
        s.layer == Layer::Preview && s.acceptable
    }),
    command!(Left, "The filter before", "", [k(KeyCode::Left)], |s| s.layer == Layer::Chips),
    command!(Right, "The next filter", "filter", [k(KeyCode::Right)], |s| s.layer == Layer::Chips),
    command!(Up, "The value before", "", [k(KeyCode::Up)], |s| s.layer == Layer::Chips),
    command!(Down, "The next value", "value", [k(KeyCode::Down)], |s| s.layer == Layer::Chips),
    command!(Clear, "Take the filter away", "any", [k(KeyCode::Backspace), k(KeyCode::Delete)], |s| {
        s.layer == Layer::Chips
    }),
    command!(Start, "Start with what is filled in", "start", [Chord::ctrl('s')], |s| on(s, Screen::Form)),
    command!(NextField, "The next field", "next field", [TAB, ENTER], |s| on(s, Screen::Form)),
    command!(PreviousField, "The field before", "", [k(KeyCode::BackTab)], |s| on(s, Screen::Form)),
    command!(LastValues, "The values of the last run", "last values", [Chord::ctrl('r')], |s| on(s, Screen::Form)
        && s.output),
    command!(Send, "Send the message", "send", [ENTER], |s| on(s, Screen::Chat) && !s.tool),
    command!(Send, "Send the message, once what waits is decided", "", [ENTER], |s| on(s, Screen::Chat) && s.tool),
    command!(Back, "Stop the answer", "stop", [ESC], answers),
    command!(
        NewLine,
        "A new line",
        "",
        [Chord::shift(KeyCode::Enter), Chord::alt(KeyCode::Enter), Chord::ctrl('j')],
        |s| { on(s, Screen::Chat) || matches!(s.layer, Layer::Retry | Layer::Text) }
    ),
    command!(Document, "To the document and back", "document", [TAB], |s| {
        on(s, Screen::Chat) && s.document && s.output
    }),
    command!(Document, "To the document, to write it yourself", "", [TAB], |s| {
        on(s, Screen::Chat) && s.document && !s.output
    }),
    command!(
        Thoughts,
        "Show its thoughts and tool calls, or fold them",
        "details",
        [Chord::alt(KeyCode::Char('t'))],
        |s| { on(s, Screen::Chat) && s.several }
    ),
    command!(Thoughts, "Show the model's thoughts, or fold them", "", [Chord::alt(KeyCode::Char('t'))], |s| {
        on_run(s) && s.prompt
    }),
    command!(
        WriteAnyway,
        "Have it written with what is known",
        "write it anyway",
        [Chord::alt(KeyCode::Char('w'))],
        |s| { on(s, Screen::Chat) && s.selected == Selected::Gate(GateKind::Input) && !s.tool }
    ),
    command!(External, "Take it to $EDITOR", "$EDITOR", [Chord::ctrl('g')], |s| {
        matches!(s.layer, Layer::Edit | Layer::Fields | Layer::Retry | Layer::Text) || on(s, Screen::Form)
    }),
    command!(External, "Take the message to $EDITOR", "", [Chord::ctrl('g')], |s| on(s, Screen::Chat)),
    command!(
        AsWritten,
        "Show texts as they are written, or laid out",
        "",
        [Chord::alt(KeyCode::Char('r'))],
        |s| on_run(s) || on(s, Screen::Chat) || matches!(s.layer, Layer::Document | Layer::Prompt)
    ),
    // Getting around.
    command!(Up, "Up", "", [k(KeyCode::Up)], moves),
    command!(Up, "Up", "", [c('k')], moves_by_letter),
    command!(Down, "Down", "", [k(KeyCode::Down)], moves),
    command!(Down, "Down", "", [c('j')], moves_by_letter),
    command!(First, "To the beginning", "", [k(KeyCode::Home)], |s| pages(s) && !s.takes_text()),
    command!(First, "To the beginning", "", [c('g')], |s| pages(s) && !s.takes_text() && !runs_again(s)),
    command!(Last, "To the end, and follow it", "", [k(KeyCode::End), c('G')], |s| pages(s) && !s.takes_text()),
    command!(PageUp, "A page up", "", [k(KeyCode::PageUp)], |s| pages(s) || on(s, Screen::Chat)),
    command!(PageDown, "A page down", "", [k(KeyCode::PageDown)], |s| pages(s) || on(s, Screen::Chat)),
    command!(AgainstEarlier, "Compare it with an earlier one", "", [c('[')], |s| {
        s.layer == Layer::Compare && s.several
    }),
    command!(AgainstLater, "Compare it with a later one", "against", [c(']')], |s| {
        s.layer == Layer::Compare && s.several
    }),
    command!(Focus, "To the other pane", "", [TAB], |s| {
        on_run(s) && s.selected != Selected::Unread && !is_listed_only(s)
    }),
    command!(Inbox, "All that waits", "inbox", [Chord::ctrl('n')], |s| on(s, Screen::Home)),
    command!(Inbox, "All that waits", "", [Chord::ctrl('n')], |s| on(s, Screen::Run) || on(s, Screen::History)),
    command!(Inbox, "Decide what waits, in the inbox", "decide", [Chord::ctrl('r')], holds_up_answer),
    command!(Stop, "Stop the answer: no tool call that waits is made", "stop", [Chord::alt(KeyCode::Char('x'))], |s| {
        holds_up_answer(s) && s.stops
    }),
    command!(History, "Everything ever produced", "history", [Chord::ctrl('f')], |s| on(s, Screen::Home)),
    command!(History, "Everything ever produced", "", [Chord::ctrl('f')], on_run),
    command!(Models, "Models: connect or switch", "models", [k(KeyCode::F(3))], |s| {
        s.layer == Layer::None && s.screen == Screen::Home
    }),
    command!(Models, "Models: connect or switch", "", [k(KeyCode::F(3))], |s| {
        let reads = matches!(s.layer, Layer::None | Layer::Preview | Layer::Document);
        reads && !matches!(s.screen, Screen::Home | Screen::Connect)
    }),
    command!(SwitchRun, "Switch between open runs", "", [Chord::ctrl('o')], |s| s.layer == Layer::None),
    command!(Palette, "All commands", "", [k(KeyCode::F(2))], |s| s.layer == Layer::None),
    command!(Palette, "All commands", "", [c(':')], |s| s.layer == Layer::None && !s.takes_text()),
    command!(Help, "Help", "help", [c('?')], |s| !s.takes_text() && (s.layer == Layer::None || layered(s))),
    command!(Help, "Help", "help", [k(KeyCode::F(1))], |s| s.layer == Layer::None || layered(s)),
    command!(Back, "Back; what is typed is kept", "back", [ESC], |s| !matches!(s.layer, Layer::None | Layer::Confirm)),
    command!(Back, "Back; the run keeps running", "", [ESC], |s| on_run(s) || on(s, Screen::Chat) && !answers(s)),
    command!(Back, "Back", "", [ESC], |s| s.layer == Layer::None && !on_run(s) && !on(s, Screen::Chat)),
    command!(Quit, "Leave", "", [c('q')], |s| s.layer == Layer::None && !s.takes_text()),
    command!(Leave, "Leave; the second press does it", "", [Chord::ctrl('c')], |_| true),
    command!(Mouse, "Leave the mouse to the terminal", "", [k(KeyCode::F(4))], |_| true),
    command!(Suspend, "Suspend", "", [Chord::ctrl('z')], |_| true),
];

/// The command that a key gives in a situation.
#[must_use]
pub fn command(key: KeyEvent, situation: &Situation) -> Option<Id> {
    let chord = Chord::of(key);
    TABLE.iter().find(|command| command.keys.contains(&chord) && (command.when)(situation)).map(|command| command.id)
}

/// Whether a command can be given in a situation: for a click on its hint.
#[must_use]
pub fn holds(id: Id, situation: &Situation) -> bool {
    TABLE.iter().any(|command| command.id == id && (command.when)(situation))
}

/// The key of a command in a situation, as a person reads it; `None` where it cannot be given.
#[must_use]
pub fn key_in(id: Id, situation: &Situation) -> Option<String> {
    let found = TABLE.iter().find(|command| command.id == id && (command.when)(situation));
    found?.keys.first().map(|key| key.shown())
}

/// What the footer shows in a situation, the most important first, without the help.
#[must_use]
pub fn hints(situation: &Situation) -> Vec<Hint> {
    let shown =
        |command: &&CommandEntry| !command.short.is_empty() && command.id != Id::Help && (command.when)(situation);
    TABLE.iter().filter(shown).map(hint).collect()
}

/// The help's own hint.
#[must_use]
pub fn help_hint(situation: &Situation) -> Option<Hint> {
    TABLE.iter().find(|command| command.id == Id::Help && (command.when)(situation)).map(hint)
}

/// Everything that can be done in a situation, for help and palette: each command once, with all its keys.
#[must_use]
pub fn possible(situation: &Situation) -> Vec<(Id, &'static str, String)> {
    let mut rows: Vec<(Id, &'static str, String)> = Vec::new();
    for command in TABLE.iter().filter(|command| (command.when)(situation)) {
        let keys = command.keys.iter().map(|key| key.shown()).collect::<Vec<_>>().join(" ");
        match rows.iter_mut().find(|(id, ..)| *id == command.id) {
            Some((.., known)) => {
                known.push(' ');
                known.push_str(&keys);
            }
            None => rows.push((command.id, command.title, keys)),
        }
    }
    rows
}

/// Of two commands that belong together the footer shows one, with the keys of both.
fn hint(command: &CommandEntry) -> Hint {
    let key = match command.id {
        Id::Down => "↑↓".to_owned(),
        Id::Right => "←→".to_owned(),
        Id::FieldDown => "J K".to_owned(),
        Id::AgainstLater => "[ ]".to_owned(),
        _ => command.keys.first().map(|key| key.shown()).unwrap_or_default(),
    };
    Hint { id: command.id, key, short: command.short }
}

#[cfg(test)]
mod tests;
