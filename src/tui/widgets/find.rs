//! Searching a text that is laid out: what is typed, where it matches, and which match is looked at.
//!
//! A match is found however the lines break it, whatever the case, and marked where it is painted. While the line is typed
//! all keys are text; once it is settled, keys go from match to match and decide nothing.

use std::cell::RefCell;

use crossterm::event::KeyEvent;
use ratatui::layout::Rect;

use super::line::LineInput;
use crate::tui::canvas::{Canvas, Extent};
use crate::tui::commands::Id;
use crate::tui::markdown::Document;
use crate::tui::situation::Layer;
use crate::tui::text::matches::{MOST, Piece, Wanted, matches};
use crate::tui::text::width;
use crate::tui::widgets::scroll::Scroll;

/// The model.
#[derive(Debug)]
pub struct Find {
    input: LineInput,
    /// Each word of it is looked for, rather than the whole.
    words: bool,
    typing: bool,
    /// The match that is looked at.
    at: usize,
    found: RefCell<Found>,
}

/// What was found in which layout.
#[derive(Debug, Default)]
struct Found {
    of: Option<(Wanted, (u16, bool, usize))>,
    lines: Vec<String>,
    matches: Vec<Vec<Piece>>,
}

impl Default for Find {
    fn default() -> Self {
        Self { input: LineInput::default(), words: false, typing: true, at: 0, found: RefCell::default() }
    }
}

impl Find {
    /// Looks for each word of what was typed elsewhere.
    #[must_use]
    pub fn of_words(typed: &str) -> Self {
        Self { input: LineInput::new(typed), words: true, typing: false, ..Self::default() }
    }

    fn wanted(&self) -> Wanted {
        let typed = self.input.value();
        if self.words { Wanted::Words(typed) } else { Wanted::Phrase(typed) }
    }

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
    pub fn is_empty(&self) -> bool {
        self.wanted().is_empty()
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

    /// Gives what is typed to a search, if there is one and its line is typed. False when it is not for it.
    pub fn types(search: &mut Option<Self>, types: impl FnOnce(&mut Self)) -> bool {
        match search {
            Some(find) if find.is_typing() => types(find),
            _ => return false,
        }
        true
    }

    /// Scrolls a text so that the match is shown that is looked at, if there is one.
    pub fn scroll(search: Option<&Self>, text: Option<&Document>, scroll: &mut Scroll, extent: Extent) {
        let line = search.zip(text).and_then(|(find, text)| find.line(text));
        if let Some(line) = line {
            scroll.show(line, extent);
        }
    }

    /// The text is another one.
    pub fn forget(&mut self) {
        self.at = 0;
        *self.found.get_mut() = Found::default();
    }

    /// Goes to the next match or, with a negative number, to one before; after the last comes the first.
    pub fn step(&mut self, by: isize) {
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

    /// How many matches there are: `7 matches`; empty for none.
    #[must_use]
    pub fn counts(&self) -> String {
        match self.found.borrow().matches.len() {
            0 => String::new(),
            1 => "1 match".to_owned(),
            many => format!("{many}{} matches", if many == MOST { "+" } else { "" }),
        }
    }

    /// Which match of how many: `2 of 7`.
    #[must_use]
    pub fn says(&self) -> String {
        let count = self.found.borrow().matches.len();
        match count {
            _ if self.wanted().is_empty() => String::new(),
            0 => "not found".to_owned(),
            _ => format!("{} of {count}{}", self.at + 1, if count == MOST { "+" } else { "" }),
        }
    }

    /// Paints the line that is typed at the bottom of a text's pane, while it is; `text` is what is left for the text.
    pub fn paint_below(&self, canvas: &mut Canvas<'_>, pane: Rect, text: &mut Rect) {
        if !self.typing || text.height < 4 {
            return;
        }
        let line = text.bottom() - 2;
        canvas.divide(pane, line, "Search the text");
        self.paint_line(canvas, Rect { y: line + 1, height: 1, ..*text });
        text.height = line - text.y;
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
        let wanted = (self.wanted(), laid);
        let mut found = self.found.borrow_mut();
        if found.of.as_ref() == Some(&wanted) {
            return;
        }
        let lines = if wanted.0.is_empty() { Vec::new() } else { text.laid_lines() };
        let matches = matches(&lines, &wanted.0);
        *found = Found { of: Some(wanted), lines, matches };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_the_last_match_comes_the_first_and_before_the_first_the_last() {
        let mut find = Find::default();
        let matches = matches(&["a b a b a".to_owned()], &Wanted::Phrase("a".to_owned()));
        *find.found.get_mut() = Found { of: None, lines: Vec::new(), matches };
        let mut at = Vec::new();
        for by in [1, 1, 1, -1, -1] {
            find.step(by);
            at.push(find.at);
        }
        assert_eq!(at, [1, 2, 0, 2, 1]);
    }
}
