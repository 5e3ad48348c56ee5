//! A list with a selected row that stays in view. The rows are the screen's; only the visible ones are asked for.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::scroll::Scroll;
use crate::tui::canvas::{Canvas, Extent, Hit};

/// Which row is selected. Where the list is scrolled follows from the selection, and is kept between frames.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// The selected row.
    pub selected: usize,
    scroll: Scroll,
}

/// How much of a list or a text there was no room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hidden {
    /// Lines above what is shown.
    pub above: usize,
    /// Lines below it.
    pub below: usize,
}

impl List {
    /// Moves the selection by `rows` within `count` rows.
    pub fn step(&mut self, rows: isize, count: usize, extent: Extent) {
        self.select(self.selected.saturating_add_signed(rows), count, extent);
    }

    /// Selects a row, the last one at most.
    pub fn select(&mut self, row: usize, count: usize, extent: Extent) {
        self.selected = row.min(count.saturating_sub(1));
        self.scroll.show(self.selected, Extent { lines: count, height: extent.height });
    }

    /// Paints the rows that fit, and gives how many lie above and below them. `row` gives one, for a width.
    pub fn paint(
        &self,
        canvas: &mut Canvas<'_>,
        area: Rect,
        count: usize,
        focused: bool,
        mut row: impl FnMut(usize, u16) -> Line<'static>,
    ) -> Hidden {
        let extent = Extent { lines: count, height: area.height.into() };
        canvas.frame.list = extent;
        canvas.hit(area, Hit::List);
        // The pane may have become smaller since the selection was made: it stays in view all the same.
        let mut scroll = self.scroll;
        scroll.show(self.selected, extent);
        for (y, at) in (area.y..area.bottom()).zip(scroll.top(extent)..count) {
            let place = Rect { y, height: 1, ..area };
            canvas.line(place, &row(at, area.width));
            if at == self.selected {
                let style = if focused { canvas.theme.selection } else { canvas.theme.selection_dim };
                canvas.buf.set_style(place, style);
            }
            canvas.hit(place, Hit::Row(at));
        }
        Hidden { above: scroll.top(extent), below: scroll.below(extent) }
    }
}
