//! Wraps styled pieces of text to a width, between words where there are words and between graphemes where not.
//!
//! Promises: no line is wider than the width (except where one grapheme alone is); nothing is lost but the white space
//! at which a line breaks; every piece keeps its style. Linear in the length of the text.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;

use super::width;

/// A piece of text in one style, without line breaks.
pub type Piece<'a> = (&'a str, Style);

/// Wraps `pieces` into lines of at most `cells` cells. No pieces give one empty line.
#[must_use]
pub fn wrap(pieces: &[Piece<'_>], cells: usize) -> Vec<Line<'static>> {
    let mut filler = Filler::new(cells);
    for (text, style) in pieces {
        filler.add(text, *style);
    }
    filler.finish()
}

/// Wraps `text` in one style, each of its own lines apart; tabs become spaces.
#[must_use]
pub fn wrap_text(text: &str, style: Style, cells: usize) -> Vec<Line<'static>> {
    text.lines().flat_map(|line| wrap(&[(&expand_tabs(line), style)], cells)).collect()
}

/// `line` with tabs as spaces up to the next multiple of four cells.
#[must_use]
pub fn expand_tabs(line: &str) -> std::borrow::Cow<'_, str> {
    if !line.contains('\t') {
        return line.into();
    }
    let mut shown = String::with_capacity(line.len() + 8);
    for (at, part) in line.split('\t').enumerate() {
        if at > 0 {
            let column = width(&shown);
            shown.extend(std::iter::repeat_n(' ', 4 - column % 4));
        }
        shown.push_str(part);
    }
    shown.into()
}

/// Fills lines with words. A word may consist of several pieces (`un**break**able`), so the last word is kept apart
/// until white space ends it.
struct Filler {
    cells: usize,
    done: Vec<Line<'static>>,
    line: Vec<Span<'static>>,
    line_width: usize,
    /// White space before the word; dropped when the line breaks there.
    gap: Vec<Span<'static>>,
    gap_width: usize,
    word: Vec<Span<'static>>,
    word_width: usize,
}

impl Filler {
    fn new(cells: usize) -> Self {
        Self {
            cells: cells.max(1),
            done: Vec::new(),
            line: Vec::new(),
            line_width: 0,
            gap: Vec::new(),
            gap_width: 0,
            word: Vec::new(),
            word_width: 0,
        }
    }

    fn add(&mut self, text: &str, style: Style) {
        let mut rest = text;
        while !rest.is_empty() {
            let spaces = rest.len() - rest.trim_start_matches(' ').len();
            if spaces > 0 {
                self.end_word();
                push(&mut self.gap, &rest[..spaces], style);
                self.gap_width += spaces;
                rest = &rest[spaces..];
            } else {
                let end = rest.find(' ').unwrap_or(rest.len());
                self.add_word(&rest[..end], style);
                rest = &rest[end..];
            }
        }
    }

    fn add_word(&mut self, word: &str, style: Style) {
        let cells = width(word);
        // Wide characters (Chinese, Japanese, Korean) may break anywhere; so may what is longer than a line.
        if self.word_width + cells <= self.cells && (word.is_ascii() || !breaks_anywhere(word)) {
            push(&mut self.word, word, style);
            self.word_width += cells;
            return;
        }
        for grapheme in word.graphemes(true) {
            let cells = width(grapheme);
            if self.word_width + cells > self.cells || (cells > 1 && !self.word.is_empty()) {
                self.end_word();
            }
            push(&mut self.word, grapheme, style);
            self.word_width += cells;
        }
    }

    /// The word is complete: it goes into the line, or begins the next one.
    fn end_word(&mut self) {
        if self.word.is_empty() {
            return;
        }
        if self.line_width + self.gap_width + self.word_width > self.cells
            && (self.line_width > 0 || self.gap_width > 0)
        {
            self.gap.clear();
            self.gap_width = 0;
            if self.line_width > 0 {
                self.break_line();
            }
        }
        self.line.append(&mut self.gap);
        for span in self.word.drain(..) {
            match self.line.last_mut() {
                Some(last) if last.style == span.style => last.content.to_mut().push_str(&span.content),
                _ => self.line.push(span),
            }
        }
        self.line_width += self.gap_width + self.word_width;
        self.gap_width = 0;
        self.word_width = 0;
    }

    fn break_line(&mut self) {
        self.done.push(Line::from(std::mem::take(&mut self.line)));
        self.line_width = 0;
    }

    fn finish(mut self) -> Vec<Line<'static>> {
        self.end_word();
        if !self.line.is_empty() || self.done.is_empty() {
            self.break_line();
        }
        self.done
    }
}

fn push(spans: &mut Vec<Span<'static>>, text: &str, style: Style) {
    match spans.last_mut() {
        Some(last) if last.style == style => last.content.to_mut().push_str(text),
        _ => spans.push(Span::styled(text.to_owned(), style)),
    }
}

fn breaks_anywhere(word: &str) -> bool {
    word.chars().any(|c| matches!(u32::from(c), 0x1100..=0x11ff | 0x2e80..=0xd7ff | 0xf900..=0xfaff | 0xff00..=0xffef | 0x20000..=0x3ffff))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str, cells: usize) -> Vec<String> {
        wrap(&[(text, Style::new())], cells).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn words_stay_whole_and_long_ones_are_cut() {
        assert_eq!(shown("the lamps lean out", 9), ["the lamps", "lean out"]);
        assert_eq!(shown("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(shown("", 4), [""]);
        assert_eq!(shown("  indented text", 10), ["  indented", "text"]);
    }

    #[test]
    fn wide_characters_break_anywhere_and_never_in_half() {
        assert_eq!(shown("日本語テキスト", 5), ["日本", "語テ", "キス", "ト"]);
        assert_eq!(shown("see 日本語", 7), ["see 日", "本語"]);
    }

    #[test]
    fn a_word_of_several_styles_is_one_word() {
        let bold = Style::new().add_modifier(ratatui::style::Modifier::BOLD);
        let lines = wrap(&[("an un", Style::new()), ("break", bold), ("able word", Style::new())], 12);
        assert_eq!(lines.iter().map(ToString::to_string).collect::<Vec<_>>(), ["an", "unbreakable", "word"]);
        assert_eq!(lines[1].spans.len(), 3);
    }

    #[test]
    fn a_line_of_one_megabyte_is_no_problem() {
        let line = "x".repeat(1 << 20);
        assert_eq!(shown(&line, 80).len(), (1usize << 20).div_ceil(80));
    }

    proptest! {
        #[test]
        fn no_line_is_too_wide_and_no_letter_is_lost(text in "[a-z 日é]{0,80}", cells in 2usize..20) {
            let lines = shown(&text, cells);
            for line in &lines { prop_assert!(width(line) <= cells, "{line:?}"); }
            let letters = |t: &str| t.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(letters(&lines.concat()), letters(&text));
        }
    }
}
