//! Editing the output of a call in place: as a text, as a tree of fields, or as raw JSON. What cannot be saved says why
//! and is kept.

use std::sync::Arc;

use serde_json::Value;

use super::layer::Over;
use super::{Note, RunScreen};
use crate::core::decide::DecisionKind;
use crate::core::gate::{Gate, GateKind};
use crate::core::schema;
use crate::tui::commands::Id;
use crate::tui::diff::printed;
use crate::tui::effect::{Change, Effect, Purpose, Terminal};
use crate::tui::layers::ask::decision;
use crate::tui::shown::ShownGate;
use crate::tui::widgets::editor::Editor;
use crate::tui::widgets::line::LineInput;
use crate::tui::widgets::tree_editor::{self, TreeEditor};

impl RunScreen {
    pub(super) fn edit(&mut self) -> Vec<Effect> {
        let Some(gate) = self.seen_gate(GateKind::Review) else { return self.changed_meanwhile() };
        self.open_editor(gate);
        Vec::new()
    }

    /// Edits what was on screen elsewhere. False when something else waits now.
    pub fn edit_seen(&mut self, gate: ShownGate) -> bool {
        let waits = self.content.gate.as_ref() == Some(&gate);
        if waits {
            self.open_editor(gate);
        } else {
            self.changed_meanwhile();
        }
        waits
    }

    fn open_editor(&mut self, gate: ShownGate) {
        let Some(call) = self.run.call(&gate.key) else { return };
        let versions = call.attempt(gate.attempt).map(|attempt| &attempt.versions);
        let seen = versions.and_then(|versions| versions.get(gate.version.saturating_sub(1) as usize));
        let output = seen.map(|version| Arc::clone(&version.output)).unwrap_or_default();
        let schema = call.gates.of(gate.call).and_then(Gate::schema).cloned();
        let draft = self.drafts.get(&draft_name(&gate)).cloned();
        self.over = match (&*output, draft) {
            (Value::String(_), draft) => {
                let text = draft.unwrap_or_else(|| printed(&output).data().to_owned());
                Over::Edit { gate, editor: Box::new(Editor::new(&text)), json: false, problem: None }
            }
            (_, Some(draft)) => match serde_json::from_str(&draft) {
                Ok(value) => Over::Fields { gate, tree: Box::new(TreeEditor::new(value, schema)) },
                Err(_) => Over::Edit { gate, editor: Box::new(Editor::new(&draft)), json: true, problem: None },
            },
            (value, None) => Over::Fields { gate, tree: Box::new(TreeEditor::new(value.clone(), schema)) },
        };
    }

    pub(super) fn save(&mut self, accept: bool) -> Vec<Effect> {
        let (gate, output) = match &mut self.over {
            Over::Edit { gate, editor, json, problem } => {
                let text = editor.text();
                if *json {
                    match crate::core::json::parse(&text) {
                        Ok(value) => (gate.clone(), value),
                        Err(error) => {
                            *problem = Some(format!("not JSON: {error}"));
                            return Vec::new();
                        }
                    }
                } else {
                    (gate.clone(), Value::String(text))
                }
            }
            Over::Fields { gate, tree } => (gate.clone(), tree.value().clone()),
            Over::Document { .. } => return self.save_document(),
            _ => return Vec::new(),
        };
        let wanted = self.run.call(&gate.key).and_then(|call| call.gates.of(gate.call)?.schema());
        if let Some(why) = wanted.and_then(|wanted| schema::validate(wanted, &output).err()) {
            match &mut self.over {
                Over::Edit { problem, .. } => *problem = Some(why),
                _ => self.note = Some(Note::Failed(why)),
            }
            return Vec::new();
        }
        self.over = Over::None;
        let name = draft_name(&gate);
        self.drafts.remove(&name);
        self.following = accept;
        vec![
            decision(&gate, DecisionKind::Edit { output, accept }),
            Effect::Change(Change::KeepDraft { run: self.run.id, name, text: None }),
        ]
    }

    pub(super) fn external(&mut self) -> Vec<Effect> {
        let (text, extension) = match &self.over {
            Over::Edit { editor, json, .. } => (editor.text(), if *json { "json" } else { "md" }),
            Over::Fields { tree, .. } => (format!("{:#}", tree.value()), "json"),
            Over::Retry(retry) => (retry.input.value(), "md"),
            Over::Document { editor, .. } => (editor.text(), "md"),
            _ => return Vec::new(),
        };
        vec![Effect::Terminal(Terminal::OpenEditor { purpose: Purpose::Layer, text, extension })]
    }

    /// A text came back from `$EDITOR`.
    pub(super) fn edited(&mut self, text: &str) {
        let schema =
            |gate: &ShownGate| self.run.call(&gate.key).and_then(|call| call.gates.of(gate.call)?.schema().cloned());
        match &mut self.over {
            Over::Edit { editor, problem, .. } => {
                **editor = Editor::new(text);
                *problem = None;
            }
            Over::Fields { gate, tree } => {
                let schema = schema(gate);
                match crate::core::json::parse(text) {
                    Ok(value) => **tree = TreeEditor::new(value, schema),
                    Err(error) => {
                        let problem = Some(format!("not JSON: {error}"));
                        let editor = Box::new(Editor::new(text));
                        self.over = Over::Edit { gate: gate.clone(), editor, json: true, problem };
                    }
                }
            }
            Over::Document { editor, .. } => **editor = Editor::new(text),
            Over::Retry(retry) => retry.input = LineInput::new(text),
            _ => {}
        }
    }

    pub(super) fn change_field(&mut self, id: Id) {
        let Over::Fields { gate, tree } = &mut self.over else { return };
        match id {
            Id::FieldEdit => tree.change(tree_editor::Change::Edit),
            Id::FieldAdd => tree.change(tree_editor::Change::Add),
            Id::FieldRemove => tree.change(tree_editor::Change::Remove),
            Id::FieldUp => tree.change(tree_editor::Change::Move(-1)),
            Id::FieldDown => tree.change(tree_editor::Change::Move(1)),
            _ => {
                let editor = Box::new(Editor::new(&format!("{:#}", tree.value())));
                self.over = Over::Edit { gate: gate.clone(), editor, json: true, problem: None };
            }
        }
    }
}

/// A draft belongs to the attempt that it was made from.
pub(super) fn draft_name(gate: &ShownGate) -> String {
    format!("edit {} {}", gate.key, gate.attempt)
}
