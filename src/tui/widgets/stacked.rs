//! Texts one below the other that scroll as one: thoughts above an answer.

use ratatui::layout::Rect;

use crate::tui::canvas::Canvas;
use crate::tui::markdown::{Document, Look};
use crate::tui::theme::Theme;

/// A text, and the palette that it is shown in.
pub type Shown<'a> = (&'a Document, Theme);

/// How many lines they take.
#[must_use]
pub fn height(texts: &[Shown<'_>], width: u16, as_written: bool) -> usize {
    texts.iter().map(|(text, theme)| text.height(width, Look { theme, as_written })).sum()
}

/// Paints those that begin `at` lines below the beginning, of which the pane shows the lines from `top` on.
pub fn paint(canvas: &mut Canvas<'_>, area: Rect, texts: &[Shown<'_>], mut at: usize, top: usize) {
    let row = |line: usize| {
        let row = area.y.saturating_add(u16::try_from(line.saturating_sub(top)).unwrap_or(u16::MAX));
        row.min(area.bottom())
    };
    for (text, theme) in texts {
        let look = Look { theme, as_written: canvas.as_written };
        let end = at + text.height(area.width, look);
        let place = Rect { y: row(at), height: row(end) - row(at), ..area };
        text.show(canvas, place, top.saturating_sub(at), look);
        at = end;
    }
}
