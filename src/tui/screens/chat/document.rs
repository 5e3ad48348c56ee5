//! The document of a conversation: its versions, read, searched, compared, edited, taken and written first by the person.

use super::notice::{self, About};
use super::{ChatScreen, Focus, STILL};
use crate::core::decide::{Decision, DecisionKind};
use crate::core::document::{Document as Written, DocumentVersion, RESULT};
use crate::tui::documents::{self, EditedDocument, says_found, unsaved_edits};
use crate::tui::drafts;
use crate::tui::effect::{Change, Effect};
use crate::tui::layers::{Above, Ask, Compared, Kind};
use crate::tui::screens::run::pages;
use crate::tui::shown::{ContentId, Page, Subject};
use crate::tui::versions::Compare;
use crate::tui::widgets::editor::Editor;
use crate::tui::widgets::find::Find;
use crate::tui::widgets::scroll::Scroll;

impl ChatScreen {
    pub(super) fn written(&self) -> Option<&Written> {
        self.run.documents.get(RESULT)
    }

    /// The page that is shown: the one that the person has gone to, else the version that counts.
    fn page(&self) -> Option<Page> {
        let written = self.written()?;
        let paged = self.paged.filter(|paged| written.version(paged.version).is_some());
        Some(paged.unwrap_or_else(|| documents::current(written)))
    }

    /// Whether another version is shown than the one that counts.
    pub(super) fn is_earlier(&self) -> bool {
        self.written().is_some_and(|written| self.page() != Some(documents::current(written)))
    }

    /// The version that is shown, and its number.
    pub(super) fn shown(&self) -> Option<(u32, &DocumentVersion)> {
        let version = self.page()?.version;
        Some((version, self.written()?.version(version)?))
    }

    /// What is said of the version that is shown: which of how many it is, then what else there is to know.
    pub(super) fn says_version(&self, as_written: bool) -> Vec<String> {
        let Some((written, page)) = self.written().zip(self.page()) else { return Vec::new() };
        let mut says = vec![documents::which(written, page)];
        let drafts = self.unsaved_edits();
        if drafts == [page.version] {
            says.push("draft".to_owned());
        } else if !drafts.is_empty() {
            let drafts: Vec<String> = drafts.iter().map(u32::to_string).collect();
            says.push(format!("draft of {}", drafts.join(", ")));
        }
        says.extend(as_written.then(|| "as written".to_owned()));
        says
    }

    /// Which version of how many is shown, where there is little room.
    pub(super) fn short_version(&self) -> String {
        let shown = self.written().zip(self.page());
        shown.map(|(written, page)| documents::short_name(written, page)).unwrap_or_default()
    }

    /// The versions of which an edit was not saved.
    pub(super) fn unsaved_edits(&self) -> Vec<u32> {
        let mut versions = unsaved_edits(&self.drafts, RESULT);
        if self.written().is_some() {
            // What was begun before the model delivered opens with the first.
            for version in &mut versions {
                *version = (*version).max(1);
            }
            versions.dedup();
        }
        versions
    }

    /// A draft of the document was found, of whichever version: it is said how it is reached.
    pub(super) fn found_edit(&mut self, name: &str) {
        let of_result = drafts::document_of(name).filter(|(of, _)| *of == RESULT);
        let Some((_, version)) = of_result.filter(|_| !matches!(self.focus, Focus::Edit(..))) else { return };
        let shown = self.page().map_or(0, |page| page.version);
        let version = if shown > 0 { version.max(1) } else { version };
        let first = (!matches!(self.focus, Focus::Document)).then_some("Tab");
        let says = says_found(version, shown, first, "e");
        // Where the text is comes after why it was refused.
        self.note = Some(match self.note.take() {
            Some(why) if !why.ends_with(&says) => format!("{why} · {says}"),
            _ => says,
        });
    }

    /// What the shown text of the document is of.
    pub(super) fn shown_id(&self) -> Option<ContentId> {
        let (version, _) = self.shown()?;
        let document = Subject::Document(RESULT.to_owned());
        Some(ContentId { version, ..ContentId::of_run(self.run.id, document, 0) })
    }

