//! Searching a text that is laid out: what is typed, where it matches, and which match is looked at.
//!
//! A match is found however the lines break it, whatever the case, and marked where it is painted. While the line is typed
//! all keys are text; once it is settled, keys go from match to match and decide nothing.

use std::cell::RefCell;

use crossterm::event::KeyEvent;
use ratatui::layout::Rect;

use super::line::LineInput;
use crate::tui::canvas::Canvas;
use crate::tui::commands::Id;
use crate::tui::markdown::Document;
use crate::tui::situation::Layer;
use crate::tui::text::width;

/// As many matches are kept as anybody goes through.
const MOST: usize = 10_000;

/// The model.
#[derive(Debug)]
pub struct Find {
    input: LineInput,
    typing: bool,
    /// The match that is looked at.
    at: usize,
    found: RefCell<Found>,
}

/// What was found in which layout.
#[derive(Debug, Default)]
struct Found {
    of: Option<(String, (u16, bool, usize))>,
    lines: Vec<String>,
    matches: Vec<Vec<Piece>>,
}

/// A part of a match that lies in one line, as bytes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    line: usize,
    start: usize,
    end: usize,
}

impl Default for Find {
    fn default() -> Self {
        Self { input: LineInput::default(), typing: true, at: 0, found: RefCell::default() }
    }
}

impl Find {
    /// Its place in the situation.
    #[must_use]
    pub fn layer(&self) -> Layer {
        if self.typing { Layer::Ask } else { Layer::Found }
    }

    /// Whether its line is typed.
    #[must_use]
    pub fn is_typing(&self) -> bool {
        self.typing
    }

    /// Whether nothing is looked for.
    #[must_use]
    fn is_empty(&self) -> bool {
        self.input.is_empty()
    }

    /// Takes a key that is text.
    pub fn key(&mut self, key: KeyEvent) {
        self.input.key(key);
        self.at = 0;
    }

    /// Takes a paste.
    pub fn paste(&mut self, text: &str) {
        self.input.paste(text);
        self.at = 0;
    }

    /// Gives a command to a search, if there is one. False when the command is not for it.
    pub fn give(search: &mut Option<Self>, id: Id) -> bool {
        let Some(find) = search else { return false };
        match id {
            Id::Back => *search = None,
            Id::Submit if find.is_empty() => *search = None,
            // The line is done: the keys go to the matches.
            Id::Submit => find.typing = false,
            Id::Filter => find.typing = true,
            Id::FindNext => find.step(1),
            Id::FindPrevious => find.step(-1),
            _ => return false,
        }
        true
    }

    /// The text is another one.
    pub fn forget(&mut self) {
        self.at = 0;
        *self.found.get_mut() = Found::default();
    }

    /// Goes to the next match or, with a negative number, to one before; after the last comes the first.
    fn step(&mut self, by: isize) {
        let count = self.found.get_mut().matches.len();
        let by = by.rem_euclid(isize::try_from(count.max(1)).unwrap_or(isize::MAX));
        self.at = (self.at + by.unsigned_abs()) % count.max(1);
    }

    /// The line in which the match begins that is looked at.
    #[must_use]
    pub fn line(&self, text: &Document) -> Option<usize> {
        self.look(text);
        self.found.borrow().matches.get(self.at)?.first().map(|piece| piece.line)
    }

    /// Which match of how many: `2 of 7`.
    #[must_use]
    pub fn says(&self) -> String {
        let count = self.found.borrow().matches.len();
        match count {
            _ if self.input.is_empty() => String::new(),
            0 => "not found".to_owned(),
            _ => format!("{} of {count}{}", self.at + 1, if count == MOST { "+" } else { "" }),
        }
    }

    /// Paints the line that is typed.
    pub fn paint_line(&self, canvas: &mut Canvas<'_>, area: Rect) {
        self.input.paint(canvas, area, self.typing, false);
    }

    /// Marks the matches in a text that was painted from `top` on.
    pub fn mark(&self, text: &Document, canvas: &mut Canvas<'_>, area: Rect, top: usize) {
        self.look(text);
        let found = self.found.borrow();
        let bottom = top + usize::from(area.height);
        for (at, pieces) in found.matches.iter().enumerate() {
            let style = if at == self.at { canvas.theme.selection } else { canvas.theme.hit };
            for piece in pieces.iter().filter(|piece| (top..bottom).contains(&piece.line)) {
                let line = found.lines.get(piece.line).map(String::as_str).unwrap_or_default();
                let cells = |range: &str| u16::try_from(width(range)).unwrap_or(u16::MAX);
                let x = area.x.saturating_add(cells(&line[..piece.start]));
                let y = area.y + u16::try_from(piece.line - top).unwrap_or(u16::MAX);
                let wide = cells(&line[piece.start..piece.end]);
                let place = Rect { x, y, width: wide, height: 1 }.intersection(area);
                canvas.buf.set_style(place, style);
            }
        }
    }

