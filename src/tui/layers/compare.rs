//! Two runs' results compared word by word, over the whole screen.

use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::core::text::Untrusted;
use crate::tui::canvas::{Canvas, Extent, Hit};
use crate::tui::commands::Id;
use crate::tui::diff::Comparison;
use crate::tui::widgets::scroll::{By, Scroll};

/// The model.
#[derive(Clone, Debug, PartialEq)]
pub struct RunsCompared {
    title: String,
    comparison: Comparison,
    scroll: Scroll,
}

impl RunsCompared {
    /// Compares the results of two runs, each its title and its body, the earlier first.
    #[must_use]
    pub fn of(old: (&Untrusted, &Untrusted), new: (&Untrusted, &Untrusted)) -> Self {
        let title = format!("{} → {}", old.0.line(), new.0.line());
        Self { title, comparison: Comparison::of_texts(old.1, new.1), scroll: Scroll::at_start() }
    }

    /// Scrolls.
    pub fn give(&mut self, id: Id, extent: Extent) {
        if let Some(by) = By::of(id) {
            self.scroll.by(by, extent);
        }
    }

    /// Paints it over `area`.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        canvas.clear(area);
        let theme = *canvas.theme;
        let inner = canvas.pane(area, &self.title, true);
        let (added, removed) = self.comparison.counts();
        let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
        canvas.hit(inner, Hit::Output);
        let lines = if self.comparison.is_same() {
            vec![Line::styled("They are the same.", theme.muted)]
        } else {
            self.comparison.lines(inner.width, &theme).0
        };
        canvas.seen.output = Extent { lines: lines.len(), height: inner.height.into() };
        canvas.lines(inner, &lines[self.scroll.top(canvas.seen.output)..]);
        canvas.marker(area, &format!(" words: {added} added, {removed} removed "), theme.muted);
    }
}
