//! The help: everything that can be done where it was asked for, with the keys that do it, from the table of commands.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::middle;
use crate::tui::canvas::{Canvas, Extent};
use crate::tui::commands::{Id, possible};
use crate::tui::situation::Situation;
use crate::tui::text::{fit, width};
use crate::tui::widgets::scroll::{By, Scroll};

/// The model.
#[derive(Clone, Debug, PartialEq)]
pub struct Help {
    /// What can be done, and the keys for it.
    rows: Vec<(&'static str, String)>,
    scroll: Scroll,
}

impl Help {
    /// The help for a situation.
    #[must_use]
    pub fn of(situation: &Situation) -> Self {
        let rows = possible(situation).into_iter().map(|(_, title, keys)| (title, keys)).collect();
        Self { rows, scroll: Scroll::at_start() }
    }

    /// Scrolls.
    pub fn give(&mut self, id: Id, extent: Extent) {
        if let Some(by) = By::of(id) {
            self.scroll.by(by, extent);
        }
    }

    /// Paints it in the middle of `area`.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let keys = self.rows.iter().map(|(_, keys)| width(keys)).max().unwrap_or(0);
        let accent = canvas.theme.accent;
        let lines: Vec<Line<'_>> = self
            .rows
            .iter()
            .map(|(title, shown)| {
                let blank = " ".repeat(keys - width(shown) + 2);
                let title = fit(title, usize::from(area.width).saturating_sub(keys + 5));
                Line::from(vec![Span::styled(format!(" {shown}"), accent), Span::raw(blank), Span::raw(title)])
            })
            .collect();
        let widest = lines.iter().map(Line::width).max().unwrap_or(0) + 4;
        let place = middle(area, widest, lines.len());
        canvas.clear(place);
        let inner = canvas.pane(place, "What can be done here", true);
        canvas.frame.output = Extent { lines: lines.len(), height: inner.height.into() };
        canvas.lines(inner, &lines[self.scroll.top(canvas.frame.output)..]);
        canvas.marker(place, &self.scroll.hidden(canvas.frame.output), accent);
    }
}
