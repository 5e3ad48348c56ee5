//! The lines beneath a text: what is wrong with it, its attempts, what else there is to know of it. None is cut at the
//! border of its pane: a long one is wrapped, and where there is no room for all of them the last that is shown says so.

use ratatui::text::{Line, Span};

use crate::tui::text::wrap::wrap;
use crate::tui::text::{fit, width};

/// How far a line that continues one is indented.
const INDENT: &str = "   ";

/// Lines of at most `cells` cells.
#[must_use]
pub fn wrapped(lines: Vec<Line<'static>>, cells: u16) -> Vec<Line<'static>> {
    let cells = usize::from(cells);
    let fits = |line: &Line<'_>| line.width() <= cells;
    let wrap = |line: Line<'static>| {
        if fits(&line) {
            return vec![line];
        }
        let pieces: Vec<_> =
            line.spans.iter().map(|span| (span.content.as_ref(), line.style.patch(span.style))).collect();
        let mut lines = wrap(&pieces, cells.saturating_sub(INDENT.len()));
        lines.iter_mut().skip(1).for_each(|line| line.spans.insert(0, Span::raw(INDENT)));
        lines
    };
    lines.into_iter().flat_map(wrap).collect()
}

/// As many of them as there is room for; an ellipsis says that there are more.
#[must_use]
pub fn clipped(mut lines: Vec<Line<'static>>, most: usize, cells: u16) -> Vec<Line<'static>> {
    if lines.len() <= most {
        return lines;
    }
    lines.truncate(most);
    if let Some(last) = lines.last_mut() {
        let style = last.spans.last().map_or(last.style, |span| last.style.patch(span.style));
        if last.width() < usize::from(cells) {
            last.spans.push(Span::styled("…", style));
        } else if let Some(span) = last.spans.last_mut() {
            // A blank more does not fit: the last letter gives way to the ellipsis.
            let cells = width(&span.content);
            span.content = fit(&format!("{} ", span.content), cells).into_owned().into();
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use ratatui::style::Style;

    use super::*;

    fn shown(lines: &[Line<'static>]) -> Vec<String> {
        lines.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_line_that_is_too_long_continues_below_itself() {
        let long = || Line::styled(" ✗ the whole value: expected at least 1 item", Style::new());
        assert_eq!(
            shown(&wrapped(vec![long(), Line::raw(" 1  waiting")], 24)),
            [" ✗ the whole value:", "   expected at least 1", "   item", " 1  waiting"]
        );
        let all = wrapped(vec![long()], 24);
        assert_eq!(shown(&clipped(all.clone(), 2, 24)), [" ✗ the whole value:", "   expected at least 1…"]);
        assert_eq!(shown(&clipped(all, 3, 24)).len(), 3);
        assert_eq!(shown(&clipped(vec![Line::raw("abcdef"), Line::raw("x")], 1, 6)), ["abcde…"]);
    }
}
