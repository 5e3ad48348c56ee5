//! Where words that were looked for stand in a text as it is laid out: on which lines, and in which cells, so that they
//! can be marked whatever the layout made of the source.
//!
//! A match is one of letters, without case, in the cells of one line: what a person reads there. A word that the layout
//! broke over two lines is not found.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::tui::markdown::Document;
use crate::tui::theme::Theme;

/// So many lines are laid out at once to look through them.
const PIECE: u16 = 256;

/// Lines of a text that are looked through.
const MOST: usize = 20_000;

/// The words of what a person typed, as they are compared; none for an empty search.
#[must_use]
pub fn words(typed: &str) -> Vec<String> {
    typed.split_whitespace().map(str::to_lowercase).collect()
}

/// The lines of a document, laid out for `width`, that have one of `words`.
#[must_use]
pub fn lines(document: &Document, width: u16, theme: &Theme, words: &[String]) -> Vec<usize> {
    let mut found = Vec::new();
    if words.is_empty() || width == 0 {
        return found;
    }
    let height = document.height(width, theme).min(MOST);
    for top in (0..height).step_by(PIECE.into()) {
        let area = Rect { x: 0, y: 0, width, height: PIECE };
        let mut buf = Buffer::empty(area);
        document.paint(area, &mut buf, top, theme);
        let rows = (0..PIECE).filter(|y| !in_row(&buf, area, *y, words).is_empty());
        found.extend(rows.map(|y| top + usize::from(y)).filter(|line| *line < height));
    }
    found
}

/// Marks the words in what was painted in `area`.
pub fn mark(buf: &mut Buffer, area: Rect, words: &[String], style: Style) {
    if words.is_empty() {
        return;
    }
    for y in area.y..area.bottom() {
        for (from, to) in in_row(buf, area, y, words) {
            buf.set_style(Rect { x: from, y, width: to - from, height: 1 }, style);
        }
    }
}

/// The cells of a row, from and to, in which the words stand.
fn in_row(buf: &Buffer, area: Rect, y: u16, words: &[String]) -> Vec<(u16, u16)> {
    // Each character of the row with the cell that it is in: a cell may hold several, and a wide one takes two cells.
    let mut chars: Vec<(char, u16, u16)> = Vec::with_capacity(area.width.into());
    let mut x = area.x;
    while x < area.right() {
        let symbol = buf[(x, y)].symbol();
        let next = x + u16::try_from(super::width(symbol)).unwrap_or(1).max(1);
        chars.extend(symbol.chars().flat_map(char::to_lowercase).map(|c| (c, x, next)));
        x = next;
    }
    let mut found = Vec::new();
    for word in words {
        let word: Vec<char> = word.chars().collect();
        if word.is_empty() {
            continue;
        }
        for window in chars.windows(word.len()) {
            if window.iter().map(|(c, ..)| c).eq(&word)
                && let (Some((_, from, _)), Some((.., to))) = (window.first(), window.last())
            {
                found.push((*from, (*to).min(area.right())));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::text::Untrusted;
    use crate::tui::theme::{Depth, Ground};

    #[test]
    fn words_are_found_on_the_lines_where_they_stand_and_in_the_cells_that_they_take() {
        let theme = Theme::new(Ground::Dark, Depth::None);
        let text = format!("{}# The *Lamps*\n\nof 海辺 and C++ and lamps\n", "line\n\n".repeat(300));
        let document = Document::new(&Untrusted::new(text));
        let found = lines(&document, 40, &theme, &words("LAMPS"));
        assert_eq!(found.len(), 2, "{found:?}");
        let area = Rect::new(0, 0, 40, 1);
        let mut buf = Buffer::empty(area);
        document.paint(area, &mut buf, found[1], &theme);
        assert_eq!(in_row(&buf, area, 0, &words("海辺")), [(3, 7)]);
        assert_eq!(in_row(&buf, area, 0, &words("c++")).len(), 1);
        assert_eq!(lines(&document, 40, &theme, &words("  ")), Vec::<usize>::new());
    }
}
