//! The result of a run and its other documents: their versions as pages, edited and taken by the person, and what is to be
//! known when the steps give another text than the one that was edited.
//!
//! As with a call, the page that is shown without paging is the version that counts or, where the steps give another text
//! than the one that was edited, the question about that. Any other is *earlier*, and what waits is then not on screen.

use super::layer::Over;
use super::pages::Paged;
use super::rows::RowId;
use super::{Note, RunScreen};
use crate::core::document::{Document, RESULT};
use crate::core::gate::{Gate, GateBody};
use crate::core::run::Run;
use crate::tui::documents::{EditedDocument, taking};
use crate::tui::effect::{Change, Effect};
use crate::tui::layers::{Above, Choose, Kind, OwnWords, picks};
use crate::tui::shown::Page;
use crate::tui::versions::Compare;
use crate::tui::widgets::editor::Editor;

impl RowId {
    /// The row of a document.
    #[must_use]
    pub fn of_document(name: &str) -> Self {
        if name == RESULT { Self::Result } else { Self::Document(name.to_owned()) }
    }

    /// The document that a row is of.
    #[must_use]
    pub fn document(&self) -> Option<&str> {
        match self {
            Self::Result => Some(RESULT),
            Self::Document(name) => Some(name),
            Self::Group(_) | Self::Call(_) | Self::Step(_) => None,
        }
    }
}

/// What is said before an accepted call is reopened: of each document that the person has edited.
pub(super) fn edited(run: &Run) -> Vec<String> {
    let edited = run.documents.values().filter(|document| document.is_edited());
    edited
        .map(|document| {
            let what = if document.name == RESULT { "the Result" } else { document.name.as_str() };
            let who = match document.current() {
                Some((_, written)) if written.by.is_person() && written.action.is_none() => "You edited",
                _ => "You had a change made to",
            };
            format!(
                "{who} {what}. Your version stays; if its steps give another text, you choose: keep yours, or rebuild."
            )
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

impl RunScreen {
    /// The document of the selected row.
    pub(super) fn document(&self) -> Option<&Document> {
        self.run.documents.get(self.selected_row()?.id.document()?)
    }

    pub(super) fn is_on_document(&self) -> bool {
        self.selected_row().is_some_and(|row| row.id.document().is_some())
    }

    pub(super) fn is_on_result(&self) -> bool {
        self.selected_row().is_some_and(|row| row.id == RowId::Result)
    }

    /// What waits with the selected document.
    pub(super) fn gate_of_document(&self) -> Option<&Gate> {
        self.document()?.gate.as_ref()
    }

    /// Compares the version that is shown with the one that counts, else that with the one before it.
    pub(super) fn compare_document(&mut self) {
        let shown = self.content.earlier.map(|earlier| earlier.page);
        match self.document().and_then(|document| Compare::of_document(document, shown)) {
            Some(compare) => self.over = Over::Compare(Box::new(compare)),
            None => self.note = Some(Note::Failed("there is no other version to compare it with".to_owned())),
        }
    }

    /// Takes the version that is on screen.
    pub(super) fn take_version(&mut self, page: Page) -> Vec<Effect> {
        let seen = self.content.id.is_some() && self.last_frame.content == self.content.id;
        let taking =
            self.document().filter(|_| seen).and_then(|document| taking(&self.run, &document.name, page.version));
        let Some(effect) = taking else { return self.changed_meanwhile() };
        (self.reports, self.paged) = (true, None);
        self.show();
        vec![effect]
    }

    /// The choice of what is to be made of the result: what the definition has, or what the person says.
    pub(super) fn change_result(&mut self) -> Vec<Effect> {
        let entries = self.task.as_deref().map(|task| picks::actions(task, &self.run, RESULT)).unwrap_or_default();
        let counts = self.run.documents.get(RESULT).and_then(Document::current).map(|(version, _)| version);
        let Some(version) = counts else {
            self.note = Some(Note::Failed("there is no text to change yet".to_owned()));
            return Vec::new();
        };
        let title =
            if entries.is_empty() { "What is to change? Type it" } else { "What is to change? Pick it, or type it" };
        let own = OwnWords::Act(self.run.id, RESULT.to_owned(), version);
        vec![Above::effect(Kind::Choose(Choose::new(title, entries).or_own_words(own)))]
    }

    /// Edits a version of the result that was seen elsewhere. False when there is none.
    pub fn edit_result(&mut self, version: u32) -> bool {
        self.filter = None;
        self.refresh();
        let Some(at) = self.rows.iter().position(|row| row.id == RowId::Result) else { return false };
        self.following = false;
        self.list.select(at, self.rows.len(), self.last_frame.list);
        self.paged = Some(Paged { row: RowId::Result, page: Page { attempt: 0, version } });
        self.show();
        self.edit_document();
        matches!(self.over, Over::Document { .. })
    }

    pub(super) fn edit_document(&mut self) -> Vec<Effect> {
        let shown = self.content.earlier.map(|earlier| earlier.page);
        let edited = self.document().map(|document| EditedDocument::new(&self.run, &document.name, shown));
        let text = edited.as_ref().and_then(|edited| {
            let written = edited.made_from(&self.run)?.body.data();
            Some(self.drafts.get(edited.draft()).map_or(written, String::as_str))
        });
        let Some((edited, text)) = edited.zip(text) else {
            self.note = Some(Note::Failed("there is no text to edit yet".to_owned()));
            return Vec::new();
        };
        let editor = Box::new(Editor::new(text));
        self.over = Over::Document { edited, editor };
        Vec::new()
    }

    pub(super) fn save_document(&mut self) -> Vec<Effect> {
        let Over::Document { edited, editor } = std::mem::take(&mut self.over) else { return Vec::new() };
        let (run, name) = (self.run.id, edited.draft().to_owned());
        self.drafts.remove(&name);
        (self.reports, self.paged) = (true, None);
        self.show();
        let saved = edited.saved(&self.run, editor.text());
        vec![Effect::Change(saved), Effect::Change(Change::KeepDraft { run, name, text: None })]
    }
}
