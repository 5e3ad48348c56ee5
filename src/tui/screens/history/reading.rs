//! The preview of the history while it has the focus: the keys of every text.

use super::{Focus, HistoryScreen};
use crate::tui::commands::Id;
use crate::tui::effect::{Effect, Go, Terminal};
use crate::tui::layers::{Above, Compared, Kind, picks};
use crate::tui::screens::preview::Preview;
use crate::tui::screens::run::pages;
use crate::tui::theme::{Depth, Ground, Theme};
use crate::tui::widgets::find::Find;
use crate::tui::widgets::scroll::{By, Scroll};

impl HistoryScreen {
    /// Gives a command while the preview has the focus.
    pub(super) fn read(&mut self, id: Id) -> Vec<Effect> {
        if Find::give(&mut self.search_within, id) {
            self.show_match();
            return Vec::new();
        }
        match id {
            Id::Open => return self.target().map(|run| Effect::Go(Go::Run(run.run))).into_iter().collect(),
            Id::WriteFile => {
                let Some((run, seen)) = self.target().zip(self.seen()) else { return Vec::new() };
                // An export is of what counts.
                let writes = if seen.is_earlier() { picks::write(run, seen.text()) } else { picks::export(run) };
                return vec![writes];
            }
            Id::Copy => {
                let text = self.seen().map(|preview| preview.text().block().into_owned());
                return text.map(|text| Effect::Terminal(Terminal::Copy(text))).into_iter().collect();
            }
            Id::Edit => {
                let seen = self.seen().map(|preview| Go::EditResult(preview.run(), preview.version()));
                return seen.map(Effect::Go).into_iter().collect();
            }
            Id::Compare => return self.compare(),
            Id::Left => self.turn(-1),
            Id::Right => self.turn(1),
            Id::FindNext | Id::FindPrevious => {
                self.lay_out();
                self.words.step(if id == Id::FindNext { 1 } else { -1 });
                self.show_match();
            }
            Id::Filter => self.search_within = Some(Find::default()),
            Id::Zoom => self.zoom = !self.zoom,
            Id::Back if self.zoom => self.zoom = false,
            Id::Back | Id::Focus => (self.focus, self.zoom) = (Focus::Search, false),
            Id::Suspend => return vec![Effect::Terminal(Terminal::Suspend)],
            other => {
                if let Some(by) = By::of(other) {
                    self.scroll.by(by, self.last_frame.output);
                }
            }
        }
        Vec::new()
    }

    /// What the selected run has to show now. Who is reading it goes on where they are.
    pub(super) fn take_preview(&mut self, mut preview: Preview) {
        let continues = self.preview.as_ref().is_some_and(|read| preview.continues(read));
        self.preview = Some(preview);
        self.forget_matches();
        if !continues {
            self.scroll = Scroll::at_start();
            self.show_match();
        }
    }

    /// The preview, if it is what was on screen.
    fn seen(&self) -> Option<&Preview> {
        self.preview.as_ref().filter(|preview| self.last_frame.content == Some(preview.id()))
    }

    fn compare(&mut self) -> Vec<Effect> {
        let Some(seen) = self.seen() else { return Vec::new() };
        let title = self.target().map(|run| run.title.clone()).unwrap_or_default();
        let compared = seen.compare().map(|compare| Compared::of_versions(compare, &title));
        if compared.is_none() {
            self.note = Some("there is no other version to compare it with".to_owned());
        }
        compared.map(|compared| Above::effect(Kind::Compare(compared))).into_iter().collect()
    }

    /// Turns to an earlier or a later version of the result.
    fn turn(&mut self, by: isize) {
        if !self.preview.as_mut().is_some_and(|preview| preview.turn(by)) {
            self.note = Some(pages::end(by).to_owned());
            return;
        }
        self.scroll = Scroll::at_start();
        self.forget_matches();
    }

    /// Types into the line of the search within the preview, if it has the keys.
    pub(super) fn types_within(&mut self, types: impl FnOnce(&mut Find)) -> bool {
        let takes = Find::types(&mut self.search_within, types);
        if takes {
            self.show_match();
        }
        takes
    }

    /// What is marked in the preview: what it is searched for itself, else what the list is.
    pub(super) fn marked_matches(&self) -> &Find {
        self.search_within.as_ref().unwrap_or(&self.words)
    }

    /// The text is another one.
    pub(super) fn forget_matches(&mut self) {
        self.words.forget();
        if let Some(find) = &mut self.search_within {
            find.forget();
        }
    }

    /// Scrolls the preview so that the match that is looked at is at the top.
    pub(super) fn show_match(&mut self) {
        // A text is laid out once more only where it is searched.
        if self.marked_matches().is_empty() {
            return;
        }
        self.lay_out();
        let line = self.preview.as_ref().and_then(|preview| self.marked_matches().line(preview.document()));
        if let Some(line) = line {
            self.scroll = Scroll::at(line);
        }
    }

    /// Matches are looked for in a text that is laid out: one that has just come is not yet. Where they are does not depend
    /// on the colours.
    fn lay_out(&self) {
        if let Some(preview) = &self.preview {
            let cells = self.last_frame.preview_width;
            if preview.document().laid_as().is_none_or(|(width, ..)| width != cells) && cells > 0 {
                let _ = preview.document().height(cells, &Theme::new(Ground::Dark, Depth::None));
            }
        }
    }
}
