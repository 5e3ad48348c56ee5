//! The situation that a key meets: a small, pure snapshot of what is on screen. Conditions of commands read only this.

use crate::core::gate::GateKind;

/// A screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Screen {
    /// Open runs and tasks.
    #[default]
    Home,
    /// The inputs of a task, or the form of a step.
    Form,
    /// A workflow's run.
    Run,
    /// A conversation.
    Chat,
    /// Everything ever produced.
    History,
    /// What waits, across runs.
    Inbox,
    /// Models that could be connected.
    Connect,
}

/// What lies over the screen and has the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Layer {
    /// Nothing.
    #[default]
    None,
    /// A text is edited.
    Edit,
    /// A structured value is edited as a tree of fields.
    Fields,
    /// A value in that tree is typed.
    FieldValue,
    /// An instruction for another attempt is typed.
    Retry,
    /// The other calls that it is meant for are ticked.
    Others,
    /// Two attempts or versions are compared.
    Compare,
    /// Two runs are compared, part by part.
    CompareRuns,
    /// The exact prompt is read.
    Prompt,
    /// The tool calls of an attempt are gone through.
    Calls,
    /// The document of a conversation has the focus.
    Document,
    /// One line is asked for: a reason, a budget, a result.
    Ask,
    /// A text of several lines is asked for.
    Text,
    /// Something is to be confirmed.
    Confirm,
    /// A text is searched: the matches have the keys.
    Found,
    /// The filters of a search have the focus.
    Chips,
    /// What a list shows of its selected row has the focus.
    Preview,
    /// The palette.
    Palette,
    /// The help.
    Help,
}

/// The call that is selected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Selected {
    /// None: a group, or no run at all.
    #[default]
    None,
    /// Not begun.
    Pending,
    /// Under way.
    Running,
    /// Waits for the person, and what it waits with is on screen.
    Gate(GateKind),
    /// Waits for the person, but there is no room for it on screen before they go to it.
    Unread,
    /// An earlier attempt or another version of it is on screen, instead of what waits or was accepted.
    Earlier(Behind),
    /// Accepted.
    Accepted,
    /// Failed: a person may skip it, or give its output.
    Failed,
    /// Skipped or cancelled.
    Ended,
    /// Failed, because the provider did not take the key or had none.
    Keyless,
    /// The result of the run.
    Result,
    /// Another document of the run.
    Document,
    /// A whole run, in a list of runs.
    Listed,
}

/// What an earlier attempt is shown instead of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Behind {
    /// An attempt that waits for a review.
    Review,
    /// A failure.
    Failed,
    /// What was accepted.
    Accepted,
    /// The version of a document that counts.
    Document,
    /// Anything else.
    Other,
}

/// The situation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own that conditions name")]
pub struct Situation {
    /// The screen.
    pub screen: Screen,
    /// What lies over it.
    pub layer: Layer,
    /// The selected call.
    pub selected: Selected,
    /// What is shown may be accepted as it is; of a document: it is not the newest version; of a preview: there are other
    /// versions.
    pub acceptable: bool,
    /// There is an output, or a document, to be copied.
    pub output: bool,
    /// There are two attempts or versions to compare; where a message is typed, thoughts that can be unfolded; of a preview,
    /// what its list is searched for.
    pub several: bool,
    /// The attempt was made from a prompt.
    pub prompt: bool,
    /// A model is asked for it.
    pub asks: bool,
    /// Calls are marked.
    pub marked: bool,
    /// Calls that wait with the same output are folded, or were before the person took them apart.
    pub alike: bool,
    /// The result is a document, which can be changed.
    pub changes: bool,
    /// The run has something under way.
    pub going: bool,
    /// Something else waits.
    pub others: bool,
    /// The run stands still and can be taken up: it is paused, or failed; of a conversation, the last answer can be asked
    /// for again.
    pub rests: bool,
    /// The conversation has a document, or may have one that is not written yet; what is previewed is a result.
    pub document: bool,
    /// What waits to be allowed is a call of a tool; of a conversation, its answer is held up by a tool call, or by tools
    /// that changed.
    pub tool: bool,
    /// A model asks for that call: it takes other arguments, and an answer in its place.
    pub by_model: bool,
    /// The attempt that waits for a decision about a tool call can be stopped: nothing of it is at work or in doubt.
    pub stops: bool,
    /// The attempt has called tools.
    pub calls: bool,
    /// The run can be forked at the call.
    pub forks: bool,
}

impl Situation {
    /// Whether letters are text, so that only keys with modifiers are commands.
    #[must_use]
    pub fn takes_text(&self) -> bool {
        match self.layer {
            Layer::Edit | Layer::FieldValue | Layer::Retry | Layer::Ask | Layer::Text | Layer::Palette => true,
            Layer::None => matches!(self.screen, Screen::Home | Screen::Form | Screen::Chat | Screen::History),
            Layer::Fields
            | Layer::Others
            | Layer::Compare
            | Layer::CompareRuns
            | Layer::Prompt
            | Layer::Calls
            | Layer::Document
            | Layer::Found
            | Layer::Confirm
            | Layer::Chips
            | Layer::Preview
            | Layer::Help => false,
        }
    }
}
