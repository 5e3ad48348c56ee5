//! Tables: columns as wide as their text where that fits, narrower with wrapped cells where not, and one line a cell
//! where even that does not fit.

use pulldown_cmark::Alignment;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use super::block::{Inline, Table};
use super::layout::{Frame, inline_lines};
use crate::tui::text::width;

/// Between two columns.
const GAP: &str = " │ ";

/// A column of wrapped cells is not made narrower than this, unless its text is.
const NARROW: usize = 8;

pub(super) fn lines(table: &Table, frame: Frame<'_>) -> Vec<Line<'static>> {
    let columns = table.rows.iter().map(Vec::len).max().unwrap_or(0);
    if columns == 0 {
        return Vec::new();
    }
    match column_widths(table, columns, usize::from(frame.width)) {
        Some(widths) => aligned(table, &widths, frame),
        None => stacked(table, frame),
    }
}

/// The width of each column, `None` when the table does not fit.
fn column_widths(table: &Table, columns: usize, cells: usize) -> Option<Vec<usize>> {
    let mut natural = vec![1; columns];
    for (at, cell) in table.rows.iter().flat_map(|row| row.iter().enumerate()) {
        natural[at] = natural[at].max(cell.iter().map(|inline| width(&inline.text)).sum());
    }
    let room = cells.checked_sub(GAP.chars().count() * (columns - 1))?;
    if natural.iter().sum::<usize>() <= room {
        return Some(natural);
    }
    // The widest columns give way first: the greatest cap with which all fit.
    let capped = |cap: usize| natural.iter().map(|n| (*n).min(cap)).sum::<usize>();
    let cap = (NARROW..=room).rev().find(|cap| capped(*cap) <= room)?;
    Some(natural.into_iter().map(|n| n.min(cap)).collect())
}

fn aligned(table: &Table, widths: &[usize], frame: Frame<'_>) -> Vec<Line<'static>> {
    let theme = frame.theme;
    let mut out = Vec::new();
    let empty: Vec<Inline> = Vec::new();
    for (at, row) in table.rows.iter().enumerate() {
        let base = if at == 0 { theme.title } else { theme.text };
        let cells: Vec<Vec<Line<'static>>> = widths
            .iter()
            .enumerate()
            .map(|(column, cells)| {
                let cells = u16::try_from(*cells).unwrap_or(u16::MAX);
                inline_lines(row.get(column).unwrap_or(&empty), base, cells, frame)
            })
            .collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        for y in 0..height {
            let mut spans = Vec::new();
            for (column, cell) in cells.iter().enumerate() {
                if column > 0 {
                    spans.push(Span::styled(GAP, theme.border));
                }
                let line = cell.get(y).cloned().unwrap_or_default();
                let missing = widths[column].saturating_sub(line.width());
                let before = match table.align.get(column) {
                    Some(Alignment::Right) => missing,
                    Some(Alignment::Center) => missing / 2,
                    _ => 0,
                };
                let last = column + 1 == cells.len();
                spans.push(Span::raw(" ".repeat(before)));
                spans.extend(line.spans);
                spans.push(Span::raw(" ".repeat(if last { 0 } else { missing - before })));
            }
            spans.retain(|span| !span.content.is_empty());
            out.push(Line::from(spans));
        }
        if at == 0 {
            let dashes: Vec<String> = widths.iter().map(|cells| "─".repeat(*cells)).collect();
            out.push(Line::styled(dashes.join("─┼─"), theme.border));
        }
    }
    out
}

/// Each row as `head: cell` lines.
fn stacked(table: &Table, frame: Frame<'_>) -> Vec<Line<'static>> {
    let theme = frame.theme;
    let Some((head, rows)) = table.rows.split_first() else { return Vec::new() };
    let mut out = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        if at > 0 {
            out.push(Line::default());
        }
        for (column, cell) in row.iter().enumerate() {
            let mut inlines = head.get(column).cloned().unwrap_or_default();
            for inline in &mut inlines {
                inline.marks.strong = true;
            }
            inlines.push(Inline::new(": ", super::block::Marks::default()));
            inlines.extend(cell.iter().cloned());
            out.extend(inline_lines(&inlines, theme.text, frame.width, frame));
        }
    }
    if rows.is_empty() {
        let inlines: Vec<Inline> = head.iter().flatten().cloned().collect();
        let bold = theme.text.add_modifier(Modifier::BOLD);
        out.extend(inline_lines(&inlines, bold, frame.width, frame));
    }
    out
}
