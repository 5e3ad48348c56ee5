//! The result of a run and its other documents: their versions as pages, edited and taken by the person, and what is to be
//! known when the steps give another text than the one that was edited.
//!
//! As with a call, the page that is shown without paging is the version that counts or, where the steps give another text
//! than the one that was edited, the question about that. Any other is *earlier*, and what waits is then not on screen.

use ratatui::text::{Line, Span};

use super::layer::{Compare, Over};
use super::pages::Paged;
use super::rows::RowId;
use super::{Note, RunScreen};
use crate::core::decide::DecisionKind;
use crate::core::document::{Document, DocumentVersion, RESULT};
use crate::core::gate::{Gate, GateBody};
use crate::core::run::Run;
use crate::core::task::Kind as TaskKind;
use crate::tui::drafts;
use crate::tui::effect::{Change, Effect};
use crate::tui::layers::ask::decision;
use crate::tui::layers::{Above, Choose, Kind, picks};
use crate::tui::shown::{Page, ShownGate};
use crate::tui::text::width;
use crate::tui::theme::Theme;
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

/// The page that is shown without paging: the version that counts.
pub fn current(document: &Document) -> Page {
    Page { attempt: 0, version: document.current().map_or(0, |(number, _)| number) }
}

/// The page that many pages after `from`; the first and the last are the ends.
pub fn step(document: &Document, from: Page, by: isize) -> Page {
    let place = usize::try_from(from.version).unwrap_or(usize::MAX).saturating_add_signed(by);
    let version = u32::try_from(place).unwrap_or(u32::MAX).clamp(1, document.count().max(1));
    Page { version, ..from }
}

/// Which version of how many it is and whose: `version 2 of 3 (mine)`. Empty while there is one.
pub fn name(document: &Document, page: Page) -> String {
    match document.version(page.version) {
        Some(version) if document.count() > 1 => {
            format!("version {} of {} ({})", page.version, document.count(), by(version))
        }
        _ => String::new(),
    }
}

/// The same where there is little room: `2 of 3`.
pub fn short_name(document: &Document, page: Page) -> String {
    if document.count() > 1 { format!("{} of {}", page.version, document.count()) } else { String::new() }
}

/// Whose text it is.
pub fn by(version: &DocumentVersion) -> &str {
    if version.by.is_person() { "mine" } else { version.by.as_str() }
}

/// What is said while another version is shown than the one that counts.
pub fn says_earlier(document: &Document) -> String {
    let counts = current(document).version;
    match &document.gate {
        Some(gate) => {
            format!("a takes this one; version {counts} is yours, and the steps give version {}", gate.version)
        }
        None => format!("a takes this one; version {counts} is current"),
    }
}

/// Every version in a line, the one that is shown marked; the oldest give way.
pub fn versions(document: &Document, shown: u32, theme: &Theme, cells: u16) -> Option<Line<'static>> {
    let counts = current(document).version;
    let proposed = document.gate.as_ref().map(|gate| gate.version);
    let of = |(number, version): (u32, &DocumentVersion)| {
        let is = match number {
            number if number == counts => ", current",
            number if Some(number) == proposed => ", proposed",
            _ => "",
        };
        let style = if number == shown { theme.accent } else { theme.muted };
        Span::styled(format!("{number}  {}{is}    ", by(version)), style)
    };
    let mut each: Vec<Span<'static>> = (1..).zip(&document.versions).map(of).collect();
    let all = each.len();
    let room = usize::from(cells).saturating_sub(3);
    while each.len() > 1 && each.iter().map(|span| width(&span.content)).sum::<usize>() > room {
        each.remove(0);
    }
    let before = Span::styled(if each.len() < all { " … " } else { " " }, theme.muted);
    (all > 1).then(|| Line::from([vec![before], each].concat()))
}

/// What takes a version of a document as the one that counts: the answer to what waits, where it is the text that the
/// steps give; else it is written once more, because none is taken away. `None` when there is no such version.
pub fn taking(run: &Run, name: &str, version: u32) -> Option<Effect> {
    let document = run.documents.get(name)?;
    if let Some(gate) = document.gate.as_ref().filter(|gate| gate.version == version) {
        return Some(decision(&ShownGate::of(run, gate), DecisionKind::Again { model: None }));
    }
    let (counts, _) = document.current()?;
    let taken = document.version(version)?;
    let (title, body) = (taken.title.data().to_owned(), taken.body.data().to_owned());
    Some(Effect::Change(Change::EditDocument { run: run.id, name: name.to_owned(), version: counts, title, body }))
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

/// A document that is edited, as it was when that began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditedDocument {
    /// Its name.
    name: String,
    /// The version that counted.
    over: u32,
    /// The version that the text began with.
    from: u32,
}

impl EditedDocument {
    /// The name of its draft: it belongs to the version that it was made from.
    pub(super) fn draft(&self) -> String {
        drafts::of_document(TaskKind::Workflow, &self.name, self.from)
    }

    /// The version that it was made from.
    pub(super) fn made_from<'a>(&self, run: &'a Run) -> Option<&'a DocumentVersion> {
        run.documents.get(&self.name)?.version(self.from)
    }

    /// Above the editor.
    pub(super) fn title(&self) -> String {
        let name = if self.name == RESULT { "Result" } else { self.name.as_str() };
        let from = if self.from == self.over { String::new() } else { format!(" from version {}", self.from) };
        format!("{name} · editing{from}")
    }
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
        let seen = self.document().and_then(|document| {
            let (over, _) = document.current()?;
            let from = shown.map_or(over, |page| page.version);
            Some((EditedDocument { name: document.name.clone(), over, from }, document.version(from)?))
        });
        let Some((edited, written)) = seen else {
            self.note = Some(Note::Failed("there is no text to edit yet".to_owned()));
            return Vec::new();
        };
        let text = self.drafts.get(&edited.draft()).map_or(written.body.data(), String::as_str);
        let editor = Box::new(Editor::new(text));
        self.over = Over::Document { edited, editor };
        Vec::new()
    }

    pub(super) fn save_document(&mut self) -> Vec<Effect> {
        let Over::Document { edited, editor } = std::mem::take(&mut self.over) else { return Vec::new() };
        let title = edited.made_from(&self.run).map(|version| version.title.data().to_owned()).unwrap_or_default();
        let draft = edited.draft();
        self.drafts.remove(&draft);
        (self.reports, self.paged) = (true, None);
        self.show();
        let (run, body) = (self.run.id, editor.text());
        vec![
            Effect::Change(Change::EditDocument { run, name: edited.name, version: edited.over, title, body }),
            Effect::Change(Change::KeepDraft { run, name: draft, text: None }),
        ]
    }
}
