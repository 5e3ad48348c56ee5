//! Laid out lines, kept small: a text of a hundred thousand lines takes little more room than its letters.

use std::collections::HashMap;
use std::ops::Range;

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::links::{Address, Links, painted};
use crate::tui::text::width;

/// Lines in one piece of memory.
#[derive(Debug, Default)]
pub struct Packed {
    text: String,
    /// Where each piece of one style ends in the text, and which of the styles it has.
    pieces: Vec<(u32, u16)>,
    /// Where each line ends in the pieces.
    lines: Vec<u32>,
    styles: Vec<Style>,
    /// Where each style is in them.
    places: HashMap<Style, u16>,
}

impl Packed {
    /// How many lines there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Adds lines.
    pub fn extend(&mut self, lines: Vec<Line<'static>>) {
        for line in lines {
            for span in &line.spans {
                self.text.push_str(&span.content);
                let style = self.style(line.style.patch(span.style));
                self.pieces.push((short(self.text.len()), style));
            }
            self.lines.push(short(self.pieces.len()));
        }
    }

    /// A line; an empty one when there are fewer.
    #[must_use]
    pub fn line(&self, at: usize) -> Line<'_> {
        let pieces = range(at, |at| self.lines.get(at).copied());
        let text = |at: usize| self.pieces.get(at).map(|(end, _)| *end);
        let spans = pieces.map(|at| {
            let style = self.pieces.get(at).and_then(|(_, style)| self.styles.get(usize::from(*style)));
            let style = painted(style.copied().unwrap_or_default());
            Span::styled(self.text.get(range(at, text)).unwrap_or_default(), style)
        });
        Line::from(spans.collect::<Vec<_>>())
    }

    /// The links in a line: from which cell, how many cells, and where they lead.
    pub fn links<'a>(&'a self, at: usize, links: &'a Links) -> impl Iterator<Item = (usize, usize, Address)> + 'a {
        let text = |at: usize| self.pieces.get(at).map(|(end, _)| *end);
        let mut from = 0;
        let pieces = range(at, |at| self.lines.get(at).copied()).map(move |at| {
            let cells = width(self.text.get(range(at, text)).unwrap_or_default());
            let style = self.pieces.get(at).and_then(|(_, style)| self.styles.get(usize::from(*style)));
            let address = style.and_then(|style| links.of(*style));
            let begins = from;
            from += cells;
            address.map(|address| (begins, cells, address))
        });
        pieces.flatten()
    }

    /// The place of a style. Where there are more than can be told apart, the others have none: they are plain.
    fn style(&mut self, style: Style) -> u16 {
        let next = u16::try_from(self.styles.len()).unwrap_or(u16::MAX);
        if next == u16::MAX && !self.places.contains_key(&style) {
            return next;
        }
        *self.places.entry(style).or_insert_with(|| {
            self.styles.push(style);
            next
        })
    }
}

/// From the end of what is before `at` to its own.
fn range(at: usize, end: impl Fn(usize) -> Option<u32>) -> Range<usize> {
    let start = at.checked_sub(1).map_or(Some(0), &end);
    match (start, end(at)) {
        (Some(start), Some(end)) => start as usize..end as usize,
        _ => 0..0,
    }
}

fn short(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Modifier;

    #[test]
    fn lines_come_back_as_they_went_in() {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let lines = vec![
            Line::from(vec![Span::raw("one "), Span::styled("日本", bold)]),
            Line::default(),
            Line::styled("all of it", bold),
        ];
        let mut packed = Packed::default();
        packed.extend(lines);
        assert_eq!(packed.len(), 3);
        assert_eq!(packed.line(0), Line::from(vec![Span::raw("one "), Span::styled("日本", bold)]));
        assert_eq!(packed.line(1), Line::default());
        assert_eq!(packed.line(2), Line::from(Span::styled("all of it", bold)));
        assert_eq!(packed.line(3), Line::default());
    }
}
