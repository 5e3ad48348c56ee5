//! What lies over a run and has the keys: an editor, an instruction, a comparison, the exact prompt, a question.

use super::calls::Calls;
use super::content::described;
use super::edit::Edited;
use super::retry::Retry;
use crate::core::call::Attempt;
use crate::core::decide::DecisionKind;
use crate::core::description::Description;
use crate::core::run::Run;
use crate::core::text::Untrusted;
use crate::core::work::Work;
use crate::tui::asides;
use crate::tui::documents::EditedDocument;
use crate::tui::drafts;
use crate::tui::markdown::Document;
use crate::tui::shown::{ShownGate, Target};
use crate::tui::situation::Layer;
use crate::tui::versions::Compare;
use crate::tui::widgets::editor::Editor;
use crate::tui::widgets::line::LineInput;
use crate::tui::widgets::scroll::Scroll;
use crate::tui::widgets::tree_editor::TreeEditor;

/// What lies over the run.
#[derive(Debug, Default)]
pub enum Over {
    /// Nothing.
    #[default]
    None,
    /// The list is filtered; the screen holds what is typed.
    Filter,
    /// The output is edited as a text; `json` when it is a value.
    Edit {
        /// What.
        edited: Edited,
        /// The text.
        editor: Box<Editor>,
        /// Whether the text is to be read as JSON.
        json: bool,
        /// Why it cannot be saved.
        problem: Option<String>,
    },
    /// The result, or another document, is edited as a text.
    Document {
        /// Which, and what was seen when it began.
        edited: EditedDocument,
        /// The text.
        editor: Box<Editor>,
    },
    /// The output is edited as a tree of fields.
    Fields {
        /// What.
        edited: Edited,
        /// The tree.
        tree: Box<TreeEditor>,
    },
    /// An instruction for another attempt.
    Retry(Box<Retry>),
    /// Two versions are compared.
    Compare(Box<Compare>),
    /// The exact prompt.
    Prompt {
        /// It.
        text: Box<Document>,
        /// Where it is scrolled to.
        scroll: Scroll,
    },
    /// The tool calls of an attempt.
    Calls(Box<Calls>),
    /// One line is asked for.
    Ask {
        /// The question.
        question: &'static str,
        /// What is typed.
        input: LineInput,
        /// What becomes of it.
        then: Then,
        /// Why it cannot be taken.
        problem: Option<String>,
    },
    /// Something is to be confirmed.
    Confirm {
        /// What to know before, and the question; a paragraph each.
        lines: Vec<String>,
        /// What is decided on yes.
        yes: Vec<(Target, DecisionKind)>,
    },
}

/// What becomes of a line that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// The reason of a refusal.
    Deny(ShownGate),
    /// The result that work in doubt had.
    Worked(ShownGate),
    /// The new budget in US dollars.
    Budget(ShownGate),
    /// The path to write this to, which was on screen.
    WriteFile(Untrusted),
}

impl Then {
    /// The draft of what is typed.
    pub fn draft(&self) -> Option<String> {
        match self {
            Self::Deny(gate) => Some(drafts::of_refusal(gate)),
            Self::Worked(gate) => Some(drafts::of_result(gate)),
            Self::Budget(_) | Self::WriteFile(_) => None,
        }
    }
}

impl Over {
    /// Its place in the situation.
    pub fn layer(&self) -> Layer {
        match self {
            Self::None => Layer::None,
            Self::Edit { .. } | Self::Document { .. } => Layer::Edit,
            Self::Fields { tree, .. } if tree.is_typing() => Layer::FieldValue,
            Self::Fields { .. } => Layer::Fields,
            Self::Retry(retry) if retry.ticks() => Layer::Others,
            Self::Retry(_) => Layer::Retry,
            Self::Compare(_) => Layer::Compare,
            Self::Prompt { .. } => Layer::Prompt,
            Self::Calls(_) => Layer::Calls,
            Self::Ask { .. } | Self::Filter => Layer::Ask,
            Self::Confirm { .. } => Layer::Confirm,
        }
    }
}

/// What a person said that may stand in a run's prompts.
fn lessons(run: &Run) -> Vec<String> {
    let learned = run.learned.iter().map(|lesson| lesson.text.clone());
    learned.chain(run.remaining.iter().map(|(_, lesson)| lesson.text.clone())).collect()
}

/// The exact prompt of an attempt, as it went to the model, and what came back beside the output. Lines that were learned
/// from the person are marked.
pub fn prompt(run: &Run, attempt: &Attempt) -> Untrusted {
    let learned = lessons(run);
    let text = match attempt.work.as_deref() {
        Some(Work::Prompt(prompt)) => {
            let parts = prompt.messages.iter().map(|message| {
                let role = format!("{:?}", message.role).to_lowercase();
                let lines = message.text.lines().map(|line| {
                    let mark = learned.iter().any(|lesson| !lesson.is_empty() && line.contains(lesson.as_str()));
                    format!("    {}{line}\n", if mark { "★ " } else { "" })
                });
                format!("**{role}**\n\n{}\n", lines.collect::<String>())
            });
            parts.collect::<Vec<_>>().join("\n")
        }
        Some(work) => described(&Description::of(work, run)),
        None => "A computed value: there is no prompt.".to_owned(),
    };
    let besides = attempt.asides().iter().map(asides::in_full).collect::<String>();
    Untrusted::new(text + &besides)
}
