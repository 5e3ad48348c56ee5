//! What was typed over a run and not given: an edit, an instruction. It is kept, and said where it can be taken up again.

use super::edit::Edited;
use super::layer::Over;
use super::result::{DOCUMENT, result_draft};
use super::retry;
use super::{Note, RunScreen};
use crate::core::gate::GateKind;
use crate::tui::commands::Id;
use crate::tui::diff::printed;
use crate::tui::drafts::{Slot, Unsaved};
use crate::tui::effect::Effect;
use crate::tui::shown::Target;
use crate::tui::widgets::editor::Editor;

impl RunScreen {
    /// What was typed and not given.
    #[must_use]
    pub fn unsaved(&self) -> Vec<Unsaved> {
        let of = |name, text| Unsaved::of_run(self.run.id, name, text);
        match &self.over {
            Over::Edit { edited, editor, json, .. } => {
                let output = &*edited.before;
                let before = if *json { format!("{output:#}") } else { printed(output).data().to_owned() };
                vec![of(edited.draft.clone(), Some(editor.text()).filter(|text| *text != before))]
            }
            Over::Result { version, editor } => {
                let document = self.run.documents.get(DOCUMENT);
                let written = document.and_then(|document| document.versions.get(version.saturating_sub(1) as usize));
                let text = Some(editor.text()).filter(|text| written.is_none_or(|seen| seen.body.data() != text));
                vec![of(result_draft(*version), text)]
            }
            Over::Fields { edited, tree } => {
                let changed = *tree.value() != *edited.before;
                vec![
                    of(edited.draft.clone(), changed.then(|| tree.value().to_string())),
                    of(edited.fields_draft(), tree.unfinished()),
                ]
            }
            Over::Retry(retry) => {
                let (name, text) = retry.unsaved();
                vec![of(name, text)]
            }
            Over::None
            | Over::Filter
            | Over::Compare(_)
            | Over::Prompt { .. }
            | Over::Ask { .. }
            | Over::Confirm { .. } => Vec::new(),
        }
    }

    /// Keeps what was typed in a layer that is left.
    pub(super) fn keep(&mut self, unsaved: Vec<Unsaved>) -> Vec<Effect> {
        let mut effects = Vec::new();
        for unsaved in unsaved {
            let Slot::Run(_, name) = &unsaved.slot else { continue };
            let known = match &unsaved.text {
                Some(text) => {
                    self.note = Some(Note::Done("draft kept".to_owned()));
                    self.drafts.insert(name.clone(), text.clone());
                    true
                }
                None => self.drafts.remove(name).is_some(),
            };
            if known {
                effects.push(Effect::Change(unsaved.into()));
            }
        }
        effects
    }

    /// A draft was found. Gives whether it is said where it can be taken up again.
    pub(super) fn draft(&mut self, name: &str, text: String) -> bool {
        if self.fill(name, &text) {
            return true;
        }
        self.drafts.insert(name.to_owned(), text);
        let Some(gate) = self.content.gate.as_ref().filter(|gate| gate.kind == GateKind::Review) else { return false };
        let edited = Edited::new(Target::Gate(gate.clone()), None);
        let says = if name == edited.draft || name == edited.fields_draft() || name == edited.line_draft() {
            kept("edit", Id::Edit)
        } else if name == retry::draft_name(&gate.key) {
            kept("instruction", Id::Retry)
        } else {
            return false;
        };
        self.note = Some(Note::Done(says));
        true
    }
}

impl RunScreen {
    /// Puts a draft into the layer that it belongs to, where that was opened before the draft had come and nothing was
    /// typed since: what could not be decided comes back a moment later than the next key.
    fn fill(&mut self, name: &str, text: &str) -> bool {
        let here = |unsaved: &Unsaved| matches!(&unsaved.slot, Slot::Run(_, open) if open == name);
        if !self.unsaved().iter().any(|unsaved| unsaved.text.is_none() && here(unsaved)) {
            return false;
        }
        match &mut self.over {
            Over::Edit { editor, .. } | Over::Result { editor, .. } => **editor = Editor::new(text),
            Over::Retry(retry) => retry.input = Editor::at_end(text),
            _ => return false,
        }
        true
    }
}

fn kept(what: &str, id: Id) -> String {
    let key = crate::tui::commands::key_of(id);
    format!("your unsaved {what} is here: {key} opens it")
}
