//! The result of a run, edited by the person: a version of its document, made from the one that was seen.

use super::layer::Over;
use super::rows::RowId;
use super::{Note, RunScreen};
use crate::tui::effect::{Change, Effect};
use crate::tui::widgets::editor::Editor;

/// The document that a run's result is.
pub(super) const DOCUMENT: &str = "result";

impl RunScreen {
    pub(super) fn is_on_result(&self) -> bool {
        self.selected_row().is_some_and(|row| row.id == RowId::Result)
    }

    pub(super) fn edit_result(&mut self) -> Vec<Effect> {
        let newest = self.run.documents.get(DOCUMENT).and_then(|document| document.newest());
        let Some((version, written)) = newest else {
            self.note = Some(Note::Failed("there is no result to edit yet".to_owned()));
            return Vec::new();
        };
        let draft = self.drafts.get(&result_draft(version));
        let text = draft.map_or(written.body.data(), String::as_str);
        self.over = Over::Result { version, editor: Box::new(Editor::new(text)) };
        Vec::new()
    }

    pub(super) fn save_result(&mut self) -> Vec<Effect> {
        let Over::Result { version, editor } = std::mem::take(&mut self.over) else { return Vec::new() };
        let newest = self.run.documents.get(DOCUMENT).and_then(|document| document.newest());
        let title = newest.map(|(_, written)| written.title.data().to_owned()).unwrap_or_default();
        let name = result_draft(version);
        self.drafts.remove(&name);
        let (run, body) = (self.run.id, editor.text());
        vec![
            Effect::Change(Change::EditDocument { run, name: DOCUMENT.to_owned(), version, title, body }),
            Effect::Change(Change::KeepDraft { run, name, text: None }),
        ]
    }
}

/// A draft belongs to the version that it was made from.
pub(super) fn result_draft(version: u32) -> String {
    format!("result {version}")
}
