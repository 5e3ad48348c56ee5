//! The line at the bottom: the keys that work now, from the table of commands, as many as fit in their order.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::tui::canvas::{Canvas, Hit};
use crate::tui::commands::Hint;
use crate::tui::text::width;

/// Paints `hints` from the left, and `right` (what waits elsewhere) with the help key at the right end.
pub fn paint(canvas: &mut Canvas<'_>, area: Rect, hints: &[Hint], right: &[Hint], note: Option<&str>) {
    let theme = canvas.theme;
    let mut x = area.x + 1;
    let mut end = area.right().saturating_sub(1);
    for hint in right.iter().rev() {
        let cells = hint_width(hint);
        if end < x + cells {
            break;
        }
        end -= cells;
        put(canvas, Rect { x: end, width: cells, height: 1, ..area }, hint);
        end = end.saturating_sub(2);
    }
    if let Some(note) = note {
        let cells = u16::try_from(width(note)).unwrap_or(u16::MAX);
        if end >= x.saturating_add(cells) {
            end -= cells;
            canvas.text(Rect { x: end, width: cells, height: 1, ..area }, note, theme.waiting);
            end = end.saturating_sub(2);
        }
    }
    for hint in hints {
        let cells = hint_width(hint);
        if x + cells > end {
            break;
        }
        put(canvas, Rect { x, width: cells, height: 1, ..area }, hint);
        x += cells + 2;
    }
}

fn put(canvas: &mut Canvas<'_>, area: Rect, hint: &Hint) {
    let spans = vec![
        Span::styled(hint.key.clone(), canvas.theme.accent),
        Span::raw(" "),
        Span::styled(hint.short, canvas.theme.muted),
    ];
    canvas.line(area, &Line::from(spans));
    canvas.hit(area, Hit::Command(hint.id));
}

fn hint_width(hint: &Hint) -> u16 {
    u16::try_from(width(&hint.key) + 1 + width(hint.short)).unwrap_or(u16::MAX)
}
