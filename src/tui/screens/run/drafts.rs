//! What was typed over a run and not given: an edit, an instruction. It is kept, and said where it can be taken up again.

use super::edit::Edited;
use super::layer::Over;
use super::rows::RowId;
use super::{Note, RunScreen};
use crate::core::document::RESULT;
use crate::core::gate::GateKind;
use crate::core::text::Untrusted;
use crate::tui::commands::{Id, key_in};
use crate::tui::diff::{editable, printed};
use crate::tui::documents::says_found;
use crate::tui::drafts::{self, Slot, Unsaved};
use crate::tui::effect::Effect;
use crate::tui::shown::{ShownGate, Target};
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
                let before = if *json { editable(output) } else { printed(output).data().to_owned() };
                vec![of(edited.draft.clone(), Some(editor.text()).filter(|text| *text != before))]
            }
            Over::Document { edited, editor } => {
                vec![edited.unsaved(&self.run, editor.text())]
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
            Over::None
            | Over::Filter
            | Over::Compare(_)
            | Over::Prompt { .. }
            | Over::Calls(_)
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
        let says = self.says_of_document(name).or_else(|| self.says_of_call(name));
        let found = says.is_some();
        if let Some(says) = says {
            // Where the text is comes after why it was refused.
            self.note = Some(match self.note.take() {
                Some(Note::Failed(why)) => Note::Failed(format!("{why} · {says}")),
                _ => Note::Done(says),
            });
        }
        found
    }

    /// What is said of an edit of a document, of whichever version.
    fn says_of_document(&self, draft: &str) -> Option<String> {
        let (name, version) = drafts::document_of(draft)?;
        let document = self.run.documents.get(name)?;
        document.version(version)?;
        let key = key_of(Id::Edit, Selected::Document);
        if self.document().is_none_or(|selected| selected.name != name) {
            let name = if name == RESULT { "the Result" } else { name };
            let name = Untrusted::from(name).line().into_owned();
            return Some(format!("your unsaved edit of {name} is here: go to its row, then {key}"));
        }
        let shown = self.content.id.as_ref().map_or(0, |id| id.version);
        // What is asked about a document has to be answered before the version that counts is edited.
        let asked = self.content.gate.is_some() && version == shown;
        (!asked).then(|| says_found(version, shown, None, &key))
    }

    /// What is said of a text about the selected call.
    fn says_of_call(&self, name: &str) -> Option<String> {
        let gate = self.content.gate.as_ref()?;
        let target = Target::Gate(gate.clone());
        let edited = Edited::new(target.clone(), None);
        let of_edit = name == edited.draft || name == edited.fields_draft() || name == edited.line_draft();
        let (what, id) = match gate.kind {
            GateKind::Approval | GateKind::Tools if name == drafts::of_refusal(gate) => ("reason", Id::Deny),
            GateKind::Approval if name == drafts::of_result(gate) => ("answer in its place", Id::AnswerForTool),
            GateKind::Approval if of_edit => ("edit of the arguments", Id::Edit),
            GateKind::InDoubt if name == drafts::of_result(gate) => ("result", Id::Worked),
            GateKind::Review if of_edit => ("edit", Id::Edit),
            GateKind::Review if name == drafts::of_instruction(&gate.key) => ("instruction", Id::Retry),
            GateKind::Review => {
                let (page, key) = (edited.page_of(name)?, key_at(Id::Edit, gate));
                return Some(format!("your unsaved edit of attempt {} is here: ← to it, then {key}", page.attempt));
            }
            _ => return None,
        };
        Some(format!("your unsaved {what} is here: {} opens it", key_at(id, gate)))
    }

    /// Whether a text about a row was begun that can be taken up there.
    pub(super) fn has_draft(&self, row: &RowId) -> bool {
        let mut begun = self.drafts.iter().filter(|(_, text)| !text.is_empty()).map(|(name, _)| name);
        match row {
            RowId::Call(key) => {
                let gates = self.run.call(key).into_iter().flat_map(|call| call.gates.iter());
                let open: Vec<String> = gates.flat_map(|gate| answers(&ShownGate::of(&self.run, gate))).collect();
                begun.any(|name| drafts::is_about(name, key) && (!drafts::answers_a_gate(name) || open.contains(name)))
            }
            RowId::Result | RowId::Document(_) => {
                begun.any(|name| drafts::document_of(name).map(|(of, _)| of) == row.document())
            }
            RowId::Group(_) | RowId::Step(_) => false,
        }
    }
}

/// The drafts that can be opened while that waits.
fn answers(gate: &ShownGate) -> Vec<String> {
    let target = Target::Gate(gate.clone());
    let edit = drafts::of_edit(&target);
    let fields = drafts::of_fields(&edit);
    let mut names = vec![edit, fields, drafts::of_line(&target)];
    match gate.kind {
        GateKind::Approval => names.extend([drafts::of_refusal(gate), drafts::of_result(gate)]),
        GateKind::Tools => names.push(drafts::of_refusal(gate)),
        GateKind::InDoubt => names.push(drafts::of_result(gate)),
        _ => names.push(drafts::of_form(gate)),
    }
    names
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

fn key_of(id: Id, selected: Selected) -> String {
    let situation = Situation { screen: Screen::Run, selected, output: true, ..Situation::default() };
    key_in(id, &situation).unwrap_or_default()
}

/// The key that opens it where that waits.
fn key_at(id: Id, gate: &ShownGate) -> String {
    let (selected, by_model) = (Selected::Gate(gate.kind), gate.call.is_some());
    let situation = Situation { screen: Screen::Run, selected, output: true, by_model, ..Situation::default() };
    key_in(id, &situation).unwrap_or_default()
}