    pub(super) fn browse(&mut self, by: isize) {
        let Some((written, from)) = self.written().zip(self.page()) else { return };
        let to = documents::step(written, from, by);
        if to == from {
            self.note = Some(pages::end(by).to_owned());
            return;
        }
        self.paged = Some(to).filter(|to| *to != documents::current(written));
        self.page = Scroll::at_start();
        self.show();
    }

    /// Compares the shown version with the one that counts, else that with the one before.
    pub(super) fn compare(&self) -> Vec<Effect> {
        let Some((written, (_, shown))) = self.written().zip(self.shown()) else { return Vec::new() };
        let compare = Compare::of_document(written, self.page().filter(|_| self.is_earlier()));
        let compared = compare.map(|compare| Compared::of_versions(compare, &shown.title.line()));
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
        self.paged = Some(Page { attempt: 0, version });
        self.show();
        self.edit();
        matches!(self.focus, Focus::Edit(..))
    }

    /// Edits the version that is shown; where nothing was delivered yet, the person writes the first, beginning with what
    /// had arrived.
    pub(super) fn edit(&mut self) {
        let text = match self.shown() {
            Some((_, shown)) => shown.body.data().to_owned(),
            None if !self.may_be_written() => return,
            None if self.run.under_way() > 0 => {
                self.note = Some(STILL.to_owned());
                return;
            }
            None => notice::begun(&self.run).map(|begun| begun.data().to_owned()).unwrap_or_default(),
        };
        let edited = EditedDocument::new(&self.run, RESULT, self.page());
        let text = self.draft_names(&edited).iter().find_map(|name| self.drafts.get(name)).cloned().unwrap_or(text);
        // A note about it named keys that are text now.
        (self.search, self.note, self.focus) = (None, None, Focus::Edit(edited, Box::new(Editor::new(&text))));
    }

    /// The names under which a draft of that edit may be kept: its own, and for the first version that of a text that was
    /// begun before there was one.
    pub(super) fn draft_names(&self, edited: &EditedDocument) -> Vec<String> {
        let first = drafts::of_document(self.run.kind, RESULT, 1);
        let begun = (edited.draft() == first).then(|| drafts::of_document(self.run.kind, RESULT, 0));
        std::iter::once(edited.draft().to_owned()).chain(begun).collect()
    }

    /// Forgets the drafts of an edit that is done with. Its own is forgotten in any case: it may be on its way to be kept.
    pub(super) fn forget_draft(&mut self, edited: &EditedDocument) -> Vec<Effect> {
        let run = self.run.id;
        let names = self.draft_names(edited);
        let own = |name: &String| name == edited.draft();
        let done = names.into_iter().filter(|name| self.drafts.remove(name).is_some() || own(name));
        done.map(|name| Effect::Change(Change::KeepDraft { run, name, text: None })).collect()
    }

    /// Keeps what was typed as a version. With `accept` the first version answers what the model still asked for.
    pub(super) fn save(&mut self, accept: bool) -> Vec<Effect> {
        let Focus::Edit(edited, editor) = std::mem::replace(&mut self.focus, Focus::Document) else {
            return Vec::new();
        };
        let forgets = self.forget_draft(&edited);
        let mut effects = if edited.is_first() {
            self.write_first(editor.text(), accept)
        } else {
            (self.paged, self.page) = (None, Scroll::at_start());
            self.show();
            vec![Effect::Change(edited.saved(&self.run, editor.text()))]
        };
        effects.extend(forgets);
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

    /// Takes the version that is shown.
    pub(super) fn restore(&mut self) -> Vec<Effect> {
        let taking = self.page().and_then(|page| documents::taking(&self.run, RESULT, page.version));
        (self.paged, self.page) = (None, Scroll::at_start());
        self.show();
        taking.into_iter().collect()
    }

    /// Asks where the shown version is to be written to.
    pub(super) fn write_file(&self) -> Vec<Effect> {
        vec![Above::effect(Kind::Ask(Ask::write(&self.run.task, self.body.raw())))]
    }
}
