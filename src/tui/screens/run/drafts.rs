//! What was typed over a run and not given: an edit, an instruction. It is kept, and said where it can be taken up again.

use super::edit::{draft_name, fields_draft, line_draft};
use super::layer::Over;
use super::result::{DOCUMENT, result_draft};
use super::retry;
use super::{Note, RunScreen};
use crate::core::gate::GateKind;
use crate::tui::commands::Id;
use crate::tui::diff::printed;
use crate::tui::drafts::{Slot, Unsaved};
use crate::tui::effect::Effect;
use crate::tui::shown::ShownGate;

impl RunScreen {
    /// What was typed and not given.
    #[must_use]
    pub fn unsaved(&self) -> Vec<Unsaved> {
        let of = |name, text| Unsaved::of_run(self.run.id, name, text);
        match &self.over {
            Over::Edit { gate, editor, json, .. } => {
                let output = self.output_seen(gate);
                let before = if *json { format!("{output:#}") } else { printed(&output).data().to_owned() };
                vec![of(draft_name(gate), Some(editor.text()).filter(|text| *text != before))]
            }
            Over::Result { version, editor } => {
                let document = self.run.documents.get(DOCUMENT);
                let written = document.and_then(|document| document.versions.get(version.saturating_sub(1) as usize));
                let text = Some(editor.text()).filter(|text| written.is_none_or(|seen| seen.body.data() != text));
                vec![of(result_draft(*version), text)]
            }
            Over::Fields { gate, tree } => {
                let changed = *tree.value() != *self.output_seen(gate);
                vec![
                    of(draft_name(gate), changed.then(|| tree.value().to_string())),
                    of(fields_draft(gate), tree.unfinished()),
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
    pub(super) fn draft(&mut self, name: String, text: String) -> bool {
        self.drafts.insert(name.clone(), text);
        let Some(gate) = self.content.gate.as_ref().filter(|gate| gate.kind == GateKind::Review) else { return false };
        let says = if name == draft_name(gate) || name == fields_draft(gate) || name == line_draft(gate) {
            kept("edit", Id::Edit)
        } else if name == retry::draft_name(&gate.key) {
            kept("instruction", Id::Retry)
        } else {
            return false;
        };
        self.note = Some(Note::Done(says));
        true
    }

    /// The output that was seen when an edit began.
    pub(super) fn output_seen(&self, gate: &ShownGate) -> std::sync::Arc<serde_json::Value> {
        let attempt = self.run.call(&gate.key).and_then(|call| call.attempt(gate.attempt));
        let seen = attempt.and_then(|attempt| attempt.versions.get(gate.version.saturating_sub(1) as usize));
        seen.map(|version| std::sync::Arc::clone(&version.output)).unwrap_or_default()
    }
}

fn kept(what: &str, id: Id) -> String {
    let key = crate::tui::commands::key_of(id);
    format!("your unsaved {what} is here: {key} opens it")
}
