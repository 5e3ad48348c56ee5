//! The document of a conversation: its versions, read, searched, compared, edited, taken and written first by the person.

use super::notice::{self, About};
use super::{ChatScreen, Focus};
use crate::core::decide::{Decision, DecisionKind};
use crate::core::document::{Document as Written, DocumentVersion, RESULT};
use crate::core::task::Kind as TaskKind;
use crate::tui::drafts;
use crate::tui::effect::{Change, Effect};
use crate::tui::layers::{Above, Ask, Kind, Then};
use crate::tui::screens::run::layer::Compare;
use crate::tui::shown::{ContentId, Page, Subject};
use crate::tui::widgets::editor::Editor;
use crate::tui::widgets::find::Find;
use crate::tui::widgets::scroll::Scroll;

/// The document as it was when an edit of it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edited {
    /// The version that the text was made from, 0 when there was none yet.
    pub(super) from: u32,
    /// The version that counted.
    pub(super) over: u32,
}

impl Edited {
    /// The name of its draft.
    pub(super) fn draft(self) -> String {
        drafts::of_document(TaskKind::Instruct, RESULT, self.from)
    }
}

impl ChatScreen {
    pub(super) fn written(&self) -> Option<&Written> {
        self.run.documents.get(RESULT)
    }

    /// The version that is shown, and its number.
    pub(super) fn shown(&self) -> Option<(u32, &DocumentVersion)> {
        let written = self.written()?;
        let at = self.version.unwrap_or(usize::MAX).min(written.versions.len().checked_sub(1)?);
        Some((u32::try_from(at).unwrap_or(u32::MAX).saturating_add(1), written.versions.get(at)?))
    }

    /// What the shown text of the document is of.
    pub(super) fn shown_id(&self) -> Option<ContentId> {
        let (version, _) = self.shown()?;
        let document = Subject::Document(RESULT.to_owned());
        Some(ContentId { version, ..ContentId::of_run(self.run.id, document, 0) })
    }

    pub(super) fn browse(&mut self, by: isize) {
        let Some(count) = self.written().map(|written| written.versions.len()) else { return };
        let at = self.version.unwrap_or(usize::MAX).min(count.saturating_sub(1)).saturating_add_signed(by);
        self.version = (at + 1 < count).then_some(at);
        self.page = Scroll::at_start();
        self.show();
    }

    /// Compares the shown version with the newest, else that with the one before.
    pub(super) fn compare(&self) -> Vec<Effect> {
        let Some((written, (version, shown))) = self.written().zip(self.shown()) else { return Vec::new() };
        let counts = written.current().map(|(number, _)| number);
        let earlier = Some(Page { attempt: 0, version }).filter(|_| counts != Some(version));
        let compare = Compare::of_document(written, earlier);
        let compared = compare.map(|compare| compare.over_the_screen(&shown.title.line()));
        compared.map(|compared| Above::effect(Kind::Compare(compared))).into_iter().collect()
    }

    /// Types into the line of the search, if it has the keys.
    pub(super) fn types_search(&mut self, types: impl FnOnce(&mut Find)) {
        if Find::types(&mut self.search, types) {
            self.show_match();
        }
    }

    /// Scrolls to the match that is looked at.
    pub(super) fn show_match(&mut self) {
        Find::scroll(self.search.as_ref(), Some(&self.body), &mut self.page, self.last_frame.output);
    }

    /// Edits a version of the document that was seen elsewhere. False when there is none.
    pub fn edit_version(&mut self, version: u32) -> bool {
        self.version = (version as usize).checked_sub(1);
        self.show();
        self.edit();
        matches!(self.focus, Focus::Edit(..))
    }

    /// Edits the version that is shown; where nothing was delivered yet, the person writes the first, beginning with what
    /// had arrived.
    pub(super) fn edit(&mut self) {
        let over = self.written().and_then(Written::current).map_or(0, |(number, _)| number);
        let (from, text) = match self.shown() {
            Some((version, shown)) => (version, shown.body.data().to_owned()),
            None if !self.may_be_written() => return,
            None if self.run.under_way() > 0 => {
                self.note = Some("still answering: Esc in the conversation stops it".to_owned());
                return;
            }
            None => (0, notice::begun(&self.run).map(|begun| begun.data().to_owned()).unwrap_or_default()),
        };
        let edited = Edited { from, over };
        let text = self.drafts.get(&edited.draft()).cloned().unwrap_or(text);
        (self.search, self.focus) = (None, Focus::Edit(edited, Box::new(Editor::new(&text))));
    }

    /// Keeps what was typed as a version. With `accept` the first version answers what the model still asked for.
    pub(super) fn save(&mut self, accept: bool) -> Vec<Effect> {
        let Focus::Edit(edited, editor) = std::mem::replace(&mut self.focus, Focus::Document) else {
            return Vec::new();
        };
        let name = edited.draft();
        self.drafts.remove(&name);
        let mut effects = match edited.over {
            0 => self.write_first(editor.text(), accept),
            over => self.write(over, editor.text()),
        };
        effects.push(Effect::Change(Change::KeepDraft { run: self.run.id, name, text: None }));
        effects
    }

    /// The first version of the document by the person. An answer that failed is left out: this stands in for it.
    pub(super) fn write_first(&self, text: String, accept: bool) -> Vec<Effect> {
        let Some(call) = notice::newest(&self.run) else { return Vec::new() };
        let failed = self.notice.as_ref().is_some_and(|notice| notice.about == About::Failed);
        let kind = DecisionKind::Edit { output: text.into(), accept: accept || failed };
        let run = self.run.id;
        let decision = match call.gates.own() {
            Some(gate) => Decision::about_seen(&self.run, gate, kind),
            None => Decision::new(call.key.clone(), kind),
        };
        vec![Effect::Change(Change::WriteDocument(run, decision))]
    }

    pub(super) fn restore(&mut self) -> Vec<Effect> {
        let Some(body) = self.shown().map(|(_, shown)| shown.body.data().to_owned()) else { return Vec::new() };
        let current = self.written().and_then(Written::current).map_or(0, |(number, _)| number);
        self.write(current, body)
    }

    pub(super) fn write(&mut self, version: u32, body: String) -> Vec<Effect> {
        let title = self.shown().map(|(_, shown)| shown.title.data().to_owned()).unwrap_or_default();
        self.version = None;
        self.show();
        vec![Effect::Change(Change::EditDocument { run: self.run.id, name: RESULT.to_owned(), version, title, body })]
    }

    /// Asks where the shown version is to be written to.
    pub(super) fn write_file(&self) -> Vec<Effect> {
        let then = Then::WriteFile(self.body.raw().clone());
        vec![Above::effect(Kind::Ask(Ask::new("Write it to", &format!("{}.md", self.run.task), then)))]
    }
}
