//! The result of a run, edited by the person: a version of its document, made from the one that was seen.

use super::layer::{Compare, Over};
use super::rows::RowId;
use super::{Note, RunScreen};
use crate::core::document::{Document, RESULT};
use crate::core::gate::{Gate, GateBody};
use crate::core::run::Run;
use crate::tui::effect::{Change, Effect};
use crate::tui::layers::{Above, Choose, Kind, picks};
use crate::tui::widgets::editor::Editor;

/// The document that a run's result is.
pub(super) const DOCUMENT: &str = "result";

impl RunScreen {
    /// What waits with the result, if that is selected.
    pub(super) fn gate_of_result(&self) -> Option<&Gate> {
        self.run.documents.get(RESULT).filter(|_| self.is_on_result())?.gate.as_ref()
    }

    pub(super) fn compare_result(&mut self) {
        let document = self.run.documents.get(RESULT);
        if let Some(compare) = document.and_then(Compare::of_document) {
            self.over = Over::Compare(Box::new(compare));
        }
    }

    pub(super) fn is_on_result(&self) -> bool {
        self.selected_row().is_some_and(|row| row.id == RowId::Result)
    }

    /// The choice of what the definition has to be made of the result.
    pub(super) fn change_result(&mut self) -> Vec<Effect> {
        let entries = self.task.as_deref().map(|task| picks::actions(task, &self.run, RESULT)).unwrap_or_default();
        let choose = Choose::new("What is to change?", entries);
        if choose.is_empty() {
            self.note = Some(Note::Failed("this workflow declares no changes: e edits the result".to_owned()));
            return Vec::new();
        }
        vec![Above::effect(Kind::Choose(choose))]
    }

    pub(super) fn edit_result(&mut self) -> Vec<Effect> {
        let current = self.run.documents.get(RESULT).and_then(|document| document.current());
        let Some((version, written)) = current else {
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
        let current = self.run.documents.get(RESULT).and_then(|document| document.current());
        let title = current.map(|(_, written)| written.title.data().to_owned()).unwrap_or_default();
        let name = result_draft(version);
        self.drafts.remove(&name);
        let (run, body) = (self.run.id, editor.text());
        vec![
            Effect::Change(Change::EditDocument { run, name: RESULT.to_owned(), version, title, body }),
            Effect::Change(Change::KeepDraft { run, name, text: None }),
        ]
    }
}

/// What is said before an accepted call is reopened: of each document that the person has edited.
pub(super) fn edited(run: &Run) -> Vec<String> {
    let edited = run.documents.values().filter(|document| document.is_edited());
    edited
        .map(|document| {
            let what = if document.name == RESULT { "the Result" } else { document.name.as_str() };
            format!("You edited {what}. Your version stays; if its steps give another text, you choose: keep yours, or rebuild.")
        })
        .collect()
}

/// What is shown of a document that the person has edited when its steps give another text.
pub(super) fn stale(run: &Run, gate: &Gate) -> String {
    let document = gate.document().and_then(|name| run.documents.get(name));
    let (mine, text) =
        document.and_then(Document::current).map_or((0, ""), |(number, mine)| (number, mine.body.data()));
    let because: Vec<String> = match &gate.body {
        GateBody::Stale(stale) => stale.because.iter().map(|key| format!("`{key}`")).collect(),
        _ => Vec::new(),
    };
    let changed = if because.is_empty() { String::new() } else { format!(" ({} changed)", because.join(", ")) };
    format!(
        "Its steps give another text now{changed}, and you have edited this one.\n\n\
         - **K** keeps yours, version {mine}\n- **r** takes what the steps give, version {}\n- **d** compares the two\n\n\
         Yours:\n\n---\n\n{text}",
        gate.version
    )
}

/// A draft belongs to the version that it was made from.
pub(super) fn result_draft(version: u32) -> String {
    format!("result {version}")
}
