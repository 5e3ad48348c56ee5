//! What was typed over a run and not given: an edit, an instruction. It is kept, and said where it can be taken up again.

use super::edit::Edited;
use super::layer::Over;
use super::retry;
use super::{Note, RunScreen, documents};
use crate::core::gate::GateKind;
use crate::tui::commands::{Id, key_in};
use crate::tui::diff::printed;
use crate::tui::drafts::{self, Slot, Unsaved};
use crate::tui::effect::Effect;
use crate::tui::shown::Target;
use crate::tui::situation::{Screen, Selected, Situation};
use crate::tui::widgets::editor::Editor;
use crate::tui::widgets::line::LineInput;
use crate::tui::widgets::tree_editor::TreeEditor;

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
            Over::Document { edited, editor } => {
                let written = edited.made_from(&self.run);
                let text = Some(editor.text()).filter(|text| written.is_none_or(|seen| seen.body.data() != text));
                vec![of(edited.draft(), text)]
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
            Over::Ask { input, then, .. } => {
                let text = Some(input.value()).filter(|text| !text.is_empty());
                then.draft().map(|name| of(name, text)).into_iter().collect()
            }
            Over::None | Over::Filter | Over::Compare(_) | Over::Prompt { .. } | Over::Confirm { .. } => Vec::new(),
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
        let document = self.document().filter(|document| document.gate.is_none());
        if document.is_some_and(|document| {
            name == drafts::of_document(self.run.kind, &document.name, documents::current(document).version)
        }) {
            self.note = Some(Note::Done(kept("edit", Id::Edit, Selected::Document)));
            return true;
        }
        if let Some(gate) = self.content.gate.as_ref().filter(|gate| gate.draft().as_deref() == Some(name)) {
            let (what, id) =
                if gate.kind == GateKind::Approval { ("reason", Id::Deny) } else { ("result", Id::Worked) };
            self.note = Some(Note::Done(kept(what, id, Selected::Gate(gate.kind))));
            return true;
        }
        let Some(gate) = self.content.gate.as_ref().filter(|gate| gate.kind == GateKind::Review) else { return false };
        let edited = Edited::new(Target::Gate(gate.clone()), None);
        let says = if name == edited.draft || name == edited.fields_draft() || name == edited.line_draft() {
            kept("edit", Id::Edit, Selected::Gate(GateKind::Review))
        } else if name == retry::draft_name(&gate.key) {
            kept("instruction", Id::Retry, Selected::Gate(GateKind::Review))
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
        if !self.unsaved().iter().any(|unsaved| unsaved.is_untouched(name)) {
            return false;
        }
        match &mut self.over {
            Over::Fields { edited, tree } if edited.draft == name => {
                let Ok(value) = serde_json::from_str(text) else { return false };
                **tree = TreeEditor::new(value, edited.schema(&self.run).cloned());
            }
            Over::Edit { editor, .. } | Over::Document { editor, .. } => **editor = Editor::new(text),
            Over::Retry(retry) => retry.input = Editor::at_end(text),
            Over::Ask { input, .. } => *input = LineInput::new(text),
            _ => return false,
        }
        true
    }
}

/// Says that a text was found, and the key that opens it where that is selected.
fn kept(what: &str, id: Id, selected: Selected) -> String {
    let situation = Situation { screen: Screen::Run, selected, output: true, ..Situation::default() };
    let key = key_in(id, &situation).unwrap_or_default();
    format!("your unsaved {what} is here: {key} opens it")
}
