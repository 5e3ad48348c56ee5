//! The line at the bottom: the keys that work now, from the table of commands, as many as fit in their order.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::tui::canvas::{Canvas, Hit};
use crate::tui::commands::Hint;
use crate::tui::text::width;
use crate::tui::text::wrap::wrap_text;

/// Lines that a note may take above the footer.
const MOST: usize = 6;

/// Paints `hints` from the left, and `right` (what waits elsewhere) with the help key at the right end. A note that the
/// line has no room for beside the first hint lies above it: what went wrong is said in full, and what can be done is too.
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
        let first = hints.first().map_or(0, |hint| hint_width(hint) + 2);
        if end >= x.saturating_add(cells).saturating_add(first) {
            end -= cells;
            canvas.text(Rect { x: end, width: cells, height: 1, ..area }, note, theme.waiting);
            end = end.saturating_sub(2);
        } else if cells > area.width / 2 {
            above(canvas, area, note);
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

fn above(canvas: &mut Canvas<'_>, area: Rect, note: &str) {
    let lines = wrap_text(note, canvas.theme.waiting, usize::from(area.width.saturating_sub(2)));
    let room = area.y.saturating_sub(canvas.buf.area.y);
    let height = u16::try_from(lines.len().min(MOST)).unwrap_or(room).min(room);
    let place = Rect { y: area.y - height, height, ..area };
    canvas.clear(place);
    canvas.lines(Rect { x: place.x + 1, width: place.width.saturating_sub(2), ..place }, &lines);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::canvas::FrameInfo;
    use crate::tui::theme::{Depth, Ground, Theme};
    use ratatui::buffer::Buffer;

    fn shown(note: &str, area: Rect) -> Vec<String> {
        let mut buf = Buffer::empty(area);
        let (mut info, theme) = (FrameInfo::default(), Theme::new(Ground::Dark, Depth::None));
        let foot = Rect { y: area.bottom() - 1, height: 1, ..area };
        paint(
            &mut Canvas { buf: &mut buf, theme: &theme, frame: &mut info, as_written: false },
            foot,
            &[],
            &[],
            Some(note),
        );
        let row = |y| (0..area.width).map(|x| buf[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
        (0..area.height).map(row).collect()
    }

    #[test]
    fn a_note_leaves_room_for_what_can_be_done_first() {
        let area = Rect::new(0, 0, 40, 3);
        let mut buf = Buffer::empty(area);
        let (mut info, theme) = (FrameInfo::default(), Theme::new(Ground::Dark, Depth::None));
        let hint = |key: &str, short| Hint { id: crate::tui::commands::Id::Accept, key: key.to_owned(), short };
        let foot = Rect { y: 2, height: 1, ..area };
        let mut canvas = Canvas { buf: &mut buf, theme: &theme, frame: &mut info, as_written: false };
        let note = Some("divide accepted · u undoes");
        paint(&mut canvas, foot, &[hint("a", "accept")], &[hint("?", "help")], note);
        let row = |y| (0..40).map(|x| buf[(x, y)].symbol()).collect::<String>().trim().to_owned();
        assert!(row(2).starts_with("a accept") && row(2).ends_with("? help"), "{}", row(2));
        assert_eq!(row(1), "divide accepted · u undoes");
    }

    #[test]
    fn what_went_wrong_is_said_in_full_however_narrow_the_line() {
        let note = "the disk with the store is full: nothing was written. Free some space and try again";
        let lines = shown(note, Rect::new(0, 0, 40, 8));
        assert_eq!(lines.join(" ").split_whitespace().collect::<Vec<_>>().join(" "), note);
        assert_eq!(shown("saved", Rect::new(0, 0, 40, 2)), ["", &format!("{:>39}", "saved")]);
        assert_eq!(shown(note, Rect::new(0, 0, 40, 1)).len(), 1);
    }
}
