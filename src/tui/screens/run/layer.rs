//! What lies over a run and has the keys: an editor, an instruction, a comparison, the exact prompt, a question.

use std::sync::Arc;

use serde_json::Value;

use super::content::described;
use super::edit::Edited;
use super::retry::Retry;
use crate::core::actor::Actor;
use crate::core::call::{Attempt, Call};
use crate::core::decide::DecisionKind;
use crate::core::description::Description;
use crate::core::document::{Document as Written, DocumentVersion};
use crate::core::run::Run;
use crate::core::text::Untrusted;
use crate::core::work::Work;
use crate::tui::asides;
use crate::tui::diff::{Comparison, printed};
use crate::tui::documents::EditedDocument;
use crate::tui::layers::Compared;
use crate::tui::markdown::Document;
use crate::tui::shown::{Page, ShownGate, Target};
use crate::tui::situation::Layer;
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
            Self::Deny(gate) | Self::Worked(gate) => gate.draft(),
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
            Self::Ask { .. } | Self::Filter => Layer::Ask,
            Self::Confirm { .. } => Layer::Confirm,
        }
    }
}

/// A comparison of two versions of a call.
#[derive(Debug)]
pub struct Compare {
    /// Every version: attempt, version, by whom.
    versions: Vec<(u32, u32, Actor, Arc<Value>)>,
    /// The later one.
    at: usize,
    /// What it is compared with, an earlier one.
    with: usize,
    /// The comparison.
    pub comparison: Comparison,
    /// Where it is scrolled to.
    pub scroll: Scroll,
}

impl Compare {
    /// Compares what is on screen. Without paging that is `now`, with the output before it: the model's with the person's,
    /// when the person edited it. An earlier page, `shown`, is compared with `now`. `None` with fewer than two outputs.
    pub fn of(call: &Call, shown: Option<Page>, now: Page) -> Option<Self> {
        let versions: Vec<_> = call
            .attempts
            .iter()
            .flat_map(|attempt| {
                (1..).zip(&attempt.versions).map(|(n, v)| (attempt.number, n, v.by.clone(), v.output.clone()))
            })
            .collect();
        let place = |page: Page| versions.iter().position(|(a, v, ..)| (*a, *v) == (page.attempt, page.version));
        let last = versions.len().checked_sub(1).filter(|last| *last > 0)?;
        let now = place(now).unwrap_or(last);
        let (with, at) = match shown.and_then(place).filter(|shown| *shown != now) {
            Some(shown) => (shown.min(now), shown.max(now)),
            None => (now.saturating_sub(1), now.max(1)),
        };
        let comparison = Comparison::of_values(&versions[with].3, &versions[at].3);
        Some(Self { versions, at, with, comparison, scroll: Scroll::at_start() })
    }

    /// Compares the version of a document that counts with another: the one that is shown instead, the one that is
    /// proposed, or else the one before it. `None` where there is no other.
    pub fn of_document(document: &Written, shown: Option<Page>) -> Option<Self> {
        let titled = document.versions.iter().any(|version| version.title != document.versions[0].title);
        let text = |version: &DocumentVersion| {
            let (title, body) = (version.title.data(), version.body.data());
            Arc::new(Value::String(if titled { format!("{title}\n\n{body}") } else { body.to_owned() }))
        };
        let versions: Vec<_> =
            (1..).zip(&document.versions).map(|(number, v)| (0, number, v.by.clone(), text(v))).collect();
        let (counts, _) = document.current()?;
        let proposed = document.gate.as_ref().map(|gate| gate.version);
        let before = if counts > 1 { counts - 1 } else { 2 };
        let other = shown.map(|page| page.version).or(proposed).unwrap_or(before);
        let place = |number: u32| (number as usize).checked_sub(1);
        let (with, at) = (place(counts.min(other))?, place(counts.max(other))?);
        let comparison = Comparison::of_values(&versions.get(with)?.3, &versions.get(at)?.3);
        (with < at).then_some(Self { versions, at, with, comparison, scroll: Scroll::at_start() })
    }

    /// The version before or after, each with the one before it.
    pub fn step(&mut self, by: isize) {
        let at = self.at.saturating_add_signed(by).clamp(1, self.versions.len() - 1);
        self.pair(at - 1, at);
    }

    /// Compares with an earlier or a later one than before.
    pub fn against(&mut self, by: isize) {
        self.pair(self.with.saturating_add_signed(by).min(self.at - 1), self.at);
    }

    fn pair(&mut self, with: usize, at: usize) {
        if (with, at) != (self.with, self.at) {
            (self.with, self.at) = (with, at);
            self.comparison = Comparison::of_values(&self.versions[with].3, &self.versions[at].3);
            self.scroll = Scroll::at_start();
        }
    }

    /// The same over the whole screen: `name` says of what.
    pub fn over_the_screen(&self, name: &str) -> Compared {
        let text = |at: usize| printed(&self.versions[at].3);
        let title = format!("{} · {name}", self.title());
        Compared::new(&title, vec![(self.title(), text(self.with), text(self.at))])
    }

    /// What is compared with what.
    pub fn title(&self) -> String {
        let name = |at: usize| {
            let (attempt, version, by, _) = &self.versions[at];
            let by = if by.is_person() { "mine" } else { by.as_str() };
            if *attempt == 0 {
                format!("version {version} ({by})")
            } else if *version > 1 {
                format!("attempt {attempt}, version {version} ({by})")
            } else {
                format!("attempt {attempt} ({by})")
            }
        };
        format!("{} → {}", name(self.with), name(self.at))
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
