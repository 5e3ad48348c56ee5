//! The documents of a run, for every screen that shows one: their versions as pages, what is said of them, and what edits
//! or takes a version. Pure: it reads the folded run and gives effects; what is on screen is the screens' own.
//!
//! The page that is shown without paging is the version that counts. Any other is *earlier*, whichever way it lies in time.

use std::collections::HashMap;
use std::hash::BuildHasher;

use ratatui::text::{Line, Span};

use super::drafts::{self, Unsaved};
use super::effect::{Change, Effect};
use super::layers::ask::decision;
use super::shown::{Page, ShownGate};
use super::text::width;
use super::theme::Theme;
use crate::core::decide::DecisionKind;
use crate::core::document::{Document, DocumentVersion, RESULT};
use crate::core::run::Run;

/// The page that is shown without paging: the version that counts.
#[must_use]
pub fn current(document: &Document) -> Page {
    Page { attempt: 0, version: document.current().map_or(0, |(number, _)| number) }
}

/// The page that many pages after `from`; the first and the last are the ends.
#[must_use]
pub fn step(document: &Document, from: Page, by: isize) -> Page {
    let place = usize::try_from(from.version).unwrap_or(usize::MAX).saturating_add_signed(by);
    let version = u32::try_from(place).unwrap_or(u32::MAX).clamp(1, document.count().max(1));
    Page { version, ..from }
}

/// Which version of how many it is and whose: `version 2 of 3 (mine)`.
#[must_use]
pub fn which(document: &Document, page: Page) -> String {
    let of = |version| format!("version {} of {} ({})", page.version, document.count(), by(version));
    document.version(page.version).map(of).unwrap_or_default()
}

/// The same; empty while there is one version.
#[must_use]
pub fn name(document: &Document, page: Page) -> String {
    if document.count() > 1 { which(document, page) } else { String::new() }
}

/// The same where there is little room: `2 of 3`.
#[must_use]
pub fn short_name(document: &Document, page: Page) -> String {
    if document.count() > 1 { format!("{} of {}", page.version, document.count()) } else { String::new() }
}

/// Whose text it is.
#[must_use]
pub fn by(version: &DocumentVersion) -> &str {
    if version.by.is_person() { "mine" } else { version.by.as_str() }
}

/// What is said while another version is shown than the one that counts.
#[must_use]
pub fn says_earlier(document: &Document) -> String {
    let counts = current(document).version;
    match &document.gate {
        Some(gate) => {
            format!("a takes this one; version {counts} is yours, and the steps give version {}", gate.version)
        }
        None => format!("a takes this one; version {counts} is current"),
    }
}

/// Every version in a line, the one that is shown marked, and those with an unsaved edit; the oldest give way.
#[must_use]
pub fn versions(document: &Document, shown: u32, unsaved: &[u32], theme: &Theme, cells: u16) -> Option<Line<'static>> {
    let counts = current(document).version;
    let proposed = document.gate.as_ref().map(|gate| gate.version);
    let of = |(number, version): (u32, &DocumentVersion)| {
        let is = match number {
            number if number == counts => ", current",
            number if Some(number) == proposed => ", proposed",
            _ => "",
        };
        let style = if number == shown { theme.accent } else { theme.muted };
        let draft = if unsaved.contains(&number) { ", draft" } else { "" };
        Span::styled(format!("{number}  {}{is}{draft}    ", by(version)), style)
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
#[must_use]
pub fn taking(run: &Run, name: &str, version: u32) -> Option<Effect> {
    let document = run.documents.get(name)?;
    if let Some(gate) = document.gate.as_ref().filter(|gate| gate.version == version) {
        return Some(decision(&ShownGate::of(run, gate), DecisionKind::Again { model: None }));
    }
    let (counts, _) = document.current()?;
    let taken = document.version(version)?;
    let (title, body) = (taken.title.data().to_owned(), taken.body.data().to_owned());
    let name = name.to_owned();
    Some(Effect::Change(Change::EditDocument { run: run.id, name, version: counts, title, body, draft: None }))
}

/// A document that is edited, as it was when that began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditedDocument {
    name: String,
    /// The name of its draft: it belongs to the version that it was made from.
    draft: String,
    from: u32,
    over: u32,
}

impl EditedDocument {
    /// Begins an edit of the page that is shown, of the version that counts without one. Where there is no version yet, the
    /// person writes the first.
    #[must_use]
    pub fn new(run: &Run, name: &str, shown: Option<Page>) -> Self {
        let over = run.documents.get(name).map_or(0, |document| current(document).version);
        let from = shown.map_or(over, |page| page.version);
        Self { name: name.to_owned(), draft: drafts::of_document(run.kind, name, from), from, over }
    }

    /// The name of its draft.
    #[must_use]
    pub fn draft(&self) -> &str {
        &self.draft
    }

    /// Whether it is to be the first version.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.over == 0
    }

    /// The version that it was made from; `None` where there was none yet.
    #[must_use]
    pub fn made_from<'a>(&self, run: &'a Run) -> Option<&'a DocumentVersion> {
        run.documents.get(&self.name)?.version(self.from)
    }

    /// What is typed, as far as it is not what it was made from.
    #[must_use]
    pub fn unsaved(&self, run: &Run, typed: String) -> Unsaved {
        let before = self.made_from(run);
        let text = Some(typed).filter(|text| before.is_none_or(|seen| seen.body.data() != text));
        Unsaved::of_run(run.id, self.draft.clone(), text)
    }

    /// What keeps the text as the next version.
    #[must_use]
    pub fn saved(self, run: &Run, body: String) -> Change {
        let title = self.made_from(run).map(|version| version.title.data().to_owned()).unwrap_or_default();
        Change::EditDocument { run: run.id, name: self.name, version: self.over, title, body, draft: Some(self.draft) }
    }

    /// Above the editor.
    #[must_use]
    pub fn title(&self) -> String {
        let name = if self.name == RESULT { "Result" } else { self.name.as_str() };
        let from = if self.from == self.over { String::new() } else { format!(" from version {}", self.from) };
        format!("{name} · editing{from}")
    }
}

/// The versions of a document of which an edit is kept that was not saved, oldest first.
#[must_use]
pub fn unsaved_edits<S: BuildHasher>(kept: &HashMap<String, String, S>, document: &str) -> Vec<u32> {
    let edits = kept.iter().filter(|(_, text)| !text.is_empty()).filter_map(|(name, _)| drafts::document_of(name));
    let mut versions: Vec<u32> = edits.filter(|(of, _)| *of == document).map(|(_, version)| version).collect();
    versions.sort_unstable();
    versions
}

/// Says that the edit of a version was found, and how it is reached from the one that is shown: by `first`, where the
/// document is not what has the keys, and `key`, which opens what is shown.
#[must_use]
pub fn says_found(version: u32, shown: u32, first: Option<&str>, key: &str) -> String {
    let arrow = if version < shown { "← to it" } else { "→ to it" };
    let ways: Vec<&str> = first.into_iter().chain((version != shown).then_some(arrow)).collect();
    let of = if version == shown { String::new() } else { format!(" of version {version}") };
    let way = if ways.is_empty() { format!("{key} opens it") } else { format!("{}, then {key}", ways.join(", ")) };
    format!("your unsaved edit{of} is here: {way}")
}
