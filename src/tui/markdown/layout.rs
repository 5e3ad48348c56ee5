//! Blocks laid out as lines for a width: prose at most [`PROSE`] wide, code and tables as wide as the pane.

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::block::{Block, Inline, Item, Marks};
use super::links::{self, Address, Links};
use super::table;
use crate::tui::text::code::Code;
use crate::tui::text::wrap::{Piece, expand_tabs, wrap};
use crate::tui::text::{PROSE, width};
use crate::tui::theme::Theme;

/// What a layout is made for.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'t> {
    /// Cells.
    pub width: u16,
    /// The palette.
    pub theme: &'t Theme,
    /// The addresses that are found.
    pub links: &'t Links,
}

/// Lays out `blocks`; `after` says that something stands above them.
pub fn lay_out<'b>(blocks: impl IntoIterator<Item = &'b Block>, frame: Frame<'_>, after: bool) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for (at, block) in blocks.into_iter().enumerate() {
        if (at > 0 || after) && !matches!(block, Block::Indent(_)) {
            lines.push(Line::default());
        }
        lines.extend(block_lines(block, frame));
    }
    lines
}

fn block_lines(block: &Block, frame: Frame<'_>) -> Vec<Line<'static>> {
    let theme = frame.theme;
    match block {
        Block::Heading(level, inlines) => {
            let style = if *level <= 2 { theme.heading } else { theme.title };
            inline_lines(inlines, style, prose(frame), frame)
        }
        Block::Paragraph(inlines) => inline_lines(inlines, theme.text, prose(frame), frame),
        Block::Code { language, text } => code_lines(language, text, frame),
        Block::Quote(blocks) => {
            let mut inner = lay_out(blocks, narrower(frame, 2), false);
            for line in &mut inner {
                for span in &mut line.spans {
                    span.style = theme.quote.patch(span.style);
                }
            }
            prefixed(inner, &Span::styled("│ ", theme.quote), &Span::styled("│ ", theme.quote))
        }
        Block::Indent(blocks) => {
            let inner = lay_out(blocks, narrower(frame, 2), false);
            prefixed(inner, &Span::raw("  "), &Span::raw("  "))
        }
        Block::List(items) => list_lines(items, frame),
        Block::Table(table) => table::lines(table, frame),
        Block::Rule => vec![Line::styled("─".repeat(usize::from(prose(frame))), theme.border)],
    }
}

/// Inline text wrapped to `cells`.
#[must_use]
pub fn inline_lines(inlines: &[Inline], base: Style, cells: u16, frame: Frame<'_>) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    for inline in inlines {
        if inline.text == "\n" {
            lines.extend(wrap(&pieces, cells.into()));
            pieces.clear();
        } else {
            pieces.extend(linked(inline, style(inline.marks, base, frame.theme), frame.links));
        }
    }
    if !pieces.is_empty() || lines.is_empty() {
        lines.extend(wrap(&pieces, cells.into()));
    }
    lines
}

/// A piece of inline text, with what leads somewhere in it.
fn linked<'i>(inline: &'i Inline, style: Style, links: &Links) -> Vec<Piece<'i>> {
    let to = |address: &Address| links.mark(style, address);
    match &inline.to {
        Some(address) => vec![(&inline.text, to(address))],
        None if inline.marks.code => vec![(&inline.text, style)],
        None => {
            let pieces = links::pieces(&inline.text).into_iter();
            pieces.map(|(text, address)| (text, address.as_ref().map_or(style, to))).collect()
        }
    }
}

fn style(marks: Marks, base: Style, theme: &Theme) -> Style {
    let mut style = base;
    if marks.code {
        style = style.patch(theme.code);
    }
    if marks.aside {
        style = style.patch(theme.muted);
    }
    for (on, modifier) in [
        (marks.emphasis, Modifier::ITALIC),
        (marks.strong, Modifier::BOLD),
        (marks.strike, Modifier::CROSSED_OUT),
        (marks.link, Modifier::UNDERLINED),
    ] {
        if on {
            style = style.add_modifier(modifier);
        }
    }
    style
}

/// More code than this is not coloured.
const LONGEST_COLOURED: usize = 256 * 1024;

fn code_lines(language: &str, text: &str, frame: Frame<'_>) -> Vec<Line<'static>> {
    let cells = usize::from(narrower(frame, 2).width);
    let theme = frame.theme;
    let coloured = text.len() <= LONGEST_COLOURED;
    let mut code = Code::of(language).filter(|_| coloured);
    let lines: Vec<&str> = text.trim_end_matches('\n').split('\n').collect();
    let wrapped = (lines.iter().enumerate())
        .flat_map(|(at, line)| {
            if coloured && language.is_empty() {
                code = code.take().filter(|code| code.has(line)).or_else(|| Code::of_inset_diff(&lines[at..]));
            }
            let line = expand_tabs(line);
            match &mut code {
                None => wrap(&[(&line, theme.code)], cells),
                Some(code) => {
                    let pieces = code.line(&line).into_iter().map(|(token, text)| (text, theme.token(token)));
                    wrap(&pieces.collect::<Vec<_>>(), cells)
                }
            }
        })
        .collect();
    prefixed(wrapped, &Span::raw("  "), &Span::raw("  "))
}

fn list_lines(items: &[Item], frame: Frame<'_>) -> Vec<Line<'static>> {
    let theme = frame.theme;
    let indent = items.iter().filter_map(|item| item.sign.as_deref()).map(width).max().unwrap_or(1);
    let mut lines = Vec::new();
    for item in items {
        let bullet = match (item.task, &item.sign) {
            (Some(true), _) => Span::styled("☑ ", theme.accepted),
            (Some(false), _) => Span::styled("☐ ", theme.muted),
            (None, Some(sign)) => Span::styled(format!("{sign:>indent$} "), theme.muted),
            (None, None) => Span::styled("• ", theme.muted),
        };
        let room = width(&bullet.content);
        let mut inner = Vec::new();
        for (at, block) in item.blocks.iter().enumerate() {
            if at > 0 && !matches!(block, Block::List(_) | Block::Indent(_)) {
                inner.push(Line::default());
            }
            inner.extend(block_lines(block, narrower(frame, room)));
        }
        if inner.is_empty() {
            inner.push(Line::default());
        }
        lines.extend(prefixed(inner, &bullet, &Span::raw(" ".repeat(room))));
    }
    lines
}

/// `lines` with `first` before the first and `rest` before the others.
fn prefixed(lines: Vec<Line<'static>>, first: &Span<'static>, rest: &Span<'static>) -> Vec<Line<'static>> {
    let mut out = Vec::with_capacity(lines.len());
    for (at, mut line) in lines.into_iter().enumerate() {
        if !line.spans.is_empty() || at == 0 || !rest.content.trim().is_empty() {
            line.spans.insert(0, if at == 0 { first.clone() } else { rest.clone() });
        }
        out.push(line);
    }
    out
}

fn prose(frame: Frame<'_>) -> u16 {
    frame.width.min(PROSE)
}

fn narrower(frame: Frame<'_>, by: usize) -> Frame<'_> {
    // Nested deeper than the pane is wide: the text goes on in a narrow column rather than nowhere.
    let by = u16::try_from(by).unwrap_or(u16::MAX);
    Frame { width: frame.width.saturating_sub(by).max(8), ..frame }
}
