//! The result of a run and its other documents: their versions, edited and restored by the person, and what is to be
//! known when the steps give another text than the one that was edited.

use super::layer::{Compare, Over};
use super::rows::RowId;
use super::{Note, RunScreen};
use crate::core::document::{Document, RESULT};
use crate::core::gate::Gate;
use crate::core::run::Run;
use crate::tui::effect::{Change, Effect};
use crate::tui::widgets::editor::Editor;

impl RowId {
    /// The row of a document.
    pub fn named(name: &str) -> Self {
        if name == RESULT { Self::Result } else { Self::Document(name.to_owned()) }
    }

    /// The document that a row is of.
    pub fn document(&self) -> Option<&str> {
        match self {
            Self::Result => Some(RESULT),
            Self::Document(name) => Some(name),
            Self::Group(_) | Self::Call(_) | Self::Step(_) => None,
        }
    }
}

/// What is shown of a document that the person has edited when its steps give another text.
pub fn stale(document: &Document, gate: &Gate, because: &[String]) -> String {
    let (mine, text) =
        document.current().map_or((0, String::new()), |(number, version)| (number, version.body.data().to_owned()));
    let changed = if because.is_empty() { String::new() } else { format!(" ({} changed)", because.join(", ")) };
    format!(
        "Its steps give another text now{changed}, and you have edited this one.\n\n\
         - **K** keeps yours, version {mine}\n- **g** takes what the steps give, version {}\n- **d** compares the two\n\n\
         Yours:\n\n---\n\n{text}",
        gate.version
    )
}

/// What is said before an accepted call is reopened: of each document that the person has edited.
pub fn edited(run: &Run) -> Vec<String> {
    let edited = run.documents.values().filter(|document| document.is_edited());
    edited
        .map(|document| {
            let what = if document.name == RESULT { "the Result" } else { document.name.as_str() };
            format!("You edited {what}. Your version stays; if its steps give another text, you choose: keep yours, or rebuild.")
        })
        .collect()
}

impl RunScreen {
    /// The document of the selected row.
    pub(super) fn document(&self) -> Option<&Document> {
        self.run.documents.get(self.selected_row()?.id.document()?)
    }

    pub(super) fn is_on_document(&self) -> bool {
        self.selected_row().is_some_and(|row| row.id.document().is_some())
    }

    /// The version of the selected document that is shown: the one that counts, unless the person has paged to another.
    pub(super) fn shown_version(&self) -> Option<u32> {
        let document = self.document()?;
        let paged = self.paged.as_ref().filter(|(name, _)| *name == document.name && document.gate.is_none());
        paged.map(|(_, version)| *version).or_else(|| document.current().map(|(current, _)| current))
    }

    /// Whether the version that is shown is another than the one that counts.
    pub(super) fn is_paged(&self) -> bool {
        self.shown_version() != self.document().and_then(|document| Some(document.current()?.0))
    }

    /// The version before, or after, the one that is shown.
    pub(super) fn page(&mut self, by: i32) {
        let Some((document, shown)) = self.document().zip(self.shown_version()) else { return };
        if document.gate.is_none() {
            let to = shown.saturating_add_signed(by).clamp(1, document.count());
            self.paged = Some((document.name.clone(), to));
            self.show();
        }
    }

    pub(super) fn compare_document(&mut self) {
        let Some(document) = self.document() else { return };
        let pair = document.gate.as_ref().zip(document.current()).map(|(gate, (mine, _))| (mine, gate.version));
        if let Some(compare) = Compare::of_document(document, pair) {
            self.over = Over::Compare(Box::new(compare));
        }
    }

    /// Makes the version that is shown the one that counts.
    pub(super) fn restore(&mut self) -> Vec<Effect> {
        let Some((document, shown)) = self.document().zip(self.shown_version()) else { return Vec::new() };
        let (Some((current, _)), Some(version)) = (document.current(), document.version(shown)) else {
            return Vec::new();
        };
        let (title, body) = (version.title.data().to_owned(), version.body.data().to_owned());
        let (run, name) = (self.run.id, document.name.clone());
        self.paged = None;
        vec![Effect::Change(Change::EditDocument { run, name, version: current, title, body })]
    }

    pub(super) fn edit_document(&mut self) -> Vec<Effect> {
        let shown = self.document().zip(self.shown_version());
        let seen = shown.and_then(|(document, shown)| {
            Some((document.name.clone(), document.current()?.0, document.version(shown)?))
        });
        let Some((name, version, written)) = seen else {
            self.note = Some(Note::Failed("there is no result to edit yet".to_owned()));
            return Vec::new();
        };
        let draft = self.drafts.get(&document_draft(&name, version)).filter(|_| !self.is_paged());
        let text = draft.map_or(written.body.data(), String::as_str);
        let (title, editor) = (written.title.data().to_owned(), Box::new(Editor::new(text)));
        self.over = Over::Document { name, version, title, editor };
        Vec::new()
    }

    pub(super) fn save_document(&mut self) -> Vec<Effect> {
        let Over::Document { name, version, title, editor } = std::mem::take(&mut self.over) else { return Vec::new() };
        let draft = document_draft(&name, version);
        self.drafts.remove(&draft);
        self.paged = None;
        let (run, body) = (self.run.id, editor.text());
        vec![
            Effect::Change(Change::EditDocument { run, name, version, title, body }),
            Effect::Change(Change::KeepDraft { run, name: draft, text: None }),
        ]
    }
}

/// A draft belongs to the version that it was made from.
pub(super) fn document_draft(name: &str, version: u32) -> String {
    if name == RESULT { format!("result {version}") } else { format!("document {version} {name}") }
}