    /// Looks again, if the text is laid out otherwise or something else is looked for.
    fn look(&self, text: &Document) {
        let Some(laid) = text.laid_as() else { return };
        let wanted = (self.input.value(), laid);
        let mut found = self.found.borrow_mut();
        if found.of.as_ref() == Some(&wanted) {
            return;
        }
        let lines = text.laid_lines();
        let matches = matches(&lines, &wanted.0);
        *found = Found { of: Some(wanted), lines, matches };
    }
}

/// Where a text stands in lines that were broken to fit: any white space, a line break too, is one space.
fn matches(lines: &[String], wanted: &str) -> Vec<Vec<Piece>> {
    let wanted = wanted.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    if wanted.is_empty() {
        return Vec::new();
    }
    let mut text = String::new();
    // For each character of the text: where it begins, and what it comes from.
    let mut chars: Vec<(usize, Piece)> = Vec::new();
    for (line, words) in lines.iter().enumerate() {
        let end = words.len();
        let each = words.char_indices().map(|(at, c)| (c, Piece { line, start: at, end: at + c.len_utf8() }));
        for (c, piece) in each.chain([(' ', Piece { line, start: end, end })]) {
            if !c.is_whitespace() {
                for lower in c.to_lowercase() {
                    chars.push((text.len(), piece));
                    text.push(lower);
                }
            } else if !text.ends_with(' ') {
                chars.push((text.len(), piece));
                text.push(' ');
            }
        }
    }
    let place = |byte: usize| chars.partition_point(|(start, _)| *start < byte);
    let of = |start: usize| pieces(&chars[place(start)..place(start + wanted.len())]);
    text.match_indices(&wanted).take(MOST).map(|(start, _)| of(start)).collect()
}

/// Characters that follow each other, as one piece a line.
fn pieces(chars: &[(usize, Piece)]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for (_, piece) in chars {
        match pieces.last_mut().filter(|last| last.line == piece.line) {
            Some(last) => last.end = piece.end,
            None => pieces.push(*piece),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(lines: &[&str], wanted: &str) -> Vec<Vec<String>> {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let text = |piece: &Piece| lines[piece.line][piece.start..piece.end].to_owned();
        matches(&lines, wanted).iter().map(|pieces| pieces.iter().map(text).collect()).collect()
    }

    #[test]
    fn a_text_is_found_across_the_line_that_broke_it_and_whatever_its_case() {
        let lines = ["  The lamps lean out", "  across the Tide", "", "- the tide"];
        assert_eq!(found(&lines, "LEAN out across"), [vec!["lean out", "across"]]);
        assert_eq!(found(&lines, "the  tide"), [vec!["the Tide"], vec!["the tide"]]);
        assert_eq!(found(&lines, "storm"), Vec::<Vec<String>>::new());
        assert_eq!(found(&lines, "  "), Vec::<Vec<String>>::new());
    }

    #[test]
    fn letters_of_every_script_are_found_whole() {
        let lines = ["größe STRASSE", "日本語 текст İstanbul"];
        assert_eq!(found(&lines, "GRÖSSE"), Vec::<Vec<String>>::new());
        assert_eq!(found(&lines, "GRÖßE"), [vec!["größe"]]);
        assert_eq!(found(&lines, "本語 ТЕКСТ"), [vec!["本語 текст"]]);
        assert_eq!(found(&lines, "istanbul"), Vec::<Vec<String>>::new(), "a dotted capital is another letter");
    }

    #[test]
    fn after_the_last_match_comes_the_first_and_before_the_first_the_last() {
        let mut find = Find::default();
        let matches = matches(&["a b a b a".to_owned()], "a");
        *find.found.get_mut() = Found { of: None, lines: Vec::new(), matches };
        let mut at = Vec::new();
        for by in [1, 1, 1, -1, -1] {
            find.step(by);
            at.push(find.at);
        }
        assert_eq!(at, [1, 2, 0, 2, 1]);
    }
}
